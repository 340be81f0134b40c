import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;

/**
 * A resident compiler. `Harness run DIR JOBS CPU_SECONDS ID...` compiles DIR/ID.java in memory and runs its Main in this
 * JVM; `Harness compile DIR JOBS OUT ID...` writes the classes to OUT/ID for JVMs of their own.
 * Prints one line a program: id, tab, outcome, tab, detail.
 */
public final class Harness {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
    private static final long WALL_NANOS = 20_000_000_000L;
    private static PrintStream out;

    public static void main(String[] arguments) throws Exception {
        out = System.out;
        System.setOut(new PrintStream(OutputStream.nullOutputStream()));
        System.setErr(new PrintStream(OutputStream.nullOutputStream()));
        boolean run = arguments[0].equals("run");
        Path directory = Path.of(arguments[1]);
        ExecutorService pool = Executors.newFixedThreadPool(Integer.parseInt(arguments[2]));
        for (int i = 4; i < arguments.length; i++) {
            String id = arguments[i];
            pool.submit(() -> {
                try {
                    Map<String, byte[]> classes = new HashMap<>();
                    String errors = compile(Files.readString(directory.resolve(id + ".java")), classes);
                    if (errors != null) {
                        report(id, "compile", errors);
                    } else if (run) {
                        runIn(id, classes, Integer.parseInt(arguments[3]) * 1_000_000_000L);
                    } else {
                        write(Path.of(arguments[3], id), classes);
                        report(id, "compiled", "");
                    }
                } catch (Throwable error) {
                    report(id, "failed", error.toString());
                }
            });
        }
        pool.shutdown();
        pool.awaitTermination(1, TimeUnit.HOURS);
        out.flush();
        Runtime.getRuntime().halt(0);
    }

    private static synchronized void report(String id, String outcome, String detail) {
        String line = detail.replaceAll("[\\t\\r\\n]+", " ");
        out.println(id + "\t" + outcome + "\t" + line.substring(0, Math.min(line.length(), 2000)));
        out.flush();
    }

    private static String compile(String source, Map<String, byte[]> classes) throws IOException {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        DiagnosticCollector<JavaFileObject> found = new DiagnosticCollector<>();
        JavaFileObject unit = new SimpleJavaFileObject(URI.create("string:///Main.java"), JavaFileObject.Kind.SOURCE) {
            @Override
            public CharSequence getCharContent(boolean ignore) {
                return source;
            }
        };
        try (JavaFileManager files = new Memory(compiler.getStandardFileManager(found, Locale.ROOT, StandardCharsets.UTF_8), classes)) {
            List<String> options = List.of("-proc:none", "-nowarn", "-Xlint:none", "-g:none");
            if (compiler.getTask(null, files, found, options, null, List.of(unit)).call()) {
                return null;
            }
        }
        StringBuilder text = new StringBuilder();
        for (Diagnostic<?> one : found.getDiagnostics()) {
            if (one.getKind() == Diagnostic.Kind.ERROR) {
                text.append("line ").append(one.getLineNumber()).append(": ").append(one.getMessage(Locale.ROOT)).append("; ");
            }
        }
        return text.toString();
    }

    private static void write(Path directory, Map<String, byte[]> classes) throws IOException {
        Files.createDirectories(directory);
        for (Map.Entry<String, byte[]> one : classes.entrySet()) {
            Path file = directory.resolve(one.getKey().replace('.', '/') + ".class");
            Files.createDirectories(file.getParent());
            Files.write(file, one.getValue());
        }
    }

    @SuppressWarnings({"deprecation", "removal"})
    private static void runIn(String id, Map<String, byte[]> classes, long cpuNanos) throws Exception {
        Method entry = new Loader(classes).loadClass("Main").getMethod("main", String[].class);
        Throwable[] thrown = new Throwable[1];
        Thread worker = new Thread(null, () -> {
            try {
                entry.invoke(null, (Object) new String[0]);
            } catch (InvocationTargetException error) {
                thrown[0] = error.getCause();
            } catch (Throwable error) {
                thrown[0] = error;
            }
        }, id, 16 << 20);
        worker.setDaemon(true);
        long started = System.nanoTime();
        worker.start();
        for (long wait = 1; worker.isAlive(); wait = Math.min(wait * 2, 50)) {
            worker.join(wait);
            long used = THREADS.getThreadCpuTime(worker.getId());
            if (worker.isAlive() && (used > cpuNanos || System.nanoTime() - started > WALL_NANOS)) {
                report(id, "timeout", used > cpuNanos ? "CPU time" : "wall time");
                try {
                    worker.stop();
                } catch (UnsupportedOperationException gone) {
                    // Newer JDKs cannot stop a thread; it would eat a CPU for good, so the caller starts a new JVM.
                    synchronized (Harness.class) {
                        out.flush();
                        Runtime.getRuntime().halt(75);
                    }
                }
                return;
            }
        }
        report(id, thrown[0] == null ? "passed" : "failed", thrown[0] == null ? "" : thrown[0].toString());
    }

    private static final class Loader extends ClassLoader {
        private final Map<String, byte[]> classes;

        Loader(Map<String, byte[]> classes) {
            super(ClassLoader.getPlatformClassLoader());
            this.classes = classes;
        }

        @Override
        protected Class<?> findClass(String name) throws ClassNotFoundException {
            byte[] code = classes.get(name);
            if (code == null) {
                throw new ClassNotFoundException(name);
            }
            return defineClass(name, code, 0, code.length);
        }
    }

    private static final class Memory extends ForwardingJavaFileManager<JavaFileManager> {
        private final Map<String, byte[]> classes;

        Memory(JavaFileManager under, Map<String, byte[]> classes) {
            super(under);
            this.classes = classes;
        }

        @Override
        public JavaFileObject getJavaFileForOutput(Location place, String name, JavaFileObject.Kind kind, FileObject near) {
            return new SimpleJavaFileObject(URI.create("string:///" + name.replace('.', '/') + ".class"), kind) {
                @Override
                public OutputStream openOutputStream() {
                    return new ByteArrayOutputStream() {
                        @Override
                        public void close() {
                            classes.put(name, toByteArray());
                        }
                    };
                }
            };
        }
    }
}
