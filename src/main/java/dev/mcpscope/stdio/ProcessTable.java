package dev.mcpscope.stdio;

import dev.mcpscope.scope.Deadline;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/// The processes of this machine, as one look has found them: who has started whom and, on Linux, who
/// carries which mark and who can write to which pipe.
///
/// A look reads files of every process, so closes that look at the same time share one ([SharedLook]):
/// a host that ends hundreds of connections looks a few times, not hundreds of times.
final class ProcessTable {
  static final Path PROC = Path.of("/proc");
  static final boolean LINUX = Files.isDirectory(PROC.resolve("self/fd"));

  /// For the rest of an exec: microseconds, of a processor that it may have to wait for.
  private static final Duration EXEC = Duration.ofMillis(50);

  /// How often in a row a process with a command line has no environment until it has none.
  private static final int OFTEN_ENOUGH = 3;

  private static final byte[] MARK =
      (ChildEnvironment.MARK + "=").getBytes(StandardCharsets.ISO_8859_1);

  private static final SharedLook<ProcessTable> TABLE = new SharedLook<>(ProcessTable::new);
  private static final SharedLook<Map<String, Set<ProcessHandle>>> WRITERS =
      new SharedLook<>(ProcessTable::readWriters);

  private final Map<ProcessHandle, List<ProcessHandle>> children = new HashMap<>();
  private final Map<String, List<ProcessHandle>> marked = new HashMap<>();

  private ProcessTable() {
    List<ProcessHandle> all = ProcessHandle.allProcesses().toList();
    if (!all.contains(ProcessHandle.current())) { // the JDK leaves out whom it cannot look at
      throw new IllegalStateException(
          "processes cannot be looked at: no descriptor is left for it");
    }
    all.forEach(process -> {
      process
          .parent()
          .ifPresent(
              parent -> children.computeIfAbsent(parent, _ -> new ArrayList<>()).add(process));
      String mark = mark(process);
      if (!mark.isEmpty()) {
        marked.computeIfAbsent(mark, _ -> new ArrayList<>()).add(process);
      }
    });
  }

  /// Looks at all processes; blocks for as long as that takes, and is not interruptible.
  ///
  /// @throws RuntimeException when it cannot: there is no /proc, or no descriptor
  static ProcessTable look() {
    return TABLE.get();
  }

  /// Looks at all descriptors of all processes but this one, and returns who can write to one of these
  /// pipes, named as in /proc. Blocks as [#look()] does.
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

  /// Who carried this mark, the value of [ChildEnvironment#MARK].
  List<ProcessHandle> marked(String mark) {
    return marked.getOrDefault(mark, List.of());
  }

  /// Every mark that was carried, and by whom.
  Map<String, List<ProcessHandle>> marked() {
    return marked;
  }

  /// The mark in the environment that the process was started with; "" when it has none, or belongs to
  /// another user, or has gone.
  private static String mark(ProcessHandle process) {
    if (!LINUX) {
      return "";
    }
    byte[] environment;
    try {
      environment = environment(PROC.resolve(Long.toString(process.pid())));
    } catch (IOException _) {
      return "";
    }
    for (int start = 0; start < environment.length; ) {
      int end = start;
      while (end < environment.length && environment[end] != 0) {
        end++;
      }
      int value = start + MARK.length;
      if (end >= value && Arrays.equals(environment, start, value, MARK, 0, MARK.length)) {
        return new String(environment, value, end - value, StandardCharsets.ISO_8859_1);
      }
      start = end + 1;
    }
    return "";
  }

  /// Reads the environment of a process. In the middle of an exec it seems to have none, or only the
  /// beginning of one, and no command line, and it must not be missed for that: a daemon is made of
  /// execs. So it is looked at until that is over, and then some more, as the next one may have begun.
  private static byte[] environment(Path process) throws IOException {
    Deadline deadline = Deadline.after(EXEC);
    int without = 0;
    while (true) {
      byte[] environment = Files.readAllBytes(process.resolve("environ"));
      boolean whole = environment.length > 0 && environment[environment.length - 1] == 0;
      if (whole || without == OFTEN_ENOUGH || deadline.passed()) {
        return environment;
      }
      if (Files.readAllBytes(process.resolve("cmdline")).length > 0) {
        without++;
      } else {
        Files.readSymbolicLink(process.resolve("exe")); // fails for a zombie, or a kernel's thread
        Thread.yield();
      }
    }
  }

  private static Map<String, Set<ProcessHandle>> readWriters() {
    var writers = new HashMap<String, Set<ProcessHandle>>();
    if (LINUX) {
      ProcessHandle self = ProcessHandle.current();
      try (Stream<ProcessHandle> all = ProcessHandle.allProcesses()) {
        all.filter(process -> !process.equals(self)).forEach(process -> addPipes(process, writers));
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
    } catch (IOException | DirectoryIteratorException _) {
      // another user's process, or gone
    }
  }
}
