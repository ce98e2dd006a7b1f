package dev.mcpscope.http;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SseParserTest {
  private final List<String> events = new ArrayList<>();
  private final SseParser parser = parser(1_000);

  private SseParser parser(int limit) {
    return new SseParser(
        limit, Optional.empty(), event -> events.add(event.type() + ":" + event.text()));
  }

  private void feed(String text) throws IOException {
    byte[] bytes = text.getBytes(UTF_8);
    parser.feed(bytes, 0, bytes.length);
  }

  @ParameterizedTest
  @ValueSource(strings = {"\n", "\r", "\r\n"})
  void linesEndByAnyOfThreeWays(String end) throws IOException {
    feed("data: one" + end + "data: two" + end + end + "event: e" + end + "data:three" + end + end);
    assertThat(events).containsExactly("message:one\ntwo", "e:three");
  }

  @ParameterizedTest
  @ValueSource(strings = {"\n", "\r", "\r\n"})
  void anEventIsTheSameWhereverTheBytesAreCut(String end) throws IOException {
    String text =
        "\uFEFFid: ü1"
            + end
            + "data: ä€\uD83D\uDE00"
            + end
            + "data:"
            + end
            + end
            + ": c"
            + end
            + "data: last"
            + end
            + end;
    byte[] bytes = text.getBytes(UTF_8);
    for (int cut = 0; cut <= bytes.length; cut++) {
      events.clear();
      SseParser fresh = parser(1_000);
      fresh.feed(bytes, 0, cut);
      fresh.feed(bytes, cut, bytes.length - cut);
      assertThat(events)
          .as("cut at %d", cut)
          .containsExactly("message:ä€\uD83D\uDE00\n", "message:last");
      assertThat(fresh.lastEventId()).contains("ü1");
    }
    events.clear();
    SseParser fresh = parser(1_000);
    for (int i = 0; i < bytes.length; i++) {
      fresh.feed(bytes, i, 1);
    }
    assertThat(events).containsExactly("message:ä€\uD83D\uDE00\n", "message:last");
  }

  @Test
  void onlyTheFirstMarkOfByteOrderIsSkipped() throws IOException {
    feed("\uFEFFdata: one\n\n\uFEFFdata: two\n\ndata: \uFEFFthree\n\n");
    assertThat(events).containsExactly("message:one", "message:\uFEFFthree");
  }

  @Test
  void oneBlankAfterTheColonIsNoPartOfTheValue() throws IOException {
    feed("data:a\n\ndata: a\n\ndata:  a\n\ndata : a\n\n");
    assertThat(events).containsExactly("message:a", "message:a", "message: a");
  }

  @Test
  void commentsAndUnknownFieldsAreSkipped() throws IOException {
    feed(": a comment\n:\nx: y\nDATA: no\ndata: yes\nnonsense\n\n");
    assertThat(events).containsExactly("message:yes");
  }

  @Test
  void aFieldWithoutColonHasAnEmptyValue() throws IOException {
    feed("data\ndata\n\n");
    assertThat(events).containsExactly("message:\n");
  }

  @Test
  void withoutDataThereIsNoEventAndItsTypeIsForgotten() throws IOException {
    feed("event: a\n\ndata: x\n\n");
    assertThat(events).containsExactly("message:x");
  }

  @Test
  void emptyDataIsAnEvent() throws IOException {
    feed("id: 1\ndata:\n\n");
    assertThat(events).containsExactly("message:");
    assertThat(parser.lastEventId()).contains("1");
  }

  @Test
  void anIdCountsWhenItsEventIsComplete() throws IOException {
    feed("id: 1\n\nid: 2\ndata: x\n");
    assertThat(parser.lastEventId()).contains("1");
    feed("\n");
    assertThat(parser.lastEventId()).contains("2");
    feed("data: y\n\n");
    assertThat(parser.lastEventId()).as("it goes on to hold").contains("2");
    feed("id\ndata: z\n\n");
    assertThat(parser.lastEventId()).as("taken back").isEmpty();
  }

  @Test
  void theIdOfTheStreamBeforeHoldsUntilItIsTakenBack() throws IOException {
    var next = new SseParser(100, Optional.of("7"), _ -> {});
    assertThat(next.lastEventId()).contains("7");
    byte[] event = "data: x\n\n".getBytes(UTF_8);
    next.feed(event, 0, event.length);
    assertThat(next.lastEventId()).contains("7");
    byte[] back = "id:\ndata: y\n\n".getBytes(UTF_8);
    next.feed(back, 0, back.length);
    assertThat(next.lastEventId()).isEmpty();
  }

  @Test
  void anIdWithNulIsIgnored() throws IOException {
    feed("id: 1\n\nid: 2\0\n\n");
    assertThat(parser.lastEventId()).contains("1");
  }

  @Test
  void onlyDigitsAreATimeToWait() throws IOException {
    feed("retry: 12a\nretry: -1\nretry:\nretry: 1.5\nretry:  7\nretry: 99999999999\n");
    assertThat(parser.retry()).isEmpty();
    feed("retry: 1500\n");
    assertThat(parser.retry()).contains(Duration.ofMillis(1_500));
    feed("retry: x\n\n");
    assertThat(parser.retry()).contains(Duration.ofMillis(1_500));
  }

  @Test
  void whatTheStreamLeavesUnfinishedIsNoEvent() throws IOException {
    feed("data: a\n\ndata: b\n");
    assertThat(events).containsExactly("message:a");
  }

  @Test
  void aLineOverTheCapIsRefusedWhileItArrives() throws IOException {
    SseParser small = parser(10);
    byte[] bytes = "data: 12345".getBytes(UTF_8);
    small.feed(bytes, 0, 10);
    assertThatThrownBy(() -> small.feed(bytes, 10, 1))
        .isInstanceOf(SseParser.TooLongException.class)
        .hasMessage("a line is longer than 10 bytes");
  }

  @Test
  void anEventOverTheCapIsRefusedThoughItsLinesAreShort() throws IOException {
    SseParser small = parser(10);
    byte[] bytes = "data:12\n".getBytes(UTF_8);
    for (int i = 0; i < 3; i++) {
      small.feed(bytes, 0, bytes.length);
    }
    assertThatThrownBy(() -> small.feed(bytes, 0, bytes.length))
        .isInstanceOf(SseParser.TooLongException.class)
        .hasMessage("an event is longer than 10 bytes");
  }

  @Test
  void aCommentThatNeverEndsIsRefusedToo() {
    byte[] bytes = ":".repeat(1_001).getBytes(UTF_8);
    assertThatThrownBy(() -> parser.feed(bytes, 0, bytes.length))
        .isInstanceOf(SseParser.TooLongException.class);
  }

  @Test
  void whatIsNoUtf8IsHandedOnAsItIs() throws IOException {
    var seen = new ArrayList<byte[]>();
    var raw = new SseParser(100, Optional.empty(), event -> seen.add(event.data()));
    byte[] bytes = "data: \u00ff\u00fe\n\n".getBytes(ISO_8859_1);
    raw.feed(bytes, 0, bytes.length);
    assertThat(seen).singleElement().isEqualTo(new byte[] {(byte) 0xff, (byte) 0xfe});
  }
}
