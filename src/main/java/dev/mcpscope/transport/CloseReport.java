package dev.mcpscope.transport;

import dev.mcpscope.json.JsonObject;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;

/// What it took to end one connection, and what is left of it: nothing, unless it is named here.
///
/// @param reason why it was closed: "disconnected", "replaced", the failure's message
/// @param took from the decision to close until every thread of the connection had ended
/// @param steps what was done, in order, with the time each step took
/// @param exitCode the exit code of the server's process; empty when it has none or is not known
/// @param stderrTail the end of what the server wrote to stderr, empty when it wrote nothing
/// @param callsFailed how many calls of callers were still waiting and were failed with the reason
/// @param skippedLines how many lines on the server's stdout could not be read as JSON
/// @param processes every process of the server's tree that was found at the close, the direct child
///     first, and what it took to end it; if it was started twice, those of the first start before
/// @param abandoned the threads that were left behind: callbacks that ignored their interrupt, and,
///     where pipes cannot be interrupted, pumps whose pipe is still held by somebody
/// @param kept what the server may keep of the connection, though it was asked not to: a session whose
///     DELETE it has refused, or not answered, or that did not reach it
/// @param failures what went wrong in a step; the following steps were done all the same
public record CloseReport(
    String reason,
    Duration took,
    List<Step> steps,
    OptionalInt exitCode,
    String stderrTail,
    int callsFailed,
    long skippedLines,
    List<ServerProcess> processes,
    List<String> abandoned,
    List<String> kept,
    List<String> failures) {

  /// What it took to end something; the later, the worse.
  public enum Outcome {
    /// It ended by itself, or when its input ended.
    GRACEFUL,
    /// It needed SIGTERM.
    TERMINATED,
    /// It needed SIGKILL.
    KILLED,
    /// It outlived SIGKILL.
    SURVIVED
  }

  /// One thing that was done.
  ///
  /// @param name what
  /// @param took how long it took
  public record Step(String name, Duration took) {}

  /// How a process is known to belong to the server.
  public enum Tie {
    /// The host has started it.
    CHILD,
    /// A process that belongs to the server has started it.
    DESCENDANT,
    /// It carries the connection's mark in its environment, whoever its parent is by now: a daemon.
    MARK,
    /// It holds the pipe of the server's output, though it carries no mark: a daemon as well.
    PIPE
  }

  /// A process of the server's tree.
  ///
  /// @param pid its process id
  /// @param started when it started, which tells it from a later process with its number
  /// @param command what it ran when it was found, or "?" when the system does not say
  /// @param tie how it is known to belong to the server
  /// @param end what it took to end it
  public record ServerProcess(
      long pid, Optional<Instant> started, String command, Tie tie, Outcome end) {

    /// Where /proc/PID/stat has the number of threads, counted from the state (proc_pid_stat(5)).
    private static final int THREADS = 17;

    /// Returns the process as JSON.
    public JsonObject json() {
      return JsonObject.of(
          "pid", pid, "command", command, "tie", lowerCase(tie), "end", lowerCase(end));
    }

    /// Returns whether it runs now.
    public boolean runs() {
      return ProcessHandle.of(pid)
          .filter(process -> process.info().startInstant().equals(started))
          .filter(ServerProcess::runs)
          .isPresent();
    }

    /// Returns whether a process runs. A zombie has ended: it waits for a parent that may never look,
    /// as pid 1 of many containers. But one that has threads runs on in these: only its first thread
    /// has ended. When this host cannot look at processes, out of descriptors, none has ended.
    public static boolean runs(ProcessHandle process) {
      if (!process.isAlive()) {
        return !ProcessHandle.current().isAlive();
      }
      Path stat = Path.of("/proc", Long.toString(process.pid()), "stat");
      try {
        String text = Files.readString(stat, StandardCharsets.ISO_8859_1);
        // "pid (name) S …": the name may hold anything, so count from its last parenthesis
        String[] fields = text.substring(text.lastIndexOf(')') + 2).split(" ");
        boolean zombie = fields[0].equals("Z") || fields[0].equals("X");
        return !zombie || Integer.parseInt(fields[THREADS]) > 1;
      } catch (NoSuchFileException _) {
        return !Files.exists(stat.getParent().resolveSibling("self")); // gone, or there is no /proc
      } catch (IOException _) { // gone since, or it is not known whether it is a zombie
        return process.isAlive() || !ProcessHandle.current().isAlive();
      }
    }
  }

  /// Copies the lists.
  public CloseReport {
    steps = List.copyOf(steps);
    processes = List.copyOf(processes);
    abandoned = List.copyOf(abandoned);
    kept = List.copyOf(kept);
    failures = List.copyOf(failures);
  }

  /// Returns the same for this reason.
  public CloseReport withReason(String other) {
    return new CloseReport(
        other,
        took,
        steps,
        exitCode,
        stderrTail,
        callsFailed,
        skippedLines,
        processes,
        abandoned,
        kept,
        failures);
  }

  /// Returns how the server went: the worst end of a process of its tree; graceful if it has none.
  public Outcome outcome() {
    return processes.stream()
        .map(ServerProcess::end)
        .max(Comparator.naturalOrder())
        .orElse(Outcome.GRACEFUL);
  }

  /// Returns the processes that outlived SIGKILL.
  public List<ServerProcess> survivors() {
    return processes.stream().filter(process -> process.end() == Outcome.SURVIVED).toList();
  }

  /// Returns whether everything that belonged to the connection has ended on this machine; what the
  /// server may keep on its own ([#kept()]) is another matter.
  public boolean nothingLeft() {
    return survivors().isEmpty() && abandoned.isEmpty();
  }

  /// Returns the report in one line, for logs: what is normal in a few words, what is not by name.
  public String summary() {
    var line = new StringBuilder("closed in " + millis(took) + " ms, " + lowerCase(outcome()));
    exitCode.ifPresent(code -> line.append(", exit code ").append(code));
    list(line, "survived", survivors().stream().map(p -> p.pid() + " " + p.command()).toList());
    list(line, "abandoned", abandoned);
    list(line, "the server may keep", kept);
    list(line, "went wrong", failures);
    return line.toString().replaceAll("\\p{Cc}", "?"); // a file's name may hold anything
  }

  private static void list(StringBuilder line, String what, List<String> names) {
    if (!names.isEmpty()) {
      line.append("; ").append(what).append(": ").append(String.join(", ", names));
    }
  }

  /// Returns the report as JSON, durations in milliseconds.
  public JsonObject json() {
    return JsonObject.of(
        "reason", reason,
        "outcome", lowerCase(outcome()),
        "tookMs", millis(took),
        "steps",
            steps.stream()
                .map(step -> JsonObject.of("name", step.name(), "tookMs", millis(step.took())))
                .toList(),
        "exitCode", exitCode.isPresent() ? exitCode.getAsInt() : null,
        "stderrTail", stderrTail,
        "callsFailed", callsFailed,
        "skippedLines", skippedLines,
        "processes", processes.stream().map(ServerProcess::json).toList(),
        "survivors", survivors().stream().map(ServerProcess::json).toList(),
        "abandoned", abandoned,
        "kept", kept,
        "failures", failures);
  }

  private static String lowerCase(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }

  /// Milliseconds with one decimal: most steps take less than one.
  private static double millis(Duration duration) {
    return Math.round(duration.toNanos() / 100_000.0) / 10.0;
  }
}
