package dev.mcpscope.host;

import dev.mcpscope.client.ClientOptions;
import dev.mcpscope.client.CloseReason;
import dev.mcpscope.client.Connection;
import dev.mcpscope.client.ConnectionClosedException;
import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.McpClient;
import dev.mcpscope.client.ServerEvent;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.scope.Backlog;
import dev.mcpscope.scope.Deadline;
import dev.mcpscope.scope.Mailbox;
import dev.mcpscope.scope.TaskScope;
import dev.mcpscope.transport.CloseReport;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArraySet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/// The connections of one session, by name, and the thread that owns them.
///
/// All that callers want of a session arrives as mail and is done in that order, so there is no
/// moment in which a name is "being connected" by one and "absent" to another. A name has at most
/// one connection. A newer connect stops the older connection and waits, parked, until it has ended,
/// because a server may hold a port or a lock; of several that wait the newest wins.
///
/// The owner itself never waits for a connect or a close: those are its subtasks, and their ends are
/// mail too.
final class Session {

  /// What the owner is told.
  sealed interface Mail {}

  /// What callers ask for. Each is answered exactly once.
  sealed interface Command extends Mail {
    /// Where its caller waits.
    CompletableFuture<?> answer();

    /// Connect a server under this name, in place of what has it.
    record Connect(
        String name,
        ServerSpec spec,
        ClientOptions options,
        CompletableFuture<ConnectionStatus> answer)
        implements Command {}

    /// End what has this name; the answer is its report, or empty when nothing has it.
    record Disconnect(String name, CompletableFuture<Optional<CloseReport>> answer)
        implements Command {}

    /// Tell what happens from now on.
    record Subscribe(CompletableFuture<Subscription> answer) implements Command {}
  }

  private record End(CloseReason reason) implements Mail {}

  private record Changed(Live live, ConnectionState state) implements Mail {}

  private record Ended(Live live, Throwable failure) implements Mail {}

  private record Left(Subscription subscription) implements Mail {}

  /// A connection under its name. Identity tells generations apart: mail of one that is not the
  /// name's current one any more touches nothing but its own answers.
  private static final class Live {
    final String name;
    final long generation;
    final ServerSpec spec;
    final CompletableFuture<ConnectionStatus> answer;
    Connection connection;

    Live(long generation, Command.Connect connect) {
      this.name = connect.name();
      this.generation = generation;
      this.spec = connect.spec();
      this.answer = connect.answer();
    }
  }

  /// What a name stands for: a connection, the connect that waits for its end, and who waits for its
  /// end. The owner's own.
  private static final class Slot {
    Live live; // running, or null
    Live failed; // the last one, if it was lost after it had been connected and nothing came after
    Command.Connect parked;
    final List<CompletableFuture<Optional<CloseReport>>> disconnects = new ArrayList<>();
  }

  /// What all sessions of a host share.
  ///
  /// @param events what the listener is told
  /// @param live counts the connections that run
  /// @param generations numbers them
  /// @param survivors what closes could not end, for the operator
  record Shared(
      HostOptions options,
      HostListener listener,
      Backlog<HostEvent> events,
      AtomicInteger live,
      AtomicLong generations,
      Survivors survivors) {}

  private static final System.Logger LOG = System.getLogger("dev.mcpscope.host");
  private static final int MOST_COMMANDS = 256;

  private final String id;
  private final Shared shared;
  private final Mailbox<Mail> mailbox = new Mailbox<>(MOST_COMMANDS);

  // written by the owner, read by any thread: the names that a connection runs under, or was lost
  private final Map<String, Live> current = new ConcurrentHashMap<>();

  // changed by the owner, read by any thread that has something to tell
  private final Set<Subscription> subscriptions = new CopyOnWriteArraySet<>();

  // the owner's own
  private final Map<String, Slot> slots = new HashMap<>();
  private final Map<String, CloseReport> reports = new LinkedHashMap<>();
  private final List<Runnable> answers = new ArrayList<>();
  private CloseReason ending; // null while connects are accepted
  private List<Command> undone = List.of();

  Session(String id, Shared shared) {
    this.id = id;
    this.shared = shared;
  }

  String id() {
    return id;
  }

  /// Leaves a command; never blocks.
  ///
  /// @return false when too many wait, or when the session has ended
  boolean offer(Command command) {
    return mailbox.offer(command);
  }

  /// Whether the session takes no commands any more, because it has nothing left to own.
  boolean isOver() {
    return mailbox.isClosed();
  }

  /// Asks the session to end; never blocks.
  void end(CloseReason reason) {
    mailbox.post(new End(reason));
  }

  /// Returns how its connections stand, oldest first; any thread.
  List<ConnectionStatus> statuses() {
    return current.values().stream()
        .sorted((a, b) -> Long.compare(a.generation, b.generation))
        .map(this::status)
        .toList();
  }

  /// Returns how the connection with this name stands; any thread.
  Optional<ConnectionStatus> status(String name) {
    return Optional.ofNullable(current.get(name)).map(this::status);
  }

  private ConnectionStatus status(Live live) {
    return status(live, live.connection.state());
  }

  private ConnectionStatus status(Live live, ConnectionState state) {
    return new ConnectionStatus(id, live.name, live.generation, live.spec, state);
  }

  /// What the connections that were live at the end took to close; once the session is over.
  Map<String, CloseReport> reports() {
    return reports;
  }

  /// The commands that came too late to be done here; once the session is over.
  List<Command> undone() {
    return undone;
  }

  /// The owner's whole life: until it is told to end, or nothing is left to own.
  void run() {
    try (var scope = TaskScope.open("session/" + id, mailbox)) {
      Deadline idle = Deadline.NEVER;
      while (true) {
        try {
          handle(scope, scope.take(idle));
        } catch (InterruptedException e) {
          beginEnd(CloseReason.OWNER_INTERRUPTED);
        }
        boolean used = !slots.isEmpty() || !subscriptions.isEmpty();
        if (!anyLive() && (ending != null || !used)) {
          break;
        }
        answer();
        boolean busy = anyLive() || !subscriptions.isEmpty();
        idle = busy ? Deadline.NEVER : Deadline.after(shared.options().sessionIdle());
      }
    } finally {
      undone =
          mailbox.close().stream()
              .filter(Command.class::isInstance)
              .map(Command.class::cast)
              .toList();
      current.clear();
      subscriptions.forEach(Subscription::end);
      slots.values().forEach(this::answerAfterDefect);
    }
  }

  /// Whoever waits for a name that is still in use: there is none, but for a defect of this class.
  private void answerAfterDefect(Slot slot) {
    refuse(slot.parked, CloseReason.SESSION_ENDED);
    slot.disconnects.forEach(answer -> answer.complete(Optional.empty()));
    if (slot.live != null) {
      shared.live().decrementAndGet();
      slot.live.answer.completeExceptionally(
          new ConnectionClosedException(slot.live.name, CloseReason.SESSION_ENDED));
    }
  }

  private void handle(TaskScope<Mail> scope, Mail mail) {
    switch (mail) {
      case null -> beginEnd(CloseReason.SESSION_ENDED); // idle for too long
      case Command.Connect connect -> connect(scope, connect);
      case Command.Disconnect disconnect -> disconnect(disconnect);
      case Command.Subscribe subscribe -> subscribe(subscribe);
      case Left(var subscription) -> subscriptions.remove(subscription);
      case End(var reason) -> beginEnd(reason);
      case Changed(var live, var state) -> changed(live, state);
      case Ended(var live, var failure) -> ended(scope, live, failure);
    }
  }

  /// Gives the answers that are due. They come last, when everything is as they say: the name free,
  /// the connection counted out, and, if nothing is left here, the session gone; then by the host.
  void answer() {
    answers.forEach(Runnable::run);
    answers.clear();
  }

  private void connect(TaskScope<Mail> scope, Command.Connect connect) {
    if (ending != null) {
      refuse(connect, ending);
      return;
    }
    Slot slot = slots.get(connect.name());
    if (slot == null) {
      int most = shared.options().connectionsPerSession();
      if (slots.size() >= most) {
        connect.answer().completeExceptionally(new LimitException("names in a session", most));
        return;
      }
      slot = new Slot();
      slots.put(connect.name(), slot);
    }
    if (slot.live != null) {
      slot.live.connection.stop(CloseReason.REPLACED);
      refuse(slot.parked, CloseReason.REPLACED);
      slot.parked = connect;
    } else if (shared.live().incrementAndGet() <= shared.options().connections()) {
      start(scope, slot, connect);
    } else {
      shared.live().decrementAndGet();
      forgetIfEmpty(connect.name(), slot);
      connect
          .answer()
          .completeExceptionally(new LimitException("connections", shared.options().connections()));
    }
  }

  private void start(TaskScope<Mail> scope, Slot slot, Command.Connect connect) {
    Live live = new Live(shared.generations().incrementAndGet(), connect);
    live.connection =
        new Connection(
            "connection/" + id + "/" + live.name + "#" + live.generation,
            live.name,
            live.spec,
            connect.options(),
            new Callbacks(live.name),
            new Observer(live));
    slot.live = live;
    slot.failed = null;
    current.put(live.name, live);
    scope.fork(
        live.name + "#" + live.generation,
        live.connection::run,
        failure -> new Ended(live, failure));
  }

  private final class Callbacks implements Connection.Callbacks {
    private final String name;

    Callbacks(String name) {
      this.name = name;
    }

    @Override
    public void onConnect(McpClient client) throws Exception {
      shared.listener().onConnect(id, name, client);
    }

    @Override
    public void onDisconnect(McpClient client) throws Exception {
      shared.listener().onDisconnect(id, name, client);
    }
  }

  /// What a connection tells goes on at once, in the threads of the connection, so that the order is
  /// the one in which it happened. Nobody waits here.
  private final class Observer implements Connection.Observer {
    private final Live live;

    Observer(Live live) {
      this.live = live;
    }

    @Override
    public void changed(ConnectionState state) {
      tell(new HostEvent.Changed(status(live, state)));
      mailbox.post(new Changed(live, state));
    }

    @Override
    public void told(ServerEvent event) {
      tell(new HostEvent.Told(id, live.name, live.generation, event));
    }

    private void tell(HostEvent event) {
      shared.events().add(event);
      subscriptions.forEach(subscription -> subscription.add(event));
    }
  }

  private void subscribe(Command.Subscribe subscribe) {
    int most = shared.options().subscriptionsPerSession();
    if (ending != null) {
      refuse(subscribe, ending);
    } else if (subscriptions.size() >= most) {
      subscribe
          .answer()
          .completeExceptionally(new LimitException("subscribers of a session", most));
    } else {
      var subscription = new Subscription(left -> mailbox.post(new Left(left)));
      subscriptions.add(subscription);
      subscribe.answer().complete(subscription);
    }
  }

  private void disconnect(Command.Disconnect disconnect) {
    Slot slot = slots.get(disconnect.name());
    if (slot == null) {
      disconnect.answer().complete(Optional.empty());
      return;
    }
    refuse(slot.parked, CloseReason.DISCONNECTED);
    slot.parked = null;
    if (slot.live != null) {
      slot.disconnects.add(disconnect.answer());
      slot.live.connection.stop(CloseReason.DISCONNECTED);
    } else { // lost before: its report is there, and now it may be forgotten
      CloseReport report = report(slot.failed.connection.state());
      slot.failed = null;
      forgetIfEmpty(disconnect.name(), slot);
      answers.add(() -> disconnect.answer().complete(Optional.of(report)));
    }
  }

  private void beginEnd(CloseReason reason) {
    if (ending != null) {
      return;
    }
    ending = reason;
    for (Slot slot : slots.values()) {
      refuse(slot.parked, reason);
      slot.parked = null;
      if (slot.live != null) {
        slot.live.connection.stop(reason); // all of them close at the same time
      }
    }
  }

  private void changed(Live live, ConnectionState state) {
    if (state instanceof ConnectionState.Connected) {
      live.answer.complete(status(live, state));
    }
  }

  /// A connection's thread has ended, and with it everything of the connection.
  private void ended(TaskScope<Mail> scope, Live live, Throwable defect) {
    Slot slot = slots.get(live.name);
    slot.live = null;
    if (defect != null) { // a connection answers for every failure itself, so this one is ours
      LOG.log(System.Logger.Level.ERROR, "the owner of " + live.name + " failed", defect);
    }
    ConnectionState last = live.connection.state();
    CloseReport report = report(last);
    if (report != null) {
      report.survivors().forEach(shared.survivors()::add);
      if (ending != null) {
        reports.put(live.name, report);
      }
    }
    boolean lost = last instanceof ConnectionState.Failed && live.answer.isDone();
    slot.failed = lost && slot.disconnects.isEmpty() ? live : null;
    List.copyOf(slot.disconnects)
        .forEach(waiting -> answers.add(() -> waiting.complete(Optional.ofNullable(report))));
    slot.disconnects.clear();
    answers.add(() -> live.answer.completeExceptionally(cause(last, defect)));
    Command.Connect next = slot.parked;
    slot.parked = null;
    if (next != null) {
      start(scope, slot, next); // in the place of the one that it replaces
    } else {
      shared.live().decrementAndGet();
      forgetIfEmpty(live.name, slot);
    }
  }

  /// Null if the connection's owner has failed before it could say.
  private static CloseReport report(ConnectionState last) {
    return switch (last) {
      case ConnectionState.Failed(_, var report) -> report;
      case ConnectionState.Closed(_, var report) -> report;
      default -> null;
    };
  }

  /// What a connect is told if it was not answered before.
  private static Throwable cause(ConnectionState last, Throwable defect) {
    return switch (last) {
      case ConnectionState.Failed(var cause, _) -> cause;
      case ConnectionState.Closed(var cause, _) -> cause;
      default -> new IllegalStateException("the connection's owner has failed", defect);
    };
  }

  private void forgetIfEmpty(String name, Slot slot) {
    if (slot.live == null && slot.failed == null && slot.parked == null) {
      slots.remove(name);
      current.remove(name);
    }
  }

  private boolean anyLive() {
    return slots.values().stream().anyMatch(slot -> slot.live != null);
  }

  /// Answers a command that will not be done; null is none.
  static void refuse(Command command, CloseReason reason) {
    switch (command) {
      case null -> {}
      case Command.Connect connect ->
          connect
              .answer()
              .completeExceptionally(new ConnectionClosedException(connect.name(), reason));
      case Command.Disconnect disconnect -> disconnect.answer().complete(Optional.empty());
      case Command.Subscribe subscribe ->
          subscribe.answer().completeExceptionally(new ConnectionClosedException("events", reason));
    }
  }
}
