package dev.mcpscope.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mcpscope.transport.CallFailure;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.URLDecoder;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpTimeoutException;
import java.nio.channels.UnresolvedAddressException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import javax.net.ssl.SSLHandshakeException;

/// Where requests go, and what each of them carries besides its own.
///
/// @param url without user info
/// @param headers the user's
/// @param secrets what no message may repeat, the longest first
record Target(URI url, Map<String, String> headers, List<String> secrets) {
  private static final String JSON = "application/json";
  private static final int MOST_SHOWN = 200;

  /// A value that is shorter is a switch or a number, and no secret that could be kept.
  private static final int SHORTEST_SECRET = 8;

  private static final String EVENTS = "text/event-stream";

  /// Takes the user info out of a URL, where it would be shown and nobody would send it.
  static Target of(URI url, Map<String, String> headers) {
    String user = url.getUserInfo();
    List<String> secrets = secrets(url, headers);
    if (user == null) {
      return new Target(url, headers, secrets);
    }
    String all = url.toASCIIString();
    int at = all.indexOf('@');
    URI bare = URI.create(url.getScheme() + "://" + all.substring(at + 1));
    boolean given = headers.keySet().stream().anyMatch("Authorization"::equalsIgnoreCase);
    if (given) {
      return new Target(bare, headers, secrets);
    }
    var with = new LinkedHashMap<>(headers);
    with.put("Authorization", "Basic " + Base64.getEncoder().encodeToString(user.getBytes(UTF_8)));
    return new Target(bare, Map.copyOf(with), secrets(url, with));
  }

  /// The values of the headers, the user info and the values of the query, and of each what a server
  /// may make of it: the credentials without their scheme, the password alone, the text decoded.
  private static List<String> secrets(URI url, Map<String, String> headers) {
    var secrets = new ArrayList<String>();
    for (String value : headers.values()) {
      secrets.add(value);
      secrets.add(value.substring(value.indexOf(' ') + 1));
    }
    for (String user : userInfos(url)) {
      secrets.add(user);
      secrets.add(user.substring(user.indexOf(':') + 1));
    }
    String query = url.getRawQuery() == null ? "" : url.getRawQuery();
    for (String part : query.split("&")) {
      String value = part.substring(part.indexOf('=') + 1);
      secrets.add(value);
      secrets.add(URLDecoder.decode(value, UTF_8));
    }
    return secrets.stream()
        .filter(secret -> secret.length() >= SHORTEST_SECRET)
        .distinct()
        .sorted(Comparator.comparingInt(String::length).reversed())
        .toList();
  }

  private static List<String> userInfos(URI url) {
    return url.getUserInfo() == null ? List.of() : List.of(url.getRawUserInfo(), url.getUserInfo());
  }

  /// Returns the same for another URL of the same server.
  Target at(URI other) {
    return new Target(other, headers, secrets);
  }

  /// Whether a URL has this one's scheme, host and port.
  boolean isSameOrigin(URI other) {
    return url.getScheme().equalsIgnoreCase(other.getScheme())
        && url.getHost().equalsIgnoreCase(other.getHost())
        && port(url) == port(other);
  }

  private static int port(URI uri) {
    return uri.getPort() >= 0
        ? uri.getPort()
        : uri.getScheme().equalsIgnoreCase("https") ? 443 : 80;
  }

  /// "The client MUST include an Accept header, listing both application/json and text/event-stream".
  HttpRequest post(byte[] message, HttpSession session, Map<String, String> mirrored) {
    HttpRequest.Builder request = request(session);
    mirrored.forEach(request::header);
    return request
        .header("Content-Type", JSON)
        .header("Accept", JSON + ", " + EVENTS)
        .POST(BodyPublishers.ofByteArray(message))
        .build();
  }

  /// @param lastEventId after which event the stream goes on; what no header can hold is left out
  HttpRequest get(HttpSession session, Optional<String> lastEventId) {
    HttpRequest.Builder request = request(session).header("Accept", EVENTS);
    lastEventId.filter(Target::fitsHeader).ifPresent(id -> request.header("Last-Event-ID", id));
    return request.GET().build();
  }

  static boolean fitsHeader(String id) {
    return id.matches("[!-~]([ -~]*[!-~])?");
  }

  HttpRequest delete(HttpSession session) {
    return request(session).DELETE().build();
  }

  private HttpRequest.Builder request(HttpSession session) {
    HttpRequest.Builder request = HttpRequest.newBuilder(url);
    headers.forEach(request::header);
    session.id().ifPresent(id -> request.header("Mcp-Session-Id", id));
    if (session.isVersioned()) {
      request.header("MCP-Protocol-Version", session.version());
    }
    return request;
  }

  /// Returns what a server says, or what the JDK says of it, as it can be shown: not all of it,
  /// whatever it is, and without what the server was sent in confidence, the session's id included.
  String shown(String text, HttpSession session) {
    String shown = session.id().map(id -> without(text, id)).orElse(text);
    for (String secret : secrets) {
      shown = without(shown, secret);
    }
    String start = shown.length() > MOST_SHOWN ? shown.substring(0, MOST_SHOWN) + "…" : shown;
    return start.replaceAll("\\p{Cc}", "?");
  }

  private static String without(String text, String secret) {
    return secret.length() < SHORTEST_SECRET
        ? text
        : text.replaceAll("(?i)" + Pattern.quote(secret), "***");
  }

  /// Says what it means that there was no HTTP answer.
  CallFailure failure(IOException e, HttpSession session) {
    return switch (e) {
      case HttpConnectTimeoutException _ -> unreached("does not accept a connection", e);
      case ConnectException _ when isUnresolved(e) -> unreached("is a name without address", e);
      case ConnectException _ -> unreached("cannot be connected to", e);
      case SSLHandshakeException _ ->
          unreached("fails in the TLS handshake: " + said(e, session), e);
      case HttpTimeoutException _ -> cut("did not answer in time", e);
      default -> cut("broke the connection off before its answer: " + said(e, session), e);
    };
  }

  /// The JDK quotes what it cannot read, and that is what the server has sent. It does not always say
  /// something.
  String said(Throwable e, HttpSession session) {
    return e.getMessage() == null ? e.getClass().getSimpleName() : shown(e.getMessage(), session);
  }

  private static boolean isUnresolved(Throwable e) {
    return e != null && (e instanceof UnresolvedAddressException || isUnresolved(e.getCause()));
  }

  private CallFailure unreached(String what, IOException e) {
    return new CallFailure(CallFailure.Kind.NOT_SENT, this + " " + what, e);
  }

  private CallFailure cut(String what, IOException e) {
    return new CallFailure(CallFailure.Kind.CUT, this + " " + what, e);
  }

  /// Names host and port only.
  @Override
  public String toString() {
    return url.getHost() + (url.getPort() < 0 ? "" : ":" + url.getPort());
  }
}
