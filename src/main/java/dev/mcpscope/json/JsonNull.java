package dev.mcpscope.json;

/// The JSON null.
public enum JsonNull implements JsonValue {
  INSTANCE;

  @Override
  public String toString() {
    return JsonWriter.text(this);
  }
}
