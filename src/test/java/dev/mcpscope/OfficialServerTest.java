package dev.mcpscope;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.OfficialServer.Era;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Iterator;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The server that other tests rely on, asked without the client that they test.
@Tag("real-server")
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class OfficialServerTest {
  private static final String MODERN = "2026-07-28";
  private static final String LEGACY = "2025-11-25";
  private static final JsonObject CLIENT = JsonObject.of("name", "test", "version", "1");

  /// The ways to it.
  enum Way {
    STDIO {
      @Override
      JsonObject ask(Era era, JsonObject request) throws Exception {
        Process process = new ProcessBuilder(OfficialServer.stdio(era).command()).start();
        try (BufferedReader out = process.inputReader(UTF_8)) {
          Writer in = process.outputWriter(UTF_8);
          in.write(request + "\n");
          in.flush();
          JsonObject answer = parse(out.readLine());
          in.close();
          assertThat(process.waitFor()).as("its exit code, after its input has ended").isZero();
          return answer;
        } finally {
          process.destroyForcibly();
        }
      }
    },
    HTTP {
      @Override
      JsonObject ask(Era era, JsonObject request) throws Exception {
        try (var server = OfficialServer.start(era);
            var client = HttpClient.newHttpClient()) {
          return last(client.send(post(server, request), BodyHandlers.ofLines()).body());
        }
      }
    };

    /// Asks a server of its own.
    abstract JsonObject ask(Era era, JsonObject request) throws Exception;
  }

  @BeforeAll
  static void itIsNeeded() throws Exception {
    OfficialServer.isNeeded();
  }

  private static JsonObject request(String method, JsonObject params) {
    return JsonObject.of("jsonrpc", "2.0", "id", 1, "method", method, "params", params);
  }

  private static JsonObject modern(String method, Object... params) {
    var meta =
        JsonObject.of(
            "io.modelcontextprotocol/protocolVersion", MODERN,
            "io.modelcontextprotocol/clientInfo", CLIENT,
            "io.modelcontextprotocol/clientCapabilities", JsonObject.EMPTY);
    return request(method, JsonObject.of(params).with("_meta", meta));
  }

  private static JsonObject initialize() {
    return request(
        "initialize",
        JsonObject.of(
            "protocolVersion", LEGACY, "capabilities", JsonObject.EMPTY, "clientInfo", CLIENT));
  }

  private static HttpRequest post(OfficialServer server, JsonObject message) throws JsonException {
    var request =
        HttpRequest.newBuilder(URI.create(server.url()))
            .header("Content-Type", "application/json")
            .header("Accept", "application/json, text/event-stream")
            .POST(BodyPublishers.ofString(message.toString()));
    JsonObject params = message.object("params");
    if (params.has("_meta")) {
      request.header("MCP-Protocol-Version", MODERN).header("Mcp-Method", message.string("method"));
      params.optionalString("name").ifPresent(name -> request.header("Mcp-Name", name));
    }
    return request.build();
  }

  private static JsonObject parse(String json) throws JsonException {
    return (JsonObject) JsonReader.read(json, JsonLimits.defaults());
  }

  /// Returns the messages of a body, be it JSON or a stream of events, as they come.
  private static Stream<String> messages(Stream<String> lines) {
    return lines
        .map(line -> line.replaceFirst("^data: ?", ""))
        .filter(line -> line.startsWith("{"));
  }

  private static JsonObject last(Stream<String> lines) throws JsonException {
    return parse(messages(lines).toList().getLast());
  }

  @ParameterizedTest
  @EnumSource(Way.class)
  void bothErasAnswerDiscover(Way way) throws Exception {
    for (Era era : Era.values()) {
      JsonObject result = way.ask(era, modern("server/discover")).object("result");
      assertThat(result.string("resultType")).isEqualTo("complete");
      assertThat(result.array("supportedVersions")).isEqualTo(JsonArray.of(MODERN));
      assertThat(result.integer("ttlMs")).isEqualTo(60_000);
      assertThat(result.string("cacheScope")).isEqualTo("public");
    }
  }

  @ParameterizedTest
  @EnumSource(Way.class)
  void modernEraRefusesInitialize(Way way) throws Exception {
    JsonObject error = way.ask(Era.MODERN, initialize()).object("error");
    assertThat(error.integer("code")).isEqualTo(-32022);
    assertThat(error.object("data").array("supported")).isEqualTo(JsonArray.of(MODERN));
  }

  @ParameterizedTest
  @EnumSource(Way.class)
  void dualEraAnswersInitialize(Way way) throws Exception {
    JsonObject result = way.ask(Era.DUAL, initialize()).object("result");
    assertThat(result.string("protocolVersion")).isEqualTo(LEGACY);
    assertThat(result.object("serverInfo").string("name")).isEqualTo("official");
  }

  @ParameterizedTest
  @EnumSource(Way.class)
  void toolsAreThoseThatItsSourceNames(Way way) throws Exception {
    JsonObject result = way.ask(Era.MODERN, modern("tools/list")).object("result");
    assertThat(result.objects("tools"))
        .extracting(tool -> tool.string("name"))
        .containsExactly(
            "echo",
            "add",
            "place",
            "log",
            "counts",
            "crash",
            "ask",
            "gather",
            "visit",
            "later",
            "slow",
            "cancelled",
            "grow",
            "touch");
  }

  @Test
  void whoListensIsToldOfChangesAndOfTheEnd() throws Exception {
    try (var server = OfficialServer.start(Era.MODERN);
        var client = HttpClient.newHttpClient();
        Stream<String> lines = listen(client, server)) {
      Iterator<String> heard = messages(lines).iterator();
      assertThat(parse(heard.next()).string("method"))
          .isEqualTo("notifications/subscriptions/acknowledged");
      var grow = modern("tools/call", "name", "grow", "arguments", JsonObject.of("name", "leaf"));
      assertThat(client.send(post(server, grow), BodyHandlers.ofString()).statusCode())
          .isEqualTo(200);
      assertThat(parse(heard.next()).string("method"))
          .isEqualTo("notifications/tools/list_changed");
      assertThat(server.end()).isZero();
      assertThat(parse(heard.next()).object("result").string("resultType")).isEqualTo("complete");
      assertThat(heard.hasNext()).isFalse();
    }
  }

  @Test
  void whoLeavesIsMissedAndFindsItInItsPlaceAfterAStart() throws Exception {
    try (var server = OfficialServer.start(Era.MODERN);
        var client = HttpClient.newHttpClient()) {
      try (Stream<String> lines = listen(client, server)) {
        messages(lines).iterator().next();
      }
      server.await("left subscriptions/listen", 1);
      server.end();
      server.startAgain();
      HttpResponse<String> answer =
          client.send(post(server, modern("server/discover")), BodyHandlers.ofString());
      assertThat(answer.statusCode()).isEqualTo(200);
    }
  }

  private static Stream<String> listen(HttpClient client, OfficialServer server)
      throws IOException, InterruptedException {
    var filter = JsonObject.of("toolsListChanged", true);
    return client
        .send(
            post(server, modern("subscriptions/listen", "notifications", filter)),
            BodyHandlers.ofLines())
        .body();
  }
}
