package dev.mcpscope.client;

import static dev.mcpscope.client.Promptly.failure;
import static dev.mcpscope.client.Promptly.promptly;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.EverythingServer;
import dev.mcpscope.EverythingServer.Way;
import dev.mcpscope.Nginx;
import dev.mcpscope.NothingLeft;
import dev.mcpscope.Npx;
import dev.mcpscope.transport.CloseReport;
import dev.mcpscope.transport.ReconnectBudget;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// What happens on the way to a server that is reached over HTTP: it dies and is started again, and
/// a proxy cuts what it thinks idle.
@Tag("real-server")
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class HttpRealServerTest {
  private static final String URI = "demo://resource/dynamic/text/1";

  /// Attempts for as long as node takes to start, and longer apart than a killed process takes to go.
  private static final ReconnectBudget PATIENT =
      new ReconnectBudget(Duration.ofMillis(200), Duration.ofMillis(500), 100);

  private final NothingLeft nothingLeft = NothingLeft.check();
  private final States states = new States();
  private final Heard heard = new Heard();
  private EverythingServer server;
  private Connection connection;

  @BeforeAll
  static void npxIsNeeded() {
    Npx.isNeeded();
  }

  @AfterEach
  void nothingIsLeft() {
    if (server != null) {
      server.close();
    }
    nothingLeft.close();
  }

  private McpClient connect(ServerSpec spec, ReconnectBudget reconnect) throws Exception {
    var features = ClientFeatures.none().withListener(heard);
    var options = Npx.OPTIONS.withFeatures(features).withReconnect(reconnect);
    connection =
        new Connection(
            "connection/t",
            "t",
            spec,
            options,
            Connection.Shared.nothing(),
            new Connection.Callbacks() {},
            states);
    Thread.ofVirtual().name("owner").start(connection::run);
    return connection.awaitReady();
  }

  private void close(McpClient client) throws Exception {
    try (var _ = server) {
      CloseReport report = client.closeAndReport();
      assertThat(report.outcome()).as("%s", report).isEqualTo(CloseReport.Outcome.GRACEFUL);
      assertThat(report.nothingLeft()).isTrue();
      server.awaitNoSession();
      assertThat(server.errors()).isEmpty();
    }
  }

  private static String echo(McpClient client) throws Exception {
    return client.callTool("echo", Map.of("message", "hi")).text();
  }

  /// Calls what takes longer than a test.
  private static Caller<ToolResult> call(McpClient client) throws Exception {
    var running = new CountDownLatch(1);
    var caller =
        new Caller<>(() ->
            client.callTool(
                "trigger-long-running-operation",
                Map.of("duration", 600, "steps", 6_000),
                CallOptions.defaults().withProgress(_ -> running.countDown())));
    running.await();
    return caller;
  }

  @Test
  void aServerThatDiesFailsTheCallAtOnceAndIsFoundInANewSessionWhenItIsBack() throws Exception {
    server = EverythingServer.start(Way.HTTP);
    McpClient client = connect(server.spec(), PATIENT);
    client.subscribe(URI);
    Caller<ToolResult> caller = call(client);
    server.close();

    assertThat(promptly(caller::failure))
        .isInstanceOfSatisfying(
            ExchangeFailedException.class, e -> assertThat(e.mayHaveRun()).isTrue())
        .hasMessageContaining("the event stream ended without the answer")
        .hasMessageContaining("it may have run");
    states.await("Degraded");
    assertThat(failure(ExchangeFailedException.class, () -> echo(client)).mayHaveRun()).isFalse();

    server.startAgain();
    states.await("Connected", 2);
    assertThat(echo(client)).isEqualTo("Echo: hi");
    assertThat(server.sessions()).hasSize(1);
    client.callTool(
        "toggle-subscriber-updates", Map.of()); // of what this session has subscribed to
    heard.await(ServerEvent.ResourceUpdated.class, event -> event.uri().equals(URI));
    assertThat(states.names().stream().filter("Degraded"::equals)).hasSize(1);
    close(client);
  }

  @Test
  void aServerOfTheOlderWayThatDiesIsLost() throws Exception {
    server = EverythingServer.start(Way.SSE);
    McpClient client = connect(server.spec(), PATIENT);
    Caller<ToolResult> caller = call(client);
    server.close();
    assertThat(promptly(caller::failure))
        .isInstanceOf(ConnectionLostException.class)
        .hasMessageContaining("the server broke its event stream off");
    states.await("Failed");
    assertThat(client.closeAndReport().nothingLeft()).isTrue();
  }

  @Test
  void aHundredConnectionsLeaveNoSessionAndNoSocket() throws Exception {
    server = EverythingServer.start(Way.HTTP);
    try (var _ = server) {
      NothingLeft.after(() -> {
        for (int i = 0; i < 100; i++) {
          assertThat(McpClient.use(server.spec(), Npx.OPTIONS, HttpRealServerTest::echo))
              .isEqualTo("Echo: hi");
        }
      });
      assertThat(server.sessions()).hasSize(100);
      server.awaitNoSession();
      assertThat(server.errors()).isEmpty();
    }
  }

  // Behind a proxy, which ends what is silent for a second.

  @Test
  void aStreamThatAProxyCutsIsOpenedAgainAsOftenAsItIsCutAndNothingIsLost(@TempDir Path folder)
      throws Exception {
    Nginx.isNeeded();
    server = EverythingServer.start(Way.HTTP);
    try (var nginx = Nginx.start(folder, server.port())) {
      var budget = new ReconnectBudget(Duration.ofMillis(100), Duration.ofMillis(100), 1);
      McpClient client = connect(ServerSpec.http(nginx.url("/mcp")), budget);
      client.subscribe(URI);
      nginx.await("^GET 200", 1 + budget.attempts());
      client.callTool("toggle-subscriber-updates", Map.of()); // at once, and each five seconds
      heard.until(events -> updates(events) == 1);
      heard.until(events -> updates(events) == 2); // between streams, or after its id on the next
      assertThat(nginx.all("^GET 200 .")).isNotEmpty();
      assertThat(echo(client)).isEqualTo("Echo: hi");
      assertThat(states.names()).doesNotContain("Degraded").endsWith("Connected");
      close(client);
    }
  }

  private static long updates(List<ServerEvent> events) {
    return events.stream().filter(ServerEvent.ResourceUpdated.class::isInstance).count();
  }

  @Test
  void aCallThatTakesLongerThanAProxyAllowsGetsItsAnswerFromTheStreamThatContinues(
      @TempDir Path folder) throws Exception {
    Nginx.isNeeded();
    server = EverythingServer.start(Way.HTTP);
    try (var nginx = Nginx.start(folder, server.port())) {
      McpClient client = connect(ServerSpec.http(nginx.url("/mcp")), PATIENT);
      ToolResult result =
          promptly(() ->
              client.callTool(
                  "trigger-long-running-operation", Map.of("duration", 2.5, "steps", 1)));
      assertThat(result.text()).contains("Duration: 2.5 seconds");
      assertThat(nginx.all("^GET 200 (.+)")).isNotEmpty(); // after the id that the POST began with
      close(client);
    }
  }

  @Test
  void aProxyWithoutServerIsAServerThatIsAwayUntilItIsBack(@TempDir Path folder) throws Exception {
    Nginx.isNeeded();
    server = EverythingServer.start(Way.HTTP);
    try (var nginx = Nginx.start(folder, server.port())) {
      McpClient client = connect(ServerSpec.http(nginx.url("/mcp")), PATIENT);
      server.close();
      states.await("Degraded");
      assertThat(failure(ExchangeFailedException.class, () -> echo(client)))
          .hasMessageContaining("HTTP 502");

      server.startAgain();
      states.await("Connected", 2);
      assertThat(echo(client)).isEqualTo("Echo: hi");
      close(client);
    }
  }
}
