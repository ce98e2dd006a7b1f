package dev.mcpscope.client;

import static dev.mcpscope.client.Promptly.failure;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.OfficialServer;
import dev.mcpscope.client.ServerEvent.ListChanged;
import dev.mcpscope.client.ServerEvent.LogMessage;
import dev.mcpscope.client.ServerEvent.ResourceUpdated;
import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.transport.CloseReport;
import dev.mcpscope.transport.ReconnectBudget;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Revision 2026-07-28 as MCP's own server library speaks it, over both transports.
@Tag("real-server")
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class StatelessRealServerTest {
  private static final String TODAY = "note:///today";

  private static final ReconnectBudget SOON =
      new ReconnectBudget(Duration.ofMillis(200), Duration.ofMillis(500), 100);

  /// How it is reached, and what it serves.
  enum Way {
    STDIO(OfficialServer.Era.MODERN),
    STDIO_DUAL(OfficialServer.Era.DUAL),
    HTTP(OfficialServer.Era.MODERN),
    HTTP_DUAL(OfficialServer.Era.DUAL);

    final OfficialServer.Era era;

    Way(OfficialServer.Era era) {
      this.era = era;
    }

    boolean isHttp() {
      return this == HTTP || this == HTTP_DUAL;
    }
  }

  private final NothingLeft nothingLeft = NothingLeft.check();
  private final Heard heard = new Heard();
  private final States states = new States();
  private OfficialServer server; // null over stdio

  @BeforeAll
  static void isNeeded() throws Exception {
    OfficialServer.isNeeded();
  }

  @AfterEach
  void nothingIsLeft() {
    if (server != null) {
      server.close();
    }
    nothingLeft.close();
  }

  private ServerSpec spec(Way way) throws Exception {
    if (!way.isHttp()) {
      return OfficialServer.stdio(way.era);
    }
    server = OfficialServer.start(way.era);
    return server.spec();
  }

  private ClientOptions options(ClientFeatures features) {
    return ClientOptions.defaults()
        .withFeatures(features.withListener(heard))
        .withReconnect(SOON)
        .withConnectTimeout(Duration.ofSeconds(30));
  }

  private McpClient open(Way way) throws Exception {
    return open(way, ClientFeatures.none());
  }

  private McpClient open(Way way, ClientFeatures features) throws Exception {
    return open(way, options(features));
  }

  private McpClient open(Way way, ClientOptions options) throws Exception {
    var connection =
        new Connection(
            "connection/t",
            "t",
            spec(way),
            options,
            Connection.Shared.nothing(),
            new Connection.Callbacks() {},
            states);
    Thread.ofVirtual().name("owner").start(connection::run);
    return connection.awaitReady();
  }

  private static JsonObject structured(ToolResult result) {
    return (JsonObject) result.json().get("structuredContent");
  }

  /// How often the server was asked for this.
  private static long asked(McpClient client, String method) throws Exception {
    return structured(client.callTool("counts", Map.of())).get(method) instanceof JsonNumber count
        ? count.asLong().orElseThrow()
        : 0;
  }

  private static String read(McpClient client, String uri) throws Exception {
    return client.readResource(uri).getFirst().text().orElseThrow();
  }

  @ParameterizedTest
  @EnumSource
  void theServerIsSpokenToWithoutAHandshake(Way way) throws Exception {
    try (var client = open(way)) {
      assertThat(client.server().protocolVersion()).isEqualTo("2026-07-28");
      assertThat(client.server().name()).isEqualTo("official");
      assertThat(client.server().instructions()).contains("Made for tests.");
      assertThat(client.tools()).extracting(Tool::name).contains("echo", "place", "counts");
      assertThat(client.callTool("echo", Map.of("text", "hi, ü€😀")).text()).isEqualTo("hi, ü€😀");
      client.ping();
      JsonObject counts = structured(client.callTool("counts", Map.of()));
      assertThat(counts.members().keySet())
          .contains("server/discover", "tools/list", "tools/call")
          .doesNotContain("initialize", "ping", "GET", "POST", "DELETE");
      CloseReport report = client.closeAndReport();
      assertThat(report.outcome()).isEqualTo(CloseReport.Outcome.GRACEFUL);
      assertThat(report.kept()).isEmpty();
      assertThat(report.failures()).isEmpty();
    }
    assertThat(states.names()).contains("server/discover").doesNotContain("initialize");
  }

  @ParameterizedTest
  @EnumSource
  void aCallThatIsAnsweredByQuestionsIsMadeAgainUntilItHasItsAnswer(Way way) throws Exception {
    try (var client = open(way, ClientFeatures.none().withElicitation(this::asAda))) {
      assertThat(client.callTool("ask", Map.of()).text()).isEqualTo("hello Ada");
      assertThat(client.callTool("later", Map.of()).text()).isEqualTo("now");
      assertThat(read(client, "note:///locked")).isEqualTo("a secret");
    }
  }

  /// The same code, whichever era is spoken.
  @Test
  void userCodeDoesNotNoticeTheEra() throws Exception {
    for (EraChoice era : List.of(EraChoice.LEGACY, EraChoice.MODERN)) {
      ClientOptions options = options(ClientFeatures.none().withElicitation(this::asAda));
      try (var client = open(Way.STDIO_DUAL, options.withEra(era))) {
        assertThat(client.callTool("ask", Map.of()).text()).isEqualTo("hello Ada");
        client.setLogLevel(LogLevel.DEBUG);
        client.callTool("log", Map.of("level", "debug", "text", era.name()));
        heard.await(LogMessage.class, log -> log.data().equals(new JsonString(era.name())));
        client.subscribe(TODAY);
        client.callTool("touch", Map.of());
        heard.await(ResourceUpdated.class, updated -> updated.uri().equals(TODAY));
        client.callTool("grow", Map.of("name", "more"));
        heard.await(ListChanged.class, changed -> changed.list() == ServerEvent.List.TOOLS);
        client.ping();
        assertThat(client.tools()).extracting(Tool::name).contains("more");
      }
    }
  }

  private ElicitationResult asAda(ElicitationForm form) {
    return form.fields().getFirst().name().equals("name")
        ? ElicitationResult.accept(Map.of("name", "Ada"))
        : ElicitationResult.accept(Map.of("confirmed", true));
  }

  @ParameterizedTest
  @EnumSource
  void allThatIsAskedForAtATimeIsAnsweredAtATime(Way way) throws Exception {
    var together = new CyclicBarrier(3);
    var features =
        ClientFeatures.none()
            .withElicitation(_ -> {
              together.await();
              return ElicitationResult.accept(Map.of("color", "green"));
            })
            .withSampling(_ -> {
              together.await();
              return SamplingResult.text("a-model", "hello");
            })
            .withRoots(() -> {
              together.await();
              return List.of(Root.of(Path.of("/tmp")));
            });
    try (var client = open(way, features)) {
      JsonObject answers = structured(client.callTool("gather", Map.of()));
      assertThat(answers.object("form").string("action")).isEqualTo("accept");
      assertThat(answers.object("form").object("content").string("color")).isEqualTo("green");
      assertThat(answers.object("sample").string("model")).isEqualTo("a-model");
      assertThat(answers.object("roots").objects("roots").getFirst().string("uri"))
          .startsWith("file:///tmp");
    }
  }

  @ParameterizedTest
  @EnumSource
  void whoDeclinesIsHeard(Way way) throws Exception {
    try (var client =
        open(way, ClientFeatures.none().withElicitation(_ -> ElicitationResult.decline()))) {
      assertThat(client.callTool("ask", Map.of()).text()).isEqualTo("name: decline");
    }
  }

  @ParameterizedTest
  @EnumSource
  void aCapabilityThatIsNotDeclaredIsMissedByTheServer(Way way) throws Exception {
    try (var client = open(way)) {
      var thrown = failure(RemoteErrorException.class, () -> client.callTool("ask", Map.of()));
      assertThat(thrown.code()).isEqualTo(-32021);
      assertThat(client.callTool("echo", Map.of("text", "on")).text()).isEqualTo("on");
    }
  }

  @ParameterizedTest
  @EnumSource
  void aUrlToGoToHasNoId(Way way) throws Exception {
    var features =
        ClientFeatures.none()
            .withElicitationUrl(url -> {
              assertThat(url.elicitationId()).isEmpty();
              assertThat(url.url()).hasHost("example.org");
              return ElicitationResult.accept();
            });
    try (var client = open(way, features)) {
      assertThat(client.callTool("visit", Map.of("url", "https://example.org/")).text())
          .isEqualTo("accept");
    }
  }

  @ParameterizedTest
  @EnumSource
  void aCallerThatIsInterruptedCancelsItsCallAndNoOther(Way way) throws Exception {
    try (var client = open(way)) {
      var other =
          new Caller<>(() -> client.callTool("slow", Map.of("steps", 3, "stepMs", 100)).text());
      var begun = new CountDownLatch(1);
      CallOptions call = CallOptions.defaults().withProgress(_ -> begun.countDown());
      var caller =
          new Caller<>(() -> client.callTool("slow", Map.of("steps", 1, "stepMs", 60_000), call));
      begun.await();
      caller.interrupt();
      assertThat(caller.failure()).isInstanceOf(InterruptedException.class);
      assertThat(client.callTool("cancelled", Map.of("times", 1)).text()).isEqualTo("1");
      assertThat(other.result()).isEqualTo("done");
    }
  }

  @ParameterizedTest
  @EnumSource
  void aCallWhoseTimeIsOverIsCancelled(Way way) throws Exception {
    try (var client = open(way)) {
      CallOptions call = CallOptions.defaults().withTimeout(Duration.ofMillis(200));
      failure(
          CallTimeoutException.class,
          () -> client.callTool("slow", Map.of("steps", 1, "stepMs", 60_000), call));
      assertThat(client.callTool("cancelled", Map.of("times", 1)).text()).isEqualTo("1");
    }
  }

  @ParameterizedTest
  @EnumSource
  void aListThatChangesIsHeardAndReadAgain(Way way) throws Exception {
    try (var client = open(way)) {
      assertThat(client.tools()).extracting(Tool::name).doesNotContain("more");
      client.callTool("grow", Map.of("name", "more"));
      heard.await(ListChanged.class, changed -> changed.list() == ServerEvent.List.TOOLS);
      assertThat(client.tools()).extracting(Tool::name).contains("more");
      assertThat(client.callTool("more", Map.of()).text()).isEqualTo("more has grown");
      states.await("Connected", 2); // the second one knows of it
    }
  }

  @ParameterizedTest
  @EnumSource
  void aResourceThatIsSubscribedToIsToldWhenItChangesUntilItIsNotAnyMore(Way way) throws Exception {
    try (var client = open(way)) {
      client.callTool("touch", Map.of());
      client.subscribe(TODAY);
      client.callTool("touch", Map.of());
      heard.await(ResourceUpdated.class, updated -> updated.uri().equals(TODAY));
      client.unsubscribe(TODAY);
      int before = heard.all(ResourceUpdated.class).size();
      client.callTool("touch", Map.of());
      client.callTool("grow", Map.of("name", "after"));
      heard.await(ListChanged.class, changed -> changed.list() == ServerEvent.List.TOOLS);
      assertThat(heard.all(ResourceUpdated.class)).hasSize(before);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aResultIsUsedAgainUntilTheServerSaysThatItHasChanged(Way way) throws Exception {
    try (var client = open(way)) {
      client.subscribe(TODAY);
      assertThat(read(client, TODAY)).isEqualTo("touched 0 times");
      assertThat(read(client, TODAY)).isEqualTo("touched 0 times");
      assertThat(asked(client, "resources/read")).isEqualTo(1);
      long lists = asked(client, "tools/list");
      client.tools();
      assertThat(asked(client, "tools/list")).isEqualTo(lists);
      client.callTool("touch", Map.of());
      heard.await(ResourceUpdated.class, updated -> updated.uri().equals(TODAY));
      assertThat(read(client, TODAY)).isEqualTo("touched 1 times");
    }
  }

  @ParameterizedTest
  @EnumSource
  void withoutCacheEverythingIsAsked(Way way) throws Exception {
    ClientOptions options = options(ClientFeatures.none());
    try (var client = open(way, options.withProtocol(options.protocol().withCaching(false)))) {
      read(client, TODAY);
      read(client, TODAY);
      assertThat(asked(client, "resources/read")).isEqualTo(2);
    }
  }

  @ParameterizedTest
  @EnumSource
  void argumentsGoBesideACallOverHttp(Way way) throws Exception {
    try (var client = open(way)) {
      JsonObject beside =
          structured(
              client.callTool(
                  "place",
                  Map.of("region", "Zürich", "shard", 7, "dry", false, "comment", "none")));
      if (way.isHttp()) {
        assertThat(beside)
            .isEqualTo(
                JsonObject.of(
                    "mcp-param-region", "=?base64?WsO8cmljaA==?=",
                    "mcp-param-shard", "7",
                    "mcp-param-dry", "false"));
      } else {
        assertThat(beside).isEqualTo(JsonObject.EMPTY);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void aLogIsWrittenFromTheLevelThatIsAskedFor(Way way) throws Exception {
    try (var client = open(way)) {
      client.callTool("log", Map.of("level", "debug", "text", "too little"));
      client.callTool("log", Map.of("level", "info", "text", "by itself"));
      client.setLogLevel(LogLevel.WARNING);
      client.callTool("log", Map.of("level", "info", "text", "too little"));
      client.callTool("log", Map.of("level", "error", "text", "enough"));
      heard.await(LogMessage.class, log -> log.data().equals(new JsonString("enough")));
      assertThat(heard.all(LogMessage.class))
          .extracting(LogMessage::data)
          .containsExactly(new JsonString("by itself"), new JsonString("enough"));
    }
  }

  @ParameterizedTest
  @EnumSource
  void promptsTemplatesAndCompletionsAreThere(Way way) throws Exception {
    try (var client = open(way)) {
      assertThat(client.prompts()).extracting(Prompt::name).containsExactly("greet");
      assertThat(client.getPrompt("greet", Map.of("name", "Ada")).messages()).hasSize(1);
      assertThat(client.resourceTemplates())
          .extracting(ResourceTemplate::uriTemplate)
          .containsExactly("greeting://{name}");
      assertThat(read(client, "greeting://Ada")).isEqualTo("hello Ada");
      assertThat(client.complete(new Completion.Of.Prompt("greet"), "name", "A", Map.of()).values())
          .containsExactly("Ada", "Alan");
    }
  }

  /// A server that goes in good order says so to who listens; it is found when it is back.
  @ParameterizedTest
  @EnumSource(names = {"HTTP", "HTTP_DUAL"})
  void whoListensOverHttpListensAgainWhenTheServerIsBack(Way way) throws Exception {
    try (var client = open(way)) {
      client.subscribe(TODAY);
      server.end();
      states.await("Degraded", 1);
      server.startAgain();
      states.await("Connected", 2);
      heard.await(ResourceUpdated.class, updated -> updated.uri().equals(TODAY)); // it may have
      int before = heard.all(ResourceUpdated.class).size();
      client.callTool("touch", Map.of());
      heard.until(_ -> heard.all(ResourceUpdated.class).size() > before);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"HTTP", "HTTP_DUAL"})
  void closingEndsWhatTheServerStreams(Way way) throws Exception {
    try (var client = open(way)) {
      var begun = new CountDownLatch(1);
      CallOptions call = CallOptions.defaults().withProgress(_ -> begun.countDown());
      var caller =
          new Caller<>(() -> client.callTool("slow", Map.of("steps", 1, "stepMs", 60_000), call));
      begun.await();
      client.closeAndReport();
      assertThat(caller.failure()).isInstanceOf(ConnectionClosedException.class);
      server.await("left subscriptions/listen", 1);
      server.await("left tools/call", 1);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"STDIO", "HTTP"})
  void whoWantsAnotherEraIsToldWhatTheServerSpeaks(Way way) throws Exception {
    ClientOptions options = options(ClientFeatures.none()).withEra(EraChoice.LEGACY);
    var thrown = failure(RemoteErrorException.class, () -> open(way, options));
    assertThat(thrown.code()).isEqualTo(-32022);
    assertThat(thrown.data()).asString().contains("2026-07-28");
  }
}
