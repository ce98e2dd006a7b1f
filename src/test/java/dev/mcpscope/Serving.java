package dev.mcpscope;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonWriter;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// A run of `serve`, and a client of its front, whose session is `s`.
final class Serving implements AutoCloseable {
  final Program program;
  final URI uri;
  final String token;
  final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  /// Returns when it is ready.
  Serving(Path temp, Map<String, String> environment, String... arguments) throws IOException {
    program = new Program(temp, environment, arguments);
    String ready = program.out.readLine();
    assertThat(ready)
        .as(program.err())
        .matches("mcp-scope ready http://127\\.0\\.0\\.1:\\d+/#token=\\S+");
    uri = URI.create(ready.replaceAll("mcp-scope ready |/#.*", ""));
    token = ready.replaceAll(".*#token=", "");
  }

  CompletableFuture<HttpResponse<String>> get(String path) {
    return send(path, HttpRequest.newBuilder());
  }

  CompletableFuture<HttpResponse<String>> post(String path, JsonObject body) {
    return send(
        path,
        HttpRequest.newBuilder()
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofByteArray(JsonWriter.bytes(body))));
  }

  private CompletableFuture<HttpResponse<String>> send(String path, HttpRequest.Builder request) {
    return http.sendAsync(
        request
            .uri(URI.create(uri + path))
            .timeout(Duration.ofSeconds(30))
            .header("Authorization", "Bearer " + token)
            .build(),
        BodyHandlers.ofString());
  }

  CompletableFuture<HttpResponse<String>> connect(String name, String... command) {
    String fullCommand =
        Stream.of(command)
            .map(word -> "'" + word.replace("'", "'\\''") + "'")
            .collect(Collectors.joining(" "));
    return post(
        "/mcp",
        JsonObject.of(
            "sessionId", "s", "name", name, "clientType", "stdio", "fullCommand", fullCommand));
  }

  CompletableFuture<HttpResponse<String>> connectTo(String name, String url) {
    return post(
        "/mcp",
        JsonObject.of("sessionId", "s", "name", name, "clientType", "streamable-http", "url", url));
  }

  CompletableFuture<HttpResponse<String>> call(String name, String tool, Map<String, ?> arguments) {
    return post(
        "/mcp/call",
        JsonObject.of("sessionId", "s", "name", name, "tool", tool, "arguments", arguments));
  }

  @Override
  public void close() throws IOException {
    program.close();
    http.close();
  }
}
