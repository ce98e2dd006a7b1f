package dev.mcpscope.host;

import dev.mcpscope.client.CloseReason;
import dev.mcpscope.client.Connection;
import dev.mcpscope.client.ConnectionClosedException;
import dev.mcpscope.client.EraMemory;
import dev.mcpscope.client.McpException;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.host.Session.Command;
import dev.mcpscope.http.HttpPool;
import dev.mcpscope.scope.Backlog;
import dev.mcpscope.scope.Deadline;
import dev.mcpscope.scope.Delivery;
import dev.mcpscope.scope.Guests;
import dev.mcpscope.scope.Mailbox;
import dev.mcpscope.scope.TaskScope;
import dev.mcpscope.stdio.Marks;
import dev.mcpscope.transport.CloseReport;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/// Connections to many MCP servers, by name, in sessions such as those of a chat's users.
///
/// ```java
/// try (var host = McpHost.open(HostOptions.defaults(), new HostListener() {})) {
///   host.connect("alice", "files", ServerSpec.stdio("npx", "-y", "some-server"));
///   …
///   host.disconnect("alice", "files").ifPresent(report -> …);
/// }                                                // here no connection of any session is left
/// ```
///
/// Any thread may call. Each method blocks its caller only, and is safe to be interrupted: what was
/// asked for goes on. A session comes into being with its first connect and goes when nothing is in
/// it any more. In a session a name has at most one connection: a newer connect for it stops the
/// older one first, and a connect that is overtaken is answered with
/// [ConnectionClosedException] and [CloseReason#REPLACED]. [ConnectOptions] says otherwise, and
/// whether a server that is lost is started again.
///
/// The host is the root of the tree of scopes: its owner, a virtual thread, forks the sessions'
/// owners, and those fork the connections'.
public final class McpHost implements AutoCloseable {

  /// The longest name of a session or a connection, in characters.
  public static final int MAX_NAME = 128;

  private static final System.Logger LOG = System.getLogger("dev.mcpscope.host");
  private static final int MOST_COMMANDS = 4_096;
  private static final int MOST_EVENTS = 1_024;
  private static final Duration LISTENER = Duration.ofSeconds(10); // for one event
  private static final Duration LAST_EVENTS = Duration.ofMillis(500); // for what waits at the end

  private sealed interface Mail {
    record Do(String session, Command command) implements Mail {}

    record EndSession(String session, CompletableFuture<Optional<Map<String, CloseReport>>> answer)
        implements Mail {}

    record Over(Session session, Throwable failure) implements Mail {}

    record Delivered(Throwable failure) implements Mail {}

    record End() implements Mail {}
  }

  /// A session as the host's owner sees it.
  private static final class Entry {
    final Session session;
    boolean ending;
    // What came after its end was asked for; a session of the same id takes it up.
    final ArrayDeque<Command> parked = new ArrayDeque<>();
    final List<CompletableFuture<Optional<Map<String, CloseReport>>>> waiting = new ArrayList<>();

    Entry(Session session) {
      this.session = session;
    }
  }

  private final HostOptions options;
  private final Session.Shared shared;
  private final Guests guests = new Guests();
  private final Delivery<HostEvent> delivery;
  private final Mailbox<Mail> mailbox = new Mailbox<>(MOST_COMMANDS);
  private final Thread owner;

  // written by the owner, read by any thread
  private final Map<String, Session> sessions = new ConcurrentHashMap<>();
  private final Map<String, Map<String, CloseReport>> reports = new ConcurrentHashMap<>();

  // the owner's own
  private final Map<String, Entry> entries = new HashMap<>();
  private boolean ending;

  private McpHost(HostOptions options, HostListener listener) {
    this.options = options;
    var events = new Backlog<>(MOST_EVENTS, HostEvent.POLICY);
    this.delivery = new Delivery<>("host listener", events, listener::event, LISTENER, guests);
    this.shared =
        new Session.Shared(
            options,
            listener,
            events,
            new AtomicInteger(),
            new AtomicLong(),
            new Connection.Shared(Optional.of(new HttpPool()), new EraMemory()),
            new Survivors());
    this.owner = Thread.ofVirtual().name("host owner").start(this::run);
  }

  /// Opens a host in which nothing is connected. Close it.
  public static McpHost open(HostOptions options, HostListener listener) {
    return new McpHost(options, listener);
  }

  /// Returns the options that it was opened with.
  public HostOptions options() {
    return options;
  }

  /// Checks a name of a session or a connection by the rule of [#connect].
  ///
  /// @param what begins the message
  /// @throws IllegalArgumentException when it is blank, longer than [#MAX_NAME], or holds a control
  ///     character, `/` or `#`
  public static void checkName(String what, String name) {
    if (name.isEmpty() || name.length() > MAX_NAME) {
      throw new IllegalArgumentException(
          what + " must have 1 to " + MAX_NAME + " characters, has " + name.length());
    }
    if (name.isBlank()) {
      throw new IllegalArgumentException(what + " must not be blank");
    }
    for (int i = 0; i < name.length(); i++) {
      char c = name.charAt(i);
      if (Character.isISOControl(c) || c == '/' || c == '#') {
        throw new IllegalArgumentException(
            what
                + " must not hold control characters, '/' or '#'; character "
                + (i + 1)
                + " is U+%04X".formatted((int) c));
      }
    }
  }

  /// Connects a server under a name, and returns when it can be used: its tools are listed and
  /// `onConnect` has returned. Whatever had the name before is stopped first.
  ///
  /// @throws McpException why it could not be connected, with everything released
  /// @throws LimitException when there are too many sessions or connections; nothing was touched
  /// @throws IllegalArgumentException when [#checkName] refuses a name
  /// @throws InterruptedException when the caller was interrupted; the connect goes on
  public ConnectionStatus connect(String session, String name, ServerSpec spec)
      throws McpException, LimitException, InterruptedException {
    return connect(session, name, spec, ConnectOptions.of(options.client()));
  }

  /// Like [#connect(String, String, ServerSpec)], with options of its own.
  ///
  /// With [ConnectOptions#ifAbsent()] a connection that the name has is kept, and its status
  /// returned; one that the name is getting is waited for, and its outcome, status or failure, is
  /// the outcome of this call too. Where there is neither, such a connect is one like any other.
  public ConnectionStatus connect(
      String session, String name, ServerSpec spec, ConnectOptions connect)
      throws McpException, LimitException, InterruptedException {
    return await(connecting(session, name, spec, connect));
  }

  /// Asks for a connect, and does not wait for its answer.
  CompletableFuture<ConnectionStatus> connecting(
      String session, String name, ServerSpec spec, ConnectOptions connect)
      throws ConnectionClosedException, LimitException {
    checkName("session", session);
    checkName("name", name);
    var answer = new CompletableFuture<ConnectionStatus>();
    offer(session, new Command.Connect(name, spec, connect, answer));
    return answer;
  }

  /// Ends what has this name: connected, still connecting, or waiting to connect. Returns when
  /// nothing of it is left but what the report names.
  ///
  /// @return the report; empty when nothing has the name
  /// @throws LimitException when too many commands wait; nothing was touched
  /// @throws InterruptedException when the caller was interrupted; the disconnect goes on
  public Optional<CloseReport> disconnect(String session, String name)
      throws LimitException, InterruptedException {
    try {
      return await(disconnecting(session, name));
    } catch (ConnectionClosedException e) { // the host has ended, and with it whatever there was
      return Optional.empty();
    } catch (McpException e) {
      throw new AssertionError("a disconnect is answered by a report", e);
    }
  }

  /// Asks for a disconnect, and does not wait for its answer.
  CompletableFuture<Optional<CloseReport>> disconnecting(String session, String name)
      throws ConnectionClosedException, LimitException {
    var answer = new CompletableFuture<Optional<CloseReport>>();
    offer(session, new Command.Disconnect(name, answer));
    return answer;
  }

  /// Ends a session and all of its connections, in parallel, those included that are still
  /// connecting.
  ///
  /// @return the reports of those that were live, by name; empty when there is no such session
  /// @throws InterruptedException when the caller was interrupted; the end goes on
  public Optional<Map<String, CloseReport>> endSession(String session) throws InterruptedException {
    var answer = new CompletableFuture<Optional<Map<String, CloseReport>>>();
    if (!mailbox.post(new Mail.EndSession(session, answer))) {
      return Optional.empty();
    }
    try {
      return await(answer);
    } catch (McpException | LimitException e) {
      throw new AssertionError("the end of a session is answered by reports", e);
    }
  }

  /// Subscribes to what happens in a session, which comes into being if there is none.
  ///
  /// @throws ConnectionClosedException when the session or the host is ending
  /// @throws LimitException when there are too many sessions, or subscribers of this one
  /// @throws IllegalArgumentException when the session's name is not one
  /// @throws InterruptedException when the caller was interrupted
  public Subscription subscribe(String session)
      throws ConnectionClosedException, LimitException, InterruptedException {
    checkName("session", session);
    var answer = new CompletableFuture<Subscription>();
    offer(session, new Command.Subscribe(answer));
    try {
      return await(answer);
    } catch (ConnectionClosedException e) {
      throw e;
    } catch (McpException e) {
      throw new AssertionError("a subscription needs no server", e);
    } catch (InterruptedException e) {
      answer.thenAccept(Subscription::close); // nobody will
      throw e;
    }
  }

  /// Returns how the connection with this name stands; never blocks.
  public Optional<ConnectionStatus> status(String session, String name) {
    return Optional.ofNullable(sessions.get(session)).flatMap(s -> s.status(name));
  }

  /// Returns how the connections of a session stand, oldest first; empty when there is no such
  /// session. Never blocks.
  public Optional<List<ConnectionStatus>> statuses(String session) {
    return Optional.ofNullable(sessions.get(session)).map(Session::statuses);
  }

  /// Returns how all connections stand, by session; never blocks.
  public Map<String, List<ConnectionStatus>> statuses() {
    var all = new TreeMap<String, List<ConnectionStatus>>();
    sessions.forEach((id, session) -> all.put(id, session.statuses()));
    return all;
  }

  /// Returns the processes of closed connections that outlived SIGKILL and still run, the newest
  /// hundred of them. Waits for nobody, but looks at each of them in `/proc`.
  public List<CloseReport.ServerProcess> survivors() {
    return shared.survivors().list();
  }

  /// Finds what hosts that were killed have left on this machine: processes that carry a host's mark, and
  /// whose host does not run any more. They are nobody's; whether to end them is the caller's to say.
  /// Only on Linux, and only processes of the same user. Looks at all processes, which takes some ten
  /// milliseconds; not interruptible.
  public static List<Orphan> orphans() {
    var orphans = new ArrayList<Orphan>();
    Marks.ofDeadHosts()
        .forEach((host, processes) ->
            processes.forEach(process -> {
              ProcessHandle.Info info = process.info();
              String command = info.command().orElse("?");
              orphans.add(new Orphan(process.pid(), info.startInstant(), command, host));
            }));
    return List.copyOf(orphans);
  }

  /// Ends the host: refuses what comes, and ends every session, in parallel. Returns when nothing is
  /// left, or when [HostOptions#close()] is over; a second call waits like the first. Not for a
  /// listener's thread, which the end waits for. Waits on, when interrupted, and sets the flag again.
  public HostReport end() {
    long begun = System.nanoTime();
    mailbox.post(new Mail.End());
    Deadline.after(options.close()).await(nanos -> owner.join(Duration.ofNanos(nanos)));
    return new HostReport(
        Duration.ofNanos(System.nanoTime() - begun),
        Map.copyOf(reports),
        List.copyOf(sessions.keySet()),
        guests.running());
  }

  /// Ends the host as [#end()] does.
  @Override
  public void close() {
    end();
  }

  private void offer(String session, Command command)
      throws ConnectionClosedException, LimitException {
    if (!mailbox.offer(new Mail.Do(session, command))) {
      if (mailbox.isClosed()) {
        throw new ConnectionClosedException("host", CloseReason.HOST_ENDED);
      }
      throw new LimitException("waiting commands", MOST_COMMANDS);
    }
  }

  private static <T> T await(CompletableFuture<T> answer)
      throws McpException, LimitException, InterruptedException {
    try {
      return answer.get();
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case McpException cause -> throw cause;
        case LimitException cause -> throw cause;
        default -> throw new IllegalStateException("the host has failed", e.getCause());
      }
    }
  }

  // From here on the owner's thread.

  private void run() {
    try (var scope = TaskScope.open("host", mailbox)) {
      scope.fork("events", delivery::run, Mail.Delivered::new);
      while (!ending || !entries.isEmpty()) {
        try {
          switch (scope.take()) {
            case Mail.Do(var session, var command) -> dispatch(scope, session, command);
            case Mail.EndSession end -> endSession(end);
            case Mail.Over(var session, var failure) -> over(scope, session, failure);
            case Mail.Delivered _ -> {} // a listener that was left behind; the end reports it
            case Mail.End() -> beginEnd();
          }
        } catch (InterruptedException e) {
          beginEnd();
        }
      }
      delivery.end(Deadline.after(LAST_EVENTS));
    } finally {
      closeSockets(); // whose users have ended
      for (Entry entry : entries.values()) { // only after a defect: nobody must wait for ever
        entry.parked.forEach(command -> Session.refuse(command, CloseReason.HOST_ENDED));
        entry.waiting.forEach(answer -> answer.complete(Optional.empty()));
      }
      for (Mail late : mailbox.close()) {
        switch (late) {
          case Mail.Do(_, var command) -> Session.refuse(command, CloseReason.HOST_ENDED);
          case Mail.EndSession end -> end.answer().complete(Optional.empty());
          case Mail.Over _, Mail.Delivered _, Mail.End _ -> {}
        }
      }
    }
  }

  private void closeSockets() {
    try {
      shared.connecting().sockets().orElseThrow().close();
    } catch (IOException e) {
      LOG.log(System.Logger.Level.WARNING, "the host''s sockets: {0}", e.getMessage());
    }
  }

  private void dispatch(TaskScope<Mail> scope, String id, Command command) {
    Entry entry = entries.get(id);
    if (ending) {
      boolean waits = command instanceof Command.Disconnect && entry != null;
      if (!waits || !entry.session.offer(command)) { // else for what is ending under that name
        Session.refuse(command, CloseReason.HOST_ENDED);
      }
      return;
    }
    if (entry == null) {
      if (command instanceof Command.Disconnect) {
        Session.refuse(command, CloseReason.DISCONNECTED);
        return;
      }
      if (entries.size() >= options.sessions()) {
        refuseForLimit(command, "sessions", options.sessions());
        return;
      }
      entry = open(scope, id);
    }
    if (!entry.ending && entry.session.offer(command)) {
      return;
    }
    boolean over = entry.ending || entry.session.isOver();
    if (over && entry.parked.size() < MOST_COMMANDS) {
      entry.parked.add(command);
    } else {
      refuseForLimit(command, "waiting commands", MOST_COMMANDS);
    }
  }

  private Entry open(TaskScope<Mail> scope, String id) {
    var session = new Session(id, shared);
    var entry = new Entry(session);
    entries.put(id, entry);
    sessions.put(id, session);
    scope.fork("session " + id, session::run, failure -> new Mail.Over(session, failure));
    return entry;
  }

  private static void refuseForLimit(Command command, String what, int limit) {
    command.answer().completeExceptionally(new LimitException(what, limit));
  }

  private void endSession(Mail.EndSession end) {
    Entry entry = entries.get(end.session());
    if (entry == null) {
      end.answer().complete(Optional.empty());
      return;
    }
    entry.waiting.add(end.answer());
    entry.ending = true;
    entry.parked.removeIf(command -> { // it came before this end, if after an earlier one
      if (command instanceof Command.Disconnect) {
        return false; // it is answered when nothing is left under that name
      }
      Session.refuse(command, CloseReason.SESSION_ENDED);
      return true;
    });
    entry.session.end(CloseReason.SESSION_ENDED);
  }

  /// A session's thread has ended, and with it all of its connections.
  private void over(TaskScope<Mail> scope, Session session, Throwable failure) {
    if (failure != null) {
      LOG.log(
          System.Logger.Level.ERROR, "the owner of session " + session.id() + " failed", failure);
    }
    Entry entry = entries.remove(session.id());
    sessions.remove(session.id());
    Map<String, CloseReport> closed = Map.copyOf(session.reports());
    if (ending) {
      reports.put(session.id(), closed);
    }
    session.answer();
    entry.waiting.forEach(answer -> answer.complete(Optional.of(closed)));
    for (Command command : session.undone()) {
      if (entry.ending) { // asked for after the command
        Session.refuse(command, CloseReason.SESSION_ENDED);
      } else {
        dispatch(scope, session.id(), command);
      }
    }
    entry.parked.forEach(command -> dispatch(scope, session.id(), command));
  }

  private void beginEnd() {
    ending = true;
    entries.values().forEach(entry -> entry.session.end(CloseReason.HOST_ENDED));
  }
}
