package dev.mcpscope.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.math.BigDecimal;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JsonNumberTest {

  @ParameterizedTest
  @ValueSource(strings = {"0", "-0", "10", "-1", "0.0", "1.50", "1e5", "1E+5", "1.5e-05", "0e0"})
  void aNumberKeepsItsText(String text) {
    assertThat(new JsonNumber(text)).hasToString(text).isEqualTo(new JsonNumber(text));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "-",
        "+1",
        "01",
        "-01",
        "00",
        "1.",
        ".1",
        "-.1",
        "1..2",
        "1.2.3",
        "e1",
        "1e",
        "1e+",
        "1e1.5",
        "1e1e1",
        "0x1",
        "1 ",
        " 1",
        "1\n",
        "NaN",
        "Infinity",
        "1f",
        "1_0",
        "١",
        "--1",
        "a"
      })
  void whatIsNoNumberIsRefused(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> new JsonNumber(text));
  }

  @Test
  void nullIsRefused() {
    assertThatNullPointerException().isThrownBy(() -> new JsonNumber(null));
  }

  @Test
  void aRefusalShowsNoMoreThanFortyCharacters() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new JsonNumber("x".repeat(1_000)))
        .withMessage("no JSON number: " + "x".repeat(40));
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY})
  void aDoubleThatIsNotFiniteIsRefused(double number) {
    assertThatIllegalArgumentException().isThrownBy(() -> JsonNumber.of(number));
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -0.0, 1, 0.1, 1e300, 1e-300, Double.MAX_VALUE, Double.MIN_VALUE})
  void aFiniteDoubleComesBackAsItWas(double number) {
    assertThat(JsonNumber.of(number).doubleValue()).isEqualTo(number);
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0",
    "-0, 0",
    "-0.0, 0",
    "1, 1",
    "1.0, 1",
    "1e2, 100",
    "1.5e1, 15",
    "100e-2, 1",
    "0e99999, 0",
    "9007199254740993, 9007199254740993",
    "999999999999999999, 999999999999999999",
    "9223372036854775807, 9223372036854775807",
    "-9223372036854775808, -9223372036854775808",
    "-9223372036854775808.000, -9223372036854775808",
  })
  void anExactLongIsOne(String text, long value) {
    assertThat(new JsonNumber(text).asLong()).hasValue(value);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "0.5",
        "1.5",
        "1e-1",
        "9223372036854775808",
        "-9223372036854775809",
        "1e19",
        "1e100",
        "9223372036854775807.5",
        "1e99999999",
        "1e999999999",
        "-1e999999999",
        "1e-999999999",
        "1e2147483647",
        "1e-2147483647",
        "1e99999999999",
        "1e-99999999999",
        "12345678901234567890"
      })
  void whatIsNotExactlyALongIsNone(String text) {
    assertTimeoutPreemptively(
        Duration.ofSeconds(5), () -> assertThat(new JsonNumber(text).asLong()).isEmpty());
  }

  @Test
  void theLongestNumberTheLimitsAllowIsQuick() {
    JsonNumber longest = new JsonNumber("9".repeat(10_000));
    assertTimeoutPreemptively(
        Duration.ofSeconds(5),
        () -> {
          assertThat(longest.asLong()).isEmpty();
          assertThat(longest.doubleValue()).isInfinite();
          assertThat(longest.decimal().precision()).isEqualTo(10_000);
        });
  }

  @Test
  void theDecimalIsExact() {
    assertThat(new JsonNumber("0.10").decimal()).isEqualTo(new BigDecimal("0.10"));
    assertThat(JsonNumber.of(new BigDecimal("1E+3")).decimal()).isEqualTo(new BigDecimal("1E+3"));
  }

  @Test
  void numbersOfOtherTextAreNotEqual() {
    assertThat(new JsonNumber("1")).isNotEqualTo(new JsonNumber("1.0"));
  }
}
