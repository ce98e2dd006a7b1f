package dev.mcpscope.demo;

import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.rpc.RpcCodec;
import dev.mcpscope.rpc.RpcError;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/// A small MCP server over stdio, for the tour and for tests: `echo`, `add`, `slow`, which reports
/// progress, and `crash`, which does what it says.
///
/// One thread reads; each tool call has a virtual thread, so that a ping or a cancellation is heard
/// meanwhile; one message at a time is written. It ends when its input does.
public final class DemoServer {
  private static final List<String> REVISIONS =
      List.of("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05");
  private static final String SECOND_PAGE = "page-2";
  private static final int MOST_STEPS = 1_000;
  private static final int MOST_STEP_MS = 60_000;

  private static final JsonArray TOOLS =
      JsonArray.of(
          tool("echo", "Answers what it is given", "message", "string"),
          tool("add", "Adds two numbers, exactly", "a", "number", "b", "number")
              .with("outputSchema", schema("sum", "number")),
          tool("slow", "Takes its time, and reports progress", "steps", "integer", "stepMs", "integer")
              .with("inputSchema", schema("steps", "integer", "stepMs", "integer").without("required")),
          tool("crash", "Ends the server's process in the middle of the call", "exitCode", "integer"));

  /// Why a call cannot be done: the tool's own error, told in its result.
  private static final class ToolException extends Exception {
    private static final long serialVersionUID = 1;

    ToolException(String message) {
      super(message);
    }
  }

  private final OutputStream out;
  private final PrintStream err;
  private final Map<RpcId, CountDownLatch> running = new ConcurrentHashMap<>(); // one that is open is not cancelled

  private DemoServer(OutputStream out, PrintStream err) {
    this.out = out;
    this.err = err;
  }

  /// Serves until `in` ends; calls that still run then are cancelled.
  ///
  /// @return the exit code for the process: 0
  /// @throws IOException when `in` cannot be read
  public static int run(InputStream in, OutputStream out, PrintStream err) throws IOException {
    var server = new DemoServer(out, err);
    try {
      var lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
      for (String line; (line = lines.readLine()) != null; ) {
        server.received(line.getBytes(StandardCharsets.UTF_8));
      }
    } finally {
      server.running.values().forEach(CountDownLatch::countDown);
    }
    return 0;
  }

  private void received(byte[] line) {
    List<RpcMessage> messages;
    try {
      messages = RpcCodec.decode(line, 0, line.length, JsonLimits.defaults());
    } catch (JsonException e) {
      send(new RpcMessage.Failure(Optional.empty(), new RpcError(RpcError.PARSE_ERROR, e.getMessage())));
      return;
    }
    for (RpcMessage message : messages) {
      switch (message) {
        case RpcMessage.Request request -> serve(request);
        case RpcMessage.Notification(var method, var params) -> {
          if (method.equals("notifications/cancelled")) {
            cancel(params.get("requestId"));
          }
        }
        case RpcMessage.Malformed(var id, var problem) ->
            send(new RpcMessage.Failure(id, new RpcError(RpcError.INVALID_REQUEST, problem)));
        case RpcMessage.Response _ -> {} // it asks nothing, so nothing can be answered
      }
    }
  }

  private void cancel(JsonValue id) {
    if (id != null) {
      running.forEach(
          (request, cancelled) -> {
            if (request.value().equals(id)) {
              cancelled.countDown();
            }
          });
    }
  }

  private void serve(RpcMessage.Request request) {
    JsonObject params = request.params();
    switch (request.method()) {
      case "initialize" -> answer(request, initialize(params));
      case "ping" -> answer(request, JsonObject.EMPTY);
      case "tools/list" -> list(request, params.get("cursor"));
      case "tools/call" -> call(request);
      default -> fail(request, RpcError.METHOD_NOT_FOUND, "unknown method " + request.method());
    }
  }

  private static JsonObject initialize(JsonObject params) {
    String asked = params.get("protocolVersion") instanceof JsonValue v ? v.toString() : "";
    String version =
        REVISIONS.stream()
            .filter(revision -> asked.equals("\"" + revision + "\""))
            .findFirst()
            .orElse(REVISIONS.getFirst());
    return JsonObject.of(
        "protocolVersion", version,
        "capabilities", JsonObject.of("tools", JsonObject.EMPTY),
        "serverInfo",
            JsonObject.of("name", "mcp-scope-demo", "title", "The tour's server", "version", "1"),
        "instructions", "Call slow to see progress, and crash to see what a crash looks like.");
  }

  /// Two pages, because there are servers that have more than one.
  private void list(RpcMessage.Request request, JsonValue cursor) {
    if (cursor == null) {
      answer(
          request,
          JsonObject.of(
              "tools", TOOLS.elements().subList(0, 2), "nextCursor", SECOND_PAGE));
    } else if (cursor.equals(JsonValue.of(SECOND_PAGE))) {
      answer(request, JsonObject.of("tools", TOOLS.elements().subList(2, TOOLS.size())));
    } else {
      fail(request, RpcError.INVALID_PARAMS, "unknown cursor " + cursor);
    }
  }

  private void call(RpcMessage.Request request) {
    if (JsonValue.of("crash").equals(request.params().get("name"))) {
      crash(request.params());
    }
    var cancelled = new CountDownLatch(1);
    running.put(request.id(), cancelled);
    Thread.ofVirtual()
        .name("call " + request.id())
        .start(
            () -> {
              try {
                call(request, cancelled);
              } finally {
                running.remove(request.id());
              }
            });
  }

  private void call(RpcMessage.Request request, CountDownLatch cancelled) {
    try {
      JsonObject arguments =
          request.params().optionalObject("arguments").orElse(JsonObject.EMPTY);
      switch (request.params().string("name")) {
        case "echo" -> answer(request, text(arguments.string("message")));
        case "add" -> {
          String sum = number(arguments, "a").add(number(arguments, "b")).toPlainString();
          answer(
              request,
              text(sum).with("structuredContent", JsonObject.of("sum", new JsonNumber(sum))));
        }
        case "slow" -> slow(request, arguments, cancelled);
        case String unknown ->
            fail(request, RpcError.INVALID_PARAMS, "there is no tool " + unknown);
      }
    } catch (ToolException | JsonException e) {
      answer(request, text(e.getMessage()).with("isError", true));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // nobody does that, and nobody waits for the answer
    }
  }

  /// In the reading thread: a JVM that halts waits 300 ms for one that is inside a read.
  private void crash(JsonObject params) {
    err.println("demo server: crashing, as it was asked to");
    err.flush();
    long exitCode =
        params.get("arguments") instanceof JsonObject arguments
                && arguments.get("exitCode") instanceof JsonNumber number
            ? number.asLong().orElse(1)
            : 1;
    Runtime.getRuntime().halt((int) exitCode & 0xff);
  }

  private void slow(RpcMessage.Request request, JsonObject arguments, CountDownLatch cancelled)
      throws JsonException, ToolException, InterruptedException {
    int steps = bounded(arguments, "steps", 5, MOST_STEPS);
    int stepMs = bounded(arguments, "stepMs", 200, MOST_STEP_MS);
    JsonValue token =
        request.params().optionalObject("_meta").orElse(JsonObject.EMPTY).get("progressToken");
    for (int step = 1; step <= steps; step++) {
      if (cancelled.await(stepMs, TimeUnit.MILLISECONDS)) {
        return; // who cancels a call does not want its answer
      }
      if (token != null) {
        send(
            new RpcMessage.Notification(
                "notifications/progress",
                JsonObject.of(
                    "progressToken", token,
                    "progress", step,
                    "total", steps,
                    "message", "step " + step)));
      }
    }
    answer(request, text("done in " + steps + " steps"));
  }

  private static int bounded(JsonObject arguments, String name, int byDefault, int most)
      throws JsonException, ToolException {
    long value = arguments.optionalInteger(name).orElse(byDefault);
    if (value < 1 || value > most) {
      throw new ToolException(name + " must be 1 to " + most + ", is " + value);
    }
    return (int) value;
  }

  private static BigDecimal number(JsonObject arguments, String name) throws ToolException {
    if (!(arguments.get(name) instanceof JsonNumber number)) {
      throw new ToolException(name + " must be a number");
    }
    return number.decimal();
  }

  private static JsonObject text(String text) {
    return JsonObject.of("content", JsonArray.of(JsonObject.of("type", "text", "text", text)));
  }

  private static JsonObject tool(String name, String description, String... namesAndTypes) {
    return JsonObject.of(
        "name", name, "description", description, "inputSchema", schema(namesAndTypes));
  }

  private static JsonObject schema(String... namesAndTypes) {
    JsonObject properties = JsonObject.EMPTY;
    for (int i = 0; i < namesAndTypes.length; i += 2) {
      properties = properties.with(namesAndTypes[i], JsonObject.of("type", namesAndTypes[i + 1]));
    }
    return JsonObject.of(
        "type", "object",
        "properties", properties,
        "required", List.copyOf(properties.members().keySet()));
  }

  private void answer(RpcMessage.Request request, JsonObject result) {
    send(new RpcMessage.Result(request.id(), result));
  }

  private void fail(RpcMessage.Request request, int code, String message) {
    send(new RpcMessage.Failure(request.id(), new RpcError(code, message)));
  }

  private synchronized void send(RpcMessage message) {
    try {
      out.write(RpcCodec.encode(message));
      out.write('\n');
      out.flush();
    } catch (IOException e) {
      // The client reads no more; its end of our input follows, and ends the server.
    }
  }
}
