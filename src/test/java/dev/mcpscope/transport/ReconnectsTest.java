package dev.mcpscope.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.scope.Deadline;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ReconnectsTest {
  private static final Optional<Duration> UNASKED = Optional.empty();

  private static Reconnects of(long firstSeconds, long mostSeconds, int attempts) {
    return new Reconnects(
        new ReconnectBudget(
            Duration.ofSeconds(firstSeconds), Duration.ofSeconds(mostSeconds), attempts));
  }

  private static Optional<Duration> asked(long millis) {
    return Optional.of(Duration.ofMillis(millis));
  }

  /// That the next attempt is due after a time within these, counted from somewhere between now and
  /// now.
  private static void assertNext(
      Reconnects reconnects, Optional<Duration> retry, Duration least, Duration most) {
    long before = System.nanoTime();
    Deadline next = reconnects.next(retry).orElseThrow();
    long after = System.nanoTime();
    assertThat(next.atNanos() - before).isGreaterThanOrEqualTo(least.toNanos());
    assertThat(next.atNanos() - after).isLessThanOrEqualTo(most.toNanos());
  }

  /// With what chance adds: up to a fifth.
  private static void assertNextByChance(Reconnects reconnects, long seconds) {
    Duration wait = Duration.ofSeconds(seconds);
    assertNext(reconnects, UNASKED, wait, wait.plus(wait.dividedBy(5)));
  }

  private static void assertNextAt(
      Reconnects reconnects, Optional<Duration> retry, Duration exactly) {
    assertNext(reconnects, retry, exactly, exactly);
  }

  // How soon.

  @Test
  void eachWaitIsTwiceTheOneBeforeUpToTheLongest() {
    Reconnects reconnects = of(1, 10, 100);
    for (long seconds : new long[] {1, 2, 4, 8, 10, 10, 10}) {
      assertNextByChance(reconnects, seconds);
    }
  }

  @Test
  void aLongestWaitThatIsTheFirstOneStaysSo() {
    Reconnects reconnects = of(3, 3, 100);
    for (int i = 0; i < 5; i++) {
      assertNextByChance(reconnects, 3);
    }
  }

  @Test
  void notAllWaitTheSameTime() {
    long first = waitOf(of(1_000, 1_000, 1));
    for (int i = 0; i < 100; i++) {
      if (Math.abs(waitOf(of(1_000, 1_000, 1)) - first) > Duration.ofSeconds(1).toNanos()) {
        return;
      }
    }
    throw new AssertionError("100 waits of some 1000 s differ by less than a second");
  }

  private static long waitOf(Reconnects reconnects) {
    long now = System.nanoTime();
    return reconnects.next(UNASKED).orElseThrow().atNanos() - now;
  }

  // What the server asks for.

  @Test
  void theFirstWaitIsTheServersIfItAsksForOne() {
    assertNextAt(of(60, 60, 8), asked(1_500), Duration.ofMillis(1_500));
    assertNextAt(of(1, 60, 8), asked(600_000), Duration.ofMinutes(10));
  }

  @ParameterizedTest
  @CsvSource({"0", "1", "99", "100"})
  void atOnceMeansSoon(long millis) {
    assertNextAt(of(60, 60, 8), asked(millis), Duration.ofMillis(100));
  }

  @Test
  void theWaitsAfterTheFirstAreNotShorterThanWhatTheServerAsksFor() {
    Reconnects reconnects = of(1, 60, 8);
    assertNextAt(reconnects, asked(5_000), Duration.ofSeconds(5));
    assertNextAt(reconnects, asked(5_000), Duration.ofSeconds(5)); // 2 s by itself
    assertNextAt(reconnects, asked(5_000), Duration.ofSeconds(5)); // 4 s
    assertNext(reconnects, asked(5_000), Duration.ofSeconds(8), Duration.ofMillis(9_600));
    assertNext(reconnects, asked(0), Duration.ofSeconds(16), Duration.ofMillis(19_200));
  }

  @Test
  void theServerMayAskForMoreThanTheLongestWait() {
    Reconnects reconnects = of(1, 2, 8);
    for (int i = 0; i < 5; i++) {
      assertNextAt(reconnects, asked(3_600_000), Duration.ofHours(1));
    }
  }

  @Test
  void aServerThatAsksForMoreThanAnyClockCanSayIsWaitedForAsLongAsCanBeSaid() {
    assertThat(of(1, 2, 8).next(Optional.of(Duration.ofSeconds(Long.MAX_VALUE))))
        .hasValueSatisfying(next -> assertThat(next.passed()).isFalse());
  }

  // How often.

  @ParameterizedTest
  @CsvSource({"1", "2", "8"})
  void soManyAttemptsInARowAndItIsGivenUp(int attempts) {
    Reconnects reconnects = of(1, 1, attempts);
    for (int i = 0; i < attempts; i++) {
      assertThat(reconnects.next(UNASKED)).isPresent();
    }
    assertThat(reconnects.next(UNASKED)).isEmpty();
    assertThat(reconnects.next(asked(0))).isEmpty();
  }

  @Test
  void aStreamThatHasBroughtSomethingBeginsTheCountAnew() {
    Reconnects reconnects = of(60, 240, 2);
    for (int i = 0; i < 3; i++) {
      assertNextByChance(reconnects, 60);
      assertNextByChance(reconnects, 120);
      reconnects.opened();
      reconnects.delivered();
    }
    assertNextByChance(reconnects, 60);
  }

  @Test
  void aStreamThatWasOnlyOpenedDoesNotBeginTheCountAnew() {
    Reconnects reconnects = of(60, 240, 2);
    assertNextByChance(reconnects, 60);
    reconnects.opened();
    assertNextByChance(reconnects, 120);
    reconnects.opened();
    assertThat(reconnects.next(UNASKED)).isEmpty();
  }

  @Test
  void whatTheStreamBeforeHasBroughtDoesNotCountForTheNextOne() {
    Reconnects reconnects = of(60, 240, 2);
    reconnects.opened();
    reconnects.delivered();
    assertNextByChance(reconnects, 60); // for what it has brought
    assertNextByChance(reconnects, 120); // nothing was opened since
    assertThat(reconnects.next(UNASKED)).isEmpty();

    reconnects.opened();
    reconnects.delivered();
    reconnects.opened(); // the next one
    assertThat(reconnects.next(UNASKED)).isEmpty();
  }

  @Test
  void aStreamThatHasStayedForLongerThanTheFirstWaitBeginsTheCountAnew() {
    Duration first = Duration.ofMillis(2);
    var reconnects = new Reconnects(new ReconnectBudget(first, Duration.ofHours(1), 1));
    for (int i = 0; i < 3; i++) {
      assertThat(reconnects.next(UNASKED)).isPresent();
      reconnects.opened();
      Deadline proven = Deadline.after(first);
      while (!proven.passed()) {
        LockSupport.parkNanos(proven.remainingNanos());
      }
    }
    assertThat(reconnects.next(UNASKED)).isPresent();
    assertThat(reconnects.next(UNASKED)).isEmpty(); // it has stayed once
  }

  // The budget.

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0    | 1000 | 1 | first must be more than zero, is PT0S",
        "-1   | 1000 | 1 | first must be more than zero, is PT-0.001S",
        "1000 | 999  | 1 | most must be PT1S or more, is PT0.999S",
        "1    | 1    | 0 | attempts must be 1 or more, is 0"
      })
  void aBudgetThatDoesNotFitIsRefusedByName(
      long firstMillis, long mostMillis, int attempts, String message) {
    assertThatThrownBy(() ->
            new ReconnectBudget(
                Duration.ofMillis(firstMillis), Duration.ofMillis(mostMillis), attempts))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
  }

  @Test
  void aBudgetCanBeHeldToFewerAttemptsButNotGivenMore() {
    ReconnectBudget defaults = ReconnectBudget.defaults();
    assertThat(defaults.withAttemptsAtMost(3))
        .isEqualTo(new ReconnectBudget(Duration.ofSeconds(1), Duration.ofSeconds(30), 3));
    assertThat(defaults.withAttemptsAtMost(9)).isEqualTo(defaults);
  }
}
