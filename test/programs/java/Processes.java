import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/** Runtime.exec and ProcessBuilder: streams, environment, folder, redirections, pipelines, statuses, signals, many at once. */
public class Processes {
    static String read(InputStream in) throws IOException { return new String(in.readAllBytes(), StandardCharsets.UTF_8).strip(); }

    public static void main(String[] args) throws Exception {
        Process echo = Runtime.getRuntime().exec(new String[] {"echo", "from", "a child"});
        System.out.println(read(echo.getInputStream()) + " " + echo.waitFor());
        Process both = new ProcessBuilder("sh", "-c", "echo out; echo err >&2; exit 7").start();
        System.out.println(read(both.getInputStream()) + " " + read(both.getErrorStream()) + " " + both.waitFor());
        ProcessBuilder builder = new ProcessBuilder("sh", "-c", "pwd; echo $NAME; cat");
        builder.directory(new File("/usr")).environment().put("NAME", "a value");
        Process cat = builder.start();
        try (Writer in = new OutputStreamWriter(cat.getOutputStream())) { in.write("through\ncat"); }
        System.out.println(read(cat.getInputStream()).replace('\n', '|') + " " + cat.waitFor());
        try { new ProcessBuilder("/nonexistent/program").start(); } catch (IOException e) { System.out.println(e.getMessage()); }
        Path out = Files.createTempFile("out", "");
        System.out.println(new ProcessBuilder("sh", "-c", "seq 10000; echo end >&2").redirectErrorStream(true).redirectOutput(out.toFile()).start().waitFor() + " " + Files.size(out));
        List<Process> line = ProcessBuilder.startPipeline(List.of(new ProcessBuilder("seq", "5000"), new ProcessBuilder("grep", "7"), new ProcessBuilder("wc", "-l")));
        System.out.println("pipeline " + read(line.get(2).getInputStream()));
        Process sleeper = new ProcessBuilder("sleep", "1000").start();
        System.out.println(sleeper.waitFor(20, TimeUnit.MILLISECONDS) + " alive " + sleeper.isAlive());
        sleeper.destroy();
        System.out.println("destroyed " + sleeper.waitFor());
        Process stubborn = new ProcessBuilder("sh", "-c", "trap '' TERM; echo on; while :; do sleep 0.1; done").start();
        stubborn.getInputStream().read();
        stubborn.destroyForcibly();
        System.out.println("killed " + stubborn.waitFor());
        List<Process> many = new ArrayList<>();
        for (int i = 0; i < 20; i++) many.add(new ProcessBuilder("sh", "-c", "exit " + i).start());
        StringBuilder statuses = new StringBuilder();
        for (Process process : many) statuses.append(process.waitFor()).append(' ');
        System.out.println(statuses);
        Process exited = new ProcessBuilder("true").start();
        System.out.println("onExit " + exited.onExit().get().exitValue());
        ProcessHandle self = ProcessHandle.current();
        Process child = new ProcessBuilder("cat").start();
        System.out.println("children " + self.children().filter(ProcessHandle::isAlive).count() + " parent " + (child.toHandle().parent().get().pid() == self.pid()));
        System.out.println(child.info().command().orElse("?").endsWith("cat") + " " + self.info().command().map(path -> path.endsWith("java")).orElse(false) + " " + self.info().startInstant().isPresent());
        child.getOutputStream().close();
        System.out.println("cat " + child.waitFor());
        Process java = new ProcessBuilder(self.info().command().get(), "-cp", System.getProperty("java.class.path"), "Hello", "again").start();
        System.out.println(read(java.getInputStream()) + " " + java.waitFor() + " " + read(java.getErrorStream()));
        Files.delete(out);
    }
}
