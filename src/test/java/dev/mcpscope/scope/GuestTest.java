package dev.mcpscope.scope;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.host.ThreadDump;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

@Timeout(value = 20, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class GuestTest {
  private static final Duration LONG = Duration.ofHours(1);
  private static final Duration SHORT = Duration.ofMillis(30);

  private final CompletableFuture<Optional<Throwable>> end = new CompletableFuture<>();
  private final CountDownLatch released = new CountDownLatch(1);

  static Stream<Throwable> ends() {
    return Stream.of(null, new Exception(), new IllegalStateException(), new StackOverflowError());
  }

  @ParameterizedTest
  @MethodSource("ends")
  void whatAGuestThrewIsHandedOver(Throwable thrown) throws Exception {
    try (var _ = NothingLeft.check()) {
      var guest =
          start(() -> {
            switch (thrown) {
              case null -> {}
              case Exception e -> throw e;
              case Error e -> throw e;
              default -> throw new AssertionError(thrown);
            }
          });

      assertThat(guest.dismiss(Deadline.after(LONG), LONG)).isTrue();
      assertThat(end.get()).isEqualTo(Optional.ofNullable(thrown));
    }
  }

  @Test
  void theEndIsHandedOverInTheGuestsOwnThread() throws Exception {
    try (var _ = NothingLeft.check()) {
      var body = new CompletableFuture<Thread>();
      var ended = new CompletableFuture<Thread>();
      var guest =
          Guest.of(
              "listener",
              () -> body.complete(Thread.currentThread()),
              _ -> ended.complete(Thread.currentThread()));
      guest.start();

      assertThat(guest.dismiss(Deadline.after(LONG), LONG)).isTrue();
      assertThat(ended.get()).isSameAs(body.get()).isNotSameAs(Thread.currentThread());
      assertThat(body.get().getName()).isEqualTo("listener").isEqualTo(guest.name());
    }
  }

  @Test
  void aGuestIsNotInterruptedBeforeTheDeadline() throws Exception {
    try (var _ = NothingLeft.check()) {
      Thread host = Thread.currentThread();
      var guest =
          start(() -> {
            untilItWaits(host);
            if (Thread.interrupted()) {
              throw new InterruptedException();
            }
          });

      assertThat(guest.dismiss(Deadline.after(LONG), LONG)).isTrue();
      assertThat(end.get()).isEmpty();
    }
  }

  @Test
  void dismissInterruptsAGuestThatStays() throws Exception {
    try (var _ = NothingLeft.check()) {
      var guest = start(released::await);

      assertThat(guest.dismiss(Deadline.after(SHORT), LONG)).isTrue();
      assertThat(end.get()).containsInstanceOf(InterruptedException.class);
    }
  }

  @Test
  void aGuestThatIgnoresItsInterruptIsAbandonedInBoundedTime() throws Exception {
    try (var _ = NothingLeft.check()) {
      var guest = start(this::untilReleased);
      long start = System.nanoTime();

      assertThat(guest.dismiss(Deadline.after(SHORT), SHORT)).isFalse();

      assertThat(Duration.ofNanos(System.nanoTime() - start))
          .isBetween(SHORT.multipliedBy(2), Duration.ofSeconds(5));
      released.countDown();
      assertThat(guest.dismiss(Deadline.after(LONG), LONG)).isTrue();
    }
  }

  @Test
  void theCallersInterruptDoesNotShortenTheGuestsTime() {
    try (var _ = NothingLeft.check()) {
      var guest = start(this::untilReleased);
      Thread.currentThread().interrupt();
      long start = System.nanoTime();

      assertThat(guest.dismiss(Deadline.after(SHORT), SHORT)).isFalse();

      assertThat(Thread.interrupted()).isTrue();
      assertThat(System.nanoTime() - start).isGreaterThan(SHORT.multipliedBy(2).toNanos());
      released.countDown();
      assertThat(guest.dismiss(Deadline.after(LONG), LONG)).isTrue();
    }
  }

  @Test
  void awaitEndsWithTheGuest() throws Exception {
    try (var _ = NothingLeft.check()) {
      for (Deadline deadline : List.of(Deadline.NEVER, Deadline.after(LONG))) {
        Thread host = Thread.currentThread();

        assertThat(start(() -> untilItWaits(host)).await(deadline)).isTrue();
      }
    }
  }

  @Test
  void awaitReturnsWhenItsDeadlinePassesAndLeavesTheGuestAlone() throws Exception {
    try (var _ = NothingLeft.check()) {
      var guest = start(released::await);
      Deadline soon = Deadline.after(SHORT);

      assertThat(guest.await(Deadline.after(Duration.ZERO))).isFalse();
      assertThat(guest.await(soon)).isFalse();

      assertThat(soon.passed()).isTrue();
      released.countDown();
      assertThat(guest.await(Deadline.NEVER)).isTrue();
      assertThat(guest.await(Deadline.after(Duration.ZERO))).isTrue();
      assertThat(end.get()).isEmpty();
    }
  }

  @Test
  void anInterruptOfTheCallerEndsItsAwaitAndLeavesTheGuestAlone() throws Exception {
    try (var _ = NothingLeft.check()) {
      var guest = start(released::await);
      Thread.currentThread().interrupt();

      assertThatThrownBy(() -> guest.await(Deadline.NEVER))
          .isInstanceOf(InterruptedException.class);

      assertThat(Thread.interrupted()).isFalse();
      released.countDown();
      assertThat(guest.await(Deadline.NEVER)).isTrue();
      assertThat(end.get()).isEmpty();
    }
  }

  @Test
  void aGuestHasEndedWhenItsThreadHas() throws Exception {
    try (var _ = NothingLeft.check()) {
      var handingOver = new CountDownLatch(1);
      var guest =
          Guest.of(
              "guest",
              () -> {},
              _ -> {
                handingOver.countDown();
                untilReleased();
              });
      assertThat(guest.hasEnded()).isFalse();

      guest.start();
      handingOver.await();
      assertThat(guest.hasEnded()).isFalse();

      released.countDown();
      assertThat(guest.await(Deadline.NEVER)).isTrue();
      assertThat(guest.hasEnded()).isTrue();
    }
  }

  @Test
  void aGuestIsKnownBeforeItRunsAndKnowsItself() {
    try (var _ = NothingLeft.check()) {
      var self = new AtomicReference<Guest>();
      var answer = new AtomicReference<Boolean>();
      self.set(Guest.of("guest", () -> answer.set(self.get().isCurrentThread()), _ -> {}));
      assertThat(self.get().name()).isEqualTo("guest");
      assertThat(answer.get()).isNull();

      self.get().start();

      assertThat(self.get().dismiss(Deadline.after(LONG), LONG)).isTrue();
      assertThat(answer.get()).isTrue();
      assertThat(self.get().isCurrentThread()).isFalse();
    }
  }

  @Test
  void aGuestThatStaysDoesNotHoldTheScopeItWasStartedIn() throws Exception {
    try (var _ = NothingLeft.check()) {
      var byOwner = new CompletableFuture<Guest>();
      var bySubtask = new CompletableFuture<Guest>();
      try (var scope = TaskScope.open("connection/s1/files#1", new Mailbox<String>(1))) {
        byOwner.complete(start("onConnect", this::untilReleased));
        scope.fork(
            "handler",
            () -> bySubtask.complete(start("sampling", this::untilReleased)),
            _ -> "ended");
        scope.take();
      }

      assertThat(ThreadDump.take().threads())
          .filteredOn(
              thread -> thread.name().equals("onConnect") || thread.name().equals("sampling"))
          .hasSize(2)
          .allSatisfy(thread -> assertThat(thread.container()).isEqualTo("<root>"));
      released.countDown();
      assertThat(byOwner.get().dismiss(Deadline.after(LONG), LONG)).isTrue();
      assertThat(bySubtask.get().dismiss(Deadline.after(LONG), LONG)).isTrue();
    }
  }

  private Guest start(Task body) {
    return start("guest", body);
  }

  private Guest start(String name, Task body) {
    var guest = Guest.of(name, body, failure -> end.complete(Optional.ofNullable(failure)));
    guest.start();
    return guest;
  }

  private void untilReleased() {
    Deadline.NEVER.await(_ -> {
      released.await();
      return true;
    });
  }

  private static void untilItWaits(Thread thread) {
    while (thread.getState() != Thread.State.TIMED_WAITING) {
      Thread.onSpinWait();
    }
  }
}
