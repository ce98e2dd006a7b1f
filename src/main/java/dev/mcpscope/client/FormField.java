package dev.mcpscope.client;

import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonBoolean;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import java.net.URI;
import java.net.URISyntaxException;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/// A field of a form: a property of the restricted JSON Schema that forms are made of.
///
/// @param name what it is called in the answer
/// @param type what it takes
/// @param required whether it must be filled in
/// @param title what people call it
/// @param description what it means
/// @param byDefault what it is if it is left out
/// @param choices what it may be; empty if it is not a matter of choice
/// @param json the property's schema as the server sent it
public record FormField(
    String name,
    Type type,
    boolean required,
    Optional<String> title,
    Optional<String> description,
    Optional<JsonValue> byDefault,
    List<Choice> choices,
    JsonObject json) {

  /// What a field takes.
  public enum Type {
    /// A text, or one of the choices.
    STRING,
    /// A number.
    NUMBER,
    /// A whole number.
    INTEGER,
    /// Yes or no.
    BOOLEAN,
    /// Any of the choices.
    ARRAY
  }

  /// One of the things that a field may be.
  ///
  /// @param value what is sent
  /// @param title what people call it
  public record Choice(String value, String title) {}

  static FormField parse(String name, boolean required, JsonValue schema) throws JsonException {
    if (!(schema instanceof JsonObject json)) {
      throw new JsonException("the field " + name + " must be an object, is " + schema.kind());
    }
    String word = json.string("type");
    Type type =
        switch (word) {
          case "string" -> Type.STRING;
          case "number" -> Type.NUMBER;
          case "integer" -> Type.INTEGER;
          case "boolean" -> Type.BOOLEAN;
          case "array" -> Type.ARRAY;
          default ->
              throw new JsonException(
                  "the field " + name + " has type " + word + ", which no form has");
        };
    List<Choice> choices = choices(type == Type.ARRAY ? json.object("items") : json);
    if (type == Type.ARRAY && choices.isEmpty()) {
      throw new JsonException("the field " + name + " is an array without choices");
    }
    var field =
        new FormField(
            name,
            type,
            required,
            json.optionalString("title"),
            json.optionalString("description"),
            Optional.ofNullable(json.get("default")),
            choices,
            json);
    field.checkBounds();
    try {
      field.byDefault().ifPresent(field::check);
    } catch (IllegalArgumentException e) {
      throw new JsonException("by its own default " + e.getMessage());
    }
    return field;
  }

  /// Each revision has found another way to say it: `oneOf` and `anyOf` with titles, `enum` without,
  /// and `enum` with `enumNames`.
  private static List<Choice> choices(JsonObject schema) throws JsonException {
    var choices = new ArrayList<Choice>();
    for (String titled : List.of("oneOf", "anyOf")) {
      for (JsonObject choice : schema.optionalObjects(titled)) {
        String value = choice.string("const");
        choices.add(new Choice(value, choice.optionalString("title").orElse(value)));
      }
    }
    List<String> values = schema.optionalStrings("enum");
    List<String> titles = schema.optionalStrings("enumNames");
    for (int i = 0; i < values.size(); i++) {
      String value = values.get(i);
      choices.add(new Choice(value, i < titles.size() ? titles.get(i) : value));
    }
    return List.copyOf(choices);
  }

  private void checkBounds() throws JsonException {
    for (String bound : List.of("minLength", "maxLength", "minItems", "maxItems")) {
      json.optionalInteger(bound);
    }
    json.optionalNumber("minimum");
    json.optionalNumber("maximum");
    json.optionalString("format");
  }

  /// Checks a value against the schema, as every answer is before it is sent. `pattern` is not looked at: a regular expression of the
  /// server's could take this side's time for ever.
  ///
  /// @throws IllegalArgumentException naming the field and what is wrong with the value, which may be
  ///     private and is not shown
  public void check(JsonValue value) {
    try {
      switch (type) {
        case STRING -> checkText(as(JsonString.class, value).value());
        case NUMBER -> checkNumber(as(JsonNumber.class, value));
        case INTEGER -> {
          JsonNumber number = as(JsonNumber.class, value);
          must(number.asLong().isPresent(), "must be a whole number");
          checkNumber(number);
        }
        case BOOLEAN -> as(JsonBoolean.class, value);
        case ARRAY -> checkArray(as(JsonArray.class, value));
      }
    } catch (JsonException e) { // read when the form was parsed
      throw new IllegalArgumentException(e.getMessage(), e);
    }
  }

  private <T extends JsonValue> T as(Class<T> wanted, JsonValue value) {
    must(wanted.isInstance(value), "takes a value of type " + type.name().toLowerCase(Locale.ROOT));
    return wanted.cast(value);
  }

  private void checkText(String text) throws JsonException {
    int length = text.codePointCount(0, text.length());
    checkWithin("length", length, "minLength", "maxLength");
    checkChoice(text);
    must(hasFormat(text, json.optionalString("format").orElse("")), "is not of its format");
  }

  /// A format that is not known here is the server's to check.
  private static boolean hasFormat(String text, String format) {
    try {
      switch (format) {
        case "email" -> {
          return text.matches("[^@\\s]+@[^@\\s]+");
        }
        case "uri" -> {
          return new URI(text).isAbsolute();
        }
        case "date" -> LocalDate.parse(text);
        case "date-time" -> OffsetDateTime.parse(text);
        default -> {}
      }
      return true;
    } catch (URISyntaxException | DateTimeException e) {
      return false;
    }
  }

  private void checkNumber(JsonNumber number) throws JsonException {
    double value = number.doubleValue();
    must(
        value >= json.optionalNumber("minimum").orElse(Double.NEGATIVE_INFINITY)
            && value <= json.optionalNumber("maximum").orElse(Double.POSITIVE_INFINITY),
        "must be within " + bounds("minimum", "maximum"));
  }

  private void checkArray(JsonArray array) throws JsonException {
    checkWithin("number of choices", array.size(), "minItems", "maxItems");
    must(new HashSet<>(array.elements()).size() == array.size(), "has a choice twice");
    for (JsonValue element : array) {
      must(element instanceof JsonString, "takes a list of texts");
      checkChoice(((JsonString) element).value());
    }
  }

  private void checkWithin(String what, long size, String least, String most) throws JsonException {
    must(
        size >= json.optionalInteger(least).orElse(0)
            && size <= json.optionalInteger(most).orElse(Long.MAX_VALUE),
        "must have a " + what + " within " + bounds(least, most));
  }

  private String bounds(String least, String most) {
    return "["
        + (json.has(least) ? json.get(least) : "")
        + ", "
        + (json.has(most) ? json.get(most) : "")
        + "]";
  }

  private void checkChoice(String value) {
    must(
        choices.isEmpty() || choices.stream().anyMatch(choice -> choice.value().equals(value)),
        "is none of its choices");
  }

  private void must(boolean holds, String what) {
    if (!holds) {
      throw new IllegalArgumentException("the field " + name + " " + what);
    }
  }
}
