import java.io.FileWriter;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.Writer;
import java.lang.annotation.Annotation;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/**
 * Runs tests by reflection: JUnit 3, 4 and 5 and TestNG methods by the names of their annotations, and classes with a main method.
 * Arguments: mode (run, timed, cold), nonce, repetitions, test ids (Class#method or Class).
 */
public final class PerforchHarness {
    private static final String END = "/tmp/perforch-end";

    private PerforchHarness() {
    }

    public static void main(String[] arguments) throws Exception {
        String mode = arguments[0];
        String nonce = arguments[1];
        long repeat = Long.parseLong(arguments[2]);
        PrintStream out = System.out;
        System.setOut(new PrintStream(OutputStream.nullOutputStream(), false, "UTF-8"));
        if (!mode.equals("run")) {
            System.setErr(new PrintStream(OutputStream.nullOutputStream(), false, "UTF-8"));
        }
        List<Case> cases = new ArrayList<>();
        for (int i = 3; i < arguments.length; i++) {
            cases.add(new Case(arguments[i]));
        }
        if (mode.equals("run")) {
            for (Case one : cases) {
                Throwable failure = one.attempt();
                String word = failure == null ? "passed" : failure instanceof Skip ? "skipped" : "failed";
                out.println(nonce + "\t" + word + "\t" + one.id + "\t" + (failure == null ? "" : describe(failure)));
                out.flush();
            }
            out.println(nonce + "\tend");
            out.flush();
            System.exit(0);
        }
        long first = 0;
        long rest = 0;
        for (long round = 0; round < repeat; round++) {
            long started = System.nanoTime();
            for (Case one : cases) {
                if (one.attempt() != null) {
                    System.exit(98);
                }
            }
            long spent = System.nanoTime() - started;
            if (round == 0) {
                first = spent;
            } else {
                rest += spent;
            }
        }
        try (Writer end = new FileWriter(END, StandardCharsets.UTF_8, true)) {
            end.write(nonce + "\n");
        }
        if (mode.equals("cold")) {
            out.println(nonce + "\t" + first + "\t" + (repeat > 1 ? rest / (repeat - 1) : first));
            out.flush();
        }
        System.exit(0);
    }

    private static String describe(Throwable failure) {
        StringWriter text = new StringWriter();
        failure.printStackTrace(new PrintWriter(text));
        String whole = text.toString();
        String kept = whole.length() > 8000 ? whole.substring(0, 8000) : whole;
        return Base64.getEncoder().encodeToString(kept.getBytes(StandardCharsets.UTF_8));
    }

    private static final class Skip extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    private static final class Case {
        final String id;
        private final Class<?> type;
        private final Method method;
        private final Class<? extends Throwable> expected;
        private final List<Method> before = new ArrayList<>();
        private final List<Method> after = new ArrayList<>();
        private final List<Method> once = new ArrayList<>();
        private Object shared;
        private boolean ready;

        Case(String id) throws Exception {
            this.id = id;
            int hash = id.indexOf('#');
            type = Class.forName(hash < 0 ? id : id.substring(0, hash));
            if (hash < 0) {
                method = type.getMethod("main", String[].class);
                expected = null;
                return;
            }
            method = find(type, id.substring(hash + 1));
            method.setAccessible(true);
            expected = expectation(method);
            for (Class<?> level = type; level != null && level != Object.class; level = level.getSuperclass()) {
                for (Method other : level.getDeclaredMethods()) {
                    if (other.getParameterCount() != 0) {
                        continue;
                    }
                    if (marked(other, "Before", "BeforeEach", "BeforeMethod") || isJUnit3(other, "setUp")) {
                        other.setAccessible(true);
                        before.add(0, other);
                    } else if (marked(other, "After", "AfterEach", "AfterMethod") || isJUnit3(other, "tearDown")) {
                        other.setAccessible(true);
                        after.add(other);
                    } else if (marked(other, "BeforeClass", "BeforeAll")) {
                        other.setAccessible(true);
                        once.add(0, other);
                    }
                }
            }
        }

        Throwable attempt() {
            try {
                run();
                return null;
            } catch (InvocationTargetException error) {
                return error.getCause();
            } catch (Throwable error) {
                return error;
            }
        }

        private void run() throws Throwable {
            if (method.getName().equals("main") && id.indexOf('#') < 0) {
                method.invoke(null, (Object) new String[0]);
                return;
            }
            if (marked(method, "Disabled", "Ignore") || method.getParameterCount() != 0) {
                throw new Skip();
            }
            Object target = instance();
            if (!ready) {
                ready = true;
                for (Method each : once) {
                    each.invoke(Modifier.isStatic(each.getModifiers()) ? null : target);
                }
            }
            for (Method each : before) {
                each.invoke(target);
            }
            try {
                method.invoke(target);
                if (expected != null) {
                    throw new AssertionError("expected " + expected.getName());
                }
            } catch (InvocationTargetException error) {
                if (expected == null || !expected.isInstance(error.getCause())) {
                    throw error;
                }
            } finally {
                for (Method each : after) {
                    each.invoke(target);
                }
            }
        }

        private Object instance() throws Exception {
            if (Modifier.isStatic(method.getModifiers())) {
                return null;
            }
            java.lang.reflect.Constructor<?>[] makers = type.getDeclaredConstructors();
            for (java.lang.reflect.Constructor<?> maker : makers) {
                maker.setAccessible(true);
                if (maker.getParameterCount() == 0) {
                    return maker.newInstance();
                }
                if (maker.getParameterCount() == 1 && maker.getParameterTypes()[0] == String.class) {
                    return maker.newInstance(method.getName());
                }
            }
            Class<?> outer = type.getEnclosingClass();
            if (outer != null) {
                if (shared == null) {
                    java.lang.reflect.Constructor<?> maker = outer.getDeclaredConstructor();
                    maker.setAccessible(true);
                    shared = maker.newInstance();
                }
                java.lang.reflect.Constructor<?> maker = type.getDeclaredConstructor(outer);
                maker.setAccessible(true);
                return maker.newInstance(shared);
            }
            throw new Skip();
        }

        private static boolean isJUnit3(Method method, String name) {
            if (!method.getName().equals(name)) {
                return false;
            }
            for (Class<?> level = method.getDeclaringClass(); level != null; level = level.getSuperclass()) {
                if (level.getName().equals("junit.framework.TestCase")) {
                    return method.getDeclaringClass() != level;
                }
            }
            return false;
        }

        private static boolean marked(Method method, String... names) {
            for (Annotation annotation : method.getAnnotations()) {
                for (String name : names) {
                    if (annotation.annotationType().getSimpleName().equals(name)) {
                        return true;
                    }
                }
            }
            return false;
        }

        private static Class<? extends Throwable> expectation(Method method) throws Exception {
            for (Annotation annotation : method.getAnnotations()) {
                if (annotation.annotationType().getName().equals("org.junit.Test")) {
                    Class<?> value = (Class<?>) annotation.annotationType().getMethod("expected").invoke(annotation);
                    return Throwable.class.isAssignableFrom(value) && !value.getName().endsWith("Test$None")
                        ? value.asSubclass(Throwable.class) : null;
                }
            }
            return null;
        }

        private static Method find(Class<?> type, String name) throws NoSuchMethodException {
            for (Class<?> level = type; level != null; level = level.getSuperclass()) {
                for (Method method : level.getDeclaredMethods()) {
                    if (method.getName().equals(name)) {
                        return method;
                    }
                }
            }
            throw new NoSuchMethodException(type.getName() + "#" + name);
        }
    }
}
