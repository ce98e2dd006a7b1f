package dev.mcpscope.host;

import static dev.mcpscope.HttpFault.on;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.Eras;
import dev.mcpscope.HttpFault;
import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpWire.Request;
import dev.mcpscope.ScriptedHttpServer;
import dev.mcpscope.ScriptedServer;
import dev.mcpscope.ScriptedServer.Fault;
import dev.mcpscope.client.ClientOptions;
import dev.mcpscope.client.ConnectionLostException;
import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.EraChoice;
import dev.mcpscope.client.RemoteErrorException;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.host.McpHostTest.Lab;
import dev.mcpscope.transport.CloseReport;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/// What a host remembers of the servers that it has connected, so that it does not ask them again which
/// era they are of; and how it finds out that this is wrong by now.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@EnabledOnOs({OS.LINUX, OS.MAC})
class RememberedEraTest {
  private static final String PROBE = "server/discover";
  private static final Fault TELLS = Fault.Quirk.TELLS_STDERR;
  private static final Fault MODERN = new Fault.Serves(Eras.MODERN);
  private static final HttpFault DUAL = new HttpFault.Serves(Eras.DUAL);
  private static final HttpFault TOOLS_ONLY = new HttpFault.Declares("{\"tools\":{}}");
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  /// What a server that is modern, and no other, answers to a handshake.
  private static final Act NO_HANDSHAKE =
      new Act.Answer(
          400,
          "{\"error\":{\"code\":-32022,\"message\":\"modern\","
              + "\"data\":{\"supported\":[\"2026-07-28\"],\"requested\":\"2025-11-25\"}}}");

  @TempDir Path temp;

  private final List<ScriptedHttpServer> servers = new ArrayList<>();

  private static HostOptions auto() {
    ClientOptions client = Lab.quick().client().withEra(EraChoice.AUTO);
    return Lab.quick().withClient(client);
  }

  private void inLab(Lab.Body body) throws Exception {
    Lab.run(
        auto(),
        lab -> {
          try {
            body.run(lab);
            lab.host.end();
            for (ScriptedHttpServer server : servers) {
              server.awaitNoExchanges(PATIENCE);
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

  private static ServerSpec.Http at(ScriptedHttpServer server) {
    return ServerSpec.http(server.url());
  }

  /// Connects and disconnects, and returns the revision that was spoken.
  private static String visit(Lab lab, ServerSpec spec) throws Exception {
    return visit(lab, spec, "s");
  }

  private static String visit(Lab lab, ServerSpec spec, String session) throws Exception {
    ConnectionStatus status = lab.host.connect(session, "x", spec);
    lab.host.disconnect(session, "x");
    return status.client().orElseThrow().server().protocolVersion();
  }

  /// Connects and disconnects a process, and returns the requests that it has got of the kinds that
  /// tell an era; of the last one, if there were two.
  private static List<String> asked(Lab lab, ServerSpec spec) throws Exception {
    lab.host.connect("s", "x", spec);
    return asked(lab.host.disconnect("s", "x").orElseThrow());
  }

  private static List<String> asked(CloseReport report) {
    return Pattern.compile("\"method\":\"(server/discover|initialize)\"")
        .matcher(report.stderrTail())
        .results()
        .map(found -> found.group(1))
        .toList();
  }

  private static List<String> asked(ScriptedHttpServer server) {
    return server.requests().stream()
        .map(Request::rpcMethod)
        .filter(method -> method.equals(PROBE) || method.equals("initialize"))
        .toList();
  }

  /// A command that starts the n-th of these at its n-th start, and later the last one.
  private ServerSpec.Stdio byStart(ServerSpec.Stdio... servers) {
    var cases = new StringBuilder();
    for (int i = 0; i < servers.length; i++) {
      cases
          .append(i < servers.length - 1 ? Integer.toString(i + 1) : "*")
          .append(") exec")
          .append(quoted(servers[i].command()))
          .append(" ;; ");
    }
    Path starts = temp.resolve("starts");
    String script = "echo >>%1$s; case $(($(wc -l <%1$s))) in %2$s esac".formatted(starts, cases);
    return ServerSpec.stdio("/bin/sh", "-c", script);
  }

  private static String quoted(List<String> words) {
    return String.join("", words.stream().map(word -> " '" + word + "'").toList());
  }

  private static Act discovered(String ttlAndScope, String... revisions) {
    String supported =
        String.join(",", Arrays.stream(revisions).map(one -> "\"" + one + "\"").toList());
    return new Act.Answer(
        200,
        "{\"result\":{\"resultType\":\"complete\",\"supportedVersions\":["
            + supported
            + "],\"capabilities\":{\"tools\":{}},"
            + ttlAndScope
            + "}}");
  }

  private static Act discovered(long ttlMillis, String scope) {
    return discovered("\"ttlMs\":" + ttlMillis + ",\"cacheScope\":\"" + scope + "\"", "2026-07-28");
  }

  // Legacy servers.

  @Test
  void aLegacyProcessIsProbedOncePerCommand() throws Exception {
    inLab(lab -> {
      ServerSpec.Stdio command = ScriptedServer.with(TELLS);
      assertThat(asked(lab, command)).containsExactly(PROBE, "initialize");
      assertThat(asked(lab, command)).containsExactly("initialize");
      ServerSpec other = command.withEnvironment(Map.of("OTHER", "1"));
      assertThat(asked(lab, other)).containsExactly(PROBE, "initialize");
    });
  }

  @Test
  void aModernProcessIsProbedEachTimeItIsAnotherOne() throws Exception {
    inLab(lab -> {
      ServerSpec command = ScriptedServer.with(MODERN, TELLS);
      assertThat(asked(lab, command)).containsExactly(PROBE);
      assertThat(asked(lab, command)).containsExactly(PROBE);
    });
  }

  @Test
  void aLegacyServerAtAUrlIsProbedOnceForAllSessionsAndUsers() throws Exception {
    inLab(lab -> {
      ScriptedHttpServer server = server();
      visit(lab, at(server));
      visit(lab, at(server), "t");
      visit(lab, at(server).withHeaders(Map.of("Authorization", "Bearer b")));
      assertThat(asked(server)).containsExactly(PROBE, "initialize", "initialize", "initialize");
    });
  }

  @Test
  void aProcessThatDiesOfTheProbeIsStartedTwiceOnce() throws Exception {
    inLab(lab -> {
      ServerSpec command = ScriptedServer.with(TELLS, new Fault.DiesOn(PROBE, 3, ""));
      lab.host.connect("s", "x", command);
      assertThat(lab.host.disconnect("s", "x").orElseThrow().processes()).hasSize(2);
      lab.host.connect("s", "x", command);
      CloseReport second = lab.host.disconnect("s", "x").orElseThrow();
      assertThat(second.processes()).hasSize(1);
      assertThat(asked(second)).containsExactly("initialize");
    });
  }

  @Test
  void anotherHostRemembersNothingOfIt() throws Exception {
    try (ScriptedHttpServer server = ScriptedHttpServer.with()) {
      for (int i = 0; i < 2; i++) {
        Lab.run(auto(), lab -> visit(lab, at(server)));
      }
      assertThat(asked(server)).containsExactly(PROBE, "initialize", PROBE, "initialize");
    }
  }

  // Those that are of another era by now.

  @Test
  void aProcessThatHasBecomeModernIsProbedWhenItRefusesTheHandshake() throws Exception {
    inLab(lab -> {
      ServerSpec command = byStart(ScriptedServer.with(), ScriptedServer.with(MODERN, TELLS));
      assertThat(visit(lab, command)).isEqualTo("2025-11-25");
      ConnectionStatus status = lab.host.connect("s", "x", command);
      assertThat(status.client().orElseThrow().server().protocolVersion()).isEqualTo("2026-07-28");
      assertThat(phases(lab, status.generation()))
          .containsExactly("start", "initialize", "start", PROBE, "tools/list", "onConnect");
      CloseReport report = lab.host.disconnect("s", "x").orElseThrow();
      assertThat(report.processes()).hasSize(2);
      assertThat(asked(report)).containsExactly(PROBE);
      assertThat(asked(lab, command)).containsExactly(PROBE); // what was wrong is forgotten
    });
  }

  /// Returns what it has gone through until it was connected.
  private static List<String> phases(Lab lab, long generation) throws InterruptedException {
    lab.awaitStatus(status ->
        status.generation() == generation && status.state() instanceof ConnectionState.Connected);
    return lab.heard().stream()
        .filter(status -> status.generation() == generation)
        .map(ConnectionStatus::state)
        .filter(ConnectionState.Connecting.class::isInstance)
        .map(state -> ((ConnectionState.Connecting) state).phase())
        .toList();
  }

  @Test
  void aProcessThatHasBecomeModernIsProbedWhenItDiesOfTheHandshake() throws Exception {
    inLab(lab -> {
      ServerSpec command =
          byStart(
              ScriptedServer.with(),
              ScriptedServer.with(MODERN, new Fault.DiesOn("initialize", 3, "")),
              ScriptedServer.with(MODERN, TELLS));
      assertThat(visit(lab, command)).isEqualTo("2025-11-25");
      assertThat(asked(lab, command)).containsExactly(PROBE);
    });
  }

  @Test
  void whatTwoDeathsSeemToTellOfAProcessIsForgotten() throws Exception {
    inLab(lab -> {
      ServerSpec command =
          byStart(
              ScriptedServer.with(new Fault.ExitsAtStart(3, "no licence")),
              ScriptedServer.with(new Fault.ExitsAtStart(4, "no licence")),
              ScriptedServer.with(MODERN, TELLS));
      assertThatThrownBy(() -> lab.host.connect("s", "x", command))
          .isInstanceOf(ConnectionLostException.class)
          .hasMessageContaining("code 4");
      lab.host.connect("s", "x", command);
      CloseReport report = lab.host.disconnect("s", "x").orElseThrow();
      assertThat(report.processes()).hasSize(1);
      assertThat(asked(report)).containsExactly(PROBE);
    });
  }

  @Test
  void aServerAtAUrlThatHasBecomeModernIsProbedWhenItRefusesTheHandshake() throws Exception {
    inLab(lab -> {
      ScriptedHttpServer server =
          server(
              DUAL,
              TOOLS_ONLY,
              on(PROBE, new Act.Status(404)).once(),
              on("initialize", NO_HANDSHAKE).after(1));
      assertThat(visit(lab, at(server))).isEqualTo("2025-11-25");
      assertThat(visit(lab, at(server))).isEqualTo("2026-07-28");
      assertThat(asked(server)).containsExactly(PROBE, "initialize", "initialize", PROBE);
      assertThat(visit(lab, at(server))).isEqualTo("2026-07-28");
      assertThat(asked(server)).endsWith(PROBE, PROBE);
    });
  }

  @Test
  void aServerThatHasBecomeLegacyIsProbedWhenItRefusesWhatIsAskedOfAModernOne() throws Exception {
    inLab(lab -> {
      var noSession = new Act.Answer(400, "{\"error\":{\"code\":-32000,\"message\":\"what?\"}}");
      ScriptedHttpServer server =
          server(
              DUAL,
              TOOLS_ONLY,
              on(PROBE, discovered(600_000, "public")).once(),
              on(PROBE, new Act.Status(404)),
              on("tools/list", noSession).after(2).once());
      assertThat(visit(lab, at(server))).isEqualTo("2026-07-28");
      assertThat(visit(lab, at(server))).isEqualTo("2025-11-25");
      assertThat(asked(server)).containsExactly(PROBE, PROBE, "initialize");
      assertThat(visit(lab, at(server))).isEqualTo("2025-11-25");
      assertThat(asked(server)).containsExactly(PROBE, PROBE, "initialize", "initialize");
    });
  }

  /// It is begun anew once, and not for ever.
  @Test
  void aServerThatRefusesEverythingFailsTheConnect() throws Exception {
    inLab(lab -> {
      ScriptedHttpServer server =
          server(
              DUAL,
              TOOLS_ONLY,
              on(PROBE, discovered(600_000, "public")),
              on(
                      "tools/list",
                      new Act.Answer(400, "{\"error\":{\"code\":-32000,\"message\":\"what?\"}}"))
                  .after(2));
      visit(lab, at(server));
      assertThatThrownBy(() -> visit(lab, at(server)))
          .isInstanceOf(RemoteErrorException.class)
          .hasMessageContaining("-32000");
      assertThat(asked(server)).containsExactly(PROBE, PROBE);
    });
  }

  // What modern servers at a URL have told of themselves.

  @Test
  void whatAServerHasToldOfItselfIsNotAskedAgainForAsLongAsItAllows() throws Exception {
    inLab(lab -> {
      ScriptedHttpServer server =
          server(DUAL, TOOLS_ONLY, on(PROBE, discovered(600_000, "public")));
      assertThat(visit(lab, at(server))).isEqualTo("2026-07-28");
      assertThat(visit(lab, at(server))).isEqualTo("2026-07-28");
      assertThat(asked(server)).containsExactly(PROBE);
      assertThat(server.requests("tools/list")).hasSize(4);
    });
  }

  @Test
  void whatAServerHasToldOfItselfIsAskedAgainAfterThat() throws Exception {
    inLab(lab -> {
      ScriptedHttpServer server = server(DUAL, TOOLS_ONLY, on(PROBE, discovered(1, "public")));
      visit(lab, at(server)); // takes longer
      visit(lab, at(server));
      assertThat(asked(server)).containsExactly(PROBE, PROBE);
    });
  }

  @Test
  void whatIsPrivateIsToldToNoOtherUser() throws Exception {
    inLab(lab -> {
      ScriptedHttpServer server =
          server(DUAL, TOOLS_ONLY, on(PROBE, discovered(600_000, "private")));
      ServerSpec one = at(server).withHeaders(Map.of("Authorization", "Bearer one"));
      ServerSpec other = at(server).withHeaders(Map.of("Authorization", "Bearer other"));
      visit(lab, one);
      visit(lab, other);
      visit(lab, one);
      visit(lab, other);
      assertThat(server.requests(PROBE))
          .extracting(request -> request.header("Authorization").orElseThrow())
          .containsExactly("Bearer one", "Bearer other");
    });
  }

  @Test
  void whatIsPublicIsForAllUsers() throws Exception {
    inLab(lab -> {
      ScriptedHttpServer server =
          server(DUAL, TOOLS_ONLY, on(PROBE, discovered(600_000, "public")));
      visit(lab, at(server).withHeaders(Map.of("Authorization", "Bearer one")));
      visit(lab, at(server).withHeaders(Map.of("Authorization", "Bearer other")));
      assertThat(server.requests(PROBE)).hasSize(1);
    });
  }

  @Test
  void whoWantsNoCacheAsksWhatOthersWereTold() throws Exception {
    inLab(lab -> {
      ScriptedHttpServer server =
          server(DUAL, TOOLS_ONLY, on(PROBE, discovered(600_000, "public")));
      visit(lab, at(server));
      ClientOptions client = auto().client();
      lab.host.connect(
          "s",
          "x",
          at(server),
          ConnectOptions.of(client.withProtocol(client.protocol().withCaching(false))));
      assertThat(asked(server)).containsExactly(PROBE, PROBE);
    });
  }

  @Test
  void whoChoosesAnEraNeitherAsksNorRemembers() throws Exception {
    inLab(lab -> {
      ScriptedHttpServer server = server(DUAL, TOOLS_ONLY);
      ClientOptions client = auto().client();
      lab.host.connect("s", "x", at(server), ConnectOptions.of(client.withEra(EraChoice.LEGACY)));
      lab.host.disconnect("s", "x");
      assertThat(visit(lab, at(server))).isEqualTo("2026-07-28");
      assertThat(asked(server)).containsExactly("initialize", PROBE);
    });
  }

  @Test
  void whatIsRememberedIsNoReasonToBeginAnewForWhoHasChosenAnEra() throws Exception {
    inLab(lab -> {
      ScriptedHttpServer server =
          server(
              DUAL,
              TOOLS_ONLY,
              on(PROBE, new Act.Status(404)),
              on("initialize", NO_HANDSHAKE).after(1));
      visit(lab, at(server));
      ClientOptions client = auto().client();
      assertThatThrownBy(() ->
              lab.host.connect(
                  "s", "x", at(server), ConnectOptions.of(client.withEra(EraChoice.LEGACY))))
          .isInstanceOf(RemoteErrorException.class)
          .hasMessageContaining("-32022");
      assertThat(asked(server)).containsExactly(PROBE, "initialize", "initialize");
    });
  }
}
