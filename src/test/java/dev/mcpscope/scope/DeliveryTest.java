package dev.mcpscope.scope;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.NothingLeft;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

@Timeout(value = 20, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DeliveryTest {
  private static final Duration LONG = Duration.ofHours(1);
  private static final Deadline LATER = Deadline.after(LONG);

  /// Long enough for a listener that returns at once, whatever else the machine does.
  private static final Duration SHORT = Duration.ofMillis(100);

  private static final Backlog.Policy<String> POLICY =
      new Backlog.Policy<>() {
        @Override
        public Object subject(String event) {
          return null;
        }

        @Override
        public boolean droppable(String event) {
          return false;
        }

        @Override
        public String dropped(long count) {
          return count + " dropped";
        }
      };

  /// How the subtask ended: null if it returned.
  private record Ended(Throwable failure) {}

  private static final Ended RETURNED = new Ended(null);

  private final Mailbox<Ended> mailbox = new Mailbox<>(1);
  private final Backlog<String> backlog = new Backlog<>(1_000, POLICY);
  private final Guests guests = new Guests();
  private final ConcurrentLinkedQueue<String> heard = new ConcurrentLinkedQueue<>();
  private final CountDownLatch busy = new CountDownLatch(1);
  private final CountDownLatch released = new CountDownLatch(1);
  private final CountDownLatch never = new CountDownLatch(1);
  private final CountDownLatch interrupted = new CountDownLatch(1);

  @Test
  void theListenerHearsEverythingInOrderAndOneAtATime() throws Exception {
    var events = IntStream.range(0, 300).mapToObj(Integer::toString).toList();
    var inside = new AtomicInteger();
    var together = new AtomicInteger();
    try (var _ = NothingLeft.check();
        var scope = TaskScope.open("owner", mailbox)) {
      fork(
          scope,
          delivery(
              LONG,
              event -> {
                together.accumulateAndGet(inside.incrementAndGet(), Math::max);
                Thread.yield();
                heard.add(event);
                inside.decrementAndGet();
              }));
      events.forEach(this::add);
      backlog.close();

      assertThat(scope.take()).isEqualTo(RETURNED);
    }
    assertThat(heard).containsExactlyElementsOf(events);
    assertThat(together).hasValue(1);
  }

  @Test
  void theListenerRunsInAGuestThatTheListKnows() throws Exception {
    var listener = new CompletableFuture<Thread>();
    var included = new CompletableFuture<Boolean>();
    var running = new CompletableFuture<List<String>>();
    try (var _ = NothingLeft.check();
        var scope = TaskScope.open("owner", mailbox)) {
      fork(
          scope,
          delivery(
              LONG,
              _ -> {
                listener.complete(Thread.currentThread());
                included.complete(guests.includeCurrentThread());
                running.complete(guests.running());
              }));
      add("a");

      assertThat(listener.get().getName()).isEqualTo("listener");
      assertThat(included.get()).isTrue();
      assertThat(running.get()).containsExactly("listener");
      backlog.close();
      assertThat(scope.take()).isEqualTo(RETURNED);
      assertThat(guests.running()).isEmpty();
    }
  }

  static Stream<Throwable> failures() {
    return Stream.of(new IllegalStateException("of a test"), new StackOverflowError("of a test"))
        .peek(failure -> failure.setStackTrace(new StackTraceElement[0])); // it will be logged
  }

  @ParameterizedTest
  @MethodSource("failures")
  void aListenerThatFailsHearsTheNextEvent(Throwable failure) throws Exception {
    try (var _ = NothingLeft.check();
        var scope = TaskScope.open("owner", mailbox)) {
      fork(
          scope,
          delivery(
              LONG,
              event -> {
                heard.add(event);
                switch (failure) {
                  case RuntimeException e -> throw e;
                  case Error e -> throw e;
                  default -> throw new AssertionError(failure);
                }
              }));
      add("a", "b", "c");
      backlog.close();

      assertThat(scope.take()).isEqualTo(RETURNED);
      assertThat(heard).containsExactly("a", "b", "c");
    }
  }

  @Test
  void aListenerThatTakesTooLongIsInterruptedAndHearsTheNextEvent() throws Exception {
    try (var _ = NothingLeft.check();
        var scope = TaskScope.open("owner", mailbox)) {
      var ended = new CompletableFuture<Long>();
      fork(
          scope,
          delivery(
              SHORT,
              event -> {
                heard.add(event);
                if (event.equals("slow")) {
                  untilInterrupted();
                  ended.complete(System.nanoTime());
                }
              }));
      long before = System.nanoTime();
      add("slow", "next");
      backlog.close();

      assertThat(scope.take()).isEqualTo(RETURNED);
      assertThat(heard).containsExactly("slow", "next");
      assertThat(ended.get() - before).isGreaterThanOrEqualTo(SHORT.toNanos());
      assertThat(guests.running()).isEmpty();
    }
  }

  @Test
  void aListenerThatIgnoresItsInterruptHearsNothingMoreAndIsNamed() throws Exception {
    try (var _ = NothingLeft.check();
        var scope = TaskScope.open("owner", mailbox)) {
      fork(scope, delivery(Duration.ofMillis(20), this::busyWithTheFirst));
      add("stuck", "next");

      assertThat(scope.take()).isEqualTo(RETURNED);
      busy.await(); // it may well start late, and it does start
      assertThat(heard).containsExactly("stuck");
      assertThat(guests.running()).containsExactly("listener");
      add("later");
      assertThat(backlog.next(Deadline.NEVER)).isEqualTo("next");
      assertThat(backlog.next(Deadline.NEVER)).isNull();

      released.countDown();
      untilNoGuestRuns();
      assertThat(heard).containsExactly("stuck");
    }
  }

  @Test
  void endingDoesNotWaitForAListenerThatWasLeftBehind() throws Exception {
    try (var _ = NothingLeft.check();
        var scope = TaskScope.open("owner", mailbox)) {
      var delivery = delivery(Duration.ofMillis(20), _ -> untilReleased());
      fork(scope, delivery);
      add("stuck", "next");

      delivery.end(Deadline.NEVER);

      assertThat(guests.running()).containsExactly("listener");
      assertThat(scope.take()).isEqualTo(RETURNED);
      released.countDown();
      untilNoGuestRuns();
    }
  }

  @Test
  void theSubtaskReturnsWhenTheBacklogIsClosedWhileItWaits() throws Exception {
    try (var _ = NothingLeft.check();
        var scope = TaskScope.open("owner", mailbox)) {
      untilItWaits(fork(scope, delivery(LONG, heard::add)));

      backlog.close();

      assertThat(scope.take()).isEqualTo(RETURNED);
    }
  }

  @Test
  void anEventEndsItsWait() throws Exception {
    try (var _ = NothingLeft.check();
        var scope = TaskScope.open("owner", mailbox)) {
      Thread subtask = fork(scope, delivery(LONG, heard::add));
      untilItWaits(subtask);
      add("a");
      untilHeard("a");
      untilItWaits(subtask);
      add("b");
      untilHeard("b");

      backlog.close();

      assertThat(scope.take()).isEqualTo(RETURNED);
      assertThat(heard).containsExactly("a", "b");
    }
  }

  @Test
  void endLetsTheListenerHaveWhatWaits() throws Exception {
    try (var _ = NothingLeft.check();
        var scope = TaskScope.open("owner", mailbox)) {
      var delivery = delivery(LONG, this::busyWithTheFirst);
      fork(scope, delivery);
      add("a", "b", "c");
      busy.await();
      var ending = new FutureTask<>(() -> delivery.end(LATER), null);
      Thread ender = Thread.startVirtualThread(ending);
      untilItWaits(ender);
      assertThat(heard).containsExactly("a");

      add("too late");
      released.countDown();

      ending.get();
      assertThat(heard).containsExactly("a", "b", "c");
      assertThat(scope.take()).isEqualTo(RETURNED);
      assertThat(heard).containsExactly("a", "b", "c");
    }
  }

  @Test
  void endWaitsNoLongerThanItsDeadline() throws Exception {
    try (var _ = NothingLeft.check();
        var scope = TaskScope.open("owner", mailbox)) {
      var delivery = delivery(LONG, this::busyWithTheFirst);
      fork(scope, delivery);
      add("a", "b");
      busy.await();
      Deadline soon = Deadline.after(Duration.ofMillis(20));

      delivery.end(soon);

      assertThat(soon.passed()).isTrue();
      assertThat(heard).containsExactly("a");
      released.countDown();
      assertThat(scope.take()).isEqualTo(RETURNED);
    }
  }

  @Test
  void endGoesOnWhenItIsInterruptedAndKeepsTheFlag() throws Exception {
    try (var _ = NothingLeft.check();
        var scope = TaskScope.open("owner", mailbox)) {
      Thread owner = Thread.currentThread();
      var delivery =
          delivery(
              LONG,
              event -> {
                untilItWaits(owner);
                heard.add(event);
              });
      fork(scope, delivery);
      add("a", "b");
      owner.interrupt();

      delivery.end(LATER);

      assertThat(Thread.interrupted()).isTrue();
      assertThat(heard).containsExactly("a", "b");
      assertThat(scope.take()).isEqualTo(RETURNED);
    }
  }

  @Test
  void endIsOverAtOnceWhenTheSubtaskHasEnded() throws Exception {
    try (var _ = NothingLeft.check();
        var scope = TaskScope.open("owner", mailbox)) {
      var delivery = delivery(LONG, heard::add);
      fork(scope, delivery);
      delivery.end(Deadline.NEVER);
      assertThat(scope.take()).isEqualTo(RETURNED);

      delivery.end(Deadline.NEVER);
    }
  }

  @Test
  void anInterruptOfTheSubtaskInterruptsTheGuest() throws Exception {
    try (var _ = NothingLeft.check()) {
      try (var scope = TaskScope.open("owner", mailbox)) {
        fork(
            scope,
            delivery(
                LONG,
                event -> {
                  heard.add(event);
                  busy.countDown();
                  untilInterrupted();
                }));
        add("a", "b");
        busy.await();
      }
      interrupted.await();
      assertInterruptedEnd();
      untilNoGuestRuns();
      assertThat(heard).containsExactly("a");
    }
  }

  @Test
  void anInterruptOfTheSubtaskDoesNotWaitForAGuestThatIgnoresIt() throws Exception {
    try (var _ = NothingLeft.check()) {
      try (var scope = TaskScope.open("owner", mailbox)) {
        fork(scope, delivery(LONG, this::busyWithTheFirst));
        add("a", "b");
        busy.await();
      }
      assertThat(guests.running()).containsExactly("listener");
      assertInterruptedEnd();
      released.countDown();
      untilNoGuestRuns();
      assertThat(heard).containsExactly("a");
    }
  }

  @Test
  void anInterruptEndsASubtaskThatWaitsAndTheBacklogWithIt() throws Exception {
    try (var _ = NothingLeft.check()) {
      try (var scope = TaskScope.open("owner", mailbox)) {
        untilItWaits(fork(scope, delivery(LONG, heard::add)));
      }
      assertInterruptedEnd();
      add("a");
      assertThat(backlog.isOver()).isTrue();
    }
  }

  @Test
  void aSlowListenerIsToldHowMuchItHasMissed() throws Exception {
    try (var _ = NothingLeft.check();
        var scope = TaskScope.open("owner", mailbox)) {
      var small = new Backlog<>(2, POLICY);
      var delivery = new Delivery<>("listener", small, this::busyWithTheFirst, LONG, guests);
      fork(scope, delivery);
      small.add("a");
      busy.await();
      List.of("b", "c", "d", "e").forEach(small::add);
      small.close();
      released.countDown();

      assertThat(scope.take()).isEqualTo(RETURNED);
      assertThat(heard).containsExactly("a", "2 dropped", "d", "e");
    }
  }

  private Delivery<String> delivery(Duration limit, Consumer<String> listener) {
    return new Delivery<>("listener", backlog, listener, limit, guests);
  }

  /// Forks the subtask and returns its thread.
  private static Thread fork(TaskScope<Ended> scope, Delivery<String> delivery) throws Exception {
    var thread = new CompletableFuture<Thread>();
    scope.fork(
        "events",
        () -> {
          thread.complete(Thread.currentThread());
          delivery.run();
        },
        Ended::new);
    return thread.get();
  }

  private void add(String... events) {
    for (String event : events) {
      backlog.add(event);
    }
  }

  private void assertInterruptedEnd() {
    assertThat(mailbox.close())
        .singleElement()
        .extracting(Ended::failure)
        .isInstanceOf(InterruptedException.class);
  }

  // What listeners do.

  private void busyWithTheFirst(String event) {
    heard.add(event);
    busy.countDown();
    untilReleased();
  }

  private void untilReleased() {
    Deadline.NEVER.await(_ -> {
      released.await();
      return true;
    });
  }

  private void untilInterrupted() {
    try {
      never.await();
    } catch (InterruptedException e) {
      interrupted.countDown();
    }
  }

  private void untilHeard(String event) {
    while (!heard.contains(event)) {
      Thread.onSpinWait();
    }
  }

  private void untilNoGuestRuns() {
    while (!guests.running().isEmpty()) {
      Thread.onSpinWait();
    }
  }

  private static void untilItWaits(Thread thread) {
    while (thread.getState() != Thread.State.WAITING
        && thread.getState() != Thread.State.TIMED_WAITING) {
      Thread.onSpinWait();
    }
  }
}
