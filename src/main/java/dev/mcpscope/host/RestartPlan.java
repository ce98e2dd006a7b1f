package dev.mcpscope.host;

import dev.mcpscope.client.ConnectionLostException;
import dev.mcpscope.host.ConnectOptions.Restart;
import dev.mcpscope.host.HostOptions.RestartBudget;
import dev.mcpscope.scope.Deadline;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/// Whether a connection that fails is started again, and when. It goes from each generation to the
/// next, and counts, until a connect takes the name.
///
/// It belongs to the session's owner, who tells it what becomes of the connection, and does what it
/// says: a plan starts nothing and waits for nothing itself.
final class RestartPlan {
  private static final System.Logger LOG = System.getLogger("dev.mcpscope.host");
  private static final double JITTER = 0.2;

  private final String name;
  private final Restart restart;
  private final RestartBudget budget;

  // the owner's own
  private int attempts; // in a row, the one that is waited for included
  private long wait; // before the next one, in nanoseconds and without jitter
  private boolean connected; // it has been, this generation
  private Deadline stable = Deadline.NEVER; // when it will have been connected for long enough

  // written by the owner, read by any thread
  private volatile Deadline due = Deadline.NEVER; // of the attempt that is waited for

  RestartPlan(String name, Restart restart, RestartBudget budget) {
    this.name = name;
    this.restart = restart;
    this.budget = budget;
    startAnew();
  }

  private void startAnew() {
    attempts = 0;
    wait = TimeUnit.NANOSECONDS.convert(budget.first()); // saturates instead of overflowing
  }

  /// Returns when the next attempt is due, [Deadline#NEVER] when there will be none; any thread.
  Deadline due() {
    return due;
  }

  /// Whether the connection is, or is to be, a restart of one that was connected.
  boolean hasBegun() {
    return attempts > 0;
  }

  /// A generation is started.
  void started() {
    due = Deadline.NEVER;
    connected = false;
  }

  /// It can be used, from now on.
  void connected() {
    if (!connected) {
      connected = true;
      stable = Deadline.after(budget.stable());
    }
  }

  /// It cannot be used any more, from now on: its close takes time too, which does not count.
  void disconnected() {
    if (stable.passed()) {
      startAnew();
    }
    stable = Deadline.NEVER;
  }

  /// It has failed, and nothing takes its place. The next attempt is planned if it was lost, or was
  /// a restart that could not connect.
  void failed(Throwable cause) {
    boolean again = connected ? cause instanceof ConnectionLostException : hasBegun();
    if (again && restart == Restart.ON_CRASH) {
      next(cause);
    }
  }

  /// There is no room for the attempt that is due, which is as bad as one that has failed.
  void refused(LimitException why) {
    next(why);
  }

  private void next(Throwable failure) {
    if (attempts == budget.attempts()) {
      due = Deadline.NEVER;
      LOG.log(
          System.Logger.Level.WARNING,
          name + ": restarts are given up after attempt " + attempts + ": " + failure.getMessage());
      return;
    }
    attempts++;
    double jitter = ThreadLocalRandom.current().nextDouble(1 - JITTER, 1 + JITTER);
    due = Deadline.after(Duration.ofNanos((long) (wait * jitter)));
    long most = TimeUnit.NANOSECONDS.convert(budget.most());
    wait = wait > most / 2 ? most : 2 * wait;
  }

  /// Nothing is started again in a session that ends.
  void cancel() {
    due = Deadline.NEVER;
  }
}
