package dev.mcpscope.client;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// A server asks that the user fills in a form.
///
/// A form must not ask for passwords, keys and the like; that is what [ElicitationUrl] is for. Show
/// which server asks, let the user see and change what is sent, and let him decline.
///
/// @param server which server asks, by the name that its connection has here: show it
/// @param message what it is for, in the server's words
/// @param fields what is to be filled in, in the server's order
/// @param json the whole request
public record ElicitationForm(
    String server, String message, List<FormField> fields, JsonObject json) {

  private static final String DIALECT = "https://json-schema.org/draft/2020-12/schema";

  /// Reads a request, whose schema must be of the kind that the protocol allows: an object with
  /// properties of primitive types, no deeper.
  static ElicitationForm parse(String server, JsonObject params) throws JsonException {
    JsonObject schema = params.object("requestedSchema");
    if (!schema.string("type").equals("object")) {
      throw new JsonException("requestedSchema must be of type object");
    }
    String dialect = schema.optionalString("$schema").orElse(DIALECT);
    if (!dialect.equals(DIALECT) && !dialect.equals(DIALECT + "#")) {
      throw new JsonException("requestedSchema is of a dialect that this client does not know");
    }
    JsonObject properties = schema.object("properties");
    Set<String> required = new HashSet<>(schema.optionalStrings("required"));
    var fields = new ArrayList<FormField>();
    for (var property : properties.members().entrySet()) {
      String name = property.getKey();
      fields.add(FormField.parse(name, required.remove(name), property.getValue()));
    }
    if (!required.isEmpty()) {
      throw new JsonException("requestedSchema requires what is no property: " + required);
    }
    return new ElicitationForm(server, params.string("message"), List.copyOf(fields), params);
  }

  /// Returns what is sent for an answer: what was filled in, and defaults for what was left out.
  ///
  /// @throws IllegalArgumentException naming the field that does not fit the schema
  JsonObject complete(JsonObject content) {
    JsonObject complete = JsonObject.EMPTY;
    for (FormField field : fields) {
      JsonValue given = content.get(field.name());
      Optional<JsonValue> value = given == null ? field.byDefault() : Optional.of(given);
      if (value.isPresent()) {
        field.check(value.get());
        complete = complete.with(field.name(), value.get());
      } else if (field.required()) {
        throw new IllegalArgumentException("the field " + field.name() + " is required");
      }
    }
    for (String name : content.members().keySet()) {
      if (!complete.has(name)) {
        throw new IllegalArgumentException("there is no field " + name);
      }
    }
    return complete;
  }
}
