package dev.mcpscope.scope;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.ScriptedServer;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.demo.Load;
import dev.mcpscope.host.HostListener;
import dev.mcpscope.host.HostOptions;
import dev.mcpscope.host.McpHost;
import dev.mcpscope.transport.CloseReport;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// One server, connected by one thread and disconnected by another: in the naive design, and in this
/// one. What is measured is printed; docs/ownership.md quotes it.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class OldBugTest {
  private static final ServerSpec.Stdio SERVER = ScriptedServer.with();

  @Test
  void naiveDesignIsRefusedTheCloseAndSpinsUntilTheOpenerComesBack() throws Exception {
    try (var _ = NothingLeft.check()) {
      OldBug.Seen seen = OldBug.show(SERVER.command());
      System.out.printf(
          "naive design: %s; server ended: %s; its reader then takes %.0f %% of a core%n",
          seen.refusal(), seen.serverEnded(), seen.cores() * 100);
      assertThat(seen.refusal()).startsWith("java.lang.WrongThreadException");
      assertThat(seen.serverEnded()).isTrue();
      assertThat(seen.cores()).isGreaterThan(0.1); // all of one, if nobody else wants it
      assertThat(seen.readerEnded()).isTrue();
    }
  }

  @Test
  void naiveDesignIsLeftAlsoByWhoIsInterruptedWhileTheServerRuns() throws Exception {
    try (var _ = NothingLeft.check()) {
      var thrown = new AtomicReference<Exception>();
      Thread shows =
          Thread.ofPlatform()
              .start(() -> {
                try {
                  OldBug.show(List.of("sleep", "60")); // which does not look at its input
                } catch (Exception e) {
                  thrown.set(e);
                }
              });
      while (shows.getState() != Thread.State.TIMED_WAITING) {
        Thread.onSpinWait(); // until it waits for the server's end, and the reader for the server
      }
      shows.interrupt();
      shows.join();
      assertThat(thrown.get()).isInstanceOf(InterruptedException.class);
    }
  }

  @Test
  void sameDisconnectHereReleasesEverythingAndNothingSpins() throws Exception {
    try (var _ = NothingLeft.check();
        var requests = Executors.newThreadPerTaskExecutor(Thread.ofPlatform().factory())) {
      var host = McpHost.open(HostOptions.defaults(), new HostListener() {});
      CompletableFuture.runAsync(
              () -> {
                try {
                  host.connect("s", "x", SERVER);
                } catch (Exception e) {
                  throw new AssertionError(e);
                }
              },
              requests)
          .join(); // and its thread has ended: that of the next request is another one
      CloseReport report =
          CompletableFuture.supplyAsync(
                  () -> {
                    try {
                      return host.disconnect("s", "x").orElseThrow();
                    } catch (Exception e) {
                      throw new AssertionError(e);
                    }
                  },
                  requests)
              .join();
      double cores = Load.least(); // with the host still open
      System.out.printf("this design: %s; then %.1f %% of a core%n", report.summary(), cores * 100);
      assertThat(report.nothingLeft()).isTrue();
      assertThat(report.failures()).isEmpty();
      assertThat(report.took()).isLessThan(Duration.ofSeconds(5));
      assertThat(cores).isLessThan(0.1);
      host.end();
    }
  }
}
