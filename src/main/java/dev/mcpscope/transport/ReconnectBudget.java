package dev.mcpscope.transport;

import java.time.Duration;

/// How often, and how soon, a stream of events that has ended is opened again. Durations are more
/// than zero.
///
/// @param first the wait before the first attempt, unless the server has named another (`retry`); it
///     doubles with each attempt that follows, and each is up to 20 % longer by chance; default 1 s.
///     A stream that has stayed open for longer than this begins the count anew
/// @param most the longest wait, not less than the first; default 30 s
/// @param attempts how many there are in a row before the stream, or a server that cannot be reached,
///     is given up; 1 or more; default 8
public record ReconnectBudget(Duration first, Duration most, int attempts) {

  /// Checks each value by name.
  public ReconnectBudget {
    if (!first.isPositive()) {
      throw new IllegalArgumentException("first must be more than zero, is " + first);
    }
    if (most.compareTo(first) < 0) {
      throw new IllegalArgumentException("most must be " + first + " or more, is " + most);
    }
    if (attempts < 1) {
      throw new IllegalArgumentException("attempts must be 1 or more, is " + attempts);
    }
  }

  /// Returns 1 s, 30 s and 8.
  public static ReconnectBudget defaults() {
    return new ReconnectBudget(Duration.ofSeconds(1), Duration.ofSeconds(30), 8);
  }

  /// Returns the same with no more attempts than this.
  public ReconnectBudget withAttemptsAtMost(int most) {
    return new ReconnectBudget(first, this.most, Math.min(attempts, most));
  }
}
