package dev.mcpscope.client;

import static dev.mcpscope.HttpFault.on;
import static dev.mcpscope.client.ModernPeer.answers;
import static dev.mcpscope.client.ModernPeer.complete;
import static dev.mcpscope.client.ModernPeer.error;
import static dev.mcpscope.client.ModernPeer.says;
import static dev.mcpscope.client.Promptly.failure;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.End;
import dev.mcpscope.HttpWire.Request;
import dev.mcpscope.NothingLeft;
import dev.mcpscope.client.ModernPeer.Script;
import dev.mcpscope.client.ModernPeer.Way;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Requests of revision 2026-07-28 that are refused or lost: which are made again, and how often.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class StatelessFaultTest {
  private static final ClientOptions OPTIONS = ClientOptions.defaults();
  private static final String OURS = "{'supported':['2026-07-28'],'requested':'2026-07-28'}";
  private static final String OTHERS = "{'supported':['2030-01-01'],'requested':'2026-07-28'}";

  private final NothingLeft nothingLeft = NothingLeft.check();
  private ModernPeer peer;

  @AfterEach
  void nothingIsLeft() {
    peer.close();
    nothingLeft.close();
  }

  private McpClient open(Way way, Script... scripts) throws Exception {
    peer = ModernPeer.start(way, OPTIONS, scripts);
    return peer.client();
  }

  private static String tools(String... tools) {
    return complete("'tools':[" + String.join(",", tools) + "]");
  }

  private static String tool(String name, String schema) {
    return "{'name':'" + name + "','inputSchema':" + schema + "}";
  }

  private static String annotated(String name, String annotations) {
    return "{'name':'" + name + "','inputSchema':{},'annotations':" + annotations + "}";
  }

  private static String text(McpClient client) throws Exception {
    return client.callTool("echo", Map.of("text", "hi")).text();
  }

  private void assertMadeAgain(String method) {
    assertThat(peer.heard(method))
        .hasSize(2)
        .extracting(request -> request.get("id"))
        .doesNotHaveDuplicates();
  }

  // Streams that break off.

  @ParameterizedTest
  @CsvSource({
    "CLEAN,{}",
    "RESET,{}",
    "CLOSE,{'destructiveHint':false}",
    "RESET,{'readOnlyHint':false}",
    "RESET,{'readOnlyHint':'true'}"
  })
  void aToolCallIsNotMadeAgain(End end, String annotations) throws Exception {
    McpClient client =
        open(
            Way.HTTP,
            answers("tools/list", tools(annotated("echo", annotations))),
            Script.http(on("tools/call", new Act.Stops(0, 0, false, end)).once()));
    ExchangeFailedException failure = failure(ExchangeFailedException.class, () -> text(client));
    assertThat(failure.mayHaveRun()).isTrue();
    assertThat(failure).hasMessageContaining("it may have run");
    assertThat(peer.heard("tools/call")).hasSize(1);
  }

  @ParameterizedTest
  @CsvSource({
    "CLEAN,{'readOnlyHint':true}",
    "CLOSE,{'idempotentHint':true}",
    "RESET,{'idempotentHint':true}"
  })
  void aToolCallThatDoesNoHarmIsMadeAgainOnce(End end, String annotations) throws Exception {
    McpClient client =
        open(
            Way.HTTP,
            answers("tools/list", tools(annotated("echo", annotations))),
            Script.http(on("tools/call", new Act.Stops(0, 0, false, end)).once()));
    assertThat(text(client)).isEqualTo("hi");
    assertMadeAgain("tools/call");
  }

  /// Wherever it breaks off, before the head of its answer or behind it.
  @ParameterizedTest
  @CsvSource({"true,true", "true,false", "false,true", "false,false"})
  void aRequestThatIsLostTwiceIsLost(boolean call, boolean head) throws Exception {
    String method = call ? "tools/call" : "resources/read";
    Act stops = new Act.Stops(0, 0, false, End.CLOSE);
    Act breaks = new Act.NoAnswer(End.RESET);
    McpClient client =
        open(
            Way.HTTP,
            answers("tools/list", tools(annotated("echo", "{'readOnlyHint':true}"))),
            Script.http(
                on(method, head ? breaks : stops).once(), on(method, head ? stops : breaks)));
    failure(
        ExchangeFailedException.class,
        () -> {
          if (call) {
            text(client);
          } else {
            client.readResource("a:b");
          }
        });
    assertMadeAgain(method);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "prompts/list",
        "prompts/get"
      })
  void whatIsReadIsReadAgainOnce(String method) throws Exception {
    for (Act act :
        List.of(
            new Act.Stops(0, 0, false, End.CLEAN),
            new Act.CutShort(5, End.CLOSE),
            new Act.NoAnswer(End.RESET))) {
      McpClient client = open(Way.HTTP, Script.http(on(method, act).once()));
      switch (method) {
        case "resources/list" -> assertThat(client.resources()).hasSize(1);
        case "resources/templates/list" -> assertThat(client.resourceTemplates()).isEmpty();
        case "resources/read" -> assertThat(client.readResource("a:b")).hasSize(1);
        case "prompts/list" -> assertThat(client.prompts()).hasSize(1);
        default -> assertThat(client.getPrompt("greeting", Map.of()).messages()).hasSize(1);
      }
      assertMadeAgain(method);
      peer.close();
    }
  }

  @Test
  void theFirstLookAtTheToolsIsTakenAgain() throws Exception {
    McpClient client =
        open(Way.HTTP, Script.http(on("tools/list", new Act.Stops(0, 0, false, End.RESET)).once()));
    assertThat(text(client)).isEqualTo("hi");
    assertThat(peer.heard("tools/list")).hasSize(3); // of two pages the first one twice
  }

  /// One round is as good as the first, and no better.
  @Test
  void aRoundOfACallThatIsLostIsNotMadeAgainEither() throws Exception {
    var features =
        ClientFeatures.none().withElicitation(_ -> ElicitationResult.accept(Map.of("said", "A")));
    peer =
        ModernPeer.start(
            Way.HTTP,
            OPTIONS.withFeatures(features),
            Script.http(on("tools/call", new Act.Stops(0, 0, false, End.RESET)).after(1)));
    JsonObject question =
        Json.object("{'method':'elicitation/create','params':" + formParams() + "}");
    failure(
        ExchangeFailedException.class,
        () -> peer.client().callTool("ask", Map.of("message", question)));
    assertThat(peer.heard("tools/call")).hasSize(2);
  }

  private static JsonValue formParams() {
    return ((JsonObject) Json.value(InputRequiredTest.form("A"))).get("params");
  }

  // -32022.

  @ParameterizedTest
  @EnumSource
  void aRevisionThatIsSupportedAfterAllIsAskedForAgain(Way way) throws Exception {
    McpClient client = open(way, answers("tools/call", error(-32022, OURS), says("hi")));
    assertThat(text(client)).isEqualTo("hi");
    assertThat(client.server().protocolVersion()).isEqualTo("2026-07-28");
    assertMadeAgain("tools/call");
  }

  @ParameterizedTest
  @EnumSource
  void aRevisionThatIsRefusedTwiceIsRefused(Way way) throws Exception {
    McpClient client = open(way, answers("tools/call", error(-32022, OURS)));
    assertThat(failure(RemoteErrorException.class, () -> text(client)).code()).isEqualTo(-32022);
    client.ping();
    assertMadeAgain("tools/call");
  }

  @ParameterizedTest
  @ValueSource(strings = {OTHERS, "{'supported':['2025-11-25']}", "{}", "'what?'", "null"})
  void whereNoRevisionOfOursIsSupportedNothingIsAskedAgain(String data) throws Exception {
    McpClient client = open(Way.HTTP, answers("tools/call", error(-32022, data), says("hi")));
    assertThat(failure(RemoteErrorException.class, () -> text(client)).code()).isEqualTo(-32022);
    assertThat(peer.heard("tools/call")).hasSize(1);
  }

  @ParameterizedTest
  @EnumSource
  void anotherErrorIsTheAnswer(Way way) throws Exception {
    McpClient client = open(way, answers("tools/call", error(-32021, "{}"), says("hi")));
    assertThat(failure(RemoteErrorException.class, () -> text(client)).code()).isEqualTo(-32021);
    assertThat(text(client)).isEqualTo("hi");
  }

  // -32020, and what goes beside a call.

  private static final String PLAIN = tool("t", "{'type':'object'}");

  /// Its arguments `region`, `deep.shard` and `dry` go beside it.
  private static final String MIRRORED =
      tool(
          "t",
          "{'type':'object','properties':{"
              + "'region':{'type':'string','x-mcp-header':'Region'},"
              + "'dry':{'type':'boolean','x-mcp-header':'Dry'},"
              + "'deep':{'type':'object','properties':{"
              + "'shard':{'type':'integer','x-mcp-header':'Shard'}}}}}");

  private static final Map<String, ?> ARGUMENTS =
      Map.of("region", "Zürich", "dry", false, "deep", Map.of("shard", 7), "other", 1);

  private static Map<String, String> beside(Request request) {
    var beside = new HashMap<String, String>();
    request
        .headers()
        .forEach((name, value) -> {
          if (name.toLowerCase().startsWith("mcp-param-")) {
            beside.put(name.substring(10), value);
          }
        });
    return beside;
  }

  @Test
  void theToolsAreReadAgainWhereTheHeadersOfACallAreWrong() throws Exception {
    McpClient client =
        open(
            Way.HTTP,
            answers("tools/list", tools(PLAIN), tools(MIRRORED)),
            answers("tools/call", error(-32020, "{}"), says("hi")));
    assertThat(client.callTool("t", ARGUMENTS).text()).isEqualTo("hi");
    assertMadeAgain("tools/call");
    assertThat(peer.server.requests("tools/list")).hasSize(2);
    assertThat(peer.server.requests("tools/call"))
        .extracting(StatelessFaultTest::beside)
        .containsExactly(
            Map.of(), Map.of("Region", "=?base64?WsO8cmljaA==?=", "Dry", "false", "Shard", "7"));
  }

  /// Though they may be used again otherwise.
  @Test
  void theToolsAreReadAgainThoughTheyAreKept() throws Exception {
    String fresh = "'ttlMs':600000,'cacheScope':'public','tools':[";
    McpClient client =
        open(
            Way.HTTP,
            answers("tools/list", complete(fresh + PLAIN + "]"), complete(fresh + MIRRORED + "]")),
            answers("tools/call", error(-32020, "{}"), says("hi")));
    assertThat(client.callTool("t", ARGUMENTS).text()).isEqualTo("hi");
    assertThat(client.tools()).hasSize(1);
    peer.closed();
    assertThat(peer.server.requests("tools/list")).hasSize(2);
    assertThat(beside(peer.server.requests("tools/call").getLast())).hasSize(3);
  }

  @Test
  void headersThatAreWrongTwiceAreTheFailure() throws Exception {
    McpClient client =
        open(
            Way.HTTP,
            answers("tools/list", tools(MIRRORED)),
            answers("tools/call", error(-32020, "{}")));
    var failure = failure(RemoteErrorException.class, () -> client.callTool("t", ARGUMENTS));
    assertThat(failure.code()).isEqualTo(-32020);
    client.ping();
    assertMadeAgain("tools/call");
    assertThat(peer.server.requests("tools/list")).hasSize(2);
  }

  @ParameterizedTest
  @ValueSource(strings = {"tools/call", "resources/read"})
  void whereNoHeadersCanBeMendedTheToolsAreNotReadAgain(String method) throws Exception {
    boolean call = method.equals("tools/call");
    McpClient client =
        open(
            call ? Way.STDIO : Way.HTTP,
            ModernPeer.declares("{'tools':{},'resources':{}}"),
            answers("tools/list", tools(PLAIN)),
            answers(method, error(-32020, "{}")));
    assertThatThrownBy(
            () -> {
              if (call) {
                client.callTool("t", Map.of());
              } else {
                client.readResource("a:b");
              }
            })
        .isInstanceOfSatisfying(
            RemoteErrorException.class, e -> assertThat(e.code()).isEqualTo(-32020));
    List<JsonObject> heard = peer.heard();
    for (String once : List.of(method, "tools/list")) {
      assertThat(heard).filteredOn(one -> once.equals(Peer.word(one, "method"))).hasSize(1);
    }
  }

  /// What mends a call takes of the call's own time.
  @Test
  void aCallDoesNotWaitForItsToolsLongerThanItMay() throws Exception {
    McpClient client =
        open(
            Way.HTTP,
            answers("tools/list", tools(PLAIN), ""),
            answers("tools/call", error(-32020, "{}"), says("hi")));
    CallOptions call = CallOptions.defaults().withTimeout(Duration.ofMillis(300));
    var failure = failure(RemoteErrorException.class, () -> client.callTool("t", Map.of(), call));
    assertThat(failure.code()).isEqualTo(-32020);
    assertThat(failure.getSuppressed()).hasExactlyElementsOfTypes(CallTimeoutException.class);
    client.ping();
    assertThat(peer.heard("tools/call")).hasSize(1);
  }

  @Test
  void aCallerMayBeInterruptedWhileTheToolsAreReadAgain() throws Exception {
    McpClient client =
        open(
            Way.HTTP,
            answers("tools/list", tools(PLAIN), ""),
            answers("tools/call", error(-32020, "{}"), says("hi")));
    var caller = new Caller<>(() -> client.callTool("t", Map.of()));
    peer.server.awaitRequest("tools/list", 2);
    caller.interrupt();
    assertThat(caller.failure()).isInstanceOf(InterruptedException.class);
    peer.server.awaitExchanges(1); // the listen
    assertThat(peer.heard("tools/call")).hasSize(1);
  }

  /// It is what the call was answered; what came after that is told as well.
  @Test
  void whereTheToolsCannotBeReadTheRefusalIsTheFailure() throws Exception {
    McpClient client =
        open(
            Way.HTTP,
            answers("tools/list", tools(PLAIN), error(-32603, "{}")),
            answers("tools/call", error(-32020, "{}"), says("hi")));
    var failure = failure(RemoteErrorException.class, () -> client.callTool("t", Map.of()));
    assertThat(failure.code()).isEqualTo(-32020);
    assertThat(failure.getSuppressed())
        .hasSize(1)
        .allMatch(e -> e.getMessage().contains("tools/list was answered by error -32603"));
    assertThat(peer.heard("tools/call")).hasSize(1);
  }

  @Test
  void whatIsNullOrAbsentHasNoHeader() throws Exception {
    McpClient client =
        open(Way.HTTP, answers("tools/list", tools(MIRRORED)), answers("tools/call", says("hi")));
    var arguments = new HashMap<String, Object>();
    arguments.put("region", null);
    arguments.put("deep", "no object");
    arguments.put("dry", "");
    client.callTool("t", arguments);
    peer.closed();
    Request request = peer.server.requests("tools/call").getFirst();
    assertThat(beside(request)).isEqualTo(Map.of("Dry", ""));
    assertThat(((JsonObject) request.message()).object("params").get("arguments"))
        .isEqualTo(JsonValue.of(arguments));
  }

  @Test
  void aNumberThatIsTooLargeForAHeaderIsNotSent() throws Exception {
    McpClient client =
        open(Way.HTTP, answers("tools/list", tools(MIRRORED)), answers("tools/call", says("hi")));
    assertThatThrownBy(() -> client.callTool("t", Map.of("deep", Map.of("shard", 1L << 53))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("deep.shard");
    assertThat(client.callTool("t", Map.of("deep", Map.of("shard", -(1L << 53) + 1))).text())
        .isEqualTo("hi");
    peer.closed();
    assertThat(peer.server.requests("tools/call")).hasSize(1);
    assertThat(beside(peer.server.requests("tools/call").getFirst()))
        .isEqualTo(Map.of("Shard", "-9007199254740991"));
  }

  // Tools that cannot be called.

  private static final List<String> BAD =
      List.of(
          tool("empty", "{'properties':{'a':{'type':'string','x-mcp-header':''}}}"),
          tool("blank", "{'properties':{'a':{'type':'string','x-mcp-header':'a b'}}}"),
          tool("number", "{'properties':{'a':{'type':'number','x-mcp-header':'A'}}}"),
          tool(
              "twice",
              "{'properties':{'a':{'type':'string','x-mcp-header':'A'},"
                  + "'b':{'type':'string','x-mcp-header':'a'}}}"),
          tool(
              "items",
              "{'properties':{'a':{'type':'array','items':"
                  + "{'type':'string','x-mcp-header':'A'}}}}"));

  private static String badAndGood() {
    var all = new ArrayList<>(BAD);
    all.add(2, MIRRORED);
    return tools(all.toArray(String[]::new));
  }

  @Test
  void overHttpAToolThatBreaksTheRulesForHeadersIsLeftOutAndTheLogSaysWhy() throws Exception {
    List<String> warned;
    var published = new AtomicReference<List<Tool>>();
    try (var log = Logged.under("dev.mcpscope.client")) {
      McpClient client = open(Way.HTTP, answers("tools/list", badAndGood()));
      published.set(((ConnectionState.Connected) peer.connection.state()).tools());
      assertThat(client.tools()).extracting(Tool::name).containsExactly("t");
      warned = log.texts().stream().filter(text -> text.contains("is left out")).toList();
    }
    assertThat(published.get()).extracting(Tool::name).containsExactly("t");
    assertThat(warned).hasSize(2 * BAD.size());
    assertThat(warned.subList(0, BAD.size()))
        .containsExactly(
            "s: its tool empty is left out: x-mcp-header is no name for a header",
            "s: its tool blank is left out: x-mcp-header is no name for a header",
            "s: its tool number is left out: "
                + "x-mcp-header A is on what is no string, integer or boolean",
            "s: its tool twice is left out: x-mcp-header names a twice",
            "s: its tool items is left out: "
                + "x-mcp-header stands where no chain of \"properties\" alone leads to");
  }

  @Test
  void overStdioTheRulesForHeadersAreNothingToATool() throws Exception {
    try (var log = Logged.under("dev.mcpscope.client")) {
      McpClient client = open(Way.STDIO, answers("tools/list", badAndGood()));
      assertThat(client.tools()).hasSize(1 + BAD.size());
      assertThat(log.texts()).noneMatch(text -> text.contains("is left out"));
    }
  }

  @Test
  void theNameOfAToolIsLoggedWithoutWhatALogCannotBear() throws Exception {
    try (var log = Logged.under("dev.mcpscope.client")) {
      String name = "a\\nb" + "x".repeat(300);
      open(
          Way.HTTP,
          answers("tools/list", tools(tool(name, "{'properties':{'a':{'x-mcp-header':'A'}}}"))));
      assertThat(log.texts())
          .filteredOn(text -> text.contains("is left out"))
          .singleElement()
          .satisfies(text -> assertThat(text).contains("a?bxxx").doesNotContain("x".repeat(200)));
    }
  }
}
