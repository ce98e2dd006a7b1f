package dev.mcpscope.http;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/// Which headers a user may add to the requests that are sent to an HTTP server: those that are the
/// user's own to choose, such as `Authorization` and `Cookie`, and that cannot become more than one
/// header.
///
/// A refusal names the header and never its value, which may be a secret.
public final class UserHeaders {
  static final int MAX_HEADERS = 64;
  static final int MAX_NAME = 256;
  static final int MAX_VALUE = 8 << 10;
  private static final int MAX_SHOWN = 60;

  /// RFC 9110, 5.6.2.
  private static final Pattern TOKEN = Pattern.compile("[!#$%&'*+.^_`|~0-9A-Za-z-]+");

  /// Those that the connection or the protocol sets, or the JDK's client refuses: one of two would be
  /// the wrong one.
  private static final Pattern OWNED =
      Pattern.compile(
          "host|connection|content-.*|transfer-encoding|te|trailer|upgrade|http2-settings"
              + "|keep-alive|proxy-.*|expect|accept|accept-encoding|mcp-.*|last-event-id");

  private UserHeaders() {}

  /// Checks headers, and returns a copy of them in their order, which cannot be changed.
  ///
  /// @throws IllegalArgumentException naming the first header that may not be sent, or their number
  public static Map<String, String> checked(Map<String, String> headers) {
    if (headers.size() > MAX_HEADERS) {
      throw new IllegalArgumentException(
          "at most %d headers can be added, these are %d".formatted(MAX_HEADERS, headers.size()));
    }
    var names = new TreeMap<String, String>(String.CASE_INSENSITIVE_ORDER);
    var checked = new LinkedHashMap<String, String>();
    headers.forEach((name, value) -> {
      checkName(name);
      String other = names.put(name, name);
      if (other != null) {
        throw new IllegalArgumentException(
            "the header %s is given twice, also as %s".formatted(quoted(name), quoted(other)));
      }
      checkValue(name, value);
      checked.put(name, value);
    });
    return Collections.unmodifiableMap(checked);
  }

  private static void checkName(String name) {
    if (name.length() > MAX_NAME) {
      throw new IllegalArgumentException(
          "the name of a header has at most %d characters, %s has %d"
              .formatted(MAX_NAME, quoted(name), name.length()));
    }
    if (!TOKEN.matcher(name).matches()) {
      throw new IllegalArgumentException(quoted(name) + " is no name for a header");
    }
    if (OWNED.matcher(name.toLowerCase(Locale.ROOT)).matches()) {
      throw new IllegalArgumentException(
          "the header %s is set by the connection itself".formatted(quoted(name)));
    }
  }

  private static void checkValue(String name, String value) {
    if (value.length() > MAX_VALUE) {
      throw new IllegalArgumentException(
          "the value of a header has at most %d characters, that of %s has %d"
              .formatted(MAX_VALUE, quoted(name), value.length()));
    }
    if (!value.matches("[\\t -~]*")) {
      throw new IllegalArgumentException(
          "the value of the header %s holds other characters than visible ASCII, blanks and tabs"
              .formatted(quoted(name)));
    }
    if (!value.equals(value.strip())) {
      throw new IllegalArgumentException(
          "the value of the header %s begins or ends with a blank".formatted(quoted(name)));
    }
  }

  /// Names that are refused may hold anything, such as characters that turn the text around.
  private static String quoted(String name) {
    String shown = name.length() > MAX_SHOWN ? name.substring(0, MAX_SHOWN) + "…" : name;
    return "'" + shown.replaceAll("[^ -~…]", "?") + "'";
  }
}
