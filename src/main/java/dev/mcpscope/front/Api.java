package dev.mcpscope.front;

import com.sun.net.httpserver.Headers;
import dev.mcpscope.client.CloseReason;
import dev.mcpscope.client.ConnectionClosedException;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.host.ConnectionStatus;
import dev.mcpscope.host.HostEvent;
import dev.mcpscope.host.LimitException;
import dev.mcpscope.host.McpHost;
import dev.mcpscope.host.Subscription;
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

  /// Answers a request by a stream of events, or says why not before the stream has begun.
  @FunctionalInterface
  interface Streaming {
    void answer(Request request, EventStream out)
        throws HttpError, IOException, LimitException, InterruptedException;
  }

  /// What a method does on a path.
  ///
  /// @param hasBody whether the request must have a JSON body
  /// @param action how it is answered in one piece; empty if it cannot be
  /// @param streaming how it is answered by events; empty if it cannot be
  record Endpoint(boolean hasBody, Optional<Action> action, Optional<Streaming> streaming) {

    Endpoint(boolean hasBody, Action action) {
      this(hasBody, Optional.of(action), Optional.empty());
    }

    /// Returns whether this request is answered by events.
    boolean streams(Headers request) {
      return streaming.isPresent() && (action.isEmpty() || EventStream.isWanted(request));
    }
  }

  private final McpHost host;
  private final View view;
  private final Map<String, Map<String, Endpoint>> endpoints;

  /// @param configured the operator's own servers, by name
  Api(McpHost host, CommandPolicy commands, Map<String, ServerSpec> configured) {
    this.host = host;
    this.view = new View(configured);
    var connects = new Connects(host, commands, configured, view);
    var calls = new ToolCalls(host, view);
    this.endpoints =
        Map.of(
            "/mcp",
            Map.of(
                "POST", new Endpoint(true, connects::connect),
                "DELETE", new Endpoint(true, this::disconnect),
                "GET", new Endpoint(false, this::connections)),
            "/mcp/call",
            Map.of(
                "POST", new Endpoint(true, Optional.of(calls::call), Optional.of(calls::stream))),
            "/mcp/events",
            Map.of("GET", new Endpoint(false, Optional.empty(), Optional.of(this::events))),
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
    return endpoint;
  }

  /// What the host and the body's members throw, as an error of HTTP.
  ///
  /// @return null for what is none
  static HttpError error(Exception e) {
    return switch (e) {
      case HttpError error -> error;
      case JsonException wrong -> new HttpError(400, wrong.getMessage());
      case IllegalArgumentException wrong -> new HttpError(400, wrong.getMessage());
      case LimitException limit -> new HttpError(429, limit.getMessage());
      case ConnectionClosedException closed ->
          new HttpError(closed.reason() == CloseReason.HOST_ENDED ? 503 : 409, closed.getMessage());
      default -> null;
    };
  }

  private JsonValue disconnect(Request request)
      throws HttpError, JsonException, LimitException, InterruptedException {
    String name = request.text("name");
    Optional<CloseReport> report = host.disconnect(request.text("sessionId"), name);
    return JsonObject.of(
        "success", true, "report", report.map(taken -> view.report(name, taken)).orElse(null));
  }

  private JsonValue connections(Request request) throws HttpError {
    String session = session(request);
    List<ConnectionStatus> statuses = host.statuses(session).orElseThrow(() -> noSession(session));
    return JsonObject.of(
        "sessionId", session, "connections", statuses.stream().map(view::row).toList());
  }

  private static String session(Request request) throws HttpError {
    return request
        .parameter("sessionId")
        .orElseThrow(() -> new HttpError(400, "the parameter sessionId is missing"));
  }

  /// Tells what happens in a session, until it ends or the client has gone.
  private void events(Request request, EventStream out)
      throws HttpError, IOException, LimitException, InterruptedException {
    try (Subscription subscription = host.subscribe(session(request))) {
      out.begin();
      while (!subscription.isOver()) {
        Optional<HostEvent> event = subscription.next(out.heartbeat());
        if (event.isPresent()) {
          View.Streamed streamed = view.event(event.get());
          out.send(streamed.name(), streamed.data());
        } else if (!subscription.isOver()) {
          out.beat();
        }
      }
      out.send("end", JsonObject.EMPTY);
    }
    out.end();
  }

  static HttpError noSession(String session) {
    return new HttpError(404, "there is no session " + Front.quoted(session));
  }

  private JsonValue endSession(Request request) throws InterruptedException {
    String id = request.uri().getPath().substring(SESSIONS.length());
    JsonObject reports = JsonObject.EMPTY;
    for (var report : host.endSession(id).orElse(Map.of()).entrySet()) {
      reports = reports.with(report.getKey(), view.report(report.getKey(), report.getValue()));
    }
    return JsonObject.of("success", true, "reports", reports);
  }

  /// The tree as the registry has it, or, as the proof, as the JVM's own thread dump has it.
  private JsonValue scopes(Request request) throws HttpError {
    switch (request.parameter("proof").orElse("")) {
      case "dump" -> {
        try {
          return ThreadDump.take().json();
        } catch (
            IOException e) { // no room for it, or no right, in the directory of temporary files
          throw new HttpError(500, "the JVM's thread dump cannot be had: " + e);
        }
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
            "survivors", host.survivors().stream().map(CloseReport.ServerProcess::json).toList());
      }
      default -> throw new HttpError(400, "proof must be dump");
    }
  }

  private static JsonObject scope(ConnectionStatus status) {
    return JsonObject.of(
        "name",
        "connection/" + status.session() + "/" + status.name() + "#" + status.generation(),
        "status",
        View.word(status.state()));
  }
}
