package dev.mcpscope.demo;

import dev.mcpscope.rpc.RpcError;

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

  RpcError error() {
    return error;
  }
}
