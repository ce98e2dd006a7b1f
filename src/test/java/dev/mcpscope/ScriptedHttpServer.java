package dev.mcpscope;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.End;
import dev.mcpscope.HttpWire.Request;
import dev.mcpscope.ScriptedSession.Call;
import dev.mcpscope.ScriptedSession.Log;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Stream;

/// An MCP server over HTTP that behaves, but for the faults it is told: in this JVM, on real
/// sockets.
///
/// ```java
/// try (var server = ScriptedHttpServer.with(on("tools/call", new Status(502)).once())) {
///   McpClient.use(ServerSpec.http(server.url()), client -> …);
///   server.awaitNoStreams(Duration.ofSeconds(1));
///   assertThat(server.violations()).isEmpty();
/// }
/// ```
///
/// A [HttpFault] is data. What a good server says is in [ScriptedSession], how an answer is told, and
/// mistold, in [HttpReply], how bytes go over a connection in [HttpWire]. It speaks streamable HTTP
/// of 2025-03-26 to 2025-11-25, HTTP+SSE instead by [HttpFault.Legacy], and 2026-07-28, instead or as
/// well, by [HttpFault.Serves].
///
/// Its tools: `echo {text}`; `never`, which is not answered; `progress {count}`, which reports so
/// often if it was asked to; `ask {message, on}`, which sends this request, on the stream of GET if
/// `on` is `stream`, else on its own, and is answered by what the client answers to it; `say
/// {messages}`, which sends these before its answer. In the modern era `ask` answers that it wants to
/// know something, and is answered when it is called again.
///
/// A thread per connection always reads, so that a client that goes is seen at once, whatever is
/// being answered; another thread answers. One lock guards all state. Any thread may call.
public final class ScriptedHttpServer implements AutoCloseable {
  private static final String PATH = "/mcp";
  private static final String JSON = "application/json";
  private static final String STREAM = "text/event-stream";
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  private final List<HttpFault> faults;
  private final Optional<HttpFault.Legacy> legacy;
  private final Eras eras;
  private final List<String> modernRevisions;
  final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();

  // Guarded by the lock.
  private final int[] met; // so many requests each fault has seen
  private final List<Request> requests = new ArrayList<>();
  private final List<String> violations = new ArrayList<>();
  private final Map<String, ScriptedSession> sessions = new LinkedHashMap<>();
  private final Set<String> deleted = new HashSet<>(); // ids of sessions
  private final ScriptedSession sessionless = new ScriptedSession(""); // of the modern era
  private final Set<Connection> connections = new LinkedHashSet<>();
  final Set<HttpReply> exchanges = new LinkedHashSet<>();
  final Set<String> released = new HashSet<>();
  private int connected;
  private int numbers;
  private ServerSocket listening;
  private ExecutorService threads;

  static final class Connection {
    final HttpWire wire;
    final int number;
    boolean gone; // guarded by the lock
    volatile Optional<Act.Stale> stale = Optional.empty();

    Connection(HttpWire wire, int number) {
      this.wire = wire;
      this.number = number;
    }
  }

  private ScriptedHttpServer(HttpFault... faults) {
    this.faults = List.of(faults);
    met = new int[faults.length];
    legacy = first(HttpFault.Legacy.class);
    eras = first(HttpFault.Serves.class).map(HttpFault.Serves::eras).orElse(Eras.LEGACY);
    modernRevisions =
        first(HttpFault.Speaks.class).map(told -> List.of(told.version())).orElse(eras.revisions);
  }

  /// Starts a server with these faults, and otherwise a good one, on a free port.
  public static ScriptedHttpServer with(HttpFault... faults) {
    var server = new ScriptedHttpServer(faults);
    server.listen(0);
    return server;
  }

  // What tests see and do.

  /// Returns its address, the same after [#startAgain()].
  public String url() {
    return origin() + PATH;
  }

  /// Returns every request so far, in the order in which they were read.
  public List<Request> requests() {
    return locked(() -> List.copyOf(requests));
  }

  /// Returns those which [HttpFault#on] calls so.
  public List<Request> requests(String at) {
    return requests().stream().filter(request -> request.is(at)).toList();
  }

  /// Returns what clients have done wrong, and in what this server has failed itself ("not
  /// understood"): a good client leaves none, whatever the faults.
  public List<String> violations() {
    return locked(() -> List.copyOf(violations));
  }

  /// Returns the ids of the sessions that it knows.
  public List<String> sessions() {
    return locked(() -> List.copyOf(sessions.keySet()));
  }

  /// Returns how many requests are being answered, streams among them. One that was answered whole,
  /// or whose client has gone, does not count.
  public int openExchanges() {
    return locked(exchanges::size);
  }

  /// Returns how many streams are open, of GET and of answers.
  public int openStreams() {
    return locked(() -> (int) exchanges.stream().filter(reply -> reply.isStream).count());
  }

  /// Returns how many connections are open, idle ones among them.
  public int openConnections() {
    return locked(connections::size);
  }

  /// Returns how many connections there were, ever.
  public int connections() {
    return locked(() -> connected);
  }

  /// Waits for a request; returns the first that is as wanted.
  public Request awaitRequest(Predicate<Request> wanted, Duration atMost) {
    return await("such a request", atMost, () -> requests.stream().filter(wanted).findFirst());
  }

  /// Waits until there were so many of these; returns the last of them.
  public Request awaitRequest(String at, int count) {
    return await(
        count + " times " + at,
        PATIENCE,
        () -> requests.stream().filter(r -> r.is(at)).skip(count - 1).findFirst());
  }

  /// Waits until so many streams are open.
  public void awaitStreams(int count) {
    await(count + " streams", PATIENCE, () -> when(openStreams() == count));
  }

  /// Waits until no stream is open.
  public void awaitNoStreams(Duration atMost) {
    await("no stream", atMost, () -> when(openStreams() == 0));
  }

  /// Waits until nothing is being answered.
  public void awaitNoExchanges(Duration atMost) {
    await("no exchange", atMost, () -> when(exchanges.isEmpty()));
  }

  /// Waits until so many requests are being answered, streams among them.
  public void awaitExchanges(int count) {
    await(count + " exchanges", PATIENCE, () -> when(exchanges.size() == count));
  }

  /// Waits until no connection is open.
  public void awaitNoConnections(Duration atMost) {
    await("no connection", atMost, () -> when(connections.isEmpty()));
  }

  /// Waits until there are so many sessions.
  public void awaitSessions(int count, Duration atMost) {
    await(count + " sessions", atMost, () -> when(sessions.size() == count));
  }

  /// Waits until a subscription is open whose filter, as it was acknowledged, is as wanted.
  public JsonObject awaitSubscription(Predicate<JsonObject> wanted) {
    return await(
        "such a subscription",
        PATIENCE,
        () ->
            subscribed().map(listen -> listen.subscription().filter()).filter(wanted).findFirst());
  }

  /// Returns the filters of all subscriptions that are open, as they were acknowledged.
  public List<JsonObject> subscriptions() {
    return locked(() -> subscribed().map(listen -> listen.subscription().filter()).toList());
  }

  /// Returns the requests of all subscriptions that are open.
  public List<Request> listens() {
    return locked(() ->
        exchanges.stream()
            .filter(reply -> reply.listen.isPresent())
            .map(reply -> reply.request)
            .toList());
  }

  /// Sends a message on the stream of GET of each session. What no stream is open for is sent on the
  /// next one. In the modern era: tells it to each subscription that wants it, with the id of that,
  /// unless it names one itself.
  public void push(String json) {
    change(() -> {
      if (sessions.isEmpty() && subscribed().findAny().isEmpty()) {
        throw new IllegalStateException("there is no session, and no subscription");
      }
      sessions.values().forEach(session -> session.log.add(json));
      subscribed().forEach(listen -> listen.tell(json));
    });
  }

  private Stream<HttpReply.Listen> subscribed() {
    return exchanges.stream().flatMap(reply -> reply.listen.stream());
  }

  /// Ends all subscriptions well, each by its result. What ends them otherwise is
  /// [#endStreams].
  public void endSubscriptions() {
    change(() -> subscribed().forEach(HttpReply.Listen::end));
  }

  /// Lets go on what this gate has held, or will hold.
  public void release(String gate) {
    change(() -> released.add(gate));
  }

  /// Ends all streams so, those of answers too.
  public void endStreams(End end) {
    change(() ->
        exchanges.stream()
            .filter(reply -> reply.isStream)
            .forEach(reply -> reply.asked = Optional.of(end)));
  }

  /// Forgets all sessions: a client that comes with one is answered 404.
  public void forgetSessions() {
    change(sessions::clear);
  }

  /// Goes away: no connection is accepted, all are closed, sessions are forgotten. What it has seen
  /// stays. Returns when its threads have ended; waits five seconds for them at most.
  public void stop() {
    List<Connection> open =
        locked(() -> {
          closeListening();
          return List.copyOf(connections);
        });
    open.forEach(connection -> gone(connection, End.CLOSE));
    change(sessions::clear); // only now: no request is to be told so in the last moment
    threads.shutdown();
    try {
      if (!threads.awaitTermination(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
        throw new AssertionError("threads of the scripted server do not end: " + threads);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// Comes back on the same port.
  ///
  /// @throws UncheckedIOException when somebody else has it by now
  public void startAgain() {
    listen(listening.getLocalPort());
  }

  /// Stops; see [#stop()].
  @Override
  public void close() {
    stop();
  }

  // Connections.

  private void listen(int port) {
    try {
      ServerSocket socket = bound(port);
      locked(() -> {
        listening = socket;
        threads = Executors.newVirtualThreadPerTaskExecutor();
        threads.execute(() -> accept(socket));
        return null;
      });
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static ServerSocket bound(int port) throws IOException {
    var socket = new ServerSocket();
    try {
      socket.setReuseAddress(true);
      socket.bind(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), port), 512);
      return socket;
    } catch (IOException e) {
      socket.close();
      throw e;
    }
  }

  private void closeListening() {
    try {
      listening.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private String origin() {
    return "http://127.0.0.1:" + locked(() -> listening.getLocalPort());
  }

  private void accept(ServerSocket socket) {
    while (!socket.isClosed()) {
      try {
        var wire = new HttpWire(socket.accept());
        change(() -> {
          if (socket.isClosed()) { // who closed it has looked for connections already
            wire.end(End.CLOSE);
            return;
          }
          var connection = new Connection(wire, ++connected);
          connections.add(connection);
          threads.execute(() -> read(connection));
        });
      } catch (IOException e) {
        // closed, or a client that has gone already
      }
    }
  }

  private void read(Connection connection) {
    End end = End.CLOSE;
    try {
      while (connection.wire.awaitByte()) {
        Optional<Act.Stale> stale = afterItsExchange(connection);
        if (stale.isPresent() && !stale.get().read()) {
          end = End.RESET;
          return;
        }
        Request request = connection.wire.read(connection.number);
        change(() -> {
          requests.add(request);
          if (stale.isEmpty() && !connection.gone) {
            var reply = new HttpReply(this, connection, request);
            exchanges.add(reply);
            threads.execute(() -> answer(reply));
          }
        });
        if (stale.isPresent()) {
          return;
        }
      }
    } catch (IOException e) {
      // the client has gone, or we have
    } finally {
      gone(connection, end);
    }
  }

  /// Waits until what the connection answers is answered: the first byte of the next request may be
  /// there a moment before.
  private Optional<Act.Stale> afterItsExchange(Connection connection) throws IOException {
    lock.lock();
    try {
      while (exchanges.stream().anyMatch(reply -> reply.connection == connection)) {
        awaitChange(connection, Long.MAX_VALUE);
      }
      return connection.stale;
    } finally {
      lock.unlock();
    }
  }

  private void gone(Connection connection, End end) {
    change(() -> {
      connection.gone = true;
      connections.remove(connection);
      exchanges.removeIf(reply -> reply.connection == connection);
    });
    connection.wire.end(end);
  }

  // Requests.

  private void answer(HttpReply reply) {
    try {
      respond(reply);
    } catch (JsonException | RuntimeException e) {
      violate("not understood (" + e + "): " + reply.request);
      gone(reply.connection, End.CLOSE);
    } catch (IOException e) {
      gone(reply.connection, End.CLOSE);
    }
  }

  /// A DELETE may overtake what its client has cancelled on another connection, and such a client
  /// leaves that one. Who stays wants an answer of the session that it has deleted, and is wrong.
  /// Under the lock, which it lets go while it waits.
  private void letThoseGoWhoDeletedTheirSession(HttpReply reply) throws IOException {
    long end = System.nanoTime() + PATIENCE.toNanos();
    boolean late = deleted.contains(sessionId(reply.request));
    while (late && awaitChange(reply.connection, end)) {
      // for something else
    }
  }

  private void respond(HttpReply reply) throws IOException {
    Request request = reply.request;
    boolean get = request.method().equals("GET");
    if (legacy.isPresent() && !get && request.path().equals(PATH)) {
      reply.plain(legacy.get().status(), Map.of(), "");
      return;
    }
    Optional<Act> act = actAt(reply);
    Optional<Refusal> refusal;
    ScriptedSession session; // null if there is none yet
    lock.lock();
    try {
      letThoseGoWhoDeletedTheirSession(reply); // in one with the check: no DELETE comes between
      refusal = check(request);
      session = isModern(request) ? sessionless : sessions.get(sessionId(request));
    } finally {
      lock.unlock();
    }
    switch (act.orElse(null)) {
      case Act.Stale stale -> reply.connection.stale = Optional.of(stale);
      case Act.Quirk quirk when quirk == Act.Quirk.CLOSES_AFTER -> reply.closesAfter = true;
      case null, default -> {}
    }
    switch (act.orElse(null)) {
      case Act.Answer(int code, String message) ->
          say(reply, code, (JsonObject) ScriptedSession.read(message), request.id());
      case Act.NoAnswer(End end) -> reply.finish(end, new byte[0]);
      case Act.Status(int code, var headers, String body) -> reply.plain(code, headers, body);
      case Act.Raw(String latin1, End end) -> reply.finish(end, latin1.getBytes(ISO_8859_1));
      case Act.Endless(String type, String start, String repeated) ->
          reply.repeat(type, start, repeated, 0);
      case Act.Drip(String type, String start, int millis) ->
          reply.repeat(type, start, "x", millis);
      case null, default -> {
        if (refusal.isPresent()) {
          JsonObject error = JsonObject.of("error", refusal.get().error());
          say(reply, refusal.get().status(), error, refusal.get().id());
        } else if (get) {
          get(reply, session, act);
        } else if (request.method().equals("DELETE")) {
          change(() -> {
            sessions.remove(sessionId(request));
            deleted.add(sessionId(request));
          });
          reply.plain(200, Map.of(), "");
        } else {
          post(reply, session, (JsonObject) request.message(), act);
        }
      }
    }
  }

  /// Returns what is done to this request; waits for gates that hold it.
  private Optional<Act> actAt(HttpReply reply) throws IOException {
    lock.lock();
    try {
      for (int i = 0; i < met.length; i++) {
        if (faults.get(i) instanceof HttpFault.On on && reply.request.is(on.at())) {
          int met = ++this.met[i] - on.skipped();
          if (met >= 1 && met <= on.count()) {
            switch (on.act()) {
              case Act.Held(String gate, boolean headAtOnce) when headAtOnce ->
                  reply.gate = Optional.of(gate);
              case Act.Held(String gate, _) -> reply.awaitGate(gate);
              case Act.Quirk quirk when quirk == Act.Quirk.FORGETS_SESSIONS -> sessions.clear();
              default -> {
                return Optional.of(on.act());
              }
            }
          }
        }
      }
      return Optional.empty();
    } finally {
      lock.unlock();
    }
  }

  private static void say(HttpReply reply, int status, JsonObject message, JsonValue id)
      throws IOException {
    JsonObject whole = JsonObject.of("jsonrpc", "2.0");
    for (var member : message.members().entrySet()) {
      whole = whole.with(member.getKey(), member.getValue());
    }
    reply.plain(status, Map.of("Content-Type", JSON), whole.with("id", id).toString());
  }

  /// Why a good server does not serve a request.
  ///
  /// @param id of the message that says so
  private record Refusal(int status, JsonObject error, JsonValue id) {
    Refusal(int status, String text) {
      this(status, JsonObject.of("code", -32000, "message", text), JsonNull.INSTANCE);
    }
  }

  private Optional<Refusal> check(Request request) {
    boolean post = request.method().equals("POST");
    if (!(eras == Eras.MODERN ? Set.of("POST") : Set.of("GET", "POST", "DELETE"))
        .contains(request.method())) {
      return refusal(405, "no such method", request);
    }
    if (!(legacy.isPresent() && post) && !isAtItsPath(request)) {
      return refusal(404, "no such path", request);
    }
    if (post && !(request.message() instanceof JsonObject)) {
      return refusal(400, "no JSON-RPC message", request);
    }
    if (post && !request.header("Content-Type").orElse("").startsWith(JSON)) {
      return refusal(415, "wrong Content-Type", request);
    }
    if (legacy.isPresent() && request.method().equals("DELETE")) {
      return Optional.of(new Refusal(405, "no such method"));
    }
    if (legacy.isPresent()) {
      return post && !sessions.containsKey(sessionId(request))
          ? Optional.of(new Refusal(404, "no such session"))
          : Optional.empty();
    }
    String accept = request.header("Accept").orElse("");
    if (post && !accept.contains(JSON)
        || !request.method().equals("DELETE") && !accept.contains(STREAM)) {
      return refusal(406, "wrong Accept", request);
    }
    if (isModern(request)) {
      return checkModern(request);
    }
    return request.is("initialize") ? checkInitialize(request) : checkSession(request);
  }

  private boolean isModern(Request request) {
    return legacy.isEmpty() && eras.areModernTo(ModernEra.marks(request));
  }

  private Optional<Refusal> checkModern(Request request) {
    JsonObject message = (JsonObject) request.message();
    if (request.header("Mcp-Session-Id").isPresent()) {
      violations.add("there is no session: " + request); // and it does no harm
    }
    if (request.is("response")) {
      return refusal(400, "nothing is asked by requests", request);
    }
    if (!ScriptedSession.isRequest(message)) {
      violations.add("nothing is told to a server but requests: " + request);
      return Optional.empty();
    }
    return ModernEra.refusal(request, modernRevisions)
        .map(error -> {
          if (!ModernEra.isAsking(error)) {
            violations.add(error + ": " + request);
          }
          return new Refusal(ModernEra.status(error), error, request.id());
        });
  }

  /// Whether a request is for the URL itself, with whatever query.
  private static boolean isAtItsPath(Request request) {
    return request.path().equals(PATH) || request.path().startsWith(PATH + "?");
  }

  private Optional<Refusal> checkInitialize(Request request) {
    if (request.header("Mcp-Session-Id").isPresent()) {
      violations.add("initialize in a session: " + request);
    }
    return Optional.empty();
  }

  private Optional<Refusal> checkSession(Request request) {
    String id = sessionId(request);
    if (id.isEmpty() && ModernEra.marks(request)) {
      return Optional.of(new Refusal(400, "no session id")); // who asks which era this is
    }
    if (deleted.contains(id)) {
      return refusal(404, "the session was deleted", request);
    }
    if (id.isEmpty() && !isStateless()) {
      return refusal(400, "no session id", request);
    }
    ScriptedSession session = sessions.get(id);
    if (session == null) {
      return Optional.of(new Refusal(404, "no such session"));
    }
    String version = request.header("MCP-Protocol-Version").orElse("");
    // Who could not read the answer to `initialize` does not know the version, and may say so.
    boolean unread = request.method().equals("DELETE") && !session.used && version.isEmpty();
    session.used = true;
    boolean required = session.version.compareTo("2025-06-18") >= 0 && !unread;
    if (required && !version.equals(session.version)) {
      return refusal(400, "wrong MCP-Protocol-Version", request);
    }
    return Optional.empty();
  }

  private Optional<Refusal> refusal(int status, String message, Request request) {
    violations.add(message + ": " + request);
    return Optional.of(new Refusal(status, message));
  }

  private String sessionId(Request request) {
    return legacy.isPresent()
        ? request.path().replaceFirst(".*=", "")
        : request.header("Mcp-Session-Id").orElse("");
  }

  private boolean isStateless() {
    return faults.contains(new HttpFault.SessionId(""));
  }

  private ScriptedSession open() {
    numbers++;
    String id =
        first(HttpFault.SessionId.class)
            .map(HttpFault.SessionId::id)
            .orElse("session-" + numbers + "-" + Integer.toHexString(hashCode()));
    var session = new ScriptedSession(id);
    sessions.put(id, session);
    deleted.remove(id);
    changed.signalAll();
    return session;
  }

  // POST.

  private void post(HttpReply reply, ScriptedSession known, JsonObject message, Optional<Act> act)
      throws IOException {
    if (!ScriptedSession.isRequest(message)) {
      change(() -> {
        if (reply.request.is("response")
            && !known.answered(reply.request.id(), reply.request.body())) {
          violations.add("nothing was asked by this id: " + reply.request);
        }
      });
      reply.plain(202, Map.of(), "");
      return;
    }
    lock.lock();
    ScriptedSession session;
    Log log;
    try {
      boolean opens = legacy.isEmpty() && reply.request.is("initialize");
      session = opens ? open() : known;
      if (session != sessionless
          && !session.isNew(reply.request.id())) { // else it may be of anybody
        violations.add("a second request of this id: " + reply.request);
      }
      log = legacy.isPresent() ? session.log : new Log("answer-" + ++numbers, false);
      if (session != sessionless) {
        session.logs.put(log.name, log);
      }
      if (act.orElse(null) instanceof Act.Says(List<String> messages)) {
        log.wantsStream = true;
        messages.forEach(log::add);
      }
      if (legacy.isEmpty()) {
        serve(session, reply, message, log, act);
      }
    } finally {
      lock.unlock();
    }
    if (legacy.isPresent()) {
      reply.plain(202, Map.of("Content-Type", "text/plain"), "Accepted");
      lock.lock();
      try {
        serve(session, reply, message, log, act);
      } finally {
        lock.unlock();
      }
      return;
    }
    var headers = new LinkedHashMap<String, String>();
    if (reply.request.is("initialize") && !isStateless()) {
      headers.put("Mcp-Session-Id", session.id);
    } else if (session == sessionless && !isStateless()) {
      first(HttpFault.SessionId.class).ifPresent(told -> headers.put("Mcp-Session-Id", told.id()));
    }
    reply.deliver(log, act, headers);
  }

  private void serve(
      ScriptedSession session, HttpReply reply, JsonObject message, Log log, Optional<Act> act)
      throws IOException {
    JsonObject params = message.optionalObject("params").orElse(JsonObject.EMPTY);
    var call = new Call(reply.request, session == sessionless, log, act);
    switch (session == sessionless ? reply.request.rpcMethod() : "") {
      case "server/discover" ->
          call.result(ModernEra.discovered(modernRevisions, ScriptedSession.capabilities(faults)));
      case "subscriptions/listen" -> listen(reply, params, log);
      default -> session.serve(params, call, faults);
    }
    changed.signalAll();
  }

  private void listen(HttpReply reply, JsonObject params, Log log) throws IOException {
    var subscription =
        ScriptedSubscription.of(reply.request.id(), params, ScriptedSession.capabilities(faults));
    var told = first(HttpFault.Acknowledges.class);
    if (told.isPresent()) {
      JsonObject filter = (JsonObject) ScriptedSession.read(told.get().filter());
      subscription = new ScriptedSubscription(reply.request.id(), filter);
    }
    var listen = new HttpReply.Listen(subscription, log);
    reply.listen = Optional.of(listen);
    log.wantsStream = true;
    log.add(subscription.acknowledgement().toString());
    if (faults.contains(new HttpFault.HangsUp())) {
      listen.end();
    }
  }

  // GET.

  private void get(HttpReply reply, ScriptedSession known, Optional<Act> act) throws IOException {
    Optional<Act.Stops> stops = act.map(a -> a instanceof Act.Stops s ? s : null);
    boolean ids = stops.map(Act.Stops::ids).orElse(legacy.isEmpty());
    String after = reply.request.header("Last-Event-ID").orElse("");
    lock.lock();
    ScriptedSession session;
    Log log;
    int from;
    boolean polls;
    try {
      session = legacy.isPresent() ? open() : known;
      log = session.logs.get(after.replaceFirst("/.*", ""));
      if (log == null) {
        if (!after.isEmpty()) {
          violations.add("no such event: " + reply.request);
        }
        log = session.log;
        from = log.taken;
      } else {
        from = Integer.parseInt(after.replaceFirst(".*/", "").replaceFirst("\\..*", ""));
        if (!log.lastId.isEmpty() && !log.lastId.equals(after)) {
          violations.add("not the last event's id: " + reply.request);
        }
      }
      polls = log.rounds > 0;
      if (act.orElse(null) instanceof Act.Says(List<String> messages)) {
        messages.forEach(log::add);
      }
    } finally {
      lock.unlock();
    }
    var headers = new LinkedHashMap<String, String>();
    if (legacy.isPresent()) {
      for (String endpoint : legacy.get().endpoints()) {
        String data = endpoint.replace("{origin}", origin()).replace("{session}", session.id);
        reply.prologue += "event: endpoint\ndata: " + data + "\n\n";
      }
    }
    if (polls) {
      reply.poll(log, log.retryMillis, headers);
      return;
    }
    try {
      reply.stream(log, from, stops, ids, headers);
    } finally {
      if (legacy.isPresent()) {
        change(() -> sessions.remove(session.id));
      }
    }
  }

  // The lock.

  /// Waits with the lock held, until something has changed.
  ///
  /// @return false when it is late
  /// @throws IOException when the connection has gone
  boolean awaitChange(Connection connection, long end) throws IOException {
    boolean inTime = true;
    try {
      if (!connection.gone && end == Long.MAX_VALUE) {
        changed.await();
      } else if (!connection.gone) {
        inTime = changed.awaitNanos(end - System.nanoTime()) > 0;
      }
    } catch (InterruptedException e) {
      throw new IOException(e); // nobody does that
    }
    if (connection.gone) {
      throw new IOException("the client has gone");
    }
    return inTime;
  }

  private <T> T await(String what, Duration atMost, Supplier<Optional<T>> wanted) {
    lock.lock();
    try {
      long left = atMost.toNanos();
      Optional<T> found;
      while ((found = wanted.get()).isEmpty() && left > 0) {
        left = changed.awaitNanos(left);
      }
      return found.orElseThrow(
          () -> new AssertionError("not in " + atMost.toMillis() + " ms: " + what + "; " + this));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted in waiting for " + what, e);
    } finally {
      lock.unlock();
    }
  }

  private static Optional<Boolean> when(boolean condition) {
    return condition ? Optional.of(true) : Optional.empty();
  }

  <T> T locked(Supplier<T> look) {
    lock.lock();
    try {
      return look.get();
    } finally {
      lock.unlock();
    }
  }

  void change(Runnable change) {
    lock.lock();
    try {
      change.run();
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private void violate(String violation) {
    change(() -> violations.add(violation));
  }

  <F extends HttpFault> Optional<F> first(Class<F> type) {
    return faults.stream().filter(type::isInstance).map(type::cast).findFirst();
  }

  /// Tells what it has seen, for a test that fails.
  @Override
  public String toString() {
    return locked(() ->
        "%d streams, %d exchanges, %d connections, sessions %s, violations %s, requests:\n%s"
            .formatted(
                openStreams(),
                exchanges.size(),
                connections.size(),
                sessions.keySet(),
                violations,
                String.join("\n", requests.stream().map(Request::toString).toList())));
  }
}
