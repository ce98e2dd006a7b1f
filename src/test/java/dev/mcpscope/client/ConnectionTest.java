package dev.mcpscope.client;

import static dev.mcpscope.client.Promptly.failure;
import static dev.mcpscope.client.Promptly.promptly;
import static dev.mcpscope.client.Promptly.within;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.ScopeTree;
import dev.mcpscope.ScriptedServer;
import dev.mcpscope.ScriptedServer.Fault;
import dev.mcpscope.ScriptedServer.Fault.Quirk;
import dev.mcpscope.client.Connection.Callbacks;
import dev.mcpscope.client.Connection.Observer;
import dev.mcpscope.host.ThreadDump;
import dev.mcpscope.host.ThreadDump.Scope;
import dev.mcpscope.host.ThreadDump.ThreadInfo;
import dev.mcpscope.transport.CloseBudget;
import dev.mcpscope.transport.CloseReport;
import dev.mcpscope.transport.CloseReport.Outcome;
import dev.mcpscope.transport.CloseReport.ServerProcess;
import dev.mcpscope.transport.CloseReport.Step;
import dev.mcpscope.transport.CloseReport.Tie;
import dev.mcpscope.transport.Loss;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The rules of ownership, as far as one connection over stdio shows them: `o3_…` is a test of
/// rule O3.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ConnectionTest {
  private static final String NAME = "connection/test/server#1";
  private static final ClientOptions DEFAULTS = ClientOptions.defaults();
  private static final Callbacks NONE = new Callbacks() {};

  /// What a step of a close may take; more is left for the machine than for the server.
  private static final Duration MOMENT = Duration.ofSeconds(4);

  private static ClientOptions closing(int exitMillis, int terminateMillis) {
    return DEFAULTS.withClose(
        new CloseBudget(
            Duration.ofMillis(300),
            Duration.ofMillis(exitMillis),
            Duration.ofMillis(terminateMillis),
            Duration.ofSeconds(1)));
  }

  /// A connection, its owner, and its states.
  private record Running(Connection connection, Thread owner, States states) {
    McpClient ready() throws McpException, InterruptedException {
      return connection.awaitReady();
    }

    /// Stops it and waits until it has ended.
    CloseReport stopped() {
      connection.stop(CloseReason.DISCONNECTED);
      return connection.awaitClosed();
    }
  }

  private static Running start(ClientOptions options, Callbacks callbacks, Fault... faults) {
    return start(ScriptedServer.with(faults), options, callbacks, _ -> {});
  }

  private static Running start(
      ServerSpec server,
      ClientOptions options,
      Callbacks callbacks,
      Consumer<Connection> beforeItRuns) {
    var states = new States();
    var connection =
        new Connection(
            NAME, "server", server, options, Connection.Shared.nothing(), callbacks, states);
    beforeItRuns.accept(connection);
    Thread owner = Thread.ofVirtual().name("the owner").start(connection::run);
    return new Running(connection, owner, states);
  }

  private static Callbacks onConnect(Guest guest) {
    return new Callbacks() {
      @Override
      public void onConnect(McpClient client) throws Exception {
        guest.call(client);
      }
    };
  }

  private static Callbacks onDisconnect(Guest guest) {
    return new Callbacks() {
      @Override
      public void onDisconnect(McpClient client) throws Exception {
        guest.call(client);
      }
    };
  }

  /// User code.
  private interface Guest {
    void call(McpClient client) throws Exception;
  }

  private static long pid(McpClient client) throws Exception {
    return Long.parseLong(client.callTool("pid", Map.of()).text());
  }

  /// Returns the pid that a server with a daemon has told on stderr.
  private static long daemon(CloseReport report) {
    Matcher told = Pattern.compile("daemon (\\d+)").matcher(report.stderrTail());
    assertThat(told.find()).isTrue();
    return Long.parseLong(told.group(1));
  }

  /// A zombie does not run: nobody may have looked at it yet.
  private static boolean isRunning(long pid) {
    try {
      String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
      return stat.charAt(stat.lastIndexOf(')') + 2) != 'Z';
    } catch (IOException _) {
      return false;
    }
  }

  private static void signal(String name, long pid) throws IOException, InterruptedException {
    assertThat(new ProcessBuilder("kill", "-" + name, Long.toString(pid)).start().waitFor())
        .isZero();
  }

  private static Duration took(CloseReport report, String step) {
    return report.steps().stream()
        .filter(s -> s.name().startsWith(step))
        .map(Step::took)
        .reduce(Duration.ZERO, Duration::plus);
  }

  // O1: only the thread that opened a scope forks in it, joins it and closes it.

  @Test
  void o1_oneThreadOwnsTheScopeAndAllOthersAreForkedInIt() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = start(DEFAULTS, NONE);
      running.ready();
      Scope scope = ScopeTree.ofConnected(NAME);
      assertThat(scope.ownerTid()).isEqualTo(running.owner().threadId());
      assertThat(scope.threads())
          .extracting(ThreadInfo::name)
          .containsExactlyInAnyOrder(
              NAME + " watch",
              NAME + " stderr",
              NAME + " writer",
              NAME + " reader",
              NAME + " handlers");
      assertThat(scope.scopes()).extracting(Scope::name).containsExactly(NAME + " handlers");
      running.stopped();
    }
  }

  @Test
  void o1_theOwnerClosesWhoeverStops() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = start(DEFAULTS, NONE);
      running.ready();
      new Caller<>(running::stopped).result();
      assertThat(running.states().tellers()).containsExactly(running.owner());
    }
  }

  // O2: open returns a ready connection or throws with everything released.

  @Test
  void o2_aReadyConnectionIsConnectedAndHasReadAllTools() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = start(DEFAULTS, NONE);
      McpClient client = running.ready();
      assertThat(running.connection().state())
          .isEqualTo(running.states().last())
          .isInstanceOfSatisfying(
              ConnectionState.Connected.class,
              state ->
                  assertThat(state.tools()).extracting(Tool::name).contains("echo", "progress"));
      assertThat(client.callTool("echo", Map.of("text", "hello")).text()).isEqualTo("hello");
      running.stopped();
    }
  }

  static List<Fault> failuresOfConnecting() {
    return List.of(
        new Fault.ExitsAtStart(1, ""),
        new Fault.DiesOn("initialize", 2, ""),
        new Fault.DiesOn("tools/list", 3, ""),
        new Fault.Error("initialize", -1, "no"),
        new Fault.Error("tools/list", -1, "no"),
        new Fault.Speaks("x"),
        new Fault.ResultIsText("tools/list"),
        Quirk.CURSOR_REPEATS);
  }

  @ParameterizedTest
  @MethodSource("failuresOfConnecting")
  void o2_openThrowsWithEverythingReleased(Fault fault) throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = start(DEFAULTS, NONE, fault);
      McpException cause = failure(McpException.class, running::ready);
      assertThat(running.connection().state())
          .isInstanceOfSatisfying(
              ConnectionState.Failed.class,
              state -> {
                assertThat(state.cause()).isSameAs(cause);
                assertThat(state.report().nothingLeft()).isTrue();
              });
    }
  }

  @Test
  void aServerThatIsOfTheEraThatIsRememberedIsNotAskedAgainWhateverElseItRefuses()
      throws Exception {
    try (var _ = NothingLeft.check()) {
      ServerSpec server = ScriptedServer.with(new Fault.Error("tools/list", -32_000, "no license"));
      var eras = new EraMemory();
      eras.legacy(server);
      var shared = new Connection.Shared(Optional.empty(), eras);
      var connection = new Connection(NAME, "server", server, DEFAULTS, shared, NONE, new States());
      Thread owner = Thread.ofVirtual().name("the owner").start(connection::run);
      assertThat(failure(RemoteErrorException.class, connection::awaitReady))
          .hasMessageContaining("no license");
      assertThat(connection.awaitClosed().processes()).as("started once").hasSize(1);
      assertThat(eras.recall(server)).containsInstanceOf(EraMemory.Known.Legacy.class);
      owner.join();
    }
  }

  static List<Fault> failuresOfTheTools() {
    return List.of(
        new Fault.DiesOn("tools/list", 3, ""),
        new Fault.Error("tools/list", -1, "no"),
        new Fault.ResultIsText("tools/list"),
        new Fault.Silent("tools/list"),
        Quirk.CURSOR_REPEATS);
  }

  @ParameterizedTest
  @MethodSource("failuresOfTheTools")
  void o2_onConnectIsNotCalledWhenTheToolsCannotBeRead(Fault fault) throws Exception {
    try (var _ = NothingLeft.check()) {
      var welcomed = new AtomicReference<McpClient>();
      Running running =
          start(
              DEFAULTS.withConnectTimeout(Duration.ofSeconds(3)), onConnect(welcomed::set), fault);
      failure(McpException.class, running::ready);
      assertThat(running.states().names()).doesNotContain("onConnect", "Connected");
      assertThat(welcomed.get()).isNull();
    }
  }

  // O3: when close has returned, nothing is left that the report does not name.

  @ParameterizedTest
  @EnumSource(names = {"DAEMON", "DAEMON_WITH_CLEAN_ENVIRONMENT"})
  void o3_nothingIsLeftOfADaemonThatHasLeftTheTree(Quirk daemon) throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = start(DEFAULTS, NONE, daemon);
      running.ready();
      CloseReport report = promptly(running::stopped);
      assertThat(report.outcome()).as("%s", report).isEqualTo(Outcome.TERMINATED);
      assertThat(report.steps())
          .extracting(Step::name)
          .contains("SIGTERM [" + daemon(report) + "]");
      assertThat(report.processes())
          .extracting(ServerProcess::pid, ServerProcess::tie, ServerProcess::end)
          .contains(
              tuple(
                  daemon(report),
                  daemon == Quirk.DAEMON ? Tie.MARK : Tie.PIPE,
                  Outcome.TERMINATED));
      assertThat(isRunning(daemon(report))).isFalse();
      assertThat(report.nothingLeft()).isTrue();
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"DAEMON", "GRANDCHILD_HOLDS_STDOUT"})
  void o3_nothingIsLeftWhenTheServerHasDiedBeforeItsChildren(Quirk child) throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = start(DEFAULTS, NONE, child);
      long pid = pid(running.ready());
      signal("KILL", pid);
      CloseReport report = promptly(running.connection()::awaitClosed);
      assertThat(report.exitCode()).hasValue(137);
      assertThat(report.outcome()).as("%s", report).isEqualTo(Outcome.TERMINATED);
      assertThat(report.nothingLeft()).isTrue();
    }
  }

  @Test
  void o3_aChildThatCanOnlyBeKnownByItsParentIsNotedWhileThatLives() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = start(DEFAULTS, NONE, Quirk.GRANDCHILD_HAS_NOTHING);
      running.ready();
      CloseReport report = promptly(running::stopped);
      assertThat(report.exitCode()).hasValue(0);
      ServerProcess child =
          report.processes().stream()
              .filter(process -> process.tie() == Tie.DESCENDANT)
              .findFirst()
              .orElseThrow();
      assertThat(child.command()).endsWith("sleep");
      assertThat(child.end()).isEqualTo(Outcome.TERMINATED);
      assertThat(child.runs()).isFalse();
    }
  }

  // O4: every close is bounded, for every kind of server, and says what it took.

  @Test
  void o4_aGoodServerGoesGracefully() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = start(DEFAULTS, NONE);
      running.ready();
      CloseReport report = within(MOMENT, running::stopped);
      assertThat(report.outcome()).as("%s", report).isEqualTo(Outcome.GRACEFUL);
      assertThat(report.exitCode()).hasValue(0);
      assertThat(report.reason()).isEqualTo("disconnected");
      assertThat(report.steps())
          .extracting(Step::name)
          .containsSubsequence(
              "onDisconnect", "end its input", "wait for its exit", "close its pipes", "join");
    }
  }

  @Test
  void o4_aServerThatIgnoresTheEndOfItsInputIsTerminated() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = start(closing(200, 3_000), NONE, Quirk.IGNORES_EOF);
      long pid = pid(running.ready());
      CloseReport report = promptly(running::stopped);
      assertThat(report.outcome()).as("%s", report).isEqualTo(Outcome.TERMINATED);
      assertThat(report.exitCode()).hasValue(143);
      assertThat(report.steps()).extracting(Step::name).contains("SIGTERM [" + pid + "]");
      assertThat(took(report, "wait for its exit")).isBetween(Duration.ofMillis(200), MOMENT);
    }
  }

  @Test
  void o4_aServerThatIgnoresSigtermIsKilled() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = start(closing(200, 300), NONE, Quirk.IGNORES_EOF, Quirk.IGNORES_SIGTERM);
      long pid = pid(running.ready());
      CloseReport report = promptly(running::stopped);
      assertThat(report.outcome()).as("%s", report).isEqualTo(Outcome.KILLED);
      assertThat(report.exitCode()).hasValue(137);
      assertThat(report.steps())
          .extracting(Step::name)
          .containsSubsequence("SIGTERM [" + pid + "]", "SIGKILL [" + pid + "]");
      assertThat(took(report, "SIGTERM")).isBetween(Duration.ofMillis(300), MOMENT);
    }
  }

  @Test
  void o4_aServerThatIsStoppedIsKilled() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = start(closing(200, 300), NONE);
      long pid = pid(running.ready());
      signal("STOP", pid);
      CloseReport report = promptly(running::stopped);
      assertThat(report.outcome()).as("%s", report).isEqualTo(Outcome.KILLED);
      assertThat(report.exitCode()).hasValue(137);
    }
  }

  @Test
  void o4_aCloseThatMayTakeNoTimeIsACloseAllTheSame() throws Exception {
    var none = new CloseBudget(Duration.ZERO, Duration.ZERO, Duration.ZERO, Duration.ofSeconds(1));
    try (var _ = NothingLeft.check()) {
      Running running = start(DEFAULTS.withClose(none), NONE, Quirk.IGNORES_SIGTERM);
      running.ready();
      assertThat(within(MOMENT, running::stopped).nothingLeft()).isTrue();
    }
  }

  @Test
  void o4_whatAServerSaysInItsLastMomentsIsInTheReport() throws Exception {
    try (var _ = NothingLeft.check()) {
      String script = "echo starting >&2; cat >/dev/null; echo 'saved my work' >&2; exit 6";
      Running running = start(ServerSpec.stdio("sh", "-c", script), DEFAULTS, NONE, _ -> {});
      running.states().await("initialize");
      CloseReport report = promptly(running::stopped);
      assertThat(report.stderrTail()).endsWith("saved my work\n");
      assertThat(report.exitCode()).hasValue(6);
      assertThat(report.outcome()).as("%s", report).isEqualTo(Outcome.GRACEFUL);
    }
  }

  // O5: I/O is unblocked before the join.

  @Test
  void o5_theWriterIsFreedFromAServerThatNeverReads() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running =
          start(
              closing(200, 300), NONE, new Fault.StopsReading("tools/call"), Quirk.IGNORES_SIGTERM);
      McpClient client = running.ready();
      pid(client);
      var stuck = new Caller<>(() -> echo(client, "x".repeat(1_000_000)));
      awaitBlocked(NAME + " writer", "Outbox.write");
      CloseReport report = promptly(running::stopped);
      assertThat(report.outcome()).as("%s", report).isEqualTo(Outcome.KILLED);
      assertThat(took(report, "join")).isLessThan(MOMENT);
      assertThat(stuck.failure()).isInstanceOf(ConnectionClosedException.class);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"GRANDCHILD_HOLDS_STDOUT", "DAEMON_WITH_CLEAN_ENVIRONMENT"})
  void o5_theReaderIsFreedThoughOthersHoldStdout(Quirk holder) throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = start(DEFAULTS, NONE, holder);
      running.ready();
      CloseReport report = promptly(running::stopped);
      assertThat(report.outcome()).as("%s", report).isEqualTo(Outcome.TERMINATED);
      assertThat(took(report, "join")).isLessThan(MOMENT);
    }
  }

  private static String echo(McpClient client, String text) throws Exception {
    return client.callTool("echo", Map.of("text", text)).text();
  }

  /// Waits until a thread of this name is where it blocks; the JVM's own dump tells.
  private static void awaitBlocked(String thread, String frame) throws IOException {
    while (!Thread.currentThread().isInterrupted() // the test's time is over
        && ThreadDump.take().threads().stream()
            .noneMatch(t ->
                t.name().equals(thread) && t.at().contains(frame) && t.state().equals("WAITING"))) {
      Thread.onSpinWait();
    }
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void o4_aDaemonThatHoldsAPipeGoesThoughTheRootHeedsNothing() throws Exception {
    // The root has to be killed; a daemon with a clean environment is known by its pipe only.
    String ours = "." + ProcessHandle.current().pid(); // of this test's run, and no other
    String script =
        "trap '' TERM; setsid env -i /bin/sh -c 'sleep 310OURS & exec sleep 311OURS' & "
            + "read -r _; echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\","
            + "\"capabilities\":{},\"serverInfo\":{\"name\":\"sh\",\"version\":\"1\"}}}'; "
            + "while :; do sleep 312OURS; done";
    try (var _ = NothingLeft.check()) {
      var quick = closing(200, 200).withEra(EraChoice.LEGACY); // the script answers one request
      try (McpClient client =
          McpClient.open(ServerSpec.stdio("sh", "-c", script.replace("OURS", ours)), quick)) {
        CloseReport report = client.closeAndReport();
        assertThat(report.outcome()).as("%s", report).isEqualTo(Outcome.KILLED);
        assertThat(report.nothingLeft()).as("%s", report).isTrue();
      }
    }
    assertThat(
            ProcessHandle.allProcesses()
                .map(p -> p.info().commandLine().orElse(""))
                .filter(command -> command.contains("sleep 31") && command.endsWith(ours)))
        .isEmpty();
  }

  @Test
  void o10_aCallbackThatThrowsTheCauseOfItsCallEndsNothingEarly() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running =
          start(
              DEFAULTS,
              onDisconnect(client -> {
                try {
                  client.ping();
                } catch (McpException e) {
                  throw (Exception) e.getCause();
                }
              }),
              new Fault.DiesOn("ping", 4, "broken"));
      McpClient client = running.ready();
      failure(ConnectionLostException.class, client::ping);
      CloseReport report = running.connection().awaitClosed();
      assertThat(report.failures()).singleElement().asString().contains("exited with code 4");
      assertThat(running.connection().state()).isInstanceOf(ConnectionState.Failed.class);
    }
  }

  // O6: any thread may call, and no caller harms or waits beyond its time.

  @Test
  void o6_aServerThatDoesNotReadHoldsNoCallerBeyondItsDeadline() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = start(closing(200, 3_000), NONE, new Fault.StopsReading("tools/call"));
      McpClient client = running.ready();
      pid(client);
      var impatient = CallOptions.defaults().withTimeout(Duration.ofMillis(300));
      Map<String, String> large = Map.of("text", "x".repeat(1_000_000));
      for (int i = 0; i < 4; i++) {
        assertThatThrownBy(() -> within(MOMENT, () -> client.callTool("echo", large, impatient)))
            .isInstanceOf(CallTimeoutException.class)
            .hasMessageContaining("300 ms");
      }
      promptly(running::stopped);
    }
  }

  @Test
  void o6_whatWaitsForAServerThatDoesNotReadIsBounded() throws Exception {
    var limits = ClientOptions.Limits.defaults();
    ClientOptions options =
        closing(200, 3_000)
            .withLimits(limits.withMessage(limits.message().withMaxBytes(1_000_000)));
    try (var _ = NothingLeft.check()) {
      Running running = start(options, NONE, new Fault.StopsReading("tools/call"));
      McpClient client = running.ready();
      pid(client);
      var impatient = CallOptions.defaults().withTimeout(Duration.ofMillis(100));
      Map<String, String> large = Map.of("text", "x".repeat(900_000));
      for (int i = 0; i < 3; i++) { // one is being written, two wait
        failure(CallTimeoutException.class, () -> client.callTool("echo", large, impatient));
      }
      assertThat(failure(CallTimeoutException.class, () -> client.callTool("echo", large)))
          .hasMessageContaining("was not sent")
          .hasMessageContaining("the limit is 2000000");
      promptly(running::stopped);
    }
  }

  @Test
  void o6_anInterruptedCallerHarmsNeitherTheConnectionNorOtherCallers() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = start(DEFAULTS, NONE);
      McpClient client = running.ready();
      Thread.currentThread().interrupt();
      assertThatThrownBy(client::ping).isInstanceOf(InterruptedException.class);
      assertThat(Thread.interrupted()).isFalse();
      assertThat(echo(client, "hello")).isEqualTo("hello");
      running.stopped();
    }
  }

  @Test
  void o6_allPendingCallsFailAtOnceWithExitCodeAndStderr() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running =
          start(DEFAULTS, NONE, new Fault.DiesOn("ping", 4, "assertion failed: x > 0"));
      McpClient client = running.ready();
      var callers = new ArrayList<Caller<?>>();
      for (int i = 0; i < 8; i++) {
        callers.add(new Caller<>(() -> client.callTool("never", Map.of())));
      }
      failure(ConnectionLostException.class, client::ping);
      for (Caller<?> caller : callers) {
        assertThat(caller.failure())
            .isInstanceOf(ConnectionLostException.class)
            .hasMessageContaining("exited with code 4")
            .hasMessageContaining("assertion failed: x > 0");
      }
      running.connection().awaitClosed();
    }
  }

  // O7: the reader runs no user code, and everything that it feeds is bounded.

  @Test
  void o7_aSlowListenerDelaysNobodyAndMissesValues() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = start(DEFAULTS, NONE, new Fault.FloodsProgress(10_000));
      McpClient client = running.ready();
      var listening = new CountDownLatch(1);
      var slow = new CountDownLatch(1);
      List<Double> values = new ArrayList<>();
      var caller =
          new Caller<>(() ->
              client.callTool(
                  "never",
                  Map.of(),
                  CallOptions.defaults()
                      .withProgress(progress -> {
                        values.add(progress.progress());
                        listening.countDown();
                        awaitUninterrupted(slow);
                      })));
      listening.await();
      client.ping(); // answered after the flood: the reader has taken all of it
      slow.countDown();
      client.ping();
      running.stopped();
      assertThat(caller.failure()).isInstanceOf(ConnectionClosedException.class);
      assertThat(values).hasSizeLessThanOrEqualTo(2).endsWith(10_000.0);
    }
  }

  @Test
  void o7_moreRequestsThanTheLimitEndTheConnection() throws Exception {
    var limits = ClientOptions.Limits.defaults();
    ClientOptions options =
        DEFAULTS.withLimits(
            new ClientOptions.Limits(
                limits.message(), limits.stderrBytes(), 10, 10, 4, 10, limits.eventBytes()));
    try (var _ = NothingLeft.check()) {
      Running running = start(options, NONE, new Fault.AsksTooMuch(2_000));
      McpClient client = running.ready();
      assertThat(failure(ProtocolViolationException.class, () -> echo(client, "")))
          .hasMessageContaining("more than 4 requests unanswered");
      assertThat(running.connection().awaitClosed().nothingLeft()).isTrue();
    }
  }

  /// As user code may do that takes no notice of its interrupt.
  private static void awaitUninterrupted(CountDownLatch latch) {
    boolean interrupted = false;
    while (latch.getCount() > 0) {
      try {
        latch.await();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  // O9: the state lives in one place.

  @Test
  void o9_theStatesOfAGoodLifeAreToldInOrderByTheOwner() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = start(DEFAULTS, NONE);
      running.ready();
      CloseReport report = running.stopped();
      assertThat(running.states().names())
          .containsExactly(
              "start",
              "server/discover",
              "initialize",
              "tools/list",
              "onConnect",
              "Connected",
              "Closing",
              "Closed");
      assertThat(running.states().tellers()).containsExactly(running.owner());
      assertThat(running.connection().state())
          .isInstanceOfSatisfying(
              ConnectionState.Closed.class, state -> assertThat(state.report()).isSameAs(report));
    }
  }

  @Test
  void o9_theStatesOfACrashAreToldInOrder() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = start(DEFAULTS, NONE);
      signal("KILL", pid(running.ready()));
      CloseReport report = running.connection().awaitClosed();
      assertThat(running.states().names()).endsWith("onConnect", "Connected", "Closing", "Failed");
      assertThat(running.connection().state())
          .isInstanceOfSatisfying(
              ConnectionState.Failed.class,
              state -> {
                assertThat(state.cause()).hasMessageContaining("exited with code 137");
                assertThat(state.report()).isSameAs(report);
              });
    }
  }

  // O10: the first failure is the cause, and user code never skips a cleanup.

  static List<Throwable> thrown() {
    return List.of(
        new IllegalStateException("of the user"),
        new IOException("of the user"),
        new AssertionError("of the user"),
        new StackOverflowError("of the user"));
  }

  @ParameterizedTest
  @MethodSource("thrown")
  void o10_whatOnConnectThrowsIsTheCauseAndEverythingIsReleased(Throwable thrown) throws Exception {
    try (var _ = NothingLeft.check()) {
      var said = new AtomicReference<>("no goodbye");
      var callbacks =
          new Callbacks() {
            @Override
            public void onConnect(McpClient client) throws Exception {
              raise(thrown);
            }

            @Override
            public void onDisconnect(McpClient client) {
              said.set("goodbye");
            }
          };
      Running running = start(DEFAULTS, callbacks);
      assertThat(failure(ConnectionLostException.class, running::ready))
          .hasMessageContaining("onConnect failed")
          .hasMessageContaining("of the user")
          .hasCause(thrown);
      assertThat(said.get()).isEqualTo("no goodbye");
      assertThat(running.connection().awaitClosed().outcome()).isEqualTo(Outcome.GRACEFUL);
    }
  }

  @ParameterizedTest
  @MethodSource("thrown")
  void o10_whatOnDisconnectThrowsIsInTheReportAndSkipsNothing(Throwable thrown) throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = start(DEFAULTS, onDisconnect(_ -> raise(thrown)));
      running.ready();
      CloseReport report = promptly(running::stopped);
      assertThat(report.failures()).containsExactly(thrown.toString());
      assertThat(report.outcome()).as("%s", report).isEqualTo(Outcome.GRACEFUL);
      assertThat(report.nothingLeft()).isTrue();
    }
  }

  @Test
  void o10_aCrashStaysTheCauseAndWhatOnDisconnectThrowsIsSuppressedOnIt() throws Exception {
    try (var _ = NothingLeft.check()) {
      var thrown = new IllegalStateException("of the user");
      Running running = start(DEFAULTS, onDisconnect(_ -> raise(thrown)));
      signal("KILL", pid(running.ready()));
      running.connection().awaitClosed();
      assertThat(running.connection().state())
          .isInstanceOfSatisfying(
              ConnectionState.Failed.class,
              state ->
                  assertThat(state.cause())
                      .isInstanceOf(ConnectionLostException.class)
                      .hasMessageContaining("137")
                      .hasSuppressedException(thrown));
    }
  }

  private static void raise(Throwable thrown) throws Exception {
    switch (thrown) {
      case Error e -> throw e;
      case Exception e -> throw e;
      default -> throw new AssertionError(thrown);
    }
  }

  @Test
  void o10_anOnConnectThatHangsEndsWithTheTimeToConnect() throws Exception {
    try (var _ = NothingLeft.check()) {
      var interrupted = new CountDownLatch(1);
      Running running =
          start(
              DEFAULTS.withConnectTimeout(Duration.ofSeconds(3)),
              onConnect(_ -> {
                try {
                  new CountDownLatch(1).await();
                } finally {
                  interrupted.countDown();
                }
              }));
      assertThat(failure(CallTimeoutException.class, running::ready))
          .hasMessageContaining("3000 ms")
          .hasMessageContaining("onConnect");
      interrupted.await();
      assertThat(running.connection().awaitClosed().abandoned()).isEmpty();
    }
  }

  @Test
  void o10_anOnConnectThatIgnoresItsInterruptIsAbandonedAndNamed() throws Exception {
    try (var _ = NothingLeft.check()) {
      var end = new CountDownLatch(1);
      try {
        Running running =
            start(
                DEFAULTS.withConnectTimeout(Duration.ofSeconds(3)),
                onConnect(_ -> awaitUninterrupted(end)));
        failure(CallTimeoutException.class, running::ready);
        CloseReport report = running.connection().awaitClosed();
        assertThat(report.abandoned()).containsExactly(NAME + " onConnect");
        assertThat(report.nothingLeft()).isFalse();
        assertThat(report.outcome()).as("%s", report).isEqualTo(Outcome.GRACEFUL);
      } finally {
        end.countDown();
      }
    }
  }

  @Test
  void o10_anOnDisconnectThatIgnoresItsInterruptIsAbandonedAndNamed() throws Exception {
    try (var _ = NothingLeft.check()) {
      var end = new CountDownLatch(1);
      try {
        Running running = start(closing(2_000, 500), onDisconnect(_ -> awaitUninterrupted(end)));
        running.ready();
        CloseReport report = promptly(running::stopped);
        assertThat(report.abandoned()).containsExactly(NAME + " onDisconnect");
        assertThat(report.outcome()).as("%s", report).isEqualTo(Outcome.GRACEFUL);
        assertThat(took(report, "onDisconnect")).isBetween(Duration.ofMillis(300), MOMENT);
      } finally {
        end.countDown();
      }
    }
  }

  @Test
  void o10_onDisconnectRunsWhileTheServerStillRunsAndItsCallsAreRefused() throws Exception {
    try (var _ = NothingLeft.check()) {
      var trail = new ArrayList<String>();
      var server = new AtomicReference<ProcessHandle>();
      Running running =
          start(
              DEFAULTS,
              onDisconnect(client -> {
                trail.add(server.get().isAlive() ? "server runs" : "server gone");
                assertThatThrownBy(client::ping).isInstanceOf(ConnectionClosedException.class);
                trail.add("call refused");
              }));
      server.set(ProcessHandle.of(pid(running.ready())).orElseThrow());
      assertThat(running.stopped().failures()).isEmpty();
      assertThat(trail).containsExactly("server runs", "call refused");
    }
  }

  // O11: stopping works in every state.

  @Test
  void o11_aConnectionIsStoppedBeforeItRuns() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running =
          start(
              ScriptedServer.with(),
              DEFAULTS,
              NONE,
              connection -> connection.stop(CloseReason.REPLACED));
      assertThat(failure(ConnectionClosedException.class, running::ready).reason())
          .isEqualTo(CloseReason.REPLACED);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"server/discover", "initialize", "tools/list"})
  void o11_aConnectionIsStoppedInTheHandshake(String method) throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = start(DEFAULTS, NONE, new Fault.Silent(method));
      running.states().await(method);
      CloseReport report = promptly(running::stopped);
      assertThat(report.nothingLeft()).isTrue();
      assertThat(report.callsFailed()).as("no caller's").isZero();
      assertThat(failure(ConnectionClosedException.class, running::ready).reason())
          .isEqualTo(CloseReason.DISCONNECTED);
      assertThat(running.states().names()).endsWith(method, "Closing", "Closed");
    }
  }

  @Test
  void o11_aConnectionIsStoppedThoughTheServerHasJustDiedOfTheProbe() throws Exception {
    try (var _ = NothingLeft.check()) {
      var connection = new AtomicReference<Connection>();
      var states = new States();
      Observer observer =
          new Observer() {
            @Override
            public void changed(ConnectionState state) {
              states.changed(state);
              if (state.equals(new ConnectionState.Connecting("server/discover"))) {
                // in the owner's thread: so it finds both, and no news of the handshake between
                var died = new Loss(Loss.Kind.GONE, "it has died", null);
                connection.get().mailbox().post(new Attempt.Mail.Lost(died));
                connection.get().stop(CloseReason.REPLACED);
              }
            }
          };
      connection.set(
          new Connection(
              NAME,
              "server",
              ScriptedServer.with(new Fault.Silent("server/discover")),
              DEFAULTS,
              Connection.Shared.nothing(),
              NONE,
              observer));
      Thread owner = Thread.ofVirtual().name("the owner").start(connection.get()::run);
      assertThat(failure(ConnectionClosedException.class, connection.get()::awaitReady).reason())
          .isEqualTo(CloseReason.REPLACED);
      CloseReport report = connection.get().awaitClosed();
      assertThat(report.reason()).isEqualTo(CloseReason.REPLACED.text());
      assertThat(report.processes()).as("started once").hasSize(1);
      assertThat(states.names()).endsWith("server/discover", "Closing", "Closed");
      owner.join();
    }
  }

  @Test
  void o11_aConnectionIsStoppedInOnConnect() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = start(DEFAULTS, onConnect(client -> client.callTool("never", Map.of())));
      running.states().await("onConnect");
      CloseReport report = promptly(running::stopped);
      assertThat(report.abandoned()).isEmpty();
      failure(ConnectionClosedException.class, running::ready);
      assertThat(running.states().names()).endsWith("onConnect", "Closing", "Closed");
    }
  }

  @RepeatedTest(5)
  void o11_onConnectMayStopItsOwnConnection() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = start(DEFAULTS, onConnect(McpClient::close));
      failure(ConnectionClosedException.class, running::ready);
      assertThat(promptly(running.connection()::awaitClosed).nothingLeft()).isTrue();
    }
  }

  /// Whichever comes first: what ends the connection, or the word that onConnect has returned.
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void o10_everyOnConnectThatReturnsIsFollowedByAnOnDisconnect(boolean stops) throws Exception {
    try (var _ = NothingLeft.check()) {
      var calls = new ArrayList<String>(); // one guest at a time
      Callbacks callbacks =
          new Callbacks() {
            @Override
            public void onConnect(McpClient client) {
              if (stops) {
                client.close(); // does not wait in a callback: this returns
              }
              calls.add("onConnect has returned");
            }

            @Override
            public void onDisconnect(McpClient client) {
              calls.add("onDisconnect");
            }
          };
      Running running = start(DEFAULTS, callbacks);
      if (!stops) {
        running.ready();
      }
      promptly(stops ? running.connection()::awaitClosed : running::stopped);
      assertThat(calls).containsExactly("onConnect has returned", "onDisconnect");
    }
  }

  /// The word that it has failed is behind what has ended the connection.
  @ParameterizedTest
  @MethodSource("thrown")
  void o10_whatOnConnectThrowsOnceItIsStoppedIsInTheReport(Throwable thrown) throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running =
          start(
              DEFAULTS,
              onConnect(client -> {
                client.close(); // does not wait in a callback
                raise(thrown);
              }));
      CloseReport report = promptly(running.connection()::awaitClosed);
      assertThat(report.reason()).isEqualTo(CloseReason.CLOSED.text());
      assertThat(report.failures()).singleElement().asString().contains("of the user");
    }
  }

  @Test
  void o10_whatTheStopItselfBringsToOnConnectIsNoFailure() throws Exception {
    try (var _ = NothingLeft.check()) {
      var never = new CountDownLatch(1);
      for (Guest guest :
          List.<Guest>of(client -> client.callTool("never", Map.of()), _ -> never.await())) {
        Running running = start(DEFAULTS, onConnect(guest));
        running.states().await("onConnect");
        assertThat(promptly(running::stopped).failures()).isEmpty();
      }
    }
  }

  @RepeatedTest(5)
  void o11_onDisconnectMayCloseItsOwnConnection() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = start(DEFAULTS, onDisconnect(McpClient::close));
      running.ready();
      CloseReport report = promptly(running::stopped);
      assertThat(report.abandoned()).isEmpty();
      assertThat(report.failures()).isEmpty();
    }
  }

  @Test
  void o11_aConnectionThatIsClosingIsStoppedForTheFirstReason() throws Exception {
    try (var _ = NothingLeft.check()) {
      var closing = new CountDownLatch(1);
      var goOn = new CountDownLatch(1);
      Running running =
          start(
              DEFAULTS,
              onDisconnect(_ -> {
                closing.countDown();
                goOn.await();
              }));
      running.ready();
      running.connection().stop(CloseReason.SESSION_ENDED);
      closing.await();
      running.connection().stop(CloseReason.HOST_ENDED);
      goOn.countDown();
      assertThat(running.connection().awaitClosed().reason()).isEqualTo("its session has ended");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"initialize", "tools/list", "onConnect", "Connected"})
  void o11_anInterruptOfTheOwnerStopsTheConnectionInEveryState(String state) throws Exception {
    try (var _ = NothingLeft.check()) {
      Fault[] silent =
          Set.of("initialize", "tools/list").contains(state)
              ? new Fault[] {new Fault.Silent(state)}
              : new Fault[0];
      Callbacks callbacks =
          state.equals("onConnect")
              ? onConnect(client -> client.callTool("never", Map.of()))
              : NONE;
      Running running = start(DEFAULTS, callbacks, silent);
      running.states().await(state);
      running.owner().interrupt();
      CloseReport report = promptly(running.connection()::awaitClosed);
      assertThat(report.reason()).isEqualTo("its owner was interrupted");
      assertThat(report.outcome()).as("%s", report).isEqualTo(Outcome.GRACEFUL);
      assertThat(running.states().names()).endsWith(state, "Closing", "Closed");
    }
  }

  @Test
  void o11_anInterruptOfTheOwnerBeforeItStartsStopsTheConnection() throws Exception {
    try (var _ = NothingLeft.check()) {
      var states = new States();
      var connection =
          new Connection(
              NAME,
              "server",
              ScriptedServer.with(),
              DEFAULTS,
              Connection.Shared.nothing(),
              NONE,
              states);
      Thread.ofVirtual()
          .start(() -> {
            Thread.currentThread().interrupt();
            connection.run();
          });
      CloseReport report = promptly(connection::awaitClosed);
      assertThat(report.reason()).isEqualTo("its owner was interrupted");
      assertThat(report.nothingLeft()).isTrue();
      assertThat(states.names()).endsWith("Closing", "Closed");
    }
  }

  @Test
  void o11_anInterruptOfTheOwnerWhileItClosesDoesNotCutTheCloseShort() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running =
          start(closing(500, 3_000), NONE, Quirk.IGNORES_EOF, Quirk.GRANDCHILD_HOLDS_STDOUT);
      running.ready();
      running.connection().stop(CloseReason.DISCONNECTED);
      running.states().await("Closing");
      running.owner().interrupt();
      CloseReport report = promptly(running.connection()::awaitClosed);
      assertThat(report.outcome()).as("%s", report).isEqualTo(Outcome.TERMINATED);
      assertThat(report.failures()).isEmpty();
      assertThat(report.nothingLeft()).isTrue();
    }
  }
}
