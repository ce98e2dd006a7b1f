package dev.mcpscope.client;

import static dev.mcpscope.HttpFault.on;
import static dev.mcpscope.client.ModernPeer.answers;
import static dev.mcpscope.client.ModernPeer.complete;
import static dev.mcpscope.client.ModernPeer.declares;
import static dev.mcpscope.client.ModernPeer.says;
import static dev.mcpscope.client.Promptly.failure;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.HttpFault;
import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.End;
import dev.mcpscope.HttpWire.Request;
import dev.mcpscope.NothingLeft;
import dev.mcpscope.client.ModernPeer.Script;
import dev.mcpscope.client.ModernPeer.Way;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What a request of revision 2026-07-28 has in it, and what its answer may be.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class StatelessTest {
  private static final String PREFIX = "io.modelcontextprotocol/";
  private static final ClientOptions OPTIONS =
      ClientOptions.defaults().withIdentity("a client", "7");

  private static final Script ALL =
      declares(
          "{'tools':{'listChanged':true},'resources':{'subscribe':true},'prompts':{},'logging':{}}");

  /// What a process that serves tools alone is to say; the server over HTTP knows it by itself.
  private static final Script REST =
      Script.stdio(
          Peer.answers("resources/list", complete("'resources':[]")),
          Peer.answers("resources/templates/list", complete("'resourceTemplates':[]")),
          Peer.answers("resources/read", complete("'contents':[]")),
          Peer.answers("prompts/list", complete("'prompts':[]")),
          Peer.answers("prompts/get", complete("'messages':[]")));

  private final NothingLeft nothingLeft = NothingLeft.check();
  private ModernPeer peer;

  @AfterEach
  void nothingIsLeft() {
    peer.close();
    nothingLeft.close();
  }

  private McpClient open(Way way, ClientFeatures features, Script... scripts) throws Exception {
    peer = ModernPeer.start(way, OPTIONS.withFeatures(features), scripts);
    return peer.client();
  }

  private McpClient open(Way way, Script... scripts) throws Exception {
    return open(way, ClientFeatures.none(), scripts);
  }

  private static JsonObject meta(JsonObject request) throws JsonException {
    return request.object("params").object("_meta");
  }

  private static Optional<String> word(JsonObject request) {
    return Optional.ofNullable(Peer.word(request, "method"));
  }

  /// One of each kind.
  private static void askAll(McpClient client) throws Exception {
    client.tools();
    client.callTool("echo", Map.of("text", "hi"));
    client.resources();
    client.resourceTemplates();
    client.readResource("scripted:one");
    client.prompts();
    client.getPrompt("greeting", Map.of());
    client.subscribe("scripted:one");
    client.ping();
  }

  // What is in each request.

  @ParameterizedTest
  @EnumSource
  void eachRequestSaysItsRevisionAndWhoAsksAndWhatHeCanDo(Way way) throws Exception {
    var features =
        ClientFeatures.none()
            .withRoots(List::of)
            .withSampling(_ -> null)
            .withElicitation(_ -> null)
            .withElicitationUrl(_ -> null);
    askAll(open(way, features, ALL, REST));
    List<JsonObject> heard = peer.heard();
    assertThat(heard)
        .extracting(request -> Peer.word(request, "method"))
        .contains(
            "server/discover",
            "subscriptions/listen",
            "tools/list",
            "tools/call",
            "resources/list",
            "resources/templates/list",
            "resources/read",
            "prompts/list",
            "prompts/get");
    for (JsonObject request : heard) {
      if (request.has("id")) {
        assertThat(meta(request))
            .as(request.toString())
            .isEqualTo(
                Json.object(
                    "{'"
                        + PREFIX
                        + "protocolVersion':'2026-07-28','"
                        + PREFIX
                        + "clientInfo':{'name':'a client','version':'7'},'"
                        + PREFIX
                        + "clientCapabilities':{'roots':{},'sampling':{},"
                        + "'elicitation':{'form':{},'url':{}}}}"));
      }
    }
    assertThat(heard)
        .filteredOn(request -> request.has("id"))
        .extracting(request -> request.get("id"))
        .doesNotHaveDuplicates();
  }

  @ParameterizedTest
  @EnumSource
  void whoCanDoNothingSaysSo(Way way) throws Exception {
    open(way, ALL);
    for (JsonObject request : peer.heard("tools/list")) {
      assertThat(meta(request).get(PREFIX + "clientCapabilities")).isEqualTo(JsonObject.EMPTY);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aTokenForItsProgressIsInTheCallThatIsListenedToAndIsItsId(Way way) throws Exception {
    McpClient client = open(way);
    CallOptions listening = CallOptions.defaults().withProgress(_ -> {});
    client.callTool("echo", Map.of("text", "one"), listening);
    client.callTool("echo", Map.of("text", "two"));
    List<JsonObject> calls = peer.heard("tools/call");
    assertThat(meta(calls.getFirst()).get("progressToken")).isEqualTo(calls.getFirst().get("id"));
    assertThat(meta(calls.getFirst()).members()).hasSize(4);
    assertThat(meta(calls.getLast()).has("progressToken")).isFalse();
  }

  @ParameterizedTest
  @EnumSource
  void theLevelOfTheLogIsInEachRequestOnceItWasSetAndIsNotTold(Way way) throws Exception {
    McpClient client = open(way, ALL);
    client.callTool("echo", Map.of("text", "one"));
    client.setLogLevel(LogLevel.WARNING);
    client.callTool("echo", Map.of("text", "two"));
    client.setLogLevel(LogLevel.DEBUG);
    client.callTool("echo", Map.of("text", "three"));
    List<JsonObject> heard = peer.heard();
    assertThat(heard.stream().flatMap(request -> word(request).stream()))
        .doesNotContain("logging/setLevel");
    assertThat(heard)
        .filteredOn(request -> word(request).equals(Optional.of("tools/call")))
        .extracting(request -> meta(request).get(PREFIX + "logLevel"))
        .containsExactly(null, new JsonString("warning"), new JsonString("debug"));
  }

  /// "The server MUST NOT emit notifications/message for a request that does not include this field".
  @ParameterizedTest
  @CsvSource({"STDIO,true", "STDIO,false", "HTTP,true", "HTTP,false"})
  void whoListensIsToldTheLogThoughNoLevelWasSet(Way way, boolean declared) throws Exception {
    ClientFeatures listening = ClientFeatures.none().withListener(_ -> {});
    McpClient client =
        declared ? open(way, listening, ALL) : open(way, listening, declares("{'tools':{}}"));
    client.callTool("echo", Map.of("text", "one"));
    assertThat(meta(peer.heard("tools/call").getFirst()).get(PREFIX + "logLevel"))
        .isEqualTo(declared ? new JsonString("info") : null);
  }

  @ParameterizedTest
  @EnumSource
  void nothingIsSentThatOnlyTheOlderRevisionsKnow(Way way) throws Exception {
    McpClient client = open(way, ClientFeatures.none().withRoots(List::of), ALL, REST);
    askAll(client);
    client.rootsChanged();
    client.setLogLevel(LogLevel.INFO);
    client.unsubscribe("scripted:one");
    assertThat(peer.heard().stream().flatMap(request -> word(request).stream()))
        .doesNotContain(
            "initialize",
            "notifications/initialized",
            "ping",
            "logging/setLevel",
            "resources/subscribe",
            "resources/unsubscribe",
            "notifications/roots/list_changed");
  }

  /// "Servers send no requests": what comes as one is not answered, and shown to nobody.
  @ParameterizedTest
  @EnumSource
  void whatTheServerAsksByARequestIsNotAnswered(Way way) throws Exception {
    var asked = new CountDownLatch(1);
    var features =
        ClientFeatures.none()
            .withRoots(() -> {
              asked.countDown();
              return List.of();
            });
    McpClient client = open(way, features);
    client.callTool(
        "say",
        Map.of(
            "messages",
            List.of(
                Json.object(Peer.request("'q'", "roots/list", "{}")),
                Json.object("{'jsonrpc':'2.0','id':'p','method':'ping'}"),
                Json.object("{'jsonrpc':'2.0','id':'m','method':7}"))));
    client.ping();
    assertThat(peer.heard()).noneMatch(one -> one.has("result") || one.has("error"));
    assertThat(asked.getCount()).isEqualTo(1);
  }

  // HTTP.

  @Test
  void theHeadersSayWhatTheBodySays() throws Exception {
    McpClient client = open(Way.HTTP, ALL);
    askAll(client);
    for (String name : List.of("größe", " blank", "=?base64?x?=", "a\tb", "€")) {
      failure(RemoteErrorException.class, () -> client.callTool(name, Map.of()));
    }
    peer.closed();
    for (Request request : peer.server.requests()) {
      JsonObject message = (JsonObject) request.message();
      assertThat(request.header("MCP-Protocol-Version")).contains("2026-07-28");
      assertThat(request.header("Mcp-Method")).isEqualTo(word(message));
      assertThat(request.header("Mcp-Name").isPresent())
          .isEqualTo(
              List.of("tools/call", "resources/read", "prompts/get").contains(request.rpcMethod()));
    }
    assertThat(peer.server.requests("tools/call"))
        .extracting(request -> request.header("Mcp-Name").orElseThrow())
        .containsExactly(
            "echo",
            "=?base64?Z3LDtsOfZQ==?=",
            "=?base64?IGJsYW5r?=",
            "=?base64?PT9iYXNlNjQ/eD89?=",
            "=?base64?YQli?=",
            "=?base64?4oKs?=");
    assertThat(peer.server.requests("resources/read"))
        .extracting(request -> request.header("Mcp-Name").orElseThrow())
        .containsExactly("scripted:one");
    assertThat(peer.server.violations()).isEmpty();
  }

  @Test
  void thereIsNoSessionEvenIfTheServerNamesOne() throws Exception {
    McpClient client =
        open(
            Way.HTTP,
            ALL,
            Script.http(
                new HttpFault.SessionId("a-session"),
                on("tools/call", new Act.Sse("id: 7\nretry: 10\ndata: %s\n\n"))));
    askAll(client);
    client.callTool("echo", Map.of("text", "once more, by an event of the same id"));
    peer.closed();
    assertNoSession();
  }

  private void assertNoSession() {
    assertThat(peer.server.requests())
        .allMatch(request -> request.method().equals("POST"))
        .noneMatch(request -> request.header("Mcp-Session-Id").isPresent())
        .noneMatch(request -> request.header("Last-Event-ID").isPresent());
    assertThat(peer.server.violations()).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(names = {"CLEAN", "CLOSE", "RESET"})
  void aStreamThatBreaksOffIsNotGoneOnWithThoughItsEventsHaveIds(End end) throws Exception {
    McpClient client =
        open(
            Way.HTTP,
            ALL,
            Script.http(
                new HttpFault.SessionId("a-session"),
                on("tools/call", new Act.Stops(1, 0, true, end))));
    var log = Json.object(Peer.log("one"));
    ExchangeFailedException failure =
        failure(
            ExchangeFailedException.class,
            () -> client.callTool("say", Map.of("messages", List.of(log))));
    assertThat(failure.mayHaveRun()).isTrue();
    client.ping();
    peer.closed();
    assertThat(peer.server.requests("tools/call")).hasSize(1);
    assertNoSession();
  }

  @Test
  void aCallThatIsGivenUpOverHttpIsCancelledByTheEndOfItsStream() throws Exception {
    McpClient client = open(Way.HTTP, declares("{'tools':{}}"));
    var caller = new Caller<>(() -> client.callTool("never", Map.of()));
    peer.server.awaitRequest("tools/call", 1);
    caller.interrupt();
    assertThat(caller.failure()).isInstanceOf(InterruptedException.class);
    peer.server.awaitExchanges(0);
    client.ping();
    assertThat(peer.heard("notifications/cancelled")).isEmpty();
  }

  @Test
  void aCallThatIsGivenUpOverStdioIsCancelledByItsId() throws Exception {
    McpClient client = open(Way.STDIO);
    var call = CallOptions.defaults().withTimeout(java.time.Duration.ofMillis(100));
    failure(CallTimeoutException.class, () -> client.callTool("never", Map.of(), call));
    client.ping();
    List<JsonObject> heard = peer.heard();
    JsonValue id =
        heard.stream()
            .filter(one -> word(one).equals(Optional.of("tools/call")))
            .findFirst()
            .orElseThrow()
            .get("id");
    assertThat(heard)
        .filteredOn(one -> word(one).equals(Optional.of("notifications/cancelled")))
        .extracting(one -> one.object("params").get("requestId"))
        .containsExactly(id);
  }

  // What kind of result it is.

  @ParameterizedTest
  @CsvSource({"STDIO,''", "STDIO,'''resultType'':''complete'','", "HTTP,''"})
  void aResultOfNoKindIsComplete(Way way, String kind) throws Exception {
    McpClient client =
        open(way, answers("tools/call", says("hi").replace("'resultType':'complete',", kind)));
    assertThat(client.callTool("echo", Map.of()).text()).isEqualTo("hi");
  }

  @ParameterizedTest
  @ValueSource(strings = {"'partial'", "'Complete'", "''", "1", "null", "{}"})
  void aResultOfAnUnknownKindIsNone(String kind) throws Exception {
    McpClient client =
        open(
            Way.HTTP,
            answers("tools/call", says("hi").replace("'complete'", kind), says("well")),
            answers(
                "resources/list",
                complete("'resources':[]").replace("'complete'", kind),
                complete("'resources':[]")));
    assertThat(failure(ProtocolViolationException.class, () -> client.callTool("echo", Map.of())))
        .hasMessageContaining("tools/call gives a result of a type that this client does not know");
    failure(ProtocolViolationException.class, client::resources);
    assertThat(client.callTool("echo", Map.of()).text()).isEqualTo("well");
    assertThat(client.resources()).isEmpty();
    assertThat(peer.heard("tools/call")).hasSize(2);
  }

  @ParameterizedTest
  @EnumSource
  void aListDoesNotAskForInput(Way way) throws Exception {
    String question = "{'result':{'resultType':'input_required','requestState':'s'}}";
    McpClient client = open(way, ALL, answers("resources/list", question));
    assertThat(failure(ProtocolViolationException.class, client::resources))
        .hasMessageContaining("resources/list asks for input");
    client.ping();
    assertThat(peer.heard("resources/list")).hasSize(1);
  }

  @ParameterizedTest
  @EnumSource
  void aConnectFailsWhereTheToolsAreNoResult(Way way) throws Exception {
    peer =
        ModernPeer.start(
            way, OPTIONS, answers("tools/list", "{'result':{'resultType':'other','tools':[]}}"));
    failure(ProtocolViolationException.class, peer::client);
  }
}
