package dev.mcpscope;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ScriptedHttpServerTest {
  private static final String JSON = "application/json";
  private static final String BOTH = "application/json, text/event-stream";
  private static final Duration SECOND = Duration.ofSeconds(1);

  private final NothingLeft nothingLeft = NothingLeft.check();
  private final HttpClient http =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private ScriptedHttpServer server;
  private String session = "";
  private int ids;

  @AfterEach
  void nothingIsLeft() {
    http.shutdownNow();
    http.close();
    if (server != null) {
      server.close();
    }
    nothingLeft.close();
  }

  // A good server.

  @Test
  void aToolIsCalledInASession() throws Exception {
    start();

    assertThat(initialize()).contains("\"protocolVersion\":\"2025-11-25\"", "listChanged");
    assertThat(server.sessions()).containsExactly(session);
    assertThat(post("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"))
        .returns(202, HttpResponse::statusCode)
        .returns("", HttpResponse::body);
    assertThat(echo()).contains("\"text\":\"hi\"", "\"id\":2");
    assertThat(delete().statusCode()).isEqualTo(200);

    assertThat(server.sessions()).isEmpty();
    assertThat(server.violations()).isEmpty();
    assertThat(server.requests())
        .extracting(r -> r.rpcMethod() + " " + r.method())
        .containsExactly(
            "initialize POST", "notifications/initialized POST", "tools/call POST", " DELETE");
    assertThat(server.openExchanges()).isZero();
    assertThat(server.connections()).isEqualTo(1);
  }

  private void start(HttpFault... faults) {
    server = ScriptedHttpServer.with(faults);
  }

  private String initialize() throws Exception {
    var answer =
        post(request("initialize", "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{}}"));
    session = answer.headers().firstValue("Mcp-Session-Id").orElse("");
    return answer.body();
  }

  private String request(String method, String params) {
    return "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\",\"params\":%s}"
        .formatted(++ids, method, params);
  }

  private String echo() throws Exception {
    return call("echo", "{\"text\":\"hi\"}").body();
  }

  private HttpResponse<String> call(String tool, String arguments) throws Exception {
    return post(
        request("tools/call", "{\"name\":\"" + tool + "\",\"arguments\":" + arguments + "}"));
  }

  private HttpRequest.Builder to(String accept) {
    var request =
        HttpRequest.newBuilder(URI.create(server.url()))
            .header("Content-Type", JSON)
            .header("Accept", accept);
    return session.isEmpty()
        ? request
        : request.header("Mcp-Session-Id", session).header("MCP-Protocol-Version", "2025-11-25");
  }

  private HttpResponse<String> post(String body) throws Exception {
    return http.send(to(BOTH).POST(BodyPublishers.ofString(body)).build(), BodyHandlers.ofString());
  }

  private HttpResponse<String> delete() throws Exception {
    return http.send(to(BOTH).DELETE().build(), BodyHandlers.ofString());
  }
}
