package dev.mcpscope.client;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import java.util.List;
import java.util.Optional;

/// A prompt, filled in.
///
/// @param description what it is for
/// @param messages what is to be said to the model, in order
/// @param json the whole result as the server sent it
public record PromptResult(
    Optional<String> description, List<PromptMessage> messages, JsonObject json) {

  static PromptResult parse(JsonObject json) throws JsonException {
    return new PromptResult(
        json.optionalString("description"), PromptMessage.parseAll(json, "messages"), json);
  }
}
