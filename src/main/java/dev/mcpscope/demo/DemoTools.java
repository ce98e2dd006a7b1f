package dev.mcpscope.demo;

import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.rpc.RpcError;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntConsumer;

/// The demo server's tools: what is told of them, and what they do. Each call has a thread to
/// itself and may run beside others.
final class DemoTools {
  static final String CRASH = "crash";

  private static final String ASK = "ask";
  private static final String CUT = "cut";
  private static final String NOTE = "note";

  /// By tool, the arguments that a client of the modern era repeats in headers over HTTP, and the names
  /// of these without `Mcp-Param-`. There is one, the topic of a note: by it, what lies between could
  /// send notes to where they belong without reading them.
  static final Map<String, Map<String, String>> MIRRORED = Map.of(NOTE, Map.of("topic", "Topic"));

  private static final String SECOND_PAGE = "page-2";
  private static final int FIRST_PAGE_SIZE = 2;
  private static final int MOST_DIGITS = 1_000; // 1e999999999 is a short text and a long number

  /// What a tool does; it may throw a [JsonException], whose message is the result then.
  @FunctionalInterface
  private interface Body {
    /// Returns the result, or empty if nobody wants it any more.
    Optional<JsonObject> call(DemoTools tools, DemoCall call)
        throws JsonException, InterruptedException, DemoRefusal;
  }

  private record Tool(String name, JsonObject listed, Body body) {}

  private static final List<Tool> ALL =
      List.of(
          tool(
              "echo",
              "Answers what it is given",
              schema(JsonObject.of("message", type("string")), "message"),
              DemoTools::echo),
          tool(
              "add",
              "Adds two numbers, exactly",
              schema(JsonObject.of("a", type("number"), "b", type("number")), "a", "b"),
              schema(JsonObject.of("sum", type("number")), "sum"),
              DemoTools::add),
          tool(
              "slow",
              "Takes its time, and reports progress: 5 steps of 200 ms unless told otherwise",
              schema(JsonObject.of("steps", type("integer"), "stepMs", type("integer"))),
              DemoTools::slow),
          tool(
              NOTE,
              "Takes a note: resource "
                  + DemoNotes.ALL
                  + "; what is on one topic is also a resource by itself",
              schema(
                  JsonObject.of(
                      "text",
                      type("string").with("maxLength", DemoNotes.LONGEST_TEXT),
                      "topic",
                      type("string")
                          .with("minLength", 1)
                          .with("maxLength", DemoNotes.LONGEST_TOPIC)
                          .with("x-mcp-header", "Topic")),
                  "text"),
              DemoTools::note),
          tool(
              ASK,
              "Asks the user, by a form that the client shows, and answers what was said",
              schema(JsonObject.of("question", type("string")), "question"),
              schema(
                  JsonObject.of(
                      "action",
                      type("string").with("enum", List.of("accept", "decline", "cancel")),
                      "content",
                      schema(
                          JsonObject.of("answer", type("string"), "sure", type("boolean")),
                          "answer")),
                  "action"),
              DemoTools::ask),
          tool(
              CUT,
              "Closes the stream of the call, and answers when the client has come back for it",
              schema(JsonObject.of("afterMs", type("integer"))),
              DemoTools::cut),
          tool(
              CRASH,
              "Crashes in the middle of the call: ends the server's process, with exit code 1 by"
                  + " default, or over HTTP the session or, without one, the connection",
              schema(JsonObject.of("exitCode", type("integer"))),
              DemoTools::crash));

  private final DemoNotes notes;
  private final IntConsumer crash;
  private final List<Tool> tools;

  /// @param cuts whether a call can be cut off from its client, and be found again: then there is a
  ///     tool that does it
  /// @param crash ends the process with an exit code, or returns if there is none to end
  DemoTools(DemoNotes notes, boolean cuts, IntConsumer crash) {
    this.notes = notes;
    this.crash = crash;
    this.tools = ALL.stream().filter(tool -> cuts || !tool.name().equals(CUT)).toList();
  }

  /// Answers `tools/list`: two pages, because there are servers that have more than one.
  ///
  /// @throws JsonException for a cursor that does not come from here
  JsonObject page(JsonObject params) throws JsonException {
    List<JsonObject> all = tools.stream().map(Tool::listed).toList();
    Optional<String> cursor = params.optionalString("cursor");
    if (cursor.isEmpty()) {
      return JsonObject.of("tools", all.subList(0, FIRST_PAGE_SIZE), "nextCursor", SECOND_PAGE);
    }
    if (!cursor.get().equals(SECOND_PAGE)) {
      throw new JsonException("unknown cursor " + cursor.get());
    }
    return JsonObject.of("tools", all.subList(FIRST_PAGE_SIZE, all.size()));
  }

  /// Called before a call begins.
  ///
  /// @throws DemoRefusal if there is no such tool, or the client cannot do what it takes
  void check(DemoCall call) throws DemoRefusal {
    if (tools.stream().noneMatch(tool -> tool.name().equals(call.tool()))) {
      throw new DemoRefusal(RpcError.INVALID_PARAMS, "there is no tool " + call.tool());
    }
    if (call.tool().equals(ASK)) {
      call.era().beforeAsking();
    }
  }

  /// Does what the tool does, as long as that takes; ended by mail and by interrupt.
  ///
  /// @param call one that was checked
  /// @return the result, or empty if nobody wants it any more
  /// @throws DemoRefusal if it is to be answered by an error of the protocol
  Optional<JsonObject> call(DemoCall call) throws InterruptedException, DemoRefusal {
    call.log(call.tool().equals(CRASH) ? "error" : "info", call.tool() + " was called");
    Tool tool = tools.stream().filter(t -> t.name().equals(call.tool())).findAny().orElseThrow();
    try {
      return tool.body().call(this, call);
    } catch (JsonException e) {
      return Optional.of(error(e.getMessage()));
    }
  }

  private Optional<JsonObject> echo(DemoCall call) throws JsonException {
    return Optional.of(text(call.arguments().string("message")));
  }

  private Optional<JsonObject> add(DemoCall call) throws JsonException {
    String sum = number(call.arguments(), "a").add(number(call.arguments(), "b")).toPlainString();
    JsonObject structured = JsonObject.of("sum", new JsonNumber(sum));
    return Optional.of(text(sum).with("structuredContent", structured));
  }

  private Optional<JsonObject> slow(DemoCall call) throws JsonException, InterruptedException {
    int steps = bounded(call.arguments(), "steps", 5, 1, 1_000);
    Duration step = Duration.ofMillis(bounded(call.arguments(), "stepMs", 200, 0, 60_000));
    for (int done = 1; done <= steps; done++) {
      if (call.await(step) != null) {
        return Optional.empty(); // it has asked nothing: this can only be a cancellation
      }
      if (call.progressToken().isPresent()) {
        JsonValue token = call.progressToken().get();
        JsonObject progress = JsonObject.of("progressToken", token, "progress", done);
        progress = progress.with("total", steps).with("message", "step " + done + " of " + steps);
        call.out().notify("notifications/progress", progress);
      }
    }
    return Optional.of(text("done in " + steps + " steps"));
  }

  private Optional<JsonObject> note(DemoCall call) throws JsonException {
    notes.add(call.arguments().string("text"), call.arguments().optionalString("topic"));
    return Optional.of(text("noted in " + DemoNotes.ALL));
  }

  private Optional<JsonObject> ask(DemoCall call)
      throws JsonException, InterruptedException, DemoRefusal {
    JsonObject properties =
        JsonObject.of(
            "answer",
            type("string").with("title", "Answer"),
            "sure",
            type("boolean").with("title", "Sure").with("default", true));
    String question = call.arguments().string("question");
    JsonObject form = JsonObject.of("mode", "form", "message", question);
    return call.era().ask(call, form.with("requestedSchema", schema(properties, "answer")));
  }

  /// Reads what the client's user has said to [#ask]'s form, and returns the call's result.
  static JsonObject said(JsonValue given) {
    try {
      return read(given);
    } catch (JsonException e) {
      return error("that was no answer to the question: " + e.getMessage());
    }
  }

  private static JsonObject read(JsonValue given) throws JsonException {
    if (!(given instanceof JsonObject object)) {
      throw new JsonException("the result is " + given.kind() + ", expected an object");
    }
    String action = object.string("action");
    JsonObject structured = JsonObject.of("action", action);
    return switch (action) {
      case "accept" -> {
        JsonObject filledIn = object.object("content");
        String answer = filledIn.string("answer");
        Optional<Boolean> sure = filledIn.optionalBool("sure");
        // Only what was asked for, so that it fits the schema. What is missing stays missing: to
        // fill in the default is the client's part, and a client that does not should be seen.
        JsonObject content = JsonObject.of("answer", answer);
        content = sure.isPresent() ? content.with("sure", sure.get()) : content;
        yield text("You said " + answer + sure.map(s -> ", sure: " + s).orElse(""))
            .with("structuredContent", structured.with("content", content));
      }
      case "decline" -> text("declined").with("structuredContent", structured);
      case "cancel" -> text("cancelled").with("structuredContent", structured);
      default -> throw new JsonException("unknown action " + action);
    };
  }

  private Optional<JsonObject> cut(DemoCall call) throws JsonException, InterruptedException {
    Duration after = Duration.ofMillis(bounded(call.arguments(), "afterMs", 0, 0, 60_000));
    call.out().cut();
    return call.await(after) == null
        ? Optional.of(text("you have come back"))
        : Optional.empty(); // it has asked nothing: this can only be a cancellation
  }

  private Optional<JsonObject> crash(DemoCall call) throws JsonException {
    crash.accept(bounded(call.arguments(), "exitCode", 1, 0, 255));
    return Optional.empty();
  }

  private static int bounded(JsonObject arguments, String name, int byDefault, int least, int most)
      throws JsonException {
    long value = arguments.optionalInteger(name).orElse(byDefault);
    if (value < least || value > most) {
      throw new JsonException(name + " must be from " + least + " to " + most + ", not " + value);
    }
    return (int) value;
  }

  private static BigDecimal number(JsonObject arguments, String name) throws JsonException {
    if (!(arguments.get(name) instanceof JsonNumber number)) {
      throw new JsonException(name + " must be a number");
    }
    try {
      BigDecimal decimal = number.decimal();
      if (Math.abs((long) decimal.scale()) <= MOST_DIGITS) {
        return decimal;
      }
    } catch (NumberFormatException _) {
      // its exponent is longer still
    }
    throw new JsonException(name + " must have at most " + MOST_DIGITS + " digits, zeros included");
  }

  private static JsonObject text(String text) {
    return JsonObject.of("content", JsonArray.of(JsonObject.of("type", "text", "text", text)));
  }

  static JsonObject error(String text) {
    return text(text).with("isError", true);
  }

  private static Tool tool(String name, String description, JsonObject input, Body body) {
    JsonObject listed =
        JsonObject.of("name", name, "description", description, "inputSchema", input);
    return new Tool(name, listed, body);
  }

  private static Tool tool(
      String name, String description, JsonObject input, JsonObject output, Body body) {
    Tool tool = tool(name, description, input, body);
    return new Tool(name, tool.listed().with("outputSchema", output), body);
  }

  private static JsonObject type(String type) {
    return JsonObject.of("type", type);
  }

  private static JsonObject schema(JsonObject properties, String... required) {
    JsonObject schema = type("object").with("properties", properties);
    return required.length == 0 ? schema : schema.with("required", List.of(required));
  }
}
