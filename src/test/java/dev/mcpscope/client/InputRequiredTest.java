package dev.mcpscope.client;

import static dev.mcpscope.client.ModernPeer.answers;
import static dev.mcpscope.client.ModernPeer.declares;
import static dev.mcpscope.client.ModernPeer.says;
import static dev.mcpscope.client.Promptly.failure;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.client.ModernPeer.Script;
import dev.mcpscope.client.ModernPeer.Way;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Calls that are answered by questions, and what is sent in their place when these are answered.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class InputRequiredTest {
  private static final ClientOptions OPTIONS = ClientOptions.defaults();

  private final NothingLeft nothingLeft = NothingLeft.check();
  private ModernPeer peer;

  @AfterEach
  void nothingIsLeft() {
    peer.close();
    nothingLeft.close();
  }

  private McpClient open(Way way, ClientFeatures features, Script... scripts) throws Exception {
    ClientOptions.Limits limits = OPTIONS.limits();
    var tellsMuch =
        new ClientOptions.Limits(
            JsonLimits.defaults(),
            1 << 20,
            limits.pages(),
            limits.items(),
            limits.serverRequests(),
            limits.events(),
            limits.eventBytes());
    peer = ModernPeer.start(way, OPTIONS.withLimits(tellsMuch).withFeatures(features), scripts);
    return peer.client();
  }

  /// Answers each form by its own message.
  private static ClientFeatures echoing() {
    return ClientFeatures.none()
        .withElicitation(form -> ElicitationResult.accept(Map.of("said", form.message())));
  }

  static String question(String members) {
    return "{'result':{'resultType':'input_required'," + members + "}}";
  }

  static String form(String message) {
    return "{'method':'elicitation/create','params':{'message':'"
        + message
        + "','requestedSchema':{'type':'object','properties':{'said':{'type':'string'}}}}}";
  }

  /// What [#echoing] makes of it.
  private static JsonObject said(String name, String message) {
    return Json.object("{'" + name + "':{'action':'accept','content':{'said':'" + message + "'}}}");
  }

  private static JsonObject params(JsonObject request) throws JsonException {
    return request.object("params");
  }

  // The state.

  static List<String> states() {
    return List.of(
        "''",
        "' {\\\"a\\\" : 1.0, \\\"b\\\":\\\"\u00e9\\\\u00e9\\\"} '",
        "'\\n\\t\\u0000\\u007f\\u2028/\\/'",
        "'\ud83d\ude00\ud800x'".replace("\ud800", "\\ud800"),
        "'=?base64?x?='",
        "'" + "long ".repeat(10_000) + "'",
        "1.0",
        "1e3",
        "12345678901234567890",
        "false",
        "{'a':[null,{}]}");
  }

  @ParameterizedTest
  @MethodSource("states")
  void theStateGoesBackAsItCame(String state) throws Exception {
    for (Way way : Way.values()) {
      try (McpClient client =
          open(
              way,
              ClientFeatures.none(),
              answers("tools/call", question("'requestState':" + state), says("done")))) {
        assertThat(client.callTool("t", Map.of()).text()).isEqualTo("done");
      }
      List<JsonObject> calls = peer.heard("tools/call");
      JsonValue sent = params(calls.getLast()).get("requestState");
      assertThat(sent).isEqualTo(Json.value(state));
      assertThat(sent.toString()).isEqualTo(Json.value(state).toString());
      assertThat(params(calls.getLast()).has("inputResponses")).isFalse();
      peer.close();
    }
  }

  @ParameterizedTest
  @EnumSource
  void eachRoundHasWhatTheNewestAnswerWantsAndNothingOfTheOnesBefore(Way way) throws Exception {
    McpClient client =
        open(
            way,
            echoing(),
            answers(
                "tools/call",
                question("'requestState':'one','inputRequests':{'a':" + form("A") + "}"),
                question("'inputRequests':{'b':" + form("B") + "}"),
                question("'requestState':'three'"),
                question("'requestState':null,'inputRequests':{'d':" + form("D") + "}"),
                says("done")));
    CallOptions listening = CallOptions.defaults().withProgress(_ -> {});
    assertThat(client.callTool("t", Map.of("x", 1), listening).text()).isEqualTo("done");
    List<JsonObject> calls = peer.heard("tools/call");
    assertThat(calls).extracting(call -> call.get("id")).doesNotHaveDuplicates();
    for (JsonObject call : calls) {
      assertThat(params(call).get("name")).isEqualTo(Json.value("'t'"));
      assertThat(params(call).get("arguments")).isEqualTo(Json.object("{'x':1}"));
      JsonObject meta = params(call).object("_meta");
      assertThat(meta.get("progressToken")).isEqualTo(call.get("id"));
      assertThat(meta.has("io.modelcontextprotocol/protocolVersion")).isTrue();
      assertThat(meta.has("io.modelcontextprotocol/clientCapabilities")).isTrue();
    }
    assertThat(calls)
        .extracting(call -> params(call).get("requestState"))
        .containsExactly(null, Json.value("'one'"), null, Json.value("'three'"), null);
    assertThat(calls)
        .extracting(call -> params(call).get("inputResponses"))
        .containsExactly(null, said("a", "A"), said("b", "B"), null, said("d", "D"));
  }

  @ParameterizedTest
  @EnumSource
  void allThatIsAskedForGoesBackByTheServersNames(Way way) throws Exception {
    McpClient client =
        open(
            way,
            echoing().withRoots(List::of),
            answers(
                "tools/call",
                question(
                    "'inputRequests':{'':"
                        + form("A")
                        + ",'a b':{'method':'roots/list'},'1':"
                        + form("B")
                        + "}"),
                says("done")));
    client.callTool("t", Map.of());
    JsonObject responses = params(peer.heard("tools/call").getLast()).object("inputResponses");
    assertThat(responses.members().keySet()).containsExactly("", "a b", "1");
    assertThat(responses.get("")).isEqualTo(said("x", "A").get("x"));
    assertThat(responses.get("a b")).isEqualTo(Json.object("{'roots':[]}"));
    assertThat(responses.get("1")).isEqualTo(said("x", "B").get("x"));
  }

  @ParameterizedTest
  @EnumSource
  void promptsAndResourcesMayAskToo(Way way) throws Exception {
    String asks = question("'requestState':'s','inputRequests':{'a':" + form("A") + "}");
    McpClient client =
        open(
            way,
            echoing(),
            declares("{'prompts':{},'resources':{}}"),
            answers("prompts/get", asks, ModernPeer.complete("'messages':[]")),
            answers("resources/read", asks, ModernPeer.complete("'contents':[]")));
    assertThat(client.getPrompt("p", Map.of("x", "1")).messages()).isEmpty();
    assertThat(client.readResource("a:b")).isEmpty();
    List<JsonObject> heard = peer.heard();
    for (String method : List.of("prompts/get", "resources/read")) {
      JsonObject last =
          heard.stream().filter(one -> method.equals(Peer.word(one, "method"))).toList().getLast();
      assertThat(params(last).get("requestState")).isEqualTo(Json.value("'s'"));
      assertThat(params(last).get("inputResponses")).isEqualTo(said("a", "A"));
    }
  }

  // How often.

  @ParameterizedTest
  @EnumSource
  void sixteenRoundsAreMade(Way way) throws Exception {
    var answers =
        new ArrayList<>(Collections.nCopies(16, question("'requestState':'and one more'")));
    answers.add(says("done"));
    McpClient client =
        open(way, ClientFeatures.none(), answers("tools/call", answers.toArray(String[]::new)));
    assertThat(client.callTool("t", Map.of()).text()).isEqualTo("done");
    assertThat(peer.heard("tools/call")).hasSize(17);
  }

  @ParameterizedTest
  @EnumSource
  void whoAsksForEverIsNotAnsweredForEver(Way way) throws Exception {
    McpClient client =
        open(way, ClientFeatures.none(), answers("tools/call", question("'requestState':'more'")));
    assertThat(failure(ProtocolViolationException.class, () -> client.callTool("t", Map.of())))
        .hasMessageContaining("tools/call asks for input more than 16 times");
    client.ping();
    assertThat(peer.heard("tools/call")).hasSize(17);
  }

  // At the same time.

  @ParameterizedTest
  @EnumSource
  void whatBelongsToOneCallGetsIntoNoOther(Way way) throws Exception {
    var shown = new CountDownLatch(1);
    var goOn = new CountDownLatch(1);
    var features =
        ClientFeatures.none()
            .withElicitation(form -> {
              if (form.message().equals("A")) {
                shown.countDown();
                goOn.await();
              }
              return ElicitationResult.accept(Map.of("said", form.message()));
            });
    McpClient client =
        open(
            way,
            features,
            answers(
                "tools/call",
                question("'requestState':'of one','inputRequests':{'a':" + form("A") + "}"),
                question("'requestState':'of two','inputRequests':{'b':" + form("B") + "}"),
                says("two"),
                says("three"),
                says("one")));
    var one = new Caller<>(() -> client.callTool("t", Map.of("call", 1)).text());
    shown.await();
    assertThat(client.callTool("t", Map.of("call", 2)).text()).isEqualTo("two");
    assertThat(client.callTool("t", Map.of("call", 3)).text()).isEqualTo("three");
    client.ping();
    goOn.countDown();
    assertThat(one.result()).isEqualTo("one");
    List<JsonObject> heard = peer.heard();
    List<JsonObject> calls =
        heard.stream().filter(call -> "tools/call".equals(Peer.word(call, "method"))).toList();
    assertThat(calls)
        .extracting(call -> params(call).object("arguments").integer("call"))
        .containsExactly(1L, 2L, 2L, 3L, 1L);
    assertThat(calls)
        .extracting(call -> params(call).get("requestState"))
        .containsExactly(null, null, Json.value("'of two'"), null, Json.value("'of one'"));
    assertThat(calls)
        .extracting(call -> params(call).get("inputResponses"))
        .containsExactly(null, null, said("b", "B"), null, said("a", "A"));
    assertThat(heard)
        .filteredOn(request -> "server/discover".equals(Peer.word(request, "method")))
        .extracting(request -> params(request).has("requestState"))
        .containsOnly(false);
  }

  /// It is user code, and may need the server to answer.
  @ParameterizedTest
  @EnumSource
  void aHandlerMayCallTheClientMeanwhile(Way way) throws Exception {
    var client = new McpClient[1];
    var features =
        ClientFeatures.none()
            .withElicitation(_ -> {
              client[0].ping();
              return ElicitationResult.accept(Map.of("said", "pinged"));
            });
    client[0] =
        open(
            way,
            features,
            answers("tools/call", question("'inputRequests':{'a':" + form("A") + "}"), says("ok")));
    assertThat(client[0].callTool("t", Map.of()).text()).isEqualTo("ok");
    assertThat(params(peer.heard("tools/call").getLast()).get("inputResponses"))
        .isEqualTo(said("a", "pinged"));
  }

  // What is no question.

  @ParameterizedTest
  @ValueSource(
      strings = {
        "'inputRequests':{'a':{'method':'ping'}} | asks for input a: ping, which",
        "'inputRequests':{'a':{'method':'tools/list'}} | a: tools/list, which",
        "'inputRequests':{'a':{'method':'roots/list'}} | a: roots/list, which this client has not",
        "'inputRequests':{'a':{'method':'sampling/createMessage','params':{}}} | has not declared",
        "'inputRequests':{'a':{'params':{}}} | \"method\" is missing",
        "'inputRequests':{'a':'elicitation/create'} | asks for input a",
        "'inputRequests':{'a':{'method':'elicitation/create','params':[]}} | \"params\"",
        "'inputRequests':{'a':{'method':'elicitation/create'}} | \"requestedSchema\" is missing",
        "'inputRequests':{'a':{'method':'elicitation/create','params':"
            + "{'mode':'url','message':'m','url':'https://a.b/'}}} | by url",
        "'inputRequests':[] | \"inputRequests\"",
        "'inputRequests':null | and does not say for which",
        "'other':1 | and does not say for which"
      })
  void whatAServerMayNotAskForIsAViolation(String line) throws Exception {
    List<String> parts = Arrays.stream(line.split(" \\| ")).toList();
    McpClient client =
        open(Way.HTTP, echoing(), answers("tools/call", question(parts.getFirst()), says("on")));
    assertThat(failure(ProtocolViolationException.class, () -> client.callTool("t", Map.of())))
        .hasMessageStartingWith("s: ")
        .hasMessageContaining("tools/call")
        .hasMessageContaining(parts.getLast());
    assertThat(client.callTool("t", Map.of()).text()).isEqualTo("on");
    assertThat(peer.heard("tools/call")).hasSize(2);
  }

  /// Nobody is shown a form that comes to nothing in the next moment.
  @ParameterizedTest
  @EnumSource
  void nothingIsAskedOfTheUserIfOneOfTheQuestionsIsNone(Way way) throws Exception {
    var shown = new CountDownLatch(1);
    var features =
        ClientFeatures.none()
            .withElicitation(_ -> {
              shown.countDown();
              return ElicitationResult.decline();
            });
    McpClient client =
        open(
            way,
            features,
            answers(
                "tools/call",
                question("'inputRequests':{'a':" + form("A") + ",'b':{'method':'roots/list'}}")));
    for (int i = 0; i < 20; i++) {
      failure(ProtocolViolationException.class, () -> client.callTool("t", Map.of()));
    }
    peer.closed();
    assertThat(shown.getCount()).isEqualTo(1);
  }
}
