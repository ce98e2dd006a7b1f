package dev.mcpscope.client;

import dev.mcpscope.http.HttpPool;
import dev.mcpscope.http.HttpTransport;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.rpc.PendingCalls;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import dev.mcpscope.scope.Backlog;
import dev.mcpscope.scope.Deadline;
import dev.mcpscope.scope.Delivery;
import dev.mcpscope.scope.Guest;
import dev.mcpscope.scope.Guests;
import dev.mcpscope.scope.Mailbox;
import dev.mcpscope.scope.TaskScope;
import dev.mcpscope.stdio.StdioTransport;
import dev.mcpscope.transport.CallFailure;
import dev.mcpscope.transport.CloseReport;
import dev.mcpscope.transport.Closing;
import dev.mcpscope.transport.Health;
import dev.mcpscope.transport.Inbox;
import dev.mcpscope.transport.Loss;
import dev.mcpscope.transport.OverloadedException;
import dev.mcpscope.transport.Transport;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/// The life of one connection: opened, served and closed by the one thread that runs [#run()].
///
/// [McpClient#open] gives that thread to a connection of its own; a host forks it in a session's
/// scope, so that the connection cannot outlive the session either. Everybody else only leaves mail:
/// who stops it, the transport's tasks that have lost the server, the handshake that is done.
///
/// The owner waits in one place, whatever state the connection is in. That is why it can be stopped
/// in every state, in the middle of the handshake too, and why a crash is noticed in every state.
public final class Connection {
  private static final System.Logger LOG = System.getLogger("dev.mcpscope.client");

  /// What the listener may take at the end for what it has not heard yet.
  private static final Duration LAST_EVENTS = Duration.ofMillis(500);

  /// How long after one look at the tools the next one is due at the earliest, however often the
  /// server says that they have changed.
  private static final Duration BETWEEN_LOOKS = Duration.ofSeconds(1);

  /// User code that a connection calls, in a [Guest]: outside the scope, with a deadline.
  public interface Callbacks {
    /// Called before the connection is published as connected, within the time to connect; what it
    /// throws fails the connect.
    default void onConnect(McpClient client) throws Exception {}

    /// Called when a connection for which `onConnect` has returned is about to be closed, within
    /// the close's budget; what it throws goes into the report. Calls are refused by then.
    default void onDisconnect(McpClient client) throws Exception {}
  }

  /// Who is told what happens: no user code, and must not block.
  public interface Observer {
    /// Takes every state, in order; called by the owner.
    default void changed(ConnectionState state) {}

    /// Takes what the server tells, in order; called by the connection's reader.
    default void told(ServerEvent event) {}
  }

  /// About what a value takes in memory: an event that may be so long may hold so many of them.
  private static final int BYTES_OF_A_VALUE = 32;

  /// What can happen to the owner.
  private sealed interface Mail {
    record Stop(CloseReason reason) implements Mail {}

    record Lost(Loss loss) implements Mail {}

    record Opening(String phase) implements Mail {}

    record Opened(Era era, List<Tool> tools) implements Mail {}

    record Welcomed(Throwable failure) implements Mail {}

    record Handshaken(Throwable failure) implements Mail {}

    record ToolsChanged() implements Mail {}

    record Listed(List<Tool> tools) implements Mail {}

    record Looked(Throwable failure) implements Mail {}

    record Changed(Health health) implements Mail {}

    /// Another subtask has ended. Why the connection was lost is told by [Lost], before that; a
    /// failure here is a defect.
    record Ended(String task, Throwable failure) implements Mail {}
  }

  /// Why the connection ends.
  ///
  /// @param cause what callers are told
  /// @param reason the same in words, for the report
  private record End(McpException cause, String reason) {}

  private final String name;
  private final String server;
  private final Causes causes;
  private final ServerSpec spec;
  private final ClientOptions options;
  private final Optional<HttpPool> shared;
  private final Callbacks callbacks;
  private final Observer observer;
  private final Mailbox<Mail> mailbox = new Mailbox<>(64);
  private final PendingCalls<McpException> pending = new PendingCalls<>();
  private final AtomicBoolean stopped = new AtomicBoolean();
  private final AtomicBoolean lost = new AtomicBoolean();
  private final AtomicBoolean toolsChanged = new AtomicBoolean(); // and the owner has mail of it
  private final Guests guests = new Guests();
  private final Elicitations elicitations = new Elicitations();
  private final Backlog<ServerEvent> events;
  private final CompletableFuture<McpClient> ready = new CompletableFuture<>();
  private final CompletableFuture<CloseReport> closed = new CompletableFuture<>();

  // written by the owner only, read by any thread
  private volatile ConnectionState state = new ConnectionState.Connecting("start");
  private volatile boolean listing; // the server's tools were asked for, so a change concerns us

  // written by the guest, read by the owner once that has ended
  private volatile boolean hasReturned; // onConnect has, and did not throw

  // written by the guest before its mail, and by the owner when it has that
  private volatile Throwable unheard; // what onConnect has thrown

  // the owner's own
  private Transport transport;
  private Handlers handlers;
  private Calls calls;
  private Era era;
  private McpClient client;
  private List<Tool> tools;
  private boolean handshaken; // the handshake has ended, well or not
  private boolean welcomed; // onConnect has returned, and is owed an onDisconnect
  private Guest guest; // onConnect, then onDisconnect
  private Delivery<ServerEvent> delivery; // null if nobody listens
  private boolean stale; // the tools have changed since the last look
  private boolean looking;
  private Deadline nextLook = Deadline.after(Duration.ZERO);
  private HttpPool own; // null if the host's is used, or none
  private Health health = new Health.Good();
  private End gone; // set when the server goes in the middle of the handshake

  /// Creates a connection that does nothing yet.
  ///
  /// @param name the name of its scope, in thread dumps
  /// @param server how messages name the server
  /// @param shared whose sockets it uses for a server over HTTP; empty if it needs its own
  /// @param callbacks user code
  /// @param observer told of what happens
  public Connection(
      String name,
      String server,
      ServerSpec spec,
      ClientOptions options,
      Optional<HttpPool> shared,
      Callbacks callbacks,
      Observer observer) {
    this.name = name;
    this.server = server;
    this.causes = new Causes(server);
    this.spec = spec;
    this.options = options;
    this.shared = shared;
    this.callbacks = callbacks;
    this.observer = observer;
    this.events = new Backlog<>(options.limits().events(), ServerEvent.POLICY);
  }

  /// Returns where it stands; any thread.
  public ConnectionState state() {
    return state;
  }

  /// Asks the connection to end; any thread, in every state, never blocks. The first reason counts.
  public void stop(CloseReason reason) {
    if (stopped.compareAndSet(false, true)) {
      mailbox.post(new Mail.Stop(reason));
    }
  }

  /// Waits until the connection can be used; any thread.
  ///
  /// @throws McpException why it cannot, with everything released
  /// @throws InterruptedException when the waiting thread was interrupted; the connect goes on
  public McpClient awaitReady() throws McpException, InterruptedException {
    try {
      return ready.get();
    } catch (ExecutionException e) {
      throw (McpException) e.getCause(); // the owner completes it with nothing else
    }
  }

  /// Waits until nothing of the connection is left but what the report names; any thread. Waits on,
  /// when interrupted, and sets the flag again: the wait is bounded by the close's budget once the
  /// connection was told to stop.
  ///
  /// @return the report; null when called by user code that the connection has called (a callback, a
  ///     handler, the listener), because it waits for that itself
  public CloseReport awaitClosed() {
    return guests.includeCurrentThread() ? null : closed.join();
  }

  /// Opens, serves and closes: the owner's whole life. Once, in a thread that waits for nothing else;
  /// an interrupt stops the connection as [#stop] does.
  public void run() {
    try (var scope = TaskScope.open(name, mailbox)) {
      End end = live(scope);
      var closing = new Closing(end.reason(), options.close());
      close(scope, closing, end);
      published(end, closing.report()); // the scope is closed: nothing is left but what it names
    } finally {
      if (!closed.isDone()) { // only after a defect of this class: nobody must wait for ever
        ready.completeExceptionally(failed("the connection's owner has failed", null).cause());
        closed.completeExceptionally(new IllegalStateException(name + ": its owner has failed"));
      }
    }
  }

  /// Opens and serves, whatever happens; says why that has ended.
  private End live(TaskScope<Mail> scope) {
    Deadline connected = Deadline.after(options.connectTimeout()); // the start takes of it too
    try {
      open(scope);
      return serve(scope, connected);
    } catch (IOException e) {
      return failed("cannot start: " + e.getMessage(), e);
    } catch (InterruptedException e) {
      return stopped(CloseReason.OWNER_INTERRUPTED);
    } catch (Throwable t) { // an Error as well: whatever it is, what was opened gets closed
      return failed("the connection failed: " + t, t);
    }
  }

  /// Everything that is acquired is acquired here, and released in [#close].
  private void open(TaskScope<Mail> scope) throws IOException {
    publish(new ConnectionState.Connecting("start"));
    transport = openTransport();
    calls = new Calls(server, options, transport, pending, elicitations);
    handlers = new Handlers(name, server, transport, options, pending, guests, elicitations);
    // From here on messages arrive: whoever they go to exists by now.
    for (Transport.Work task : transport.tasks()) {
      if (task.platform()) {
        scope.forkPlatform(task.name(), task.body(), t -> new Mail.Ended(task.name(), t));
      } else {
        scope.fork(task.name(), task.body(), t -> new Mail.Ended(task.name(), t));
      }
    }
    scope.fork("handlers", handlers::run, t -> new Mail.Ended("handlers", t));
    Optional<Consumer<ServerEvent>> listener = options.features().listener();
    if (listener.isPresent()) {
      delivery =
          new Delivery<>(
              name + " listener", events, listener.get(), options.listenerTimeout(), guests);
      scope.fork("events", delivery::run, t -> new Mail.Ended("events", t));
    }
    scope.fork("handshake", this::handshake, Mail.Handshaken::new);
  }

  private Transport openTransport() throws IOException {
    return switch (spec) {
      case ServerSpec.Stdio(var command, var environment, var directory) ->
          StdioTransport.open(
              command,
              environment,
              directory.orElse(null),
              new StdioTransport.Limits(
                  options.limits().message(),
                  2L * options.limits().message().maxBytes(),
                  options.limits().stderrBytes()),
              new Arrivals());
      case ServerSpec.Http(var url, var headers, var kind) ->
          HttpTransport.open(
              name,
              url,
              headers,
              switch (kind) {
                case STREAMABLE_HTTP -> HttpTransport.Way.STREAMABLE;
                case SSE -> HttpTransport.Way.LEGACY;
              },
              HttpTransport.Limits.defaults().withMessage(options.limits().message()),
              options.reconnect(),
              sockets(),
              new Arrivals());
    };
  }

  /// Where there is no host whose sockets can be shared, the connection has some of its own.
  private HttpPool sockets() {
    if (shared.isEmpty()) {
      own = new HttpPool();
    }
    return shared.orElse(own);
  }

  /// A subtask, because the owner waits for nothing but mail. Its calls are failed when the owner
  /// ends, and so it ends.
  private void handshake() throws McpException, InterruptedException {
    mailbox.post(new Mail.Opening("initialize"));
    Era era = Era.open(calls, options);
    mailbox.post(new Mail.Opening("tools/list"));
    listing = true;
    List<Tool> tools = Pages.TOOLS.read(calls, era, options.limits(), calls::handshake);
    mailbox.post(new Mail.Opened(era, tools));
  }

  /// Waits for the mail that ends the connection. Until it is connected, time ends it too.
  private End serve(TaskScope<Mail> scope, Deadline deadline) throws InterruptedException {
    End end = null;
    while (end == null) {
      lookAtTools(scope);
      end =
          switch (scope.take(connected() ? nextLook() : deadline)) {
            case null -> connected() ? null : failed(timeout());
            case Mail.Stop(var reason) -> stopped(reason);
            case Mail.Lost(var loss) -> lost(loss);
            case Mail.Opening(var phase) -> opening(phase);
            case Mail.Opened(var era, var listed) -> opened(era, listed);
            case Mail.Handshaken(var failure) -> handshaken(failure);
            case Mail.Welcomed(var failure) -> welcomed(failure);
            case Mail.ToolsChanged() -> toolsChanged();
            case Mail.Listed(var listed) -> listed(listed);
            case Mail.Looked(var failure) -> looked(failure);
            case Mail.Changed(var next) -> changed(next);
            case Mail.Ended(_, var failure) when failure == null -> null;
            case Mail.Ended(_, OverloadedException unread) ->
                failed(new ProtocolViolationException(server + ": " + unread.getMessage(), unread));
            case Mail.Ended(var task, var failure) -> failed(task + " failed: " + failure, failure);
          };
    }
    return end;
  }

  private Deadline nextLook() {
    return stale && !looking ? nextLook : Deadline.NEVER;
  }

  /// Has a subtask read the tools again, when they have changed and it is time. One at a time, and
  /// not too often: what a server says costs us no more than it costs itself.
  private void lookAtTools(TaskScope<Mail> scope) {
    if (!connected() || !stale || looking || !nextLook.passed()) {
      return;
    }
    stale = false;
    looking = true;
    nextLook = Deadline.after(BETWEEN_LOOKS);
    scope.fork("tools/list", this::look, Mail.Looked::new);
  }

  private void look() throws McpException, InterruptedException {
    mailbox.post(new Mail.Listed(Pages.TOOLS.read(calls, era, options.limits(), calls::own)));
  }

  private End toolsChanged() {
    toolsChanged.set(false); // before the look: a change from now on may be later than that
    stale = true;
    return null;
  }

  private End listed(List<Tool> listed) {
    tools = listed;
    publish(usable());
    return null;
  }

  private End changed(Health next) {
    health = next;
    if (connected()) {
      String now =
          switch (next) {
            case Health.Good _ -> "the server is there again";
            case Health.Away(var problem) -> problem;
            case Health.Unauthorized(var refusal) -> refusal.message();
          };
      boolean good = next instanceof Health.Good;
      LOG.log(
          good ? System.Logger.Level.INFO : System.Logger.Level.WARNING, "{0}: {1}", server, now);
      publish(usable());
    }
    return null;
  }

  private ConnectionState usable() {
    return switch (health) {
      case Health.Good _ -> new ConnectionState.Connected(client, tools);
      case Health.Away(var problem) -> new ConnectionState.Degraded(client, tools, problem);
      case Health.Unauthorized(var refusal) ->
          new ConnectionState.NeedsAuthorization(client, tools, causes.unauthorized(refusal));
    };
  }

  private End looked(Throwable failure) {
    looking = false;
    if (failure != null) {
      LOG.log(
          System.Logger.Level.WARNING,
          "{0}: its tools have changed and cannot be read: {1}",
          server,
          failure.getMessage());
    }
    return null;
  }

  private boolean connected() {
    return state instanceof ConnectionState.Usable;
  }

  private CallTimeoutException timeout() {
    return new CallTimeoutException(
        server
            + ": not connected within "
            + options.connectTimeout().toMillis()
            + " ms; waiting for "
            + ((ConnectionState.Connecting) state).phase());
  }

  /// In the middle of the handshake what the server has said before it went is the better cause, and
  /// it is on its way: the handshake has been told by now, or is told here, and ends.
  private End lost(Loss loss) {
    gone = failed(causes.of(loss));
    if (handshaken) {
      return gone;
    }
    pending.end(() -> causes.of(loss));
    return null;
  }

  private End opening(String phase) {
    publish(new ConnectionState.Connecting(phase));
    return null;
  }

  private End opened(Era agreed, List<Tool> listed) {
    if (gone == null) {
      era = agreed;
      tools = listed;
      client = new McpClient(this, calls, era, options, CallOptions.defaults());
      publish(new ConnectionState.Connecting("onConnect"));
      guest =
          guests.start(
              name + " onConnect",
              () -> {
                callbacks.onConnect(client);
                hasReturned = true;
              },
              t -> {
                unheard = t;
                mailbox.post(new Mail.Welcomed(t));
              });
    }
    return null;
  }

  private End handshaken(Throwable failure) {
    handshaken = true;
    return switch (failure) {
      case null -> gone;
      case ConnectionLostException _ when gone != null -> gone;
      case McpException cause -> failed(cause);
      default -> failed("the handshake failed: " + failure, failure);
    };
  }

  private End welcomed(Throwable failure) {
    unheard = null;
    if (failure != null) {
      return failed("onConnect failed: " + failure, failure);
    }
    welcomed = true;
    publish(usable());
    ready.complete(client);
    return null;
  }

  /// Releases everything, in this order, whatever state the connection is in and whichever step
  /// fails. Before the scope is closed, nothing that its subtasks wait for may still block them.
  private void close(TaskScope<Mail> scope, Closing closing, End end) {
    publish(new ConnectionState.Closing(end.reason()));
    closing.step(
        "fail what waits", () -> closing.callsFailed(pending.end(() -> causes.copy(end.cause()))));
    if (guest != null && !welcomed) {
      closing.step("end onConnect", () -> endWelcome(closing, end));
    }
    if (welcomed) {
      closing.step("onDisconnect", () -> sayGoodbye(closing));
    }
    if (handlers != null) {
      closing.step("end the handlers", handlers::end);
    }
    if (transport != null) {
      try {
        transport.close(closing);
      } catch (Throwable t) { // it must not, but what follows has to be done all the same
        closing.failed(t);
      }
    }
    if (delivery != null) {
      closing.step("tell what was not told", () -> delivery.end(Deadline.after(LAST_EVENTS)));
    }
    closing.step("join", scope::close);
    if (own != null) {
      closing.step("close its sockets", own::close);
    }
    mailbox.close();
    guests.running().forEach(closing::abandoned);
    for (Throwable failure : closing.failures()) {
      if (failure != end.cause()) { // a callback may well throw the cause that its call was given
        end.cause().addSuppressed(failure);
      }
    }
  }

  /// It may have ended already, when the mail that says so is behind what has ended the connection.
  private void endWelcome(Closing closing, End end) {
    welcomed = guest.dismiss(Deadline.after(Duration.ZERO), Delivery.GRACE) && hasReturned;
    Throwable thrown = unheard;
    if (thrown != null && !isOfTheEnd(thrown, end) && !isOfTheEnd(thrown.getCause(), end)) {
      closing.failed(thrown);
    }
  }

  /// Whether it is no news, but what the end itself has brought to user code: an interrupt, or the
  /// failure of its calls.
  private static boolean isOfTheEnd(Throwable thrown, End end) {
    return thrown instanceof InterruptedException || end.cause().getClass().isInstance(thrown);
  }

  private void sayGoodbye(Closing closing) throws Exception {
    var failure = new CompletableFuture<Throwable>();
    guest =
        guests.start(
            name + " onDisconnect", () -> callbacks.onDisconnect(client), failure::complete);
    if (!guest.dismiss(Deadline.after(closing.budget().callback()), Delivery.GRACE)) {
      return; // the report names it
    }
    switch (failure.getNow(null)) {
      case null -> {}
      case Exception e -> throw e;
      case Throwable t -> throw (Error) t;
    }
  }

  private void published(End end, CloseReport report) {
    boolean wrong = !report.nothingLeft() || !report.failures().isEmpty();
    LOG.log(
        wrong ? System.Logger.Level.WARNING : System.Logger.Level.DEBUG,
        "{0}: {1}",
        server,
        report.summary());
    if (end.cause() instanceof ConnectionClosedException cause) {
      publish(new ConnectionState.Closed(cause, report));
    } else {
      LOG.log(System.Logger.Level.WARNING, end.reason());
      publish(new ConnectionState.Failed(end.cause(), report));
    }
    ready.completeExceptionally(end.cause());
    closed.complete(report);
  }

  private void publish(ConnectionState next) {
    state = next;
    try {
      observer.changed(next);
    } catch (RuntimeException | Error e) { // it must not, but a close must not fail for it either
      LOG.log(System.Logger.Level.ERROR, name + ": the observer failed", e);
    }
  }

  private End stopped(CloseReason reason) {
    return new End(new ConnectionClosedException(server, reason), reason.text());
  }

  private End failed(String what, Throwable cause) {
    return failed(new ConnectionLostException(server + ": " + what, cause));
  }

  private static End failed(McpException cause) {
    return new End(cause, cause.getMessage());
  }

  /// Sorts what arrives; called by the transport's reader, which never waits here.
  private final class Arrivals implements Inbox {
    @Override
    public void received(RpcMessage message, int bytes) {
      switch (message) {
        case RpcMessage.Response response -> {
          if (!pending.answer(response)) {
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
          if (!handlers.offer(request, bytes)) {
            tooMuch();
          }
        }
        case RpcMessage.Malformed(var call, var request, var problem) -> {
          drop("a message: " + problem);
          call.ifPresent(id ->
              pending.fail(
                  id, () -> new ProtocolViolationException(server + ": " + problem, null)));
          if (request.isPresent() && !handlers.refuse(request.get(), problem)) {
            tooMuch();
          }
        }
      }
    }

    private boolean isTooLong(RpcMessage.Notification notification, int bytes) {
      int most = options.limits().eventBytes();
      return bytes > most || notification.params().hasMoreValuesThan(most / BYTES_OF_A_VALUE);
    }

    private void tooMuch() {
      String what = options.limits().serverRequests() + " requests unanswered";
      lost(
          new Loss(Loss.Kind.PROTOCOL, "the server has more than " + what + " or long ones", null));
    }

    private void notified(String method, JsonObject params) throws JsonException {
      switch (method) {
        case "notifications/progress" -> {
          var call = pending.waiting(params.get("progressToken"));
          if (call.isPresent()) {
            Progress progress = Progress.parse(params);
            call.get().progress(params);
            tell(
                new ServerEvent.CallProgress(
                    call.get().id(), call.get().method(), call.get().target(), progress));
          }
        }
        case "notifications/cancelled" -> handlers.cancel(params.get("requestId"));
        default -> {
          Optional<ServerEvent> event = ServerEvent.parse(method, params);
          if (event.isPresent()) {
            tell(event.get());
          } else {
            drop("the unknown " + method);
          }
        }
      }
    }

    private void tell(ServerEvent event) {
      switch (event) {
        case ServerEvent.ElicitationCompleted(var id) when !elicitations.complete(id) -> {
          drop("the completion of no elicitation");
          return;
        }
        case ServerEvent.ListChanged(var list)
            when list == ServerEvent.List.TOOLS
                && listing
                && toolsChanged.compareAndSet(false, true) ->
            mailbox.post(new Mail.ToolsChanged());
        default -> {}
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
      pending.fail(request, () -> causes.of(failure));
    }

    @Override
    public void changed(Health next) {
      mailbox.post(new Mail.Changed(next));
    }

    @Override
    public void forgotten() {
      handlers.forget();
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
        mailbox.post(new Mail.Lost(loss));
      }
    }
  }
}
