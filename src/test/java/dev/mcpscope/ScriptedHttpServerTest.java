package dev.mcpscope;

import static dev.mcpscope.HttpFault.on;
import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.as;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.STRING;

import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.Act.Quirk;
import dev.mcpscope.HttpFault.End;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.ConnectException;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ScriptedHttpServerTest {
  private static final String JSON = "application/json";
  private static final String BOTH = "application/json, text/event-stream";
  private static final String ECHO = "echo {\"text\":\"hi\"}";
  private static final String INITIALIZED =
      "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";

  /// For what ends in a moment, on a busy machine too; what does not end stays for ever.
  private static final Duration PATIENCE = Duration.ofSeconds(5);

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
      assertThat(server.violations()).noneMatch(v -> v.startsWith("not understood"));
    }
    nothingLeft.close();
  }

  // A good server.

  @Test
  void aToolIsCalledInASession() throws Exception {
    start();

    assertThat(initialize()).contains("\"protocolVersion\":\"2025-11-25\"", "listChanged");
    assertThat(server.sessions()).containsExactly(session);
    assertThat(send(post(INITIALIZED)))
        .returns(202, HttpResponse::statusCode)
        .returns("", HttpResponse::body);
    assertThat(send(call(ECHO)).body()).contains("\"text\":\"hi\"", "\"id\":2");
    assertThat(send(delete()).statusCode()).isEqualTo(200);

    assertThat(server.sessions()).isEmpty();
    assertThat(server.violations()).isEmpty();
    assertThat(server.requests())
        .extracting(r -> r.rpcMethod() + " " + r.method())
        .containsExactly(
            "initialize POST", "notifications/initialized POST", "tools/call POST", " DELETE");
    assertThat(server.openExchanges()).isZero();
    assertThat(server.connections()).isEqualTo(1);
  }

  @Test
  void anEventIsPushedToTheStreamThatIsOpen() throws Exception {
    start(new HttpFault.Retry(10));
    initialize();
    server.push("{\"n\":1}");
    try (var stream = stream(get(""))) {
      assertThat(lines(stream, 5))
          .containsExactly("retry: 10", "", "event: message", "id: session/1", "data: {\"n\":1}");
      assertThat(server.openStreams()).isEqualTo(1);
      server.push("{\"n\":2}");
      assertThat(lines(stream, 4)).contains("id: session/2", "data: {\"n\":2}");
    }

    server.awaitNoStreams(PATIENCE);
    server.awaitNoConnections(PATIENCE);
    assertThat(server.violations()).isEmpty();
  }

  @Test
  void aStreamGoesOnAfterTheLastEventId() throws Exception {
    start(on("GET", new Act.Stops(1, 0, true, End.CLOSE)).once());
    initialize();
    server.push("{\"n\":1}");
    server.push("{\"n\":2}");
    try (var stream = stream(get(""))) {
      assertThatThrownBy(() -> stream.lines().toList()).hasRootCauseInstanceOf(IOException.class);
    }
    try (var stream = stream(get("session/1"))) {
      assertThat(lines(stream, 3)).contains("data: {\"n\":2}");
      server.endStreams(End.CLEAN);
      assertThat(stream.lines()).containsOnly("");
    }
    assertThat(server.violations()).isEmpty();
  }

  @Test
  void aToolThatReportsAnswersByAStream() throws Exception {
    start();
    initialize();
    String params =
        "{\"name\":\"progress\",\"arguments\":{\"count\":2},\"_meta\":{\"progressToken\":7}}";

    assertThat(send(post(request("tools/call", params))).body().lines().filter(l -> !l.isEmpty()))
        .hasSize(6)
        .element(1, as(STRING))
        .contains("\"progressToken\":7", "\"progress\":1");
    assertThat(send(call("say {\"messages\":[{\"any\":1}]}")).body())
        .contains("data: {\"any\":1}\n", "\"said\"");
    assertThat(server.openStreams()).isZero();
  }

  @Test
  void whatTheToolAsksIsAnsweredByTheClient() throws Exception {
    start();
    initialize();
    String ask = "ask {\"message\":{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"ping\"}";
    var here = async(call(ask + "}"));
    server.awaitStreams(1);
    assertThat(send(post("{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"result\":{}}")).statusCode())
        .isEqualTo(202);
    assertThat(here.join().body()).contains("\"ping\"", "\\\"q\\\"");

    try (var stream = stream(get(""))) {
      var there = async(call(ask + ",\"on\":\"stream\"}"));
      assertThat(lines(stream, 3)).last(as(STRING)).contains("\"ping\"");
      assertThat(server.openExchanges()).isEqualTo(2);
      send(post("{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"result\":{}}"));
      assertThat(there.join().body()).startsWith("{").contains("\\\"q\\\"");
    }
    assertThat(server.violations()).isEmpty();
    send(post("{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"result\":{}}"));
    assertThat(server.violations()).singleElement(as(STRING)).contains("nothing was asked");
  }

  @Test
  void aClientThatGoesIsSeenAtOnce() throws Exception {
    start();
    initialize();
    var call = async(call("never"));
    server.awaitRequest("tools/call", 1);
    assertThat(server.openExchanges()).isEqualTo(1);

    call.cancel(true);

    server.awaitNoExchanges(PATIENCE);
  }

  @Test
  void whatIsUnknownIsAnError() throws Exception {
    start();
    initialize();
    assertThat(send(call("nothing")).body()).contains("-32602");
    assertThat(send(post(request("nothing", "{}"))).body()).contains("-32601");
    assertThat(server.violations()).isEmpty();
  }

  static Stream<Arguments> offences() {
    return Stream.of(
        Arguments.of("no session id", 400, List.of("MCP-Protocol-Version", "2025-11-25"), BOTH),
        Arguments.of("wrong MCP-Protocol-Version", 400, List.of("Mcp-Session-Id", "S"), BOTH),
        Arguments.of("wrong Accept", 406, List.of("Mcp-Session-Id", "S"), JSON));
  }

  @ParameterizedTest
  @MethodSource("offences")
  void anOffenceIsRefusedAndRecorded(String name, int status, List<String> headers, String accept)
      throws Exception {
    start(new HttpFault.SessionId("S"));
    initialize();
    var request =
        HttpRequest.newBuilder(URI.create(server.url()))
            .header("Content-Type", JSON)
            .header("Accept", accept)
            .headers(headers.toArray(String[]::new))
            .POST(BodyPublishers.ofString(request("ping", "{}")));

    assertThat(http.send(request.build(), BodyHandlers.ofString()).statusCode()).isEqualTo(status);
    assertThat(server.violations()).singleElement(as(STRING)).startsWith(name);
  }

  @Test
  void aSessionThatWasDeletedOrForgottenIsNotFound() throws Exception {
    start(on("ping", Quirk.FORGETS_SESSIONS));
    initialize();
    String first = session;
    send(delete());
    session = first;
    assertThat(send(call("echo")).statusCode()).isEqualTo(404);
    assertThat(server.violations()).singleElement(as(STRING)).contains("was deleted");

    session = "";
    initialize();
    assertThat(send(post(request("ping", "{}"))).statusCode()).isEqualTo(404);
    assertThat(server.violations()).hasSize(1);
    assertThat(server.sessions()).isEmpty();
  }

  @Test
  void whoHasDeletedHisSessionAndLeavesIsNotWrong() throws Exception {
    start();
    initialize();
    String first = session;
    send(delete());
    session = first;
    var overtaken = async(call("echo"));
    server.awaitRequest("tools/call", 1);
    overtaken.cancel(true);
    server.awaitNoExchanges(PATIENCE);
    assertThat(server.violations()).isEmpty();
  }

  @Test
  void aSecondRequestOfOneIdIsRecorded() throws Exception {
    start();
    initialize();
    ids--;
    send(call(ECHO));
    assertThat(server.violations()).singleElement(as(STRING)).contains("a second request");
  }

  @Test
  void itGoesAwayAndComesBackOnTheSamePort() throws Exception {
    start();
    initialize();
    var call = async(call("never"));
    server.awaitRequest("tools/call", 1);

    server.stop();

    assertThatThrownBy(call::join).hasRootCauseInstanceOf(IOException.class);
    assertThatThrownBy(() -> send(call(ECHO))).isInstanceOf(ConnectException.class);
    server.startAgain();
    assertThat(send(call("echo")).statusCode()).isEqualTo(404);
    session = "";
    initialize();
    assertThat(send(call(ECHO)).body()).contains("hi");
  }

  @Test
  void whatDoesNotComeIsAFailureThatTellsWhatCame() throws Exception {
    start();
    initialize();
    assertThatThrownBy(() -> server.awaitRequest(r -> r.is("DELETE"), Duration.ofMillis(1)))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("initialize POST /mcp");
  }

  // Faults in the place of an answer.

  @Test
  void faultsOfOnePlaceActOneAfterTheOther() throws Exception {
    start(
        on("tools/call", new Act.Status(502, "text/html", "<html>bad gateway</html>"))
            .after(1)
            .once(),
        on("tools/call", new Act.Status(429, Map.of("Retry-After", "1"), "")).once(),
        on("tools/call", new Act.Status(204)).once());
    initialize();

    var answers = Stream.generate(() -> async(call(ECHO)).join());

    assertThat(answers.limit(5).map(HttpResponse::statusCode))
        .containsExactly(429, 502, 204, 200, 200);
  }

  @ParameterizedTest
  @EnumSource(names = {"CLOSE", "RESET", "HALF_CLOSE"})
  void aConnectionEndsBeforeAnyAnswer(End end) throws Exception {
    start(on("tools/call", new Act.NoAnswer(end)));
    initialize();
    assertThatThrownBy(() -> send(call(ECHO))).isInstanceOf(IOException.class);
    assertThat(server.requests("tools/call")).isNotEmpty();
    assertThat(server.violations()).isEmpty();
  }

  @Test
  void aRequestMayStayWithoutAnswer() throws Exception {
    start(on("DELETE", new Act.NoAnswer(End.OPEN)));
    initialize();
    var delete = async(delete());
    server.awaitRequest("DELETE", 1);
    assertThat(server.sessions()).hasSize(1);
    delete.cancel(true);
    server.awaitNoExchanges(PATIENCE);
  }

  @Test
  void anAnswerNeedNotBeHttp() throws Exception {
    start(on("initialize", new Act.Raw("SSH-2.0-x\r\n", End.CLOSE)));
    assertThatThrownBy(this::initialize).isInstanceOf(IOException.class);
  }

  @ParameterizedTest
  @MethodSource("endless")
  void anAnswerWithoutEndGoesOnUntilTheClientGoes(Act act) throws Exception {
    start(on("tools/call", act));
    initialize();
    try (var body = stream(call(ECHO))) {
      char[] start = new char[10];
      assertThat(body.read(start, 0, 8)).isPositive();
      assertThat(start).startsWith('d', 'a', 't', 'a');
      assertThat(server.openStreams()).isEqualTo(1);
    }
    server.awaitNoStreams(PATIENCE);
  }

  static Stream<Act> endless() {
    return Stream.of(
        new Act.Endless("text/event-stream", "data: ", "x"),
        new Act.Endless("text/event-stream", "", "data: x\n"),
        new Act.Drip("text/event-stream", "data: ", 5));
  }

  // Answers told wrongly.

  @Test
  void aBodyIsCutShortOrOfAnotherLength() throws Exception {
    start(
        on("tools/call", new Act.CutShort(10, End.CLOSE)).once(),
        on("tools/call", new Act.LengthOff(5)).once(),
        on("tools/call", new Act.LengthOff(-5)).once());
    initialize();
    assertThatThrownBy(() -> send(call(ECHO))).isInstanceOf(IOException.class);
    assertThatThrownBy(() -> send(call(ECHO))).isInstanceOf(IOException.class);
    assertThat(send(call(ECHO)).body()).startsWith("{").doesNotEndWith("}");
  }

  @Test
  void aBodyIsOfAnotherFormOrType() throws Exception {
    start(
        on("tools/call", Quirk.NO_LENGTH).once(),
        on("tools/call", Quirk.GZIP).once(),
        on("tools/call", new Act.ContentType("text/plain")).once(),
        on("tools/call", Quirk.CLOSES_AFTER).once());
    initialize();

    var unbounded = send(call(ECHO));
    assertThat(unbounded.body()).contains("hi");
    assertThat(unbounded.headers().firstValue("Content-Length")).isEmpty();
    var zipped = http.send(call(ECHO), BodyHandlers.ofInputStream());
    assertThat(new String(new GZIPInputStream(zipped.body()).readAllBytes(), UTF_8)).contains("hi");
    assertThat(send(call(ECHO)).headers().firstValue("Content-Type")).contains("text/plain");
    assertThat(send(call(ECHO)).body()).contains("hi");
    server.awaitNoConnections(PATIENCE);
  }

  @Test
  void anAnswerIsOfTheSizeOrTheIdThatWasTold() throws Exception {
    start(
        on("tools/call", new Act.Padded(10_000)).once(),
        on("tools/call", new Act.WrongId("\"%s\"")).once());
    initialize();
    assertThat(send(call(ECHO)).body()).hasSize(10_000).contains("\"id\":2,");
    assertThat(send(call(ECHO)).body()).contains("\"id\":\"3\"}");
  }

  @Test
  void anAnswerComesByTheStreamThatWasTold() throws Exception {
    String told = "\ufeff: a comment\r\nid: 9\rdata: not JSON\n\n%m\r\n\r\n";
    start(
        on("tools/call", new Act.Sse(told, 1, End.CLEAN)).once(),
        on("tools/call", new Act.Sse("data: %s\n\n")).once(),
        on("tools/call", new Act.Sse(": no answer\n\n")).once(),
        on("tools/call", new Act.Sse("data: {\"js", 0, End.RESET)).once(),
        on("tools/call", Quirk.AS_STREAM).once());
    initialize();

    assertThat(send(call(ECHO)).body())
        .startsWith("\ufeff: a comment\r\nid: 9\rdata: not JSON\n\ndata: {\ndata: \"jsonrpc\"")
        .endsWith("\"id\":2}\r\n\r\n");
    assertThat(send(call(ECHO)).body()).startsWith("data: {").endsWith("\"id\":3}\n\n");
    assertThat(send(call(ECHO)).body()).isEqualTo(": no answer\n\n");
    assertThatThrownBy(() -> send(call(ECHO))).isInstanceOf(IOException.class);
    assertThat(send(call(ECHO)).body()).startsWith("event: message\ndata: {").endsWith("}\n\n");
  }

  @Test
  void anAnswerIsPolledByGet() throws Exception {
    start(on("tools/call", new Act.Polls(2, 20)));
    initialize();

    String first = send(call(ECHO)).body();
    String second = send(get(id(first))).body();
    String third = send(get(id(second))).body();

    assertThat(first).matches("id: answer-\\d+/0.2\nretry: 20\ndata: \n\n");
    assertThat(second).matches("id: answer-\\d+/0.1\nretry: 20\ndata: \n\n");
    assertThat(third).startsWith("event: message\nid: ").contains("\"hi\"", "\"id\":2");
    assertThat(server.violations()).isEmpty();
    send(get(id(first)));
    assertThat(server.violations()).singleElement(as(STRING)).startsWith("not the last event");
  }

  @Test
  void theRestOfAnAnswerIsHadByGet() throws Exception {
    start(on("tools/call", new Act.Stops(1, 0, true, End.CLOSE)));
    initialize();
    String id;
    try (var stream = stream(call("say {\"messages\":[{\"n\":1}]}"))) {
      List<String> event = lines(stream, 4);
      assertThat(event).contains("data: {\"n\":1}");
      id = event.get(1).replace("id: ", "");
      assertThatThrownBy(stream::readLine).isInstanceOf(IOException.class);
    }
    assertThat(send(get(id)).body()).contains("\"said\"").doesNotContain("\"n\"");
    assertThat(server.violations()).isEmpty();
  }

  @Test
  void aMessageComesBeforeTheAnswer() throws Exception {
    start(on("tools/call", new Act.Says(List.of("{\"n\":1}"))));
    initialize();
    assertThat(send(call(ECHO)).body()).contains("data: {\"n\":1}\n", "\"hi\"");
  }

  // Answers, and something else.

  @Test
  void anAnswerWaitsForItsGateBeforeOrAfterTheHeaders() throws Exception {
    start(
        on("tools/call", new Act.Held("head", false)).once(),
        on("tools/call", new Act.Held("body", true)).after(1).once());
    initialize();
    var whole = async(call(ECHO));
    server.awaitRequest("tools/call", 1);
    assertThat(whole).isNotDone();
    server.release("head");
    assertThat(whole.join().body()).contains("hi");

    var head = http.send(call(ECHO), BodyHandlers.ofInputStream());
    assertThat(head.statusCode()).isEqualTo(200);
    assertThat(server.openExchanges()).isEqualTo(1);
    server.release("body");
    assertThat(new String(head.body().readAllBytes(), UTF_8)).contains("hi");
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aConnectionThatWasKeptLosesTheNextRequest(boolean read) throws Exception {
    start(
        on("initialize", new Act.Stale(read)), on("notifications/initialized", Quirk.CLOSES_AFTER));
    initialize();
    assertThatThrownBy(() -> send(call(ECHO))).isInstanceOf(IOException.class);
    assertThat(server.requests("tools/call")).hasSize(read ? 1 : 0);
    assertThat(send(call(ECHO)).body()).contains("hi");
    assertThat(send(post(INITIALIZED)).statusCode()).isEqualTo(202);
    server.awaitNoConnections(PATIENCE);
  }

  @Test
  void aStreamEndsAfterItsTime() throws Exception {
    start(
        on("GET", new Act.Stops(9, 5, false, End.CLEAN)).once(),
        on("GET", new Act.Status(405)).once(),
        on("GET", new Act.Says(List.of("{\"asks\":1}"))));
    initialize();
    server.push("{\"n\":1}");
    assertThat(send(get("")).body()).isEqualTo("event: message\ndata: {\"n\":1}\n\n");
    assertThat(send(get("")).statusCode()).isEqualTo(405);
    try (var stream = stream(get(""))) {
      assertThat(lines(stream, 3)).last(as(STRING)).isEqualTo("data: {\"asks\":1}");
    }
  }

  @Test
  void itsSessionsVersionAndCapabilitiesAreThoseThatWereTold() throws Exception {
    start(
        new HttpFault.SessionId(""),
        new HttpFault.Speaks("1999-01-01"),
        new HttpFault.Declares("{\"x\":{}}"));
    assertThat(initialize()).contains("1999-01-01", "\"capabilities\":{\"x\":{}}");
    assertThat(session).isEmpty();
    assertThat(send(call(ECHO)).body()).contains("hi");
    server.close();

    server = ScriptedHttpServer.with(new HttpFault.SessionId("caf\u00e9"));
    try (var socket = new Socket("127.0.0.1", URI.create(server.url()).getPort())) {
      String body = request("initialize", "{\"protocolVersion\":\"2025-06-18\"}");
      String head =
          "POST /mcp HTTP/1.1\r\nContent-Type: %s\r\nAccept: %s\r\nContent-Length: %d\r\n\r\n";
      socket.getOutputStream().write((head.formatted(JSON, BOTH, body.length()) + body).getBytes());
      var answer = new BufferedReader(new InputStreamReader(socket.getInputStream(), ISO_8859_1));
      assertThat(answer.readLine()).startsWith("HTTP/1.1 200 ");
      assertThat(answer.readLine()).isEqualTo("Mcp-Session-Id: caf\u00e9");
    }
  }

  // HTTP+SSE.

  @Test
  void theOlderTransportAnswersOnTheStream() throws Exception {
    start(
        new HttpFault.Legacy(404, List.of("/messages?sessionId={session}", "{origin}/other")),
        on("tools/call", new Act.Sse("data: %s\n\n")));
    assertThat(send(post(request("initialize", "{}"))).statusCode()).isEqualTo(404);

    try (var stream = stream(get(""))) {
      var endpoints = lines(stream, 6);
      assertThat(endpoints)
          .startsWith("event: endpoint")
          .contains("data: " + server.url().replace("mcp", "other"));
      URI endpoint = URI.create(server.url()).resolve(endpoints.get(1).substring(6));
      initialize(endpoint);
      assertThat(lines(stream, 3)).element(1, as(STRING)).contains("2024-11-05");
      assertThat(send(to(BOTH, endpoint).POST(BodyPublishers.ofString("{}")).build()).statusCode())
          .isEqualTo(202);
      String call = request("tools/call", "{\"name\":\"echo\",\"arguments\":{\"text\":\"hi\"}}");
      send(to(BOTH, endpoint).POST(BodyPublishers.ofString(call)).build());
      assertThat(lines(stream, 1)).last(as(STRING)).startsWith("data: ").contains("hi");
      assertThat(server.sessions()).hasSize(1);
    }
    server.awaitSessions(0, PATIENCE);
    assertThat(server.violations()).isEmpty();
  }

  private void start(HttpFault... faults) {
    server = ScriptedHttpServer.with(faults);
  }

  private String initialize() throws Exception {
    return initialize(URI.create(server.url()));
  }

  private String initialize(URI url) throws Exception {
    String body = request("initialize", "{\"protocolVersion\":\"2025-11-25\"}");
    var answer = send(to(BOTH, url).POST(BodyPublishers.ofString(body)).build());
    session = answer.headers().firstValue("Mcp-Session-Id").orElse("");
    return answer.body();
  }

  private String request(String method, String params) {
    return "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\",\"params\":%s}"
        .formatted(++ids, method, params);
  }

  /// A call of this tool, with these arguments after its name.
  private HttpRequest call(String tool) {
    String name = tool.replaceFirst(" .*", "");
    String arguments = tool.substring(name.length());
    return post(
        request(
            "tools/call",
            "{\"name\":\"%s\",\"arguments\":%s}"
                .formatted(name, arguments.isEmpty() ? "{}" : arguments)));
  }

  private HttpRequest post(String body) {
    return to(BOTH, URI.create(server.url())).POST(BodyPublishers.ofString(body)).build();
  }

  private HttpRequest get(String lastEventId) {
    var request = to("text/event-stream", URI.create(server.url()));
    return lastEventId.isEmpty()
        ? request.build()
        : request.header("Last-Event-ID", lastEventId).build();
  }

  private HttpRequest delete() {
    return to(BOTH, URI.create(server.url())).DELETE().build();
  }

  private HttpRequest.Builder to(String accept, URI url) {
    var request = HttpRequest.newBuilder(url).header("Content-Type", JSON).header("Accept", accept);
    return session.isEmpty()
        ? request
        : request.header("Mcp-Session-Id", session).header("MCP-Protocol-Version", "2025-11-25");
  }

  private HttpResponse<String> send(HttpRequest request) throws Exception {
    return http.send(request, BodyHandlers.ofString());
  }

  private CompletableFuture<HttpResponse<String>> async(HttpRequest request) {
    return http.sendAsync(request, BodyHandlers.ofString());
  }

  private BufferedReader stream(HttpRequest request) throws Exception {
    InputStream body = http.send(request, BodyHandlers.ofInputStream()).body();
    return new BufferedReader(new InputStreamReader(body, UTF_8));
  }

  private static List<String> lines(BufferedReader stream, int count) throws IOException {
    var lines = new ArrayList<String>();
    for (int i = 0; i < count; i++) {
      lines.add(stream.readLine());
    }
    return lines;
  }

  private static String id(String event) {
    return event.replaceFirst("(?s).*id: (\\S+).*", "$1");
  }
}
