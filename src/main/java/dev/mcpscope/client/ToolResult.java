package dev.mcpscope.client;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import java.util.List;
import java.util.Optional;

/// What a tool has answered.
///
/// @param content the blocks of content, in order
/// @param structuredContent the result as data, if the tool gives one
/// @param isError whether the tool itself reports a failure
/// @param json the whole result as the server sent it
public record ToolResult(
    List<JsonObject> content,
    Optional<JsonValue> structuredContent,
    boolean isError,
    JsonObject json) {

  static ToolResult parse(JsonObject json) throws JsonException {
    return new ToolResult(
        json.optionalObjects("content"),
        Optional.ofNullable(json.get("structuredContent")),
        json.optionalBool("isError").orElse(false),
        json);
  }

  /// Returns the texts among the blocks, one a line; empty when there are none.
  public String text() {
    return Content.text(content);
  }
}
