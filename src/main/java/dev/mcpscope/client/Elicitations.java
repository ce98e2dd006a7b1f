package dev.mcpscope.client;

import java.util.LinkedHashSet;
import java.util.SequencedSet;

/// The URLs that the user has been sent to, of which the server may say that they are done: "Clients
/// MUST ignore notifications referencing unknown or already-completed IDs." Any thread; the newest
/// are kept.
final class Elicitations {
  private static final int MOST = 256;

  private final SequencedSet<String> open = new LinkedHashSet<>();

  /// Notes an id.
  synchronized void expect(String id) {
    open.addLast(id);
    if (open.size() > MOST) {
      open.removeFirst();
    }
  }

  /// Returns whether the id was noted and not completed before.
  synchronized boolean complete(String id) {
    return open.remove(id);
  }
}
