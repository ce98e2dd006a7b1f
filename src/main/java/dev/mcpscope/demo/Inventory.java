package dev.mcpscope.demo;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.util.stream.Collectors.toSet;

import dev.mcpscope.host.ThreadDump;
import dev.mcpscope.host.ThreadDump.Scope;
import dev.mcpscope.host.ThreadDump.ThreadInfo;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// What this JVM holds at one instant, by identity: one thing that leaked and another that ended
/// make zero, so counts prove nothing.
///
/// Left out is what the JDK starts and opens for itself when it likes ([#OWN_THREADS],
/// [#OWN_POOLS], [#OWN_FILES]). What it opens once and keeps, the pollers of virtual threads among
/// them, is opened before the first inventory ([FirstUse]): so a selector, which looks just like
/// one, cannot hide.
///
/// Not seen: descriptors where there is no `/proc/self/fd` (none are listed), and a daemon that
/// has left our process tree *and* wiped its environment. Any thread may take an inventory.
///
/// @param threads by id
/// @param scopes the open ones, by the JDK's id for them
/// @param processes this JVM's descendants and, on Linux, each process that carries the mark of a
///     connection of this JVM; by pid and start
/// @param descriptors by number and what they lead to, such as `17 -> pipe:[993]`
public record Inventory(
    Map<Long, ThreadInfo> threads,
    Map<String, Scope> scopes,
    Map<String, String> processes,
    Map<String, String> descriptors) {

  /// How the names of threads begin that the JDK starts late.
  private static final List<String> OWN_THREADS =
      List.of(
          "process reaper", // waits for one child, then idles in a pool for 60 s
          "Attach Listener", // answers jcmd and jstack, from the first one on
          "DestroyJavaVM", // what the main thread becomes
          "JFR ", // flight recorder, if somebody turns it on
          "JDWP "); // debugger, if somebody attaches one

  /// The pools that carry virtual threads and asynchronous completions, timers included.
  private static final Set<String> OWN_POOLS =
      Set.of("ForkJoinPool.commonPool", FirstUse.ofVirtualThreads());

  /// Where classes, random numbers and the limits of a container come from.
  private static final Pattern OWN_FILES =
      Pattern.compile(
          ".+\\.jar|/dev/u?random|/sys/fs/cgroup/.+|"
              + Pattern.quote(System.getProperty("java.home"))
              + "/.+");

  /// How a connection of this JVM marks its processes; a double fork does not lose it.
  private static final String MARK =
      "\0MCP_SCOPE_CONNECTION=" + ProcessHandle.current().pid() + "-";

  /// Looks at everything; takes some ten milliseconds.
  ///
  /// @throws IOException if the JVM's thread dump cannot be written or read
  public static Inventory take() throws IOException {
    ThreadDump dump = ThreadDump.take();
    var threads = new HashMap<Long, ThreadInfo>();
    dump.threads().stream()
        .filter(t -> !OWN_POOLS.contains(t.container()))
        .filter(t -> OWN_THREADS.stream().noneMatch(t.name()::startsWith))
        .forEach(t -> threads.put(t.tid(), t));
    var scopes = new HashMap<String, Scope>();
    addAll(dump.scopes(), scopes);
    return new Inventory(
        Map.copyOf(threads), Map.copyOf(scopes), heldProcesses(), openDescriptors());
  }

  private static void addAll(List<Scope> from, Map<String, Scope> into) {
    for (Scope scope : from) {
      into.put(scope.id(), scope);
      addAll(scope.scopes(), into);
    }
  }

  /// Returns what is here and was not there.
  Leftovers since(Inventory before) {
    var added = added(before.threads, threads);
    var lines = new ArrayList<String>();
    for (ThreadInfo t : added) {
      boolean scoped = scopes.values().stream().anyMatch(s -> s.threads().contains(t));
      String kind = (t.virtual() ? "virtual, " : "platform, ") + t.state();
      String place = (scoped ? "scope " : "") + t.container();
      String at = t.at().isEmpty() ? "" : ", at " + t.at();
      lines.add("thread '%s' (tid %d, %s) in %s%s".formatted(t.name(), t.tid(), kind, place, at));
    }
    for (Scope s : added(before.scopes, scopes)) {
      lines.add("scope %s (owner '%s', tid %d)".formatted(s.name(), s.owner(), s.ownerTid()));
    }
    lines.addAll(added(before.processes, processes));
    lines.addAll(added(before.descriptors, descriptors));
    lines.sort(null);
    return new Leftovers(
        added,
        List.copyOf(lines),
        List.of(
            new Leftovers.Count("threads", before.threads.size(), threads.size()),
            new Leftovers.Count("scopes", before.scopes.size(), scopes.size()),
            new Leftovers.Count("processes", before.processes.size(), processes.size()),
            new Leftovers.Count("descriptors", before.descriptors.size(), descriptors.size())));
  }

  private static <K, V> List<V> added(Map<K, V> before, Map<K, V> after) {
    return after.entrySet().stream()
        .filter(entry -> !before.containsKey(entry.getKey()))
        .map(Map.Entry::getValue)
        .toList();
  }

  private static Map<String, String> heldProcesses() {
    var held = new HashMap<String, String>();
    ProcessHandle.current().descendants().forEach(child -> put(held, child));
    ProcessHandle.allProcesses()
        .filter(process -> carriesMark(process.pid()))
        .forEach(carrier -> put(held, carrier));
    return Map.copyOf(held);
  }

  private static void put(Map<String, String> held, ProcessHandle process) {
    ProcessHandle.Info info = process.info();
    String id = "process " + process.pid() + " started " + info.startInstant().orElse(null);
    String command = info.commandLine().or(info::command).orElse("?");
    if (process.isAlive()) { // asked last, or the details might be those of a later process
      held.put(id, "%s `%.200s`".formatted(id, command));
    }
  }

  private static boolean carriesMark(long pid) {
    try {
      byte[] environment = Files.readAllBytes(Path.of("/proc/" + pid + "/environ"));
      return ("\0" + new String(environment, ISO_8859_1)).contains(MARK);
    } catch (IOException _) { // it has ended, is another user's, or there is no /proc
      return false;
    }
  }

  private static Map<String, String> openDescriptors() throws IOException {
    var open = new HashMap<String, String>();
    String[] numbers = new File("/proc/self/fd").list(); // its own descriptor is closed by now
    if (numbers != null) {
      Set<String> attach = attachSockets();
      for (String number : numbers) {
        try {
          String target = Files.readSymbolicLink(Path.of("/proc/self/fd", number)).toString();
          if (!OWN_FILES.matcher(target).matches() && !attach.contains(target)) {
            String words = "descriptor " + number + " -> " + target;
            open.put(words, words);
          }
        } catch (NoSuchFileException _) {
          // closed meanwhile
        }
      }
    }
    return Map.copyOf(open);
  }

  /// From the first `jcmd` on the JVM listens on a socket that is a file named `.java_pid…`.
  private static Set<String> attachSockets() throws IOException {
    try (Stream<String> sockets = Files.lines(Path.of("/proc/net/unix"), ISO_8859_1)) {
      return sockets
          .filter(line -> line.contains("/.java_pid"))
          .map(line -> "socket:[" + line.trim().split(" +")[6] + "]")
          .collect(toSet());
    }
  }

  /// In a class of its own, because another thread runs this code while the outer class waits for
  /// it in its initializer.
  private static final class FirstUse {

    /// Makes the JDK open what it keeps: a virtual thread that waits for a socket, and closes it,
    /// gets the scheduler, the pollers and the socket that closed descriptors are pointed at.
    ///
    /// @return the name of the scheduler's pool
    static String ofVirtualThreads() {
      return CompletableFuture.supplyAsync(FirstUse::acceptInVain, Thread::startVirtualThread)
          .join();
    }

    private static String acceptInVain() {
      try (var server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
        server.setSoTimeout(100); // on a busy machine a shorter one is over before it waits
        server.accept();
      } catch (IOException _) {
        // the time-out
      }
      new SecureRandom().nextInt();
      // VirtualThread[#31]/runnable@ForkJoinPool-1-worker-2
      return Thread.currentThread().toString().replaceAll(".*@|-worker-\\d+$", "");
    }
  }
}
