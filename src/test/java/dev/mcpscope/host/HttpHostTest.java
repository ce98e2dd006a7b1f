package dev.mcpscope.host;

import static dev.mcpscope.HttpFault.on;
import static dev.mcpscope.host.McpHostTest.closeReason;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.HttpFault;
import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.End;
import dev.mcpscope.ScriptedHttpServer;
import dev.mcpscope.client.CloseReason;
import dev.mcpscope.client.ConnectionClosedException;
import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.McpClient;
import dev.mcpscope.client.ServerEvent;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.client.ToolResult;
import dev.mcpscope.host.McpHostTest.Lab;
import dev.mcpscope.transport.CloseReport;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Connections over HTTP in a host: what they share, and how they end together. Each test looks at the
/// servers too, for which nothing is left when the host has ended.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class HttpHostTest {

  /// For what ends in a moment, on a busy machine too; what does not end stays for ever.
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  private static final Act HANGS = new Act.NoAnswer(End.OPEN);
  private static final Act DRIPS = new Act.Drip("application/json", "{", 20);

  private final List<ScriptedHttpServer> servers = new ArrayList<>();

  private void inLab(Lab.Body body) throws Exception {
    Lab.run(lab -> {
      try {
        body.run(lab);
        lab.host.end();
        for (ScriptedHttpServer server : servers) {
          server.awaitNoStreams(PATIENCE);
          server.awaitNoExchanges(PATIENCE);
          server.awaitNoConnections(PATIENCE);
          assertThat(server.violations()).isEmpty();
        }
      } finally {
        servers.forEach(ScriptedHttpServer::close);
      }
    });
  }

  private ScriptedHttpServer server(HttpFault... faults) {
    var server = ScriptedHttpServer.with(faults);
    servers.add(server);
    return server;
  }

  private static ServerSpec at(ScriptedHttpServer server) {
    return ServerSpec.http(server.url());
  }

  private static McpClient connected(Lab lab, String session, String name, ScriptedHttpServer to)
      throws Exception {
    return lab.host.connect(session, name, at(to)).client().orElseThrow();
  }

  private static Future<ConnectionStatus> connecting(
      Lab lab, String name, ScriptedHttpServer server) {
    return lab.async(() -> lab.host.connect("s", name, at(server)));
  }

  private static String echo(McpClient client) throws Exception {
    return client.callTool("echo", Map.of("text", "hi")).text();
  }

  private static List<String> methods(ScriptedHttpServer server) {
    return server.requests().stream()
        .map(request -> request.rpcMethod().isEmpty() ? request.method() : request.rpcMethod())
        .toList();
  }

  // What they share.

  private static Stream<ThreadDump.ThreadInfo> platformThreads() throws Exception {
    return ThreadDump.take().threads().stream()
        .filter(thread -> !thread.virtual())
        .filter(thread -> thread.name().startsWith("HttpClient-"));
  }

  @Test
  void fiftyConnectionsToOneServerShareOneThreadAndNoneDisturbsAnother() throws Exception {
    inLab(lab -> {
      ScriptedHttpServer server = server();
      long before = platformThreads().count();
      var clients = new LinkedHashMap<String, McpClient>();
      for (int i = 0; i < 50; i++) {
        clients.put("x" + i, connected(lab, "s" + i % 2, "x" + i, server));
      }
      server.awaitStreams(50);
      assertThat(platformThreads().count() - before).as("the selector's").isEqualTo(1);
      assertThat(ThreadDump.take().threads())
          .filteredOn(thread -> thread.name().startsWith("connection/"))
          .hasSizeGreaterThanOrEqualTo(100)
          .allMatch(ThreadDump.ThreadInfo::virtual);

      CloseReport ended = lab.host.disconnect("s0", "x0").orElseThrow();
      assertThat(ended.failures()).isEmpty();
      assertThat(ended.kept()).isEmpty();
      server.awaitStreams(49);
      server.awaitSessions(49, PATIENCE);
      assertThatThrownBy(() -> echo(clients.remove("x0")))
          .isInstanceOf(ConnectionClosedException.class);
      for (McpClient client : clients.values()) {
        assertThat(echo(client)).isEqualTo("hi");
      }
      lab.host.endSession("s1");
      server.awaitStreams(24);
      assertThat(echo(clients.get("x2"))).isEqualTo("hi");
      assertThat(server.requests("GET")).as("no stream was opened again").hasSize(50);
      assertThat(lab.heard())
          .noneMatch(status -> status.state() instanceof ConnectionState.Degraded);

      HostReport report = lab.host.end();
      assertThat(report.nothingLeft()).isTrue();
      assertThat(report.sessions().get("s0")).hasSize(24);
      assertThat(server.requests("DELETE")).hasSize(50);
      server.awaitSessions(0, PATIENCE);
    });
  }

  // How they end.

  /// One in each state that could hold up an end, twice: a close that took its steps one connection
  /// after the other would take four seconds and more.
  private Map<String, ScriptedHttpServer> connectedInEveryState(
      Lab lab, Map<String, Future<?>> waiting) throws Exception {
    var all = new LinkedHashMap<String, ScriptedHttpServer>();
    for (int i = 0; i < 2; i++) {
      all.put("fine" + i, server());
      all.put("deleted in vain" + i, server(on("DELETE", HANGS)));
      all.put("deleted drop by drop" + i, server(on("DELETE", DRIPS)));
      all.put("called" + i, server(on("tools/call", HANGS), on("DELETE", HANGS)));
      all.put("called drop by drop" + i, server(on("tools/call", DRIPS)));
      all.put("silent" + i, server(on("initialize", HANGS)));
      all.put("begun" + i, server(on("tools/list", DRIPS), on("DELETE", HANGS)));
    }
    for (var one : all.entrySet()) {
      ScriptedHttpServer server = one.getValue();
      String name = one.getKey();
      if (name.startsWith("silent") || name.startsWith("begun")) {
        waiting.put(name, connecting(lab, name, server));
        server.awaitRequest(name.startsWith("silent") ? "initialize" : "tools/list", 1);
      } else {
        McpClient client = connected(lab, "s", name, server);
        if (name.startsWith("called")) {
          waiting.put(name, lab.async(() -> client.callTool("never", Map.of())));
          server.awaitRequest("tools/call", 1);
        }
      }
    }
    return all;
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void connectionsOfASessionEndAtTheSameTimeWhateverTheirServersDo(boolean host) throws Exception {
    inLab(lab -> {
      var waiting = new LinkedHashMap<String, Future<?>>();
      Map<String, ScriptedHttpServer> all = connectedInEveryState(lab, waiting);
      long begun = System.nanoTime();
      Map<String, CloseReport> reports;
      if (host) {
        HostReport report = lab.host.end();
        assertThat(report.unfinished()).isEmpty();
        assertThat(report.nothingLeft()).isTrue();
        reports = report.sessions().get("s");
      } else {
        reports = lab.host.endSession("s").orElseThrow();
      }
      Duration took = Duration.ofNanos(System.nanoTime() - begun);

      assertThat(reports).containsOnlyKeys(all.keySet());
      assertThat(took).isLessThan(Duration.ofSeconds(3)); // one DELETE may take half a second
      CloseReason reason = host ? CloseReason.HOST_ENDED : CloseReason.SESSION_ENDED;
      for (var report : reports.entrySet()) {
        assertThat(report.getValue().nothingLeft()).as(report.getKey()).isTrue();
        assertThat(report.getValue().reason()).as(report.getKey()).isEqualTo(reason.text());
        boolean inVain = !all.get(report.getKey()).requests("DELETE").isEmpty();
        boolean answered = report.getKey().matches("(fine|called drop by drop)\\d");
        assertThat(report.getValue().failures()).as(report.getKey()).isEmpty();
        assertThat(report.getValue().kept().toString())
            .as(report.getKey())
            .matches(inVain && !answered ? ".*DELETE was not answered within 500 ms.*" : "\\[]");
      }
      for (var answer : waiting.entrySet()) {
        assertThatThrownBy(answer.getValue()::get)
            .as(answer.getKey())
            .cause()
            .isInstanceOfSatisfying(
                ConnectionClosedException.class, e -> assertThat(e.reason()).isEqualTo(reason));
      }
      for (var server : all.entrySet()) {
        server.getValue().awaitNoExchanges(PATIENCE); // the sockets that were in use are closed
        server.getValue().awaitNoStreams(PATIENCE);
        assertThat(server.getValue().requests("DELETE"))
            .as(server.getKey())
            .hasSize(server.getKey().startsWith("silent") ? 0 : 1);
      }
    });
  }

  @ParameterizedTest
  @ValueSource(strings = {"initialize", "notifications/initialized", "GET", "tools/list"})
  void hostEndsWhileAConnectionIsOnItsWay(String step) throws Exception {
    inLab(lab -> {
      ScriptedHttpServer server = server(on(step, new Act.Held("never", false)));
      Future<ConnectionStatus> connecting = connecting(lab, "x", server);
      server.awaitRequest(step, 1);
      HostReport report = lab.host.end();
      assertThat(report.nothingLeft()).isTrue();
      assertThat(report.took()).isLessThan(PATIENCE);
      assertThat(closeReason(connecting)).isEqualTo(CloseReason.HOST_ENDED);
      server.awaitSessions(0, PATIENCE);
      assertThat(server.requests("DELETE")).hasSize(step.equals("initialize") ? 0 : 1);
    });
  }

  @Test
  void hostEndsWhileAServerIsAway() throws Exception {
    inLab(lab -> {
      ScriptedHttpServer server = server();
      McpClient client = connected(lab, "s", "x", server);
      server.awaitStreams(1);
      server.stop();
      lab.await("x", ConnectionState.Degraded.class);
      HostReport report = lab.host.end();
      assertThat(report.nothingLeft()).isTrue();
      assertThat(report.took()).isLessThan(PATIENCE);
      assertThat(report.sessions().get("s").get("x").kept())
          .singleElement()
          .asString()
          .contains("its session: the DELETE failed: ");
      assertThatThrownBy(client::ping).isInstanceOf(ConnectionClosedException.class);
    });
  }

  // One that takes the place of another.

  @Test
  void sessionOfTheOlderConnectionIsDeletedBeforeTheNewerOneBegins() throws Exception {
    inLab(lab -> {
      ScriptedHttpServer server = server(on("DELETE", new Act.Held("gate", false)).once());
      McpClient first = connected(lab, "s", "x", server);
      Future<ToolResult> call = lab.async(() -> first.callTool("never", Map.of()));
      server.awaitRequest("tools/call", 1);
      Future<ConnectionStatus> second = connecting(lab, "x", server);
      server.awaitRequest("DELETE", 1);
      assertThat(server.requests("initialize")).hasSize(1);
      assertThat(second).isNotDone();
      server.release("gate");

      assertThat(second.get().generation()).isEqualTo(2);
      assertThat(methods(server).subList(methods(server).indexOf("DELETE"), methods(server).size()))
          .startsWith("DELETE", "initialize", "notifications/initialized");
      assertThat(server.sessions()).hasSize(1);
      assertThat(closeReason(call)).isEqualTo(CloseReason.REPLACED);
      assertThat(closeReason(lab.async(() -> first.callTool("echo", Map.of()))))
          .isEqualTo(CloseReason.REPLACED);
      assertThat(echo(second.get().client().orElseThrow())).isEqualTo("hi");
      server.awaitStreams(1);
    });
  }

  @Test
  void whatComesOfAnOlderConnectionTouchesTheNewerOneNot() throws Exception {
    inLab(lab -> {
      ScriptedHttpServer old = server();
      ScriptedHttpServer next = server();
      connected(lab, "s", "x", old);
      old.awaitStreams(1);
      try (Subscription events = lab.host.subscribe("s")) {
        ConnectionStatus second = lab.host.connect("s", "x", at(next));
        next.awaitStreams(1);
        old.awaitNoStreams(PATIENCE);
        old.awaitSessions(0, PATIENCE);
        old.stop(); // its sockets that idled in the pool break
        next.push(
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\","
                + "\"params\":{\"level\":\"info\",\"data\":1}}");
        HostEvent event = events.next(Duration.ofSeconds(5)).orElseThrow();
        boolean closed = false;
        while (event instanceof HostEvent.Changed(var status)) {
          assertThat(status.generation()).isEqualTo(closed ? 2 : 1);
          closed |= status.state() instanceof ConnectionState.Closed;
          event = events.next(Duration.ofSeconds(5)).orElseThrow();
        }
        assertThat(event)
            .isInstanceOfSatisfying(
                HostEvent.Told.class,
                told -> {
                  assertThat(told.generation()).isEqualTo(2);
                  assertThat(told.event()).isInstanceOf(ServerEvent.LogMessage.class);
                });
        assertThat(lab.host.statuses("s").orElseThrow()).containsExactly(second);
        assertThat(echo(second.client().orElseThrow())).isEqualTo("hi");
      }
    });
  }
}
