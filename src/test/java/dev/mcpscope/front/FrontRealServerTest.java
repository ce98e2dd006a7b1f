package dev.mcpscope.front;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.host.HostListener;
import dev.mcpscope.host.HostOptions;
import dev.mcpscope.host.McpHost;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.json.JsonValue;
import java.io.File;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The README's session with a real server. Needs npx, and the network if npm has no copy of the
/// server yet.
@Tag("real-server")
@Timeout(value = 180, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FrontRealServerTest {

  private static final String TOKEN = "the-token";

  @BeforeAll
  static void npxIsNeeded() {
    assumeTrue(
        Stream.of(System.getenv().getOrDefault("PATH", "").split(File.pathSeparator))
            .anyMatch(directory -> Files.isExecutable(Path.of(directory, "npx"))),
        "npx is not installed");
  }

  @Test
  void everythingServerIsConnectedUsedAndDisconnected() throws Exception {
    NothingLeft.after(() -> {
      var options =
          new Front.Options("127.0.0.1", 0, TOKEN, List.of("npx", "uvx"), System.getenv());
      try (var http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
          var host = McpHost.open(HostOptions.defaults(), new HostListener() {});
          var front = Front.open(options, host)) {
        session(http, front.uri());
        assertThat(host.end().sessions()).isEmpty();
      }
    });
  }

  private static void session(HttpClient http, URI front) throws Exception {
    JsonObject mcp =
        ask(
                http,
                front,
                "POST",
                "/mcp",
                """
                {"sessionId": "alice", "name": "everything", "clientType": "stdio",
                 "fullCommand": "npx -y @modelcontextprotocol/server-everything@2026.8.31",
                 "connectTimeoutMs": 120000}
                """)
            .object("mcp");
    assertThat(mcp.string("status")).isEqualTo("connected");
    assertThat(mcp.string("protocolVersion")).isEqualTo("2025-11-25");
    assertThat(mcp.string("command"))
        .endsWith("npx -y @modelcontextprotocol/server-everything@2026.8.31");
    assertThat(names(mcp.array("tools"))).contains("echo", "get-sum");
    List<ProcessHandle> processes = ProcessHandle.current().descendants().toList();
    assertThat(processes).isNotEmpty(); // npm, a shell, node

    JsonArray rows = ask(http, front, "GET", "/mcp?sessionId=alice", "").array("connections");
    assertThat(rows).isEqualTo(JsonArray.of(mcp));
    assertThat(text(http, front, "echo", "{\"message\": \"hello, world\"}"))
        .contains("hello, world");
    assertThat(text(http, front, "get-sum", "{\"a\": 2, \"b\": 3}")).contains("5");

    JsonObject report =
        ask(
                http,
                front,
                "DELETE",
                "/mcp",
                """
                {"sessionId": "alice", "name": "everything"}
                """)
            .object("report");
    assertThat(report.array("survivors").size()).isZero();
    assertThat(report.array("abandoned").size()).isZero();
    assertThat(report.array("failures").size()).isZero();
    assertThat(processes).noneMatch(ProcessHandle::isAlive);
  }

  private static String text(HttpClient http, URI front, String tool, String arguments)
      throws Exception {
    JsonObject result =
        ask(
            http,
            front,
            "POST",
            "/mcp/call",
            ("{\"sessionId\": \"alice\", \"name\": \"everything\","
                    + " \"tool\": \"%s\", \"arguments\": %s}")
                .formatted(tool, arguments));
    return ((JsonObject) result.array("content").get(0)).string("text");
  }

  private static JsonObject ask(HttpClient http, URI front, String method, String path, String body)
      throws Exception {
    HttpResponse<String> response =
        http.send(
            HttpRequest.newBuilder(URI.create(front + path))
                .header("Authorization", "Bearer " + TOKEN)
                .header("Content-Type", "application/json")
                .method(method, BodyPublishers.ofString(body))
                .build(),
            BodyHandlers.ofString());
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    return (JsonObject) JsonReader.read(response.body(), JsonLimits.defaults());
  }

  private static List<String> names(JsonArray tools) throws Exception {
    var names = new ArrayList<String>();
    for (JsonValue tool : tools) {
      names.add(((JsonObject) tool).string("name"));
    }
    return names;
  }
}
