package dev.mcpscope.demo;

import dev.mcpscope.json.JsonObject;
import dev.mcpscope.rpc.RpcCodec;
import dev.mcpscope.rpc.RpcError;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Optional;

/// What the demo server says, to its only client: one message at a time, whichever thread speaks.
///
/// Every method blocks while the client does not read, until it does or has
/// closed its end. What a client that is gone should have heard is dropped.
final class DemoOutput {
  private final OutputStream out;

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

  void notify(String method, JsonObject params) {
    send(new RpcMessage.Notification(method, params));
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
