package dev.mcpscope.scope;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.NothingLeft;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 20, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BacklogTest {
  private static final Deadline PASSED = Deadline.after(Duration.ZERO);
  private static final Deadline LATER = Deadline.after(Duration.ofHours(1));

  /// An event is a text: `subject=value`, or one of its own; those that start with "log" may go.
  private static final Backlog.Policy<String> POLICY =
      new Backlog.Policy<>() {
        @Override
        public Object subject(String event) {
          int end = event.indexOf('=');
          return end < 0 ? null : event.substring(0, end);
        }

        @Override
        public boolean droppable(String event) {
          return event.startsWith("log");
        }

        @Override
        public String dropped(long count) {
          return count + " dropped";
        }
      };

  @Test
  void theOldestEventComesFirst() throws Exception {
    Backlog<String> backlog = backlog(3, "a", "b", "c");

    assertThat(backlog.next(Deadline.NEVER)).isEqualTo("a");
    assertThat(backlog.next(LATER)).isEqualTo("b");
    assertThat(backlog.next(PASSED)).isEqualTo("c");
    assertThat(backlog.next(PASSED)).isNull();
  }

  @Test
  void theNewestEventAboutASubjectTakesThePlaceOfTheOneThatWaits() throws Exception {
    Backlog<String> backlog = backlog(9, "a=1", "b", "c=1", "a=2", "c=2", "a=3");

    assertThat(left(backlog)).containsExactly("a=3", "b", "c=2");
  }

  @Test
  void aSubjectThatWasTakenWaitsAnewAtTheEnd() throws Exception {
    Backlog<String> backlog = backlog(9, "a=1", "b");
    backlog.next(PASSED);

    backlog.add("a=2");

    assertThat(left(backlog)).containsExactly("b", "a=2");
  }

  @Test
  void aReplacementNeedsNoRoom() throws Exception {
    Backlog<String> backlog = backlog(2, "a=1", "b", "a=2");

    assertThat(left(backlog)).containsExactly("a=2", "b");
  }

  @Test
  void eventsWithoutASubjectAreKeptEvenIfTheyAreEqual() throws Exception {
    assertThat(left(backlog(9, "a", "a", "log", "log"))).containsExactly("a", "a", "log", "log");
  }

  @Test
  void theOldestDroppableEventGoesFirst() throws Exception {
    Backlog<String> backlog = backlog(4, "a", "log 1", "b=1", "log=2");

    backlog.add("c");
    assertThat(left(backlog)).containsExactly("1 dropped", "a", "b=1", "log=2", "c");

    backlog = backlog(4, "a", "log 1", "b=1", "log=2", "c", "d");
    assertThat(left(backlog)).containsExactly("2 dropped", "a", "b=1", "c", "d");
  }

  @Test
  void whereNothingIsDroppableTheOldestEventGoes() throws Exception {
    Backlog<String> backlog = backlog(2, "a", "b=1", "c", "d=1");

    assertThat(left(backlog)).containsExactly("2 dropped", "c", "d=1");
  }

  @Test
  void aDroppableEventPushesOutNothingThatCounts() throws Exception {
    assertThat(left(backlog(2, "a", "b=1", "log"))).containsExactly("1 dropped", "a", "b=1");
  }

  @Test
  void aSubjectThatWasDroppedWaitsAnewAtTheEnd() throws Exception {
    Backlog<String> backlog = backlog(2, "a=1", "b", "c", "a=2");

    assertThat(left(backlog)).containsExactly("2 dropped", "c", "a=2");
  }

  @Test
  void takingMakesRoom() throws Exception {
    Backlog<String> backlog = backlog(1, "a");
    backlog.next(PASSED);

    backlog.add("b");

    assertThat(left(backlog)).containsExactly("b");
  }

  @Test
  void theCountOfWhatWasDroppedIsToldOnceAndStartsAnew() throws Exception {
    Backlog<String> backlog = backlog(2, "a", "b", "c", "d", "e");
    assertThat(backlog.next(PASSED)).isEqualTo("3 dropped");
    assertThat(backlog.next(PASSED)).isEqualTo("d");

    backlog.add("f");
    assertThat(backlog.next(PASSED)).isEqualTo("e");

    backlog.add("g");
    backlog.add("h");
    assertThat(left(backlog)).containsExactly("1 dropped", "g", "h");
  }

  @Test
  void aCapacityBelowOneIsRefused() {
    assertThatThrownBy(() -> new Backlog<>(0, POLICY))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("0");
  }

  @Test
  void aClosedBacklogTakesNothingInAndHandsOutWhatWaits() throws Exception {
    Backlog<String> backlog = backlog(2, "gone", "a=1", "b");

    backlog.close();
    backlog.add("c");
    backlog.add("a=2");
    backlog.close();

    assertThat(backlog.next(Deadline.NEVER)).isEqualTo("1 dropped");
    assertThat(backlog.next(LATER)).isEqualTo("a=1");
    assertThat(backlog.next(PASSED)).isEqualTo("b");
    assertThat(backlog.next(Deadline.NEVER)).isNull();
    backlog.add("d");
    assertThat(backlog.next(Deadline.NEVER)).isNull();
  }

  @Test
  void itIsOverWhenItIsClosedAndEverythingWasTold() throws Exception {
    Backlog<String> backlog = backlog(1, "a", "b");
    assertThat(backlog.isOver()).isFalse();

    backlog.close();
    assertThat(backlog.isOver()).isFalse();
    assertThat(backlog.next(PASSED)).isEqualTo("1 dropped");
    assertThat(backlog.isOver()).isFalse();
    assertThat(backlog.next(PASSED)).isEqualTo("b");
    assertThat(backlog.isOver()).isTrue();
  }

  @Test
  void anEmptyBacklogThatIsOpenIsNotOver() {
    Backlog<String> backlog = backlog(1);
    assertThat(backlog.isOver()).isFalse();

    backlog.close();
    assertThat(backlog.isOver()).isTrue();
  }

  @Test
  void nextReturnsNullWhenItsDeadlinePasses() throws Exception {
    Backlog<String> backlog = backlog(1);
    Deadline soon = Deadline.after(Duration.ofMillis(20));

    assertThat(backlog.next(PASSED)).isNull();
    assertThat(backlog.next(soon)).isNull();
    assertThat(soon.passed()).isTrue();
  }

  @Test
  void anEventEndsTheWaitForIt() throws Exception {
    try (var _ = NothingLeft.check()) {
      for (Deadline deadline : List.of(Deadline.NEVER, LATER)) {
        Backlog<String> backlog = backlog(1);
        var taker = new Taker(backlog, deadline);

        backlog.add("a");

        assertThat(taker.taken()).isEqualTo("a");
      }
    }
  }

  @Test
  void closeEndsEveryWait() throws Exception {
    try (var _ = NothingLeft.check()) {
      Backlog<String> backlog = backlog(1);
      var takers =
          List.of(
              new Taker(backlog, Deadline.NEVER),
              new Taker(backlog, LATER),
              new Taker(backlog, Deadline.NEVER));

      backlog.close();

      for (Taker taker : takers) {
        assertThat(taker.taken()).isNull();
      }
    }
  }

  @Test
  void anInterruptEndsTheWait() throws Exception {
    try (var _ = NothingLeft.check()) {
      for (Deadline deadline : List.of(Deadline.NEVER, LATER)) {
        var taker = new Taker(backlog(1), deadline);

        taker.thread.interrupt();

        assertThatThrownBy(taker::taken).hasCauseInstanceOf(InterruptedException.class);
      }
    }
  }

  @Test
  void anInterruptedNextLeavesWhatWaitsWhereItIs() throws Exception {
    Backlog<String> backlog = backlog(1, "a", "b");
    Thread.currentThread().interrupt();

    assertThatThrownBy(() -> backlog.next(Deadline.NEVER)).isInstanceOf(InterruptedException.class);
    assertThat(left(backlog)).containsExactly("1 dropped", "b");
  }

  @RepeatedTest(20)
  void eachEventIsTakenInOrderOrCounted() throws Exception {
    int adders = 8;
    int each = 1_000;
    Backlog<String> backlog = backlog(10);
    var full = new CountDownLatch(adders); // so that there is something to drop
    var threads = new ArrayList<Thread>();
    var taken = new ArrayList<String>();
    long dropped = 0;
    try (var _ = NothingLeft.check()) {
      for (int a = 0; a < adders; a++) {
        String kind = a % 2 == 0 ? "log " : "event ";
        String adder = kind + a + ":";
        threads.add(
            Thread.startVirtualThread(() -> {
              for (int i = 0; i < each; i++) {
                backlog.add(adder + i);
                if (i == each / 2) {
                  full.countDown();
                }
              }
            }));
      }
      var end =
          new FutureTask<>(() -> {
            for (Thread thread : threads) {
              thread.join();
            }
            backlog.close();
            return null;
          });
      Thread.startVirtualThread(end);
      full.await();
      for (String event; (event = backlog.next(Deadline.NEVER)) != null; ) {
        if (event.endsWith(" dropped")) {
          dropped += Long.parseLong(event.substring(0, event.indexOf(' ')));
        } else {
          taken.add(event);
        }
      }
      end.get();
    }
    assertThat(taken.size() + dropped).isEqualTo(adders * each);
    assertThat(dropped).isPositive();
    assertThat(taken).doesNotHaveDuplicates();
    for (int a = 0; a < adders; a++) {
      String adder = a + ":";
      assertThat(taken.stream().map(e -> e.substring(e.indexOf(' ') + 1)))
          .filteredOn(e -> e.startsWith(adder))
          .extracting(e -> Integer.parseInt(e.substring(adder.length())))
          .isSorted();
    }
  }

  /// A thread that waits for the next event.
  private static final class Taker {
    final FutureTask<String> next;
    final Thread thread;

    Taker(Backlog<String> backlog, Deadline deadline) {
      next = new FutureTask<>(() -> backlog.next(deadline));
      thread = Thread.startVirtualThread(next);
      while (thread.getState() != Thread.State.WAITING
          && thread.getState() != Thread.State.TIMED_WAITING) {
        Thread.onSpinWait();
      }
    }

    String taken() throws Exception {
      thread.join();
      return next.get();
    }
  }

  private static Backlog<String> backlog(int capacity, String... events) {
    var backlog = new Backlog<>(capacity, POLICY);
    for (String event : events) {
      backlog.add(event);
    }
    return backlog;
  }

  private static List<String> left(Backlog<String> backlog) throws InterruptedException {
    var left = new ArrayList<String>();
    for (String event; (event = backlog.next(PASSED)) != null; ) {
      left.add(event);
    }
    return left;
  }
}
