package dev.mcpscope.client;

import dev.mcpscope.json.JsonValue;
import dev.mcpscope.rpc.RpcError;
import java.util.Optional;

/// The server has answered a call with a JSON-RPC error.
public final class RemoteErrorException extends McpException {
  private static final long serialVersionUID = 1;

  private final transient RpcError error;
  private final int code;

  RemoteErrorException(String server, String method, RpcError error) {
    super(
        server + ": " + method + " was answered by error " + error.code() + ": " + error.message(),
        null);
    this.error = error;
    this.code = error.code();
  }

  /// Returns the error's code; negative ones from -32768 to -32000 are reserved by JSON-RPC.
  public int code() {
    return code;
  }

  /// Returns what the server adds to the message, if anything.
  public Optional<JsonValue> data() {
    return error == null ? Optional.empty() : error.data();
  }
}
