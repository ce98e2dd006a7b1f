package dev.mcpscope.scope;

import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/// The one place where an owner waits: any thread posts, the owner takes.
///
/// A mailbox exists before its owner runs and may be posted to from then on; what nobody will
/// take any more is handed back by [#close()], so that no request is ever left without an answer.
///
/// It is bounded in two ways. What comes from outside goes through [#offer(Object)] and is refused
/// beyond the capacity. What an owner's own subtasks say goes through [#post(Object)], which never
/// refuses while the mailbox is open: a subtask says a fixed number of things, and a report of its
/// end that were lost would be the leak that this project is about.
///
/// @param <M> the messages, best a sealed type
public final class Mailbox<M> {
  private final int capacity;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition arrived = lock.newCondition();
  private final ArrayDeque<M> mail = new ArrayDeque<>(4); // guarded by lock
  private boolean closed; // guarded by lock

  /// Creates an open, empty mailbox.
  ///
  /// @param capacity how many messages may wait before [#offer(Object)] refuses; 1 or more
  public Mailbox(int capacity) {
    if (capacity < 1) {
      throw new IllegalArgumentException("capacity must be 1 or more, is " + capacity);
    }
    this.capacity = capacity;
  }

  /// Posts a message from outside; any thread, never blocks.
  ///
  /// @return false when the mailbox is full or closed: then nobody will see the message, and the
  ///     caller answers for it
  public boolean offer(M message) {
    return add(message, capacity);
  }

  /// Posts a message from the owner's own subtask; any thread, never blocks.
  ///
  /// @return false when the mailbox is closed
  public boolean post(M message) {
    return add(message, Integer.MAX_VALUE);
  }

  private boolean add(M message, int limit) {
    lock.lock();
    try {
      if (closed || mail.size() >= limit) {
        return false;
      }
      mail.add(message);
      arrived.signal();
      return true;
    } finally {
      lock.unlock();
    }
  }

  /// Returns whether [#close()] was called; from then on nothing is accepted.
  public boolean isClosed() {
    lock.lock();
    try {
      return closed;
    } finally {
      lock.unlock();
    }
  }

  /// Waits for a message; unblocked by a message, by the deadline and by interrupt.
  ///
  /// @return the oldest message, or null when the deadline has passed and none is there
  M take(Deadline deadline) throws InterruptedException {
    lock.lockInterruptibly();
    try {
      while (mail.isEmpty()) {
        if (deadline == Deadline.NEVER) {
          arrived.await(); // no timer for nothing
        } else if (!arrived.await(deadline.remainingNanos(), TimeUnit.NANOSECONDS)
            && deadline.passed()
            && mail.isEmpty()) {
          return null;
        }
      }
      return mail.poll();
    } finally {
      lock.unlock();
    }
  }

  /// Returns what waits, and forgets it; the mailbox stays open.
  public List<M> drain() {
    lock.lock();
    try {
      List<M> waiting = List.copyOf(mail);
      mail.clear();
      return waiting;
    } finally {
      lock.unlock();
    }
  }

  /// Refuses everything from now on and returns what was never taken; any thread. A second call
  /// returns an empty list.
  public List<M> close() {
    lock.lock();
    try {
      closed = true;
      List<M> left = List.copyOf(mail);
      mail.clear();
      return left;
    } finally {
      lock.unlock();
    }
  }
}
