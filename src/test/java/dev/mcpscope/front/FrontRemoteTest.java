package dev.mcpscope.front;

import static dev.mcpscope.HttpFault.on;
import static dev.mcpscope.front.FrontLab.calling;
import static dev.mcpscope.front.FrontLab.text;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.HttpFault;
import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.End;
import dev.mcpscope.HttpWire.Request;
import dev.mcpscope.ScriptedHttpServer;
import dev.mcpscope.client.ClientOptions;
import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.front.FrontLab.Answer;
import dev.mcpscope.host.HostOptions;
import dev.mcpscope.host.HostOptions.RestartBudget;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.transport.ReconnectBudget;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Servers at URLs through the front: what clients see of them, and what the servers get. Each test
/// ends with a look at everything that was answered and logged, in which no secret is, and at the
/// server, for which nothing is left.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@EnabledOnOs({OS.LINUX, OS.MAC})
class FrontRemoteTest {

  /// For what ends in a moment, on a busy machine too; what does not end stays for ever.
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  private static final String USER = "user-of-secret:password-of-secret";
  private static final String QUERY = "query-of-secret";
  private static final String HEADER = "header-of-secret";
  private static final String BASIC =
      Base64.getEncoder().encodeToString(USER.getBytes(StandardCharsets.UTF_8));

  @TempDir Path temp;

  private final Queue<String> log = new ConcurrentLinkedQueue<>();

  @FunctionalInterface
  private interface Body {
    void run(FrontLab lab, ScriptedHttpServer server) throws Exception;
  }

  @FunctionalInterface
  private interface Configured {
    ServerSpec at(ScriptedHttpServer server);
  }

  private void with(ScriptedHttpServer started, Body body) throws Exception {
    with(started, HostOptions.defaults(), Map.of(), body);
  }

  private void with(
      ScriptedHttpServer started, HostOptions limits, Map<String, Configured> configured, Body body)
      throws Exception {
    try (var server = started) {
      UnaryOperator<Front.Options> own =
          options -> {
            var servers = new java.util.LinkedHashMap<String, ServerSpec>();
            configured.forEach((name, spec) -> servers.put(name, spec.at(server)));
            return options
                .withLimits(options.limits().withStreams(16, Duration.ofMillis(20)))
                .withServers(servers);
          };
      FrontLab.openLogging(
          temp,
          log,
          limits,
          own,
          lab -> {
            body.run(lab, server);
            lab.host.end();
            server.awaitNoStreams(PATIENCE);
            server.awaitNoExchanges(PATIENCE);
            server.awaitSessions(0, PATIENCE);
            server.awaitNoConnections(PATIENCE);
            assertThat(server.violations()).isEmpty();
            server.stop(); // what it has opened when it came back was not there before
            assertThat(lab.bodies)
                .isNotEmpty()
                .noneMatch(shown -> shown.contains("of-secret"))
                .noneMatch(shown -> shown.contains(BASIC));
          });
    }
    assertThat(log)
        .noneMatch(line -> line.contains("of-secret"))
        .noneMatch(line -> line.contains(BASIC));
  }

  /// Looks for a server that is away soon, and not for long.
  private static HostOptions impatient() {
    var soon = new ReconnectBudget(Duration.ofMillis(50), Duration.ofMillis(100), 3);
    return HostOptions.defaults().withClient(ClientOptions.defaults().withReconnect(soon));
  }

  private static HostOptions patient() {
    var soon = new ReconnectBudget(Duration.ofMillis(50), Duration.ofMillis(100), 1_000);
    return HostOptions.defaults().withClient(ClientOptions.defaults().withReconnect(soon));
  }

  private static HostOptions restarting(Duration first) {
    return impatient().withRestart(new RestartBudget(first, first, 1_000, Duration.ofHours(1)));
  }

  private static JsonObject at(String name, String url) {
    return JsonObject.of(
        "sessionId", "s", "name", name, "clientType", "streamable-http", "url", url);
  }

  /// With all three kinds of secrets.
  private static JsonObject secretly(String name, ScriptedHttpServer server) {
    return at(name, server.url().replace("//", "//" + USER + "@") + "?key=" + QUERY)
        .with("headers", Map.of("X-Key", HEADER));
  }

  /// As it is shown.
  private static JsonObject hidden(String name, String url) {
    return at(name, url.replace("//", "//***@") + "?key=***")
        .with("headers", Map.of("X-Key", "***"));
  }

  private static JsonObject configured(String name) {
    return JsonObject.of("sessionId", "s", "name", name, "clientType", "configured");
  }

  private static JsonObject echo(String name) {
    return calling(name, "echo").with("arguments", Map.of("text", "hi"));
  }

  private static void assertHasAll(Request request) {
    assertThat(request.path()).isEqualTo("/mcp?key=" + QUERY);
    assertThat(request.header("X-Key")).isEqualTo(Optional.of(HEADER));
    assertThat(request.header("Authorization")).isEqualTo(Optional.of("Basic " + BASIC));
  }

  private static JsonObject state(Events events, String status) throws Exception {
    JsonObject data = events.next("state").data();
    while (!data.string("status").equals(status)) {
      data = events.next("state").data();
    }
    return data;
  }

  private static List<String> tools(JsonObject row) throws Exception {
    var names = new ArrayList<String>();
    for (var tool : row.array("tools")) {
      names.add(((JsonObject) tool).string("name"));
    }
    return names;
  }

  // What is shown.

  @ParameterizedTest
  @ValueSource(strings = {"streamable-http", "sse"})
  void connectAtAUrlIsAnsweredByARowWithoutItsSecrets(String type) throws Exception {
    boolean sse = type.equals("sse");
    var faults = sse ? new HttpFault[] {new HttpFault.Legacy()} : new HttpFault[0];
    with(
        ScriptedHttpServer.with(faults),
        (lab, server) -> {
          try (Events events = lab.subscribe("s")) {
            JsonObject mcp = lab.connected(secretly("x", server).with("clientType", type));
            assertThat(mcp.string("clientType")).isEqualTo(type);
            assertThat(mcp.get("command")).isEqualTo(JsonNull.INSTANCE);
            assertThat(mcp.string("url"))
                .isEqualTo(server.url().replace("//", "//***@") + "?key=***");
            assertThat(mcp.object("headers")).isEqualTo(JsonObject.of("X-Key", "***"));
            assertThat(mcp.string("status")).isEqualTo("connected");
            assertThat(mcp.string("protocolVersion")).isEqualTo(sse ? "2024-11-05" : "2025-11-25");
            assertThat(tools(mcp)).containsExactly("echo", "never", "ask", "progress", "say");
            assertThat(lab.row()).isEqualTo(mcp);
            assertThat(state(events, "connected")).isEqualTo(mcp.without("tools"));

            assertThat(text(lab.post("/mcp/call", echo("x")).json())).isEqualTo("hi");
            JsonObject report = lab.disconnect("x").json().object("report");
            assertThat(report.string("outcome")).isEqualTo("graceful");
            assertThat(report.array("failures").size()).isZero();
            assertThat(state(events, "closed").object("report")).isEqualTo(report);
          }
          server.awaitNoStreams(PATIENCE);
          server.awaitSessions(0, PATIENCE);
          assertThat(server.requests("DELETE")).hasSize(sse ? 0 : 1);
          for (Request request : server.requests()) {
            assertThat(request.header("X-Key")).isEqualTo(Optional.of(HEADER));
            assertThat(request.header("Authorization")).isEqualTo(Optional.of("Basic " + BASIC));
          }
          assertHasAll(server.requests().getFirst());
        });
  }

  @Test
  void serverThatOnlySpeaksTheOlderWayIsFoundByIt() throws Exception {
    with(
        ScriptedHttpServer.with(new HttpFault.Legacy()),
        (lab, server) -> {
          JsonObject mcp = lab.connected(secretly("x", server));
          assertThat(mcp.string("clientType")).isEqualTo("streamable-http"); // as it was asked for
          assertThat(mcp.string("protocolVersion")).isEqualTo("2024-11-05");
          assertThat(text(lab.post("/mcp/call", echo("x")).json())).isEqualTo("hi");
        });
  }

  // A value that is held.

  @Test
  void whatIsShownOfAConnectionGoesToItsServerAsWhatIsHeld() throws Exception {
    with(
        ScriptedHttpServer.with(),
        (lab, server) -> {
          lab.connected(secretly("x", server));
          assertThat(lab.connected(hidden("x", server.url())).integer("generation")).isEqualTo(2);
          assertThat(server.requests("initialize")).hasSize(2);
          server.requests().forEach(FrontRemoteTest::assertHasAll);
        });
  }

  @Test
  void whatIsShownOfAConnectThatIsUnderWayGoesToItsServerAsWhatIsHeld() throws Exception {
    with(
        ScriptedHttpServer.with(on("initialize", new Act.Held("gate", false)).once()),
        (lab, server) -> {
          var first = lab.asking("POST", "/mcp", secretly("x", server));
          server.awaitRequest("initialize", 1);
          assertThat(lab.row().string("status")).isEqualTo("connecting");
          lab.connected(hidden("x", server.url()));
          assertThat(first.join().status()).isEqualTo(409);
          assertThat(server.requests("initialize")).hasSize(2);
          server.requests().forEach(FrontRemoteTest::assertHasAll);
        });
  }

  @Test
  void whatIsShownOfAConnectionThatWasLostGoesToItsServerAsWhatIsHeld() throws Exception {
    with(
        ScriptedHttpServer.with(),
        impatient(),
        Map.of(),
        (lab, server) -> {
          lab.connected(secretly("x", server));
          server.awaitStreams(1);
          server.stop();
          lab.await("x", ConnectionState.Failed.class::isInstance);
          assertThat(lab.row().string("failure")).contains("stays away");
          server.startAgain();
          lab.connected(hidden("x", server.url()));
          assertThat(text(lab.post("/mcp/call", echo("x")).json())).isEqualTo("hi");
          server.requests().forEach(FrontRemoteTest::assertHasAll);
        });
  }

  @Test
  void serverThatStaysAwayIsLostAndConnectedAgainAsItWas() throws Exception {
    with(
        ScriptedHttpServer.with(),
        restarting(Duration.ofMillis(20)),
        Map.of(),
        (lab, server) -> {
          JsonObject first = lab.connected(secretly("x", server).with("restart", "on-crash"));
          try (Events events = lab.subscribe("s")) {
            server.awaitStreams(1);
            server.stop();
            state(events, "degraded");
            JsonObject failed = state(events, "failed");
            assertThat(failed.bool("restarts")).isTrue();
            assertThat(failed.string("failure")).contains("stays away");
            server.startAgain();
            JsonObject again = state(events, "connected");
            assertThat(again.integer("generation")).isGreaterThan(1);
            assertThat(again.get("url")).isEqualTo(first.get("url"));
            lab.connected(hidden("x", server.url())); // by the row of the one that was restarted
          }
          assertThat(text(lab.post("/mcp/call", echo("x")).json())).isEqualTo("hi");
          server.requests().forEach(FrontRemoteTest::assertHasAll);
        });
  }

  @Test
  void valueThatIsHeldGoesToNobodyElse() throws Exception {
    with(
        ScriptedHttpServer.with(),
        HostOptions.defaults(),
        Map.of("own", server -> ServerSpec.http(server.url()).withHeaders(Map.of("X-Key", HEADER))),
        (lab, server) -> {
          lab.connected(secretly("x", server));
          lab.connected(secretly("gone", server));
          lab.disconnect("gone");
          lab.connected(configured("own"));
          JsonArray rows = lab.rows();
          int asked = server.requests().size();
          try (var other = ScriptedHttpServer.with()) {
            String url = server.url();
            for (JsonObject refused :
                List.of(
                    hidden("y", url), // another name's
                    hidden("x", url).with("sessionId", "t"), // another session's
                    hidden("gone", url),
                    hidden("x", other.url()), // another port
                    at("x", other.url()).with("headers", Map.of("X-Key", "***")),
                    hidden("x", url.replace("http:", "https:")),
                    hidden("x", url.replace("127.0.0.1", "localhost")),
                    at("own", url).with("headers", Map.of("X-Key", "***")))) {
              Answer answer = lab.post("/mcp", refused);
              assertThat(answer.status()).as(refused.toString()).isEqualTo(400);
              assertThat(answer.detail()).contains("stands for a value that is held already");
            }
            assertThat(other.connections()).isZero();
          }
          assertThat(lab.rows()).isEqualTo(rows);
          assertThat(lab.host.statuses()).containsOnlyKeys("s");
          assertThat(server.requests()).hasSize(asked);
        });
  }

  // Calls.

  @Test
  void progressOfACallIsStreamedAndHeardByOthers() throws Exception {
    with(
        ScriptedHttpServer.with(),
        (lab, server) -> {
          lab.connected(at("x", server.url()));
          JsonObject call = calling("x", "progress").with("arguments", Map.of("count", 3));
          try (Events events = lab.subscribe("s");
              Events stream = lab.stream(call)) {
            var names = stream.rest().stream().map(Events.Event::name).toList();
            assertThat(names).startsWith("progress").endsWith("result");
            assertThat(events.next("progress").data().string("target")).isEqualTo("progress");
          }
          assertThat(text(lab.post("/mcp/call", call).json())).isEqualTo("done");
        });
  }

  @Test
  void whoLeavesACallCancelsItAndTheConnectionGoesOn() throws Exception {
    with(
        ScriptedHttpServer.with(),
        (lab, server) -> {
          lab.connected(at("x", server.url()));
          server.awaitStreams(1);
          try (Events _ = lab.stream(calling("x", "never"))) {
            server.awaitRequest("tools/call", 1);
          }
          Request cancelled = server.awaitRequest("notifications/cancelled", 1);
          assertThat(((JsonObject) cancelled.message()).object("params").get("requestId"))
              .isEqualTo(server.requests("tools/call").getFirst().id());
          server.awaitExchanges(1); // the stream of GET
          assertThat(text(lab.post("/mcp/call", echo("x")).json())).isEqualTo("hi");
        });
  }

  @Test
  void callThatTheServerFailsIsTheServersFault() throws Exception {
    with(
        ScriptedHttpServer.with(
            on("tools/call", new Act.Status(502, "text/html", "<html>bad gateway</html>")).once()),
        (lab, server) -> {
          lab.connected(secretly("x", server));
          Answer answer = lab.post("/mcp/call", echo("x"));
          assertThat(answer.status()).isEqualTo(502);
          assertThat(answer.detail()).contains("x: the server answered HTTP 502");
          assertThat(lab.row().string("status")).isEqualTo("connected");
          assertThat(text(lab.post("/mcp/call", echo("x")).json())).isEqualTo("hi");
        });
  }

  // Authorization.

  @ParameterizedTest
  @ValueSource(ints = {401, 403})
  void connectThatIsNotAuthorizedIsAnsweredWithTheChallenges(int status) throws Exception {
    var headers = Map.of("WWW-Authenticate", "Bearer realm=\"r\", scope=\"a\"");
    with(
        ScriptedHttpServer.with(on("initialize", new Act.Status(status, headers, ""))),
        (lab, server) -> {
          Answer answer = lab.post("/mcp", secretly("x", server));
          assertThat(answer.status()).isEqualTo(400);
          assertThat(answer.json().string("detail")).contains("HTTP " + status);
          assertThat(answer.json().object("authorization"))
              .isEqualTo(
                  JsonObject.of(
                      "status",
                      status,
                      "challenges",
                      JsonArray.of("Bearer realm=\"r\", scope=\"a\"")));
          assertThat(lab.get("/mcp?sessionId=s").status()).isEqualTo(404);
        });
  }

  @Test
  void authorizationThatIsNotAcceptedAnyMoreIsShownUntilItIsAgain() throws Exception {
    var refusal = new Act.Status(401, Map.of("WWW-Authenticate", "Bearer a"), "");
    with(
        ScriptedHttpServer.with(on("tools/call", refusal).times(2)),
        (lab, server) -> {
          lab.connected(secretly("x", server));
          try (Events events = lab.subscribe("s")) {
            for (int i = 0; i < 2; i++) {
              Answer answer = lab.post("/mcp/call", echo("x"));
              assertThat(answer.status()).isEqualTo(502);
              assertThat(answer.detail()).contains("HTTP 401");
            }
            JsonObject event = state(events, "needs authorization");
            assertThat(event.object("authorization"))
                .isEqualTo(JsonObject.of("status", 401, "challenges", JsonArray.of("Bearer a")));
            assertThat(lab.row().without("tools")).isEqualTo(event);
            assertThat(event.has("report")).isFalse();
            assertThat(text(lab.post("/mcp/call", echo("x")).json())).isEqualTo("hi");
            state(events, "connected");
            assertThat(lab.row().string("status")).isEqualTo("connected");
          }
        });
  }

  // A server that is away.

  @Test
  void serverThatIsAwayIsShownAsThatUntilItIsBack() throws Exception {
    with(
        ScriptedHttpServer.with(),
        patient(),
        Map.of(),
        (lab, server) -> {
          JsonObject mcp = lab.connected(secretly("x", server));
          try (Events events = lab.subscribe("s")) {
            server.awaitStreams(1);
            server.stop();
            JsonObject degraded = state(events, "degraded");
            assertThat(degraded.string("failure")).contains("cannot be connected to");
            assertThat(lab.row().string("status")).isEqualTo("degraded");
            Answer answer = lab.post("/mcp/call", echo("x"));
            assertThat(answer.status()).isEqualTo(502);
            server.startAgain();
            assertThat(state(events, "connected")).isEqualTo(mcp.without("tools"));
            assertThat(text(lab.post("/mcp/call", echo("x")).json())).isEqualTo("hi");
          }
          server.requests().forEach(FrontRemoteTest::assertHasAll);
        });
  }

  @Test
  void serverThatIsNotThereIsToldAtOnceAndLeavesNoRow() throws Exception {
    with(
        ScriptedHttpServer.with(),
        (lab, server) -> {
          server.stop();
          Answer answer = lab.post("/mcp", secretly("x", server));
          assertThat(answer.status()).isEqualTo(400);
          assertThat(answer.detail())
              .startsWith("could not connect: x: ")
              .endsWith("cannot be connected to");
          assertThat(lab.get("/mcp?sessionId=s").status()).isEqualTo(404);
          server.startAgain();
        });
  }

  // What a server says of what it was sent.

  static Stream<Act> echoes() {
    String said = "no /mcp?key=" + QUERY + " for Bearer " + HEADER + " or " + HEADER + ".";
    String body = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1,\"message\":\"%s\"}}";
    return Stream.of(
        new Act.Status(500, "application/json", body.formatted(said)),
        new Act.Status(
            403,
            Map.of("Content-Type", "application/json", "WWW-Authenticate", "Bearer"),
            body.formatted(said)),
        new Act.Status(429, Map.of("Retry-After", HEADER), ""),
        new Act.Status(307, Map.of("Location", "http://169.254.169.254/?key=" + QUERY), ""),
        new Act.Status(200, "text/" + HEADER, "hello"),
        new Act.Raw("HTTP/1.1 " + HEADER + "\r\n\r\n", End.CLOSE),
        new Act.Raw("HTTP/1.1 200 OK\r\n" + HEADER + "\r\n\r\n", End.CLOSE),
        new Act.NoAnswer(End.RESET));
  }

  @ParameterizedTest
  @MethodSource("echoes")
  void whatTheServerSaysOfItsSecretsIsNotRepeated(Act act) throws Exception {
    with(
        ScriptedHttpServer.with(on("initialize", act).times(2), on("tools/call", act)),
        (lab, server) -> {
          JsonObject connect =
              secretly("x", server)
                  .with("headers", Map.of("X-Key", HEADER, "Authorization", "Bearer " + HEADER));
          try (Events events = lab.subscribe("s")) {
            for (Answer answer = lab.post("/mcp", connect);
                answer.status() != 200;
                answer = lab.post("/mcp", connect)) {
              assertThat(answer.status()).isEqualTo(400);
            }
            assertThat(lab.post("/mcp/call", echo("x")).status()).isEqualTo(502);
            lab.rows();
            lab.disconnect("x");
            lab.delete("/sessions/s");
            events.rest();
          }
        });
  }

  // The operator's own servers.

  @Test
  void whereAConfiguredServerIsIsShownNowhere() throws Exception {
    String said = "no /mcp?key=" + QUERY + " at LOCALHOST, http://localhost/mcp.";
    String body = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1,\"message\":\"%s\"}}";
    var refused = new Act.Status(500, "application/json", body.formatted(said));
    var challenge = Map.of("WWW-Authenticate", "Bearer resource_metadata=\"http://localhost/x\"");
    Configured own =
        server ->
            ServerSpec.http(
                    server.url().replace("127.0.0.1", USER + "@localhost") + "?key=" + QUERY)
                .withHeaders(Map.of("X-Key", HEADER));
    Configured tls =
        server ->
            ServerSpec.http(
                server.url().replace("127.0.0.1", "localhost").replace("http:", "https:"));
    Configured nowhere = _ -> ServerSpec.http("http://localhost.invalid/mcp");
    with(
        ScriptedHttpServer.with(
            on("initialize", refused).once(),
            on("initialize", new Act.Status(401, challenge, "")).once(),
            on("tools/call", refused).once(),
            on("tools/call", new Act.Status(401, challenge, "")).once(),
            on("DELETE", refused).once()),
        impatient(),
        Map.of("own", own, "tls", tls, "nowhere", nowhere),
        (lab, server) -> {
          String port = server.url().replaceAll("\\D*127\\.0\\.0\\.1:(\\d+).*", "$1");
          try (Events events = lab.subscribe("s")) {
            for (String name : List.of("own", "own", "tls", "nowhere")) {
              assertThat(lab.post("/mcp", configured(name)).status()).as(name).isEqualTo(400);
            }
            JsonObject mcp = lab.connected(configured("own"));
            assertThat(mcp.get("url")).isEqualTo(JsonNull.INSTANCE);
            assertThat(mcp.get("headers")).isEqualTo(JsonNull.INSTANCE);
            for (int i = 0; i < 2; i++) {
              assertThat(lab.post("/mcp/call", echo("own")).status()).isEqualTo(502);
              lab.rows();
            }
            try (Events stream = lab.stream(echo("own"))) {
              assertThat(stream.rest()).hasSize(1);
            }
            lab.disconnect("own");
            lab.connected(configured("own"));
            server.awaitStreams(1);
            server.stop();
            state(events, "degraded");
            lab.post("/mcp/call", echo("own"));
            try (Events stream = lab.stream(echo("own"))) {
              stream.rest();
            }
            state(events, "failed");
            lab.rows();
            lab.post("/mcp/call", echo("own"));
            lab.disconnect("own");
            server.startAgain();
            lab.connected(configured("own"));
            lab.get("/scopes");
            lab.get("/scopes?proof=dump");
            lab.delete("/sessions/s");
            assertThat(events.rest()).isNotEmpty();
          }
          assertThat(lab.bodies)
              .noneMatch(shown -> shown.toLowerCase(java.util.Locale.ROOT).contains("localhost"))
              .noneMatch(shown -> shown.contains("/mcp"))
              .noneMatch(shown -> shown.contains(":" + port));
        });
  }
}
