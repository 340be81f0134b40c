package perforch;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordedFrame;
import jdk.jfr.consumer.RecordingFile;

/**
 * Samples the stacks of repeated tests with the JDK's flight recorder and prints, for every line of one source file, how many samples it
 * was on: "MARK line samples", and "MARK 0 all samples" last.
 *
 * <p>Usage: Profile TYPE FIRST LAST, and then the arguments of Harness; TYPE is the binary name of the file's top-level class.
 */
public final class Profile {
    private Profile() {
    }

    public static void main(String[] args) throws Throwable {
        FileOutputStream out = new FileOutputStream(FileDescriptor.out);
        String type = args[0];
        int first = Integer.parseInt(args[1]);
        int last = Integer.parseInt(args[2]);
        String[] rest = java.util.Arrays.copyOfRange(args, 3, args.length);
        Path file = Files.createTempFile("perforch", ".jfr");
        int status;
        try (Recording recording = new Recording()) {
            recording.enable("jdk.ExecutionSample").withPeriod(Duration.ofMillis(10));
            recording.start();
            status = Harness.run(rest);
            recording.stop();
            recording.dump(file);
        }
        Map<Integer, Integer> lines = new TreeMap<>();
        int all = 0;
        for (RecordedEvent event : RecordingFile.readAllEvents(file)) {
            if (!event.getEventType().getName().equals("jdk.ExecutionSample") || event.getStackTrace() == null) {
                continue;
            }
            all++;
            for (RecordedFrame frame : event.getStackTrace().getFrames()) {
                String name = frame.getMethod().getType().getName();
                int line = frame.getLineNumber();
                if ((name.equals(type) || name.startsWith(type + "$")) && first <= line && line <= last) {
                    lines.merge(line, 1, Integer::sum);
                    break;
                }
            }
        }
        StringBuilder text = new StringBuilder();
        for (Map.Entry<Integer, Integer> entry : lines.entrySet()) {
            text.append(rest[1]).append(' ').append(entry.getKey()).append(' ').append(entry.getValue()).append('\n');
        }
        text.append(rest[1]).append(" 0 ").append(all).append('\n');
        out.write(text.toString().getBytes(StandardCharsets.UTF_8));
        Runtime.getRuntime().halt(status);
    }
}
