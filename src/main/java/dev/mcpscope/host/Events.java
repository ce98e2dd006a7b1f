package dev.mcpscope.host;

import dev.mcpscope.scope.Deadline;
import dev.mcpscope.scope.Guest;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/// Brings state changes to the listener, in order, in a guest's thread: whoever reports a change
/// only leaves it here.
final class Events {
  private static final System.Logger LOG = System.getLogger("dev.mcpscope.host");
  private static final int MOST = 1_024;
  private static final Duration GRACE = Duration.ofMillis(100);

  private final Consumer<ConnectionStatus> listener;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final ArrayDeque<ConnectionStatus> waiting = new ArrayDeque<>(); // guarded by lock
  private boolean ended; // guarded by lock
  private final Guest guest;

  Events(Consumer<ConnectionStatus> listener) {
    this.listener = listener;
    this.guest = Guest.of("host listener", this::deliver, _ -> {});
    guest.start();
  }

  /// Leaves a change for the listener; any thread, never blocks.
  void add(ConnectionStatus status) {
    lock.lock();
    try {
      if (waiting.size() == MOST) {
        waiting.poll(); // the newest state is the one that matters
      }
      waiting.add(status);
      changed.signal();
    } finally {
      lock.unlock();
    }
  }

  /// Lets the listener take what waits, for as long as `deadline` allows.
  ///
  /// @return the name of the listener's thread if it had to be abandoned, or null
  String end(Deadline deadline) {
    lock.lock();
    try {
      ended = true;
      changed.signal();
    } finally {
      lock.unlock();
    }
    return guest.dismiss(deadline, GRACE) ? null : guest.name();
  }

  private void deliver() throws InterruptedException {
    for (ConnectionStatus status; (status = next()) != null; ) {
      try {
        listener.accept(status);
      } catch (RuntimeException | Error e) {
        LOG.log(System.Logger.Level.WARNING, "the listener failed", e);
      }
    }
  }

  private ConnectionStatus next() throws InterruptedException {
    lock.lockInterruptibly();
    try {
      while (waiting.isEmpty() && !ended) {
        changed.await();
      }
      return waiting.poll();
    } finally {
      lock.unlock();
    }
  }
}
