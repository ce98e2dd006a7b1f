package dev.mcpscope.transport;

import dev.mcpscope.json.JsonObject;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;

/// What it took to end one connection, and what is left of it: nothing, unless it is named here.
///
/// @param reason why it was closed: "disconnected", "replaced", the failure's message
/// @param outcome how the server went
/// @param took from the decision to close until every thread of the connection had ended
/// @param steps what was done, in order, with the time each step took
/// @param exitCode the exit code of the server's process; empty when it has none or is not known
/// @param stderrTail the end of what the server wrote to stderr, empty when it wrote nothing
/// @param callsFailed how many calls were still waiting and were failed with the reason
/// @param skippedLines how many lines on the server's stdout were no JSON-RPC
/// @param survivors the processes that outlived SIGKILL
/// @param abandoned the threads that were left behind: callbacks that ignored their interrupt, and,
///     where pipes cannot be interrupted, pumps whose pipe is still held by somebody
/// @param failures what went wrong in a step; the following steps were done all the same
public record CloseReport(
    String reason,
    Outcome outcome,
    Duration took,
    List<Step> steps,
    OptionalInt exitCode,
    String stderrTail,
    int callsFailed,
    long skippedLines,
    List<Survivor> survivors,
    List<String> abandoned,
    List<String> failures) {

  /// How the server went; the worst that was needed.
  public enum Outcome {
    /// It ended by itself, or when its input ended.
    GRACEFUL,
    /// It, or something it had started, needed SIGTERM.
    TERMINATED,
    /// It, or something it had started, needed SIGKILL.
    KILLED,
    /// Something outlived SIGKILL and is named in the report.
    SURVIVED
  }

  /// One thing that was done.
  ///
  /// @param name what
  /// @param took how long it took
  public record Step(String name, Duration took) {}

  /// A process that outlived SIGKILL.
  ///
  /// @param pid its process id
  /// @param started when it started, which tells it from a later process with its number
  /// @param command what it runs, or "?" when the system does not say
  public record Survivor(long pid, Optional<Instant> started, String command) {

    /// Describes a process.
    public static Survivor of(ProcessHandle process) {
      ProcessHandle.Info info = process.info();
      return new Survivor(process.pid(), info.startInstant(), info.command().orElse("?"));
    }

    /// Returns the process as JSON.
    public JsonObject json() {
      return JsonObject.of("pid", pid, "command", command);
    }

    /// Returns whether it runs now.
    public boolean runs() {
      return ProcessHandle.of(pid).filter(p -> p.info().startInstant().equals(started)).isPresent();
    }
  }

  /// Copies the lists.
  public CloseReport {
    steps = List.copyOf(steps);
    survivors = List.copyOf(survivors);
    abandoned = List.copyOf(abandoned);
    failures = List.copyOf(failures);
  }

  /// Returns whether everything that belonged to the connection has ended.
  public boolean nothingLeft() {
    return survivors.isEmpty() && abandoned.isEmpty();
  }

  /// Returns the report as JSON, durations in milliseconds.
  public JsonObject json() {
    return JsonObject.of(
        "reason", reason,
        "outcome", outcome.name().toLowerCase(Locale.ROOT),
        "tookMs", millis(took),
        "steps",
            steps.stream()
                .map(step -> JsonObject.of("name", step.name(), "tookMs", millis(step.took())))
                .toList(),
        "exitCode", exitCode.isPresent() ? exitCode.getAsInt() : null,
        "stderrTail", stderrTail,
        "callsFailed", callsFailed,
        "skippedLines", skippedLines,
        "survivors", survivors.stream().map(Survivor::json).toList(),
        "abandoned", abandoned,
        "failures", failures);
  }

  /// Milliseconds with one decimal: most steps take less than one.
  private static double millis(Duration duration) {
    return Math.round(duration.toNanos() / 100_000.0) / 10.0;
  }
}
