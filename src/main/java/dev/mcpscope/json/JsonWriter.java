package dev.mcpscope.json;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.HexFormat;
import java.util.Map;

/// Writes a value as compact JSON text in one line: there is never a raw newline in it, and the
/// bytes are always valid UTF-8.
///
/// Numbers keep their text. A lone surrogate, which UTF-8 cannot hold, is written as the escape
/// that it was read from. A value is written by recursion; what [JsonReader] has read fits
/// the stack.
public final class JsonWriter {

  private static final HexFormat HEX = HexFormat.of();

  private JsonWriter() {}

  /// The value's text as UTF-8.
  public static byte[] bytes(JsonValue value) {
    return text(value).getBytes(UTF_8);
  }

  /// The value's text.
  public static String text(JsonValue value) {
    StringBuilder out = new StringBuilder(256);
    write(value, out);
    return out.toString();
  }

  // Not by Jackson's generator, which takes 16 KB of buffers for the smallest message, or a pool of
  // them that outlives the call.
  private static void write(JsonValue value, StringBuilder out) {
    switch (value) {
      case JsonObject object -> write(object, out);
      case JsonArray array -> write(array, out);
      case JsonString string -> write(string.value(), out);
      case JsonNumber number -> out.append(number.text());
      case JsonBoolean bool -> out.append(bool.value());
      case JsonNull _ -> out.append("null");
    }
  }

  private static void write(JsonObject object, StringBuilder out) {
    char before = '{';
    for (Map.Entry<String, JsonValue> member : object.members().entrySet()) {
      out.append(before);
      write(member.getKey(), out);
      out.append(':');
      write(member.getValue(), out);
      before = ',';
    }
    out.append(object.isEmpty() ? "{}" : "}");
  }

  private static void write(JsonArray array, StringBuilder out) {
    char before = '[';
    for (JsonValue element : array) {
      out.append(before);
      write(element, out);
      before = ',';
    }
    out.append(array.size() == 0 ? "[]" : "]");
  }

  private static void write(String string, StringBuilder out) {
    out.append('"');
    int written = 0;
    for (int i = 0; i < string.length(); i++) {
      char c = string.charAt(i);
      if (c >= ' ' && c != '"' && c != '\\' && !Character.isSurrogate(c)) {
        continue;
      }
      if (Character.isHighSurrogate(c)
          && i + 1 < string.length()
          && Character.isLowSurrogate(string.charAt(i + 1))) {
        i++;
        continue;
      }
      out.append(string, written, i);
      escape(c, out);
      written = i + 1;
    }
    out.append(string, written, string.length()).append('"');
  }

  private static void escape(char c, StringBuilder out) {
    switch (c) {
      case '"', '\\' -> out.append('\\').append(c);
      case '\n' -> out.append("\\n");
      case '\r' -> out.append("\\r");
      case '\t' -> out.append("\\t");
      default -> out.append("\\u").append(HEX.toHexDigits(c));
    }
  }
}
