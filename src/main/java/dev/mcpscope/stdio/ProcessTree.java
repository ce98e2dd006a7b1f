package dev.mcpscope.stdio;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/// Everybody who has to be gone when a server is: the direct child, its descendants, and, on Linux,
/// who carries the connection's cookie in its environment or holds one of its pipes.
///
/// The parts make up for each other. Descendants are lost once a parent has died (orphans move to
/// pid 1), so they are collected *before* each signal, and remembered. A daemon that has forked
/// twice is nobody's descendant, but it inherits the cookie; one that has cleaned its environment
/// may still hold a pipe. What did none of these cannot be told from a stranger, and is left alone.
///
/// Members are [ProcessHandle]s, which know a process by pid and start time: a signal never hits
/// another process that has got the same number since. Used by the connection's owner alone.
final class ProcessTree {
  private static final Path PROC = Path.of("/proc");
  private static final boolean LINUX = Files.isDirectory(PROC.resolve("self/fd"));

  private final Process root;
  private final byte[] cookie;
  private final Set<String> pipes;
  private final Set<ProcessHandle> members = new LinkedHashSet<>();

  ProcessTree(Process root, String cookie, Set<String> pipes) {
    this.root = root;
    this.cookie = cookie.getBytes(StandardCharsets.UTF_8);
    this.pipes = pipes;
    members.add(root.toHandle());
  }

  /// Looks for new members: descendants of those known, and carriers of the cookie. One walk over
  /// the processes of the machine.
  void refresh() {
    var strangers = new HashMap<ProcessHandle, ProcessHandle>(); // to their parents
    ProcessHandle.allProcesses()
        .filter(process -> !members.contains(process))
        .forEach(process -> strangers.put(process, process.parent().orElse(process)));
    if (LINUX) {
      strangers.keySet().removeIf(p -> contains(environment(p), cookie) && members.add(p));
    }
    while (strangers
        .entrySet()
        .removeIf(p -> members.contains(p.getValue()) && members.add(p.getKey()))) {
      // children first, then theirs
    }
  }

  /// Adds who keeps one of the connection's pipes from ending, because he may still write to it. It
  /// costs a look at every descriptor of every process, so it is for pipes that have not ended.
  void addHolders() {
    if (!pipes.isEmpty()) {
      ProcessHandle self = ProcessHandle.current();
      ProcessHandle.allProcesses()
          .filter(process -> !process.equals(self) && holdsPipe(process))
          .forEach(members::add);
    }
  }

  /// Returns the members that still run.
  List<ProcessHandle> alive() {
    // The child itself is asked in a way that needs no descriptor: there may be none left.
    return members.stream()
        .filter(member -> member.equals(root.toHandle()) ? root.isAlive() : runs(member))
        .toList();
  }

  private static byte[] environment(ProcessHandle process) {
    try {
      return Files.readAllBytes(PROC.resolve(process.pid() + "/environ"));
    } catch (IOException _) { // another user's process, or gone
      return new byte[0];
    }
  }

  private static boolean contains(byte[] environment, byte[] variable) {
    outer:
    for (int start = 0; start + variable.length <= environment.length; start++) {
      for (int i = 0; i < variable.length; i++) {
        if (environment[start + i] != variable[i]) {
          continue outer;
        }
      }
      return true;
    }
    return false;
  }

  /// Only who can write counts: a process that some other thread of this JVM is just starting has
  /// copies of all our descriptors for a moment, but of these pipes we only have the ends to read.
  private boolean holdsPipe(ProcessHandle process) {
    try (DirectoryStream<Path> fds =
        Files.newDirectoryStream(PROC.resolve(process.pid() + "/fd"))) {
      for (Path fd : fds) {
        if (pipes.contains(Files.readSymbolicLink(fd).toString())
            && Files.getPosixFilePermissions(fd, LinkOption.NOFOLLOW_LINKS)
                .contains(PosixFilePermission.OWNER_WRITE)) {
          return true;
        }
      }
    } catch (IOException | DirectoryIteratorException _) {
      // another user's process, or gone
    }
    return false;
  }

  /// A zombie has ended: it waits for a parent that may never look, as pid 1 of many containers.
  static boolean runs(ProcessHandle process) {
    if (!process.isAlive()) {
      return false;
    }
    if (!LINUX) {
      return true;
    }
    try {
      String stat =
          Files.readString(PROC.resolve(process.pid() + "/stat"), StandardCharsets.ISO_8859_1);
      // "pid (name) S …": the name may hold anything, so count from its last parenthesis
      char state = stat.charAt(stat.lastIndexOf(')') + 2);
      return state != 'Z' && state != 'X';
    } catch (NoSuchFileException _) {
      return false;
    } catch (IOException _) { // it is alive, and that it is a zombie is not known
      return true;
    }
  }
}
