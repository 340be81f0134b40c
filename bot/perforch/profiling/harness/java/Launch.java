/** Runs Main of a program in a JVM of its own; exiting early is not passing. */
public final class Launch {
    public static void main(String[] arguments) throws Throwable {
        try {
            Class.forName("Main").getMethod("main", String[].class).invoke(null, (Object) new String[0]);
        } catch (java.lang.reflect.InvocationTargetException error) {
            throw error.getCause();
        }
        Runtime.getRuntime().halt(86);
    }
}
