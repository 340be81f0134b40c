package perforch;

import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.annotation.Annotation;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Runs tests by reflection: methods annotated with a Test of JUnit 4 or 5 (known by the annotation's simple name, so that no JUnit is
 * needed to compile this), test methods of JUnit 3, and classes whose main method checks something.
 *
 * <p>Usage: Harness test MARK ID..., or Harness timed|cold MARK TIMES ENDFILE ID...; an ID is Class or Class#method. MARK is read from
 * standard input when it is "-".
 */
public final class Harness {
    private static final class Case {
        final String id;
        final Class<?> type;
        final Method method;
        final List<Method> before = new ArrayList<>();
        final List<Method> after = new ArrayList<>();
        Class<?> expected;
        List<Object[]> rows = Collections.singletonList(new Object[0]);
        boolean engine;
        Parameters.Unsupported unsupported;

        Case(String id, Class<?> type, Method method) {
            this.id = id;
            this.type = type;
            this.method = method;
        }
    }

    private static final class Null extends OutputStream {
        @Override
        public void write(int b) {
        }

        @Override
        public void write(byte[] b, int off, int len) {
        }
    }

    /** Keeps the first 64 KiB. */
    private static final class Kept extends OutputStream {
        private final ByteArrayOutputStream data = new ByteArrayOutputStream();

        @Override
        public synchronized void write(int b) {
            if (data.size() < 65536) {
                data.write(b);
            }
        }

        synchronized String take() {
            String text = new String(data.toByteArray(), StandardCharsets.UTF_8);
            data.reset();
            return text;
        }
    }

    /** Thrown in place of System.exit by main methods of tests. */
    public static final class Exit extends Error {
        private static final long serialVersionUID = 1L;
        final int status;

        Exit(int status) {
            super("exit status " + status, null, false, false);
            this.status = status;
        }
    }

    private final Map<Class<?>, Boolean> prepared = new LinkedHashMap<>();
    private final Map<Class<?>, Object> instances = new LinkedHashMap<>();

    private Harness() {
    }

    /** Stands in for System.exit in main methods of tests. */
    public static void exit(int status) {
        throw new Exit(status);
    }

    public static void main(String[] args) throws Throwable {
        Runtime.getRuntime().halt(run(args));
    }

    static int run(String[] args) throws Throwable {
        FileOutputStream out = new FileOutputStream(FileDescriptor.out);
        String mark = args[1];
        if (mark.equals("-")) {
            mark = line();
        }
        Harness harness = new Harness();
        if (args[0].equals("test")) {
            return harness.test(out, mark, Arrays.asList(args).subList(2, args.length));
        }
        List<String> ids = Arrays.asList(args).subList(4, args.length);
        return harness.timed(args[0].equals("cold"), mark, Long.parseLong(args[2]), args[3], ids);
    }

    private static String line() throws IOException {
        StringBuilder text = new StringBuilder();
        for (int c = System.in.read(); c >= 0 && c != '\n'; c = System.in.read()) {
            text.append((char) c);
        }
        return text.toString();
    }

    private int test(OutputStream out, String mark, List<String> ids) throws IOException {
        Kept kept = new Kept();
        PrintStream stream = new PrintStream(kept, true, "UTF-8");
        System.setOut(stream);
        System.setErr(stream);
        List<Case> cases = new ArrayList<>();
        for (String id : ids) {
            try {
                cases.addAll(find(id));
            } catch (Throwable problem) {
                String outcome = aborted(problem) ? "skipped" : "failed";
                say(out, mark, "test", id, outcome, describe(problem), trace(problem));
            }
        }
        for (Case one : cases) {
            say(out, mark, "found", one.id);
        }
        for (Case one : cases) {
            say(out, mark, "started", one.id);
            kept.take();
            Throwable problem = null;
            String outcome = "passed";
            try {
                if (ignored(one)) {
                    outcome = "skipped";
                } else {
                    run(one);
                }
            } catch (Throwable thrown) {
                problem = thrown;
                outcome = aborted(thrown) || one.engine ? "skipped" : "failed";
            }
            stream.flush();
            String said = kept.take();
            String text = problem == null ? "" : describe(problem);
            say(out, mark, "test", one.id, outcome, text, problem == null ? "" : said + trace(problem));
        }
        say(out, mark, "end", Integer.toString(cases.size()));
        return 0;
    }

    private int timed(boolean cold, String mark, long times, String end, List<String> ids) throws Throwable {
        PrintStream nothing = new PrintStream(new Null(), false, "UTF-8");
        PrintStream shown = System.err;
        System.setOut(nothing);
        System.setErr(nothing);
        List<Case> cases = new ArrayList<>();
        for (String id : ids) {
            cases.addAll(find(id));
        }
        cases.removeIf(Harness::ignored);
        long first = 0;
        long rest = 0;
        try {
            for (long round = 0; round < times; round++) {
                long started = cold ? System.nanoTime() : 0;
                for (Case one : cases) {
                    run(one);
                }
                if (cold) {
                    long spent = System.nanoTime() - started;
                    if (round == 0) {
                        first = spent;
                    } else {
                        rest += spent;
                    }
                }
            }
        } catch (Throwable problem) {
            shown.println(describe(problem));
            return 1;
        }
        String text = mark + " " + first + " " + (times > 1 ? rest / (times - 1) : 0) + "\n";
        try (FileOutputStream file = new FileOutputStream(end, true)) {
            file.write(text.getBytes(StandardCharsets.UTF_8));
        }
        return 0;
    }

    private List<Case> find(String id) throws Exception {
        int hash = id.indexOf('#');
        Class<?> type = Class.forName(hash < 0 ? id : id.substring(0, hash));
        List<Case> found = new ArrayList<>();
        for (Method method : methods(type)) {
            if (isTest(type, method) && (hash < 0 || method.getName().equals(id.substring(hash + 1)))) {
                found.add(complete(new Case(type.getName() + "#" + method.getName(), type, method)));
            }
        }
        if (found.isEmpty() && hash < 0) {
            Method main = type.getDeclaredMethod("main", String[].class);
            main.setAccessible(true);
            found.add(new Case(id, type, main));
        }
        if (found.isEmpty()) {
            throw new NoSuchMethodException("no test " + id);
        }
        return found;
    }

    private static Case complete(Case one) throws Exception {
        one.method.setAccessible(true);
        one.engine = engine(one);
        if (one.engine || !has(one.method, "Test")) {
            try {
                one.rows = Parameters.rows(one.type, one.method);
            } catch (Parameters.Unsupported unsupported) {
                one.unsupported = unsupported;
            }
        }
        for (Method method : methods(one.type)) {
            method.setAccessible(true);
            boolean plain = method.getParameterCount() == 0;
            if (plain && (has(method, "Before") || has(method, "BeforeEach") || junit3(one.type, method, "setUp"))) {
                one.before.add(0, method);
            }
            if (plain && (has(method, "After") || has(method, "AfterEach") || junit3(one.type, method, "tearDown"))) {
                one.after.add(method);
            }
        }
        for (Annotation annotation : one.method.getAnnotations()) {
            if (annotation.annotationType().getName().equals("org.junit.Test")) {
                Class<?> expected = (Class<?>) annotation.annotationType().getMethod("expected").invoke(annotation);
                one.expected = expected.getName().endsWith("$None") ? null : expected;
            }
        }
        return one;
    }

    private void run(Case one) throws Throwable {
        try {
            if (one.method.getName().equals("main") && one.method.getParameterCount() == 1) {
                try {
                    one.method.invoke(null, (Object) new String[0]);
                } catch (InvocationTargetException wrapped) {
                    if (!(wrapped.getCause() instanceof Exit) || ((Exit) wrapped.getCause()).status != 0) {
                        throw wrapped;
                    }
                }
                return;
            }
            if (one.unsupported != null) {
                throw one.unsupported;
            }
            for (Object[] arguments : one.rows) {
                run(one, arguments);
            }
        } catch (InvocationTargetException wrapped) {
            throw wrapped.getCause();
        }
    }

    private void run(Case one, Object[] arguments) throws Throwable {
        Object instance = Modifier.isStatic(one.method.getModifiers()) ? null : fresh(one.type);
        if (prepared.put(one.type, Boolean.TRUE) == null) {
            once(one.type, instance);
        }
        for (Method method : one.before) {
            method.invoke(Modifier.isStatic(method.getModifiers()) ? null : instance);
        }
        Throwable problem = null;
        try {
            one.method.invoke(instance, arguments);
        } catch (InvocationTargetException wrapped) {
            problem = wrapped.getCause();
        } catch (IllegalArgumentException mismatch) {
            problem = new Parameters.Unsupported("arguments of " + one.method.getName() + " need JUnit's own engine");
        }
        for (Method method : one.after) {
            method.invoke(Modifier.isStatic(method.getModifiers()) ? null : instance);
        }
        if (one.expected != null && problem == null) {
            throw new AssertionError("Expected exception: " + one.expected.getName());
        }
        if (problem != null && (one.expected == null || !one.expected.isInstance(problem))) {
            throw problem;
        }
    }

    /** A new instance for every test, but one for all where @TestInstance(PER_CLASS) asks for it. */
    private Object fresh(Class<?> type) throws Exception {
        boolean shared = false;
        for (Annotation annotation : type.getAnnotations()) {
            if (annotation.annotationType().getSimpleName().equals("TestInstance")) {
                shared = annotation.annotationType().getMethod("value").invoke(annotation).toString().equals("PER_CLASS");
            }
        }
        if (!shared) {
            return instance(type);
        }
        if (!instances.containsKey(type)) {
            instances.put(type, instance(type));
        }
        return instances.get(type);
    }

    private static void once(Class<?> type, Object instance) throws Exception {
        for (Method method : methods(type)) {
            if (has(method, "BeforeClass") || has(method, "BeforeAll")) {
                method.setAccessible(true);
                method.invoke(Modifier.isStatic(method.getModifiers()) ? null : instance);
            }
        }
    }

    static Object instance(Class<?> type) throws Exception {
        Class<?> outer = type.getEnclosingClass();
        if (outer != null && !Modifier.isStatic(type.getModifiers())) {
            Constructor<?> inner = type.getDeclaredConstructor(outer);
            inner.setAccessible(true);
            return inner.newInstance(instance(outer));
        }
        Constructor<?> constructor = type.getDeclaredConstructor();
        constructor.setAccessible(true);
        return constructor.newInstance();
    }

    /** Methods of the class and of those above it, in a stable order; an overridden one only once. */
    private static List<Method> methods(Class<?> type) {
        Map<String, Method> found = new LinkedHashMap<>();
        for (Class<?> level = type; level != null && level != Object.class; level = level.getSuperclass()) {
            List<Method> own = new ArrayList<>(Arrays.asList(level.getDeclaredMethods()));
            Collections.sort(own, Comparator.comparing(Method::toString));
            for (Method method : own) {
                if (!method.isSynthetic()) {
                    found.putIfAbsent(method.getName() + Arrays.toString(method.getParameterTypes()), method);
                }
            }
        }
        return new ArrayList<>(found.values());
    }

    private static boolean isTest(Class<?> type, Method method) {
        if (has(method, "ParameterizedTest") || has(method, "RepeatedTest") || has(method, "TestFactory")) {
            return true;
        }
        return has(method, "Test") || method.getName().startsWith("test") && junit3(type, method, method.getName());
    }

    private static boolean junit3(Class<?> type, Method method, String name) {
        if (!method.getName().equals(name) || method.getParameterCount() != 0) {
            return false;
        }
        for (Class<?> level = type; level != null; level = level.getSuperclass()) {
            if (level.getName().equals("junit.framework.TestCase")) {
                return method.getDeclaringClass() != level;
            }
        }
        return false;
    }

    private static boolean has(java.lang.reflect.AnnotatedElement element, String name) {
        for (Annotation annotation : element.getAnnotations()) {
            if (annotation.annotationType().getSimpleName().equals(name)) {
                return true;
            }
        }
        return false;
    }

    /** Does the test use what only JUnit's own engine gives it? Its failures here say nothing then. */
    private static boolean engine(Case one) {
        if (one.method.getParameterCount() > 0 && has(one.method, "Test")) {
            return true;
        }
        for (Class<?> level = one.type; level != null; level = level.getSuperclass()) {
            if (has(level, "RunWith") || has(level, "ExtendWith")) {
                return true;
            }
            List<java.lang.reflect.AnnotatedElement> members = new ArrayList<>(Arrays.asList(level.getDeclaredFields()));
            members.addAll(Arrays.asList(level.getDeclaredMethods()));
            for (java.lang.reflect.AnnotatedElement member : members) {
                for (String name : new String[] {"Rule", "ClassRule", "TempDir", "RegisterExtension", "ExtendWith"}) {
                    if (has(member, name)) {
                        return true;
                    }
                }
            }
        }
        return false;
    }

    private static boolean ignored(Case one) {
        return has(one.method, "Ignore") || has(one.method, "Disabled") || has(one.type, "Ignore") || has(one.type, "Disabled");
    }

    private static boolean aborted(Throwable problem) {
        String name = problem.getClass().getSimpleName();
        return problem instanceof Parameters.Unsupported
            || name.equals("AssumptionViolatedException") || name.equals("TestAbortedException");
    }

    private static String describe(Throwable problem) {
        try {
            return problem.toString();
        } catch (Throwable again) {
            return problem.getClass().getName();
        }
    }

    private static String trace(Throwable problem) {
        StringWriter text = new StringWriter();
        try {
            problem.printStackTrace(new PrintWriter(text, true));
        } catch (Throwable again) {
            return "";
        }
        StringBuilder kept = new StringBuilder();
        for (String line : text.toString().split("\n")) {
            boolean ours = line.contains("at perforch.Harness") || line.contains("java.base/jdk.internal.reflect")
                || line.contains("java.base/java.lang.reflect");
            if (!ours && kept.length() < 16384) {
                kept.append(line).append('\n');
            }
        }
        return kept.toString();
    }

    private static void say(OutputStream out, String mark, String... words) throws IOException {
        StringBuilder line = new StringBuilder("\n").append(mark);
        for (String word : words) {
            line.append(' ').append(Base64.getEncoder().encodeToString(word.getBytes(StandardCharsets.UTF_8))).append('.');
        }
        out.write(line.append('\n').toString().getBytes(StandardCharsets.UTF_8));
    }
}
