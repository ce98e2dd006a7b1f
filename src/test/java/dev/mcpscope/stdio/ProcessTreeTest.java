package dev.mcpscope.stdio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.mcpscope.NothingLeft;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

@EnabledOnOs(OS.LINUX)
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ProcessTreeTest {
  private static final String SLEEP = "exec sleep 60";

  /// Lets its shell tell its pid, closes all else that it has, and is nobody's descendant. The shell
  /// waits for the pid, as the JDK closes the pipe of a process that has ended.
  private static final String DAEMON =
      "(setsid sh -c 'echo $$; exec >&-; " + SLEEP + "' &) | { read pid; echo $pid; }";

  /// The same, and it has no environment and holds on to descriptor 2.
  private static final String CLEAN_DAEMON = DAEMON.replace("setsid", "env -i $(which setsid)");

  private final String mark = UUID.randomUUID().toString();
  private final List<ProcessHandle> started = new ArrayList<>();

  @AfterEach
  void endWhatATestHasStarted() {
    for (ProcessHandle process : started) {
      process.descendants().forEach(ProcessHandle::destroyForcibly);
      process.destroyForcibly();
    }
  }

  private ProcessBuilder shell(String script) {
    var builder = new ProcessBuilder("sh", "-c", script).redirectInput(new File("/dev/null"));
    builder.environment().remove(ChildEnvironment.MARK);
    return builder;
  }

  private ProcessBuilder shellWithMark(String script) {
    ProcessBuilder builder = shell(script);
    builder.environment().put(ChildEnvironment.MARK, mark);
    return builder;
  }

  private Process start(ProcessBuilder builder) throws IOException {
    Process process = builder.start();
    started.add(process.toHandle());
    return process;
  }

  /// Returns the processes whose pids this one tells, one a line; it tells nothing else.
  private List<ProcessHandle> told(Process process, int count) throws IOException {
    var told = new ArrayList<ProcessHandle>();
    var in = process.inputReader();
    for (int i = 0; i < count; i++) {
      told.add(ProcessHandle.of(Long.parseLong(in.readLine())).orElseThrow());
    }
    started.addAll(told);
    return told;
  }

  private void end(Process process) throws InterruptedException {
    process.toHandle().destroyForcibly();
    process.waitFor();
  }

  private void endAll(ProcessTree tree) {
    tree.alive().forEach(ProcessHandle::destroyForcibly);
    while (!tree.alive().isEmpty()) {
      Thread.onSpinWait();
    }
  }

  @Test
  void descendantsAreMembersAlsoWhenTheirParentHasDied() throws Exception {
    try (var _ = NothingLeft.check()) {
      Process root =
          start(shell("sleep 60 & echo $!; sh -c 'sleep 60 & echo $!; wait' & echo $!; wait"));
      List<ProcessHandle> descendants = told(root, 3);
      var tree = new ProcessTree(root, mark, Set.of());
      tree.refresh();
      assertThat(tree.alive()).contains(root.toHandle()).containsAll(descendants).hasSize(4);
      end(root);
      tree.refresh();
      assertThat(tree.alive()).containsExactlyInAnyOrderElementsOf(descendants);
      endAll(tree);
    }
  }

  @Test
  void descendantsAreLostWhenTheirParentDiesBeforeTheyWereSeen() throws Exception {
    try (var _ = NothingLeft.check()) {
      Process root = start(shell("sleep 60 & echo $!; wait"));
      List<ProcessHandle> orphans = told(root, 1);
      var tree = new ProcessTree(root, mark, Set.of());
      end(root);
      tree.refresh();
      assertThat(tree.alive()).isEmpty(); // which is why they are looked for before each signal
      orphans.getFirst().destroyForcibly();
      orphans.getFirst().onExit().join();
    }
  }

  @Test
  void aDaemonIsFoundByItsMarkThoughItIsNobodysDescendant() throws Exception {
    try (var _ = NothingLeft.check()) {
      Process root = start(shellWithMark(DAEMON));
      List<ProcessHandle> daemon = told(root, 1);
      root.waitFor();
      var tree = new ProcessTree(root, mark, Set.of());
      tree.refresh();
      assertThat(tree.alive()).containsExactlyElementsOf(daemon);
      endAll(tree);
    }
  }

  /// The look itself finds the youngest first.
  @Test
  void parentsComeBeforeTheirChildren() throws Exception {
    try (var _ = NothingLeft.check()) {
      String family = "echo $$; sh -c 'echo $$; sleep 60 & echo $!; wait' & wait";
      String daemons = "(setsid sh -c '" + family.replace("'", "'\\''") + "' &); ";
      Process root = start(shellWithMark(daemons.repeat(2) + SLEEP));
      List<ProcessHandle> daemonsAndTheirs = told(root, 6);
      end(root);
      var tree = new ProcessTree(root, mark, Set.of());
      tree.refresh();
      List<ProcessHandle> members = tree.alive();
      assertThat(members).containsExactlyInAnyOrderElementsOf(daemonsAndTheirs);
      for (ProcessHandle member : members) {
        member
            .parent()
            .filter(members::contains)
            .ifPresent(
                parent -> assertThat(members.indexOf(parent)).isLessThan(members.indexOf(member)));
      }
      endAll(tree);
    }
  }

  /// It shows no environment then. A look finds this one in an exec with a chance of some percent.
  @Test
  void aProcessInTheMiddleOfAnExecIsFoundByItsMarkToo() throws Exception {
    try (var _ = NothingLeft.check()) {
      Process root = start(shell("exec sleep 60"));
      ProcessBuilder restless = shellWithMark("exec sh -c \"$SELF\"");
      restless.environment().put("SELF", "exec sh -c \"$SELF\"");
      Process carrier = start(restless);
      for (int look = 0; look < 300; look++) {
        var tree = new ProcessTree(root, mark, Set.of());
        tree.refresh();
        assertThat(tree.alive()).as("look " + look).contains(carrier.toHandle());
      }
      end(carrier);
      end(root);
    }
  }

  @Test
  void whatADaemonStartsIsAMemberToo() throws Exception {
    try (var _ = NothingLeft.check()) {
      String daemon = "setsid sh -c 'echo $$; env -i sleep 60 >&- & echo $!; exec >&-; wait'";
      String script = "(" + daemon + " &) | { read one; read two; echo $one; echo $two; }";
      Process root = start(shellWithMark(script));
      List<ProcessHandle> both = told(root, 2);
      root.waitFor();
      var tree = new ProcessTree(root, mark, Set.of());
      tree.refresh();
      assertThat(tree.alive()).containsExactlyInAnyOrderElementsOf(both);
      endAll(tree);
    }
  }

  @Test
  void aDaemonWithACleanEnvironmentIsFoundByThePipeThatItHolds() throws Exception {
    try (var _ = NothingLeft.check()) {
      LinuxPipe held = LinuxPipe.open().orElseThrow();
      Process root = start(shellWithMark(CLEAN_DAEMON).redirectError(held.writeEnd()));
      List<ProcessHandle> daemon = told(root, 1);
      root.waitFor();
      held.pipe().sink().close();
      var tree = new ProcessTree(root, mark, Set.of(held.inode()));
      tree.refresh();
      assertThat(tree.alive()).isEmpty();
      tree.addHolders();
      assertThat(tree.alive()).containsExactlyElementsOf(daemon);
      endAll(tree);
      held.pipe().source().close();
    }
  }

  @Test
  void strangersAreNoMembers() throws Exception {
    try (var _ = NothingLeft.check()) {
      LinuxPipe ours = LinuxPipe.open().orElseThrow();
      LinuxPipe theirs = LinuxPipe.open().orElseThrow();
      Process root = start(shellWithMark("echo $$; " + SLEEP));
      told(root, 1);
      Process sibling = start(shell("echo $$; " + SLEEP).redirectError(theirs.writeEnd()));
      told(sibling, 1);
      ProcessBuilder other = shell("echo $$; " + SLEEP).redirectInput(ours.readEnd());
      other.environment().put(ChildEnvironment.MARK, UUID.randomUUID().toString());
      Process reader = start(other); // of another connection; it reads the pipe, but cannot write
      told(reader, 1);
      var tree = new ProcessTree(root, mark, Set.of(ours.inode()));
      tree.refresh();
      tree.addHolders();
      assertThat(tree.alive()).containsExactly(root.toHandle());
      for (Process process : List.of(root, sibling, reader)) {
        end(process);
        process.inputReader().close();
      }
      for (LinuxPipe pipe : List.of(ours, theirs)) {
        pipe.pipe().sink().close();
        pipe.pipe().source().close();
      }
    }
  }

  @Test
  void aZombieHasEnded() throws Exception {
    try (var _ = NothingLeft.check()) {
      // The child ends when its parent has become a sleep, which never looks.
      Process root = start(shell("sleep 0.3 & echo $!; " + SLEEP));
      ProcessHandle zombie = told(root, 1).getFirst();
      var tree = new ProcessTree(root, mark, Set.of());
      do {
        tree.refresh();
      } while (tree.alive().contains(zombie));
      assertThat(tree.alive()).containsExactly(root.toHandle());
      end(root);
    }
  }

  @Test
  void aProcessWhoseFirstThreadHasEndedRunsAsLongAsAnotherOneDoes() throws Exception {
    try (var _ = NothingLeft.check()) {
      String script =
          "command -v python3 || { echo no; exit; }; (python3 -c '"
              + "import ctypes, os, sys, threading, time\n"
              + "threading.Thread(target=time.sleep, args=(60,)).start()\n"
              + "print(os.getpid(), flush=True)\n"
              + "ctypes.CDLL(None).pthread_exit(None)'; :) & wait";
      Process root = start(shell(script));
      assumeTrue(!root.inputReader().readLine().equals("no"), "python3 can end its first thread");
      ProcessHandle headless = told(root, 1).getFirst();
      awaitZombie(headless.pid());
      var tree = new ProcessTree(root, mark, Set.of());
      tree.refresh();
      assertThat(tree.alive()).contains(headless);
      tree.kill(tree.alive());
      while (!tree.alive().isEmpty()) {
        Thread.onSpinWait();
      }
      root.waitFor();
    }
  }

  private static void awaitZombie(long pid) throws IOException {
    while (!Files.readString(Path.of("/proc", Long.toString(pid), "stat")).contains(") Z ")) {
      Thread.onSpinWait();
    }
  }
}
