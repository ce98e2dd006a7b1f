package dev.mcpscope.front;

import dev.mcpscope.client.CallOptions;
import dev.mcpscope.client.CallTimeoutException;
import dev.mcpscope.client.ClientOptions;
import dev.mcpscope.client.CloseReason;
import dev.mcpscope.client.ConnectionClosedException;
import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.McpClient;
import dev.mcpscope.client.McpException;
import dev.mcpscope.client.ServerInfo;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.client.Tool;
import dev.mcpscope.host.ConnectOptions;
import dev.mcpscope.host.ConnectionStatus;
import dev.mcpscope.host.LimitException;
import dev.mcpscope.host.McpHost;
import dev.mcpscope.host.ThreadDump;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.transport.CloseReport;
import java.io.IOException;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The endpoints: what a request asks of the host, and the host's answer as JSON. Runs in the
/// request's thread, which waits here like any other caller.
///
/// A request is validated whole before anything is asked of the host: one that is refused touches
/// nothing that runs.
final class Api {
  private static final long MAX_TIMEOUT_MS = Duration.ofMinutes(10).toMillis();
  private static final String SESSIONS = "/sessions/";

  /// A request as endpoints see it; `body` is empty for those that take none.
  record Request(URI uri, JsonObject body) {

    String text(String name) throws HttpError, JsonException {
      String value = body.string(name);
      if (value.isBlank()) {
        throw new HttpError(400, name + " must not be empty");
      }
      return value;
    }

    /// Returns whether the body has a member of that name that is not null.
    boolean has(String name) {
      return body.has(name) && body.get(name) != JsonNull.INSTANCE;
    }

    Optional<Duration> millis(String name) throws HttpError, JsonException {
      var value = body.optionalInteger(name);
      if (value.isEmpty()) {
        return Optional.empty();
      }
      if (value.getAsLong() < 1 || value.getAsLong() > MAX_TIMEOUT_MS) {
        throw new HttpError(
            400, name + " must be 1 to " + MAX_TIMEOUT_MS + ", is " + value.getAsLong());
      }
      return Optional.of(Duration.ofMillis(value.getAsLong()));
    }

    /// A parameter of the query; the last one counts.
    Optional<String> parameter(String name) throws HttpError {
      Map<String, String> parameters = new HashMap<>();
      String query = uri.getRawQuery();
      for (String pair : query == null ? new String[0] : query.split("&")) {
        int equals = pair.indexOf('=');
        if (equals > 0) {
          parameters.put(decoded(pair.substring(0, equals)), decoded(pair.substring(equals + 1)));
        }
      }
      return Optional.ofNullable(parameters.get(name));
    }

    private static String decoded(String text) throws HttpError {
      try {
        return URLDecoder.decode(text, StandardCharsets.UTF_8);
      } catch (IllegalArgumentException e) {
        throw new HttpError(400, "the query is wrong: " + e.getMessage());
      }
    }
  }

  /// Answers a request, or says why not.
  @FunctionalInterface
  interface Action {
    JsonValue answer(Request request)
        throws HttpError, IOException, LimitException, InterruptedException;
  }

  /// What a method does on a path.
  ///
  /// @param hasBody whether the request must have a JSON body
  record Endpoint(boolean hasBody, Action action) {}

  private final McpHost host;
  private final CommandPolicy commands;
  private final Map<String, Map<String, Endpoint>> endpoints;

  Api(McpHost host, CommandPolicy commands) {
    this.host = host;
    this.commands = commands;
    this.endpoints =
        Map.of(
            "/mcp",
            Map.of(
                "POST", new Endpoint(true, this::connect),
                "DELETE", new Endpoint(true, this::disconnect),
                "GET", new Endpoint(false, this::connections)),
            "/mcp/call",
            Map.of("POST", new Endpoint(true, this::call)),
            SESSIONS,
            Map.of("DELETE", new Endpoint(false, this::endSession)),
            "/scopes",
            Map.of("GET", new Endpoint(false, this::scopes)),
            "/health",
            Map.of("GET", new Endpoint(false, _ -> JsonObject.of("status", "ok"))));
  }

  /// Finds the endpoint, whose errors are the client's to read.
  Endpoint endpoint(String method, String path) throws HttpError {
    Map<String, Endpoint> methods = endpoints.get(path.startsWith(SESSIONS) ? SESSIONS : path);
    if (methods == null || path.equals(SESSIONS)) {
      throw new HttpError(404, "there is nothing at " + Front.quoted(path));
    }
    Endpoint endpoint = methods.get(method);
    if (endpoint == null) {
      String allowed = String.join(", ", methods.keySet().stream().sorted().toList());
      throw new HttpError(
          405,
          Front.quoted(path) + " takes " + allowed + ", not " + Front.quoted(method),
          Map.of("Allow", allowed));
    }
    return new Endpoint(endpoint.hasBody(), request -> answered(endpoint.action(), request));
  }

  /// What the host and the body's members throw, as errors of HTTP.
  private static JsonValue answered(Action action, Request request)
      throws HttpError, IOException, LimitException, InterruptedException {
    try {
      return action.answer(request);
    } catch (JsonException | IllegalArgumentException e) {
      throw new HttpError(400, e.getMessage());
    } catch (LimitException e) {
      throw new HttpError(429, e.getMessage());
    } catch (ConnectionClosedException e) {
      throw new HttpError(e.reason() == CloseReason.HOST_ENDED ? 503 : 409, e.getMessage());
    }
  }

  private JsonValue connect(Request request)
      throws HttpError,
          JsonException,
          ConnectionClosedException,
          LimitException,
          InterruptedException {
    String session = request.text("sessionId");
    String name = request.text("name");
    String type = request.text("clientType");
    Map<String, String> headers = headers(request);
    if (type.equals("streamable-http") || type.equals("sse")) {
      throw new HttpError(400, "clientType " + type + " is not supported by this version yet");
    }
    if (!type.equals("stdio")) {
      throw new HttpError(
          400, "clientType must be stdio, streamable-http or sse, is " + Front.quoted(type));
    }
    if (!headers.isEmpty()) {
      throw new HttpError(400, "headers belong to HTTP servers, clientType is stdio");
    }
    if (request.has("url")) {
      throw new HttpError(400, "a url belongs to HTTP servers, clientType is stdio");
    }
    for (String later : List.of("ifAbsent", "restart")) {
      if (request.has(later)) {
        throw new HttpError(400, later + " is not supported by this version yet");
      }
    }
    ServerSpec spec = spec(request.text("fullCommand"));
    ClientOptions options = host.options().client();
    Optional<Duration> timeout = request.millis("connectTimeoutMs");
    if (timeout.isPresent()) {
      options = options.withConnectTimeout(timeout.get());
    }
    try {
      return JsonObject.of(
          "success",
          true,
          "mcp",
          json(host.connect(session, name, spec, ConnectOptions.of(options))));
    } catch (ConnectionClosedException e) {
      throw e;
    } catch (McpException e) {
      throw new HttpError(400, "could not connect: " + e.getMessage());
    }
  }

  private static Map<String, String> headers(Request request) throws HttpError {
    try {
      return HeaderPolicy.checked(request.body().get("headers"));
    } catch (RefusedException e) {
      throw new HttpError(400, e.getMessage());
    }
  }

  private ServerSpec spec(String fullCommand) throws HttpError {
    try {
      CommandPolicy.Command command = commands.parse(fullCommand);
      if (command.environment().containsValue("***")) {
        throw new HttpError(
            400, "an environment value is '***', which stands for a secret; send the secret");
      }
      return new ServerSpec.Stdio(command.argv(), command.environment(), Optional.empty());
    } catch (RefusedException e) {
      throw new HttpError(400, e.getMessage());
    }
  }

  private JsonValue disconnect(Request request)
      throws HttpError, JsonException, LimitException, InterruptedException {
    Optional<CloseReport> report = host.disconnect(request.text("sessionId"), request.text("name"));
    return JsonObject.of("success", true, "report", report.map(CloseReport::json).orElse(null));
  }

  private JsonValue connections(Request request) throws HttpError {
    String session =
        request
            .parameter("sessionId")
            .orElseThrow(() -> new HttpError(400, "the parameter sessionId is missing"));
    List<ConnectionStatus> statuses = host.statuses(session).orElseThrow(() -> noSession(session));
    return JsonObject.of(
        "sessionId", session, "connections", statuses.stream().map(Api::json).toList());
  }

  private JsonValue call(Request request)
      throws HttpError, JsonException, InterruptedException, ConnectionClosedException {
    String session = request.text("sessionId");
    String name = request.text("name");
    String tool = request.text("tool");
    JsonObject arguments = request.body().optionalObject("arguments").orElse(JsonObject.EMPTY);
    CallOptions call = CallOptions.defaults();
    Optional<Duration> timeout = request.millis("timeoutMs");
    if (timeout.isPresent()) {
      call = call.withTimeout(timeout.get());
    }
    McpClient client = client(session, name);
    try {
      return client.callTool(tool, arguments.members(), call).json();
    } catch (UnsupportedOperationException e) {
      throw new HttpError(400, e.getMessage());
    } catch (ConnectionClosedException e) {
      throw e;
    } catch (CallTimeoutException e) {
      throw new HttpError(504, e.getMessage());
    } catch (McpException e) { // the server was lost, broke the protocol, or answered an error
      throw new HttpError(502, e.getMessage());
    }
  }

  private McpClient client(String session, String name) throws HttpError {
    if (host.statuses(session).isEmpty()) {
      throw noSession(session);
    }
    Optional<ConnectionState> state = host.status(session, name).map(ConnectionStatus::state);
    String what = Front.quoted(name) + " in session " + Front.quoted(session);
    return switch (state.orElse(null)) {
      case ConnectionState.Connected(var client, _) -> client;
      case ConnectionState.Connecting _ -> throw new HttpError(409, what + " is still connecting");
      case ConnectionState.Closing(var reason) ->
          throw new HttpError(404, what + " is being closed: " + reason);
      case ConnectionState.Closed _ -> throw new HttpError(404, what + " is not connected");
      case ConnectionState.Failed(var cause, _) ->
          throw new HttpError(404, what + " is not connected any more: " + cause.getMessage());
      case null -> throw new HttpError(404, what + " is not connected");
    };
  }

  private static HttpError noSession(String session) {
    return new HttpError(404, "there is no session " + Front.quoted(session));
  }

  private JsonValue endSession(Request request) throws InterruptedException {
    String id = request.uri().getPath().substring(SESSIONS.length());
    JsonObject reports = JsonObject.EMPTY;
    for (var report : host.endSession(id).orElse(Map.of()).entrySet()) {
      reports = reports.with(report.getKey(), report.getValue().json());
    }
    return JsonObject.of("success", true, "reports", reports);
  }

  /// The tree as the registry has it, or, as the proof, as the JVM's own thread dump has it.
  private JsonValue scopes(Request request) throws HttpError, IOException {
    switch (request.parameter("proof").orElse("")) {
      case "dump" -> {
        return ThreadDump.take().json();
      }
      case "" -> {
        var sessions =
            host.statuses().entrySet().stream()
                .map(session ->
                    JsonObject.of(
                        "name",
                        "session/" + session.getKey(),
                        "scopes",
                        session.getValue().stream().map(Api::scope).toList()))
                .toList();
        return JsonObject.of(
            "scopes", JsonArray.of(JsonObject.of("name", "host", "scopes", sessions)),
            "survivors", host.survivors().stream().map(CloseReport.Survivor::json).toList());
      }
      default -> throw new HttpError(400, "proof must be dump");
    }
  }

  private static JsonObject scope(ConnectionStatus status) {
    return JsonObject.of(
        "name",
        "connection/" + status.session() + "/" + status.name() + "#" + status.generation(),
        "status",
        word(status.state()));
  }

  private static String word(ConnectionState state) {
    return switch (state) {
      case ConnectionState.Connecting _ -> "connecting";
      case ConnectionState.Connected _ -> "connected";
      case ConnectionState.Closing _ -> "closing";
      case ConnectionState.Closed _ -> "closed";
      case ConnectionState.Failed _ -> "failed";
    };
  }

  /// A connection as clients see it. The names of the reference system's own answer come first.
  private static JsonObject json(ConnectionStatus status) {
    ServerSpec.Stdio spec = (ServerSpec.Stdio) status.spec();
    JsonObject json =
        JsonObject.of(
            "name",
            status.name(),
            "tools",
            JsonArray.EMPTY,
            "clientType",
            "stdio",
            "command",
            new CommandPolicy.Command(spec.command(), spec.environment()).display(),
            "url",
            null,
            "headers",
            null,
            "status",
            word(status.state()),
            "generation",
            status.generation());
    return switch (status.state()) {
      case ConnectionState.Connected(var client, var tools) -> {
        ServerInfo server = client.server();
        yield json.with("tools", tools.stream().map(Tool::json).toList())
            .with("protocolVersion", server.protocolVersion())
            .with("serverInfo", server.json().get("serverInfo"));
      }
      case ConnectionState.Connecting(var phase) -> json.with("phase", phase);
      case ConnectionState.Closing(var reason) -> json.with("reason", reason);
      case ConnectionState.Closed(_, var report) -> json.with("report", report.json());
      case ConnectionState.Failed(var cause, var report) ->
          json.with("failure", cause.getMessage()).with("report", report.json());
    };
  }
}
