package dev.mcpscope.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.scope.Deadline;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 20, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class PendingCallsTest {
  private static final Duration LONG = Duration.ofHours(1);
  private static final Consumer<JsonObject> NOBODY = _ -> {};

  /// Of calls that are held: what a busy machine may lose between two lines is far below it.
  private static final Duration TIMEOUT = Duration.ofMillis(100);

  /// Remembers which thread made it.
  @SuppressWarnings("serial")
  private static final class Gone extends Exception {
    private final transient Thread maker = Thread.currentThread();

    Gone() {
      this("the server has died");
    }

    Gone(String message) {
      super(message);
    }
  }

  private final PendingCalls<Gone> calls = new PendingCalls<>();

  @Test
  void anAnswerThatCameBeforeTheCallerWaitsIsThere() throws Exception {
    PendingCall<Gone> call = calls.open("tools/list", "");

    assertThat(calls.answer(result(call))).isTrue();

    assertThat(await(call)).isEqualTo(result(call));
    assertThat(calls.size()).isZero();
  }

  @Test
  void anAnswerWakesItsCaller() throws Exception {
    try (var _ = NothingLeft.check()) {
      Caller caller = new Caller("tools/list");
      untilItWaits(caller.thread);

      assertThat(calls.answer(result(caller.call()))).isTrue();

      assertThat(caller.outcome()).isEqualTo(result(caller.call()));
      assertThat(calls.size()).isZero();
    }
  }

  @Test
  void anErrorOfTheServerIsAnAnswer() throws Exception {
    PendingCall<Gone> call = calls.open("tools/call", "");
    var failure =
        new RpcMessage.Failure(
            RpcId.of(call.id()), new RpcError(RpcError.INVALID_PARAMS, "no such tool"));

    assertThat(calls.answer(failure)).isTrue();

    assertThat(await(call)).isEqualTo(failure);
  }

  @Test
  void answersComeInAnyOrder() throws Exception {
    PendingCall<Gone> first = calls.open("a", "");
    PendingCall<Gone> second = calls.open("b", "");
    calls.answer(result(second));
    calls.answer(result(first));

    assertThat(await(first)).isEqualTo(result(first));
    assertThat(await(second)).isEqualTo(result(second));
  }

  @Test
  void aFailedCallThrowsAndTheOthersWaitOn() throws Exception {
    PendingCall<Gone> failed = calls.open("a", "");
    PendingCall<Gone> other = calls.open("b", "");

    assertThat(calls.fail(RpcId.of(failed.id()), () -> new Gone("malformed"))).isTrue();

    assertThatThrownBy(() -> await(failed)).isInstanceOf(Gone.class).hasMessage("malformed");
    assertThat(calls.size()).isEqualTo(1);
    assertThat(calls.answer(result(other))).isTrue();
  }

  @Test
  void theEndFailsEveryCallAndEveryLaterOne() throws Exception {
    try (var _ = NothingLeft.check()) {
      Caller waiting = new Caller("a");
      untilItWaits(waiting.thread);
      PendingCall<Gone> notYet = calls.open("b", "");

      assertThat(calls.end(Gone::new)).isEqualTo(2);

      assertThatThrownBy(waiting::outcome).isInstanceOf(Gone.class);
      assertThatThrownBy(() -> await(notYet)).isInstanceOf(Gone.class);
      assertThatThrownBy(() -> calls.open("c", "")).isInstanceOf(Gone.class);
      assertThat(calls.size()).isZero();
    }
  }

  @Test
  void theFirstCauseOfTheEndIsTheCause() throws Exception {
    calls.end(() -> new Gone("first"));
    assertThat(calls.end(() -> new Gone("second"))).isZero();

    assertThatThrownBy(() -> calls.open("late", "")).hasMessage("first");
  }

  @Test
  void eachCallerGetsAnExceptionMadeInItsOwnThread() throws Exception {
    try (var _ = NothingLeft.check()) {
      var callers = List.of(new Caller("a"), new Caller("b"), new Caller("c"));
      callers.forEach(caller -> untilItWaits(caller.thread));

      calls.end(Gone::new);

      for (Caller caller : callers) {
        assertThatThrownBy(caller::outcome)
            .isInstanceOfSatisfying(
                Gone.class, gone -> assertThat(gone.maker).isSameAs(caller.thread));
      }
    }
  }

  @Test
  void aCallThatIsOutOfTimeReturnsNullAndItsAnswerIsRefused() throws Exception {
    PendingCall<Gone> call = calls.open("slow", "");
    Deadline deadline = Deadline.after(Duration.ofMillis(30));

    assertThat(call.await(Duration.ofMillis(30), Deadline.NEVER, NOBODY)).isNull();

    assertThat(deadline.passed()).isTrue();
    assertThat(calls.size()).isZero();
    assertThat(calls.answer(result(call))).isFalse();
    assertThat(calls.fail(RpcId.of(call.id()), Gone::new)).isFalse();
    assertThat(calls.waiting(JsonNumber.of(call.id()))).isEmpty();
  }

  @Test
  void anAnswerThatIsThereIsReturnedEvenIfNoTimeIsLeft() throws Exception {
    PendingCall<Gone> call = calls.open("a", "");
    calls.answer(result(call));

    assertThat(call.await(Duration.ZERO, Deadline.after(Duration.ZERO), NOBODY))
        .isEqualTo(result(call));
  }

  @Test
  void progressRestartsTheTimeout() throws Exception {
    try (var _ = NothingLeft.check()) {
      Duration timeout = Duration.ofSeconds(1);
      var beyond = new CountDownLatch(1);
      var caller =
          new Caller(
              "long",
              call -> {
                var passing = new ArrayList<Deadline>();
                progress(call, 1);
                return call.await(
                    timeout,
                    Deadline.NEVER,
                    _ -> {
                      if (passing.isEmpty()) {
                        passing.add(Deadline.after(timeout));
                        until(Deadline.after(timeout.dividedBy(2)));
                        progress(call, 2);
                      } else {
                        until(passing.getFirst());
                        beyond.countDown();
                      }
                    });
              });
      beyond.await();
      untilItWaits(caller.thread);
      assertThat(calls.answer(result(caller.call()))).isTrue();

      assertThat(caller.outcome()).isEqualTo(result(caller.call()));
    }
  }

  @Test
  void timeDoesNotRunWhileTheTableIsHeld() throws Exception {
    try (var _ = NothingLeft.check()) {
      calls.hold();
      Caller caller = callerWithin(TIMEOUT);
      PendingCall<Gone> call = caller.call();
      untilItWaits(caller.thread);
      until(Deadline.after(TIMEOUT.multipliedBy(2)));

      assertThat(calls.answer(result(call))).isTrue();

      assertThat(caller.outcome()).isEqualTo(result(call));
      calls.release();
    }
  }

  @Test
  void afterTheLastReleaseACallHasItsWholeTimeAgain() throws Exception {
    try (var _ = NothingLeft.check()) {
      var ended = new ArrayList<Long>();
      calls.hold();
      calls.hold();
      var caller =
          new Caller(
              "held",
              call -> {
                RpcMessage.Response response = call.await(TIMEOUT, Deadline.NEVER, NOBODY);
                ended.add(System.nanoTime());
                return response;
              });
      untilItWaits(caller.thread);
      until(Deadline.after(TIMEOUT));
      calls.release();
      until(Deadline.after(TIMEOUT.multipliedBy(3).dividedBy(2)));
      long lastRelease = System.nanoTime();
      calls.release();

      assertThat(caller.outcome()).isNull();

      assertThat(ended.getFirst() - lastRelease).isGreaterThanOrEqualTo(TIMEOUT.toNanos());
      assertThat(calls.size()).isZero();
    }
  }

  @Test
  void oneOfTwoHoldersIsEnough() throws Exception {
    try (var _ = NothingLeft.check()) {
      calls.hold();
      calls.hold();
      Caller caller = callerWithin(TIMEOUT);
      PendingCall<Gone> call = caller.call();
      untilItWaits(caller.thread);
      calls.release();
      until(Deadline.after(TIMEOUT.multipliedBy(2)));

      assertThat(calls.answer(result(call))).isTrue();

      assertThat(caller.outcome()).isEqualTo(result(call));
      calls.release();
    }
  }

  @Test
  void aHoldThatIsOverBeforeACallsTimeGivesItItsWholeTimeAgain() throws Exception {
    PendingCall<Gone> call = calls.open("a", "");
    var released = new ArrayList<Long>();
    calls.hold();
    progress(call, 0);

    RpcMessage.Response response =
        call.await(
            TIMEOUT,
            Deadline.NEVER,
            _ -> { // its time has just started anew
              until(Deadline.after(TIMEOUT.dividedBy(2)));
              released.add(System.nanoTime());
              calls.release();
            });

    assertThat(response).isNull();
    assertThat(System.nanoTime() - released.getFirst()).isGreaterThanOrEqualTo(TIMEOUT.toNanos());
  }

  @Test
  void aHoldDoesNotCarryACallBeyondItsMaximum() throws Exception {
    PendingCall<Gone> call = calls.open("endless", "");
    calls.hold();
    Deadline maximum = Deadline.after(Duration.ofMillis(50));

    assertThat(call.await(Duration.ofMillis(20), maximum, NOBODY)).isNull();

    assertThat(maximum.passed()).isTrue();
    assertThat(calls.size()).isZero();
  }

  @Test
  void aHoldFromBeforeTheCallNeitherShortensNorStopsItsTime() throws Exception {
    calls.hold();
    calls.release();
    until(Deadline.after(Duration.ofMillis(20)));
    PendingCall<Gone> call = calls.open("slow", "");
    Deadline deadline = Deadline.after(Duration.ofMillis(30));

    assertThat(call.await(Duration.ofMillis(30), Deadline.NEVER, NOBODY)).isNull();

    assertThat(deadline.passed()).isTrue();
  }

  @Test
  void aHoldDoesNotBringBackACallThatRanOutOfTime() throws Exception {
    PendingCall<Gone> call = calls.open("slow", "");
    assertThat(call.await(Duration.ofMillis(20), Deadline.NEVER, NOBODY)).isNull();

    calls.hold();

    assertThat(calls.size()).isZero();
    assertThat(calls.waiting(JsonNumber.of(call.id()))).isEmpty();
    assertThat(calls.answer(result(call))).isFalse();
    assertThat(call.isSettled()).isFalse();
  }

  @Test
  void anInterruptEndsACallWhoseTableIsHeld() throws Exception {
    try (var _ = NothingLeft.check()) {
      calls.hold();
      Caller caller = callerWithin(TIMEOUT);
      untilItWaits(caller.thread);

      caller.thread.interrupt();

      assertThatThrownBy(caller::outcome).isInstanceOf(InterruptedException.class);
    }
  }

  @Test
  void progressDoesNotCarryACallBeyondItsMaximum() throws Exception {
    PendingCall<Gone> call = calls.open("endless", "");
    Deadline maximum = Deadline.after(Duration.ofMillis(50));
    progress(call, 0);

    assertThat(call.await(LONG, maximum, _ -> progress(call, 1))).isNull();

    assertThat(maximum.passed()).isTrue();
    assertThat(calls.size()).isZero();
  }

  @Test
  void anInterruptEndsACallThatGetsProgressWithoutPause() throws Exception {
    PendingCall<Gone> call = calls.open("endless", "");
    Thread caller = Thread.currentThread();
    progress(call, 0);

    assertThatThrownBy(() ->
            call.await(
                LONG,
                Deadline.NEVER,
                _ -> {
                  progress(call, 1);
                  caller.interrupt();
                }))
        .isInstanceOf(InterruptedException.class);
    assertThat(calls.size()).isZero();
  }

  @Test
  void onlyTheNewestProgressIsKept() throws Exception {
    PendingCall<Gone> call = calls.open("busy", "");
    var trail = new ArrayList<JsonObject>();
    progress(call, 1);
    progress(call, 2);

    call.await(
        LONG,
        Deadline.NEVER,
        progress -> {
          trail.add(progress);
          if (trail.size() == 1) {
            progress(call, 3);
            progress(call, 4);
            progress(call, 5);
            calls.answer(result(call));
          }
        });

    assertThat(trail).containsExactly(progress(2), progress(5));
  }

  @Test
  void progressIsDeliveredInTheCallersOwnThreadBeforeTheResult() throws Exception {
    try (var _ = NothingLeft.check()) {
      var trail = new ConcurrentLinkedQueue<Object>();
      var caller =
          new Caller(
              "a",
              call -> {
                trail.add(
                    call.await(
                        LONG,
                        Deadline.NEVER,
                        progress -> {
                          trail.add(progress);
                          trail.add(Thread.currentThread());
                        }));
                return null;
              });
      untilItWaits(caller.thread);

      progress(caller.call(), 1);
      calls.answer(result(caller.call()));
      caller.outcome();

      assertThat(trail).containsExactly(progress(1), caller.thread, result(caller.call()));
    }
  }

  @Test
  void aListenerThatParksDoesNotMakeItsCallMissTheAnswer() throws Exception {
    PendingCall<Gone> call = calls.open("a", "");
    progress(call, 1);

    RpcMessage.Response response =
        call.await(
            LONG,
            Deadline.NEVER,
            _ -> {
              calls.answer(result(call));
              LockSupport.park(); // takes the wake-up of the answer
            });

    assertThat(response).isEqualTo(result(call));
  }

  @Test
  void progressBeforeTheEndIsDeliveredToo() throws Exception {
    PendingCall<Gone> call = calls.open("a", "");
    var trail = new ArrayList<JsonObject>();
    progress(call, 1);
    calls.end(Gone::new);

    assertThatThrownBy(() -> call.await(LONG, Deadline.NEVER, trail::add)).isInstanceOf(Gone.class);
    assertThat(trail).containsExactly(progress(1));
  }

  @Test
  void aListenerThatThrowsLeavesTheTableEmpty() throws Exception {
    PendingCall<Gone> call = calls.open("a", "");
    var failure = new IllegalStateException();
    progress(call, 1);

    assertThatThrownBy(() ->
            call.await(
                LONG,
                Deadline.NEVER,
                _ -> {
                  throw failure;
                }))
        .isSameAs(failure);
    assertThat(calls.size()).isZero();
  }

  @Test
  void aSecondAnswerIsRefused() throws Exception {
    PendingCall<Gone> call = calls.open("a", "");
    calls.answer(result(call));

    assertThat(calls.answer(result(call))).isFalse();
    assertThat(calls.fail(RpcId.of(call.id()), Gone::new)).isFalse();
    assertThat(calls.end(Gone::new)).isZero();
    assertThat(await(call)).isEqualTo(result(call));
  }

  @ParameterizedTest
  @ValueSource(strings = {"2", "0", "-1", "1.5", "1e999999999", "18446744073709551617"})
  void anIdThatNobodyAskedWithIsRefused(String number) throws Exception {
    calls.open("id 1", "");
    var id = new JsonNumber(number);

    assertThat(calls.answer(result(id))).isFalse();
    assertThat(calls.fail(new RpcId(id), Gone::new)).isFalse();
    assertThat(calls.waiting(id)).isEmpty();
    assertThat(calls.size()).isEqualTo(1);
  }

  @Test
  void aStringThatLooksLikeANumberIsNotThatId() throws Exception {
    PendingCall<Gone> call = calls.open("a", "");
    var text = new JsonString(Long.toString(call.id()));

    assertThat(calls.answer(result(text))).isFalse();
    assertThat(calls.fail(new RpcId(text), Gone::new)).isFalse();
    assertThat(calls.waiting(text)).isEmpty();
    assertThat(calls.size()).isEqualTo(1);
  }

  @Test
  void whatNamesNoCallIsRefused() throws Exception {
    calls.open("a", "");
    var error = new RpcError(RpcError.PARSE_ERROR, "");

    assertThat(calls.answer(new RpcMessage.Failure(Optional.empty(), error))).isFalse();
    assertThat(calls.waiting(null)).isEmpty();
    assertThat(calls.waiting(JsonObject.EMPTY)).isEmpty();
    assertThat(calls.size()).isEqualTo(1);
  }

  @Test
  void anInterruptEndsTheWaitAndLeavesTheTableEmpty() throws Exception {
    try (var _ = NothingLeft.check()) {
      Caller caller = new Caller("a");
      untilItWaits(caller.thread);

      caller.thread.interrupt();

      assertThatThrownBy(caller::outcome).isInstanceOf(InterruptedException.class);
      assertThat(calls.size()).isZero();
      assertThat(calls.answer(result(caller.call()))).isFalse();
    }
  }

  @Test
  void anAnswerThatIsThereWinsOverAnInterrupt() throws Exception {
    PendingCall<Gone> call = calls.open("a", "");
    calls.answer(result(call));
    Thread.currentThread().interrupt();

    assertThat(await(call)).isEqualTo(result(call));
    assertThat(Thread.interrupted()).isTrue();
  }

  @Test
  void anAbandonedCallHasLeftTheTable() throws Exception {
    PendingCall<Gone> call = calls.open("a", "");

    call.abandon();

    assertThat(calls.size()).isZero();
    assertThat(calls.answer(result(call))).isFalse();
  }

  @Test
  void aCallIsSettledOnceItsOutcomeIsKnown() throws Exception {
    PendingCall<Gone> answered = calls.open("a", "");
    PendingCall<Gone> failed = calls.open("b", "");
    PendingCall<Gone> ended = calls.open("c", "");
    assertThat(List.of(answered, failed, ended)).noneMatch(PendingCall::isSettled);

    calls.answer(result(answered));
    assertThat(answered.isSettled()).isTrue();
    calls.fail(RpcId.of(failed.id()), Gone::new);
    assertThat(failed.isSettled()).isTrue();
    assertThat(ended.isSettled()).isFalse();
    calls.end(Gone::new);
    assertThat(ended.isSettled()).isTrue();
  }

  @Test
  void progressSettlesNothing() throws Exception {
    PendingCall<Gone> call = calls.open("a", "");

    progress(call, 100);

    assertThat(call.isSettled()).isFalse();
    assertThat(calls.size()).isEqualTo(1);
  }

  @Test
  void aCallKnowsWhatItIsFor() throws Exception {
    PendingCall<Gone> call = calls.open("tools/call", "echo");

    assertThat(call.method()).isEqualTo("tools/call");
    assertThat(call.target()).isEqualTo("echo");
    assertThat(calls.open("tools/list", "").target()).isEmpty();
  }

  @Test
  void aCallWaitsUnderItsTokenUntilItIsSettled() throws Exception {
    PendingCall<Gone> first = calls.open("a", "");
    PendingCall<Gone> second = calls.open("b", "");

    assertThat(calls.waiting(JsonNumber.of(first.id()))).containsSame(first);
    assertThat(calls.waiting(new JsonNumber(second.id() + ".0"))).containsSame(second);
    calls.answer(result(first));
    assertThat(calls.waiting(JsonNumber.of(first.id()))).isEmpty();
    assertThat(calls.waiting(JsonNumber.of(second.id()))).containsSame(second);
    calls.end(Gone::new);
    assertThat(calls.waiting(JsonNumber.of(second.id()))).isEmpty();
  }

  @Test
  void idsCountFromOneAndAreNeverUsedAgain() throws Exception {
    PendingCall<Gone> first = calls.open("a", "");
    first.abandon();

    assertThat(first.id()).isEqualTo(1);
    assertThat(first.method()).isEqualTo("a");
    assertThat(calls.open("b", "").id()).isEqualTo(2);
  }

  // Who waits by and by.

  @Test
  void aPollGetsTheAnswerThatIsThereAndGetsItAgain() throws Exception {
    PendingCall<Gone> call = calls.open("a", "");
    calls.answer(result(call));

    assertThat(call.poll(Deadline.after(Duration.ZERO))).isEqualTo(result(call));
    assertThat(call.poll(Deadline.NEVER)).isEqualTo(result(call));
  }

  private static Stream<Deadline> farAway() {
    return Stream.of(Deadline.NEVER, Deadline.after(LONG));
  }

  @ParameterizedTest
  @MethodSource("farAway")
  void anAnswerEndsAPoll(Deadline deadline) throws Exception {
    try (var _ = NothingLeft.check()) {
      var caller = new Caller("a", call -> call.poll(deadline));
      untilItWaits(caller.thread);

      assertThat(calls.answer(result(caller.call()))).isTrue();

      assertThat(caller.outcome()).isEqualTo(result(caller.call()));
      assertThat(calls.size()).isZero();
    }
  }

  @Test
  void aPollThatIsOutOfTimeLeavesTheCallInTheTableForTheNextOne() throws Exception {
    PendingCall<Gone> call = calls.open("slow", "");
    Deadline deadline = Deadline.after(Duration.ofMillis(10));

    assertThat(call.poll(deadline)).isNull();

    assertThat(deadline.passed()).isTrue();
    assertThat(call.isSettled()).isFalse();
    assertThat(calls.waiting(JsonNumber.of(call.id()))).containsSame(call);
    assertThat(calls.answer(result(call))).isTrue();
    assertThat(call.poll(Deadline.after(Duration.ZERO))).isEqualTo(result(call));
  }

  @Test
  void aPollWithoutTimeDoesNotWait() throws Exception {
    PendingCall<Gone> call = calls.open("slow", "");
    Thread.currentThread().interrupt(); // whoever waited would hear of it

    assertThat(call.poll(Deadline.after(Duration.ZERO))).isNull();

    assertThat(Thread.interrupted()).isTrue();
  }

  @Test
  void progressNeitherEndsAPollNorGivesItMoreTime() throws Exception {
    try (var _ = NothingLeft.check()) {
      Deadline deadline = Deadline.after(Duration.ofMillis(50));
      var caller = new Caller("slow", call -> call.poll(deadline));
      while (caller.thread.isAlive()) {
        caller.call().progress(progress(1));
        Thread.onSpinWait();
      }
      assertThat(caller.outcome()).isNull();
      assertThat(deadline.passed()).isTrue();
      assertThat(calls.size()).isEqualTo(1);
    }
  }

  @ParameterizedTest
  @MethodSource("farAway")
  void anInterruptEndsAPollAndLeavesTheCallInTheTable(Deadline deadline) throws Exception {
    try (var _ = NothingLeft.check()) {
      var caller = new Caller("slow", call -> call.poll(deadline));
      untilItWaits(caller.thread);

      caller.thread.interrupt();

      assertThatThrownBy(caller::outcome)
          .isInstanceOf(InterruptedException.class)
          .hasMessage("slow was interrupted");
      assertThat(calls.waiting(JsonNumber.of(caller.call().id()))).containsSame(caller.call());
    }
  }

  @Test
  void anAnswerThatIsThereWinsOverAnInterruptOfAPoll() throws Exception {
    PendingCall<Gone> call = calls.open("a", "");
    calls.answer(result(call));
    Thread.currentThread().interrupt();

    assertThat(call.poll(Deadline.after(LONG))).isEqualTo(result(call));
    assertThat(Thread.interrupted()).isTrue();
  }

  @ParameterizedTest
  @MethodSource("farAway")
  void theEndEndsAPollWithAnExceptionMadeInItsOwnThread(Deadline deadline) throws Exception {
    try (var _ = NothingLeft.check()) {
      var caller = new Caller("a", call -> call.poll(deadline));
      untilItWaits(caller.thread);

      assertThat(calls.end(Gone::new)).isEqualTo(1);

      assertThatThrownBy(caller::outcome)
          .isInstanceOfSatisfying(
              Gone.class, gone -> assertThat(gone.maker).isSameAs(caller.thread));
    }
  }

  @Test
  void eachPollOfACallThatWasFailedThrows() throws Exception {
    PendingCall<Gone> call = calls.open("a", "");
    assertThat(call.poll(Deadline.after(Duration.ZERO))).isNull();
    calls.fail(RpcId.of(call.id()), () -> new Gone("refused"));

    for (int i = 0; i < 2; i++) {
      assertThatThrownBy(() -> call.poll(Deadline.after(LONG)))
          .isInstanceOf(Gone.class)
          .hasMessage("refused");
    }
  }

  @Test
  void aCallThatWasPolledAndAbandonedHasLeftTheTable() throws Exception {
    PendingCall<Gone> call = calls.open("slow", "");
    call.poll(Deadline.after(Duration.ZERO));

    call.abandon();

    assertThat(calls.size()).isZero();
    assertThat(calls.answer(result(call))).isFalse();
    assertThat(call.poll(Deadline.after(Duration.ZERO))).isNull();
  }

  // Whether calls are accepted.

  @Test
  void aTableIsOpenUntilItsEnd() throws Exception {
    calls.ensureOpen();
    calls.fail(RpcId.of(calls.open("a", "").id()), Gone::new);
    calls.ensureOpen();
    assertThat(calls.isOver()).isFalse();

    calls.end(() -> new Gone("first"));
    calls.end(() -> new Gone("second"));

    assertThat(calls.isOver()).isTrue();
    assertThatThrownBy(calls::ensureOpen).isInstanceOf(Gone.class).hasMessage("first");
    assertThatThrownBy(calls::ensureOpen)
        .isInstanceOfSatisfying(
            Gone.class, gone -> assertThat(gone.maker).isSameAs(Thread.currentThread()));
  }

  @RepeatedTest(5)
  void anAnswerThatWasAcceptedArrivesHoweverLittleTimeIsLeft() throws Exception {
    try (var _ = NothingLeft.check()) {
      var opened = new LinkedBlockingQueue<PendingCall<Gone>>();
      var accepted = new AtomicInteger();
      Thread server = Thread.startVirtualThread(() -> answerUntilInterrupted(opened, accepted));
      int answered = 0;
      for (int i = 0; i < 2_000; i++) {
        PendingCall<Gone> call = calls.open("close", "");
        opened.add(call);
        var timeout = Duration.ofNanos(ThreadLocalRandom.current().nextInt(20_000));
        answered += call.await(timeout, Deadline.NEVER, NOBODY) == null ? 0 : 1;
      }
      server.interrupt();
      server.join();

      assertThat(answered).isEqualTo(accepted.get());
      assertThat(calls.size()).isZero();
    }
  }

  @Test
  void aCallThatIsOpenedWhileTheTableEndsDoesNotHang() throws Exception {
    try (var _ = NothingLeft.check()) {
      var tables = Stream.generate(PendingCalls<Gone>::new).limit(20_000).toList();
      var turn = new AtomicInteger(-1);
      var gone = new AtomicInteger();
      Thread caller =
          Thread.ofPlatform()
              .start(() -> {
                for (PendingCalls<Gone> table : tables) {
                  turn.incrementAndGet();
                  try {
                    await(table.open("race", ""));
                  } catch (Gone e) {
                    gone.incrementAndGet();
                  } catch (InterruptedException e) {
                    return;
                  }
                }
              });
      try {
        for (int i = 0; i < tables.size(); i++) {
          while (turn.get() < i) {
            Thread.onSpinWait();
          }
          spin(ThreadLocalRandom.current().nextInt(30));
          tables.get(i).end(Gone::new);
        }
        caller.join();
      } finally {
        caller.interrupt();
      }
      assertThat(gone.get()).isEqualTo(tables.size());
      assertThat(tables).allSatisfy(table -> assertThat(table.size()).isZero());
    }
  }

  private static void spin(int times) {
    for (int i = 0; i < times; i++) {
      Thread.onSpinWait();
    }
  }

  @RepeatedTest(20)
  void everyCallerGetsExactlyOneOutcomeWhenTheTableEnds() throws Exception {
    try (var _ = NothingLeft.check()) {
      int callers = 32;
      var opened = new LinkedBlockingQueue<PendingCall<Gone>>();
      var underWay = new CountDownLatch(callers * 10);
      var answered = new AtomicInteger();
      var failed = new AtomicInteger();
      var refused = new AtomicInteger();
      var accepted = new AtomicInteger();
      var threads = new ArrayList<Thread>();
      for (int c = 0; c < callers; c++) {
        threads.add(
            Thread.startVirtualThread(() -> {
              try {
                while (true) {
                  PendingCall<Gone> call;
                  try {
                    call = calls.open("race", "");
                  } catch (Gone e) {
                    refused.incrementAndGet();
                    return;
                  }
                  opened.add(call);
                  underWay.countDown();
                  if (await(call).equals(result(call))) {
                    answered.incrementAndGet();
                  }
                }
              } catch (Gone e) {
                failed.incrementAndGet();
              } catch (InterruptedException e) {
                throw new AssertionError(e);
              }
            }));
      }
      Thread server = Thread.startVirtualThread(() -> answerUntilInterrupted(opened, accepted));

      underWay.await();
      int ended = calls.end(Gone::new);
      for (Thread thread : threads) {
        thread.join();
      }
      server.interrupt();
      server.join();

      assertThat(failed.get() + refused.get()).isEqualTo(callers);
      assertThat(answered.get()).isEqualTo(accepted.get());
      assertThat(ended).isBetween(failed.get(), callers);
      assertThat(calls.size()).isZero();
    }
  }

  /// A thread of its own that opens a call and waits for it.
  private final class Caller {
    private final FutureTask<PendingCall<Gone>> opening;
    private final FutureTask<RpcMessage.Response> waiting;
    private final Thread thread;

    Caller(String method) {
      this(method, PendingCallsTest::await);
    }

    Caller(String method, Waiting body) {
      opening = new FutureTask<>(() -> calls.open(method, ""));
      waiting = new FutureTask<>(() -> body.await(opening.get()));
      thread =
          Thread.startVirtualThread(() -> {
            opening.run();
            waiting.run();
          });
    }

    PendingCall<Gone> call() throws Exception {
      return opening.get();
    }

    RpcMessage.Response outcome() throws Exception {
      thread.join();
      try {
        return waiting.get();
      } catch (ExecutionException e) {
        throw e.getCause() instanceof Exception cause ? cause : e;
      }
    }
  }

  @FunctionalInterface
  private interface Waiting {
    RpcMessage.Response await(PendingCall<Gone> call) throws Exception;
  }

  private void answerUntilInterrupted(
      BlockingQueue<PendingCall<Gone>> opened, AtomicInteger accepted) {
    try {
      while (true) {
        if (calls.answer(result(opened.take()))) {
          accepted.incrementAndGet();
        }
      }
    } catch (InterruptedException e) {
      // the end of the test
    }
  }

  private Caller callerWithin(Duration timeout) {
    return new Caller("held", call -> call.await(timeout, Deadline.NEVER, NOBODY));
  }

  private static RpcMessage.Response await(PendingCall<Gone> call)
      throws Gone, InterruptedException {
    return call.await(LONG, Deadline.NEVER, NOBODY);
  }

  private static RpcMessage.Result result(PendingCall<Gone> call) {
    return result(JsonNumber.of(call.id()));
  }

  private static RpcMessage.Result result(JsonValue id) {
    return new RpcMessage.Result(new RpcId(id), JsonObject.of("for", id));
  }

  private void progress(PendingCall<Gone> call, int percent) {
    calls.waiting(JsonNumber.of(call.id())).orElseThrow().progress(progress(percent));
  }

  private static JsonObject progress(int percent) {
    return JsonObject.of("progress", percent);
  }

  private static void until(Deadline deadline) {
    while (!deadline.passed()) {
      LockSupport.parkNanos(deadline.remainingNanos());
    }
  }

  private static void untilItWaits(Thread thread) {
    while (thread.isAlive()
        && thread.getState() != Thread.State.WAITING
        && thread.getState() != Thread.State.TIMED_WAITING) {
      Thread.onSpinWait();
    }
  }
}
