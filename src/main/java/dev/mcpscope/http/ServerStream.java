package dev.mcpscope.http;

import dev.mcpscope.transport.CallFailure;
import dev.mcpscope.transport.Loss;
import dev.mcpscope.transport.Reconnects;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpResponse;
import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/// The stream on which the server says what belongs to no request, for as long as a session lasts: a
/// subtask.
///
/// Not every server has one. One that has may end it when it likes, as a proxy on the way may; it is
/// opened again where it has ended. That is also how a server that was away is found again, and how
/// one that has forgotten the session is noticed while nobody asks it anything.
///
/// @see <a
///     href="https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#listening-for-messages-from-the-server">
///     Listening for messages from the server, revision 2025-11-25</a>
final class ServerStream {
  private static final System.Logger LOG = System.getLogger("dev.mcpscope.http");

  private final HttpTransport transport;
  private final HttpSession session;
  private final Fetch fetch;
  private final Reconnects reconnects;
  private Optional<String> last = Optional.empty();
  private Optional<Duration> retry = Optional.empty();
  private boolean opened; // once at least
  private long answers; // that the server had given to others when the stream ended
  private boolean away; // the server, and not just the stream

  ServerStream(HttpTransport transport, HttpSession session) {
    this.transport = transport;
    this.session = session;
    this.fetch = transport.fetch();
    this.reconnects = new Reconnects(transport.reconnects());
  }

  /// Follows the stream until the session ends, or it turns out that there is none.
  void run() throws InterruptedException {
    try (fetch) {
      Optional<String> problem;
      do {
        problem = once();
      } while (problem.isPresent() && waited(problem.get()));
    } catch (ClosedChannelException _) {
      // closed by the owner
    } catch (Messages.ViolationException e) {
      transport.lost(new Loss(Loss.Kind.PROTOCOL, e.getMessage(), e));
    } finally {
      transport.listens(this);
    }
  }

  /// Ends the stream; any thread, never blocks.
  void cancel() {
    fetch.cancel();
  }

  /// Opens the stream and reads it to its end.
  ///
  /// @return why it is to be opened again; empty when it is not
  private Optional<String> once()
      throws ClosedChannelException, Messages.ViolationException, InterruptedException {
    away = false;
    try {
      HttpResponse<InputStream> response =
          fetch.send(transport.http(), transport.target().get(session, last));
      int status = response.statusCode();
      if (status == 200 && Messages.isEvents(Messages.type(response))) {
        opened = true;
        transport.reached();
        transport.listens(this);
        read(response.body());
        return Optional.of("it ended");
      }
      return refused(response, status);
    } catch (ClosedChannelException | Messages.ViolationException e) {
      throw e;
    } catch (IOException e) {
      CallFailure failure = transport.failure(e);
      away = failure.kind() == CallFailure.Kind.NOT_SENT;
      return Optional.of(failure.message());
    }
  }

  private void read(InputStream body) throws IOException {
    boolean continued = last.isPresent();
    var parser =
        new SseParser(
            transport.limits().message().maxBytes(),
            last,
            event -> {
              if (transport.takenEvents().take(session, event, continued)) {
                reconnects.delivered();
                Messages.decode(event, transport.limits().message(), transport::receivedUnasked);
              }
            });
    reconnects.opened();
    try {
      fetch.follow(body, parser, () -> false);
    } finally {
      answers = transport.answers();
      last = parser.lastEventId();
      retry = parser.retry().isPresent() ? parser.retry() : retry;
    }
  }

  /// "The server MUST either return Content-Type: text/event-stream in response to this HTTP GET, or
  /// else return HTTP 405"; others answer 404 or 400 to say the same. Where there was a stream before,
  /// it is the session that there is no more.
  private Optional<String> refused(HttpResponse<?> response, int status) {
    if (opened && (status == 401 || status == 403)) { // else it is only the stream that it refuses
      List<String> challenges = response.headers().allValues("WWW-Authenticate");
      String what = "the server answered HTTP " + status + " to the opening of its event stream";
      transport.unauthorized(CallFailure.unauthorized(what, status, challenges));
      return Optional.of(what);
    }
    if (CallFailure.isPassing(status)) {
      away = status != CallFailure.CONFLICT;
      return Optional.of("the server answered HTTP " + status);
    }
    if (opened && session.id().isPresent() && (status == 404 || status == 400)) {
      transport.forgotten(session);
    } else {
      LOG.log(System.Logger.Level.DEBUG, "{0} has no event stream: {1}", transport, status);
    }
    return Optional.empty();
  }

  /// Waits until it is time to open the stream again.
  ///
  /// @return false when it is given up; with the server, if that is away
  private boolean waited(String problem) throws ClosedChannelException, InterruptedException {
    if (!opened) {
      transport.listens(this); // for the time being there is none; calls do not wait for it
    } else if (away) {
      transport.away(problem);
    }
    var due = reconnects.next(retry);
    if (due.isPresent()) {
      fetch.pause(due.get());
      return true;
    }
    if (away && opened && transport.answers() == answers) {
      transport.lost(new Loss(Loss.Kind.GONE, "the server stays away: " + problem, null));
    } else {
      LOG.log(
          System.Logger.Level.WARNING,
          "{0}: its event stream is given up, and the connection goes on without: {1}",
          transport,
          problem);
    }
    return false;
  }
}
