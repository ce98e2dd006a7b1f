package dev.mcpscope.front;

import com.sun.net.httpserver.Headers;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Who may ask at all.
///
/// A local server is in reach of every page that the user's browser shows. `Host` must name this
/// server, or a foreign name that was made to resolve to loopback would do (DNS rebinding); `Origin`,
/// which browsers send, must be this server's own, or one that the operator allows; and whoever asks
/// must know the token.
final class Gate {
  /// What the browser of an allowed foreign page may send, and for how many seconds it need not ask
  /// again. No credentials: the token is a header, which the page sets itself.
  static final Map<String, String> PREFLIGHT =
      Map.of(
          "Access-Control-Allow-Methods", "GET, POST, DELETE",
          "Access-Control-Allow-Headers", "authorization, content-type",
          "Access-Control-Max-Age", "600");

  private static final String SCHEME = "Bearer ";

  private static final String AUTHORITY =
      "(?<name>[a-z0-9._-]+|\\[[0-9a-f:.]+])(:(?<port>[1-9]\\d{0,4}))?";
  private static final Pattern HOST = Pattern.compile(AUTHORITY);
  private static final Pattern ORIGIN = Pattern.compile("[a-z][a-z0-9+.-]*://" + AUTHORITY);

  /// The ports that clients leave out.
  private static final Map<String, String> DEFAULT_PORTS = Map.of("http", "80", "https", "443");

  private final byte[] token;
  private final Set<String> hosts = new HashSet<>(); // values of Host, in lower case
  private final Set<String> ownOrigins = new HashSet<>();
  private final Set<String> foreignOrigins;

  /// @param port the one that the front got
  Gate(Front.Options options, int port) {
    this.token = options.token().getBytes(StandardCharsets.UTF_8);
    this.foreignOrigins = Set.copyOf(options.allowOrigins());
    for (String name : List.of("127.0.0.1", "localhost", "[::1]", bracketed(options.host()))) {
      addHost(name.toLowerCase(Locale.ROOT), Integer.toString(port));
    }
    for (String given : options.allowHosts()) {
      Matcher host = HOST.matcher(given);
      if (host.matches()) { // it does: options are checked
        addHost(host.group("name"), Optional.ofNullable(host.group("port")).orElse(port + ""));
      }
    }
  }

  private void addHost(String name, String port) {
    hosts.add(name + ":" + port);
    ownOrigins.add("http://" + name + ":" + port);
    if (DEFAULT_PORTS.containsValue(port)) {
      hosts.add(name);
    }
    if (port.equals(DEFAULT_PORTS.get("http"))) {
      ownOrigins.add("http://" + name);
    }
  }

  static String bracketed(String host) {
    return host.contains(":") && !host.startsWith("[") ? "[" + host + "]" : host;
  }

  /// Returns the operator's values of `Host` in lower case.
  ///
  /// @throws IllegalArgumentException for one that is neither `name` nor `name:port`
  static List<String> checkedHosts(Collection<String> hosts) {
    return hosts.stream().map(host -> checked("a host", "name or name:port", HOST, host)).toList();
  }

  /// Returns the operator's origins in lower case.
  ///
  /// @throws IllegalArgumentException for one that no browser sends
  static List<String> checkedOrigins(Collection<String> origins) {
    List<String> checked =
        origins.stream()
            .map(o -> checked("an origin", "scheme://host or scheme://host:port", ORIGIN, o))
            .toList();
    for (String origin : checked) {
      DEFAULT_PORTS.forEach((scheme, port) -> {
        if (origin.startsWith(scheme + "://") && origin.endsWith(":" + port)) {
          throw new IllegalArgumentException(
              "browsers leave out the port of " + Front.quoted(origin) + ", and so must you");
        }
      });
    }
    return checked;
  }

  private static String checked(String what, String shape, Pattern pattern, String value) {
    String lower = value.toLowerCase(Locale.ROOT);
    Matcher parts = pattern.matcher(lower);
    if (!parts.matches()
        || lower.equals("null")
        || (parts.group("port") != null && Integer.parseInt(parts.group("port")) > 65_535)) {
      throw new IllegalArgumentException(
          "%s is allowed as %s, each by itself and without wildcards, not as %s"
              .formatted(what, shape, Front.quoted(value)));
    }
    return lower;
  }

  /// Refuses a request that a foreign page may have made.
  ///
  /// @param target names a host too, in a request to a proxy
  void checkOrigin(URI target, Headers headers) throws HttpError {
    List<String> host = headers.getOrDefault("Host", List.of());
    String named = target.getRawAuthority();
    if (host.size() != 1 || !names(host.getFirst()) || (named != null && !names(named))) {
      throw new HttpError(
          403, "the Host header must be one of " + hosts.stream().sorted().toList());
    }
    for (String origin : headers.getOrDefault("Origin", List.of())) {
      if (!isOwn(origin) && foreignOrigin(headers).isEmpty()) {
        throw new HttpError(403, "requests from another origin are refused");
      }
    }
  }

  private boolean names(String host) {
    return hosts.contains(host.toLowerCase(Locale.ROOT));
  }

  private boolean isOwn(String origin) {
    return ownOrigins.contains(origin.toLowerCase(Locale.ROOT));
  }

  /// Returns the origin that asks, if it is not this server's own and the operator allows it.
  Optional<String> foreignOrigin(Headers headers) {
    List<String> origins = headers.getOrDefault("Origin", List.of());
    return Optional.of(origins)
        .filter(given -> given.size() == 1)
        .map(List::getFirst)
        .filter(origin -> !isOwn(origin))
        .filter(origin -> foreignOrigins.contains(origin.toLowerCase(Locale.ROOT)));
  }

  /// Returns whether a browser asks on behalf of an allowed foreign page what it may send. It asks
  /// without the token.
  boolean isPreflight(String method, Headers headers) {
    return method.equals("OPTIONS")
        && headers.containsKey("Access-Control-Request-Method")
        && foreignOrigin(headers).isPresent();
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
