package dev.mcpscope.client;

import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonBoolean;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import java.util.Set;

/// As much of JSON Schema as the reference servers' output schemas are made of. A word that is not
/// known here fails the check: it must not pass because nobody has looked.
final class OutputSchema {
  private static final Set<String> KNOWN =
      Set.of(
          "$schema",
          "additionalProperties",
          "anyOf",
          "const",
          "description",
          "enum",
          "items",
          "properties",
          "required",
          "type");

  private OutputSchema() {}

  /// Returns whether a value is what the schema describes.
  static boolean fits(JsonObject schema, JsonValue value) throws JsonException {
    if (!KNOWN.containsAll(schema.members().keySet())) {
      throw new AssertionError("more than this check knows: " + schema);
    }
    return hasType(schema, value)
        && isOneOf(schema, value)
        && (!(value instanceof JsonObject object) || membersFit(schema, object))
        && (!(value instanceof JsonArray array) || elementsFit(schema, array));
  }

  private static boolean hasType(JsonObject schema, JsonValue value) throws JsonException {
    return switch (schema.optionalString("type").orElse("")) {
      case "" -> true;
      case "object" -> value instanceof JsonObject;
      case "array" -> value instanceof JsonArray;
      case "string" -> value instanceof JsonString;
      case "number" -> value instanceof JsonNumber;
      case "boolean" -> value instanceof JsonBoolean;
      default -> throw new AssertionError("a type that this check does not know: " + schema);
    };
  }

  private static boolean isOneOf(JsonObject schema, JsonValue value) throws JsonException {
    if (schema.has("const") && !schema.get("const").equals(value)
        || schema.has("enum") && !schema.array("enum").elements().contains(value)) {
      return false;
    }
    boolean fitsAny = !schema.has("anyOf");
    for (JsonObject any : schema.optionalObjects("anyOf")) {
      fitsAny |= fits(any, value);
    }
    return fitsAny;
  }

  private static boolean membersFit(JsonObject schema, JsonObject object) throws JsonException {
    JsonObject properties = schema.optionalObject("properties").orElse(JsonObject.EMPTY);
    for (var member : object.members().entrySet()) {
      if (properties.has(member.getKey())
          ? !fits(properties.object(member.getKey()), member.getValue())
          : JsonBoolean.FALSE.equals(schema.get("additionalProperties"))) {
        return false;
      }
    }
    return object.members().keySet().containsAll(schema.optionalStrings("required"));
  }

  private static boolean elementsFit(JsonObject schema, JsonArray array) throws JsonException {
    JsonObject items = schema.optionalObject("items").orElse(JsonObject.EMPTY);
    for (JsonValue element : array) {
      if (!fits(items, element)) {
        return false;
      }
    }
    return true;
  }
}
