package dev.mcpscope.client;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.json.JsonValue;

/// JSON as it is written in tests: with single quotes.
final class Json {
  private Json() {}

  static JsonValue value(String text) {
    return read(text.replace('\'', '"'));
  }

  static JsonObject object(String text) {
    return (JsonObject) value(text);
  }

  /// Reads what somebody else has written.
  static JsonValue read(String text) {
    try {
      return JsonReader.read(text, JsonLimits.defaults());
    } catch (JsonException e) {
      throw new IllegalArgumentException(text, e);
    }
  }
}
