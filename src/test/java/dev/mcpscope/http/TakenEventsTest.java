package dev.mcpscope.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import org.junit.jupiter.api.Test;

class TakenEventsTest {
  private static final HttpSession SESSION = new HttpSession(Optional.of("s"), "2025-11-25");

  private final TakenEvents taken = new TakenEvents();

  private static SseEvent event(String id, String data) {
    return new SseEvent("message", id, data.getBytes(UTF_8));
  }

  private boolean again(SseEvent event) {
    return taken.take(SESSION, event, true);
  }

  @Test
  void anEventThatHasComeIsNotTakenFromAStreamThatContinuesAnother() {
    assertThat(taken.take(SESSION, event("1", "a"), false)).isTrue();
    assertThat(again(event("1", "a"))).isFalse();
    assertThat(again(event("1", "a"))).isFalse();
  }

  @Test
  void onAStreamThatContinuesNoneEverythingIsTaken() {
    assertThat(taken.take(SESSION, event("1", "a"), false)).isTrue();
    assertThat(taken.take(SESSION, event("1", "a"), false)).isTrue();
  }

  @Test
  void anotherEventOfTheSameIdIsTaken() {
    assertThat(again(event("1", "a"))).isTrue();
    assertThat(again(event("1", "b"))).isTrue();
    assertThat(again(event("2", "a"))).isTrue();
    assertThat(taken.take(new HttpSession(Optional.of("t"), ""), event("1", "a"), true)).isTrue();
  }

  @Test
  void whatHasNoIdOrNoDataIsAlwaysTaken() {
    for (int i = 0; i < 2; i++) {
      assertThat(again(event("", "a"))).isTrue();
      assertThat(again(event("1", ""))).isTrue();
    }
  }

  @Test
  void theNewestAreRemembered() {
    for (int i = 0; i <= TakenEvents.MOST; i++) {
      assertThat(again(event("" + i, "a"))).isTrue();
    }
    assertThat(again(event("1", "a"))).isFalse();
    assertThat(again(event("0", "a"))).isTrue();
  }
}
