package dev.mcpscope.http;

import dev.mcpscope.rpc.RpcError;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import dev.mcpscope.scope.Deadline;
import dev.mcpscope.transport.CallFailure;
import dev.mcpscope.transport.Reconnects;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;

/// One message on its way to the server, by a POST of its own, and what comes back for it: a
/// subtask.
///
/// A request's answer is a JSON body or a stream of events; a stream that ends early and has named a
/// place to go on from is gone on with by GET. Whatever happens, the request is answered, or fails
/// at once with what was seen. A request without session, which carries its revision itself, has
/// nothing but this stream: it is cancelled by closing it, and a place in it is none to go on from.
///
/// @see <a
///     href="https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#sending-messages-to-the-server">
///     Sending messages to the server, revision 2025-11-25</a>
final class Exchange {
  private static final System.Logger LOG = System.getLogger("dev.mcpscope.http");
  private static final int MOST_OF_A_REFUSAL = 64 * 1024;
  private static final int MOST_ATTEMPTS = 2;
  private static final int MOST_RESUMPTIONS = 3; // in a row, and in vain

  /// Who waits for what comes of it.
  interface Receiver {
    /// Takes a message: the answer, or another one that comes on the same stream.
    void received(RpcMessage message, int bytes);

    /// Takes the news that there will be no answer.
    void failed(CallFailure failure);
  }

  private final HttpTransport transport;
  private final RpcMessage message;
  private final byte[] body;
  private final Map<String, String> mirrored;
  private final boolean renews;
  private final Receiver receiver;
  private final Fetch fetch;
  private final Optional<RpcId> id; // empty for what is no request
  private volatile boolean begun; // so that the server may know of it
  private int attempts;
  private boolean answered;

  /// @param mirrored the [MirroredHeaders]
  /// @param renews whether it is part of beginning a session anew, for which that is not done again
  Exchange(
      HttpTransport transport,
      RpcMessage message,
      byte[] body,
      Map<String, String> mirrored,
      boolean renews,
      Receiver receiver) {
    this.transport = transport;
    this.message = message;
    this.body = body;
    this.mirrored = mirrored;
    this.renews = renews;
    this.receiver = receiver;
    this.fetch = transport.fetch();
    this.id =
        message instanceof RpcMessage.Request request
            ? Optional.of(request.id())
            : Optional.empty();
  }

  RpcMessage message() {
    return message;
  }

  int bytes() {
    return body.length;
  }

  /// The word for it in the name of its thread.
  String name() {
    return switch (message) {
      case RpcMessage.Request(var id, var method, _) -> "post " + method + " " + id;
      case RpcMessage.Notification(var method, _) -> "post " + method;
      case RpcMessage.Response _, RpcMessage.Malformed _ -> "post answer";
    };
  }

  /// Ends it, whatever it waits for; any thread, never blocks. Nobody here is told.
  ///
  /// @return whether the server is to be told: not if it was not sent, and is not any more, nor if the
  ///     end of its stream says so
  boolean cancel() {
    fetch.cancel();
    return begun && !isStateless();
  }

  /// Sends the message in a session, and reads what comes back.
  void run(HttpSession session) throws InterruptedException {
    boolean again = false;
    begun = true; // before it is looked whether it was cancelled: one of the two sees the other
    try {
      again = !fetch.isCancelled() && exchange(session);
    } catch (ClosedChannelException _) {
      // cancelled: nobody waits any more
    } catch (Messages.ViolationException e) {
      fail(new CallFailure(CallFailure.Kind.PROTOCOL, e.getMessage(), null));
    } catch (IOException e) {
      fail(transport.failure(e, session));
    } finally {
      if (!again) {
        end();
      }
    }
  }

  /// Forgets it: it is done, or will not be done any more.
  void end() {
    fetch.close();
    transport.over(this);
  }

  void fail(CallFailure failure) {
    if (!answered && !fetch.isCancelled()) {
      answered = true;
      receiver.failed(failure);
    }
  }

  /// @return whether it was handed back to the transport, to be done again
  private boolean exchange(HttpSession session) throws IOException, InterruptedException {
    attempts++;
    HttpResponse<?> response = isAnswered() ? ask(session) : tell(session);
    int status = response.statusCode();
    boolean unauthorized = status == 401 || status == 403;
    if (status < 500 && !unauthorized) {
      transport.reached();
    }
    if (status / 100 == 2) {
      if (response.body() instanceof InputStream in) {
        answer(response, in, session);
      }
      return false;
    }
    Optional<RpcMessage.Failure> told = told(response);
    if (unauthorized) {
      List<String> challenges = response.headers().allValues("WWW-Authenticate");
      var refusal = CallFailure.unauthorized(refused(response, told, session), status, challenges);
      transport.unauthorized(refusal);
      fail(refusal);
      return false;
    }
    if (isForgotten(status, session, told)) {
      return forgotten(session, status, told);
    }
    String why = refused(response, told, session);
    if (isAnswer(told)) {
      fail(CallFailure.refused(why, status, told.get().error()));
      return false;
    }
    var refusal = new CallFailure(CallFailure.Kind.REFUSED, why, status);
    if (isInitialize()
        && !renews
        && !transport.isLegacy()
        && (status == 400 || status == 404 || status == 405)) {
      transport.tryLegacy(this, refusal);
      return true;
    }
    fail(refusal);
    return false;
  }

  /// Whether the answer comes back on the same exchange; the older way has a stream for all of them.
  private boolean isAnswered() {
    return id.isPresent() && !transport.isLegacy();
  }

  /// Whether it carries its revision itself, and belongs to no session.
  boolean isStateless() {
    return !mirrored.isEmpty();
  }

  /// Whether it begins a session, and belongs to none.
  boolean isInitialize() {
    return message instanceof RpcMessage.Request(_, var method, _)
        && method.equals(HttpTransport.INITIALIZE);
  }

  private HttpResponse<?> ask(HttpSession session) throws IOException, InterruptedException {
    return fetch.send(transport.http(), transport.target().post(body, session, mirrored));
  }

  /// What is no request can be sent twice without harm: what has spoiled the socket that it was sent
  /// on may be long ago.
  private HttpResponse<?> tell(HttpSession session) throws IOException, InterruptedException {
    Deadline deadline = Deadline.after(transport.limits().patience());
    var post = transport.target().post(body, session, mirrored);
    try {
      return fetch.sendAndDiscard(transport.http(), post, deadline);
    } catch (ClosedChannelException | HttpTimeoutException e) {
      throw e;
    } catch (IOException e) {
      if (id.isPresent()) {
        throw e;
      }
      return fetch.sendAndDiscard(transport.http(), post, deadline);
    }
  }

  /// "When a client receives HTTP 404 in response to a request containing an MCP-Session-Id, it MUST
  /// start a new session", whatever else the answer says. Servers made with the older official
  /// libraries answer 400, and say that the session is the problem.
  private boolean isForgotten(int status, HttpSession session, Optional<RpcMessage.Failure> told) {
    if (session.id().isEmpty()) {
      return false;
    }
    return status == 404
        || status == 400
            && told.map(failure -> failure.error().message().toLowerCase(Locale.ROOT))
                .filter(message -> message.contains("session"))
                .isPresent();
  }

  /// What was refused was not done, so that it can be done in another session; but what is about a
  /// request of the old one means nothing there.
  private boolean forgotten(HttpSession session, int status, Optional<RpcMessage.Failure> told) {
    if (message instanceof RpcMessage.Response || isCancellation()) {
      transport.forgotten(session);
      return false;
    }
    if (renews || attempts >= MOST_ATTEMPTS) {
      if (isAnswer(told)) { // so it is not the session that was not found
        RpcError error = told.get().error();
        fail(CallFailure.refused(error.message(), status, error));
        return false;
      }
      fail(
          new CallFailure(
              CallFailure.Kind.REFUSED,
              "the server has forgotten the session, and the one after it as well",
              status));
      return false;
    }
    begun = false;
    transport.forgotten(this, session);
    return true;
  }

  private boolean isCancellation() {
    return message instanceof RpcMessage.Notification(var method, _)
        && method.equals(HttpTransport.CANCELLED);
  }

  private String refused(
      HttpResponse<?> response, Optional<RpcMessage.Failure> told, HttpSession session) {
    var text = new StringBuilder("the server answered HTTP ").append(response.statusCode());
    told.map(failure -> failure.error().message())
        .ifPresent(why -> text.append(": ").append(transport.target().shown(why, session)));
    if (response.statusCode() / 100 == 3) {
      text.append(", and redirects are not followed");
    }
    response
        .headers()
        .firstValue("Retry-After")
        .ifPresent(
            when -> text.append("; Retry-After: ").append(transport.target().shown(when, session)));
    return text.toString();
  }

  /// Whether it has the request's id. Where one request is all that the answer can be about, an error
  /// without one is about it.
  private boolean isAnswer(Optional<RpcMessage.Failure> told) {
    return id.isPresent()
        && told.map(RpcMessage.Failure::id)
            .filter(of -> of.equals(id) || of.isEmpty() && isStateless())
            .isPresent();
  }

  /// Reads the error that a refusal may hold.
  private Optional<RpcMessage.Failure> told(HttpResponse<?> response) throws IOException {
    if (!(response.body() instanceof InputStream in)) {
      return Optional.empty();
    }
    var errors = new ArrayList<RpcMessage.Failure>();
    try {
      if (Messages.isJson(Messages.type(response))) {
        Messages.read(
            in,
            transport.limits().message().withMaxBytes(MOST_OF_A_REFUSAL),
            (message, _) -> {
              if (message instanceof RpcMessage.Failure failure) {
                errors.add(failure);
              }
            });
      }
    } catch (Messages.ViolationException e) {
      LOG.log(System.Logger.Level.DEBUG, "a refusal is no message: {0}", e.getMessage());
    }
    return errors.stream().findFirst();
  }

  private void answer(HttpResponse<?> response, InputStream in, HttpSession session)
      throws IOException, InterruptedException {
    if (isInitialize()) {
      transport.begins(response.headers().firstValue("Mcp-Session-Id"));
    }
    String type = Messages.type(response);
    if (Messages.isEvents(type)) {
      // Its ids are of the session that it was asked for in, whatever has become of that.
      follow(in, isInitialize() ? transport.session() : session);
    } else if (Messages.isJson(type)) {
      Messages.read(
          in,
          transport.limits().message(),
          (message, bytes) -> received(attributed(message), bytes));
      fail(violation("none of the messages in the server's answer answers the request"));
    } else {
      String what = type.isEmpty() ? "nothing" : transport.target().shown(type, session);
      fail(
          violation(
              "the server answered HTTP "
                  + response.statusCode()
                  + " with "
                  + what
                  + " instead of a message"));
    }
  }

  private static CallFailure violation(String what) {
    return new CallFailure(CallFailure.Kind.PROTOCOL, what, null);
  }

  /// An error that could not tell what it is about is about what it came back for.
  private RpcMessage attributed(RpcMessage message) {
    return message instanceof RpcMessage.Failure(var of, var error) && of.isEmpty()
        ? new RpcMessage.Failure(id, error)
        : message;
  }

  private void received(RpcMessage message, int bytes) {
    boolean isAnswer =
        message instanceof RpcMessage.Response response && response.id().equals(id)
            || message instanceof RpcMessage.Malformed(var call, _, _)
                && call.isPresent()
                && call.equals(id);
    if (isAnswer && answered) {
      return;
    }
    if (isAnswer && isInitialize() && message instanceof RpcMessage.Result(_, var result)) {
      transport.agreed(result);
    }
    answered |= isAnswer;
    receiver.received(message, bytes);
  }

  /// Reads the stream, and the ones that continue it, until the answer has come.
  private void follow(InputStream first, HttpSession session)
      throws IOException, InterruptedException {
    // Somebody waits for the answer: he is told sooner than a stream is given up that nobody waits
    // for.
    var reconnects = new Reconnects(transport.reconnects().withAttemptsAtMost(MOST_RESUMPTIONS));
    Optional<String> last = Optional.empty();
    Optional<Duration> retry = Optional.empty();
    InputStream in = first;
    while (true) {
      boolean continued = in != first;
      var parser =
          new SseParser(
              transport.limits().message().maxBytes(),
              last,
              event -> {
                if (transport.takenEvents().take(session, event, continued)) {
                  reconnects.delivered();
                  Messages.decode(
                      event,
                      transport.limits().message(),
                      (message, bytes) ->
                          received(isStateless() ? attributed(message) : message, bytes));
                }
              });
      reconnects.opened();
      IOException broken = read(in, parser);
      retry = parser.retry().isPresent() ? parser.retry() : retry;
      // without one GET would open another kind of stream
      last = parser.lastEventId().filter(place -> !isStateless() && Target.fitsHeader(place));
      if (answered) {
        return;
      }
      if (last.isEmpty()) {
        fail(cut("the event stream ended without the answer", broken));
        return;
      }
      var next = next(reconnects, retry, session, last);
      if (next.isEmpty()) {
        fail(cut("the event stream ended without the answer, and cannot be continued", broken));
        return;
      }
      in = next.get();
    }
  }

  private CallFailure cut(String what, IOException broken) {
    return new CallFailure(CallFailure.Kind.CUT, what, broken).withStatus(200);
  }

  /// Reads one stream to its end. Beyond the answer as well, so that the socket can be used again;
  /// but a server that keeps such streams open gets only so many of them, and none where what comes
  /// next waits for this one to be over.
  ///
  /// @return what it broke off with, or null
  private IOException read(InputStream in, SseParser parser) throws IOException {
    var lingers = new AtomicBoolean();
    try {
      fetch.follow(
          in,
          parser,
          () ->
              answered && (renews || lingers.compareAndSet(false, true) && !transport.mayLinger()));
      return null;
    } catch (ClosedChannelException | Messages.ViolationException e) {
      throw e;
    } catch (IOException e) {
      return e;
    } finally {
      if (lingers.get()) {
        transport.lingersNoMore();
      }
    }
  }

  /// Opens the stream that continues the one that has ended: "it SHOULD issue an HTTP GET to the MCP
  /// endpoint, and include the `Last-Event-ID` header".
  ///
  /// @return empty when there is none
  private Optional<InputStream> next(
      Reconnects reconnects, Optional<Duration> retry, HttpSession session, Optional<String> last)
      throws IOException, InterruptedException {
    for (var due = reconnects.next(retry); due.isPresent(); due = reconnects.next(retry)) {
      fetch.pause(due.get());
      try {
        HttpResponse<InputStream> response =
            fetch.send(transport.http(), transport.target().get(session, last));
        int status = response.statusCode();
        if (status == 200 && Messages.isEvents(Messages.type(response))) {
          return Optional.of(response.body());
        }
        if (status == 404 && session.id().isPresent()) {
          transport.forgotten(session); // and with it what the request has come to
        }
        if (!CallFailure.isPassing(status)) {
          return Optional.empty();
        }
      } catch (ClosedChannelException | Messages.ViolationException e) {
        throw e;
      } catch (IOException e) {
        if (transport.failure(e).kind() == CallFailure.Kind.NOT_SENT) {
          return Optional.empty(); // nobody is there any more who could know the answer
        }
        LOG.log(
            System.Logger.Level.DEBUG,
            "an event stream is not continued yet: {0}",
            transport.target().said(e, session));
      }
    }
    return Optional.empty();
  }
}
