import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Runs a program's main on every file of a folder, as often as asked, in one JVM: StdioLoop CLASS INPUTS COUNT [check]. */
public final class StdioLoop {
    /** Readers that a program keeps in static fields find the next input here too. */
    private static final class Given extends InputStream {
        private byte[] bytes = new byte[0];
        private int place;

        @Override
        public int read() {
            return place < bytes.length ? bytes[place++] & 0xff : -1;
        }

        @Override
        public int read(byte[] target, int from, int most) {
            if (most == 0) {
                return 0;
            }
            int count = Math.min(most, bytes.length - place);
            if (count <= 0) {
                return -1;
            }
            System.arraycopy(bytes, place, target, from, count);
            place += count;
            return count;
        }

        @Override
        public int available() {
            return bytes.length - place;
        }
    }

    private static final class Taken extends OutputStream {
        private ByteArrayOutputStream kept;

        @Override
        public void write(int one) {
            if (kept != null) {
                kept.write(one);
            }
        }

        @Override
        public void write(byte[] source, int from, int count) {
            if (kept != null) {
                kept.write(source, from, count);
            }
        }
    }

    public static void main(String[] arguments) throws Throwable {
        List<byte[]> inputs = new ArrayList<>();
        try (Stream<Path> files = Files.list(Paths.get(arguments[1]))) {
            for (Path file : files.sorted().collect(Collectors.toList())) {
                inputs.add(Files.readAllBytes(file));
            }
        }
        boolean check = arguments.length > 3 && arguments[3].equals("check");
        Given given = new Given();
        Taken taken = new Taken();
        System.setIn(given);
        System.setOut(new PrintStream(taken, false));
        Method program = Class.forName(arguments[0]).getMethod("main", String[].class);
        byte[][] first = new byte[inputs.size()][];
        for (long left = Long.parseLong(arguments[2]); left > 0; left--) {
            for (int number = 0; number < inputs.size(); number++) {
                given.bytes = inputs.get(number);
                given.place = 0;
                taken.kept = check ? new ByteArrayOutputStream() : null;
                call(program);
                System.out.flush();
                if (check) {
                    byte[] written = taken.kept.toByteArray();
                    if (first[number] != null && !Arrays.equals(first[number], written)) {
                        System.err.println("its output changes when it is repeated in one process");
                        Runtime.getRuntime().halt(1);
                    }
                    first[number] = written;
                }
            }
        }
        Runtime.getRuntime().halt(check ? 86 : 0);
    }

    private static void call(Method program) throws Throwable {
        try {
            program.invoke(null, (Object) new String[0]);
        } catch (InvocationTargetException error) {
            throw error.getCause();
        }
        Thread[] threads = new Thread[Thread.activeCount() + 16];
        int count = Thread.enumerate(threads);
        for (int place = 0; place < count; place++) {
            if (threads[place] != Thread.currentThread() && !threads[place].isDaemon()) {
                threads[place].join();
            }
        }
    }
}
