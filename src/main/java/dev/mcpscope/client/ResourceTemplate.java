package dev.mcpscope.client;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import java.util.Optional;

/// A family of resources.
///
/// @param uriTemplate the pattern of their URIs, after RFC 6570; expanding it is the user's
/// @param name what programs call it
/// @param title what people call it
/// @param description what they are
/// @param mimeType of their contents, if all have the same
/// @param json the whole definition as the server sent it: annotations, icons, `_meta`
public record ResourceTemplate(
    String uriTemplate,
    String name,
    Optional<String> title,
    Optional<String> description,
    Optional<String> mimeType,
    JsonObject json) {

  static ResourceTemplate parse(JsonObject json) throws JsonException {
    return new ResourceTemplate(
        json.string("uriTemplate"),
        json.string("name"),
        json.optionalString("title"),
        json.optionalString("description"),
        json.optionalString("mimeType"),
        json);
  }
}
