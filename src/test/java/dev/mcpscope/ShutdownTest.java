package dev.mcpscope;

import static dev.mcpscope.HttpFault.on;
import static dev.mcpscope.ShellServer.Habit.DAEMON;
import static dev.mcpscope.ShellServer.Habit.GRANDCHILD;
import static dev.mcpscope.ShellServer.Habit.HUNG;
import static dev.mcpscope.ShellServer.Habit.IGNORES_EOF;
import static dev.mcpscope.ShellServer.Habit.IGNORES_TERM;
import static dev.mcpscope.ShellServer.Habit.SILENT;
import static dev.mcpscope.ShellServer.Habit.STOPPED;
import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.End;
import dev.mcpscope.ShellServer.Habit;
import dev.mcpscope.host.HostOptions;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.transport.CloseReport.ServerProcess;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// How the program ends, from outside: signals while it has live connections of every kind, and what
/// it cannot do anything about.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@EnabledOnOs(OS.LINUX)
class ShutdownTest {
  private static final Duration BUDGET = HostOptions.defaults().close();

  /// What the rest may take on a slow machine: to deliver a signal, to answer who waits, to print.
  private static final Duration MARGIN = Duration.ofSeconds(5);

  private static final Pattern DOCUMENTED =
      Pattern.compile("^grep .*MCP_SCOPE_CONNECTION.*$", Pattern.MULTILINE);

  @TempDir Path temp;

  /// Connections of a run of `serve`, in the session `s`.
  private final class Connected implements AutoCloseable {
    final Serving serving;
    final Map<String, Set<ProcessHandle>> processes = new HashMap<>(); // by name
    final List<String> names = new ArrayList<>();

    /// Requests that are not answered before the end.
    final List<CompletableFuture<HttpResponse<String>>> waiting = new ArrayList<>();

    Connected() throws IOException {
      serving = new Serving(temp, Map.of(), "--port=0", "--allow", "/bin/sh");
    }

    long pid() {
      return serving.program.process.pid();
    }

    /// Connects so many servers with these habits, and returns their names. What they have started
    /// has started when they are connected.
    List<String> stdio(int count, Habit... habits) throws Exception {
      var added = new ArrayList<String>();
      for (int i = 0; i < count; i++) {
        Set<ProcessHandle> before = marked(pid());
        added.add(name(Stream.of(habits).map(Habit::name).collect(Collectors.joining("+"))));
        var answer = serving.connect(added.getLast(), "/bin/sh", script(habits));
        if (List.of(habits).contains(SILENT)) {
          waiting.add(answer);
          awaitInitialize(added.getLast());
        } else {
          ok(answer);
        }
        Set<ProcessHandle> started = marked(pid());
        started.removeAll(before);
        processes.put(added.getLast(), started);
      }
      return added;
    }

    /// Connects a server at a URL, and returns its name.
    String http(String what, ScriptedHttpServer server) throws Exception {
      String name = name("http " + what);
      ok(serving.connectTo(name, server.url()));
      return name;
    }

    /// The front takes commands of one line only.
    private String script(Habit... habits) throws IOException {
      Path file = temp.resolve("server" + names.size() + ".sh");
      return Files.writeString(file, ShellServer.script(habits)).toString();
    }

    private String name(String what) {
      names.add(what + " " + names.size());
      return names.getLast();
    }

    /// Begins a call that is never answered, and returns when the server has read it: it answers in
    /// order.
    void inMidCall(String name) throws Exception {
      waiting.add(serving.call(name, "never", Map.of()));
      ok(serving.call(name, "echo", Map.of("text", "after it")));
    }

    /// Looks until it is so far: only the front can tell, and says nothing when it changes.
    private void awaitInitialize(String name) throws IOException {
      long end = System.nanoTime() + Duration.ofSeconds(20).toNanos();
      Optional<JsonValue> phase;
      do {
        assertThat(System.nanoTime()).as(name).isLessThan(end);
        phase =
            ok(serving.get("/mcp?sessionId=s")).objects("connections").stream()
                .filter(row -> row.get("name").equals(JsonValue.of(name)) && row.has("phase"))
                .map(row -> row.get("phase"))
                .findFirst();
      } while (!phase.equals(Optional.of(JsonValue.of("initialize"))));
    }

    Set<ProcessHandle> of(List<String> names) {
      return names.stream().flatMap(n -> processes.get(n).stream()).collect(Collectors.toSet());
    }

    @Override
    public void close() throws IOException {
      Set<ProcessHandle> left = marked(pid());
      try (serving) {
        left.forEach(ProcessHandle::destroyForcibly); // only a test that has failed leaves any
      }
    }
  }

  private static JsonObject ok(CompletableFuture<HttpResponse<String>> answer) throws IOException {
    assertThat(answer.join().statusCode()).as(answer.join().body()).isEqualTo(200);
    return (JsonObject) JsonReader.read(answer.join().body(), JsonLimits.defaults());
  }

  /// Returns who carries a mark of this host and runs; a zombie has no environment.
  private static Set<ProcessHandle> marked(long host) {
    String mark = "\0MCP_SCOPE_CONNECTION=" + host + "-";
    return ProcessHandle.allProcesses()
        .filter(process -> environment(process).contains(mark))
        .collect(Collectors.toCollection(HashSet::new));
  }

  private static String environment(ProcessHandle process) {
    try {
      return "\0" + Files.readString(Path.of("/proc/" + process.pid() + "/environ"), ISO_8859_1);
    } catch (IOException _) { // gone, or another user's
      return "";
    }
  }

  private static void signal(String signal, long pid) throws Exception {
    Process kill = new ProcessBuilder("kill", "-" + signal, "" + pid).inheritIO().start();
    assertThat(kill.waitFor()).isZero();
  }

  private static void awaitEnd(Set<ProcessHandle> processes) {
    while (processes.stream().anyMatch(ServerProcess::runs)) {
      Thread.yield(); // the end of what is nobody's child is no event
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"TERM", "INT"})
  void fiftyConnectionsOfEveryKindEndInTheTimeOfTheHostWhateverElseIsSignalledMeanwhile(
      String signal) throws Exception {
    NothingLeft.after(() -> {
      try (var good = ScriptedHttpServer.with();
          var hangsAtDelete = ScriptedHttpServer.with(on("DELETE", new Act.NoAnswer(End.OPEN)));
          var silent = ScriptedHttpServer.with(on("initialize", new Act.NoAnswer(End.OPEN)));
          var all = new Connected()) {
        all.stdio(8);
        all.stdio(4, IGNORES_TERM);
        all.stdio(4, IGNORES_EOF);
        all.stdio(4, IGNORES_EOF, IGNORES_TERM);
        all.stdio(4, STOPPED);
        all.stdio(2, STOPPED, GRANDCHILD, DAEMON);
        all.stdio(4, GRANDCHILD);
        all.stdio(4, DAEMON);
        all.stdio(4, SILENT);
        for (String name : all.stdio(4)) {
          all.inMidCall(name);
        }
        for (String name : all.stdio(4, HUNG)) {
          all.waiting.add(all.serving.call(name, "echo", Map.of("text", "not read")));
        }
        all.http("good", good);
        all.inMidCall(all.http("in mid-call", good));
        all.http("hung at DELETE", hangsAtDelete);
        all.waiting.add(all.serving.connectTo(all.name("http silent"), silent.url()));
        silent.awaitRequest("initialize", 1);
        assertThat(all.names).hasSize(50);
        Set<ProcessHandle> processes = marked(all.pid());
        assertThat(processes).hasSize(46 + 2 * 2 + 4 + 4);

        long begun = System.nanoTime();
        signal(signal, all.pid());
        if (signal.equals("TERM")) {
          awaitRefusal(all.serving);
          signal("TERM", all.pid());
          signal("INT", all.pid());
          signal("HUP", all.pid());
        }
        assertThat(all.serving.program.rest()).isEmpty();
        Duration took = Duration.ofNanos(System.nanoTime() - begun);
        assertThat(all.serving.program.process.exitValue()).isZero();

        assertThat(marked(all.pid())).isEmpty();
        awaitEnd(processes);
        assertThat(took).isLessThan(BUDGET.plus(MARGIN));
        String err = all.serving.program.err();
        System.out.println(
            "SIG"
                + signal
                + " with 50 connections: "
                + took.toMillis()
                + " ms, "
                + err.lines().toList().getLast());
        assertThat(err)
            .doesNotContain("\tat ")
            .containsPattern("\nmcp-scope ended in \\d+ ms, nothing left\n$");
        assertThat(
                err.lines()
                    .filter(line -> line.startsWith("closed s/"))
                    .map(line -> line.replaceAll("^closed s/|: \\{.*", "")))
            .containsExactlyInAnyOrderElementsOf(all.names);
        for (var request : all.waiting) {
          assertThat(request.join().statusCode()).as(request.join().body()).isEqualTo(503);
        }
        hangsAtDelete.awaitNoExchanges(Duration.ofSeconds(5));
        silent.awaitNoExchanges(Duration.ofSeconds(5));
        assertThat(good.sessions()).isEmpty();
        assertThat(good.violations()).isEmpty();
      }
    });
  }

  /// Asks until it is told that the end has begun.
  private static void awaitRefusal(Serving serving) {
    while (serving.get("/health").join().statusCode() != 503) {
      assertThat(serving.program.process.isAlive()).isTrue();
    }
  }

  @Test
  void hangupEndsItAsWell() throws Exception {
    NothingLeft.after(() -> {
      try (var all = new Connected()) {
        all.stdio(1);
        signal("HUP", all.pid());
        assertThat(all.serving.program.rest()).isEmpty();
        assertThat(all.serving.program.process.exitValue()).isZero();
        assertThat(all.serving.program.err()).contains("closed s/", "nothing left");
      }
    });
  }

  @Test
  void whenTheHostIsKilledTheServersThatHeedTheirInputEndAndTheOthersAreFoundByTheirMark()
      throws Exception {
    NothingLeft.after(() -> {
      try (var all = new Connected()) {
        var heeding = new ArrayList<>(all.stdio(3));
        heeding.addAll(all.stdio(1, IGNORES_TERM));
        heeding.addAll(all.stdio(1, SILENT));
        for (String name : all.stdio(1)) {
          all.inMidCall(name);
          heeding.add(name);
        }
        List<String> terminable = new ArrayList<>(all.stdio(2, IGNORES_EOF));
        terminable.addAll(all.stdio(1, HUNG));
        List<String> stubborn = new ArrayList<>(all.stdio(1, IGNORES_EOF, IGNORES_TERM));
        stubborn.addAll(all.stdio(1, STOPPED));
        List<String> parents = new ArrayList<>(all.stdio(1, GRANDCHILD));
        parents.addAll(all.stdio(1, DAEMON));
        Set<ProcessHandle> ending = all.of(heeding);
        Set<ProcessHandle> leftBehind = all.of(parents); // by servers that end
        Set<ProcessHandle> children =
            all.serving.program.process.children().collect(Collectors.toSet());
        leftBehind.removeIf(process -> children.contains(process) && ending.add(process));
        assertThat(leftBehind).hasSize(2);

        signal("KILL", all.pid());
        awaitEnd(ending);
        Set<ProcessHandle> toTerminate = all.of(terminable);
        toTerminate.addAll(leftBehind);
        Set<ProcessHandle> left = all.of(stubborn);
        left.addAll(toTerminate);
        assertThat(marked(all.pid())).isEqualTo(left);
        assertThat(found(all.pid())).isEqualTo(pids(left));

        try (var next = new Serving(temp, Map.of(), "--port=0")) {
          assertThat(named(next.program.warningsAbout(all.pid()), all.pid()))
              .isEqualTo(commands(left));
          next.program.terminate();
        }
        assertThat(marked(all.pid())).as("the next host ends nothing unasked").isEqualTo(left);
        for (ProcessHandle process : toTerminate) {
          signal("TERM", process.pid());
        }
        awaitEnd(toTerminate);
        assertThat(marked(all.pid())).isEqualTo(all.of(stubborn));
        for (ProcessHandle process : all.of(stubborn)) {
          signal("KILL", process.pid());
        }
        awaitEnd(left);
      }
    });
  }

  private static Set<Long> pids(Set<ProcessHandle> processes) {
    return processes.stream().map(ProcessHandle::pid).collect(Collectors.toSet());
  }

  private static Map<Long, String> commands(Set<ProcessHandle> processes) {
    return processes.stream()
        .collect(Collectors.toMap(ProcessHandle::pid, p -> p.info().command().orElseThrow()));
  }

  /// Returns the processes that these warnings name, with their commands; each says how to end it.
  private static Map<Long, String> named(List<String> warnings, long host) {
    var warning =
        Pattern.compile(
            "mcp-scope: warning: process (\\d+) \\((.+)\\) is left of a host, process "
                + host
                + ", that was killed; to end it: kill -9 \\1");
    return warnings.stream()
        .map(line -> {
          Matcher matcher = warning.matcher(line);
          assertThat(matcher.matches()).as(line).isTrue();
          return matcher;
        })
        .collect(Collectors.toMap(m -> Long.valueOf(m.group(1)), m -> m.group(2)));
  }

  /// Returns what the line in the documentation finds.
  private static Set<Long> found(long host) throws Exception {
    Matcher line = DOCUMENTED.matcher(Files.readString(Path.of("docs/operations.md")));
    assertThat(line.find()).isTrue();
    String command = line.group().replace("$PID", "" + host);
    Process shell = new ProcessBuilder("/bin/sh", "-c", command).start();
    try (var out = shell.inputReader()) {
      return out.lines()
          .map(path -> Long.valueOf(path.replaceAll("/proc/|/environ", "")))
          .collect(Collectors.toSet());
    } finally {
      shell.waitFor();
    }
  }
}
