package dev.mcpscope.client;

import java.time.Duration;
import java.util.Optional;
import java.util.function.Consumer;

/// What one call may take, and who hears of its progress.
///
/// @param timeout how long to wait without progress, more than zero; empty for the client's default
/// @param onProgress called in the calling thread with the newest progress; a listener that is slow
///     misses values, and one that throws ends the call with what it threw. Empty: the server is not
///     asked for progress
public record CallOptions(Optional<Duration> timeout, Optional<Consumer<Progress>> onProgress) {

  /// Checks that the timeout is positive.
  public CallOptions {
    timeout.ifPresent(value -> {
      if (!value.isPositive()) {
        throw new IllegalArgumentException("a call's timeout must be more than zero: " + value);
      }
    });
  }

  /// Returns the client's defaults, without progress.
  public static CallOptions defaults() {
    return new CallOptions(Optional.empty(), Optional.empty());
  }

  /// Returns the same with this timeout.
  public CallOptions withTimeout(Duration timeout) {
    return new CallOptions(Optional.of(timeout), onProgress);
  }

  /// Returns the same with this listener.
  public CallOptions withProgress(Consumer<Progress> onProgress) {
    return new CallOptions(timeout, Optional.of(onProgress));
  }
}
