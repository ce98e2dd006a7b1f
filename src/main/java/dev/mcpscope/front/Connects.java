package dev.mcpscope.front;

import dev.mcpscope.client.AuthorizationRequiredException;
import dev.mcpscope.client.ClientOptions;
import dev.mcpscope.client.ConnectionClosedException;
import dev.mcpscope.client.McpException;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.host.ConnectOptions;
import dev.mcpscope.host.ConnectOptions.Restart;
import dev.mcpscope.host.ConnectionStatus;
import dev.mcpscope.host.LimitException;
import dev.mcpscope.host.McpHost;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/// `POST /mcp`: what a request asks to be connected, checked whole before the host hears of it.
final class Connects {
  private final McpHost host;
  private final CommandPolicy commands;
  private final Map<String, ServerSpec> configured;
  private final View view;

  /// @param configured the operator's own servers, which may be connected by their names
  Connects(McpHost host, CommandPolicy commands, Map<String, ServerSpec> configured, View view) {
    this.host = host;
    this.commands = commands;
    this.configured = configured;
    this.view = view;
  }

  /// Connects, and waits until that is done.
  JsonValue connect(Api.Request request)
      throws HttpError,
          JsonException,
          ConnectionClosedException,
          LimitException,
          InterruptedException {
    String session = request.text("sessionId");
    String name = request.text("name");
    ServerSpec spec = spec(request, session, name);
    ConnectOptions options = options(request);
    try {
      ConnectionStatus status = host.connect(session, name, spec, options);
      return JsonObject.of("success", true, "mcp", view.row(status));
    } catch (ConnectionClosedException e) {
      throw e;
    } catch (McpException e) {
      throw new HttpError(400, "could not connect: " + view.failure(name, e), members(e, spec));
    }
  }

  private JsonObject members(McpException failure, ServerSpec spec) {
    return failure instanceof AuthorizationRequiredException problem
        ? JsonObject.of("authorization", view.authorization(problem, spec))
        : JsonObject.EMPTY;
  }

  private ConnectOptions options(Api.Request request) throws HttpError, JsonException {
    ClientOptions client = host.options().client();
    Optional<Duration> timeout = request.millis("connectTimeoutMs");
    if (timeout.isPresent()) {
      client = client.withConnectTimeout(timeout.get());
    }
    boolean ifAbsent = request.body().optionalBool("ifAbsent").orElse(false);
    String restart = request.body().optionalString("restart").orElse("never");
    return new ConnectOptions(
        client,
        ifAbsent,
        switch (restart) {
          case "never" -> Restart.NEVER;
          case "on-crash" -> Restart.ON_CRASH;
          default ->
              throw new HttpError(
                  400, "restart must be never or on-crash, is " + Front.quoted(restart));
        });
  }

  private ServerSpec spec(Api.Request request, String session, String name)
      throws HttpError, JsonException {
    String type = request.text("clientType");
    switch (type) {
      case "stdio" -> {
        refuse(request, type, "url", "headers");
        return command(session, name, request.text("fullCommand"));
      }
      case "configured" -> {
        refuse(request, type, "fullCommand", "url", "headers");
        ServerSpec own = configured.get(name);
        if (own == null) {
          throw new HttpError(
              400,
              "there is no configured server "
                  + Front.quoted(name)
                  + "; there are "
                  + configured.keySet());
        }
        return own;
      }
      case "streamable-http", "sse" -> {
        refuse(request, type, "fullCommand");
        return remote(request, session, name, type);
      }
      default ->
          throw new HttpError(
              400,
              "clientType must be stdio, configured, streamable-http or sse, is "
                  + Front.quoted(type));
    }
  }

  /// Refuses members that mean something for another type of client.
  private static void refuse(Api.Request request, String type, String... members) throws HttpError {
    for (String member : members) {
      if (request.has(member) && !JsonObject.EMPTY.equals(request.body().get(member))) {
        throw new HttpError(400, "clientType " + type + " takes no " + member);
      }
    }
  }

  private ServerSpec command(String session, String name, String fullCommand) throws HttpError {
    try {
      CommandPolicy.Command command = commands.parse(fullCommand);
      var environment = new HashMap<>(command.environment());
      for (var variable : command.environment().entrySet()) {
        if (variable.getValue().equals(CommandPolicy.HIDDEN)) {
          environment.put(variable.getKey(), held(session, name, variable.getKey()));
        }
      }
      return new ServerSpec.Stdio(command.argv(), environment, Optional.empty());
    } catch (RefusedException e) {
      throw new HttpError(400, e.getMessage());
    }
  }

  private ServerSpec remote(Api.Request request, String session, String name, String type)
      throws HttpError, JsonException {
    try {
      Map<String, String> headers = HeaderPolicy.read(request.body().get("headers"));
      ServerSpec.Http asked = Remote.parse(type, request.text("url"), headers);
      return Remote.revealed(asked, name, held(session, name, ServerSpec.Http.class));
    } catch (RefusedException e) {
      throw new HttpError(400, e.getMessage());
    }
  }

  /// The value that comes back for one that was shown as `***`: what the session holds for that name.
  private String held(String session, String name, String variable) throws HttpError {
    return held(session, name, ServerSpec.Stdio.class)
        .map(spec -> spec.environment().get(variable))
        .orElseThrow(() ->
            new HttpError(
                400,
                variable
                    + " is '***', which stands for a value that is held already, and "
                    + Front.quoted(name)
                    + " holds none; send the value"));
  }

  /// The server of that name, if it is of this type. Of the operator's own servers nothing is given to
  /// what anybody asks for.
  private <T extends ServerSpec> Optional<T> held(String session, String name, Class<T> type) {
    return host.status(session, name)
        .map(ConnectionStatus::spec)
        .filter(spec -> !view.isConfigured(spec))
        .filter(type::isInstance)
        .map(type::cast);
  }
}
