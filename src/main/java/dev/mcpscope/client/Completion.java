package dev.mcpscope.client;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import java.util.List;
import java.util.OptionalLong;

/// How an argument may go on.
///
/// @param values the server's suggestions, the best ones first
/// @param total how many there are in all, if the server knows
/// @param hasMore whether there are more than these
/// @param json the whole result as the server sent it
public record Completion(
    List<String> values, OptionalLong total, boolean hasMore, JsonObject json) {

  /// Whose argument is to be completed.
  public sealed interface Of {
    /// A prompt's.
    ///
    /// @param name the prompt's
    record Prompt(String name) implements Of {}

    /// A resource template's.
    ///
    /// @param uriTemplate the template's
    record Template(String uriTemplate) implements Of {}

    /// Returns the reference that is sent.
    private JsonObject json() {
      return switch (this) {
        case Prompt(var name) -> JsonObject.of("type", "ref/prompt", "name", name);
        case Template(var uri) -> JsonObject.of("type", "ref/resource", "uri", uri);
      };
    }
  }

  static JsonObject params(Of of, String argument, String value) {
    return JsonObject.of(
        "ref", of.json(), "argument", JsonObject.of("name", argument, "value", value));
  }

  static Completion parse(JsonObject json) throws JsonException {
    JsonObject completion = json.object("completion");
    return new Completion(
        completion.optionalStrings("values"),
        completion.optionalInteger("total"),
        completion.optionalBool("hasMore").orElse(false),
        json);
  }
}
