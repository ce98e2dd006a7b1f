package dev.mcpscope.host;

import static dev.mcpscope.host.McpHostTest.Lab.SERVE;
import static dev.mcpscope.host.McpHostTest.Lab.SILENT;
import static dev.mcpscope.host.McpHostTest.Lab.server;
import static dev.mcpscope.host.McpHostTest.closeReason;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.client.CallTimeoutException;
import dev.mcpscope.client.ClientOptions;
import dev.mcpscope.client.CloseReason;
import dev.mcpscope.client.ConnectionClosedException;
import dev.mcpscope.client.ConnectionLostException;
import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.McpClient;
import dev.mcpscope.client.McpException;
import dev.mcpscope.client.RemoteErrorException;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.host.McpHostTest.Lab;
import dev.mcpscope.transport.CloseReport;
import dev.mcpscope.transport.CloseReport.Outcome;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@EnabledOnOs({OS.LINUX, OS.MAC})
class SessionTest {

  @TempDir Path temp;

  // One name, one connection.

  @RepeatedTest(5)
  void o8_ofManyConcurrentConnectsOneConnectionAndOneProcessStay() throws Exception {
    Lab.run(lab -> {
      var start = new CyclicBarrier(24);
      var connects = new ArrayList<Future<ConnectionStatus>>();
      for (int i = 0; i < 24; i++) {
        connects.add(
            lab.async(() -> {
              start.await();
              return lab.connect("x", exclusive());
            }));
      }
      long newest = 0;
      for (Future<ConnectionStatus> connect : connects) {
        try {
          newest = Math.max(newest, connect.get().generation());
        } catch (ExecutionException e) {
          assertThat(closeReason(connect)).isEqualTo(CloseReason.REPLACED);
        }
      }
      ConnectionStatus left = lab.host.status("s", "x").orElseThrow();
      assertThat(left.state()).isInstanceOf(ConnectionState.Connected.class);
      assertThat(left.generation()).isEqualTo(newest);
      assertThat(lab.host.statuses("s").orElseThrow()).hasSize(1);
      assertThat(Lab.children()).hasSize(1);
      lab.host.end();
      assertOneAfterTheOther(lab);
    });
  }

  @RepeatedTest(3)
  void connectsAndDisconnectsInAnyOrderAreAllAnswered() throws Exception {
    Lab.run(lab -> {
      var start = new CyclicBarrier(8);
      var callers = new ArrayList<Future<Void>>();
      for (int i = 0; i < 8; i++) {
        callers.add(
            lab.async(() -> {
              start.await();
              for (int round = 0; round < 10; round++) {
                if (ThreadLocalRandom.current().nextBoolean()) {
                  lab.host
                      .disconnect("s", "x")
                      .ifPresent(report -> assertThat(report.nothingLeft()).isTrue());
                } else {
                  try {
                    lab.connect("x", exclusive());
                  } catch (ConnectionClosedException e) {
                    assertThat(e.reason()).isIn(CloseReason.REPLACED, CloseReason.DISCONNECTED);
                  }
                }
              }
              return null;
            }));
      }
      for (Future<Void> caller : callers) {
        caller.get();
      }
      lab.host.disconnect("s", "x");
      assertThat(Lab.children()).isEmpty();
      lab.host.end();
      assertOneAfterTheOther(lab);
    });
  }

  /// A server that, like one that holds a port, fails when there is another of its kind.
  private String exclusive() {
    String lock = temp.resolve("lock").toString();
    String log = temp.resolve("log").toString();
    return "mkdir %1$s || exit 9; echo start >>%2$s; trap 'echo end >>%2$s; rmdir %1$s' EXIT; %3$s"
        .formatted(lock, log, SERVE);
  }

  /// By the listener: a generation's first state comes after the last one of the generation before.
  /// By the processes: a server starts when the one before has ended.
  private void assertOneAfterTheOther(Lab lab) throws Exception {
    boolean live = false;
    long generation = 0;
    for (ConnectionStatus status : lab.heard()) {
      if (status.generation() != generation) {
        assertThat(live).as("generation " + generation + " is over").isFalse();
        assertThat(status.generation()).isGreaterThan(generation);
        assertThat(status.state()).isEqualTo(new ConnectionState.Connecting("start"));
        generation = status.generation();
        live = true;
      }
      assertThat(status.state())
          .as(status.toString())
          .isNotInstanceOf(ConnectionState.Failed.class);
      live &= !(status.state() instanceof ConnectionState.Closed);
    }
    assertThat(live).isFalse();
    Path log = temp.resolve("log");
    List<String> lines = Files.exists(log) ? Files.readAllLines(log) : List.of();
    for (int i = 0; i < lines.size(); i++) {
      assertThat(lines.get(i)).isEqualTo(i % 2 == 0 ? "start" : "end");
    }
    assertThat(lines.size() % 2).isZero();
  }

  @Test
  void o8_connectEndsTheOlderConnectionFirst() throws Exception {
    Lab.run(lab -> {
      ConnectionStatus old = lab.connect("x", SERVE);
      ProcessHandle process = Lab.children().getFirst();
      ConnectionStatus next = lab.connect("x", SERVE);

      assertThat(process.isAlive()).isFalse();
      assertThat(Lab.children()).hasSize(1);
      assertThat(next.generation()).isGreaterThan(old.generation());
      assertThat(lab.host.status("s", "x")).hasValue(next);
      assertThatThrownBy(client(old)::ping)
          .isInstanceOfSatisfying(
              ConnectionClosedException.class,
              e -> assertThat(e.reason()).isEqualTo(CloseReason.REPLACED));
      var closed = (ConnectionState.Closed) lab.await("x", ConnectionState.Closed.class).state();
      assertThat(closed.report().reason()).isEqualTo(CloseReason.REPLACED.text());
    });
  }

  @Test
  void o8_newestOfTheConnectsThatWaitWins() throws Exception {
    Lab.run(lab -> {
      CountDownLatch release = lab.closeSlowly();
      lab.connect("x", SERVE);
      Future<ConnectionStatus> first = lab.connecting("x", SERVE);
      lab.await("x", ConnectionState.Closing.class); // so the first one waits
      Future<ConnectionStatus> second = lab.connecting("x", SERVE);
      assertThat(closeReason(first)).isEqualTo(CloseReason.REPLACED); // so the second one waits
      Future<ConnectionStatus> third = lab.connecting("x", SERVE);
      assertThat(closeReason(second)).isEqualTo(CloseReason.REPLACED);
      assertThat(third.isDone()).isFalse();
      assertThat(Lab.children()).hasSize(1);
      release.countDown();

      ConnectionStatus connected = third.get();
      assertThat(lab.host.status("s", "x")).hasValue(connected);
      assertThat(Lab.children()).hasSize(1);
    });
  }

  @Test
  void connectReplacesOneThatIsStillConnecting() throws Exception {
    Lab.run(lab -> {
      Future<ConnectionStatus> silent = lab.connecting("x", SILENT);
      lab.awaitPhase("x", "initialize");
      ConnectionStatus next = lab.connect("x", SERVE);
      assertThat(closeReason(silent)).isEqualTo(CloseReason.REPLACED);
      assertThat(lab.host.statuses("s").orElseThrow()).containsExactly(next);
      assertThat(Lab.children()).hasSize(1);
    });
  }

  @Test
  void namesDoNotWaitForEachOther() throws Exception {
    Lab.run(lab -> {
      lab.connecting("silent", SILENT);
      lab.awaitPhase("silent", "initialize");
      CountDownLatch release = lab.closeSlowly();
      lab.connect("closing", SERVE);
      var disconnect = lab.async(() -> lab.host.disconnect("s", "closing"));
      lab.await("closing", ConnectionState.Closing.class);

      lab.connect("x", SERVE);
      assertThat(disconnect.isDone()).isFalse();
      release.countDown();
      disconnect.get();
      assertThat(lab.host.statuses("s").orElseThrow())
          .extracting(ConnectionStatus::name)
          .containsExactly("silent", "x");
    });
  }

  // Connects for an absent name.

  @Test
  void ifAbsentKeepsAConnectionThatIsThereWhateverItsServer() throws Exception {
    Lab.run(
        Lab.quick().withLimits(1, 1, 1), // it needs no place either
        lab -> {
          ConnectionStatus old = lab.connect("x", SERVE);
          List<ProcessHandle> processes = Lab.children();
          ConnectionStatus kept =
              lab.host.connect("s", "x", ServerSpec.stdio("/nowhere"), lab.ifAbsent());
          assertThat(kept).isEqualTo(old);
          assertThat(lab.host.status("s", "x")).hasValue(old);
          assertThat(Lab.children()).isEqualTo(processes);
          client(old).close();
          assertThat(lab.heard()).allMatch(status -> status.generation() == old.generation());
        });
  }

  @Test
  void ifAbsentConnectsWhereThereIsNothing() throws Exception {
    Lab.run(lab -> {
      ConnectionStatus status = lab.host.connect("s", "x", server(SERVE), lab.ifAbsent());
      assertThat(lab.host.status("s", "x")).hasValue(status);
      assertThatThrownBy(() -> lab.host.connect("s", "y", server("exit 3"), lab.ifAbsent()))
          .isInstanceOf(ConnectionLostException.class);
    });
  }

  @Test
  void ifAbsentConnectsWhatWasLost() throws Exception {
    Lab.run(lab -> {
      ConnectionStatus old = lab.connect("x", SERVE);
      Lab.children().forEach(ProcessHandle::destroyForcibly);
      lab.await("x", ConnectionState.Failed.class);
      ConnectionStatus next = lab.host.connect("s", "x", server(SERVE), lab.ifAbsent());
      assertThat(next.generation()).isGreaterThan(old.generation());
      assertThat(lab.host.statuses("s").orElseThrow()).containsExactly(next);
    });
  }

  @Test
  void ifAbsentIsAnsweredLikeTheConnectThatIsUnderWay() throws Exception {
    Lab.run(lab -> {
      var release = new CountDownLatch(1);
      lab.onConnect = (_, _) -> release.await();
      Future<ConnectionStatus> first = lab.asking("x", SERVE, lab.ifAbsent());
      lab.awaitPhase("x", "onConnect");
      Future<ConnectionStatus> second = lab.asking("x", "exit 3", lab.ifAbsent());
      Future<ConnectionStatus> third = lab.asking("x", "exit 3", lab.ifAbsent());
      lab.settle();
      assertThat(List.of(first, second, third)).noneMatch(Future::isDone);
      release.countDown();

      assertThat(second.get()).isSameAs(first.get());
      assertThat(third.get()).isSameAs(first.get());
      assertThat(lab.host.status("s", "x")).hasValue(first.get());
      assertThat(lab.heard())
          .allMatch(status -> status.generation() == lab.heard().getFirst().generation());
    });
  }

  @Test
  void ifAbsentFailsLikeTheConnectThatIsUnderWay() throws Exception {
    Lab.run(lab -> {
      var release = new CountDownLatch(1);
      lab.onConnect =
          (_, _) -> {
            release.await();
            throw new IllegalStateException("not welcome");
          };
      Future<ConnectionStatus> first = lab.asking("x", SERVE, lab.replacing());
      lab.awaitPhase("x", "onConnect");
      Future<ConnectionStatus> second = lab.asking("x", SERVE, lab.ifAbsent());
      lab.settle();
      release.countDown();

      assertThatThrownBy(second::get)
          .hasCauseInstanceOf(ConnectionLostException.class)
          .hasMessageContaining("not welcome");
      assertThat(first.exceptionNow()).isSameAs(second.exceptionNow());
      assertThat(lab.host.statuses()).isEmpty();
    });
  }

  @Test
  void callersThatShareAConnectCannotTakeItFromEachOther() throws Exception {
    Lab.run(lab -> {
      var release = new CountDownLatch(1);
      lab.onConnect = (_, _) -> release.await();
      var caller = new AtomicReference<Thread>();
      Future<ConnectionStatus> first =
          lab.async(() -> {
            caller.set(Thread.currentThread());
            return lab.connect("x", SERVE);
          });
      lab.awaitPhase("x", "onConnect");
      Future<ConnectionStatus> second = lab.asking("x", SERVE, lab.ifAbsent());
      Future<ConnectionStatus> third = lab.asking("x", SERVE, lab.ifAbsent());
      lab.settle();
      caller.get().interrupt();
      assertThatThrownBy(first::get).hasCauseInstanceOf(InterruptedException.class);
      second.cancel(true);
      release.countDown();
      ConnectionStatus connected = third.get();
      assertThat(lab.host.status("s", "x")).hasValue(connected);
    });
  }

  @ParameterizedTest
  @EnumSource(names = {"REPLACED", "DISCONNECTED", "SESSION_ENDED", "HOST_ENDED"})
  void ifAbsentIsEndedLikeTheConnectThatIsUnderWay(CloseReason reason) throws Exception {
    Lab.run(lab -> {
      Future<ConnectionStatus> first = lab.asking("x", SILENT, lab.replacing());
      Future<ConnectionStatus> second = lab.asking("x", SERVE, lab.ifAbsent());
      lab.settle();
      end(lab, reason);
      assertThat(closeReason(first)).isEqualTo(reason);
      assertThat(closeReason(second)).isEqualTo(reason);
    });
  }

  @ParameterizedTest
  @EnumSource(names = {"REPLACED", "DISCONNECTED", "SESSION_ENDED", "HOST_ENDED"})
  void ifAbsentIsEndedLikeTheConnectThatWaits(CloseReason reason) throws Exception {
    Lab.run(lab -> {
      CountDownLatch release = lab.closeSlowly();
      lab.connect("x", SERVE);
      Future<ConnectionStatus> first = lab.asking("x", SERVE, lab.replacing());
      Future<ConnectionStatus> second = lab.asking("x", SERVE, lab.ifAbsent());
      lab.settle();
      Future<?> end =
          lab.async(() -> {
            end(lab, reason);
            return null;
          });
      assertThat(closeReason(first)).isEqualTo(reason);
      assertThat(closeReason(second)).isEqualTo(reason);
      release.countDown();
      end.get();
    });
  }

  private static void end(Lab lab, CloseReason reason) throws Exception {
    switch (reason) {
      case REPLACED -> lab.connect("x", SERVE);
      case DISCONNECTED -> lab.host.disconnect("s", "x");
      case SESSION_ENDED -> lab.host.endSession("s");
      case HOST_ENDED -> lab.host.end();
      case CLOSED, OWNER_INTERRUPTED -> throw new IllegalArgumentException();
    }
  }

  @Test
  void ifAbsentIsAnsweredLikeTheReplacementThatWaits() throws Exception {
    Lab.run(lab -> {
      CountDownLatch release = lab.closeSlowly();
      ConnectionStatus old = lab.connect("x", SERVE);
      Future<ConnectionStatus> replacement = lab.asking("x", SERVE, lab.replacing());
      Future<ConnectionStatus> second = lab.asking("x", "exit 3", lab.ifAbsent());
      lab.settle();
      assertThat(replacement.isDone()).isFalse();
      assertThat(second.isDone()).isFalse();
      release.countDown();

      assertThat(second.get()).isSameAs(replacement.get());
      assertThat(second.get().generation()).isEqualTo(old.generation() + 1);
    });
  }

  @Test
  void o8_ifAbsentWaitsForTheEndOfWhatIsBeingDisconnected() throws Exception {
    Lab.run(lab -> {
      CountDownLatch release = lab.closeSlowly();
      ConnectionStatus old = lab.connect("x", SERVE);
      var disconnect = lab.async(() -> lab.host.disconnect("s", "x"));
      lab.await("x", ConnectionState.Closing.class);
      Future<ConnectionStatus> next = lab.asking("x", SERVE, lab.ifAbsent());
      Future<ConnectionStatus> another = lab.asking("x", "exit 3", lab.ifAbsent());
      lab.settle();
      assertThat(next.isDone()).isFalse();
      assertThat(Lab.children()).hasSize(1);
      release.countDown();

      assertThat(next.get().generation()).isEqualTo(old.generation() + 1);
      assertThat(another.get()).isSameAs(next.get());
      assertThat(disconnect.get()).isPresent();
      assertThat(Lab.children()).hasSize(1);
    });
  }

  @Test
  void o8_ifAbsentWaitsForTheEndOfACrash() throws Exception {
    Lab.run(lab -> {
      CountDownLatch release = lab.closeSlowly();
      ConnectionStatus old = lab.connect("x", SERVE);
      Lab.children().forEach(ProcessHandle::destroyForcibly);
      lab.await("x", ConnectionState.Closing.class);
      Future<ConnectionStatus> next = lab.asking("x", SERVE, lab.ifAbsent());
      lab.settle();
      assertThat(next.isDone()).isFalse();
      release.countDown();
      assertThat(next.get().generation()).isEqualTo(old.generation() + 1);
      assertThat(lab.host.status("s", "x")).hasValue(next.get());
    });
  }

  @Test
  void ifAbsentNeverGetsWhatWasToldToStop() throws Exception {
    Lab.run(lab -> {
      lab.connect("other", SERVE); // keeps the session
      for (int round = 0; round < 40; round++) {
        ConnectionStatus old = lab.connect("x", SERVE);
        lab.askToDisconnect("x"); // it still says that it is connected, perhaps
        ConnectionStatus next = lab.host.connect("s", "x", server(SERVE), lab.ifAbsent());
        assertThat(next.generation()).as("round " + round).isEqualTo(old.generation() + 1);
        assertThat(lab.host.status("s", "x")).hasValue(next);
      }
    });
  }

  // Generations.

  @Test
  void generationsGrowOverAllSessions() throws Exception {
    Lab.run(lab -> {
      var generations = new ArrayList<Long>();
      for (String session : List.of("s", "t", "s", "u")) {
        generations.add(lab.host.connect(session, "x", server(SERVE)).generation());
        assertThatThrownBy(() -> lab.host.connect(session, "y", server("exit 1")))
            .isInstanceOf(ConnectionLostException.class);
      }
      assertThat(generations).isSorted().doesNotHaveDuplicates();
    });
  }

  @Test
  void closingAnOldClientTouchesNothingOfTheNewConnection() throws Exception {
    Lab.run(lab -> {
      McpClient old = client(lab.connect("x", SERVE));
      ConnectionStatus next = lab.connect("x", SERVE);
      List<ProcessHandle> processes = Lab.children();
      old.close();
      assertThat(old.closeAndReport().reason()).isEqualTo(CloseReason.REPLACED.text());
      assertThat(lab.host.status("s", "x")).hasValue(next);
      assertThat(Lab.children()).isEqualTo(processes);
    });
  }

  @Test
  void o8_lateEndOfACrashTouchesNothingOfTheNewConnection() throws Exception {
    Lab.run(lab -> {
      CountDownLatch release = lab.closeSlowly();
      ConnectionStatus old = lab.connect("x", SERVE);
      Lab.children().forEach(ProcessHandle::destroyForcibly);
      lab.await("x", ConnectionState.Closing.class); // it has crashed, and is being released
      Future<ConnectionStatus> next = lab.connecting("x", SERVE);
      release.countDown();

      ConnectionStatus connected = next.get();
      assertThat(connected.generation()).isGreaterThan(old.generation());
      assertThat(lab.await("x", ConnectionState.Failed.class).generation())
          .isEqualTo(old.generation());
      assertThat(lab.host.status("s", "x")).hasValue(connected);
    });
  }

  @Test
  void connectionClosedByAUserOfItsClientLeavesNoRow() throws Exception {
    Lab.run(lab -> {
      ConnectionStatus connected = lab.connect("x", SERVE);
      client(connected).close();
      lab.host.disconnect("s", "x"); // waits for its end, if that is still under way
      assertThat(lab.host.status("s", "x")).isEmpty();
      var closed = (ConnectionState.Closed) lab.await("x", ConnectionState.Closed.class).state();
      assertThat(closed.report().reason()).isEqualTo(CloseReason.CLOSED.text());
    });
  }

  // Disconnects.

  @Test
  void disconnectEndsAConnectThatIsUnderWay() throws Exception {
    Lab.run(lab -> {
      Future<ConnectionStatus> silent = lab.connecting("x", SILENT);
      lab.awaitPhase("x", "initialize");
      CloseReport report = lab.host.disconnect("s", "x").orElseThrow();

      assertThat(report.reason()).isEqualTo(CloseReason.DISCONNECTED.text());
      assertThat(report.outcome()).isEqualTo(Outcome.GRACEFUL);
      assertThat(report.nothingLeft()).isTrue();
      assertThat(Lab.children()).isEmpty();
      assertThat(closeReason(silent)).isEqualTo(CloseReason.DISCONNECTED);
    });
  }

  @Test
  void disconnectEndsAConnectThatWaitsForItsName() throws Exception {
    Lab.run(lab -> {
      CountDownLatch release = lab.closeSlowly();
      lab.connect("x", SERVE);
      Future<ConnectionStatus> waits = lab.connecting("x", SERVE);
      lab.await("x", ConnectionState.Closing.class);
      var disconnect = lab.async(() -> lab.host.disconnect("s", "x"));

      assertThat(closeReason(waits)).isEqualTo(CloseReason.DISCONNECTED);
      assertThat(disconnect.isDone()).isFalse();
      release.countDown();
      assertThat(disconnect.get().orElseThrow().reason()).isEqualTo(CloseReason.REPLACED.text());
      assertThat(Lab.children()).isEmpty();
    });
  }

  @Test
  void everyDisconnectThatWaitsGetsTheReport() throws Exception {
    Lab.run(lab -> {
      CountDownLatch release = lab.closeSlowly();
      lab.connect("x", SERVE);
      var disconnects = new ArrayList<Future<Optional<CloseReport>>>();
      disconnects.add(lab.async(() -> lab.host.disconnect("s", "x")));
      lab.await("x", ConnectionState.Closing.class);
      Future<ConnectionStatus> waits = lab.asking("x", SERVE, lab.replacing());
      disconnects.add(lab.async(() -> lab.host.disconnect("s", "x")));
      assertThat(closeReason(waits)).isEqualTo(CloseReason.DISCONNECTED); // so the second one waits
      release.countDown();

      CloseReport report = disconnects.getFirst().get().orElseThrow();
      assertThat(disconnects.getLast().get()).containsSame(report);
      assertThat(lab.host.disconnect("s", "x")).isEmpty();
    });
  }

  @Test
  void disconnectOfWhatIsNotThereIsEmpty() throws Exception {
    Lab.run(lab -> {
      assertThat(lab.host.disconnect("nobody", "x")).isEmpty();
      ConnectionStatus x = lab.connect("x", SERVE);
      assertThat(lab.host.disconnect("s", "y")).isEmpty();
      assertThat(lab.host.disconnect("t", "x")).isEmpty();
      assertThat(lab.host.statuses()).isEqualTo(Map.of("s", List.of(x)));
    });
  }

  @Test
  void disconnectedNameIsGoneWhenItsReportIsThere() throws Exception {
    Lab.run(lab -> {
      lab.connect("other", SERVE); // keeps the session
      for (int round = 0; round < 40; round++) {
        lab.connect("x", SERVE);
        lab.host.disconnect("s", "x").orElseThrow();
        assertThat(lab.host.status("s", "x")).as("round " + round).isEmpty();
      }
    });
  }

  // Connects that fail, connections that are lost.

  @Test
  void failedConnectLeavesNoRow() throws Exception {
    Lab.run(lab -> {
      lab.connect("other", SERVE); // keeps the session
      for (int round = 0; round < 200; round++) {
        assertThatThrownBy(
                () -> lab.host.connect("s", "x", ServerSpec.stdio("/nowhere/to/be/found")))
            .isInstanceOf(ConnectionLostException.class);
        assertThat(lab.host.status("s", "x")).as("round " + round).isEmpty();
      }
    });
  }

  @Test
  void failedConnectIsToldItsCause() throws Exception {
    Lab.run(lab -> {
      assertThatThrownBy(() -> lab.connect("x", "echo no licence >&2; exit 3"))
          .isInstanceOf(ConnectionLostException.class)
          .hasMessage("x: the server exited with code 3; its stderr ends: no licence");
      assertThat(Lab.children()).isEmpty();
    });
  }

  @Test
  void eachConnectHasItsOwnTime() throws Exception {
    Lab.run(lab -> {
      Path gate = temp.resolve("gate");
      assertThat(new ProcessBuilder("mkfifo", gate.toString()).start().waitFor()).isZero();
      Future<ConnectionStatus> slow = lab.connecting("slow", "read -r _ <" + gate + "; " + SERVE);
      lab.awaitPhase("slow", "initialize");
      ClientOptions hasty = Lab.quick().client().withConnectTimeout(Duration.ofMillis(300));
      assertThatThrownBy(
              () -> lab.host.connect("s", "hasty", server(SILENT), ConnectOptions.of(hasty)))
          .isInstanceOf(CallTimeoutException.class)
          .hasMessage("hasty: not connected within 300 ms; waiting for initialize");
      Files.writeString(gate, "start\n");
      assertThat(slow.get().state()).isInstanceOf(ConnectionState.Connected.class);
      assertThat(lab.host.statuses("s").orElseThrow()).containsExactly(slow.get());
    });
  }

  /// Each start leaves a child that holds what the next start needs.
  @Test
  void failedConnectsLeaveNothingThatTheNextOneMeets() throws Exception {
    Lab.run(lab -> {
      String holder =
          "up=$({ trap 'rmdir %1$s; exit' TERM; mkdir %1$s && echo up; exec >&-; sleep 60 & wait; } &)"
                  .formatted(temp.resolve("port"))
              + "; [ \"$up\" = up ] || exit 9; ";
      String error = "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-1,\"message\":\"no\"}}";
      for (int i = 0; i < 5; i++) {
        assertThatThrownBy(
                () -> lab.connect("x", holder + "read -r _; echo '" + error + "'; " + SILENT))
            .isInstanceOf(RemoteErrorException.class);
        assertThat(ProcessHandle.current().descendants()).isEmpty();
      }
      lab.connect("x", holder + SERVE);
    });
  }

  @Test
  void nothingIsKeptOfAConnectionThatWasReplaced() throws Exception {
    Lab.run(lab -> {
      var queue = new ReferenceQueue<McpClient>();
      var references = new HashSet<Reference<?>>();
      for (int i = 0; i < 4; i++) {
        references.add(new WeakReference<>(client(lab.connect("x", SERVE)), queue));
      }
      ConnectionStatus last = lab.connect("x", SERVE);
      lab.awaitStatus(last::equals); // by now all that was told of the others was heard
      lab.forget();
      for (int i = 0; i < 10 && !references.isEmpty(); i++) {
        System.gc();
        references.remove(queue.remove(1_000));
      }
      assertThat(references).isEmpty();
    });
  }

  @Test
  void failedConnectThatReplacedAConnectionLeavesTheNameFree() throws Exception {
    Lab.run(lab -> {
      lab.connect("x", SERVE);
      assertThatThrownBy(() -> lab.connect("x", "exit 3")).isInstanceOf(McpException.class);
      lab.connect("x", SERVE);
    });
  }

  @Test
  void lostConnectionIsARowUntilItIsDisconnected() throws Exception {
    Lab.run(lab -> {
      ConnectionStatus connected = lab.connect("x", "echo so far so good >&2; " + SERVE);
      Lab.children().forEach(ProcessHandle::destroyForcibly);
      lab.await("x", ConnectionState.Failed.class);

      ConnectionStatus row = lab.host.status("s", "x").orElseThrow();
      assertThat(lab.host.statuses("s").orElseThrow()).containsExactly(row);
      assertThat(row.generation()).isEqualTo(connected.generation());
      var failed = (ConnectionState.Failed) row.state();
      assertThat(failed.cause())
          .isInstanceOf(ConnectionLostException.class)
          .hasMessage("x: the server exited with code 137; its stderr ends: so far so good");
      assertThat(failed.report().reason()).isEqualTo(failed.cause().getMessage());
      assertThat(failed.report().exitCode()).isEqualTo(OptionalInt.of(137));
      assertThat(failed.report().nothingLeft()).isTrue();
      assertThatThrownBy(client(connected)::ping)
          .isInstanceOf(ConnectionLostException.class)
          .hasMessage(failed.cause().getMessage());

      assertThat(lab.host.disconnect("s", "x")).containsSame(failed.report());
      assertThat(lab.host.disconnect("s", "x")).isEmpty();
    });
  }

  @Test
  void newConnectTakesThePlaceOfALostConnection() throws Exception {
    Lab.run(lab -> {
      lab.connect("x", SERVE);
      Lab.children().forEach(ProcessHandle::destroyForcibly);
      lab.await("x", ConnectionState.Failed.class);
      ConnectionStatus next = lab.connect("x", SERVE);
      assertThat(lab.host.statuses("s").orElseThrow()).containsExactly(next);
    });
  }

  // Callbacks.

  @Test
  void callbacksAreCalledOnceEachInPairs() throws Exception {
    Lab.run(lab -> {
      Map<String, Integer> calls = new HashMap<>(); // one guest at a time
      lab.onConnect = (name, client) -> calls.merge("onConnect " + name, 1, Integer::sum);
      lab.onDisconnect = (name, client) -> calls.merge("onDisconnect " + name, 1, Integer::sum);
      lab.connect("x", SERVE);
      lab.host.disconnect("s", "x");
      lab.connect("y", SERVE);
      Lab.children().forEach(ProcessHandle::destroyForcibly);
      lab.await("y", ConnectionState.Failed.class);
      assertThatThrownBy(() -> lab.connect("z", "exit 1")).isInstanceOf(McpException.class);
      lab.connect("w", SERVE);
      lab.host.end();

      assertThat(calls)
          .isEqualTo(
              Map.of(
                  "onConnect x", 1,
                  "onDisconnect x", 1,
                  "onConnect y", 1,
                  "onDisconnect y", 1,
                  "onConnect w", 1,
                  "onDisconnect w", 1));
    });
  }

  @Test
  void onConnectUsesTheClientBeforeAnybodySeesIt() throws Exception {
    Lab.run(lab -> {
      String answersPing =
          SERVE.replace(
              SILENT,
              "read -r _; read -r _; echo '{\"jsonrpc\":\"2.0\",\"id\":2,"
                  + "\"result\":{}}'; "
                  + SILENT);
      lab.onConnect =
          (name, client) -> {
            assertThat(lab.host.status("s", name).orElseThrow().state())
                .isEqualTo(new ConnectionState.Connecting("onConnect"));
            client.ping();
          };
      lab.connect("x", answersPing);
    });
  }

  @Test
  void onConnectThatThrowsFailsTheConnect() throws Exception {
    Lab.run(lab -> {
      var thrown = new IllegalStateException("not welcome");
      lab.onConnect =
          (_, _) -> {
            throw thrown;
          };
      lab.onDisconnect = (_, _) -> lab.event(new HostEvent.Changed(null)); // must not be called
      assertThatThrownBy(() -> lab.connect("x", SERVE))
          .isInstanceOf(ConnectionLostException.class)
          .hasMessageContaining("not welcome")
          .hasCause(thrown);
      assertThat(Lab.children()).isEmpty();
      assertThat(lab.heard()).doesNotContainNull();
    });
  }

  @Test
  void onConnectThatHangsIsInterruptedWhenTheTimeToConnectIsOver() throws Exception {
    Lab.run(lab -> {
      var interrupted = new CountDownLatch(1);
      lab.onConnect =
          (_, _) -> {
            try {
              new CountDownLatch(1).await();
            } finally {
              interrupted.countDown();
            }
          };
      ClientOptions options = Lab.quick().client().withConnectTimeout(Duration.ofMillis(2_000));
      assertThatThrownBy(
              () -> lab.host.connect("s", "x", server(SERVE), ConnectOptions.of(options)))
          .hasMessage("x: not connected within 2000 ms; waiting for onConnect");
      interrupted.await();
      assertThat(Lab.children()).isEmpty();
    });
  }

  @Test
  void onConnectThatIgnoresItsInterruptIsLeftBehindByName() throws Exception {
    Lab.run(lab -> {
      var release = new CountDownLatch(1);
      var ended = new CountDownLatch(1);
      lab.onConnect =
          (_, _) -> {
            stay(release);
            ended.countDown();
          };
      Future<ConnectionStatus> connect = lab.connecting("x", SERVE);
      long generation = lab.awaitPhase("x", "onConnect").generation();
      CloseReport report = lab.host.disconnect("s", "x").orElseThrow();

      assertThat(report.abandoned()).containsExactly("connection/s/x#" + generation + " onConnect");
      assertThat(report.nothingLeft()).isFalse();
      assertThat(Lab.children()).isEmpty();
      assertThat(closeReason(connect)).isEqualTo(CloseReason.DISCONNECTED);
      release.countDown();
      ended.await();
    });
  }

  @Test
  void onDisconnectThatThrowsIsReportedAndSkipsNothing() throws Exception {
    Lab.run(lab -> {
      lab.onDisconnect =
          (_, _) -> {
            throw new StackOverflowError("bye");
          };
      lab.connect("x", SERVE);
      CloseReport report = lab.host.disconnect("s", "x").orElseThrow();
      assertThat(report.failures()).containsExactly("java.lang.StackOverflowError: bye");
      assertThat(report.outcome()).isEqualTo(Outcome.GRACEFUL);
      assertThat(Lab.children()).isEmpty();
    });
  }

  @Test
  void onDisconnectThatIgnoresItsInterruptIsLeftBehindByName() throws Exception {
    Lab.run(lab -> {
      var release = new CountDownLatch(1);
      var ended = new CountDownLatch(1);
      lab.onDisconnect =
          (_, _) -> {
            stay(release);
            ended.countDown();
          };
      long generation = lab.connect("x", SERVE).generation();
      CloseReport report = lab.host.disconnect("s", "x").orElseThrow();
      assertThat(report.abandoned())
          .containsExactly("connection/s/x#" + generation + " onDisconnect");
      assertThat(report.outcome()).isEqualTo(Outcome.GRACEFUL);
      assertThat(Lab.children()).isEmpty();
      release.countDown();
      ended.await();
    });
  }

  @Test
  void callbackThatDisconnectsItsOwnConnectionEndsIt() throws Exception {
    Lab.run(lab -> {
      lab.onConnect = (name, _) -> lab.host.disconnect("s", name);
      assertThatThrownBy(() -> lab.connect("x", SERVE))
          .isInstanceOfSatisfying(
              ConnectionClosedException.class,
              e -> assertThat(e.reason()).isEqualTo(CloseReason.DISCONNECTED));
      assertThat(Lab.children()).isEmpty();
    });
  }

  /// Makes every close wait for the latch.
  private static void stay(CountDownLatch release) {
    while (release.getCount() > 0) {
      try {
        release.await();
      } catch (InterruptedException e) {
        // that is the point: it does not heed it
      }
    }
  }

  private static McpClient client(ConnectionStatus status) {
    return ((ConnectionState.Connected) status.state()).client();
  }
}
