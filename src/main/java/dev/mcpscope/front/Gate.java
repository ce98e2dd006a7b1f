package dev.mcpscope.front;

import com.sun.net.httpserver.Headers;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/// Who may ask at all.
///
/// A local server is in reach of every page that the user's browser shows. `Host` must name this
/// server, or a foreign name that was made to resolve to loopback would do (DNS rebinding); `Origin`,
/// which browsers send, must be this server's own; and whoever asks must know the token.
final class Gate {
  private static final String SCHEME = "Bearer ";

  private final byte[] token;
  private final Set<String> hosts;

  /// @param hosts the values of `Host` that name this server, port included
  Gate(String token, Set<String> hosts) {
    this.token = token.getBytes(StandardCharsets.UTF_8);
    this.hosts = hosts;
  }

  /// Refuses a request that a foreign page may have made.
  void checkOrigin(Headers headers) throws HttpError {
    List<String> host = headers.getOrDefault("Host", List.of());
    if (host.size() != 1 || !hosts.contains(host.getFirst().toLowerCase(Locale.ROOT))) {
      throw new HttpError(
          403, "the Host header must be one of " + hosts.stream().sorted().toList());
    }
    for (String origin : headers.getOrDefault("Origin", List.of())) {
      String lower = origin.toLowerCase(Locale.ROOT);
      if (!lower.startsWith("http://") || !hosts.contains(lower.substring("http://".length()))) {
        throw new HttpError(403, "requests from another origin are refused");
      }
    }
  }

  /// Refuses a request without the token. Compares in constant time.
  void checkToken(Headers headers) throws HttpError {
    List<String> given = headers.getOrDefault("Authorization", List.of());
    if (given.size() != 1
        || !given.getFirst().regionMatches(true, 0, SCHEME, 0, SCHEME.length())
        || !MessageDigest.isEqual(
            token,
            given.getFirst().substring(SCHEME.length()).strip().getBytes(StandardCharsets.UTF_8))) {
      throw new HttpError(
          401,
          "the header 'Authorization: Bearer TOKEN' is missing or wrong",
          Map.of("WWW-Authenticate", "Bearer"));
    }
  }
}
