package dev.mcpscope.stdio;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TailTest {
  private static Tail tail(int size, String... chunks) {
    var tail = new Tail(size);
    for (String chunk : chunks) {
      tail.add(ByteBuffer.wrap(chunk.getBytes(UTF_8)));
    }
    return tail;
  }

  @Test
  void itIsEmptyAtFirst() {
    assertThat(tail(4).text()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 5, 7, 16, 25, 26, 27, 1_000})
  void itKeepsTheLastBytesHoweverTheyCame(int size) {
    String text = "abcdefghijklmnopqrstuvwxyz";
    String end = text.substring(Math.max(0, text.length() - size));
    assertThat(tail(size, text).text()).isEqualTo(end);
    assertThat(tail(size, text.split("")).text()).isEqualTo(end);
    assertThat(tail(size, "abc", "", "defghijklmnopqrs", "t", "uvwxyz").text()).isEqualTo(end);
  }

  @Test
  void readingItTakesNothingAway() {
    Tail tail = tail(4, "abcdef");
    assertThat(tail.text()).isEqualTo(tail.text()).isEqualTo("cdef");
  }

  @Test
  void aCharacterThatHasLostItsBeginningIsReplaced() {
    assertThat(tail(3, "€x").text()).isEqualTo("\ufffd\ufffdx");
    assertThat(tail(4, "€x").text()).isEqualTo("€x");
  }
}
