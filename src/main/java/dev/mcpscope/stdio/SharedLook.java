package dev.mcpscope.stdio;

import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/// A look at something that changes, which threads that ask at the same time share. Each gets one that
/// has begun after it asked: those that come while one is under way wait, and all of them share the
/// next. So any number of threads that ask at the same time costs two looks.
final class SharedLook<T> {
  private final Supplier<T> look;

  /// In turn: who could overtake would begin looks of its own, which those that wait would wait for.
  private final ReentrantLock looking = new ReentrantLock(true);

  // guarded by the lock
  private T last; // null when nobody waits for it any more
  private long begun;

  /// @param look what it takes; run by one thread at a time, one of those that ask
  SharedLook(Supplier<T> look) {
    this.look = look;
  }

  /// Looks, or waits for who does; not interruptible, and bounded by two looks, unless one fails. What
  /// the look throws goes to the thread that took it, and the next one that waits takes another.
  T get() {
    long asked = System.nanoTime();
    looking.lock();
    try {
      if (last == null || begun - asked < 0) {
        last = null; // also if the look fails
        begun = System.nanoTime();
        last = look.get();
      }
      T seen = last;
      if (!looking.hasQueuedThreads()) {
        last = null;
      }
      return seen;
    } finally {
      looking.unlock();
    }
  }
}
