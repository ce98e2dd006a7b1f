package dev.mcpscope.transport;

import dev.mcpscope.scope.Deadline;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;

/// When a stream that has ended is opened again: counts, doubles, and gives up. One thread.
public final class Reconnects {
  private static final double JITTER = 0.2;

  /// A server that says "at once" means soon.
  private static final Duration SHORTEST = Duration.ofMillis(100);

  private final ReconnectBudget budget;
  private int attempts; // in a row
  private Duration wait;
  private boolean useful; // the stream that was opened last has brought something
  private Deadline proven = Deadline.NEVER; // when it has stayed for long enough

  /// Begins with no attempt made.
  public Reconnects(ReconnectBudget budget) {
    this.budget = budget;
    this.wait = budget.first();
  }

  /// A stream is open.
  public void opened() {
    useful = false;
    proven = Deadline.after(budget.first());
  }

  /// It has brought something.
  public void delivered() {
    useful = true;
  }

  /// Returns when to open the next one; empty when it is time to give up.
  ///
  /// @param retry what the server has asked for: "the client MUST respect the retry field"
  public Optional<Deadline> next(Optional<Duration> retry) {
    if (useful || proven.passed()) {
      attempts = 0;
      wait = budget.first();
    }
    useful = false;
    proven = Deadline.NEVER;
    if (++attempts > budget.attempts()) {
      return Optional.empty();
    }
    Duration next =
        attempts == 1 && retry.isPresent() ? atLeast(retry.get(), SHORTEST) : jittered();
    wait = wait.multipliedBy(2).compareTo(budget.most()) > 0 ? budget.most() : wait.multipliedBy(2);
    return Optional.of(Deadline.after(retry.map(asked -> atLeast(next, asked)).orElse(next)));
  }

  private Duration jittered() {
    double factor = 1 + ThreadLocalRandom.current().nextDouble(JITTER);
    return Duration.ofNanos((long) (wait.toNanos() * factor));
  }

  private static Duration atLeast(Duration one, Duration other) {
    return one.compareTo(other) >= 0 ? one : other;
  }
}
