package dev.mcpscope.client;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.rpc.PendingCall;
import dev.mcpscope.rpc.PendingCalls;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import dev.mcpscope.scope.Deadline;
import dev.mcpscope.transport.OverloadedException;
import dev.mcpscope.transport.Transport;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/// What a caller's thread does: enter the call, hand its bytes over, park, and say so to the server
/// when it gives up. Any thread; nothing here is the owner's.
final class Calls {
  private static final System.Logger LOG = System.getLogger("dev.mcpscope.client");
  private static final Duration FOREVER = Duration.ofDays(36_500);

  /// Who waits for the answer.
  private enum Asker {
    CALLER,
    /// Nobody who would miss it.
    CONNECTION,
    /// The same, and it is not cancelled on the wire.
    HANDSHAKE
  }

  private final String server;
  private final ClientOptions options;
  private final Transport transport;
  private final PendingCalls<McpException> pending;
  private final Elicitations elicitations;

  Calls(
      String server,
      ClientOptions options,
      Transport transport,
      PendingCalls<McpException> pending,
      Elicitations elicitations) {
    this.server = server;
    this.options = options;
    this.transport = transport;
    this.pending = pending;
    this.elicitations = elicitations;
  }

  /// How the server is called in messages.
  String server() {
    return server;
  }

  /// Calls, within the call's budget, what can be asked twice without harm.
  JsonObject call(String method, JsonObject params, CallOptions call)
      throws McpException, InterruptedException {
    return call(method, params, call, () -> true);
  }

  /// Calls, within the call's budget.
  ///
  /// @param repeatable whether it does no harm to send it twice
  JsonObject call(String method, JsonObject params, CallOptions call, BooleanSupplier repeatable)
      throws McpException, InterruptedException {
    return call(method, params, call, repeatable, Asker.CALLER);
  }

  /// Calls for the connection itself, as a caller without options would.
  JsonObject own(String method, JsonObject params) throws McpException, InterruptedException {
    return call(method, params, CallOptions.defaults(), () -> true, Asker.CONNECTION);
  }

  /// Over HTTP the socket that a request is sent on may have been closed by the server a moment ago,
  /// and nobody can say whether the request was read. It is sent again, once, if that does no harm.
  private JsonObject call(
      String method, JsonObject params, CallOptions call, BooleanSupplier repeatable, Asker asker)
      throws McpException, InterruptedException {
    Duration timeout = call.timeout().orElse(options.callTimeout());
    Duration maximum = longer(timeout, options.callMaximum());
    Consumer<Progress> listener = call.onProgress().orElse(null);
    try {
      return call(method, params, timeout, maximum, listener, asker);
    } catch (ExchangeFailedException e) {
      if (!mayBeRepeated(e) || !repeatable.getAsBoolean()) {
        throw e;
      }
      LOG.log(System.Logger.Level.DEBUG, "{0} is sent again: {1}", method, e.getMessage());
      return call(method, params, timeout, maximum, listener, asker);
    }
  }

  private static boolean mayBeRepeated(ExchangeFailedException e) {
    return e.mayHaveRun() && e.status().isEmpty();
  }

  /// Calls without a budget of its own: the owner's deadline for connecting ends it. It is not
  /// cancelled on the wire: "`initialize` MUST NOT be cancelled", and the server is closed anyway.
  JsonObject handshake(String method, JsonObject params) throws McpException, InterruptedException {
    try {
      return call(method, params, FOREVER, FOREVER, null, Asker.HANDSHAKE);
    } catch (ExchangeFailedException e) {
      if (!mayBeRepeated(e)) {
        throw e;
      }
      return call(method, params, FOREVER, FOREVER, null, Asker.HANDSHAKE);
    }
  }

  private JsonObject call(
      String method,
      JsonObject params,
      Duration timeout,
      Duration maximum,
      Consumer<Progress> listener,
      Asker asker)
      throws McpException, InterruptedException {
    if (Thread.interrupted()) { // before anything is sent: the call does not happen at all
      throw new InterruptedException(method + " was not sent");
    }
    Deadline end = Deadline.after(maximum);
    PendingCall<McpException> call =
        asker == Asker.CALLER
            ? pending.open(method, target(params))
            : pending.openOwn(method, target(params));
    RpcMessage.Response response;
    try {
      JsonObject sending = listener == null ? params : withProgressToken(params, call.id());
      transport.send(new RpcMessage.Request(RpcId.of(call.id()), method, sending));
      response = call.await(timeout, end, progress -> tell(listener, progress));
    } catch (OverloadedException e) {
      call.abandon();
      throw new CallTimeoutException(what(call) + " was not sent: " + e.getMessage());
    } catch (InterruptedException e) {
      giveUp(call, asker, "the caller was interrupted");
      throw e;
    } catch (RuntimeException | Error e) {
      giveUp(call, asker, "the caller's listener has failed");
      throw e;
    }
    if (response == null) {
      giveUp(call, asker, "its time is over");
      throw new CallTimeoutException(
          what(call)
              + " got no answer within "
              + (end.passed() ? maximum : timeout).toMillis()
              + " ms");
    }
    return result(call, response);
  }

  private JsonObject result(PendingCall<McpException> call, RpcMessage.Response response)
      throws McpException {
    return switch (response) {
      case RpcMessage.Result(_, JsonObject result) -> result;
      case RpcMessage.Result(_, var other) ->
          throw new ProtocolViolationException(
              what(call) + " was answered by " + other.kind() + " instead of an object", null);
      case RpcMessage.Failure(_, var error) -> {
        var failure = new RemoteErrorException(server, call.method(), error);
        failure.elicitations().forEach(url -> elicitations.expect(url.elicitationId()));
        throw failure;
      }
    };
  }

  private String what(PendingCall<McpException> call) {
    String target = call.target().isEmpty() ? "" : " " + call.target();
    return server + ": " + call.method() + target + " (id " + call.id() + ")";
  }

  /// What a request is for: of all the protocol's methods those that are for something name it in one
  /// of two members.
  private static String target(JsonObject params) {
    JsonValue target = params.has("name") ? params.get("name") : params.get("uri");
    return target instanceof JsonString(var text) ? text : "";
  }

  /// The call's id is its token: unique among those in flight, and known to the table already.
  private static JsonObject withProgressToken(JsonObject params, long id) {
    JsonObject meta = params.get("_meta") instanceof JsonObject given ? given : JsonObject.EMPTY;
    return params.with("_meta", meta.with("progressToken", JsonNumber.of(id)));
  }

  private void tell(Consumer<Progress> listener, JsonObject params) {
    try {
      Progress progress = Progress.parse(params);
      if (listener != null) {
        listener.accept(progress);
      }
    } catch (JsonException e) {
      LOG.log(System.Logger.Level.DEBUG, "{0}: dropped a progress: {1}", server, e.getMessage());
    }
  }

  /// Leaves the call, and tells the server that nobody waits for it, so that it can stop; unless it
  /// has answered: "Cancellation notifications MUST only reference requests that were previously
  /// issued and are believed to still be in-progress."
  private void giveUp(PendingCall<McpException> call, Asker asker, String reason) {
    call.abandon();
    LOG.log(System.Logger.Level.DEBUG, "{0} was given up: {1}", what(call), reason);
    if (asker != Asker.HANDSHAKE && !call.isSettled()) {
      try {
        notify("notifications/cancelled", JsonObject.of("requestId", call.id(), "reason", reason));
      } catch (CallTimeoutException e) {
        LOG.log(System.Logger.Level.DEBUG, "it is not told so: {0}", e.getMessage());
      }
    }
  }

  /// Sends a notification; never blocks.
  ///
  /// @throws CallTimeoutException when the server does not read, and it was not sent
  void notify(String method, JsonObject params) throws CallTimeoutException {
    try {
      transport.send(new RpcMessage.Notification(method, params));
    } catch (OverloadedException e) {
      throw new CallTimeoutException(server + ": " + method + " was not sent: " + e.getMessage());
    }
  }

  /// Makes a record of a result.
  @FunctionalInterface
  interface Parser<T> {
    T parse(JsonObject json) throws JsonException;
  }

  /// Reads what the server has sent; what does not fit is the server's violation.
  <T> T parse(String method, JsonObject json, Parser<T> parser) throws McpException {
    try {
      return parser.parse(json);
    } catch (JsonException e) {
      throw new ProtocolViolationException(
          server + ": the answer to " + method + " is wrong: " + e.getMessage(), e);
    }
  }

  private static Duration longer(Duration one, Duration other) {
    return one.compareTo(other) >= 0 ? one : other;
  }
}
