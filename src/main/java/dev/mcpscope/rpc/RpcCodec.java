package dev.mcpscope.rpc;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.json.JsonWriter;
import dev.mcpscope.rpc.RpcMessage.Failure;
import dev.mcpscope.rpc.RpcMessage.Malformed;
import dev.mcpscope.rpc.RpcMessage.Notification;
import dev.mcpscope.rpc.RpcMessage.Request;
import dev.mcpscope.rpc.RpcMessage.Result;
import java.util.List;
import java.util.Optional;

/// Turns bytes into messages and back, by the rules of [JSON-RPC
/// 2.0](https://www.jsonrpc.org/specification); members that it does not know are ignored.
public final class RpcCodec {

  private static final String VERSION = "2.0";
  private static final int MOST_DIGITS = 18; // what is no longer fits into a long

  private RpcCodec() {}

  /// Reads a message, or a batch of them in its order. JSON that is no message is [Malformed] and
  /// does not hurt its neighbours in a batch.
  ///
  /// @throws JsonException if the bytes are not one JSON value within the limits
  public static List<RpcMessage> decode(byte[] utf8, int offset, int length, JsonLimits limits)
      throws JsonException {
    JsonValue json = JsonReader.read(utf8, offset, length, limits);
    if (!(json instanceof JsonArray batch)) {
      return List.of(message(json));
    }
    if (batch.size() == 0) {
      return List.of(new Malformed(Optional.empty(), Optional.empty(), "an empty batch"));
    }
    return batch.elements().stream().map(RpcCodec::message).toList();
  }

  /// Writes a message as one line, without the newline; empty params are left out, and a failure
  /// without an id gets the id null that JSON-RPC demands.
  ///
  /// @throws IllegalArgumentException for a [Malformed]
  public static byte[] encode(RpcMessage message) {
    return JsonWriter.bytes(
        switch (message) {
          case Request(RpcId id, String method, JsonObject params) when params.isEmpty() ->
              JsonObject.of("jsonrpc", VERSION, "id", id.value(), "method", method);
          case Request(RpcId id, String method, JsonObject params) ->
              JsonObject.of(
                  "jsonrpc", VERSION, "id", id.value(), "method", method, "params", params);
          case Notification(String method, JsonObject params) when params.isEmpty() ->
              JsonObject.of("jsonrpc", VERSION, "method", method);
          case Notification(String method, JsonObject params) ->
              JsonObject.of("jsonrpc", VERSION, "method", method, "params", params);
          case Result(Optional<RpcId> id, JsonValue result) ->
              JsonObject.of("jsonrpc", VERSION, "id", json(id), "result", result);
          case Failure(Optional<RpcId> id, RpcError error) ->
              JsonObject.of("jsonrpc", VERSION, "id", json(id), "error", json(error));
          case Malformed(_, _, String problem) ->
              throw new IllegalArgumentException("not a message to send: " + problem);
        });
  }

  /// Finds the id of a response that cannot be decoded, so that the call it belongs to can be failed
  /// instead of waiting in vain: a look at the outermost members, whatever is wrong inside them.
  ///
  /// @return the id if it is a number, as ours are, and the text does not look like a call
  public static Optional<RpcId> idOfBrokenResponse(byte[] utf8, int offset, int length) {
    Optional<RpcId> id = Optional.empty();
    int end = offset + length;
    int depth = 0;
    for (int i = offset; i < end; i++) {
      switch (utf8[i]) {
        case '{', '[' -> depth++;
        case '}', ']' -> depth--;
        case '"' -> {
          int start = i + 1;
          i = endOfString(utf8, start, end);
          boolean member = depth == 1 && isNext(':', utf8, i + 1, end);
          if (member && isText("method", utf8, start, i)) {
            return Optional.empty();
          }
          if (member && isText("id", utf8, start, i)) {
            id = number(utf8, i + 1, end);
          }
        }
        default -> {}
      }
    }
    return id;
  }

  private static int endOfString(byte[] utf8, int from, int end) {
    int i = from;
    while (i < end && utf8[i] != '"') {
      i += utf8[i] == '\\' ? 2 : 1;
    }
    return i;
  }

  private static boolean isNext(char expected, byte[] utf8, int from, int end) {
    int i = from;
    while (i < end && utf8[i] == ' ') {
      i++;
    }
    return i < end && utf8[i] == expected;
  }

  private static boolean isText(String text, byte[] utf8, int from, int to) {
    return to <= utf8.length && new String(utf8, from, Math.max(0, to - from), UTF_8).equals(text);
  }

  private static Optional<RpcId> number(byte[] utf8, int from, int end) {
    int start = from;
    while (start < end && (utf8[start] == ' ' || utf8[start] == ':')) {
      start++;
    }
    int to = start;
    while (to < end && utf8[to] >= '0' && utf8[to] <= '9') {
      to++;
    }
    return to == start || to - start > MOST_DIGITS
        ? Optional.empty()
        : Optional.of(RpcId.of(Long.parseLong(new String(utf8, start, to - start, UTF_8))));
  }

  private static RpcMessage message(JsonValue json) {
    if (!(json instanceof JsonObject object)) {
      return new Malformed(
          Optional.empty(), Optional.empty(), "a message must be an object, not " + json.kind());
    }
    boolean isCall = object.has("method");
    try {
      if (!object.string("jsonrpc").equals(VERSION)) {
        throw new JsonException("member \"jsonrpc\" is not \"2.0\"");
      }
      return isCall ? call(object) : response(object);
    } catch (JsonException e) {
      return isCall
          ? new Malformed(Optional.empty(), id(object), e.getMessage())
          : new Malformed(id(object), Optional.empty(), e.getMessage());
    }
  }

  private static RpcMessage call(JsonObject object) throws JsonException {
    if (object.has("result") || object.has("error")) {
      throw new JsonException("both a call and a response");
    }
    String method = object.string("method");
    // Peers that serialize every field send null params.
    JsonObject params = object.optionalObject("params").orElse(JsonObject.EMPTY);
    return object.has("id")
        ? new Request(requiredId(object), method, params)
        : new Notification(method, params);
  }

  private static RpcMessage response(JsonObject object) throws JsonException {
    boolean succeeded = object.has("result");
    if (succeeded == object.has("error")) {
      throw new JsonException(
          succeeded ? "both a result and an error" : "no method, result or error");
    }
    return succeeded
        ? new Result(requiredId(object), object.get("result"))
        : new Failure(id(object), error(object.object("error")));
  }

  private static RpcId requiredId(JsonObject object) throws JsonException {
    return id(object).orElseThrow(() -> new JsonException("no id that is a string or a number"));
  }

  private static Optional<RpcId> id(JsonObject object) {
    JsonValue id = object.get("id");
    return id instanceof JsonString || id instanceof JsonNumber
        ? Optional.of(new RpcId(id))
        : Optional.empty();
  }

  private static RpcError error(JsonObject error) throws JsonException {
    long code = error.integer("code");
    if (code != (int) code) {
      throw new JsonException("member \"code\" is beyond 32 bits");
    }
    // An error without its message is still the outcome of a call: better "" than a lost failure.
    String message = error.optionalString("message").orElse("");
    return new RpcError((int) code, message, Optional.ofNullable(error.get("data")));
  }

  private static JsonObject json(RpcError error) {
    JsonObject json = JsonObject.of("code", error.code(), "message", error.message());
    return error.data().isPresent() ? json.with("data", error.data().get()) : json;
  }

  private static JsonValue json(Optional<RpcId> id) {
    return id.isPresent() ? id.get().value() : JsonNull.INSTANCE;
  }
}
