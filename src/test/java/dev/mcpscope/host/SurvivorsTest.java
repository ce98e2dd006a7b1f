package dev.mcpscope.host;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.transport.CloseReport.Outcome;
import dev.mcpscope.transport.CloseReport.ServerProcess;
import dev.mcpscope.transport.CloseReport.Tie;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

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

  @Test
  @Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void whoIsAddedDoesNotWaitForALookThatTakesLong() throws Exception {
    var looking = new CountDownLatch(1);
    var seen = new CountDownLatch(1);
    var slow =
        new Survivors(survivor -> {
          looking.countDown();
          try {
            seen.await();
          } catch (InterruptedException e) {
            throw new IllegalStateException(e);
          }
          return !survivor.command().equals("gone");
        });
    slow.add(process(1, Optional.empty(), "gone"));
    slow.add(running);
    var listed = new FutureTask<>(slow::list);
    Thread.ofVirtual().start(listed);
    looking.await();
    ServerProcess newer = process(2, Optional.empty(), "newer");
    var added = Thread.ofPlatform().start(() -> slow.add(newer));
    boolean atOnce = added.join(Duration.ofSeconds(5));
    seen.countDown();
    assertThat(atOnce).isTrue();
    assertThat(listed.get()).containsExactly(running);
    assertThat(slow.list()).containsExactly(running, newer);
  }
}
