package dev.mcpscope.demo;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DemoServerTest extends RunningDemoServer {

  @ParameterizedTest
  @CsvSource({
    "2024-11-05, 2024-11-05",
    "2025-03-26, 2025-03-26",
    "2025-06-18, 2025-06-18",
    "2025-11-25, 2025-11-25",
    "2026-07-28, 2025-11-25",
    "nonsense, 2025-11-25"
  })
  void initializeAgreesOnARevision(String asked, String answered) throws Exception {
    JsonObject params =
        JsonObject.of(
            "protocolVersion",
            asked,
            "capabilities",
            JsonObject.EMPTY,
            "clientInfo",
            JsonObject.of("name", "test", "version", "0"));
    JsonObject result = result(request(1, "initialize", params));
    send(JsonObject.of("jsonrpc", "2.0", "method", "notifications/initialized"));
    assertThat(result.string("protocolVersion")).isEqualTo(answered);
    assertThat(result.object("capabilities").members().keySet())
        .containsExactly("tools", "resources", "prompts", "completions", "logging");
    assertThat(result.object("capabilities").object("resources"))
        .isEqualTo(JsonObject.of("subscribe", true));
    assertThat(result.object("serverInfo").string("name")).isEqualTo("mcp-scope-demo");
    assertThat(result(request(2, "ping", JsonObject.EMPTY))).isEqualTo(JsonObject.EMPTY);
  }

  @Test
  void toolsComeInTwoPages() throws Exception {
    JsonObject first = result(request(1, "tools/list", JsonObject.EMPTY));
    JsonObject second =
        result(request(2, "tools/list", JsonObject.of("cursor", first.string("nextCursor"))));
    assertThat(names(first)).containsExactly("echo", "add");
    assertThat(names(second)).containsExactly("slow", "note", "ask", "crash");
    assertThat(second.has("nextCursor")).isFalse();
    for (JsonObject page : List.of(first, second)) {
      for (JsonValue tool : page.array("tools")) {
        JsonObject schema = ((JsonObject) tool).object("inputSchema");
        assertThat(schema.string("type")).isEqualTo("object");
        assertThat(schema.object("properties").isEmpty()).isFalse();
      }
    }
    JsonObject add = (JsonObject) first.array("tools").get(1);
    assertThat(add.object("outputSchema").object("properties").has("sum")).isTrue();
    JsonObject ask = (JsonObject) second.array("tools").get(2);
    assertThat(ask.object("outputSchema").get("required")).isEqualTo(JsonArray.of("action"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"tools/list", "resources/list", "resources/templates/list", "prompts/list"})
  void unknownCursorIsRefused(String method) throws Exception {
    assertThat(error(request(1, method, JsonObject.of("cursor", "x")))).isEqualTo(-32602);
    assertThat(error(request(2, method, JsonObject.of("cursor", 2)))).isEqualTo(-32602);
  }

  @Test
  void echoAnswersItsMessage() throws Exception {
    assertThat(text(result(call(1, "echo", "message", "h\u00e9\n\ud83d\ude00"))))
        .isEqualTo("h\u00e9\n\ud83d\ude00");
  }

  @ParameterizedTest
  @CsvSource({"2, 3, 5", "0.1, 0.2, 0.3", "-1, 1, 0", "1e3, 0.5, 1000.5"})
  void addIsExact(String a, String b, String sum) throws Exception {
    JsonObject result = result(call(1, "add", "a", new JsonNumber(a), "b", new JsonNumber(b)));
    assertThat(text(result)).isEqualTo(sum);
    assertThat(result.object("structuredContent"))
        .isEqualTo(JsonObject.of("sum", new JsonNumber(sum)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"1e999999999", "1e-999999999", "1e99999999999", "1e1001"})
  void numbersThatAreShortToWriteAndLongToAddAreRefused(String huge) throws Exception {
    JsonObject result = result(call(1, "add", "a", new JsonNumber(huge), "b", 1));
    assertThat(result.bool("isError")).isTrue();
    assertThat(text(result)).contains("a must have at most 1000 digits");
  }

  @Test
  void wrongArgumentsAreAnErrorOfTheTool() throws Exception {
    JsonObject missing = result(call(1, "echo"));
    assertThat(missing.bool("isError")).isTrue();
    assertThat(text(missing)).contains("message").contains("missing");
    JsonObject wrong = result(call(2, "add", "a", "1", "b", 2));
    assertThat(wrong.bool("isError")).isTrue();
    assertThat(text(wrong)).isEqualTo("a must be a number");
    JsonObject tooMany = result(call(3, "slow", "steps", 1_001));
    assertThat(text(tooMany)).isEqualTo("steps must be from 1 to 1000, not 1001");
  }

  @Test
  void unknownToolIsAnErrorOfTheProtocol() throws Exception {
    assertThat(error(call(1, "nosuch"))).isEqualTo(-32602);
    assertThat(error(request(2, "tools/call", JsonObject.EMPTY))).isEqualTo(-32602);
  }

  @ParameterizedTest
  @ValueSource(strings = {"name", "arguments", "_meta"})
  void paramsOfTheWrongShapeAreAnErrorOfTheProtocol(String param) throws Exception {
    JsonObject params = JsonObject.of("name", "slow", "arguments", JsonObject.EMPTY);
    assertThat(error(request(1, "tools/call", params.with(param, 5)))).isEqualTo(-32602);
  }

  @Test
  void unknownMethodIsRefused() throws Exception {
    assertThat(error(request(1, "server/discover", JsonObject.EMPTY))).isEqualTo(-32601);
  }

  @ParameterizedTest
  @CsvSource({"{, -32700", "'', -32700", "[1], -32600", "'{\"jsonrpc\":\"1.0\"}', -32600"})
  void lineThatIsNoMessageIsAnsweredWithoutAnId(String line, int code) throws Exception {
    in.write((line + "\n").getBytes(UTF_8));
    JsonObject answer = receive();
    assertThat(answer.get("id")).isEqualTo(JsonNull.INSTANCE);
    assertThat(error(answer)).isEqualTo(code);
  }

  @Test
  void lineBeyondTheLimitIsRefusedAndTheNextOneIsRead() throws Exception {
    byte[] blanks = new byte[(1 << 20) + 10];
    Arrays.fill(blanks, (byte) ' ');
    in.write(blanks);
    in.write('\n');
    assertThat(error(receive())).isEqualTo(-32700);
    assertThat(result(request(1, "ping", JsonObject.EMPTY))).isEqualTo(JsonObject.EMPTY);
  }

  @ParameterizedTest
  @ValueSource(strings = {"\"token\"", "7", "1.0"})
  void slowReportsProgressUnderTheTokenAsGiven(String token) throws Exception {
    JsonObject arguments = JsonObject.of("steps", 3, "stepMs", 1);
    send(slow(JsonNumber.of(1), arguments).with("params", withToken(arguments, token)));
    for (int step = 1; step <= 3; step++) {
      JsonObject progress = receive();
      assertThat(progress.string("method")).isEqualTo("notifications/progress");
      assertThat(progress.object("params").get("progressToken").toString()).isEqualTo(token);
      assertThat(progress.object("params").integer("progress")).isEqualTo(step);
      assertThat(progress.object("params").integer("total")).isEqualTo(3);
      assertThat(progress.object("params").string("message")).isEqualTo("step " + step + " of 3");
    }
    assertThat(text(result(receive()))).isEqualTo("done in 3 steps");
  }

  @Test
  void slowIsSilentWithoutAToken() throws Exception {
    assertThat(text(result(call(1, "slow", "steps", 2, "stepMs", 1)))).isEqualTo("done in 2 steps");
  }

  @Test
  void pingIsAnsweredWhileACallRuns() throws Exception {
    send(slow(JsonNumber.of(1), JsonObject.of("stepMs", 60_000)));
    assertThat(request(2, "ping", JsonObject.EMPTY).integer("id")).isEqualTo(2);
  } // and the end of input ends the call

  @Test
  void cancelledCallEndsWithoutAnAnswer() throws Exception {
    JsonObject hour = JsonObject.of("steps", 60, "stepMs", 60_000);
    JsonValue id = new JsonString("a");
    send(slow(id, hour));
    send(slow(id, hour)); // refused as long as the first one runs
    assertThat(error(receive())).isEqualTo(-32600);
    cancel(new JsonString("another"));
    cancel(id);
    JsonObject again;
    do { // the call has heard of it when its id is free again
      send(slow(id, JsonObject.of("steps", 1, "stepMs", 0)));
      again = receive();
    } while (again.has("error"));
    assertThat(text(result(again))).isEqualTo("done in 1 steps");
  }

  @Test
  void noMoreThanSixtyFourCallsRunAtOnce() throws Exception {
    for (int i = 0; i < 64; i++) {
      send(slow(JsonNumber.of(i), JsonObject.of("stepMs", 60_000)));
    }
    assertThat(error(call(64, "echo", "message", "one too many"))).isEqualTo(-32603);
  }

  @Test
  void crashEndsTheProcessWithoutAnAnswer() throws Exception {
    JsonObject params = JsonObject.of("name", "crash", "arguments", JsonObject.of("exitCode", 3));
    send(JsonObject.of("jsonrpc", "2.0", "id", 1, "method", "tools/call", "params", params));
    assertThat(halted.get()).isEqualTo(3);
    assertThat(err.toString(UTF_8)).contains("crashing with exit code 3");
    assertThat(request(2, "ping", JsonObject.EMPTY).integer("id")).isEqualTo(2);
  }

  @Test
  void answersToAllRequestsComeAlsoWhenTheInputHasEnded() throws Exception {
    var requests = new StringBuilder();
    for (int id = 1; id <= 20; id++) {
      requests.append(callOf(id, "echo", "message", "x")).append('\n');
    }
    var answers = new ByteArrayOutputStream();
    var input = new ByteArrayInputStream(requests.toString().getBytes(UTF_8));
    assertThat(DemoServer.run(eras(), input, answers, new PrintStream(err))).isZero();
    assertThat(answers.toString(UTF_8).lines().filter(a -> a.contains("result"))).hasSize(20);
  }

  private static JsonObject slow(JsonValue id, JsonObject arguments) {
    JsonObject params = JsonObject.of("name", "slow", "arguments", arguments);
    return JsonObject.of("jsonrpc", "2.0", "id", id, "method", "tools/call", "params", params);
  }

  private static JsonObject withToken(JsonObject arguments, String token) throws IOException {
    JsonValue read = JsonReader.read(token, JsonLimits.defaults());
    JsonObject meta = JsonObject.of("progressToken", read);
    return JsonObject.of("name", "slow", "arguments", arguments, "_meta", meta);
  }

  private static List<String> names(JsonObject page) throws IOException {
    var names = new ArrayList<String>();
    for (JsonValue tool : page.array("tools")) {
      names.add(((JsonObject) tool).string("name"));
    }
    return names;
  }
}
