package dev.mcpscope.json;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/// One immutable JSON value. Its `toString` is its JSON text, as [JsonWriter] writes it.
public sealed interface JsonValue
    permits JsonObject, JsonArray, JsonString, JsonNumber, JsonBoolean, JsonNull {

  /// The JSON value of a plain Java one: null, a `JsonValue`, a string, a boolean, a finite number
  /// of the JDK, or a map with string keys, an `Iterable` or an object array of such values.
  ///
  /// @throws IllegalArgumentException for a value of any other class, which the message names
  static JsonValue of(Object value) {
    return switch (value) {
      case null -> JsonNull.INSTANCE;
      case JsonValue json -> json;
      case String string -> new JsonString(string);
      case Boolean bool -> JsonBoolean.of(bool);
      case Integer number -> JsonNumber.of(number);
      case Long number -> JsonNumber.of(number);
      case Short number -> JsonNumber.of(number);
      case Byte number -> JsonNumber.of(number);
      case Double number -> JsonNumber.of(number);
      case Float number -> new JsonNumber(number.toString());
      case BigInteger number -> new JsonNumber(number.toString());
      case BigDecimal number -> JsonNumber.of(number);
      case Map<?, ?> map -> JsonObject.copyOf(map);
      case Iterable<?> elements -> JsonArray.copyOf(elements);
      case Object[] elements -> JsonArray.copyOf(Arrays.asList(elements));
      default ->
          throw new IllegalArgumentException("no JSON form for a " + value.getClass().getName());
    };
  }

  /// What this value is, for messages: "an object", "a string" and so on.
  default String kind() {
    return switch (this) {
      case JsonObject _ -> "an object";
      case JsonArray _ -> "an array";
      case JsonString _ -> "a string";
      case JsonNumber _ -> "a number";
      case JsonBoolean _ -> "a boolean";
      case JsonNull _ -> "null";
    };
  }

  /// Returns whether this value and those inside it are more than `most`: a short text can hold many
  /// values, and each takes some forty times the memory of a digit.
  default boolean hasMoreValuesThan(int most) {
    return left(this, most) < 0;
  }

  private static int left(JsonValue value, int most) {
    int left = most - 1;
    Iterable<? extends JsonValue> inside =
        switch (value) {
          case JsonObject object -> object.members().values();
          case JsonArray array -> array;
          case JsonString _, JsonNumber _, JsonBoolean _, JsonNull _ -> List.of();
        };
    for (JsonValue one : inside) {
      if (left < 0) {
        return left;
      }
      left = left(one, left);
    }
    return left;
  }
}
