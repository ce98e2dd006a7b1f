package dev.mcpscope.demo;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.json.JsonValue;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.channels.Channels;
import java.nio.channels.Pipe;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;

/// Tests that talk to a [DemoServer], in a thread of this JVM and through pipes, as its client: each
/// test has one of its own, which has to end with its input and to leave nothing.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
abstract class RunningDemoServer {
  final ByteArrayOutputStream err = new ByteArrayOutputStream();
  final CompletableFuture<Integer> halted = new CompletableFuture<>();

  /// The params of the log messages that [#receive()] has met.
  final List<JsonObject> logged = new ArrayList<>();

  private NothingLeft nothingLeft;
  private Thread server;
  FutureTask<Integer> exitCode;
  OutputStream in; // the server's
  BufferedReader out; // the server's

  @BeforeEach
  void start() throws IOException {
    nothingLeft = NothingLeft.check();
    Pipe toServer = Pipe.open();
    Pipe fromServer = Pipe.open();
    in = Channels.newOutputStream(toServer.sink());
    out = new BufferedReader(Channels.newReader(fromServer.source(), UTF_8));
    exitCode =
        new FutureTask<>(() -> {
          try (var input = Channels.newInputStream(toServer.source());
              var output = Channels.newOutputStream(fromServer.sink())) {
            return DemoServer.run(eras(), input, output, new PrintStream(err), halted::complete);
          }
        });
    server = Thread.ofPlatform().name("demo server").start(exitCode);
  }

  @AfterEach
  void endOfInputEndsTheServerAndItsCalls() throws Exception {
    in.close();
    assertThat(exitCode.get()).isZero();
    out.close();
    server.join();
    nothingLeft.close();
  }

  /// What the server speaks.
  DemoServer.Eras eras() {
    return DemoServer.Eras.DUAL;
  }

  void send(JsonObject message) throws IOException {
    in.write((message + "\n").getBytes(UTF_8));
  }

  /// The next message that is no log message.
  JsonObject receive() throws IOException {
    while (true) {
      var message = (JsonObject) JsonReader.read(out.readLine(), JsonLimits.defaults());
      if (!message.optionalString("method").equals(Optional.of("notifications/message"))) {
        return message;
      }
      logged.add(message.object("params"));
    }
  }

  JsonObject request(int id, String method, JsonObject params) throws IOException {
    send(JsonObject.of("jsonrpc", "2.0", "id", id, "method", method, "params", params));
    return receive();
  }

  JsonObject call(int id, String tool, Object... arguments) throws IOException {
    send(callOf(id, tool, arguments));
    return receive();
  }

  static JsonObject callOf(Object id, String tool, Object... arguments) {
    JsonObject params = JsonObject.of("name", tool, "arguments", JsonObject.of(arguments));
    return JsonObject.of("jsonrpc", "2.0", "id", id, "method", "tools/call", "params", params);
  }

  void cancel(JsonValue id) throws IOException {
    JsonObject params = JsonObject.of("requestId", id);
    send(JsonObject.of("jsonrpc", "2.0", "method", "notifications/cancelled", "params", params));
  }

  static JsonObject result(JsonObject answer) throws IOException {
    return answer.object("result");
  }

  static long error(JsonObject answer) throws IOException {
    return answer.object("error").integer("code");
  }

  static String text(JsonObject result) throws IOException {
    JsonArray content = result.array("content");
    assertThat(content.size()).isEqualTo(1);
    return ((JsonObject) content.get(0)).string("text");
  }
}
