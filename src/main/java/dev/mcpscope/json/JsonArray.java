package dev.mcpscope.json;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;

/// A JSON array.
///
/// @param elements unmodifiable, without nulls
public record JsonArray(List<JsonValue> elements) implements JsonValue, Iterable<JsonValue> {

  /// The array without elements.
  public static final JsonArray EMPTY = new JsonArray(List.of());

  /// Takes a copy of the elements.
  public JsonArray {
    elements = List.copyOf(elements);
  }

  /// An array of these values, each by way of [JsonValue#of].
  public static JsonArray of(Object... values) {
    return copyOf(Arrays.asList(values));
  }

  static JsonArray copyOf(Iterable<?> values) {
    List<JsonValue> elements = new ArrayList<>();
    values.forEach(value -> elements.add(JsonValue.of(value)));
    return new JsonArray(elements);
  }

  public int size() {
    return elements.size();
  }

  /// The element at that index.
  ///
  /// @throws IndexOutOfBoundsException if there is none
  public JsonValue get(int index) {
    return elements.get(index);
  }

  @Override
  public Iterator<JsonValue> iterator() {
    return elements.iterator();
  }

  @Override
  public String toString() {
    return JsonWriter.text(this);
  }
}
