package dev.mcpscope.client;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// A prompt that a server offers.
///
/// @param name what it is got by
/// @param title its name for people
/// @param description what it is for
/// @param arguments what it is filled in with
/// @param json the whole definition as the server sent it: icons, `_meta`
public record Prompt(
    String name,
    Optional<String> title,
    Optional<String> description,
    List<Argument> arguments,
    JsonObject json) {

  /// What a prompt is filled in with.
  ///
  /// @param name what it is given by
  /// @param description what it means
  /// @param required whether it must be given
  /// @param json the whole definition as the server sent it
  public record Argument(
      String name, Optional<String> description, boolean required, JsonObject json) {

    static Argument parse(JsonObject json) throws JsonException {
      return new Argument(
          json.string("name"),
          json.optionalString("description"),
          json.optionalBool("required").orElse(false),
          json);
    }
  }

  static Prompt parse(JsonObject json) throws JsonException {
    var arguments = new ArrayList<Argument>();
    for (JsonObject argument : json.optionalObjects("arguments")) {
      arguments.add(Argument.parse(argument));
    }
    return new Prompt(
        json.string("name"),
        json.optionalString("title"),
        json.optionalString("description"),
        List.copyOf(arguments),
        json);
  }
}
