package dev.mcpscope.demo;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.mcpscope.front.Front;
import dev.mcpscope.scope.Deadline;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/// The demo server over [streamable
/// HTTP](https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http),
/// at `/mcp` on 127.0.0.1, for the tour and for tests.
///
/// Each client that sends `initialize` gets a session with a server of its own. A `tools/call` is
/// always answered by a stream of events, since it may talk before its answer, and every other
/// request by JSON. What belongs to no call, the update of a resource, goes to the stream that a
/// client opens by GET; what comes while none is open waits for the next one. A GET with
/// `Last-Event-ID` shows the rest of any stream of the session. Batches, which one old revision had,
/// are refused.
///
/// The tool `crash` ends no process here, however the server was started: it ends the session. Its
/// connections break without an answer, and its id is unknown from then on. The tool `cut`, which
/// there is only here, closes the stream of its call, so that a client has to come back for the
/// answer.
///
/// Where it is opened: [#open]. Where it is closed: [#close()]. It owns a server socket, the JDK's
/// dispatcher thread, a virtual thread for each request and one for each call. A session lasts until
/// its client ends it, it crashes, or the server is closed: a client that went without a word keeps
/// its place.
public final class DemoHttpServer implements AutoCloseable {
  private static final int MOST_SESSIONS = 64;
  private static final Duration END = Duration.ofSeconds(1);
  private static final SecureRandom RANDOM = new SecureRandom();

  static {
    try {
      Class.forName(Front.class.getName()); // sets what the JDK reads once for all of its servers
    } catch (ClassNotFoundException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  /// What kind of server it is.
  ///
  /// @param sessions whether there are sessions; without them each request has a server of its own,
  ///     which ends with it
  /// @param getStream whether GET is answered by a stream, and streams can be resumed; not without
  ///     sessions
  /// @param heartbeat after which silence a stream shows that it lives, 10 ms or more; default 15 s
  public record Options(boolean sessions, boolean getStream, Duration heartbeat) {

    /// Checks what goes together.
    public Options {
      if (getStream && !sessions) {
        throw new IllegalArgumentException("a stream by GET needs a session");
      }
      if (heartbeat.compareTo(Duration.ofMillis(10)) < 0) {
        throw new IllegalArgumentException("heartbeat must be 10 ms or more, is " + heartbeat);
      }
    }

    /// Returns the defaults: everything that there is.
    public static Options defaults() {
      return new Options(true, true, Duration.ofSeconds(15));
    }
  }

  private final HttpServer http;
  private final ExecutorService requests;
  private final PrintStream err;
  private final Options options;

  // guarded by this
  private final Map<String, DemoSession> sessions = new LinkedHashMap<>();
  private boolean closing;
  private int served; // requests
  private int shown; // streams
  private long changes;

  private DemoHttpServer(HttpServer http, PrintStream err, Options options) {
    this.http = http;
    this.err = err;
    this.options = options;
    this.requests =
        Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name("demo request ", 1).factory());
    http.setExecutor(requests);
    http.createContext("/", this::handle);
    http.start();
  }

  /// Binds and starts to answer, with the default options.
  ///
  /// @param port 0 to 65535; 0 takes a free one
  /// @param err where a crash is announced
  /// @throws IOException when the port cannot be bound: the message names it
  public static DemoHttpServer open(int port, PrintStream err) throws IOException {
    return open(port, err, Options.defaults());
  }

  /// Like [#open(int, PrintStream)], with other options.
  public static DemoHttpServer open(int port, PrintStream err, Options options) throws IOException {
    byte[] loopback = {127, 0, 0, 1};
    var address = new InetSocketAddress(InetAddress.getByAddress(loopback), port);
    try {
      return new DemoHttpServer(HttpServer.create(address, 0), err, options);
    } catch (IOException e) {
      throw new IOException("cannot listen on 127.0.0.1:" + port + ": " + e.getMessage(), e);
    }
  }

  /// Returns the port that it got.
  public int port() {
    return http.getAddress().getPort();
  }

  /// Returns where clients find it.
  public URI uri() {
    return URI.create("http://127.0.0.1:" + port() + DemoExchange.PATH);
  }

  // What lives, for tests: the server's side of what a client says that it has closed.

  /// Returns the ids of the open sessions, the oldest one first; none if it has no sessions.
  public synchronized List<String> sessions() {
    return options.sessions() ? List.copyOf(sessions.keySet()) : List.of();
  }

  /// Returns how many streams of events are being shown to clients, by GET and by POST.
  public synchronized int streams() {
    return shown;
  }

  /// Returns the JSON texts of the ids of the calls that run in the open sessions.
  public synchronized List<String> calls() {
    return sessions.values().stream()
        .flatMap(session -> session.running().stream())
        .map(Object::toString)
        .sorted()
        .toList();
  }

  /// Waits until something holds of the three above: it is asked at once, then after each change of
  /// them. Unblocked by the time and by interrupt.
  ///
  /// @return whether it holds; false when the time is over
  public boolean await(BooleanSupplier condition, Duration atMost) throws InterruptedException {
    Deadline end = Deadline.after(atMost);
    while (true) {
      long seen = changes(); // before it is asked, so that no change is missed
      if (condition.getAsBoolean()) {
        return true;
      }
      synchronized (this) {
        while (changes == seen) {
          if (end.passed()) {
            return false;
          }
          TimeUnit.NANOSECONDS.timedWait(this, end.remainingNanos());
        }
      }
    }
  }

  private synchronized long changes() {
    return changes;
  }

  private synchronized void changed() {
    changes++;
    notifyAll();
  }

  /// Stops listening, ends all sessions with their calls and streams, and waits a second at most until
  /// the requests have been answered: then they are cut off. Called twice, it does nothing. An
  /// interrupt does not cut it short.
  @Override
  public void close() {
    boolean interrupted = Thread.interrupted(); // or the JDK's server would be left half-way
    List<DemoSession> open;
    synchronized (this) {
      closing = true;
      open = List.copyOf(sessions.values());
      sessions.clear();
      changed();
    }
    open.forEach(DemoSession::cancel); // all of them, before the first is waited for
    open.forEach(DemoSession::end);
    Deadline.after(END).await(nanos -> await(() -> served() == 0, Duration.ofNanos(nanos)));
    interrupted |= Thread.interrupted();
    http.stop(0);
    requests.shutdownNow();
    requests.close();
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private synchronized int served() {
    return served;
  }

  /// Serves a request in its own thread.
  ///
  /// @throws IOException when the client could not be answered, or is not to be: only then does the
  ///     JDK's server close the connection and forget it
  private void handle(HttpExchange exchange) throws IOException {
    count(1, 0);
    try {
      new DemoExchange(exchange, this, options).serve();
    } catch (InterruptedException e) {
      throw new IOException("not answered", e);
    } catch (RuntimeException | Error e) {
      err.println("demo server: a request has failed: " + e);
      throw new IOException("not answered", e);
    } finally {
      count(-1, 0);
    }
  }

  private synchronized void count(int requests, int streams) {
    served += requests;
    shown += streams;
    changed();
  }

  /// A place among the streams that are being shown.
  interface Showing extends AutoCloseable {
    @Override
    void close();
  }

  /// Counts a stream until the place is closed.
  Showing showing() {
    count(0, 1);
    return () -> count(0, -1);
  }

  /// Begins a session.
  ///
  /// @throws DemoExchange.Refused if there are too many, or the server is being closed
  DemoSession begin() throws DemoExchange.Refused {
    byte[] random = new byte[24];
    RANDOM.nextBytes(random);
    String id = Base64.getUrlEncoder().withoutPadding().encodeToString(random);
    var session = new DemoSession(id, options.getStream(), err, this::changed, this::forget);
    synchronized (this) {
      if (closing) {
        throw new DemoExchange.Refused(503, "the server is ending");
      }
      if (sessions.size() >= MOST_SESSIONS) {
        throw new DemoExchange.Refused(503, "there are " + MOST_SESSIONS + " sessions already");
      }
      sessions.put(id, session);
      changed();
    }
    return session;
  }

  synchronized Optional<DemoSession> session(String id) {
    return Optional.ofNullable(sessions.get(id));
  }

  /// Forgets a session, then ends it; blocks while its calls leave, less than a second.
  void end(DemoSession session) {
    forget(session);
    session.end();
  }

  private synchronized void forget(DemoSession session) {
    sessions.remove(session.id());
    changed();
  }
}
