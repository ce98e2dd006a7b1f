package dev.mcpscope.demo;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.demo.DemoHttpServer.Options;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DemoHttpServerTest extends RunningDemoHttpServer {
  private static final JsonObject PING = message(1, "ping", JsonObject.EMPTY);

  @Test
  void initializeBeginsASessionWithAnIdThatNobodyGuesses() throws Exception {
    Client one = client();
    Client two = client();
    assertThat(one.session).matches("[\\w-]{32}").isNotEqualTo(two.session);
    assertThat(server.sessions()).containsExactly(one.session, two.session);
    assertThat(one.request(1, "ping", JsonObject.EMPTY).object("result"))
        .isEqualTo(JsonObject.EMPTY);
  }

  @Test
  void initializeThatFailsBeginsNoSession() throws Exception {
    JsonObject wrong = JsonObject.of("capabilities", JsonObject.of("elicitation", true));
    HttpResponse<String> answer = send(post(request(), message(1, "initialize", wrong)));
    assertThat(answer.statusCode()).isEqualTo(200);
    assertThat(json(answer.body()).object("error").integer("code")).isEqualTo(-32602);
    assertThat(answer.headers().firstValue("MCP-Session-Id")).isEmpty();
    assertThat(server.await(() -> server.sessions().isEmpty(), SECOND.multipliedBy(5))).isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"POST", "GET", "DELETE"})
  void aRequestWithoutASessionIsBadAndOneOfAnUnknownSessionIsNotFound(String method)
      throws Exception {
    client();
    var body = BodyPublishers.ofString(PING.toString());
    assertThat(refused(request().method(method, body), 400)).contains("MCP-Session-Id is missing");
    var unknown = request("MCP-Session-Id", "x").method(method, body);
    assertThat(refused(unknown, 404)).contains("no such session");
  }

  @Test
  void initializeInAnUnknownSessionIsNotFound() throws Exception {
    var unknown = post(request("MCP-Session-Id", "x"), initialize("2025-11-25"));
    assertThat(refused(unknown, 404)).contains("no such session");
  }

  @Test
  void notificationsAndResponsesAreAccepted() throws Exception {
    Client client = client();
    client.tell(notification("notifications/initialized", JsonObject.EMPTY));
    client.tell(JsonObject.of("jsonrpc", "2.0", "id", "nobody", "result", JsonObject.EMPTY));
  }

  @Test
  void sessionsAreServersOfTheirOwn() throws Exception {
    Client one = client();
    Client two = client();
    one.request(1, "logging/setLevel", JsonObject.of("level", "emergency"));
    assertThat(words(one.call(2, "note", "text", "x").rest())).containsExactly("priming", "answer");
    assertThat(words(two.call(2, "echo", "message", "x").rest()))
        .containsExactly("priming", "message", "answer");
    JsonObject notes = JsonObject.of("uri", "demo://notes");
    assertThat(one.request(3, "resources/read", notes).toString()).contains("\"text\":\"x\"");
    assertThat(two.request(3, "resources/read", notes).toString()).contains("\"text\":\"\"");
    try (Events slow = one.call(4, "slow", "stepMs", 60_000);
        Events same = two.call(4, "slow", "stepMs", 60_000)) {
      assertThat(slow.next().word()).isEqualTo("priming");
      assertThat(words(List.of(same.next(), same.next()))).containsExactly("priming", "message");
      assertThat(server.calls()).containsExactly("4", "4");
    }
  }

  @Test
  void anUnknownVersionIsRefusedAndAKnownOneIsNot() throws Exception {
    Client client = client();
    for (String known : List.of("2025-03-26", "2025-06-18", "2025-11-25")) {
      var request = post(client.asking("MCP-Protocol-Version", known), PING);
      assertThat(send(request).statusCode()).isEqualTo(200);
    }
    var unknown = post(client.asking("MCP-Protocol-Version", "2026-01-01"), PING);
    assertThat(refused(unknown, 400)).contains("MCP-Protocol-Version must be one of");
    refused(client.asking("MCP-Protocol-Version", "").GET(), 400);
    refused(client.asking("MCP-Protocol-Version", "x").DELETE(), 400);
    assertThat(server.sessions()).containsExactly(client.session);
  }

  @ParameterizedTest
  @CsvSource({
    "http://localhost, 200",
    "https://localhost:6274, 200",
    "http://127.0.0.1:1, 200",
    "'http://[::1]:80', 200",
    "null, 403",
    "http://example.com, 403",
    "http://localhost.example.com, 403",
    "http://127.0.0.1.example.com, 403",
    "http://localhost@example.com, 403",
    "http://example.com#localhost, 403"
  })
  void onlyPagesOfThisMachineMayAsk(String origin, int status) throws Exception {
    Client client = client();
    assertThat(send(post(client.asking("Origin", origin), PING)).statusCode()).isEqualTo(status);
  }

  @ParameterizedTest
  @ValueSource(strings = {"application/json", "text/event-stream", "*/*", "text/html"})
  void bothTypesMustBeAccepted(String accept) throws Exception {
    Client client = client();
    assertThat(refused(post(client.asking("Accept", accept), PING), 406)).contains("Accept must");
  }

  @Test
  void aStreamMustBeAccepted() throws Exception {
    refused(client().asking("Accept", "application/json").GET(), 406);
  }

  @Test
  void typesMayBeAcceptedInTwoHeaders() throws Exception {
    var request = client().asking("Accept", "Application/JSON;q=0.5");
    assertThat(send(post(request.header("Accept", "Text/Event-Stream"), PING)).statusCode())
        .isEqualTo(200);
  }

  @Test
  void theBodyMustBeJson() throws Exception {
    var request = post(client().asking("Content-Type", "text/plain"), PING);
    assertThat(refused(request, 415)).contains("application/json");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{                                               | the body is ",
        "``                                              | the body is ",
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}] | not a batch",
        "[]                                              | not a batch",
        "5                                               | must be an object",
        "{\"jsonrpc\":\"1.0\",\"method\":\"x\"}          | is not \\\"2.0\\\""
      })
  void whatIsNoMessageIsRefused(String body, String problem) throws Exception {
    assertThat(refused(post(client().asking(), body), 400)).contains(problem);
  }

  @Test
  void aRequestThatIsMalformedIsAnsweredUnderItsId() throws Exception {
    HttpResponse<String> answer =
        send(post(client().asking(), "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":7}"));
    assertThat(answer.statusCode()).isEqualTo(400);
    assertThat(json(answer.body()).integer("id")).isEqualTo(7);
  }

  @Test
  void aBodyBeyondTheLimitIsRefusedAndTheNextRequestIsServed() throws Exception {
    Client client = client();
    String fits = " ".repeat((1 << 20) - PING.toString().length()) + PING;
    assertThat(send(post(client.asking(), fits)).statusCode()).isEqualTo(200);
    assertThat(refused(post(client.asking(), fits + " "), 413)).contains("1048576 bytes");
    assertThat(refused(post(client.asking(), "x".repeat(4 << 20)), 413)).contains("1048576 bytes");
    client.request(1, "ping", JsonObject.EMPTY);
  }

  @Test
  void thereIsOnePathAndThreeMethods() throws Exception {
    Client client = client();
    for (String path : List.of("/", "/mcp/", "/mcpx", "/mcp/x")) {
      refused(post(client.asking().uri(server.uri().resolve(path)), PING), 404);
    }
    HttpResponse<String> put = send(client.asking().PUT(BodyPublishers.noBody()));
    assertThat(put.statusCode()).isEqualTo(405);
    assertThat(put.headers().firstValue("Allow")).contains("GET, POST, DELETE");
    assertThat(send(client.asking().HEAD()).statusCode()).isEqualTo(405);
    client.request(1, "ping", JsonObject.EMPTY);
  }

  @Test
  void thereAreNoMoreThanSixtyFourSessions() throws Exception {
    var clients = new ArrayList<Client>();
    for (int i = 0; i < 64; i++) {
      clients.add(client());
    }
    var initialize = post(request(), initialize("2025-11-25"));
    assertThat(refused(initialize, 503)).contains("64 sessions");
    assertThat(clients.get(7).delete()).isEqualTo(204);
    assertThat(client().session).isNotEmpty();
    assertThat(server.sessions()).hasSize(64);
  }

  @Test
  void deleteEndsTheSessionItsCallsAndItsStreams() throws Exception {
    Client client = client();
    Client other = client();
    try (Events get = client.get();
        Events slow = client.call(1, "slow", "stepMs", 60_000);
        Events untouched = other.get()) {
      assertThat(words(List.of(slow.next(), slow.next()))).containsExactly("priming", "message");
      assertThat(server.streams()).isEqualTo(3);
      assertThat(client.delete()).isEqualTo(204);
      assertThat(server.await(() -> server.streams() == 1, SECOND.multipliedBy(5))).isTrue();
      assertThat(server.sessions()).containsExactly(other.session);
      assertThat(server.calls()).isEmpty();
      assertThat(words(get.rest())).containsExactly("priming");
      assertThat(slow.rest()).isEmpty();
      assertThat(client.delete()).isEqualTo(404);
      refused(post(client.asking(), PING), 404);
      refused(client.asking().GET(), 404);
      assertThat(untouched.next().word()).isEqualTo("priming");
    }
  }

  @Test
  void crashBreaksTheConnectionsOfItsSessionAndOfNoOther() throws Exception {
    Client client = client();
    Client other = client();
    try (Events get = client.get();
        Events slow = client.call(1, "slow", "stepMs", 60_000);
        Events untouched = other.get()) {
      assertThat(get.next().word()).isEqualTo("priming");
      assertThat(words(List.of(slow.next(), slow.next()))).containsExactly("priming", "message");
      Events crash = client.call(2, "crash", "exitCode", 3);
      assertThatThrownBy(() -> assertThat(words(crash.rest())).isNull())
          .isInstanceOf(IOException.class);
      assertThatThrownBy(get::rest).isInstanceOf(IOException.class);
      assertThatThrownBy(slow::rest).isInstanceOf(IOException.class);
      assertThat(err.toString(UTF_8)).contains("crashing with exit code 3");
      refused(post(client.asking(), PING), 404);
      assertThat(server.sessions()).containsExactly(other.session);
      assertThat(server.await(() -> server.streams() == 1, SECOND.multipliedBy(5))).isTrue();
      assertThat(untouched.next().word()).isEqualTo("priming");
      other.request(1, "ping", JsonObject.EMPTY);
    }
  }

  @Test
  void withoutSessionsEachRequestStandsAlone() throws Exception {
    open(new Options(false, false, HOUR));
    HttpResponse<String> answer = send(post(request(), initialize("2025-11-25")));
    assertThat(answer.statusCode()).isEqualTo(200);
    assertThat(answer.headers().firstValue("MCP-Session-Id")).isEmpty();
    JsonObject tools = message(1, "tools/list", JsonObject.of("cursor", "page-2"));
    assertThat(send(post(request(), tools)).body()).contains("\"ask\"").doesNotContain("\"cut\"");
    JsonObject echo = JsonObject.of("name", "echo", "arguments", JsonObject.of("message", "hello"));
    List<Event> events = events(post(request(), message(2, "tools/call", echo))).rest();
    assertThat(words(events)).containsExactly("message", "answer");
    assertThat(events).allMatch(event -> event.id().isEmpty());
    assertThat(refusedMethod(request().GET())).isEqualTo("POST");
    assertThat(refusedMethod(request().DELETE())).isEqualTo("POST");
    assertThat(server.sessions()).isEmpty();
  }

  @Test
  void aServerWithoutAStreamByGetResumesNothing() throws Exception {
    open(new Options(true, false, HOUR));
    Client client = client();
    assertThat(refusedMethod(client.asking().GET())).isEqualTo("POST, DELETE");
    List<Event> events = client.call(1, "echo", "message", "hello").rest();
    assertThat(words(events)).containsExactly("message", "answer");
    assertThat(events).allMatch(event -> event.id().isEmpty());
    assertThat(words(client.call(2, "cut").rest())).containsExactly("error");
    assertThat(client.delete()).isEqualTo(204);
  }

  @Test
  void aStreamByGetNeedsSessions() {
    assertThatThrownBy(() -> new Options(false, true, HOUR))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Options(true, true, Duration.ZERO))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(Options.defaults()).isEqualTo(new Options(true, true, Duration.ofSeconds(15)));
  }

  @Test
  void itsPortIsFreeAfterwards() throws Exception {
    assertThat(server.uri()).isEqualTo(URI.create("http://127.0.0.1:" + server.port() + "/mcp"));
    int port = server.port();
    server.close();
    try (var again = DemoHttpServer.open(port, new PrintStream(err))) {
      assertThat(again.port()).isEqualTo(port);
    }
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void itListensOnOneAddress() throws Exception {
    var other = InetAddress.getByName("127.0.0.2");
    try (var elsewhere = new ServerSocket(server.port(), 1, other)) {
      assertThat(elsewhere.isBound()).isTrue(); // which is refused if all addresses are taken
    }
  }

  @Test
  void awaitSeesAChangeAndIsEndedByTimeAndInterrupt() throws Exception {
    assertThat(server.await(() -> true, Duration.ZERO)).isTrue();
    assertThat(server.await(() -> false, Duration.ofMillis(20))).isFalse();
    var seen =
        new FutureTask<>(
            () -> server.await(() -> server.sessions().size() == 1, SECOND.multipliedBy(20)));
    Thread waiting = Thread.ofPlatform().start(seen);
    client();
    assertThat(seen.get()).isTrue();
    waiting.join();
    Thread.currentThread().interrupt();
    assertThatThrownBy(() -> server.await(() -> false, SECOND))
        .isInstanceOf(InterruptedException.class);
  }

  /// Sends what is to be refused, and returns the error's message.
  private String refused(HttpRequest.Builder request, int status) throws Exception {
    HttpResponse<String> answer = send(request);
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(status);
    assertThat(answer.headers().firstValue("Content-Type")).contains("application/json");
    JsonObject error = json(answer.body());
    assertThat(error.get("id")).isEqualTo(JsonNull.INSTANCE);
    return error.object("error").get("message").toString();
  }

  /// Sends what is to be refused for its method, and returns those that are not.
  private String refusedMethod(HttpRequest.Builder request) throws Exception {
    HttpResponse<String> answer = send(request);
    assertThat(answer.statusCode()).isEqualTo(405);
    return answer.headers().firstValue("Allow").orElseThrow();
  }
}
