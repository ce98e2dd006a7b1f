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
import java.util.stream.Stream;

/// A small MCP server, for the tour and for tests: what it is to one client. Its tools ([DemoTools])
/// echo, add, take their time, take notes, ask the user back, and crash; besides, it has a bit of
/// everything else that MCP knows ([DemoCatalogue]). It speaks both eras of the protocol: what the
/// older one makes different is in [DemoLegacy], what the newer one does is in [DemoModern].
///
/// Messages come in by [#received] and [#serve], from any thread; each call of a tool and each
/// subscription has a virtual thread, so that a ping, a cancellation or an answer is heard meanwhile.
/// [#run] serves a client over stdio, [DemoHttpServer] any number of them over HTTP.
public final class DemoServer {
  static final JsonLimits LIMITS = JsonLimits.defaults().withMaxBytes(1 << 20);
  private static final int MOST_TASKS = 64;
  private static final Duration END = Duration.ofMillis(800);

  /// Which eras of the protocol are spoken: the revisions that begin with `initialize`, the one that
  /// does without, or both at once, where each request says of which it is.
  public enum Eras {
    DUAL(Stream.concat(Stream.of(DemoModern.REVISION), DemoLegacy.REVISIONS.stream()).toList()),
    MODERN(List.of(DemoModern.REVISION)),
    LEGACY(DemoLegacy.REVISIONS);

    private final List<String> revisions;

    Eras(List<String> revisions) {
      this.revisions = revisions;
    }

    /// The revisions that are spoken, the newest one first.
    List<String> revisions() {
      return revisions;
    }

    /// Returns whether a request with these params is to be served as a modern one.
    boolean isModern(JsonObject params) {
      return this == MODERN || this == DUAL && DemoModern.isIn(params);
    }
  }

  /// What a task does, in its own thread.
  private interface Work {
    /// Returns the result, or empty if nobody wants it any more.
    Optional<JsonObject> run() throws InterruptedException, DemoRefusal;
  }

  private final Eras eras;
  private final DemoLegacy legacy;
  private final DemoNotes notes;
  private final DemoCatalogue catalogue;
  private final DemoTools tools;
  private final Map<RpcId, DemoTask> running = new ConcurrentHashMap<>();
  private final Set<Thread> threads = ConcurrentHashMap.newKeySet(); // also those that yet answer
  private boolean ended; // guarded by this

  /// @param notes what the server has for others too
  /// @param out where is said what belongs to no call
  /// @param cuts see [DemoTools]
  /// @param crash what a crash does, with the exit code
  DemoServer(Eras eras, DemoNotes notes, DemoOutput out, boolean cuts, IntConsumer crash) {
    this.eras = eras;
    this.notes = notes;
    this.catalogue = new DemoCatalogue(notes);
    this.legacy = new DemoLegacy(out, notes, catalogue);
    this.tools = new DemoTools(notes, cuts, crash);
  }

  /// Serves over stdio until `in` ends, then ends the calls and subscriptions that there are and gives
  /// them time to leave, less than a second. An interrupt does not end it, but the end of `in` does.
  ///
  /// @return the exit code for the process: 0
  /// @throws IOException when `in` cannot be read
  public static int run(Eras eras, InputStream in, OutputStream out, PrintStream err)
      throws IOException {
    return run(eras, in, out, err, Runtime.getRuntime()::halt);
  }

  /// Like [#run(Eras, InputStream, OutputStream, PrintStream)], with another way to crash.
  static int run(Eras eras, InputStream in, OutputStream out, PrintStream err, IntConsumer halt)
      throws IOException {
    var output = new DemoOutput(out);
    IntConsumer crash =
        exitCode -> {
          announceCrash(exitCode, err);
          halt.accept(exitCode);
        };
    var server = new DemoServer(eras, new DemoNotes(), output, false, crash);
    try {
      var lines = new BufferedInputStream(in);
      for (byte[] line; (line = readLine(lines)) != null; ) {
        try {
          for (RpcMessage message : RpcCodec.decode(line, 0, line.length, LIMITS)) {
            server.received(message, output).ifPresent(output::send);
          }
        } catch (JsonException e) {
          var error = new RpcError(RpcError.PARSE_ERROR, e.getMessage());
          output.send(new RpcMessage.Failure(Optional.empty(), error));
        }
      }
    } finally {
      server.end();
    }
    return 0;
  }

  static void announceCrash(int exitCode, PrintStream err) {
    err.println("demo server: crashing with exit code " + exitCode + ", as it was told to");
    err.flush();
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

  /// Tells the tasks that the server ends, and starts no more; never blocks.
  ///
  /// @return their threads
  synchronized List<Thread> cancel() {
    ended = true;
    running.values().forEach(DemoTask::end);
    return List.copyOf(threads);
  }

  /// Ends the tasks, and gives them less than a second to leave. One that has its answer ready may
  /// still send it; one that cannot is interrupted. Any thread, and as often as one likes; an
  /// interrupt ends the waiting.
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

  /// The ids of the calls and subscriptions that there are, in no order.
  Set<RpcId> running() {
    return Set.copyOf(running.keySet());
  }

  /// Takes a message from the client, of whatever kind. A crash says nothing, even if it returns.
  ///
  /// @param out where a call or a subscription says what it has to say, which ends by [DemoOutput#end]
  /// @return the answer, if the message asks for one and has it at once
  Optional<RpcMessage> received(RpcMessage message, DemoOutput out) {
    switch (message) {
      case RpcMessage.Request request -> {
        return begin(request, out);
      }
      case RpcMessage.Notification(var method, var params) -> {
        if (method.equals("notifications/cancelled")) {
          cancel(params.get("requestId"));
        }
      }
      case RpcMessage.Response response -> legacy.answered(response); // or it is dropped
      case RpcMessage.Malformed(var answered, var asked, var problem) -> {
        var error = new RpcError(RpcError.INVALID_REQUEST, problem);
        if (!legacy.answered(new RpcMessage.Failure(answered, error))) {
          return Optional.of(new RpcMessage.Failure(asked, error));
        }
      }
    }
    return Optional.empty();
  }

  private void cancel(JsonValue id) {
    if (id instanceof JsonString || id instanceof JsonNumber) {
      DemoTask task = running.get(new RpcId(id));
      if (task != null) {
        task.cancel();
      }
    }
  }

  private Optional<RpcMessage> begin(RpcMessage.Request request, DemoOutput out) {
    RpcId id = request.id();
    JsonObject params = request.params();
    try {
      DemoEra era = eras.isModern(params) ? DemoModern.of(eras.revisions(), params) : legacy;
      return serve(request, era, out).map(result -> new RpcMessage.Result(id, result));
    } catch (DemoRefusal e) {
      return Optional.of(e.answerTo(id));
    }
  }

  /// Serves a request.
  ///
  /// @param out see [#received]
  /// @return the result, if it has it at once
  Optional<JsonObject> serve(RpcMessage.Request request, DemoEra era, DemoOutput out)
      throws DemoRefusal {
    try {
      switch (request.method()) {
        case "tools/call" -> call(request, era, out);
        case "subscriptions/listen" -> listen(request, era, out);
        default -> {
          JsonObject result = result(request.method(), request.params(), era);
          return Optional.of(era.sent(request.method(), result));
        }
      }
      return Optional.empty();
    } catch (JsonException e) {
      throw DemoRefusal.of(e);
    }
  }

  /// Answers what can be answered at once.
  private JsonObject result(String method, JsonObject params, DemoEra era)
      throws JsonException, DemoRefusal {
    return switch (method) {
      case "tools/list" -> tools.page(params);
      case "resources/list" -> catalogue.resources(params);
      case "resources/templates/list" -> catalogue.templates(params);
      case "resources/read" -> catalogue.read(params, era);
      case "prompts/list" -> catalogue.prompts(params);
      case "prompts/get" -> catalogue.prompt(params);
      case "completion/complete" -> catalogue.complete(params);
      default -> era.own(method, params).orElseThrow(() -> unknown(method));
    };
  }

  private static DemoRefusal unknown(String method) {
    return new DemoRefusal(RpcError.METHOD_NOT_FOUND, "unknown method " + method);
  }

  private void call(RpcMessage.Request request, DemoEra era, DemoOutput out)
      throws JsonException, DemoRefusal {
    var call = new DemoCall(request.params(), era, out);
    tools.check(call);
    if (call.tool().equals(DemoTools.CRASH)) {
      // not in a thread: a JVM halts 300 ms later if one is in a read
      run(request, era, call, () -> tools.call(call));
    } else {
      start(request, era, call, () -> tools.call(call));
    }
  }

  private void listen(RpcMessage.Request request, DemoEra era, DemoOutput out)
      throws JsonException, DemoRefusal {
    if (!(era instanceof DemoModern)) {
      throw unknown(request.method());
    }
    var listen = new DemoListen(request.id(), request.params(), out);
    notes.watch(listen); // before it is acknowledged, so that no change is missed
    try {
      start(request, era, listen, () -> listen.run(notes));
    } catch (DemoRefusal e) {
      notes.unwatch(listen);
      throw e;
    }
  }

  private synchronized void start(RpcMessage.Request request, DemoEra era, DemoTask task, Work work)
      throws DemoRefusal {
    if (ended) { // or it would not be among those that are told so
      throw new DemoRefusal(RpcError.INTERNAL_ERROR, "the server is ending");
    }
    if (threads.size() >= MOST_TASKS) {
      throw new DemoRefusal(RpcError.INTERNAL_ERROR, "more than " + MOST_TASKS + " calls at once");
    }
    RpcId id = request.id();
    if (running.putIfAbsent(id, task) != null) {
      throw new DemoRefusal(RpcError.INVALID_REQUEST, "a call with id " + id + " is running");
    }
    Thread thread =
        Thread.ofVirtual()
            .name(request.method() + " " + id)
            .unstarted(() -> {
              try {
                run(request, era, task, work);
              } finally {
                threads.remove(Thread.currentThread());
                task.out().end();
              }
            });
    threads.add(thread);
    thread.start();
  }

  private void run(RpcMessage.Request request, DemoEra era, DemoTask task, Work work) {
    Optional<RpcMessage> answer;
    try {
      answer = answer(request, era, work);
    } finally {
      running.remove(request.id(), task); // before it is answered: then the id may come again
    }
    answer.ifPresent(task.out()::send);
  }

  private static Optional<RpcMessage> answer(RpcMessage.Request request, DemoEra era, Work work) {
    RpcId id = request.id();
    try {
      return work.run()
          .map(result -> new RpcMessage.Result(id, era.sent(request.method(), result)));
    } catch (DemoRefusal e) {
      return Optional.of(e.answerTo(id));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Optional.empty(); // the server ends, and nobody waits for the answer
    }
  }
}
