package dev.mcpscope.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LoadTest {
  @Test
  void whatSpinsTakesItsCoreInEachWindow() throws Exception {
    assertThat(Load.least(System::nanoTime)).isGreaterThan(0.9);
  }

  @Test
  void whatTakesNothingTakesNothing() throws Exception {
    assertThat(Load.least(() -> 1)).isZero();
  }

  @Test
  void timeThatIsNotKnownIsNotNothing() {
    assertThatThrownBy(() -> Load.least(() -> -1))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("CPU time");
  }
}
