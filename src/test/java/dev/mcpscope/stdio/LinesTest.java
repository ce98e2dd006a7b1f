package dev.mcpscope.stdio;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LinesTest {

  /// Gives its chunks one a read, cut where the buffer ends.
  private static final class Chunks implements ReadableByteChannel {
    private final List<ByteBuffer> chunks = new ArrayList<>();
    private int given;

    Chunks(byte[]... chunks) {
      Arrays.stream(chunks).map(ByteBuffer::wrap).forEach(this.chunks::add);
    }

    @Override
    public int read(ByteBuffer into) {
      chunks.removeIf(chunk -> !chunk.hasRemaining());
      if (chunks.isEmpty()) {
        return -1;
      }
      ByteBuffer chunk = chunks.getFirst();
      int n = Math.min(into.remaining(), chunk.remaining());
      into.put(chunk.slice(chunk.position(), n));
      chunk.position(chunk.position() + n);
      given += n;
      return n;
    }

    @Override
    public boolean isOpen() {
      return true;
    }

    @Override
    public void close() {}
  }

  private static List<String> lines(int limit, byte[]... chunks) throws IOException {
    var lines = new ArrayList<String>();
    new Lines(new Chunks(chunks), limit)
        .forEach((buffer, offset, length) -> lines.add(new String(buffer, offset, length, UTF_8)));
    return lines;
  }

  private static List<String> lines(int limit, String text) throws IOException {
    return lines(limit, text.getBytes(UTF_8));
  }

  @Test
  void aLineEndsWithLineFeedOrBothAndACarriageReturnAloneIsPartOfIt() throws IOException {
    assertThat(lines(100, "a\nb\r\nc\rd\n\n\r\n\r\r\n"))
        .containsExactly("a", "b", "c\rd", "", "", "\r");
  }

  @Test
  void anEmptyStreamHasNoLines() throws IOException {
    assertThat(lines(100, "")).isEmpty();
  }

  @Test
  void aLastLineNeedsNoEnd() throws IOException {
    assertThat(lines(100, "a\nlast")).containsExactly("a", "last");
    assertThat(lines(100, "a\nlast\r")).containsExactly("a", "last");
    assertThat(lines(4, "last")).containsExactly("last");
  }

  @Test
  void chunksMayBeCutAnywhereAlsoWithinACharacterOrALineEnd() throws IOException {
    byte[] text = "é\r\n€uro\n😀 ü\r\n\nlast".getBytes(UTF_8);
    for (int one = 0; one <= text.length; one++) {
      for (int two = one; two <= text.length; two++) {
        assertThat(
                lines(
                    100,
                    Arrays.copyOfRange(text, 0, one),
                    Arrays.copyOfRange(text, one, two),
                    Arrays.copyOfRange(text, two, text.length)))
            .containsExactly("é", "€uro", "😀 ü", "", "last");
      }
    }
  }

  @Test
  void chunksMayBeSingleBytes() throws IOException {
    byte[] text = "ab\r\n€\n".repeat(3_000).getBytes(UTF_8);
    byte[][] bytes = new byte[text.length][];
    for (int i = 0; i < text.length; i++) {
      bytes[i] = new byte[] {text[i]};
    }
    assertThat(lines(3, bytes)).hasSize(6_000).containsOnly("ab", "€");
  }

  /// Around the sizes of the buffer and of a read, and small ones.
  @ParameterizedTest
  @ValueSource(ints = {1, 10, 8_190, 8_191, 8_192, 8_193, 65_535, 65_536, 65_537, 200_000})
  void aLineMayBeAsLongAsTheLimitWhateverItsEndIs(int limit) throws IOException {
    String line = "x".repeat(limit);
    for (String end : List.of("\n", "\r\n", "")) {
      assertThat(lines(limit, line + end)).containsExactly(line);
      assertThat(lines(limit, "y\n" + line + end)).containsExactly("y", line);
      assertThat(lines(limit, (line + end).getBytes(UTF_8), "\nz\n".getBytes(UTF_8)))
          .startsWith(line)
          .endsWith("z");
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 10, 8_190, 8_191, 8_192, 8_193, 65_535, 65_536, 65_537, 200_000})
  void aLineMayNotBeOneByteLonger(int limit) {
    String line = "x".repeat(limit + 1);
    for (String end : List.of("\n", "\r\n", "", "\r", "x", "xxx\n")) {
      assertThatThrownBy(() -> lines(limit, "y\n" + line + end))
          .isInstanceOf(Lines.TooLongException.class)
          .hasMessage("a line is longer than " + limit + " bytes");
    }
  }

  @Test
  void linesBeforeOneThatIsTooLongAreGiven() {
    var lines = new ArrayList<String>();
    var reader = new Lines(new Chunks("a\nb\ncccc\nd\n".getBytes(UTF_8)), 3);
    assertThatThrownBy(() ->
            reader.forEach(
                (buffer, offset, length) -> lines.add(new String(buffer, offset, length, UTF_8))))
        .isInstanceOf(Lines.TooLongException.class);
    assertThat(lines).containsExactly("a", "b");
  }

  @Test
  void aLineThatNeverEndsIsGivenUpAtTheLimit() {
    byte[][] chunks = new byte[1_000][];
    Arrays.fill(chunks, "x".repeat(10_000).getBytes(UTF_8));
    var endless = new Chunks(chunks);
    assertThatThrownBy(() -> new Lines(endless, 100_000).forEach((_, _, _) -> {}))
        .isInstanceOf(Lines.TooLongException.class);
    assertThat(endless.given).isBetween(100_001, 100_002);
  }

  @Test
  void theBufferOfAHugeLineIsGivenBack() throws IOException {
    var sizes = new ArrayList<Integer>();
    new Lines(
            new Chunks(
                "small\n".getBytes(UTF_8),
                ("x".repeat(5_000_000) + "\n").getBytes(UTF_8),
                "small\n".getBytes(UTF_8)),
            1 << 24)
        .forEach((buffer, _, _) -> sizes.add(buffer.length));
    assertThat(sizes.get(1)).isGreaterThan(5_000_000);
    assertThat(sizes.get(2)).isEqualTo(sizes.getFirst()).isLessThan(100_000);
  }
}
