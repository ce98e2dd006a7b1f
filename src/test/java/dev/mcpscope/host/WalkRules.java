package dev.mcpscope.host;

import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.transport.CloseBudget;
import dev.mcpscope.transport.CloseReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What has to be so at every moment of a [Walk], whatever it does, and what was found not to be.
/// Any thread finds; the walk looks after each step.
final class WalkRules extends Handler implements AutoCloseable {
  private static final Logger LOGGER = Logger.getLogger("dev.mcpscope");
  private static final Pattern DAEMON = Pattern.compile("daemon (\\d+)");

  private final Queue<String> broken = new ConcurrentLinkedQueue<>();
  private final Map<String, AtomicInteger> counts = new ConcurrentHashMap<>();
  private final Map<Long, Long> ended = new ConcurrentHashMap<>(); // when, by generation
  private final Map<String, Long> endedAt = new ConcurrentHashMap<>(); // when, by mark
  private final Set<String> undeleted = ConcurrentHashMap.newKeySet(); // marks
  private final HostOptions options;

  // the walk's own
  private final Map<String, Long> newest = new HashMap<>(); // generation, by session and name

  WalkRules(HostOptions options) {
    this.options = options;
  }

  /// Says that a rule does not hold.
  void broken(String rule) {
    broken.add(rule);
  }

  /// Returns the first rule that was found broken.
  Optional<String> firstBroken() {
    return Optional.ofNullable(broken.peek());
  }

  /// Counts what has happened, so that a walk can say that it was one.
  void count(String what) {
    counts.computeIfAbsent(what, _ -> new AtomicInteger()).incrementAndGet();
  }

  int counted(String what) {
    AtomicInteger count = counts.get(what);
    return count == null ? 0 : count.get();
  }

  Map<String, AtomicInteger> counts() {
    return counts;
  }

  // What any look at the host must show.

  /// Looks at all rows: their generations only grow, and there are not more than the limits allow. The
  /// limits hold at each instant, and this looks at several; so what seems too much is looked at again.
  void check(McpHost host) {
    host.statuses()
        .forEach((session, rows) -> {
          long distinct = rows.stream().map(ConnectionStatus::name).distinct().count();
          if (distinct < rows.size()) {
            broken("a name has two rows: " + rows);
          }
          for (ConnectionStatus row : rows) {
            String key = session + "/" + row.name();
            long before = newest.merge(key, row.generation(), Math::max);
            if (before > row.generation()) {
              broken(key + " was #" + before + " and is " + row);
            }
          }
        });
    for (int look = 1; isTooMuch(host.statuses()); look++) {
      if (look == 100) {
        broken("more than the limits allow: " + host.statuses());
        return;
      }
      Thread.onSpinWait();
    }
  }

  private boolean isTooMuch(Map<String, List<ConnectionStatus>> all) {
    long live =
        all.values().stream()
            .flatMap(List::stream)
            .filter(row -> rank(row.state()) < TERMINAL)
            .count();
    return all.size() > options.sessions()
        || live > options.connections()
        || all.values().stream().anyMatch(rows -> rows.size() > options.connectionsPerSession());
  }

  // What anybody who listens must hear.

  private static final int TERMINAL = 3;

  private static int rank(ConnectionState state) {
    return switch (state) {
      case ConnectionState.Connecting _ -> 0;
      case ConnectionState.Usable _ -> 1;
      case ConnectionState.Closing _ -> 2;
      case ConnectionState.Closed _, ConnectionState.Failed _ -> TERMINAL;
    };
  }

  /// The order in which one listener hears. Of one name: a connection's states in their order, to the
  /// last one, and only then those of the next. One thread at a time.
  final class Order {
    private record Heard(long generation, int rank) {}

    private final Map<String, Heard> last = new HashMap<>(); // by session and name

    void take(HostEvent event) {
      switch (event) {
        case HostEvent.Changed(var status) -> changed(status);
        case HostEvent.Told _ -> {}
        case HostEvent.Dropped _ -> last.clear();
      }
    }

    private void changed(ConnectionStatus status) {
      int rank = rank(status.state());
      Heard before =
          last.put(status.session() + "/" + status.name(), new Heard(status.generation(), rank));
      if (before == null) {
        return;
      }
      boolean next = status.generation() > before.generation && before.rank == TERMINAL;
      boolean same = status.generation() == before.generation && rank >= before.rank;
      if (!next && !same) {
        broken("after #" + before.generation + " in rank " + before.rank + " came " + status);
      }
    }
  }

  // What every report must say.

  /// Notes that there is a connection, which may be another one of the same mark.
  void begun(ConnectionStatus status) {
    if (status.spec() instanceof ServerSpec.Http(_, var headers, _)) {
      endedAt.remove(headers.get(WalkServer.Remote.MARK));
    }
  }

  /// Checks a close.
  ///
  /// @param maybeAbandoned whether user code of the connection may have been left behind
  void check(ConnectionStatus status, CloseReport report, boolean maybeAbandoned) {
    ended.put(status.generation(), System.nanoTime());
    count(report.outcome().name());
    if (report.processes().stream().filter(p -> p.tie() == CloseReport.Tie.CHILD).count() > 1) {
      count("started twice");
    }
    if (status.spec() instanceof ServerSpec.Http(_, var headers, _)) {
      endedAt.put(headers.get(WalkServer.Remote.MARK), System.nanoTime());
    }
    if (status.spec() instanceof ServerSpec.Http(_, var headers, _)
        && report.kept().stream().anyMatch(session -> session.contains("DELETE"))) {
      undeleted.add(headers.get(WalkServer.Remote.MARK));
    }
    if (report.took().compareTo(CloseBudget.MAXIMUM) > 0) {
      broken("a close took too long: " + status + " " + report);
    }
    if (!report.survivors().isEmpty()) {
      broken("a process has survived: " + status + " " + report);
    }
    if (!report.abandoned().isEmpty() && !maybeAbandoned) {
      broken("somebody was left behind: " + status + " " + report);
    }
    Matcher daemon = DAEMON.matcher(report.stderrTail());
    if (daemon.find() && runs(daemon.group(1))) {
      broken("daemon " + daemon.group(1) + " outlives its close: " + status + " " + report);
    }
  }

  /// Returns whether a connection was known to have ended at this instant; it had ended even earlier.
  boolean hasEndedBefore(long generation, long nanos) {
    Long when = ended.get(generation);
    return when != null && when - nanos < 0;
  }

  /// Returns whether the last connection of this mark was known to have ended at this instant.
  boolean hasEndedBefore(String mark, long nanos) {
    Long when = endedAt.get(mark);
    return when != null && when - nanos < 0;
  }

  /// Returns the marks of those whose reports say that the DELETE of their sessions has failed.
  Set<String> undeleted() {
    return undeleted;
  }

  private static boolean runs(String pid) {
    try {
      String stat = Files.readString(Path.of("/proc", pid, "stat"));
      return stat.contains("(sleep)") && !stat.contains(") Z");
    } catch (IOException _) {
      return false;
    }
  }

  // What the log must not say.

  /// Takes the log, which is not printed meanwhile: much goes wrong here, as it is meant to.
  void takeLog() {
    LOGGER.addHandler(this);
    LOGGER.setUseParentHandlers(false);
  }

  @Override
  public void publish(LogRecord line) {
    if (line.getLevel().intValue() >= Level.SEVERE.intValue()) {
      Throwable thrown = line.getThrown();
      String at =
          thrown == null ? "" : " " + List.of(thrown.getStackTrace()).stream().limit(6).toList();
      broken("the log says: " + line.getMessage() + " " + thrown + at);
    }
  }

  @Override
  public void flush() {}

  @Override
  public void close() {
    LOGGER.setUseParentHandlers(true);
    LOGGER.removeHandler(this);
  }
}
