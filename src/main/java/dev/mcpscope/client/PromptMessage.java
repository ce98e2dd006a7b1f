package dev.mcpscope.client;

import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import java.util.ArrayList;
import java.util.List;

/// A message to or of a model, in a prompt or in a request for sampling.
///
/// @param role who says it: "user" or "assistant"
/// @param content the blocks of content; a prompt's message has one
/// @param json the whole message as the server sent it
public record PromptMessage(String role, List<JsonObject> content, JsonObject json) {

  static List<PromptMessage> parseAll(JsonObject json, String name) throws JsonException {
    var messages = new ArrayList<PromptMessage>();
    for (JsonObject message : json.objects(name)) {
      // One block, or since 2025-11-25 several.
      List<JsonObject> content =
          message.get("content") instanceof JsonArray
              ? message.objects("content")
              : List.of(message.object("content"));
      messages.add(new PromptMessage(message.string("role"), content, message));
    }
    return List.copyOf(messages);
  }

  /// Returns the texts among the blocks, one a line; empty when there are none.
  public String text() {
    return Content.text(content);
  }
}
