package dev.mcpscope.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.time.Duration;
import java.util.concurrent.Callable;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/// Measures what must not wait for a time-out: those of [ClientOptions#defaults()] are
/// 30 s and more.
final class Promptly {
  /// Enough for a JVM that starts on a busy machine, and far below every time-out.
  static final Duration AT_ONCE = Duration.ofSeconds(6);

  private Promptly() {}

  static <T> T promptly(Callable<T> body) throws Exception {
    return within(AT_ONCE, body);
  }

  static <T> T within(Duration limit, Callable<T> body) throws Exception {
    long started = System.nanoTime();
    try {
      return body.call();
    } finally {
      assertThat(Duration.ofNanos(System.nanoTime() - started)).isLessThan(limit);
    }
  }

  /// Returns what the body throws, which has to be of this type, and at once.
  static <X extends Throwable> X failure(Class<X> type, ThrowingCallable body) throws Exception {
    Throwable thrown = promptly(() -> catchThrowable(body));
    assertThat(thrown).isInstanceOf(type);
    return type.cast(thrown);
  }
}
