package dev.mcpscope.demo;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.rpc.RpcCodec;
import dev.mcpscope.rpc.RpcError;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import java.io.IOException;
import java.io.OutputStream;
import java.util.List;
import java.util.Optional;

/// What the demo server says, to its only client: one message at a time, whichever thread speaks.
///
/// Every method but [#logFrom(String)] blocks while the client does not read, until it does or has
/// closed its end. What a client that is gone should have heard is dropped.
final class DemoOutput {
  /// The levels of RFC 5424, as MCP names them, the least severe one first.
  private static final List<String> LEVELS =
      List.of("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency");

  private final OutputStream out;
  private volatile int leastLevel = LEVELS.indexOf("info"); // until the client sets one

  DemoOutput(OutputStream out) {
    this.out = out;
  }

  void answer(RpcId id, JsonObject result) {
    send(new RpcMessage.Result(id, result));
  }

  /// @param id empty if the message that failed did not tell one
  void fail(Optional<RpcId> id, RpcError error) {
    send(new RpcMessage.Failure(id, error));
  }

  void request(RpcId id, String method, JsonObject params) {
    send(new RpcMessage.Request(id, method, params));
  }

  void notify(String method, JsonObject params) {
    send(new RpcMessage.Notification(method, params));
  }

  /// Sends a log message, unless the client wants only more severe ones.
  void log(String level, String text) {
    if (LEVELS.indexOf(level) >= leastLevel) {
      notify(
          "notifications/message", JsonObject.of("level", level, "logger", "demo", "data", text));
    }
  }

  /// Sets the least severe level that is sent from now on.
  ///
  /// @throws JsonException if there is no such level
  void logFrom(String level) throws JsonException {
    int index = LEVELS.indexOf(level);
    if (index < 0) {
      throw new JsonException("level must be one of " + LEVELS + ", not " + level);
    }
    leastLevel = index;
  }

  private synchronized void send(RpcMessage message) {
    try {
      out.write(RpcCodec.encode(message));
      out.write('\n');
      out.flush();
    } catch (IOException _) {
      // The client reads no more; its end of our input follows, and ends the server.
    }
  }
}
