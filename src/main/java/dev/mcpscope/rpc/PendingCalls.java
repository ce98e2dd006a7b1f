package dev.mcpscope.rpc;

import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import java.util.concurrent.ConcurrentHashMap;
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

  /// Creates an empty table. Ids count from 1 and are never used again.
  public PendingCalls() {}

  /// Enters a call, which the calling thread then sends and waits for.
  ///
  /// @throws X when the table has ended
  public PendingCall<X> open(String method) throws X {
    var call = new PendingCall<>(this, nextId.getAndIncrement(), method);
    calls.put(call.id(), call);
    Supplier<X> cause = ended; // read after the put: end() reads the table after it wrote this
    if (cause != null) {
      calls.remove(call.id());
      throw cause.get();
    }
    return call;
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

  /// Keeps the newest progress of a call until its caller has looked at it; never blocks.
  ///
  /// @param token the progress token, which is the call's id
  /// @return false when no such call waits
  public boolean progress(JsonValue token, JsonObject progress) {
    PendingCall<X> call = find(token);
    if (call == null) {
      return false;
    }
    call.progress(progress);
    return true;
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
  /// @return how many calls were failed
  public int end(Supplier<X> cause) {
    if (ended == null) {
      ended = cause;
    }
    int failed = 0;
    for (PendingCall<X> call : calls.values()) {
      if (remove(call)) {
        call.settle(ended);
        failed++;
      }
    }
    return failed;
  }

  /// Returns how many calls wait now.
  public int size() {
    return calls.size();
  }
}
