package dev.mcpscope.client;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import java.util.Optional;
import java.util.OptionalLong;

/// Something that a server lets read.
///
/// @param uri what it is read by
/// @param name what programs call it
/// @param title what people call it
/// @param description what it is
/// @param mimeType of its contents, if the server knows
/// @param size of its contents in bytes, if the server knows
/// @param json the whole definition as the server sent it: annotations, icons, `_meta`
public record Resource(
    String uri,
    String name,
    Optional<String> title,
    Optional<String> description,
    Optional<String> mimeType,
    OptionalLong size,
    JsonObject json) {

  static Resource parse(JsonObject json) throws JsonException {
    return new Resource(
        json.string("uri"),
        json.string("name"),
        json.optionalString("title"),
        json.optionalString("description"),
        json.optionalString("mimeType"),
        json.optionalInteger("size"),
        json);
  }
}
