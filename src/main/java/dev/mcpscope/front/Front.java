package dev.mcpscope.front;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.mcpscope.host.McpHost;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.json.JsonWriter;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/// The HTTP front of a host, on one address.
///
/// Where it is opened: [#open]. Where it is closed: [#close()]. It owns a server socket, the JDK's
/// dispatcher thread and a virtual thread for each request, and nothing of any connection: what a
/// request asks for is the host's to do, and goes on when the client goes away. The host is not its
/// own; close it between [#refuse()] and [#close()], so that requests which wait for it are answered.
///
/// Every request is answered, whatever happens: by the endpoint's answer or by
/// `{"detail": "…"}` with a status that says whose fault it is. `docs/http-api.md` lists them.
public final class Front implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger("dev.mcpscope.front");

  /// The longest body of a request, in bytes.
  static final int MAX_BODY = 1 << 20;

  /// How much of a body that is refused is read, so that the client gets to read why.
  private static final int MAX_DISCARD = 16 << 20;

  private static final int STOP_SECONDS = 1;

  static {
    // Read once, when the JDK's server is first used. Small answers must not wait for an
    // acknowledgement, and who does not finish sending a request in time, or reading its answer
    // (which may be long in the making), is cut off.
    System.setProperty("sun.net.httpserver.nodelay", "true");
    if (System.getProperty("sun.net.httpserver.maxReqTime") == null) {
      System.setProperty("sun.net.httpserver.maxReqTime", "30");
    }
    if (System.getProperty("sun.net.httpserver.maxRspTime") == null) {
      System.setProperty("sun.net.httpserver.maxRspTime", "900");
    }
  }

  /// Where the front listens, and what it allows.
  ///
  /// @param host the address to bind; a loopback address unless the operator knows why not
  /// @param port 0 to 65535; 0 takes a free one
  /// @param token what clients have to know; not empty
  /// @param allow the executables that may be started: names looked up on `environment`'s PATH, or
  ///     absolute paths
  /// @param environment the operator's environment
  public record Options(
      String host,
      int port,
      String token,
      Collection<String> allow,
      Map<String, String> environment) {

    /// Checks the ranges.
    public Options {
      if (port < 0 || port > 65_535) {
        throw new IllegalArgumentException("port must be 0 to 65535, is " + port);
      }
      if (!token.matches("[!-~]+")) {
        throw new IllegalArgumentException("the token must be visible ASCII without blanks");
      }
      allow = List.copyOf(allow);
    }

    /// Without the token and the environment.
    @Override
    public String toString() {
      return "front on " + host + ":" + port + ", allowing " + allow;
    }
  }

  private final HttpServer server;
  private final ExecutorService requests;
  private final Gate gate;
  private final Api api;
  private final URI uri;
  private volatile boolean refusing;

  private Front(HttpServer server, Options options, McpHost host) {
    this.server = server;
    this.requests =
        Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name("front request ", 1).factory());
    int port = server.getAddress().getPort();
    this.uri = URI.create("http://" + bracketed(options.host()) + ":" + port);
    this.gate = new Gate(options.token(), hosts(options.host(), port));
    this.api = new Api(host, new CommandPolicy(options.allow(), options.environment()));
    server.setExecutor(requests);
    server.createContext("/", this::handle);
    server.start();
  }

  /// Binds and starts to answer.
  ///
  /// @throws IOException when the address cannot be bound: the message names it. The JDK's server
  ///     keeps the descriptor of a socket that it could not bind, so do not try in a loop
  public static Front open(Options options, McpHost host) throws IOException {
    var address = new InetSocketAddress(InetAddress.getByName(options.host()), options.port());
    HttpServer server;
    try {
      server = HttpServer.create(address, 0);
    } catch (IOException e) {
      throw new IOException(
          "cannot listen on " + options.host() + ":" + options.port() + ": " + e.getMessage(), e);
    }
    try {
      return new Front(server, options, host);
    } catch (RuntimeException | Error e) {
      server.stop(0);
      throw e;
    }
  }

  private static Set<String> hosts(String bound, int port) {
    var hosts = new HashSet<String>();
    for (String name : List.of("127.0.0.1", "localhost", "[::1]", bracketed(bound))) {
      hosts.add(name.toLowerCase(Locale.ROOT) + ":" + port);
    }
    return Set.copyOf(hosts);
  }

  private static String bracketed(String host) {
    return host.contains(":") && !host.startsWith("[") ? "[" + host + "]" : host;
  }

  /// Returns where it listens, with the port that it got.
  public URI uri() {
    return uri;
  }

  /// Answers 503 to every request that comes from now on; those that wait for the host still wait.
  public void refuse() {
    refusing = true;
  }

  /// Stops listening and returns when the requests have been answered, or a second has passed: then
  /// they are cut off. Called twice, it does nothing.
  @Override
  public void close() {
    refuse();
    server.stop(STOP_SECONDS);
    requests.shutdownNow();
    requests.close();
  }

  private void handle(HttpExchange exchange) throws IOException {
    try (exchange) {
      int status = 200;
      JsonValue answer;
      try {
        answer = answer(exchange);
      } catch (HttpError e) {
        status = e.status();
        e.headers().forEach(exchange.getResponseHeaders()::set);
        answer = JsonObject.of("detail", e.getMessage());
      } catch (InterruptedException e) {
        status = 503;
        answer = JsonObject.of("detail", "mcp-scope is shutting down");
      } catch (Exception | Error e) {
        LOG.log(System.Logger.Level.ERROR, "a request failed", e);
        status = 500;
        answer = JsonObject.of("detail", "a defect of mcp-scope; its log has the details");
      }
      discard(exchange.getRequestBody());
      Headers headers = exchange.getResponseHeaders();
      headers.set("Content-Type", "application/json");
      headers.set("Cache-Control", "no-store");
      headers.set("X-Content-Type-Options", "nosniff");
      byte[] body = JsonWriter.bytes(answer);
      boolean head = exchange.getRequestMethod().equals("HEAD");
      exchange.sendResponseHeaders(status, head ? -1 : body.length);
      if (!head) {
        try (OutputStream out = exchange.getResponseBody()) {
          out.write(body);
        }
      }
    } catch (IOException e) {
      LOG.log(System.Logger.Level.DEBUG, "the client has gone: {0}", e.getMessage());
    }
  }

  private JsonValue answer(HttpExchange exchange) throws Exception {
    Headers headers = exchange.getRequestHeaders();
    String path = exchange.getRequestURI().getPath();
    gate.checkOrigin(headers);
    if (!path.equals("/health")) {
      gate.checkToken(headers);
    }
    Api.Endpoint endpoint = api.endpoint(exchange.getRequestMethod(), path);
    if (refusing) {
      throw new HttpError(503, "mcp-scope is shutting down");
    }
    JsonObject body = endpoint.hasBody() ? body(exchange) : JsonObject.EMPTY;
    return endpoint.action().answer(new Api.Request(exchange.getRequestURI(), body));
  }

  private static JsonObject body(HttpExchange exchange) throws HttpError, IOException {
    // A page of another origin cannot send this type without asking first.
    String type = exchange.getRequestHeaders().getFirst("Content-Type");
    String mime = type == null ? "" : type.split(";", 2)[0].strip();
    if (!mime.equalsIgnoreCase("application/json")) {
      throw new HttpError(
          415,
          "the body must be sent as Content-Type: application/json"
              + (type == null ? "" : ", is " + quoted(type)));
    }
    byte[] bytes;
    try {
      bytes = exchange.getRequestBody().readNBytes(MAX_BODY + 1);
    } catch (IOException e) {
      throw new HttpError(
          400, "the body cannot be read: " + e.getMessage(), Map.of("Connection", "close"));
    }
    if (bytes.length > MAX_BODY) {
      throw new HttpError(413, "the body is longer than " + MAX_BODY + " bytes");
    }
    try {
      return switch (JsonReader.read(bytes, JsonLimits.defaults().withMaxBytes(MAX_BODY))) {
        case JsonObject object -> object;
        case JsonValue other ->
            throw new HttpError(400, "the body must be a JSON object, is " + other.kind());
      };
    } catch (JsonException e) {
      throw new HttpError(400, "the body is " + e.withoutExcerpt());
    }
  }

  /// Short, and safe to show.
  static String quoted(String text) {
    String shown = text.length() > 60 ? text.substring(0, 60) + "…" : text;
    return "'" + shown.replaceAll("\\p{Cntrl}", "?") + "'";
  }

  private static void discard(InputStream body) {
    byte[] chunk = new byte[8 * 1024];
    try {
      int n;
      for (long read = 0; read < MAX_DISCARD && (n = body.read(chunk)) >= 0; ) {
        read += n;
      }
    } catch (IOException _) {
      // it ends here; the answer is sent all the same
    }
  }
}
