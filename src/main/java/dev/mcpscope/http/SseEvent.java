package dev.mcpscope.http;

import static java.nio.charset.StandardCharsets.UTF_8;

/// One event of a stream of server-sent events.
///
/// @param type its name; "message" when it has none
/// @param id its own id; empty when it has none, or an empty one
/// @param data its data, the lines joined by newlines; not copied
record SseEvent(String type, String id, byte[] data) {

  /// Returns the data as text.
  String text() {
    return new String(data, UTF_8);
  }
}
