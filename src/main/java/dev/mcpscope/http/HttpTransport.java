package dev.mcpscope.http;

import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.rpc.RpcCodec;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import dev.mcpscope.scope.Deadline;
import dev.mcpscope.scope.Mailbox;
import dev.mcpscope.scope.Task;
import dev.mcpscope.scope.TaskScope;
import dev.mcpscope.transport.CallFailure;
import dev.mcpscope.transport.Closing;
import dev.mcpscope.transport.Health;
import dev.mcpscope.transport.Inbox;
import dev.mcpscope.transport.Loss;
import dev.mcpscope.transport.OverloadedException;
import dev.mcpscope.transport.ReconnectBudget;
import dev.mcpscope.transport.Transport;
import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/// A server that is reached over HTTP: each message is a POST of its own, answers come back on it,
/// and on a stream of its own comes what the server says unasked.
///
/// One task, `http`, which has a scope of its own in the connection's: in it every exchange
/// ([Exchange]) and the stream ([ServerStream]) is a subtask, so that a thread dump shows what is on
/// the wire, and nothing of it outlives the connection. Where it is closed: [#close(Closing)].
///
/// The owner of that scope keeps the order that one pipe would keep by itself: after `initialize`
/// nothing is sent before the server has taken `notifications/initialized` and the stream is open.
/// And it begins the session anew when the server has forgotten it: what comes meanwhile waits, what
/// was refused for it is sent again, once.
///
/// @see <a
///     href="https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http">
///     Streamable HTTP, revision 2025-11-25</a>
public final class HttpTransport implements Transport {
  private static final System.Logger LOG = System.getLogger("dev.mcpscope.http");

  /// How long calls wait for the stream: there are servers that send its head with its first event.
  private static final Duration STREAM = Duration.ofSeconds(2);

  /// How many streams may stay open after the answer that they were for.
  private static final int MOST_LINGERING = 16;

  static final String INITIALIZE = "initialize";
  static final String INITIALIZED = "notifications/initialized";
  static final String CANCELLED = "notifications/cancelled";

  /// What the transport is bounded by.
  ///
  /// @param message the messages; its `maxBytes` is the cap on a body, and on an event and its lines
  /// @param waitingBytes how many bytes of requests may be on their way; 1 or more
  /// @param exchanges how many requests may be on their way; 1 or more
  /// @param patience for the server to take what is no request, for which nobody waits, and to begin a session
  ///     anew; more than zero
  public record Limits(JsonLimits message, long waitingBytes, int exchanges, Duration patience) {
    /// Checks the ranges.
    public Limits {
      if (waitingBytes < 1 || exchanges < 1 || !patience.isPositive()) {
        throw new IllegalArgumentException(
            "waitingBytes, exchanges and patience must be more than zero, are %d, %d and %s"
                .formatted(waitingBytes, exchanges, patience));
      }
    }

    /// Returns 16 MiB a message, 32 MiB and 1,024 on their way, and 30 s.
    public static Limits defaults() {
      return new Limits(JsonLimits.defaults(), 32L << 20, 1_024, Duration.ofSeconds(30));
    }

    /// Returns the same with these limits of a message, two of which may be on their way.
    public Limits withMessage(JsonLimits message) {
      return new Limits(message, 2L * message.maxBytes(), exchanges, patience);
    }
  }

  /// Which of the two ways is spoken.
  public enum Way {
    /// Streamable HTTP; the older way where the server does not know it.
    STREAMABLE,
    /// HTTP with server-sent events, of revision 2024-11-05.
    LEGACY
  }

  /// What the owner is told.
  private sealed interface Mail {
    record Resolved(Optional<CallFailure> refusal) implements Mail {}

    record Send(Exchange exchange) implements Mail {}

    /// @param begun which of the sessions
    record Initialized(int begun, Throwable failure) implements Mail {}

    record Listens(ServerStream stream) implements Mail {}

    record Forgotten(Optional<Exchange> refused, HttpSession session) implements Mail {}

    record TryLegacy(Exchange initialize, CallFailure refusal) implements Mail {}

    record Legacy() implements Mail {}

    record NoLegacy(CallFailure why) implements Mail {}

    record Ended(Optional<Exchange> exchange, Throwable failure) implements Mail {}
  }

  private final String name;
  private final Way way;
  private final Limits limits;
  private final ReconnectBudget reconnects;
  private final Inbox inbox;
  private final HttpClient http;
  private final Lookup lookup;
  private final Mailbox<Mail> mailbox = new Mailbox<>(1);

  // any thread
  private final Map<JsonValue, Exchange> requests = new ConcurrentHashMap<>();
  private final Set<Fetch> fetches = ConcurrentHashMap.newKeySet();
  private final TakenEvents takenEvents = new TakenEvents();
  private final AtomicLong waitingBytes = new AtomicLong();
  private final AtomicInteger waiting = new AtomicInteger();
  private final AtomicInteger lingering = new AtomicInteger();
  private final AtomicLong answers = new AtomicLong();
  // that the server has begun, in an answer to `initialize` that then broke off
  private final Queue<HttpSession> left = new ConcurrentLinkedQueue<>();
  private volatile boolean closed;
  private volatile HttpSession session = HttpSession.NONE;
  private volatile Target target;
  private volatile boolean legacy; // then the target is an endpoint of the older way
  private volatile String version; // that the first session agreed on
  private Health health = new Health.Good(); // guarded by fetches

  // the owner's own
  private final ArrayDeque<Exchange> held = new ArrayDeque<>();
  private boolean holding = true; // until it is known how to send
  private Deadline release = Deadline.NEVER;
  private int begun = 1; // so many sessions, the one that is being begun among them
  private boolean renewing;
  private ServerStream stream; // the current session's
  private Exchange initializing; // while the older way is tried
  private CallFailure refusal; // that it was tried for
  private CallFailure broken; // why nothing can be sent at all
  private final Renewal renewal = new Renewal(this);

  private HttpTransport(
      String name,
      Target target,
      Way way,
      Limits limits,
      ReconnectBudget reconnects,
      HttpClient http,
      Lookup.Resolver resolver,
      Inbox inbox) {
    this.name = name + " http";
    this.target = target;
    this.way = way;
    this.limits = limits;
    this.reconnects = reconnects;
    this.http = http;
    this.lookup = new Lookup(this.name + " resolver", target.url().getHost(), resolver);
    this.inbox = inbox;
  }

  /// Makes a connection that has nothing on the wire yet; only by its owner.
  ///
  /// @param name the connection's, for the names of its threads
  /// @param headers the user's, for every request
  /// @param pool whose sockets are used
  public static HttpTransport open(
      String name,
      URI url,
      Map<String, String> headers,
      Way way,
      Limits limits,
      ReconnectBudget reconnects,
      HttpPool pool,
      Inbox inbox) {
    return open(
        name, url, headers, way, limits, reconnects, pool, InetAddress::getAllByName, inbox);
  }

  static HttpTransport open(
      String name,
      URI url,
      Map<String, String> headers,
      Way way,
      Limits limits,
      ReconnectBudget reconnects,
      HttpPool pool,
      Lookup.Resolver resolver,
      Inbox inbox) {
    Target target = Target.of(url, headers);
    return new HttpTransport(name, target, way, limits, reconnects, pool.client(), resolver, inbox);
  }

  @Override
  public List<Work> tasks() {
    return List.of(new Work("http", false, this::run));
  }

  @Override
  public void send(RpcMessage message) throws OverloadedException {
    send(message, Map.of());
  }

  @Override
  public void send(RpcMessage.Request request, Map<String, String> mirrored)
      throws OverloadedException {
    send((RpcMessage) request, mirrored);
  }

  @Override
  public boolean mirrorsArguments() {
    return true;
  }

  private void send(RpcMessage message, Map<String, String> arguments) throws OverloadedException {
    if (message instanceof RpcMessage.Notification(var method, var params)
        && method.equals(CANCELLED)
        && !cancel(params.get("requestId"))) {
      return; // "MUST only reference requests that were previously issued"
    }
    byte[] body = RpcCodec.encode(message);
    // Answers have some room of their own: a server must not go without because many calls wait.
    int room = message instanceof RpcMessage.Request ? 1 : 2;
    Map<String, String> mirrored = MirroredHeaders.of(message, arguments);
    Exchange exchange = exchange(message, body, mirrored, false, new ToInbox(message));
    if (waiting.get() > room * limits.exchanges()
        || waitingBytes.get() > room * limits.waitingBytes()) {
      exchange.end();
      throw new OverloadedException(
          "%d messages of %d bytes are on their way; the limits are %d and %d"
              .formatted(
                  waiting.get(), waitingBytes.get(), limits.exchanges(), limits.waitingBytes()));
    }
    if (message instanceof RpcMessage.Request request) {
      requests.put(request.id().value(), exchange); // before it runs: it may be cancelled next
    }
    if (!mailbox.post(new Mail.Send(exchange))) {
      exchange.end(); // closed: whoever waits for it is told so, by the connection's owner
    }
  }

  /// Makes an exchange of the renewal, that does not run yet.
  Exchange exchange(RpcMessage message, byte[] body, Exchange.Receiver receiver) {
    return exchange(message, body, Map.of(), true, receiver);
  }

  private Exchange exchange(
      RpcMessage message,
      byte[] body,
      Map<String, String> mirrored,
      boolean renews,
      Exchange.Receiver receiver) {
    waiting.incrementAndGet();
    waitingBytes.addAndGet(body.length);
    return new Exchange(this, message, body, mirrored, renews, receiver);
  }

  /// "Disconnection SHOULD NOT be interpreted as the client cancelling its request": so the server is
  /// told, and nobody reads its answer any more.
  ///
  /// @return false when there is nothing to tell: the request was held back, and is not sent any more,
  ///     or its stream is closed, which says it
  private boolean cancel(JsonValue id) {
    Exchange exchange = id == null ? null : requests.get(id);
    return exchange == null || exchange.cancel();
  }

  /// Where what comes of an exchange goes.
  private final class ToInbox implements Exchange.Receiver {
    private final RpcMessage sent;

    ToInbox(RpcMessage sent) {
      this.sent = sent;
    }

    @Override
    public void received(RpcMessage message, int bytes) {
      inbox.received(message, bytes);
    }

    @Override
    public void failed(CallFailure failure) {
      if (sent instanceof RpcMessage.Request request) {
        inbox.failed(request.id(), failure);
      } else {
        LOG.log(System.Logger.Level.DEBUG, "{0}: not taken: {1}", target, failure.message());
      }
    }
  }

  // The task, and owner of its scope.

  private void run() throws InterruptedException {
    try (var scope = TaskScope.open(name, mailbox)) {
      fork(scope, "resolve", () -> mailbox.post(new Mail.Resolved(lookup.run())));
      while (true) {
        handle(scope, scope.take(release));
      }
    } finally {
      mailbox.close();
    }
  }

  private void handle(TaskScope<Mail> scope, Mail mail) {
    switch (mail) {
      case null -> late(scope);
      case Mail.Resolved(var refused) when refused.isPresent() -> unusable(refused.get());
      case Mail.Resolved _ when way == Way.LEGACY ->
          fork(scope, "stream", new LegacyStream(this)::run);
      case Mail.Resolved _ -> flow(scope);
      case Mail.Send(var exchange) -> sent(scope, exchange);
      // A handshake of a session that is over already says nothing of the one after it.
      case Mail.Initialized(var which, _) when which != begun -> {}
      case Mail.Initialized(_, var failure) -> initialized(scope, failure);
      case Mail.Listens(var which) -> {
        if (which == stream && holding) {
          flow(scope);
        }
      }
      case Mail.Forgotten(var refused, var lost) -> forgotten(scope, refused, lost);
      case Mail.TryLegacy(var exchange, var refused) -> {
        initializing = exchange;
        refusal = refused;
        fork(scope, "stream", new LegacyStream(this)::run);
      }
      case Mail.Legacy() -> {
        if (initializing != null) {
          start(scope, initializing);
          initializing = null;
        }
        flow(scope);
      }
      case Mail.NoLegacy(var why) when initializing == null -> unusable(why);
      case Mail.NoLegacy(var why) -> neither(why);
      case Mail.Ended(var exchange, var failure) -> ended(exchange, failure);
    }
  }

  private void fork(TaskScope<Mail> scope, String task, Task body) {
    scope.fork(task, body, failure -> new Mail.Ended(Optional.empty(), failure));
  }

  /// In the session as it is now: by the time that it runs, that may be one to be forgotten.
  private void start(TaskScope<Mail> scope, Exchange exchange) {
    boolean sessionless = exchange.isInitialize() || exchange.isStateless();
    HttpSession now = sessionless ? HttpSession.NONE : session;
    scope.fork(
        exchange.name(),
        () -> exchange.run(now),
        failure -> failure == null ? null : new Mail.Ended(Optional.of(exchange), failure));
  }

  /// Lets go what was held back.
  private void flow(TaskScope<Mail> scope) {
    holding = false;
    release = Deadline.NEVER;
    for (Exchange next; (next = held.poll()) != null; ) {
      start(scope, next);
    }
  }

  private void sent(TaskScope<Mail> scope, Exchange exchange) {
    if (broken != null) {
      exchange.fail(broken);
      exchange.end();
      return;
    }
    switch (exchange.message()) {
      case RpcMessage.Request request -> {
        renewal.remember(request);
        startOrHold(scope, exchange);
      }
      case RpcMessage.Notification(var method, _) when method.equals(INITIALIZED) -> {
        holding = true; // what comes next is not to overtake it
        HttpSession now = session;
        int which = begun;
        scope.fork(
            exchange.name(),
            () -> exchange.run(now),
            failure -> new Mail.Initialized(which, failure));
      }
      case RpcMessage.Notification _ -> startOrHold(scope, exchange);
      // The server waits for it, and may answer nothing before it has it.
      case RpcMessage.Response _ -> start(scope, exchange);
      case RpcMessage.Malformed _ -> throw new IllegalArgumentException("not a message to send");
    }
  }

  private void startOrHold(TaskScope<Mail> scope, Exchange exchange) {
    if (holding) {
      held.add(exchange);
    } else {
      start(scope, exchange);
    }
  }

  /// The server knows that the handshake is done. Where there is a stream, calls wait until it is
  /// open: what the server has to say to them may come there.
  private void initialized(TaskScope<Mail> scope, Throwable failure) {
    boolean renewed = renewing;
    renewing = false;
    if (failure != null && renewed) {
      notRenewed(failure.getMessage(), failure);
    } else if (failure != null) {
      lost(new Loss(Loss.Kind.GONE, "the handshake failed: " + failure, failure));
    } else if (legacy) {
      flow(scope);
    } else {
      stream = new ServerStream(this, session);
      release = Deadline.after(STREAM);
      fork(scope, "stream", stream::run);
    }
  }

  /// What calls wait for takes too long: the stream, without which they can go on, or a new session,
  /// without which they cannot.
  private void late(TaskScope<Mail> scope) {
    release = Deadline.NEVER;
    if (renewing) {
      notRenewed("it takes more than " + limits.patience().toMillis() + " ms", null);
    } else {
      flow(scope);
    }
  }

  /// What is held back stays so: it is not done in a session that is none, and fails with the
  /// connection.
  private void notRenewed(String problem, Throwable cause) {
    begun++; // should it succeed yet, after its time, that is nobody's session any more
    String what = "the server has forgotten the session, and a new one cannot be begun: ";
    lost(new Loss(Loss.Kind.GONE, what + problem, cause));
  }

  /// The first to come back with the news begins a new session; who comes later finds it begun, and
  /// who comes from a session before that as well.
  private void forgotten(TaskScope<Mail> scope, Optional<Exchange> refused, HttpSession lost) {
    if (lost == session) {
      LOG.log(System.Logger.Level.INFO, "{0}: the server has forgotten the session", name);
      session = HttpSession.NONE;
      inbox.forgotten();
      holding = true;
      renewing = true;
      release = Deadline.after(limits.patience());
      int which = ++begun;
      if (stream != null) {
        stream.cancel();
        stream = null; // it says yet that it is over, and nobody waits for that
      }
      scope.fork("renew", renewal::run, failure -> new Mail.Initialized(which, failure));
    }
    refused.ifPresent(exchange -> {
      if (exchange.message() instanceof RpcMessage.Notification(var method, _)
          && method.equals(INITIALIZED)) {
        exchange.end(); // to begin a session is to say so
      } else {
        startOrHold(scope, exchange);
      }
    });
  }

  /// Nothing can be sent at all.
  private void unusable(CallFailure why) {
    broken = why;
    for (Exchange next; (next = held.poll()) != null; ) {
      next.fail(why);
      next.end();
    }
  }

  /// The older way does not lead there either.
  private void neither(CallFailure why) {
    initializing.fail(why.kind() == CallFailure.Kind.UNAUTHORIZED ? why : refusal);
    initializing.end();
    initializing = null;
  }

  private void ended(Optional<Exchange> exchange, Throwable failure) {
    if (failure == null || failure instanceof InterruptedException) {
      return;
    }
    LOG.log(System.Logger.Level.ERROR, name + " has failed", failure);
    if (exchange.isPresent()) {
      exchange.get().fail(new CallFailure(CallFailure.Kind.CUT, "failed: " + failure, failure));
    } else {
      lost(new Loss(Loss.Kind.GONE, "its stream failed: " + failure, failure));
    }
  }

  // What its subtasks ask and tell; any thread.

  HttpClient http() {
    return http;
  }

  Limits limits() {
    return limits;
  }

  ReconnectBudget reconnects() {
    return reconnects;
  }

  TakenEvents takenEvents() {
    return takenEvents;
  }

  HttpSession session() {
    return session;
  }

  Target target() {
    return target;
  }

  boolean isLegacy() {
    return legacy;
  }

  /// Returns what a subtask has on the wire, nothing yet; it is ended with the transport.
  Fetch fetch() {
    var fetch = new Fetch(fetches::remove);
    fetches.add(fetch);
    if (closed) { // before it was added: who closes has not seen it
      fetch.cancel();
    }
    return fetch;
  }

  /// An exchange is over.
  void over(Exchange exchange) {
    waiting.decrementAndGet();
    waitingBytes.addAndGet(-exchange.bytes());
    if (exchange.message() instanceof RpcMessage.Request request) {
      requests.remove(request.id().value(), exchange);
    }
  }

  /// Whether one more stream may stay open after its answer; then it needs a [#lingersNoMore()].
  boolean mayLinger() {
    return lingering.incrementAndGet() <= MOST_LINGERING;
  }

  void lingersNoMore() {
    lingering.decrementAndGet();
  }

  /// The server takes the session's id from us in each request, so it has to be one that fits: "The
  /// session ID MUST only contain visible ASCII characters".
  void begins(Optional<String> id) throws Messages.ViolationException {
    if (id.isPresent() && !id.get().matches("[!-~]+")) {
      throw new Messages.ViolationException("the server's session id is not of visible ASCII");
    }
    HttpSession before = session;
    if (before.id().isPresent() && !before.id().equals(id)) {
      left.add(before);
    }
    // Of a session that is begun again it is known what it will be, should its DELETE come before
    // the answer. Of the first it is not, and its DELETE then names none: the server knows by the
    // session, and would have to refuse the revision that was asked for if it has chosen another.
    String expected = version;
    session = new HttpSession(id, expected == null ? "" : expected);
  }

  /// The server has answered `initialize`.
  void agreed(JsonValue result) {
    if (result instanceof JsonObject object
        && object.get("protocolVersion") instanceof JsonString(var agreed)
        && agreed.matches("\\d{4}-\\d{2}-\\d{2}")) {
      session = new HttpSession(session.id(), agreed);
      if (version == null) {
        version = agreed;
      }
    }
  }

  /// Whether the session speaks the revision that the first one did.
  boolean isAsBefore() {
    return session.version().equals(version);
  }

  void renewed() {
    inbox.renewed();
  }

  void received(RpcMessage message, int bytes) {
    inbox.received(message, bytes);
  }

  /// Takes what came on the stream that is no request's own. Should it be the answer to a request all
  /// the same, that waits for no other.
  void receivedUnasked(RpcMessage message, int bytes) {
    received(message, bytes);
    if (message instanceof RpcMessage.Response response) {
      response.id().map(RpcId::value).map(requests::get).ifPresent(Exchange::cancel);
    }
  }

  /// On the one stream of the older way answers come too, that to `initialize` first. What is said
  /// of revisions holds "if using HTTP", this way or that. The POST of the request ends by itself: to
  /// cancel it may close a socket that has been handed to the next one already.
  void receivedLegacy(RpcMessage message, int bytes) {
    if (message instanceof RpcMessage.Result(var id, var result) && renewal.hasBegunWith(id)) {
      agreed(result);
    }
    received(message, bytes);
  }

  void listens(ServerStream which) {
    mailbox.post(new Mail.Listens(which));
  }

  void forgotten(Exchange refused, HttpSession lost) {
    if (!mailbox.post(new Mail.Forgotten(Optional.of(refused), lost))) {
      refused.end();
    }
  }

  void forgotten(HttpSession lost) {
    mailbox.post(new Mail.Forgotten(Optional.empty(), lost));
  }

  void tryLegacy(Exchange exchange, CallFailure refused) {
    if (!mailbox.post(new Mail.TryLegacy(exchange, refused))) {
      exchange.end();
    }
  }

  /// The server speaks the older way, and takes messages here.
  void legacy(Target endpoint) {
    target = endpoint;
    legacy = true;
    mailbox.post(new Mail.Legacy());
  }

  void noLegacy(CallFailure why) {
    mailbox.post(new Mail.NoLegacy(why));
  }

  void lost(Loss loss) {
    inbox.lost(loss);
  }

  /// How many answers the server has given, of whatever kind.
  long answers() {
    return answers.get();
  }

  void reached() {
    answers.incrementAndGet();
    changed(new Health.Good());
  }

  void unauthorized(CallFailure refused) {
    changed(new Health.Unauthorized(refused));
  }

  void away(String problem) {
    changed(new Health.Away(problem));
  }

  private void changed(Health next) {
    synchronized (fetches) { // so that what is told last is what was seen last
      if (health.getClass() != next.getClass()) {
        health = next;
        inbox.changed(next);
      }
    }
  }

  /// Says what it means that there was no HTTP answer.
  CallFailure failure(IOException e) {
    return failure(e, session);
  }

  /// The same of what was sent in a session that may not be the one of now.
  CallFailure failure(IOException e, HttpSession session) {
    CallFailure failure = target.failure(e, session);
    if (failure.kind() == CallFailure.Kind.NOT_SENT) {
      away(failure.message());
    }
    return failure;
  }

  /// Ends what is on the wire, which frees every subtask, and then the session: "Clients that no longer
  /// need a particular session SHOULD send an HTTP DELETE".
  @Override
  public void close(Closing closing) {
    closed = true;
    closing.step("end its exchanges", () -> fetches.forEach(Fetch::cancel));
    lookup.end().ifPresent(closing::abandoned);
    HttpSession last = session;
    Deadline deadline = Deadline.after(closing.budget().exit()); // of all of them together
    for (HttpSession one; (one = left.poll()) != null; ) {
      var as = new HttpSession(one.id(), last.version());
      closing.step("DELETE a session", () -> end(as, closing, deadline));
    }
    if (last.id().isPresent() && !legacy) {
      closing.step("DELETE its session", () -> end(last, closing, deadline));
    }
  }

  /// "The server MAY respond to this request with HTTP 405 Method Not Allowed, indicating that the
  /// server does not allow clients to terminate sessions"; 404 says that there is none any more. Where
  /// the session may be left, the report says so and why: that is no failure of the close.
  private void end(HttpSession last, Closing closing, Deadline deadline) {
    String why;
    try {
      why = whyNotDeleted(last, deadline, closing.budget().exit());
    } catch (RuntimeException e) { // of the JDK's client
      why = "the DELETE failed: " + target.said(e, last);
    }
    if (!why.isEmpty()) {
      closing.kept("its session: " + why);
    }
  }

  /// Empty when there is no session any more.
  private String whyNotDeleted(HttpSession last, Deadline deadline, Duration budget) {
    CompletableFuture<HttpResponse<Void>> answer =
        http.sendAsync(target.delete(last), HttpResponse.BodyHandlers.discarding());
    deadline.await(nanos -> {
      try {
        answer.get(nanos, TimeUnit.NANOSECONDS);
        return true;
      } catch (ExecutionException | TimeoutException _) {
        return false;
      }
    });
    return switch (answer.state()) {
      case SUCCESS -> {
        int status = answer.resultNow().statusCode();
        boolean gone = status / 100 == 2 || status == 404;
        yield gone ? "" : "the server answered HTTP " + status + " to the DELETE";
      }
      case FAILED -> {
        Throwable cause = answer.exceptionNow();
        String said =
            cause instanceof IOException e
                ? target.failure(e, last).message()
                : target.said(cause, last);
        yield "the DELETE failed: " + said;
      }
      case RUNNING, CANCELLED -> {
        answer.cancel(true);
        yield "the DELETE was not answered within " + budget.toMillis() + " ms";
      }
    };
  }

  /// Names the server, without what may be a secret.
  @Override
  public String toString() {
    return target.toString();
  }
}
