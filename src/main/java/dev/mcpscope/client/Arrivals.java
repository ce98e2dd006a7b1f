package dev.mcpscope.client;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.rpc.PendingCalls;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import dev.mcpscope.scope.Backlog;
import dev.mcpscope.transport.CallFailure;
import dev.mcpscope.transport.Health;
import dev.mcpscope.transport.Inbox;
import dev.mcpscope.transport.Loss;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/// Sorts what arrives; called by the transport's reader, which never waits here. A message that has
/// come finds everything that it may be for: it is given before the first one can come.
final class Arrivals implements Inbox {
  private static final System.Logger LOG = System.getLogger("dev.mcpscope.client");

  /// About what a value takes in memory: an event that may be so long may hold so many of them.
  private static final int BYTES_OF_A_VALUE = 32;

  /// Where it goes.
  ///
  /// @param pending the calls that wait
  /// @param handlers what the server asks
  /// @param subscriptions what it tells of what is listened to
  /// @param cache what it has said before
  record Places(
      PendingCalls<McpException> pending,
      Handlers handlers,
      Subscriptions subscriptions,
      ResultCache cache) {}

  private final String server;
  private final ClientOptions options;
  private final Causes causes;
  private final Elicitations elicitations;
  private final Backlog<ServerEvent> events;
  private final Connection.Observer observer;
  private final Consumer<Attempt.Mail> owner;
  private final AtomicBoolean lost = new AtomicBoolean();
  private final AtomicBoolean toolsChanged = new AtomicBoolean(); // and the owner has mail of it

  private volatile Places places; // set before anything can come
  private volatile boolean listing; // the tools were asked for, so that a change concerns us

  Arrivals(
      String server,
      ClientOptions options,
      Causes causes,
      Elicitations elicitations,
      Backlog<ServerEvent> events,
      Connection.Observer observer,
      Consumer<Attempt.Mail> owner) {
    this.server = server;
    this.options = options;
    this.causes = causes;
    this.elicitations = elicitations;
    this.events = events;
    this.observer = observer;
    this.owner = owner;
  }

  /// Says where it goes, before the transport's tasks are started.
  void goTo(Places given) {
    places = given;
  }

  /// The tools are about to be read: from now on the owner wants to know when they change.
  void listing() {
    listing = true;
  }

  /// The owner has taken the news that the tools have changed, and looks after that: a change from now
  /// on may be later.
  void toolsChangeIsKnown() {
    toolsChanged.set(false);
  }

  @Override
  public void received(RpcMessage message, int bytes) {
    switch (message) {
      case RpcMessage.Response response -> {
        if (!places.pending().answer(response)) {
          drop("an answer to no call");
        }
      }
      case RpcMessage.Notification notification when isTooLong(notification, bytes) -> {
        drop(notification.method() + ", which has " + bytes + " bytes, or too many values");
        tell(new ServerEvent.Dropped(1));
      }
      case RpcMessage.Notification(var method, var params) -> {
        try {
          notified(method, params);
        } catch (JsonException e) {
          drop(method + ": " + e.getMessage());
        }
      }
      case RpcMessage.Request request -> {
        if (!places.handlers().offer(request, bytes)) {
          tooMuch();
        }
      }
      case RpcMessage.Malformed(var call, var request, var problem) -> {
        drop("a message: " + problem);
        call.ifPresent(id ->
            places
                .pending()
                .fail(id, () -> new ProtocolViolationException(server + ": " + problem, null)));
        if (request.isPresent() && !places.handlers().refuse(request.get(), problem)) {
          tooMuch();
        }
      }
    }
  }

  /// That a list has changed is never too long: nothing of its params is kept.
  private boolean isTooLong(RpcMessage.Notification notification, int bytes) {
    int most = options.limits().eventBytes();
    return (bytes > most || notification.params().hasMoreValuesThan(most / BYTES_OF_A_VALUE))
        && !notification.method().endsWith("/list_changed");
  }

  private void tooMuch() {
    String what = options.limits().serverRequests() + " requests unanswered";
    lost(new Loss(Loss.Kind.PROTOCOL, "the server has more than " + what + " or long ones", null));
  }

  private void notified(String method, JsonObject params) throws JsonException {
    switch (method) {
      case "notifications/progress" -> {
        var call = places.pending().waiting(params.get("progressToken"));
        if (call.isPresent()) {
          Progress progress = Progress.parse(params);
          call.get().progress(params);
          tell(
              new ServerEvent.CallProgress(
                  call.get().id(), call.get().method(), call.get().target(), progress));
        }
      }
      case "notifications/cancelled" -> { // a request of the server's, or something listened to
        places.handlers().cancel(params.get("requestId"));
        places.subscriptions().cancelled(params.get("requestId"));
      }
      case "notifications/subscriptions/acknowledged" ->
          places.subscriptions().acknowledged(params);
      default -> {
        Optional<ServerEvent> event = ServerEvent.parse(method, params);
        if (event.isEmpty()) {
          drop("the unknown " + method);
        } else if (!places.subscriptions().isWanted(params)) {
          drop(method + ", which nobody listens to");
        } else {
          tell(event.get());
        }
      }
    }
  }

  /// Takes what the server tells, or what may have changed while it could not.
  void tell(ServerEvent event) {
    if (event instanceof ServerEvent.ElicitationCompleted(var id) && !elicitations.complete(id)) {
      drop("the completion of no elicitation");
      return;
    }
    places.cache().changed(event); // before anybody looks
    if (listing
        && event.equals(new ServerEvent.ListChanged(ServerEvent.List.TOOLS))
        && toolsChanged.compareAndSet(false, true)) {
      owner.accept(new Attempt.Mail.ToolsChanged());
    }
    if (options.features().listener().isPresent()) {
      events.add(event);
    }
    observer.told(event);
  }

  private void drop(String what) {
    LOG.log(System.Logger.Level.DEBUG, "{0}: dropped {1}", server, what);
  }

  @Override
  public void failed(RpcId request, CallFailure failure) {
    places
        .pending()
        .waiting(request.value())
        .ifPresent(call -> {
          String method = call.method();
          places.pending().fail(request, () -> causes.of(method, failure));
        });
  }

  @Override
  public void changed(Health next) {
    owner.accept(new Attempt.Mail.Changed(next));
  }

  @Override
  public void forgotten() {
    places.handlers().forget();
  }

  @Override
  public void renewed() {
    for (ServerEvent.List list : ServerEvent.List.values()) {
      tell(new ServerEvent.ListChanged(list));
    }
  }

  @Override
  public void lost(Loss loss) {
    if (lost.compareAndSet(false, true)) {
      owner.accept(new Attempt.Mail.Lost(loss));
    }
  }
}
