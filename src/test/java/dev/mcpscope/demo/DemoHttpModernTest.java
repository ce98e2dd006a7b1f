package dev.mcpscope.demo;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.demo.DemoHttpServer.Options;
import dev.mcpscope.demo.DemoServer.Eras;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import java.io.IOException;
import java.net.Socket;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DemoHttpModernTest extends RunningDemoHttpServer {
  private static final Duration BEAT = Duration.ofMillis(20);
  private static final JsonObject DISCOVER = Modern.request(1, "server/discover");
  private static final JsonObject NOTE = Modern.call(1, "note", "text", "x", "topic", "t");
  private static final JsonObject SLOW = Modern.call(1, "slow", "stepMs", 60_000);

  @ParameterizedTest
  @ValueSource(strings = {"none", "x"})
  void aRequestIsAnsweredWithoutASessionWhateverItNames(String session) throws Exception {
    JsonObject answer = answer(DISCOVER, "MCP-Session-Id", session.equals("none") ? null : session);
    assertThat(answer.integer("id")).isEqualTo(1);
    assertThat(answer.object("result").optionalStrings("supportedVersions"))
        .containsExactly("2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05");
    assertThat(server.sessions()).isEmpty();
  }

  @Test
  void bothErasAreServedAtOnce() throws Exception {
    Client legacy = client();
    try (Events get = legacy.get();
        Events _ = stream(SLOW)) {
      assertThat(get.next().word()).isEqualTo("priming");
      assertThat(server.calls()).containsExactly("1");
      assertThat(legacy.request(2, "ping", JsonObject.EMPTY).has("result")).isTrue();
      assertThat(answer(DISCOVER, "MCP-Session-Id", legacy.session).has("result")).isTrue();
      assertThat(server.sessions()).containsExactly(legacy.session);
      assertThat(server.streams()).isEqualTo(2);
    }
  }

  // Headers that repeat what the body says.

  @ParameterizedTest
  @CsvSource(
      nullValues = "null",
      value = {
        "MCP-Protocol-Version, null",
        "MCP-Protocol-Version, ''",
        "MCP-Protocol-Version, 2025-11-25",
        "Mcp-Method, null",
        "Mcp-Method, ''",
        "Mcp-Method, tools/list",
        "Mcp-Method, Tools/Call",
        "Mcp-Method, =?base64?dG9vbHMvY2FsbA==?=",
        "Mcp-Name, null",
        "Mcp-Name, ''",
        "Mcp-Name, echo",
        "Mcp-Name, Note",
        "Mcp-Name, =?base64?bm90?=",
        "Mcp-Name, =?base64?bm90ZQ=?=",
        "Mcp-Name, =?base64?bm90ZQ?=",
        "Mcp-Name, =?BASE64?bm90ZQ==?=",
        "Mcp-Name, =?base64?",
        "Mcp-Name, =?base64?=",
        "Mcp-Param-Topic, null",
        "Mcp-Param-Topic, ''",
        "Mcp-Param-Topic, T",
        "Mcp-Param-Topic, =?base64?/w==?=", // no UTF-8
      })
  void aHeaderThatDoesNotSayWhatTheBodySaysIsRefused(String header, String value) throws Exception {
    JsonObject error = refused(modern(NOTE, header, value), 400);
    assertThat(error.integer("code")).isEqualTo(-32020);
    assertThat(error.string("message")).contains("Header mismatch").contains(header);
    assertThat(notes()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "Mcp-Param-Topic"})
  void aHeaderThatIsThereTwiceIsRefused(String header) throws Exception {
    HttpRequest.Builder request = modern(NOTE);
    String value = request.build().headers().firstValue(header).orElseThrow();
    assertThat(refused(request.header(header, value), 400).integer("code")).isEqualTo(-32020);
  }

  @Test
  void encodedHeadersAreDecodedBeforeTheyAreCompared() throws Exception {
    Map<String, String> encoded =
        Map.of("Mcp-Name", encoded("note"), "Mcp-Param-Topic", encoded("t"));
    for (var header : encoded.entrySet()) {
      assertThat(words(stream(NOTE, header.getKey(), header.getValue()).rest()))
          .containsExactly("answer");
    }
    for (String topic : List.of("Hello, \u4e16\u754c", " padded ", "a\nb", "=?base64?x?=", "a b")) {
      JsonObject note = Modern.call(1, "note", "text", "x", "topic", topic);
      assertThat(words(stream(note, "Mcp-Param-Topic", encoded(topic)).rest()))
          .containsExactly("answer");
    }
    JsonObject note = Modern.call(1, "note", "text", "x", "topic", "=?base64?eA==?=");
    assertThat(refused(modern(note), 400).integer("code")).isEqualTo(-32020);
  }

  @Test
  void aHeaderThatHasToBeEncodedIsRefusedAsItIs() throws Exception {
    JsonObject note = Modern.call(1, "note", "text", "x", "topic", "\u00e9");
    byte[] body = note.toString().getBytes(UTF_8);
    String head =
        "POST /mcp HTTP/1.1\r\nContent-Type: application/json\r\nAccept: %s\r\n"
            + "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: note\r\n"
            + "Mcp-Param-Topic: \u00e9\r\nContent-Length: %s\r\nConnection: close\r\n\r\n";
    try (var socket = new Socket("127.0.0.1", server.port())) {
      socket.getOutputStream().write(head.formatted(BOTH, body.length).getBytes(ISO_8859_1));
      socket.getOutputStream().write(body);
      assertThat(new String(socket.getInputStream().readAllBytes(), UTF_8))
          .startsWith("HTTP/1.1 400 ")
          .contains("-32020");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "tools/call, name, nosuch",
    "prompts/get, name, n",
    "resources/read, uri, demo://\u00e9"
  })
  void whatIsNamedIsRepeated(String method, String param, String value) throws Exception {
    JsonObject request = Modern.request(1, method, param, value);
    assertThat(refused(modern(request, "Mcp-Name", "another"), 400).integer("code"))
        .isEqualTo(-32020);
    assertThat(answer(request, "Mcp-Name", encoded(value)).object("error").integer("code"))
        .isEqualTo(-32602);
  }

  @Test
  void aParamThatIsNotThereHasNoHeader() throws Exception {
    JsonObject without = Modern.call(1, "note", "text", "x");
    JsonObject arguments = JsonObject.of("text", "x", "topic", JsonNull.INSTANCE);
    JsonObject empty = Modern.request(1, "tools/call", "name", "note", "arguments", arguments);
    assertThat(words(stream(without).rest())).containsExactly("answer");
    assertThat(refused(modern(without, "Mcp-Param-Topic", "t"), 400).integer("code"))
        .isEqualTo(-32020);
    HttpRequest.Builder request = modern(without.with("params", empty.get("params")));
    assertThat(words(events(request).rest())).containsExactly("answer");
    JsonObject echo = Modern.call(1, "echo", "message", "x");
    assertThat(words(stream(echo, "Mcp-Param-Topic", "of no interest").rest()))
        .containsExactly("answer");
  }

  // What is refused, and by which status.

  @Test
  void anotherRevisionIsRefusedBeforeItsHeadersAreRead() throws Exception {
    JsonObject later = Modern.with(DISCOVER, Modern.VERSION, "2027-01-01");
    JsonObject error =
        refused(modern(later, "MCP-Protocol-Version", "2027-01-01", "Mcp-Method", null), 400);
    assertThat(error.integer("code")).isEqualTo(-32022);
    assertThat(error.object("data").string("requested")).isEqualTo("2027-01-01");
    assertThat(error.object("data").optionalStrings("supported")).startsWith("2026-07-28");
  }

  @Test
  void aRequestThatDoesNotTellWhatItMustIsRefused() throws Exception {
    for (String key : List.of(Modern.VERSION, Modern.CAPABILITIES)) {
      JsonObject error = refused(modern(Modern.without(DISCOVER, key)), 400);
      assertThat(error.integer("code")).isEqualTo(-32602);
    }
    JsonObject wrong = Modern.with(DISCOVER, Modern.LOG_LEVEL, "loud");
    assertThat(refused(modern(wrong), 400).integer("code")).isEqualTo(-32602);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"nosuch", "ping", "initialize", "logging/setLevel", "resources/subscribe"})
  void anUnknownMethodIsNotFound(String method) throws Exception {
    JsonObject error = refused(modern(Modern.request(1, method, "level", "info")), 404);
    assertThat(error.integer("code")).isEqualTo(-32601);
  }

  @Test
  void aClientThatCannotBeAskedIsRefused() throws Exception {
    JsonObject ask = Modern.call(1, "ask", "question", "?");
    JsonObject error =
        refused(modern(Modern.with(ask, Modern.CAPABILITIES, JsonObject.EMPTY)), 400);
    assertThat(error.integer("code")).isEqualTo(-32021);
    assertThat(error.object("data").object("requiredCapabilities").has("elicitation")).isTrue();
  }

  @Test
  void whatIsWrongForAMethodAloneIsAnsweredAsUsual() throws Exception {
    for (JsonObject wrong :
        List.of(
            Modern.request(1, "tools/list", "cursor", "x"),
            Modern.call(1, "cut"),
            Modern.request(1, "tools/call"),
            Modern.request(1, "subscriptions/listen"))) {
      assertThat(answer(wrong).object("error").integer("code")).isEqualTo(-32602);
    }
  }

  @Test
  void typesAndOriginAreCheckedAsInTheOtherEra() throws Exception {
    assertThat(send(modern(DISCOVER, "Accept", "application/json")).statusCode()).isEqualTo(406);
    assertThat(send(modern(DISCOVER, "Content-Type", "text/plain")).statusCode()).isEqualTo(415);
    assertThat(send(modern(DISCOVER, "Origin", "http://example.com")).statusCode()).isEqualTo(403);
  }

  @Test
  void notificationsAreAcceptedAndSayNothing() throws Exception {
    try (Events _ = stream(SLOW)) {
      JsonObject params = JsonObject.of("requestId", 1);
      JsonObject cancelled = notification("notifications/cancelled", params);
      JsonObject withMeta = cancelled.with("params", params.with("_meta", Modern.META));
      for (HttpRequest.Builder request :
          List.of(
              post(request("MCP-Protocol-Version", Modern.REVISION), cancelled),
              post(request(), withMeta))) {
        HttpResponse<String> answer = send(request);
        assertThat(answer.statusCode()).isEqualTo(202);
        assertThat(answer.body()).isEmpty();
      }
      assertThat(server.calls()).containsExactly("1"); // another client's, for all that is known
    }
  }

  @Test
  void whatIsNoRequestIsRefused() throws Exception {
    for (String body :
        List.of(
            "{\"jsonrpc\":\"2.0\",\"id\":\"ask-1\",\"result\":{}}",
            "[" + DISCOVER + "]",
            "{",
            "")) {
      HttpRequest.Builder request = post(request("MCP-Protocol-Version", Modern.REVISION), body);
      assertThat(send(request).statusCode()).isEqualTo(400);
    }
    String malformed = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":7}";
    HttpRequest.Builder request = post(request("MCP-Protocol-Version", Modern.REVISION), malformed);
    assertThat(json(send(request).body()).integer("id")).isEqualTo(7);
  }

  @Test
  void thereIsOnlyPostUnlessTheOtherEraIsMeant() throws Exception {
    for (String method : List.of("GET", "DELETE", "PUT")) {
      HttpResponse<String> answer =
          send(
              request("MCP-Protocol-Version", Modern.REVISION, "Last-Event-ID", "post1-0")
                  .method(method, BodyPublishers.noBody()));
      assertThat(answer.statusCode()).isEqualTo(405);
      assertThat(answer.headers().firstValue("Allow")).contains("POST");
    }
    assertThat(send(request().GET()).body()).contains("MCP-Session-Id is missing");
    assertThat(send(request().DELETE()).body()).contains("MCP-Session-Id is missing");
  }

  // Calls and their streams.

  @Test
  void aCallIsAnsweredByAStreamThatCannotBeResumed() throws Exception {
    JsonObject slow = Modern.call(1, "slow", "steps", 2, "stepMs", 1);
    slow = Modern.with(Modern.with(slow, "progressToken", 7), Modern.LOG_LEVEL, "info");
    var answer = http.send(modern(slow).build(), BodyHandlers.ofInputStream());
    assertThat(answer.headers().firstValue("X-Accel-Buffering")).contains("no");
    assertThat(answer.headers().firstValue("MCP-Session-Id")).isEmpty();
    List<Event> events = new Events(answer.body()).rest();
    assertThat(words(events)).containsExactly("message", "progress", "progress", "answer");
    assertThat(events).allMatch(event -> event.id().isEmpty() && event.retry().isEmpty());
    JsonObject result = events.getLast().message().object("result");
    assertThat(result.string("resultType")).isEqualTo("complete");
    assertThat(result.object("_meta").has(Modern.SERVER_INFO)).isTrue();
    assertThat(text(events.getLast())).isEqualTo("done in 2 steps");
  }

  @Test
  void callsOfTwoClientsMayHaveOneId() throws Exception {
    try (Events _ = stream(SLOW);
        Events _ = stream(SLOW)) {
      assertThat(server.calls()).containsExactly("1", "1");
      assertThat(text(stream(Modern.call(1, "echo", "message", "x")).rest().getLast()))
          .isEqualTo("x");
      assertThat(server.calls()).containsExactly("1", "1");
    }
  }

  @Test
  void theUserIsAskedByOneRequestAndTheAnswerIsInAnother() throws Exception {
    JsonObject ask = Modern.call(1, "ask", "question", "Which colour?");
    List<Event> asked = stream(ask).rest();
    assertThat(words(asked)).containsExactly("answer");
    JsonObject result = asked.getLast().message().object("result");
    assertThat(result.string("resultType")).isEqualTo("input_required");
    JsonObject said = JsonObject.of("action", "accept", "content", JsonObject.of("answer", "blue"));
    List<Event> answered = stream(Modern.retry(2, ask, result, "question", said)).rest();
    assertThat(text(answered.getLast())).isEqualTo("You said blue");
    JsonObject forged = result.with("requestState", "x");
    List<Event> refused = stream(Modern.retry(3, ask, forged, "question", said)).rest();
    assertThat(refused.getLast().message().object("error").integer("code")).isEqualTo(-32602);
  }

  @Test
  void notesLastFromRequestToRequestAndAreNoLegacyClients() throws Exception {
    stream(NOTE).rest();
    assertThat(notes()).isEqualTo("t: x");
    JsonObject uri = JsonObject.of("uri", "demo://notes");
    assertThat(client().request(1, "resources/read", uri).toString()).contains("\"text\":\"\"");
  }

  @Test
  void aClientThatClosesTheStreamCancelsTheCall() throws Exception {
    open(new Options(true, true, BEAT));
    Events slow = stream(SLOW);
    assertThat(server.calls()).containsExactly("1");
    slow.close();
    assertThat(server.await(() -> server.calls().isEmpty(), SECOND.multipliedBy(5))).isTrue();
    assertThat(server.await(() -> server.streams() == 0, SECOND.multipliedBy(5))).isTrue();
  }

  @Test
  void aSilentCallShowsThatItLives() throws Exception {
    open(new Options(true, true, BEAT));
    try (Events slow = stream(SLOW)) {
      while (slow.comments.size() < 3) {
        slow.next();
      }
      assertThat(slow.comments).containsOnly("the demo server lives");
    }
  }

  @Test
  void crashBreaksTheConnectionOfItsRequestAndNoOther() throws Exception {
    stream(NOTE).rest();
    try (Events _ = stream(SLOW)) {
      Events crash = stream(Modern.with(Modern.call(2, "crash"), Modern.LOG_LEVEL, "error"));
      assertThat(crash.next().word()).isEqualTo("message");
      assertThatThrownBy(crash::rest).isInstanceOf(IOException.class);
      assertThat(err.toString(UTF_8)).contains("crashing with exit code 1");
      assertThat(server.calls()).containsExactly("1");
      assertThat(notes()).isEqualTo("t: x");
    }
  }

  @Test
  void noMoreThanSixtyFourRequestsAreServedAtOnceAndThoseThatEndMakeRoom() throws Exception {
    open(new Options(true, true, BEAT));
    var streams = new ArrayList<Events>();
    for (int i = 0; i < 64; i++) {
      streams.add(stream(SLOW));
    }
    HttpResponse<String> refused = send(modern(DISCOVER));
    assertThat(refused.statusCode()).isEqualTo(503);
    assertThat(refused.body()).contains("64 requests");
    assertThat(client().request(1, "ping", JsonObject.EMPTY).has("result")).isTrue();
    for (Events stream : streams) {
      stream.close();
    }
    assertThat(server.await(() -> server.calls().isEmpty(), SECOND.multipliedBy(5))).isTrue();
    assertThat(server.await(() -> server.streams() == 0, SECOND.multipliedBy(5))).isTrue();
    answer(DISCOVER);
  }

  @Test
  void closeEndsCallsWithoutAnAnswer() throws Exception {
    Events slow = stream(SLOW);
    server.close();
    assertThat(slow.rest()).isEmpty();
    assertThat(server.calls()).isEmpty();
    assertThat(server.streams()).isZero();
  }

  // One era alone.

  @Test
  void aModernServerRefusesTheOtherEraAndNamesItsRevision() throws Exception {
    open(Options.defaults().withEras(Eras.MODERN));
    JsonObject error = refused(post(request(), initialize("2025-11-25")), 400);
    assertThat(error.integer("code")).isEqualTo(-32020);
    assertThat(error.string("message")).contains("2026-07-28");
    error =
        refused(
            post(
                request("MCP-Protocol-Version", "2025-11-25"),
                message(1, "ping", JsonObject.EMPTY)),
            400);
    assertThat(error.integer("code")).isEqualTo(-32602);
    for (String method : List.of("GET", "DELETE")) {
      HttpResponse<String> answer =
          send(request("MCP-Session-Id", "x").method(method, BodyPublishers.noBody()));
      assertThat(answer.statusCode()).isEqualTo(405);
    }
    JsonObject note = notification("notifications/initialized", JsonObject.EMPTY);
    assertThat(send(post(request(), note)).statusCode()).isEqualTo(202);
    assertThat(answer(DISCOVER).object("result").optionalStrings("supportedVersions"))
        .containsExactly("2026-07-28");
  }

  @Test
  void aLegacyServerDoesNotKnowWhatIsModern() throws Exception {
    open(Options.defaults().withEras(Eras.LEGACY));
    HttpResponse<String> answer = send(modern(DISCOVER));
    assertThat(answer.statusCode()).isEqualTo(400);
    assertThat(json(answer.body()).object("error").integer("code")).isEqualTo(-32600);
    assertThat(answer.body()).contains("2025-11-25").doesNotContain("2026-07-28");
    answer = send(modern(DISCOVER, "MCP-Protocol-Version", null));
    assertThat(answer.body()).contains("MCP-Session-Id is missing");
    assertThat(client().session).isNotEmpty();
  }

  private String notes() throws Exception {
    JsonObject read = Modern.request(99, "resources/read", "uri", "demo://notes");
    return answer(read).object("result").objects("contents").getFirst().string("text");
  }

  private static String encoded(String text) {
    return "=?base64?" + Base64.getEncoder().encodeToString(text.getBytes(UTF_8)) + "?=";
  }

  /// Sends what is to be refused under its id, which is 1, and returns the error.
  private JsonObject refused(HttpRequest.Builder request, int status) throws Exception {
    HttpResponse<String> answer = send(request);
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(status);
    assertThat(answer.headers().firstValue("Content-Type")).contains("application/json");
    assertThat(json(answer.body()).get("id").toString()).isIn("1", "0");
    return json(answer.body()).object("error");
  }
}
