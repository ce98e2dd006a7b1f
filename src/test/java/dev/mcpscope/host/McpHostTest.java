package dev.mcpscope.host;

import static dev.mcpscope.host.McpHostTest.Lab.SERVE;
import static dev.mcpscope.host.McpHostTest.Lab.SILENT;
import static dev.mcpscope.host.McpHostTest.Lab.STUBBORN;
import static dev.mcpscope.host.McpHostTest.Lab.server;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.client.ClientOptions;
import dev.mcpscope.client.CloseReason;
import dev.mcpscope.client.ConnectionClosedException;
import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.EraChoice;
import dev.mcpscope.client.McpClient;
import dev.mcpscope.client.McpException;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.transport.CloseBudget;
import dev.mcpscope.transport.CloseReport;
import dev.mcpscope.transport.CloseReport.Outcome;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Predicate;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@EnabledOnOs({OS.LINUX, OS.MAC})
class McpHostTest {

  /// A host to experiment with: what the listener has heard, threads for callers, and, when it is
  /// over, the proof that nothing is left.
  static final class Lab implements HostListener {

    /// Runs in a lab.
    @FunctionalInterface
    interface Body {
      void run(Lab lab) throws Exception;
    }

    /// Run at each `onConnect` or `onDisconnect`.
    @FunctionalInterface
    interface Callback {
      void run(String name, McpClient client) throws Exception;
    }

    private static final String READY =
        "read -r _; echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":"
            + "\"2025-11-25\",\"capabilities\":{},"
            + "\"serverInfo\":{\"name\":\"sh\",\"version\":\"1\"}}}'; ";

    /// Answers nothing, and ends when its input does.
    static final String SILENT = "while read -r _; do :; done";

    /// Connects, and ends when its input does.
    static final String SERVE = READY + SILENT;

    /// Connects, and heeds neither the end of its input nor SIGTERM.
    static final String STUBBORN = "trap '' TERM; " + READY + "exec sleep 300";

    private static final Logger LOGGER = Logger.getLogger("dev.mcpscope");

    private final List<ConnectionStatus> heard = new ArrayList<>(); // guarded by this
    private final HostOptions options;
    private ExecutorService callers;
    McpHost host;
    volatile Callback onConnect = (_, _) -> {};
    volatile Callback onDisconnect = (_, _) -> {};

    private Lab(HostOptions options) {
      this.options = options;
    }

    static void run(Body body) throws Exception {
      run(quick(), body);
    }

    static void run(HostOptions options, Body body) throws Exception {
      quietly(() -> {
        var lab = new Lab(options);
        try (var callers = Executors.newVirtualThreadPerTaskExecutor();
            var host = McpHost.open(options, lab)) {
          lab.callers = callers;
          lab.host = host;
          body.run(lab);
        }
        assertThat(lab.host.statuses()).isEmpty();
      });
    }

    /// Runs without a log, since what goes wrong here is meant to, and leaves nothing.
    private static void quietly(NothingLeft.Body body) throws Exception {
      LOGGER.setLevel(Level.OFF);
      try {
        NothingLeft.after(body);
      } finally {
        LOGGER.setLevel(null);
      }
    }

    /// Budgets under which a close waits for who will not end, but not for long. The callback's is
    /// what [#closeSlowly()] has, and must do for what a test does meanwhile on a busy machine.
    static HostOptions quick() {
      var close =
          new CloseBudget(
              Duration.ofSeconds(3),
              Duration.ofMillis(500),
              Duration.ofSeconds(1),
              Duration.ofSeconds(1));
      // The scripts answer what comes, one by one.
      return HostOptions.defaults()
          .withClient(ClientOptions.defaults().withClose(close).withEra(EraChoice.LEGACY));
    }

    static ServerSpec.Stdio server(String script) {
      return ServerSpec.stdio("/bin/sh", "-c", script);
    }

    ConnectionStatus connect(String name, String script) throws Exception {
      return host.connect("s", name, server(script));
    }

    /// Lets every close wait until the latch is open, or the callback's budget is spent.
    CountDownLatch closeSlowly() {
      var release = new CountDownLatch(1);
      onDisconnect = (_, _) -> release.await();
      return release;
    }

    /// Connects in a caller of its own.
    Future<ConnectionStatus> connecting(String name, String script) {
      return async(() -> host.connect("s", name, server(script)));
    }

    /// Asks for a connect and returns when it is left: what is asked for next comes after it.
    Future<ConnectionStatus> asking(String name, String script, ConnectOptions connect)
        throws Exception {
      return host.connecting("s", name, server(script), connect);
    }

    /// Asks for a disconnect in the same way.
    void askToDisconnect(String name) throws Exception {
      host.disconnecting("s", name);
    }

    /// Returns when the session has done what it was asked for so far.
    void settle() throws Exception {
      host.disconnect("s", "nobody");
    }

    ConnectOptions replacing() {
      return ConnectOptions.of(options.client());
    }

    ConnectOptions ifAbsent() {
      return replacing().withIfAbsent(true);
    }

    <T> Future<T> async(Callable<T> call) {
      return callers.submit(call);
    }

    @Override
    public void onConnect(String session, String name, McpClient client) throws Exception {
      onConnect.run(name, client);
    }

    @Override
    public void onDisconnect(String session, String name, McpClient client) throws Exception {
      onDisconnect.run(name, client);
    }

    @Override
    public synchronized void event(HostEvent event) {
      if (event instanceof HostEvent.Changed(var status)) {
        heard.add(status);
        notifyAll();
      }
    }

    synchronized List<ConnectionStatus> heard() {
      return List.copyOf(heard);
    }

    synchronized void forget() {
      heard.clear();
    }

    /// Waits until a name has been in such a state, and returns it as it was then.
    ConnectionStatus await(String name, Predicate<ConnectionState> wanted)
        throws InterruptedException {
      return awaitStatus(s -> s.name().equals(name) && wanted.test(s.state()));
    }

    /// Waits until such a status was heard, and returns the first of them.
    synchronized ConnectionStatus awaitStatus(Predicate<ConnectionStatus> wanted)
        throws InterruptedException {
      while (true) {
        for (ConnectionStatus status : heard) {
          if (wanted.test(status)) {
            return status;
          }
        }
        wait();
      }
    }

    ConnectionStatus await(String name, Class<? extends ConnectionState> wanted)
        throws InterruptedException {
      return await(name, wanted::isInstance);
    }

    ConnectionStatus awaitPhase(String name, String phase) throws InterruptedException {
      return await(name, new ConnectionState.Connecting(phase)::equals);
    }

    static void awaitQuietly(CountDownLatch latch) {
      try {
        latch.await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    static List<ProcessHandle> children() {
      return ProcessHandle.current().children().filter(ProcessHandle::isAlive).toList();
    }
  }

  // The end of a session and of the host, in every state.

  @Test
  void sessionEndsInEveryStateInParallel() throws Exception {
    Lab.run(lab -> {
      var release = new CountDownLatch(1);
      Map<String, Future<ConnectionStatus>> waiting = connectionsInEveryState(lab, release);
      long begun = System.nanoTime();
      Map<String, CloseReport> reports = lab.host.endSession("s").orElseThrow();

      assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(9));
      assertEveryStateWasEnded(reports, waiting, CloseReason.SESSION_ENDED);
      assertThat(lab.host.statuses("s")).isEmpty();
      assertThat(lab.host.statuses("other").orElseThrow())
          .extracting(ConnectionStatus::state)
          .hasExactlyElementsOfTypes(ConnectionState.Connected.class);
      release.countDown();
    });
  }

  @Test
  void hostEndsInEveryStateInParallel() throws Exception {
    Lab.run(lab -> {
      var release = new CountDownLatch(1);
      Map<String, Future<ConnectionStatus>> waiting = connectionsInEveryState(lab, release);
      HostReport report = lab.host.end();

      assertThat(report.took()).isLessThan(Duration.ofSeconds(10));
      assertThat(report.unfinished()).isEmpty();
      assertThat(report.abandoned()).isEmpty();
      assertThat(report.nothingLeft()).isTrue();
      assertThat(report.sessions()).containsOnlyKeys("s", "other");
      assertThat(report.sessions().get("other")).containsOnlyKeys("bystander");
      assertEveryStateWasEnded(report.sessions().get("s"), waiting, CloseReason.HOST_ENDED);
      release.countDown();
    });
  }

  /// Six names in session s, each in another state, and a bystander in another session.
  private static Map<String, Future<ConnectionStatus>> connectionsInEveryState(
      Lab lab, CountDownLatch release) throws Exception {
    lab.onConnect =
        (name, _) -> {
          if (name.equals("welcoming")) {
            release.await(); // until it is interrupted
          }
        };
    lab.onDisconnect =
        (name, _) -> {
          if (name.equals("closing")) {
            release.await();
          }
        };
    lab.host.connect("other", "bystander", server(SERVE));
    lab.connect("connected", SERVE);
    lab.connect("stubborn", STUBBORN);
    lab.connect("closing", SERVE);
    Future<ConnectionStatus> silent = lab.connecting("silent", SILENT);
    Future<ConnectionStatus> welcoming = lab.connecting("welcoming", SERVE);
    lab.awaitPhase("silent", "initialize");
    lab.awaitPhase("welcoming", "onConnect");
    Future<ConnectionStatus> parked = lab.connecting("closing", SERVE);
    lab.await("closing", ConnectionState.Closing.class);
    return Map.of("silent", silent, "welcoming", welcoming, "parked", parked);
  }

  private static void assertEveryStateWasEnded(
      Map<String, CloseReport> reports,
      Map<String, Future<ConnectionStatus>> waiting,
      CloseReason reason) {
    assertThat(reports).containsOnlyKeys("connected", "stubborn", "closing", "silent", "welcoming");
    reports.forEach((name, report) -> {
      assertThat(report.nothingLeft()).as(name).isTrue();
      assertThat(report.outcome())
          .as(name)
          .isEqualTo(name.equals("stubborn") ? Outcome.KILLED : Outcome.GRACEFUL);
      assertThat(report.reason())
          .as(name)
          .isEqualTo((name.equals("closing") ? CloseReason.REPLACED : reason).text());
    });
    waiting.forEach((name, answer) -> assertThat(closeReason(answer)).as(name).isEqualTo(reason));
  }

  @Test
  void eightHungServersCloseAtTheSameTime() throws Exception {
    Lab.run(lab -> {
      for (int i = 0; i < 8; i++) {
        String session = "s" + i % 2;
        lab.host.connect(session, "hung" + i, server(STUBBORN));
      }
      HostReport report = lab.host.end();

      List<CloseReport> each =
          report.sessions().values().stream().flatMap(s -> s.values().stream()).toList();
      assertThat(each).hasSize(8).allMatch(close -> close.outcome() == Outcome.KILLED);
      Duration oneAfterTheOther =
          each.stream().map(CloseReport::took).reduce(Duration.ZERO, Duration::plus);
      assertThat(report.took()).isLessThan(oneAfterTheOther.dividedBy(3));
      assertThat(report.nothingLeft()).isTrue();
    });
  }

  @Test
  void connectsWhileTheHostEndsAndAfterwardsAreRefused() throws Exception {
    Lab.run(lab -> {
      var saying = new CountDownLatch(1);
      var release = new CountDownLatch(1);
      lab.onDisconnect =
          (_, _) -> {
            saying.countDown();
            release.await();
          };
      lab.connect("x", SERVE);
      Future<HostReport> end = lab.async(lab.host::end);
      saying.await();

      assertThat(closeReason(lab.connecting("x", SERVE))).isEqualTo(CloseReason.HOST_ENDED);
      assertThat(closeReason(lab.async(() -> lab.host.connect("new", "x", server(SERVE)))))
          .isEqualTo(CloseReason.HOST_ENDED);
      release.countDown();
      assertThat(end.get().nothingLeft()).isTrue();

      assertThat(closeReason(lab.connecting("x", SERVE))).isEqualTo(CloseReason.HOST_ENDED);
      assertThat(lab.host.disconnect("s", "x")).isEmpty();
      assertThat(lab.host.endSession("s")).isEmpty();
      assertThat(lab.host.end().sessions().get("s")).containsOnlyKeys("x");
    });
  }

  @Test
  void endsOfTheHostByManyThreadsAreOneEnd() throws Exception {
    Lab.run(lab -> {
      lab.connect("x", SERVE);
      var ends = new ArrayList<Future<HostReport>>();
      for (int i = 0; i < 8; i++) {
        ends.add(lab.async(lab.host::end));
      }
      for (Future<HostReport> end : ends) {
        assertThat(end.get().sessions().get("s")).containsOnlyKeys("x");
        assertThat(end.get().unfinished()).isEmpty();
      }
      assertThat(lab.heard())
          .filteredOn(status -> status.state() instanceof ConnectionState.Closed)
          .hasSize(1);
    });
  }

  @Test
  void interruptDoesNotCutTheEndOfTheHostShort() throws Exception {
    Lab.run(lab -> {
      lab.connect("x", STUBBORN);
      Future<Boolean> end =
          lab.async(() -> {
            Thread.currentThread().interrupt();
            assertThat(lab.host.end().nothingLeft()).isTrue();
            return Thread.interrupted();
          });
      assertThat(end.get()).isTrue();
      assertThat(Lab.children()).isEmpty();
    });
  }

  @Test
  void endOfAnUnknownSessionIsEmpty() throws Exception {
    Lab.run(lab -> assertThat(lab.host.endSession("nobody")).isEmpty());
  }

  @Test
  void sessionIsEndedOnceWhoeverAsks() throws Exception {
    Lab.run(lab -> {
      var saying = new CountDownLatch(1);
      var release = new CountDownLatch(1);
      lab.onDisconnect =
          (_, _) -> {
            saying.countDown();
            release.await();
          };
      lab.connect("x", SERVE);
      var first = lab.async(() -> lab.host.endSession("s"));
      saying.await();
      var second = lab.async(() -> lab.host.endSession("s"));
      assertThat(second.isDone()).isFalse();
      release.countDown();
      CloseReport report = first.get().orElseThrow().get("x");
      assertThat(report.reason()).isEqualTo(CloseReason.SESSION_ENDED.text());
      // The second came before the end, and gets the same; or after it, and gets nothing.
      second.get().ifPresent(reports -> assertThat(reports.get("x")).isSameAs(report));
    });
  }

  @Test
  void connectDuringTheEndOfItsSessionMakesANewSession() throws Exception {
    Lab.run(lab -> {
      var saying = new CountDownLatch(1);
      var release = new CountDownLatch(1);
      lab.onDisconnect =
          (_, _) -> {
            saying.countDown();
            release.await();
          };
      ConnectionStatus old = lab.connect("x", SERVE);
      var end = lab.async(() -> lab.host.endSession("s"));
      saying.await();
      Future<ConnectionStatus> next = lab.connecting("x", SERVE);
      release.countDown();

      assertThat(end.get().orElseThrow()).containsOnlyKeys("x");
      assertThat(next.get().generation()).isGreaterThan(old.generation());
      assertThat(lab.host.status("s", "x").orElseThrow().state())
          .isInstanceOf(ConnectionState.Connected.class);
    });
  }

  // Sessions that come and go.

  @Test
  void connectRightAfterASessionHasEmptiedIsServed() throws Exception {
    Lab.run(lab -> {
      for (int round = 0; round < 40; round++) {
        lab.connect("x", SERVE);
        assertThat(lab.host.disconnect("s", "x")).isPresent();
      }
    });
  }

  @Test
  void connectsWhileOthersEmptyTheSessionAreServed() throws Exception {
    Lab.run(lab -> {
      var start = new CyclicBarrier(3);
      var rounds = new ArrayList<Future<Void>>();
      for (String name : List.of("a", "b", "c")) {
        rounds.add(
            lab.async(() -> {
              for (int round = 0; round < 15; round++) {
                start.await(); // all of them leave at the same time, and come back
                lab.connect(name, SERVE);
                start.await();
                assertThat(lab.host.disconnect("s", name)).isPresent();
              }
              return null;
            }));
      }
      for (Future<Void> each : rounds) {
        each.get();
      }
    });
  }

  @Test
  void sessionGoesWithTheLastThingInItBeforeThatIsAnswered() throws Exception {
    Lab.run(
        Lab.quick().withLimits(1, 10, 10),
        lab -> {
          for (int round = 0; round < 20; round++) {
            String session = "s" + round; // there is a place for one
            lab.host.connect(session, "x", server(SERVE));
            assertThat(lab.host.disconnect(session, "x")).isPresent();
            assertThat(lab.host.statuses()).as("round " + round).isEmpty();
          }
          for (int round = 0; round < 100; round++) {
            String session = "t" + round;
            assertThatThrownBy(
                    () -> lab.host.connect(session, "x", ServerSpec.stdio("/nowhere/to/be/found")))
                .as("round " + round)
                .isInstanceOf(McpException.class);
            assertThat(lab.host.statuses()).as("round " + round).isEmpty();
          }
        });
  }

  @Test
  void idleSessionGoesWithTheRowsOfLostConnections() throws Exception {
    Lab.run(
        Lab.quick().withSessionIdle(Duration.ofMillis(100)),
        lab -> {
          lab.connect("x", SERVE);
          Lab.children().forEach(ProcessHandle::destroyForcibly);
          lab.await("x", ConnectionState.Failed.class);
          while (lab.host.statuses("s").isPresent()) {
            Thread.onSpinWait(); // the end of a session is told to nobody
          }
          assertThat(lab.host.disconnect("s", "x")).isEmpty();
          lab.connect("x", SERVE);
        });
  }

  @Test
  void sessionWithALiveConnectionIsNeverIdle() throws Exception {
    Lab.run(
        Lab.quick().withSessionIdle(Duration.ofMillis(1)),
        lab -> {
          ConnectionStatus first = lab.connect("x", SERVE);
          lab.connect("slow", "sleep 0.2; " + SERVE);
          lab.host.disconnect("s", "slow");
          assertThat(lab.host.status("s", "x")).hasValue(first);
        });
  }

  // Limits.

  @Test
  void limitOfNamesInASessionRefusesAndTouchesNothing() throws Exception {
    Lab.run(
        Lab.quick().withLimits(10, 10, 2),
        lab -> {
          ConnectionStatus a = lab.connect("a", SERVE);
          lab.connect("b", SERVE);
          assertThatThrownBy(() -> lab.connect("c", SERVE))
              .isInstanceOf(LimitException.class)
              .hasMessage("the limit of 2 names in a session is reached");
          assertThat(lab.host.status("s", "a")).hasValue(a);
          assertThat(lab.host.statuses("s").orElseThrow()).hasSize(2);
          assertThat(Lab.children()).hasSize(2);

          lab.connect("b", SERVE); // one that replaces needs no new place
          lab.host.disconnect("s", "b");
          lab.connect("c", SERVE);
        });
  }

  @Test
  void limitOfConnectionsRefusesAndTouchesNothing() throws Exception {
    Lab.run(
        Lab.quick().withLimits(10, 2, 10),
        lab -> {
          ConnectionStatus a = lab.connect("a", SERVE);
          lab.host.connect("t", "b", server(SERVE));
          assertThatThrownBy(() -> lab.host.connect("u", "c", server(SERVE)))
              .isInstanceOf(LimitException.class)
              .hasMessage("the limit of 2 connections is reached");
          assertThat(lab.host.status("s", "a")).hasValue(a);
          assertThat(Lab.children()).hasSize(2);
          lab.host.endSession("u"); // waits for its end, if that is still under way
          assertThat(lab.host.statuses()).containsOnlyKeys("s", "t");

          lab.connect("a", SERVE);
          lab.host.endSession("t");
          lab.host.connect("u", "c", server(SERVE));
        });
  }

  @Test
  void limitOfSessionsRefusesAndTouchesNothing() throws Exception {
    Lab.run(
        Lab.quick().withLimits(1, 10, 10),
        lab -> {
          ConnectionStatus a = lab.connect("a", SERVE);
          assertThatThrownBy(() -> lab.host.connect("t", "b", server(SERVE)))
              .isInstanceOf(LimitException.class)
              .hasMessage("the limit of 1 sessions is reached");
          assertThat(lab.host.status("s", "a")).hasValue(a);
          lab.connect("b", SERVE);
          lab.host.endSession("s");
          lab.host.connect("t", "b", server(SERVE));
        });
  }

  @Test
  void placeOfAFailedConnectIsFreeWhenItHasFailed() throws Exception {
    Lab.run(
        Lab.quick().withLimits(1_000, 1, 10),
        lab -> {
          for (int round = 0; round < 200; round++) {
            String session = "s" + round; // another one, which nothing makes wait for the last
            assertThatThrownBy(
                    () -> lab.host.connect(session, "x", ServerSpec.stdio("/nowhere/to/be/found")))
                .as("round " + round)
                .isInstanceOf(McpException.class);
          }
        });
  }

  @Test
  void placeOfALostConnectionIsFreeWhenTheListenerHearsOfIt() throws Exception {
    Lab.run(
        Lab.quick().withLimits(1_000, 1, 10),
        lab -> {
          for (int round = 0; round < 20; round++) {
            ConnectionStatus connected = lab.host.connect("s" + round, "x", server(SERVE));
            Lab.children().forEach(ProcessHandle::destroyForcibly);
            lab.awaitStatus(s ->
                s.generation() == connected.generation()
                    && s.state() instanceof ConnectionState.Failed);
          }
        });
  }

  @Test
  void aLaterEndOfASessionRefusesTheConnectsThatWaitForAnEarlierOne() throws Exception {
    Lab.run(lab -> {
      CountDownLatch release = lab.closeSlowly();
      lab.connect("old", SERVE);
      var first = lab.async(() -> lab.host.endSession("s"));
      lab.await("old", ConnectionState.Closing.class);
      Future<ConnectionStatus> parked = lab.connecting("new", SERVE);
      Future<?> second;
      do { // until the connect has come before an end
        second = lab.async(() -> lab.host.endSession("s"));
      } while (!isRefused(parked));
      release.countDown();
      first.get();
      second.get();
      assertThat(lab.host.statuses()).isEmpty();
    });
  }

  @Test
  void aDisconnectDuringTheEndOfItsSessionWaitsForThatHoweverOftenItIsAskedFor() throws Exception {
    Lab.run(lab -> {
      CountDownLatch release = lab.closeSlowly();
      lab.connect("x", SERVE);
      var first = lab.async(() -> lab.host.endSession("s"));
      lab.await("x", ConnectionState.Closing.class);
      Future<Optional<CloseReport>> disconnect = lab.host.disconnecting("s", "x");
      Thread.currentThread().interrupt(); // who is interrupted does not wait
      assertThatThrownBy(() -> lab.host.endSession("s")).isInstanceOf(InterruptedException.class);
      lab.host.disconnect("other", "x"); // comes after the second end

      assertThat(disconnect.isDone()).isFalse();
      release.countDown();
      disconnect.get();
      assertThat(lab.host.status("s", "x")).isEmpty();
      assertThat(Lab.children()).isEmpty();
      assertThat(first.get().orElseThrow()).containsOnlyKeys("x");
    });
  }

  @Test
  void aDisconnectDuringTheEndOfTheHostGetsTheReport() throws Exception {
    Lab.run(lab -> {
      CountDownLatch release = lab.closeSlowly();
      lab.connect("x", SERVE);
      Future<HostReport> end = lab.async(lab.host::end);
      lab.await("x", ConnectionState.Closing.class);
      Future<Optional<CloseReport>> disconnect = lab.host.disconnecting("s", "x");
      release.countDown();

      assertThat(disconnect.get().orElseThrow().reason()).isEqualTo(CloseReason.HOST_ENDED.text());
      assertThat(end.get().nothingLeft()).isTrue();
    });
  }

  private static boolean isRefused(Future<?> connect) throws Exception {
    try {
      connect.get(20, TimeUnit.MILLISECONDS);
      throw new AssertionError("connected");
    } catch (TimeoutException e) {
      return false;
    } catch (ExecutionException e) {
      assertThat(e.getCause())
          .isInstanceOfSatisfying(
              ConnectionClosedException.class,
              cause -> assertThat(cause.reason()).isEqualTo(CloseReason.SESSION_ENDED));
      return true;
    }
  }

  @Test
  void aReplacedConnectionLeavesItsPlaceToNobodyElse() throws Exception {
    Lab.run(
        Lab.quick().withLimits(1_000, 1, 10),
        lab -> {
          lab.connect("x", SERVE);
          var enough = new CountDownLatch(1);
          Future<Integer> others =
              lab.async(() -> {
                int refused = 0;
                while (enough.getCount() > 0) {
                  assertThatThrownBy(() -> lab.host.connect("t", "y", server(SERVE)))
                      .isInstanceOf(LimitException.class);
                  refused++;
                }
                return refused;
              });
          for (int round = 0; round < 30; round++) {
            lab.connect("x", SERVE);
          }
          enough.countDown();
          assertThat(others.get()).isPositive();
        });
  }

  // Names, callers, listeners.

  @ParameterizedTest
  @ValueSource(strings = {"", " ", "a/b", "a#1", "a\nb", "\u0000", "a\u007f", "a\u0085b", "/"})
  void namesThatCouldBeTakenForSomethingElseAreRefused(String name) throws Exception {
    Lab.run(lab -> {
      assertThatThrownBy(() -> lab.host.connect(name, "x", server(SERVE)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageStartingWith("session must ");
      assertThatThrownBy(() -> lab.connect(name, SERVE))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageStartingWith("name must ");
      assertThat(lab.heard()).isEmpty();
    });
  }

  @Test
  void namesHaveAtMost128Characters() throws Exception {
    Lab.run(lab -> {
      String longest = "n".repeat(128);
      assertThat(lab.host.connect(longest, longest, server(SERVE)).name()).isEqualTo(longest);
      assertThatThrownBy(() -> lab.connect(longest + "n", SERVE))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("name must have 1 to 128 characters, has 129");
    });
  }

  @Test
  void interruptedCallerLeavesTheConnectGoingOn() throws Exception {
    Lab.run(lab -> {
      var release = new CountDownLatch(1);
      var caller = new AtomicReference<Thread>();
      lab.onConnect = (_, _) -> release.await();
      Future<ConnectionStatus> connect =
          lab.async(() -> {
            caller.set(Thread.currentThread());
            return lab.connect("x", SERVE);
          });
      lab.awaitPhase("x", "onConnect");
      caller.get().interrupt();
      assertThatThrownBy(connect::get).hasCauseInstanceOf(InterruptedException.class);
      assertThat(lab.host.status("s", "x").orElseThrow().state())
          .isInstanceOf(ConnectionState.Connecting.class);
      release.countDown();
      lab.await("x", ConnectionState.Connected.class);
    });
  }

  @Test
  void interruptedCallerLeavesTheDisconnectGoingOn() throws Exception {
    Lab.run(lab -> {
      var saying = new CountDownLatch(1);
      var release = new CountDownLatch(1);
      lab.onDisconnect =
          (_, _) -> {
            saying.countDown();
            release.await();
          };
      lab.connect("x", SERVE);
      var caller = new AtomicReference<Thread>();
      var disconnect =
          lab.async(() -> {
            caller.set(Thread.currentThread());
            return lab.host.disconnect("s", "x");
          });
      saying.await();
      caller.get().interrupt();
      assertThatThrownBy(disconnect::get).hasCauseInstanceOf(InterruptedException.class);
      release.countDown();
      lab.await("x", ConnectionState.Closed.class);
    });
  }

  @Test
  void listenerGetsTheStatesInOrder() throws Exception {
    Lab.run(lab -> {
      ConnectionStatus connected = lab.connect("x", SERVE);
      lab.host.disconnect("s", "x");
      lab.host.end(); // by then the listener has heard everything

      assertThat(lab.heard()).allMatch(s -> s.generation() == connected.generation());
      assertThat(lab.heard()).allMatch(s -> s.session().equals("s") && s.name().equals("x"));
      assertThat(lab.heard().stream().map(status -> word(status.state())))
          .containsExactly(
              "connecting: start",
              "connecting: initialize",
              "connecting: tools/list",
              "connecting: onConnect",
              "Connected",
              "closing: disconnected",
              "Closed");
    });
  }

  private static String word(ConnectionState state) {
    return switch (state) {
      case ConnectionState.Connecting(var phase) -> "connecting: " + phase;
      case ConnectionState.Closing(var reason) -> "closing: " + reason;
      default -> state.getClass().getSimpleName();
    };
  }

  @ParameterizedTest
  @ValueSource(classes = {IllegalStateException.class, StackOverflowError.class})
  void listenerThatThrowsHearsTheNextChange(Class<? extends Throwable> thrown) throws Exception {
    Lab.quietly(() -> {
      var heard = new ArrayList<String>();
      HostListener listener =
          new HostListener() {
            @Override
            public void event(HostEvent event) {
              heard.add(word(((HostEvent.Changed) event).status().state()));
              McpHostTest.<RuntimeException>sneak(thrown);
            }
          };
      try (var host = McpHost.open(Lab.quick(), listener)) {
        host.connect("s", "x", server(SERVE));
        assertThat(host.disconnect("s", "x").orElseThrow().failures()).isEmpty();
        assertThat(host.end().abandoned()).isEmpty();
      }
      assertThat(heard).hasSize(7).endsWith("Closed");
    });
  }

  @SuppressWarnings("unchecked")
  private static <X extends Throwable> void sneak(Class<? extends Throwable> thrown) throws X {
    try {
      throw (X) thrown.getConstructor().newInstance();
    } catch (ReflectiveOperationException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void listenerThatHangsHoldsNobodyAndIsNamed() throws Exception {
    Lab.quietly(() -> {
      var release = new CountDownLatch(1);
      var ended = new CountDownLatch(1);
      HostListener listener =
          new HostListener() {
            @Override
            public void event(HostEvent event) {
              while (release.getCount() > 0) {
                try {
                  release.await();
                } catch (InterruptedException e) {
                  // that is the point: it does not heed it
                }
              }
              ended.countDown();
            }
          };
      HostReport report;
      try (var host = McpHost.open(Lab.quick(), listener)) {
        host.connect("s", "x", server(SERVE));
        assertThat(host.disconnect("s", "x").orElseThrow().outcome()).isEqualTo(Outcome.GRACEFUL);
        report = host.end();
      }
      assertThat(report.abandoned()).containsExactly("host listener");
      assertThat(report.nothingLeft()).isFalse();
      assertThat(report.unfinished()).isEmpty();
      assertThat(report.took()).isLessThan(Duration.ofSeconds(5));
      release.countDown();
      ended.await();
    });
  }

  @Test
  void optionsAreCheckedByName() {
    HostOptions defaults = HostOptions.defaults();
    Duration second = Duration.ofSeconds(1);
    Stream.<Map.Entry<String, Runnable>>of(
            Map.entry("sessions", () -> defaults.withLimits(0, 1, 1)),
            Map.entry("connections", () -> defaults.withLimits(1, 0, 1)),
            Map.entry("connectionsPerSession", () -> defaults.withLimits(1, 1, -1)),
            Map.entry(
                "subscriptionsPerSession",
                () ->
                    new HostOptions(
                        defaults.client(), 1, 1, 1, 0, second, second, defaults.restart())),
            Map.entry("sessionIdle", () -> defaults.withSessionIdle(Duration.ZERO)),
            Map.entry("first", () -> restart(Duration.ZERO, second, 1, second)),
            Map.entry("most", () -> restart(second, second.minusNanos(1), 1, second)),
            Map.entry("attempts", () -> restart(second, second, 0, second)),
            Map.entry("stable", () -> restart(second, second, 1, Duration.ZERO)))
        .forEach(wrong ->
            assertThatThrownBy(wrong.getValue()::run)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(wrong.getKey() + " must be "));
  }

  private static void restart(Duration first, Duration most, int attempts, Duration stable) {
    new HostOptions.RestartBudget(first, most, attempts, stable);
  }

  /// Why a connect was refused or ended.
  static CloseReason closeReason(Future<?> connect) {
    ExecutionException e = catchThrowableOfType(ExecutionException.class, connect::get);
    assertThat(e).as("the connect must fail").isNotNull();
    assertThat(e.getCause()).isInstanceOf(ConnectionClosedException.class);
    return ((ConnectionClosedException) e.getCause()).reason();
  }
}
