package shop;

import java.util.ArrayList;
import java.util.List;

/** Functions over order numbers. */
public final class Orders {
    private Orders() {
    }

    /** Returns the order numbers without repetitions, in the order of their first occurrence. */
    public static List<Integer> distinct(List<Integer> orders) {
        List<Integer> seen = new ArrayList<>();
        for (Integer order : orders) {
            if (!seen.contains(order)) {
                seen.add(order);
            }
        }
        return seen;
    }
}
