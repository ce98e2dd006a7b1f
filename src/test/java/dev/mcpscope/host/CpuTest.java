package dev.mcpscope.host;

import static dev.mcpscope.HttpFault.on;
import static dev.mcpscope.host.McpHostTest.Lab.SERVE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.OperatingSystemMXBean;
import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.End;
import dev.mcpscope.ScriptedHttpServer;
import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.McpClient;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.host.McpHostTest.Lab;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/// What connections cost that have nothing to do: nothing, whatever their servers have closed, and
/// nothing after their end.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@EnabledOnOs({OS.LINUX, OS.MAC})
class CpuTest {
  private static final Duration WINDOW = Duration.ofMillis(500);

  /// A window in which the JVM compiles or collects is followed by one in which it does not; a loop
  /// that spins is in all of them.
  private static final int WINDOWS = 20;

  /// Of one core. What spins takes the whole of it.
  private static final double MOST = 0.25;

  @Test
  void nothingSpinsWhateverServersHaveClosedNorAfterTheDisconnects() throws Exception {
    Lab.run(lab -> {
      try (var away = ScriptedHttpServer.with();
          var cut = ScriptedHttpServer.with(on("GET", new Act.NoAnswer(End.CLOSE)));
          var silent = ScriptedHttpServer.with(on("tools/call", new Act.NoAnswer(End.OPEN)))) {
        lab.connect("idle", SERVE);
        lab.connect("without stderr", "exec 2>&-; " + SERVE);
        lab.connect("stopped", SERVE.replace("while", "read -r _; kill -STOP $$; while"));
        connect(lab, "away", away);
        connect(lab, "cut", cut);
        McpClient client = connect(lab, "silent", silent);
        var call = lab.async(() -> client.callTool("echo", Map.of("text", "hi")));
        silent.awaitRequest("tools/call", 1);
        away.awaitStreams(1);
        away.stop();
        lab.await("away", ConnectionState.Degraded.class);
        assertNothingSpins();

        for (ConnectionStatus status : lab.host.statuses("s").orElseThrow()) {
          lab.host.disconnect("s", status.name());
        }
        assertThatThrownBy(call::get).isInstanceOf(ExecutionException.class);
        assertNothingSpins();
      }
    });
  }

  private static McpClient connect(Lab lab, String name, ScriptedHttpServer server)
      throws Exception {
    return lab.host.connect("s", name, ServerSpec.http(server.url())).client().orElseThrow();
  }

  private static void assertNothingSpins() throws InterruptedException {
    double least = 1;
    for (int i = 0; i < WINDOWS && least > MOST; i++) {
      least = Math.min(least, shareOfACore());
    }
    assertThat(least).isLessThan(MOST);
  }

  /// Measures for a while how much of a core this process takes.
  private static double shareOfACore() throws InterruptedException {
    var system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
    long cpu = system.getProcessCpuTime();
    assertThat(cpu).as("the CPU time of this JVM, without which nothing is seen").isPositive();
    long begun = System.nanoTime();
    new CountDownLatch(1).await(WINDOW.toNanos(), TimeUnit.NANOSECONDS); // which nobody opens
    return (double) (system.getProcessCpuTime() - cpu) / (System.nanoTime() - begun);
  }
}
