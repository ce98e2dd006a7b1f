package dev.mcpscope.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.transport.CloseReport.Outcome;
import dev.mcpscope.transport.CloseReport.ServerProcess;
import dev.mcpscope.transport.CloseReport.Tie;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ClosingTest {
  private final Closing closing = new Closing("disconnected", CloseBudget.defaults());

  @Test
  void aStepThatThrowsSkipsNoLaterStepAndIsReported() {
    var trail = new ArrayList<String>();
    closing.step("first", () -> trail.add("first"));
    closing.step(
        "second",
        () -> {
          throw new IOException("broken pipe");
        });
    closing.step(
        "third",
        () -> {
          throw new StackOverflowError("too deep"); // an Error takes the same road
        });
    closing.step("fourth", () -> trail.add("fourth"));

    assertThat(trail).containsExactly("first", "fourth");
    CloseReport report = closing.report();
    assertThat(report.steps())
        .extracting(CloseReport.Step::name)
        .containsExactly("first", "second", "third", "fourth");
    assertThat(report.failures())
        .containsExactly(
            "java.io.IOException: broken pipe", "java.lang.StackOverflowError: too deep");
  }

  private static ServerProcess process(long pid, Outcome end) {
    return new ServerProcess(pid, Optional.empty(), "stubborn", Tie.MARK, end);
  }

  @Test
  void theOutcomeIsTheWorstEndOfAProcess() {
    assertThat(closing.report().outcome()).isEqualTo(Outcome.GRACEFUL);
    closing.process(process(1, Outcome.KILLED));
    closing.process(process(2, Outcome.TERMINATED));
    assertThat(closing.report().outcome()).isEqualTo(Outcome.KILLED);
    assertThat(closing.report().nothingLeft()).isTrue();
  }

  @Test
  void aSurvivorIsTheWorstOutcomeAndMeansThatSomethingIsLeft() {
    assertThat(closing.report().nothingLeft()).isTrue();
    closing.process(process(42, Outcome.SURVIVED));
    assertThat(closing.report().outcome()).isEqualTo(Outcome.SURVIVED);
    assertThat(closing.report().nothingLeft()).isFalse();
  }

  @Test
  void anAbandonedThreadMeansThatSomethingIsLeft() {
    closing.abandoned("onDisconnect");
    assertThat(closing.report().nothingLeft()).isFalse();
  }

  @Test
  void whatAnAttemptBeforeHasLeftIsLeftAndHowItEndedIsNot() {
    var first = new Closing("it has exited", CloseBudget.defaults());
    first.step("end its input", () -> {});
    first.process(process(41, Outcome.SURVIVED));
    first.abandoned("onConnect");
    first.kept("its session");
    first.callsFailed(2);
    first.exited(OptionalInt.of(3), "the end", 4);
    first.failed(new IOException("broken pipe"));

    closing.attempted(first.report());
    closing.process(process(42, Outcome.TERMINATED));
    closing.abandoned("onDisconnect");
    closing.kept("another session");

    CloseReport report = closing.report();
    assertThat(report.processes())
        .containsExactly(process(41, Outcome.SURVIVED), process(42, Outcome.TERMINATED));
    assertThat(report.outcome()).isEqualTo(Outcome.SURVIVED);
    assertThat(report.nothingLeft()).isFalse();
    assertThat(report.abandoned()).containsExactly("onConnect", "onDisconnect");
    assertThat(report.kept()).containsExactly("its session", "another session");
    assertThat(report.reason()).isEqualTo("disconnected");
    assertThat(report.steps()).isEmpty();
    assertThat(report.callsFailed()).isZero();
    assertThat(report.exitCode()).isEmpty();
    assertThat(report.stderrTail()).isEmpty();
    assertThat(report.skippedLines()).isZero();
    assertThat(report.failures()).isEmpty();
  }

  @Test
  void anAttemptBeforeThatHasLeftNothingLeavesNothing() {
    closing.attempted(new Closing("it has exited", CloseBudget.defaults()).report());
    assertThat(closing.report().nothingLeft()).isTrue();
    assertThat(closing.report().outcome()).isEqualTo(Outcome.GRACEFUL);
  }

  @Test
  void theReportInOneLineNamesWhatIsLeft() {
    assertThat(closing.report().summary()).matches("closed in \\d+\\.\\d ms, graceful");
    closing.exited(OptionalInt.of(3), "", 0);
    closing.process(process(41, Outcome.KILLED));
    closing.process(process(42, Outcome.SURVIVED));
    closing.abandoned("onDisconnect");
    closing.kept("its session");
    closing.failed(new IOException("no\033answer"));
    assertThat(closing.report().summary())
        .endsWith(
            "survived, exit code 3; survived: 42 stubborn; abandoned: onDisconnect;"
                + " the server may keep: its session; went wrong: java.io.IOException: no?answer");
  }

  @Test
  void theReportIsJsonWithMillisecondsAndWithoutGuesses() throws Exception {
    closing.step("wait", () -> {});
    assertThat(closing.report().json().get("exitCode")).isEqualTo(JsonNull.INSTANCE);

    closing.exited(OptionalInt.of(3), "the end", 2);
    closing.callsFailed(4);
    closing.process(process(41, Outcome.GRACEFUL));
    closing.process(process(42, Outcome.SURVIVED));
    closing.kept("its session");
    var json = closing.report().json();
    assertThat(json.string("reason")).isEqualTo("disconnected");
    assertThat(json.string("outcome")).isEqualTo("survived");
    assertThat(json.get("tookMs")).isInstanceOf(JsonNumber.class);
    assertThat(json.integer("exitCode")).isEqualTo(3);
    assertThat(json.string("stderrTail")).isEqualTo("the end");
    assertThat(json.integer("callsFailed")).isEqualTo(4);
    assertThat(json.integer("skippedLines")).isEqualTo(2);
    assertThat(json.array("steps").get(0).toString()).contains("\"name\":\"wait\"");
    String survivor = "{\"pid\":42,\"command\":\"stubborn\",\"tie\":\"mark\",\"end\":\"survived\"}";
    assertThat(json.array("survivors")).hasToString("[" + survivor + "]");
    assertThat(json.array("processes").size()).isEqualTo(2);
    assertThat(json.array("processes").get(1)).hasToString(survivor);
    assertThat(json.array("kept")).hasToString("[\"its session\"]");
  }

  @Test
  void aProcessRunsUntilItHasEndedAndAnotherOneOfItsNumberIsNotIt() {
    ProcessHandle self = ProcessHandle.current();
    Optional<Instant> started = self.info().startInstant();
    assertThat(survivor(self.pid(), started).runs()).isTrue();
    assertThat(survivor(self.pid(), Optional.of(Instant.EPOCH)).runs()).isFalse();
    assertThat(survivor(Long.MAX_VALUE, started).runs()).isFalse();
  }

  private static ServerProcess survivor(long pid, Optional<Instant> started) {
    return new ServerProcess(pid, started, "?", Tie.CHILD, Outcome.SURVIVED);
  }

  @ParameterizedTest
  @CsvSource({"-1,0,0,0", "0,0,-1,0", "7001,0,0,0", "2000,2000,2000,1001"})
  void aBudgetThatDoesNotFitIsRefused(long callback, long exit, long terminate, long kill) {
    List<Duration> d =
        List.of(callback, exit, terminate, kill).stream().map(Duration::ofMillis).toList();
    assertThatThrownBy(() -> new CloseBudget(d.get(0), d.get(1), d.get(2), d.get(3)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void theDefaultBudgetLeavesASecondForJoining() {
    CloseBudget d = CloseBudget.defaults();
    assertThat(d.callback().plus(d.exit()).plus(d.terminate()).plus(d.kill()))
        .isEqualTo(CloseBudget.MAXIMUM.minusSeconds(1));
  }
}
