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
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/// The demo server over streamable HTTP, at `/mcp` on 127.0.0.1, for the tour and for tests; of both
/// [eras][DemoServer.Eras] at once, unless told otherwise.
///
/// [Legacy](https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http):
/// each client that sends `initialize` gets a session with a server of its own. A `tools/call` is
/// always answered by a stream of events, since it may talk before its answer, and every other
/// request by JSON. What belongs to no call, the update of a resource, goes to the stream that a
/// client opens by GET; what comes while none is open waits for the next one. A GET with
/// `Last-Event-ID` shows the rest of any stream of the session. Batches, which one old revision had,
/// are refused.
///
/// [Modern](https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http):
/// each request has a server of its own, which ends with it; all that lasts is the notes, which are
/// the same for all. A call and a subscription are answered by a stream, unless they are refused.
/// Nothing can be resumed: a client that closes its stream has cancelled the request, which is noticed
/// by the next event or heartbeat.
///
/// The tool `crash` ends no process here, however the server was started: it ends the session, or a
/// modern request. The connections break without an answer, and the session's id is unknown from then
/// on. The tool `cut`, which there is only here and in the legacy era, closes the stream of its call,
/// so that a client has to come back for the answer.
///
/// Where it is opened: [#open]. Where it is closed: [#close()]. It owns a server socket, the JDK's
/// dispatcher thread, a virtual thread for each request and one for each call. A session lasts until
/// its client ends it, it crashes, or the server is closed: a client that went without a word keeps
/// its place.
public final class DemoHttpServer implements AutoCloseable {
  private static final int MOST_SESSIONS = 64;
  private static final int MOST_REQUESTS = 64; // without a session
  private static final Duration END = Duration.ofSeconds(1);
  private static final SecureRandom RANDOM = new SecureRandom();

  static {
    try {
      Class.forName(Front.class.getName()); // sets what the JDK reads once for all of its servers
    } catch (ClassNotFoundException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  /// What kind of server it is; all but `eras` and `heartbeat` is of the legacy era.
  ///
  /// @param eras which eras of the protocol it speaks
  /// @param sessions whether there are sessions; without them each request has a server of its own,
  ///     which ends with it
  /// @param getStream whether GET is answered by a stream, and streams can be resumed; not without
  ///     sessions
  /// @param heartbeat after which silence a stream shows that it lives, 10 ms or more; default 15 s
  public record Options(
      DemoServer.Eras eras, boolean sessions, boolean getStream, Duration heartbeat) {

    /// Checks what goes together.
    public Options {
      if (getStream && !sessions) {
        throw new IllegalArgumentException("a stream by GET needs a session");
      }
      if (heartbeat.compareTo(Duration.ofMillis(10)) < 0) {
        throw new IllegalArgumentException("heartbeat must be 10 ms or more, is " + heartbeat);
      }
    }

    /// For both eras.
    public Options(boolean sessions, boolean getStream, Duration heartbeat) {
      this(DemoServer.Eras.DUAL, sessions, getStream, heartbeat);
    }

    /// Returns the defaults: everything that there is.
    public static Options defaults() {
      return new Options(true, true, Duration.ofSeconds(15));
    }

    /// Returns these options with another choice of eras.
    public Options withEras(DemoServer.Eras eras) {
      return new Options(eras, sessions, getStream, heartbeat);
    }
  }

  private final HttpServer http;
  private final ExecutorService requests;
  private final PrintStream err;
  private final Options options;

  /// All that lasts from one modern request to the next, whoever sends them.
  private final DemoNotes notes = new DemoNotes();

  // guarded by this
  private final Map<String, DemoSession> sessions = new LinkedHashMap<>();
  private final Set<DemoSession> alone = new HashSet<>(); // each for one request
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

  /// Returns the ids of the open sessions, the oldest one first.
  public synchronized List<String> sessions() {
    return List.copyOf(sessions.keySet());
  }

  /// Returns how many streams of events are being shown to clients, by GET and by POST.
  public synchronized int streams() {
    return shown;
  }

  /// Returns the JSON texts of the ids of the calls that run and of the modern subscriptions, of all
  /// clients.
  public synchronized List<String> calls() {
    return all().stream()
        .flatMap(session -> session.running().stream())
        .map(Object::toString)
        .sorted()
        .toList();
  }

  private synchronized List<DemoSession> all() {
    var all = new ArrayList<>(sessions.values());
    all.addAll(alone);
    return all;
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
      open = all();
      sessions.clear();
      alone.clear();
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
    DemoSession session = session(id, options.getStream(), new DemoNotes());
    synchronized (this) {
      checkRoom(sessions.size(), MOST_SESSIONS, "sessions");
      sessions.put(id, session);
      changed();
    }
    return session;
  }

  /// Begins what is there for one request without a session, and has to be ended with it.
  ///
  /// @param modern whether it is of the modern era, whose clients share the notes
  /// @throws DemoExchange.Refused if there are too many, or the server is being closed
  DemoSession alone(boolean modern) throws DemoExchange.Refused {
    DemoSession session = session("", false, modern ? notes : new DemoNotes());
    synchronized (this) {
      checkRoom(alone.size(), MOST_REQUESTS, "requests");
      alone.add(session);
      changed();
    }
    return session;
  }

  private DemoSession session(String id, boolean resumable, DemoNotes of) {
    return new DemoSession(id, resumable, of, err, this::changed, this::forget);
  }

  private synchronized void checkRoom(int taken, int most, String what)
      throws DemoExchange.Refused {
    if (closing) {
      throw new DemoExchange.Refused(503, "the server is ending");
    }
    if (taken >= most) {
      throw new DemoExchange.Refused(503, "there are " + most + " " + what + " already");
    }
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
    alone.remove(session);
    changed();
  }
}
