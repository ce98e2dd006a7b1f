package dev.mcpscope.host;

import static dev.mcpscope.host.McpHostTest.Lab.SERVE;
import static dev.mcpscope.host.McpHostTest.Lab.SILENT;
import static dev.mcpscope.host.McpHostTest.Lab.server;
import static dev.mcpscope.host.McpHostTest.closeReason;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.ScriptedServer;
import dev.mcpscope.ScriptedServer.Fault;
import dev.mcpscope.ScriptedServer.Fault.Quirk;
import dev.mcpscope.client.CallOptions;
import dev.mcpscope.client.CallTimeoutException;
import dev.mcpscope.client.ClientFeatures;
import dev.mcpscope.client.CloseReason;
import dev.mcpscope.client.ConnectionClosedException;
import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.EraChoice;
import dev.mcpscope.client.McpClient;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.host.ConnectOptions.Restart;
import dev.mcpscope.host.HostOptions.RestartBudget;
import dev.mcpscope.host.McpHostTest.Lab;
import dev.mcpscope.transport.CloseReport;
import dev.mcpscope.transport.CloseReport.Outcome;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Two things that happen to a name at once, each in the order that the test forces: it holds the
/// first at a point that it knows, a phase of a connect, a callback, a server that is stopped, until
/// the second has been asked for. More of them are beside what they are about, in [SessionTest],
/// [SessionRestartTest], [McpHostTest] and [HttpHostTest].
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@EnabledOnOs({OS.LINUX, OS.MAC})
class RacesTest {

  /// Connects, is asked for its tools, and says nothing.
  private static final String NO_LIST = SERVE.replace("{},", "{\"tools\":{}},");

  /// Dies when it is asked for its era; started again, and not asked, it serves.
  private static final String DIES_WHEN_PROBED = whenProbed("exit 9");

  /// Answers first what it is asked for its era.
  private static String whenProbed(String what) {
    return SERVE.replaceFirst(
        "read -r _; ", "read -r line; case \"\\$line\" in *discover*) " + what + ";; esac; ");
  }

  /// It is not known which era a server speaks.
  private static ConnectOptions probing(Lab lab) {
    return ConnectOptions.of(lab.replacing().client().withEra(EraChoice.AUTO));
  }

  private static HostOptions restarting() {
    Duration soon = Duration.ofMillis(10);
    return Lab.quick().withRestart(new RestartBudget(soon, soon, 5, Duration.ofHours(1)));
  }

  private static McpClient client(ConnectionStatus status) {
    return status.client().orElseThrow();
  }

  /// Stays until the latch is open, whoever interrupts.
  private static void stay(CountDownLatch release) {
    while (release.getCount() > 0) {
      try {
        release.await();
      } catch (InterruptedException e) {
        // that is the point: it does not heed it
      }
    }
  }

  private static void kill(ProcessHandle process) {
    process.destroyForcibly();
    process.onExit().join();
  }

  private static void signal(String name, ProcessHandle process) throws Exception {
    String pid = Long.toString(process.pid());
    assertThat(new ProcessBuilder("kill", "-" + name, pid).start().waitFor()).isZero();
  }

  // A connect, and what ends it, in each phase.

  static Stream<Arguments> phasesAndEnds() {
    return Stream.of("server/discover", "initialize", "tools/list", "onConnect")
        .flatMap(phase ->
            Stream.of(
                    CloseReason.REPLACED,
                    CloseReason.DISCONNECTED,
                    CloseReason.SESSION_ENDED,
                    CloseReason.HOST_ENDED)
                .map(reason -> Arguments.of(phase, reason)));
  }

  @ParameterizedTest
  @MethodSource("phasesAndEnds")
  void o11_connectThatIsUnderWayIsEndedInEachPhase(String phase, CloseReason reason)
      throws Exception {
    Lab.run(lab -> {
      var first = new AtomicInteger();
      lab.onConnect =
          (_, _) -> {
            if (first.getAndIncrement() == 0) {
              new CountDownLatch(1).await();
            }
          };
      String script =
          switch (phase) {
            case "server/discover", "initialize" -> SILENT;
            case "tools/list" -> NO_LIST;
            default -> SERVE;
          };
      first.set(phase.equals("onConnect") ? 0 : 1);
      Future<ConnectionStatus> held =
          phase.equals("server/discover")
              ? lab.asking("x", script, probing(lab))
              : lab.connecting("x", script);
      long generation = lab.awaitPhase("x", phase).generation();
      List<ProcessHandle> processes = Lab.children();
      ConnectionStatus next = null;
      switch (reason) {
        case REPLACED -> next = lab.connect("x", SERVE);
        case DISCONNECTED -> lab.host.disconnect("s", "x");
        case SESSION_ENDED -> lab.host.endSession("s");
        default -> lab.host.end();
      }

      assertThat(processes).hasSize(1).noneMatch(ProcessHandle::isAlive);
      assertThat(lab.host.status("s", "x")).isEqualTo(Optional.ofNullable(next));
      assertThat(closeReason(held)).isEqualTo(reason);
      var closed = (ConnectionState.Closed) lab.await("x", ConnectionState.Closed.class).state();
      assertThat(closed.report().reason()).isEqualTo(reason.text());
      assertThat(closed.report().nothingLeft()).isTrue();
      assertThat(lab.heard())
          .filteredOn(status -> status.generation() == generation)
          .extracting(ConnectionStatus::state)
          .noneMatch(ConnectionState.Usable.class::isInstance);
    });
  }

  /// What it has started ignores SIGTERM and has to be killed, before it could be started again.
  @ParameterizedTest
  @EnumSource(names = {"REPLACED", "DISCONNECTED", "SESSION_ENDED", "HOST_ENDED"})
  void o11_connectThatIsEndedBetweenItsTwoAttemptsIsNotBegunAgain(
      CloseReason reason, @TempDir Path directory) throws Exception {
    Path starts = Files.createFile(directory.resolve("starts"));
    Path terminated = directory.resolve("terminated");
    assertThat(new ProcessBuilder("mkfifo", terminated.toString()).start().waitFor()).isZero();
    String stays = "trap '' TERM; sleep 300 & trap 'echo >" + terminated + "' TERM;";
    String dies = whenProbed("(" + stays + " while :; do wait; done) & exit 9");
    Lab.run(lab -> {
      String script = "echo $$ >>" + starts + "; " + dies;
      Future<ConnectionStatus> held = lab.asking("x", script, probing(lab));
      Files.readString(terminated); // so that the first attempt is over, and not released
      ConnectionStatus next = null;
      switch (reason) {
        case REPLACED -> next = lab.connect("x", SERVE);
        case DISCONNECTED -> lab.host.disconnect("s", "x");
        case SESSION_ENDED -> lab.host.endSession("s");
        default -> lab.host.end();
      }

      assertThat(closeReason(held)).isEqualTo(reason);
      assertThat(Files.readAllLines(starts)).as("started once").hasSize(1);
      assertThat(lab.host.status("s", "x")).isEqualTo(Optional.ofNullable(next));
      var closed = (ConnectionState.Closed) lab.await("x", ConnectionState.Closed.class).state();
      assertThat(closed.report().reason()).isEqualTo(reason.text());
      assertThat(closed.report().processes()).hasSize(3);
      assertThat(closed.report().outcome()).isEqualTo(Outcome.KILLED);
      lab.await("x", ConnectionState.Closing.class);
    });
  }

  @Test
  void serverThatDiesBetweenTheProbeAndTheHandshakeIsStartedOnceMore() throws Exception {
    String dies =
        whenProbed(
            "echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":"
                + "{\"code\":-32601,\"message\":\"no\"}}'; exit 9");
    Lab.run(lab -> {
      ConnectionStatus connected = lab.host.connect("s", "x", server(dies), probing(lab));
      assertThat(lab.host.status("s", "x")).hasValue(connected);
      assertThat(Lab.children()).as("of two one is left").hasSize(1);
      assertThat(lab.host.disconnect("s", "x").orElseThrow().processes())
          .as("of both attempts")
          .hasSize(2);
    });
  }

  @Test
  void serverThatHasDiedOfTheProbeIsNotAskedWhenItIsConnectedAgain() throws Exception {
    Lab.run(lab -> {
      lab.host.connect("s", "x", server(DIES_WHEN_PROBED), probing(lab));
      assertThat(lab.host.disconnect("s", "x").orElseThrow().processes()).hasSize(2);
      lab.host.connect("s", "x", server(DIES_WHEN_PROBED), probing(lab));
      assertThat(lab.host.disconnect("s", "x").orElseThrow().processes()).hasSize(1);
    });
  }

  @Test
  void o8_connectThatIsReplacedAsItsOnConnectReturnsIsNotConnected() throws Exception {
    Lab.run(lab -> {
      var second = new CompletableFuture<Future<ConnectionStatus>>();
      lab.onConnect =
          (name, _) -> {
            if (!second.isDone()) {
              second.complete(lab.asking("x", SERVE, lab.replacing()));
              Thread.interrupted();
              while (lab.host.status("s", name).orElseThrow().state()
                  instanceof ConnectionState.Connecting) {
                Thread.onSpinWait(); // until it has been told to stop: so that comes first
              }
            }
          };
      Future<ConnectionStatus> first = lab.connecting("x", SERVE);
      ConnectionStatus connected = second.get().get();
      assertThat(closeReason(first)).isEqualTo(CloseReason.REPLACED);
      assertThat(connected.generation()).isEqualTo(2);
      assertThat(lab.host.status("s", "x")).hasValue(connected);
      assertThat(Lab.children()).hasSize(1);
      lab.awaitStatus(status -> status.state() instanceof ConnectionState.Connected);
      assertThat(lab.heard())
          .filteredOn(status -> status.state() instanceof ConnectionState.Connected)
          .extracting(ConnectionStatus::generation)
          .containsOnly(2L);
    });
  }

  // A disconnect, and what comes while it is under way.

  @Test
  void o8_connectDuringADisconnectWaitsForItsEndAndStays() throws Exception {
    Lab.run(lab -> {
      CountDownLatch release = lab.closeSlowly();
      lab.connect("x", SERVE);
      ProcessHandle process = Lab.children().getFirst();
      var disconnect = lab.async(() -> lab.host.disconnect("s", "x"));
      lab.await("x", ConnectionState.Closing.class);
      Future<ConnectionStatus> next = lab.asking("x", SERVE, lab.replacing());
      lab.settle();
      assertThat(next.isDone()).isFalse();
      assertThat(Lab.children()).containsExactly(process);
      release.countDown();

      assertThat(disconnect.get().orElseThrow().reason())
          .isEqualTo(CloseReason.DISCONNECTED.text());
      assertThat(next.get().generation()).isEqualTo(2);
      assertThat(process.isAlive()).isFalse();
      assertThat(lab.host.status("s", "x")).hasValue(next.get());
    });
  }

  @Test
  void sessionEndDuringADisconnectIsToldItsReportToo() throws Exception {
    Lab.run(lab -> {
      CountDownLatch release = lab.closeSlowly();
      lab.connect("x", SERVE);
      var disconnect = lab.async(() -> lab.host.disconnect("s", "x"));
      lab.await("x", ConnectionState.Closing.class);
      var end = lab.async(() -> lab.host.endSession("s"));
      release.countDown();
      CloseReport report = disconnect.get().orElseThrow();
      assertThat(report.reason()).isEqualTo(CloseReason.DISCONNECTED.text());
      end.get().ifPresent(reports -> assertThat(reports.values()).allMatch(r -> r == report));
      assertThat(lab.host.statuses()).isEmpty();
    });
  }

  @Test
  void disconnectDuringTheEndOfItsSessionIsAnsweredWhenThatHasEnded() throws Exception {
    Lab.run(lab -> {
      CountDownLatch release = lab.closeSlowly();
      lab.connect("x", SERVE);
      var end = lab.async(() -> lab.host.endSession("s"));
      lab.await("x", ConnectionState.Closing.class);
      var disconnect = lab.async(() -> lab.host.disconnect("s", "x"));
      lab.host.disconnect("t", "nobody"); // the host has done nothing about the other one by now
      assertThat(disconnect.isDone()).isFalse();
      release.countDown();
      assertThat(disconnect.get()).isEmpty();
      assertThat(Lab.children()).isEmpty();
      assertThat(end.get().orElseThrow().get("x").reason())
          .isEqualTo(CloseReason.SESSION_ENDED.text());
    });
  }

  @Test
  void ofTwoDisconnectsOfWhatWasLostOneGetsTheReport() throws Exception {
    Lab.run(lab -> {
      lab.connect("x", SERVE);
      kill(Lab.children().getFirst());
      var lost = (ConnectionState.Failed) lab.await("x", ConnectionState.Failed.class).state();
      var both =
          List.of(
              lab.async(() -> lab.host.disconnect("s", "x")),
              lab.async(() -> lab.host.disconnect("s", "x")));
      assertThat(List.of(both.getFirst().get(), both.getLast().get()))
          .containsExactlyInAnyOrder(Optional.of(lost.report()), Optional.empty());
    });
  }

  // A crash that comes second. (One that comes first is in SessionRestartTest.)

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void crashOfWhatIsBeingClosedIsNoCrash(boolean replaced) throws Exception {
    Lab.run(
        restarting(),
        lab -> {
          CountDownLatch release = lab.closeSlowly();
          ConnectOptions onCrash = lab.replacing().withRestart(Restart.ON_CRASH);
          lab.host.connect("s", "x", server(SERVE), onCrash);
          ProcessHandle process = Lab.children().getFirst();
          Future<ConnectionStatus> next = replaced ? lab.connecting("x", SERVE) : null;
          Future<Optional<CloseReport>> disconnect =
              replaced ? null : lab.async(() -> lab.host.disconnect("s", "x"));
          lab.await("x", ConnectionState.Closing.class);
          kill(process);
          release.countDown();

          var closed =
              (ConnectionState.Closed) lab.await("x", ConnectionState.Closed.class).state();
          CloseReason reason = replaced ? CloseReason.REPLACED : CloseReason.DISCONNECTED;
          assertThat(closed.cause().reason()).isEqualTo(reason);
          assertThat(closed.report().reason()).isEqualTo(reason.text());
          assertThat(closed.report().exitCode()).hasValue(137);
          assertThat(closed.report().outcome()).isEqualTo(Outcome.GRACEFUL);
          if (replaced) {
            assertThat(next.get().generation()).isEqualTo(2);
            assertThat(lab.host.status("s", "x")).hasValue(next.get());
          } else {
            assertThat(disconnect.get()).containsSame(closed.report());
            assertThat(lab.host.statuses()).isEmpty();
          }
          assertThat(lab.heard())
              .noneMatch(status -> status.state() instanceof ConnectionState.Failed)
              .allMatch(status -> status.generation() <= (replaced ? 2 : 1));
        });
  }

  // What comes late of an old generation.

  @Test
  void o8_lateGuestOfAnOldGenerationTouchesNothingOfTheNewOne() throws Exception {
    Lab.run(lab -> {
      var release = new CountDownLatch(1);
      var late = new CompletableFuture<Throwable>();
      var first = new AtomicInteger();
      lab.onConnect =
          (_, client) -> {
            if (first.getAndIncrement() == 0) {
              stay(release);
              Thread.interrupted();
              try {
                client.ping();
                late.complete(null);
              } catch (Exception e) {
                late.complete(e);
              }
            }
          };
      Future<ConnectionStatus> old = lab.connecting("x", SERVE);
      lab.awaitPhase("x", "onConnect");
      ConnectionStatus next = lab.connect("x", SERVE);
      assertThat(closeReason(old)).isEqualTo(CloseReason.REPLACED);
      List<ProcessHandle> processes = Lab.children();
      int heard = lab.heard().size();
      release.countDown();

      assertThat(late.get())
          .isInstanceOfSatisfying(
              ConnectionClosedException.class,
              e -> assertThat(e.reason()).isEqualTo(CloseReason.REPLACED));
      lab.settle();
      assertThat(lab.host.statuses("s").orElseThrow()).containsExactly(next);
      assertThat(Lab.children()).isEqualTo(processes);
      assertThat(lab.heard().subList(Math.min(heard, lab.heard().size()), lab.heard().size()))
          .allMatch(status -> status.generation() == next.generation());
    });
  }

  // Guests that are still there at the close.

  @Test
  void o10_guestsOfEveryKindThatStayAreNamedAndHoldNothing() throws Exception {
    Lab.run(lab -> {
      var release = new CountDownLatch(1);
      var asked = new CountDownLatch(1);
      var told = new CountDownLatch(1);
      var ended = new CountDownLatch(3);
      ClientFeatures features =
          ClientFeatures.none()
              .withListener(_ -> {
                told.countDown();
                stay(release);
                ended.countDown();
              })
              .withRoots(() -> {
                asked.countDown();
                stay(release);
                ended.countDown();
                return List.of();
              });
      lab.onDisconnect =
          (_, _) -> {
            stay(release);
            ended.countDown();
          };
      ServerSpec server = ScriptedServer.with(new Fault.Asks("roots/list"), Quirk.NOTIFIES_FIRST);
      ConnectOptions options = lab.replacing();
      lab.host.connect(
          "s", "x", server, options.withClient(options.client().withFeatures(features)));
      asked.await();
      told.await();
      CloseReport report = lab.host.disconnect("s", "x").orElseThrow();

      String name = "connection/s/x#1 ";
      assertThat(report.abandoned())
          .containsExactly(
              name + "handlers roots/list \"ours\"", name + "listener", name + "onDisconnect");
      assertThat(report.outcome()).isNotEqualTo(Outcome.SURVIVED);
      assertThat(report.took()).isLessThan(Duration.ofSeconds(5));
      assertThat(Lab.children()).isEmpty();
      ConnectionStatus next = lab.connect("x", SERVE); // while they are still there
      assertThat(lab.host.status("s", "x")).hasValue(next);
      release.countDown();
      ended.await();
    });
  }

  // Callers that give up while the server does not read.

  @Test
  void o6_callersThatGaveUpWhileTheServerWasStoppedHaveHarmedNothing() throws Exception {
    Lab.run(lab -> {
      McpClient client = client(lab.host.connect("s", "x", ScriptedServer.with()));
      ProcessHandle process = Lab.children().getFirst();
      signal("STOP", process);
      Map<String, String> large = Map.of("text", "x".repeat(300_000)); // more than a pipe holds
      var patience = CallOptions.defaults().withTimeout(Duration.ofSeconds(30));
      var caller = new AtomicReference<Thread>();
      Future<?> interrupted =
          lab.async(() -> {
            caller.set(Thread.currentThread());
            return client.callTool("echo", large, patience);
          });
      var impatience = CallOptions.defaults().withTimeout(Duration.ofMillis(300));
      assertThatThrownBy(() -> client.callTool("echo", large, impatience))
          .isInstanceOf(CallTimeoutException.class);
      Future<String> waits = lab.async(() -> client.callTool("echo", large, patience).text());
      while (caller.get() == null || caller.get().getState() != Thread.State.TIMED_WAITING) {
        Thread.onSpinWait(); // until its bytes are handed over, and it waits for its answer
      }
      caller.get().interrupt();
      assertThatThrownBy(interrupted::get).hasCauseInstanceOf(InterruptedException.class);
      assertThat(waits.isDone()).isFalse();
      signal("CONT", process);

      assertThat(waits.get()).isEqualTo(large.get("text"));
      assertThat(client.callTool("received", Map.of()).text().lines())
          .as("whole, in order, and called off")
          .filteredOn(line -> line.contains("echo") || line.contains("cancelled"))
          .hasSize(5);
      assertThat(lab.host.disconnect("s", "x").orElseThrow().outcome()).isEqualTo(Outcome.GRACEFUL);
    });
  }

  // The end of the host, while there is something on its way.

  @Test
  void hostEndsWhileASessionEndsAndOthersWaitForTheNextOfItsName() throws Exception {
    Lab.run(lab -> {
      CountDownLatch release = lab.closeSlowly();
      lab.connect("x", SERVE);
      var endOfSession = lab.async(() -> lab.host.endSession("s"));
      lab.await("x", ConnectionState.Closing.class);
      Future<ConnectionStatus> connect = lab.asking("x", SERVE, lab.replacing());
      Future<Subscription> subscription = lab.async(() -> lab.host.subscribe("s"));
      var end = lab.async(lab.host::end);
      release.countDown();

      assertThat(end.get().nothingLeft()).isTrue();
      assertThat(end.get().unfinished()).isEmpty();
      assertThat(closeReason(connect)).isEqualTo(CloseReason.HOST_ENDED);
      assertThat(closeReason(subscription)).isEqualTo(CloseReason.HOST_ENDED);
      assertThat(endOfSession.get().orElseThrow().get("x").reason())
          .isEqualTo(CloseReason.SESSION_ENDED.text());
      assertThat(Lab.children()).isEmpty();
    });
  }
}
