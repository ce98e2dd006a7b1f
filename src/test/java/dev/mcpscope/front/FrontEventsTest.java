package dev.mcpscope.front;

import static dev.mcpscope.front.FrontLab.SECRET;
import static dev.mcpscope.front.FrontLab.TOKEN;
import static dev.mcpscope.front.FrontLab.calling;
import static dev.mcpscope.front.FrontLab.connect;
import static dev.mcpscope.front.FrontLab.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.front.Events.Event;
import dev.mcpscope.front.FrontLab.Answer;
import dev.mcpscope.host.HostOptions;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What the front streams: the events of a session, and calls with their progress.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@EnabledOnOs({OS.LINUX, OS.MAC})
class FrontEventsTest {

  private static final Duration BEAT = Duration.ofMillis(20);

  @TempDir Path temp;

  private void inLab(FrontLab.Body body) throws Exception {
    inLab(UnaryOperator.identity(), body);
  }

  private void inLab(UnaryOperator<Front.Options> front, FrontLab.Body body) throws Exception {
    FrontLab.open(temp, HostOptions.defaults(), front, body);
  }

  private static UnaryOperator<Front.Options> streams(int most, Duration heartbeat) {
    return options -> options.withLimits(options.limits().withStreams(most, heartbeat));
  }

  private static HostOptions subscribers(int most) {
    var defaults = HostOptions.defaults();
    return new HostOptions(
        defaults.client(),
        defaults.sessions(),
        defaults.connections(),
        defaults.connectionsPerSession(),
        most,
        defaults.sessionIdle(),
        defaults.close(),
        defaults.restart());
  }

  private static JsonObject json(String text) throws IOException {
    return (JsonObject) JsonReader.read(text, JsonLimits.defaults());
  }

  /// Looks again for a while.
  private static void eventually(BooleanSupplier holds) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!holds.getAsBoolean()) {
      assertThat(System.nanoTime()).isLessThan(end);
    }
  }

  @FunctionalInterface
  private interface Beginning {
    Events events() throws Exception;
  }

  /// Begins a stream as soon as the only place is free: one is given back after its answer has come.
  private static Events begun(Beginning beginning) throws Exception {
    while (true) {
      try {
        return beginning.events();
      } catch (AssertionError e) {
        assertThat(e)
            .hasMessageMatching("(?s).*: .*\"1 (requests|streams) are being served already.*");
      }
    }
  }

  /// The head of a request for the events of the session `s`.
  private static String subscribing(FrontLab lab) {
    return "GET /mcp/events?sessionId=s HTTP/1.0\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n\r\n"
        .formatted(lab.port(), TOKEN);
  }

  private static Socket narrowSocket(FrontLab lab) throws IOException {
    var socket = new Socket();
    socket.setReceiveBufferSize(64 << 10);
    socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), lab.port()));
    return socket;
  }

  // The events of a session.

  @Test
  void subscribingNeedsTheTokenAndAProperSession() throws Exception {
    inLab(lab -> {
      var stranger = lab.request("GET", "/mcp/events?sessionId=s", BodyPublishers.noBody());
      assertThat(lab.send(stranger).join().status()).isEqualTo(401);
      for (String query :
          List.of(
              "",
              "?",
              "?sessionId",
              "?sessionId=",
              "?sessionId=+",
              "?sessionId=a%2Fb",
              "?sessionId=a%23b",
              "?sessionId=%00",
              "?sessionId=%0A",
              "?sessionId=" + "n".repeat(129),
              "?session=s")) {
        Answer refused = lab.get("/mcp/events" + query);
        assertThat(refused.status()).as(query).isEqualTo(400);
        assertThat(refused.detail()).as(query).contains("session");
      }
      assertThat(lab.asking("GET", "/mcp/events?sessionId=s", JsonObject.EMPTY).join().status())
          .isEqualTo(400); // it takes no body
      assertThat(lab.post("/mcp/events?sessionId=s", JsonObject.EMPTY).status()).isEqualTo(405);
      assertThat(lab.host.statuses()).isEmpty();
    });
  }

  @Test
  void firstSubscriberBringsTheSessionIntoBeing() throws Exception {
    inLab(lab -> {
      assertThat(lab.get("/mcp?sessionId=s").status()).isEqualTo(404);
      try (Events _ = lab.subscribe("s")) {
        assertThat(lab.rows().size()).isZero();
      }
    });
  }

  @Test
  void streamIsAnnouncedAsOneThatNobodyKeepsOrCollects() throws Exception {
    inLab(
        options -> options.withAllowOrigins(List.of("https://app.example")),
        lab -> {
          try (Events events = lab.subscribe("s")) {
            assertThat(events.headers.map())
                .containsEntry("content-type", List.of("text/event-stream"))
                .containsEntry("cache-control", List.of("no-store"))
                .containsEntry("x-content-type-options", List.of("nosniff"))
                .containsEntry("x-accel-buffering", List.of("no"))
                .doesNotContainKey("content-length")
                .doesNotContainKey("access-control-allow-origin");
          }
          var page = lab.authorized("GET", "/mcp/events?sessionId=s");
          page.header("Origin", "https://app.example");
          try (Events events = Events.of(lab.http, page, lab.bodies)) {
            assertThat(events.headers.map())
                .containsEntry("access-control-allow-origin", List.of("https://app.example"));
          }
        });
  }

  @Test
  void statesOfAConnectionComeInOrderAndWithoutTools() throws Exception {
    inLab(lab -> {
      try (Events events = lab.subscribe("s")) {
        JsonObject connected = lab.connected("x", "fake serves");
        JsonObject report = lab.disconnect("x").json().object("report");
        JsonObject row = connected.without("tools");
        JsonObject bare = row.without("status").without("protocolVersion").without("serverInfo");
        for (String phase :
            List.of("start", "server/discover", "initialize", "tools/list", "onConnect")) {
          assertThat(events.next())
              .isEqualTo(
                  new Event("state", bare.with("status", "connecting").with("phase", phase)));
        }
        assertThat(events.next()).isEqualTo(new Event("state", row));
        assertThat(events.next())
            .isEqualTo(
                new Event("state", bare.with("status", "closing").with("reason", "disconnected")));
        assertThat(events.next())
            .isEqualTo(new Event("state", bare.with("status", "closed").with("report", report)));
      }
    });
  }

  @Test
  void whatAServerTellsComesWithItsNameAndGeneration() throws Exception {
    inLab(lab -> {
      lab.connected("x", "fake serves");
      lab.connected("x", "fake serves");
      try (Events events = lab.subscribe("s")) {
        lab.call("x", "logs");
        assertThat(events.next())
            .isEqualTo(
                new Event(
                    "log",
                    json(
                        """
                        {"name": "x", "generation": 2, "level": "warning", "logger": "fake",
                         "data": {"disk": "full"}}
                        """)));
        lab.call("x", "changes");
        JsonObject from = JsonObject.of("name", "x", "generation", 2);
        assertThat(events.next()).isEqualTo(new Event("list", from.with("list", "resources")));
        assertThat(events.next()).isEqualTo(new Event("list", from.with("list", "prompts")));
        assertThat(events.next()).isEqualTo(new Event("resource", from.with("uri", "fake://a")));
        assertThat(events.next()).isEqualTo(new Event("list", from.with("list", "tools")));
        Event read = events.next(); // the new tools are there by now
        assertThat(read.name()).isEqualTo("state");
        assertThat(read.data().string("status")).isEqualTo("connected");
        assertThat(read.data().integer("generation")).isEqualTo(2);
      }
    });
  }

  @Test
  void progressOfACallIsHeardByWhoHasNotMadeIt() throws Exception {
    inLab(lab -> {
      Path go = lab.fifo("go");
      lab.connected("x", "fake serves");
      try (Events events = lab.subscribe("s")) {
        var call = lab.asking("POST", "/mcp/call", calling("x", "steps"));
        Event first = events.next();
        assertThat(first.name()).isEqualTo("progress");
        JsonObject about = first.data();
        long number = about.integer("call");
        assertThat(about)
            .isEqualTo(
                json(
                    """
                    {"name": "x", "generation": 1, "call": %d, "method": "tools/call",
                     "target": "steps", "progress": 1.0, "total": 2.0, "message": "half"}
                    """
                        .formatted(number)));
        Files.writeString(go, "\n");
        assertThat(events.next())
            .isEqualTo(
                new Event(
                    "progress", about.without("total").without("message").with("progress", 2.0)));
        assertThat(text(call.join().json())).isEqualTo("stepped");
      }
    });
  }

  @ParameterizedTest
  @ValueSource(strings = {"legacy", "modern"})
  void embeddedServersLogAndProgressAreHeard(String era) throws Exception {
    String classes =
        Stream.of(System.getProperty("jdk.module.path", ""), System.getProperty("java.class.path"))
            .filter(path -> !path.isEmpty())
            .collect(Collectors.joining(File.pathSeparator));
    var demo =
        ServerSpec.stdio(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1",
            "--enable-preview",
            "-cp",
            classes,
            "dev.mcpscope.Main",
            "demo-server",
            "--era",
            era);
    inLab(
        options -> options.withServers(Map.of("demo", demo)),
        lab -> {
          lab.connected(
              JsonObject.of("sessionId", "s", "name", "demo", "clientType", "configured"));
          try (Events events = lab.subscribe("s")) {
            JsonObject slow = calling("demo", "slow");
            JsonObject steps = JsonObject.of("steps", 2, "stepMs", 50);
            assertThat(text(lab.post("/mcp/call", slow.with("arguments", steps)).json()))
                .isEqualTo("done in 2 steps");
            JsonObject log = events.next("log").data();
            assertThat(log)
                .isEqualTo(
                    json(
                        """
                        {"name": "demo", "generation": 1, "level": "info", "logger": "demo",
                         "data": "slow was called"}
                        """));
            JsonObject progress = events.next("progress").data();
            while (progress.optionalNumber("progress").orElseThrow() < 2) { // it may be skipped
              progress = events.next("progress").data();
            }
            assertThat(progress.string("target")).isEqualTo("slow");
            assertThat(progress.string("message")).isEqualTo("step 2 of 2");
          }
        });
  }

  @Test
  void eventsOfOtherSessionsAreNotHeard() throws Exception {
    inLab(lab -> {
      try (Events events = lab.subscribe("s");
          Events others = lab.subscribe("t")) {
        lab.connected(connect("x", "fake serves").with("sessionId", "t"));
        assertThat(others.next().name()).isEqualTo("state");
        lab.post("/mcp/call", calling("x", "logs").with("sessionId", "t"));
        assertThat(others.next("log").data().string("name")).isEqualTo("x");
        lab.delete("/sessions/s");
        assertThat(events.rest()).containsExactly(new Event("end", JsonObject.EMPTY));
      }
    });
  }

  @Test
  void whoReadsTooSlowlyIsToldHowManyEventsAreMissing() throws Exception {
    inLab(
        options -> options.withLimits(options.limits().withWrite(Duration.ofMinutes(1))),
        lab -> {
          lab.connected("x", "fake serves");
          try (Socket socket = narrowSocket(lab);
              Events events = Events.narrow(socket, subscribing(lab), lab.bodies)) {
            // 20 MB: more than sockets hold, and than waits for a subscriber
            assertThat(text(lab.call("x", "tells-often").json())).isEqualTo("told");
            lab.call("x", "logs"); // the newest is never missing
            long heard = 0;
            long dropped = 0;
            Event event = events.next();
            while (!(event.data().get("data") instanceof JsonObject)) {
              if (event.name().equals("dropped")) {
                assertThat(event.data().members()).containsOnlyKeys("count");
                dropped += event.data().integer("count");
              } else {
                assertThat(event.data().string("data")).hasSize(1_000);
                heard++;
              }
              event = events.next();
            }
            assertThat(dropped).isPositive();
            assertThat(heard + dropped).isEqualTo(20_000);
          }
        });
  }

  @Test
  void notificationThatIsTooLongIsToldAsMissing() throws Exception {
    inLab(lab -> {
      lab.connected("x", "fake serves");
      try (Events events = lab.subscribe("s")) {
        lab.call("x", "tells-long");
        assertThat(events.next())
            .isEqualTo(
                new Event("dropped", JsonObject.of("name", "x", "generation", 1, "count", 1)));
        assertThat(events.next().data().string("data")).isEqualTo("short");
      }
    });
  }

  @Test
  void streamEndsWithItsSession() throws Exception {
    inLab(lab -> {
      lab.connected("x", "fake serves");
      try (Events events = lab.subscribe("s");
          Events other = lab.subscribe("t")) {
        lab.delete("/sessions/s");
        assertThat(events.next().data().string("status")).isEqualTo("closing");
        assertThat(events.next().data().string("status")).isEqualTo("closed");
        assertThat(events.rest()).containsExactly(new Event("end", JsonObject.EMPTY));
        assertThat(lab.get("/mcp?sessionId=s").status()).isEqualTo(404);
        lab.delete("/sessions/t"); // in which nothing is
        assertThat(other.rest()).containsExactly(new Event("end", JsonObject.EMPTY));
      }
    });
  }

  @Test
  void streamEndsWithTheHostAndNoneBeginsDuringItsEnd() throws Exception {
    inLab(lab -> {
      lab.connected("x", "fake serves");
      try (Events events = lab.subscribe("s")) {
        lab.front.refuse();
        assertThat(lab.get("/mcp/events?sessionId=s").status()).isEqualTo(503);
        lab.call("x", "logs"); // refused too
        assertThat(lab.host.end().nothingLeft()).isTrue();
        Event closing = events.next();
        assertThat(closing.data().string("reason")).isEqualTo("the host is shutting down");
        assertThat(events.next().data().string("status")).isEqualTo("closed");
        assertThat(events.rest()).containsExactly(new Event("end", JsonObject.EMPTY));
      }
    });
  }

  @Test
  void closeOfTheFrontCutsStreamsOff() throws Exception {
    inLab(lab -> {
      lab.fifo("fifo");
      lab.connected("x", "fake serves");
      try (Events events = lab.subscribe("s");
          Events call = lab.stream(calling("x", "waits"))) {
        assertThat(Files.readString(temp.resolve("fake.fifo"))).isEqualTo("x\n");
        long begun = System.nanoTime();
        lab.front.close();
        assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(5));
        for (Events cut : List.of(events, call)) {
          var heard = new ArrayList<Event>();
          catchThrowable(() -> heard.addAll(cut.rest()));
          assertThat(heard).isEmpty(); // no word of an end, or of an answer
        }
        assertThat(lab.host.statuses()).containsOnlyKeys("s");
      }
    });
  }

  @Test
  void silentStreamsShowThatTheyLive() throws Exception {
    inLab(
        streams(8, BEAT),
        lab -> {
          lab.connected("x", "fake serves");
          long begun = System.nanoTime();
          try (Events events = lab.subscribe("s");
              Events call = lab.stream(calling("x", "never"))) {
            for (int i = 0; i < 3; i++) {
              events.comment();
              call.comment();
            }
          }
          assertThat(Duration.ofNanos(System.nanoTime() - begun))
              .isLessThan(Duration.ofSeconds(10));
        });
  }

  // Who leaves, and who stays too long.

  @Test
  void clientThatLeavesFreesItsPlaceAndTheSession() throws Exception {
    inLab(
        streams(1, BEAT),
        lab -> {
          lab.subscribe("s").close();
          eventually(() -> lab.host.statuses().isEmpty());
          begun(() -> lab.subscribe("t")).close();
        });
  }

  @Test
  void clientThatLeavesFreesItsSubscriptionAndOthersStay() throws Exception {
    var log = new LinkedBlockingQueue<String>();
    FrontLab.openLogging(
        temp,
        log,
        subscribers(2),
        streams(8, BEAT),
        lab -> {
          try (Events stays = lab.subscribe("s")) {
            lab.subscribe("s").close();
            while (!log.take().contains("a client was not answered")) {
              // others are of no interest
            }
            try (Events _ = lab.subscribe("s")) {
              lab.connected("x", "fake serves");
              assertThat(stays.next().data().string("phase")).isEqualTo("start");
            }
          }
        });
  }

  @Test
  void subscriberThatDoesNotReadIsCutOffAndNobodyElseNotices() throws Exception {
    var log = new LinkedBlockingQueue<String>();
    FrontLab.openLogging(
        temp,
        log,
        HostOptions.defaults(),
        options ->
            options.withLimits(
                options
                    .limits()
                    .withWrite(Duration.ofSeconds(1))
                    .withStreams(2, Duration.ofSeconds(15))),
        lab -> {
          lab.connected("x", "fake serves");
          try (Events reads = lab.subscribe("s");
              Socket socket = narrowSocket(lab);
              Events sleeps = Events.narrow(socket, subscribing(lab), lab.bodies)) {
            long begun = System.nanoTime();
            var told = lab.asking("POST", "/mcp/call", calling("x", "tells-much")); // 18 MB
            for (int i = 0; i < 300; i++) {
              Event event = reads.next();
              assertThat(event.name()).as("event %d", i).isEqualTo("log");
              assertThat(event.data().string("data")).hasSize(60_000);
            }
            assertThat(text(told.join().json())).isEqualTo("told");
            while (!log.take().contains("it does not read its answer")) {
              // others are of no interest
            }
            assertThat(Duration.ofNanos(System.nanoTime() - begun))
                .isBetween(Duration.ofSeconds(1), Duration.ofSeconds(20));
            assertThat(text(lab.call("x", "echo").json())).isEqualTo("hello");
            lab.call("x", "logs");
            assertThat(reads.next().data().object("data").string("disk")).isEqualTo("full");
            lab.subscribe("s").close(); // in the place of the one that was cut off

            var late = new ArrayList<Event>();
            catchThrowable(() -> {
              for (Event event; (event = sleeps.next()) != null; ) {
                late.add(event);
              }
            });
            assertThat(late).hasSizeLessThan(300).noneMatch(event -> event.name().equals("end"));
          }
        });
  }

  // Limits.

  @Test
  void streamsOverTheLimitAreRefusedAndRequestsAreNot() throws Exception {
    inLab(
        streams(2, BEAT),
        lab -> {
          lab.connected("x", "fake serves");
          try (Events _ = lab.subscribe("s");
              Events _ = lab.stream(calling("x", "never"))) {
            for (var request :
                List.of(
                    lab.authorized("GET", "/mcp/events?sessionId=t"),
                    lab.streaming(calling("x", "echo")))) {
              Answer refused = lab.send(request).join();
              assertThat(refused.status()).isEqualTo(429);
              assertThat(refused.detail()).isEqualTo("2 streams are being served already");
            }
            assertThat(lab.host.statuses()).containsOnlyKeys("s");
            assertThat(text(lab.call("x", "echo").json())).isEqualTo("hello");
          }
        });
  }

  @Test
  void subscribersOverASessionsLimitAreRefused() throws Exception {
    FrontLab.open(
        temp,
        subscribers(2),
        UnaryOperator.identity(),
        lab -> {
          try (Events first = lab.subscribe("s");
              Events _ = lab.subscribe("s");
              Events _ = lab.subscribe("t")) {
            Answer refused = lab.get("/mcp/events?sessionId=s");
            assertThat(refused.status()).isEqualTo(429);
            assertThat(refused.detail())
                .isEqualTo("the limit of 2 subscribers of a session is reached");
            lab.connected("x", "fake serves");
            assertThat(first.next().data().string("phase")).isEqualTo("start");
          }
        });
  }

  @Test
  void subscriberCannotBringOneSessionTooManyIntoBeing() throws Exception {
    FrontLab.open(
        temp,
        HostOptions.defaults().withLimits(1, 10, 10),
        UnaryOperator.identity(),
        lab -> {
          try (Events _ = lab.subscribe("s")) {
            Answer refused = lab.get("/mcp/events?sessionId=t");
            assertThat(refused.status()).isEqualTo(429);
            assertThat(refused.detail()).isEqualTo("the limit of 1 sessions is reached");
          }
        });
  }

  @Test
  void streamsDoNotCountAsRequests() throws Exception {
    inLab(
        options -> options.withLimits(options.limits().withRequests(1)),
        lab -> {
          lab.connected("x", "fake serves");
          try (Events _ = begun(() -> lab.subscribe("s"));
              Events _ = begun(() -> lab.subscribe("s"));
              Events _ = begun(() -> lab.stream(calling("x", "never")))) {
            eventually(() -> lab.get("/scopes").status() == 200);
          }
        });
  }

  // Calls with their progress.

  @Test
  void streamedCallTellsItsProgressThenTheResult() throws Exception {
    inLab(lab -> {
      Path go = lab.fifo("go");
      lab.connected("x", "fake serves");
      try (Events call = lab.stream(calling("x", "steps"))) {
        assertThat(call.headers.map())
            .containsEntry("content-type", List.of("text/event-stream"))
            .containsEntry("cache-control", List.of("no-store"));
        assertThat(call.next())
            .isEqualTo(
                new Event(
                    "progress",
                    json(
                        """
                        {"progress": 1.0, "total": 2.0, "message": "half"}
                        """)));
        Files.writeString(go, "\n");
        assertThat(call.rest())
            .containsExactly(
                new Event("progress", JsonObject.of("progress", 2.0)),
                new Event(
                    "result",
                    json(
                        """
                        {"content": [{"type": "text", "text": "stepped"}]}
                        """)));
      }
      try (Events call = lab.stream(calling("x", "fail"))) { // the tool's own failure is a result
        Event result = call.next();
        assertThat(result.name()).isEqualTo("result");
        assertThat(result.data().bool("isError")).isTrue();
      }
    });
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "serves   | unknown | 502 | x: tools/call was answered by error -32000: no such tool",
        "serves   | wrong   | 502 | was answered by an array instead of an object",
        "serves   | die     | 502 | x: the server exited with code 7; its stderr ends: disk full",
        "serves   | never   | 504 | got no answer within 200 ms",
        "toolless | echo    | 400 | has not declared tools",
      })
  void streamedCallThatFailsEndsWithTheStatusThatItsAnswerWouldHaveHad(
      String mode, String tool, int status, String detail) throws Exception {
    inLab(lab -> {
      lab.connected("x", "fake " + mode);
      JsonObject call = calling("x", tool).with("timeoutMs", tool.equals("never") ? 200 : 30_000);
      try (Events events = lab.stream(call)) {
        List<Event> all = events.rest();
        assertThat(all).extracting(Event::name).containsExactly("error");
        JsonObject error = all.getFirst().data();
        assertThat(error.members()).containsOnlyKeys("status", "detail");
        assertThat(error.integer("status")).isEqualTo(status);
        assertThat(error.string("detail")).contains(detail);
      }
    });
  }

  @Test
  void streamedCallIsToldThatItsServerWasDisconnected() throws Exception {
    inLab(lab -> {
      Path fifo = lab.fifo("fifo");
      lab.connected("x", "fake serves");
      try (Events call = lab.stream(calling("x", "waits"))) {
        assertThat(Files.readString(fifo)).isEqualTo("x\n");
        lab.disconnect("x");
        assertThat(call.rest())
            .containsExactly(
                new Event(
                    "error",
                    JsonObject.of(
                        "status", 409, "detail", "x: the connection is closed: disconnected")));
      }
    });
  }

  @Test
  void streamedCallIsToldThatTheHostEnds() throws Exception {
    inLab(lab -> {
      Path fifo = lab.fifo("fifo");
      lab.connected("x", "fake serves");
      try (Events call = lab.stream(calling("x", "waits"))) {
        assertThat(Files.readString(fifo)).isEqualTo("x\n");
        lab.host.end();
        List<Event> all = call.rest();
        assertThat(all).extracting(Event::name).containsExactly("error");
        assertThat(all.getFirst().data().integer("status")).isEqualTo(503);
      }
    });
  }

  @Test
  void streamedCallThatCannotBeginIsAnsweredLikeAnyOther() throws Exception {
    inLab(lab -> {
      lab.connected("x", "fake serves");
      var silent = lab.connecting("silent", "fake silent");
      lab.awaitPhase("silent", "initialize");
      Map<JsonObject, Integer> refused =
          Map.of(
              calling("nobody", "echo"), 404,
              calling("x", "echo").with("sessionId", "t"), 404,
              calling("x", "echo").without("tool"), 400,
              calling("x", "echo").with("arguments", "none"), 400,
              calling("x", "echo").with("timeoutMs", 0), 400,
              calling("silent", "echo"), 409);
      refused.forEach((call, status) -> {
        Answer answer = lab.send(lab.streaming(call)).join(); // which has to be JSON
        assertThat(answer.status()).as(call.toString()).isEqualTo(status);
        assertThat(answer.detail()).isNotEmpty();
      });
      var stranger = lab.request("POST", "/mcp/call", BodyPublishers.ofString("{}"));
      stranger.header("Accept", Events.TYPE);
      assertThat(lab.send(stranger).join().status()).isEqualTo(401);
      lab.disconnect("silent");
      assertThat(silent.join().status()).isEqualTo(409);
    });
  }

  @Test
  void clientThatLeavesAStreamedCallCancelsIt() throws Exception {
    inLab(
        streams(8, BEAT),
        lab -> {
          Path fifo = lab.fifo("fifo");
          Path cancelled = lab.fifo("cancelled");
          lab.connected("x", "fake serves");
          try (Events events = lab.subscribe("s")) {
            Events call = lab.stream(calling("x", "waits"));
            assertThat(Files.readString(fifo)).isEqualTo("x\n");
            call.close();
            JsonObject told = json(Files.readString(cancelled));
            assertThat(told.string("method")).isEqualTo("notifications/cancelled");
            assertThat(told.object("params").integer("requestId")).isPositive();
            assertThat(text(lab.call("x", "echo").json())).isEqualTo("hello");
            lab.call("x", "logs");
            assertThat(events.next().name()).isEqualTo("log");
          }
        });
  }

  @Test
  void callIsStreamedOnlyForThoseWhoAskForIt() throws Exception {
    inLab(lab -> {
      lab.connected("x", "fake serves");
      for (String accept : List.of("", "*/*", "application/json", "text/*", "text/html")) {
        var request = lab.authorized("POST", "/mcp/call", calling("x", "echo"));
        if (!accept.isEmpty()) {
          request.header("Accept", accept);
        }
        assertThat(text(lab.send(request).join().json())).as(accept).isEqualTo("hello");
      }
      for (String accept : List.of("application/json, text/event-stream", "Text/Event-Stream")) {
        var request = lab.authorized("POST", "/mcp/call", calling("x", "echo"));
        try (Events call = Events.of(lab.http, request.header("Accept", accept), lab.bodies)) {
          assertThat(call.next().name()).as(accept).isEqualTo("result");
        }
      }
      var scopes = lab.authorized("GET", "/scopes").header("Accept", Events.TYPE);
      assertThat(lab.send(scopes).join().status()).isEqualTo(200); // and is JSON
    });
  }

  // Secrets.

  @Test
  void assignedValuesAreInNoEvent() throws Exception {
    inLab(lab -> {
      String env = "SECRET_WORD=" + SECRET + " ";
      try (Events events = lab.subscribe("s")) {
        lab.connected("x", env + "fake serves");
        for (String tool : List.of("echo", "changes", "unknown", "die")) {
          try (Events call = lab.stream(calling("x", tool))) {
            assertThat(call.rest()).isNotEmpty();
          }
        }
        lab.await("x", ConnectionState.Failed.class::isInstance);
        lab.connecting("x", env + "fake exits").join();
        lab.connected("x", env + "fake serves");
        lab.connected("x", "SECRET_WORD=*** fake stubborn");
        lab.delete("/sessions/s");
        List<Event> all = events.rest();
        assertThat(all)
            .filteredOn(event -> event.name().equals("state"))
            .hasSizeGreaterThan(20)
            .extracting(event -> event.data().get("command"))
            .filteredOn(Objects::nonNull)
            .allMatch(command -> command.toString().startsWith("\"SECRET_WORD=*** "));
      }
      assertThat(lab.bodies).hasSizeGreaterThan(60).noneMatch(body -> body.contains(SECRET));
    });
  }
}
