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
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;

/// Answers what the server asks: a subtask of the connection with a scope of its own, in which each
/// request has a subtask.
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

  /// What the user has to say to a request's params.
  @FunctionalInterface
  private interface Handler {
    JsonObject answer(JsonObject params) throws Exception;
  }

  /// A request on its way. It counts as unanswered until nobody works on it any more: an abandoned
  /// guest still does.
  private static final class Asked {
    final RpcMessage.Request request;
    final int bytes;

    // What is sent; empty when the server has cancelled the request. The first one counts.
    final CompletableFuture<Optional<RpcMessage.Response>> answer = new CompletableFuture<>();
    volatile boolean hasGuest; // whose end frees its place, else its subtask does

    Asked(RpcMessage.Request request, int bytes) {
      this.request = request;
      this.bytes = bytes;
    }
  }

  private final String name;
  private final String server;
  private final Transport transport;
  private final ClientOptions options;
  private final PendingCalls<?> pending;
  private final Guests guests;
  private final Elicitations elicitations;
  private final Mailbox<Mail> mailbox;
  private final Map<JsonValue, Asked> running = new ConcurrentHashMap<>();
  private final AtomicLong unanswered = new AtomicLong();
  private final AtomicLong unansweredBytes = new AtomicLong();

  Handlers(
      String connection,
      String server,
      Transport transport,
      ClientOptions options,
      PendingCalls<?> pending,
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

  /// Takes a request; the reader's.
  ///
  /// @param bytes how long it was
  /// @return false when too many are unanswered, or too long ones
  boolean offer(RpcMessage.Request request, int bytes) {
    return offer(new Asked(request, bytes));
  }

  /// Takes the id of a request that cannot be understood, to say so; the reader's, which does not
  /// write.
  ///
  /// @return as [#offer]
  boolean refuse(RpcId id, String problem) {
    var asked = new Asked(new RpcMessage.Request(id, "", JsonObject.EMPTY), 0);
    refuse(asked, RpcError.INVALID_REQUEST, problem);
    return offer(asked);
  }

  private boolean offer(Asked asked) {
    if (unanswered.incrementAndGet() > options.limits().serverRequests()
        || unansweredBytes.addAndGet(asked.bytes) > 2L * options.limits().message().maxBytes()) {
      return false;
    }
    // Before it runs: its cancellation may be the next message.
    running.putIfAbsent(asked.request.id().value(), asked);
    mailbox.post(new Mail.Serve(asked));
    return true;
  }

  /// Takes the news that the server does not want the answer any more; the reader's.
  void cancel(JsonValue id) {
    Asked asked = id == null ? null : running.get(id);
    if (asked != null) {
      asked.answer.complete(Optional.empty());
    }
  }

  /// Takes the news that the server wants none of the answers any more: an answer that comes late
  /// might be taken for one to its next request of the same id. Any thread, never blocks.
  void forget() {
    running.values().forEach(asked -> asked.answer.complete(Optional.empty()));
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
      mailbox.close();
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
      } else {
        Optional<Handler> handler = handler(method);
        if (handler.isEmpty()) {
          refuse(asked, RpcError.METHOD_NOT_FOUND, "this client does not serve " + shown(method));
        } else {
          host(asked, handler.get());
        }
      }
      if (!asked.hasGuest) {
        free(asked); // before the answer is out: who has it may ask anew
      }
      Optional<RpcMessage.Response> response = asked.answer.getNow(Optional.empty());
      if (response.isPresent()) {
        transport.send(response.get());
      }
    } finally {
      running.remove(asked.request.id().value(), asked);
    }
  }

  /// Has a guest answer, and waits for it. While it works, the calls of this connection are not short
  /// of time: what the server asks it asks for one of them, and which one it does not say.
  private void host(Asked asked, Handler handler) throws InterruptedException {
    pending.hold();
    try {
      asked.hasGuest = true;
      Guest guest =
          guests.start(
              name + " " + asked.request.method() + " " + shown(asked.request.id().toString()),
              () -> asked.answer.complete(answer(asked, handler)),
              failure -> ended(asked, failure));
      try {
        asked.answer.get(options.handlerTimeout().toNanos(), TimeUnit.NANOSECONDS);
      } catch (TimeoutException e) {
        String limit = "not answered within " + options.handlerTimeout().toMillis() + " ms";
        refuse(asked, RpcError.INTERNAL_ERROR, limit);
      } catch (ExecutionException e) {
        throw new AssertionError("it is completed with answers only", e);
      } catch (InterruptedException e) { // the connection ends: that its handler fails is no news
        asked.answer.complete(Optional.empty());
        throw e;
      } finally {
        if (!guest.dismiss(Deadline.after(Duration.ZERO), Delivery.GRACE)) {
          LOG.log(System.Logger.Level.WARNING, "{0} ignores its interrupt", guest.name());
        }
      }
    } finally {
      pending.release();
    }
  }

  /// The guest's last act. It writes to the log, which may take its time, before it answers: who has
  /// answered is expected to be gone.
  private void ended(Asked asked, Throwable failure) {
    free(asked);
    if (failure != null) {
      if (!asked.answer.isDone()) {
        LOG.log(System.Logger.Level.WARNING, name + ": a handler failed", failure);
      }
      refuse(asked, RpcError.INTERNAL_ERROR, "the client's handler has failed");
    }
  }

  private Optional<RpcMessage.Response> answer(Asked asked, Handler handler) throws Exception {
    try {
      return Optional.of(result(asked, handler.answer(asked.request.params())));
    } catch (JsonException e) {
      return Optional.of(failure(asked, RpcError.INVALID_PARAMS, e.getMessage()));
    } catch (RequestRefusedException e) {
      return Optional.of(failure(asked, e.code(), e.getMessage()));
    }
  }

  /// False when it was answered, or cancelled, before.
  private static boolean refuse(Asked asked, int code, String message) {
    return asked.answer.complete(Optional.of(failure(asked, code, message)));
  }

  /// The server's own word, but not all of it, whatever it is.
  private static String shown(String word) {
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
      case "roots/list" ->
          features.roots().map(roots -> params -> roots(ask(_ -> roots.call(), params)));
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

  private JsonObject sample(JsonObject params) throws Exception {
    ClientFeatures features = options.features();
    if (!features.samplingOptions().contains(SamplingOption.TOOLS)
        && (params.has("tools") || params.has("toolChoice"))) {
      throw new JsonException("this client has not declared sampling.tools");
    }
    return ask(features.sampling().orElseThrow(), SamplingRequest.parse(server, params)).json();
  }

  /// "Clients MUST treat requests without a mode field as form mode."
  private JsonObject elicit(JsonObject params) throws Exception {
    ClientFeatures features = options.features();
    String mode = params.optionalString("mode").orElse("form");
    if (mode.equals("form") && features.elicitation().isPresent()) {
      ElicitationForm form = ElicitationForm.parse(server, params);
      return switch (ask(features.elicitation().get(), form)) {
        case ElicitationResult.Accepted(var content) ->
            action("accept").with("content", form.complete(content));
        case ElicitationResult.Declined _ -> action("decline");
        case ElicitationResult.Cancelled _ -> action("cancel");
      };
    }
    if (mode.equals("url") && features.elicitationUrl().isPresent()) {
      ElicitationUrl url = ElicitationUrl.parse(server, params);
      elicitations.expect(
          url.elicitationId()); // its completion may come before our answer has gone
      ElicitationResult answer = ask(features.elicitationUrl().get(), url);
      if (!(answer instanceof ElicitationResult.Accepted)) {
        elicitations.complete(url.elicitationId());
      }
      return switch (answer) {
        case ElicitationResult.Accepted _ -> action("accept");
        case ElicitationResult.Declined _ -> action("decline");
        case ElicitationResult.Cancelled _ -> action("cancel");
      };
    }
    throw new JsonException("this client has not declared elicitation by " + mode);
  }

  /// A handler may fail at some JSON of its own: that is not the server's fault, nor its business.
  private static <Q, A> A ask(ClientFeatures.Handler<Q, A> handler, Q request) throws Exception {
    try {
      return handler.answer(request);
    } catch (JsonException e) {
      throw new IllegalStateException(e);
    }
  }

  private static JsonObject action(String action) {
    return JsonObject.of("action", JsonValue.of(action));
  }
}
