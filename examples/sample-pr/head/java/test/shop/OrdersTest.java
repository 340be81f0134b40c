package shop;

import java.util.ArrayList;
import java.util.List;

public final class OrdersTest {
    private OrdersTest() {
    }

    public static void main(String[] args) {
        check(List.of(3, 1, 2), Orders.distinct(List.of(3, 1, 3, 2, 1)));
        check(List.of(), Orders.distinct(List.of()));
        List<Integer> orders = new ArrayList<>();
        for (int number = 0; number < 6000; number++) {
            orders.add(number * 7919 % 3001);
        }
        check(3001, Orders.distinct(orders).size());
    }

    private static void check(Object expected, Object actual) {
        if (!expected.equals(actual)) {
            throw new AssertionError("expected " + expected + " but was " + actual);
        }
    }
}
