package dev.mcpscope.host;

import static java.util.stream.Collectors.groupingBy;

import com.sun.management.HotSpotDiagnosticMXBean;
import com.sun.management.HotSpotDiagnosticMXBean.ThreadDumpFormat;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import java.io.Closeable;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The JVM's own thread dump, read back: what the JVM, not this program, says is alive.
///
/// It knows every thread, and the tree of scopes: which thread owns a scope, which threads were
/// forked in it, which scopes those opened. `jcmd PID Thread.dump_to_file -format=json FILE` writes
/// the same. Immutable; taken while the threads run on, so what ends or starts meanwhile may be in
/// it or not.
///
/// Not for a busy JVM: on JDK 25.0.3 a dump can crash it
/// (`docs/decisions/0008-the-dump-is-the-jvms-and-has-its-bug.md`).
public final class ThreadDump {

  /// A thread that had not ended.
  ///
  /// @param tid unique in the life of the JVM
  /// @param name empty if it has none
  /// @param state a [Thread.State]
  /// @param at the innermost frame outside the JDK; empty if there is none
  /// @param container the scope it was forked in, else what the JDK calls the executor that holds
  ///     it, else `<root>`
  public record ThreadInfo(
      long tid, String name, boolean virtual, String state, String at, String container) {}

  /// A scope that was open.
  ///
  /// @param name as given by `withName`; a scope without one has the JDK's word for it
  /// @param id the JDK's name for it, unique among those alive
  /// @param owner the name of the thread that opened it; empty if it has none
  /// @param threads those forked in it, oldest first
  /// @param scopes those opened by its threads, or by its owner inside it, by name
  public record Scope(
      String name,
      String id,
      String owner,
      long ownerTid,
      List<ThreadInfo> threads,
      List<Scope> scopes) {}

  /// What the dump is a list of: a scope has an owner (else -1); executors and the root have none.
  private record Container(String id, String parent, long ownerTid, List<ThreadInfo> threads) {}

  private static final JsonLimits LIMITS = JsonLimits.defaults().withMaxBytes(64 << 20);

  private final List<ThreadInfo> threads;
  private final List<Scope> scopes;

  private ThreadDump(List<Container> containers) {
    threads = containers.stream().flatMap(c -> c.threads().stream()).toList();
    var names = new LinkedHashMap<Long, String>();
    threads.forEach(thread -> names.put(thread.tid(), thread.name()));
    var byId = new LinkedHashMap<String, Container>();
    containers.forEach(container -> byId.put(container.id(), container));
    var open = containers.stream().filter(c -> c.ownerTid() >= 0);
    scopes = scopesIn("", open.collect(groupingBy(c -> scopeAbove(c, byId))), names);
  }

  /// Makes the JVM write a dump and reads it. Blocks for some milliseconds, half a second with ten
  /// thousand threads; the others run on meanwhile.
  ///
  /// @throws IOException if the dump cannot be written to the temporary directory, is not of the
  ///     shape that JDK 25 gives it, or is longer than 64 MiB (some 50,000 threads)
  public static ThreadDump take() throws IOException {
    Path directory = Files.createTempDirectory("mcp-scope-"); // nobody else may enter it
    Path file = directory.resolve("threads.json").toAbsolutePath(); // must not exist yet
    try (Closeable _ = () -> Files.delete(directory);
        Closeable _ = () -> Files.deleteIfExists(file)) {
      ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class)
          .dumpThreads(file.toString(), ThreadDumpFormat.JSON);
      return parse(Files.readAllBytes(file));
    }
  }

  /// Reads a dump in the JDK's JSON format.
  static ThreadDump parse(byte[] json) throws JsonException {
    var containers = new ArrayList<Container>();
    try {
      JsonObject dump = ((JsonObject) JsonReader.read(json, LIMITS)).object("threadDump");
      for (JsonValue element : dump.array("threadContainers")) {
        JsonObject container = (JsonObject) element;
        String id = container.string("container");
        var threads = new ArrayList<ThreadInfo>();
        for (JsonValue thread : container.array("threads")) {
          threads.add(thread((JsonObject) thread, nameOf(id)));
        }
        threads.removeIf(thread -> thread.state().equals("TERMINATED")); // it ended meanwhile
        threads.sort(Comparator.comparingLong(ThreadInfo::tid));
        String parent = container.optionalString("parent").orElse("");
        long owner = number(container, "owner");
        containers.add(new Container(id, parent, owner, List.copyOf(threads)));
      }
    } catch (ClassCastException | NumberFormatException e) {
      throw new JsonException("not a thread dump as JDK 25 writes it: " + e.getMessage());
    }
    return new ThreadDump(containers);
  }

  /// Returns the open scopes that lie in no other one, by name.
  public List<Scope> scopes() {
    return scopes;
  }

  /// Returns all threads, also those outside every scope.
  public List<ThreadInfo> threads() {
    return threads;
  }

  /// Returns `{"scopes": […]}`; a scope is `{name, owner, ownerTid, threads: [{name, tid, virtual,
  /// state}], scopes: […]}`.
  public JsonObject json() {
    return JsonObject.of("scopes", scopes.stream().map(ThreadDump::json).toList());
  }

  private static JsonObject json(Scope scope) {
    return JsonObject.of("name", scope.name(), "owner", scope.owner(), "ownerTid", scope.ownerTid())
        .with("threads", scope.threads().stream().map(ThreadDump::json).toList())
        .with("scopes", scope.scopes().stream().map(ThreadDump::json).toList());
  }

  private static JsonObject json(ThreadInfo t) {
    return JsonObject.of(
        "name", t.name(), "tid", t.tid(), "virtual", t.virtual(), "state", t.state());
  }

  /// Draws the scopes with their threads, for a terminal: a line each. Control characters in names
  /// become `?`.
  public String tree() {
    var out = new StringBuilder();
    scopes.forEach(scope -> draw(scope, "", "", out));
    return out.toString();
  }

  private static void draw(Scope scope, String first, String rest, StringBuilder out) {
    line(out, first + scope.name() + "  (owner: " + named(scope.owner(), scope.ownerTid()) + ")");
    int below = scope.threads().size() + scope.scopes().size();
    for (ThreadInfo t : scope.threads()) {
      String kind = (t.virtual() ? "  (virtual, " : "  (platform, ") + t.state() + ")";
      line(out, rest + (--below == 0 ? " └ " : " ├ ") + named(t.name(), t.tid()) + kind);
    }
    for (Scope child : scope.scopes()) {
      boolean last = --below == 0;
      draw(child, rest + (last ? " └ " : " ├ "), rest + (last ? "   " : " │ "), out);
    }
  }

  private static void line(StringBuilder out, String text) {
    out.append(text.replaceAll("\\p{Cc}", "?")).append('\n');
  }

  private static String named(String name, long tid) {
    return name.isEmpty() ? "thread #" + tid : name;
  }

  private static List<Scope> scopesIn(
      String above, Map<String, List<Container>> inside, Map<Long, String> names) {
    var found = new ArrayList<Scope>();
    for (Container c : inside.getOrDefault(above, List.of())) {
      String owner = names.getOrDefault(c.ownerTid(), "");
      List<Scope> below = scopesIn(c.id(), inside, names);
      found.add(new Scope(nameOf(c.id()), c.id(), owner, c.ownerTid(), c.threads(), below));
    }
    found.sort(Comparator.comparing(Scope::name));
    return List.copyOf(found);
  }

  private static String scopeAbove(Container scope, Map<String, Container> byId) {
    Container above = byId.get(scope.parent());
    while (above != null && above.ownerTid() < 0) { // an executor may lie between two scopes
      above = byId.get(above.parent());
    }
    return above == null ? "" : above.id();
  }

  /// `connection/s1/a/b#1/jdk.internal.misc.ThreadFlock$ThreadContainerImpl@687080dc` was given the
  /// name `connection/s1/a/b#1`; a nameless one is `java.util.concurrent.ThreadPoolExecutor@30`.
  private static String nameOf(String id) {
    int end = id.lastIndexOf('/');
    return end < 0 ? id : id.substring(0, end);
  }

  private static ThreadInfo thread(JsonObject thread, String container) throws JsonException {
    String at = "";
    for (JsonValue frame : thread.array("stack").elements().reversed()) { // the outermost first
      String text = ((JsonString) frame).value();
      at = text.startsWith("java.") || text.startsWith("jdk.") ? at : text;
    }
    boolean virtual = thread.optionalBool("virtual").orElse(false);
    String state = thread.string("state");
    return new ThreadInfo(
        number(thread, "tid"), thread.string("name"), virtual, state, at, container);
  }

  /// JDK 25 writes numbers as strings; later ones may not.
  private static long number(JsonObject object, String name) {
    JsonValue value = object.get(name);
    String digits = value instanceof JsonString string ? string.value() : String.valueOf(value);
    return digits.equals("null") ? -1 : Long.parseLong(digits);
  }
}
