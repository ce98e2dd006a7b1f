package dev.mcpscope.host;

import static dev.mcpscope.host.McpHostTest.Lab.SERVE;
import static dev.mcpscope.host.McpHostTest.Lab.SILENT;
import static dev.mcpscope.host.McpHostTest.Lab.server;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.client.CloseReason;
import dev.mcpscope.client.ConnectionClosedException;
import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.ServerEvent;
import dev.mcpscope.host.HostEvent.Changed;
import dev.mcpscope.host.HostEvent.Dropped;
import dev.mcpscope.host.HostEvent.Told;
import dev.mcpscope.host.McpHostTest.Lab;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@EnabledOnOs({OS.LINUX, OS.MAC})
class SubscriptionTest {
  private static final Duration LONG = Duration.ofMinutes(1);

  /// Connects, logs these numbers, and ends when its input does.
  private static String logs(int count) {
    return SERVE.replace(
        SILENT,
        "read -r _; i=0; while [ $i -lt "
            + count
            + " ]; do i=$((i+1)); echo '{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\","
            + "\"params\":{\"level\":\"info\",\"data\":'$i'}}'; done; "
            + SILENT);
  }

  /// The same, but it ends by itself then.
  private static String logsAndEnds(int count) {
    return logs(count).replace(SILENT, "exit 3");
  }

  private static HostEvent next(Subscription subscription) throws InterruptedException {
    return subscription.next(LONG).orElseThrow();
  }

  /// Takes events until one that changes a connection's state like this.
  private static List<HostEvent> until(
      Subscription subscription, Class<? extends ConnectionState> state)
      throws InterruptedException {
    var events = new ArrayList<HostEvent>();
    do {
      events.add(next(subscription));
    } while (!(events.getLast() instanceof Changed(var status)
        && state.isInstance(status.state())));
    return events;
  }

  private static List<String> states(List<HostEvent> events) {
    return events.stream()
        .map(event ->
            event instanceof Changed(var status)
                ? switch (status.state()) {
                  case ConnectionState.Connecting(var phase) -> phase;
                  case ConnectionState state -> state.getClass().getSimpleName();
                }
                : null)
        .filter(Objects::nonNull)
        .toList();
  }

  private static List<Integer> numbers(List<HostEvent> events) {
    return events.stream()
        .filter(event ->
            event instanceof Told(_, _, _, var told) && told instanceof ServerEvent.LogMessage)
        .map(event ->
            Integer.parseInt(((ServerEvent.LogMessage) ((Told) event).event()).data().toString()))
        .toList();
  }

  private static List<Integer> upTo(int last) {
    return IntStream.rangeClosed(1, last).boxed().toList();
  }

  private static void awaitNoSession(Lab lab) {
    while (lab.host.statuses("s").isPresent() && !Thread.currentThread().isInterrupted()) {
      Thread.onSpinWait();
    }
    assertThat(lab.host.statuses("s")).isEmpty();
  }

  // The session and its subscribers.

  @Test
  void aSubscriptionMakesItsSessionWhichLivesForItAndGoesWithIt() throws Exception {
    Lab.run(
        Lab.quick().withSessionIdle(Duration.ofMillis(50)),
        lab -> {
          Subscription subscription = lab.host.subscribe("s");
          assertThat(lab.host.statuses("s")).contains(List.of());
          assertThat(subscription.next(Duration.ofMillis(500)))
              .isEmpty(); // ten times its idle life
          assertThat(subscription.isOver()).isFalse();
          assertThat(lab.host.statuses("s")).contains(List.of());
          subscription.close();
          awaitNoSession(lab);
        });
  }

  @Test
  void aSessionLivesUntilItsLastSubscriberHasLeft() throws Exception {
    Lab.run(lab -> {
      Subscription one = lab.host.subscribe("s");
      Subscription other = lab.host.subscribe("s");
      lab.connect("x", SERVE);
      lab.host.disconnect("s", "x");
      one.close();
      one.close();
      lab.connect("y", SERVE); // after the session's owner has seen that the first one has left
      assertThat(states(until(other, ConnectionState.Closed.class))).endsWith("Closed");
      assertThat(states(until(other, ConnectionState.Connected.class))).endsWith("Connected");
      lab.host.disconnect("s", "y");
      assertThat(lab.host.statuses("s")).contains(List.of());
      other.close();
      awaitNoSession(lab);
    });
  }

  @Test
  void aSubscriptionDoesNotEndTheConnectionsWhenItLeaves() throws Exception {
    Lab.run(lab -> {
      try (var _ = lab.host.subscribe("s")) {
        lab.connect("x", SERVE);
      }
      lab.connect("y", SERVE); // after the session's owner has seen that it has left
      assertThat(lab.host.status("s", "x").orElseThrow().state())
          .isInstanceOf(ConnectionState.Connected.class);
    });
  }

  // What is heard.

  @Test
  void statesAndWhatServersTellAreHeardInTheirOrder() throws Exception {
    Lab.run(lab -> {
      try (var subscription = lab.host.subscribe("s")) {
        ConnectionStatus connected = lab.connect("x", logs(50));
        var events = new ArrayList<HostEvent>();
        while (numbers(events).size() < 50 || !states(events).contains("Connected")) {
          events.add(next(subscription));
        }
        lab.host.disconnect("s", "x");
        events.addAll(until(subscription, ConnectionState.Closed.class));
        assertThat(states(events))
            .containsExactly(
                "start", "initialize", "tools/list", "onConnect", "Connected", "Closing", "Closed");
        assertThat(numbers(events)).isEqualTo(upTo(50));
        assertThat(events)
            .allSatisfy(event -> {
              switch (event) {
                case Changed(var status) -> {
                  assertThat(status.session()).isEqualTo("s");
                  assertThat(status.name()).isEqualTo("x");
                  assertThat(status.generation()).isEqualTo(connected.generation());
                }
                case Told(var session, var name, var generation, _) -> {
                  assertThat(session).isEqualTo("s");
                  assertThat(name).isEqualTo("x");
                  assertThat(generation).isEqualTo(connected.generation());
                }
                case Dropped _ -> throw new AssertionError(event);
              }
            });
      }
    });
  }

  @Test
  void everySubscriberOfASessionHearsItAndNobodyOfAnother() throws Exception {
    Lab.run(lab -> {
      try (var one = lab.host.subscribe("s");
          var other = lab.host.subscribe("s");
          var stranger = lab.host.subscribe("t")) {
        lab.connect("x", SERVE);
        assertThat(states(until(one, ConnectionState.Connected.class))).hasSize(5);
        assertThat(states(until(other, ConnectionState.Connected.class))).hasSize(5);
        lab.host.connect("t", "y", server(SERVE));
        assertThat(until(stranger, ConnectionState.Connected.class))
            .extracting(event -> ((Changed) event).status().name())
            .containsOnly("y");
      }
    });
  }

  @Test
  void aConnectionThatIsLostIsHeard() throws Exception {
    Lab.run(lab -> {
      try (var subscription = lab.host.subscribe("s")) {
        lab.connecting("x", logsAndEnds(3));
        List<HostEvent> events = until(subscription, ConnectionState.Failed.class);
        assertThat(numbers(events)).isEqualTo(upTo(3));
        assertThat(((Changed) events.getLast()).status().state())
            .isInstanceOfSatisfying(
                ConnectionState.Failed.class,
                state -> assertThat(state.cause()).hasMessageContaining("code 3"));
      }
    });
  }

  /// Whoever comes late asks for the state first; what has happened before is not told again.
  @Test
  void whatWasBeforeTheSubscriptionIsNotHeard() throws Exception {
    Lab.run(lab -> {
      lab.connect("x", SERVE);
      try (var subscription = lab.host.subscribe("s")) {
        assertThat(subscription.next(Duration.ZERO)).isEmpty();
        lab.host.disconnect("s", "x");
        assertThat(states(until(subscription, ConnectionState.Closed.class)))
            .containsExactly("Closing", "Closed");
      }
    });
  }

  // Slow subscribers.

  @Test
  void o12_aSubscriberThatTakesNothingMissesLogsAndNoStateThatCounts() throws Exception {
    int sent = 5_000;
    Lab.run(lab -> {
      try (var subscription = lab.host.subscribe("s")) {
        lab.connecting("x", logsAndEnds(sent));
        lab.await("x", ConnectionState.Failed.class);
        lab.host.disconnect("s", "x"); // by then its last word has been said to everybody
        List<HostEvent> events = until(subscription, ConnectionState.Failed.class);

        assertThat(events.getFirst()).isInstanceOf(Dropped.class);
        assertThat(events.size()).isEqualTo(Subscription.MOST_WAITING + 1);
        long dropped = ((Dropped) events.getFirst()).count();
        assertThat(states(events)).endsWith("Closing", "Failed");
        int passedThrough = 4; // start, initialize, tools/list, onConnect
        int connected = states(events).contains("Connected") ? 1 : 0;
        assertThat(dropped + events.size() - 1).isEqualTo(sent + passedThrough + connected + 2);
        List<Integer> numbers = numbers(events);
        assertThat(numbers).isSorted().doesNotHaveDuplicates();
        assertThat(numbers.getLast()).isEqualTo(sent);
        assertThat(subscription.next(Duration.ZERO)).isEmpty();
      }
    });
  }

  @Test
  void o7_aSubscriberThatTakesNothingHoldsNobody() throws Exception {
    Lab.run(lab -> {
      try (var _ = lab.host.subscribe("s");
          var quick = lab.host.subscribe("s")) {
        lab.connecting("x", logs(3_000));
        var numbers = new ArrayList<Integer>();
        long dropped = 0;
        while (numbers.size() + dropped < 3_000) {
          HostEvent event = next(quick);
          numbers.addAll(numbers(List.of(event)));
          dropped += event instanceof Dropped(long count) ? count : 0;
        }
        assertThat(lab.host.disconnect("s", "x").orElseThrow().nothingLeft()).isTrue();
      }
    });
  }

  // Limits.

  @Test
  void moreSubscribersOfASessionThanTheLimitAreRefused() throws Exception {
    Lab.run(lab -> {
      var subscriptions = new ArrayList<Subscription>();
      for (int i = 0; i < lab.host.options().subscriptionsPerSession(); i++) {
        subscriptions.add(lab.host.subscribe("s"));
      }
      assertThatThrownBy(() -> lab.host.subscribe("s"))
          .isInstanceOf(LimitException.class)
          .hasMessageContaining("subscribers of a session")
          .hasMessageContaining("16");
      lab.host.subscribe("t").close();
      subscriptions.removeFirst().close();
      lab.host.subscribe("s").close(); // its mail comes after that of the one that has left
      subscriptions.forEach(Subscription::close);
    });
  }

  @Test
  void moreSessionsThanTheLimitAreRefused() throws Exception {
    Lab.run(
        Lab.quick().withLimits(1, 10, 10),
        lab -> {
          try (var _ = lab.host.subscribe("s")) {
            assertThatThrownBy(() -> lab.host.subscribe("t")).isInstanceOf(LimitException.class);
            lab.host.subscribe("s").close();
          }
        });
  }

  @Test
  void aSessionNeedsAName() throws Exception {
    Lab.run(lab ->
        assertThatThrownBy(() -> lab.host.subscribe("a/b"))
            .isInstanceOf(IllegalArgumentException.class));
  }

  // The end.

  @Test
  void theEndOfItsSessionEndsItAfterTheLastState() throws Exception {
    Lab.run(lab -> {
      try (var subscription = lab.host.subscribe("s")) {
        lab.connect("x", SERVE);
        lab.host.endSession("s");
        assertThat(subscription.isOver()).isFalse(); // something waits
        assertThat(states(until(subscription, ConnectionState.Closed.class))).endsWith("Closed");
        assertThat(subscription.next(LONG)).isEmpty();
        assertThat(subscription.isOver()).isTrue();
        assertThat(lab.host.statuses("s")).isEmpty();
      }
    });
  }

  @Test
  void theEndOfTheHostEndsItAndRefusesTheNext() throws Exception {
    Lab.run(lab -> {
      try (var subscription = lab.host.subscribe("s")) {
        Future<?> waiting = lab.async(() -> subscription.next(LONG));
        lab.host.end();
        assertThat(waiting.get()).isEqualTo(Optional.empty());
        assertThat(subscription.isOver()).isTrue();
        assertThat(
                catchThrowableOfType(ConnectionClosedException.class, () -> lab.host.subscribe("s"))
                    .reason())
            .isEqualTo(CloseReason.HOST_ENDED);
      }
    });
  }

  @Test
  void closingItEndsTheWaitOfItsThread() throws Exception {
    Lab.run(lab -> {
      Subscription subscription = lab.host.subscribe("s");
      Future<?> waiting = lab.async(() -> subscription.next(LONG));
      subscription.close();
      assertThat(waiting.get()).isEqualTo(Optional.empty());
      assertThat(subscription.isOver()).isTrue();
      subscription.close();
    });
  }

  @Test
  void anInterruptEndsTheWaitAndNothingIsLost() throws Exception {
    Lab.run(lab -> {
      try (var subscription = lab.host.subscribe("s")) {
        var thread = new CompletableFuture<Thread>();
        Future<?> waiting =
            lab.async(() -> {
              thread.complete(Thread.currentThread());
              return subscription.next(LONG);
            });
        thread.get().interrupt();
        assertThatThrownBy(waiting::get)
            .isInstanceOf(ExecutionException.class)
            .hasCauseInstanceOf(InterruptedException.class);
        lab.connect("x", SERVE);
        assertThat(states(until(subscription, ConnectionState.Connected.class))).hasSize(5);
      }
    });
  }

  @Test
  void aSubscriptionThatNobodyGetsKeepsNoSession() throws Exception {
    Lab.run(lab -> {
      int interrupted = 0;
      for (int i = 0; i < 50; i++) {
        Thread.currentThread().interrupt();
        try {
          lab.host.subscribe("s").close(); // the answer may be quicker
        } catch (InterruptedException e) {
          interrupted++;
        } finally {
          Thread.interrupted();
        }
      }
      assertThat(interrupted).isPositive();
      awaitNoSession(lab);
    });
  }

  // The host's own listener.

  @Test
  void theHostsListenerHearsOfAllSessions() throws Exception {
    NothingLeft.after(() -> {
      var heard = new ArrayList<HostEvent>(); // one call at a time
      var enough = new CompletableFuture<Void>();
      HostListener listener =
          new HostListener() {
            @Override
            public void event(HostEvent event) {
              heard.add(event);
              if (numbers(heard).size() == 20 && states(heard).size() == 10) {
                enough.complete(null);
              }
            }
          };
      try (var host = McpHost.open(Lab.quick(), listener)) {
        host.connect("s", "x", server(logs(10)));
        host.connect("t", "y", server(logs(10)));
        enough.get();
        assertThat(heard)
            .filteredOn(event -> event instanceof Told told && told.session().equals("t"))
            .hasSize(10)
            .allMatch(event -> ((Told) event).name().equals("y"));
        assertThat(host.end().abandoned()).isEmpty();
      }
    });
  }
}
