package dev.mcpscope.host;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// The processes of a [Walk], found by the variables in their environment, and signals to them. Linux
/// only. It has a shell of its own, because signals are sent too often for a process each.
final class WalkProcesses implements AutoCloseable {
  private static final String COOKIE =
      "\0MCP_SCOPE_CONNECTION=" + ProcessHandle.current().pid() + "-";
  private static final Pattern MARK =
      Pattern.compile("\0" + WalkServer.Process.MARK + "=([^\0]*)\0");

  private final Process shell;
  private final Writer orders;
  private final BufferedReader done;

  WalkProcesses() throws IOException {
    shell = new ProcessBuilder("/bin/sh").redirectError(ProcessBuilder.Redirect.DISCARD).start();
    orders = shell.outputWriter(UTF_8);
    done = shell.inputReader(UTF_8);
  }

  /// Returns the environment of a process, each variable between two NULs; empty when it has ended, and
  /// when it is a zombie.
  private static String environment(long pid) {
    try {
      byte[] bytes = Files.readAllBytes(Path.of("/proc/" + pid + "/environ"));
      return "\0" + new String(bytes, ISO_8859_1) + "\0";
    } catch (IOException _) {
      return "\0";
    }
  }

  private static String mark(long pid) {
    Matcher mark = MARK.matcher(environment(pid));
    return mark.find() ? mark.group(1) : "";
  }

  private static List<ProcessHandle> servers() {
    return ProcessHandle.current().children().toList();
  }

  /// Returns a server whose mark begins so.
  Optional<Long> of(String mark) {
    return servers().stream()
        .map(ProcessHandle::pid)
        .filter(pid -> mark(pid).startsWith(mark))
        .findFirst();
  }

  /// Sends a signal and returns when it is sent.
  void signal(String name, long pid) throws IOException {
    orders.write("kill -" + name + " " + pid + "; echo done\n");
    orders.flush();
    done.readLine();
  }

  /// Returns two servers of one name that run at the same time.
  Optional<String> overlap() {
    var first = new HashMap<String, ProcessHandle>();
    for (ProcessHandle server : servers()) {
      String mark = mark(server.pid());
      if (mark.isEmpty()) {
        continue;
      }
      String name = mark.substring(0, mark.lastIndexOf('.'));
      ProcessHandle other = first.put(name, server);
      if (other != null
          && !environment(other.pid()).equals("\0")
          && !mark(server.pid()).isEmpty()) {
        return Optional.of("two servers of " + name + " run: " + other.pid() + ", " + server.pid());
      }
    }
    return Optional.empty();
  }

  /// Returns which processes of this JVM's connections run, of such marks.
  Optional<String> left(Predicate<String> mark) {
    Map<Long, String> left = new HashMap<>();
    try (Stream<ProcessHandle> all = ProcessHandle.allProcesses()) {
      all.forEach(process -> {
        String environment = environment(process.pid());
        Matcher matcher = MARK.matcher(environment);
        if (environment.contains(COOKIE) && matcher.find() && mark.test(matcher.group(1))) {
          left.put(process.pid(), matcher.group(1) + " " + process.info().command().orElse("?"));
        }
      });
    }
    return left.isEmpty() ? Optional.empty() : Optional.of("processes are left: " + left);
  }

  @Override
  public void close() throws IOException {
    orders.close();
    shell.destroyForcibly().onExit().join();
    done.close();
  }
}
