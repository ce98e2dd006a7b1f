package dev.mcpscope.front;

import dev.mcpscope.client.CallOptions;
import dev.mcpscope.client.CallTimeoutException;
import dev.mcpscope.client.ConnectionClosedException;
import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.McpClient;
import dev.mcpscope.client.McpException;
import dev.mcpscope.client.Progress;
import dev.mcpscope.host.ConnectionStatus;
import dev.mcpscope.host.McpHost;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.scope.Deadline;
import dev.mcpscope.scope.Mailbox;
import dev.mcpscope.scope.TaskScope;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Consumer;

/// `POST /mcp/call`: one tool, called for a client that waits for the answer, or sees it come.
///
/// Progress is always asked for: it starts the call's time anew, and subscribers hear of it.
final class ToolCalls {
  private static final int MOST_PROGRESS = 16; // what waits for a client that reads slowly

  private sealed interface Mail {
    record Came(Progress progress) implements Mail {}

    record Answered(JsonValue result) implements Mail {}

    record Ended(Throwable failure) implements Mail {}
  }

  /// A call that was found to be possible.
  private record Call(
      String name,
      McpClient client,
      String tool,
      JsonObject arguments,
      Optional<Duration> timeout) {

    JsonValue make(Consumer<Progress> onProgress) throws McpException, InterruptedException {
      CallOptions options = CallOptions.defaults().withProgress(onProgress);
      if (timeout.isPresent()) {
        options = options.withTimeout(timeout.get());
      }
      return client.callTool(tool, arguments.members(), options).json();
    }
  }

  private final McpHost host;
  private final View view;

  ToolCalls(McpHost host, View view) {
    this.host = host;
    this.view = view;
  }

  /// Calls, and returns the result.
  JsonValue call(Api.Request request) throws HttpError, JsonException, InterruptedException {
    Call call = parse(request);
    try {
      return call.make(_ -> {});
    } catch (McpException | UnsupportedOperationException e) {
      throw failed(call.name(), e);
    }
  }

  /// Calls, and streams the progress, then the result or the error. The request's thread owns the
  /// call: when the client has gone the scope is left, and the server is told that nobody waits.
  void stream(Api.Request request, EventStream out)
      throws HttpError, IOException, InterruptedException {
    Call call = parse(request);
    out.begin();
    var mailbox = new Mailbox<Mail>(MOST_PROGRESS);
    try (var scope = TaskScope.open("front call " + call.tool(), mailbox)) {
      scope.fork(
          "caller",
          () ->
              mailbox.post(
                  new Mail.Answered(call.make(news -> mailbox.offer(new Mail.Came(news))))),
          Mail.Ended::new);
      boolean open = true;
      while (open) {
        switch (scope.take(Deadline.after(out.heartbeat()))) {
          case null -> out.beat();
          case Mail.Came(var progress) -> out.send("progress", View.progress(progress));
          case Mail.Answered(var result) -> {
            out.send("result", result);
            open = false;
          }
          case Mail.Ended(var failure) -> {
            HttpError error = failed(call.name(), failure);
            JsonObject detail = JsonObject.of("status", error.status());
            out.send("error", detail.with("detail", error.getMessage()));
            open = false;
          }
        }
      }
    }
    out.end();
  }

  private Call parse(Api.Request request) throws HttpError, JsonException {
    String session = request.text("sessionId");
    String name = request.text("name");
    String tool = request.text("tool");
    JsonObject arguments = request.body().optionalObject("arguments").orElse(JsonObject.EMPTY);
    return new Call(name, client(session, name), tool, arguments, request.millis("timeoutMs"));
  }

  private McpClient client(String session, String name) throws HttpError {
    if (host.statuses(session).isEmpty()) {
      throw Api.noSession(session);
    }
    Optional<ConnectionState> state = host.status(session, name).map(ConnectionStatus::state);
    String what = Front.quoted(name) + " in session " + Front.quoted(session);
    return switch (state.orElse(null)) {
      case ConnectionState.Usable usable -> usable.client();
      case ConnectionState.Connecting _ -> throw new HttpError(409, what + " is still connecting");
      case ConnectionState.Closing(var reason) ->
          throw new HttpError(404, what + " is being closed: " + reason);
      case ConnectionState.Closed _ -> throw new HttpError(404, what + " is not connected");
      case ConnectionState.Failed(var cause, _) ->
          throw new HttpError(
              404, what + " is not connected any more: " + view.failure(name, cause));
      case null -> throw new HttpError(404, what + " is not connected");
    };
  }

  private HttpError failed(String name, Throwable failure) {
    return switch (failure) {
      case UnsupportedOperationException e -> new HttpError(400, e.getMessage());
      case ConnectionClosedException e -> Api.error(e);
      case CallTimeoutException e -> new HttpError(504, e.getMessage());
      case McpException e -> new HttpError(502, view.failure(name, e)); // lost, broken, or an error
      case InterruptedException _ -> new HttpError(503, "mcp-scope is shutting down");
      default -> throw new IllegalStateException("a call has failed", failure);
    };
  }
}
