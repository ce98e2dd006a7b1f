package dev.mcpscope.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/// Cuts a stream of bytes into server-sent events, as it arrives, with a cap on what one may hold.
/// One thread.
///
/// It works on bytes, not on characters, so that a character that arrives in two chunks is never
/// split. What a stream leaves unfinished at its end is no event.
///
/// @see <a href="https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation">
///     Interpreting an event stream, WHATWG</a>
final class SseParser {
  private static final byte[] BOM = {(byte) 0xEF, (byte) 0xBB, (byte) 0xBF};
  private static final int INITIAL = 256;
  private static final int MOST_KEPT = 64 * 1024;
  private static final int MOST_RETRY_DIGITS = 9; // milliseconds: eleven days

  /// Takes an event as soon as its last line has arrived.
  @FunctionalInterface
  interface Sink {
    void event(SseEvent event) throws IOException;
  }

  /// A line or an event is longer than the cap.
  static final class TooLongException extends IOException {
    private static final long serialVersionUID = 1;

    TooLongException(String what, int limit) {
      super(what + " is longer than " + limit + " bytes");
    }
  }

  private final int limit;
  private final Sink events;
  private ByteArrayOutputStream line = new ByteArrayOutputStream(INITIAL);
  private ByteArrayOutputStream data = new ByteArrayOutputStream(INITIAL);
  private boolean atStart = true;
  private boolean afterCr;
  private boolean hasData;
  private boolean hasId; // one of its own
  private String type = "";
  private Optional<String> id; // of the event that is being read, or an older one
  private Optional<String> lastEventId;
  private Optional<Duration> retry = Optional.empty();

  /// @param limit how many bytes a line, and the data of an event, may have
  /// @param last the last event's id of the stream that this one continues: it holds until another one
  ///     comes, or an empty one takes it back
  SseParser(int limit, Optional<String> last, Sink events) {
    this.limit = limit;
    this.id = last;
    this.lastEventId = last;
    this.events = events;
  }

  /// Returns the id of the last event that was complete, of those that the stream continues too; empty
  /// when none has had one, or the last was empty, which takes it back.
  Optional<String> lastEventId() {
    return lastEventId;
  }

  /// Returns how long the server wants a client to wait before it opens the stream again, if it has
  /// said so.
  Optional<Duration> retry() {
    return retry;
  }

  /// Takes what has arrived.
  ///
  /// @throws TooLongException when a line or an event exceeds the cap; what follows is no use any more
  /// @throws IOException what the sink throws
  void feed(byte[] bytes, int offset, int length) throws IOException {
    int end = offset + length;
    int start = offset;
    for (int i = offset; i < end; i++) {
      byte b = bytes[i];
      if (b == '\n' || b == '\r') {
        if (b == '\n' && afterCr && i == start && line.size() == 0) {
          start = i + 1; // the second half of a CRLF
        } else {
          append(bytes, start, i);
          lineEnds();
          start = i + 1;
        }
      }
      afterCr = b == '\r';
    }
    append(bytes, start, end);
  }

  private void append(byte[] bytes, int from, int to) throws TooLongException {
    if (line.size() + (to - from) > limit) {
      throw new TooLongException("a line", limit);
    }
    line.write(bytes, from, to - from);
  }

  private void lineEnds() throws IOException {
    byte[] bytes = line.toByteArray();
    line = emptied(line);
    int from = atStart && startsWithBom(bytes) ? BOM.length : 0;
    atStart = false;
    if (from == bytes.length) {
      eventEnds();
      return;
    }
    int colon = from;
    while (colon < bytes.length && bytes[colon] != ':') {
      colon++;
    }
    int value = Math.min(colon + 1, bytes.length);
    if (value < bytes.length && bytes[value] == ' ') {
      value++;
    }
    field(new String(bytes, from, colon - from, UTF_8), bytes, value);
  }

  /// A buffer that one long line has blown up is given back.
  private static ByteArrayOutputStream emptied(ByteArrayOutputStream buffer) {
    if (buffer.size() > MOST_KEPT) {
      return new ByteArrayOutputStream(INITIAL);
    }
    buffer.reset();
    return buffer;
  }

  private static boolean startsWithBom(byte[] bytes) {
    return bytes.length >= BOM.length
        && bytes[0] == BOM[0]
        && bytes[1] == BOM[1]
        && bytes[2] == BOM[2];
  }

  /// A line that begins with a colon is a comment: a field without a name.
  private void field(String name, byte[] line, int from) throws TooLongException {
    switch (name) {
      case "data" -> {
        if (data.size() + (line.length - from) + 1 > limit) {
          throw new TooLongException("an event", limit);
        }
        if (hasData) {
          data.write('\n');
        }
        hasData = true;
        data.write(line, from, line.length - from);
      }
      case "event" -> type = text(line, from);
      case "id" -> {
        String text = text(line, from);
        if (text.indexOf('\0') < 0) {
          id = Optional.of(text);
          hasId = true;
        }
      }
      case "retry" -> {
        String text = text(line, from);
        if (text.length() <= MOST_RETRY_DIGITS && text.matches("[0-9]+")) {
          retry = Optional.of(Duration.ofMillis(Long.parseLong(text)));
        }
      }
      default -> {} // a comment, or a field that nobody has defined
    }
  }

  private static String text(byte[] line, int from) {
    return new String(line, from, line.length - from, UTF_8);
  }

  private void eventEnds() throws IOException {
    lastEventId = id.filter(text -> !text.isEmpty());
    var event =
        new SseEvent(
            type.isEmpty() ? "message" : type, hasId ? id.orElse("") : "", data.toByteArray());
    boolean complete = hasData;
    type = "";
    hasData = false;
    hasId = false;
    data = emptied(data);
    if (complete) {
      events.event(event);
    }
  }
}
