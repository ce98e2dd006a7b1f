package dev.mcpscope.stdio;

import dev.mcpscope.transport.CloseReport.ServerProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The marks that hosts leave in the environment of what they start, for those who come after them.
public final class Marks {
  private static final Path NAMESPACE = Path.of("ns", "pid");

  private Marks() {}

  /// Finds the processes of servers whose host has ended without ending them, by the host's process id:
  /// it was killed, and they heed the end of their input as little. Only on Linux, and only those that
  /// this user may look at. Looks at all processes; not interruptible.
  ///
  /// Process ids count inside of one namespace only: what runs in a container of this machine has a host
  /// there, and is not looked at. A host has ended when its id is nobody's, or that of a process that is
  /// younger than what it should have started: numbers come again, in containers at once.
  public static Map<Long, List<ProcessHandle>> ofDeadHosts() {
    if (!ProcessTable.LINUX) {
      return Map.of(); // nor can all processes be listed where /proc is missing
    }
    var found = new HashMap<Long, List<ProcessHandle>>();
    ProcessTable.look()
        .marked()
        .forEach((mark, carriers) ->
            host(mark)
                .ifPresent(host ->
                    carriers.stream()
                        .filter(ServerProcess::runs)
                        .filter(Marks::isOfOurNamespace)
                        .filter(carrier -> !hasStarted(host, carrier))
                        .forEach(carrier ->
                            found.computeIfAbsent(host, _ -> new ArrayList<>()).add(carrier))));
    return found;
  }

  private static Optional<Long> host(String mark) {
    int end = mark.indexOf('-');
    try {
      return Optional.of(Long.valueOf(mark.substring(0, Math.max(0, end))));
    } catch (NumberFormatException _) { // not one of ours
      return Optional.empty();
    }
  }

  /// Whether the host is there, and not younger; also when the process has gone meanwhile, and nobody
  /// can say when it began.
  private static boolean hasStarted(long host, ProcessHandle process) {
    Optional<Instant> begun = process.info().startInstant();
    return begun.isEmpty()
        || ProcessHandle.of(host)
            .filter(ServerProcess::runs)
            .flatMap(running -> running.info().startInstant())
            .filter(since -> !since.isAfter(begun.get()))
            .isPresent();
  }

  private static boolean isOfOurNamespace(ProcessHandle process) {
    try {
      Path its = ProcessTable.PROC.resolve(Long.toString(process.pid())).resolve(NAMESPACE);
      Path ours = ProcessTable.PROC.resolve("self").resolve(NAMESPACE);
      return Files.readSymbolicLink(its).equals(Files.readSymbolicLink(ours));
    } catch (IOException _) { // gone, or not ours to look at
      return false;
    }
  }
}
