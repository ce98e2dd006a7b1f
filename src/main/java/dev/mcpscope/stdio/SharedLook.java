package dev.mcpscope.stdio;

import dev.mcpscope.scope.Deadline;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;

/// A look at something that changes, which threads that ask at the same time share. Each gets one that
/// has begun after it asked: those that come while one is under way share the next. So any number of
/// threads that ask at the same time costs two looks.
///
/// A look has a thread of its own, so that who asks need not wait for ever: to read about a process can
/// hang for as long as the system has that process in its hands. It is a platform thread, as a look that
/// hangs would take its carrier from the virtual ones; there is one at a time, and none when nobody asks.
final class SharedLook<T> {
  private final String what;
  private final Duration patience;
  private final Supplier<T> look;

  // guarded by this
  private CompletableFuture<T> next; // of those who have asked since the last look began; or null
  private boolean looking;
  private Deadline hanging = Deadline.NEVER; // when the look that is under way counts as hanging

  /// @param what is looked at, for the thread's name and for messages
  /// @param patience how long a thread waits that asks; more than two looks take
  /// @param look what it takes; run by one thread at a time
  SharedLook(String what, Duration patience, Supplier<T> look) {
    this.what = what;
    this.patience = patience;
    this.look = look;
  }

  /// Looks, or shares a look; not interruptible. Waits as long as patience allows, and not at all when a
  /// look is under way that has taken longer than that.
  ///
  /// @throws IllegalStateException when the look fails, for all that share it, or is not done in time
  T get() {
    CompletableFuture<T> asked = ask();
    if (!Deadline.after(patience).await(nanos -> isDone(asked, nanos))) {
      throw hangs();
    }
    if (asked.isCompletedExceptionally()) {
      Throwable cause = asked.exceptionNow();
      throw new IllegalStateException(what + " cannot be looked at: " + cause.getMessage(), cause);
    }
    return asked.resultNow();
  }

  private synchronized CompletableFuture<T> ask() {
    if (!looking) {
      Thread.ofPlatform().daemon().name("look at " + what).start(this::lookForAll);
      looking = true; // not before there is a thread
      hanging = Deadline.after(patience); // the next one may ask before that thread runs
    } else if (hanging.passed()) {
      throw hangs();
    }
    if (next == null) {
      next = new CompletableFuture<>();
    }
    return next;
  }

  private void lookForAll() {
    for (CompletableFuture<T> asked; (asked = begin()) != null; ) {
      try {
        asked.complete(look.get());
      } catch (RuntimeException | Error e) {
        asked.completeExceptionally(e);
      }
    }
  }

  /// Returns for whom to look; null when nobody has asked since the last look began.
  private synchronized CompletableFuture<T> begin() {
    CompletableFuture<T> asked = next;
    next = null;
    looking = asked != null;
    hanging = Deadline.after(patience);
    return asked;
  }

  private IllegalStateException hangs() {
    return new IllegalStateException(
        what + " cannot be looked at: a look takes longer than " + patience.toMillis() + " ms");
  }

  private static boolean isDone(CompletableFuture<?> asked, long nanos)
      throws InterruptedException {
    try {
      asked.get(nanos, TimeUnit.NANOSECONDS);
      return true;
    } catch (ExecutionException _) {
      return true;
    } catch (TimeoutException _) {
      return false;
    }
  }
}
