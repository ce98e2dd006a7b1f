package dev.mcpscope.client;

import dev.mcpscope.json.JsonBoolean;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.scope.Deadline;
import dev.mcpscope.scope.Mailbox;
import dev.mcpscope.scope.TaskScope;
import dev.mcpscope.transport.CallFailure;
import dev.mcpscope.transport.ReconnectBudget;
import dev.mcpscope.transport.Reconnects;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/// Listens to what changes, at a server that tells nothing unasked: a subtask of the connection with a
/// scope of its own, in which each `subscriptions/listen` is a subtask that waits for its answer, which
/// is the end of what it hears.
///
/// What is listened to cannot be changed, so that a change of it is another listen. The one before goes
/// when the new one is acknowledged, and nothing is missed in between; what is told twice meanwhile
/// does no harm. One that ends is opened again, by the rules of [ReconnectBudget], and as nobody has
/// listened meanwhile everything is told to have changed.
///
/// @see <a
///     href="https://modelcontextprotocol.io/specification/2026-07-28/basic/patterns/subscriptions">
///     Subscriptions, revision 2026-07-28</a>
final class Subscriptions {
  private static final System.Logger LOG = System.getLogger("dev.mcpscope.client");
  private static final String LISTEN = "subscriptions/listen";
  private static final String ID = "io.modelcontextprotocol/subscriptionId";

  private sealed interface Mail {
    /// @param answer completed when it is so, or cannot be
    record Change(String uri, boolean wanted, CompletableFuture<Void> answer) implements Mail {}

    record Acknowledged(Listen listen, JsonObject params) implements Mail {}

    record Over(Listen listen, Throwable failure) implements Mail {}

    /// The server, which was away, is there again.
    record Retry() implements Mail {}
  }

  private final String name;
  private final String server;
  private final Calls calls;
  private final ClientOptions options;
  private final Set<String> resources;
  private final Consumer<ServerEvent> tell;
  private final Mailbox<Mail> mailbox = new Mailbox<>(1);
  private final CountDownLatch listening = new CountDownLatch(1); // or it is known that it is not
  private final Map<JsonValue, Listen> open = new ConcurrentHashMap<>(); // by the request's id

  // written before the subtask begins
  private JsonObject lists = JsonObject.EMPTY;
  private UnaryOperator<JsonObject> complete = UnaryOperator.identity();

  // the owner's own
  private final List<Mail.Change> changes = new ArrayList<>(); // that no listen stands for yet
  private final Reconnects reconnects;
  private Listen current; // that is acknowledged
  private Listen next; // that is not yet
  private Deadline due =
      Deadline.NEVER; // of what comes next: an acknowledgement, or another attempt
  private volatile boolean missed; // something may have changed that nobody has heard
  private boolean refused; // for good

  /// @param resources those that are subscribed to, which the connection after this one is to have as
  ///     well; changed by the subtask alone
  /// @param tell takes what may have changed
  Subscriptions(
      String connection,
      String server,
      Calls calls,
      ClientOptions options,
      Set<String> resources,
      Consumer<ServerEvent> tell) {
    this.name = connection + " subscriptions";
    this.server = server;
    this.calls = calls;
    this.options = options;
    this.resources = resources;
    this.tell = tell;
    ReconnectBudget budget = options.reconnect();
    this.reconnects = new Reconnects(budget);
  }

  /// Says what can be listened to; before [#run].
  ///
  /// @param complete adds what each request has to say
  void begin(ServerInfo server, UnaryOperator<JsonObject> complete) {
    this.complete = complete;
    for (ServerEvent.List list : ServerEvent.List.values()) {
      if (server.declares(list.word(), "listChanged")) {
        lists = lists.with(list.word() + "ListChanged", true);
      }
    }
  }

  // Any thread.

  /// Returns whether a notification belongs to something that is listened to, or to nothing of the
  /// kind: "clients MUST use this field to correlate notifications with their originating
  /// subscription".
  boolean isWanted(JsonObject params) {
    JsonValue id = id(params);
    return id == null || open.containsKey(id);
  }

  private static JsonValue id(JsonObject params) {
    return params.get("_meta") instanceof JsonObject meta ? meta.get(ID) : null;
  }

  /// Takes the server's word that it will tell what it is asked to; said again, it is no news.
  void acknowledged(JsonObject params) {
    JsonValue id = id(params);
    Listen listen = id == null ? null : open.get(id);
    if (listen != null && listen.acknowledged.compareAndSet(false, true)) {
      mailbox.post(new Mail.Acknowledged(listen, params));
    }
  }

  /// Takes the server's word that it tells nothing more.
  void cancelled(JsonValue id) {
    Listen listen = id == null ? null : open.get(id);
    if (listen != null) {
      calls.end(listen.id, failed("the server has cancelled it"));
    }
  }

  /// Takes the news that the server is there again; one that waits is enough.
  void retry() {
    mailbox.offer(new Mail.Retry());
  }

  private ConnectionLostException failed(String what) {
    return new ConnectionLostException(server + ": " + LISTEN + ": " + what, null);
  }

  /// See [Era#awaitListening]. Who has waited for nothing reads what may change unheard, until it is
  /// acknowledged after all.
  void awaitListening(Deadline deadline) throws InterruptedException {
    if (!listening.await(deadline.remainingNanos(), TimeUnit.NANOSECONDS)) {
      missed = true;
    }
  }

  void subscribe(String uri, Calls.Terms terms) throws McpException, InterruptedException {
    change(uri, true, terms);
  }

  void unsubscribe(String uri, Calls.Terms terms) throws McpException, InterruptedException {
    change(uri, false, terms);
  }

  private void change(String uri, boolean wanted, Calls.Terms terms)
      throws McpException, InterruptedException {
    var answer = new CompletableFuture<Void>();
    if (!mailbox.post(new Mail.Change(uri, wanted, answer))) {
      calls.ensureOpen();
    }
    try {
      answer.get(terms.timeout().toNanos(), TimeUnit.NANOSECONDS);
    } catch (ExecutionException e) {
      calls.ensureOpen(); // the connection's own end is the better cause
      switch (e.getCause()) {
        case McpException cause -> throw cause;
        case RuntimeException cause -> throw cause;
        default -> throw new AssertionError(e);
      }
    } catch (TimeoutException e) {
      throw notInTime(terms.timeout());
    } finally {
      answer.cancel(false); // nobody waits any more: what is not asked for yet, is not
    }
  }

  private CallTimeoutException notInTime(Duration limit) {
    return new CallTimeoutException(
        server + ": " + LISTEN + " was not acknowledged within " + limit.toMillis() + " ms");
  }

  // The subtask: owner of its scope.

  void run() throws InterruptedException {
    try (var scope = TaskScope.open(name, mailbox)) {
      listen(scope);
      while (true) {
        handle(scope, scope.take(due));
      }
    } finally {
      listening.countDown();
      var late = new ArrayList<Mail>(mailbox.close());
      late.addAll(changes);
      if (next != null) {
        late.addAll(next.changes);
      }
      for (Mail mail : late) {
        if (mail instanceof Mail.Change change) {
          change.answer().completeExceptionally(failed("the connection has ended"));
        }
      }
    }
  }

  private void handle(TaskScope<Mail> scope, Mail mail) {
    switch (mail) {
      case null -> late(scope);
      case Mail.Change change -> {
        changes.add(change);
        if (next == null) {
          listen(scope);
        }
      }
      case Mail.Acknowledged(var listen, var params) when listen == next ->
          acknowledged(scope, params);
      case Mail.Acknowledged _ -> {} // of one that is not wanted any more
      case Mail.Over(var listen, var failure) -> over(scope, listen, failure);
      case Mail.Retry() -> {
        if (current == null && next == null && !refused) {
          reconnects.delivered(); // so that the attempts are counted anew
          listen(scope);
        }
      }
    }
  }

  /// Begins to listen to all that is wanted by now, if that is another thing than what is listened to.
  private void listen(TaskScope<Mail> scope) {
    due = Deadline.NEVER;
    Set<String> wanted = new LinkedHashSet<>(resources);
    changes.removeIf(change -> change.answer().isCancelled());
    for (Mail.Change change : changes) {
      if (change.wanted()) {
        wanted.add(change.uri());
      } else {
        wanted.remove(change.uri());
      }
    }
    List<Mail.Change> standFor = List.copyOf(changes);
    changes.clear();
    JsonObject filter = wanted.isEmpty() ? lists : lists.with("resourceSubscriptions", wanted);
    if (current != null && current.agreed.equals(wanted)) {
      done(standFor, Set.of());
    } else if (filter.isEmpty()) {
      cancel(current, failed("nothing is wanted any more"));
      current = null;
      agree(wanted);
      done(standFor, Set.of());
    } else {
      var listen = new Listen(filter, wanted, standFor);
      next = listen;
      due = Deadline.after(options.callTimeout());
      scope.fork("listen", listen::run, failure -> new Mail.Over(listen, failure));
    }
  }

  private void agree(Set<String> wanted) {
    resources.retainAll(wanted);
    resources.addAll(wanted);
    listening.countDown();
  }

  /// "The client SHOULD check the acknowledged filter against what it requested and handle any
  /// unsupported types gracefully": a resource that the server does not tell of is not subscribed to.
  private void acknowledged(TaskScope<Mail> scope, JsonObject params) {
    Listen before = current;
    current = next;
    next = null;
    due = Deadline.NEVER;
    refused = false;
    reconnects.opened();
    Set<String> agreed = new LinkedHashSet<>(current.resources);
    Set<String> declined = new LinkedHashSet<>();
    if (params.get("notifications") instanceof JsonObject honoured) {
      declined.addAll(agreed);
      declined.removeAll(Stateless.texts(honoured.get("resourceSubscriptions")));
      agreed.removeAll(declined);
      for (String list : lists.members().keySet()) {
        if (!JsonBoolean.TRUE.equals(honoured.get(list))) {
          LOG.log(System.Logger.Level.INFO, "{0}: the server does not tell {1}", server, list);
        }
      }
    }
    if (missed) {
      missed = false;
      tellAll(agreed);
    }
    current.agreed = agreed;
    agree(agreed);
    done(current.changes, declined);
    cancel(before, failed("another one has taken its place"));
    if (!changes.isEmpty()) {
      listen(scope);
    }
  }

  private void tellAll(Set<String> uris) {
    for (ServerEvent.List list : ServerEvent.List.values()) {
      if (lists.has(list.word() + "ListChanged")) {
        tell.accept(new ServerEvent.ListChanged(list));
      }
    }
    for (String uri : uris) {
      tell.accept(new ServerEvent.ResourceUpdated(uri, JsonObject.of("uri", uri)));
    }
  }

  private void done(List<Mail.Change> all, Set<String> declined) {
    for (Mail.Change change : all) {
      if (change.wanted() && declined.contains(change.uri())) {
        change
            .answer()
            .completeExceptionally(
                new UnsupportedOperationException(
                    server + " does not tell when this resource changes: " + change.uri()));
      } else {
        change.answer().complete(null);
      }
    }
  }

  private void cancel(Listen listen, McpException why) {
    if (listen != null && listen.id != null) {
      calls.cancel(listen.id, why);
    }
  }

  /// Time is over: for the server to acknowledge, or until the next attempt.
  private void late(TaskScope<Mail> scope) {
    due = Deadline.NEVER;
    if (next == null) {
      listen(scope);
    } else {
      cancel(next, notInTime(options.callTimeout())); // and tells when it is over
    }
  }

  private void over(TaskScope<Mail> scope, Listen listen, Throwable failure) {
    if (listen == next) {
      next = null;
      due = Deadline.NEVER;
      Throwable why =
          failure == null || failure instanceof ConnectionLostException ? early() : failure;
      listen.changes.forEach(change -> change.answer().completeExceptionally(why));
    } else if (listen == current) {
      current = null;
      missed = true;
    } else {
      return; // it was replaced
    }
    if (current == null && next == null && !(lists.isEmpty() && resources.isEmpty())) {
      again(failure);
    }
    if (next == null && !changes.isEmpty()) {
      listen(scope);
    }
  }

  /// "The server MUST send notifications/subscriptions/acknowledged as the first message". Who waits for
  /// that has not lost the connection: if it is that which has ended, [#change] knows.
  private ProtocolViolationException early() {
    return new ProtocolViolationException(
        server + ": " + LISTEN + ": the server ended it before it was acknowledged", null);
  }

  /// Plans the next attempt, if there is to be one.
  private void again(Throwable failure) {
    if (calls.isOver()) {
      return; // it is the connection that ends, and this subtask with it
    }
    String why = failure == null ? "the server has ended it" : failure.getMessage();
    Optional<Deadline> attempt = Optional.empty();
    refused = isForGood(failure);
    if (!refused) {
      attempt = reconnects.next(Optional.empty());
    }
    due = attempt.orElse(Deadline.NEVER);
    boolean last = attempt.isEmpty();
    LOG.log(
        last ? System.Logger.Level.WARNING : System.Logger.Level.DEBUG,
        "{0}: {1}: {2}",
        server,
        last ? "what changes is not heard any more" : "what changes is listened to again soon",
        why);
    if (last) {
      listening.countDown();
    }
  }

  private static boolean isForGood(Throwable failure) {
    return switch (failure) {
      case null -> false;
      case RemoteErrorException _, ProtocolViolationException _ -> true;
      case ExchangeFailedException e -> {
        OptionalInt status = e.status();
        yield status.isPresent()
            && status.getAsInt() / 100 != 2
            && !CallFailure.isPassing(status.getAsInt());
      }
      default -> false;
    };
  }

  /// One `subscriptions/listen`.
  private final class Listen {
    final JsonObject filter;
    final Set<String> resources;
    final List<Mail.Change> changes; // that it stands for
    final AtomicBoolean acknowledged = new AtomicBoolean(); // the owner has mail of it
    Set<String> agreed = Set.of(); // of the resources, by the server; the owner's
    volatile RpcId id; // null until it is sent

    Listen(JsonObject filter, Set<String> resources, List<Mail.Change> changes) {
      this.filter = filter;
      this.resources = Set.copyOf(resources);
      this.changes = changes;
    }

    /// The subtask: returns when the server has ended it with a result.
    void run() throws McpException, InterruptedException {
      JsonObject params = complete.apply(JsonObject.of("notifications", filter));
      try (var asked = calls.ask(LISTEN, params, this::begun)) {
        asked.await(Deadline.NEVER);
      } finally {
        if (id != null) {
          open.remove(id.value());
        }
      }
    }

    /// Before it is sent: what is heard of it may come at once.
    private void begun(RpcId request) {
      id = request;
      open.put(request.value(), this);
    }
  }
}
