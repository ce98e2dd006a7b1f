package dev.mcpscope.client;

import static dev.mcpscope.HttpFault.on;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.HttpFault;
import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.End;
import dev.mcpscope.HttpWire;
import dev.mcpscope.NothingLeft;
import dev.mcpscope.ScriptedHttpServer;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.transport.CloseBudget;
import dev.mcpscope.transport.CloseReport;
import dev.mcpscope.transport.ReconnectBudget;
import java.io.IOException;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The life of a connection over HTTP: its session, its stream, and what becomes of them.
@Timeout(value = 30, threadMode = ThreadMode.SEPARATE_THREAD)
class HttpConnectionTest {

  /// For what ends in a moment, on a busy machine too; what does not end stays for ever.
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  private static final ReconnectBudget SOON =
      new ReconnectBudget(Duration.ofMillis(50), Duration.ofMillis(100), 4);

  /// What is looked at is the handshake, its session and its streams.
  private static final ClientOptions OPTIONS =
      ClientOptions.defaults().withReconnect(SOON).withEra(EraChoice.LEGACY);

  private static final String EMPTY_STREAM =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 0\r\n\r\n";
  private static final JsonObject PING =
      JsonObject.of("jsonrpc", "2.0", "id", "p-1", "method", "ping");

  private final NothingLeft nothingLeft = NothingLeft.check();
  private final LinkedBlockingQueue<ConnectionState> states = new LinkedBlockingQueue<>();
  private final LinkedBlockingQueue<ServerEvent> events = new LinkedBlockingQueue<>();
  private ScriptedHttpServer server;
  private Connection connection;

  @AfterEach
  void nothingIsLeft() {
    if (server != null) {
      server.close();
    }
    nothingLeft.close();
  }

  private McpClient open(HttpFault... faults) throws Exception {
    return open(OPTIONS, faults);
  }

  private McpClient open(ClientOptions options, HttpFault... faults) throws Exception {
    server = ScriptedHttpServer.with(faults);
    return connect(ServerSpec.http(server.url()), options);
  }

  private McpClient connect(ServerSpec spec, ClientOptions options) throws Exception {
    connection =
        new Connection(
            "connection/t",
            "t",
            spec,
            options,
            Connection.Shared.nothing(),
            new Connection.Callbacks() {},
            new Connection.Observer() {
              @Override
              public void changed(ConnectionState state) {
                states.add(state);
              }

              @Override
              public void told(ServerEvent event) {
                events.add(event);
              }
            });
    Thread.ofVirtual().name("owner").start(connection::run);
    return connection.awaitReady();
  }

  private CloseReport close(McpClient client) {
    CloseReport report = client.closeAndReport();
    server.awaitNoStreams(PATIENCE);
    server.awaitNoExchanges(PATIENCE);
    server.awaitSessions(0, PATIENCE);
    server.awaitNoConnections(PATIENCE);
    assertThat(server.violations()).isEmpty();
    assertThat(report.nothingLeft()).isTrue();
    return report;
  }

  private static String echo(McpClient client) throws Exception {
    return client.callTool("echo", Map.of("text", "hi")).json().toString();
  }

  private static String log(int number) {
    return JsonObject.of(
            "jsonrpc",
            "2.0",
            "method",
            "notifications/message",
            "params",
            JsonObject.of("level", "info", "data", number))
        .toString();
  }

  private <T extends ConnectionState> T awaitState(Class<T> type) throws InterruptedException {
    while (true) {
      ConnectionState state = states.poll(5, TimeUnit.SECONDS);
      assertThat(state).as("a state %s", type.getSimpleName()).isNotNull();
      if (type.isInstance(state)) {
        return type.cast(state);
      }
    }
  }

  private List<String> methods() {
    return server.requests().stream()
        .map(r -> r.rpcMethod().isEmpty() ? r.method() : r.rpcMethod())
        .toList();
  }

  // The handshake.

  @Test
  void theStreamIsOpenBeforeTheFirstCallAndTheSessionIsDeletedAtTheEnd() throws Exception {
    McpClient client = open();
    echo(client);
    CloseReport report = close(client);

    assertThat(methods())
        .containsExactly(
            "initialize",
            "notifications/initialized",
            "GET",
            "tools/list",
            "tools/list",
            "tools/call",
            "DELETE");
    assertThat(report.steps())
        .extracting(CloseReport.Step::name)
        .contains("end its exchanges", "DELETE its session", "close its sockets");
    assertThat(report.failures()).isEmpty();
    assertThat(report.kept()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"2025-11-25, true", "2025-06-18, true", "2025-03-26, false", "2024-11-05, false"})
  void theRevisionIsNamedInEachRequestSince20250618(String revision, boolean named)
      throws Exception {
    McpClient client = open(new HttpFault.Speaks(revision));
    assertThat(client.server().protocolVersion()).isEqualTo(revision);
    assertThat(echo(client)).contains("hi");
    close(client);
    assertThat(server.requests().getFirst().header("mcp-protocol-version")).isEmpty();
    assertThat(server.requests().stream().skip(1))
        .extracting(r -> r.header("mcp-protocol-version"))
        .containsOnly(named ? Optional.of(revision) : Optional.empty());
  }

  @Test
  void theSessionsIdGoesWithEachRequestButTheFirst() throws Exception {
    McpClient client = open(new HttpFault.SessionId("a~!b"));
    echo(client);
    close(client);
    assertThat(server.requests().getFirst().header("mcp-session-id")).isEmpty();
    assertThat(server.requests().stream().skip(1))
        .extracting(r -> r.header("mcp-session-id"))
        .containsOnly(Optional.of("a~!b"));
  }

  @Test
  void aServerWithoutSessionsGetsNoDelete() throws Exception {
    McpClient client = open(new HttpFault.SessionId(""), on("GET", new Act.Status(405)));
    assertThat(echo(client)).contains("hi");
    client.close();
    server.awaitNoConnections(PATIENCE);
    assertThat(server.violations()).isEmpty();
    assertThat(methods()).doesNotContain("DELETE");
    assertThat(server.requests()).allMatch(r -> r.header("mcp-session-id").isEmpty());
  }

  @ParameterizedTest
  @ValueSource(strings = {"with blank", "\u00e4\u00f6", "tab\there"})
  void aSessionIdThatNoHeaderCanHoldIsRefused(String id) {
    assertThatThrownBy(() -> open(new HttpFault.SessionId(id)))
        .isInstanceOf(ProtocolViolationException.class)
        .hasMessageContaining("visible ASCII");
    server.awaitNoConnections(PATIENCE);
  }

  @ParameterizedTest
  @ValueSource(ints = {405, 404, 400, 401, 403, 500, 200})
  void aServerWithoutStreamIsAServerAllTheSame(int status) throws Exception {
    McpClient client = open(on("GET", new Act.Status(status)));
    assertThat(echo(client)).contains("hi");
    assertThat(connection.state()).isInstanceOf(ConnectionState.Connected.class);
    close(client);
    assertThat(server.requests("tools/call")).hasSize(1);
  }

  @Test
  void callsDoNotWaitForAStreamThatIsSilentAboutItself() throws Exception {
    McpClient client = open(on("GET", new Act.Held("never", false)));
    assertThat(echo(client)).contains("hi");
    close(client);
  }

  @Test
  void requestsCarryTheUsersHeadersAndNoEncodingIsAskedFor() throws Exception {
    server = ScriptedHttpServer.with();
    McpClient client =
        connect(
            ServerSpec.http(server.url()).withHeaders(Map.of("Authorization", "Bearer x")),
            OPTIONS);
    close(client);
    assertThat(server.requests())
        .hasSizeGreaterThan(4)
        .allMatch(r -> r.header("authorization").equals(Optional.of("Bearer x")))
        .allMatch(r -> r.header("accept-encoding").isEmpty())
        .allMatch(r -> r.header("upgrade").isEmpty());
  }

  // What the server asks and tells.

  @ParameterizedTest
  @ValueSource(strings = {"call", "stream"})
  void theServerMayAskOnEitherStream(String on) throws Exception {
    McpClient client = open();
    assertThat(client.callTool("ask", Map.of("message", PING, "on", on)).json().toString())
        .contains("p-1");
    close(client);
  }

  @Test
  void whatIsToldOnTheStreamReachesTheListener() throws Exception {
    McpClient client = open();
    server.push(log(1));
    assertThat(events.poll(5, TimeUnit.SECONDS)).isInstanceOf(ServerEvent.LogMessage.class);
    close(client);
  }

  @Test
  void anAnswerThatComesOnTheWrongStreamIsAnAnswerAndItsExchangeIsOver() throws Exception {
    McpClient client = open(on("tools/call", new Act.NoAnswer(End.OPEN)).once());
    try (var callers = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<String> call = callers.submit(() -> echo(client));
      server.awaitRequest("tools/call", 1);
      server.push("{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{\"content\":[]}}");
      assertThat(call.get()).contains("content");
      server.awaitExchanges(1); // the stream of GET
    }
    close(client);
  }

  @Test
  void progressComesOnTheStreamOfItsCall() throws Exception {
    McpClient client = open();
    var heard = new LinkedBlockingQueue<Progress>();
    client
        .with(CallOptions.defaults().withProgress(heard::add))
        .callTool("progress", Map.of("count", 3));
    assertThat(heard).isNotEmpty();
    close(client);
  }

  // Streams that end.

  /// "If the field value is empty, the last event ID buffer is set to the empty string."
  @Test
  void aStreamWhoseLastIdIsTakenBackIsOpenedAnew() throws Exception {
    McpClient client =
        open(
            on("GET", new Act.Raw(stream("id: 7\ndata:\n\n"), End.CLOSE)).once(),
            on("GET", new Act.Raw(stream(": nothing\n\n"), End.CLOSE)).once(),
            on("GET", new Act.Raw(stream("id:\ndata:\n\n"), End.CLOSE)).once());
    server.awaitRequest("GET", 4);
    assertThat(server.requests("GET"))
        .extracting(request -> request.header("last-event-id").orElse("none"))
        .containsExactly("none", "7", "7", "none");
    close(client);
  }

  /// As a server does that says again what was on its other streams too.
  @Test
  void whatComesAgainOnAContinuedStreamIsNotTakenTwice() throws Exception {
    String first = "id: 1\ndata: " + PING + "\n\n";
    String second = "id: 1\ndata: " + PING.with("id", "p-2") + "\n\n"; // of another stream's 1
    String third = "data: " + PING.with("id", "p-3") + "\n\n";
    McpClient client =
        open(
            on("GET", new Act.Raw(stream(first), End.CLOSE)).once(),
            on("GET", new Act.Raw(stream(first + second + third + third), End.CLOSE)).once());
    server.awaitRequest("GET", 3);
    server.awaitRequest("response", 4);
    assertThat(echo(client)).contains("hi");
    client.close(); // the server knows nothing of what it was made to say
    assertThat(server.requests("response"))
        .extracting(request -> request.body().replaceAll(".*\"(p-\\d)\".*", "$1"))
        .containsExactlyInAnyOrder("p-1", "p-2", "p-3", "p-3");
  }

  private static String stream(String events) {
    return EMPTY_STREAM.replace("Length: 0", "Length: " + events.length()) + events;
  }

  @Test
  void aStreamThatIsCutIsContinuedAfterItsLastEvent() throws Exception {
    McpClient client = open(on("GET", new Act.Stops(1, 0, true, End.CLOSE)).once());
    server.awaitStreams(1);
    for (int i = 1; i <= 3; i++) {
      server.push(log(i));
    }
    for (int i = 1; i <= 3; i++) {
      assertThat(events.poll(5, TimeUnit.SECONDS))
          .isInstanceOfSatisfying(
              ServerEvent.LogMessage.class, log -> assertThat(log.data().toString()).isNotEmpty());
    }
    HttpWire.Request again = server.awaitRequest("GET", 2);
    assertThat(again.header("last-event-id")).isPresent();
    assertThat(connection.state()).isInstanceOf(ConnectionState.Connected.class);
    close(client);
  }

  @Test
  void aStreamThatAnIdleProxyCutsIsOpenedAgainAndTheServerIsNotThoughtAway() throws Exception {
    McpClient client = open();
    for (int i = 1; i <= 8; i++) { // more often than the attempts that there are in a row
      server.awaitStreams(1);
      server.push(log(i));
      assertThat(events.poll(5, TimeUnit.SECONDS)).isNotNull();
      server.endStreams(End.CLOSE);
      server.awaitRequest("GET", i + 1);
    }
    server.awaitStreams(1);
    assertThat(connection.state()).isInstanceOf(ConnectionState.Connected.class);
    assertThat(echo(client)).contains("hi");
    close(client);
  }

  @Test
  void aStreamThatEndsAtOnceEachTimeIsGivenUpAndTheConnectionGoesOn() throws Exception {
    McpClient client = open(on("GET", new Act.Raw(EMPTY_STREAM, End.CLEAN)));
    server.awaitRequest("GET", 1 + SOON.attempts());
    assertThat(echo(client)).contains("hi");
    assertThat(connection.state()).isInstanceOf(ConnectionState.Connected.class);
    close(client);
    assertThat(server.requests("GET")).hasSize(1 + SOON.attempts());
  }

  @Test
  void aStreamThatTheServerThinksToBeOpenYetIsOpenedALittleLater() throws Exception {
    McpClient client = open(on("GET", new Act.Status(409)).after(1).times(2));
    server.awaitStreams(1);
    server.endStreams(End.CLOSE);
    server.awaitRequest("GET", 4);
    server.awaitStreams(1);
    server.push(log(1));
    assertThat(events.poll(5, TimeUnit.SECONDS)).isInstanceOf(ServerEvent.LogMessage.class);
    assertThat(states).noneMatch(ConnectionState.Degraded.class::isInstance);
    close(client);
  }

  @Test
  void theServerSaysHowLongToWait() throws Exception {
    McpClient client = open(new HttpFault.Retry(400));
    server.awaitStreams(1);
    server.push("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/none\"}");
    server.endStreams(End.CLOSE);
    HttpWire.Request first = server.awaitRequest("GET", 1);
    HttpWire.Request second = server.awaitRequest("GET", 2);
    assertThat(second.since(first)).isGreaterThan(Duration.ofMillis(400));
    close(client);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void anAnswerThatIsPolledForArrives(int rounds) throws Exception {
    McpClient client = open(on("tools/call", new Act.Polls(rounds, 120)).once());
    assertThat(echo(client)).contains("hi");
    List<HttpWire.Request> polls =
        server.requests("GET").stream().filter(r -> r.header("last-event-id").isPresent()).toList();
    assertThat(polls).hasSize(rounds);
    assertThat(polls.getFirst().since(server.requests("tools/call").getFirst()))
        .isGreaterThan(Duration.ofMillis(120));
    close(client);
  }

  @Test
  void anAnswerThatNobodyCanContinueIsGivenUpBeforeTheStream() throws Exception {
    var patient =
        OPTIONS.withReconnect(
            new ReconnectBudget(Duration.ofMillis(20), Duration.ofMillis(50), 1_000));
    McpClient client =
        open(
            patient,
            on("tools/call", new Act.Polls(9, 10)).once(),
            on("GET", new Act.Status(502)).after(1).times(3));
    assertThatThrownBy(() -> echo(client))
        .isInstanceOf(ExchangeFailedException.class)
        .hasMessageContaining("cannot be continued");
    assertThat(echo(client)).contains("hi");
    close(client);
  }

  @Test
  void aPollThatTakesTooLongEndsWithItsCall() throws Exception {
    McpClient client = open(on("tools/call", new Act.Polls(1_000_000, 100)).once());
    var brief = CallOptions.defaults().withTimeout(Duration.ofMillis(400));
    assertThatThrownBy(() -> client.with(brief).callTool("echo", Map.of("text", "hi")))
        .isInstanceOf(CallTimeoutException.class);
    server.awaitRequest("notifications/cancelled", 1);
    server.awaitExchanges(1);
    close(client);
  }

  @Test
  void anAnswerThatIsPolledForIsGivenUpAtOnceWhenTheServerIsGone() throws Exception {
    var patient = new ReconnectBudget(Duration.ofMillis(50), Duration.ofSeconds(30), 50);
    McpClient client =
        open(OPTIONS.withReconnect(patient), on("tools/call", new Act.Polls(1_000_000, 100)));
    try (var callers = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<String> call = callers.submit(() -> echo(client));
      server.awaitRequest("GET", 2);
      server.stop();
      assertThatThrownBy(() -> call.get(6, TimeUnit.SECONDS))
          .cause()
          .isInstanceOfSatisfying(
              ExchangeFailedException.class, e -> assertThat(e.mayHaveRun()).isTrue());
    }
    client.close();
  }

  // Sessions that are lost.

  @Test
  void aSessionThatIsForgottenIsBegunAnewAndTheCallIsDone() throws Exception {
    McpClient client = open();
    client.setLogLevel(LogLevel.WARNING);
    client.subscribe("file:///a");
    client.subscribe("file:///b");
    client.unsubscribe("file:///a");
    server.forgetSessions();
    assertThat(echo(client)).contains("hi");
    assertThat(server.requests("initialize")).hasSize(2);
    assertThat(server.requests("logging/setLevel")).hasSize(2);
    assertThat(server.requests("resources/subscribe"))
        .extracting(r -> r.body().replaceAll(".*\"uri\":\"([^\"]*)\".*", "$1"))
        .containsExactly("file:///a", "file:///b", "file:///b");
    assertThat(server.requests("tools/call")).hasSize(2);
    assertThat(server.sessions()).hasSize(1);
    server.awaitStreams(1); // that of the session before has ended
    assertThat(events.poll(5, TimeUnit.SECONDS)).isInstanceOf(ServerEvent.ListChanged.class);
    close(client);
  }

  @ParameterizedTest
  @ValueSource(strings = {"null", "4"}) // the call is the fourth request, after a list of two pages
  void aServerThatSaysBadRequestOfASessionHasForgottenItToo(String id) throws Exception {
    String error =
        "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32000,"
            + "\"message\":\"Bad Request: No valid session ID provided\"}}";
    McpClient client =
        open(
            on("tools/call", new Act.Status(400, "application/json", error.formatted(id)))
                .times(1));
    assertThat(echo(client)).contains("hi");
    assertThat(server.requests("initialize")).hasSize(2);
    client.close();
  }

  @Test
  void anErrorWithTheRequestsIdIsItsAnswerWhateverTheStatus() throws Exception {
    String error =
        "{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"code\":-32602,\"message\":\"wrong\"}}";
    McpClient client =
        open(on("tools/call", new Act.Status(400, "application/json", error)).times(1));
    assertThatThrownBy(() -> echo(client))
        .isInstanceOfSatisfying(
            RemoteErrorException.class, e -> assertThat(e.code()).isEqualTo(-32602));
    close(client);
  }

  @Test
  void callsThatFindTheSessionForgottenTogetherBeginOneOnly() throws Exception {
    McpClient client = open();
    server.forgetSessions();
    try (var callers = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<String>> calls =
          java.util.stream.IntStream.range(0, 20)
              .mapToObj(_ -> callers.submit(() -> echo(client)))
              .toList();
      for (Future<String> call : calls) {
        assertThat(call.get()).contains("hi");
      }
    }
    assertThat(server.requests("initialize")).hasSize(2);
    close(client);
  }

  @Test
  void aCallWhoseSessionIsForgottenTwiceFails() throws Exception {
    McpClient client = open(on("tools/call", Act.Quirk.FORGETS_SESSIONS));
    assertThatThrownBy(() -> echo(client))
        .isInstanceOf(ExchangeFailedException.class)
        .hasMessageContaining("forgotten the session, and the one after it");
    assertThat(server.requests("tools/call")).hasSize(2);
    assertThat(server.requests("initialize").size()).isLessThanOrEqualTo(3);
    client.close();
  }

  @Test
  void aSessionIsBegunAnewThoughTheStreamOfItsAnswerStaysOpen() throws Exception {
    McpClient client = open(on("initialize", new Act.Sse("data: %s\n\n", 0, End.OPEN)).after(1));
    server.forgetSessions();
    var brief = CallOptions.defaults().withTimeout(Duration.ofSeconds(5));
    assertThat(echo(client.with(brief))).contains("hi");
    close(client);
  }

  @Test
  void aSessionThatIsForgottenInTheMiddleOfTheHandshakeIsBegunAnewOnce() throws Exception {
    McpClient client = open(on("notifications/initialized", Act.Quirk.FORGETS_SESSIONS).once());
    assertThat(echo(client)).contains("hi");
    close(client);
    assertThat(methods())
        .startsWith(
            "initialize",
            "notifications/initialized",
            "initialize",
            "notifications/initialized",
            "GET",
            "tools/list")
        .filteredOn("GET"::equals)
        .hasSize(1);
  }

  @Test
  void aHandshakeThatIsSentAgainBelongsToNoSessionAndLeavesNone() throws Exception {
    McpClient client = open(on("initialize", new Act.CutShort(10, End.CLOSE)).once());
    assertThat(echo(client)).contains("hi");
    close(client);
    assertThat(server.requests("initialize"))
        .hasSize(2)
        .allMatch(r -> r.header("mcp-session-id").isEmpty());
  }

  @Test
  void anAnswerOfASessionThatIsOverIsPolledForInThatSession() throws Exception {
    String poll = "id: x/1\nretry: 100\ndata: \n\n";
    String answer =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: "
            + poll.length()
            + "\r\n\r\n"
            + poll;
    McpClient client =
        open(
            on("tools/call", new Act.Held("until renewed", false)).once(),
            on("tools/call", new Act.Raw(answer, End.CLEAN)).once());
    try (var callers = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<String> call = callers.submit(() -> echo(client));
      HttpWire.Request posted = server.awaitRequest("tools/call", 1);
      server.forgetSessions();
      client.ping();
      server.release("until renewed");
      HttpWire.Request polled =
          server.awaitRequest(r -> r.header("last-event-id").isPresent(), Duration.ofSeconds(5));
      assertThat(polled.header("mcp-session-id")).isEqualTo(posted.header("mcp-session-id"));
      assertThatThrownBy(call::get).hasCauseInstanceOf(ExchangeFailedException.class);
    }
    client.close();
  }

  @Test
  void aServerMaySayWhichRequestHasFoundTheSessionForgotten() throws Exception {
    String error =
        """
        {"jsonrpc":"2.0","id":4,"error":{"code":-32001,"message":"Session not found"}}\
        """;
    McpClient client =
        open(on("tools/call", new Act.Status(404, "application/json", error)).once());
    server.forgetSessions();
    assertThat(echo(client)).contains("hi");
    assertThat(server.requests("initialize")).hasSize(2);
    close(client);
  }

  @Test
  void whatASessionHasAskedIsNotAnsweredInTheOneAfterIt() throws Exception {
    var asked = new CountDownLatch(1);
    var interrupted = new CountDownLatch(1);
    var features =
        ClientFeatures.none()
            .withRoots(() -> {
              asked.countDown();
              try {
                new CountDownLatch(1).await();
              } catch (InterruptedException e) {
                interrupted.countDown();
              }
              return List.of();
            });
    McpClient client = open(OPTIONS.withFeatures(features));
    server.push(
        JsonObject.of("jsonrpc", "2.0", "id", 0, "method", "roots/list", "params", JsonObject.EMPTY)
            .toString());
    asked.await();
    server.forgetSessions();
    assertThat(echo(client)).contains("hi");
    interrupted.await();
    assertThat(echo(client)).contains("hi");
    close(client);
    assertThat(server.requests("response")).isEmpty();
  }

  @Test
  void aCallThatIsGivenUpWhileItIsHeldBackIsNeverSentAndNotCancelledEither() throws Exception {
    McpClient client = open(on("initialize", new Act.Held("until given up", false)).after(1));
    server.forgetSessions();
    var brief = CallOptions.defaults().withTimeout(Duration.ofMillis(300));
    assertThatThrownBy(() -> echo(client.with(brief))).isInstanceOf(CallTimeoutException.class);
    server.release("until given up");
    assertThat(echo(client)).contains("hi");
    close(client);
    assertThat(server.requests("tools/call")).as("refused, and another one").hasSize(2);
    assertThat(server.requests("notifications/cancelled")).isEmpty();
  }

  @Test
  void aSessionThatCannotBeBegunAnewIsLost() throws Exception {
    McpClient client = open(on("initialize", new Act.Status(500)).after(1));
    server.forgetSessions();
    assertThatThrownBy(() -> echo(client))
        .isInstanceOf(ConnectionLostException.class)
        .hasMessageContaining(
            "a new one cannot be begun: initialize: the server answered HTTP 500");
    awaitState(ConnectionState.Failed.class);
    server.awaitNoConnections(PATIENCE);
  }

  @Test
  void aServerThatComesBackAsAnotherIsFoundByTheStreamAndTheSessionIsBegunAnew() throws Exception {
    McpClient client = open();
    server.awaitStreams(1);
    server.stop();
    ConnectionState.Degraded degraded = awaitState(ConnectionState.Degraded.class);
    assertThat(degraded.problem()).contains("cannot be connected to");
    assertThatThrownBy(() -> echo(client))
        .isInstanceOfSatisfying(
            ExchangeFailedException.class, e -> assertThat(e.mayHaveRun()).isFalse());
    server.startAgain();
    awaitState(ConnectionState.Connected.class);
    server.awaitSessions(1, Duration.ofSeconds(5));
    assertThat(echo(client)).contains("hi");
    close(client);
  }

  @Test
  void aProxyThatFindsNoServerShowsThatItIsAway() throws Exception {
    McpClient client = open(on("GET", new Act.Status(503)).after(1).times(2));
    server.awaitStreams(1);
    server.endStreams(End.CLOSE);
    assertThat(awaitState(ConnectionState.Degraded.class).problem()).contains("HTTP 503");
    awaitState(ConnectionState.Connected.class);
    close(client);
  }

  @Test
  void aServerThatGoesAndComesBackIsALineOfTheLogEach() throws Exception {
    try (var logged = Logged.under("dev.mcpscope.client")) {
      McpClient client = open();
      server.awaitStreams(1);
      server.stop();
      awaitState(ConnectionState.Degraded.class);
      for (int i = 0; i < 5; i++) { // news of the same is none
        assertThatThrownBy(() -> echo(client)).isInstanceOf(ExchangeFailedException.class);
      }
      server.startAgain();
      awaitState(ConnectionState.Connected.class);
      close(client);
      assertThat(logged.texts())
          .hasSize(2)
          .satisfiesExactly(
              line -> assertThat(line).contains("cannot be connected to"),
              line -> assertThat(line).contains("there again"));
    }
  }

  @Test
  void aServerThatStaysAwayIsLost() throws Exception {
    McpClient client = open();
    server.awaitStreams(1);
    server.stop();
    ConnectionState.Failed failed = awaitState(ConnectionState.Failed.class);
    assertThat(failed.cause())
        .isInstanceOf(ConnectionLostException.class)
        .hasMessageContaining("stays away");
    assertThat(client.closeAndReport().nothingLeft()).isTrue();
  }

  // Authorization.

  @Test
  void anAuthorizationThatIsNotAcceptedAnyMoreIsAStateAndGoesWhenItIsAgain() throws Exception {
    McpClient client =
        open(
            on("tools/call", new Act.Status(401, Map.of("WWW-Authenticate", "Bearer a"), ""))
                .times(1));
    assertThatThrownBy(() -> echo(client)).isInstanceOf(AuthorizationRequiredException.class);
    assertThat(awaitState(ConnectionState.NeedsAuthorization.class).problem().challenges())
        .containsExactly("Bearer a");
    assertThat(echo(client)).contains("hi");
    awaitState(ConnectionState.Connected.class);
    close(client);
  }

  // Sockets that were spoiled.

  @Test
  void whatIsSafeIsSentAgainOnceWhenItsSocketWasClosed() throws Exception {
    McpClient client = open(on("tools/list", new Act.NoAnswer(End.CLOSE)).after(2).times(1));
    assertThat(client.tools()).isNotEmpty();
    assertThat(server.requests("tools/list").stream().filter(r -> !r.body().contains("cursor")))
        .as("at the connect, in vain, and again")
        .hasSize(3);
    close(client);
  }

  @Test
  void aCallOfAToolIsNotSentAgainAndSaysThatItMayHaveRun() throws Exception {
    McpClient client = open(on("tools/call", new Act.NoAnswer(End.CLOSE)).times(1));
    assertThatThrownBy(() -> echo(client))
        .isInstanceOfSatisfying(
            ExchangeFailedException.class, e -> assertThat(e.mayHaveRun()).isTrue())
        .hasMessageContaining("it may have run");
    assertThat(server.requests("tools/call")).hasSize(1);
    close(client);
  }

  @ParameterizedTest
  @CsvSource({
    "readOnlyHint, true, 2",
    "idempotentHint, true, 2",
    "readOnlyHint, false, 1",
    "idempotentHint, false, 1",
    "destructiveHint, true, 1"
  })
  void aToolIsCalledAgainOnceIfTheServerSaysThatThisDoesNoHarm(
      String hint, boolean value, int times) throws Exception {
    JsonObject tool =
        JsonObject.of(
            "name",
            "echo",
            "inputSchema",
            JsonObject.of("type", "object"),
            "annotations",
            JsonObject.of(hint, value));
    JsonObject list =
        JsonObject.of("jsonrpc", "2.0", "id", 2, "result", JsonObject.of("tools", List.of(tool)));
    McpClient client =
        open(
            on("tools/list", new Act.Status(200, "application/json", list.toString())),
            on("tools/call", new Act.NoAnswer(End.CLOSE)));
    assertThatThrownBy(() -> echo(client)).isInstanceOf(ExchangeFailedException.class);
    assertThat(server.requests("tools/call")).hasSize(times);
    close(client);
  }

  @Test
  void aNotificationIsSentAgainOnce() throws Exception {
    McpClient client = open(on("notifications/initialized", new Act.NoAnswer(End.CLOSE)).times(1));
    assertThat(server.requests("notifications/initialized")).hasSize(2);
    close(client);
  }

  // Closing.

  @ParameterizedTest
  @ValueSource(ints = {404, 405, 200, 204})
  void aServerMayDeclineToEndASession(int status) throws Exception {
    McpClient client = open(on("DELETE", new Act.Status(status)));
    CloseReport report = client.closeAndReport();
    assertThat(report.failures()).isEmpty();
    if (status == 405) {
      assertThat(report.kept())
          .containsExactly("its session: the server answered HTTP 405 to the DELETE");
    } else {
      assertThat(report.kept()).isEmpty();
    }
    server.awaitNoConnections(PATIENCE);
  }

  @Test
  void aDeleteThatFailsIsReportedAndIsNoReasonNotToClose() throws Exception {
    McpClient client = open(on("DELETE", new Act.Status(500)));
    CloseReport report = client.closeAndReport();
    assertThat(report.kept())
        .containsExactly("its session: the server answered HTTP 500 to the DELETE");
    assertThat(report.failures()).isEmpty();
    server.awaitNoConnections(PATIENCE);
  }

  @Test
  void aDeleteThatReachesNobodyIsReportedInWords() throws Exception {
    var patient = new ReconnectBudget(Duration.ofSeconds(20), Duration.ofSeconds(20), 1);
    McpClient client = open(OPTIONS.withReconnect(patient));
    server.stop();
    CloseReport report = client.closeAndReport();
    assertThat(report.kept())
        .singleElement()
        .asString()
        .matches("its session: the DELETE failed: 127\\.0\\.0\\.1:\\d+ cannot be connected to");
    assertThat(report.failures()).isEmpty();
  }

  @Test
  void aDeleteThatHangsIsBoundedAndReported() throws Exception {
    var budget =
        new CloseBudget(
            Duration.ofMillis(200), Duration.ofMillis(300), Duration.ZERO, Duration.ZERO);
    McpClient client = open(OPTIONS.withClose(budget), on("DELETE", new Act.NoAnswer(End.OPEN)));
    CloseReport report = client.closeAndReport();
    assertThat(report.kept())
        .containsExactly("its session: the DELETE was not answered within 300 ms");
    assertThat(report.failures()).isEmpty();
    assertThat(report.took()).isLessThan(Duration.ofSeconds(3));
    server.awaitNoConnections(PATIENCE);
  }

  @Test
  void callsThatWaitFailAtOnceWhenTheConnectionIsClosed() throws Exception {
    McpClient client = open();
    try (var callers = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<ToolResult> call = callers.submit(() -> client.callTool("never", Map.of()));
      server.awaitRequest("tools/call", 1);
      CloseReport report = close(client);
      assertThat(report.callsFailed()).isEqualTo(1);
      assertThatThrownBy(call::get).hasCauseInstanceOf(ConnectionClosedException.class);
    }
  }

  @Test
  void whatIsOnTheWireHasEndedWhenTheSessionIsDeleted() throws Exception {
    McpClient client = open(on("DELETE", new Act.Held("deleted", false)));
    try (var callers = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<ToolResult> call = callers.submit(() -> client.callTool("never", Map.of()));
      server.awaitRequest("tools/call", 1);
      server.awaitExchanges(2); // and the stream
      Future<CloseReport> close = callers.submit(client::closeAndReport);
      server.awaitRequest("DELETE", 1);
      server.awaitExchanges(1);
      server.release("deleted");
      assertThat(close.get().kept()).isEmpty(); // it was answered in time, not given up
      assertThatThrownBy(call::get).hasCauseInstanceOf(ConnectionClosedException.class);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"initialize", "notifications/initialized", "GET", "tools/list"})
  void aConnectThatHangsCanBeStoppedAtEachStep(String step) throws Exception {
    server = ScriptedHttpServer.with(on(step, new Act.Held("never", false)));
    try (var callers = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<McpClient> connecting =
          callers.submit(() -> connect(ServerSpec.http(server.url()), OPTIONS));
      server.awaitRequest(step, 1);
      connection.stop(CloseReason.DISCONNECTED);
      assertThat(connection.awaitClosed().took()).isLessThan(PATIENCE);
      assertThatThrownBy(connecting::get).hasCauseInstanceOf(ConnectionClosedException.class);
    }
    server.awaitNoExchanges(PATIENCE);
    server.awaitNoConnections(PATIENCE);
  }

  @Test
  void anInterruptedCallerHarmsNobodyElse() throws Exception {
    McpClient client = open();
    var entered = new CountDownLatch(1);
    Thread caller =
        Thread.ofVirtual()
            .start(() -> {
              entered.countDown();
              try {
                client.callTool("never", Map.of());
              } catch (Exception _) {
                // interrupted
              }
            });
    server.awaitRequest("tools/call", 1);
    caller.interrupt();
    caller.join();
    server.awaitRequest("notifications/cancelled", 1);
    server.awaitExchanges(1); // the stream of GET
    assertThat(echo(client)).contains("hi");
    close(client);
  }

  @Test
  void aServerThatIsNotThereFailsTheConnectAtOnce() throws Exception {
    server = ScriptedHttpServer.with();
    String url = server.url();
    server.stop();
    assertThatThrownBy(() -> McpClient.open(ServerSpec.http(url), OPTIONS))
        .isInstanceOf(ExchangeFailedException.class)
        .hasMessageContaining("cannot be connected to");
  }

  @Test
  void aServerWithoutTlsFailsTheConnectAtOnce() {
    server = ScriptedHttpServer.with();
    String url = server.url().replace("http://", "https://");
    assertThatThrownBy(() -> McpClient.open(ServerSpec.http(url), OPTIONS))
        .isInstanceOf(ExchangeFailedException.class);
  }

  @Test
  void aCertificateThatNobodyVouchesForFailsTheConnectAtOnce(@TempDir Path directory)
      throws Exception {
    Path keys = directory.resolve("keys");
    int made =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-keyalg",
                "EC",
                "-dname",
                "CN=localhost",
                "-storepass",
                "password",
                "-keystore",
                keys.toString())
            .redirectErrorStream(true)
            .redirectOutput(directory.resolve("out").toFile())
            .start()
            .waitFor();
    assertThat(made).isZero();
    var store = KeyStore.getInstance(keys.toFile(), "password".toCharArray());
    var factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    factory.init(store, "password".toCharArray());
    SSLContext tls = SSLContext.getInstance("TLS");
    tls.init(factory.getKeyManagers(), null, null);
    try (var listening = tls.getServerSocketFactory().createServerSocket(0)) {
      Thread server =
          Thread.ofPlatform()
              .start(() -> {
                try (var socket = listening.accept()) {
                  socket.getInputStream().read();
                } catch (IOException _) {
                  // the client does not like the certificate
                }
              });
      String url = "https://localhost:" + listening.getLocalPort() + "/mcp";
      assertThatThrownBy(() -> McpClient.open(ServerSpec.http(url), OPTIONS))
          .isInstanceOfSatisfying(
              ExchangeFailedException.class, e -> assertThat(e.mayHaveRun()).isFalse())
          .hasMessageContaining("fails in the TLS handshake");
      server.join();
    }
  }

  // The older way.

  @ParameterizedTest
  @ValueSource(ints = {400, 404, 405})
  void aServerOfTheOlderWayIsSpokenToInItsWay(int status) throws Exception {
    McpClient client = open(new HttpFault.Legacy(status, new HttpFault.Legacy().endpoints()));
    assertThat(echo(client)).contains("hi");
    assertThat(client.callTool("ask", Map.of("message", PING)).json().toString()).contains("p-1");
    close(client);
    assertThat(methods()).doesNotContain("DELETE");
  }

  @Test
  void aServerCanBeSpokenToInTheOlderWayOnly() throws Exception {
    server = ScriptedHttpServer.with(new HttpFault.Legacy());
    McpClient client = connect(ServerSpec.sse(server.url()), OPTIONS);
    assertThat(echo(client)).contains("hi");
    close(client);
    assertThat(methods().getFirst()).isEqualTo("GET");
  }

  @Test
  void theEndOfTheOlderWaysStreamIsTheEndOfTheConnection() throws Exception {
    McpClient client = open(new HttpFault.Legacy());
    server.endStreams(End.CLOSE);
    assertThat(awaitState(ConnectionState.Failed.class).cause())
        .isInstanceOf(ConnectionLostException.class);
    client.close();
  }

  @Test
  void anEndpointThatTakesNoMessagesIsNotTriedForEver() throws Exception {
    assertThatThrownBy(() -> open(new HttpFault.Legacy(405, List.of("/mcp"))))
        .isInstanceOf(ExchangeFailedException.class)
        .hasMessageContaining("HTTP 405");
    assertThat(methods()).containsExactly("initialize", "GET", "initialize");
    server.awaitNoConnections(PATIENCE);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "http://127.0.0.1:1/messages",
        "https://example.com/messages",
        "//example.com/messages",
        "javascript:alert(1)",
        "http://user@127.0.0.1/messages",
        "::not a url::"
      })
  void anEndpointOfAnotherServerIsRefused(String endpoint) {
    assertThatThrownBy(() -> open(new HttpFault.Legacy(405, List.of(endpoint))))
        .isInstanceOf(McpException.class);
    assertThatThrownBy(
            () -> {
              server.close();
              server = ScriptedHttpServer.with(new HttpFault.Legacy(405, List.of(endpoint)));
              connect(ServerSpec.sse(server.url()), OPTIONS);
            })
        .isInstanceOf(ProtocolViolationException.class)
        .hasMessageContaining("endpoint that is not its own");
    assertThat(server.requests("initialize")).isEmpty();
  }
}
