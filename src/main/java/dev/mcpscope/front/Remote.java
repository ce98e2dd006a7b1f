package dev.mcpscope.front;

import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.json.JsonObject;
import java.net.URI;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// A server at a URL, as clients ask for it and are shown it: `***` stands for the user info, each
/// value of the query, and the value of each header. Of the query, what stands before a `=` is a
/// name, and a part without one is a value.
final class Remote {
  private static final String HIDDEN = CommandPolicy.HIDDEN;

  private Remote() {}

  /// Reads what a client asks for.
  ///
  /// @param type `streamable-http` or `sse`
  /// @throws RefusedException if no server is connected there, or with these headers; without user
  ///     info, query, and values of headers
  static ServerSpec.Http parse(String type, String url, Map<String, String> headers)
      throws RefusedException {
    try {
      return (type.equals("sse") ? ServerSpec.sse(url) : ServerSpec.http(url)).withHeaders(headers);
    } catch (IllegalArgumentException e) {
      throw new RefusedException(e.getMessage());
    }
  }

  /// Returns the `clientType` of a server.
  static String type(ServerSpec.Http server) {
    return switch (server.kind()) {
      case STREAMABLE_HTTP -> "streamable-http";
      case SSE -> "sse";
    };
  }

  /// Returns its URL as clients and logs may see it. The path is shown.
  static String shownUrl(ServerSpec.Http server) {
    URI url = server.url();
    String query =
        parts(url)
            .map(part -> part.isEmpty() ? "" : key(part) + HIDDEN)
            .collect(Collectors.joining("&"));
    return with(url, HIDDEN, query);
  }

  /// Returns its headers as clients may see them.
  static JsonObject shownHeaders(ServerSpec.Http server) {
    JsonObject shown = JsonObject.EMPTY;
    for (String name : server.headers().keySet()) {
      shown = shown.with(name, HIDDEN);
    }
    return shown;
  }

  /// Returns what is asked for, with the values that `***` stands for.
  ///
  /// @param name the connection's
  /// @param held the server of that name in the session, if values may be taken from it
  /// @throws RefusedException if it has no such value, or it is another server's: who could have it
  ///     sent to a place of his own would know it
  static ServerSpec.Http revealed(
      ServerSpec.Http asked, String name, Optional<ServerSpec.Http> held) throws RefusedException {
    var from = new Held(name, originOf(asked.url()), held);
    var headers = new LinkedHashMap<String, String>();
    for (var header : asked.headers().entrySet()) {
      String key = header.getKey();
      headers.put(key, isHidden(header.getValue()) ? from.header(key) : header.getValue());
    }
    String userInfo = userInfo(asked.url(), from);
    var query = new ArrayList<String>();
    var counts = new HashMap<String, Integer>();
    for (String part : parts(asked.url()).toList()) {
      String of = key(part);
      int count = counts.merge(of, 1, Integer::sum);
      query.add(isHidden(value(part)) ? of + from.parameter(of, count) : part);
    }
    String url = with(asked.url(), userInfo, query.stream().collect(Collectors.joining("&")));
    return parse(type(asked), url, headers);
  }

  private static String userInfo(URI url, Held from) throws RefusedException {
    String userInfo = url.getRawUserInfo();
    if (userInfo == null || !Stream.of(userInfo.split(":", 2)).anyMatch(Remote::isHidden)) {
      return userInfo;
    }
    if (!isHidden(userInfo)) {
      throw new RefusedException("in the user info of a URL '***' stands for the whole of it");
    }
    return from.value("the user info", server -> server.url().getRawUserInfo());
  }

  /// What `***` is looked up in.
  ///
  /// @param origin of the server that is asked for
  private record Held(String name, String origin, Optional<ServerSpec.Http> server) {

    String header(String header) throws RefusedException {
      return value(
          "the header " + Front.quoted(header),
          server -> {
            for (var held : server.headers().entrySet()) {
              if (held.getKey().equalsIgnoreCase(header)) {
                return held.getValue();
              }
            }
            return null;
          });
    }

    /// @param count which one of those with this name, from 1
    String parameter(String parameter, int count) throws RefusedException {
      return value(
          "a value of the query",
          server ->
              parts(server.url())
                  .filter(part -> key(part).equals(parameter))
                  .skip(count - 1)
                  .map(Remote::value)
                  .findFirst()
                  .orElse(null));
    }

    /// @param of null for none
    String value(String what, Function<ServerSpec.Http, String> of) throws RefusedException {
      String why = what + " is '***', which stands for a value that is held already, and ";
      if (server.isPresent() && !originOf(server.get().url()).equals(origin)) {
        throw new RefusedException(
            why + Front.quoted(name) + " is at another scheme, host or port; send the value");
      }
      return server
          .map(of)
          .orElseThrow(
              () -> new RefusedException(why + Front.quoted(name) + " holds none; send the value"));
    }
  }

  private static String originOf(URI url) {
    String scheme = url.getScheme().toLowerCase(Locale.ROOT);
    int port = url.getPort() >= 0 ? url.getPort() : scheme.equals("https") ? 443 : 80;
    return scheme + "://" + url.getHost().toLowerCase(Locale.ROOT) + ":" + port;
  }

  /// The URL with this user info and this query, where it has one.
  private static String with(URI url, String userInfo, String query) {
    String authority = url.getRawAuthority();
    String place = authority.substring(authority.lastIndexOf('@') + 1);
    return url.getScheme()
        + "://"
        + (url.getRawUserInfo() == null ? "" : userInfo + "@")
        + place
        + url.getRawPath()
        + (url.getRawQuery() == null ? "" : "?" + query);
  }

  private static Stream<String> parts(URI url) {
    String query = url.getRawQuery();
    return query == null ? Stream.empty() : Stream.of(query.split("&", -1));
  }

  /// The name with its `=`, or nothing.
  private static String key(String part) {
    return part.substring(0, part.indexOf('=') + 1);
  }

  private static String value(String part) {
    return part.substring(part.indexOf('=') + 1);
  }

  /// Clients may have encoded what they were shown.
  private static boolean isHidden(String value) {
    return value.replaceAll("(?i)%2a", "*").equals(HIDDEN);
  }
}
