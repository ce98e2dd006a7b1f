package dev.mcpscope.host;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.transport.CloseReport.Survivor;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class SurvivorsTest {
  private final Survivors survivors = new Survivors();
  private final Survivor running = Survivor.of(ProcessHandle.current());

  @Test
  void whoHasEndedSinceIsForgotten() {
    survivors.add(new Survivor(Long.MAX_VALUE, Optional.empty(), "gone"));
    survivors.add(running);
    assertThat(survivors.list()).containsExactly(running);
  }

  @Test
  void theNewestHundredAreKept() {
    for (int i = 0; i < 150; i++) {
      survivors.add(new Survivor(running.pid(), running.started(), "server " + i));
    }
    assertThat(survivors.list())
        .hasSize(100)
        .first()
        .extracting(Survivor::command)
        .isEqualTo("server 50");
  }
}
