package dev.mcpscope.rpc;

import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import java.util.Objects;
import java.util.Optional;

/// One JSON-RPC 2.0 message, of either direction.
///
/// The ids of our requests and of the peer's are two separate worlds: a [Request] that arrives
/// carries an id of the peer's, a [Response] that arrives one of ours.
public sealed interface RpcMessage {

  /// A call that expects exactly one response.
  ///
  /// @param params [JsonObject#EMPTY] if the message has none
  record Request(RpcId id, String method, JsonObject params) implements RpcMessage {
    public Request {
      Objects.requireNonNull(id, "id");
      Objects.requireNonNull(method, "method");
      Objects.requireNonNull(params, "params");
    }
  }

  /// A message that expects no response.
  ///
  /// @param params [JsonObject#EMPTY] if the message has none
  record Notification(String method, JsonObject params) implements RpcMessage {
    public Notification {
      Objects.requireNonNull(method, "method");
      Objects.requireNonNull(params, "params");
    }
  }

  /// The answer to a request.
  sealed interface Response extends RpcMessage permits Result, Failure {

    /// The id of the request; empty only for a [Failure] whose sender could not tell it.
    Optional<RpcId> id();
  }

  /// The request succeeded.
  ///
  /// @param id never empty
  record Result(Optional<RpcId> id, JsonValue result) implements Response {
    public Result {
      id.orElseThrow(() -> new IllegalArgumentException("a result needs an id"));
      Objects.requireNonNull(result, "result");
    }

    public Result(RpcId id, JsonValue result) {
      this(Optional.of(id), result);
    }
  }

  /// The request failed.
  record Failure(Optional<RpcId> id, RpcError error) implements Response {
    public Failure {
      Objects.requireNonNull(id, "id");
      Objects.requireNonNull(error, "error");
    }

    public Failure(RpcId id, RpcError error) {
      this(Optional.of(id), error);
    }
  }

  /// What arrived as JSON but is no JSON-RPC 2.0 message. It is never sent.
  ///
  /// @param call the id of the call of ours which this seems to answer, so that it can be failed
  /// @param request the id of the peer's own which this seems to ask under, so that it can be refused
  /// @param problem what is wrong with it, without its content
  record Malformed(Optional<RpcId> call, Optional<RpcId> request, String problem)
      implements RpcMessage {
    public Malformed {
      Objects.requireNonNull(call, "call");
      Objects.requireNonNull(request, "request");
      Objects.requireNonNull(problem, "problem");
    }
  }
}
