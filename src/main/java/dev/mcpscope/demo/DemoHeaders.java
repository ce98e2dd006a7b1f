package dev.mcpscope.demo;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.Headers;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.rpc.RpcError;
import dev.mcpscope.rpc.RpcMessage;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.util.Base64;
import java.util.List;
import java.util.Map;

/// The headers in which a request of the modern era repeats what its body says, for those that route
/// it without reading that. They must be there, and say the same.
///
/// @param headers those of the request
record DemoHeaders(Headers headers) {
  static final String VERSION = "MCP-Protocol-Version";

  private static final String ENCODED = "=?base64?";
  private static final String ENCODED_END = "?=";

  /// Checks of which revision the request is, before anything that a revision may change.
  ///
  /// @throws DemoRefusal unless the header says what the body says, if that says anything
  void checkRevision(JsonObject params) throws DemoRefusal {
    JsonValue version =
        params.get("_meta") instanceof JsonObject meta ? meta.get(DemoModern.VERSION) : null;
    if (!headers.containsKey(VERSION)) { // a client of before gets to read what it would take
      throw mismatch("the header " + VERSION + " is missing, which must be " + DemoModern.REVISION);
    }
    String header = only(VERSION);
    if (version instanceof JsonString(var said) && !said.equals(header)) {
      throw differs(VERSION);
    }
  }

  /// Checks the others.
  ///
  /// @throws DemoRefusal unless each says what the body says
  void check(RpcMessage.Request request) throws DemoRefusal {
    if (!only("Mcp-Method").equals(request.method())) {
      throw differs("Mcp-Method");
    }
    JsonObject params = request.params();
    switch (request.method()) {
      case "tools/call" -> {
        check("Mcp-Name", params.get("name"));
        if (params.get("name") instanceof JsonString(var tool)) {
          checkArguments(tool, params.get("arguments"));
        }
      }
      case "prompts/get" -> check("Mcp-Name", params.get("name"));
      case "resources/read" -> check("Mcp-Name", params.get("uri"));
      default -> {}
    }
  }

  private void checkArguments(String tool, JsonValue arguments) throws DemoRefusal {
    for (var mirrored : DemoTools.MIRRORED.getOrDefault(tool, Map.of()).entrySet()) {
      String header = "Mcp-Param-" + mirrored.getValue();
      JsonValue argument =
          arguments instanceof JsonObject object ? object.get(mirrored.getKey()) : null;
      if (argument != null && argument != JsonNull.INSTANCE) {
        check(header, argument);
      } else if (headers.containsKey(header)) {
        throw differs(header);
      }
    }
  }

  /// @param said what the body says; if that is nothing, or no text, it is not the headers' fault
  private void check(String header, JsonValue said) throws DemoRefusal {
    if (said instanceof JsonString(var text) && !decoded(header).equals(text)) {
      throw differs(header);
    }
  }

  private String only(String header) throws DemoRefusal {
    List<String> values = headers.getOrDefault(header, List.of());
    if (values.size() != 1) {
      throw mismatch(
          "the header " + header + " is " + (values.isEmpty() ? "missing" : "there twice"));
    }
    return values.getFirst();
  }

  private String decoded(String header) throws DemoRefusal {
    String value = only(header);
    if (!value.startsWith(ENCODED)
        || !value.endsWith(ENCODED_END)
        || value.length() < ENCODED.length() + ENCODED_END.length()) {
      if (!value.chars().allMatch(c -> c >= ' ' && c <= '~' || c == '\t')) {
        throw mismatch("the header " + header + " has characters that must be encoded");
      }
      return value;
    }
    String base64 = value.substring(ENCODED.length(), value.length() - ENCODED_END.length());
    try {
      ByteBuffer bytes = ByteBuffer.wrap(Base64.getDecoder().decode(base64));
      if (base64.length() % 4 == 0) { // the JDK does not mind if there is no padding
        return UTF_8.newDecoder().decode(bytes).toString();
      }
    } catch (IllegalArgumentException | CharacterCodingException _) {
      // as if it had no padding
    }
    throw mismatch("the header " + header + " is not Base64 of UTF-8");
  }

  private static DemoRefusal differs(String header) {
    return mismatch("the header " + header + " does not say what the body says");
  }

  private static DemoRefusal mismatch(String problem) {
    return new DemoRefusal(RpcError.HEADER_MISMATCH, "Header mismatch: " + problem);
  }
}
