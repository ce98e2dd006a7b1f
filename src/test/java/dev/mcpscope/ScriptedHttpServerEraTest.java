package dev.mcpscope;

import static dev.mcpscope.HttpFault.on;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.as;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.STRING;

import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.End;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What a server over HTTP says that speaks one era, or both, as it is written on its sockets.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ScriptedHttpServerEraTest {
  private static final String META =
      "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
          + "\"io.modelcontextprotocol/clientCapabilities\":{}}";
  private static final String SUBSCRIPTION = "\"io.modelcontextprotocol/subscriptionId\":";
  private static final String ECHO = "\"name\":\"echo\",\"arguments\":{\"text\":\"hi\"}";
  private static final String INITIALIZE = "\"protocolVersion\":\"2025-11-25\"";
  private static final String CHANGED =
      "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}";
  private static final String LISTEN = "\"notifications\":{\"toolsListChanged\":true}";
  private static final HttpFault MODERN = new HttpFault.Serves(Eras.MODERN);
  private static final HttpFault DUAL = new HttpFault.Serves(Eras.DUAL);

  /// For what ends in a moment, on a busy machine too; what does not end stays for ever.
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  private final NothingLeft nothingLeft = NothingLeft.check();
  private final HttpClient http =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private ScriptedHttpServer server;
  private int ids;

  @AfterEach
  void nothingIsLeft() {
    http.shutdownNow();
    http.close();
    server.close();
    assertThat(server.violations()).noneMatch(v -> v.startsWith("not understood"));
    nothingLeft.close();
  }

  // Which era.

  @ParameterizedTest
  @ValueSource(strings = {"session", ""})
  void aLegacyServerRefusesAProbeAsIfItHadNeverHeardOfIt(String id) throws Exception {
    start(id.isEmpty() ? new HttpFault[] {new HttpFault.SessionId("")} : new HttpFault[0]);
    var refusal = modern("server/discover", "");
    assertThat(refusal.statusCode()).isEqualTo(400);
    assertThat(json(refusal.body()))
        .isEqualTo(
            json(
                """
                {"jsonrpc":"2.0","error":{"code":-32000,"message":"no session id"},"id":null}
                """));
    assertThat(server.violations()).isEmpty(); // who asks does nothing wrong
    assertThat(send("initialize", INITIALIZE, Map.of()).statusCode()).isEqualTo(200);
  }

  @Test
  void aModernServerSaysWhatItIsAndMakesNoSession() throws Exception {
    start(MODERN);
    var answer = modern("server/discover", "");
    assertThat(answer.statusCode()).isEqualTo(200);
    assertThat(answer.headers().firstValue("Mcp-Session-Id")).isEmpty();
    assertThat(result(answer))
        .isEqualTo(
            json(
                """
                {"resultType":"complete","supportedVersions":["2026-07-28"],
                 "capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true},
                                 "logging":{},"prompts":{}},
                 "ttlMs":0,"cacheScope":"private",
                 "_meta":{"io.modelcontextprotocol/serverInfo":{"name":"scripted","version":"1"}}}
                """));
    assertThat(server.sessions()).isEmpty();
    assertThat(server.violations()).isEmpty();
  }

  @Test
  void aModernServerListsAndCallsItsToolsAndRecordsTheHeaders() throws Exception {
    start(MODERN);
    assertThat(result(modern("tools/list", "")).members().keySet())
        .contains("resultType", "ttlMs", "cacheScope", "nextCursor");
    JsonObject called = result(modern("tools/call", ECHO));
    assertThat(called.toString()).contains("\"hi\"", "\"resultType\":\"complete\"");
    assertThat(called.has("ttlMs")).isFalse();
    String progress = "\"name\":\"progress\",\"arguments\":{\"count\":2}";
    String meta = META.replace("{\"io", "{\"progressToken\":7,\"io");
    var reported =
        send("tools/call", progress + "," + meta, headers("tools/call", "progress")).body();
    assertThat(reported).contains("\"progressToken\":7", "\"done\"");
    assertThat(server.requests("tools/call"))
        .extracting(r -> r.header("Mcp-Method").orElse("") + " " + r.header("Mcp-Name").orElse(""))
        .containsExactly("tools/call echo", "tools/call progress");
    assertThat(server.violations()).isEmpty();
  }

  static List<Arguments> refused() {
    Map<String, String> good = headers("tools/call", "echo");
    String call = ECHO + "," + META;
    return List.of(
        refused("wrong MCP-Protocol-Version", good, "MCP-Protocol-Version", "", call),
        refused("wrong MCP-Protocol-Version", good, "MCP-Protocol-Version", "2025-11-25", call),
        refused("wrong Mcp-Method", good, "Mcp-Method", "", call),
        refused("wrong Mcp-Method", good, "Mcp-Method", "tools/list", call),
        refused("wrong Mcp-Name", good, "Mcp-Name", "", call),
        refused("wrong Mcp-Name", good, "Mcp-Name", "Echo", call),
        refused("wrong Mcp-Name", good, "Mcp-Name", "=?base64?ZWNo?=", call),
        Arguments.of(400, -32602, "protocolVersion", good, ECHO),
        Arguments.of(400, -32602, "clientCapabilities", good, call.replace("Capabilities", "X")));
  }

  private static Arguments refused(
      String text, Map<String, String> good, String header, String value, String call) {
    var headers = new TreeMap<>(good);
    headers.put(header, value);
    headers.values().removeIf(String::isEmpty);
    return Arguments.of(400, -32020, text, headers, call);
  }

  @ParameterizedTest
  @MethodSource("refused")
  void aModernServerRefusesAndRecordsWhatIsWrong(
      int status, int code, String text, Map<String, String> headers, String params)
      throws Exception {
    start(MODERN);
    var answer = send("tools/call", params, headers);
    assertThat(answer.statusCode()).isEqualTo(status);
    assertThat(error(answer).integer("code")).isEqualTo(code);
    assertThat(json(answer.body()).integer("id")).isEqualTo(1);
    assertThat(server.violations()).singleElement(as(STRING)).contains(text);
  }

  @Test
  void aNameMayComeInBase64() throws Exception {
    start(MODERN);
    String read = "\"uri\":\"caf\u00e9:1\"," + META;
    var headers = headers("resources/read", "=?base64?Y2Fmw6k6MQ==?=");
    assertThat(result(send("resources/read", read, headers)).toString()).contains("caf\u00e9:1");
    assertThat(server.violations()).isEmpty();
  }

  @Test
  void aModernServerNamesItsRevisionToWhoSpeaksAnother() throws Exception {
    start(MODERN);
    var legacy = send("initialize", INITIALIZE, Map.of());
    var other =
        send(
            "server/discover",
            META.replace("2026-07-28", "2025-11-25"),
            Map.of("MCP-Protocol-Version", "2025-11-25", "Mcp-Method", "server/discover"));
    for (var answer : List.of(legacy, other)) {
      assertThat(answer.statusCode()).isEqualTo(400);
      assertThat(error(answer).integer("code")).isEqualTo(-32022);
      assertThat(error(answer).object("data"))
          .isEqualTo(json("{\"supported\":[\"2026-07-28\"],\"requested\":\"2025-11-25\"}"));
    }
    assertThat(server.sessions()).isEmpty();
    assertThat(server.violations()).isEmpty(); // who does not know the versions has to ask
  }

  @Test
  void aModernServerKnowsNothingElseOfTheLegacyEra() throws Exception {
    start(MODERN);
    var ping = modern("ping", "");
    assertThat(ping.statusCode()).isEqualTo(404);
    assertThat(error(ping).integer("code")).isEqualTo(-32601);
    assertThat(http(request().GET()).statusCode()).isEqualTo(405);
    assertThat(http(request().DELETE()).statusCode()).isEqualTo(405);
    String response = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}";
    assertThat(http(request().POST(BodyPublishers.ofString(response))).statusCode()).isEqualTo(400);
    String cancelled = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}";
    assertThat(http(request().POST(BodyPublishers.ofString(cancelled))).statusCode())
        .isEqualTo(202);
    var headers = new TreeMap<>(headers("tools/list", ""));
    headers.put("Mcp-Session-Id", "of old");
    assertThat(send("tools/list", META, headers).statusCode()).isEqualTo(200); // and ignored
    assertThat(server.violations()).hasSize(6);
  }

  @Test
  void aDualServerSpeaksToEachInHisEra() throws Exception {
    start(DUAL);
    assertThat(result(modern("server/discover", "")).optionalStrings("supportedVersions"))
        .startsWith("2026-07-28", "2025-11-25");
    assertThat(server.sessions()).isEmpty();

    ids = 0; // who falls back may count anew
    var initialized = send("initialize", INITIALIZE, Map.of());
    String session = initialized.headers().firstValue("Mcp-Session-Id").orElseThrow();
    assertThat(result(initialized).has("resultType")).isFalse();
    var legacy = Map.of("Mcp-Session-Id", session, "MCP-Protocol-Version", "2025-11-25");
    assertThat(result(send("tools/list", "", legacy)).has("resultType")).isFalse();
    assertThat(result(send("ping", "", legacy)).isEmpty()).isTrue();

    assertThat(result(modern("tools/list", "")).has("resultType")).isTrue();
    assertThat(server.sessions()).containsExactly(session);
    assertThat(server.violations()).isEmpty();
    var bare = send("tools/list", "", headers("tools/list", ""));
    assertThat(error(bare).integer("code")).isEqualTo(-32602); // by its header it is modern
    assertThat(server.violations()).hasSize(1);
    assertThat(http(request().GET()).statusCode()).isEqualTo(400);
    assertThat(server.violations()).last(as(STRING)).startsWith("no session id");
  }

  @ParameterizedTest
  @ValueSource(strings = {"2030-01-01", "2025-06-18"})
  void aServerMaySupportAnotherRevisionOnly(String revision) throws Exception {
    start(DUAL, new HttpFault.Speaks(revision));
    var probe = modern("server/discover", "");
    assertThat(probe.statusCode()).isEqualTo(400);
    assertThat(error(probe).object("data").array("supported")).isEqualTo(JsonArray.of(revision));
    assertThat(result(send("initialize", INITIALIZE, Map.of())).string("protocolVersion"))
        .isEqualTo(revision);
  }

  // Subscriptions.

  @Test
  void aSubscriptionIsAcknowledgedFirstAndToldWhatItWantsWithItsId() throws Exception {
    start(MODERN);
    try (var tools = listen(LISTEN);
        var one = listen("\"notifications\":{\"resourceSubscriptions\":[\"a:1\"]}")) {
      assertThat(event(tools))
          .isEqualTo(
              json(
                  """
                  {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged",
                   "params":{"notifications":{"toolsListChanged":true},
                             "_meta":{"io.modelcontextprotocol/subscriptionId":1}}}
                  """));
      event(one);
      assertThat(server.subscriptions()).hasSize(2);

      server.push(CHANGED);
      server.push(updated("a:2"));
      server.push(updated("a:1"));
      server.push("{\"method\":\"x\",\"params\":{\"_meta\":{" + SUBSCRIPTION + "4711}}}");

      assertThat(event(tools).toString()).contains("tools/list_changed", SUBSCRIPTION + "1");
      assertThat(event(tools).toString()).contains("\"x\"", SUBSCRIPTION + "4711");
      assertThat(event(one).toString()).contains("a:1", SUBSCRIPTION + "2");
      assertThat(event(one).toString()).contains("\"x\"", SUBSCRIPTION + "4711");
    }
    server.awaitNoStreams(PATIENCE);
    assertThat(server.subscriptions()).isEmpty();
    assertThatThrownBy(() -> server.push(CHANGED)).isInstanceOf(IllegalStateException.class);
    assertThat(server.violations()).isEmpty();
  }

  @Test
  void nothingIsAcknowledgedThatIsNotDeclaredUnlessThatIsTold() throws Exception {
    start(MODERN, new HttpFault.Declares("{\"tools\":{}}"));
    try (var stream = listen(LISTEN)) {
      assertThat(event(stream).toString()).contains("\"notifications\":{}");
      assertThat(server.awaitSubscription(JsonObject::isEmpty).isEmpty()).isTrue();
    }
    server.close();
    start(MODERN, new HttpFault.Acknowledges("{\"promptsListChanged\":true}"));
    try (var stream = listen(LISTEN)) {
      assertThat(event(stream).toString())
          .contains("\"notifications\":{\"promptsListChanged\":true}");
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aSubscriptionIsEndedByItsResultWhenItIsToldOrAtOnce(boolean atOnce) throws Exception {
    start(atOnce ? new HttpFault[] {MODERN, new HttpFault.HangsUp()} : new HttpFault[] {MODERN});
    try (var stream = listen(LISTEN)) {
      event(stream);
      if (!atOnce) {
        server.endSubscriptions();
      }
      JsonObject end = event(stream);
      assertThat(end.integer("id")).isEqualTo(1);
      assertThat(end.object("result").toString())
          .contains("\"resultType\":\"complete\"", SUBSCRIPTION + "1");
      assertThat(stream.readLine()).isEmpty();
      assertThat(stream.readLine()).isNull();
    }
    assertThat(server.openStreams()).isZero();
    assertThat(server.subscriptions()).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(names = {"CLEAN", "CLOSE", "RESET"})
  void aSubscriptionEndsWithoutAResultWhenItIsToldOrAtOnce(End end) throws Exception {
    start(MODERN, on("subscriptions/listen", new Act.Stops(1, 0, false, end)).after(1));
    try (var told = listen(LISTEN)) {
      event(told);
      server.endStreams(end);
      assertThat(endsWell(told)).isEqualTo(end == End.CLEAN);
    }
    assertThat(endsWell()).isEqualTo(end == End.CLEAN);
    assertThat(server.openStreams()).isZero();
  }

  /// Listens; a connection that is cut may take with it what was sent before.
  private boolean endsWell() throws Exception {
    try (var stream = listen(LISTEN)) {
      return endsWell(stream);
    } catch (IOException e) {
      return false;
    }
  }

  private static boolean endsWell(BufferedReader stream) {
    try {
      return stream.lines().noneMatch(line -> line.contains("\"result\""));
    } catch (UncheckedIOException e) {
      return false;
    }
  }

  @Test
  void aSubscriptionMayBeOpenedAndNeverAcknowledgedOrToldSomethingBefore() throws Exception {
    start(
        MODERN,
        on("subscriptions/listen", new Act.Sse(": quiet\n\n", 0, End.OPEN)).once(),
        on("subscriptions/listen", new Act.Says(List.of(CHANGED))).once());
    try (var quiet = listen(LISTEN);
        var early = listen(LISTEN)) {
      assertThat(quiet.readLine()).isEqualTo(": quiet");
      assertThat(event(early)).isEqualTo(json(CHANGED));
      assertThat(event(early).toString()).contains("acknowledged");
    }
  }

  // Faults, and more round trips than one.

  static Stream<Arguments> probes() {
    String html = "<p>no such page";
    return Stream.of(
        Arguments.of(new Act.Status(400), 400, ""),
        Arguments.of(new Act.Status(404, "text/html", html), 404, html),
        Arguments.of(new Act.Status(405), 405, ""),
        Arguments.of(new Act.Status(401, Map.of("WWW-Authenticate", "Bearer"), ""), 401, ""),
        Arguments.of(
            new Act.Answer(400, "{\"error\":{\"code\":-32022,\"message\":\"m\"}}"),
            400,
            "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32022,\"message\":\"m\"},\"id\":1}"),
        Arguments.of(
            new Act.Answer(404, "{\"error\":{\"code\":-32601,\"message\":\"m\"}}"),
            404,
            "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32601,\"message\":\"m\"},\"id\":1}"),
        Arguments.of(
            new Act.Answer(200, "{\"result\":{}}"),
            200,
            "{\"jsonrpc\":\"2.0\",\"result\":{},\"id\":1}"));
  }

  @ParameterizedTest
  @MethodSource("probes")
  void aProbeIsAnsweredByWhateverWasTold(Act act, int status, String body) throws Exception {
    start(on("server/discover", act).once());
    var answer = modern("server/discover", "");
    assertThat(answer.statusCode()).isEqualTo(status);
    assertThat(answer.body()).isEqualTo(body);
    assertThat(server.violations()).isEmpty();
    assertThat(send("initialize", INITIALIZE, Map.of()).statusCode()).isEqualTo(200);
  }

  @Test
  void aProbeMayStayWithoutAnswer() throws Exception {
    start(MODERN, on("server/discover", new Act.NoAnswer(End.OPEN)).once());
    var probe = http.sendAsync(modernRequest("server/discover", ""), BodyHandlers.ofString());
    server.awaitRequest("server/discover", 1);
    assertThat(server.openExchanges()).isEqualTo(1);
    probe.cancel(true);
    server.awaitNoExchanges(PATIENCE);
    assertThat(modern("server/discover", "").statusCode()).isEqualTo(200);
  }

  @Test
  void aModernAnswerMayNameASessionThatIsNone() throws Exception {
    start(MODERN, new HttpFault.SessionId("none"));
    assertThat(modern("tools/list", "").headers().firstValue("Mcp-Session-Id"))
        .isEqualTo(Optional.of("none"));
    assertThat(server.sessions()).isEmpty();
  }

  @Test
  void aToolThatAsksIsAnsweredWhenItIsCalledAgainWithTheSameState() throws Exception {
    start(MODERN);
    String ask =
        "\"name\":\"ask\",\"arguments\":{\"message\":"
            + "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"roots/list\"}}";
    JsonObject first = result(modern("tools/call", ask));
    assertThat(first.string("resultType")).isEqualTo("input_required");
    assertThat(first.object("inputRequests"))
        .isEqualTo(json("{\"asked\":{\"method\":\"roots/list\"}}"));
    String responses = ",\"inputResponses\":{\"asked\":{\"roots\":[]}}";
    String state = ",\"requestState\":" + first.get("requestState");
    assertThat(result(modern("tools/call", ask + responses + state)).toString())
        .contains("\\\"roots\\\":[]", "\"isError\":false", "\"complete\"");
    assertThat(result(modern("tools/call", ask + responses)).toString())
        .contains("\"isError\":true");
  }

  private void start(HttpFault... faults) {
    server = ScriptedHttpServer.with(faults);
  }

  private static Map<String, String> headers(String method, String name) {
    var headers = Map.of("MCP-Protocol-Version", "2026-07-28", "Mcp-Method", method);
    if (name.isEmpty()) {
      return headers;
    }
    var all = new TreeMap<>(headers);
    all.put("Mcp-Name", name);
    return all;
  }

  private HttpResponse<String> modern(String method, String params) throws Exception {
    return http.send(modernRequest(method, params), BodyHandlers.ofString());
  }

  private HttpRequest modernRequest(String method, String params) {
    String name = params.startsWith("\"name\"") ? params.split("\"")[3] : "";
    String all = params.isEmpty() ? META : params + "," + META;
    return post(method, all, headers(method, name));
  }

  private HttpResponse<String> send(String method, String params, Map<String, String> headers)
      throws Exception {
    return http.send(post(method, params, headers), BodyHandlers.ofString());
  }

  private HttpRequest post(String method, String params, Map<String, String> headers) {
    String body =
        "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\",\"params\":{%s}}"
            .formatted(++ids, method, params);
    var request = request().POST(BodyPublishers.ofString(body));
    headers.forEach(request::header);
    return request.build();
  }

  private HttpRequest.Builder request() {
    return HttpRequest.newBuilder(URI.create(server.url()))
        .header("Content-Type", "application/json")
        .header("Accept", "application/json, text/event-stream");
  }

  private HttpResponse<String> http(HttpRequest.Builder request) throws Exception {
    return http.send(request.build(), BodyHandlers.ofString());
  }

  private BufferedReader listen(String params) throws Exception {
    var request = modernRequest("subscriptions/listen", params);
    var body = http.send(request, BodyHandlers.ofInputStream()).body();
    return new BufferedReader(new InputStreamReader(body, UTF_8));
  }

  private static JsonObject event(BufferedReader stream) throws Exception {
    String line;
    do {
      line = stream.readLine();
    } while (!line.startsWith("data: "));
    return json(line.substring(6));
  }

  private static String updated(String uri) {
    return "{\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"" + uri + "\"}}";
  }

  private static JsonObject json(String text) throws JsonException {
    return (JsonObject) JsonReader.read(text, JsonLimits.defaults());
  }

  private static JsonObject result(HttpResponse<String> answer) throws JsonException {
    return json(answer.body()).object("result");
  }

  private static JsonObject error(HttpResponse<String> answer) throws JsonException {
    return json(answer.body()).object("error");
  }
}
