package dev.mcpscope.host;

import static dev.mcpscope.host.McpHostTest.Lab.SERVE;
import static dev.mcpscope.host.McpHostTest.Lab.SILENT;
import static dev.mcpscope.host.McpHostTest.Lab.server;
import static dev.mcpscope.host.McpHostTest.closeReason;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.client.ClientOptions;
import dev.mcpscope.client.CloseReason;
import dev.mcpscope.client.ConnectionClosedException;
import dev.mcpscope.client.ConnectionLostException;
import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.ProtocolViolationException;
import dev.mcpscope.host.ConnectOptions.Restart;
import dev.mcpscope.host.HostOptions.RestartBudget;
import dev.mcpscope.host.McpHostTest.Lab;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.transport.CloseReport;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@EnabledOnOs({OS.LINUX, OS.MAC})
class SessionRestartTest {
  private static final Duration HOUR = Duration.ofHours(1);
  private static final Logger LOGGER = Logger.getLogger("dev.mcpscope.host");

  @TempDir Path temp;

  /// Restarts at once, and never counts anew.
  private static HostOptions attempts(int attempts) {
    Duration first = Duration.ofMillis(10);
    return Lab.quick().withRestart(new RestartBudget(first, first.multipliedBy(4), attempts, HOUR));
  }

  /// Waits for longer than a test takes.
  private static HostOptions waiting() {
    return Lab.quick().withRestart(new RestartBudget(HOUR, HOUR, 5, HOUR));
  }

  private static ConnectOptions onCrash(Lab lab) {
    return lab.replacing().withRestart(Restart.ON_CRASH);
  }

  private static ConnectionStatus connect(Lab lab, String script) throws Exception {
    return lab.host.connect("s", "x", server(script), onCrash(lab));
  }

  /// A server that does at its n-th start what the n-th script says, later what the last one says.
  private String byStart(String... scripts) {
    String starts = temp.resolve("starts").toString();
    var cases = new StringBuilder();
    for (int i = 0; i < scripts.length; i++) {
      String pattern = i < scripts.length - 1 ? Integer.toString(i + 1) : "*";
      cases.append(pattern).append(") ").append(scripts[i]).append(" ;; ");
    }
    return "echo >>%1$s; case $(($(wc -l <%1$s))) in %2$s esac".formatted(starts, cases);
  }

  private int starts() throws Exception {
    return Files.readAllLines(temp.resolve("starts")).size();
  }

  private static void crash() {
    Lab.children().forEach(ProcessHandle::destroyForcibly);
  }

  /// Waits for the failure of a generation, counted from 1.
  private static ConnectionStatus lost(Lab lab, long generation) throws Exception {
    return lab.awaitStatus(
        s -> s.generation() == generation && s.state() instanceof ConnectionState.Failed);
  }

  private static ConnectionStatus connected(Lab lab, long generation) throws Exception {
    return lab.awaitStatus(
        s -> s.generation() == generation && s.state() instanceof ConnectionState.Connected);
  }

  private static CloseReport report(ConnectionStatus failed) {
    return ((ConnectionState.Failed) failed.state()).report();
  }

  // What is started again, and what is not.

  @Test
  void lostServerIsStartedAgainAsAnotherGeneration() throws Exception {
    Lab.run(
        attempts(5),
        lab -> {
          var welcomes = new ArrayList<String>(); // one guest at a time
          lab.onConnect = (name, _) -> welcomes.add(name);
          ConnectionStatus first = connect(lab, SERVE);
          crash();
          ConnectionStatus lost = lost(lab, 1);
          ConnectionStatus second = connected(lab, 2);

          assertThat(lost.restarts()).isTrue();
          assertThat(second.spec()).isEqualTo(first.spec());
          assertThat(second.restarts()).isFalse();
          assertThat(lab.host.statuses("s").orElseThrow()).containsExactly(second);
          assertThat(Lab.children()).hasSize(1);
          assertThat(welcomes).containsExactly("x", "x");
          assertThatThrownBy(first.client().orElseThrow()::ping)
              .isInstanceOf(ConnectionLostException.class);
          assertThat(lab.host.disconnect("s", "x").orElseThrow().reason())
              .isEqualTo(CloseReason.DISCONNECTED.text());
          assertThat(lab.host.statuses()).isEmpty();
        });
  }

  @Test
  void whatTheListenerHearsOfARestartIsWhatItHearsOfAConnect() throws Exception {
    Lab.run(
        attempts(5),
        lab -> {
          connect(lab, SERVE);
          crash();
          connected(lab, 2);
          lab.host.end();
          List<String> first = new ArrayList<>();
          List<String> second = new ArrayList<>();
          for (ConnectionStatus status : lab.heard()) {
            List<String> generation = status.generation() == 1 ? first : second;
            generation.add(status.state().getClass().getSimpleName());
            assertThat(generation == second || second.isEmpty()).as("one after the other").isTrue();
          }
          assertThat(first)
              .containsExactly(
                  "Connecting",
                  "Connecting",
                  "Connecting",
                  "Connecting",
                  "Connected",
                  "Closing",
                  "Failed");
          assertThat(second)
              .containsExactly(
                  "Connecting",
                  "Connecting",
                  "Connecting",
                  "Connecting",
                  "Connected",
                  "Closing",
                  "Closed");
        });
  }

  @Test
  void manyServersThatAreLostTogetherAreAllStartedAgain() throws Exception {
    Lab.run(
        attempts(5),
        lab -> {
          for (int i = 0; i < 8; i++) {
            lab.host.connect("s", "x" + i, server(SERVE), onCrash(lab));
          }
          crash();
          for (int i = 0; i < 8; i++) {
            String name = "x" + i;
            lab.awaitStatus(s ->
                s.name().equals(name)
                    && s.generation() > 8
                    && s.state() instanceof ConnectionState.Connected);
          }
          assertThat(Lab.children()).hasSize(8);
        });
  }

  @Test
  void serverThatNobodyWantsRestartedStaysLost() throws Exception {
    Lab.run(
        attempts(5),
        lab -> {
          lab.connect("y", SERVE); // not by default
          crash();
          assertThat(lost(lab, 1).restarts()).isFalse();
          connect(lab, SERVE);
          crash();
          connected(lab, 3); // while others are
          ConnectionStatus row = lab.host.status("s", "y").orElseThrow();
          assertThat(row.generation()).isEqualTo(1);
          assertThat(row.restarts()).isFalse();
        });
  }

  @Test
  void serverThatBreaksTheProtocolStaysLost() throws Exception {
    Lab.run(
        attempts(5),
        lab -> {
          ClientOptions.Limits limits =
              ClientOptions.Limits.defaults().withMessage(new JsonLimits(1_000, 10, 10));
          ConnectOptions options =
              onCrash(lab).withClient(lab.replacing().client().withLimits(limits));
          String tooLong = "head -c 2000 /dev/zero | tr '\\0' x; ";
          String script = SERVE.replace(SILENT, "read -r _; read -r _; " + tooLong + SILENT);
          ConnectionStatus status = lab.host.connect("s", "x", server(script), options);
          assertThatThrownBy(status.client().orElseThrow()::ping)
              .isInstanceOf(ProtocolViolationException.class);
          assertThat(lost(lab, 1).restarts()).isFalse();
          assertThat(lab.host.status("s", "x")).hasValue(lost(lab, 1));
        });
  }

  @Test
  void connectionThatItsUserHasClosedStaysClosed() throws Exception {
    Lab.run(
        attempts(5),
        lab -> {
          connect(lab, SERVE).client().orElseThrow().close();
          lab.host.disconnect("s", "x"); // waits for its end, if that is still under way
          assertThat(lab.host.statuses()).isEmpty();
        });
  }

  @Test
  void connectThatFailsIsNotRepeated() throws Exception {
    Lab.run(
        attempts(5),
        lab -> {
          assertThatThrownBy(() -> connect(lab, byStart("exit 3")))
              .isInstanceOf(ConnectionLostException.class);
          assertThat(lab.host.statuses()).isEmpty();
          assertThat(lost(lab, 1).restarts()).isFalse();
          assertThat(starts()).isEqualTo(1);
        });
  }

  @Test
  void callThatWasUnderWayIsNotRepeated() throws Exception {
    Lab.run(
        attempts(5),
        lab -> {
          Path log = temp.resolve("log");
          String dies =
              SERVE.replace(
                  SILENT,
                  "while read -r l; do echo \"$l\" >>%s; case $l in *ping*) exit 5;; esac; done"
                      .formatted(log));
          ConnectionStatus status = connect(lab, dies);
          assertThatThrownBy(status.client().orElseThrow()::ping)
              .isInstanceOf(ConnectionLostException.class);
          connected(lab, 2);
          lab.host.disconnect("s", "x");
          assertThat(Files.readAllLines(log)).filteredOn(l -> l.contains("ping")).hasSize(1);
        });
  }

  // How often.

  @Test
  void restartThatFailsIsFollowedByTheNext() throws Exception {
    Lab.run(
        attempts(5),
        lab -> {
          connect(lab, byStart(SERVE, "exit 7", "exit 8", SERVE));
          crash();
          ConnectionStatus status = connected(lab, 4);
          assertThat(List.of(lost(lab, 1), lost(lab, 2), lost(lab, 3)))
              .allMatch(ConnectionStatus::restarts);
          assertThat(lab.host.statuses("s").orElseThrow()).containsExactly(status);
        });
  }

  @Test
  void rowStaysFailedAfterTheLastAttemptAndTheLogSaysSoOnce() throws Exception {
    Lab.run(
        attempts(3),
        lab -> {
          List<String> warnings;
          try (var log = new Log()) {
            connect(lab, byStart(SERVE, "echo no licence >&2; exit 7"));
            crash();
            ConnectionStatus last = lost(lab, 4);
            assertThat(last.restarts()).isFalse();
            assertThat(lab.host.statuses("s").orElseThrow()).containsExactly(last);
            assertThat(lab.host.disconnect("s", "x")).containsSame(report(last));
            warnings = log.warnings();
          }
          assertThat(warnings)
              .containsExactly(
                  "x: restarts are given up after attempt 3: "
                      + "x: the server exited with code 7; its stderr ends: no licence");
          assertThat(starts()).isEqualTo(4);
        });
  }

  @Test
  void restartedServersThatDoNotStayAreCounted() throws Exception {
    Lab.run(
        attempts(2),
        lab -> {
          connect(lab, SERVE);
          for (long generation = 1; generation <= 3; generation++) {
            connected(lab, generation);
            crash();
            assertThat(lost(lab, generation).restarts()).isEqualTo(generation < 3);
          }
        });
  }

  @Test
  void restartedServersThatStayStartTheCountAnew() throws Exception {
    Duration soon = Duration.ofMillis(10);
    Lab.run(
        Lab.quick().withRestart(new RestartBudget(soon, soon, 1, Duration.ofNanos(1))),
        lab -> {
          connect(lab, SERVE);
          for (long generation = 1; generation <= 6; generation++) {
            connected(lab, generation);
            crash();
            assertThat(lost(lab, generation).restarts()).isTrue();
          }
        });
  }

  /// What the host logs as a warning, instead of the console.
  private static final class Log extends Handler implements AutoCloseable {
    private final List<String> warnings = new ArrayList<>(); // guarded by this

    Log() {
      LOGGER.addHandler(this);
      LOGGER.setLevel(Level.WARNING);
      LOGGER.setUseParentHandlers(false);
    }

    @Override
    public synchronized void publish(LogRecord entry) {
      warnings.add(entry.getMessage());
    }

    synchronized List<String> warnings() {
      return List.copyOf(warnings);
    }

    @Override
    public void flush() {}

    @Override
    public void close() {
      LOGGER.setUseParentHandlers(true);
      LOGGER.setLevel(null);
      LOGGER.removeHandler(this);
    }
  }

  // Limits.

  @Test
  void restartThatFindsNoRoomIsAnAttempt() throws Exception {
    Duration second = Duration.ofSeconds(1); // so that the place is taken by then
    Lab.run(
        Lab.quick().withLimits(10, 1, 10).withRestart(new RestartBudget(second, second, 1, HOUR)),
        lab -> {
          connect(lab, byStart(SERVE));
          crash();
          assertThat(lost(lab, 1).restarts()).isTrue();
          List<String> warnings;
          ConnectionStatus row;
          try (var log = new Log()) {
            ConnectionStatus y = lab.host.connect("t", "y", server(SERVE));
            row =
                lab.awaitStatus(s -> s.state() instanceof ConnectionState.Failed && !s.restarts());
            assertThat(lab.host.status("t", "y")).hasValue(y);
            warnings = log.warnings();
          }
          assertThat(row.generation()).isEqualTo(1);
          assertThat(lab.host.status("s", "x")).hasValue(row);
          assertThat(warnings)
              .containsExactly(
                  "x: restarts are given up after attempt 1: "
                      + "the limit of 1 connections is reached");
          assertThat(starts()).isEqualTo(1);

          lab.host.disconnect("t", "y"); // the place is free: none was lost
          connect(lab, SERVE);
        });
  }

  @Test
  void placeOfALostServerIsFreeUntilItIsStartedAgain() throws Exception {
    Lab.run(
        waiting().withLimits(10, 1, 10),
        lab -> {
          connect(lab, SERVE);
          crash();
          lost(lab, 1);
          lab.host.connect("t", "y", server(SERVE));
          assertThatThrownBy(() -> connect(lab, SERVE)).isInstanceOf(LimitException.class);
          assertThat(lab.host.status("s", "x").orElseThrow().restarts()).isTrue();
        });
  }

  @Test
  void sessionThatWaitsForARestartIsNotIdle() throws Exception {
    Duration wait = Duration.ofMillis(300);
    Lab.run(
        Lab.quick()
            .withSessionIdle(Duration.ofMillis(1))
            .withRestart(new RestartBudget(wait, wait, 1, HOUR)),
        lab -> {
          connect(lab, byStart(SERVE, SERVE));
          crash();
          connected(lab, 2);
          crash();
          assertThat(lost(lab, 2).restarts()).isFalse();
          while (lab.host.statuses("s").isPresent()) {
            Thread.onSpinWait(); // now it is idle; the end of a session is told to nobody
          }
        });
  }

  // What comes while a restart is waited for.

  @Test
  void disconnectDuringTheWaitAnswersTheReportAndCancels() throws Exception {
    Lab.run(
        waiting(),
        lab -> {
          connect(lab, byStart(SERVE));
          crash();
          ConnectionStatus row = lost(lab, 1);
          assertThat(lab.host.status("s", "x")).hasValue(row);
          assertThat(row.restarts()).isTrue();
          assertThat(lab.host.disconnect("s", "x")).containsSame(report(row));
          assertThat(lab.host.statuses()).isEmpty(); // the session has nothing to wait for
          assertThat(starts()).isEqualTo(1);
        });
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void connectDuringTheWaitConnectsAtOnceAndCancels(boolean ifAbsent) throws Exception {
    Lab.run(
        waiting(),
        lab -> {
          connect(lab, byStart(SERVE));
          crash();
          lost(lab, 1);
          assertThat(lab.host.status("s", "x").orElseThrow().restarts()).isTrue();
          ConnectionStatus next =
              lab.host.connect("s", "x", server(SERVE), lab.replacing().withIfAbsent(ifAbsent));
          assertThat(next.generation()).isEqualTo(2);
          assertThat(lab.host.statuses("s").orElseThrow()).containsExactly(next);
          crash(); // and the new one is not to be restarted
          assertThat(lost(lab, 2).restarts()).isFalse();
          assertThat(starts()).isEqualTo(1);
        });
  }

  @Test
  void connectStartsTheCountAnew() throws Exception {
    Lab.run(
        attempts(1),
        lab -> {
          connect(lab, SERVE);
          crash();
          connected(lab, 2);
          crash();
          assertThat(lost(lab, 2).restarts()).isFalse();
          connect(lab, SERVE);
          crash();
          connected(lab, 4);
        });
  }

  @Test
  void sessionEndsDuringTheWait() throws Exception {
    Lab.run(
        waiting(),
        lab -> {
          connect(lab, byStart(SERVE));
          crash();
          lost(lab, 1);
          assertThat(lab.host.endSession("s")).hasValue(Map.of()); // nothing was live
          assertThat(lab.host.statuses()).isEmpty();
          assertThat(starts()).isEqualTo(1);
        });
  }

  @Test
  void hostEndsDuringTheWait() throws Exception {
    Lab.run(
        waiting(),
        lab -> {
          connect(lab, byStart(SERVE));
          crash();
          lost(lab, 1);
          HostReport report = lab.host.end();
          assertThat(report.nothingLeft()).isTrue();
          assertThat(report.took()).isLessThan(Duration.ofSeconds(5));
          assertThat(starts()).isEqualTo(1);
        });
  }

  @Test
  void sessionThatIsEndingPromisesNoRestart() throws Exception {
    Lab.run(
        waiting(),
        lab -> {
          connect(lab, SERVE);
          crash();
          assertThat(lost(lab, 1).restarts()).isTrue();
          CountDownLatch release = lab.closeSlowly();
          lab.connect("y", SERVE);
          var end = lab.async(() -> lab.host.endSession("s"));
          lab.await("y", ConnectionState.Closing.class);
          assertThat(lab.host.status("s", "x").orElseThrow().restarts()).isFalse();
          release.countDown();
          assertThat(end.get().orElseThrow()).containsOnlyKeys("y");
        });
  }

  // What comes while a restart is under way, or the crash is.

  @Test
  void disconnectEndsARestartThatIsUnderWay() throws Exception {
    Lab.run(
        attempts(5),
        lab -> {
          connect(lab, byStart(SERVE, SILENT));
          crash();
          lab.awaitStatus(s ->
              s.generation() == 2
                  && s.state().equals(new ConnectionState.Connecting("initialize")));
          CloseReport report = lab.host.disconnect("s", "x").orElseThrow();
          assertThat(report.reason()).isEqualTo(CloseReason.DISCONNECTED.text());
          assertThat(lab.host.statuses()).isEmpty();
          assertThat(Lab.children()).isEmpty();
        });
  }

  @Test
  void connectReplacesARestartThatIsUnderWay() throws Exception {
    Lab.run(
        attempts(5),
        lab -> {
          connect(lab, byStart(SERVE, SILENT));
          crash();
          lab.awaitStatus(s ->
              s.generation() == 2
                  && s.state().equals(new ConnectionState.Connecting("initialize")));
          ConnectionStatus next = lab.connect("x", SERVE);
          assertThat(next.generation()).isEqualTo(3);
          assertThat(lab.host.statuses("s").orElseThrow()).containsExactly(next);
          assertThat(Lab.children()).hasSize(1);
        });
  }

  @Test
  void ifAbsentIsAnsweredLikeTheRestartThatIsUnderWay() throws Exception {
    Lab.run(
        attempts(5),
        lab -> {
          connect(lab, byStart(SERVE, "exit 7", SERVE));
          var release = new CountDownLatch(1);
          lab.onConnect = (_, _) -> release.await();
          crash();
          lab.awaitStatus(s ->
              s.generation() == 3 && s.state().equals(new ConnectionState.Connecting("onConnect")));
          Future<ConnectionStatus> follower = lab.asking("x", "exit 3", lab.ifAbsent());
          lab.settle();
          assertThat(follower.isDone()).isFalse();
          release.countDown();
          assertThat(follower.get().generation()).isEqualTo(3);
          assertThat(lab.host.status("s", "x")).hasValue(follower.get());
        });
  }

  @Test
  void ifAbsentFailsLikeTheRestartThatIsUnderWayAndTheNextOneComes() throws Exception {
    Lab.run(
        attempts(5),
        lab -> {
          connect(lab, SERVE);
          var release = new CountDownLatch(1);
          var calls = new AtomicInteger();
          lab.onConnect =
              (_, _) -> {
                if (calls.incrementAndGet() == 1) {
                  release.await();
                  throw new IllegalStateException("not welcome");
                }
              };
          crash();
          lab.awaitStatus(s ->
              s.generation() == 2 && s.state().equals(new ConnectionState.Connecting("onConnect")));
          Future<ConnectionStatus> follower = lab.asking("x", SERVE, lab.ifAbsent());
          lab.settle();
          release.countDown();
          assertThatThrownBy(follower::get).hasMessageContaining("not welcome");
          connected(lab, 3);
        });
  }

  @Test
  void disconnectDuringTheCloseOfACrashCancels() throws Exception {
    Lab.run(
        waiting(),
        lab -> {
          CountDownLatch release = lab.closeSlowly();
          connect(lab, byStart(SERVE));
          crash();
          lab.await("x", ConnectionState.Closing.class);
          lab.askToDisconnect("x");
          lab.settle();
          release.countDown();
          assertThat(lost(lab, 1).restarts()).isFalse();
          lab.host.disconnect("s", "x"); // waits for its end, if that is still under way
          assertThat(lab.host.statuses()).isEmpty();
          assertThat(starts()).isEqualTo(1);
        });
  }

  @Test
  void connectDuringTheCloseOfACrashCancels() throws Exception {
    Lab.run(
        waiting(),
        lab -> {
          CountDownLatch release = lab.closeSlowly();
          connect(lab, byStart(SERVE));
          crash();
          lab.await("x", ConnectionState.Closing.class);
          Future<ConnectionStatus> next = lab.asking("x", SERVE, lab.replacing());
          lab.settle();
          release.countDown();
          assertThat(next.get().generation()).isEqualTo(2);
          assertThat(lost(lab, 1).restarts()).isFalse();
          assertThat(starts()).isEqualTo(1);
        });
  }

  @Test
  void sessionEndDuringTheCloseOfACrashCancels() throws Exception {
    Lab.run(
        waiting(),
        lab -> {
          CountDownLatch release = lab.closeSlowly();
          connect(lab, byStart(SERVE));
          crash();
          lab.await("x", ConnectionState.Closing.class);
          lab.connect("y", SERVE);
          Future<ConnectionStatus> parked = lab.asking("y", SERVE, lab.replacing());
          var end = lab.async(() -> lab.host.endSession("s"));
          assertThat(closeReason(parked)).isEqualTo(CloseReason.SESSION_ENDED); // so it has begun
          release.countDown();
          assertThat(end.get().orElseThrow()).containsOnlyKeys("x", "y");
          assertThat(lost(lab, 1).restarts()).isFalse();
          assertThat(starts()).isEqualTo(1);
        });
  }

  @RepeatedTest(3)
  void o8_restartsConnectsAndDisconnectsInAnyOrderNeverOverlapAndAreAllAnswered() throws Exception {
    String lock = temp.resolve("lock").toString();
    String diesOfAPing = "while read -r l; do case $l in *ping*) exit 5;; esac; done";
    String exclusive =
        "mkdir %1$s || exit 9; trap 'rmdir %1$s' EXIT; ".formatted(lock)
            + SERVE.replace(SILENT, diesOfAPing);
    Duration soon = Duration.ofMillis(2);
    Lab.run(
        Lab.quick().withRestart(new RestartBudget(soon, soon, 3, Duration.ofMillis(5))),
        lab -> {
          var start = new CyclicBarrier(8);
          var callers = new ArrayList<Future<Void>>();
          for (int i = 0; i < 8; i++) {
            callers.add(
                lab.async(() -> {
                  start.await();
                  for (int round = 0; round < 15; round++) {
                    doAnything(lab, exclusive);
                  }
                  return null;
                }));
          }
          for (Future<Void> caller : callers) {
            caller.get();
          }
          lab.host.end();
          assertThat(Lab.children()).isEmpty();
          assertOneAfterTheOther(lab);
        });
  }

  private static void doAnything(Lab lab, String script) throws Exception {
    var random = ThreadLocalRandom.current();
    try {
      switch (random.nextInt(6)) {
        case 0 -> lab.host.disconnect("s", "x");
        case 1, 2 -> {
          var client = lab.host.status("s", "x").flatMap(ConnectionStatus::client);
          if (client.isPresent()) {
            client.get().ping();
          }
        }
        default -> {
          ConnectOptions options = onCrash(lab).withIfAbsent(random.nextBoolean());
          lab.host.connect("s", "x", server(script), options);
        }
      }
    } catch (ConnectionClosedException e) {
      assertThat(e.reason()).isIn(CloseReason.REPLACED, CloseReason.DISCONNECTED);
    } catch (ConnectionLostException e) {
      assertThat(e).hasMessageContaining("code 5");
    }
  }

  /// A generation's first state comes after the last one of the generation before, and no server
  /// has met another one.
  private static void assertOneAfterTheOther(Lab lab) {
    boolean live = false;
    long generation = 0;
    for (ConnectionStatus status : lab.heard()) {
      if (status.generation() != generation) {
        assertThat(live).as("generation " + generation + " is over").isFalse();
        assertThat(status.generation()).isGreaterThan(generation);
        generation = status.generation();
        live = true;
      }
      if (status.state() instanceof ConnectionState.Failed(var cause, _)) {
        assertThat(cause).hasMessageContaining("code 5");
        live = false;
      }
      live &= !(status.state() instanceof ConnectionState.Closed);
    }
    assertThat(live).isFalse();
  }
}
