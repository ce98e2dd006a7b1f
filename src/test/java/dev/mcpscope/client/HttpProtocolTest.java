package dev.mcpscope.client;

import static dev.mcpscope.HttpFault.on;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.HttpFault;
import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.End;
import dev.mcpscope.HttpWire.Request;
import dev.mcpscope.NothingLeft;
import dev.mcpscope.ScriptedHttpServer;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.transport.ReconnectBudget;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Rules of the transport over HTTP, each as the server sees it obeyed.
@Timeout(value = 30, threadMode = ThreadMode.SEPARATE_THREAD)
class HttpProtocolTest {

  /// For what ends in a moment, on a busy machine too; what does not end stays for ever.
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  private static final ClientOptions OPTIONS =
      ClientOptions.defaults()
          .withEra(EraChoice.LEGACY)
          .withReconnect(new ReconnectBudget(Duration.ofMillis(50), Duration.ofMillis(100), 4));

  /// The id of the first call after a connect: `initialize` and two pages of tools come before it.
  private static final String ERROR_FOR_THE_CALL =
      "{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"code\":-32011,\"message\":\"told\"}}";

  private static final String EMPTY_STREAM =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 0\r\n\r\n";

  private static final JsonObject PING =
      JsonObject.of("jsonrpc", "2.0", "id", "p-1", "method", "ping");

  private final NothingLeft nothingLeft = NothingLeft.check();
  private ScriptedHttpServer server;

  @AfterEach
  void nothingIsLeft() {
    if (server != null) {
      server.close();
    }
    nothingLeft.close();
  }

  private McpClient open(HttpFault... faults) throws Exception {
    server = ScriptedHttpServer.with(faults);
    return McpClient.open(ServerSpec.http(server.url()), OPTIONS);
  }

  private void close(McpClient client) {
    assertThat(client.closeAndReport().failures()).isEmpty();
    server.awaitNoStreams(PATIENCE);
    server.awaitNoExchanges(PATIENCE);
    server.awaitSessions(0, PATIENCE);
    server.awaitNoConnections(PATIENCE);
    assertThat(server.violations()).isEmpty();
  }

  private static String echo(McpClient client) throws Exception {
    return client.callTool("echo", Map.of("text", "hi")).json().toString();
  }

  private static Act.Status json(int status, String body) {
    return new Act.Status(status, "application/json", body);
  }

  // What a request looks like.

  @Test
  void eachMessageIsAPostOfItsOwnThatTakesBothKindsOfAnswer() throws Exception {
    McpClient client = open();
    assertThat(client.callTool("ask", Map.of("message", PING)).json().toString()).contains("p-1");
    close(client);
    List<Request> posts = server.requests("POST");
    assertThat(posts)
        .extracting(Request::rpcMethod)
        .contains("initialize", "notifications/initialized", "tools/call", "response");
    assertThat(posts)
        .allMatch(r -> r.message() instanceof JsonObject)
        .allMatch(r -> r.header("Content-Type").equals(Optional.of("application/json")))
        .extracting(r -> r.header("Accept"))
        .containsOnly(Optional.of("application/json, text/event-stream"));
    assertThat(server.requests("GET"))
        .extracting(r -> r.header("Accept"))
        .containsOnly(Optional.of("text/event-stream"));
  }

  @ParameterizedTest
  @ValueSource(ints = {200, 202, 204, 400, 500})
  void whatIsNoRequestIsToldAndItsAnswerIsNotNeeded(int status) throws Exception {
    String body = status == 204 ? "" : ERROR_FOR_THE_CALL;
    McpClient client =
        open(
            on("notifications/initialized", json(status, body)),
            on("response", json(status, body)));
    server.awaitStreams(1);
    server.push(PING.toString());
    server.awaitRequest("response", 1);
    assertThat(echo(client)).contains("hi");
    close(client);
    assertThat(server.requests("notifications/initialized")).hasSize(1);
    assertThat(server.requests("response")).hasSize(1);
  }

  @Test
  void whereThereIsNoStreamItIsAskedForOnce() throws Exception {
    McpClient client =
        open(on("GET", new Act.Status(405)).once(), on("tools/call", new Act.Polls(1, 400)).once());
    assertThat(echo(client))
        .contains("hi"); // by a GET of its own, after time for some of the other
    close(client);
    assertThat(server.requests("GET"))
        .extracting(r -> r.header("Last-Event-ID").isPresent())
        .containsExactly(false, true);
  }

  @Test
  void eachCallMayHaveAStreamOfItsOwnAtTheSameTime() throws Exception {
    McpClient client = open(on("tools/call", Act.Quirk.AS_STREAM));
    try (var callers = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<ToolResult> one = callers.submit(() -> client.callTool("never", Map.of()));
      Future<ToolResult> other = callers.submit(() -> client.callTool("never", Map.of()));
      server.awaitStreams(3); // that of GET as well
      assertThat(echo(client)).contains("hi");
      close(client);
      assertThatThrownBy(one::get).hasCauseInstanceOf(ConnectionClosedException.class);
      assertThatThrownBy(other::get).hasCauseInstanceOf(ConnectionClosedException.class);
    }
  }

  @Test
  void anAnswerMayComeInABatch() throws Exception {
    String log =
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"data\":1}}";
    McpClient client = open(on("tools/call", new Act.Sse("data: [" + log + ",%s]\n\n")));
    assertThat(echo(client)).contains("hi");
    close(client);
  }

  // Refusals that hold an error.

  @ParameterizedTest
  @ValueSource(ints = {400, 422, 500})
  void anErrorWithTheRequestsIdIsItsAnswerWhateverTheStatus(int status) throws Exception {
    McpClient client = open(on("tools/call", json(status, ERROR_FOR_THE_CALL)).once());
    assertThatThrownBy(() -> echo(client))
        .isInstanceOfSatisfying(
            RemoteErrorException.class, e -> assertThat(e.code()).isEqualTo(-32011));
    assertThat(echo(client)).contains("hi");
    close(client);
  }

  @ParameterizedTest
  @ValueSource(ints = {401, 403})
  void anAuthorizationIsNeededWhateverErrorComesWithThat(int status) throws Exception {
    McpClient client = open(on("tools/call", json(status, ERROR_FOR_THE_CALL)).once());
    assertThatThrownBy(() -> echo(client))
        .isInstanceOf(AuthorizationRequiredException.class)
        .hasMessageContaining("told");
    close(client);
  }

  @Test
  void aSessionIsForgottenWhateverErrorComesWithThat() throws Exception {
    McpClient client = open(on("tools/call", json(404, ERROR_FOR_THE_CALL)).once());
    assertThat(echo(client)).contains("hi");
    assertThat(server.requests("initialize")).hasSize(2);
    client.close();
  }

  @Test
  void anErrorThatComesWithTheSecond404IsTold() throws Exception {
    McpClient client = open(on("tools/call", json(404, ERROR_FOR_THE_CALL)).times(2));
    assertThatThrownBy(() -> echo(client)).isInstanceOf(RemoteErrorException.class);
    assertThat(server.requests("initialize")).hasSize(2);
    client.close();
  }

  // Sessions that are forgotten.

  @Test
  void anAnswerThatFindsTheSessionForgottenBeginsAnotherAndIsNotSentThere() throws Exception {
    McpClient client = open(on("response", Act.Quirk.FORGETS_SESSIONS).once());
    server.awaitStreams(1);
    server.push(PING.toString());
    server.awaitRequest("initialize", 2);
    assertThat(echo(client)).contains("hi");
    close(client);
    assertThat(server.requests("response")).hasSize(1);
  }

  @Test
  void aCancellationThatFindsTheSessionForgottenBeginsAnotherAndIsNotSentThere() throws Exception {
    McpClient client = open(on("notifications/cancelled", Act.Quirk.FORGETS_SESSIONS).once());
    var brief = CallOptions.defaults().withTimeout(Duration.ofMillis(100));
    assertThatThrownBy(() -> client.with(brief).callTool("never", Map.of()))
        .isInstanceOf(CallTimeoutException.class);
    server.awaitRequest("initialize", 2);
    server.awaitRequest("GET", 2); // the new session is begun
    assertThat(echo(client)).contains("hi");
    assertThat(echo(client)).contains("hi");
    close(client);
    assertThat(server.requests("notifications/cancelled")).hasSize(1);
  }

  @Test
  void aStreamThatFindsTheSessionForgottenBeginsAnother() throws Exception {
    McpClient client =
        open(
            on("tools/call", new Act.Polls(1, 100)).once(),
            on("GET", Act.Quirk.FORGETS_SESSIONS).after(1).once());
    assertThatThrownBy(() -> echo(client))
        .isInstanceOfSatisfying(
            ExchangeFailedException.class, e -> assertThat(e.mayHaveRun()).isTrue());
    server.awaitRequest("initialize", 2);
    assertThat(echo(client)).contains("hi");
    close(client);
  }

  @Test
  void aCallThatWasNeverSentIsNotCancelledOnTheWire() throws Exception {
    McpClient client = open(on("initialize", new Act.Held("gate", false)).after(1));
    server.forgetSessions();
    try (var callers = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<String> refused = callers.submit(() -> echo(client));
      server.awaitRequest("initialize", 2); // what is called now waits for the new session
      var brief = CallOptions.defaults().withTimeout(Duration.ofMillis(100));
      assertThatThrownBy(() -> client.with(brief).callTool("never", Map.of()))
          .isInstanceOf(CallTimeoutException.class);
      server.release("gate");
      assertThat(refused.get()).contains("hi");
    }
    assertThat(echo(client)).contains("hi");
    close(client);
    assertThat(server.requests("tools/call")).noneMatch(r -> r.body().contains("never"));
    assertThat(server.requests("notifications/cancelled")).isEmpty();
  }

  // Streams that end.

  @Test
  void theTimeToWaitHoldsForLaterStreamsToo() throws Exception {
    McpClient client =
        open(
            on("tools/call", new Act.Polls(1, 400)).once(),
            on("GET", new Act.Raw(EMPTY_STREAM, End.CLEAN)).after(1).once());
    assertThat(echo(client)).contains("hi");
    assertThat(server.awaitRequest("GET", 3).since(server.awaitRequest("GET", 2)))
        .isGreaterThan(Duration.ofMillis(400));
    close(client);
  }

  // Secrets.

  @ParameterizedTest
  @ValueSource(strings = {"secret-id-1", "Bearer-of-the-user"})
  void whatTheServerWasSentInConfidenceIsNotRepeatedFromItsRefusals(String secret)
      throws Exception {
    String refusal =
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1,\"message\":\"no: %s\"}}";
    server =
        ScriptedHttpServer.with(
            new HttpFault.SessionId("secret-id-1"),
            on("tools/call", json(422, refusal.formatted(secret))).once(),
            on("tools/call", new Act.Status(429, Map.of("Retry-After", secret), "")).once(),
            on("tools/call", new Act.Raw(secret + " is no HTTP\r\n\r\n", End.CLOSE)).once());
    ServerSpec.Http spec = ServerSpec.http(server.url());
    McpClient client =
        McpClient.open(spec.withHeaders(Map.of("Authorization", "Bearer-of-the-user")), OPTIONS);
    for (int i = 0; i < 3; i++) {
      assertThatThrownBy(() -> echo(client))
          .hasMessageContaining("***")
          .hasMessageNotContaining(secret);
    }
    close(client);
  }

  // The older way.

  @ParameterizedTest
  @CsvSource({"2025-11-25, true", "2025-06-18, true", "2025-03-26, false", "2024-11-05, false"})
  void theRevisionIsNamedInTheOlderWayToo(String revision, boolean named) throws Exception {
    McpClient client = open(new HttpFault.Legacy(), new HttpFault.Speaks(revision));
    assertThat(echo(client)).contains("hi");
    close(client);
    assertThat(server.requests("initialize"))
        .allMatch(r -> r.header("mcp-protocol-version").isEmpty());
    assertThat(server.requests("tools/call"))
        .extracting(r -> r.header("mcp-protocol-version"))
        .containsExactly(named ? Optional.of(revision) : Optional.empty());
  }

  @ParameterizedTest
  @CsvSource({
    "?sessionId={session}, /mcp?",
    "messages?sessionId={session}, /messages?",
    "/a/b?sessionId={session}, /a/b?",
    "{origin}/c?sessionId={session}, /c?"
  })
  void anEndpointIsReadFromWhereTheStreamIs(String endpoint, String path) throws Exception {
    McpClient client = open(new HttpFault.Legacy(405, List.of(endpoint)));
    assertThat(echo(client)).contains("hi");
    close(client);
    assertThat(server.requests("tools/call"))
        .singleElement()
        .satisfies(r -> assertThat(r.path()).startsWith(path));
  }

  @Test
  void inTheOlderWayAllButTheFirstMessageGoesToTheEndpoint() throws Exception {
    McpClient client = open(new HttpFault.Legacy());
    assertThat(client.callTool("ask", Map.of("message", PING)).json().toString()).contains("p-1");
    close(client);
    assertThat(server.requests("POST").stream().skip(1))
        .extracting(Request::path)
        .allMatch(path -> path.startsWith("/messages?"));
    assertThat(server.requests("GET"))
        .singleElement()
        .satisfies(r -> assertThat(r.header("Accept")).contains("text/event-stream"));
  }
}
