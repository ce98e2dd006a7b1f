package dev.mcpscope.client;

import dev.mcpscope.http.Destinations;
import dev.mcpscope.http.RefusedDestinationException;
import dev.mcpscope.http.UserHeaders;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// Which server to connect, and how to reach it.
public sealed interface ServerSpec {

  /// A server that runs as a child process of this JVM.
  ///
  /// @param command the executable, looked up on PATH, and its arguments; no shell is involved
  /// @param environment variables that it gets besides the small safe set (PATH, HOME, …) that every
  ///     server gets; the rest of the host's environment stays hidden from it
  /// @param directory where it runs; empty for the host's own directory
  record Stdio(List<String> command, Map<String, String> environment, Optional<Path> directory)
      implements ServerSpec {

    /// Copies, and checks that there is a command.
    public Stdio {
      command = List.copyOf(command);
      environment = Map.copyOf(environment);
      if (command.isEmpty() || command.getFirst().isBlank()) {
        throw new IllegalArgumentException("a stdio server needs a command");
      }
    }

    /// Returns the same with this environment.
    public Stdio withEnvironment(Map<String, String> environment) {
      return new Stdio(command, environment, directory);
    }

    /// Returns the same in this directory.
    public Stdio withDirectory(Path directory) {
      return new Stdio(command, environment, Optional.of(directory));
    }

    /// Names the executable only: arguments and variables may be secrets.
    @Override
    public String toString() {
      return "stdio server " + command.getFirst();
    }
  }

  /// A server at a URL. What is wrong with one is said without its user info, its query, and the
  /// values of headers.
  ///
  /// @param url `http` or `https`, in visible ASCII, at most 8 KiB; its user info, if any, is sent
  ///     as basic authorization
  /// @param headers sent with every request besides those of the protocol, such as `Authorization`:
  ///     at most 64, none that the protocol or the connection sets, with values of visible ASCII,
  ///     blanks and tabs; in their order
  /// @param kind how it is spoken to
  record Http(URI url, Map<String, String> headers, Kind kind) implements ServerSpec {

    /// The two ways in which MCP goes over HTTP.
    public enum Kind {
      /// Streamable HTTP, of the revisions since 2025-03-26; a server that does not know it is tried
      /// by the older way.
      STREAMABLE_HTTP,
      /// HTTP with server-sent events, of revision 2024-11-05.
      SSE
    }

    private static final int MAX_URL = 8 << 10;

    /// Copies, and checks that a request can be sent to it, as far as that can be said without
    /// looking up its host.
    public Http {
      headers = UserHeaders.checked(headers);
      check(url.toString());
      String scheme = url.getScheme() == null ? "" : url.getScheme().toLowerCase(Locale.ROOT);
      if (!scheme.equals("http") && !scheme.equals("https")) {
        throw new IllegalArgumentException("a URL must begin with http:// or https://");
      }
      if (url.getHost() == null) {
        throw new IllegalArgumentException("the URL names no host");
      }
      if (url.getPort() == 0 || url.getPort() > 65_535) {
        throw new IllegalArgumentException("the port of a URL must be 1 to 65535");
      }
      if (url.getRawFragment() != null) {
        throw new IllegalArgumentException("a URL with a fragment (#) is no address of a server");
      }
      try {
        Destinations.check(url);
      } catch (RefusedDestinationException e) {
        throw new IllegalArgumentException("no connection is made to " + e.reason(), e);
      }
    }

    private static void check(String url) {
      if (url.length() > MAX_URL) {
        throw new IllegalArgumentException(
            "a URL has at most " + MAX_URL + " characters, this has " + url.length());
      }
      // The JDK's client would send a question mark for it, and it could turn the text around.
      if (!url.matches("[!-~]*")) {
        throw new IllegalArgumentException("a URL is visible ASCII, with all else percent-encoded");
      }
    }

    /// Unlike [URI#create], whose message repeats the text.
    private static URI parse(String url) {
      check(url);
      try {
        return new URI(url);
      } catch (URISyntaxException e) {
        throw new IllegalArgumentException(
            "not a URL: " + e.getReason() + " at character " + (e.getIndex() + 1));
      }
    }

    /// Returns the same with these headers.
    public Http withHeaders(Map<String, String> headers) {
      return new Http(url, headers, kind);
    }

    /// Names host, port and path only: user info, query and headers may be secrets.
    @Override
    public String toString() {
      String port = url.getPort() < 0 ? "" : ":" + url.getPort();
      return "http server " + url.getHost() + port + url.getRawPath();
    }
  }

  /// Returns a server that is started by this command.
  static Stdio stdio(String... command) {
    return new Stdio(List.of(command), Map.of(), Optional.empty());
  }

  /// Returns a server at this URL, spoken to by streamable HTTP.
  ///
  /// @throws IllegalArgumentException when it is none
  static Http http(String url) {
    return new Http(Http.parse(url), Map.of(), Http.Kind.STREAMABLE_HTTP);
  }

  /// Returns a server at this URL, spoken to by HTTP with server-sent events.
  ///
  /// @throws IllegalArgumentException when it is none
  static Http sse(String url) {
    return new Http(Http.parse(url), Map.of(), Http.Kind.SSE);
  }
}
