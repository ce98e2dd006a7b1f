package dev.mcpscope.scope;

import java.time.Duration;
import java.util.function.Consumer;

/// A thread for code that is not ours: a callback, a listener, a handler.
///
/// It runs *outside* every scope, because a scope waits for its subtasks, and nobody can promise
/// that foreign code heeds an interrupt. A guest holds nothing of the connection, so one that stays
/// can be left behind: the connection closes in time, and its report names the guest.
public final class Guest {
  private final String name;
  private final Thread thread;

  private Guest(String name, Task body, Consumer<Throwable> ended) {
    this.name = name;
    this.thread =
        Thread.ofVirtual()
            .name(name)
            .unstarted(() -> {
              Throwable failure = null;
              try {
                body.run();
              } catch (Throwable t) {
                failure = t;
              }
              ended.accept(failure);
            });
  }

  /// Makes a guest that does not run yet, so that it can be known to others before it does.
  ///
  /// @param name the name of its thread, and in reports
  /// @param ended called in the guest's thread with what it threw, or with null; must not block
  public static Guest of(String name, Task body, Consumer<Throwable> ended) {
    return new Guest(name, body, ended);
  }

  /// Starts the guest; once.
  public void start() {
    thread.start();
  }

  /// Returns the name that it was given.
  public String name() {
    return name;
  }

  /// Returns whether the calling thread is this guest.
  public boolean isCurrentThread() {
    return Thread.currentThread() == thread;
  }

  /// Returns whether it was started, and its thread has ended.
  public boolean hasEnded() {
    return thread.getState() == Thread.State.TERMINATED;
  }

  /// Waits for the guest to end; unblocked by its end, by the deadline and by interrupt.
  ///
  /// @return whether it has ended
  public boolean await(Deadline deadline) throws InterruptedException {
    return thread.join(Duration.ofNanos(deadline.remainingNanos()));
  }

  /// Waits for the guest until `deadline`, then interrupts it and gives it `grace` to leave. Waits
  /// on, when the caller is interrupted, and sets the caller's flag again.
  ///
  /// @return whether it has ended; if not, it is abandoned and shall be reported
  public boolean dismiss(Deadline deadline, Duration grace) {
    if (joined(deadline)) {
      return true;
    }
    thread.interrupt();
    return joined(Deadline.after(grace));
  }

  private boolean joined(Deadline deadline) {
    return deadline.await(nanos -> thread.join(Duration.ofNanos(nanos)));
  }
}
