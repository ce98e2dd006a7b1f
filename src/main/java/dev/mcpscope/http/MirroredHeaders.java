package dev.mcpscope.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.rpc.RpcMessage;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/// The headers that say what a message's body says, so that who is on the way can route it unread.
/// Only a request that carries its revision itself has them: such a request belongs to no session.
///
/// @see <a
///     href="https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http#request-metadata">
///     Request metadata, revision 2026-07-28</a>
final class MirroredHeaders {
  private static final String VERSION = "io.modelcontextprotocol/protocolVersion";
  private static final String OPEN = "=?base64?";
  private static final String CLOSE = "?=";

  private MirroredHeaders() {}

  /// Returns a message's headers.
  ///
  /// @param arguments those of a tool that are mirrored too, by the names that it gives them
  /// @return empty for a message of a revision that begins with a handshake
  static Map<String, String> of(RpcMessage message, Map<String, String> arguments) {
    if (!(message instanceof RpcMessage.Request(_, var method, var params))
        || !(params.get("_meta") instanceof JsonObject meta)
        || !(meta.get(VERSION) instanceof JsonString(var version))) {
      return Map.of();
    }
    var headers = new LinkedHashMap<String, String>();
    headers.put("MCP-Protocol-Version", version);
    headers.put("Mcp-Method", method);
    name(method, params).ifPresent(name -> headers.put("Mcp-Name", encoded(name)));
    arguments.forEach((name, value) -> headers.put("Mcp-Param-" + name, encoded(value)));
    return headers;
  }

  private static Optional<String> name(String method, JsonObject params) {
    JsonValue name =
        switch (method) {
          case "tools/call", "prompts/get" -> params.get("name");
          case "resources/read" -> params.get("uri");
          default -> null;
        };
    return name instanceof JsonString(var text) ? Optional.of(text) : Optional.empty();
  }

  /// "When a value cannot be safely represented as a plain ASCII header value (e.g., it contains
  /// non-ASCII characters, control characters, or has leading/trailing whitespace), clients MUST use
  /// Base64 encoding of the UTF-8 representation", and for a value that looks like that already.
  static String encoded(String value) {
    boolean plain = value.isEmpty() || Target.fitsHeader(value);
    boolean ambiguous = value.startsWith(OPEN) && value.endsWith(CLOSE);
    return plain && !ambiguous
        ? value
        : OPEN + Base64.getEncoder().encodeToString(value.getBytes(UTF_8)) + CLOSE;
  }
}
