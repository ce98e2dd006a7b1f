package dev.mcpscope.client;

import static dev.mcpscope.HttpFault.on;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.Eras;
import dev.mcpscope.HttpFault;
import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.End;
import dev.mcpscope.HttpWire.Request;
import dev.mcpscope.NothingLeft;
import dev.mcpscope.ScriptedHttpServer;
import dev.mcpscope.ScriptedServer;
import dev.mcpscope.ScriptedServer.Fault;
import dev.mcpscope.client.ProbeTest.Way;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.transport.Loss;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// How long a server is given to say which era it is of, and how that is ended.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ProbeTimeTest {
  private static final String PROBE = "server/discover";
  private static final Fault TELLS = Fault.Quirk.TELLS_STDERR;
  private static final HttpFault TOOLS_ONLY = new HttpFault.Declares("{\"tools\":{}}");

  private final NothingLeft nothingLeft = NothingLeft.check();
  private final States states = new States();
  private Connection connection;
  private ScriptedHttpServer server; // null over stdio

  @AfterEach
  void nothingIsLeft() {
    connection.stop(CloseReason.CLOSED);
    connection.awaitClosed();
    if (server != null) {
      server.close();
    }
    nothingLeft.close();
  }

  private static String word(Request request) {
    return request.rpcMethod().isEmpty() ? request.method() : request.rpcMethod();
  }

  private static ClientOptions options(Duration probe, Duration connect) {
    ClientOptions options = ClientOptions.defaults().withConnectTimeout(connect);
    return options.withProtocol(options.protocol().withProbeTimeout(probe));
  }

  private ServerSpec serve(HttpFault... faults) {
    server = ScriptedHttpServer.with(faults);
    return ServerSpec.http(server.url());
  }

  private void start(ServerSpec spec, ClientOptions options) {
    start(spec, options, states);
  }

  private void start(ServerSpec spec, ClientOptions options, Connection.Observer observer) {
    connection =
        new Connection(
            "connection/t",
            "s",
            spec,
            options,
            Connection.Shared.nothing(),
            new Connection.Callbacks() {},
            observer);
    Thread.ofVirtual().name("owner").start(connection::run);
  }

  @Test
  void aModernServerThatIsSlowIsHeardWhenItRefusesTheHandshake() throws Exception {
    var slow = new Fault.Slow(PROBE, 1_000);
    start(
        ScriptedServer.with(new Fault.Serves(Eras.MODERN), slow, TELLS),
        options(Duration.ofMillis(100), Duration.ofSeconds(20)));
    assertThat(connection.awaitReady().server().protocolVersion()).isEqualTo("2026-07-28");
    connection.stop(CloseReason.CLOSED);
    assertThat(Peer.heard(connection.awaitClosed()))
        .extracting(message -> Peer.word(message, "method"))
        .containsExactly(PROBE, "initialize", "tools/list", "tools/list");
  }

  @Test
  void aModernServerThatIsSlowOverHttpIsHeardWhenItRefusesTheHandshake() throws Exception {
    start(
        serve(
            new HttpFault.Serves(Eras.MODERN), TOOLS_ONLY, on(PROBE, new Act.Held("late", false))),
        options(Duration.ofMillis(100), Duration.ofSeconds(20)));
    server.awaitRequest("initialize", 1);
    server.release("late");
    McpClient client = connection.awaitReady();
    assertThat(client.server().protocolVersion()).isEqualTo("2026-07-28");
    client.close();
    assertThat(server.requests())
        .extracting(ProbeTimeTest::word)
        .containsExactly(PROBE, "initialize", "tools/list", "tools/list");
  }

  @ParameterizedTest
  @EnumSource
  void aServerThatRefusesTheHandshakeAndNeverAnswersTheProbeIsNotWaitedForForEver(Way way)
      throws Exception {
    ClientOptions options = options(Duration.ofMillis(300), Duration.ofSeconds(20));
    start(
        way == Way.STDIO
            ? ScriptedServer.with(new Fault.Serves(Eras.MODERN), new Fault.Silent(PROBE))
            : serve(new HttpFault.Serves(Eras.MODERN), on(PROBE, new Act.NoAnswer(End.OPEN))),
        options);
    assertThatThrownBy(connection::awaitReady)
        .isInstanceOf(RemoteErrorException.class)
        .hasMessageContaining("initialize was answered by error -32022");
    connection.awaitClosed();
  }

  /// However long it is: else it would take all of the time to connect.
  @Test
  void aProbeTakesHalfOfTheTimeToConnectAtTheMost() throws Exception {
    start(
        serve(on(PROBE, new Act.NoAnswer(End.OPEN))),
        options(Duration.ofHours(1), Duration.ofSeconds(4)));
    McpClient client = connection.awaitReady();
    assertThat(client.server().protocolVersion()).isEqualTo("2025-11-25");
    Request probe = server.requests(PROBE).getFirst();
    assertThat(server.requests("initialize").getFirst().since(probe))
        .isBetween(Duration.ofMillis(1_500), Duration.ofMillis(3_500));
    client.close();
  }

  @Test
  void aProbeThatIsGivenUpIsCancelledByItsId() throws Exception {
    start(
        ScriptedServer.with(new Fault.Silent(PROBE), TELLS),
        options(Duration.ofMillis(100), Duration.ofSeconds(20)));
    connection.awaitReady().close();
    List<JsonObject> heard = Peer.heard(connection.awaitClosed());
    JsonObject cancelled =
        heard.stream()
            .filter(message -> "notifications/cancelled".equals(Peer.word(message, "method")))
            .findFirst()
            .orElseThrow();
    assertThat(heard.getFirst().string("method")).isEqualTo(PROBE);
    assertThat(cancelled.object("params").get("requestId")).isEqualTo(heard.getFirst().get("id"));
  }

  @Test
  void aProbeThatIsGivenUpOverHttpIsCancelledByTheEndOfItsStream() throws Exception {
    start(
        serve(on(PROBE, new Act.NoAnswer(End.OPEN))),
        options(Duration.ofMillis(100), Duration.ofSeconds(20)));
    McpClient client = connection.awaitReady();
    server.awaitExchanges(1); // which is the stream of GET
    assertThat(server.requests("notifications/cancelled")).isEmpty();
    client.close();
    assertThat(server.violations()).isEmpty();
  }

  @ParameterizedTest
  @EnumSource
  void aConnectIsStoppedWhileTheProbeIsOut(Way way) throws Exception {
    ClientOptions options = options(Duration.ofSeconds(15), Duration.ofSeconds(30));
    start(
        way == Way.STDIO
            ? ScriptedServer.with(new Fault.Silent(PROBE))
            : serve(on(PROBE, new Act.NoAnswer(End.OPEN))),
        options);
    states.await(PROBE);
    connection.stop(CloseReason.CLOSED);
    Promptly.failure(ConnectionClosedException.class, connection::awaitReady);
    assertThat(connection.awaitClosed().nothingLeft()).isTrue();
  }

  /// Between the loss and the end of the handshake there is a moment.
  @Test
  void aConnectThatIsStoppedWhenTheServerHasDiedOfTheProbeIsNotBegunAnew() throws Exception {
    var reached = new CountDownLatch(1);
    var goOn = new CountDownLatch(1);
    var observer =
        new Connection.Observer() {
          @Override
          public void changed(ConnectionState state) {
            states.changed(state);
            if (state.equals(new ConnectionState.Connecting(PROBE))) {
              reached.countDown();
              awaitQuietly(goOn);
            }
          }
        };
    start(
        ScriptedServer.with(new Fault.Silent(PROBE)),
        options(Duration.ofSeconds(15), Duration.ofSeconds(30)),
        observer);
    reached.await();
    connection
        .mailbox()
        .post(new Attempt.Mail.Lost(new Loss(Loss.Kind.GONE, "the server has died", null)));
    connection.stop(CloseReason.CLOSED);
    goOn.countDown();
    Promptly.failure(ConnectionClosedException.class, connection::awaitReady);
    assertThat(connection.awaitClosed().processes()).hasSize(1);
    assertThat(states.names()).doesNotContain("initialize");
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void whereNobodyIsThereNothingIsFoundOut() throws Exception {
    ServerSpec spec = serve();
    server.stop();
    start(spec, options(Duration.ofSeconds(5), Duration.ofSeconds(20)));
    ExchangeFailedException failure =
        Promptly.failure(ExchangeFailedException.class, connection::awaitReady);
    assertThat(failure.mayHaveRun()).isFalse();
    assertThat(states.names()).doesNotContain("initialize");
    connection.awaitClosed();
  }
}
