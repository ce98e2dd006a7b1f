package dev.mcpscope.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.util.Base64;
import java.util.Map;
import java.util.Optional;

/// Where requests go, and what each of them carries besides its own.
///
/// @param url without user info
/// @param headers the user's
record Target(URI url, Map<String, String> headers) {
  private static final String JSON = "application/json";
  private static final int MOST_SHOWN = 200;

  /// A value that is shorter is a switch or a number, and no secret that could be kept.
  private static final int SHORTEST_SECRET = 8;

  private static final String EVENTS = "text/event-stream";

  /// Takes the user info out of a URL, where it would be shown and nobody would send it.
  static Target of(URI url, Map<String, String> headers) {
    String user = url.getUserInfo();
    if (user == null) {
      return new Target(url, headers);
    }
    String all = url.toASCIIString();
    int at = all.indexOf('@');
    URI bare = URI.create(url.getScheme() + "://" + all.substring(at + 1));
    boolean given = headers.keySet().stream().anyMatch("Authorization"::equalsIgnoreCase);
    if (given) {
      return new Target(bare, headers);
    }
    var with = new java.util.LinkedHashMap<>(headers);
    with.put("Authorization", "Basic " + Base64.getEncoder().encodeToString(user.getBytes(UTF_8)));
    return new Target(bare, Map.copyOf(with));
  }

  /// Returns the same for another URL of the same server.
  Target at(URI other) {
    return new Target(other, headers);
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
  HttpRequest post(byte[] message, HttpSession session) {
    return request(session)
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

  /// Returns what a server says as it can be shown: not all of it, whatever it is, and without what it
  /// was sent in confidence.
  String shown(String text) {
    String shown = text;
    for (String secret : headers.values()) {
      if (secret.length() >= SHORTEST_SECRET) {
        shown = shown.replace(secret, "***");
      }
    }
    String start = shown.length() > MOST_SHOWN ? shown.substring(0, MOST_SHOWN) + "…" : shown;
    return start.replaceAll("\\p{Cntrl}", "?");
  }

  /// Names host and port only.
  @Override
  public String toString() {
    return url.getHost() + (url.getPort() < 0 ? "" : ":" + url.getPort());
  }
}
