package dev.mcpscope.client;

import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonBoolean;
import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/// Which arguments of a tool go beside its calls, over HTTP in headers, so that who is on the way can
/// route them unread: those whose schema says so by `x-mcp-header`.
///
/// @param all in the schema's order
/// @see <a
///     href="https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http#custom-headers-from-tool-parameters">
///     Custom headers from tool parameters, revision 2026-07-28</a>
record MirroredArguments(List<Argument> all) {
  private static final String ANNOTATION = "x-mcp-header";

  /// RFC 9110, 5.6.2.
  private static final Pattern TOKEN = Pattern.compile("[!#$%&'*+.^_`|~0-9A-Za-z-]+");

  private static final Set<String> TYPES = Set.of("string", "integer", "boolean");
  private static final long MOST = (1L << 53) - 1; // what a double holds exactly

  /// An argument.
  ///
  /// @param path the names of the properties that lead to it
  /// @param name its own, beside the call
  record Argument(List<String> path, String name) {}

  /// The annotations of a schema break a rule, so that its tool cannot be called.
  static final class InvalidException extends Exception {
    private static final long serialVersionUID = 1;

    InvalidException(String message) {
      super(message);
    }
  }

  /// Reads a tool's schema.
  static MirroredArguments of(JsonObject schema) throws InvalidException {
    var found = new ArrayList<Argument>();
    find(schema, List.of(), found);
    int annotations = annotations(schema);
    if (annotations > found.size()) {
      throw new InvalidException(
          ANNOTATION + " stands where no chain of \"properties\" alone leads to");
    }
    var names = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
    for (Argument argument : found) {
      if (!names.add(argument.name())) {
        throw new InvalidException(ANNOTATION + " names " + argument.name() + " twice");
      }
    }
    return new MirroredArguments(List.copyOf(found));
  }

  private static void find(JsonObject schema, List<String> path, List<Argument> found)
      throws InvalidException {
    if (!(schema.get("properties") instanceof JsonObject properties)) {
      return;
    }
    for (var property : properties.members().entrySet()) {
      if (property.getValue() instanceof JsonObject described) {
        var here = new ArrayList<>(path);
        here.add(property.getKey());
        if (described.has(ANNOTATION)) {
          found.add(new Argument(List.copyOf(here), name(described)));
        }
        find(described, here, found);
      }
    }
  }

  private static String name(JsonObject described) throws InvalidException {
    if (!(described.get(ANNOTATION) instanceof JsonString(var name))
        || !TOKEN.matcher(name).matches()) {
      throw new InvalidException(ANNOTATION + " is no name for a header");
    }
    if (!(described.get("type") instanceof JsonString(var type)) || !TYPES.contains(type)) {
      throw new InvalidException(
          ANNOTATION + " " + name + " is on what is no string, integer or boolean");
    }
    return name;
  }

  /// How often the word stands as a keyword: not where it is the name of a property, nor in what is
  /// data, as an example is.
  private static int annotations(JsonValue schema) {
    return switch (schema) {
      case JsonObject object -> {
        int count = object.has(ANNOTATION) ? 1 : 0;
        for (var member : object.members().entrySet()) {
          count +=
              switch (member.getKey()) {
                case "default", "const", "enum", "examples", "dependentRequired", ANNOTATION -> 0;
                case "properties",
                    "patternProperties",
                    "$defs",
                    "definitions",
                    "dependentSchemas",
                    "dependencies" ->
                    member.getValue() instanceof JsonObject named
                        ? named.members().values().stream()
                            .mapToInt(MirroredArguments::annotations)
                            .sum()
                        : annotations(member.getValue());
                default -> annotations(member.getValue());
              };
        }
        yield count;
      }
      case JsonArray array ->
          array.elements().stream().mapToInt(MirroredArguments::annotations).sum();
      default -> 0;
    };
  }

  /// Returns the values of a call's arguments, by their names beside it: "if no value is present at that
  /// path in the call arguments, the header is omitted", nor is there one for null.
  ///
  /// @throws IllegalArgumentException when a number is too large for it
  Map<String, String> values(JsonObject arguments) {
    var values = new LinkedHashMap<String, String>();
    for (Argument argument : all) {
      value(arguments, argument).ifPresent(value -> values.put(argument.name(), value));
    }
    return values;
  }

  private static Optional<String> value(JsonObject arguments, Argument argument) {
    JsonValue value = arguments;
    for (String step : argument.path()) {
      value = value instanceof JsonObject object ? object.get(step) : null;
    }
    return switch (value) {
      case JsonString(var text) -> Optional.of(text);
      case JsonBoolean bool -> Optional.of(bool.toString());
      case JsonNumber number -> Optional.of(decimal(number, argument));
      case null, default -> Optional.empty();
    };
  }

  /// What is no integer is for the server to refuse. A long would not do to compare: there are numbers
  /// beyond it, and one without an absolute value.
  private static String decimal(JsonNumber number, Argument argument) {
    if (Math.abs(number.doubleValue()) > MOST) {
      throw new IllegalArgumentException(
          "the argument %s must be within ±%d, is %s"
              .formatted(String.join(".", argument.path()), MOST, Handlers.shown(number.text())));
    }
    OptionalLong whole = number.asLong();
    return whole.isPresent() ? Long.toString(whole.getAsLong()) : number.text();
  }
}
