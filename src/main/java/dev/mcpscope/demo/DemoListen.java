package dev.mcpscope.demo;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage.Notification;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;

/// A request `subscriptions/listen`, as long as it lasts: tells the client what changes, until one of
/// the two sides has had enough.
///
/// Its own thread alone speaks, so that the acknowledgement is the first that is said and the result
/// the last. The threads that change something leave a message for it and go on; it is told once, if
/// it changes again before. So a client that does not read holds nobody but its own thread.
final class DemoListen implements DemoTask, DemoNotes.Watcher {
  private enum State {
    OPEN,
    ENDING,
    CANCELLED
  }

  private final RpcId id;
  private final DemoOutput out;
  private final boolean list;
  private final Set<String> uris;

  // guarded by this
  private final Set<Notification> untold = new LinkedHashSet<>(); // no more than were asked for
  private State state = State.OPEN;

  /// Reads the params. Not honoured is what never changes here: the lists of tools and prompts, and
  /// other resources.
  ///
  /// @param out where it says what it has to say
  DemoListen(RpcId id, JsonObject params, DemoOutput out) throws JsonException {
    this.id = id;
    this.out = out;
    JsonObject wanted = params.object("notifications");
    list = wanted.optionalBool("resourcesListChanged").orElse(false);
    uris = new LinkedHashSet<>(wanted.optionalStrings("resourceSubscriptions"));
    uris.removeIf(uri -> !DemoNotes.mayChange(uri));
  }

  @Override
  public DemoOutput out() {
    return out;
  }

  /// Listens; in its own thread. Unblocked by its end and by interrupt.
  ///
  /// @param notes that it watches; no longer when it returns
  /// @return the result, or empty if nobody wants it any more
  Optional<JsonObject> run(DemoNotes notes) throws InterruptedException {
    try {
      tell(new Notification("notifications/subscriptions/acknowledged", acknowledged()));
      for (Optional<Notification> next; (next = next()).isPresent(); ) {
        tell(next.get());
      }
      return isCancelled() ? Optional.empty() : Optional.of(JsonObject.of("_meta", meta()));
    } finally {
      notes.unwatch(this);
    }
  }

  private JsonObject acknowledged() {
    JsonObject honoured = list ? JsonObject.of("resourcesListChanged", true) : JsonObject.EMPTY;
    honoured = uris.isEmpty() ? honoured : honoured.with("resourceSubscriptions", uris);
    return JsonObject.of("notifications", honoured);
  }

  private void tell(Notification message) {
    out.notify(message.method(), message.params().with("_meta", meta()));
  }

  private JsonObject meta() {
    return JsonObject.of(DemoModern.SUBSCRIPTION_ID, id.value());
  }

  private synchronized Optional<Notification> next() throws InterruptedException {
    while (untold.isEmpty() && state == State.OPEN) {
      wait();
    }
    if (untold.isEmpty() || state == State.CANCELLED) {
      return Optional.empty();
    }
    Iterator<Notification> first = untold.iterator();
    Notification next = first.next();
    first.remove();
    return Optional.of(next);
  }

  private synchronized boolean isCancelled() {
    return state == State.CANCELLED;
  }

  @Override
  public synchronized void changed(Set<String> changed, boolean listChanged) {
    if (list && listChanged) {
      untold.add(new Notification("notifications/resources/list_changed", JsonObject.EMPTY));
    }
    changed.stream()
        .filter(uris::contains)
        .map(uri -> new Notification("notifications/resources/updated", JsonObject.of("uri", uri)))
        .forEach(untold::add);
    notifyAll();
  }

  @Override
  public void cancel() {
    leave(State.CANCELLED);
  }

  @Override
  public void end() {
    leave(State.ENDING);
  }

  private synchronized void leave(State next) {
    state = state == State.OPEN ? next : state;
    notifyAll();
  }
}
