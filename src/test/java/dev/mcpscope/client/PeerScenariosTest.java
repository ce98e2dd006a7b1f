package dev.mcpscope.client;

import static dev.mcpscope.HttpFault.on;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.mcpscope.HttpFault;
import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.Act.Quirk;
import dev.mcpscope.NothingLeft;
import dev.mcpscope.ScriptedHttpServer;
import dev.mcpscope.transport.CloseReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/// The situations in which two other clients were tried (docs/faults.md), with the times that they
/// were given: 3 s to connect, 4 s for a request, and a close as it is by default. What each took here
/// is in `target/peer-scenarios.md`.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@EnabledOnOs({OS.LINUX, OS.MAC})
class PeerScenariosTest {
  private static final ClientOptions OPTIONS =
      ClientOptions.defaults()
          .withEra(EraChoice.LEGACY) // the scripts answer what comes, one by one
          .withConnectTimeout(Duration.ofSeconds(3))
          .withCallTimeout(Duration.ofSeconds(4), Duration.ofMinutes(1));

  private static final Map<String, String> MEASURED = new TreeMap<>();

  private static final String READY =
      "read -r _; echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\","
          + "\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"sh\",\"version\":\"1\"}}}'; read -r _; ";

  private static final String TOOLS =
      "read -r _; echo '{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"tools\":[]}}'; ";

  private static final String CALL =
      "read -r _; echo '{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"content\":[]}}'; read -r _";

  private static McpClient open(String script) throws Exception {
    return McpClient.open(ServerSpec.stdio("/bin/sh", "-c", script), OPTIONS);
  }

  private static <T> T measured(String scenario, Duration limit, Callable<T> body)
      throws Exception {
    long begun = System.nanoTime();
    T result = body.call();
    Duration took = Duration.ofNanos(System.nanoTime() - begun);
    String outcome =
        switch (result) {
          case Throwable failure ->
              failure.getClass().getSimpleName() + ": " + failure.getMessage();
          case CloseReport report -> "closed: " + report.outcome();
          default -> "call ok";
        };
    MEASURED.put(scenario, took.toMillis() + " ms | " + outcome);
    assertThat(took).isLessThan(limit);
    return result;
  }

  private static Throwable failure(String scenario, Duration limit, ThrowingCallable body)
      throws Exception {
    return measured(scenario, limit, () -> catchThrowable(body));
  }

  @AfterAll
  static void write() throws IOException {
    var lines = new StringBuilder();
    MEASURED.forEach((scenario, took) -> lines.append("| %s | %s |\n".formatted(scenario, took)));
    Files.createDirectories(Path.of("target"));
    Files.writeString(Path.of("target/peer-scenarios.md"), lines);
  }

  @Test
  void aLogLineOnStdoutHurtsNoCall() throws Exception {
    try (var _ = NothingLeft.check();
        var client = open(READY + "echo 'listening on stdio'; " + TOOLS + CALL)) {
      measured("a log line on stdout", Duration.ofSeconds(2), () -> client.callTool("x", Map.of()));
    }
  }

  @Test
  void aServerThatClosesStderrIsCalledAllTheSame() throws Exception {
    try (var _ = NothingLeft.check();
        var client = open("exec 2>&-; " + READY + TOOLS + CALL)) {
      measured("closes stderr", Duration.ofSeconds(2), () -> client.callTool("x", Map.of()));
    }
  }

  @Test
  void anExitIsToldWithItsCode() throws Exception {
    NothingLeft.after(() ->
        assertThat(
                failure(
                    "exits with code 3 at tools/list",
                    Duration.ofSeconds(2),
                    () -> open(READY + "read -r _; exit 3")))
            .isInstanceOf(ConnectionLostException.class)
            .hasMessageContaining("exited with code 3"));
  }

  @Test
  void aCommandThatDoesNotExistIsToldAtOnce() throws Exception {
    NothingLeft.after(() ->
        assertThat(
                failure(
                    "the command does not exist",
                    Duration.ofSeconds(1),
                    () -> McpClient.open(ServerSpec.stdio("/no/such/server"), OPTIONS)))
            .isInstanceOf(ConnectionLostException.class));
  }

  @Test
  void twoConnectsToASilentServerLeaveNothing() throws Exception {
    NothingLeft.after(() -> {
      for (int i = 0; i < 2; i++) {
        assertThat(
                failure(
                    "never answers initialize",
                    Duration.ofSeconds(6),
                    () -> open("while read -r _; do :; done")))
            .isInstanceOf(CallTimeoutException.class);
        assertThat(ProcessHandle.current().descendants()).isEmpty();
      }
    });
  }

  @Test
  void aServerThatIgnoresTheEndOfItsInputAndSigtermIsKilled() throws Exception {
    try (var _ = NothingLeft.check();
        var client = open("trap '' TERM; " + READY + TOOLS + "exec sleep 60")) {
      CloseReport report =
          measured(
              "ignores SIGTERM and the end of its input",
              Duration.ofSeconds(6),
              client::closeAndReport);
      assertThat(report.outcome()).isEqualTo(CloseReport.Outcome.KILLED);
    }
  }

  private static void overHttp(HttpFault fault, Callback callback) throws Exception {
    try (var _ = NothingLeft.check();
        var server = ScriptedHttpServer.with(fault);
        var client = McpClient.open(ServerSpec.http(server.url()), OPTIONS)) {
      callback.run(client);
    }
  }

  @FunctionalInterface
  private interface Callback {
    void run(McpClient client) throws Exception;
  }

  @Test
  void aStreamThatEndsWithoutTheAnswerFailsItsCall() throws Exception {
    overHttp(
        on("tools/call", new Act.Sse(": nothing\n\n")),
        client ->
            assertThat(
                    failure(
                        "POST answered by SSE that ends without the answer",
                        Duration.ofSeconds(2),
                        () -> client.callTool("echo", Map.of("text", ""))))
                .isInstanceOf(ExchangeFailedException.class));
  }

  @Test
  void aSessionThatIsAlwaysForgottenFailsTheCallAfterOneMore() throws Exception {
    overHttp(
        on("tools/call", Quirk.FORGETS_SESSIONS),
        client ->
            assertThat(
                    failure(
                        "404 on each call",
                        Duration.ofSeconds(2),
                        () -> client.callTool("echo", Map.of("text", ""))))
                .isInstanceOf(ExchangeFailedException.class));
  }

  @Test
  void aDeleteThatIsNotAnsweredEndsInTimeAndIsInTheReport() throws Exception {
    overHttp(
        on("DELETE", new Act.NoAnswer(HttpFault.End.OPEN)),
        client -> {
          CloseReport report =
              measured("DELETE never answered", Duration.ofSeconds(4), client::closeAndReport);
          assertThat(report.kept()).singleElement().asString().contains("DELETE was not answered");
        });
  }
}
