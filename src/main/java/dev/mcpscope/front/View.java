package dev.mcpscope.front;

import dev.mcpscope.client.AuthorizationRequiredException;
import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.McpClient;
import dev.mcpscope.client.Progress;
import dev.mcpscope.client.ServerEvent;
import dev.mcpscope.client.ServerInfo;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.client.Tool;
import dev.mcpscope.host.ConnectionStatus;
import dev.mcpscope.host.HostEvent;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.transport.CloseReport;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// What clients are shown of connections and events: JSON without secrets.
final class View {
  private static final int MOST_CHALLENGES = 8;
  private static final int MOST_OF_A_CHALLENGE = 1_024;

  private final Collection<ServerSpec> configured;
  private final Withheld withheld;

  /// @param configured the operator's own servers, whose commands and URLs are nobody's business
  View(Map<String, ServerSpec> configured) {
    this.configured = configured.values();
    this.withheld = new Withheld(configured);
  }

  /// Returns why something has failed, as it is told of the connection of this name.
  String failure(String name, Throwable failure) {
    return withheld.text(name, String.valueOf(failure.getMessage()));
  }

  /// Returns the report of the connection of this name.
  JsonValue report(String name, CloseReport report) {
    return withheld.json(name, report.json());
  }

  /// Returns whether it is one of the operator's own servers, and not one that only looks like it.
  boolean isConfigured(ServerSpec spec) {
    return configured.stream().anyMatch(own -> own == spec);
  }

  /// Returns a word for a state.
  static String word(ConnectionState state) {
    return switch (state) {
      case ConnectionState.Connecting _ -> "connecting";
      case ConnectionState.Connected _ -> "connected";
      case ConnectionState.Degraded _ -> "degraded";
      case ConnectionState.NeedsAuthorization _ -> "needs authorization";
      case ConnectionState.Closing _ -> "closing";
      case ConnectionState.Closed _ -> "closed";
      case ConnectionState.Failed(AuthorizationRequiredException _, _) -> "needs authorization";
      case ConnectionState.Failed _ -> "failed";
    };
  }

  /// Returns a connection with its tools. The names of the reference system's own answer come first.
  JsonObject row(ConnectionStatus status) {
    JsonObject row = rowWithoutTools(status);
    return status.state() instanceof ConnectionState.Usable usable
        ? row.with("tools", usable.tools().stream().map(Tool::json).toList())
        : row;
  }

  /// What is shown of how a server is reached; null is JSON's.
  private record Reached(String clientType, String command, String url, JsonObject headers) {
    static Reached by(ServerSpec spec) {
      return switch (spec) {
        case ServerSpec.Stdio(var command, var environment, _) ->
            new Reached(
                "stdio", new CommandPolicy.Command(command, environment).display(), null, null);
        case ServerSpec.Http http ->
            new Reached(Remote.type(http), null, Remote.shownUrl(http), Remote.shownHeaders(http));
      };
    }
  }

  private JsonObject rowWithoutTools(ConnectionStatus status) {
    Reached reached =
        isConfigured(status.spec())
            ? new Reached("configured", null, null, null)
            : Reached.by(status.spec());
    JsonObject row =
        JsonObject.of(
            "name",
            status.name(),
            "tools",
            JsonArray.EMPTY,
            "clientType",
            reached.clientType(),
            "command",
            reached.command(),
            "url",
            reached.url(),
            "headers",
            reached.headers(),
            "status",
            word(status.state()),
            "generation",
            status.generation());
    return switch (status.state()) {
      case ConnectionState.Connected(var client, _) -> withServer(row, client);
      case ConnectionState.Degraded(var client, _, var problem) ->
          withServer(row, client).with("failure", withheld.text(status.name(), problem));
      case ConnectionState.NeedsAuthorization(var client, _, var problem) ->
          withServer(row, client)
              .with("failure", failure(status.name(), problem))
              .with("authorization", authorization(problem, status.spec()));
      case ConnectionState.Connecting(var phase) -> row.with("phase", phase);
      case ConnectionState.Closing(var reason) ->
          row.with("reason", withheld.text(status.name(), reason));
      case ConnectionState.Closed(_, var report) ->
          row.with("report", report(status.name(), report));
      case ConnectionState.Failed(var cause, var report) -> {
        JsonObject failed =
            row.with("failure", failure(status.name(), cause))
                .with("report", report(status.name(), report))
                .with("restarts", status.restarts());
        yield cause instanceof AuthorizationRequiredException problem
            ? failed.with("authorization", authorization(problem, status.spec()))
            : failed;
      }
    };
  }

  /// Returns how a server has refused: the status, and its challenges, which are no secrets, unless
  /// the server is one of the operator's own: they name places of it.
  JsonObject authorization(AuthorizationRequiredException problem, ServerSpec spec) {
    var challenges =
        (isConfigured(spec) ? List.<String>of() : problem.challenges())
            .stream().limit(MOST_CHALLENGES).map(View::harmless).toList();
    return JsonObject.of("status", problem.status(), "challenges", challenges);
  }

  private static String harmless(String challenge) {
    String start =
        challenge.length() > MOST_OF_A_CHALLENGE
            ? challenge.substring(0, MOST_OF_A_CHALLENGE) + "…"
            : challenge;
    // Controls, those of a text's direction too, ends of lines, halves of characters.
    return start.replaceAll("[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}\\p{Cs}]", "?");
  }

  private static JsonObject withServer(JsonObject row, McpClient client) {
    ServerInfo server = client.server();
    JsonObject identity = server.identity();
    return row.with("protocolVersion", server.protocolVersion())
        .with("serverInfo", identity.isEmpty() ? null : identity);
  }

  /// An event as it is streamed.
  record Streamed(String name, JsonObject data) {}

  /// Returns an event. A change of state comes without the tools, which may be many: they are to be
  /// had from the connection.
  Streamed event(HostEvent event) {
    return switch (event) {
      case HostEvent.Changed(var status) ->
          new Streamed("state", rowWithoutTools(status).without("tools"));
      case HostEvent.Dropped(long count) -> new Streamed("dropped", JsonObject.of("count", count));
      case HostEvent.Told(_, var name, var generation, var told) -> {
        JsonObject from = JsonObject.of("name", name, "generation", generation);
        yield told(from, told);
      }
    };
  }

  private static Streamed told(JsonObject from, ServerEvent event) {
    return switch (event) {
      case ServerEvent.ListChanged(var list) ->
          new Streamed("list", from.with("list", list.name().toLowerCase(Locale.ROOT)));
      case ServerEvent.ResourceUpdated(var uri, _) ->
          new Streamed("resource", from.with("uri", uri));
      case ServerEvent.LogMessage(var level, var logger, var data, _) ->
          new Streamed(
              "log",
              from.with("level", level.word())
                  .with("logger", logger.orElse(null))
                  .with("data", data));
      case ServerEvent.CallProgress(var call, var method, var target, var progress) ->
          new Streamed(
              "progress",
              merged(
                  from.with("call", call).with("method", method).with("target", target), progress));
      case ServerEvent.ElicitationCompleted(var id) ->
          new Streamed("elicitation", from.with("elicitationId", id));
      case ServerEvent.Dropped(long count) -> new Streamed("dropped", from.with("count", count));
    };
  }

  /// Returns the progress of a call.
  static JsonObject progress(Progress progress) {
    return merged(JsonObject.EMPTY, progress);
  }

  private static JsonObject merged(JsonObject json, Progress progress) {
    JsonObject merged = json.with("progress", progress.progress());
    if (progress.total().isPresent()) {
      merged = merged.with("total", progress.total().getAsDouble());
    }
    return progress.message().isPresent()
        ? merged.with("message", progress.message().get())
        : merged;
  }
}
