package dev.mcpscope.client;

import static dev.mcpscope.client.Promptly.failure;
import static dev.mcpscope.client.Promptly.promptly;
import static dev.mcpscope.client.Promptly.within;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.ScriptedServer;
import dev.mcpscope.ScriptedServer.Fault;
import dev.mcpscope.ScriptedServer.Fault.Quirk;
import dev.mcpscope.transport.CloseReport;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A good server, and callers of every kind.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class McpClientTest {
  private static final CallOptions IMPATIENT =
      CallOptions.defaults().withTimeout(Duration.ofMillis(200));

  private static String echo(McpClient client, String text) throws Exception {
    return client.callTool("echo", Map.of("text", text)).text();
  }

  private static String received(McpClient client) throws Exception {
    return client.callTool("received", Map.of()).text();
  }

  @Test
  void useReturnsWhatItsBodyReturnsAndLeavesNothing() throws Exception {
    try (var _ = NothingLeft.check()) {
      String text = McpClient.use(ScriptedServer.with(), client -> echo(client, "grüße 😀"));
      assertThat(text).isEqualTo("grüße 😀");
    }
  }

  @Test
  void useThrowsWhatItsBodyThrowsAndLeavesNothing() throws Exception {
    try (var _ = NothingLeft.check()) {
      var thrown = new IllegalStateException("of the body");
      assertThatThrownBy(() ->
              McpClient.use(
                  ScriptedServer.with(),
                  _ -> {
                    throw thrown;
                  }))
          .isSameAs(thrown);
    }
  }

  @Test
  void serverAndToolsOfAllPagesAreKnown() throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with())) {
      assertThat(client.server().name()).isEqualTo("scripted");
      assertThat(client.server().protocolVersion()).isEqualTo("2025-11-25");
      assertThat(client.tools())
          .extracting(Tool::name)
          .containsExactly("echo", "pid", "received", "never", "progress");
    }
  }

  @Test
  void theHandshakeIsInitializeThenInitialized() throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with())) {
      assertThat(received(client).lines().map(line -> line.replaceAll(".*\"method\":\"|\".*", "")))
          .startsWith("server/discover", "initialize", "notifications/initialized", "tools/list");
    }
  }

  @Test
  void theServerRunsWithTheEnvironmentAndDirectoryOfItsSpec(@TempDir Path directory)
      throws Exception {
    try (var _ = NothingLeft.check()) {
      var server =
          ServerSpec.stdio("sh", "-c", "pwd >&2; echo \"$GREETING\" >&2; exit 3")
              .withEnvironment(Map.of("GREETING", "hello"))
              .withDirectory(directory);
      assertThat(failure(ConnectionLostException.class, () -> McpClient.open(server)))
          .hasMessageContaining(directory.toRealPath() + "\nhello");
    }
  }

  @Test
  void aGoodServerGoesGracefullyAndTheReportSaysSo() throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with())) {
      CloseReport report = promptly(client::closeAndReport);
      assertThat(report.outcome()).isEqualTo(CloseReport.Outcome.GRACEFUL);
      assertThat(report.exitCode()).hasValue(0);
      assertThat(report.reason()).isEqualTo("closed by its user");
      assertThat(report.nothingLeft()).isTrue();
      assertThat(report.failures()).isEmpty();
      assertThat(report.steps()).extracting(CloseReport.Step::name).contains("join");
    }
  }

  @Test
  void aCallAfterTheCloseIsRefused() throws Exception {
    try (var _ = NothingLeft.check()) {
      McpClient client = McpClient.open(ScriptedServer.with());
      client.close();
      assertThat(failure(ConnectionClosedException.class, client::ping).reason())
          .isEqualTo(CloseReason.CLOSED);
    }
  }

  @Test
  void aCallAfterACrashFailsWithTheCrash() throws Exception {
    try (var _ = NothingLeft.check();
        var client =
            McpClient.open(ScriptedServer.with(new Fault.DiesOn("tools/call", 3, "crash")))) {
      failure(ConnectionLostException.class, () -> echo(client, ""));
      assertThat(failure(ConnectionLostException.class, client::ping))
          .hasMessageContaining("exited with code 3");
    }
  }

  @Test
  void aCloseFailsTheCallsThatWaitAndCountsThem() throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with())) {
      var callers = new ArrayList<Caller<?>>();
      for (int i = 0; i < 3; i++) {
        callers.add(waiting(client));
      }
      CloseReport report = promptly(client::closeAndReport);
      assertThat(report.callsFailed()).isEqualTo(3);
      for (Caller<?> caller : callers) {
        assertThat(caller.failure()).isInstanceOf(ConnectionClosedException.class);
      }
    }
  }

  @Test
  void callsThatWereGivenUpDoNotWaitForTheClose() throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with())) {
      for (int i = 0; i < 3; i++) {
        failure(CallTimeoutException.class, () -> client.callTool("never", Map.of(), IMPATIENT));
      }
      assertThat(promptly(client::closeAndReport).callsFailed()).isZero();
    }
  }

  /// Returns a caller of "never" whose call the server has received: progress tells.
  private static Caller<?> waiting(McpClient client) throws InterruptedException {
    var received = new CountDownLatch(1);
    var caller =
        new Caller<>(() ->
            client.callTool(
                "progress",
                Map.of("everyMs", 20),
                CallOptions.defaults().withProgress(_ -> received.countDown())));
    received.await();
    return caller;
  }

  // Cancelling.

  @Test
  void aTimeOutTellsTheServerAndTheConnectionGoesOn() throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with())) {
      assertThat(
              failure(
                  CallTimeoutException.class, () -> client.callTool("never", Map.of(), IMPATIENT)))
          .hasMessageContaining("tools/call")
          .hasMessageContaining("200 ms");
      assertThatTheLastCallWasCancelled(received(client));
    }
  }

  @Test
  void anInterruptTellsTheServerAndTheConnectionGoesOn() throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with())) {
      Caller<?> caller = waiting(client);
      caller.interrupt();
      assertThat(caller.failure()).isInstanceOf(InterruptedException.class);
      assertThatTheLastCallWasCancelled(received(client));
    }
  }

  @Test
  void aListenerThatThrowsEndsItsCallAndTellsTheServer() throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with())) {
      var thrown = new IllegalStateException("of the listener");
      assertThatThrownBy(() ->
              client.callTool(
                  "progress",
                  Map.of("everyMs", 20),
                  CallOptions.defaults()
                      .withProgress(_ -> {
                        throw thrown;
                      })))
          .isSameAs(thrown);
      assertThatTheLastCallWasCancelled(received(client));
    }
  }

  @Test
  void theServerIsToldWhyACallWasGivenUp() throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with())) {
      failure(CallTimeoutException.class, () -> client.callTool("never", Map.of(), IMPATIENT));
      Caller<?> caller = waiting(client);
      caller.interrupt();
      caller.failure();
      CallOptions failing =
          CallOptions.defaults()
              .withProgress(_ -> {
                throw new IllegalStateException();
              });
      assertThatThrownBy(() -> client.callTool("progress", Map.of("everyMs", 20), failing))
          .isInstanceOf(IllegalStateException.class);
      assertThat(new Peer(client).heard("notifications/cancelled"))
          .extracting(cancelled -> cancelled.object("params").string("reason"))
          .containsExactly(
              "its time is over", "the caller was interrupted", "the caller's listener has failed");
    }
  }

  private static void assertThatTheLastCallWasCancelled(String received) {
    List<String> lines = received.lines().toList().reversed(); // newest: the call of "received"
    assertThat(lines.get(1)).contains("\"method\":\"notifications/cancelled\"");
    String id = lines.get(2).replaceAll(".*\"id\":(\\d+).*", "$1");
    assertThat(lines.get(2)).contains("\"method\":\"tools/call\"");
    assertThat(lines.get(1)).contains("\"requestId\":" + id + ",");
  }

  @Test
  void initializeIsNeverCancelledOnTheWire() throws Exception {
    try (var _ = NothingLeft.check()) {
      var states = new States();
      var connection =
          new Connection(
              "connection/t",
              "t",
              ScriptedServer.with(new Fault.Silent("initialize"), Quirk.TELLS_STDERR),
              ClientOptions.defaults().withConnectTimeout(Duration.ofSeconds(3)),
              Connection.Shared.nothing(),
              new Connection.Callbacks() {},
              states);
      Thread.ofVirtual().name("owner").start(connection::run);
      assertThatThrownBy(connection::awaitReady).isInstanceOf(CallTimeoutException.class);
      assertThat(connection.awaitClosed().stderrTail())
          .contains("\"method\":\"initialize\"")
          .doesNotContain("cancelled");
    }
  }

  // Progress.

  @Test
  void progressReachesTheListenerInTheCallersThread() throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with())) {
      List<Thread> threads = new ArrayList<>();
      List<Double> values = new ArrayList<>();
      ToolResult result =
          client.callTool(
              "progress",
              Map.of("count", 5, "everyMs", 20),
              CallOptions.defaults()
                  .withProgress(progress -> {
                    threads.add(Thread.currentThread());
                    values.add(progress.progress());
                  }));
      assertThat(result.text()).isEqualTo("done");
      assertThat(values).isSorted().endsWith(5.0);
      assertThat(threads).containsOnly(Thread.currentThread());
    }
  }

  @Test
  void progressRestartsTheTimeOut() throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with())) {
      var patient =
          CallOptions.defaults().withTimeout(Duration.ofMillis(1_500)).withProgress(_ -> {});
      ToolResult result = client.callTool("progress", Map.of("count", 30, "everyMs", 60), patient);
      assertThat(result.text()).isEqualTo("done"); // after 1,800 ms and more
    }
  }

  @Test
  void progressNeverExtendsACallBeyondTheMaximum() throws Exception {
    ClientOptions options =
        ClientOptions.defaults()
            .withCallTimeout(Duration.ofMillis(1_500), Duration.ofMillis(2_000));
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with(), options)) {
      var listening = CallOptions.defaults().withProgress(_ -> {});
      assertThat(
              failure(
                  CallTimeoutException.class,
                  () -> client.callTool("progress", Map.of("everyMs", 50), listening)))
          .hasMessageContaining("2000 ms");
      assertThatTheLastCallWasCancelled(received(client));
    }
  }

  @Test
  void aListenerThatWaitsDoesNotHoldUpTheAnswer() throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with())) {
      // The answer arrives while the listener waits: the other call takes longer.
      var longer = Map.of("count", 8, "everyMs", 50);
      ToolResult result =
          promptly(() ->
              client.callTool(
                  "progress",
                  Map.of("count", 1, "everyMs", 50),
                  CallOptions.defaults()
                      .withProgress(
                          _ -> new Caller<>(() -> client.callTool("progress", longer)).join())));
      assertThat(result.text()).isEqualTo("done");
    }
  }

  @Test
  void aListenerSlowerThanTheProgressNeverExtendsACallBeyondTheMaximum() throws Exception {
    ClientOptions options =
        ClientOptions.defaults()
            .withCallTimeout(Duration.ofMillis(1_500), Duration.ofMillis(2_000));
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with(), options)) {
      failure(
          CallTimeoutException.class,
          () ->
              client.callTool(
                  "progress",
                  Map.of("everyMs", 5),
                  CallOptions.defaults().withProgress(_ -> LockSupport.parkNanos(50_000_000))));
      assertThatTheLastCallWasCancelled(received(client));
    }
  }

  @Test
  void aListenerSlowerThanTheProgressLeavesACallInterruptible() throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with())) {
      var listening = new CountDownLatch(3);
      var caller =
          new Caller<>(() ->
              client.callTool(
                  "progress",
                  Map.of("everyMs", 5),
                  CallOptions.defaults()
                      .withProgress(_ -> {
                        listening.countDown();
                        LockSupport.parkNanos(50_000_000);
                      })));
      listening.await();
      caller.interrupt();
      assertThat(promptly(caller::failure)).isInstanceOf(InterruptedException.class);
    }
  }

  // Many.

  @Test
  void sixtyFourCallersAtOnceGetTheirOwnAnswers() throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with())) {
      var callers = new ArrayList<Caller<String>>();
      for (int i = 0; i < 64; i++) {
        String text = i + "x".repeat(i * 100);
        callers.add(
            new Caller<>(() -> {
              String last = "";
              for (int n = 0; n < 20; n++) {
                last = echo(client, text + n);
                assertThat(last).isEqualTo(text + n);
              }
              return last;
            }));
      }
      for (Caller<String> caller : callers) {
        assertThat(caller.result()).endsWith("19");
      }
    }
  }

  @Test
  void callersThatAreInterruptedAtAnyMomentHarmNobody() throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with())) {
      for (int round = 0; round < 20; round++) {
        var callers = new ArrayList<Caller<String>>();
        for (int i = 0; i < 8; i++) {
          callers.add(new Caller<>(() -> echo(client, "x".repeat(100_000))));
        }
        for (int i = 0; i < 8; i += 2) {
          callers.get(i).interrupt();
        }
        for (int i = 1; i < 8; i += 2) {
          assertThat(callers.get(i).result()).hasSize(100_000);
        }
        for (int i = 0; i < 8; i += 2) {
          Throwable thrown = catchThrowable(callers.get(i)::result);
          assertThat(thrown == null || thrown.getCause() instanceof InterruptedException).isTrue();
        }
      }
      assertThat(echo(client, "still there")).isEqualTo("still there");
    }
  }

  // Closing.

  @Test
  void aGoodCloseWarnsOfNothing() throws Exception {
    try (var _ = NothingLeft.check();
        var logged = Logged.under("dev.mcpscope")) {
      McpClient client = McpClient.open(ScriptedServer.with());
      CloseReport report = new Caller<>(client::closeAndReport).result();
      assertThat(report.failures()).isEmpty();
      assertThat(logged.texts()).isEmpty();
    }
  }

  @Test
  void anyThreadMayCloseAndTwice() throws Exception {
    try (var _ = NothingLeft.check()) {
      McpClient client = McpClient.open(ScriptedServer.with());
      var closers = new ArrayList<Caller<CloseReport>>();
      for (int i = 0; i < 4; i++) {
        closers.add(new Caller<>(client::closeAndReport));
      }
      CloseReport report = closers.getFirst().result();
      for (Caller<CloseReport> closer : closers) {
        assertThat(closer.result()).isSameAs(report);
      }
      assertThat(client.closeAndReport()).isSameAs(report);
    }
  }

  @Test
  void anInterruptDoesNotCutACloseShortAndIsKept() throws Exception {
    try (var _ = NothingLeft.check()) {
      McpClient client = McpClient.open(ScriptedServer.with());
      Thread.currentThread().interrupt();
      client.close();
      assertThat(Thread.interrupted()).isTrue();
      assertThat(client.closeAndReport().outcome()).isEqualTo(CloseReport.Outcome.GRACEFUL);
    }
  }

  @Test
  void anInterruptedOpenLeavesNothing() throws Exception {
    try (var _ = NothingLeft.check()) {
      var opener =
          new Caller<>(() -> McpClient.open(ScriptedServer.with(new Fault.Silent("initialize"))));
      opener.interrupt();
      assertThat(promptly(opener::failure)).isInstanceOf(InterruptedException.class);
    }
  }

  @Test
  void aListenerMayCloseTheConnectionOfItsCall() throws Exception {
    try (var _ = NothingLeft.check()) {
      McpClient client = McpClient.open(ScriptedServer.with());
      failure(
          ConnectionClosedException.class,
          () ->
              client.callTool(
                  "progress",
                  Map.of("everyMs", 10),
                  CallOptions.defaults().withProgress(_ -> client.close())));
    }
  }

  @Test
  void sixteenClientsAreClosedFirstInFirstOutByOneThread() throws Exception {
    try (var _ = NothingLeft.check()) {
      List<McpClient> clients = sixteen();
      for (McpClient client : clients) {
        CloseReport report = client.closeAndReport();
        assertThat(report.outcome()).isEqualTo(CloseReport.Outcome.GRACEFUL);
        assertThat(report.failures()).isEmpty();
      }
    }
  }

  @Test
  void sixteenClientsAreClosedBySixteenThreads() throws Exception {
    try (var _ = NothingLeft.check()) {
      List<McpClient> clients = sixteen();
      var closers = new ArrayList<Caller<CloseReport>>();
      for (McpClient client : clients) {
        closers.add(new Caller<>(client::closeAndReport));
      }
      for (Caller<CloseReport> closer : closers) {
        assertThat(within(Duration.ofSeconds(9), closer::result).nothingLeft()).isTrue();
      }
    }
  }

  /// In order of age; each has been used.
  private static List<McpClient> sixteen() throws Exception {
    McpClient[] clients = new McpClient[16];
    BlockingQueue<Integer> next = new LinkedBlockingQueue<>(range(clients.length));
    var openers = new ArrayList<Caller<Void>>();
    for (int i = 0; i < 4; i++) { // four at a time, as the machine may have two processors
      openers.add(
          new Caller<>(() -> {
            for (Integer n; (n = next.poll()) != null; ) {
              clients[n] = McpClient.open(ScriptedServer.with());
              assertThat(echo(clients[n], "number " + n)).isEqualTo("number " + n);
            }
            return null;
          }));
    }
    for (Caller<Void> opener : openers) {
      opener.result();
    }
    return Arrays.asList(clients);
  }

  private static List<Integer> range(int size) {
    return IntStream.range(0, size).boxed().toList();
  }
}
