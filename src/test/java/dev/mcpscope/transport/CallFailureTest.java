package dev.mcpscope.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.rpc.RpcError;
import dev.mcpscope.transport.CallFailure.Kind;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CallFailureTest {
  private static final RpcError ERROR = new RpcError(-32601, "no such method");

  @ParameterizedTest
  @ValueSource(ints = {409, 429, 500, 502, 503, 504, 599})
  void thisStatusMayBeAnotherOneALittleLater(int status) {
    assertThat(CallFailure.isPassing(status)).isTrue();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 200, 202, 301, 400, 401, 403, 404, 405, 408, 410, 428, 430, 431, 499})
  void thisStatusIsForGood(int status) {
    assertThat(CallFailure.isPassing(status)).isFalse();
  }

  @Test
  void aFailureWithoutAnAnswerHasNoStatusAndNoError() {
    var cause = new IOException("broken pipe");
    assertThat(new CallFailure(Kind.CUT, "broke off", cause))
        .isEqualTo(new CallFailure(Kind.CUT, "broke off", 0, List.of(), Optional.empty(), cause));
  }

  @Test
  void aFailureThatAnAnswerShowsHasItsStatus() {
    assertThat(new CallFailure(Kind.REFUSED, "answers 503", 503))
        .isEqualTo(
            new CallFailure(Kind.REFUSED, "answers 503", 503, List.of(), Optional.empty(), null));
  }

  @Test
  void aRefusalInTheWordsOfTheProtocolHasTheErrorAndTheStatus() {
    assertThat(CallFailure.refused("answers 404", 404, ERROR))
        .isEqualTo(
            new CallFailure(Kind.REFUSED, "answers 404", 404, List.of(), Optional.of(ERROR), null));
  }

  @Test
  void aRefusalForLackOfAuthorizationHasItsChallenges() {
    assertThat(CallFailure.unauthorized("answers 403", 403, List.of("Bearer")))
        .isEqualTo(
            new CallFailure(
                Kind.UNAUTHORIZED, "answers 403", 403, List.of("Bearer"), Optional.empty(), null));
  }

  @Test
  void aFailureBehindAHeadHasTheStatusOfTheHeadAndIsElseTheSame() {
    var cause = new IOException("broken pipe");
    assertThat(
            new CallFailure(
                    Kind.PROTOCOL, "no JSON", 0, List.of("Bearer"), Optional.of(ERROR), cause)
                .withStatus(200))
        .isEqualTo(
            new CallFailure(
                Kind.PROTOCOL, "no JSON", 200, List.of("Bearer"), Optional.of(ERROR), cause));
  }

  @Test
  void itsChallengesAreACopy() {
    var challenges = new ArrayList<>(List.of("Bearer"));
    var failure = CallFailure.unauthorized("answers 401", 401, challenges);
    challenges.add("Basic");
    assertThat(failure.challenges()).containsExactly("Bearer");
    assertThatThrownBy(() -> failure.challenges().add("Basic"))
        .isInstanceOf(UnsupportedOperationException.class);
  }
}
