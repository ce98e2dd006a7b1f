package dev.mcpscope.client;

import dev.mcpscope.client.ClientFeatures.SamplingOption;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.rpc.PendingCalls;
import dev.mcpscope.rpc.RpcError;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import dev.mcpscope.scope.Deadline;
import dev.mcpscope.scope.Delivery;
import dev.mcpscope.scope.Guest;
import dev.mcpscope.scope.Guests;
import dev.mcpscope.scope.Mailbox;
import dev.mcpscope.scope.TaskScope;
import dev.mcpscope.transport.OverloadedException;
import dev.mcpscope.transport.Transport;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;

/// Answers what the server asks: a subtask of the connection with a scope of its own, in which each
/// request has a subtask. It may come as a request of its own, which is answered on the wire, or as
/// what a call of ours has to bring along ([#gather]), whose caller waits for the answer here.
///
/// The reader only leaves a request here: it runs no user code and never waits. The request's
/// subtask starts the user's handler as a [Guest] and waits for its answer, for its time limit, for
/// the server's cancellation, and for the connection's end. How many requests may be unanswered, and
/// how long they may be together, is bounded; a server that asks more breaks the protocol.
final class Handlers {
  private static final System.Logger LOG = System.getLogger("dev.mcpscope.client");

  private static final int MOST_SHOWN = 100;

  private sealed interface Mail {
    record Serve(Asked asked) implements Mail {}

    record Served(Throwable failure) implements Mail {}

    record End() implements Mail {}
  }

  /// Reads a request's params, which is not the user's business yet.
  @FunctionalInterface
  private interface Handler {
    Answer of(JsonObject params) throws JsonException;
  }

  /// What the user has to say to it.
  @FunctionalInterface
  private interface Answer {
    JsonObject give() throws Exception;
  }

  /// A request on its way. It counts as unanswered until nobody works on it any more: an abandoned
  /// guest still does.
  private static final class Asked {
    final RpcMessage.Request request;
    final int bytes;
    final boolean onTheWire; // else a caller of ours waits for the answer
    final Optional<Handler> handler;

    // What is sent; empty when nobody wants it any more. The first one counts.
    final CompletableFuture<Optional<RpcMessage.Response>> answer = new CompletableFuture<>();
    volatile boolean hasGuest; // whose end frees its place, else its subtask does
    Optional<RpcMessage.Response> said; // the guest's own, until it ends

    Asked(RpcMessage.Request request, int bytes, boolean onTheWire, Optional<Handler> handler) {
      this.request = request;
      this.bytes = bytes;
      this.onTheWire = onTheWire;
      this.handler = handler;
    }

    void cancel() {
      answer.complete(Optional.empty());
    }
  }

  private final String name;
  private final String server;
  private final Transport transport;
  private final ClientOptions options;
  private final PendingCalls<McpException> pending;
  private final Guests guests;
  private final Elicitations elicitations;
  private final Mailbox<Mail> mailbox;
  private final Map<JsonValue, Asked> running = new ConcurrentHashMap<>();
  private final AtomicLong unanswered = new AtomicLong();
  private final AtomicLong unansweredBytes = new AtomicLong();
  private volatile boolean callsOnly; // are served: a server has no requests of its own

  Handlers(
      String connection,
      String server,
      Transport transport,
      ClientOptions options,
      PendingCalls<McpException> pending,
      Guests guests,
      Elicitations elicitations) {
    this.name = connection + " handlers";
    this.server = server;
    this.transport = transport;
    this.options = options;
    this.pending = pending;
    this.guests = guests;
    this.elicitations = elicitations;
    this.mailbox = new Mailbox<>(options.limits().serverRequests());
  }

  /// From now on requests of the server's own are dropped: "The server MUST NOT write JSON-RPC
  /// requests", and "the client MUST NOT write JSON-RPC responses". Any thread.
  void serveCallsOnly() {
    callsOnly = true;
  }

  /// Takes a request; the reader's.
  ///
  /// @param bytes how long it was
  /// @return false when too many are unanswered, or too long ones
  boolean offer(RpcMessage.Request request, int bytes) {
    return offer(new Asked(request, bytes, true, handler(request.method())));
  }

  /// Takes the id of a request that cannot be understood, to say so; the reader's, which does not
  /// write.
  ///
  /// @return as [#offer]
  boolean refuse(RpcId id, String problem) {
    var request = new RpcMessage.Request(id, "", JsonObject.EMPTY);
    var asked = new Asked(request, 0, true, Optional.empty());
    refuse(asked, RpcError.INVALID_REQUEST, problem);
    return offer(asked);
  }

  private boolean offer(Asked asked) {
    if (asked.onTheWire && callsOnly) {
      LOG.log(
          System.Logger.Level.DEBUG, "{0}: dropped a request of a server that has none", server);
      return true;
    }
    long count = unanswered.incrementAndGet();
    long bytes = unansweredBytes.addAndGet(asked.bytes);
    if (count > options.limits().serverRequests()
        || bytes > 2L * options.limits().message().maxBytes()) {
      return false;
    }
    if (asked.onTheWire) { // before it runs: its cancellation may be the next message
      running.putIfAbsent(asked.request.id().value(), asked);
    }
    if (!mailbox.post(new Mail.Serve(asked))) {
      asked.cancel(); // the connection ends
    }
    return true;
  }

  /// Has the handlers answer, all at the same time, what the server wants to know before it answers a
  /// call; the caller's thread, which waits. Unblocked by the last answer, by the first failure, by
  /// each handler's time, by `end`, by interrupt and by the connection's end: then those who still work
  /// on it are interrupted.
  ///
  /// @param wanted requests without ids, by the server's names for them
  /// @param whatFor begins the messages
  /// @return their results, by these names
  /// @throws InputFailedException when one of them cannot be answered
  /// @throws CallTimeoutException when it is not answered by the deadline
  JsonObject gather(JsonObject wanted, String whatFor, Deadline end)
      throws McpException, InterruptedException {
    var asked = new LinkedHashMap<String, Asked>();
    var answered = new LinkedBlockingQueue<String>(); // never holds who answers
    try {
      for (var one : wanted.members().entrySet()) { // all are read before the user is asked for one
        asked.put(one.getKey(), input(one.getKey(), one.getValue(), whatFor));
      }
      for (var one : asked.entrySet()) {
        if (!offer(one.getValue())) {
          free(one.getValue());
          int most = options.limits().serverRequests();
          String problem = "more than " + most + " inputs at a time, or long ones";
          throw noInput(one.getKey(), whatFor, problem, null);
        }
        one.getValue().answer.thenRun(() -> answered.add(one.getKey()));
      }
      var results = new LinkedHashMap<>(wanted.members()); // each takes the place of its question
      for (var left = new LinkedHashSet<>(asked.keySet()); !left.isEmpty(); ) {
        String key = answered.poll(end.remainingNanos(), TimeUnit.NANOSECONDS);
        if (key == null) {
          Asked late = asked.get(left.getFirst());
          throw new CallTimeoutException(what(late, whatFor) + "which has not come in time");
        }
        left.remove(key);
        results.put(key, result(asked.get(key), whatFor));
      }
      return new JsonObject(results);
    } finally {
      asked.values().forEach(Asked::cancel); // those that are answered are not concerned
    }
  }

  /// Reads what the server wants to know.
  private Asked input(String key, JsonValue wanted, String whatFor)
      throws ProtocolViolationException {
    try {
      if (!(wanted instanceof JsonObject object)) {
        throw new JsonException("what is no request");
      }
      String method = object.string("method");
      Handler handler =
          handler(method)
              .orElseThrow(
                  () -> new JsonException(shown(method) + ", which this client has not declared"));
      JsonObject params = object.optionalObject("params").orElse(JsonObject.EMPTY);
      Answer answer = handler.of(params);
      var request = new RpcMessage.Request(RpcId.of(key), method, params);
      return new Asked(request, params.toString().length(), false, Optional.of(_ -> answer));
    } catch (JsonException e) {
      throw noInput(key, whatFor, e.getMessage(), e);
    }
  }

  private static ProtocolViolationException noInput(
      String key, String whatFor, String problem, JsonException cause) {
    return new ProtocolViolationException(
        whatFor + " asks for input " + shown(key) + ": " + problem, cause);
  }

  private static String what(Asked asked, String whatFor) {
    String key = shown(asked.request.id().toString());
    return whatFor + " asks for input " + key + " (" + asked.request.method() + "), ";
  }

  private JsonValue result(Asked asked, String whatFor) throws McpException {
    String what = what(asked, whatFor);
    return switch (asked.answer.join().orElse(null)) {
      case RpcMessage.Result(_, var result) -> result;
      case RpcMessage.Failure(_, var error) ->
          throw new InputFailedException(what + "and does not get it: " + error.message(), null);
      case null -> {
        pending.ensureOpen(); // else it is the connection that ends
        throw new InputFailedException(what + "and nobody answers any more", null);
      }
    };
  }

  /// Takes the news that the server does not want the answer any more; the reader's.
  void cancel(JsonValue id) {
    Asked asked = id == null ? null : running.get(id);
    if (asked != null) {
      asked.cancel();
    }
  }

  /// Takes the news that the server wants none of the answers any more: an answer that comes late
  /// might be taken for one to its next request of the same id. Any thread, never blocks.
  void forget() {
    running.values().forEach(Asked::cancel);
  }

  /// Ends the handlers; those that run are interrupted.
  void end() {
    mailbox.post(new Mail.End());
  }

  /// The subtask: owner of the handlers' scope.
  ///
  /// @throws OverloadedException when the server does not read what it has asked for
  void run() throws InterruptedException, OverloadedException {
    try (var scope = TaskScope.open(name, mailbox)) {
      while (true) {
        switch (scope.take()) {
          case Mail.Serve(var asked) -> scope.fork("request", () -> serve(asked), Mail.Served::new);
          case Mail.Served(OverloadedException unread) ->
              throw unread; // it asks, and never listens
          case Mail.Served(var failure) -> {
            if (failure != null) {
              LOG.log(System.Logger.Level.WARNING, name + ": a request was not answered", failure);
            }
          }
          case Mail.End() -> {
            return;
          }
        }
      }
    } finally {
      for (Mail late : mailbox.close()) {
        if (late instanceof Mail.Serve(var asked)) {
          asked.cancel(); // somebody may wait for it
        }
      }
    }
  }

  private void free(Asked asked) {
    unanswered.decrementAndGet();
    unansweredBytes.addAndGet(-asked.bytes);
  }

  /// A request's subtask.
  private void serve(Asked asked) throws OverloadedException, InterruptedException {
    try {
      String method = asked.request.method();
      if (asked.answer.isDone()) {
        // refused, or cancelled already
      } else if (method.equals("ping")) {
        asked.answer.complete(Optional.of(result(asked, JsonObject.EMPTY)));
      } else if (asked.handler.isEmpty()) {
        refuse(asked, RpcError.METHOD_NOT_FOUND, "this client does not serve " + shown(method));
      } else if (asked.onTheWire) {
        hostForAll(asked, asked.handler.get());
      } else {
        host(asked, asked.handler.get());
      }
      if (!asked.hasGuest) {
        free(asked); // before the answer is out: who has it may ask anew
      }
      Optional<RpcMessage.Response> response = asked.answer.getNow(Optional.empty());
      if (response.isPresent() && asked.onTheWire) {
        transport.send(response.get());
      }
    } finally {
      asked.cancel(); // if it has come to nothing, nobody is to wait for it
      running.remove(asked.request.id().value(), asked);
    }
  }

  /// Has a guest answer, and waits for it.
  private void host(Asked asked, Handler handler) throws InterruptedException {
    asked.hasGuest = true;
    Guest guest =
        guests.start(
            name + " " + asked.request.method() + " " + shown(asked.request.id().toString()),
            () -> asked.said = response(asked, handler),
            failure -> ended(asked, failure));
    try {
      asked.answer.get(options.handlerTimeout().toNanos(), TimeUnit.NANOSECONDS);
    } catch (TimeoutException e) {
      String limit = "not answered within " + options.handlerTimeout().toMillis() + " ms";
      refuse(asked, RpcError.INTERNAL_ERROR, limit);
    } catch (ExecutionException e) {
      throw new AssertionError("it is completed with answers only", e);
    } catch (InterruptedException e) { // the connection ends: that its handler fails is no news
      asked.cancel();
      throw e;
    } finally {
      if (!guest.dismiss(Deadline.after(Duration.ZERO), Delivery.GRACE)) {
        LOG.log(System.Logger.Level.WARNING, "{0} ignores its interrupt", guest.name());
      }
    }
  }

  /// The same, while the calls of this connection are not short of time: what the server asks it asks
  /// for one of them, and which one it does not say. Where a call has to bring the answer along, that
  /// does not run meanwhile, and the others are not concerned.
  private void hostForAll(Asked asked, Handler handler) throws InterruptedException {
    pending.hold();
    try {
      host(asked, handler);
    } finally {
      pending.release();
    }
  }

  /// The guest's last act. It frees its place, and writes to the log, which may take its time, before it
  /// answers: who has the answer may be asked as much again, and the guest is expected to be gone.
  private void ended(Asked asked, Throwable failure) {
    free(asked);
    if (failure == null) {
      asked.answer.complete(asked.said);
      return;
    }
    if (!asked.answer.isDone()) {
      LOG.log(System.Logger.Level.WARNING, name + ": a handler failed", failure);
    }
    refuse(asked, RpcError.INTERNAL_ERROR, "the client's handler has failed");
  }

  /// A handler may fail at some JSON of its own: that is not the server's fault, nor its business.
  private Optional<RpcMessage.Response> response(Asked asked, Handler handler) throws Exception {
    Answer answer;
    try {
      answer = handler.of(asked.request.params());
    } catch (JsonException e) {
      return Optional.of(failure(asked, RpcError.INVALID_PARAMS, e.getMessage()));
    }
    try {
      return Optional.of(result(asked, answer.give()));
    } catch (RequestRefusedException e) {
      return Optional.of(failure(asked, e.code(), e.getMessage()));
    }
  }

  /// False when it was answered, or cancelled, before.
  private static boolean refuse(Asked asked, int code, String message) {
    return asked.answer.complete(Optional.of(failure(asked, code, message)));
  }

  /// The server's own word, but not all of it, whatever it is.
  static String shown(String word) {
    String start = word.length() > MOST_SHOWN ? word.substring(0, MOST_SHOWN) + "…" : word;
    return start.replaceAll("\\p{Cc}", "?");
  }

  private static RpcMessage.Response result(Asked asked, JsonObject result) {
    return new RpcMessage.Result(asked.request.id(), result);
  }

  private static RpcMessage.Response failure(Asked asked, int code, String message) {
    return new RpcMessage.Failure(asked.request.id(), new RpcError(code, message));
  }

  // What is served: a handler that was not given was not declared.

  private Optional<Handler> handler(String method) {
    ClientFeatures features = options.features();
    return switch (method) {
      case "roots/list" -> features.roots().map(roots -> _ -> () -> roots(roots.call()));
      case "sampling/createMessage" -> features.sampling().map(_ -> this::sample);
      case "elicitation/create" ->
          features.elicitation().isPresent() || features.elicitationUrl().isPresent()
              ? Optional.of(this::elicit)
              : Optional.empty();
      default -> Optional.empty();
    };
  }

  private static JsonObject roots(List<Root> roots) {
    return JsonObject.of("roots", roots.stream().map(Root::json).toList());
  }

  private Answer sample(JsonObject params) throws JsonException {
    ClientFeatures features = options.features();
    if (!features.samplingOptions().contains(SamplingOption.TOOLS)
        && (params.has("tools") || params.has("toolChoice"))) {
      throw new JsonException("this client has not declared sampling.tools");
    }
    SamplingRequest request = SamplingRequest.parse(server, params);
    return () -> features.sampling().orElseThrow().answer(request).json();
  }

  /// "Clients MUST treat requests without a mode field as form mode."
  private Answer elicit(JsonObject params) throws JsonException {
    ClientFeatures features = options.features();
    String mode = params.optionalString("mode").orElse("form");
    if (mode.equals("form") && features.elicitation().isPresent()) {
      ElicitationForm form = ElicitationForm.parse(server, params);
      return () ->
          switch (features.elicitation().get().answer(form)) {
            case ElicitationResult.Accepted(var content) ->
                action("accept").with("content", form.complete(content));
            case ElicitationResult.Declined _ -> action("decline");
            case ElicitationResult.Cancelled _ -> action("cancel");
          };
    }
    if (mode.equals("url") && features.elicitationUrl().isPresent()) {
      ElicitationUrl url = ElicitationUrl.parse(server, params);
      return () -> consent(features.elicitationUrl().get(), url);
    }
    throw new JsonException("this client has not declared elicitation by " + mode);
  }

  private JsonObject consent(
      ClientFeatures.Handler<ElicitationUrl, ElicitationResult> handler, ElicitationUrl url)
      throws Exception {
    // Its completion may come before our answer has gone.
    url.elicitationId().ifPresent(elicitations::expect);
    ElicitationResult answer = handler.answer(url);
    if (!(answer instanceof ElicitationResult.Accepted)) {
      url.elicitationId().ifPresent(elicitations::complete);
    }
    return switch (answer) {
      case ElicitationResult.Accepted _ -> action("accept");
      case ElicitationResult.Declined _ -> action("decline");
      case ElicitationResult.Cancelled _ -> action("cancel");
    };
  }

  private static JsonObject action(String action) {
    return JsonObject.of("action", JsonValue.of(action));
  }
}
