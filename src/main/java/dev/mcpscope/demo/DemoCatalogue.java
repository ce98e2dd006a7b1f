package dev.mcpscope.demo;

import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/// What the demo server has besides its tools: the notes as resources, a template of resources that do
/// not change, a prompt, and completions for the last two. Any thread may use it; nothing blocks.
///
/// Each method that takes params answers one request, with the result for it, and throws a
/// [JsonException] if the params are wrong.
final class DemoCatalogue {
  private static final String SQUARE = "demo://square/{n}";
  private static final Pattern A_SQUARE = Pattern.compile("demo://square/(-?\\d{1,9})");
  private static final List<String> TONES =
      List.of("cheerful", "cool", "formal", "friendly", "grumpy");

  private static final int MOST_COMPLETIONS = 100; // the specification's limit

  private static final JsonObject NOTES =
      named("notes", "Notes", "What the tool note was given, the last " + DemoNotes.MOST + " times")
          .with("uri", DemoNotes.ALL)
          .with("mimeType", "text/plain");

  private static final JsonObject TEMPLATE =
      named("square", "Square", "The square of n, a whole number of at most nine digits")
          .with("uriTemplate", SQUARE)
          .with("mimeType", "text/plain");

  private static final JsonObject PROMPT =
      named("greet", "Greeting", "Asks for a greeting")
          .with(
              "arguments",
              JsonArray.of(
                  named("name", "Name", "Who is greeted").with("required", true),
                  named("tone", "Tone", "How, if that matters").with("required", false)));

  private final DemoNotes notes;

  DemoCatalogue(DemoNotes notes) {
    this.notes = notes;
  }

  private static JsonObject named(String name, String title, String description) {
    return JsonObject.of("name", name, "title", title, "description", description);
  }

  JsonObject resources(JsonObject params) throws JsonException {
    var resources = new ArrayList<>(List.of(NOTES));
    for (String topic : notes.topics()) {
      resources.add(
          named("notes on " + topic, "Notes on " + topic, "Those of the notes that are on " + topic)
              .with("uri", DemoNotes.uri(topic))
              .with("mimeType", "text/plain"));
    }
    return onlyPage(params, "resources", resources);
  }

  JsonObject templates(JsonObject params) throws JsonException {
    return onlyPage(params, "resourceTemplates", List.of(TEMPLATE));
  }

  JsonObject prompts(JsonObject params) throws JsonException {
    return onlyPage(params, "prompts", List.of(PROMPT));
  }

  private static JsonObject onlyPage(JsonObject params, String name, List<JsonObject> all)
      throws JsonException {
    Optional<String> cursor = params.optionalString("cursor");
    if (cursor.isPresent()) {
      throw new JsonException("unknown cursor " + cursor.get());
    }
    return JsonObject.of(name, all);
  }

  /// @throws DemoRefusal if there is no such resource
  JsonObject read(JsonObject params, DemoEra era) throws JsonException, DemoRefusal {
    String uri = params.string("uri");
    String text = text(uri).orElseThrow(() -> era.noResource(uri));
    JsonObject contents = JsonObject.of("uri", uri, "mimeType", "text/plain", "text", text);
    return JsonObject.of("contents", JsonArray.of(contents));
  }

  /// Returns the text of a resource, if there is one of that URI.
  Optional<String> text(String uri) {
    Matcher square = A_SQUARE.matcher(uri);
    return square.matches()
        ? Optional.of(new BigInteger(square.group(1)).pow(2).toString())
        : notes.text(uri);
  }

  JsonObject prompt(JsonObject params) throws JsonException {
    requirePrompt(params.string("name"));
    JsonObject arguments = params.optionalObject("arguments").orElse(JsonObject.EMPTY);
    String name = arguments.string("name");
    String tone = arguments.optionalString("tone").map(t -> ", in a " + t + " tone").orElse("");
    String text = "Write a greeting for " + name + tone + ".";
    JsonObject message =
        JsonObject.of("role", "user", "content", JsonObject.of("type", "text", "text", text));
    return JsonObject.of("description", "A greeting", "messages", JsonArray.of(message));
  }

  private static void requirePrompt(String name) throws JsonException {
    if (!PROMPT.get("name").equals(new JsonString(name))) {
      throw new JsonException("there is no prompt " + name);
    }
  }

  JsonObject complete(JsonObject params) throws JsonException {
    JsonObject argument = params.object("argument");
    String begun = argument.string("value");
    List<String> fitting =
        candidates(params.object("ref"), argument.string("name")).stream()
            .filter(candidate -> candidate.startsWith(begun))
            .toList();
    List<String> values = fitting.stream().limit(MOST_COMPLETIONS).toList();
    boolean more = fitting.size() > values.size();
    return JsonObject.of(
        "completion", JsonObject.of("values", values, "total", fitting.size(), "hasMore", more));
  }

  private static List<String> candidates(JsonObject ref, String argument) throws JsonException {
    switch (ref.string("type")) {
      case "ref/prompt" -> {
        requirePrompt(ref.string("name"));
        if (argument.equals("tone")) {
          return TONES;
        }
        if (argument.equals("name")) {
          return List.of(); // whoever that may be
        }
      }
      case "ref/resource" -> {
        String uri = ref.string("uri");
        if (!uri.equals(SQUARE)) {
          throw new JsonException("there is no template " + uri);
        }
        if (argument.equals("n")) {
          return IntStream.range(0, 1_000).mapToObj(Integer::toString).toList();
        }
      }
      default -> throw new JsonException("unknown type of ref " + ref.string("type"));
    }
    throw new JsonException("there is no argument " + argument);
  }
}
