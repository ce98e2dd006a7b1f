package dev.mcpscope.stdio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.mcpscope.NothingLeft;
import java.io.File;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

@EnabledOnOs(OS.LINUX)
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class MarksTest {
  private final List<Process> started = new ArrayList<>();
  private NothingLeft nothingLeft;

  @BeforeEach
  void look() {
    nothingLeft = NothingLeft.check();
  }

  @AfterEach
  void endWhatATestHasStarted() throws Exception {
    for (Process process : started) {
      process.toHandle().destroyForcibly();
      process.waitFor();
      process.getOutputStream().close();
    }
    nothingLeft.close();
  }

  private Process start(String mark, String... command) throws IOException {
    var builder = new ProcessBuilder(command).redirectOutput(new File("/dev/null"));
    builder.redirectError(new File("/dev/null"));
    builder.environment().put(ChildEnvironment.MARK, mark);
    started.add(builder.start());
    return started.getLast();
  }

  private Process sleep(String mark) throws IOException {
    return start(mark, "sleep", "60");
  }

  private static List<ProcessHandle> orphansOf(long host) {
    return Marks.ofDeadHosts().getOrDefault(host, List.of());
  }

  private static Instant begin(Process process) {
    return process.info().startInstant().orElseThrow();
  }

  @Test
  void whoseHostHasEndedIsAnOrphan() throws Exception {
    Process host = start("", "true");
    host.waitFor();
    Process orphan = sleep(host.pid() + "-x");
    Process other = sleep(host.pid() + "-y");
    assertThat(orphansOf(host.pid()))
        .containsExactlyInAnyOrder(orphan.toHandle(), other.toHandle());
  }

  @Test
  void whoseHostRunsIsNone() throws Exception {
    Process host = sleep("");
    sleep(host.pid() + "-x");
    sleep(ProcessHandle.current().pid() + "-x");
    assertThat(orphansOf(host.pid())).isEmpty();
    assertThat(orphansOf(ProcessHandle.current().pid())).isEmpty();
  }

  @Test
  void whoseHostHasLeftItsNumberToAYoungerProcessIsAnOrphan() throws Exception {
    // A process gets its mark when it executes a program, and has begun before that.
    Process orphan =
        start("", "sh", "-c", "read pid; export MCP_SCOPE_CONNECTION=$pid-x; exec sleep 60");
    Process young;
    do {
      young = sleep("");
    } while (!begin(young).isAfter(begin(orphan)));
    try (var in = orphan.outputWriter()) {
      in.write(young.pid() + "\n");
    }
    List<ProcessHandle> found;
    do {
      found = orphansOf(young.pid());
    } while (found.isEmpty()); // until it has executed it
    assertThat(found).containsExactly(orphan.toHandle());
  }

  @Test
  void whoHasItsHostInAnotherNamespaceIsNone() throws Exception {
    Process host = start("", "true");
    host.waitFor();
    var command = List.of("unshare", "--user", "--pid", "--fork", "sh", "-c", "echo in; sleep 60");
    var builder = new ProcessBuilder(command);
    builder.environment().put(ChildEnvironment.MARK, host.pid() + "-x");
    Process outside = builder.start(); // it is here itself; what it starts is not
    started.add(outside);
    try (var out = outside.inputReader();
        var _ = outside.errorReader()) {
      assumeTrue("in".equals(out.readLine()), "this system gives no namespaces to who asks");
      assertThat(orphansOf(host.pid())).containsExactly(outside.toHandle());
    } finally {
      outside.descendants().forEach(ProcessHandle::destroyForcibly);
    }
  }

  @Test
  void aMarkThatIsNotOursMeansNothing() throws Exception {
    Process host = start("", "true");
    host.waitFor();
    for (String mark : List.of("", "-", "x-1", host.pid() + "", "-" + host.pid() + "-x")) {
      sleep(mark);
    }
    assertThat(Marks.ofDeadHosts().values().stream().flatMap(List::stream))
        .doesNotContainAnyElementsOf(started.stream().map(Process::toHandle).toList());
  }
}
