package dev.mcpscope.client;

import dev.mcpscope.http.HttpPool;
import dev.mcpscope.http.HttpTransport;
import dev.mcpscope.rpc.PendingCalls;
import dev.mcpscope.scope.Backlog;
import dev.mcpscope.scope.Deadline;
import dev.mcpscope.scope.Delivery;
import dev.mcpscope.scope.Guest;
import dev.mcpscope.scope.TaskScope;
import dev.mcpscope.stdio.StdioTransport;
import dev.mcpscope.transport.CloseReport;
import dev.mcpscope.transport.Closing;
import dev.mcpscope.transport.Health;
import dev.mcpscope.transport.Loss;
import dev.mcpscope.transport.OverloadedException;
import dev.mcpscope.transport.Transport;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/// One try to have a connection: what its owner does, with all that it has meanwhile. [#run] opens,
/// serves and closes, each in one method; [Connection] is what others see of it.
///
/// There is a second one at most, for which everything of the first is released. A server of the legacy
/// era may end when it is asked for the modern one: then it is started again, and not asked. And what is
/// remembered of a server may be wrong by now: then it is asked.
final class Attempt {
  private static final System.Logger LOG = System.getLogger("dev.mcpscope.client");

  /// What the listener may take at the end for what it has not heard yet.
  private static final Duration LAST_EVENTS = Duration.ofMillis(500);

  /// How long after one look at the tools the next one is due at the earliest, however often the
  /// server says that they have changed.
  private static final Duration BETWEEN_LOOKS = Duration.ofSeconds(1);

  /// How long the first look at the tools waits until it is heard when they change.
  private static final Duration LISTENING = Duration.ofSeconds(2);

  /// What can happen to the owner.
  sealed interface Mail {
    record Stop(CloseReason reason) implements Mail {}

    record Lost(Loss loss) implements Mail {}

    record Opening(String phase) implements Mail {}

    record Agreed(Era era) implements Mail {}

    record Opened(List<Tool> tools) implements Mail {}

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
  /// @param again whether there is to be another attempt
  record End(McpException cause, String reason, boolean again) {
    static End stopped(String server, CloseReason reason) {
      return new End(new ConnectionClosedException(server, reason), reason.text(), false);
    }

    static End failed(McpException cause) {
      return failed(cause, false);
    }

    static End failed(McpException cause, boolean again) {
      return new End(cause, cause.getMessage(), again);
    }
  }

  /// What came of it.
  record Outcome(End end, CloseReport report) {}

  private final Connection connection;
  private final String name;
  private final String server;
  private final ServerSpec spec;
  private final ClientOptions options;
  private final Causes causes;
  private final Deadline deadline;
  private final Optional<CloseReport> earlier;
  private final EraChoice choice;
  private final Optional<EraMemory.Known> known; // of the server, from before
  private final PendingCalls<McpException> pending = new PendingCalls<>();
  private final Elicitations elicitations = new Elicitations();
  private final Backlog<ServerEvent> events;
  private final Arrivals arrivals;

  // written by the guest, read by the owner once that has ended
  private volatile boolean hasReturned; // onConnect has, and did not throw

  // written by the guest before its mail, and by the owner when it has that
  private volatile Throwable unheard; // what onConnect has thrown

  // written by the owner before the subtasks are started that read them
  private Calls calls;
  private Stateless.Modern modern;

  // the owner's own
  private Transport transport;
  private Handlers handlers;
  private Subscriptions subscriptions;
  private volatile Era era; // read by the looks at the tools
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
  private Loss gone; // of the server, in the middle of the handshake

  /// @param deadline for it to be connected
  /// @param earlier what the attempt before has left
  Attempt(Connection connection, Deadline deadline, Optional<CloseReport> earlier) {
    this.connection = connection;
    this.name = connection.name();
    this.server = connection.server();
    this.spec = connection.spec();
    this.options = connection.options();
    this.causes = new Causes(server);
    this.deadline = deadline;
    this.earlier = earlier;
    this.choice = Probe.choice(spec, options);
    this.known = choice == EraChoice.AUTO ? recalled() : Optional.empty();
    this.events = new Backlog<>(options.limits().events(), ServerEvent.POLICY);
    this.arrivals =
        new Arrivals(
            server,
            options,
            causes,
            elicitations,
            events,
            connection.observer(),
            connection.mailbox()::post);
  }

  /// Without a cache only the era is of use, not what the server has told.
  private Optional<EraMemory.Known> recalled() {
    return connection
        .shared()
        .eras()
        .recall(spec)
        .filter(one -> options.protocol().caching() || one instanceof EraMemory.Known.Legacy);
  }

  /// Opens, serves and closes; the owner.
  Outcome run() {
    try (var scope = TaskScope.open(name, connection.mailbox())) {
      End end = live(scope);
      var closing = new Closing(end.reason(), options.close());
      earlier.ifPresent(closing::attempted);
      close(scope, closing, end);
      return new Outcome(end, closing.report()); // nothing is left but what the report names
    }
  }

  /// Opens and serves, whatever happens; says why that has ended.
  private End live(TaskScope<Mail> scope) {
    try {
      open(scope);
      return serve(scope);
    } catch (IOException e) {
      return failed("cannot start: " + e.getMessage(), e);
    } catch (InterruptedException e) {
      return End.stopped(server, CloseReason.OWNER_INTERRUPTED);
    } catch (Throwable t) { // an Error as well: whatever it is, what was opened gets closed
      return failed("the connection failed: " + t, t);
    }
  }

  /// Everything that is acquired is acquired here, and released in [#close].
  private void open(TaskScope<Mail> scope) throws IOException {
    connection.publish(new ConnectionState.Connecting("start"));
    transport = openTransport();
    calls = new Calls(server, options, transport, pending, elicitations);
    handlers =
        new Handlers(name, server, transport, options, pending, connection.guests(), elicitations);
    subscriptions =
        new Subscriptions(name, server, calls, options, connection.resources(), arrivals::tell);
    var cache = new ResultCache(options.protocol().caching());
    Optional<Consumer<ServerEvent>> listener = options.features().listener();
    boolean heard = listener.isPresent() || connection.observer().hears();
    modern = new Stateless.Modern(handlers, subscriptions, cache, heard);
    // From here on messages arrive: whoever they go to exists by now.
    arrivals.goTo(new Arrivals.Places(pending, handlers, subscriptions, cache));
    for (Transport.Work task : transport.tasks()) {
      if (task.platform()) {
        scope.forkPlatform(task.name(), task.body(), t -> new Mail.Ended(task.name(), t));
      } else {
        scope.fork(task.name(), task.body(), t -> new Mail.Ended(task.name(), t));
      }
    }
    scope.fork("handlers", handlers::run, t -> new Mail.Ended("handlers", t));
    if (listener.isPresent()) {
      delivery =
          new Delivery<>(
              name + " listener",
              events,
              listener.get(),
              options.listenerTimeout(),
              connection.guests());
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
              arrivals);
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
              arrivals);
    };
  }

  /// Where there is no host whose sockets can be shared, the connection has some of its own.
  private HttpPool sockets() {
    Optional<HttpPool> shared = connection.shared().sockets();
    if (shared.isEmpty()) {
      own = new HttpPool();
    }
    return shared.orElse(own);
  }

  /// A subtask, because the owner waits for nothing but mail. Its calls are failed when the owner
  /// ends, and so it ends.
  private void handshake() throws McpException, InterruptedException {
    var probe =
        new Probe(
            spec,
            choice,
            calls,
            options,
            modern,
            connection.shared().eras(),
            connection.resources(),
            this::entering);
    Era spoken = probe.open(known);
    connection.mailbox().post(new Mail.Agreed(spoken));
    spoken.awaitListening(Deadline.after(LISTENING));
    entering("tools/list");
    arrivals.listing();
    connection.mailbox().post(new Mail.Opened(spoken.tools(calls.handshake())));
  }

  private void entering(String phase) {
    connection.mailbox().post(new Mail.Opening(phase));
  }

  /// Waits for the mail that ends the connection. Until it is connected, time ends it too.
  private End serve(TaskScope<Mail> scope) throws InterruptedException {
    End end = null;
    while (end == null) {
      lookAtTools(scope);
      end =
          switch (scope.take(connected() ? nextLook() : deadline)) {
            case null -> connected() ? null : End.failed(timeout());
            case Mail.Stop(var reason) -> End.stopped(server, reason);
            case Mail.Lost(var loss) -> lost(loss);
            case Mail.Opening(var phase) -> opening(phase);
            case Mail.Agreed(var spoken) -> agreed(scope, spoken);
            case Mail.Opened(var listed) -> opened(listed);
            case Mail.Handshaken(var failure) -> handshaken(failure);
            case Mail.Welcomed(var failure) -> welcomed(failure);
            case Mail.ToolsChanged() -> toolsChanged();
            case Mail.Listed(var listed) -> listed(listed);
            case Mail.Looked(var failure) -> looked(failure);
            case Mail.Changed(var next) -> changed(next);
            case Mail.Ended(_, var failure) when failure == null -> null;
            case Mail.Ended(_, OverloadedException unread) ->
                End.failed(
                    new ProtocolViolationException(server + ": " + unread.getMessage(), unread));
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
    connection.mailbox().post(new Mail.Listed(era.tools(calls.own())));
  }

  private End toolsChanged() {
    arrivals.toolsChangeIsKnown();
    stale = true;
    return null;
  }

  private End listed(List<Tool> listed) {
    tools = listed;
    connection.publish(usable());
    return null;
  }

  private End changed(Health next) {
    health = next;
    if (next instanceof Health.Good) {
      subscriptions.retry();
    }
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
      connection.publish(usable());
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
    return connection.state() instanceof ConnectionState.Usable;
  }

  private CallTimeoutException timeout() {
    return new CallTimeoutException(
        server
            + ": not connected within "
            + options.connectTimeout().toMillis()
            + " ms; waiting for "
            + ((ConnectionState.Connecting) connection.state()).phase());
  }

  /// In the middle of the handshake what the server has said before it went is the better cause, and
  /// it is on its way: the handshake has been told by now, or is told here, and ends.
  private End lost(Loss loss) {
    if (handshaken) {
      return End.failed(causes.of(loss));
    }
    gone = loss;
    pending.end(() -> causes.of(loss));
    return null;
  }

  private boolean isLost(McpException failure) {
    return gone != null && failure instanceof ConnectionLostException;
  }

  /// Whether the server may be of another era than it was taken for, so that it is worth another
  /// attempt; looked at when the handshake has said all it has to say, and not when the server goes: it
  /// may have told its era before that.
  ///
  /// "Re-probing if the cached assumption later fails": what the server refuses, or dies of, is what was
  /// not looked at. And servers of the legacy era may expect `initialize` and nothing else, and end when
  /// something else comes, with or without a word: "anything else identifies a legacy server". Nobody
  /// can tell that from an end for another reason, so that a server that ends before it has agreed is
  /// started twice.
  private boolean mayBeOfAnotherEra(McpException failure) {
    boolean refused =
        failure instanceof RemoteErrorException
            || failure instanceof ExchangeFailedException e && e.status().isPresent();
    boolean died = isLost(failure) && era == null && spec instanceof ServerSpec.Stdio;
    boolean first = earlier.isEmpty();
    if (known.isPresent() && !(era instanceof Handshake) && (refused || died)) {
      connection.shared().eras().forget(spec);
      return first;
    }
    if (known.isEmpty() && died && first && choice == EraChoice.AUTO) {
      connection.shared().eras().legacy(spec); // if that is wrong, it is forgotten by the next one
      return true;
    }
    return false;
  }

  private End opening(String phase) {
    connection.publish(new ConnectionState.Connecting(phase));
    return null;
  }

  private End agreed(TaskScope<Mail> scope, Era spoken) {
    era = spoken;
    spoken
        .task()
        .ifPresent(
            task -> scope.fork("subscriptions", task, t -> new Mail.Ended("subscriptions", t)));
    return null;
  }

  private End opened(List<Tool> listed) {
    if (gone == null) {
      tools = listed;
      client = new McpClient(connection, calls, era, options, CallOptions.defaults());
      connection.publish(new ConnectionState.Connecting("onConnect"));
      guest =
          connection
              .guests()
              .start(
                  name + " onConnect",
                  () -> {
                    connection.callbacks().onConnect(client);
                    hasReturned = true;
                  },
                  t -> {
                    unheard = t;
                    connection.mailbox().post(new Mail.Welcomed(t));
                  });
    }
    return null;
  }

  private End handshaken(Throwable failure) {
    handshaken = true;
    return switch (failure) {
      case null -> gone == null ? null : End.failed(causes.of(gone));
      case McpException cause -> {
        boolean again = mayBeOfAnotherEra(cause);
        yield End.failed(isLost(cause) ? causes.of(gone) : cause, again);
      }
      default -> failed("the handshake failed: " + failure, failure);
    };
  }

  private End welcomed(Throwable failure) {
    unheard = null;
    if (failure != null) {
      return failed("onConnect failed: " + failure, failure);
    }
    welcomed = true;
    connection.publish(usable());
    connection.ready(client);
    return null;
  }

  /// Releases everything, in this order, whatever state the connection is in and whichever step
  /// fails. Before the scope is closed, nothing that its subtasks wait for may still block them.
  private void close(TaskScope<Mail> scope, Closing closing, End end) {
    if (!end.again()) {
      connection.publish(new ConnectionState.Closing(end.reason()));
    }
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
    connection.guests().running().forEach(closing::abandoned);
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
        connection
            .guests()
            .start(
                name + " onDisconnect",
                () -> connection.callbacks().onDisconnect(client),
                failure::complete);
    if (!guest.dismiss(Deadline.after(closing.budget().callback()), Delivery.GRACE)) {
      return; // the report names it
    }
    switch (failure.getNow(null)) {
      case null -> {}
      case Exception e -> throw e;
      case Throwable t -> throw (Error) t;
    }
  }

  private End failed(String what, Throwable cause) {
    return End.failed(new ConnectionLostException(server + ": " + what, cause));
  }
}
