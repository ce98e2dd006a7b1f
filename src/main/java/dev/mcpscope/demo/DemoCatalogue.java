package dev.mcpscope.demo;

import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.rpc.RpcError;
import java.math.BigInteger;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/// What the demo server has besides its tools: a resource that changes, a template of resources that
/// do not, a prompt, and completions for the last two. Any thread may use it; nothing blocks.
///
/// Each method that takes params answers one request, with the result for it, and throws a
/// [JsonException] if the params are wrong.
final class DemoCatalogue {
  static final String NOTES = "demo://notes";

  /// In characters, which in Unicode may be two of Java's.
  static final int LONGEST_NOTE = 1_000;

  private static final String SQUARE = "demo://square/{n}";
  private static final Pattern A_SQUARE = Pattern.compile("demo://square/(-?\\d{1,9})");
  private static final List<String> TONES =
      List.of("cheerful", "cool", "formal", "friendly", "grumpy");

  private static final int MOST_NOTES = 100;
  private static final int MOST_COMPLETIONS = 100; // the specification's limit
  private static final int RESOURCE_NOT_FOUND = -32002;

  private static final JsonObject RESOURCE =
      named("notes", "Notes", "What the tool note was given, the last " + MOST_NOTES + " times")
          .with("uri", NOTES)
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

  private final Deque<String> notes = new ArrayDeque<>();
  private boolean watched; // the only subscription that can matter, so the only one that is kept

  private static JsonObject named(String name, String title, String description) {
    return JsonObject.of("name", name, "title", title, "description", description);
  }

  JsonObject resources(JsonObject params) throws JsonException {
    return onlyPage(params, "resources", RESOURCE);
  }

  JsonObject templates(JsonObject params) throws JsonException {
    return onlyPage(params, "resourceTemplates", TEMPLATE);
  }

  JsonObject prompts(JsonObject params) throws JsonException {
    return onlyPage(params, "prompts", PROMPT);
  }

  private static JsonObject onlyPage(JsonObject params, String name, JsonObject element)
      throws JsonException {
    Optional<String> cursor = params.optionalString("cursor");
    if (cursor.isPresent()) {
      throw new JsonException("unknown cursor " + cursor.get());
    }
    return JsonObject.of(name, JsonArray.of(element));
  }

  /// @throws DemoRefusal if there is no such resource
  JsonObject read(JsonObject params) throws JsonException, DemoRefusal {
    String uri = params.string("uri");
    JsonObject contents = JsonObject.of("uri", uri, "mimeType", "text/plain", "text", text(uri));
    return JsonObject.of("contents", JsonArray.of(contents));
  }

  /// Begins or ends a subscription, as often as one likes.
  ///
  /// @throws DemoRefusal if there is no such resource
  synchronized JsonObject subscribe(JsonObject params, boolean on)
      throws JsonException, DemoRefusal {
    String uri = params.string("uri");
    text(uri);
    if (uri.equals(NOTES)) {
      watched = on;
    }
    return JsonObject.EMPTY;
  }

  private synchronized String text(String uri) throws DemoRefusal {
    if (uri.equals(NOTES)) {
      return String.join("\n", notes);
    }
    Matcher square = A_SQUARE.matcher(uri);
    if (square.matches()) {
      return new BigInteger(square.group(1)).pow(2).toString();
    }
    JsonObject data = JsonObject.of("uri", uri);
    throw new DemoRefusal(
        new RpcError(RESOURCE_NOT_FOUND, "Resource not found", Optional.of(data)));
  }

  /// Adds to the notes; the oldest one goes when there are too many.
  ///
  /// @return whether the client has subscribed to the notes
  synchronized boolean note(String text) throws JsonException {
    int length = text.codePointCount(0, text.length());
    if (length > LONGEST_NOTE) {
      throw new JsonException(
          "text must have at most " + LONGEST_NOTE + " characters, not " + length);
    }
    if (notes.size() == MOST_NOTES) {
      notes.removeFirst();
    }
    notes.addLast(text);
    return watched;
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
