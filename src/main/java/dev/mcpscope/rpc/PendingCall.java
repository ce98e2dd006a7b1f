package dev.mcpscope.rpc;

import dev.mcpscope.json.JsonObject;
import dev.mcpscope.scope.Deadline;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.Supplier;

/// One call on its way: opened, sent and awaited by one thread, settled by another.
///
/// Parking the caller itself, instead of completing a future, saves an object and a hop, and gives
/// progress a thread to be delivered in: the caller's own. The reader only leaves the newest
/// progress here, so that a listener that is slow misses intermediate values and delays nobody.
///
/// @param <X> what the call fails with when it cannot be answered any more
public final class PendingCall<X extends Exception> {
  private final PendingCalls<X> table;
  private final long id;
  private final String method;
  private final String target;
  private final boolean own;
  private final Thread caller = Thread.currentThread();
  private final AtomicReference<JsonObject> progress = new AtomicReference<>();
  private volatile Object outcome; // a Response or a Supplier<X>; written once

  PendingCall(PendingCalls<X> table, long id, String method, String target, boolean own) {
    this.table = table;
    this.id = id;
    this.method = method;
    this.target = target;
    this.own = own;
  }

  /// Returns the id, which is the call's progress token too.
  public long id() {
    return id;
  }

  /// Returns the method that is called.
  public String method() {
    return method;
  }

  /// Returns what it is called for, such as the name of a tool; empty if there is no such thing.
  public String target() {
    return target;
  }

  /// Whether the connection asks for itself, and no caller.
  boolean isOwn() {
    return own;
  }

  /// Waits for the response; only in the thread that opened the call. Unblocked by the response, by
  /// the end of the table, by time and by interrupt; however it ends, the call has left the table.
  ///
  /// @param timeout how long to wait; starts anew with each progress, and does not run while the
  ///     table is held
  /// @param maximum when to stop waiting, whatever progress there is
  /// @param listener gets the newest progress, in this thread
  /// @return the response, or null when time ran out
  /// @throws X when the table has ended
  /// @throws InterruptedException when the caller was interrupted
  public RpcMessage.Response await(
      Duration timeout, Deadline maximum, Consumer<JsonObject> listener)
      throws X, InterruptedException {
    try {
      Deadline deadline = maximum.orSooner(timeout);
      while (true) {
        Object settled = outcome; // before the progress: what came first is delivered first
        JsonObject newest = progress.getAndSet(null);
        if (newest != null) {
          deadline = maximum.orSooner(timeout);
          listener.accept(newest);
        }
        if (settled != null) {
          return response(settled);
        }
        if (Thread.interrupted()) {
          throw new InterruptedException(method + " was interrupted");
        }
        long remaining = deadline.remainingNanos();
        if (remaining == 0) {
          deadline = maximum.orSooner(table.heldUntil(timeout)); // passed, if nothing held it
          remaining = deadline.remainingNanos();
        }
        // Out of time, unless the response wins this race; then it is a moment away.
        if (remaining == 0 && table.remove(this)) {
          return null;
        }
        if (newest == null) { // else look again: the listener may have used up our wake-up call
          LockSupport.parkNanos(this, Math.max(remaining, 1));
        }
      }
    } finally {
      table.remove(this); // interrupted, or the listener threw
    }
  }

  /// Waits for the response until `deadline`, and leaves the call in the table, whatever comes of it:
  /// who waits like this may do so again, and takes the call out in the end ([#abandon()]). Only in
  /// the thread that opened the call; unblocked as [#await] is.
  ///
  /// @return the response, or null when there is none by then
  /// @throws X when the table has ended, or the call was failed
  /// @throws InterruptedException when the caller was interrupted
  public RpcMessage.Response poll(Deadline deadline) throws X, InterruptedException {
    while (outcome == null && !deadline.passed()) {
      if (Thread.interrupted()) {
        throw new InterruptedException(method + " was interrupted");
      }
      if (deadline == Deadline.NEVER) {
        LockSupport.park(this); // no timer for nothing
      } else {
        LockSupport.parkNanos(this, deadline.remainingNanos());
      }
    }
    Object settled = outcome;
    return settled == null ? null : response(settled);
  }

  @SuppressWarnings("unchecked")
  private RpcMessage.Response response(Object settled) throws X {
    if (settled instanceof RpcMessage.Response response) {
      return response;
    }
    throw ((Supplier<X>) settled).get();
  }

  void settle(Object outcome) {
    this.outcome = outcome;
    LockSupport.unpark(caller);
  }

  /// Keeps the newest progress until the caller has looked at it; any thread, never blocks.
  public void progress(JsonObject newest) {
    progress.set(newest);
    LockSupport.unpark(caller);
  }

  /// Returns whether the peer has answered, or will not any more.
  public boolean isSettled() {
    return outcome != null;
  }

  /// Takes the call out of the table without waiting for it: it could not be sent.
  public void abandon() {
    table.remove(this);
  }
}
