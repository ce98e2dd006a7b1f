package dev.mcpscope.json;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonRoundTripTest {

  private static final int VALUES = 2_000;

  @ParameterizedTest
  @ValueSource(longs = {1, 20250618, 0xC0FFEE})
  void whatIsWrittenIsReadBackTheSame(long seed) throws JsonException {
    Random random = new Random(seed);
    for (int i = 0; i < VALUES; i++) {
      JsonValue value = value(random, 5);
      byte[] bytes = JsonWriter.bytes(value);
      JsonValue read = JsonReader.read(bytes, JsonLimits.defaults());
      assertThat(read)
          .as("seed %d, value %d", seed, i)
          .isEqualTo(value)
          .hasToString(value.toString());
      assertThat(read.hashCode()).isEqualTo(value.hashCode());
      assertThat(bytes).doesNotContain('\n').doesNotContain('\r');
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {2, 42})
  void aDamagedTextIsReadOrRefusedAndNothingElse(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < VALUES; i++) {
      byte[] bytes = JsonWriter.bytes(value(random, 3));
      bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
      int length = random.nextInt(4) == 0 ? random.nextInt(bytes.length + 1) : bytes.length;
      try {
        assertThat(JsonReader.read(bytes, 0, length, JsonLimits.defaults())).isNotNull();
      } catch (JsonException e) {
        assertThat(e.getMessage()).hasSizeLessThan(200);
        assertThat(e.getMessage().codePoints()).noneMatch(Character::isISOControl);
      }
    }
  }

  private static JsonValue value(Random random, int depth) {
    return switch (random.nextInt(depth == 0 ? 5 : 7)) {
      case 0 -> JsonNull.INSTANCE;
      case 1 -> JsonBoolean.of(random.nextBoolean());
      case 2, 3 -> number(random);
      case 4 -> new JsonString(string(random));
      case 5 -> {
        List<JsonValue> elements = new ArrayList<>();
        for (int i = random.nextInt(5); i > 0; i--) {
          elements.add(value(random, depth - 1));
        }
        yield new JsonArray(elements);
      }
      default -> {
        JsonObject object = JsonObject.EMPTY;
        for (int i = random.nextInt(5); i > 0; i--) {
          object = object.with(name(random), value(random, depth - 1));
        }
        yield object;
      }
    };
  }

  private static JsonNumber number(Random random) {
    return switch (random.nextInt(4)) {
      case 0 -> JsonNumber.of(random.nextLong());
      case 1 -> JsonNumber.of(random.nextInt(100));
      case 2 -> JsonNumber.of(random.nextGaussian() * Math.pow(10, random.nextInt(-300, 300)));
      default ->
          JsonNumber.of(new BigDecimal(new BigInteger(200, random), random.nextInt(-1_000, 1_000)));
    };
  }

  /// A string without lone surrogates, which the reader refuses in names.
  private static String name(Random random) {
    return string(random)
        .codePoints()
        .filter(c -> Character.getType(c) != Character.SURROGATE)
        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
        .toString();
  }

  /// Any chars at all, lone surrogates too, with a preference for the troublesome ones.
  private static String string(Random random) {
    StringBuilder string = new StringBuilder();
    for (int i = random.nextInt(12); i > 0; i--) {
      switch (random.nextInt(5)) {
        case 0 -> string.append((char) random.nextInt(0x80));
        case 1 -> string.append("\"\\/\n\r\t\u2028{}[],:".charAt(random.nextInt(13)));
        case 2 -> string.append((char) random.nextInt(0xd800, 0xe000));
        case 3 -> string.appendCodePoint(random.nextInt(0x110000));
        default -> string.append((char) random.nextInt(0x10000));
      }
    }
    return string.toString();
  }
}
