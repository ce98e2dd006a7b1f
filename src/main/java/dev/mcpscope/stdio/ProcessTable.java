package dev.mcpscope.stdio;

import dev.mcpscope.scope.Deadline;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// The processes of this machine, as one look has found them: who has started whom and, on Linux, who
/// carries which mark and who can write to which pipe.
///
/// A look reads files of every process, so closes that look at the same time share one ([SharedLook]):
/// a host that ends hundreds of connections looks a few times, not hundreds of times.
final class ProcessTable {
  static final Path PROC = Path.of("/proc");
  static final boolean LINUX = Files.isDirectory(PROC.resolve("self/fd"));

  /// For the rest of all execs that a look has come upon: microseconds, of a processor that they may have
  /// to wait for.
  private static final Duration EXEC = Duration.ofMillis(50);

  /// Ten times what a look takes among hundreds of servers on a busy machine.
  private static final Duration PATIENCE = Duration.ofSeconds(2);

  private static final SharedLook<ProcessTable> TABLE =
      new SharedLook<>("processes", PATIENCE, ProcessTable::new);
  private static final SharedLook<Map<String, Set<ProcessHandle>>> WRITERS =
      new SharedLook<>("pipes", PATIENCE, ProcessTable::readWriters);

  private final Map<ProcessHandle, List<ProcessHandle>> children = new HashMap<>();
  private final Map<String, List<ProcessHandle>> marked = new HashMap<>();

  private ProcessTable() {
    List<ProcessHandle> all = processes();
    List<MarkReader> readers = LINUX ? all.stream().map(MarkReader::new).toList() : List.of();
    var inExec = new ArrayList<>(readers);
    inExec.removeIf(MarkReader::read); // first of all: a mark goes with who carries it
    for (ProcessHandle process : all) {
      process
          .parent()
          .ifPresent(
              parent -> children.computeIfAbsent(parent, _ -> new ArrayList<>()).add(process));
    }
    Deadline deadline = Deadline.after(EXEC);
    while (!inExec.isEmpty() && !deadline.passed()) {
      Thread.yield();
      inExec.removeIf(MarkReader::read);
    }
    for (MarkReader reader : readers) {
      if (!reader.mark().isEmpty()) {
        marked.computeIfAbsent(reader.mark(), _ -> new ArrayList<>()).add(reader.process());
      }
    }
  }

  /// Looks at all processes; blocks for as long as that takes, two seconds at most, and is not
  /// interruptible.
  ///
  /// @throws IllegalStateException when it cannot: there is no /proc, or no descriptor, or no end of it
  static ProcessTable look() {
    return TABLE.get();
  }

  /// Looks at all descriptors of all processes but this one, and returns who can write to one of these
  /// pipes, named as in /proc. Blocks and fails as [#look()] does.
  static Set<ProcessHandle> writers(Collection<String> pipes) {
    Map<String, Set<ProcessHandle>> all = WRITERS.get();
    var writers = new HashSet<ProcessHandle>();
    pipes.forEach(pipe -> writers.addAll(all.getOrDefault(pipe, Set.of())));
    return writers;
  }

  /// Who was a child of this process.
  List<ProcessHandle> children(ProcessHandle parent) {
    return children.getOrDefault(parent, List.of());
  }

  /// Who carried this mark, the value of [ChildEnvironment#MARK], and was the child of nobody who did.
  List<ProcessHandle> orphans(String mark) {
    List<ProcessHandle> carriers = marked.getOrDefault(mark, List.of());
    var started = new HashSet<ProcessHandle>();
    carriers.forEach(carrier -> started.addAll(children(carrier)));
    return carriers.stream().filter(carrier -> !started.contains(carrier)).toList();
  }

  /// Every mark that was carried, and by whom.
  Map<String, List<ProcessHandle>> marked() {
    return marked;
  }

  /// Returns all processes, those that the system lists last, as a rule the youngest, first: they are the
  /// likeliest to go before they have been looked at.
  private static List<ProcessHandle> processes() {
    List<ProcessHandle> all = ProcessHandle.allProcesses().toList();
    if (!all.contains(ProcessHandle.current())) { // the JDK leaves out whom it cannot look at
      throw new IllegalStateException("no descriptor is left for it");
    }
    return all.reversed();
  }

  private static Map<String, Set<ProcessHandle>> readWriters() {
    var writers = new HashMap<String, Set<ProcessHandle>>();
    if (LINUX) {
      ProcessHandle self = ProcessHandle.current();
      for (ProcessHandle process : processes()) {
        if (!process.equals(self)) {
          addPipes(process, writers);
        }
      }
    }
    return writers;
  }

  /// Only who can write counts: a process that some other thread of this JVM is just starting has
  /// copies of all our descriptors for a moment, but of the pipes that servers write to we only have
  /// the ends to read.
  private static void addPipes(ProcessHandle process, Map<String, Set<ProcessHandle>> writers) {
    try (DirectoryStream<Path> fds =
        Files.newDirectoryStream(PROC.resolve(process.pid() + "/fd"))) {
      for (Path fd : fds) {
        String name = Files.readSymbolicLink(fd).toString();
        if (name.startsWith("pipe:")
            && Files.getPosixFilePermissions(fd, LinkOption.NOFOLLOW_LINKS)
                .contains(PosixFilePermission.OWNER_WRITE)) {
          writers.computeIfAbsent(name, _ -> new HashSet<>()).add(process);
        }
      }
    } catch (IOException | DirectoryIteratorException e) {
      checkThatItIsNotUs(e); // but another user's process, or one that has gone
    }
  }

  /// Tells a process that cannot be looked at from a host that can look at none.
  ///
  /// @throws IllegalStateException if there is no descriptor left to look at anything
  static void checkThatItIsNotUs(Exception e) {
    if (!ProcessHandle.current().isAlive()) {
      throw new IllegalStateException(e.getMessage(), e);
    }
  }
}
