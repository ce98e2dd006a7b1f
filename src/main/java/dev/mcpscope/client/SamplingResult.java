package dev.mcpscope.client;

import dev.mcpscope.json.JsonObject;
import java.util.List;
import java.util.Optional;

/// What a model has answered.
///
/// @param model which one it was
/// @param content the blocks of content; at least one, more than one only to a request with tools
/// @param stopReason why it ended, such as "endTurn", "maxTokens", "stopSequence", "toolUse"
public record SamplingResult(String model, List<JsonObject> content, Optional<String> stopReason) {

  /// Checks that there is content.
  public SamplingResult {
    content = List.copyOf(content);
    if (content.isEmpty()) {
      throw new IllegalArgumentException("a model's answer has content");
    }
  }

  /// Returns a text that has come to its end.
  public static SamplingResult text(String model, String text) {
    return new SamplingResult(
        model, List.of(JsonObject.of("type", "text", "text", text)), Optional.of("endTurn"));
  }

  JsonObject json() {
    JsonObject json =
        JsonObject.of(
            "role",
            "assistant",
            "content",
            content.size() == 1 ? content.getFirst() : content,
            "model",
            model);
    return stopReason.isPresent() ? json.with("stopReason", stopReason.get()) : json;
  }
}
