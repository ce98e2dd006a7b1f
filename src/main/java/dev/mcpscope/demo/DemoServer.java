package dev.mcpscope.demo;

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
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.IntConsumer;

/// A small MCP server, for the tour and for tests: what it is to one client. Its tools ([DemoTools])
/// echo, add, take their time, take notes, ask the user back, and crash; besides, it has a bit of
/// everything else that MCP knows ([DemoCatalogue]).
///
/// Messages come in by [#received], from any thread; each tool call has a virtual thread, so that a
/// ping, a cancellation or an answer is heard meanwhile. [#run] serves a client over stdio,
/// [DemoHttpServer] any number of them over HTTP.
public final class DemoServer {
  static final List<String> REVISIONS =
      List.of("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05");
  private static final JsonObject CAPABILITIES =
      JsonObject.of(
          "tools",
          JsonObject.EMPTY,
          "resources",
          JsonObject.of("subscribe", true),
          "prompts",
          JsonObject.EMPTY,
          "completions",
          JsonObject.EMPTY,
          "logging",
          JsonObject.EMPTY);
  static final JsonLimits LIMITS = JsonLimits.defaults().withMaxBytes(1 << 20);
  private static final int MOST_CALLS = 64;
  private static final Duration PATIENCE = Duration.ofMinutes(10); // with who is asked
  private static final Duration END = Duration.ofMillis(800);

  private record Running(DemoCall call, Thread thread) {}

  private final DemoOutput out;
  private final DemoCatalogue catalogue = new DemoCatalogue();
  private final DemoQuestions questions;
  private final DemoTools tools;
  private final Map<RpcId, Running> running = new ConcurrentHashMap<>();
  private boolean ended; // guarded by this

  /// @param out where is said what belongs to no call
  /// @param cuts see [DemoTools]
  /// @param halt what a crash does
  DemoServer(DemoOutput out, PrintStream err, boolean cuts, IntConsumer halt) {
    this.questions = new DemoQuestions(PATIENCE);
    this.out = out;
    this.tools =
        new DemoTools(
            out,
            catalogue,
            questions,
            cuts,
            exitCode -> {
              err.println(
                  "demo server: crashing with exit code " + exitCode + ", as it was told to");
              err.flush();
              halt.accept(exitCode);
            });
  }

  /// Serves over stdio until `in` ends, then cancels the calls that still run and gives them time to leave,
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
    var output = new DemoOutput(out);
    var server = new DemoServer(output, err, false, halt);
    try {
      var lines = new BufferedInputStream(in);
      for (byte[] line; (line = readLine(lines)) != null; ) {
        try {
          for (RpcMessage message : RpcCodec.decode(line, 0, line.length, LIMITS)) {
            server.received(message, output);
          }
        } catch (JsonException e) {
          output.fail(Optional.empty(), new RpcError(RpcError.PARSE_ERROR, e.getMessage()));
        }
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

  /// Tells the calls that run that nobody wants their answers, and starts no more; never blocks.
  ///
  /// @return them
  synchronized List<Thread> cancel() {
    ended = true;
    running.values().forEach(one -> one.call().post(new DemoCall.Mail.Cancelled()));
    return running.values().stream().map(Running::thread).toList();
  }

  /// Cancels the calls that run, and gives them less than a second to leave. A call that has its
  /// answer ready may still send it; one that cannot is interrupted. Any thread, and as often as one
  /// likes; an interrupt ends the waiting.
  void end() {
    long end = System.nanoTime() + END.toNanos();
    for (Thread one : cancel()) {
      try {
        one.join(Duration.ofNanos(end - System.nanoTime()));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt(); // and wait no more
      }
      one.interrupt();
    }
  }

  /// The ids of the calls that run, in no order.
  Set<RpcId> running() {
    return Set.copyOf(running.keySet());
  }

  /// Takes a message from the client. All is said before it returns but what a call says, which ends
  /// by [DemoOutput#end], and a crash, which says nothing.
  ///
  /// @param reply where the message is answered, if it asks for an answer
  void received(RpcMessage message, DemoOutput reply) {
    switch (message) {
      case RpcMessage.Request request -> serve(request, reply);
      case RpcMessage.Notification(var method, var params) -> {
        if (method.equals("notifications/cancelled")) {
          cancel(params.get("requestId"));
        }
      }
      case RpcMessage.Response response -> questions.answered(response); // or it is dropped
      case RpcMessage.Malformed(var answered, var asked, var problem) -> {
        var error = new RpcError(RpcError.INVALID_REQUEST, problem);
        if (!questions.answered(new RpcMessage.Failure(answered, error))) {
          reply.fail(asked, error);
        }
      }
    }
  }

  private void cancel(JsonValue id) {
    if (id instanceof JsonString || id instanceof JsonNumber) {
      Running one = running.get(new RpcId(id));
      if (one != null) {
        one.call().post(new DemoCall.Mail.Cancelled());
      }
    }
  }

  private void serve(RpcMessage.Request request, DemoOutput reply) {
    try {
      if (request.method().equals("tools/call")) {
        startCall(request.id(), new DemoCall(request.params(), reply));
      } else {
        reply.answer(request.id(), result(request.method(), request.params()));
      }
    } catch (JsonException e) {
      var error = new RpcError(RpcError.INVALID_PARAMS, e.getMessage());
      reply.fail(Optional.of(request.id()), error);
    } catch (DemoRefusal e) {
      reply.fail(Optional.of(request.id()), e.error());
    }
  }

  /// Answers what can be answered at once.
  private JsonObject result(String method, JsonObject params) throws JsonException, DemoRefusal {
    return switch (method) {
      case "initialize" -> initialize(params);
      case "ping" -> JsonObject.EMPTY;
      case "logging/setLevel" -> {
        out.logFrom(params.string("level"));
        yield JsonObject.EMPTY;
      }
      case "tools/list" -> tools.page(params);
      case "resources/list" -> catalogue.resources(params);
      case "resources/templates/list" -> catalogue.templates(params);
      case "resources/read" -> catalogue.read(params);
      case "resources/subscribe" -> catalogue.subscribe(params, true);
      case "resources/unsubscribe" -> catalogue.subscribe(params, false);
      case "prompts/list" -> catalogue.prompts(params);
      case "prompts/get" -> catalogue.prompt(params);
      case "completion/complete" -> catalogue.complete(params);
      default -> throw new DemoRefusal(RpcError.METHOD_NOT_FOUND, "unknown method " + method);
    };
  }

  private JsonObject initialize(JsonObject params) throws JsonException {
    questions.clientDeclares(params.optionalObject("capabilities").orElse(JsonObject.EMPTY));
    JsonValue asked = params.get("protocolVersion");
    boolean known = asked instanceof JsonString(var revision) && REVISIONS.contains(revision);
    return JsonObject.of(
        "protocolVersion",
        known ? asked : REVISIONS.getFirst(),
        "capabilities",
        CAPABILITIES,
        "serverInfo",
        JsonObject.of("name", "mcp-scope-demo", "title", "The tour's server", "version", "1"),
        "instructions",
        "Call slow to see progress, note to see a resource change, ask to be asked, and crash to see"
            + " what a crash looks like.");
  }

  private void startCall(RpcId id, DemoCall call) throws JsonException, DemoRefusal {
    if (!tools.has(call.tool())) {
      throw new JsonException("there is no tool " + call.tool());
    }
    if (call.tool().equals(DemoTools.CRASH)) {
      run(id, call); // not in a thread: a JVM halts 300 ms later if one is in a read
    } else {
      startThread(id, call);
    }
  }

  private synchronized void startThread(RpcId id, DemoCall call) throws DemoRefusal {
    if (ended) { // or it would not be among those that are told so
      throw new DemoRefusal(RpcError.INTERNAL_ERROR, "the server is ending");
    }
    if (running.size() >= MOST_CALLS) {
      throw new DemoRefusal(RpcError.INTERNAL_ERROR, "more than " + MOST_CALLS + " calls at once");
    }
    Thread thread =
        Thread.ofVirtual()
            .name("call " + id)
            .unstarted(() -> {
              try {
                run(id, call);
              } finally {
                running.remove(id);
                call.out().end();
              }
            });
    if (running.putIfAbsent(id, new Running(call, thread)) != null) {
      throw new DemoRefusal(RpcError.INVALID_REQUEST, "a call with id " + id + " is running");
    }
    thread.start();
  }

  private void run(RpcId id, DemoCall call) {
    try {
      tools.call(call).ifPresent(result -> call.out().answer(id, result));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // the server ends, and nobody waits for the answer
    }
  }
}
