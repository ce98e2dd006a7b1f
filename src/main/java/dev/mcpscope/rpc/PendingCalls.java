package dev.mcpscope.rpc;

import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.scope.Deadline;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

/// The table of calls that were sent and not yet answered, of one connection.
///
/// Any thread opens a call and waits for it; the connection's reader answers it; the connection's
/// owner ends the table, which fails every call in it at once and every later one when it is
/// opened. No call can fall between: one that is entered while the table ends is failed by
/// whichever of the two threads sees the other.
///
/// @param <X> what a call fails with when it cannot be answered any more
public final class PendingCalls<X extends Exception> {
  private final ConcurrentHashMap<Long, PendingCall<X>> calls = new ConcurrentHashMap<>();
  private final AtomicLong nextId = new AtomicLong(1);
  private volatile Supplier<X> ended; // null while calls are accepted

  // Who holds the table counts up before, and down after it has noted the instant: whoever reads 0
  // reads an instant that is not older than the last hold.
  private final AtomicInteger holders = new AtomicInteger();
  private volatile long lastHeldNanos = System.nanoTime();

  /// Creates an empty table. Ids count from 1 and are never used again.
  public PendingCalls() {}

  /// Enters a call, which the calling thread then sends and waits for.
  ///
  /// @param method the method that is called
  /// @param target what it is called for, such as the name of a tool; may be empty
  /// @throws X when the table has ended
  public PendingCall<X> open(String method, String target) throws X {
    return enter(new PendingCall<>(this, nextId.getAndIncrement(), method, target, false));
  }

  /// Enters a call that the connection makes for itself: like any other, but that [#end] does not
  /// count it.
  ///
  /// @throws X when the table has ended
  public PendingCall<X> openOwn(String method, String target) throws X {
    return enter(new PendingCall<>(this, nextId.getAndIncrement(), method, target, true));
  }

  private PendingCall<X> enter(PendingCall<X> call) throws X {
    calls.put(call.id(), call);
    Supplier<X> cause = ended; // read after the put: end() reads the table after it wrote this
    if (cause != null) {
      calls.remove(call.id());
      throw cause.get();
    }
    return call;
  }

  /// Returns whether the table has ended.
  public boolean isOver() {
    return ended != null;
  }

  /// Returns if calls are accepted.
  ///
  /// @throws X when the table has ended
  public void ensureOpen() throws X {
    Supplier<X> cause = ended;
    if (cause != null) {
      throw cause.get();
    }
  }

  /// Hands a response to the call it answers; never blocks.
  ///
  /// @return false when no call waits for it: it came late, twice, or was never asked for
  public boolean answer(RpcMessage.Response response) {
    return settle(response.id().orElse(null), response);
  }

  /// Fails the call with this id; never blocks.
  ///
  /// @return false when no such call waits
  public boolean fail(RpcId id, Supplier<X> cause) {
    return settle(id, cause);
  }

  private boolean settle(RpcId id, Object outcome) {
    PendingCall<X> call = id == null ? null : find(id.value());
    if (call == null || !remove(call)) {
      return false;
    }
    call.settle(outcome);
    return true;
  }

  /// Returns the call that waits under this progress token, which is its id; never blocks.
  public Optional<PendingCall<X>> waiting(JsonValue token) {
    return Optional.ofNullable(find(token));
  }

  /// Stops the clocks of all calls, whose time it is not: the server waits for an answer of ours.
  /// Only their maximum goes on. A call whose time is over while its caller is busy elsewhere, in its
  /// listener say, may profit from a hold that came later. Any thread; each needs a [#release()].
  public void hold() {
    holders.incrementAndGet();
  }

  /// Takes a [#hold()] back; when it was the last one, every call has its whole time again.
  public void release() {
    lastHeldNanos = System.nanoTime();
    holders.decrementAndGet();
  }

  /// When a call with this time runs out, as far as holds have a say.
  Deadline heldUntil(Duration timeout) {
    return Deadline.after(holders.get() > 0 ? System.nanoTime() : lastHeldNanos, timeout);
  }

  /// Our ids are numbers: a string that looks like one of them is not the same id.
  private PendingCall<X> find(JsonValue id) {
    return id instanceof JsonNumber number && number.asLong().isPresent()
        ? calls.get(number.asLong().getAsLong())
        : null;
  }

  /// Takes a call out of the table. Who succeeds is the one who may settle it.
  boolean remove(PendingCall<X> call) {
    return calls.remove(call.id(), call);
  }

  /// Fails all calls and every later one; the first call of this method decides the cause.
  ///
  /// @param cause makes the exception in each caller's own thread, so that its stack trace tells
  ///     who called
  /// @return how many calls of callers were failed; the connection's own are not counted
  public int end(Supplier<X> cause) {
    if (ended == null) {
      ended = cause;
    }
    int failed = 0;
    for (PendingCall<X> call : calls.values()) {
      if (remove(call)) {
        call.settle(ended);
        failed += call.isOwn() ? 0 : 1;
      }
    }
    return failed;
  }

  /// Returns how many calls wait now.
  public int size() {
    return calls.size();
  }
}
