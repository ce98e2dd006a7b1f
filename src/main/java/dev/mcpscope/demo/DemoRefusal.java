package dev.mcpscope.demo;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.rpc.RpcError;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import java.util.Optional;

/// A request that the demo server answers by an error. Params of the wrong shape are a
/// [dev.mcpscope.json.JsonException] instead, which is always answered by
/// [RpcError#INVALID_PARAMS].
final class DemoRefusal extends Exception {
  private static final long serialVersionUID = 1;

  private final transient RpcError error;

  DemoRefusal(int code, String message) {
    this(new RpcError(code, message));
  }

  DemoRefusal(RpcError error) {
    super(error.message());
    this.error = error;
  }

  /// That the params are wrong.
  static DemoRefusal of(JsonException problem) {
    return new DemoRefusal(RpcError.INVALID_PARAMS, problem.getMessage());
  }

  /// That there is no resource of that URI.
  static DemoRefusal noResource(int code, String uri) {
    JsonObject data = JsonObject.of("uri", uri);
    return new DemoRefusal(new RpcError(code, "Resource not found", Optional.of(data)));
  }

  RpcError error() {
    return error;
  }

  RpcMessage.Failure answerTo(RpcId id) {
    return new RpcMessage.Failure(id, error);
  }
}
