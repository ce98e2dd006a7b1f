package dev.mcpscope.client;

import static dev.mcpscope.HttpFault.on;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.mcpscope.HttpFault;
import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.End;
import dev.mcpscope.NothingLeft;
import dev.mcpscope.ScriptedHttpServer;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.transport.CloseReport;
import dev.mcpscope.transport.ReconnectBudget;
import java.time.Duration;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// What a server over HTTP can do wrong: each call fails at once with what was seen, the connection
/// goes on, and its close leaves nothing, on this side or on that.
@Timeout(value = 30, threadMode = ThreadMode.SEPARATE_THREAD)
class HttpFaultTest {

  /// For what ends in a moment, on a busy machine too; what does not end stays for ever.
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  private static final Duration AT_ONCE = Duration.ofSeconds(3);

  private static final ClientOptions OPTIONS =
      ClientOptions.defaults()
          .withReconnect(new ReconnectBudget(Duration.ofMillis(50), Duration.ofMillis(100), 3))
          .withLimits(
              ClientOptions.Limits.defaults()
                  .withMessage(JsonLimits.defaults().withMaxBytes(64 << 10)));

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

  private static String echo(McpClient client) throws Exception {
    return client.callTool("echo", Map.of("text", "hi")).json().toString();
  }

  /// Closes, and looks at the server's side.
  private CloseReport close(McpClient client) {
    CloseReport report = client.closeAndReport();
    server.awaitNoStreams(PATIENCE);
    server.awaitNoExchanges(PATIENCE);
    server.awaitSessions(0, PATIENCE);
    server.awaitNoConnections(PATIENCE);
    assertThat(server.violations()).isEmpty();
    assertThat(report.failures()).isEmpty();
    return report;
  }

  private static Arguments fault(Act act, Class<?> type, String message) {
    return Arguments.of(act, type, message);
  }

  static Stream<Arguments> faultsOfAnAnswer() {
    Class<?> violation = ProtocolViolationException.class;
    Class<?> failed = ExchangeFailedException.class;
    Class<?> unauthorized = AuthorizationRequiredException.class;
    return Stream.of(
        fault(
            new Act.Status(200, "text/html", "<html>hello</html>"),
            violation,
            "HTTP 200 with text/html instead of a message"),
        fault(new Act.Status(502, "text/html", "<html>bad</html>"), failed, "HTTP 502"),
        fault(new Act.Status(500), failed, "HTTP 500"),
        fault(new Act.Status(204), violation, "HTTP 204 with nothing instead of a message"),
        fault(new Act.Status(202), violation, "HTTP 202 with nothing instead of a message"),
        fault(
            new Act.Status(429, Map.of("Retry-After", "7"), ""),
            failed,
            "HTTP 429; Retry-After: 7"),
        fault(
            new Act.Status(302, Map.of("Location", "http://169.254.169.254/?key=secret"), ""),
            failed,
            "HTTP 302, and redirects are not followed"),
        fault(
            new Act.Status(401, Map.of("WWW-Authenticate", "Bearer scope=\"x\""), ""),
            unauthorized,
            "HTTP 401"),
        fault(new Act.Status(403), unauthorized, "HTTP 403"),
        fault(
            new Act.Status(
                400,
                "application/json",
                "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,\"message\":\"no\"}}"),
            failed,
            "HTTP 400: no"),
        fault(new Act.CutShort(10, End.CLOSE), failed, "it may have run"),
        fault(new Act.CutShort(10, End.RESET), failed, "it may have run"),
        fault(new Act.LengthOff(5), failed, "it may have run"),
        fault(new Act.LengthOff(-5), violation, "cannot be read"),
        fault(new Act.ContentType("text/plain"), violation, "text/plain instead of a message"),
        fault(Act.Quirk.GZIP, violation, "content encoding"),
        fault(new Act.Padded(70 << 10), violation, "longer than 65536 bytes"),
        fault(
            new Act.Endless("application/json", "{\"jsonrpc\":\"2.0\",\"x\":\"", "x"),
            violation,
            "longer than 65536 bytes"),
        fault(
            new Act.Endless("text/event-stream", "data: ", "x"),
            violation,
            "longer than 65536 bytes"),
        fault(
            new Act.Endless("text/event-stream", "", "data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"),
            violation,
            "longer than 65536 bytes"),
        fault(new Act.WrongId("9%s"), violation, "answers the request"),
        fault(new Act.WrongId("\"%s\""), violation, "answers the request"),
        fault(new Act.Sse(": nothing\n\n"), failed, "ended without the answer"),
        fault(new Act.Sse("data: {\n\n"), failed, "ended without the answer"),
        fault(
            new Act.Sse("data: %s", 0, End.CLEAN),
            failed,
            "ended without the answer"), // no blank line
        // a reset may take the head of the answer along
        fault(new Act.Sse("data: {\"json", 0, End.RESET), failed, "it may have run"),
        fault(new Act.NoAnswer(End.CLOSE), failed, "it may have run"),
        fault(new Act.NoAnswer(End.RESET), failed, "it may have run"),
        fault(new Act.Raw("HTTP/1.1 999 \u00ff\r\n\r\n", End.CLOSE), failed, "HTTP 999"),
        fault(new Act.Raw("nonsense\r\n\r\n", End.CLOSE), failed, "it may have run"));
  }

  @ParameterizedTest
  @MethodSource("faultsOfAnAnswer")
  void aCallFailsAtOnceAndTheConnectionGoesOn(Act act, Class<?> type, String message)
      throws Exception {
    McpClient client = open(on("tools/call", act).times(1));
    long begun = System.nanoTime();
    Throwable failure = catchThrowable(() -> echo(client));
    Duration took = Duration.ofNanos(System.nanoTime() - begun);

    assertThat(failure).isInstanceOf(type).hasMessageContaining(message);
    assertThat(failure.getMessage()).doesNotContain("secret", "hello", "bad");
    assertThat(took).isLessThan(AT_ONCE);
    assertThat(echo(client)).contains("hi");
    assertThat(server.requests("tools/call")).as("nothing is sent twice").hasSize(2);
    close(client);
  }

  static Stream<Act> answersThatArriveOddly() {
    return Stream.of(
        Act.Quirk.AS_STREAM,
        Act.Quirk.NO_LENGTH,
        Act.Quirk.CLOSES_AFTER,
        new Act.Sse("\uFEFF: c\r\nid: 1\r\ndata: %s\r\n\r\n".replace("\uFEFF", "")),
        new Act.Sse("event: message\nretry: 10\nid\ndata: %s\n\n", 1, End.CLEAN),
        new Act.Sse("%m\n\n"),
        new Act.Sse("data: nonsense\n\ndata:\n\ndata: %s\n\n"),
        new Act.Sse("event: other\ndata: %s\n\ndata: %s\n\n"),
        new Act.Sse("data: %s\n\n", 0, End.CLOSE), // a reset may take what came before it along
        new Act.Sse("data: %s\n\n", 0, End.OPEN),
        new Act.ContentType("application/json; charset=utf-8"),
        new Act.ContentType("APPLICATION/JSON"));
  }

  @ParameterizedTest
  @MethodSource("answersThatArriveOddly")
  void anAnswerIsAnAnswerHoweverItComes(Act act) throws Exception {
    McpClient client = open(on("tools/call", act).times(1));
    assertThat(echo(client)).contains("hi");
    assertThat(echo(client)).contains("hi");
    close(client);
  }

  @ParameterizedTest
  @MethodSource("faultsOfAnAnswer")
  void aConnectFailsAtOnceAndLeavesNothing(Act act, Class<?> type, String message)
      throws Exception {
    server = ScriptedHttpServer.with(on("initialize", act));
    long begun = System.nanoTime();
    assertThatThrownBy(() -> McpClient.open(ServerSpec.http(server.url()), OPTIONS))
        .isInstanceOf(type)
        .hasMessageContaining(message.replace("; it may have run", ""));
    assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(AT_ONCE);
    server.awaitNoConnections(PATIENCE);
  }

  @Test
  void theChallengeOfARefusalIsKept() throws Exception {
    var refusal = new Act.Status(401, Map.of("WWW-Authenticate", "Bearer scope=\"mcp:x\""), "");
    McpClient client = open(on("tools/call", refusal).times(1));
    assertThatThrownBy(() -> echo(client))
        .isInstanceOfSatisfying(
            AuthorizationRequiredException.class,
            e -> {
              assertThat(e.status()).isEqualTo(401);
              assertThat(e.challenges()).containsExactly("Bearer scope=\"mcp:x\"");
            });
    close(client);
  }

  @Test
  void aServerThatNeverAnswersIsGivenUpInTimeAndToldSo() throws Exception {
    McpClient client = open(on("tools/call", new Act.NoAnswer(End.OPEN)).times(1));
    var brief = CallOptions.defaults().withTimeout(Duration.ofMillis(200));
    assertThatThrownBy(() -> client.with(brief).callTool("echo", Map.of("text", "hi")))
        .isInstanceOf(CallTimeoutException.class);
    server.awaitRequest("notifications/cancelled", 1);
    server.awaitExchanges(1); // the stream of GET
    assertThat(echo(client)).contains("hi");
    close(client);
  }

  @ParameterizedTest
  @MethodSource("drips")
  void aDripIsEndedByTheTimeOfTheCallThoughItsHeadHasCome(Act act) throws Exception {
    McpClient client = open(on("tools/call", act).times(1));
    var brief = CallOptions.defaults().withTimeout(Duration.ofMillis(300));
    assertThatThrownBy(() -> client.with(brief).callTool("echo", Map.of("text", "hi")))
        .isInstanceOf(CallTimeoutException.class);
    server.awaitRequest("notifications/cancelled", 1);
    server.awaitExchanges(1);
    close(client);
  }

  static Stream<Act> drips() {
    return Stream.of(
        new Act.Drip("text/event-stream", "", 20), new Act.Drip("application/json", "{", 20));
  }
}
