package dev.mcpscope.client;

import static dev.mcpscope.client.Promptly.failure;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.transport.CloseReport;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The reference server, as people start it: npx, which starts a shell, which starts node.
@Tag("real-server")
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class McpClientRealServerTest {
  private static final ServerSpec EVERYTHING =
      ServerSpec.stdio("npx", "-y", "@modelcontextprotocol/server-everything@2026.8.31");

  /// The first start may have to download it.
  private static final ClientOptions OPTIONS =
      ClientOptions.defaults().withConnectTimeout(Duration.ofSeconds(90));

  @BeforeAll
  static void npxIsOnThePath() {
    assumeTrue(
        Stream.of(System.getenv().getOrDefault("PATH", "").split(File.pathSeparator))
            .anyMatch(directory -> Files.isExecutable(Path.of(directory, "npx"))),
        "npx is not on the PATH");
  }

  @Test
  void itsToolsAreListedAndCalled() throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(EVERYTHING, OPTIONS)) {
      assertThat(client.server().name()).contains("everything");
      assertThat(client.tools())
          .extracting(Tool::name)
          .contains("echo", "get-sum", "trigger-long-running-operation");
      assertThat(client.callTool("echo", Map.of("message", "grüße")).text()).contains("grüße");
      assertThat(client.callTool("get-sum", Map.of("a", 2, "b", 40)).text()).contains("42");
      client.ping();
      CloseReport report = client.closeAndReport();
      assertThat(report.outcome()).as("%s", report).isEqualTo(CloseReport.Outcome.GRACEFUL);
      assertThat(report.nothingLeft()).isTrue();
    }
  }

  @Test
  void aLongOperationReportsItsProgress() throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(EVERYTHING, OPTIONS)) {
      List<Progress> progress = new ArrayList<>();
      ToolResult result =
          client.callTool(
              "trigger-long-running-operation",
              Map.of("duration", 2, "steps", 4),
              CallOptions.defaults().withProgress(progress::add));
      assertThat(result.isError()).isFalse();
      assertThat(progress).isNotEmpty().hasSizeLessThanOrEqualTo(4);
      assertThat(progress).extracting(Progress::progress).isSorted().endsWith(4.0);
      assertThat(progress.getLast().total()).hasValue(4.0);
    }
  }

  @Test
  void aLongOperationIsGivenUpAndTheConnectionGoesOn() throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(EVERYTHING, OPTIONS)) {
      failure(
          CallTimeoutException.class,
          () ->
              client.callTool(
                  "trigger-long-running-operation",
                  Map.of("duration", 30, "steps", 2),
                  CallOptions.defaults().withTimeout(Duration.ofMillis(500))));
      assertThat(client.callTool("echo", Map.of("message", "still there")).text())
          .contains("still there");
    }
  }

  @Test
  void aKillOfTheInnerNodeProcessInMidCallFailsTheCallAtOnce() throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(EVERYTHING, OPTIONS)) {
      var running = new CountDownLatch(1);
      var caller =
          new Caller<>(() ->
              client.callTool(
                  "trigger-long-running-operation",
                  Map.of("duration", 60, "steps", 600),
                  CallOptions.defaults().withProgress(_ -> running.countDown())));
      running.await();
      innermost().destroyForcibly();
      Throwable failure = Promptly.promptly(caller::failure);
      assertThat(failure).isInstanceOf(ConnectionLostException.class);
      CloseReport report = client.closeAndReport();
      assertThat(report.nothingLeft()).as("%s", report).isTrue();
      assertThat(report.callsFailed()).isEqualTo(1);
    }
  }

  /// The youngest descendant of this JVM that has no children.
  private static ProcessHandle innermost() {
    return ProcessHandle.current()
        .descendants()
        .filter(process -> process.children().findAny().isEmpty())
        .max(Comparator.comparing(process -> process.info().startInstant().orElseThrow()))
        .orElseThrow();
  }
}
