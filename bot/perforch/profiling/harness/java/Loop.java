import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;

/** Runs Main as often as the first argument says, in one JVM. */
public final class Loop {
    public static void main(String[] arguments) throws Throwable {
        System.setOut(new PrintStream(OutputStream.nullOutputStream()));
        MethodHandle test = MethodHandles.publicLookup()
            .findStatic(Class.forName("Main"), "main", MethodType.methodType(void.class, String[].class));
        String[] none = new String[0];
        for (long left = Long.parseLong(arguments[0]); left > 0; left--) {
            test.invokeExact(none);
        }
        Runtime.getRuntime().halt(arguments.length > 1 && arguments[1].equals("check") ? 86 : 0);
    }
}
