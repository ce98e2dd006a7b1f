package dev.mcpscope.json;

import java.util.Objects;

/// A JSON string: any sequence of chars, so that a lone surrogate (legal in JSON as an escape)
/// survives.
public record JsonString(String value) implements JsonValue {

  public JsonString {
    Objects.requireNonNull(value, "value");
  }

  @Override
  public String toString() {
    return JsonWriter.text(this);
  }
}
