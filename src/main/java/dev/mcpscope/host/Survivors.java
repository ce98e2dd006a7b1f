package dev.mcpscope.host;

import dev.mcpscope.transport.CloseReport.ServerProcess;
import java.util.ArrayDeque;
import java.util.List;

/// The processes that outlived SIGKILL, so that they are not forgotten with their connections. The
/// newest are kept.
final class Survivors {
  private static final int MOST = 100;

  private final ArrayDeque<ServerProcess> list = new ArrayDeque<>();

  synchronized void add(ServerProcess survivor) {
    if (list.size() == MOST) {
      list.poll();
    }
    list.add(survivor);
  }

  /// Those that still run, oldest first; the others are forgotten.
  synchronized List<ServerProcess> list() {
    list.removeIf(survivor -> !survivor.runs());
    return List.copyOf(list);
  }
}
