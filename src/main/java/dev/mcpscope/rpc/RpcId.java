package dev.mcpscope.rpc;

import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;

/// The id of a request: a string or a number, echoed exactly as it was received (`1` and `"1"` and
/// `1.0` are three ids).
public record RpcId(JsonValue value) {

  /// @throws IllegalArgumentException if the value is neither a string nor a number
  public RpcId {
    if (!(value instanceof JsonString || value instanceof JsonNumber)) {
      throw new IllegalArgumentException("an id must be a string or a number, not " + value.kind());
    }
  }

  public static RpcId of(long id) {
    return new RpcId(JsonNumber.of(id));
  }

  public static RpcId of(String id) {
    return new RpcId(new JsonString(id));
  }

  /// The id's JSON text.
  @Override
  public String toString() {
    return value.toString();
  }
}
