package dev.mcpscope.host;

import static dev.mcpscope.HttpFault.on;
import static dev.mcpscope.ShellServer.Habit.ANSWERS_IN_REVERSE;
import static dev.mcpscope.ShellServer.Habit.GRANDCHILD;
import static dev.mcpscope.ShellServer.Habit.IGNORES_EOF;
import static dev.mcpscope.ShellServer.Habit.IGNORES_TERM;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.NothingLeft;
import dev.mcpscope.ScriptedHttpServer;
import dev.mcpscope.ShellServer;
import dev.mcpscope.ShellServer.Habit;
import dev.mcpscope.client.McpClient;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.transport.CloseBudget;
import dev.mcpscope.transport.CloseReport;
import dev.mcpscope.transport.CloseReport.Outcome;
import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/// How much one JVM holds, with the scheduler of virtual threads as it is, and that it lets go of all
/// of it in the host's time. What was measured is printed.
@Timeout(value = 180, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@EnabledOnOs(OS.LINUX)
class CapacityTest {
  /// Twice as many as virtual threads may block in pipes of [Process] before none runs any more.
  private static final int CROWD = 500;

  private static final int SESSIONS = 10;
  private static final int IN_FLIGHT = ShellServer.HELD;

  /// For each server three pipes of which one end is ours, and the other one too while it starts.
  private static final int DESCRIPTORS = 3 * CROWD + 200;

  /// A server, its descendants, and a thread that waits for its exit and one that reads.
  private static final int TASKS = 4 * CROWD + 200;

  /// The defaults, but for the times to connect and to go: on a busy machine the last of a crowd waits
  /// long for its turn, and none is to need a signal only because the machine is slow. The time of the
  /// host, in which all of them have to end, is the default.
  private static final HostOptions OPTIONS =
      HostOptions.defaults()
          .withClient(
              HostOptions.defaults()
                  .client()
                  .withConnectTimeout(Duration.ofMinutes(2))
                  .withClose(
                      new CloseBudget(
                          Duration.ofSeconds(1),
                          Duration.ofSeconds(3),
                          Duration.ofSeconds(2),
                          Duration.ofSeconds(1))));

  /// A host with a crowd of servers, and threads of callers.
  private static final class Crowd implements AutoCloseable {
    final McpHost host = McpHost.open(OPTIONS, new HostListener() {});
    final ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor();
    final List<McpClient> clients = new ArrayList<>();

    /// Connects them all at once.
    void connect(int count, IntFunction<ServerSpec> server) throws Exception {
      clients.addAll(
          inParallel(
              count,
              i -> host.connect(session(i), name(i), server.apply(i)).client().orElseThrow()));
    }

    /// Runs this for each number, at once, in a virtual thread each.
    <T> List<T> inParallel(int count, Each<T> each) throws Exception {
      List<Future<T>> futures =
          IntStream.range(0, count)
              .mapToObj(i -> callers.submit((Callable<T>) () -> each.run(i)))
              .toList();
      var results = new ArrayList<T>();
      for (Future<T> future : futures) {
        results.add(future.get());
      }
      return results;
    }

    @Override
    public void close() {
      host.close();
      callers.close();
    }
  }

  @FunctionalInterface
  private interface Each<T> {
    T run(int i) throws Exception;
  }

  private static String session(int i) {
    return "s" + i % SESSIONS;
  }

  private static String name(int i) {
    return "n" + i;
  }

  private static String echo(McpClient client, String text) throws Exception {
    return client.callTool("echo", Map.of("text", text)).text();
  }

  /// Prints what was measured, beside what there was before.
  private static final class Measured {
    private final long descriptors = descriptors();
    private final int threads = threads();
    private final long heap = liveHeap();
    private final StringBuilder line = new StringBuilder();

    Measured(String what) {
      line.append(what);
    }

    <T> T time(String what, Callable<T> body) throws Exception {
      long begun = System.nanoTime();
      T result = body.call();
      add(what, TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begun) + " ms");
      return result;
    }

    void resources() {
      add("descriptors", (descriptors() - descriptors) + " more than " + descriptors);
      add("platform threads", (threads() - threads) + " more than " + threads);
      add("live heap", (liveHeap() - heap >> 10) + " KiB more than " + (heap >> 10));
    }

    void add(String what, Object value) {
      line.append("; ").append(what).append(": ").append(value);
    }

    void print() {
      System.out.println(line);
    }

    private static int descriptors() {
      return new File("/proc/self/fd").list().length;
    }

    private static long liveHeap() {
      System.gc();
      return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }

    private static int threads() {
      return ManagementFactory.getThreadMXBean().getThreadCount(); // virtual ones do not count
    }
  }

  private static void assumeRoom() throws IOException {
    assumeLimit("Max open files", "ulimit -n", DESCRIPTORS);
    assumeLimit("Max processes", "ulimit -u", TASKS);
  }

  private static void assumeLimit(String row, String command, int least) throws IOException {
    String limit =
        Files.readAllLines(Path.of("/proc/self/limits")).stream()
            .filter(line -> line.startsWith(row))
            .map(line -> line.substring(row.length()).trim().split(" +")[0])
            .findFirst()
            .orElse("unlimited");
    assumeTrue(
        limit.equals("unlimited") || Long.parseLong(limit) >= least,
        CROWD + " servers need " + command + " of " + least + " or more, it is " + limit);
  }

  @Test
  void fiveHundredServersAtOnceAreCalledWhileTheOthersIdleAndAllEndInTheTimeOfTheHost()
      throws Exception {
    assumeRoom();
    NothingLeft.after(() -> {
      var measured = new Measured(CROWD + " servers");
      try (var crowd = new Crowd()) {
        measured.time(
            "connected in",
            () -> {
              crowd.connect(CROWD, _ -> ShellServer.with());
              return null;
            });
        measured.resources();
        measured.time(
            "a call of each, one after the other",
            () -> crowd.callers.submit(() -> callEach(crowd.clients)).get());
        List<String> answers =
            measured.time(
                "a call of each, all at once",
                () -> crowd.inParallel(CROWD, i -> echo(crowd.clients.get(i), "at once " + i)));
        for (int i = 0; i < CROWD; i++) {
          assertThat(answers.get(i)).isEqualTo("at once " + i);
        }

        HostReport report = crowd.host.end();
        measured.add("ended in", report.took().toMillis() + " ms");
        measured.print();
        assertThat(outcomes(report)).isEqualTo(Map.of(Outcome.GRACEFUL, CROWD));
        assertEndedInTime(report);
      }
    });
  }

  private static Void callEach(List<McpClient> clients) throws Exception {
    for (int i = 0; i < CROWD; i++) {
      assertThat(echo(clients.get(i), "to " + i)).isEqualTo("to " + i);
    }
    return null;
  }

  private static void assertEndedInTime(HostReport report) {
    assertThat(report.unfinished()).isEmpty();
    assertThat(report.took()).isLessThan(OPTIONS.close());
    assertThat(report.nothingLeft()).as("%s", report).isTrue();
  }

  private static Map<Outcome, Integer> outcomes(HostReport report) {
    var outcomes = new HashMap<Outcome, Integer>();
    reports(report).forEach(close -> outcomes.merge(close.outcome(), 1, Integer::sum));
    return outcomes;
  }

  private static List<CloseReport> reports(HostReport report) {
    return report.sessions().values().stream()
        .flatMap(session -> session.values().stream())
        .toList();
  }

  @Test
  void fiveHundredServersOfWhichATenthHasToBeKilledEndInTheTimeOfTheHostAndAllAreReported()
      throws Exception {
    assumeRoom();
    NothingLeft.after(() -> {
      var measured = new Measured(CROWD + " servers, a tenth of them stubborn");
      try (var crowd = new Crowd()) {
        measured.time(
            "connected in",
            () -> {
              crowd.connect(CROWD, i -> ShellServer.with(habits(i)));
              return null;
            });
        measured.resources();

        HostReport report = crowd.host.end();
        measured.add("ended in", report.took().toMillis() + " ms");
        measured.print();
        for (int i = 0; i < CROWD; i++) {
          Habit[] habits = habits(i);
          Outcome expected =
              habits.length == 0
                  ? Outcome.GRACEFUL
                  : habits.length == 1 ? Outcome.TERMINATED : Outcome.KILLED;
          CloseReport close = report.sessions().get(session(i)).get(name(i));
          assertThat(close.outcome()).as("%d: %s", i, close).isEqualTo(expected);
          assertThat(close.processes()).hasSize(habits.length == 1 ? 2 : 1); // the grandchild too
        }
        assertEndedInTime(report);
      }
    });
  }

  /// Every twentieth ignores what it is told, every twentieth leaves its pipe to another process.
  private static Habit[] habits(int i) {
    return switch (i % 20) {
      case 0 -> new Habit[] {IGNORES_EOF, IGNORES_TERM};
      case 7 -> new Habit[] {GRANDCHILD};
      default -> new Habit[0];
    };
  }

  @Test
  void sixtyFourCallsAreInFlightOnEachOfTwentyConnectionsAndEachGetsItsOwnAnswer()
      throws Exception {
    NothingLeft.after(() -> {
      var measured = new Measured("20 connections, half of them over HTTP");
      try (var http =
              ScriptedHttpServer.with(on("tools/call", new Act.Held("all are in flight", false)));
          var crowd = new Crowd()) {
        crowd.connect(
            20,
            i -> i % 2 == 0 ? ShellServer.with(ANSWERS_IN_REVERSE) : ServerSpec.http(http.url()));
        List<String> answers =
            measured.time(
                IN_FLIGHT + " calls in flight on each",
                () -> {
                  Future<List<String>> calls =
                      crowd.callers.submit(() ->
                          crowd.inParallel(
                              20 * IN_FLIGHT, i -> echo(crowd.clients.get(i % 20), "call " + i)));
                  http.awaitRequest("tools/call", 10 * IN_FLIGHT);
                  http.release("all are in flight");
                  return calls.get();
                });
        for (int i = 0; i < answers.size(); i++) {
          assertThat(answers.get(i)).isEqualTo("call " + i);
        }
        measured.add("ended in", crowd.host.end().took().toMillis() + " ms");
        measured.print();
        assertThat(http.violations()).isEmpty();
      }
    });
  }
}
