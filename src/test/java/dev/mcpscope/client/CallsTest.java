package dev.mcpscope.client;

import static dev.mcpscope.client.Promptly.failure;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.rpc.PendingCalls;
import dev.mcpscope.rpc.RpcError;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import dev.mcpscope.scope.Deadline;
import dev.mcpscope.transport.CallFailure;
import dev.mcpscope.transport.CallFailure.Kind;
import dev.mcpscope.transport.Closing;
import dev.mcpscope.transport.OverloadedException;
import dev.mcpscope.transport.Transport;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What a caller's thread does, whatever the transport comes back with.
@Timeout(value = 20, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CallsTest {
  private static final JsonObject NONE = JsonObject.EMPTY;
  private static final JsonObject RESULT = JsonObject.of("a", 1);
  private static final McpException GONE =
      new ConnectionLostException("files: it has exited", null);

  /// What comes of a request that is sent.
  private sealed interface Fate {
    record Answered(JsonValue result) implements Fate {}

    record Refused(RpcError error) implements Fate {}

    record Failed(CallFailure failure) implements Fate {}

    record Unsent() implements Fate {}

    record Silence() implements Fate {}
  }

  /// Has each request's fate ready, and settles it while it is sent.
  private final class Wire implements Transport {
    private final Deque<Fate> fates = new ArrayDeque<>();
    private final List<RpcMessage.Request> requests = new ArrayList<>();
    private final List<Map<String, String>> beside = new ArrayList<>();
    private final ConcurrentLinkedQueue<RpcMessage> others = new ConcurrentLinkedQueue<>();

    @Override
    public List<Work> tasks() {
      return List.of();
    }

    @Override
    public void send(RpcMessage message) throws OverloadedException {
      if (message instanceof RpcMessage.Request request) {
        send(request, Map.of());
      } else {
        others.add(message);
      }
    }

    @Override
    public void send(RpcMessage.Request request, Map<String, String> mirrored)
        throws OverloadedException {
      requests.add(request);
      beside.add(mirrored);
      switch (fates.pop()) {
        case Fate.Answered(var result) ->
            pending.answer(new RpcMessage.Result(request.id(), result));
        case Fate.Refused(var error) -> pending.answer(new RpcMessage.Failure(request.id(), error));
        case Fate.Failed(var failure) ->
            pending.fail(request.id(), () -> causes.of(request.method(), failure));
        case Fate.Unsent() -> throw new OverloadedException("too much waits");
        case Fate.Silence() -> {}
      }
    }

    @Override
    public boolean mirrorsArguments() {
      return true;
    }

    @Override
    public void close(Closing closing) {}

    /// Returns for which requests the server was told that nobody waits.
    List<JsonValue> cancelled() {
      return others.stream()
          .map(RpcMessage.Notification.class::cast)
          .filter(one -> one.method().equals("notifications/cancelled"))
          .map(one -> one.params().get("requestId"))
          .toList();
    }
  }

  private final PendingCalls<McpException> pending = new PendingCalls<>();
  private final Elicitations elicitations = new Elicitations();
  private final Causes causes = new Causes("files");
  private final Wire wire = new Wire();
  private final Calls calls =
      new Calls("files", ClientOptions.defaults(), wire, pending, elicitations);

  private static final Fate CUT =
      new Fate.Failed(new CallFailure(Kind.CUT, "broke off", new IOException("reset")));

  private void comesBack(Fate... fates) {
    wire.fates.addAll(List.of(fates));
  }

  private JsonObject call(boolean repeatable) throws McpException, InterruptedException {
    Calls.Terms terms = calls.terms(CallOptions.defaults(), () -> repeatable);
    return calls.call("tools/call", JsonObject.of("name", "echo"), terms);
  }

  // The user has to go somewhere first.

  private static final RpcError GO =
      new RpcError(
          RemoteErrorException.URL_ELICITATION_REQUIRED,
          "go there first",
          Optional.of(
              Json.value(
                  "{'elicitations':["
                      + "{'mode':'url','message':'Go','url':'https://a.b/','elicitationId':'1'},"
                      + "{'mode':'url','message':'Go','url':'javascript:x','elicitationId':'2'},"
                      + "7,"
                      + "{'mode':'url','message':'Go','url':'https://a.b/'},"
                      + "{'mode':'url','message':'Go','url':'https://a.b/','elicitationId':'3'}]}")));

  private void assertExpected(RemoteErrorException failure) {
    assertThat(failure.code()).isEqualTo(-32042);
    assertThat(failure.elicitations())
        .extracting(url -> url.elicitationId().orElse("none"))
        .containsExactly("1", "none", "3");
    assertThat(elicitations.complete("1")).isTrue();
    assertThat(elicitations.complete("2")).isFalse();
    assertThat(elicitations.complete("3")).isTrue();
  }

  @Test
  void theUrlsOfAnErrorMayBeDoneFromThenOn() throws Exception {
    comesBack(new Fate.Refused(GO));
    assertExpected(failure(RemoteErrorException.class, () -> call(true)));
  }

  @ParameterizedTest
  @ValueSource(ints = {400, 403, 404, 500})
  void thatTheErrorComesWithAnHttpStatusMakesNoDifference(int status) throws Exception {
    comesBack(new Fate.Failed(CallFailure.refused("answers " + status, status, GO)));
    assertExpected(failure(RemoteErrorException.class, () -> call(true)));
  }

  @Test
  void thatTheRequestWasSentAgainMakesNoDifference() throws Exception {
    comesBack(CUT, new Fate.Refused(GO));
    assertExpected(failure(RemoteErrorException.class, () -> call(true)));
  }

  @Test
  void theUrlsOfAnotherErrorAreNoneToGoTo() throws Exception {
    comesBack(new Fate.Refused(new RpcError(-32041, GO.message(), GO.data())));
    assertThat(failure(RemoteErrorException.class, () -> call(true)).elicitations()).isEmpty();
    assertThat(elicitations.complete("1")).isFalse();
  }

  // A socket that was closed.

  @Test
  void aRequestThatWasCutOffIsSentAgainUnderAnotherIdIfThatDoesNoHarm() throws Exception {
    comesBack(CUT, new Fate.Answered(RESULT));
    Calls.Terms terms = calls.terms(CallOptions.defaults());
    JsonObject params = JsonObject.of("name", "echo");
    Map<String, String> beside = Map.of("Region", "us-west1");

    assertThat(calls.call("tools/call", params, beside, terms, Deadline.NEVER)).isEqualTo(RESULT);

    assertThat(wire.requests)
        .containsExactly(
            new RpcMessage.Request(RpcId.of(1), "tools/call", params),
            new RpcMessage.Request(RpcId.of(2), "tools/call", params));
    assertThat(wire.beside).containsExactly(beside, beside);
    assertThat(wire.others).isEmpty();
    assertThat(pending.size()).isZero();
  }

  @Test
  void aRequestThatMayDoHarmIsNotSentAgain() throws Exception {
    comesBack(CUT);
    assertThat(failure(ExchangeFailedException.class, () -> call(false)).mayHaveRun()).isTrue();
    assertThat(wire.requests).hasSize(1);
  }

  @Test
  void aRequestIsNotSentAThirdTime() throws Exception {
    comesBack(CUT, CUT);
    failure(ExchangeFailedException.class, () -> call(true));
    assertThat(wire.requests).hasSize(2);
  }

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = "CUT", mode = EnumSource.Mode.EXCLUDE)
  void aRequestThatHasFailedOtherwiseIsNotSentAgain(Kind kind) throws Exception {
    comesBack(new Fate.Failed(new CallFailure(kind, "it has failed", (Throwable) null)));
    failure(McpException.class, () -> call(true));
    assertThat(wire.requests).hasSize(1);
  }

  @Test
  void aRequestThatWasCutOffBehindAHeadIsNotSentAgain() throws Exception {
    comesBack(new Fate.Failed(new CallFailure(Kind.CUT, "broke off", 200)));
    failure(ExchangeFailedException.class, () -> call(true));
    assertThat(wire.requests).hasSize(1);
  }

  // Time, and who gives up.

  @Test
  void aCallThatIsPartOfALongerOneEndsWithThat() throws Exception {
    comesBack(new Fate.Silence());
    Deadline end = Deadline.after(Duration.ofMillis(20));
    Calls.Terms terms = calls.terms(CallOptions.defaults());
    assertThat(
            failure(
                CallTimeoutException.class,
                () -> calls.call("tools/list", NONE, Map.of(), terms, end)))
        .hasMessage("files: tools/list (id 1) got no answer within 600000 ms");
    assertThat(end.passed()).isTrue();
    assertThat(wire.cancelled()).containsExactly(JsonNumber.of(1));
    assertThat(pending.size()).isZero();
  }

  @Test
  void theTimeOfBothTriesIsTheTimeOfOne() throws Exception {
    comesBack(CUT, new Fate.Silence());
    Calls.Terms terms = calls.terms(CallOptions.defaults());
    failure(
        CallTimeoutException.class,
        () ->
            calls.call("tools/list", NONE, Map.of(), terms, Deadline.after(Duration.ofMillis(20))));
    assertThat(wire.cancelled()).containsExactly(JsonNumber.of(2));
  }

  @Test
  void aHandshakesRequestIsNotCancelledOnTheWire() throws Exception {
    comesBack(new Fate.Silence());
    failure(
        CallTimeoutException.class,
        () ->
            calls.call(
                "initialize",
                NONE,
                Map.of(),
                calls.handshake(),
                Deadline.after(Duration.ofMillis(10))));
    assertThat(wire.others).isEmpty();
  }

  @Test
  void whatIsTooMuchForTheServerWasNotSentNorIsItCancelled() throws Exception {
    comesBack(new Fate.Unsent());
    assertThat(failure(CallTimeoutException.class, () -> call(true)))
        .hasMessage("files: tools/call echo (id 1) was not sent: too much waits");
    assertThat(wire.others).isEmpty();
    assertThat(pending.size()).isZero();
  }

  @Test
  void aResultThatIsNoObjectIsNone() throws Exception {
    comesBack(new Fate.Answered(Json.value("[1]")));
    assertThat(failure(ProtocolViolationException.class, () -> call(true)))
        .hasMessage("files: tools/call echo (id 1) was answered by an array instead of an object");
  }

  // Who waits by and by.

  @Test
  void whoAsksKnowsTheIdBeforeAnythingIsSent() throws Exception {
    comesBack(new Fate.Answered(RESULT));
    var known = new ArrayList<RpcId>();
    try (var asked =
        calls.ask(
            "server/discover",
            NONE,
            id -> {
              assertThat(wire.requests).isEmpty();
              known.add(id);
            })) {
      assertThat(known).containsExactly(wire.requests.getFirst().id());
      assertThat(asked.await(Deadline.NEVER)).contains(RESULT);
      assertThat(asked.await(Deadline.after(Duration.ZERO))).contains(RESULT);
    }
    assertThat(wire.others).isEmpty();
  }

  @Test
  void whoGetsNoAnswerInTimeMayWaitOn() throws Exception {
    comesBack(new Fate.Silence());
    try (var asked = calls.ask("server/discover", NONE, _ -> {})) {
      assertThat(asked.await(Deadline.after(Duration.ofMillis(5)))).isEmpty();
      assertThat(wire.others).isEmpty();
      pending.answer(new RpcMessage.Result(RpcId.of(1), RESULT));
      assertThat(asked.await(Deadline.after(Duration.ZERO))).contains(RESULT);
    }
    assertThat(wire.others).isEmpty();
  }

  @Test
  void whoWaitsNoMoreSaysSoOnceIfThereWasNoAnswer() throws Exception {
    comesBack(new Fate.Silence());
    Calls.Asked asked = calls.ask("server/discover", NONE, _ -> {});
    asked.close();
    assertThat(wire.cancelled()).containsExactly(JsonNumber.of(1));
    assertThat(pending.size()).isZero();
    assertThat(pending.answer(new RpcMessage.Result(RpcId.of(1), RESULT))).isFalse();
  }

  @Test
  void whoAsksForTheConnectionIsNoCaller() throws Exception {
    comesBack(new Fate.Silence());
    try (var asked = calls.ask("server/discover", NONE, _ -> {})) {
      assertThat(pending.end(() -> GONE)).isZero();
      assertThatThrownBy(() -> asked.await(Deadline.NEVER)).isSameAs(GONE);
    }
    assertThat(wire.others).isEmpty(); // there is nobody to be told
  }

  @Test
  void whoAsksHearsWhyTheServerDoesNotAnswer() throws Exception {
    comesBack(new Fate.Failed(CallFailure.refused("answers 404", 404, new RpcError(-32601, "no"))));
    try (var asked = calls.ask("server/discover", NONE, _ -> {})) {
      assertThatThrownBy(() -> asked.await(Deadline.NEVER))
          .isInstanceOfSatisfying(
              RemoteErrorException.class, refusal -> assertThat(refusal.isNotFound()).isTrue());
    }
    assertThat(wire.others).isEmpty();
  }

  @Test
  void whatCannotBeAskedWasNotSent() throws Exception {
    comesBack(new Fate.Unsent());
    assertThat(
            failure(CallTimeoutException.class, () -> calls.ask("server/discover", NONE, _ -> {})))
        .hasMessageEndingWith("was not sent: too much waits");
    assertThat(pending.size()).isZero();
    assertThat(wire.others).isEmpty();
  }

  // Another thread's request.

  @Test
  void aRequestThatAnotherThreadWaitsForCanBeEnded() throws Exception {
    comesBack(new Fate.Silence(), new Fate.Silence());
    try (var _ = NothingLeft.check()) {
      for (boolean told : new boolean[] {false, true}) {
        var id = new AtomicReference<RpcId>();
        Calls.Asked asked = calls.ask("subscriptions/listen", NONE, id::set);
        if (told) {
          calls.cancel(id.get(), GONE);
        } else {
          calls.end(id.get(), GONE);
        }
        assertThatThrownBy(() -> asked.await(Deadline.NEVER)).isSameAs(GONE);
        asked.close();
      }
      assertThat(wire.cancelled()).containsExactly(JsonNumber.of(2));
    }
  }

  @Test
  void aRequestThatWasAnsweredIsNotCancelled() throws Exception {
    comesBack(new Fate.Answered(RESULT));
    try (var asked = calls.ask("subscriptions/listen", NONE, _ -> {})) {
      calls.cancel(RpcId.of(1), GONE);
      calls.cancel(RpcId.of(7), GONE);
      assertThat(asked.await(Deadline.NEVER)).contains(RESULT);
    }
    assertThat(wire.others).isEmpty();
  }

  // What it says of others.

  @Test
  void itIsOpenUntilTheTableEnds() throws Exception {
    calls.ensureOpen();
    assertThat(calls.isOver()).isFalse();
    pending.end(() -> GONE);
    assertThatThrownBy(calls::ensureOpen).isSameAs(GONE);
    assertThat(calls.isOver()).isTrue();
    assertThatThrownBy(() -> call(true)).isSameAs(GONE);
    assertThatThrownBy(() -> calls.ask("ping", NONE, _ -> {})).isSameAs(GONE);
    assertThat(wire.requests).isEmpty();
  }

  @Test
  void whetherArgumentsGoBesideIsForTheTransportToSay() {
    assertThat(calls.mirrorsArguments()).isTrue();
  }
}
