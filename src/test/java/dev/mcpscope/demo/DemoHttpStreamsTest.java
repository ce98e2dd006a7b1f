package dev.mcpscope.demo;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.demo.DemoHttpServer.Options;
import dev.mcpscope.json.JsonObject;
import java.io.IOException;
import java.net.Socket;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DemoHttpStreamsTest extends RunningDemoHttpServer {
  private static final JsonObject NOTES = JsonObject.of("uri", "demo://notes");
  private static final Duration BEAT = Duration.ofMillis(20);

  @Test
  void aCallTellsItsProgressAndThenItsAnswerOnItsOwnStream() throws Exception {
    List<Event> events = client().call(1, "slow", "steps", 2, "stepMs", 1).rest();
    assertThat(words(events))
        .containsExactly("priming", "message", "progress", "progress", "answer");
    assertThat(ids(events))
        .containsExactly("post1-0.1", "post1-1", "post1-2", "post1-3", "post1-4");
    assertThat(text(events.getLast())).isEqualTo("done in 2 steps");
    assertThat(server.await(() -> server.streams() == 0, SECOND.multipliedBy(5))).isTrue();
  }

  @Test
  void allThatOneCallCanSayIsKeptForAClientThatReadsLater() throws Exception {
    Client client = client();
    Events late = client.call(1, "slow", "steps", 1_000, "stepMs", 0);
    assertThat(server.await(() -> server.calls().isEmpty(), SECOND.multipliedBy(10))).isTrue();
    assertThat(late.rest()).hasSize(1_003);
    assertThat(words(client.resume("post1-0").rest())).hasSize(1_002).endsWith("answer");
  }

  @ParameterizedTest
  @ValueSource(strings = {"2024-11-05", "2025-03-26", "2025-06-18"})
  void clientsOfOlderRevisionsAreNotPrimedButGetIds(String revision) throws Exception {
    Client client = client(revision);
    List<Event> events = client.call(1, "echo", "message", "hello").rest();
    assertThat(words(events)).containsExactly("message", "answer");
    assertThat(ids(events)).containsExactly("post1-1", "post1-2");
    Events get = client.get();
    assertThat(client.delete()).isEqualTo(204);
    assertThat(get.rest()).isEmpty();
  }

  @Test
  void aCallThatIsRefusedIsAnsweredOnItsStream() throws Exception {
    assertThat(words(client().call(1, "nosuch").rest())).containsExactly("priming", "error");
  }

  @Test
  void aCallThatIsCancelledEndsItsStreamWithoutAnAnswer() throws Exception {
    Client client = client();
    Events slow = client.call(7, "slow", "stepMs", 60_000);
    assertThat(server.calls()).containsExactly("7");
    client.tell(notification("notifications/cancelled", JsonObject.of("requestId", 7)));
    assertThat(words(slow.rest())).containsExactly("priming", "message");
    assertThat(server.calls()).isEmpty();
  }

  @Test
  void aQuestionComesOnTheStreamOfItsCallAndIsAnsweredByPost() throws Exception {
    Client client = client();
    Client other = client();
    Events ask = client.call(1, "ask", "question", "Which colour?");
    assertThat(words(List.of(ask.next(), ask.next()))).containsExactly("priming", "message");
    JsonObject question = ask.next().message();
    assertThat(question.string("method")).isEqualTo("elicitation/create");
    JsonObject said = JsonObject.of("action", "accept", "content", JsonObject.of("answer", "blue"));
    JsonObject answer = JsonObject.of("jsonrpc", "2.0", "id", question.get("id"), "result", said);
    other.tell(answer.with("result", JsonObject.of("action", "decline"))); // of another session
    client.tell(answer);
    List<Event> rest = ask.rest();
    assertThat(words(rest)).containsExactly("answer");
    assertThat(text(rest.getFirst())).isEqualTo("You said blue");
  }

  @Test
  void whatBelongsToNoCallComesOnTheStandaloneStream() throws Exception {
    Client client = client();
    client.request(1, "resources/subscribe", NOTES);
    try (Events get = client.get()) {
      assertThat(get.next().id()).contains("get-0.1");
      assertThat(words(client.call(2, "note", "text", "a").rest()))
          .containsExactly("priming", "message", "answer");
      Event updated = get.next();
      assertThat(updated.word()).isEqualTo("updated");
      assertThat(updated.id()).contains("get-1");
      assertThat(updated.message().object("params")).isEqualTo(NOTES);
    }
  }

  @Test
  void whatComesWhileNoStreamIsOpenWaitsForTheNextOne() throws Exception {
    Client client = client();
    client.request(1, "resources/subscribe", NOTES);
    client.call(2, "note", "text", "a").rest();
    try (Events get = client.get()) {
      assertThat(words(List.of(get.next(), get.next()))).containsExactly("priming", "updated");
    }
  }

  @Test
  void aNewerStreamTakesTheOlderOnesPlace() throws Exception {
    Client client = client();
    client.request(1, "resources/subscribe", NOTES);
    Events older = client.get();
    assertThat(older.next().id()).contains("get-0.1");
    try (Events newer = client.get()) {
      assertThat(older.rest()).isEmpty();
      assertThat(server.await(() -> server.streams() == 1, SECOND.multipliedBy(5))).isTrue();
      assertThat(newer.next().id()).contains("get-0.2");
      client.call(2, "note", "text", "a").rest();
      assertThat(newer.next().word()).isEqualTo("updated");
    }
  }

  @Test
  void theStandaloneStreamIsResumedBehindTheLastEvent() throws Exception {
    Client client = client();
    client.request(1, "resources/subscribe", NOTES);
    for (int i = 0; i < 3; i++) {
      client.call(2, "note", "text", "a").rest();
    }
    try (Events get = client.get()) {
      assertThat(words(List.of(get.next(), get.next(), get.next(), get.next())))
          .containsExactly("priming", "updated", "updated", "updated");
    }
    for (String last : List.of("get-1", "get-1.7")) {
      try (Events resumed = client.resume(last)) {
        assertThat(ids(List.of(resumed.next(), resumed.next()))).containsExactly("get-2", "get-3");
        client.call(2, "note", "text", "a").rest();
        assertThat(resumed.next().word()).isEqualTo("updated");
      }
    }
  }

  @Test
  void aCallWhoseConnectionIsGoneGoesOnAndItsStreamIsResumed() throws Exception {
    Client client = client();
    client.request(0, "resources/subscribe", NOTES);
    Events dropped = client.call(1, "slow", "steps", 40, "stepMs", 20);
    assertThat(words(List.of(dropped.next(), dropped.next())))
        .containsExactly("priming", "message");
    Event first = dropped.next();
    dropped.close();
    assertThat(server.await(() -> server.streams() == 0, SECOND.multipliedBy(5))).isTrue();
    client.call(2, "note", "text", "is told on another stream").rest();
    List<Event> rest = client.resume(first.id().orElseThrow()).rest();
    assertThat(words(rest).subList(0, 39)).containsOnly("progress");
    assertThat(rest).hasSize(40);
    assertThat(text(rest.getLast())).isEqualTo("done in 40 steps");
    assertThat(words(client.resume("post1-42").rest())).isEmpty();
    assertThat(ids(client.resume("post1-41").rest())).containsExactly("post1-42");
  }

  @ParameterizedTest
  @CsvSource({
    "2025-11-25, priming message retry, true",
    "2025-06-18, message retry, false" // an id alone, which a parser keeps, and no event
  })
  void cutClosesTheStreamAndAnswersWhoComesBack(String revision, String told, boolean data)
      throws Exception {
    Client client = client(revision);
    List<Event> cut = client.call(1, "cut").rest();
    assertThat(String.join(" ", words(cut))).isEqualTo(told);
    assertThat(cut.getLast().retry()).contains("100");
    assertThat(cut.getLast().data().isPresent()).isEqualTo(data);
    List<Event> rest = client.resume(cut.getLast().id().orElseThrow()).rest();
    assertThat(words(rest)).containsExactly("answer");
    assertThat(text(rest.getFirst())).isEqualTo("you have come back");
  }

  @Test
  void aCallThatIsCutOffAnswersLaterOnTheStreamThatWasResumed() throws Exception {
    Client client = client();
    List<Event> cut = client.call(1, "cut", "afterMs", 60_000).rest();
    assertThat(words(cut)).containsExactly("priming", "message", "retry");
    assertThat(server.calls()).containsExactly("1");
    Events resumed = client.resume(cut.getLast().id().orElseThrow());
    assertThat(server.await(() -> server.streams() == 1, SECOND.multipliedBy(5))).isTrue();
    client.tell(notification("notifications/cancelled", JsonObject.of("requestId", 1)));
    assertThat(resumed.rest()).isEmpty();
    cut = client.call(2, "cut", "afterMs", 100).rest();
    assertThat(words(client.resume(cut.getLast().id().orElseThrow()).rest()))
        .containsExactly("answer");
  }

  @Test
  void cutIsListedOverHttp() throws Exception {
    JsonObject page = client().request(1, "tools/list", JsonObject.of("cursor", "page-2"));
    assertThat(page.object("result").objects("tools").stream().map(t -> t.get("name").toString()))
        .containsExactly("\"slow\"", "\"note\"", "\"ask\"", "\"cut\"", "\"crash\"");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "x",
        "get-1",
        "post1-3",
        "post2-0",
        "get-",
        "get--1",
        "post1-99999999999999999999"
      })
  void whatIsNoEventCannotBeResumed(String id) throws Exception {
    Client client = client();
    client.call(1, "echo", "message", "x").rest();
    assertThat(send(client.asking("Last-Event-ID", id).GET()).statusCode()).isEqualTo(400);
  }

  @Test
  void onlyTheLastStreamsThatHaveEndedCanBeResumed() throws Exception {
    Client client = client();
    try (Events running = client.call(99, "slow", "stepMs", 60_000)) {
      running.next();
      for (int i = 2; i <= 19; i++) {
        client.call(i, "echo", "message", "x").rest();
      }
      assertThat(send(client.asking("Last-Event-ID", "post2-0").GET()).statusCode()).isEqualTo(400);
      assertThat(client.resume("post3-0").rest()).hasSize(2);
      assertThat(client.resume("post19-0").rest()).hasSize(2);
      try (Events again = client.resume("post1-0")) { // it runs
        assertThat(again.next().word()).isEqualTo("message");
      }
    }
  }

  @Test
  void silentStreamsShowThatTheyLive() throws Exception {
    open(new Options(true, true, BEAT));
    Client client = client();
    try (Events get = client.get();
        Events slow = client.call(1, "slow", "stepMs", 60_000)) {
      for (Events events : List.of(get, slow)) {
        while (events.comments.size() < 3) {
          events.next();
        }
        assertThat(events.comments).containsOnly("the demo server lives");
      }
    }
  }

  @Test
  void aClientThatIsGoneIsNoticedWithoutAWord() throws Exception {
    open(new Options(true, true, BEAT));
    Client client = client();
    client.get().close();
    client.call(1, "slow", "stepMs", 60_000).close();
    assertThat(server.await(() -> server.streams() == 0, SECOND.multipliedBy(5))).isTrue();
    assertThat(server.sessions()).containsExactly(client.session); // nobody has ended it
    assertThat(server.calls()).containsExactly("1");
  }

  @Test
  void withoutSessionsACallEndsWithItsConnection() throws Exception {
    open(new Options(false, false, BEAT));
    JsonObject slow = JsonObject.of("name", "slow", "arguments", JsonObject.of("stepMs", 60_000));
    Events events = events(post(request(), message(1, "tools/call", slow)));
    assertThat(server.calls()).containsExactly("1");
    events.close();
    assertThat(server.await(() -> server.calls().isEmpty(), SECOND.multipliedBy(5))).isTrue();
    assertThat(server.streams()).isZero();
  }

  @Test
  void closeEndsCallsAndStreams() throws Exception {
    Client client = client();
    Events get = client.get();
    Events slow = client.call(1, "slow", "stepMs", 60_000);
    Events ask = client.call(2, "ask", "question", "Which colour?");
    assertThat(closing()).isLessThan(SECOND);
    assertThat(words(get.rest())).containsExactly("priming");
    assertThat(words(slow.rest())).containsExactly("priming", "message");
    assertThat(words(ask.rest())).containsExactly("priming", "message", "create", "cancelled");
    assertThat(server.sessions()).isEmpty();
    assertThat(server.streams()).isZero();
    server.close();
  }

  @Test
  void anInterruptDoesNotCutCloseShort() throws Exception {
    Client client = client();
    Events get = client.get();
    Thread.currentThread().interrupt();
    server.close();
    assertThat(Thread.interrupted()).isTrue();
    assertThat(words(get.rest())).containsExactly("priming");
  }

  @Test
  void aClientThatDoesNotFinishItsRequestIsCutOffByClose() throws Exception {
    try (Socket slow = new Socket("127.0.0.1", server.port())) {
      slow.getOutputStream()
          .write("POST /mcp HTTP/1.1\r\nContent-Length: 9\r\n\r\n{".getBytes(UTF_8));
      client(); // its request came later, and is answered: the other one is being read
      assertThat(closing()).isLessThan(SECOND.multipliedBy(4));
      assertThatThrownBy(() -> assertThat(slow.getInputStream().read()).isNotNegative())
          .isInstanceOfAny(IOException.class, AssertionError.class);
    }
  }

  @Test
  void aClientThatDoesNotReadHoldsNoCallAndIsCutOffByClose() throws Exception {
    Client client = client();
    JsonObject meta = JsonObject.of("progressToken", "x".repeat(20_000)); // 1,000 times in all
    JsonObject arguments = JsonObject.of("steps", 1_000, "stepMs", 0);
    JsonObject slow = JsonObject.of("name", "slow", "arguments", arguments, "_meta", meta);
    String body = message(1, "tools/call", slow).toString();
    String head =
        "POST /mcp HTTP/1.1\r\nContent-Type: application/json\r\nAccept: %s\r\n"
            + "MCP-Session-Id: %s\r\nContent-Length: %s\r\n\r\n";
    head = head.formatted(BOTH, client.session, body.length());
    try (Socket deaf = new Socket("127.0.0.1", server.port())) {
      deaf.getOutputStream().write((head + body).getBytes(UTF_8));
      assertThat(deaf.getInputStream().read()).isEqualTo('H'); // the call is known by now
      assertThat(server.await(() -> server.calls().isEmpty(), SECOND.multipliedBy(10))).isTrue();
      assertThat(server.streams()).isEqualTo(1);
      assertThat(closing()).isBetween(SECOND.multipliedBy(9).dividedBy(10), SECOND.multipliedBy(4));
      assertThat(server.streams()).isZero();
    }
  }

  private Duration closing() {
    long begun = System.nanoTime();
    server.close();
    return Duration.ofNanos(System.nanoTime() - begun);
  }

  @Test
  void deleteWithdrawsAQuestionBeforeTheStreamEnds() throws Exception {
    Client client = client();
    Events ask = client.call(1, "ask", "question", "Which colour?");
    assertThat(ask.next().word()).isEqualTo("priming");
    assertThat(client.delete()).isEqualTo(204);
    assertThat(words(ask.rest())).containsExactly("message", "create", "cancelled");
  }
}
