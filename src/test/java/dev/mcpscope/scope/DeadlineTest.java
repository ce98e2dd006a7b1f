package dev.mcpscope.scope;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class DeadlineTest {
  private static final Duration CENTURY = Duration.ofDays(36_500);

  @Test
  void zeroHasPassedAlready() {
    Deadline deadline = Deadline.after(Duration.ZERO);

    assertThat(deadline.passed()).isTrue();
    assertThat(deadline.remainingNanos()).isZero();
  }

  @Test
  void aNegativeDurationHasPassedAlready() {
    assertThat(Deadline.after(CENTURY.negated()).passed()).isTrue();
  }

  @Test
  void aNegativeDurationBeyondTheClockHasPassedAlready() {
    assertThat(Deadline.after(Duration.ofSeconds(Long.MIN_VALUE)).passed()).isTrue();
  }

  @Test
  void aDurationBeyondTheClockIsCutDownToWhatTheClockHas() {
    Deadline deadline = Deadline.after(Duration.ofSeconds(Long.MAX_VALUE));

    assertThat(deadline.passed()).isFalse();
    assertThat(deadline.remainingNanos()).isGreaterThan(CENTURY.toNanos());
  }

  @Test
  void aDeadlineCountsFromItsStart() {
    assertThat(Deadline.after(1_000, Duration.ofNanos(5)).atNanos()).isEqualTo(1_005);
    assertThat(Deadline.after(-1_000, Duration.ofSeconds(2)).atNanos()).isEqualTo(1_999_999_000);
    assertThat(Deadline.after(1_000, Duration.ZERO).atNanos()).isEqualTo(1_000);
    assertThat(Deadline.after(1_000, CENTURY.negated()).atNanos()).isEqualTo(1_000);
  }

  @Test
  void aStartThatIsPastUsesUpTheDuration() {
    long anHourAgo = System.nanoTime() - TimeUnit.HOURS.toNanos(1);

    assertThat(Deadline.after(anHourAgo, Duration.ofMinutes(59)).passed()).isTrue();
    assertThat(Deadline.after(anHourAgo, Duration.ofMinutes(100)).passed()).isFalse();
    assertThat(Deadline.after(anHourAgo, Duration.ofMinutes(100)).remainingNanos())
        .isLessThanOrEqualTo(TimeUnit.MINUTES.toNanos(40));
  }

  @Test
  void aStartThatIsToComeLeavesADurationBeyondTheClockAhead() {
    long inAnHour = System.nanoTime() + TimeUnit.HOURS.toNanos(1);

    assertThat(Deadline.after(inAnHour, Duration.ofSeconds(Long.MAX_VALUE)).passed()).isFalse();
  }

  @Test
  void aStartNearTheOverflowOfTheClockChangesNothing() {
    var start = new Deadline(Long.MAX_VALUE);
    Deadline later = Deadline.after(start.atNanos(), Duration.ofNanos(2));

    assertThat(later.atNanos()).isEqualTo(Long.MIN_VALUE + 1);
    assertThat(later.orSooner(start)).isSameAs(start);
    assertThat(Deadline.after(start.atNanos(), Duration.ofSeconds(Long.MAX_VALUE)).orSooner(start))
        .isSameAs(start);
  }

  @Test
  void neverIsLaterThanAnythingElse() {
    Deadline inACentury = Deadline.after(CENTURY);

    assertThat(Deadline.NEVER.passed()).isFalse();
    assertThat(Deadline.NEVER.orSooner(inACentury)).isSameAs(inACentury);
    assertThat(inACentury.orSooner(Deadline.NEVER)).isSameAs(inACentury);
  }

  @Test
  void theSoonerOfTwoCounts() {
    Deadline soon = Deadline.after(Duration.ofSeconds(1));
    Deadline late = Deadline.after(Duration.ofHours(1));

    assertThat(soon.orSooner(late)).isSameAs(soon);
    assertThat(late.orSooner(soon)).isSameAs(soon);
    assertThat(soon.orSooner(Duration.ofHours(1))).isSameAs(soon);
    assertThat(late.orSooner(Duration.ZERO).passed()).isTrue();
  }

  @Test
  void theOverflowOfTheClockChangesNoOrder() {
    var before = new Deadline(Long.MAX_VALUE - 1);
    var after = new Deadline(Long.MIN_VALUE + 1);

    assertThat(before.orSooner(after)).isSameAs(before);
    assertThat(after.orSooner(before)).isSameAs(before);
  }

  @Test
  void aWaitGetsTheTimeThatIsLeftAndItsAnswerIsPassedOn() {
    Deadline deadline = Deadline.after(Duration.ofHours(1));
    var given = new ArrayList<Long>();

    assertThat(deadline.await(nanos -> given.add(nanos))).isTrue();
    assertThat(deadline.await(_ -> false)).isFalse();
    assertThat(given).singleElement().satisfies(nanos -> assertThat(nanos).isPositive());
    assertThat(given.getFirst()).isLessThanOrEqualTo(TimeUnit.HOURS.toNanos(1));
  }

  @Test
  void whatHasHappenedIsNoticedEvenIfNoTimeIsLeft() {
    assertThat(Deadline.after(Duration.ZERO).await(nanos -> nanos == 0)).isTrue();
  }

  @Test
  void anInterruptDoesNotCutAWaitShortAndIsKept() {
    Deadline deadline = Deadline.after(Duration.ofHours(1));
    var given = new ArrayList<Long>();

    boolean happened =
        deadline.await(nanos -> {
          given.add(nanos);
          if (given.size() < 3) {
            throw new InterruptedException();
          }
          return true;
        });

    assertThat(Thread.interrupted()).isTrue();
    assertThat(happened).isTrue();
    assertThat(given).hasSize(3);
    assertThat(given.getLast()).isLessThan(given.getFirst());
  }

  @Test
  void anInterruptIsKeptWhenTheWaitFails() {
    var failure = new IllegalStateException();
    var interrupts = new ArrayList<>(List.of(new InterruptedException()));

    assertThatThrownBy(() ->
            Deadline.NEVER.await(_ -> {
              if (!interrupts.isEmpty()) {
                throw interrupts.removeLast();
              }
              throw failure;
            }))
        .isSameAs(failure);
    assertThat(Thread.interrupted()).isTrue();
  }
}
