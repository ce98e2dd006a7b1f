package dev.mcpscope.scope;

import java.time.Duration;
import java.util.concurrent.TimeUnit;

/// An instant by which something has ended: one value that is passed down, so that nested waits
/// share one budget instead of adding up.
///
/// @param atNanos the instant on the clock of [System#nanoTime()]
public record Deadline(long atNanos) {

  /// About 146 years away; for waits that only a message ends.
  public static final Deadline NEVER = new Deadline(System.nanoTime() + Long.MAX_VALUE / 2);

  /// Returns the deadline that passes after `duration`; zero has passed already.
  public static Deadline after(Duration duration) {
    return after(System.nanoTime(), duration);
  }

  /// Returns the deadline that passes `duration` after an instant on the same clock.
  public static Deadline after(long startNanos, Duration duration) {
    long nanos = TimeUnit.NANOSECONDS.convert(duration); // saturates instead of overflowing
    return new Deadline(startNanos + Math.clamp(nanos, 0, Long.MAX_VALUE / 2));
  }

  /// Returns the nanoseconds that are left, zero when the deadline has passed.
  public long remainingNanos() {
    return Math.max(0, atNanos - System.nanoTime());
  }

  /// Returns whether no time is left.
  public boolean passed() {
    return remainingNanos() == 0;
  }

  /// Returns whichever of the two passes first.
  public Deadline orSooner(Deadline other) {
    return atNanos - other.atNanos <= 0 ? this : other;
  }

  /// Returns whichever passes first, this deadline or the one `duration` from now.
  public Deadline orSooner(Duration duration) {
    return orSooner(after(duration));
  }

  /// A wait with a time limit, such as a latch's or a process's.
  @FunctionalInterface
  public interface TimedWait {
    /// Waits up to `nanos` and says whether what it waited for has happened.
    boolean await(long nanos) throws InterruptedException;
  }

  /// Waits until `wait` succeeds or this deadline passes. An interrupt does not cut it short, as
  /// closing has to go on to its end: the flag is set again when it returns.
  ///
  /// @return whether the wait succeeded
  public boolean await(TimedWait wait) {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return wait.await(remainingNanos());
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
