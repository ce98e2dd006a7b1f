package dev.mcpscope.scope;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/// Brings what waits in a [Backlog] to a listener: one event at a time, in order, each in a [Guest]
/// with a time limit.
///
/// The owner forks [#run()] as a subtask, which waits for the guest in the owner's scope while the
/// guest, foreign code, runs outside it. A listener that takes too long is interrupted. One that
/// ignores that hears nothing more: to go on would be to call it twice at the same time.
///
/// @param <E> what is told
public final class Delivery<E> {
  private static final System.Logger LOG = System.getLogger("dev.mcpscope.scope");

  /// What a guest that was interrupted may take to leave, before it is left behind.
  public static final Duration GRACE = Duration.ofMillis(100);

  private final String name;
  private final Backlog<E> backlog;
  private final Consumer<? super E> listener;
  private final Duration limit;
  private final Guests guests;
  private final CountDownLatch ended = new CountDownLatch(1);

  /// @param name the name of the guests' threads, and in reports
  /// @param limit how long the listener may take for one event
  /// @param guests where they are entered
  public Delivery(
      String name,
      Backlog<E> backlog,
      Consumer<? super E> listener,
      Duration limit,
      Guests guests) {
    this.name = name;
    this.backlog = backlog;
    this.listener = listener;
    this.limit = limit;
    this.guests = guests;
  }

  /// The subtask: returns when the backlog is over or the listener was left behind; when
  /// interrupted, the guest is too.
  public void run() throws InterruptedException {
    try {
      for (E event; (event = backlog.next(Deadline.NEVER)) != null; ) {
        if (!deliver(event)) {
          LOG.log(
              System.Logger.Level.WARNING,
              "{0}: took more than {1} ms, ignored its interrupt, and hears nothing more",
              name,
              limit.toMillis());
          return;
        }
      }
    } finally {
      backlog.close();
      ended.countDown();
    }
  }

  private boolean deliver(E event) throws InterruptedException {
    Guest guest = guests.start(name, () -> listener.accept(event), this::failed);
    boolean left = false;
    try {
      left = guest.await(Deadline.after(limit));
    } finally {
      left = left || guest.dismiss(Deadline.after(Duration.ZERO), GRACE);
    }
    return left;
  }

  private void failed(Throwable failure) {
    if (failure != null) {
      LOG.log(System.Logger.Level.WARNING, name + ": the listener failed", failure);
    }
  }

  /// Takes no more events, and lets the listener have what waits for as long as `deadline` allows;
  /// any thread. Waits on, when interrupted, and sets the flag again.
  public void end(Deadline deadline) {
    backlog.close();
    deadline.await(nanos -> ended.await(nanos, TimeUnit.NANOSECONDS));
  }
}
