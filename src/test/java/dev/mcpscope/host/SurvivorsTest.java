package dev.mcpscope.host;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.transport.CloseReport.Outcome;
import dev.mcpscope.transport.CloseReport.ServerProcess;
import dev.mcpscope.transport.CloseReport.Tie;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class SurvivorsTest {
  private final Survivors survivors = new Survivors();
  private final ProcessHandle self = ProcessHandle.current();
  private final ServerProcess running = process(self.pid(), self.info().startInstant(), "self");

  private static ServerProcess process(long pid, Optional<Instant> started, String command) {
    return new ServerProcess(pid, started, command, Tie.CHILD, Outcome.SURVIVED);
  }

  @Test
  void whoHasEndedSinceIsForgotten() {
    survivors.add(process(Long.MAX_VALUE, Optional.empty(), "gone"));
    survivors.add(running);
    assertThat(survivors.list()).containsExactly(running);
  }

  @Test
  void theNewestHundredAreKept() {
    for (int i = 0; i < 150; i++) {
      survivors.add(process(running.pid(), running.started(), "server " + i));
    }
    assertThat(survivors.list())
        .hasSize(100)
        .first()
        .extracting(ServerProcess::command)
        .isEqualTo("server 50");
  }
}
