package dev.mcpscope.host;

import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/// A command of a [Walk] that was given, by a thread of its own, and what came of it.
final class WalkAnswer {

  /// Says what is wrong with an answer, in the thread that has got it; null if nothing is.
  @FunctionalInterface
  interface Judge<T> {
    /// @param value what was returned, if `failure` is null
    String wrong(T value, Throwable failure);
  }

  private final String command;
  private final Duration budget;
  private final long begun = System.nanoTime();
  private final CompletableFuture<String> verdict = new CompletableFuture<>();
  private volatile long ended;
  private volatile String outcome = "…";
  private final Thread thread;
  private volatile boolean interrupted;

  /// Gives the command.
  ///
  /// @param budget when its answer is late
  <T> WalkAnswer(String command, Duration budget, Callable<T> call, Judge<T> judge) {
    this.command = command;
    this.budget = budget;
    this.thread = Thread.ofVirtual().name(command).unstarted(() -> run(call, judge));
    thread.start();
  }

  /// Takes the answer of a command that was given already.
  <T> WalkAnswer(String command, Duration budget, CompletableFuture<T> answer, Judge<T> judge) {
    this.command = command;
    this.budget = budget;
    this.thread = null;
    answer.whenComplete((value, failure) -> judged(value, failure, judge));
  }

  private <T> void run(Callable<T> call, Judge<T> judge) {
    T value = null;
    Throwable failure = null;
    try {
      value = call.call();
    } catch (Throwable t) {
      failure = t;
    }
    judged(value, failure, judge);
  }

  private <T> void judged(T value, Throwable failure, Judge<T> judge) {
    ended = System.nanoTime();
    String what =
        failure == null
            ? "answered"
            : failure.getClass().getSimpleName() + ": " + failure.getMessage();
    outcome = "%d ms, %.120s".formatted((ended - begun) / 1_000_000, what);
    String wrong;
    try {
      wrong =
          failure instanceof InterruptedException && interrupted
              ? null
              : judge.wrong(value, failure);
    } catch (RuntimeException | Error e) {
      wrong = "not judged: " + e;
    }
    verdict.complete(wrong == null ? "" : wrong);
  }

  void interrupt() {
    interrupted = true;
    thread.interrupt();
  }

  boolean isThere() {
    return verdict.isDone();
  }

  /// Waits for the answer for a while; returns whether it is there.
  boolean isThereWithin(Duration time) throws InterruptedException {
    try {
      verdict.get(time.toNanos(), TimeUnit.NANOSECONDS);
      return true;
    } catch (TimeoutException e) {
      return false;
    } catch (ExecutionException e) {
      throw new AssertionError("it is completed with verdicts only", e);
    }
  }

  /// Waits for the answer, as long as it may take.
  ///
  /// @return what is wrong with it, or ""
  String await() throws InterruptedException {
    try {
      long left = budget.toNanos() - (System.nanoTime() - begun);
      String wrong = verdict.get(Math.max(left, 0), TimeUnit.NANOSECONDS);
      return wrong.isEmpty() ? "" : this + ": " + wrong;
    } catch (TimeoutException e) {
      return "no answer within " + budget.toMillis() + " ms: " + this;
    } catch (ExecutionException e) {
      throw new AssertionError("it is completed with verdicts only", e);
    }
  }

  @Override
  public String toString() {
    return command + " -> " + outcome;
  }
}
