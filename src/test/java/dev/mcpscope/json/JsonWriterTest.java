package dev.mcpscope.json;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JsonWriterTest {

  @Test
  void theTextIsCompact() {
    JsonObject value =
        JsonObject.of(
            "a", JsonArray.of(1, "x", null, true), "b", JsonObject.EMPTY, "", JsonArray.EMPTY);
    assertThat(JsonWriter.text(value)).isEqualTo("{\"a\":[1,\"x\",null,true],\"b\":{},\"\":[]}");
  }

  @Test
  void whatMustBeEscapedIs() {
    assertThat(new JsonString("\"\\/\b\f\n\r\t\u0000\u001f\u007f"))
        .hasToString("\"\\\"\\\\/\\u0008\\u000c\\n\\r\\t\\u0000\\u001f\u007f\"");
    assertThat(JsonObject.of("a\n\"", 1)).hasToString("{\"a\\n\\\"\":1}");
  }

  @Test
  void noControlCharacterIsEverRaw() throws JsonException {
    for (char c = 0; c < ' '; c++) {
      JsonValue value = JsonObject.of("n" + c, c + "v" + c);
      assertThat(JsonWriter.text(value).chars()).allMatch(written -> written >= ' ');
      assertThat(JsonReader.read(JsonWriter.bytes(value), JsonLimits.defaults())).isEqualTo(value);
    }
  }

  @Test
  void everythingElseIsWrittenAsItIs() {
    assertThat(new JsonString("é漢😀\u2028\ufeff\uffff")).hasToString("\"é漢😀\u2028\ufeff\uffff\"");
    assertThat(JsonWriter.bytes(new JsonString("é漢😀"))).isEqualTo("\"é漢😀\"".getBytes(UTF_8));
  }

  @ParameterizedTest
  @CsvSource({
    "\\ud800, a high surrogate alone",
    "\\udc00, a low surrogate alone",
    "a\\ud800b, a high surrogate before a letter",
    "\\ud800\\ud800, two high surrogates",
    "\\udc00\\ud800, a pair the wrong way round",
    "\\ud83d😀, a high surrogate before a pair",
    "😀\\ude00, a low surrogate after a pair",
    "\\udfff\\udbff, the last of both",
  })
  void loneSurrogatesSurviveAsEscapes(String escaped, String why) throws JsonException {
    String text = "\"" + escaped + "\"";
    JsonValue value = JsonReader.read(text, JsonLimits.defaults());
    assertThat(JsonWriter.text(value)).as(why).isEqualTo(text);
    assertThat(JsonWriter.bytes(value)).as(why).isEqualTo(text.getBytes(UTF_8));
  }

  @Test
  void anEscapedPairIsWrittenAsOneCharacter() throws JsonException {
    assertThat(JsonReader.read("\"\\ud83d\\ude00\"", JsonLimits.defaults())).hasToString("\"😀\"");
  }
}
