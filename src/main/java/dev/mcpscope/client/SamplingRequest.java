package dev.mcpscope.client;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.stream.Collectors;

/// A server asks for a model's answer. A person should see it, and be able to refuse, before a model
/// does.
///
/// @param server which server asks, by the name that its connection has here: show it
/// @param messages what is said to the model, in order
/// @param maxTokens how long the answer may be
/// @param systemPrompt what the server would have the model told first
/// @param temperature how free the answer may be
/// @param stopSequences at what the model shall stop
/// @param modelPreferences which model the server would like; hints only
/// @param json the whole request: tools, `includeContext`, metadata
public record SamplingRequest(
    String server,
    List<PromptMessage> messages,
    long maxTokens,
    Optional<String> systemPrompt,
    OptionalDouble temperature,
    List<String> stopSequences,
    Optional<JsonObject> modelPreferences,
    JsonObject json) {

  static SamplingRequest parse(String server, JsonObject params) throws JsonException {
    List<PromptMessage> messages = PromptMessage.parseAll(params, "messages");
    checkTools(messages);
    return new SamplingRequest(
        server,
        messages,
        params.integer("maxTokens"),
        params.optionalString("systemPrompt"),
        params.optionalNumber("temperature"),
        params.optionalStrings("stopSequences"),
        params.optionalObject("modelPreferences"),
        params);
  }

  /// "Every assistant message containing ToolUseContent blocks MUST be followed by a user message
  /// that consists entirely of ToolResultContent blocks", one for each.
  private static void checkTools(List<PromptMessage> messages) throws JsonException {
    Set<JsonValue> open = Set.of();
    for (PromptMessage message : messages) {
      Set<JsonValue> results = ids(message, "tool_result", "toolUseId");
      if (!results.isEmpty() && results.size() < message.content().size()) {
        throw new JsonException("tool results are mixed with other content");
      }
      if (!open.equals(results)) {
        throw new JsonException("uses and results of tools do not match");
      }
      open = ids(message, "tool_use", "id");
    }
    if (!open.isEmpty()) {
      throw new JsonException("the result of a tool is missing");
    }
  }

  private static Set<JsonValue> ids(PromptMessage message, String type, String id) {
    return message.content().stream()
        .filter(block -> new JsonString(type).equals(block.get("type")))
        .map(block -> Objects.requireNonNullElse(block.get(id), JsonNull.INSTANCE))
        .collect(Collectors.toSet());
  }
}
