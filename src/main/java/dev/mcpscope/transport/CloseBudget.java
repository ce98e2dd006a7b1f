package dev.mcpscope.transport;

import java.time.Duration;

/// How long each step of a close may take. Zero skips the wait of that step, not the step.
///
/// @param callback for the user's `onDisconnect`; default 2 s
/// @param exit for the server to end after its input has ended; default 2 s
/// @param terminate for the server's processes to end after SIGTERM; default 2 s
/// @param kill for them to disappear after SIGKILL; default 1 s
public record CloseBudget(Duration callback, Duration exit, Duration terminate, Duration kill) {

  /// What all steps together may take at the most: 8 s, of which one is for joining.
  public static final Duration MAXIMUM = Duration.ofSeconds(8);

  /// Checks that no step is negative and that their sum leaves a second for joining.
  public CloseBudget {
    Duration sum = Duration.ZERO;
    for (Duration step : new Duration[] {callback, exit, terminate, kill}) {
      if (step.isNegative()) {
        throw new IllegalArgumentException("a step of a close cannot take " + step);
      }
      sum = sum.plus(step);
    }
    if (sum.compareTo(MAXIMUM.minusSeconds(1)) > 0) {
      throw new IllegalArgumentException(
          "the steps of a close take " + sum + ", the limit is " + MAXIMUM.minusSeconds(1));
    }
  }

  /// Returns 2 s, 2 s, 2 s and 1 s.
  public static CloseBudget defaults() {
    return new CloseBudget(
        Duration.ofSeconds(2), Duration.ofSeconds(2), Duration.ofSeconds(2), Duration.ofSeconds(1));
  }
}
