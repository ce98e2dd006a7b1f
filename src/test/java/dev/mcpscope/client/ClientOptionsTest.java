package dev.mcpscope.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.transport.ReconnectBudget;
import java.time.Duration;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class ClientOptionsTest {
  private static final ClientOptions DEFAULTS = ClientOptions.defaults();
  private static final Duration SECOND = Duration.ofSeconds(1);

  static Stream<Map.Entry<String, Function<Duration, ClientOptions>>> times() {
    return Stream.of(
        Map.entry("connectTimeout", DEFAULTS::withConnectTimeout),
        Map.entry("callTimeout", time -> DEFAULTS.withCallTimeout(time, SECOND)),
        Map.entry("callMaximum", time -> DEFAULTS.withCallTimeout(SECOND, time)),
        Map.entry("handlerTimeout", time -> DEFAULTS.withHandlerTimeout(time, SECOND)),
        Map.entry("listenerTimeout", time -> DEFAULTS.withHandlerTimeout(SECOND, time)),
        Map.entry(
            "probeTimeout",
            time -> DEFAULTS.withProtocol(DEFAULTS.protocol().withProbeTimeout(time))));
  }

  @ParameterizedTest
  @MethodSource("times")
  void aTimeIsMoreThanZero(Map.Entry<String, Function<Duration, ClientOptions>> time) {
    for (Duration wrong : new Duration[] {Duration.ZERO, Duration.ofMillis(-1)}) {
      assertThatThrownBy(() -> time.getValue().apply(wrong))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(time.getKey() + " must be more than zero, is " + wrong);
    }
  }

  private static ClientOptions.Limits limits(int... six) {
    return new ClientOptions.Limits(
        JsonLimits.defaults(), six[0], six[1], six[2], six[3], six[4], six[5]);
  }

  @Test
  void aLimitIsOneOrMore() {
    String[] names = {"stderrBytes", "pages", "items", "serverRequests", "events", "eventBytes"};
    for (int i = 0; i < names.length; i++) {
      int[] values = {1, 1, 1, 1, 1, 1};
      limits(values);
      values[i] = 0;
      assertThatThrownBy(() -> limits(values))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(names[i] + " must be 1 or more, is 0");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "30000, 5000, 5000",
    "10001, 5000, 5000",
    "10000, 5000, 5000",
    "9000, 5000, 4500",
    "30000, 60000, 15000",
    "1, 5000, 0.5",
    "1, 0.25, 0.25"
  })
  void aServerIsGivenItsTimeToSayWhichEraItIsButHalfOfTheTimeToConnectAtMost(
      double connectMillis, double probeMillis, double millis) {
    ClientOptions options =
        DEFAULTS
            .withConnectTimeout(millis(connectMillis))
            .withProtocol(DEFAULTS.protocol().withProbeTimeout(millis(probeMillis)));
    assertThat(options.probeTime()).isEqualTo(millis(millis));
  }

  private static Duration millis(double millis) {
    return Duration.ofNanos((long) (millis * 1_000_000));
  }

  @Test
  void theProtocolIsSpokenInWhicheverEraWithFiveSecondsToSaySoAndACache() {
    var protocol = new ClientOptions.Protocol(EraChoice.AUTO, Duration.ofSeconds(5), true);
    assertThat(DEFAULTS.protocol()).isEqualTo(protocol);
    assertThat(DEFAULTS.probeTime()).isEqualTo(Duration.ofSeconds(5));
  }

  @Test
  void eachChangeOfTheProtocolKeepsTheRest() {
    var changed = new ClientOptions.Protocol(EraChoice.LEGACY, Duration.ofSeconds(9), false);
    assertThat(
            DEFAULTS
                .protocol()
                .withEra(EraChoice.LEGACY)
                .withProbeTimeout(Duration.ofSeconds(9))
                .withCaching(false))
        .isEqualTo(changed);
    assertThat(
            DEFAULTS
                .protocol()
                .withCaching(false)
                .withProbeTimeout(Duration.ofSeconds(9))
                .withEra(EraChoice.LEGACY))
        .isEqualTo(changed);
    assertThat(DEFAULTS.withProtocol(changed).withEra(EraChoice.MODERN))
        .isEqualTo(DEFAULTS.withProtocol(changed.withEra(EraChoice.MODERN)));
  }

  @Test
  void eachChangeKeepsTheRest() {
    var features = ClientFeatures.none().withListener(_ -> {});
    var reconnect = new ReconnectBudget(Duration.ofSeconds(6), Duration.ofSeconds(7), 8);
    var protocol = new ClientOptions.Protocol(EraChoice.MODERN, Duration.ofSeconds(9), false);
    ClientOptions changed =
        DEFAULTS
            .withFeatures(features)
            .withHandlerTimeout(Duration.ofSeconds(1), Duration.ofSeconds(2))
            .withConnectTimeout(Duration.ofSeconds(3))
            .withCallTimeout(Duration.ofSeconds(4), Duration.ofSeconds(5))
            .withLimits(limits(1, 2, 3, 4, 5, 6))
            .withIdentity("a", "b")
            .withReconnect(reconnect)
            .withProtocol(protocol)
            .withClose(DEFAULTS.close());
    assertThat(changed)
        .isEqualTo(
            new ClientOptions(
                "a",
                "b",
                Duration.ofSeconds(3),
                Duration.ofSeconds(4),
                Duration.ofSeconds(5),
                Duration.ofSeconds(1),
                Duration.ofSeconds(2),
                DEFAULTS.close(),
                reconnect,
                protocol,
                limits(1, 2, 3, 4, 5, 6),
                features));
  }
}
