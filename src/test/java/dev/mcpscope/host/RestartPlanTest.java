package dev.mcpscope.host;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.client.CloseReason;
import dev.mcpscope.client.ConnectionClosedException;
import dev.mcpscope.client.McpException;
import dev.mcpscope.host.ConnectOptions.Restart;
import dev.mcpscope.host.HostOptions.RestartBudget;
import dev.mcpscope.scope.Deadline;
import java.time.Duration;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// The waits are hours, to which the time that a test takes is nothing.
class RestartPlanTest {
  private static final Duration HOUR = Duration.ofHours(1);
  private static final Duration SOON = Duration.ofMillis(20);
  private static final Logger LOGGER = Logger.getLogger("dev.mcpscope.host");

  /// Any failure but the loss of the server.
  private static final McpException OTHER = new ConnectionClosedException("x", CloseReason.CLOSED);

  @BeforeEach
  void logNothing() {
    LOGGER.setLevel(Level.OFF);
  }

  @AfterEach
  void logAgain() {
    LOGGER.setLevel(null);
  }

  private static RestartPlan plan(int attempts, Duration stable) {
    var budget = new RestartBudget(HOUR, HOUR.multipliedBy(5), attempts, stable);
    var plan = new RestartPlan("x", Restart.ON_CRASH, budget);
    plan.started();
    return plan;
  }

  /// Plans the next attempt, and returns its wait in hours; NaN if there is none.
  private static double next(RestartPlan plan) {
    plan.refused(new LimitException("connections", 1));
    return plan.due() == Deadline.NEVER
        ? Double.NaN
        : (double) plan.due().remainingNanos() / HOUR.toNanos();
  }

  @Test
  void waitsDoubleUpToTheLongestGiveOrTakeTwentyPercent() {
    for (int round = 0; round < 100; round++) {
      RestartPlan plan = plan(6, HOUR);
      for (int hours : List.of(1, 2, 4, 5, 5, 5)) {
        assertThat(next(plan)).isBetween(0.79 * hours, 1.21 * hours);
      }
    }
  }

  @Test
  void waitsOfServersThatWereLostTogetherDiffer() {
    List<Double> waits = Stream.generate(() -> next(plan(1, HOUR))).limit(100).toList();
    assertThat(waits).anyMatch(wait -> wait < 0.95).anyMatch(wait -> wait > 1.05);
  }

  @Test
  void thereIsNoAttemptAfterTheLastOne() {
    RestartPlan plan = plan(2, HOUR);
    next(plan);
    next(plan);
    assertThat(next(plan)).isNaN();
    assertThat(plan.hasBegun()).isTrue();
  }

  @Test
  void connectionThatHasStayedStartsTheCountAnew() {
    RestartPlan plan = plan(2, SOON);
    next(plan);
    next(plan);
    plan.started();
    plan.connected();
    pass(SOON);
    plan.connected(); // said once more, it is none the younger for it
    plan.disconnected();
    assertThat(plan.hasBegun()).isFalse();
    assertThat(next(plan)).isBetween(0.79, 1.21);
  }

  private static void pass(Duration time) {
    for (Deadline end = Deadline.after(time); !end.passed(); ) {
      Thread.onSpinWait();
    }
  }

  @Test
  void connectionThatHasNotStayedGoesOnWithTheCount() {
    RestartPlan plan = plan(2, HOUR);
    next(plan);
    plan.started();
    plan.connected();
    plan.disconnected();
    assertThat(next(plan)).isBetween(1.58, 2.42);
    plan.started();
    plan.connected();
    plan.disconnected();
    assertThat(next(plan)).isNaN();
  }

  @Test
  void timeWithoutAConnectionIsNoStay() {
    RestartPlan plan = plan(2, SOON);
    next(plan);
    plan.started();
    plan.connected();
    plan.disconnected();
    pass(SOON);
    plan.started();
    plan.disconnected(); // a restart that could not connect
    assertThat(plan.hasBegun()).isTrue();
  }

  @Test
  void restartThatCannotConnectIsFollowedByTheNext() {
    RestartPlan plan = plan(2, HOUR);
    next(plan);
    plan.started();
    assertThat(plan.due()).isEqualTo(Deadline.NEVER);
    plan.disconnected();
    plan.failed(OTHER);
    assertThat(plan.due()).isNotEqualTo(Deadline.NEVER);
  }

  @Test
  void restartThatWasConnectedAndFailsByAnythingButALossIsFollowedByNone() {
    RestartPlan plan = plan(2, HOUR);
    next(plan);
    plan.started();
    plan.connected();
    plan.disconnected();
    plan.failed(OTHER);
    assertThat(plan.due()).isEqualTo(Deadline.NEVER);
  }

  @Test
  void firstConnectThatFailsIsFollowedByNone() {
    RestartPlan plan = plan(2, HOUR);
    plan.disconnected();
    plan.failed(OTHER);
    assertThat(plan.due()).isEqualTo(Deadline.NEVER);
    assertThat(plan.hasBegun()).isFalse();
  }

  @Test
  void waitsBeyondTheClockAreLongAndNothingElse() {
    Duration longest = Duration.ofSeconds(Long.MAX_VALUE);
    var plan =
        new RestartPlan("x", Restart.ON_CRASH, new RestartBudget(longest, longest, 3, longest));
    plan.started();
    plan.connected();
    plan.disconnected();
    assertThat(next(plan)).isGreaterThan(1_000_000);
    assertThat(next(plan)).isGreaterThan(1_000_000);
  }
}
