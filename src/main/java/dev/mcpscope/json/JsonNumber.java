package dev.mcpscope.json;

import java.math.BigDecimal;
import java.util.OptionalLong;

/// A JSON number, kept as the text that was sent: no digit is lost on the way through. Two numbers
/// are equal if their texts are (`1` is not `1.0`).
///
/// @param text a number by the grammar of RFC 8259
public record JsonNumber(String text) implements JsonValue {

  private static final int ALWAYS_LONG = 18; // a text no longer than this fits into a long

  /// @throws IllegalArgumentException if the text is no JSON number; NaN and infinities are none
  public JsonNumber {
    if (!isNumber(text)) {
      throw new IllegalArgumentException(
          "no JSON number: " + text.substring(0, Math.min(text.length(), 40)));
    }
  }

  public static JsonNumber of(long number) {
    return new JsonNumber(Long.toString(number));
  }

  /// @throws IllegalArgumentException for NaN and infinities
  public static JsonNumber of(double number) {
    return new JsonNumber(Double.toString(number));
  }

  public static JsonNumber of(BigDecimal number) {
    return new JsonNumber(number.toString());
  }

  /// The number as a long, or empty if it is none exactly; `1.0` and `1e2` are.
  public OptionalLong asLong() {
    if (text.length() <= ALWAYS_LONG
        && digits(text, text.startsWith("-") ? 1 : 0) == text.length()) {
      return OptionalLong.of(Long.parseLong(text));
    }
    try {
      // BigDecimal compares magnitudes before it expands: 1e999999999 costs nothing here.
      return OptionalLong.of(decimal().longValueExact());
    } catch (ArithmeticException | NumberFormatException notLong) {
      return OptionalLong.empty();
    }
  }

  /// The nearest double; infinite if the number is beyond the doubles.
  public double doubleValue() {
    return Double.parseDouble(text);
  }

  /// The exact number. A short text can stand for a huge one (`1e999999999`): do not expand it.
  ///
  /// @throws NumberFormatException if the exponent is beyond that of a `BigDecimal`
  public BigDecimal decimal() {
    return new BigDecimal(text);
  }

  @Override
  public String toString() {
    return text;
  }

  // By hand, because every number that is read passes here, and a matcher costs more than the rest.
  private static boolean isNumber(String text) {
    int whole = text.startsWith("-") ? 1 : 0;
    int end = digits(text, whole);
    boolean complete = end > whole && (text.charAt(whole) != '0' || end == whole + 1);
    if (isAt(text, end, ".")) {
      int fraction = end + 1;
      end = digits(text, fraction);
      complete &= end > fraction;
    }
    if (isAt(text, end, "eE")) {
      int exponent = isAt(text, end + 1, "+-") ? end + 2 : end + 1;
      end = digits(text, exponent);
      complete &= end > exponent;
    }
    return complete && end == text.length();
  }

  private static int digits(String text, int from) {
    int end = from;
    while (end < text.length() && text.charAt(end) >= '0' && text.charAt(end) <= '9') {
      end++;
    }
    return end;
  }

  private static boolean isAt(String text, int index, String expected) {
    return index < text.length() && expected.indexOf(text.charAt(index)) >= 0;
  }
}
