package dev.mcpscope.front;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.client.Challenged;
import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.host.ConnectionStatus;
import dev.mcpscope.host.HostEvent;
import dev.mcpscope.host.HostOptions;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.json.JsonWriter;
import dev.mcpscope.transport.CloseReport;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/// What is shown of connections whose servers are at URLs.
class ViewTest {

  private static final String SECRET = FrontLab.SECRET;
  private static final ServerSpec.Http SERVER = server();
  private static final View VIEW = new View(Map.of());
  private static final CloseReport REPORT =
      new CloseReport(
          "lost",
          Duration.ZERO,
          List.of(),
          OptionalInt.empty(),
          "",
          0,
          0,
          List.of(),
          List.of(),
          List.of(),
          List.of());

  private static ServerSpec.Http server() {
    var headers = new LinkedHashMap<String, String>();
    headers.put("Authorization", "Bearer " + SECRET);
    headers.put("X", SECRET);
    return ServerSpec.http("https://me:" + SECRET + "@example.com:8443/mcp?key=" + SECRET)
        .withHeaders(headers);
  }

  private static ConnectionStatus status(ServerSpec spec, ConnectionState state) {
    return new ConnectionStatus("s", "x", 7, spec, state, false);
  }

  private static JsonObject json(String text) throws Exception {
    return (JsonObject) JsonReader.read(text.replace('\'', '"'), JsonLimits.defaults());
  }

  @Test
  void serverAtAUrlIsShownWithoutItsSecrets() throws Exception {
    assertThat(VIEW.row(status(SERVER, new ConnectionState.Connecting("start"))))
        .isEqualTo(
            json(
                """
                {'name': 'x', 'tools': [], 'clientType': 'streamable-http', 'command': null,
                 'url': 'https://***@example.com:8443/mcp?key=***',
                 'headers': {'Authorization': '***', 'X': '***'},
                 'status': 'connecting', 'generation': 7, 'phase': 'start'}
                """));
  }

  @Test
  void serverOfTheOlderWayIsCalledSse() throws Exception {
    JsonObject row =
        VIEW.row(
            status(ServerSpec.sse("http://localhost/"), new ConnectionState.Connecting("start")));
    assertThat(row.string("clientType")).isEqualTo("sse");
    assertThat(row.string("url")).isEqualTo("http://localhost/");
    assertThat(row.get("headers")).isEqualTo(JsonObject.EMPTY);
  }

  @Test
  void ofTheOperatorsOwnServerNoUrlAndNoHeadersAreShown() throws Exception {
    var view = new View(Map.of("x", SERVER));
    JsonObject row = view.row(status(SERVER, new ConnectionState.Closing("disconnected")));
    assertThat(row.string("clientType")).isEqualTo("configured");
    for (String member : List.of("command", "url", "headers")) {
      assertThat(row.get(member)).isEqualTo(JsonNull.INSTANCE);
    }
    // One that is the same, and was asked for by a client, is the client's.
    assertThat(
            view.row(status(server(), new ConnectionState.Closing("disconnected"))).string("url"))
        .startsWith("https://***@example.com");
  }

  @Test
  void serverThatWantsAuthorizationIsNotCalledFailed() throws Exception {
    var challenge = "Bearer resource_metadata=\"https://example.com/.well-known/x\"";
    var problem = Challenged.by(401, challenge, "Basic");
    JsonObject row = VIEW.row(status(SERVER, new ConnectionState.Failed(problem, REPORT)));
    assertThat(row.string("status")).isEqualTo("needs authorization");
    assertThat(row.string("failure")).isEqualTo("the server has answered 401");
    assertThat(row.object("authorization"))
        .isEqualTo(JsonObject.of("status", 401, "challenges", List.of(challenge, "Basic")));
    assertThat(row.object("report")).isEqualTo(REPORT.json());
    assertThat(row.bool("restarts")).isFalse();

    View.Streamed event =
        VIEW.event(
            new HostEvent.Changed(status(SERVER, new ConnectionState.Failed(problem, REPORT))));
    assertThat(event.data()).isEqualTo(row.without("tools"));
  }

  @Test
  void challengesAreFewShortAndHarmless() throws Exception {
    String[] challenges =
        IntStream.range(0, 9)
            .mapToObj(i -> i + "\r\n\u001b[2J\u0085\u202e\u2028\ud800" + "é".repeat(2_000))
            .toArray(String[]::new);
    JsonObject shown = VIEW.authorization(Challenged.by(403, challenges), SERVER);
    assertThat(shown.integer("status")).isEqualTo(403);
    JsonArray array = shown.array("challenges");
    assertThat(array.size()).isEqualTo(8);
    for (int i = 0; i < 8; i++) {
      String start = i + "???[2J????";
      assertThat(array.get(i))
          .isEqualTo(JsonValue.of(start + "é".repeat(1_024 - start.length()) + "…"));
    }
    assertThat(VIEW.authorization(Challenged.by(401), SERVER).array("challenges").size()).isZero();
  }

  @Test
  void challengesOfTheOperatorsOwnServerAreNotShown() throws Exception {
    var problem = Challenged.by(401, "Bearer resource_metadata=\"https://own.example/\"");
    JsonObject row =
        new View(Map.of("x", SERVER))
            .row(status(SERVER, new ConnectionState.Failed(problem, REPORT)));
    assertThat(row.string("status")).isEqualTo("needs authorization");
    assertThat(row.object("authorization"))
        .isEqualTo(JsonObject.of("status", 401, "challenges", List.of()));
  }

  @Test
  @Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  @EnabledOnOs({OS.LINUX, OS.MAC})
  void openConnectionWhoseServerIsAwayOrRefusesIsShownAsThat(@TempDir Path temp) throws Exception {
    FrontLab.open(
        temp,
        HostOptions.defaults(),
        UnaryOperator.identity(),
        lab -> {
          lab.connected("x", "fake serves");
          var usable = (ConnectionState.Connected) lab.host.status("s", "x").orElseThrow().state();

          JsonObject away =
              VIEW.row(
                  status(
                      SERVER,
                      new ConnectionState.Degraded(usable.client(), usable.tools(), "refused")));
          assertThat(away.string("status")).isEqualTo("degraded");
          assertThat(away.string("failure")).isEqualTo("refused");
          assertThat(away.array("tools").size()).isEqualTo(1);
          assertThat(away.string("protocolVersion")).isEqualTo("2025-11-25");
          assertThat(away.has("authorization")).isFalse();

          JsonObject unauthorized =
              VIEW.row(
                  status(
                      SERVER,
                      new ConnectionState.NeedsAuthorization(
                          usable.client(), usable.tools(), Challenged.by(403, "Bearer"))));
          assertThat(unauthorized.string("status")).isEqualTo("needs authorization");
          assertThat(unauthorized.string("failure")).isEqualTo("the server has answered 403");
          assertThat(unauthorized.object("authorization"))
              .isEqualTo(JsonObject.of("status", 403, "challenges", List.of("Bearer")));
          assertThat(unauthorized.array("tools").size()).isEqualTo(1);

          for (JsonObject row : List.of(away, unauthorized)) {
            assertThat(JsonWriter.text(row)).doesNotContain(SECRET);
          }
        });
  }

  @Test
  void errorTellsItsMembersBesideTheDetail() {
    assertThat(new HttpError(400, "no", JsonObject.of("authorization", 1)).body())
        .isEqualTo(JsonObject.of("detail", "no", "authorization", 1));
    assertThat(new HttpError(400, "no").body()).isEqualTo(JsonObject.of("detail", "no"));
  }
}
