package dev.mcpscope.stdio;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/// The last bytes of a stream: written by one thread, read by any.
final class Tail {
  private final byte[] ring;
  private long written; // guarded by this, like the ring

  /// @param size how many bytes are kept; 1 or more
  Tail(int size) {
    ring = new byte[size];
  }

  synchronized void add(ByteBuffer bytes) {
    while (bytes.hasRemaining()) {
      int at = (int) (written % ring.length);
      int n = Math.min(bytes.remaining(), ring.length - at);
      bytes.get(ring, at, n);
      written += n;
    }
  }

  /// Returns what is kept, as text: bytes that are no UTF-8, also those of a character that lost its
  /// beginning, are replaced.
  synchronized String text() {
    int length = (int) Math.min(written, ring.length);
    byte[] bytes = new byte[length];
    for (int i = 0; i < length; i++) {
      bytes[i] = ring[(int) ((written - length + i) % ring.length)];
    }
    return new String(bytes, StandardCharsets.UTF_8);
  }
}
