package dev.mcpscope.client;

import dev.mcpscope.json.JsonBoolean;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import java.util.Optional;

/// A tool that a server offers.
///
/// @param name what it is called by
/// @param title its name for people
/// @param description what it does, for the model
/// @param inputSchema the JSON Schema of its arguments, as the server sent it
/// @param outputSchema the JSON Schema of its structured results, if it has one, as the server sent
///     it
/// @param annotations what it does to the world, in the server's own words: a hint, and no promise
/// @param json the whole definition as the server sent it, members that this record has no name for
///     included: icons, `_meta`
public record Tool(
    String name,
    Optional<String> title,
    Optional<String> description,
    JsonObject inputSchema,
    Optional<JsonObject> outputSchema,
    Optional<JsonObject> annotations,
    JsonObject json) {

  static Tool parse(JsonObject json) throws JsonException {
    return new Tool(
        json.string("name"),
        json.optionalString("title"),
        json.optionalString("description"),
        json.optionalObject("inputSchema").orElse(JsonObject.EMPTY),
        json.optionalObject("outputSchema"),
        json.optionalObject("annotations"),
        json);
  }

  /// Whether the server says that to call it twice is no worse than to call it once.
  boolean isRepeatable() {
    return annotations
        .filter(hints ->
            JsonBoolean.TRUE.equals(hints.get("readOnlyHint"))
                || JsonBoolean.TRUE.equals(hints.get("idempotentHint")))
        .isPresent();
  }
}
