package dev.mcpscope.stdio;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.util.Arrays;

/// Cuts a stream of bytes into lines, with a cap on their length. One thread.
///
/// It works on bytes, not on characters, so that a character that arrives in two chunks is never
/// split, and it looks at each byte once, however many chunks a long line takes.
final class Lines {
  private static final int INITIAL = 8 * 1024;
  private static final int MOST_AT_ONCE = 64 * 1024;

  /// Takes a line without its end; the array is valid during the call only.
  @FunctionalInterface
  interface Consumer {
    void line(byte[] buffer, int offset, int length);
  }

  /// A line is longer than the cap. What follows cannot be told apart any more.
  static final class TooLongException extends IOException {
    private static final long serialVersionUID = 1;

    TooLongException(int limit) {
      super("a line is longer than " + limit + " bytes");
    }
  }

  private final ReadableByteChannel channel;
  private final int limit;
  private byte[] buffer = new byte[INITIAL];
  private int end; // buffer[0, end) has been read
  private int scanned; // buffer[0, scanned) holds no line end

  /// @param limit the longest line in bytes, its end not counted
  Lines(ReadableByteChannel channel, int limit) {
    this.channel = channel;
    this.limit = limit;
  }

  /// Reads until the stream ends; blocks in the channel and nowhere else. A last line without an end
  /// is a line too.
  void forEach(Consumer consumer) throws IOException {
    while (read() >= 0) {
      int start = 0;
      for (; scanned < end; scanned++) {
        if (buffer[scanned] == '\n') {
          emit(consumer, start, scanned);
          start = scanned + 1;
        }
      }
      discard(start);
      if (end > limit + 1) { // one more: it may turn out to be the CR of the line end
        throw new TooLongException(limit);
      }
    }
    if (end > 0) {
      emit(consumer, 0, end);
    }
  }

  private int read() throws IOException {
    if (end == buffer.length) {
      buffer = Arrays.copyOf(buffer, (int) Math.min(2L * buffer.length, limit + 2L));
    }
    int n = channel.read(ByteBuffer.wrap(buffer, end, Math.min(buffer.length - end, MOST_AT_ONCE)));
    end += Math.max(n, 0);
    return n;
  }

  private void emit(Consumer consumer, int start, int lineEnd) throws TooLongException {
    int length = lineEnd - start;
    if (length > 0 && buffer[lineEnd - 1] == '\r') {
      length--;
    }
    if (length > limit) {
      throw new TooLongException(limit);
    }
    consumer.line(buffer, start, length);
  }

  /// Moves what is left of the buffer to its front; a buffer that one long line has blown up is
  /// given back as soon as it is empty.
  private void discard(int start) {
    end -= start;
    scanned = end;
    if (end == 0 && buffer.length > MOST_AT_ONCE) {
      buffer = new byte[INITIAL];
    } else if (start > 0) {
      System.arraycopy(buffer, start, buffer, 0, end);
    }
  }
}
