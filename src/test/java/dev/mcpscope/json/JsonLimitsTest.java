package dev.mcpscope.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JsonLimitsTest {

  private static final JsonLimits DEFAULTS = JsonLimits.defaults();

  @Test
  void theDefaultsAreWhatTheySay() {
    assertThat(DEFAULTS).isEqualTo(new JsonLimits(16 * 1024 * 1024, 256, 1_000));
  }

  @Test
  void eachLimitChangesAlone() {
    assertThat(DEFAULTS.withMaxBytes(1).withMaxDepth(2).withMaxNumberLength(3))
        .isEqualTo(new JsonLimits(1, 2, 3));
  }

  @Test
  void theEndsOfTheRangesAreAllowed() {
    assertThat(new JsonLimits(1, 1, 1)).isNotNull();
    assertThat(new JsonLimits(1 << 30, 512, 10_000)).isNotNull();
  }

  @ParameterizedTest
  @CsvSource({
    "0, 1, 1, maxBytes",
    "-1, 1, 1, maxBytes",
    "1073741825, 1, 1, maxBytes",
    "1, 0, 1, maxDepth",
    "1, 513, 1, maxDepth",
    "1, 1, 0, maxNumberLength",
    "1, 1, 10001, maxNumberLength",
  })
  void aLimitOutOfItsRangeIsRefusedByName(int bytes, int depth, int number, String name) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new JsonLimits(bytes, depth, number))
        .withMessageStartingWith(name + " must be from 1 to ");
  }
}
