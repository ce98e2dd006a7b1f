package dev.mcpscope.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.ScriptedServer;
import dev.mcpscope.ScriptedServer.Fault;
import dev.mcpscope.transport.CloseReport;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// A server whose tools change while it is connected.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ToolsChangedTest {
  private static final String CHANGED = Peer.notification("tools/list_changed", "{}");

  private static String tools(String... names) {
    return "{'result':{'tools':["
        + String.join(",", List.of(names).stream().map(n -> "{'name':'" + n + "'}").toList())
        + "]}}";
  }

  /// A connection, and its states.
  private record Running(Connection connection, States states) {
    static Running start(Connection.Callbacks callbacks, Fault... faults) {
      var states = new States();
      var connection =
          new Connection(
              "connection/t",
              "t",
              ScriptedServer.with(faults),
              ClientOptions.defaults(),
              Connection.Shared.nothing(),
              callbacks,
              states);
      Thread.ofVirtual().name("owner").start(connection::run);
      return new Running(connection, states);
    }

    static Running start(Fault... faults) {
      return start(new Connection.Callbacks() {}, faults);
    }

    Peer peer() throws Exception {
      return new Peer(connection.awaitReady());
    }

    List<String> tools() {
      return ((ConnectionState.Connected) connection.state())
          .tools().stream().map(Tool::name).toList();
    }

    CloseReport stopped() {
      connection.stop(CloseReason.DISCONNECTED);
      return connection.awaitClosed();
    }
  }

  @Test
  void theStateIsPublishedAgainWithTheNewTools() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running = Running.start(Peer.answers("tools/list", tools("a"), tools("a", "b")));
      Peer peer = running.peer();
      assertThat(running.tools()).containsExactly("a");
      peer.says(CHANGED);
      running.states().await("Connected", 2);
      assertThat(running.tools()).containsExactly("a", "b");
      assertThat(running.states().last())
          .isInstanceOfSatisfying(
              ConnectionState.Connected.class,
              state -> assertThat(state.client()).isSameAs(peer.client()));
      running.stopped();
      assertThat(running.states().names())
          .endsWith("onConnect", "Connected", "Connected", "Closing", "Closed");
      assertThat(running.states().tellers()).hasSize(1);
    }
  }

  @Test
  void allPagesAreReadAgain() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running =
          Running.start(
              Peer.answers(
                  "tools/list",
                  tools(),
                  "{'result':{'tools':[{'name':'a'}],'nextCursor':'2'}}",
                  tools("b")));
      running.peer().says(CHANGED);
      running.states().await("Connected", 2);
      assertThat(running.tools()).containsExactly("a", "b");
      running.stopped();
    }
  }

  /// It is told before `initialize` is answered: the first look sees what has changed.
  @Test
  void aChangeBeforeTheToolsWereAskedForCausesNoSecondLook() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running =
          Running.start(
              Fault.Quirk.NOTIFIES_FIRST,
              Fault.Quirk.TELLS_STDERR,
              Peer.answers("tools/list", tools()));
      Peer peer = running.peer();
      for (int i = 0; i < 50; i++) { // a look would be under way by now
        peer.client().ping();
      }
      assertThat(looks(running.stopped())).isEqualTo(1);
    }
  }

  private static int looks(CloseReport report) {
    return (int)
        Peer.heard(report).stream()
            .filter(message -> "tools/list".equals(Peer.word(message, "method")))
            .count();
  }

  @Test
  void aChangeInOnConnectIsSeenOnceItIsConnected() throws Exception {
    try (var _ = NothingLeft.check()) {
      var callbacks =
          new Connection.Callbacks() {
            @Override
            public void onConnect(McpClient client) throws Exception {
              new Peer(client).says(CHANGED);
            }
          };
      Running running =
          Running.start(callbacks, Peer.answers("tools/list", tools("a"), tools("b")));
      running.states().await("Connected", 2);
      assertThat(running.tools()).containsExactly("b");
      running.stopped();
    }
  }

  @Test
  void aServerThatDeclaresNoToolsIsNotAskedForThem() throws Exception {
    String server =
        "read -r _; echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":"
            + "\"2025-11-25\",\"capabilities\":{},"
            + "\"serverInfo\":{\"name\":\"sh\",\"version\":\"1\"}}}'; read -r _; "
            + "echo '{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}'; "
            + "while read -r line; do echo \"$line\" >&2; "
            + "echo '{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}'; done";
    try (var _ = NothingLeft.check();
        var client =
            McpClient.open(
                ServerSpec.stdio("sh", "-c", server),
                ClientOptions.defaults().withEra(EraChoice.LEGACY))) {
      client.ping();
      assertThat(client.tools()).isEmpty();
      assertThat(client.closeAndReport().stderrTail()).doesNotContain("tools/list");
    }
  }

  // What a server says costs us no more than it costs itself.

  @Test
  void aFloodOfChangesCausesAboutOneLookASecond() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running =
          Running.start(Fault.Quirk.TELLS_STDERR, Peer.answers("tools/list", tools()));
      Peer peer = running.peer();
      long started = System.nanoTime();
      Caller<ToolResult> flooding = peer.flooding(CHANGED);
      running.states().await("Connected", 4); // three looks
      long seconds = Duration.ofNanos(System.nanoTime() - started).toSeconds();
      CloseReport report = running.stopped();
      // The first one at once, then one a second; one more is under way perhaps.
      assertThat(seconds).isGreaterThanOrEqualTo(2);
      assertThat(looks(report) - 1L).isBetween(3L, seconds + 2);
      flooding.failure();
    }
  }

  @Test
  void thereAreNeverTwoLooksAtOnce() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running =
          Running.start(Fault.Quirk.TELLS_STDERR, Peer.answers("tools/list", tools("a"), ""));
      Peer peer = running.peer();
      Caller<ToolResult> flooding = peer.flooding(CHANGED);
      // Time for two more, while the first one is not answered.
      assertThat(new CountDownLatch(1).await(2_500, TimeUnit.MILLISECONDS)).isFalse();
      peer.client().ping();
      assertThat(running.tools()).containsExactly("a");
      assertThat(looks(running.stopped())).isEqualTo(2);
      flooding.failure();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'error':{'code':-32603,'message':'not now'}}",
        "{'result':{}}",
        "{'result':{'tools':[{}]}}"
      })
  void aLookThatFailsKeepsTheToolsAndTheNextOneIsMade(String failing) throws Exception {
    try (var _ = NothingLeft.check();
        var logged = Logged.under("dev.mcpscope.client")) {
      Running running = Running.start(Peer.answers("tools/list", tools("a"), failing, tools("b")));
      Peer peer = running.peer();
      peer.says(CHANGED);
      logged.await("its tools have changed and cannot be read");
      peer.client().ping();
      assertThat(running.tools()).containsExactly("a");
      assertThat(running.states().names()).filteredOn("Connected"::equals).hasSize(1);
      peer.says(CHANGED);
      running.states().await("Connected", 2);
      assertThat(running.tools()).containsExactly("b");
      running.stopped();
    }
  }

  @Test
  void aConnectionIsStoppedInTheMiddleOfALook() throws Exception {
    try (var _ = NothingLeft.check()) {
      Running running =
          Running.start(Fault.Quirk.TELLS_STDERR, Peer.answers("tools/list", tools(), ""));
      Peer peer = running.peer();
      peer.says(CHANGED);
      peer.client().ping();
      CloseReport report = Promptly.promptly(running::stopped);
      assertThat(report.nothingLeft()).isTrue();
      assertThat(report.callsFailed()).as("nobody's").isZero();
      assertThat(report.failures()).isEmpty();
    }
  }
}
