package dev.mcpscope.json;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.util.HexFormat;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JsonReaderTest {

  private static final JsonLimits LIMITS = JsonLimits.defaults();

  @Test
  void everyKindOfValueIsRead() throws JsonException {
    assertThat(JsonReader.read(" {\"a\":[1,\"x\",true,false,null,{},[]]}\r\n\t", LIMITS))
        .isEqualTo(
            JsonObject.of(
                "a", JsonArray.of(1, "x", true, false, null, JsonObject.EMPTY, JsonArray.EMPTY)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "\"x\"", "true", "null", "[]", "{}"})
  void anyValueMayStandAlone(String text) throws JsonException {
    assertThat(JsonReader.read(text, LIMITS)).hasToString(text);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "3.14159",
        "9007199254740993",
        "1E2",
        "1e+2",
        "-0",
        "-0.0",
        "1.10",
        "1e-7",
        "123456789012345678901234567890",
        "1e999999999"
      })
  void numbersKeepTheirExactText(String number) throws JsonException {
    assertThat(JsonReader.read("[" + number + "]", LIMITS)).hasToString("[" + number + "]");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "\n",
        "{",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "{1:1}",
        "{'a':1}",
        "]",
        "}",
        "{]",
        "[}",
        "nul",
        "nulll",
        "True",
        "undefined",
        "NaN",
        "Infinity",
        "-Infinity",
        "01",
        "+1",
        "1.",
        ".5",
        "-",
        "1e",
        "1e+",
        "--1",
        "0x10",
        "1_000",
        "\"",
        "\"abc",
        "'abc'",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "\"\u0000\"",
        "\u0000",
        "[1]\u0000",
        "// x\n1",
        "/* x */1",
        "# x\n1",
        "1;",
        "\u00a01",
        "\u20281"
      })
  void whatIsNotJsonIsRefusedWithItsPlace(String text) {
    assertThatExceptionOfType(JsonException.class)
        .isThrownBy(() -> JsonReader.read(text, LIMITS))
        .withMessageContaining(" at line ")
        .withMessageContaining(", column ")
        .withNoCause();
  }

  @ParameterizedTest
  @ValueSource(strings = {"1 2", "{}{}", "[][]", "\"a\"\"b\"", "{}\n{}", "null null", "1,2", "{}]"})
  void nothingMayFollowTheValue(String text) {
    assertRefused(text);
  }

  @Test
  void duplicateMembersAreRefusedWithTheirPlace() {
    assertThat(assertRefused("{\"a\":1,\n \"b\":{\"c\":1, \"c\":2}}"))
        .hasMessageStartingWith("a second member of the same name at line 2, column 14: ");
  }

  @Test
  void membersThatDifferOnlyInEscapesAreDuplicates() {
    assertRefused("{\"a\":1,\"\\u0061\":2}");
  }

  @Test
  void theSameNameMayRecurInAnotherObject() throws JsonException {
    String text = "{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":1}]}";
    assertThat(JsonReader.read(text, LIMITS)).hasToString(text);
  }

  @Test
  void membersKeepTheirOrder() throws JsonException {
    String text = "{\"z\":1,\"a\":2,\"m\":3,\"0\":4,\"\":5}";
    assertThat(JsonReader.read(text, LIMITS)).hasToString(text);
  }

  @ParameterizedTest
  @CsvSource({
    "ff, a byte that never occurs",
    "80, a continuation without a start",
    "c3, a start without its continuation",
    "e282, two bytes of three",
    "f09f98, three bytes of four",
    "c080, an overlong zero",
    "e080af, an overlong slash",
    "eda080, an encoded surrogate",
    "eda0bdedb880, an encoded pair of surrogates",
    "f4908080, beyond the last code point",
  })
  void whatIsNotUtf8IsRefused(String hex, String why) {
    byte[] bytes = HexFormat.of().parseHex("22" + hex + "22");
    assertThatExceptionOfType(JsonException.class)
        .as(why)
        .isThrownBy(() -> JsonReader.read(bytes, LIMITS))
        .withMessageStartingWith("not UTF-8 at line 1, column 2");
  }

  @Test
  void aCharacterCutOffAtTheEndIsRefused() {
    assertThatExceptionOfType(JsonException.class)
        .isThrownBy(() -> JsonReader.read(new byte[] {'1', (byte) 0xc3}, LIMITS))
        .withMessageStartingWith("not UTF-8 at line 1, column 2");
  }

  @Test
  void bytesThatAreNotUtf8AreRefusedAtTheirPlace() {
    byte[] bytes = concat("[\"é\",\n \"".getBytes(UTF_8), new byte[] {(byte) 0xff, '"', ']'});
    assertThatExceptionOfType(JsonException.class)
        .isThrownBy(() -> JsonReader.read(bytes, LIMITS))
        .withMessageStartingWith("not UTF-8 at line 2, column 3: ");
  }

  @ParameterizedTest
  @ValueSource(strings = {"é", "漢字", "😀", "\ufffd", "\u2028", "\u007f"})
  void everyCodePointIsRead(String string) throws JsonException {
    assertThat(JsonReader.read(("\"" + string + "\"").getBytes(UTF_8), LIMITS))
        .isEqualTo(new JsonString(string));
  }

  @Test
  void escapedLoneSurrogatesAreRead() throws JsonException {
    assertThat(JsonReader.read("[\"\\ud800\",\"\\udc00x\",\"\\ud83d\\ude00\"]", LIMITS))
        .isEqualTo(JsonArray.of("\ud800", "\udc00x", "😀"));
  }

  @Test
  void loneSurrogatesInNamesAreRefused() throws JsonException {
    assertRefused("{\"\\ud800\":1}");
    assertRefused("{\"a\\udc00\":1}");
    assertThat(JsonReader.read("{\"\\ud83d\\ude00\":1}", LIMITS)).isEqualTo(JsonObject.of("😀", 1));
  }

  @Test
  void aByteOrderMarkAtTheStartIsSkipped() throws JsonException {
    assertThat(JsonReader.read("\ufeff{}".getBytes(UTF_8), LIMITS)).isEqualTo(JsonObject.EMPTY);
    assertThat(assertRefused("\ufeff[1,x]")).hasMessageContaining("line 1, column 4: [1,x]");
    assertRefused("\ufeff");
    assertRefused("\ufeff\ufeff{}");
    assertRefused("{}\ufeff");
  }

  @ParameterizedTest
  @ValueSource(strings = {"UTF-16BE", "UTF-16LE", "UTF-32BE", "UTF-32LE"})
  void otherEncodingsAreNotGuessed(String encoding) throws Exception {
    byte[] bytes = "{\"a\":1}".getBytes(encoding);
    assertThatExceptionOfType(JsonException.class).isThrownBy(() -> JsonReader.read(bytes, LIMITS));
  }

  @Test
  void aPartOfAnArrayIsReadAlone() throws JsonException {
    byte[] bytes = "x[1]{".getBytes(UTF_8);
    assertThat(JsonReader.read(bytes, 1, 3, LIMITS)).isEqualTo(JsonArray.of(1));
  }

  @Test
  void theWholeTextIsLimited() throws JsonException {
    JsonLimits limits = LIMITS.withMaxBytes(8);
    assertThat(JsonReader.read("\"123456\"", limits)).isEqualTo(new JsonString("123456"));
    assertThatExceptionOfType(JsonException.class)
        .isThrownBy(() -> JsonReader.read("\"1234567\"", limits))
        .withMessage("the text has 9 bytes, more than 8");
    assertThat(JsonReader.read("\"ééé\"", limits)).isEqualTo(new JsonString("ééé"));
    assertThatExceptionOfType(JsonException.class)
        .isThrownBy(() -> JsonReader.read("\"éééx\"", limits));
  }

  @Test
  void aStringMayFillTheDefaultLimit() throws JsonException {
    String string = "x".repeat(LIMITS.maxBytes() - 2);
    byte[] bytes = ("\"" + string + "\"").getBytes(UTF_8);
    assertThat(JsonReader.read(bytes, LIMITS)).isEqualTo(new JsonString(string));
    assertThatExceptionOfType(JsonException.class)
        .isThrownBy(() -> JsonReader.read(concat(bytes, new byte[] {' '}), LIMITS));
  }

  @Test
  void aNameMayBeAsLongAsTheLimitAllows() throws JsonException {
    String name = "n".repeat(1 << 20);
    assertThat(JsonReader.read("{\"" + name + "\":1}", LIMITS)).isEqualTo(JsonObject.of(name, 1));
  }

  @Test
  void theDepthIsLimited() throws JsonException {
    JsonLimits limits = LIMITS.withMaxDepth(3);
    assertThat(JsonReader.read("[{\"a\":[1]}]", limits)).hasToString("[{\"a\":[1]}]");
    assertThatExceptionOfType(JsonException.class)
        .isThrownBy(() -> JsonReader.read("[{\"a\":[{}]}]", limits))
        .withMessageStartingWith("nested deeper than 3 levels at line 1, column 8: ");
    assertThat(JsonReader.read("[[[]],[[]],[[]]]", limits)).isNotNull();
  }

  @Test
  void theDepthIsLimitedByDefault() throws JsonException {
    assertThat(JsonReader.read(nested(256), LIMITS)).isNotNull();
    assertRefused(nested(257));
    assertRefused("[".repeat(10_000_000));
    assertRefused("{\"a\":".repeat(1_000_000));
  }

  @Test
  void theDeepestAllowedValueFitsHalfAMebibyteOfStack() throws Exception {
    String text = nested(512);
    FutureTask<String> roundTrip =
        new FutureTask<>(() -> JsonReader.read(text, LIMITS.withMaxDepth(512)).toString());
    new Thread(null, roundTrip, "512 KiB of stack", 512 << 10).start();
    assertThat(roundTrip.get()).isEqualTo(text);
  }

  @Test
  void theDeepestValueOfTheDefaultsCanBeCompared() throws JsonException {
    JsonValue value = JsonReader.read(nested(256), LIMITS);
    JsonValue same = JsonReader.read(nested(256), LIMITS);
    assertThat(value.equals(same)).isTrue();
    assertThat(value.hashCode()).isEqualTo(same.hashCode());
  }

  @Test
  void theLengthOfNumbersIsLimited() throws JsonException {
    JsonLimits limits = LIMITS.withMaxNumberLength(5);
    assertThat(JsonReader.read("[12345,-1234,1.2e3]", limits)).hasToString("[12345,-1234,1.2e3]");
    for (String number : new String[] {"123456", "-12345", "1.2e34"}) {
      assertThatExceptionOfType(JsonException.class)
          .isThrownBy(() -> JsonReader.read("[" + number + "]", limits))
          .withMessageStartingWith("a number longer than 5 characters at line 1, column 2: ");
    }
  }

  @Test
  void theLengthOfNumbersIsLimitedByDefault() throws JsonException {
    assertThat(JsonReader.read("9".repeat(1_000), LIMITS)).isNotNull();
    assertThat(JsonReader.read("0." + "9".repeat(998), LIMITS)).isNotNull();
    assertRefused("9".repeat(1_001));
    assertRefused("0." + "9".repeat(999));
    assertRefused("9".repeat(10_000_000));
  }

  @Test
  void manyDifferentNamesAreRead() throws JsonException {
    StringBuilder text = new StringBuilder("{\"n\":0");
    for (int i = 0; i < 200_000; i++) {
      text.append(",\"name").append(i).append("\":").append(i);
    }
    JsonObject object = (JsonObject) JsonReader.read(text + "}", LIMITS);
    assertThat(object.members()).hasSize(200_001);
  }

  @Test
  void namesOfOneHashAreReadInGoodTime() throws JsonException {
    StringBuilder text = new StringBuilder("{\"n\":0");
    for (int i = 0; i < 1 << 16; i++) {
      text.append(",\"");
      for (int bit = 0; bit < 16; bit++) {
        text.append((i >> bit & 1) == 0 ? "Aa" : "BB");
      }
      text.append("\":0");
    }
    JsonObject object = (JsonObject) JsonReader.read(text + "}", LIMITS);
    assertThat(object.members()).hasSize((1 << 16) + 1);
  }

  @Test
  void theExcerptIsShortAndAroundThePlace() {
    String text = "[\"" + "a".repeat(1_000) + "\",\"here\" ? \"" + "z".repeat(1_000) + "\"]";
    String message = assertRefused(text).getMessage();
    assertThat(message).contains("\"here\" ?").contains("aaa").contains("zzz");
    assertThat(message.substring(message.indexOf("column 1012: ")).length())
        .isEqualTo("column 1012: ".length() + 40);
  }

  @Test
  void aLongWordIsNotRepeatedInTheMessage() {
    String message = assertRefused("secret".repeat(1_000)).getMessage();
    assertThat(message).hasSizeLessThan(150);
  }

  @Test
  void controlCharactersInTheMessageAreMadeVisible() {
    String message = assertRefused("[\u001b[31m\r\n\u007f\u0085\u2028\u202e\ud800").getMessage();
    assertThat(message).endsWith(": [␛[31m␍␊\ufffd\ufffd\ufffd\ufffd\ufffd");
    assertThat(assertRefused("\u202e").getMessage()).doesNotContain("\u202e");
    assertThat(assertRefused("😀").getMessage()).endsWith(": 😀");
  }

  private static JsonException assertRefused(String text) {
    JsonException e =
        catchThrowableOfType(JsonException.class, () -> JsonReader.read(text, LIMITS));
    assertThat(e).isNotNull();
    return e;
  }

  private static String nested(int depth) {
    return "{\"a\":".repeat(depth / 2)
        + "[".repeat(depth - depth / 2)
        + "]".repeat(depth - depth / 2)
        + "}".repeat(depth / 2);
  }

  private static byte[] concat(byte[] head, byte[] tail) {
    byte[] all = new byte[head.length + tail.length];
    System.arraycopy(head, 0, all, 0, head.length);
    System.arraycopy(tail, 0, all, head.length, tail.length);
    return all;
  }

  @Test
  void aSecretWithoutItsQuotesIsNotShownWithoutExcerpt() {
    var e =
        catchThrowableOfType(
            JsonException.class,
            () -> JsonReader.read("{\"key\": ghp_secret}", JsonLimits.defaults()));
    assertThat(e.withoutExcerpt()).contains("line 1").doesNotContain("ghp");
  }
}
