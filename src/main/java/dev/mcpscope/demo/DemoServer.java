package dev.mcpscope.demo;

import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.rpc.RpcCodec;
import dev.mcpscope.rpc.RpcError;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.IntConsumer;

/// A small MCP server over stdio, for the tour and for tests: `echo`, `add`, `slow`, which reports
/// progress, and `crash`, which does what it says.
///
/// One thread reads; each tool call has a virtual thread, so that a ping or a cancellation is heard
/// meanwhile; one message at a time is written. It ends when its input does.
public final class DemoServer {
  private static final List<String> REVISIONS =
      List.of("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05");
  private static final JsonValue CRASH = new JsonString("crash");
  private static final JsonValue SECOND_PAGE = new JsonString("page-2");
  private static final JsonLimits LIMITS = JsonLimits.defaults().withMaxBytes(1 << 20);
  private static final int MOST_CALLS = 64;
  private static final int MOST_DIGITS = 1_000; // 1e999999999 is a short text and a long number
  private static final Duration END = Duration.ofMillis(800);

  private static final JsonArray TOOLS =
      JsonArray.of(
          tool("echo", "Answers what it is given", schema("message", "string")),
          tool("add", "Adds two numbers, exactly", schema("a", "number", "b", "number"))
              .with("outputSchema", schema("sum", "number")),
          tool(
              "slow",
              "Takes its time, and reports progress: 5 steps of 200 ms unless told otherwise",
              schema("steps", "integer", "stepMs", "integer").without("required")),
          tool(
              "crash",
              "Ends the server's process in the middle of the call, with exit code 1 by default",
              schema("exitCode", "integer").without("required")));

  /// A call that has not been answered; a latch that is open means that nobody wants the answer.
  private record Call(CountDownLatch cancelled, Thread thread) {}

  private final OutputStream out;
  private final PrintStream err;
  private final IntConsumer halt;
  private final Map<RpcId, Call> running = new ConcurrentHashMap<>();

  private DemoServer(OutputStream out, PrintStream err, IntConsumer halt) {
    this.out = out;
    this.err = err;
    this.halt = halt;
  }

  /// Serves until `in` ends, then cancels the calls that still run and gives them time to leave,
  /// less than a second. An interrupt does not end it, but the end of `in` does.
  ///
  /// @return the exit code for the process: 0
  /// @throws IOException when `in` cannot be read
  public static int run(InputStream in, OutputStream out, PrintStream err) throws IOException {
    return run(in, out, err, Runtime.getRuntime()::halt);
  }

  /// Like [#run(InputStream, OutputStream, PrintStream)], with another way to crash.
  static int run(InputStream in, OutputStream out, PrintStream err, IntConsumer halt)
      throws IOException {
    var server = new DemoServer(out, err, halt);
    try {
      var lines = new BufferedInputStream(in);
      for (byte[] line; (line = readLine(lines)) != null; ) {
        server.received(line);
      }
    } finally {
      server.end();
    }
    return 0;
  }

  /// Reads up to a newline; what is longer than the limit is cut off just behind it, for the codec
  /// to refuse.
  private static byte[] readLine(InputStream in) throws IOException {
    var line = new ByteArrayOutputStream();
    for (int b; (b = in.read()) != '\n'; ) {
      if (b < 0) {
        return line.size() == 0 ? null : line.toByteArray();
      }
      if (line.size() <= LIMITS.maxBytes()) {
        line.write(b);
      }
    }
    return line.toByteArray();
  }

  /// A call that has its answer ready may still send it; one that cannot is interrupted.
  private void end() {
    running.values().forEach(call -> call.cancelled().countDown());
    long end = System.nanoTime() + END.toNanos();
    for (Call call : running.values()) {
      try {
        call.thread().join(Duration.ofNanos(end - System.nanoTime()));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt(); // and wait no more
      }
      call.thread().interrupt();
    }
  }

  private void received(byte[] line) {
    List<RpcMessage> messages;
    try {
      messages = RpcCodec.decode(line, 0, line.length, LIMITS);
    } catch (JsonException e) {
      fail(Optional.empty(), RpcError.PARSE_ERROR, e.getMessage());
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
        case RpcMessage.Malformed(_, _, var problem) ->
            fail(Optional.empty(), RpcError.INVALID_REQUEST, problem);
        case RpcMessage.Response _ -> {} // it asks nothing, so nothing can be answered
      }
    }
  }

  private void cancel(JsonValue id) {
    if (id instanceof JsonString || id instanceof JsonNumber) {
      Call call = running.get(new RpcId(id));
      if (call != null) {
        call.cancelled().countDown();
      }
    }
  }

  private void serve(RpcMessage.Request request) {
    JsonObject params = request.params();
    switch (request.method()) {
      case "initialize" -> answer(request, initialize(params.get("protocolVersion")));
      case "ping" -> answer(request, JsonObject.EMPTY);
      case "tools/list" -> list(request, params.get("cursor"));
      case "tools/call" -> startCall(request);
      default -> fail(request, RpcError.METHOD_NOT_FOUND, "unknown method " + request.method());
    }
  }

  private static JsonObject initialize(JsonValue asked) {
    boolean known = asked instanceof JsonString(var revision) && REVISIONS.contains(revision);
    return JsonObject.of(
        "protocolVersion",
        known ? asked : REVISIONS.getFirst(),
        "capabilities",
        JsonObject.of("tools", JsonObject.EMPTY),
        "serverInfo",
        JsonObject.of("name", "mcp-scope-demo", "title", "The tour's server", "version", "1"),
        "instructions",
        "Call slow to see progress, and crash to see what a crash looks like.");
  }

  /// Two pages, because there are servers that have more than one.
  private void list(RpcMessage.Request request, JsonValue cursor) {
    if (cursor == null) {
      var first = TOOLS.elements().subList(0, 2);
      answer(request, JsonObject.of("tools", first, "nextCursor", SECOND_PAGE));
    } else if (cursor.equals(SECOND_PAGE)) {
      answer(request, JsonObject.of("tools", TOOLS.elements().subList(2, TOOLS.size())));
    } else {
      fail(request, RpcError.INVALID_PARAMS, "unknown cursor " + cursor);
    }
  }

  private void startCall(RpcMessage.Request request) {
    RpcId id = request.id();
    var cancelled = new CountDownLatch(1);
    Thread thread = Thread.ofVirtual().name("call " + id).unstarted(() -> call(request, cancelled));
    if (running.size() >= MOST_CALLS) {
      fail(request, RpcError.INTERNAL_ERROR, "more than " + MOST_CALLS + " calls at once");
    } else if (running.putIfAbsent(id, new Call(cancelled, thread)) != null) {
      fail(request, RpcError.INVALID_REQUEST, "a call with id " + id + " is running");
    } else if (CRASH.equals(request.params().get("name"))) {
      call(request, cancelled); // not in a thread: a JVM halts 300 ms later if one is in a read
    } else {
      thread.start();
    }
  }

  private void call(RpcMessage.Request request, CountDownLatch cancelled) {
    try {
      JsonObject params = request.params();
      JsonObject arguments = params.optionalObject("arguments").orElse(JsonObject.EMPTY);
      switch (params.get("name") instanceof JsonString(String name) ? name : "") {
        case "echo" -> answer(request, text(arguments.string("message")));
        case "add" -> {
          String sum = number(arguments, "a").add(number(arguments, "b")).toPlainString();
          JsonObject structured = JsonObject.of("sum", new JsonNumber(sum));
          answer(request, text(sum).with("structuredContent", structured));
        }
        case "slow" -> slow(request, arguments, cancelled);
        case "crash" -> {
          int exitCode = bounded(arguments, "exitCode", 1, 0, 255);
          err.println("demo server: crashing with exit code " + exitCode + ", as it was told to");
          err.flush();
          halt.accept(exitCode);
        }
        default -> fail(request, RpcError.INVALID_PARAMS, "there is no tool " + params.get("name"));
      }
    } catch (JsonException e) {
      answer(request, text(e.getMessage()).with("isError", true));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // the server ends, and nobody waits for the answer
    } finally {
      running.remove(request.id());
    }
  }

  private void slow(RpcMessage.Request request, JsonObject arguments, CountDownLatch cancelled)
      throws JsonException, InterruptedException {
    int steps = bounded(arguments, "steps", 5, 1, 1_000);
    int stepMs = bounded(arguments, "stepMs", 200, 0, 60_000);
    JsonObject meta = request.params().optionalObject("_meta").orElse(JsonObject.EMPTY);
    JsonValue token = meta.get("progressToken");
    for (int step = 1; step <= steps; step++) {
      if (cancelled.await(stepMs, TimeUnit.MILLISECONDS)) {
        return; // who cancels a call does not want its answer
      }
      if (token instanceof JsonString || token instanceof JsonNumber) {
        JsonObject progress = JsonObject.of("progressToken", token, "progress", step);
        progress = progress.with("total", steps).with("message", "step " + step + " of " + steps);
        send(new RpcMessage.Notification("notifications/progress", progress));
      }
    }
    answer(request, text("done in " + steps + " steps"));
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

  private static JsonObject tool(String name, String description, JsonObject inputSchema) {
    return JsonObject.of("name", name, "description", description, "inputSchema", inputSchema);
  }

  private static JsonObject schema(String... namesAndTypes) {
    JsonObject properties = JsonObject.EMPTY;
    for (int i = 0; i < namesAndTypes.length; i += 2) {
      properties = properties.with(namesAndTypes[i], JsonObject.of("type", namesAndTypes[i + 1]));
    }
    List<String> required = List.copyOf(properties.members().keySet());
    return JsonObject.of("type", "object", "properties", properties, "required", required);
  }

  private void answer(RpcMessage.Request request, JsonObject result) {
    send(new RpcMessage.Result(request.id(), result));
  }

  private void fail(RpcMessage.Request request, int code, String message) {
    fail(Optional.of(request.id()), code, message);
  }

  private void fail(Optional<RpcId> id, int code, String message) {
    send(new RpcMessage.Failure(id, new RpcError(code, message)));
  }

  private synchronized void send(RpcMessage message) {
    try {
      out.write(RpcCodec.encode(message));
      out.write('\n');
      out.flush();
    } catch (IOException _) {
      // The client reads no more; its end of our input follows, and ends the server.
    }
  }
}
