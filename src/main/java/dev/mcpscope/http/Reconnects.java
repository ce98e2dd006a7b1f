package dev.mcpscope.http;

import dev.mcpscope.scope.Deadline;
import dev.mcpscope.transport.ReconnectBudget;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;

/// When a stream that has ended is opened again: counts, doubles, and gives up. One thread.
final class Reconnects {
  /// Says a server that takes the stream to be open still: it has not noticed its end yet.
  static final int CONFLICT = 409;

  private static final double JITTER = 0.2;

  /// A server that says "at once" means soon.
  private static final Duration SHORTEST = Duration.ofMillis(100);

  private final ReconnectBudget budget;
  private int attempts; // in a row
  private Duration wait;
  private boolean useful; // the stream that was opened last has brought something
  private Deadline proven = Deadline.NEVER; // when it has stayed for long enough

  Reconnects(ReconnectBudget budget) {
    this.budget = budget;
    this.wait = budget.first();
  }

  /// Whether a server that refuses a stream with this status may not do so a little later.
  static boolean isPassing(int status) {
    return status >= 500 || status == 429 || status == CONFLICT;
  }

  /// A stream is open.
  void opened() {
    useful = false;
    proven = Deadline.after(budget.first());
  }

  /// It has brought something.
  void delivered() {
    useful = true;
  }

  /// Returns when to open the next one; empty when it is time to give up.
  ///
  /// @param retry what the server has asked for: "the client MUST respect the retry field"
  Optional<Deadline> next(Optional<Duration> retry) {
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
