package shop;

/** Amounts in cents. */
public final class Money {
    private Money() {
    }

    /** Formats cents as euros with two decimals. */
    public static String format(long cents) {
        return cents / 100 + "." + (cents % 100 < 10 ? "0" : "") + cents % 100;
    }
}
