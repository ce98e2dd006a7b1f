package dev.mcpscope.front;

import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/// Which headers a client may add to the requests that are sent to an HTTP server: those that are
/// its own to choose, such as `Authorization`, and that cannot become more than one header.
///
/// A refusal names the header and never its value, which may be a secret.
final class HeaderPolicy {
  static final int MAX_HEADERS = 64;
  static final int MAX_NAME = 256;
  static final int MAX_VALUE = 8 << 10;

  /// RFC 9110, 5.6.2.
  private static final Pattern TOKEN = Pattern.compile("[!#$%&'*+.^_`|~0-9A-Za-z-]+");

  /// Those that the connection or the protocol sets: one of two would be the wrong one.
  private static final Pattern OWNED =
      Pattern.compile(
          "host|connection|content-length|content-type|transfer-encoding|te|trailer|upgrade"
              + "|keep-alive|proxy-.*|expect|accept|accept-encoding|mcp-.*|last-event-id");

  private HeaderPolicy() {}

  /// Checks the member `headers` of a request.
  ///
  /// @param headers null, or JSON's, is none
  /// @return unmodifiable, in order
  /// @throws RefusedException naming the first header that may not be sent
  static Map<String, String> checked(JsonValue headers) throws RefusedException {
    return switch (headers) {
      case null -> Map.of();
      case JsonNull _ -> Map.of();
      case JsonObject object -> checked(object);
      case JsonValue other ->
          throw new RefusedException("headers must be an object of strings, is " + other.kind());
    };
  }

  private static Map<String, String> checked(JsonObject headers) throws RefusedException {
    if (headers.members().size() > MAX_HEADERS) {
      throw new RefusedException(
          "headers has at most %d members, these are %d"
              .formatted(MAX_HEADERS, headers.members().size()));
    }
    var names = new TreeMap<String, String>(String.CASE_INSENSITIVE_ORDER);
    var checked = new LinkedHashMap<String, String>();
    for (Map.Entry<String, JsonValue> header : headers.members().entrySet()) {
      String name = header.getKey();
      checkName(name);
      String other = names.put(name, name);
      if (other != null) {
        throw new RefusedException(
            "the header %s is given twice, also as %s".formatted(quoted(name), quoted(other)));
      }
      if (!(header.getValue() instanceof JsonString(String value))) {
        throw new RefusedException(
            "the header %s must be a string, is %s"
                .formatted(quoted(name), header.getValue().kind()));
      }
      checkValue(name, value);
      checked.put(name, value);
    }
    return Collections.unmodifiableMap(checked);
  }

  private static void checkName(String name) throws RefusedException {
    if (name.length() > MAX_NAME) {
      throw new RefusedException(
          "the name of a header has at most %d characters, %s has %d"
              .formatted(MAX_NAME, quoted(name), name.length()));
    }
    if (!TOKEN.matcher(name).matches()) {
      throw new RefusedException(quoted(name) + " is no name for a header");
    }
    if (OWNED.matcher(name.toLowerCase(Locale.ROOT)).matches()) {
      throw new RefusedException(
          "the header %s is set by the connection itself".formatted(quoted(name)));
    }
  }

  private static void checkValue(String name, String value) throws RefusedException {
    if (value.length() > MAX_VALUE) {
      throw new RefusedException(
          "the value of a header has at most %d characters, that of %s has %d"
              .formatted(MAX_VALUE, quoted(name), value.length()));
    }
    if (!value.matches("[\\t -~]*")) {
      throw new RefusedException(
          "the value of the header %s holds other characters than visible ASCII, blanks and tabs"
              .formatted(quoted(name)));
    }
    if (!value.equals(value.strip())) {
      throw new RefusedException(
          "the value of the header %s begins or ends with a blank".formatted(quoted(name)));
    }
  }

  /// Names that are refused may hold anything, such as characters that turn the text around.
  private static String quoted(String name) {
    return Front.quoted(name.replaceAll("[^ -~]", "?"));
  }
}
