package dev.mcpscope.http;

import dev.mcpscope.transport.CallFailure;
import dev.mcpscope.transport.Loss;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpResponse;
import java.nio.channels.ClosedChannelException;
import java.util.List;
import java.util.Optional;

/// The one stream of the older way, HTTP with server-sent events: a subtask. Its first event says
/// where messages are to be posted to, and everything that the server says comes on it, so that it
/// is the connection: when it ends, that has ended.
///
/// @see <a
///     href="https://modelcontextprotocol.io/specification/2024-11-05/basic/transports#http-with-sse">
///     HTTP with SSE, revision 2024-11-05</a>
final class LegacyStream {
  private final HttpTransport transport;
  private final Fetch fetch;
  private boolean begun; // the endpoint is known

  LegacyStream(HttpTransport transport) {
    this.transport = transport;
    this.fetch = transport.fetch();
  }

  /// Follows the stream to its end.
  void run() throws InterruptedException {
    try (fetch) {
      Target target = transport.target();
      HttpResponse<InputStream> response =
          fetch.send(transport.http(), target.get(HttpSession.NONE, Optional.empty()));
      int status = response.statusCode();
      if (status == 401 || status == 403) {
        List<String> challenges = response.headers().allValues("WWW-Authenticate");
        over(CallFailure.unauthorized("the server answered HTTP " + status, status, challenges));
      } else if (status != 200 || !Messages.isEvents(Messages.type(response))) {
        String what = "the server answered HTTP " + status + " instead of an event stream";
        over(new CallFailure(CallFailure.Kind.REFUSED, what, status));
      } else {
        var parser =
            new SseParser(transport.limits().message().maxBytes(), Optional.empty(), this::event);
        fetch.follow(response.body(), parser, () -> false);
        over(new CallFailure(CallFailure.Kind.CUT, "the server ended its event stream", status));
      }
    } catch (ClosedChannelException _) {
      // closed by the owner
    } catch (Messages.ViolationException e) {
      over(new CallFailure(CallFailure.Kind.PROTOCOL, e.getMessage(), e));
    } catch (IOException e) {
      over(begun ? brokenOff(e) : transport.failure(e));
    }
  }

  private static CallFailure brokenOff(IOException e) {
    return new CallFailure(CallFailure.Kind.CUT, "the server broke its event stream off", e);
  }

  private void over(CallFailure why) {
    if (begun) {
      boolean violates = why.kind() == CallFailure.Kind.PROTOCOL;
      Loss.Kind kind = violates ? Loss.Kind.PROTOCOL : Loss.Kind.GONE;
      transport.lost(new Loss(kind, why.message(), why.cause()));
    } else {
      transport.noLegacy(why);
    }
  }

  private void event(SseEvent event) throws Messages.ViolationException {
    if (!event.type().equals("endpoint")) {
      Messages.decode(event, transport.limits().message(), transport::receivedLegacy);
    } else if (!begun) {
      transport.legacy(endpoint(event.text()));
      begun = true;
    }
  }

  /// The messages, and the user's headers with them, go to the server that was asked, and to no
  /// other that it may name.
  private Target endpoint(String text) throws Messages.ViolationException {
    Target target = transport.target();
    try {
      URI endpoint = resolved(target.url(), text.strip());
      if (endpoint.getHost() != null
          && endpoint.getScheme() != null
          && endpoint.getRawUserInfo() == null
          && target.isSameOrigin(endpoint)) {
        return target.at(endpoint);
      }
    } catch (IllegalArgumentException _) {
      // no URL at all
    }
    throw new Messages.ViolationException(
        "the server names an endpoint that is not its own, and messages are not sent there");
  }

  /// The JDK resolves as RFC 2396 says, by which a query alone loses the path's last segment; since
  /// RFC 3986 it keeps the whole path.
  private static URI resolved(URI base, String text) {
    return base.resolve(text.startsWith("?") ? base.getRawPath() + text : text);
  }
}
