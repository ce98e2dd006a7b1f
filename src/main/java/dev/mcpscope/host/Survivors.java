package dev.mcpscope.host;

import dev.mcpscope.transport.CloseReport.ServerProcess;
import java.util.ArrayDeque;
import java.util.List;
import java.util.function.Predicate;

/// The processes that outlived SIGKILL, so that they are not forgotten with their connections. The
/// newest are kept.
final class Survivors {
  private static final int MOST = 100;

  private final Predicate<ServerProcess> runs;
  private final ArrayDeque<ServerProcess> list = new ArrayDeque<>();

  Survivors() {
    this(ServerProcess::runs);
  }

  /// @param runs looks whether a process still runs, which may take its time
  Survivors(Predicate<ServerProcess> runs) {
    this.runs = runs;
  }

  /// Never blocks: it is the owners of sessions that call it.
  synchronized void add(ServerProcess survivor) {
    if (list.size() == MOST) {
      list.poll();
    }
    list.add(survivor);
  }

  /// Those that still run, oldest first; the others are forgotten. Looks at each of them, without
  /// keeping anybody from adding one meanwhile.
  List<ServerProcess> list() {
    List<ServerProcess> all = known();
    List<ServerProcess> running = all.stream().filter(runs).toList();
    forget(all.stream().filter(survivor -> !running.contains(survivor)).toList());
    return running;
  }

  private synchronized List<ServerProcess> known() {
    return List.copyOf(list);
  }

  private synchronized void forget(List<ServerProcess> gone) {
    list.removeAll(gone);
  }
}
