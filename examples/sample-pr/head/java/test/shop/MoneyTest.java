package shop;

public final class MoneyTest {
    private MoneyTest() {
    }

    public static void main(String[] args) {
        check("0.00", Money.format(0));
        check("12.05", Money.format(1205));
    }

    private static void check(String expected, String actual) {
        if (!expected.equals(actual)) {
            throw new AssertionError("expected " + expected + " but was " + actual);
        }
    }
}
