package dev.mcpscope.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class JsonObjectTest {

  private static final JsonObject SAMPLE =
      JsonObject.of(
          "string",
          "x",
          "object",
          JsonObject.of("a", 1),
          "array",
          JsonArray.of(1),
          "integer",
          7,
          "number",
          0.5,
          "bool",
          true,
          "null",
          null);

  private static final JsonObject A = JsonObject.of("a", 1);
  private static final JsonObject LISTS =
      JsonObject.of(
          "objects",
          JsonArray.of(A, JsonObject.EMPTY, A),
          "strings",
          JsonArray.of("x", "", "x"),
          "none",
          JsonArray.EMPTY,
          "null",
          null,
          "text",
          "x",
          "a null in it",
          JsonArray.of(A, null),
          "mixed objects",
          JsonArray.of(A, "x"),
          "mixed strings",
          JsonArray.of("x", 1));

  /// An accessor, so that one table can hold them all.
  private interface Access {
    Object of(JsonObject object, String name) throws JsonException;
  }

  private static Stream<Arguments> required() {
    return Stream.of(
        Arguments.of("string", "a string", (Access) JsonObject::string),
        Arguments.of("object", "an object", (Access) JsonObject::object),
        Arguments.of("array", "an array", (Access) JsonObject::array),
        Arguments.of("integer", "an integer", (Access) JsonObject::integer),
        Arguments.of("bool", "a boolean", (Access) JsonObject::bool));
  }

  private static Stream<Arguments> optional() {
    return Stream.of(
        Arguments.of("string", "a string", (Access) (o, n) -> o.optionalString(n).orElse(null)),
        Arguments.of("object", "an object", (Access) (o, n) -> o.optionalObject(n).orElse(null)),
        Arguments.of("array", "an array", (Access) (o, n) -> o.optionalArray(n).orElse(null)),
        Arguments.of("integer", "an integer", (Access) (o, n) -> boxed(o.optionalInteger(n))),
        Arguments.of("number", "a number", (Access) (o, n) -> boxed(o.optionalNumber(n))),
        Arguments.of("bool", "a boolean", (Access) (o, n) -> o.optionalBool(n).orElse(null)));
  }

  private static Stream<Arguments> all() {
    return Stream.concat(required(), optional());
  }

  private static Object boxed(java.util.OptionalLong value) {
    return value.isPresent() ? value.getAsLong() : null;
  }

  private static Object boxed(java.util.OptionalDouble value) {
    return value.isPresent() ? value.getAsDouble() : null;
  }

  @ParameterizedTest
  @MethodSource("all")
  void aMemberOfTheTypeIsReturned(String name, String kind, Access access) throws JsonException {
    Object expected =
        switch (SAMPLE.get(name)) {
          case JsonString string -> string.value();
          case JsonNumber number when name.equals("integer") -> number.asLong().getAsLong();
          case JsonNumber number -> number.doubleValue();
          case JsonBoolean bool -> bool.value();
          case JsonValue other -> other;
        };
    assertThat(access.of(SAMPLE, name)).isEqualTo(expected);
  }

  @ParameterizedTest
  @MethodSource("required")
  void aMissingMemberIsNamed(String name, String kind, Access access) {
    assertThatExceptionOfType(JsonException.class)
        .isThrownBy(() -> access.of(SAMPLE, "other"))
        .withMessage("member \"other\" is missing, expected " + kind);
    assertThatExceptionOfType(JsonException.class)
        .isThrownBy(() -> access.of(SAMPLE, "null"))
        .withMessage("member \"null\" is null, expected " + kind);
  }

  @ParameterizedTest
  @MethodSource("optional")
  void anAbsentMemberAndANullAreEmpty(String name, String kind, Access access)
      throws JsonException {
    assertThat(access.of(SAMPLE, "other")).isNull();
    assertThat(access.of(SAMPLE, "null")).isNull();
  }

  @ParameterizedTest
  @MethodSource("all")
  void aMemberOfAnotherTypeIsNamedWithWhatWasFound(String name, String kind, Access access) {
    SAMPLE.members().keySet().stream()
        .filter(other -> !other.equals(name) && !other.equals("null"))
        .filter(other -> !(kind.equals("a number") && other.equals("integer")))
        .filter(other -> !(kind.equals("an integer") && other.equals("number")))
        .forEach(other ->
            assertThatExceptionOfType(JsonException.class)
                .isThrownBy(() -> access.of(SAMPLE, other))
                .withMessage(
                    "member \"%s\" is %s, expected %s", other, SAMPLE.get(other).kind(), kind));
  }

  @ParameterizedTest
  @ValueSource(strings = {"0.5", "9223372036854775808", "1e999999999"})
  void aNumberThatIsNoIntegerIsRefusedAsOne(String number) {
    JsonObject object = JsonObject.of("n", new JsonNumber(number));
    assertThatExceptionOfType(JsonException.class)
        .isThrownBy(() -> object.integer("n"))
        .withMessage("member \"n\" is a fraction or beyond 64 bits, expected an integer");
    assertThatExceptionOfType(JsonException.class).isThrownBy(() -> object.optionalInteger("n"));
  }

  private static Stream<Arguments> lists() {
    return Stream.of(
        Arguments.of("objects", "an object", (Access) JsonObject::objects),
        Arguments.of("objects", "an object", (Access) JsonObject::optionalObjects),
        Arguments.of("strings", "a string", (Access) JsonObject::optionalStrings));
  }

  @Test
  void theElementsOfAnArrayAreReturnedInTheirOrder() throws JsonException {
    assertThat(LISTS.objects("objects")).containsExactly(A, JsonObject.EMPTY, A);
    assertThat(LISTS.optionalObjects("objects")).containsExactly(A, JsonObject.EMPTY, A);
    assertThat(LISTS.optionalStrings("strings")).containsExactly("x", "", "x");
  }

  @ParameterizedTest
  @MethodSource("lists")
  void anEmptyArrayIsAnEmptyList(String name, String kind, Access access) throws JsonException {
    assertThat(access.of(LISTS, "none")).isEqualTo(List.of());
  }

  @Test
  void anArrayThatMustBeThereIsNamed() {
    assertThatExceptionOfType(JsonException.class)
        .isThrownBy(() -> LISTS.objects("other"))
        .withMessage("member \"other\" is missing, expected an array");
    assertThatExceptionOfType(JsonException.class)
        .isThrownBy(() -> LISTS.objects("null"))
        .withMessage("member \"null\" is null, expected an array");
  }

  @Test
  void anAbsentArrayAndANullAreEmptyLists() throws JsonException {
    assertThat(LISTS.optionalObjects("other")).isEmpty();
    assertThat(LISTS.optionalObjects("null")).isEmpty();
    assertThat(LISTS.optionalStrings("other")).isEmpty();
    assertThat(LISTS.optionalStrings("null")).isEmpty();
  }

  @ParameterizedTest
  @MethodSource("lists")
  void whatIsNoArrayIsNamed(String name, String kind, Access access) {
    assertThatExceptionOfType(JsonException.class)
        .isThrownBy(() -> access.of(LISTS, "text"))
        .withMessage("member \"text\" is a string, expected an array");
  }

  @ParameterizedTest
  @MethodSource("lists")
  void anElementOfAnotherTypeIsNamedWithItsPlace(String name, String kind, Access access) {
    String mixed = "mixed " + name;
    assertThatExceptionOfType(JsonException.class)
        .isThrownBy(() -> access.of(LISTS, mixed))
        .withMessage(
            "member \"%s[1]\" is %s, expected %s",
            mixed, name.equals("objects") ? "a string" : "a number", kind);
    assertThatExceptionOfType(JsonException.class)
        .isThrownBy(() -> access.of(LISTS, "a null in it"))
        .withMessageEndingWith(", expected " + kind);
  }

  @Test
  void aNullIsNoElement() {
    assertThatExceptionOfType(JsonException.class)
        .isThrownBy(() -> LISTS.optionalObjects("a null in it"))
        .withMessage("member \"a null in it[1]\" is null, expected an object");
  }

  @Test
  void membersKeepTheirOrder() {
    JsonObject object = JsonObject.of("z", 1, "a", 2, "m", 3);
    assertThat(object.members().keySet()).containsExactly("z", "a", "m");
    assertThat(object.with("b", 4).members().keySet()).containsExactly("z", "a", "m", "b");
    assertThat(object.with("a", 4).members().keySet()).containsExactly("z", "a", "m");
    assertThat(object.without("a").members().keySet()).containsExactly("z", "m");
  }

  @Test
  void anObjectNeverChanges() {
    Map<String, JsonValue> members = new LinkedHashMap<>(Map.of("a", JsonNull.INSTANCE));
    JsonObject object = new JsonObject(members);
    members.put("b", JsonNull.INSTANCE);
    object.with("c", 1);
    object.without("a");
    assertThat(object).hasToString("{\"a\":null}");
    assertThatExceptionOfType(UnsupportedOperationException.class)
        .isThrownBy(() -> object.members().put("x", JsonNull.INSTANCE));
    assertThatExceptionOfType(UnsupportedOperationException.class)
        .isThrownBy(() -> object.members().entrySet().iterator().next().setValue(JsonBoolean.TRUE));
  }

  @Test
  void anObjectThatWasReadNeverChanges() throws JsonException {
    JsonObject object = (JsonObject) JsonReader.read("{\"a\":1}", JsonLimits.defaults());
    assertThatExceptionOfType(UnsupportedOperationException.class)
        .isThrownBy(() -> object.members().clear());
  }

  @Test
  void aNullValueMeansJsonNull() {
    assertThat(JsonObject.of("a", null)).hasToString("{\"a\":null}");
    assertThat(JsonObject.EMPTY.with("a", null).get("a")).isEqualTo(JsonNull.INSTANCE);
    assertThat(SAMPLE.has("null")).isTrue();
    assertThat(SAMPLE.has("other")).isFalse();
    assertThat(SAMPLE.get("other")).isNull();
  }

  @Test
  void namesAndValuesMustPairUp() {
    assertThatIllegalArgumentException().isThrownBy(() -> JsonObject.of("a"));
    assertThatIllegalArgumentException().isThrownBy(() -> JsonObject.of(1, 2));
    assertThatIllegalArgumentException().isThrownBy(() -> JsonObject.of(null, 2));
    assertThatIllegalArgumentException().isThrownBy(() -> JsonObject.of("a", 1, "a", 2));
  }

  @Test
  void javaNullsAreRefusedInTheMap() {
    Map<String, JsonValue> members = new HashMap<>();
    members.put("a", null);
    assertThatNullPointerException().isThrownBy(() -> new JsonObject(members)).withMessage("a");
    members.clear();
    members.put(null, JsonNull.INSTANCE);
    assertThatNullPointerException().isThrownBy(() -> new JsonObject(members));
    assertThatNullPointerException().isThrownBy(() -> JsonObject.EMPTY.with(null, 1));
  }

  @Test
  void orderDoesNotMatterForEquality() {
    assertThat(JsonObject.of("a", 1, "b", 2))
        .isEqualTo(JsonObject.of("b", 2, "a", 1))
        .hasSameHashCodeAs(JsonObject.of("b", 2, "a", 1))
        .isNotEqualTo(JsonObject.of("a", 1));
  }

  @Test
  void theEmptyObjectIsEmpty() {
    assertThat(JsonObject.EMPTY.isEmpty()).isTrue();
    assertThat(JsonObject.of()).isEqualTo(JsonObject.EMPTY);
    assertThat(SAMPLE.isEmpty()).isFalse();
  }
}
