package dev.mcpscope.transport;

import dev.mcpscope.scope.Task;
import dev.mcpscope.transport.CloseReport.ServerProcess;
import dev.mcpscope.transport.CloseReport.Step;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/// A close in progress: runs its steps and keeps the book from which the [CloseReport] is made. Used
/// by the connection's owner alone.
///
/// A step that throws never skips the next one: its failure goes into the report, and the close goes
/// on. That is what "closed, though not gracefully" means here.
public final class Closing {
  private final String reason;
  private final CloseBudget budget;
  private final long started = System.nanoTime();
  private final List<Step> steps = new ArrayList<>();
  private final List<ServerProcess> processes = new ArrayList<>();
  private final List<String> abandoned = new ArrayList<>();
  private final List<String> kept = new ArrayList<>();
  private final List<Throwable> failures = new ArrayList<>();
  private OptionalInt exitCode = OptionalInt.empty();
  private String stderrTail = "";
  private int callsFailed;
  private long skippedLines;

  /// Begins a close.
  ///
  /// @param reason why, for the report
  /// @param budget how long each step may take
  public Closing(String reason, CloseBudget budget) {
    this.reason = reason;
    this.budget = budget;
  }

  /// Returns how long each step may take.
  public CloseBudget budget() {
    return budget;
  }

  /// Runs one step and notes how long it took. An interrupt does not cut it short: the step's own
  /// bound does.
  public void step(String name, Task body) {
    long begun = System.nanoTime();
    try {
      body.run();
    } catch (Throwable t) {
      failed(t);
    }
    steps.add(new Step(name, Duration.ofNanos(System.nanoTime() - begun)));
  }

  /// Notes a failure that does not end the close.
  public void failed(Throwable failure) {
    failures.add(failure);
  }

  /// Notes a process of the server's tree and how it went.
  public void process(ServerProcess process) {
    processes.add(process);
  }

  /// Notes what the server may keep.
  public void kept(String what) {
    kept.add(what);
  }

  /// Notes a thread that is left behind.
  public void abandoned(String thread) {
    abandoned.add(thread);
  }

  /// Notes what the server's process left: its exit code, if it ended, the end of its stderr, and
  /// how many lines of its stdout could not be read.
  public void exited(OptionalInt exitCode, String stderrTail, long skippedLines) {
    this.exitCode = exitCode;
    this.stderrTail = stderrTail;
    this.skippedLines = skippedLines;
  }

  /// Notes what an attempt before this one has left in its report.
  public void attempted(CloseReport earlier) {
    processes.addAll(earlier.processes());
    abandoned.addAll(earlier.abandoned());
    kept.addAll(earlier.kept());
  }

  /// Notes how many calls were failed.
  public void callsFailed(int count) {
    callsFailed += count;
  }

  /// Returns what was thrown by the steps so far, oldest first.
  public List<Throwable> failures() {
    return List.copyOf(failures);
  }

  /// Returns the report, as of now.
  public CloseReport report() {
    return new CloseReport(
        reason,
        Duration.ofNanos(System.nanoTime() - started),
        steps,
        exitCode,
        stderrTail,
        callsFailed,
        skippedLines,
        processes,
        abandoned,
        kept,
        failures.stream().map(Closing::described).toList());
  }

  /// What a callback has thrown may be of any kind, one that cannot be printed among them.
  private static String described(Throwable failure) {
    try {
      return failure.toString();
    } catch (RuntimeException | Error _) {
      return failure.getClass().getName();
    }
  }
}
