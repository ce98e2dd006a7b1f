package dev.mcpscope.client;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ElicitationsTest {
  private final Elicitations elicitations = new Elicitations();

  @Test
  void anIdIsCompletedOnce() {
    elicitations.expect("a");
    elicitations.expect("b");
    assertThat(elicitations.complete("a")).isTrue();
    assertThat(elicitations.complete("a")).isFalse();
    assertThat(elicitations.complete("b")).isTrue();
  }

  @Test
  void anIdThatWasNeverNotedIsNotCompleted() {
    elicitations.expect("a");
    assertThat(elicitations.complete("A")).isFalse();
    assertThat(elicitations.complete("")).isFalse();
  }

  @Test
  void anIdThatComesTwiceIsCompletedOnce() {
    elicitations.expect("a");
    elicitations.expect("a");
    assertThat(elicitations.complete("a")).isTrue();
    assertThat(elicitations.complete("a")).isFalse();
  }

  @Test
  void theNewest256AreKept() {
    for (int i = 0; i < 257; i++) {
      elicitations.expect("id " + i);
    }
    assertThat(elicitations.complete("id 0")).isFalse();
    for (int i = 1; i < 257; i++) {
      assertThat(elicitations.complete("id " + i)).isTrue();
    }
  }

  @Test
  void anIdThatIsNotedAgainIsNewAgain() {
    elicitations.expect("again");
    for (int i = 0; i < 255; i++) {
      elicitations.expect("id " + i);
    }
    elicitations.expect("again");
    elicitations.expect("one more");
    assertThat(elicitations.complete("again")).isTrue();
    assertThat(elicitations.complete("id 0")).isFalse();
  }
}
