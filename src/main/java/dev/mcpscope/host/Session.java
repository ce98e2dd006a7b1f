package dev.mcpscope.host;

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
/// because a server may hold a port or a lock; of several that wait the newest wins. A connect that
/// asks for less ([ConnectOptions#ifAbsent()]) stops nothing that it can use: it is answered by what
/// is there, or like the connect that is under way or waits.
///
/// A server that is lost is started again if its connect has asked for that; a [RestartPlan] says
/// when. Until then its name stands for the connection that has failed, as it does without a plan:
/// a connect takes the place, a disconnect or the end of the session drops it, and the plan with it.
/// A restart is a connect like any other, but that no caller waits for its answer.
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

    /// Connect a server under this name, in place of what has it, unless that is good enough.
    record Connect(
        String name,
        ServerSpec spec,
        ConnectOptions options,
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
    final ConnectOptions options;
    final CompletableFuture<ConnectionStatus> answer;
    final RestartPlan plan;
    Connection connection;
    boolean stopping; // was told to; the owner's own, since the connection's state lags behind

    Live(long generation, Command.Connect connect, RestartPlan plan) {
      this.name = connect.name();
      this.generation = generation;
      this.spec = connect.spec();
      this.options = connect.options();
      this.answer = connect.answer();
      this.plan = plan;
    }

    void stop(CloseReason reason) {
      stopping = true;
      connection.stop(reason);
    }
  }

  /// What a name stands for: a connection, the connect that waits for its end, and who waits for its
  /// end. The owner's own.
  private static final class Slot {
    Live live; // running, or null
    Live failed; // the last one, if it was lost, or a restart was in vain, and nothing came after
    Command.Connect parked;
    final List<CompletableFuture<Optional<CloseReport>>> disconnects = new ArrayList<>();

    /// When the one that has failed is started again.
    Deadline restart() {
      return failed == null ? Deadline.NEVER : failed.plan.due();
    }
  }

  /// What all sessions of a host share.
  ///
  /// @param events what the listener is told
  /// @param live counts the connections that run
  /// @param generations numbers them
  /// @param connecting what connections have in common
  /// @param survivors what closes could not end, for the operator
  record Shared(
      HostOptions options,
      HostListener listener,
      Backlog<HostEvent> events,
      AtomicInteger live,
      AtomicLong generations,
      Connection.Shared connecting,
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
    boolean restarts = state instanceof ConnectionState.Failed && live.plan.due() != Deadline.NEVER;
    return new ConnectionStatus(id, live.name, live.generation, live.spec, state, restarts);
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
      Deadline wake = Deadline.NEVER;
      while (true) {
        try {
          handle(scope, scope.take(wake));
        } catch (InterruptedException e) {
          beginEnd(CloseReason.OWNER_INTERRUPTED);
        }
        restartWhatIsDue(scope);
        if (!anyLive() && (ending != null || slots.isEmpty() && subscriptions.isEmpty())) {
          break;
        }
        answer();
        wake = wake();
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

  /// When to go on without mail: for a restart, or, where nothing can come of itself any more, when
  /// the session has been idle for too long.
  private Deadline wake() {
    boolean idle = !anyLive() && !anyRestart() && subscriptions.isEmpty();
    return idle ? Deadline.after(shared.options().sessionIdle()) : nextRestart();
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
      case null -> {
        if (!anyRestart()) { // else it is time for one
          beginEnd(CloseReason.SESSION_ENDED); // idle for too long
        }
      }
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
    CompletableFuture<ConnectionStatus> other = connect.options().ifAbsent() ? usable(slot) : null;
    if (other != null) {
      follow(other, connect.answer());
      return;
    }
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
      slot.live.stop(CloseReason.REPLACED);
      refuse(slot.parked, CloseReason.REPLACED);
      slot.parked = connect;
    } else if (takePlace()) {
      start(scope, slot, connect, plan(connect), Set.of());
    } else {
      forgetIfEmpty(connect.name(), slot);
      connect.answer().completeExceptionally(noRoom());
    }
  }

  /// What answers a connect for an absent name if the name is not absent: the connect that waits,
  /// the one that is under way, or the connection that is there. Null when none of them stays.
  private CompletableFuture<ConnectionStatus> usable(Slot slot) {
    if (slot != null && slot.parked != null) {
      return slot.parked.answer();
    }
    if (slot == null || slot.live == null || slot.live.stopping) {
      return null;
    }
    ConnectionState state = slot.live.connection.state(); // once: it changes meanwhile
    return switch (state) {
      case ConnectionState.Connecting _ -> slot.live.answer;
      case ConnectionState.Usable _ -> CompletableFuture.completedFuture(status(slot.live, state));
      case ConnectionState.Closing _, ConnectionState.Closed _, ConnectionState.Failed _ -> null;
    };
  }

  /// Gives a caller the same answer as another one, each by a future of its own, so that none of
  /// them can take it from the others.
  private static void follow(
      CompletableFuture<ConnectionStatus> first, CompletableFuture<ConnectionStatus> answer) {
    first.whenComplete((status, failure) -> {
      if (failure == null) {
        answer.complete(status);
      } else {
        answer.completeExceptionally(failure);
      }
    });
  }

  /// Takes a place among the host's connections, if there is one.
  private boolean takePlace() {
    if (shared.live().incrementAndGet() <= shared.options().connections()) {
      return true;
    }
    shared.live().decrementAndGet();
    return false;
  }

  private LimitException noRoom() {
    return new LimitException("connections", shared.options().connections());
  }

  private RestartPlan plan(Command.Connect connect) {
    var budget = shared.options().restart();
    return new RestartPlan(connect.name(), connect.options().restart(), budget);
  }

  /// @param resources what it is to be subscribed to from the start
  private void start(
      TaskScope<Mail> scope,
      Slot slot,
      Command.Connect connect,
      RestartPlan plan,
      Set<String> resources) {
    Live live = new Live(shared.generations().incrementAndGet(), connect, plan);
    live.connection =
        new Connection(
            "connection/" + id + "/" + live.name + "#" + live.generation,
            live.name,
            live.spec,
            live.options.client(),
            shared.connecting(),
            new Callbacks(live.name),
            new Observer(live));
    live.connection.resources().addAll(resources);
    slot.live = live;
    slot.failed = null;
    current.put(live.name, live);
    plan.started(); // not before: until the row is the new one, it says that there will be one
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

  /// A state is the session's matter, and told by its owner. What a server tells goes on at once, in
  /// the thread of the connection's reader: a flood of it must not fill the owner's mailbox.
  private final class Observer implements Connection.Observer {
    private final Live live;

    Observer(Live live) {
      this.live = live;
    }

    @Override
    public void changed(ConnectionState state) {
      mailbox.post(new Changed(live, state));
    }

    @Override
    public void told(ServerEvent event) {
      tell(new HostEvent.Told(id, live.name, live.generation, event));
    }

    @Override
    public boolean hears() {
      return true; // subscribers come and go
    }
  }

  /// Any thread, never blocks.
  private void tell(HostEvent event) {
    shared.events().add(event);
    subscriptions.forEach(subscription -> subscription.add(event));
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
      slot.live.stop(CloseReason.DISCONNECTED);
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
        slot.live.stop(reason); // all of them close at the same time
      }
      if (slot.failed != null) {
        slot.failed.plan.cancel();
      }
    }
  }

  private void changed(Live live, ConnectionState state) {
    switch (state) {
      case ConnectionState.Connecting _ -> {}
      case ConnectionState.Usable _ -> live.plan.connected();
      case ConnectionState.Closing _ -> live.plan.disconnected();
      case ConnectionState.Closed _, ConnectionState.Failed _ -> {
        return; // told when its thread has ended too, and what comes next is known
      }
    }
    ConnectionStatus status = status(live, state);
    tell(new HostEvent.Changed(status));
    if (state instanceof ConnectionState.Usable) {
      live.answer.complete(status);
    }
  }

  /// Starts again what has waited for long enough, if there is room for it.
  private void restartWhatIsDue(TaskScope<Mail> scope) {
    for (Slot slot : slots.values()) {
      if (slot.restart().passed()) {
        restart(scope, slot, slot.failed);
      }
    }
  }

  private void restart(TaskScope<Mail> scope, Slot slot, Live lost) {
    if (takePlace()) {
      var answer = new CompletableFuture<ConnectionStatus>();
      var connect = new Command.Connect(lost.name, lost.spec, lost.options, answer);
      start(scope, slot, connect, lost.plan, lost.connection.resources());
      return;
    }
    lost.plan.refused(noRoom());
    if (slot.restart() == Deadline.NEVER) {
      tell(new HostEvent.Changed(status(lost))); // no generation comes that would tell of it
    }
  }

  private Deadline nextRestart() {
    return slots.values().stream().map(Slot::restart).reduce(Deadline.NEVER, Deadline::orSooner);
  }

  private boolean anyRestart() {
    return nextRestart() != Deadline.NEVER;
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
    boolean lost =
        last instanceof ConnectionState.Failed && (live.answer.isDone() || live.plan.hasBegun());
    slot.failed = lost && slot.disconnects.isEmpty() ? live : null;
    List.copyOf(slot.disconnects)
        .forEach(waiting -> answers.add(() -> waiting.complete(Optional.ofNullable(report))));
    slot.disconnects.clear();
    answers.add(() -> live.answer.completeExceptionally(cause(last, defect)));
    Command.Connect next = slot.parked;
    slot.parked = null;
    if (next != null) {
      start(scope, slot, next, plan(next), Set.of()); // in the place of the one that it replaces
    } else {
      shared.live().decrementAndGet();
      if (slot.failed != null && ending == null) {
        live.plan.failed(cause(last, defect));
      }
      forgetIfEmpty(live.name, slot);
    }
    if (report != null) {
      tell(
          new HostEvent.Changed(status(live, last))); // who hears of it finds everything as it says
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
