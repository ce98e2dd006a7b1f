package dev.mcpscope.http;

import java.util.Arrays;
import java.util.LinkedHashSet;

/// Which events have come, so that none is taken twice when a server that continues one stream says
/// again what was on others: "The server MUST NOT replay messages that would have been delivered on a
/// different stream", but some do, and a question that comes twice would be asked twice.
///
/// An id alone does not tell: it "MUST be globally unique across all streams within that session", but
/// some servers count anew on each stream. So what has come is an event of the same id and data, and
/// only on a stream that continues another one. The newest are remembered, by a few numbers each. Any
/// thread.
final class TakenEvents {
  static final int MOST = 1_024;

  /// What is alike in all of these is the same event: hashes and lengths of what may be long.
  private record Mark(int session, int id, int idLength, int data, int dataLength) {}

  private final LinkedHashSet<Mark> newest = new LinkedHashSet<>(); // guarded by this

  /// Notes an event, if it has data and an id of its own; never blocks for long.
  ///
  /// @param continued whether its stream continues another one
  /// @return whether it is to be taken
  boolean take(HttpSession session, SseEvent event, boolean continued) {
    if (event.id().isEmpty() || event.data().length == 0) {
      return true;
    }
    String id = event.id();
    byte[] data = event.data();
    var mark =
        new Mark(
            session.id().hashCode(),
            id.hashCode(),
            id.length(),
            Arrays.hashCode(data),
            data.length);
    synchronized (this) {
      boolean isNew = newest.add(mark);
      if (newest.size() > MOST) {
        newest.removeFirst();
      }
      return isNew || !continued;
    }
  }
}
