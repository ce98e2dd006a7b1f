package dev.mcpscope;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.ScriptedServer.Fault;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What a process says that speaks one era, or both, as it is written on its pipes.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ScriptedServerEraTest {
  private static final String META =
      "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
          + "\"io.modelcontextprotocol/clientCapabilities\":{}}";
  private static final String SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId";
  private static final Fault MODERN = new Fault.Serves(Eras.MODERN);
  private static final Fault DUAL = new Fault.Serves(Eras.DUAL);
  private static final Fault CHANGES =
      new Fault.Declares("{\"tools\":{\"listChanged\":true},\"resources\":{\"subscribe\":true}}");

  private final NothingLeft nothingLeft = NothingLeft.check();
  private Process process;
  private BufferedWriter in;
  private BufferedReader out;
  private int ids;

  @AfterEach
  void nothingIsLeft() throws Exception {
    in.close();
    assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
    out.close();
    nothingLeft.close();
  }

  // Which era.

  @Test
  void aLegacyServerKnowsNoMethodOfTheModernEra() throws Exception {
    start();
    assertThat(code(modern("server/discover", ""))).isEqualTo(-32601);
    assertThat(code(modern("subscriptions/listen", "\"notifications\":{}"))).isEqualTo(-32601);
    assertThat(version(legacy("initialize", "\"protocolVersion\":\"2025-11-25\"")))
        .isEqualTo("2025-11-25");
    assertThat(modern("tools/list", "").object("result").has("resultType")).isFalse();
  }

  @Test
  void aModernServerSaysWhatItIs() throws Exception {
    start(MODERN);
    assertThat(modern("server/discover", "").object("result"))
        .isEqualTo(
            json(
                """
                {"resultType":"complete","supportedVersions":["2026-07-28"],
                 "capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private",
                 "_meta":{"io.modelcontextprotocol/serverInfo":{"name":"scripted","version":"1"}}}
                """));
  }

  @Test
  void aModernServerListsAndCallsItsToolsWithoutAHandshake() throws Exception {
    start(MODERN);
    JsonObject page = modern("tools/list", "").object("result");
    assertThat(page.members().keySet()).contains("resultType", "ttlMs", "cacheScope", "_meta");
    assertThat(page.string("nextCursor")).isEqualTo("page 2");
    JsonObject called = call("echo", "\"text\":\"hi\"").object("result");
    assertThat(called.toString()).contains("\"text\":\"hi\"", "\"resultType\":\"complete\"");
    assertThat(called.has("ttlMs")).isFalse();
  }

  static List<Arguments> refused() {
    return List.of(
        Arguments.of("initialize", "\"protocolVersion\":\"2025-11-25\"", -32022),
        Arguments.of("tools/list", "", -32602),
        Arguments.of("server/discover", META.replace("clientCapabilities", "other"), -32602),
        Arguments.of("server/discover", META.replace("protocolVersion", "other"), -32602),
        Arguments.of("server/discover", META.replace("2026-07-28", "2025-11-25"), -32022),
        Arguments.of("ping", META, -32601));
  }

  @ParameterizedTest
  @MethodSource("refused")
  void aModernServerRefusesWhatIsNotOfItsEra(String method, String params, int code)
      throws Exception {
    start(MODERN);
    JsonObject answer = legacy(method, params);
    assertThat(code(answer)).isEqualTo(code);
    if (code == -32022) {
      assertThat(answer.object("error").object("data"))
          .isEqualTo(json("{\"supported\":[\"2026-07-28\"],\"requested\":\"2025-11-25\"}"));
    }
  }

  @Test
  void aDualServerSpeaksToEachInHisEra() throws Exception {
    start(DUAL);
    assertThat(modern("server/discover", "").object("result").optionalStrings("supportedVersions"))
        .startsWith("2026-07-28", "2025-11-25");
    JsonObject initialized = legacy("initialize", "\"protocolVersion\":\"2025-06-18\"");
    assertThat(initialized.object("result").has("resultType")).isFalse();
    ids = 0; // who falls back may count anew
    assertThat(legacy("tools/list", "").object("result").has("resultType")).isFalse();
    assertThat(modern("tools/list", "").object("result").has("resultType")).isTrue();
    assertThat(code(legacy("server/discover", ""))).isEqualTo(-32602);
    assertThat(code(modern("ping", ""))).isEqualTo(-32601);
    assertThat(legacy("ping", "").object("result").isEmpty()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"2030-01-01", "2025-06-18"})
  void aServerMaySupportAnotherRevisionOnly(String revision) throws Exception {
    start(DUAL, new Fault.Speaks(revision));
    assertThat(modern("server/discover", "").object("error").object("data").array("supported"))
        .isEqualTo(JsonArray.of(revision));
    assertThat(version(legacy("initialize", "\"protocolVersion\":\"2025-11-25\"")))
        .isEqualTo(revision);
  }

  // Subscriptions.

  @Test
  void aSubscriptionIsAcknowledgedFirstAndToldWhatItWantsWithItsId() throws Exception {
    start(MODERN, CHANGES);
    JsonObject acknowledged =
        modern(
            "subscriptions/listen",
            "\"notifications\":{\"toolsListChanged\":true,\"promptsListChanged\":true,"
                + "\"resourceSubscriptions\":[\"a:1\"]}");
    assertThat(acknowledged.string("method")).isEqualTo("notifications/subscriptions/acknowledged");
    assertThat(acknowledged.object("params"))
        .isEqualTo(
            json(
                """
                {"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a:1"]},
                 "_meta":{"io.modelcontextprotocol/subscriptionId":1}}
                """));
    sendModern("tools/call", tell(updated("a:2"), updated("a:1"), "{\"method\":\"x\"}"));
    assertThat(read().toString()).contains("a:1", "\"" + SUBSCRIPTION + "\":1");
    assertThat(read().toString()).contains("\"x\"", "\"" + SUBSCRIPTION + "\":1");
    assertThat(read().integer("id")).isEqualTo(2);
  }

  @Test
  void aMessageMayNameASubscriptionThatIsNotThere() throws Exception {
    start(MODERN, CHANGES);
    modern("subscriptions/listen", "\"notifications\":{\"toolsListChanged\":true}");
    String stray = "{\"method\":\"x\",\"params\":{\"_meta\":{\"" + SUBSCRIPTION + "\":4711}}}";
    sendModern("tools/call", tell(stray));
    assertThat(read()).isEqualTo(json(stray));
  }

  @ParameterizedTest
  @CsvSource({"true, true", "true, false", "false, true", "false, false"})
  void aServerEndsSubscriptionsWhenItIsToldOrAtOnce(boolean gracefully, boolean atOnce)
      throws Exception {
    start(atOnce ? new Fault[] {MODERN, new Fault.HangsUp(gracefully)} : new Fault[] {MODERN});
    modern("subscriptions/listen", "\"notifications\":{}");
    if (!atOnce) {
      sendModern("tools/call", arguments("hangUp", "\"gracefully\":" + gracefully));
    }
    JsonObject end = read();
    if (gracefully) {
      assertThat(end.integer("id")).isEqualTo(1);
      assertThat(end.object("result").string("resultType")).isEqualTo("complete");
      assertThat(end.toString()).contains("\"" + SUBSCRIPTION + "\":1");
    } else {
      assertThat(end.string("method")).isEqualTo("notifications/cancelled");
      assertThat(end.object("params")).isEqualTo(json("{\"requestId\":1}"));
    }
    if (!atOnce) {
      read(); // the answer
    }
    sendModern("tools/call", tell("{\"method\":\"x\"}"));
    assertThat(read().toString()).contains("told");
  }

  @Test
  void aSubscriptionThatIsCancelledIsToldNothing() throws Exception {
    start(MODERN);
    modern("subscriptions/listen", "\"notifications\":{}");
    write(
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
    sendModern("tools/call", tell("{\"method\":\"x\"}"));
    assertThat(read().toString()).contains("told");
  }

  @Test
  void anAcknowledgementMaySayAnything() throws Exception {
    start(MODERN, CHANGES, new Fault.Acknowledges("{\"promptsListChanged\":true}"));
    assertThat(
            modern("subscriptions/listen", "\"notifications\":{\"toolsListChanged\":true}")
                .object("params")
                .object("notifications"))
        .isEqualTo(json("{\"promptsListChanged\":true}"));
  }

  // Faults, and more round trips than one.

  @Test
  void aProbeMayKillTheServer() throws Exception {
    start(MODERN, new Fault.DiesOn("server/discover", 7, "what is that?"));
    sendModern("server/discover", "");
    assertThat(out.readLine()).isNull();
    assertThat(process.waitFor()).isEqualTo(7);
  }

  @Test
  void aProbeOrASubscriptionMayStayWithoutAnswer() throws Exception {
    start(MODERN, new Fault.Silent("server/discover"), new Fault.Silent("subscriptions/listen"));
    sendModern("server/discover", "");
    sendModern("subscriptions/listen", "\"notifications\":{}");
    assertThat(modern("tools/list", "").integer("id")).isEqualTo(3);
  }

  @Test
  void aProbeIsAnsweredByWhateverWasTold() throws Exception {
    start(
        new Fault.Answers(
            "server/discover",
            List.of("{\"result\":{}}", "{\"error\":{\"code\":-32022,\"message\":\"m\"}}")));
    assertThat(modern("server/discover", "").object("result").isEmpty()).isTrue();
    assertThat(code(modern("server/discover", ""))).isEqualTo(-32022);
  }

  @Test
  void aNotificationMayComeBeforeTheAnswerToTheProbe() throws Exception {
    start(DUAL, Fault.Quirk.NOTIFIES_FIRST);
    assertThat(modern("server/discover", "").string("method")).contains("list_changed");
    assertThat(read().has("result")).isTrue();
  }

  @Test
  void anAnswerIsOfTheSizeThatWasTold() throws Exception {
    start(MODERN, new Fault.AnswerOf(5_000));
    sendModern("tools/call", "\"name\":\"echo\"");
    assertThat(out.readLine()).hasSize(5_000);
  }

  @Test
  void aToolThatAsksIsAnsweredWhenItIsCalledAgainWithTheSameState() throws Exception {
    start(MODERN);
    String ask = "\"message\":{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"roots/list\"}";
    JsonObject first = call("ask", ask).object("result");
    assertThat(first.string("resultType")).isEqualTo("input_required");
    assertThat(first.object("inputRequests"))
        .isEqualTo(json("{\"asked\":{\"method\":\"roots/list\"}}"));
    String responses = "\"inputResponses\":{\"asked\":{\"roots\":[]}}";
    String state = ",\"requestState\":" + first.get("requestState");

    JsonObject second = modern("tools/call", arguments("ask", ask) + "," + responses + state);
    assertThat(second.object("result").string("resultType")).isEqualTo("complete");
    assertThat(second.toString()).contains("\\\"roots\\\":[]", "\"isError\":false");
    assertThat(modern("tools/call", arguments("ask", ask) + "," + responses).toString())
        .contains("\"isError\":true");
    String trimmed = state.replace("\" ", "\"");
    assertThat(modern("tools/call", arguments("ask", ask) + "," + responses + trimmed).toString())
        .contains("\"isError\":true");
  }

  private void start(Fault... faults) throws IOException {
    process =
        new ProcessBuilder(ScriptedServer.with(faults).command())
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    in = process.outputWriter(UTF_8);
    out = process.inputReader(UTF_8);
  }

  private JsonObject modern(String method, String params) throws Exception {
    sendModern(method, params);
    return read();
  }

  private JsonObject legacy(String method, String params) throws Exception {
    send(method, params);
    return read();
  }

  private JsonObject call(String tool, String arguments) throws Exception {
    return modern("tools/call", arguments(tool, arguments));
  }

  private static String arguments(String tool, String arguments) {
    return "\"name\":\"" + tool + "\",\"arguments\":{" + arguments + "}";
  }

  private static String tell(String... messages) {
    return arguments("tell", "\"messages\":[" + String.join(",", messages) + "]");
  }

  private static String updated(String uri) {
    return "{\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"" + uri + "\"}}";
  }

  private void sendModern(String method, String params) throws IOException {
    send(method, params.isEmpty() ? META : params + "," + META);
  }

  private void send(String method, String params) throws IOException {
    write(
        "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\",\"params\":{%s}}"
            .formatted(++ids, method, params));
  }

  private void write(String line) throws IOException {
    in.write(line + "\n");
    in.flush();
  }

  private JsonObject read() throws Exception {
    return json(out.readLine());
  }

  private static JsonObject json(String text) throws JsonException {
    return (JsonObject) JsonReader.read(text, JsonLimits.defaults());
  }

  private static long code(JsonObject answer) throws JsonException {
    return answer.object("error").integer("code");
  }

  private static String version(JsonObject answer) throws JsonException {
    return answer.object("result").string("protocolVersion");
  }
}
