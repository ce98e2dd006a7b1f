package dev.mcpscope.demo;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.demo.DemoHttpServer.Options;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonObject;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class DemoHttpListenTest extends RunningDemoHttpServer {
  private static final Duration BEAT = Duration.ofMillis(20);
  private static final JsonArray NOTES = JsonArray.of("demo://notes");
  private static final JsonObject LISTEN =
      Modern.listen(1, "resourcesListChanged", true, "resourceSubscriptions", NOTES);

  @Test
  void whatAnyModernClientChangesIsToldOnTheStreamOfTheSubscription() throws Exception {
    try (Events one = listen(LISTEN);
        Events other = listen(LISTEN)) {
      assertThat(server.calls()).containsExactly("1", "1");
      assertThat(words(stream(Modern.call(1, "note", "text", "x", "topic", "t")).rest()))
          .containsExactly("answer");
      for (Events events : List.of(one, other)) {
        Event list = events.next();
        assertThat(list.word()).isEqualTo("list_changed");
        Event updated = events.next();
        assertThat(updated.word()).isEqualTo("updated");
        assertThat(updated.id()).isEmpty();
        JsonObject params = updated.message().object("params");
        assertThat(params.string("uri")).isEqualTo("demo://notes");
        assertThat(params.object("_meta")).isEqualTo(JsonObject.of(Modern.SUBSCRIPTION, 1));
      }
    }
  }

  @Test
  void aLegacyClientsNotesAreItsOwn() throws Exception {
    Client legacy = client();
    try (Events events = listen(LISTEN)) {
      legacy.call(1, "note", "text", "x", "topic", "t").rest();
      server.close();
      assertThat(words(events.rest())).containsExactly("answer");
    }
  }

  @Test
  void closeEndsSubscriptionsWithAResult() throws Exception {
    Events events = listen(LISTEN);
    server.close();
    List<Event> rest = events.rest();
    assertThat(words(rest)).containsExactly("answer");
    assertThat(rest.getLast().message().integer("id")).isEqualTo(1);
    JsonObject result = rest.getLast().message().object("result");
    assertThat(result.string("resultType")).isEqualTo("complete");
    assertThat(result.object("_meta").integer(Modern.SUBSCRIPTION)).isEqualTo(1);
    assertThat(server.calls()).isEmpty();
    assertThat(server.streams()).isZero();
  }

  @Test
  void aSilentSubscriptionShowsThatItLives() throws Exception {
    open(new Options(true, true, BEAT));
    try (Events events = listen(LISTEN)) {
      while (events.comments.size() < 3) {
        events.next();
      }
      assertThat(events.comments).containsOnly("the demo server lives");
    }
  }

  @Test
  void noMoreThanThirtyTwoListenAndOfThoseThatHaveGoneNothingIsLeft() throws Exception {
    open(new Options(true, true, BEAT));
    for (int round = 0; round < 3; round++) {
      var streams = new ArrayList<Events>();
      for (int i = 0; i < 32; i++) {
        streams.add(listen(LISTEN));
      }
      assertThat(answer(LISTEN).object("error").integer("code")).isEqualTo(-32603);
      for (Events events : streams) {
        events.close();
      }
      assertThat(server.await(() -> server.calls().isEmpty(), SECOND.multipliedBy(5))).isTrue();
      assertThat(server.await(() -> server.streams() == 0, SECOND.multipliedBy(5))).isTrue();
    }
  }

  /// Begins to listen, and reads the acknowledgement.
  private Events listen(JsonObject request) throws Exception {
    Events events = stream(request);
    Event acknowledged;
    do { // a heartbeat may come first
      acknowledged = events.next();
    } while (acknowledged == null);
    assertThat(acknowledged.word()).isEqualTo("acknowledged");
    assertThat(acknowledged.id()).isEmpty();
    assertThat(acknowledged.message().object("params").get("notifications"))
        .isEqualTo(request.object("params").get("notifications"));
    return events;
  }
}
