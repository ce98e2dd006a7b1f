package dev.mcpscope.client;

import static dev.mcpscope.client.Promptly.failure;
import static dev.mcpscope.client.Promptly.promptly;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.ScriptedServer;
import dev.mcpscope.ScriptedServer.Fault;
import dev.mcpscope.ScriptedServer.Fault.Quirk;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.transport.CloseBudget;
import dev.mcpscope.transport.CloseReport;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// One fault of the server a test: what the caller sees, how soon, and that nothing is left.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class McpClientFaultTest {
  private static final ClientOptions DEFAULTS = ClientOptions.defaults();

  /// For servers that have to be forced: their time to leave is short.
  private static final CloseBudget SHORT =
      new CloseBudget(
          Duration.ofMillis(500),
          Duration.ofMillis(300),
          Duration.ofMillis(500),
          Duration.ofSeconds(1));

  private static ClientOptions limits(
      JsonLimits message, int pages, int items, int serverRequests) {
    return DEFAULTS.withLimits(
        new ClientOptions.Limits(message, 64 << 10, pages, items, serverRequests, 1_024, 64 << 10));
  }

  /// Connects, checks that it fails like this and at once, and that nothing is left.
  private static <X extends McpException> X connectFailure(
      Class<X> type, ClientOptions options, Fault... faults) throws Exception {
    return connectFailure(type, options, ScriptedServer.with(faults));
  }

  private static <X extends McpException> X connectFailure(
      Class<X> type, ClientOptions options, ServerSpec server) throws Exception {
    try (var _ = NothingLeft.check()) {
      return failure(type, () -> McpClient.open(server, options));
    }
  }

  /// Connects to a server with these faults, calls its tool "echo", and checks in the same way.
  private static <X extends McpException> X callFailure(
      Class<X> type, ClientOptions options, Fault... faults) throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with(faults), options)) {
      return failure(type, () -> echo(client, "hello"));
    }
  }

  /// Connects, checks that a call goes well in spite of the faults, and closes.
  private static CloseReport harmless(ClientOptions options, Fault... faults) throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with(faults), options)) {
      assertThat(promptly(() -> echo(client, "hello"))).isEqualTo("hello");
      assertThat(promptly(() -> echo(client, "again"))).isEqualTo("again");
      return client.closeAndReport();
    }
  }

  private static String echo(McpClient client, String text) throws Exception {
    return client.callTool("echo", Map.of("text", text)).text();
  }

  @Nested
  @Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  class Connecting {
    @Test
    void anExitBeforeTheHandshakeIsToldWithExitCodeAndStderr() throws Exception {
      assertThat(
              connectFailure(
                  ConnectionLostException.class,
                  DEFAULTS,
                  new Fault.ExitsAtStart(7, "cannot find my configuration\n")))
          .hasMessageContaining("exited with code 7")
          .hasMessageContaining("cannot find my configuration");
    }

    @Test
    void anExitInTheHandshakeIsToldWithExitCodeAndStderr() throws Exception {
      assertThat(
              connectFailure(
                  ConnectionLostException.class,
                  DEFAULTS,
                  new Fault.DiesOn("initialize", 8, "no database")))
          .hasMessageContaining("exited with code 8")
          .hasMessageContaining("no database");
    }

    @Test
    void anExitWhileToolsAreListedIsToldWithExitCode() throws Exception {
      assertThat(
              connectFailure(
                  ConnectionLostException.class, DEFAULTS, new Fault.DiesOn("tools/list", 9, "")))
          .hasMessageContaining("exited with code 9");
    }

    @Test
    void anExecutableThatDoesNotExistIsToldAtOnce() throws Exception {
      assertThat(
              connectFailure(
                  ConnectionLostException.class, DEFAULTS, ServerSpec.stdio("/no/such/server")))
          .hasMessageContaining("cannot start")
          .hasMessageContaining("/no/such/server");
    }

    @ParameterizedTest
    @ValueSource(strings = {"initialize", "tools/list"})
    void silenceEndsWithTheTimeToConnect(String method) throws Exception {
      assertThat(
              connectFailure(
                  CallTimeoutException.class,
                  DEFAULTS.withConnectTimeout(Duration.ofSeconds(3)).withClose(SHORT),
                  new Fault.Silent(method)))
          .hasMessageContaining("3000 ms")
          .hasMessageContaining(method);
    }

    /// Each answer comes at once; the time is that of all of them.
    @Test
    void pagesWithoutEndEndWithTheTimeToConnect() throws Exception {
      assertThat(
              connectFailure(
                  CallTimeoutException.class,
                  limits(
                          JsonLimits.defaults().withMaxBytes(1 << 30),
                          Integer.MAX_VALUE,
                          Integer.MAX_VALUE,
                          256)
                      .withConnectTimeout(Duration.ofSeconds(3)),
                  Quirk.CURSOR_NEVER_ENDS))
          .hasMessageContaining("3000 ms")
          .hasMessageContaining("tools/list");
    }

    @Test
    void aServerThatReadsNothingEndsWithTheTimeToConnect() throws Exception {
      assertThat(
              connectFailure(
                  CallTimeoutException.class,
                  DEFAULTS.withConnectTimeout(Duration.ofMillis(300)).withClose(SHORT),
                  new Fault.StopsReading("")))
          .hasMessageContaining("300 ms")
          .hasMessageContaining("initialize");
    }

    @Test
    void anErrorForInitializeIsToldWithItsCode() throws Exception {
      RemoteErrorException error =
          connectFailure(
              RemoteErrorException.class,
              DEFAULTS,
              new Fault.Error("initialize", -32_001, "no license"));
      assertThat(error).hasMessageContaining("initialize").hasMessageContaining("no license");
      assertThat(error.code()).isEqualTo(-32_001);
    }

    @Test
    void anUnknownProtocolVersionIsToldWithThoseThatAreKnown() throws Exception {
      assertThat(
              connectFailure(
                  ProtocolViolationException.class, DEFAULTS, new Fault.Speaks("1999-01-01")))
          .hasMessageContaining("1999-01-01")
          .hasMessageContaining("2025-11-25")
          .hasMessageContaining("2024-11-05");
    }

    @Test
    void anOlderKnownProtocolVersionIsSpoken() throws Exception {
      try (var _ = NothingLeft.check();
          var client = McpClient.open(ScriptedServer.with(new Fault.Speaks("2024-11-05")))) {
        assertThat(client.server().protocolVersion()).isEqualTo("2024-11-05");
        assertThat(echo(client, "hello")).isEqualTo("hello");
      }
    }

    @ParameterizedTest
    @ValueSource(strings = {"initialize", "tools/list"})
    void aResultThatIsNoObjectIsAViolation(String method) throws Exception {
      assertThat(
              connectFailure(
                  ProtocolViolationException.class, DEFAULTS, new Fault.ResultIsText(method)))
          .hasMessageContaining(method)
          .hasMessageContaining("a string");
    }

    @Test
    void aCursorThatRepeatsIsAViolation() throws Exception {
      assertThat(connectFailure(ProtocolViolationException.class, DEFAULTS, Quirk.CURSOR_REPEATS))
          .hasMessageContaining("same cursor twice");
    }

    @Test
    void aCursorThatNeverEndsIsAViolationAtTheLimitOfPages() throws Exception {
      assertThat(
              connectFailure(
                  ProtocolViolationException.class,
                  limits(JsonLimits.defaults(), 20, 10_000, 256),
                  Quirk.CURSOR_NEVER_ENDS))
          .hasMessageContaining("more than 20 pages");
    }

    @Test
    void longerToolListsThanTheLimitAreAViolation() throws Exception {
      assertThat(
              connectFailure(
                  ProtocolViolationException.class,
                  limits(JsonLimits.defaults().withMaxBytes(2_000), 1_000, 10_000, 256),
                  Quirk.CURSOR_NEVER_ENDS))
          .hasMessageContaining("more than 2000 bytes on all pages");
    }

    @Test
    void moreToolsThanTheLimitAreAViolation() throws Exception {
      assertThat(
              connectFailure(
                  ProtocolViolationException.class, limits(JsonLimits.defaults(), 1_000, 4, 256)))
          .hasMessageContaining("more than 4 tools");
    }

    @Test
    void theErrorThatAServerGivesBeforeItExitsIsTheCause() throws Exception {
      String script =
          "read line; echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":"
              + "{\"code\":-32001,\"message\":\"no license\"}}'; exit 1";
      for (int i = 0; i < 40; i++) {
        connectFailure(RemoteErrorException.class, DEFAULTS, ServerSpec.stdio("sh", "-c", script));
      }
    }

    @Test
    void aRequestBeforeTheHandshakeIsAnswered() throws Exception {
      String script =
          "echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}'; read a; read b; "
              + "echo \"$a $b\" >&2; exit 5";
      for (int i = 0; i < 40; i++) {
        assertThat(
                connectFailure(
                    ConnectionLostException.class, DEFAULTS, ServerSpec.stdio("sh", "-c", script)))
            .hasMessageContaining("exited with code 5")
            .hasMessageContaining("\"result\":{}");
      }
    }
  }

  @Nested
  @Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  class Calling {
    @Test
    void aDeathInMidCallIsToldWithExitCodeAndStderr() throws Exception {
      assertThat(
              callFailure(
                  ConnectionLostException.class,
                  DEFAULTS,
                  new Fault.DiesOn("tools/call", 3, "Segmentation fault")))
          .hasMessageContaining("exited with code 3")
          .hasMessageContaining("Segmentation fault");
    }

    @Test
    void aDeathInMidCallIsToldThoughAGrandchildHoldsStdout() throws Exception {
      assertThat(
              callFailure(
                  ConnectionLostException.class,
                  DEFAULTS,
                  Quirk.GRANDCHILD_HOLDS_STDOUT,
                  new Fault.DiesOn("tools/call", 3, "out of memory")))
          .hasMessageContaining("exited with code 3")
          .hasMessageContaining("out of memory");
    }

    @Test
    void aKillInMidCallIsToldWithTheSignalsExitCode() throws Exception {
      try (var _ = NothingLeft.check();
          var client = McpClient.open(ScriptedServer.with())) {
        long pid = Long.parseLong(client.callTool("pid", Map.of()).text());
        Thread.ofVirtual().start(() -> ProcessHandle.of(pid).orElseThrow().destroyForcibly());
        assertThat(failure(ConnectionLostException.class, () -> client.callTool("never", Map.of())))
            .hasMessageContaining("exited with code 137");
      }
    }

    @Test
    void anAnswerIsNotLostWhenTheServerExitsRightAfterIt() throws Exception {
      try (var _ = NothingLeft.check();
          var client = McpClient.open(ScriptedServer.with(new Fault.DiesAfter("tools/call", 4)))) {
        assertThat(echo(client, "last words")).isEqualTo("last words");
        assertThat(failure(ConnectionLostException.class, () -> callsUntilItFails(client)))
            .hasMessageContaining("exited with code 4");
      }
    }

    @Test
    void aClosedStdoutIsToldThoughTheServerLives() throws Exception {
      assertThat(
              callFailure(
                  ConnectionLostException.class,
                  DEFAULTS.withClose(SHORT),
                  Quirk.CLOSES_STDOUT,
                  Quirk.IGNORES_EOF))
          .hasMessageContaining("closed its side of the pipe and still runs");
    }

    @Test
    void aLineOverTheCapIsAViolation() throws Exception {
      assertThat(
              callFailure(
                  ProtocolViolationException.class,
                  limits(JsonLimits.defaults().withMaxBytes(20_000), 10, 10, 10),
                  new Fault.AnswerOf(20_001)))
          .hasMessageContaining("longer than 20000 bytes");
    }

    @Test
    void aLineAtTheCapIsRead() throws Exception {
      try (var _ = NothingLeft.check();
          var client =
              McpClient.open(
                  ScriptedServer.with(new Fault.AnswerOf(20_000)),
                  limits(JsonLimits.defaults().withMaxBytes(20_000), 10, 10, 10))) {
        assertThat(echo(client, "").length()).isBetween(19_000, 20_000);
      }
    }

    @Test
    void anErrorIsToldWithItsCode() throws Exception {
      RemoteErrorException error =
          callFailure(
              RemoteErrorException.class,
              DEFAULTS,
              new Fault.Error("tools/call", -32_602, "no such city"));
      assertThat(error).hasMessageContaining("tools/call").hasMessageContaining("no such city");
      assertThat(error.code()).isEqualTo(-32_602);
    }

    @Test
    void aResultThatIsNoObjectFailsItsCallOnly() throws Exception {
      try (var _ = NothingLeft.check();
          var client = McpClient.open(ScriptedServer.with(new Fault.ResultIsText("tools/call")))) {
        assertThat(failure(ProtocolViolationException.class, () -> echo(client, "")))
            .hasMessageContaining("tools/call")
            .hasMessageContaining("a string");
        client.ping();
      }
    }

    @Test
    void aServerThatAsksAndNeverListensEndsTheConnection() throws Exception {
      String ping = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}";
      String script =
          "read -r _; echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\","
              + "\"capabilities\":{},\"serverInfo\":{\"name\":\"sh\",\"version\":\"1\"}}}'; "
              + "read -r _; read -r _; exec yes '" // once it is connected, and pinged
              + ping
              + "'";
      ClientOptions small =
          limits(JsonLimits.defaults().withMaxBytes(1_000), 10, 10, Integer.MAX_VALUE)
              .withEra(EraChoice.LEGACY); // the script answers one request
      try (var _ = NothingLeft.check();
          var client = McpClient.open(ServerSpec.stdio("sh", "-c", script), small)) {
        assertThat(failure(ProtocolViolationException.class, () -> callsUntilItFails(client)))
            .hasMessageMatching(".*(does not read its input|requests unanswered).*");
      }
    }

    @Test
    void moreRequestsThanTheLimitEndTheConnection() throws Exception {
      assertThat(
              callFailure(
                  ProtocolViolationException.class,
                  limits(JsonLimits.defaults(), 1_000, 10_000, 4),
                  new Fault.AsksTooMuch(2_000)))
          .hasMessageContaining("more than 4 requests unanswered");
    }

    @ParameterizedTest
    @EnumSource(names = {"ANSWER_IS_NOT_UTF8", "ANSWER_IS_TOO_DEEP"})
    void anAnswerThatCannotBeDecodedFailsItsCallAtOnce(Quirk quirk) throws Exception {
      try (var _ = NothingLeft.check();
          var client =
              McpClient.open(
                  ScriptedServer.with(quirk),
                  DEFAULTS.withCallTimeout(Promptly.AT_ONCE.plusSeconds(2), Duration.ofDays(1)))) {
        failure(ProtocolViolationException.class, () -> echo(client, ""));
        client.ping();
      }
    }

    private static void callsUntilItFails(McpClient client) throws Exception {
      while (true) {
        client.ping();
      }
    }
  }

  @Nested
  @Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  class Tolerated {
    @ParameterizedTest
    @ValueSource(
        strings = {
          "Server listening on stdio…",
          "{\"level\":\"info\",\"msg\":\"hello\"}",
          "{\"jsonrpc\":\"2.0\"}",
          "[]",
          "[1,{\"jsonrpc\":\"1.0\",\"id\":99,\"result\":{}}]",
          "{\"jsonrpc\":\"2.0\",\"method\":7}",
          "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/of-the-future\",\"params\":null}",
          "\u001b[31mWARN\u001b[0m {",
          "   "
        })
    void linesOnStdoutThatAreNoMessages(String line) throws Exception {
      assertThat(harmless(DEFAULTS, new Fault.Noise(line)).outcome())
          .isEqualTo(CloseReport.Outcome.GRACEFUL);
    }

    @Test
    void linesThatAreNoJsonAreCounted() throws Exception {
      assertThat(harmless(DEFAULTS, new Fault.Noise("starting")).skippedLines()).isEqualTo(7);
    }

    @ParameterizedTest
    @EnumSource(
        names = {"UNKNOWN_IDS_FIRST", "NOTIFIES_FIRST", "NOISE_IS_NOT_UTF8", "CLOSES_STDERR"})
    void whatHurtsNobody(Quirk quirk) throws Exception {
      CloseReport report = harmless(DEFAULTS, quirk);
      assertThat(report.outcome()).isEqualTo(CloseReport.Outcome.GRACEFUL);
      assertThat(report.failures()).isEmpty();
    }

    @Test
    void aFloodOnStderrOfWhichTheEndIsKept() throws Exception {
      CloseReport report = harmless(DEFAULTS, new Fault.FloodsStderr(1 << 20));
      assertThat(report.outcome()).isEqualTo(CloseReport.Outcome.GRACEFUL);
      assertThat(report.stderrTail()).hasSize(64 << 10).endsWith("eee\n");
    }

    @Test
    void anAnswerThatFillsTheDefaultLimit() throws Exception {
      int most = 16 << 20;
      try (var _ = NothingLeft.check();
          var client = McpClient.open(ScriptedServer.with(new Fault.AnswerOf(most)))) {
        assertThat(promptly(() -> echo(client, "")).length()).isBetween(most - 1_000, most);
        client.ping();
      }
    }

    /// The first part comes with a message that is heard; only then the server is asked for more.
    @Test
    void aCharacterThatComesInTwoParts() throws Exception {
      String first =
          "read -r _; echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":"
              + "\"2025-11-25\",\"capabilities\":{\"prompts\":{}},"
              + "\"serverInfo\":{\"name\":\"sh\",\"version\":\"1\"}}}'; read -r _; read -r _; printf '"
              + Json.object(Peer.log("half")).toString()
              + "\\n{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"messages\":[],\"description\":\"\\342\\202";
      String second =
          "'; read -r _; printf '\\254\"}}\\n{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}\\n'; read -r _";
      var half = new CountDownLatch(1);
      ClientFeatures features = ClientFeatures.none().withListener(_ -> half.countDown());
      try (var _ = NothingLeft.check();
          var client =
              McpClient.open(
                  ServerSpec.stdio("sh", "-c", first + second),
                  DEFAULTS.withFeatures(features).withEra(EraChoice.LEGACY))) {
        var prompt = new Caller<>(() -> client.getPrompt("x", Map.of()));
        half.await();
        client.ping();
        assertThat(prompt.result().description()).contains("€");
      }
    }

    @Test
    void twoAnswersInOneArray() throws Exception {
      try (var _ = NothingLeft.check();
          var client = McpClient.open(ScriptedServer.with(Quirk.ANSWERS_IN_PAIRS))) {
        var first = new Caller<>(() -> echo(client, ""));
        var second = new Caller<>(() -> echo(client, ""));
        assertThat(List.of(first.result(), second.result()))
            .containsExactlyInAnyOrder("first", "second");
      }
    }

    @Test
    void aPingOfTheServerWhichIsAnswered() throws Exception {
      assertThat(answerTo("ping")).contains("{\"jsonrpc\":\"2.0\",\"id\":\"ours\",\"result\":{}}");
    }

    @Test
    void aRequestThatTheClientDoesNotKnowWhichIsRefused() throws Exception {
      assertThat(answerTo("of/the-future"))
          .contains("\"id\":\"ours\",\"error\":{\"code\":-32601")
          .contains("of/the-future");
    }

    /// The handler answers when it likes, so ask until it has.
    private static String answerTo(String method) throws Exception {
      try (var _ = NothingLeft.check();
          var client = McpClient.open(ScriptedServer.with(new Fault.Asks(method)))) {
        return promptly(() -> {
          String received;
          do {
            received = client.callTool("received", Map.of()).text();
          } while (!received.contains("\"ours\""));
          return received;
        });
      }
    }
  }
}
