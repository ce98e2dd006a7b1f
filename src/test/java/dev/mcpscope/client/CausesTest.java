package dev.mcpscope.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.json.JsonObject;
import dev.mcpscope.rpc.RpcError;
import dev.mcpscope.transport.CallFailure;
import dev.mcpscope.transport.CallFailure.Kind;
import dev.mcpscope.transport.Loss;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class CausesTest {
  private static final IOException CAUSE = new IOException("broken pipe");

  private final Causes causes = new Causes("files");

  // Why a connection cannot go on.

  @Test
  void aServerThatIsGoneIsALostConnection() {
    assertThat(causes.of(new Loss(Loss.Kind.GONE, "it has exited", CAUSE)))
        .isInstanceOf(ConnectionLostException.class)
        .hasMessage("files: it has exited")
        .hasCause(CAUSE);
  }

  @Test
  void aServerThatBreaksTheProtocolHasViolatedIt() {
    assertThat(causes.of(new Loss(Loss.Kind.PROTOCOL, "a line is too long", null)))
        .isInstanceOf(ProtocolViolationException.class)
        .hasMessage("files: a line is too long")
        .hasNoCause();
  }

  // Why a call got no result.

  @Test
  void anErrorInARefusalIsWhatTheServerSays() {
    var data = JsonObject.of("supported", List.of("2025-11-25"));
    var error = new RpcError(-32022, "no such revision", Optional.of(data));
    McpException cause = causes.of("tools/list", CallFailure.refused("answers 400", 400, error));

    assertThat(cause)
        .isInstanceOfSatisfying(
            RemoteErrorException.class,
            remote -> {
              assertThat(remote)
                  .hasMessage("files: tools/list was answered by error -32022: no such revision");
              assertThat(remote.code()).isEqualTo(-32022);
              assertThat(remote.data()).contains(data);
              assertThat(remote.isNotFound()).isFalse();
            });
  }

  /// Whoever has refused it, and why ever: what is said in the words of the protocol counts.
  @ParameterizedTest
  @EnumSource(Kind.class)
  void anErrorIsWhatTheServerSaysWhateverTheKindOfFailure(Kind kind) {
    var failure =
        new CallFailure(
            kind,
            "answers 401",
            401,
            List.of("Bearer"),
            Optional.of(new RpcError(-32001, "who are you?")),
            CAUSE);
    assertThat(causes.of("ping", failure))
        .isInstanceOf(RemoteErrorException.class)
        .hasMessage("files: ping was answered by error -32001: who are you?")
        .hasNoCause();
  }

  /// A legacy server that looks for the address in vain says 404 too, and a server that has the method
  /// may say the error, as for a tool.
  @ParameterizedTest
  @CsvSource({
    "-32601, 404, true",
    "-32601, 400, false",
    "-32601, 200, false",
    "-32601, 0, false",
    "-32602, 404, false",
    "-32600, 404, false"
  })
  void aMethodIsUnknownByItsErrorAndItsStatus(int code, int status, boolean unknown) {
    var failure = CallFailure.refused("it says no", status, new RpcError(code, "no"));
    assertThat(causes.of("server/discover", failure))
        .isInstanceOfSatisfying(
            RemoteErrorException.class,
            remote -> assertThat(remote.isNotFound()).isEqualTo(unknown));
  }

  @Test
  void aRefusalInNoWordsOfTheProtocolIsAFailedExchangeThatHasNotRun() {
    assertThat(causes.of("ping", new CallFailure(Kind.REFUSED, "answers 503", 503)))
        .isInstanceOfSatisfying(
            ExchangeFailedException.class,
            failed -> {
              assertThat(failed).hasMessage("files: answers 503").hasNoCause();
              assertThat(failed.status()).hasValue(503);
              assertThat(failed.mayHaveRun()).isFalse();
            });
  }

  @Test
  void whatWasNotSentHasNotRun() {
    assertThat(causes.of("ping", new CallFailure(Kind.NOT_SENT, "cannot be connected to", CAUSE)))
        .isInstanceOfSatisfying(
            ExchangeFailedException.class,
            failed -> {
              assertThat(failed).hasMessage("files: cannot be connected to").hasCause(CAUSE);
              assertThat(failed.status()).isEqualTo(OptionalInt.empty());
              assertThat(failed.mayHaveRun()).isFalse();
            });
  }

  @Test
  void whatWasCutOffMayHaveRun() {
    var failure = new CallFailure(Kind.CUT, "broke off", CAUSE).withStatus(200);
    assertThat(causes.of("ping", failure))
        .isInstanceOfSatisfying(
            ExchangeFailedException.class,
            failed -> {
              assertThat(failed).hasMessage("files: broke off; it may have run").hasCause(CAUSE);
              assertThat(failed.status()).hasValue(200);
              assertThat(failed.mayHaveRun()).isTrue();
            });
  }

  @Test
  void anAnswerThatBreaksTheProtocolIsAViolation() {
    assertThat(causes.of("ping", new CallFailure(Kind.PROTOCOL, "no JSON", CAUSE)))
        .isInstanceOf(ProtocolViolationException.class)
        .hasMessage("files: no JSON")
        .hasCause(CAUSE);
  }

  @Test
  void aRefusalForLackOfAuthorizationNamesItsChallenges() {
    var failure = CallFailure.unauthorized("answers 401", 401, List.of("Bearer realm=\"a\""));
    for (McpException cause : List.of(causes.of("ping", failure), causes.unauthorized(failure))) {
      assertThat(cause)
          .isInstanceOfSatisfying(
              AuthorizationRequiredException.class,
              required -> {
                assertThat(required).hasMessage("files: answers 401");
                assertThat(required.status()).isEqualTo(401);
                assertThat(required.challenges()).containsExactly("Bearer realm=\"a\"");
              });
    }
  }

  // The same for each caller.

  @Test
  void aClosedConnectionIsClosedForTheSameReasonForEachCaller() {
    var closed = new ConnectionClosedException("files", CloseReason.OWNER_INTERRUPTED);
    McpException copy = causes.copy(closed);
    assertThat(copy).isNotSameAs(closed).hasMessage(closed.getMessage());
    assertThat(((ConnectionClosedException) copy).reason())
        .isEqualTo(CloseReason.OWNER_INTERRUPTED);
  }

  @Test
  void aViolationIsOneForEachCallerAndHasTheFirstOneAsItsCause() {
    var violation = new ProtocolViolationException("files: no JSON", CAUSE);
    assertThat(causes.copy(violation))
        .isInstanceOf(ProtocolViolationException.class)
        .hasMessage("files: no JSON")
        .hasCause(violation);
  }

  static Stream<McpException> others() {
    return Stream.of(
        new AuthorizationRequiredException("files: answers 401", 401, List.of(), null),
        new CallTimeoutException("files: not connected"),
        new ConnectionLostException("files: it has exited", CAUSE),
        new ExchangeFailedException("files: answers 503", 503, false, null),
        new InputFailedException("files: nobody answers", null),
        new RemoteErrorException("files", "initialize", new RpcError(-32603, "no")));
  }

  @ParameterizedTest
  @MethodSource("others")
  void whateverElseEndsAConnectionItIsLostForEachCaller(McpException first) {
    assertThat(causes.copy(first))
        .isInstanceOf(ConnectionLostException.class)
        .hasMessage(first.getMessage())
        .hasCause(first);
  }
}
