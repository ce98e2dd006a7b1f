package dev.mcpscope.json;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/// A JSON object: its members in the order in which they were read or added.
///
/// The accessors named after a type demand a member of that type; the `optional` ones take an
/// absent member and a JSON null for the same. Both throw a [JsonException] that names the member,
/// what was expected and what was found. Two objects are equal if their members are, in any order.
///
/// @param members unmodifiable, in order, without nulls
public record JsonObject(Map<String, JsonValue> members) implements JsonValue {

  /// The object without members.
  public static final JsonObject EMPTY = new JsonObject(new Members());

  /// Takes a copy of the members.
  public JsonObject {
    members = Collections.unmodifiableMap(members instanceof Members own ? own : copy(members));
  }

  /// An object of names and values by turns; each value goes through [JsonValue#of].
  ///
  /// @throws IllegalArgumentException for a name that is no string or comes twice, a name without a
  ///     value, or a value that JSON does not have
  public static JsonObject of(Object... namesAndValues) {
    if (namesAndValues.length % 2 != 0) {
      throw new IllegalArgumentException("the last name has no value");
    }
    Members members = new Members();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      String name = name(namesAndValues[i]);
      if (members.put(name, JsonValue.of(namesAndValues[i + 1])) != null) {
        throw new IllegalArgumentException("two members named " + name);
      }
    }
    return new JsonObject(members);
  }

  static JsonObject copyOf(Map<?, ?> map) {
    Members members = new Members();
    map.forEach((name, value) -> members.put(name(name), JsonValue.of(value)));
    return new JsonObject(members);
  }

  /// The member of that name, or null if there is none.
  public JsonValue get(String name) {
    return members.get(name);
  }

  public boolean has(String name) {
    return members.containsKey(name);
  }

  public boolean isEmpty() {
    return members.isEmpty();
  }

  /// This object with one member set: in its old place if there was one, else at the end.
  public JsonObject with(String name, Object value) {
    Members changed = copy(members);
    changed.put(Objects.requireNonNull(name, "name"), JsonValue.of(value));
    return new JsonObject(changed);
  }

  /// This object without the member of that name.
  public JsonObject without(String name) {
    Members changed = copy(members);
    changed.remove(name);
    return new JsonObject(changed);
  }

  public String string(String name) throws JsonException {
    return required(name, JsonString.class, "a string").value();
  }

  public JsonObject object(String name) throws JsonException {
    return required(name, JsonObject.class, "an object");
  }

  public JsonArray array(String name) throws JsonException {
    return required(name, JsonArray.class, "an array");
  }

  /// The member as an integer: `1`, but also `1.0` and `1e0`, which mean the same in JSON.
  public long integer(String name) throws JsonException {
    return integer(name, required(name, JsonNumber.class, "an integer"));
  }

  public boolean bool(String name) throws JsonException {
    return required(name, JsonBoolean.class, "a boolean").value();
  }

  public Optional<String> optionalString(String name) throws JsonException {
    return optional(name, JsonString.class, "a string").map(JsonString::value);
  }

  public Optional<JsonObject> optionalObject(String name) throws JsonException {
    return optional(name, JsonObject.class, "an object");
  }

  public Optional<JsonArray> optionalArray(String name) throws JsonException {
    return optional(name, JsonArray.class, "an array");
  }

  public OptionalLong optionalInteger(String name) throws JsonException {
    Optional<JsonNumber> number = optional(name, JsonNumber.class, "an integer");
    return number.isEmpty() ? OptionalLong.empty() : OptionalLong.of(integer(name, number.get()));
  }

  public Optional<Boolean> optionalBool(String name) throws JsonException {
    return optional(name, JsonBoolean.class, "a boolean").map(JsonBoolean::value);
  }

  public OptionalDouble optionalNumber(String name) throws JsonException {
    Optional<JsonNumber> number = optional(name, JsonNumber.class, "a number");
    return number.isEmpty()
        ? OptionalDouble.empty()
        : OptionalDouble.of(number.get().doubleValue());
  }

  /// The elements of an array, each of which must be an object.
  public List<JsonObject> objects(String name) throws JsonException {
    return elements(name, array(name), JsonObject.class, "an object");
  }

  /// Like [#objects], and empty if there is no such member.
  public List<JsonObject> optionalObjects(String name) throws JsonException {
    return elements(
        name, optionalArray(name).orElse(JsonArray.EMPTY), JsonObject.class, "an object");
  }

  /// The elements of an array of strings; empty if there is no such member.
  public List<String> optionalStrings(String name) throws JsonException {
    var strings =
        elements(name, optionalArray(name).orElse(JsonArray.EMPTY), JsonString.class, "a string");
    return strings.stream().map(JsonString::value).toList();
  }

  @Override
  public String toString() {
    return JsonWriter.text(this);
  }

  private <T extends JsonValue> T required(String name, Class<T> type, String expected)
      throws JsonException {
    JsonValue value = members.get(name);
    if (!type.isInstance(value)) {
      throw mismatch(name, expected, value == null ? "missing" : value.kind());
    }
    return type.cast(value);
  }

  private <T extends JsonValue> Optional<T> optional(String name, Class<T> type, String expected)
      throws JsonException {
    return members.get(name) == null || members.get(name) == JsonNull.INSTANCE
        ? Optional.empty()
        : Optional.of(required(name, type, expected));
  }

  private static <T extends JsonValue> List<T> elements(
      String name, JsonArray array, Class<T> type, String expected) throws JsonException {
    for (int i = 0; i < array.size(); i++) {
      if (!type.isInstance(array.get(i))) {
        throw mismatch(name + "[" + i + "]", expected, array.get(i).kind());
      }
    }
    return array.elements().stream().map(type::cast).toList();
  }

  private static long integer(String name, JsonNumber number) throws JsonException {
    return number
        .asLong()
        .orElseThrow(() -> mismatch(name, "an integer", "a fraction or beyond 64 bits"));
  }

  private static JsonException mismatch(String name, String expected, String found) {
    return new JsonException("member \"" + name + "\" is " + found + ", expected " + expected);
  }

  private static String name(Object name) {
    if (name instanceof String string) {
      return string;
    }
    throw new IllegalArgumentException(
        "a member's name must be a string, not "
            + (name == null ? null : name.getClass().getName()));
  }

  private static Members copy(Map<String, JsonValue> members) {
    Members copy = new Members();
    members.forEach((name, value) ->
        copy.put(Objects.requireNonNull(name, "name"), Objects.requireNonNull(value, name)));
    return copy;
  }

  /// A map of this package's making, filled before an object gets it and never touched after: the
  /// one kind of map that an object keeps without a copy.
  @SuppressWarnings("serial")
  static final class Members extends LinkedHashMap<String, JsonValue> {
    Members() {
      super(8); // most objects of a protocol are small
    }
  }
}
