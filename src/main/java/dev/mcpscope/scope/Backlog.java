package dev.mcpscope.scope;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/// What waits to be told to somebody who may be slow: in order, bounded, and never blocking the
/// thread that tells.
///
/// Where more comes than is taken, something has to go, and what may go is a matter of what it says:
/// a [Policy] knows. Nothing goes in silence: what was dropped is told as a count, in its place.
///
/// @param <E> what is told, best a sealed type
public final class Backlog<E> {

  /// What may go.
  ///
  /// @param <E> what is told
  public interface Policy<E> {
    /// Returns what the event is about, if only the newest event about it counts: that takes the
    /// place of one that waits. Null if each one counts.
    Object subject(E event);

    /// Returns whether events like this one are the first to be dropped.
    boolean droppable(E event);

    /// Returns what stands for so many dropped events.
    E dropped(long count);
  }

  private final int capacity;
  private final Policy<E> policy;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  // guarded by lock: by subject, or by an object of its own for an event that has none
  private final SequencedMap<Object, E> waiting = new LinkedHashMap<>(4);
  private long dropped; // guarded by lock
  private boolean closed; // guarded by lock

  /// Creates an open, empty backlog.
  ///
  /// @param capacity how many events may wait; 1 or more
  public Backlog(int capacity, Policy<E> policy) {
    if (capacity < 1) {
      throw new IllegalArgumentException("capacity must be 1 or more, is " + capacity);
    }
    this.capacity = capacity;
    this.policy = policy;
  }

  /// Leaves an event; any thread, never blocks. Ignored once the backlog is closed.
  public void add(E event) {
    Object subject = policy.subject(event);
    lock.lock();
    try {
      if (closed || subject != null && waiting.replace(subject, event) != null) {
        return;
      }
      if (waiting.size() == capacity) {
        dropped++;
        if (!dropOldest() && policy.droppable(event)) {
          return; // nothing that waits counts for less than this one
        }
        if (waiting.size() == capacity) {
          waiting.pollFirstEntry();
        }
      }
      waiting.put(subject == null ? new Object() : subject, event);
      changed.signal();
    } finally {
      lock.unlock();
    }
  }

  private boolean dropOldest() {
    for (Iterator<E> oldest = waiting.values().iterator(); oldest.hasNext(); ) {
      if (policy.droppable(oldest.next())) {
        oldest.remove();
        return true;
      }
    }
    return false;
  }

  /// Waits for the next event; unblocked by an event, by [#close()], by the deadline and by
  /// interrupt.
  ///
  /// @return null when the deadline has passed, or when the backlog is closed and nothing waits
  public E next(Deadline deadline) throws InterruptedException {
    lock.lockInterruptibly();
    try {
      while (waiting.isEmpty() && !closed) {
        if (deadline == Deadline.NEVER) {
          changed.await();
        } else if (!changed.await(deadline.remainingNanos(), TimeUnit.NANOSECONDS)
            && deadline.passed()
            && waiting.isEmpty()) {
          return null;
        }
      }
      if (dropped > 0) {
        long count = dropped;
        dropped = 0;
        return policy.dropped(count);
      }
      var oldest = waiting.pollFirstEntry();
      return oldest == null ? null : oldest.getValue();
    } finally {
      lock.unlock();
    }
  }

  /// Takes no more events; what waits can still be taken. Any thread; twice is fine.
  public void close() {
    lock.lock();
    try {
      closed = true;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /// Returns whether it is closed and nothing waits any more.
  public boolean isOver() {
    lock.lock();
    try {
      return closed && waiting.isEmpty() && dropped == 0;
    } finally {
      lock.unlock();
    }
  }
}
