package dev.mcpscope.scope;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.NothingLeft;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ThreadLocalRandom;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 20, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class MailboxTest {
  private static final Deadline PASSED = Deadline.after(Duration.ZERO);
  private static final Deadline LATER = Deadline.after(Duration.ofHours(1));

  @Test
  void theOldestMessageComesFirst() throws Exception {
    var mailbox = new Mailbox<String>(3);
    mailbox.offer("a");
    mailbox.post("b");
    mailbox.offer("c");

    assertThat(mailbox.take(Deadline.NEVER)).isEqualTo("a");
    assertThat(mailbox.take(LATER)).isEqualTo("b");
    assertThat(mailbox.take(PASSED)).isEqualTo("c");
  }

  @Test
  void aFullMailboxRefusesAnOfferAndAcceptsAPost() {
    var mailbox = new Mailbox<String>(2);

    assertThat(mailbox.offer("a")).isTrue();
    assertThat(mailbox.offer("b")).isTrue();
    assertThat(mailbox.offer("c")).isFalse();
    assertThat(mailbox.post("d")).isTrue();
    assertThat(mailbox.close()).containsExactly("a", "b", "d");
  }

  @Test
  void whatIsPostedCountsAgainstTheCapacity() {
    var mailbox = new Mailbox<String>(1);

    assertThat(mailbox.post("a")).isTrue();
    assertThat(mailbox.offer("b")).isFalse();
  }

  @Test
  void takingMakesRoomForAnOffer() throws Exception {
    var mailbox = new Mailbox<String>(1);
    mailbox.offer("a");
    mailbox.take(Deadline.NEVER);

    assertThat(mailbox.offer("b")).isTrue();
  }

  @Test
  void aCapacityBelowOneIsRefused() {
    assertThatThrownBy(() -> new Mailbox<String>(0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("0");
  }

  @Test
  void takeReturnsNullWhenItsDeadlinePasses() throws Exception {
    var mailbox = new Mailbox<String>(1);
    Deadline soon = Deadline.after(Duration.ofMillis(20));

    assertThat(mailbox.take(PASSED)).isNull();
    assertThat(mailbox.take(soon)).isNull();
    assertThat(soon.passed()).isTrue();
  }

  @Test
  void aMessageEndsTheWaitForIt() throws Exception {
    try (var _ = NothingLeft.check()) {
      for (Deadline deadline : List.of(Deadline.NEVER, LATER)) {
        var mailbox = new Mailbox<String>(1);
        var taken = new FutureTask<>(() -> mailbox.take(deadline));
        Thread taker = Thread.ofVirtual().start(taken);
        untilItWaits(taker);

        mailbox.offer("a");

        assertThat(taken.get()).isEqualTo("a");
        taker.join();
      }
    }
  }

  @Test
  void anInterruptEndsTheWait() throws Exception {
    try (var _ = NothingLeft.check()) {
      for (Deadline deadline : List.of(Deadline.NEVER, LATER)) {
        var mailbox = new Mailbox<String>(1);
        var taken = new FutureTask<>(() -> mailbox.take(deadline));
        Thread taker = Thread.ofVirtual().start(taken);
        untilItWaits(taker);

        taker.interrupt();

        assertThatThrownBy(taken::get).hasCauseInstanceOf(InterruptedException.class);
        taker.join();
      }
    }
  }

  @Test
  void anInterruptedTakeLeavesTheMailWhereItIs() {
    var mailbox = new Mailbox<String>(1);
    mailbox.offer("a");
    Thread.currentThread().interrupt();

    assertThatThrownBy(() -> mailbox.take(Deadline.NEVER)).isInstanceOf(InterruptedException.class);
    assertThat(mailbox.close()).containsExactly("a");
  }

  @Test
  void closeHandsBackWhatWasNeverTaken() throws Exception {
    var mailbox = new Mailbox<String>(3);
    mailbox.offer("a");
    mailbox.offer("b");
    mailbox.post("c");
    mailbox.take(Deadline.NEVER);

    assertThat(mailbox.close()).containsExactly("b", "c");
    assertThat(mailbox.close()).isEmpty();
  }

  @Test
  void whatIsDrainedIsForgottenAndTheMailboxStaysOpen() throws Exception {
    var mailbox = new Mailbox<String>(2);
    assertThat(mailbox.drain()).isEmpty();
    mailbox.post("a");
    mailbox.post("b");
    mailbox.post("c");
    mailbox.take(Deadline.NEVER);

    List<String> drained = mailbox.drain();

    assertThat(drained).containsExactly("b", "c");
    assertThat(mailbox.isClosed()).isFalse();
    assertThat(mailbox.drain()).isEmpty();
    assertThat(mailbox.take(PASSED)).isNull();
    assertThat(mailbox.offer("d")).isTrue(); // there is room again
    assertThat(mailbox.offer("e")).isTrue();
    assertThat(mailbox.take(Deadline.NEVER)).isEqualTo("d");
    assertThat(mailbox.close()).containsExactly("e");
    assertThat(drained).containsExactly("b", "c"); // a copy
  }

  @Test
  void aTakeWaitsOnWhileOthersDrain() throws Exception {
    try (var _ = NothingLeft.check()) {
      var mailbox = new Mailbox<String>(1);
      var taken = new FutureTask<>(() -> mailbox.take(Deadline.NEVER));
      Thread taker = Thread.ofVirtual().start(taken);
      untilItWaits(taker);

      assertThat(mailbox.drain()).isEmpty();
      mailbox.post("a");

      assertThat(taken.get()).isEqualTo("a");
      taker.join();
    }
  }

  @Test
  void aClosedMailboxHasNothingToDrain() {
    var mailbox = new Mailbox<String>(1);
    mailbox.post("a");
    mailbox.close();
    assertThat(mailbox.drain()).isEmpty();
    assertThat(mailbox.isClosed()).isTrue();
  }

  @Test
  void aClosedMailboxRefusesEverything() {
    var mailbox = new Mailbox<String>(1);
    assertThat(mailbox.isClosed()).isFalse();

    mailbox.close();

    assertThat(mailbox.isClosed()).isTrue();
    assertThat(mailbox.offer("a")).isFalse();
    assertThat(mailbox.post("b")).isFalse();
    assertThat(mailbox.close()).isEmpty();
  }

  @RepeatedTest(20)
  void eachMessageIsTakenOrHandedBackOrRefused() throws Exception {
    int posters = 8;
    int each = 1_000;
    int takenByOwner = ThreadLocalRandom.current().nextInt(posters / 2 * each);
    var mailbox = new Mailbox<String>(10);
    var seen = new ArrayList<String>();
    var refused = new ConcurrentLinkedQueue<String>();
    var threads = new ArrayList<Thread>();
    try (var _ = NothingLeft.check()) {
      for (int p = 0; p < posters; p++) {
        String poster = p + ":";
        boolean outside = p % 2 == 0;
        threads.add(
            Thread.startVirtualThread(() -> {
              for (int m = 0; m < each; m++) {
                String message = poster + m;
                if (!(outside ? mailbox.offer(message) : mailbox.post(message))) {
                  refused.add(message);
                }
              }
            }));
      }
      for (int i = 0; i < takenByOwner; i++) {
        seen.add(mailbox.take(Deadline.NEVER));
      }
      seen.addAll(mailbox.close());
      for (Thread thread : threads) {
        thread.join();
      }
      seen.addAll(refused);
    }
    assertThat(seen).hasSize(posters * each).doesNotHaveDuplicates();
  }

  private static void untilItWaits(Thread thread) {
    while (thread.getState() != Thread.State.WAITING
        && thread.getState() != Thread.State.TIMED_WAITING) {
      Thread.onSpinWait();
    }
  }
}
