package dev.mcpscope.front;

import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import java.util.LinkedHashMap;
import java.util.Map;

/// Reads the headers that a client wants to have added. Which of them may be is
/// [the server's specification's][dev.mcpscope.client.ServerSpec.Http] to say.
final class HeaderPolicy {
  private HeaderPolicy() {}

  /// Reads the member `headers` of a request.
  ///
  /// @param headers null, or JSON's, is none
  /// @return in order
  /// @throws RefusedException if it is no object of strings; without a value
  static Map<String, String> read(JsonValue headers) throws RefusedException {
    return switch (headers) {
      case null -> Map.of();
      case JsonNull _ -> Map.of();
      case JsonObject object -> strings(object);
      case JsonValue other ->
          throw new RefusedException("headers must be an object of strings, is " + other.kind());
    };
  }

  private static Map<String, String> strings(JsonObject headers) throws RefusedException {
    var strings = new LinkedHashMap<String, String>();
    for (Map.Entry<String, JsonValue> header : headers.members().entrySet()) {
      if (!(header.getValue() instanceof JsonString(String value))) {
        throw new RefusedException(
            "the header %s must be a string, is %s"
                .formatted(quoted(header.getKey()), header.getValue().kind()));
      }
      strings.put(header.getKey(), value);
    }
    return strings;
  }

  /// Names may hold anything, such as characters that turn the text around.
  private static String quoted(String name) {
    return Front.quoted(name.replaceAll("[^ -~]", "?"));
  }
}
