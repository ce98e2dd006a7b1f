package dev.mcpscope.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class JsonValueTest {

  private static Stream<Arguments> plainValues() {
    return Stream.of(
        Arguments.of(null, "null"),
        Arguments.of("x", "\"x\""),
        Arguments.of(true, "true"),
        Arguments.of(false, "false"),
        Arguments.of((byte) -1, "-1"),
        Arguments.of((short) 2, "2"),
        Arguments.of(3, "3"),
        Arguments.of(Long.MIN_VALUE, "-9223372036854775808"),
        Arguments.of(new BigInteger("9".repeat(30)), "9".repeat(30)),
        Arguments.of(new BigDecimal("1.10"), "1.10"),
        Arguments.of(0.1, "0.1"),
        Arguments.of(0.1f, "0.1"),
        Arguments.of(1e100, "1.0E100"),
        Arguments.of(List.of(1, List.of()), "[1,[]]"),
        Arguments.of(Arrays.asList(1, null), "[1,null]"),
        Arguments.of(Set.of("a"), "[\"a\"]"),
        Arguments.of(new Object[] {"a", 1}, "[\"a\",1]"),
        Arguments.of(new String[] {"a", "b"}, "[\"a\",\"b\"]"),
        Arguments.of(Map.of("a", Map.of("b", 1)), "{\"a\":{\"b\":1}}"),
        Arguments.of(new JsonNumber("1e0"), "1e0"));
  }

  @ParameterizedTest
  @MethodSource("plainValues")
  void aPlainValueHasAJsonForm(Object plain, String text) {
    assertThat(JsonValue.of(plain)).hasToString(text);
  }

  private static Stream<Object> valuesWithoutJsonForm() {
    return Stream.of(
        new Object(),
        'c',
        Thread.State.NEW,
        new int[] {1},
        List.of(new Object()),
        Map.of(1, 2),
        Double.NaN,
        Float.POSITIVE_INFINITY);
  }

  @ParameterizedTest
  @MethodSource("valuesWithoutJsonForm")
  void aValueWithoutAJsonFormIsRefused(Object value) {
    assertThatIllegalArgumentException().isThrownBy(() -> JsonValue.of(value));
  }

  @Test
  void theClassWithoutAJsonFormIsNamed() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> JsonValue.of(List.of(Map.of("a", 'c'))))
        .withMessage("no JSON form for a java.lang.Character");
  }

  @Test
  void aMapKeepsItsOrderAndMayHoldNulls() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("z", null);
    map.put("a", 1);
    assertThat(JsonValue.of(map)).hasToString("{\"z\":null,\"a\":1}");
  }

  @Test
  void everyKindHasAName() {
    assertThat(Stream.of("", 1, true, null, List.of(), Map.of()).map(v -> JsonValue.of(v).kind()))
        .containsExactly("a string", "a number", "a boolean", "null", "an array", "an object");
  }

  @Test
  void anArrayNeverChanges() {
    List<JsonValue> elements = new ArrayList<>(List.of(JsonNull.INSTANCE));
    JsonArray array = new JsonArray(elements);
    elements.add(JsonNull.INSTANCE);
    assertThat(array).hasToString("[null]");
    assertThatExceptionOfType(UnsupportedOperationException.class)
        .isThrownBy(() -> array.elements().clear());
    assertThatExceptionOfType(UnsupportedOperationException.class)
        .isThrownBy(() -> {
          var iterator = array.iterator();
          iterator.next();
          iterator.remove();
        });
  }

  @Test
  void anArrayIsReadByIndexAndInOrder() {
    JsonArray array = JsonArray.of("a", 1, null);
    assertThat(array.size()).isEqualTo(3);
    assertThat(array.get(1)).isEqualTo(JsonNumber.of(1));
    assertThat(array).containsExactly(new JsonString("a"), JsonNumber.of(1), JsonNull.INSTANCE);
    assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> array.get(3));
  }
}
