package dev.mcpscope.front;

import static dev.mcpscope.front.FrontLab.SECRET;
import static dev.mcpscope.front.FrontLab.children;
import static dev.mcpscope.front.FrontLab.connect;
import static dev.mcpscope.front.FrontLab.text;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.front.FrontLab.Answer;
import dev.mcpscope.host.HostOptions;
import dev.mcpscope.host.HostOptions.RestartBudget;
import dev.mcpscope.host.ThreadDump;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/// What a connect may ask for besides a command: to keep what is there, to be started again, a value
/// that is held, a server of the operator's own.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@EnabledOnOs({OS.LINUX, OS.MAC})
class FrontConnectTest {

  private static final String ARGUMENT = "--key=swordfish";
  private static final String WITH_SECRET = "SECRET_WORD=" + SECRET + " fake serves";
  private static final String WITH_HELD = "SECRET_WORD=*** fake serves";

  @TempDir Path temp;

  private void inLab(FrontLab.Body body) throws Exception {
    inLab(HostOptions.defaults(), UnaryOperator.identity(), body);
  }

  private void inLab(HostOptions limits, UnaryOperator<Front.Options> changed, FrontLab.Body body)
      throws Exception {
    FrontLab.open(temp, limits, changed, body);
  }

  private static HostOptions restarting(Duration first) {
    var defaults = RestartBudget.defaults();
    return HostOptions.defaults()
        .withRestart(new RestartBudget(first, first, defaults.attempts(), defaults.stable()));
  }

  private static JsonObject ifAbsent(String name, String fullCommand) {
    return connect(name, fullCommand).with("ifAbsent", true);
  }

  private static JsonObject restarted(String name, String fullCommand) {
    return connect(name, fullCommand).with("restart", "on-crash");
  }

  private static String env(FrontLab lab, String name) throws IOException {
    return text(lab.call(name, "env").json());
  }

  private static JsonObject at(String url) {
    return JsonObject.of(
        "sessionId", "s", "name", "x", "clientType", "streamable-http", "url", url);
  }

  /// Waits until so many requests wait for the host, which has heard of them by then.
  private static void awaitWaiting(int requests) throws IOException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (ThreadDump.take().threads().stream()
            .filter(thread -> thread.name().startsWith("front request "))
            .filter(thread -> thread.at().contains("McpHost.await"))
            .count()
        < requests) {
      assertThat(System.nanoTime()).isLessThan(end);
    }
  }

  // To keep what is there.

  @Test
  void connectForAnAbsentNameKeepsWhatIsConnected() throws Exception {
    inLab(lab -> {
      JsonObject first = lab.connected("x", "fake serves");
      List<ProcessHandle> children = children();
      assertThat(lab.connected(ifAbsent("x", "fake exits"))).isEqualTo(first);
      assertThat(children()).isEqualTo(children).hasSize(1);
      assertThat(lab.connected(ifAbsent("x", "fake serves").with("ifAbsent", null)))
          .isNotEqualTo(first); // which is the default
    });
  }

  @Test
  void connectForAnAbsentNameJoinsTheOneThatIsUnderWay() throws Exception {
    inLab(lab -> {
      lab.welcome = new CountDownLatch(1);
      var first = lab.connecting("x", "fake serves");
      lab.awaitPhase("x", "onConnect");
      var second = lab.asking("POST", "/mcp", ifAbsent("x", "fake exits"));
      awaitWaiting(2);
      lab.welcome.countDown();
      assertThat(first.join().status()).isEqualTo(200);
      assertThat(second.join()).extracting(Answer::json).isEqualTo(first.join().json());
    });
  }

  @Test
  void connectForAnAbsentNameSharesTheFailureOfTheOneThatIsUnderWay() throws Exception {
    inLab(lab -> {
      var first = lab.connecting("x", "fake silent");
      lab.awaitPhase("x", "initialize");
      var second = lab.asking("POST", "/mcp", ifAbsent("x", "fake serves"));
      awaitWaiting(2);
      lab.disconnect("x");
      assertThat(first.join().status()).isEqualTo(409);
      assertThat(second.join().status()).isEqualTo(409);
      assertThat(second.join().detail()).isEqualTo(first.join().detail());
      assertThat(children()).isEmpty();
    });
  }

  @Test
  void connectForAnAbsentNameStartsWhatIsNotThereOrWasLost() throws Exception {
    inLab(lab -> {
      assertThat(lab.connected(ifAbsent("x", "fake serves")).integer("generation")).isEqualTo(1);
      lab.call("x", "die");
      lab.await("x", ConnectionState.Failed.class::isInstance);
      assertThat(lab.connected(ifAbsent("x", "fake serves")).integer("generation")).isEqualTo(2);
      assertThat(text(lab.call("x", "echo").json())).isEqualTo("hello");
    });
  }

  // To be started again.

  @Test
  void serverThatIsLostIsStartedAgainAsItWas() throws Exception {
    inLab(
        restarting(Duration.ofMillis(10)),
        UnaryOperator.identity(),
        lab -> {
          JsonObject first = lab.connected(restarted("x", WITH_SECRET));
          try (Events events = lab.subscribe("s")) {
            assertThat(lab.call("x", "die").status()).isEqualTo(502);
            assertThat(events.next().data().string("status")).isEqualTo("closing");
            JsonObject failed = events.next().data();
            assertThat(failed.string("status")).isEqualTo("failed");
            assertThat(failed.integer("generation")).isEqualTo(1);
            assertThat(failed.bool("restarts")).isTrue();
            JsonObject next = events.next().data();
            while (next.string("status").equals("connecting")) {
              next = events.next().data();
            }
            assertThat(next.string("status")).isEqualTo("connected");
            assertThat(next.integer("generation")).isEqualTo(2);
          }
          JsonObject row = lab.row();
          assertThat(row.get("serverInfo"))
              .isNotEqualTo(first.get("serverInfo")); // another process
          assertThat(row.get("command")).isEqualTo(first.get("command"));
          assertThat(row.has("restarts")).isFalse();
          assertThat(env(lab, "x")).isEqualTo(SECRET);
        });
  }

  @Test
  void disconnectOfWhatWaitsToBeStartedAgainCancelsThat() throws Exception {
    inLab(
        restarting(Duration.ofHours(1)),
        UnaryOperator.identity(),
        lab -> {
          lab.connected(restarted("x", "fake serves"));
          lab.call("x", "die");
          lab.await("x", ConnectionState.Failed.class::isInstance);
          JsonObject row = lab.row();
          assertThat(row.string("status")).isEqualTo("failed");
          assertThat(row.bool("restarts")).isTrue();
          assertThat(lab.disconnect("x").json().object("report")).isEqualTo(row.object("report"));
          assertThat(lab.get("/mcp?sessionId=s").status()).isEqualTo(404); // nothing waits in it
          assertThat(lab.disconnect("x").json().get("report")).isEqualTo(JsonNull.INSTANCE);
        });
  }

  @Test
  void serverWhoseConnectDoesNotAskForItIsNotStartedAgain() throws Exception {
    inLab(
        restarting(Duration.ofMillis(10)),
        UnaryOperator.identity(),
        lab -> {
          lab.connected("x", "fake serves");
          lab.connected(connect("y", "fake serves").with("restart", "never"));
          for (String name : List.of("x", "y")) {
            lab.call(name, "die");
            lab.await(name, ConnectionState.Failed.class::isInstance);
          }
          for (JsonValue row : lab.rows()) {
            assertThat(((JsonObject) row).bool("restarts")).isFalse();
          }
        });
  }

  // A value that is held.

  @Test
  void valueThatIsHeldIsGivenToTheNextServerOfItsName() throws Exception {
    inLab(lab -> {
      lab.connected("x", WITH_SECRET);
      for (String command :
          List.of(
              WITH_HELD,
              "SECRET_WORD='***' fake serves",
              "OTHER=new SECRET_WORD=\\*\\*\\* fake serves again")) {
        JsonObject mcp = lab.connected("x", command);
        assertThat(mcp.string("command")).contains("SECRET_WORD=*** ").doesNotContain(SECRET);
        assertThat(env(lab, "x")).isEqualTo(SECRET);
      }
      lab.call("x", "die");
      lab.await("x", ConnectionState.Failed.class::isInstance);
      lab.connected("x", WITH_HELD); // by the row of the one that was lost
      assertThat(env(lab, "x")).isEqualTo(SECRET);
    });
  }

  @Test
  void valueOfAConnectThatIsUnderWayIsHeld() throws Exception {
    inLab(lab -> {
      var silent = lab.connecting("x", "SECRET_WORD=" + SECRET + " fake silent");
      lab.awaitPhase("x", "initialize");
      lab.connected("x", WITH_HELD);
      assertThat(silent.join().status()).isEqualTo(409);
      assertThat(env(lab, "x")).isEqualTo(SECRET);
    });
  }

  @Test
  void valueThatIsNotHeldIsRefusedAndTouchesNothing() throws Exception {
    inLab(lab -> {
      lab.connected("x", WITH_SECRET);
      lab.connected("gone", WITH_SECRET);
      lab.disconnect("gone");
      JsonArray rows = lab.rows();
      for (JsonObject refused :
          List.of(
              connect("y", WITH_HELD), // another name's
              connect("x", WITH_HELD).with("sessionId", "t"), // another session's
              connect("gone", WITH_HELD),
              connect("x", "SECRET=*** fake serves"),
              connect("x", "secret_word=*** fake serves"),
              connect("x", "SECRET_WORD=*** OTHER=*** fake serves"))) {
        Answer answer = lab.post("/mcp", refused);
        assertThat(answer.status()).as(refused.toString()).isEqualTo(400);
        assertThat(answer.detail())
            .contains("'***', which stands for a value that is held already")
            .contains("'" + refused.string("name") + "' holds none");
      }
      assertThat(lab.rows()).isEqualTo(rows);
      assertThat(lab.host.statuses()).containsOnlyKeys("s");
      assertThat(env(lab, "x")).isEqualTo(SECRET);
    });
  }

  @Test
  void valueThatOnlyHoldsStarsIsNoneThatIsHeld() throws Exception {
    inLab(lab -> {
      lab.connected("x", WITH_SECRET);
      for (String stars : List.of("**", "****", "a***")) {
        lab.connected("x", "SECRET_WORD='" + stars + "' fake serves");
        assertThat(env(lab, "x")).isEqualTo(stars);
      }
    });
  }

  @Test
  void badUrlsAreRefusedBeforeTheHostHearsOfThemAndWithoutTheirSecrets() throws Exception {
    inLab(lab -> {
      String secret = "me:" + SECRET + "@";
      for (String url :
          List.of(
              "http://" + secret + "169.254.169.254/?key=" + SECRET,
              "http://" + secret + "metadata.goog/?key=" + SECRET,
              "http://" + secret + "host:0/?key=" + SECRET,
              "http://" + secret + "host:x/?key=" + SECRET,
              "http://" + secret + "host/?key=" + SECRET + "#" + SECRET,
              "http://" + secret + "host/?key={" + SECRET + "}",
              "http://" + secret + "host/?key=" + SECRET + "&other=***",
              "http://" + secret + secret + "host/",
              secret + "host",
              "http://" + secret + "host/ü" + SECRET)) {
        Answer answer = lab.post("/mcp", at(url).with("headers", Map.of("X", SECRET)));
        assertThat(answer.status()).as(url).isEqualTo(400);
        assertThat(answer.detail()).doesNotStartWith("could not connect");
      }
      assertThat(lab.host.statuses()).isEmpty();
      assertThat(lab.bodies).hasSize(10).noneMatch(body -> body.contains(SECRET));
    });
  }

  @Test
  void valueOfACommandIsNotGivenToAServerAtAUrl() throws Exception {
    inLab(lab -> {
      JsonObject mcp = lab.connected("x", WITH_SECRET);
      Answer answer =
          lab.post("/mcp", at("http://localhost/").with("headers", Map.of("SECRET_WORD", "***")));
      assertThat(answer.status()).isEqualTo(400);
      assertThat(answer.detail()).contains("'x' holds none");
      assertThat(lab.row()).isEqualTo(mcp);
    });
  }

  // A server of the operator's own.

  /// Servers of these names, each of which does what its name says, and no executable that clients
  /// may start.
  private UnaryOperator<Front.Options> own(String... names) {
    var servers = new LinkedHashMap<String, ServerSpec>();
    for (String name : names) {
      servers.put(
          name,
          ServerSpec.stdio(temp.resolve("fake").toString(), name, ARGUMENT)
              .withEnvironment(Map.of("SECRET_WORD", SECRET)));
    }
    return options -> {
      var nothing =
          new Front.Options(
              options.host(), options.port(), options.token(), List.of(), options.environment());
      return nothing.withServers(servers);
    };
  }

  private static JsonObject configured(String name) {
    return JsonObject.of("sessionId", "s", "name", name, "clientType", "configured");
  }

  @Test
  void configuredServerIsConnectedByItsNameWhereClientsMayStartNothing() throws Exception {
    inLab(
        HostOptions.defaults(),
        own("serves"),
        lab -> {
          assertThat(lab.connecting("x", "fake serves").join().status()).isEqualTo(400);
          JsonObject mcp = lab.connected(configured("serves"));
          assertThat(mcp.string("clientType")).isEqualTo("configured");
          assertThat(mcp.get("command")).isEqualTo(JsonNull.INSTANCE);
          assertThat(lab.row()).isEqualTo(mcp);
          assertThat(text(lab.call("serves", "args").json())).isEqualTo("serves " + ARGUMENT);
          assertThat(env(lab, "serves")).isEqualTo(SECRET);
          assertThat(lab.connected(configured("serves").with("ifAbsent", true))).isEqualTo(mcp);
          assertThat(lab.connected(configured("serves").with("sessionId", "t")).string("status"))
              .isEqualTo("connected");
        });
  }

  @Test
  void whoAsksForAnUnknownConfiguredServerIsToldWhichThereAre() throws Exception {
    inLab(
        HostOptions.defaults(),
        own("serves", "exits"),
        lab -> {
          Answer answer = lab.post("/mcp", configured("Serves"));
          assertThat(answer.status()).isEqualTo(400);
          assertThat(answer.detail())
              .isEqualTo("there is no configured server 'Serves'; there are [serves, exits]");
          assertThat(lab.host.statuses()).isEmpty();
        });
  }

  @Test
  void configuredServerTakesNoCommandOfTheClientAndIsNotTouchedByTheRefusal() throws Exception {
    inLab(
        HostOptions.defaults(),
        own("serves"),
        lab -> {
          JsonObject mcp = lab.connected(configured("serves"));
          for (var member :
              Map.of(
                      "fullCommand", "fake serves",
                      "url", "https://example.com/mcp",
                      "headers", Map.of("X", "y"))
                  .entrySet()) {
            Answer answer =
                lab.post("/mcp", configured("serves").with(member.getKey(), member.getValue()));
            assertThat(answer.status()).as(member.getKey()).isEqualTo(400);
            assertThat(answer.detail())
                .isEqualTo("clientType configured takes no " + member.getKey());
          }
          assertThat(lab.row()).isEqualTo(mcp);
          JsonObject bare =
              configured("serves")
                  .with("fullCommand", null)
                  .with("url", null)
                  .with("headers", Map.of());
          assertThat(lab.connected(bare).integer("generation")).isEqualTo(2);
        });
  }

  @Test
  void valueOfAConfiguredServerIsGivenToNobodysCommand() throws Exception {
    inLab(
        HostOptions.defaults(),
        options -> options.withServers(own("serves").apply(options).servers()),
        lab -> {
          JsonObject mcp = lab.connected(configured("serves"));
          Answer answer = lab.post("/mcp", connect("serves", WITH_HELD));
          assertThat(answer.status()).isEqualTo(400);
          assertThat(answer.detail()).contains("'serves' holds none");
          assertThat(lab.row()).isEqualTo(mcp);
        });
  }

  @Test
  void whatAConfiguredServerRunsIsShownNowhere() throws Exception {
    inLab(
        restarting(Duration.ofMillis(10)),
        own("serves", "exits", "refuses", "silent", "stubborn"),
        lab -> {
          try (Events events = lab.subscribe("s")) {
            lab.connected(configured("serves").with("restart", "on-crash"));
            lab.connected(configured("stubborn"));
            lab.rows();
            lab.get("/scopes");
            lab.get("/scopes?proof=dump");
            lab.call("serves", "unknown");
            lab.call("serves", "die");
            lab.awaitStatus(status ->
                status.generation() > 2 && status.state() instanceof ConnectionState.Connected);
            lab.call("stubborn", "die");
            lab.await("stubborn", ConnectionState.Failed.class::isInstance);
            lab.rows();
            lab.call("stubborn", "echo");
            for (String wrong : List.of("exits", "refuses")) {
              assertThat(lab.post("/mcp", configured(wrong)).status()).isEqualTo(400);
            }
            lab.post("/mcp", configured("silent").with("connectTimeoutMs", 200));
            lab.post("/mcp", configured("none"));
            lab.post("/mcp", configured("serves").with("fullCommand", "x"));
            lab.disconnect("serves");
            lab.delete("/sessions/s");
            assertThat(events.rest()).hasSizeGreaterThan(20);
          }
          assertThat(lab.bodies)
              .hasSizeGreaterThan(60)
              .noneMatch(body -> body.contains(SECRET))
              .noneMatch(body -> body.contains("SECRET_WORD"))
              .noneMatch(body -> body.contains("swordfish"))
              .noneMatch(body -> body.contains(temp.toString()));
        });
  }

  @Test
  void executableOfAConfiguredServerIsNotShownWhenItCannotBeStarted() throws Exception {
    ServerSpec absent = ServerSpec.stdio(temp.resolve("absent").toString()).withDirectory(temp);
    inLab(
        HostOptions.defaults(),
        options -> options.withServers(Map.of("absent", absent)),
        lab -> {
          try (Events events = lab.subscribe("s")) {
            Answer answer = lab.post("/mcp", configured("absent"));
            assertThat(answer.status()).isEqualTo(400);
            lab.delete("/sessions/s");
            assertThat(events.rest()).isNotEmpty();
          }
          assertThat(lab.bodies).noneMatch(body -> body.contains(temp.toString()));
        });
  }

  @Test
  void commandThatOnlyLooksLikeAConfiguredOneIsTheClientsOwn() throws Exception {
    inLab(
        HostOptions.defaults(),
        options ->
            options.withServers(
                Map.of("x", ServerSpec.stdio(temp.resolve("fake").toString(), "serves"))),
        lab -> {
          JsonObject mcp = lab.connected("x", "fake serves");
          assertThat(mcp.string("clientType")).isEqualTo("stdio");
          assertThat(mcp.string("command")).isEqualTo(temp.resolve("fake") + " serves");
        });
  }
}
