package dev.mcpscope.scope;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.NothingLeft;
import java.lang.ref.WeakReference;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 20, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class GuestsTest {
  private static final Deadline LATER = Deadline.after(Duration.ofHours(1));
  private static final Consumer<Throwable> NOBODY = _ -> {};

  private final Guests guests = new Guests();

  @Test
  void aGuestIsInTheListBeforeItsBodyRuns() throws Exception {
    try (var _ = NothingLeft.check()) {
      for (int i = 0; i < 2_000; i++) { // it would be a race, if it were not so
        var running = new CompletableFuture<List<String>>();
        var included = new CompletableFuture<Boolean>();
        Guest guest =
            guests.start(
                "guest",
                () -> {
                  included.complete(guests.includeCurrentThread());
                  running.complete(guests.running());
                },
                NOBODY);

        assertThat(included.get()).isTrue();
        assertThat(running.get()).containsExactly("guest");
        assertThat(guest.await(LATER)).isTrue();
      }
    }
  }

  @Test
  void onlyTheGuestsOfThisListAreIncluded() throws Exception {
    try (var _ = NothingLeft.check()) {
      var others = new Guests();
      var ofOthers = new CompletableFuture<Boolean>();
      var ofAGuest = new CompletableFuture<Boolean>();

      Guest other =
          others.start("other", () -> ofOthers.complete(guests.includeCurrentThread()), NOBODY);
      Guest own =
          guests.start(
              "guest",
              () ->
                  Thread.startVirtualThread(() -> ofAGuest.complete(guests.includeCurrentThread()))
                      .join(),
              NOBODY);

      assertThat(guests.includeCurrentThread()).isFalse();
      assertThat(ofOthers.get()).isFalse();
      assertThat(ofAGuest.get()).isFalse();
      assertThat(other.await(LATER)).isTrue();
      assertThat(own.await(LATER)).isTrue();
    }
  }

  @Test
  void runningNamesThoseThatStillRun() throws Exception {
    try (var _ = NothingLeft.check()) {
      assertThat(guests.running()).isEmpty();
      var gates = List.of(new CountDownLatch(1), new CountDownLatch(1), new CountDownLatch(1));
      Guest onConnect = guests.start("onConnect", gates.get(0)::await, NOBODY);
      Guest firstListener = guests.start("listener", gates.get(1)::await, NOBODY);
      Guest secondListener = guests.start("listener", gates.get(2)::await, NOBODY);

      assertThat(guests.running()).containsExactly("listener", "listener", "onConnect");
      gates.get(1).countDown();
      assertThat(firstListener.await(LATER)).isTrue();
      assertThat(guests.running()).containsExactly("listener", "onConnect");
      gates.get(0).countDown();
      assertThat(onConnect.await(LATER)).isTrue();
      assertThat(guests.running()).containsExactly("listener");
      gates.get(2).countDown();
      assertThat(secondListener.await(LATER)).isTrue();
      assertThat(guests.running()).isEmpty();
    }
  }

  @Test
  void aGuestStillRunsWhileItsEndIsHandedOver() throws Exception {
    try (var _ = NothingLeft.check()) {
      var failure = new Exception();
      var handedOver = new CompletableFuture<Throwable>();
      var running = new CompletableFuture<List<String>>();

      Guest guest =
          guests.start(
              "handler",
              () -> {
                throw failure;
              },
              thrown -> {
                running.complete(guests.running());
                handedOver.complete(thrown);
              });

      assertThat(handedOver.get()).isSameAs(failure);
      assertThat(running.get()).containsExactly("handler");
      assertThat(guest.await(LATER)).isTrue();
      assertThat(guest.name()).isEqualTo("handler");
    }
  }

  @Test
  void guestsThatHaveEndedAreForgottenWhenTheNextOneStarts() throws Exception {
    try (var _ = NothingLeft.check()) {
      WeakReference<Object> held = whatAnEndedGuestHeld();
      Guest next = guests.start("next", () -> {}, NOBODY);

      while (!held.refersTo(null)) {
        System.gc();
      }

      assertThat(next.await(LATER)).isTrue();
    }
  }

  /// In a method of its own, so that nothing on the stack knows the guest.
  private WeakReference<Object> whatAnEndedGuestHeld() throws InterruptedException {
    var resource = new Object();
    Guest guest = guests.start("ended", resource::hashCode, NOBODY);
    assertThat(guest.await(LATER)).isTrue();
    return new WeakReference<>(resource);
  }
}
