package dev.mcpscope.client;

import dev.mcpscope.http.HttpPool;
import dev.mcpscope.scope.Deadline;
import dev.mcpscope.scope.Guests;
import dev.mcpscope.scope.Mailbox;
import dev.mcpscope.transport.CloseReport;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;

/// One connection: opened, served and closed by the one thread that runs [#run()].
///
/// [McpClient#open] gives that thread to a connection of its own; a host forks it in a session's
/// scope, so that the connection cannot outlive the session either. Everybody else only leaves mail:
/// who stops it, the transport's tasks that have lost the server, the handshake that is done.
///
/// The owner waits in one place, whatever state the connection is in. That is why it can be stopped
/// in every state, in the middle of the handshake too, and why a crash is noticed in every state.
/// What it does is in [Attempt].
public final class Connection {
  private static final System.Logger LOG = System.getLogger("dev.mcpscope.client");

  /// User code that a connection calls, in a [dev.mcpscope.scope.Guest]: outside the scope, with a deadline.
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

    /// Whether anybody hears what is told: a server need not log for nobody. Asked by the owner.
    default boolean hears() {
      return false;
    }
  }

  /// What connections of one host have in common.
  ///
  /// @param sockets for servers over HTTP; empty if each connection is to have its own
  /// @param eras what was found out of servers before
  public record Shared(Optional<HttpPool> sockets, EraMemory eras) {
    /// Returns what a connection has that shares nothing.
    public static Shared nothing() {
      return new Shared(Optional.empty(), new EraMemory());
    }
  }

  private final String name;
  private final String server;
  private final ServerSpec spec;
  private final ClientOptions options;
  private final Shared shared;
  private final Callbacks callbacks;
  private final Observer observer;
  private final Mailbox<Attempt.Mail> mailbox = new Mailbox<>(64);
  private final AtomicBoolean stopped = new AtomicBoolean();
  private final Guests guests = new Guests();
  private final Set<String> resources = ConcurrentHashMap.newKeySet();
  private final CompletableFuture<McpClient> ready = new CompletableFuture<>();
  private final CompletableFuture<CloseReport> closed = new CompletableFuture<>();

  // written by the owner only, read by any thread
  private volatile ConnectionState state = new ConnectionState.Connecting("start");

  /// Creates a connection that does nothing yet.
  ///
  /// @param name the name of its scope, in thread dumps
  /// @param server how messages name the server
  /// @param shared what it has in common with others
  /// @param callbacks user code
  /// @param observer told of what happens
  public Connection(
      String name,
      String server,
      ServerSpec spec,
      ClientOptions options,
      Shared shared,
      Callbacks callbacks,
      Observer observer) {
    this.name = name;
    this.server = server;
    this.spec = spec;
    this.options = options;
    this.shared = shared;
    this.callbacks = callbacks;
    this.observer = observer;
  }

  /// Returns the resources that are subscribed to, and after the end those that were: what is added
  /// before [#run] is subscribed to from the start.
  public Set<String> resources() {
    return resources;
  }

  /// Returns where it stands; any thread.
  public ConnectionState state() {
    return state;
  }

  /// Asks the connection to end; any thread, in every state, never blocks. The first reason counts.
  public void stop(CloseReason reason) {
    if (stopped.compareAndSet(false, true)) {
      mailbox.post(new Attempt.Mail.Stop(reason));
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
    try {
      Deadline connected = Deadline.after(options.connectTimeout()); // the start takes of it too
      Attempt.Outcome outcome = new Attempt(this, connected, Optional.empty()).run();
      if (outcome.end().again()) {
        outcome = again(outcome, connected);
      }
      mailbox.close();
      published(outcome.end(), outcome.report());
    } finally {
      if (!closed.isDone()) { // only after a defect of this class: nobody must wait for ever
        ready.completeExceptionally(
            new ConnectionLostException(server + ": the connection's owner has failed", null));
        closed.completeExceptionally(new IllegalStateException(name + ": its owner has failed"));
      }
    }
  }

  /// What the first attempt's subtasks have left in the mailbox says nothing of the second one; but who
  /// has stopped the connection meanwhile has stopped it.
  private Attempt.Outcome again(Attempt.Outcome first, Deadline connected) {
    for (Attempt.Mail mail : mailbox.drain()) {
      if (mail instanceof Attempt.Mail.Stop(var reason)) {
        publish(new ConnectionState.Closing(reason.text()));
        CloseReport report = first.report().withReason(reason.text());
        return new Attempt.Outcome(Attempt.End.stopped(server, reason), report);
      }
    }
    McpException why = first.end().cause();
    LOG.log(System.Logger.Level.DEBUG, "{0}: once more, as {1}", server, why.getMessage());
    Attempt.Outcome second = new Attempt(this, connected, Optional.of(first.report())).run();
    if (!ready.isDone()) {
      second.end().cause().addSuppressed(why);
    }
    return second;
  }

  private void published(Attempt.End end, CloseReport report) {
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

  void publish(ConnectionState next) {
    state = next;
    try {
      observer.changed(next);
    } catch (RuntimeException | Error e) { // it must not, but a close must not fail for it either
      LOG.log(System.Logger.Level.ERROR, name + ": the observer failed", e);
    }
  }

  // What the attempt needs.

  void ready(McpClient client) {
    ready.complete(client);
  }

  String name() {
    return name;
  }

  String server() {
    return server;
  }

  ServerSpec spec() {
    return spec;
  }

  ClientOptions options() {
    return options;
  }

  Shared shared() {
    return shared;
  }

  Callbacks callbacks() {
    return callbacks;
  }

  Observer observer() {
    return observer;
  }

  Mailbox<Attempt.Mail> mailbox() {
    return mailbox;
  }

  Guests guests() {
    return guests;
  }
}
