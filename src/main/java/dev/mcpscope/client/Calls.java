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
import java.util.Map;
import java.util.Optional;
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

  /// What a request may take, and for whom it is made.
  ///
  /// @param timeout how long to wait without progress
  /// @param maximum how long to wait at all, for however many requests it takes to get the answer
  /// @param latest when to wait no more in any case
  /// @param listener hears of progress; null if nobody does
  /// @param repeatable whether it does no harm to send it twice
  record Terms(
      Asker asker,
      Duration timeout,
      Duration maximum,
      Deadline latest,
      Consumer<Progress> listener,
      BooleanSupplier repeatable) {

    /// Returns when to wait no more for what is asked now.
    Deadline end() {
      return latest.orSooner(maximum);
    }

    /// Returns the terms for what has to be asked meanwhile, and can be asked twice without harm.
    Terms meanwhile(Deadline end) {
      return new Terms(Asker.CONNECTION, timeout, maximum, end, null, () -> true);
    }
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

  /// A caller's terms for what can be asked twice without harm.
  Terms terms(CallOptions call) {
    return terms(call, () -> true);
  }

  /// A caller's terms.
  ///
  /// @param repeatable whether it does no harm to send it twice
  Terms terms(CallOptions call, BooleanSupplier repeatable) {
    return terms(Asker.CALLER, call, repeatable);
  }

  /// For the connection itself, as a caller without options would ask.
  Terms own() {
    return terms(Asker.CONNECTION, CallOptions.defaults(), () -> true);
  }

  /// Without a budget of its own: the owner's deadline for connecting ends it. It is not cancelled on
  /// the wire: "`initialize` MUST NOT be cancelled", and the server is closed anyway.
  Terms handshake() {
    return new Terms(Asker.HANDSHAKE, FOREVER, FOREVER, Deadline.NEVER, null, () -> true);
  }

  private Terms terms(Asker asker, CallOptions call, BooleanSupplier repeatable) {
    Duration timeout = call.timeout().orElse(options.callTimeout());
    Duration maximum = longer(timeout, options.callMaximum());
    return new Terms(
        asker, timeout, maximum, Deadline.NEVER, call.onProgress().orElse(null), repeatable);
  }

  /// Makes one request and waits for its result.
  JsonObject call(String method, JsonObject params, Terms terms)
      throws McpException, InterruptedException {
    return call(method, params, Map.of(), terms, terms.end());
  }

  /// Makes one request, and waits for its result until `end` at the latest.
  ///
  /// @param mirrored see [Transport#send(RpcMessage.Request, Map)]
  JsonObject call(
      String method, JsonObject params, Map<String, String> mirrored, Terms terms, Deadline end)
      throws McpException, InterruptedException {
    try {
      return twiceAtMost(method, params, mirrored, terms, end);
    } catch (RemoteErrorException e) {
      for (ElicitationUrl url : e.elicitations()) {
        url.elicitationId().ifPresent(elicitations::expect);
      }
      throw e;
    }
  }

  /// Over HTTP the socket that a request is sent on may have been closed by the server a moment ago,
  /// and nobody can say whether the request was read. It is sent again, once, if that does no harm.
  private JsonObject twiceAtMost(
      String method, JsonObject params, Map<String, String> mirrored, Terms terms, Deadline end)
      throws McpException, InterruptedException {
    try {
      return once(method, params, mirrored, terms, end);
    } catch (ExchangeFailedException e) {
      boolean sockets = e.mayHaveRun() && e.status().isEmpty();
      if (!sockets || !terms.repeatable().getAsBoolean()) {
        throw e;
      }
      LOG.log(System.Logger.Level.DEBUG, "{0} is sent again: {1}", method, e.getMessage());
    }
    return once(method, params, mirrored, terms, end);
  }

  /// The same, but that it is sent once, whatever comes of it.
  JsonObject once(
      String method, JsonObject params, Map<String, String> mirrored, Terms terms, Deadline end)
      throws McpException, InterruptedException {
    if (Thread.interrupted()) { // before anything is sent: the call does not happen at all
      throw new InterruptedException(method + " was not sent");
    }
    PendingCall<McpException> call =
        terms.asker() == Asker.CALLER
            ? pending.open(method, target(params))
            : pending.openOwn(method, target(params));
    RpcMessage.Response response;
    try {
      JsonObject sending = terms.listener() == null ? params : withProgressToken(params, call.id());
      transport.send(new RpcMessage.Request(RpcId.of(call.id()), method, sending), mirrored);
      response = call.await(terms.timeout(), end, progress -> tell(terms.listener(), progress));
    } catch (OverloadedException e) {
      call.abandon();
      throw notSent(call, e);
    } catch (InterruptedException e) {
      giveUp(call, terms.asker(), "the caller was interrupted");
      throw e;
    } catch (RuntimeException | Error e) {
      giveUp(call, terms.asker(), "the caller's listener has failed");
      throw e;
    }
    if (response == null) {
      giveUp(call, terms.asker(), "its time is over");
      throw new CallTimeoutException(
          what(call)
              + " got no answer within "
              + (end.passed() ? terms.maximum() : terms.timeout()).toMillis()
              + " ms");
    }
    return result(call, response);
  }

  private CallTimeoutException notSent(PendingCall<?> call, OverloadedException e) {
    return new CallTimeoutException(what(call) + " was not sent: " + e.getMessage());
  }

  /// Makes a request for the connection itself, whose answer is waited for by and by; only in this
  /// thread.
  ///
  /// @param begun told the request's id before it is sent
  Asked ask(String method, JsonObject params, Consumer<RpcId> begun) throws McpException {
    PendingCall<McpException> call = pending.openOwn(method, "");
    begun.accept(RpcId.of(call.id()));
    try {
      transport.send(new RpcMessage.Request(RpcId.of(call.id()), method, params));
    } catch (OverloadedException e) {
      call.abandon();
      throw notSent(call, e);
    }
    return new Asked(call);
  }

  /// A request on its way; close it.
  final class Asked implements AutoCloseable {
    private final PendingCall<McpException> call;

    private Asked(PendingCall<McpException> call) {
      this.call = call;
    }

    /// Waits for the result until `deadline`; this may be done again.
    ///
    /// @return empty when there is none by then
    Optional<JsonObject> await(Deadline deadline) throws McpException, InterruptedException {
      RpcMessage.Response response = call.poll(deadline);
      return response == null ? Optional.empty() : Optional.of(result(call, response));
    }

    /// Waits no more, and tells the server so if it has not answered.
    @Override
    public void close() {
      giveUp(call, Asker.CONNECTION, "nobody waits for it");
    }
  }

  /// Ends a request that another thread of the connection waits for: that gets the cause.
  void end(RpcId request, McpException cause) {
    pending.fail(request, () -> cause);
  }

  /// Ends one like [#end], and tells the server so.
  void cancel(RpcId request, McpException cause) {
    if (pending.fail(request, () -> cause)) {
      tellCancelled(request, cause.getMessage());
    }
  }

  /// Returns if calls are accepted.
  ///
  /// @throws McpException why the connection has ended
  void ensureOpen() throws McpException {
    pending.ensureOpen();
  }

  /// Returns whether no calls are accepted any more.
  boolean isOver() {
    return pending.isOver();
  }

  /// Returns whether arguments of tools go beside their calls.
  boolean mirrorsArguments() {
    return transport.mirrorsArguments();
  }

  private JsonObject result(PendingCall<McpException> call, RpcMessage.Response response)
      throws McpException {
    return switch (response) {
      case RpcMessage.Result(_, JsonObject result) -> result;
      case RpcMessage.Result(_, var other) ->
          throw new ProtocolViolationException(
              what(call) + " was answered by " + other.kind() + " instead of an object", null);
      case RpcMessage.Failure(_, var error) ->
          throw new RemoteErrorException(server, call.method(), error);
    };
  }

  private String what(PendingCall<?> call) {
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
    if (call.isSettled()) {
      return;
    }
    LOG.log(System.Logger.Level.DEBUG, "{0} was given up: {1}", what(call), reason);
    if (asker != Asker.HANDSHAKE) {
      tellCancelled(RpcId.of(call.id()), reason);
    }
  }

  private void tellCancelled(RpcId request, String reason) {
    try {
      notify(
          "notifications/cancelled", JsonObject.of("requestId", request.value(), "reason", reason));
    } catch (CallTimeoutException e) {
      LOG.log(System.Logger.Level.DEBUG, "it is not told so: {0}", e.getMessage());
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
