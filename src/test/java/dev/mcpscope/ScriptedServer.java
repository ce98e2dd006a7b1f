package dev.mcpscope;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.json.JsonValue;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.OutputStream;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.function.LongConsumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import tools.jackson.core.TokenStreamFactory;

/// An MCP server that behaves, but for the faults it is told: a real process with real pipes.
///
/// ```java
/// McpClient.open(ScriptedServer.with(new Fault.DiesOn("tools/call", 3, "disk full")));
/// ```
///
/// A [Fault] is data: it travels to the process on its command line. The engine asks each fault at
/// a few moments (start, request, before a line is written, end of input) whether it acts; a new
/// fault is a record and a `case`. What is said goes through a [Wire], so that another transport
/// needs another wire and no other engine.
///
/// Its tools: `echo {text}`; `pid`; `received`, every message so far, one a line; `never`, which is
/// not answered; `progress {count, everyMs}`, which is answered after the last one if there is a
/// count, and goes on for ever if not. Three more, of which its list says nothing, make it talk:
/// `say {messages}` sends these; `ask {message}` sends this request and is answered by what the
/// client answers to it; `flood {message, count, everyMs}` sends this message as `progress` does its
/// reports, with its number in the place of `%d`. The process ends by itself after a minute, lest a
/// failed test leave it.
///
/// In the modern era ([Fault.Serves]) its tools are the same, but `ask` answers that it wants to know
/// something, and is answered when it is called again. Two more are of this era alone: `tell
/// {messages}` tells these to the subscriptions that want them, and `hangUp {gracefully}` ends all
/// subscriptions, by their results or by `notifications/cancelled`. What names a subscription that is
/// not there can be said by `say`.
///
/// If its environment names a file, by [#BOOK], it enters each process of its tree there, by pid and
/// start: its wrappers, itself, and what it starts.
public final class ScriptedServer {

  /// One way to misbehave.
  public sealed interface Fault extends Serializable {

    /// Ends before it has read anything.
    record ExitsAtStart(int code, String stderr) implements Fault {}

    /// Ends when a message of this method arrives, without an answer.
    record DiesOn(String method, int code, String stderr) implements Fault {}

    /// Answers this method, and ends at once.
    record DiesAfter(String method, int code) implements Fault {}

    /// Never answers this method.
    record Silent(String method) implements Fault {}

    /// Writes this line to stdout at the start, and before each of its messages.
    record Noise(String line) implements Fault {}

    /// Answers calls of a tool with a line of this many bytes.
    record AnswerOf(int bytes) implements Fault {}

    /// Answers this method with an error.
    record Error(String method, int code, String message) implements Fault {}

    /// Answers this method with a result that is no object.
    record ResultIsText(String method) implements Fault {}

    /// Answers the first request of this method by the first of these, and so on, and by the last one
    /// ever after. Each is what stands beside the id, `{"result":…}` or `{"error":…}`; an empty text
    /// is no answer.
    record Answers(String method, List<String> answers) implements Fault {}

    /// Declares these capabilities, a JSON object, instead of tools.
    record Declares(String capabilities) implements Fault {}

    /// Claims this version of the protocol: in the modern era, to support this one and no other.
    record Speaks(String version) implements Fault {}

    /// Speaks these eras, and not only the legacy one.
    record Serves(Eras eras) implements Fault {}

    /// Acknowledges each subscription by this filter, a JSON object, whatever it was asked for. One
    /// that is never acknowledged is [Silent].
    record Acknowledges(String filter) implements Fault {}

    /// Ends each subscription when it has acknowledged it, by its result or by
    /// `notifications/cancelled`.
    record HangsUp(boolean gracefully) implements Fault {}

    /// Takes no message any more after one of this method; "" from the start.
    record StopsReading(String after) implements Fault {}

    /// Writes this many bytes to stderr before it answers a call of a tool.
    record FloodsStderr(int bytes) implements Fault {}

    /// Sends a request of this method as soon as it is initialized, which only the legacy era knows.
    record Asks(String method) implements Fault {}

    /// Sends so many pings when a tool is called, and reads no answer before all are sent. It asks for
    /// too much for sure where the answers are more than a pipe holds, 64 KiB: 2,000 are.
    record AsksTooMuch(int pings) implements Fault {}

    /// Sends so many reports of progress at once before it answers the call of a tool.
    record FloodsProgress(int reports) implements Fault {}

    /// Answers this method after a while.
    record Slow(String method, int millis) implements Fault {}

    /// Suffers a blow when a message of this method arrives.
    ///
    /// @param answered whether it answers that first
    record Struck(String method, boolean answered, Blow blow) implements Fault {}

    /// Writes so many bytes to stderr, and as many to stdout, when its input ends, and ends then.
    record Leaves(int bytes, int code) implements Fault {}

    /// What can happen to a server at any time.
    enum Blow {
      /// Somebody sends it SIGKILL.
      KILLED,
      /// Somebody sends it SIGSTOP.
      STOPPED,
      /// It closes stdout, and lives on.
      CLOSES_STDOUT,
      /// It exits with code 4 in the middle of a line.
      EXITS_IN_A_LINE,
      /// It writes a line that never ends.
      WRITES_WITHOUT_END
    }

    /// What needs no number.
    enum Quirk implements Fault {
      /// Answers unknown ids, null, and a string that looks like the id, before the right one.
      UNKNOWN_IDS_FIRST,
      /// Each page of its tools names a next one.
      CURSOR_NEVER_ENDS,
      /// Each page of its tools names the same next one.
      CURSOR_REPEATS,
      /// Goes on at SIGTERM.
      IGNORES_SIGTERM,
      /// Goes on when its input ends.
      IGNORES_EOF,
      /// Has a child that keeps stdin, stdout and stderr, and lives on.
      GRANDCHILD_HOLDS_STDOUT,
      /// The same, but the child ignores SIGTERM.
      GRANDCHILD_IGNORES_SIGTERM,
      /// Has a child without environment that holds no pipe, and lives on.
      GRANDCHILD_HAS_NOTHING,
      /// Has started a daemon, by a double fork, that holds no pipe and lives on.
      DAEMON,
      /// The same, but the daemon ignores SIGTERM.
      DAEMON_IGNORES_SIGTERM,
      /// The same, but the daemon has no environment and holds stdout.
      DAEMON_WITH_CLEAN_ENVIRONMENT,
      /// Closes stderr at the start.
      CLOSES_STDERR,
      /// Closes stdout when a tool is called, and lives on.
      CLOSES_STDOUT,
      /// Sends `notifications/tools/list_changed` before it answers `initialize`, or
      /// `server/discover` if it knows that; at once, if it reads nothing.
      NOTIFIES_FIRST,
      /// Answers two calls of tools at once, in one array.
      ANSWERS_IN_PAIRS,
      /// Writes a line that is no UTF-8 before each of its messages.
      NOISE_IS_NOT_UTF8,
      /// Answers calls of tools with text that is no UTF-8.
      ANSWER_IS_NOT_UTF8,
      /// Answers calls of tools with JSON that is nested too deep.
      ANSWER_IS_TOO_DEEP,
      /// Writes each byte by itself, so that no character comes whole.
      WRITES_BYTE_BY_BYTE,
      /// Repeats on stderr what it reads.
      TELLS_STDERR
    }
  }

  /// The way back to the client.
  interface Wire {
    /// Sends bytes and the end of a message, all at once.
    void send(byte[] message);

    /// Sends bytes; ends the process when nobody takes them any more.
    void sendPart(byte[] bytes);

    /// Closes the way, while the server lives on.
    void close();
  }

  /// The variable that names the file in which its processes are entered, a line each: what it is,
  /// its pid, and when it has started, in milliseconds.
  public static final String BOOK = "SCRIPTED_BOOK";

  private static final Duration LIFE = Duration.ofMinutes(1);

  private final List<Fault> faults;
  private final Wire wire;
  private final List<String> received = new ArrayList<>();
  private final Map<String, Integer> answered = new HashMap<>(); // by method, for Fault.Answers
  private final Map<JsonValue, JsonValue> asking =
      new HashMap<>(); // our id, that of the tool's call
  private final Eras eras;
  private final Map<JsonValue, String> modern =
      new ConcurrentHashMap<>(); // requests of that era: their ids, their methods
  private final Map<JsonValue, ScriptedSubscription> subscriptions =
      new LinkedHashMap<>(); // by their ids
  private JsonValue firstOfPair;

  private ScriptedServer(List<Fault> faults, Wire wire) {
    this.faults = faults;
    this.wire = wire;
    this.eras = first(Fault.Serves.class).map(Fault.Serves::eras).orElse(Eras.LEGACY);
  }

  /// Returns how to start a server with these faults, and otherwise a good one.
  public static ServerSpec.Stdio with(Fault... faults) {
    String classPath =
        Stream.of(ScriptedServer.class, JsonValue.class, TokenStreamFactory.class)
            .map(ScriptedServer::home)
            .distinct()
            .collect(Collectors.joining(System.getProperty("path.separator")));
    return ServerSpec.stdio(
        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-Xshare:auto",
        "-cp",
        classPath,
        ScriptedServer.class.getName(),
        encode(faults),
        Arrays.toString(faults)); // for people who look at a list of processes
  }

  /// Returns how to start the same by a shell that waits for it, as a package runner does.
  public static ServerSpec.Stdio wrapped(Fault... faults) {
    var command = new ArrayList<>(List.of("sh", "-c", "\"$@\"; exit $?", "sh"));
    command.addAll(with(faults).command());
    return ServerSpec.stdio(command.toArray(String[]::new));
  }

  private static String home(Class<?> type) {
    try {
      return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI()).toString();
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String encode(Fault[] faults) {
    var bytes = new ByteArrayOutputStream();
    try (var out = new ObjectOutputStream(bytes)) {
      out.writeObject(faults);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return Base64.getEncoder().encodeToString(bytes.toByteArray());
  }

  private static Fault[] decode(String text) throws IOException, ClassNotFoundException {
    var bytes = new ByteArrayInputStream(Base64.getDecoder().decode(text));
    try (var in = new ObjectInputStream(bytes)) {
      return (Fault[]) in.readObject();
    }
  }

  /// The process.
  public static void main(String[] args) throws Exception {
    Thread.ofPlatform().daemon().start(ScriptedServer::endAfterLife);
    enterWithWrappers();
    List<Fault> faults = List.of(decode(args[0]));
    boolean byteByByte = faults.contains(Fault.Quirk.WRITES_BYTE_BY_BYTE);
    var server = new ScriptedServer(faults, new Stdout(byteByByte));
    for (Fault fault : server.faults) {
      server.started(fault);
    }
    if (!server.has(new Fault.StopsReading(""))) {
      server.read();
    } else if (server.has(Fault.Quirk.NOTIFIES_FIRST)) {
      server.tellOfTools(); // it cannot be asked
    }
    server.inputEnded();
  }

  private static void enterWithWrappers() throws IOException {
    ProcessHandle self = ProcessHandle.current();
    enter("server", self);
    var parent = self.parent();
    while (parent.isPresent() && isShell(parent.get())) {
      enter("wrapper", parent.get());
      parent = parent.get().parent();
    }
  }

  private static boolean isShell(ProcessHandle process) {
    return process.info().arguments().orElse(new String[0]).length > 0
        && process.info().arguments().get()[0].equals("-c");
  }

  private static void enter(String what, ProcessHandle process) throws IOException {
    String book = System.getenv(BOOK);
    if (book != null) {
      long started = process.info().startInstant().orElseThrow().toEpochMilli();
      String line = what + " " + process.pid() + " " + started + "\n";
      Files.writeString(Path.of(book), line, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }
  }

  private static void endAfterLife() {
    pause(LIFE.toMillis());
    Runtime.getRuntime().halt(99);
  }

  private void read() throws Exception {
    var in = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    for (String line; (line = in.readLine()) != null; ) {
      received.add(line);
      if (has(Fault.Quirk.TELLS_STDERR)) {
        System.err.println(line);
      }
      JsonObject message = object(line);
      JsonValue asker = message.has("method") ? null : asking.remove(message.get("id"));
      if (asker != null) {
        answer(asker, line);
      }
      if (message.has("method")) { // else an answer to one of our requests
        String method = message.string("method");
        received(method, message);
        if (has(new Fault.StopsReading(method))) {
          return;
        }
      }
    }
  }

  private void tellOfTools() {
    send("method", "notifications/tools/list_changed");
  }

  private void inputEnded() {
    boolean reads = faults.stream().noneMatch(Fault.StopsReading.class::isInstance);
    if (!reads || has(Fault.Quirk.IGNORES_EOF)) {
      waitForEver();
    }
    for (Fault fault : faults) {
      if (fault instanceof Fault.Leaves(int bytes, int code)) {
        for (int i = 0; i < bytes / 1024; i++) {
          System.err.print("e".repeat(1023) + "\n");
          wire.send("o".repeat(1023).getBytes(UTF_8));
        }
        die(code, "");
      }
    }
    Runtime.getRuntime().halt(0); // no exit: a shutdown hook may be there to hold it up
  }

  // The moments at which a fault may act.

  private void started(Fault fault) throws IOException {
    switch (fault) {
      case Fault.ExitsAtStart(int code, String stderr) -> die(code, stderr);
      case Fault.Noise(String line) -> wire.send(line.getBytes(UTF_8));
      case Fault.Quirk quirk -> {
        switch (quirk) {
          case IGNORES_SIGTERM ->
              Runtime.getRuntime().addShutdownHook(new Thread(ScriptedServer::waitForEver));
          case GRANDCHILD_HOLDS_STDOUT -> startChild("sleep", "60");
          case GRANDCHILD_IGNORES_SIGTERM -> startChild("sh", "-c", "trap '' TERM; exec sleep 60");
          case GRANDCHILD_HAS_NOTHING ->
              startChild("env", "-i", "sh", "-c", "exec sleep 60 </dev/null >/dev/null 2>&1");
          case DAEMON -> startDaemon("setsid", "", ">/dev/null 2>&1");
          case DAEMON_IGNORES_SIGTERM ->
              startDaemon("setsid", "trap \"\" TERM; ", ">/dev/null 2>&1");
          case DAEMON_WITH_CLEAN_ENVIRONMENT -> startDaemon("env -i $(which setsid)", "", ">&3");
          case CLOSES_STDERR -> System.err.close();
          default -> {}
        }
      }
      default -> {}
    }
  }

  /// The subshell ends, and what it has started belongs to nobody. It tells its pid through a pipe
  /// of the shell's, so that it stands when the shell ends; descriptor 3 is the server's stdout.
  private static void startDaemon(String by, String first, String output) throws IOException {
    String daemon = by + " sh -c '" + first + "echo $$; exec " + output + " 3>&-; exec sleep 60'";
    String tell = "read pid; echo daemon $pid >&2; echo $pid >\"${SCRIPTED_BOOK:-/dev/}null\"";
    String script = "exec 3>&1; (" + daemon + " &) | { " + tell + "; }";
    new ProcessBuilder("sh", "-c", script).inheritIO().start().onExit().join();
    String book = System.getenv(BOOK);
    if (book != null) {
      long pid = Long.parseLong(Files.readString(Path.of(book + "null")).strip());
      enter("daemon", ProcessHandle.of(pid).orElseThrow());
    }
  }

  private static void startChild(String... command) throws IOException {
    enter("child", new ProcessBuilder(command).inheritIO().start().toHandle());
  }

  private void received(String method, JsonObject message) throws JsonException {
    JsonValue id = message.get("id");
    JsonObject params = message.optionalObject("params").orElse(JsonObject.EMPTY);
    boolean isModern = id != null && eras.areModernTo(ModernEra.marks(method, params));
    if (isModern) {
      modern.put(id, method);
    } else if (id != null) {
      modern.remove(id); // who falls back may count anew
    }
    for (Fault fault : faults) {
      if (isSpoiltBy(fault, method, id)) {
        return;
      }
    }
    if (isModern) {
      serveModern(method, id, params);
    } else {
      serve(method, id, params);
    }
    for (Fault fault : faults) {
      if (fault instanceof Fault.DiesAfter(String last, int code) && last.equals(method)) {
        die(code, "");
      } else if (fault instanceof Fault.Struck(String at, boolean answered, var blow)
          && at.equals(method)
          && answered) {
        suffer(blow);
      }
    }
  }

  /// Returns whether the fault has taken the place of an answer.
  private boolean isSpoiltBy(Fault fault, String method, JsonValue id) throws JsonException {
    boolean tool = method.equals("tools/call");
    return switch (fault) {
      case Fault.DiesOn(String on, int code, String stderr) when on.equals(method) ->
          die(code, stderr);
      case Fault.Silent(String on) -> on.equals(method);
      case Fault.Slow(String on, int millis) when on.equals(method) -> {
        pause(millis);
        yield false;
      }
      case Fault.Struck(String on, boolean answered, var blow)
          when on.equals(method) && !answered ->
          suffer(blow);
      case Fault.Error(String on, int code, String text) when on.equals(method) ->
          send("id", id, "error", JsonObject.of("code", code, "message", text));
      case Fault.ResultIsText(String on) when on.equals(method) ->
          send("id", id, "result", "a text");
      case Fault.Answers(String on, List<String> answers) when on.equals(method) ->
          answerBy(
              id, answers.get(Math.min(answered.merge(on, 1, Integer::sum), answers.size()) - 1));
      case Fault.AnswerOf(int bytes) when tool -> answer(id, "x".repeat(bytes - overhead(id)));
      case Fault.FloodsStderr(int bytes) when tool -> {
        for (int i = 0; i < bytes / 1024; i++) {
          System.err.print("e".repeat(1023) + "\n");
        }
        yield false;
      }
      case Fault.AsksTooMuch(int pings) when tool -> sendPings(pings);
      case Fault.FloodsProgress(int reports) when tool -> {
        for (int i = 1; i <= reports; i++) {
          progress(id, i);
        }
        yield false;
      }
      case Fault.Quirk quirk -> isSpoiltBy(quirk, method, id);
      default -> false;
    };
  }

  private boolean isSpoiltBy(Fault.Quirk quirk, String method, JsonValue id) {
    boolean tool = method.equals("tools/call");
    switch (quirk) {
      case NOTIFIES_FIRST -> {
        if (method.equals("initialize") || isModern(id) && method.equals("server/discover")) {
          tellOfTools();
        }
      }
      case UNKNOWN_IDS_FIRST -> {
        if (id != null) {
          for (Object wrong : new Object[] {-1, 4711, "none", null, id.toString(), 1.5, 1e300}) {
            send("id", wrong, "result", JsonObject.EMPTY);
          }
        }
      }
      case CLOSES_STDOUT -> {
        if (tool) {
          wire.close();
          return true;
        }
      }
      case ANSWERS_IN_PAIRS -> {
        return tool && answerPair(id);
      }
      case ANSWER_IS_NOT_UTF8 -> {
        if (tool) {
          String answer = message("id", id, "result", content("\u00ff\u00fe")).toString();
          wire.send(answer.getBytes(ISO_8859_1));
          return true;
        }
      }
      case ANSWER_IS_TOO_DEEP -> {
        if (tool) {
          String deep = "[".repeat(2_000) + "]".repeat(2_000);
          return sendRaw(
              "{\"jsonrpc\":\"2.0\",\"id\":" + id + ",\"result\":{\"deep\":" + deep + "}}");
        }
      }
      default -> {}
    }
    return false;
  }

  /// Returns true: an answer is not to be had any more.
  private boolean suffer(Fault.Blow blow) {
    switch (blow) {
      case KILLED -> signal("KILL");
      case STOPPED -> signal("STOP");
      case CLOSES_STDOUT -> wire.close();
      case EXITS_IN_A_LINE -> {
        wire.sendPart("{\"jsonrpc\":\"2.0\",\"id\":".getBytes(UTF_8));
        die(4, "");
      }
      case WRITES_WITHOUT_END -> {
        while (true) {
          wire.sendPart("x".repeat(8 << 10).getBytes(UTF_8));
        }
      }
    }
    return true;
  }

  private static void signal(String name) {
    try {
      String self = Long.toString(ProcessHandle.current().pid());
      new ProcessBuilder("kill", "-" + name, self).inheritIO().start().waitFor();
    } catch (IOException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private boolean answerBy(JsonValue id, String answer) throws JsonException {
    if (!answer.isEmpty()) {
      JsonObject message = message("id", id);
      for (var member : object(answer).members().entrySet()) {
        message = message.with(member.getKey(), member.getValue());
      }
      sendRaw(message.toString());
    }
    return true;
  }

  private boolean answerPair(JsonValue id) {
    if (firstOfPair == null) {
      firstOfPair = id;
    } else {
      sendRaw(
          JsonArray.of(
                  message("id", firstOfPair, "result", content("first")),
                  message("id", id, "result", content("second")))
              .toString());
    }
    return true;
  }

  private boolean sendPings(int count) {
    for (int i = 0; i < count; i++) {
      send("id", "ping " + i, "method", "ping");
    }
    return true;
  }

  // What a good server does.

  private void serveModern(String method, JsonValue id, JsonObject params) throws JsonException {
    List<String> revisions =
        first(Fault.Speaks.class).map(told -> List.of(told.version())).orElse(eras.revisions);
    Optional<JsonObject> refusal = ModernEra.refusal(method, params, revisions);
    if (refusal.isPresent()) {
      send("id", id, "error", refusal.get());
      return;
    }
    switch (method) {
      case "server/discover" -> result(id, ModernEra.discovered(revisions, capabilities()));
      case "subscriptions/listen" -> listen(id, params);
      default -> serve(method, id, params);
    }
  }

  private void listen(JsonValue id, JsonObject params) throws JsonException {
    var subscription = ScriptedSubscription.of(id, params, capabilities());
    var told = first(Fault.Acknowledges.class);
    if (told.isPresent()) {
      subscription = new ScriptedSubscription(id, object(told.get().filter()));
    }
    subscriptions.put(id, subscription);
    sendRaw(subscription.acknowledgement().toString());
    first(Fault.HangsUp.class).ifPresent(fault -> hangUp(fault.gracefully()));
  }

  private void hangUp(boolean gracefully) {
    for (ScriptedSubscription subscription : subscriptions.values()) {
      if (gracefully) {
        send("id", subscription.id(), "result", subscription.result());
      } else {
        sendRaw(subscription.cancellation().toString());
      }
    }
    subscriptions.clear();
  }

  private void serve(String method, JsonValue id, JsonObject params) throws JsonException {
    switch (method) {
      case "initialize" ->
          send(
              "id",
              id,
              "result",
              JsonObject.of(
                  "protocolVersion",
                  version(params),
                  "capabilities",
                  capabilities(),
                  "serverInfo",
                  JsonObject.of("name", "scripted", "version", "1")));
      case "notifications/initialized" -> {
        for (Fault fault : faults) {
          if (fault instanceof Fault.Asks(String asked)) {
            send("id", "ours", "method", asked);
          }
        }
      }
      case "notifications/cancelled" -> subscriptions.remove(params.get("requestId"));
      case "ping" -> result(id, JsonObject.EMPTY);
      case "tools/list" -> result(id, page(params));
      case "tools/call" -> call(params.string("name"), id, params);
      default -> {
        if (id != null) {
          send("id", id, "error", JsonObject.of("code", -32601, "message", "no " + method));
        }
      }
    }
  }

  private String version(JsonObject params) throws JsonException {
    var told = first(Fault.Speaks.class);
    return told.isPresent() ? told.get().version() : params.string("protocolVersion");
  }

  private JsonObject capabilities() throws JsonException {
    var told = first(Fault.Declares.class);
    return told.isPresent()
        ? object(told.get().capabilities())
        : JsonObject.of("tools", JsonObject.EMPTY);
  }

  private JsonObject page(JsonObject params) throws JsonException {
    String cursor = params.optionalString("cursor").orElse("");
    if (has(Fault.Quirk.CURSOR_NEVER_ENDS)) {
      return tools("tool" + cursor.length()).with("nextCursor", cursor + "x");
    }
    if (has(Fault.Quirk.CURSOR_REPEATS)) {
      return tools("tool").with("nextCursor", "x");
    }
    return cursor.isEmpty() // two pages, so that each test shows that both are read
        ? tools("echo", "pid", "received").with("nextCursor", "page 2")
        : tools("never", "progress");
  }

  private static JsonObject tools(String... names) {
    return JsonObject.of(
        "tools",
        JsonArray.of(
            Stream.of(names)
                .map(name ->
                    JsonObject.of("name", name, "inputSchema", JsonObject.of("type", "object")))
                .toArray()));
  }

  private void call(String tool, JsonValue id, JsonObject params) throws JsonException {
    JsonObject arguments = params.optionalObject("arguments").orElseThrow();
    switch (tool) {
      case "echo" -> answer(id, arguments.string("text"));
      case "pid" -> answer(id, Long.toString(ProcessHandle.current().pid()));
      case "received" -> answer(id, String.join("\n", received));
      case "never" -> {}
      case "progress" -> {
        Thread.ofPlatform().daemon().start(() -> repeat(id, arguments, n -> progress(id, n)));
      }
      case "say" -> {
        arguments.objects("messages").forEach(message -> sendRaw(message.toString()));
        answer(id, "said");
      }
      case "ask" -> {
        JsonObject message = arguments.object("message");
        if (isModern(id)) {
          result(id, ModernEra.ask(message, params));
        } else {
          asking.put(message.get("id"), id);
          sendRaw(message.toString());
        }
      }
      case "tell" -> {
        for (JsonObject message : arguments.objects("messages")) {
          for (ScriptedSubscription subscription : subscriptions.values()) {
            subscription.told(message).ifPresent(told -> sendRaw(told.toString()));
          }
        }
        answer(id, "told");
      }
      case "hangUp" -> {
        hangUp(arguments.bool("gracefully"));
        answer(id, "hung up");
      }
      case "flood" -> {
        String message = arguments.object("message").toString();
        Thread.ofPlatform()
            .daemon()
            .start(
                () -> repeat(id, arguments, n -> sendRaw(message.replace("%d", Long.toString(n)))));
      }
      default -> result(id, content("no such tool").with("isError", true));
    }
  }

  private void repeat(JsonValue id, JsonObject arguments, LongConsumer send) {
    try {
      long count = arguments.optionalInteger("count").orElse(Long.MAX_VALUE);
      for (long i = 1; i <= count; i++) {
        pause(arguments.optionalInteger("everyMs").orElse(0));
        send.accept(i);
      }
      answer(id, "done");
    } catch (JsonException e) {
      throw new IllegalStateException(e);
    }
  }

  // What it says.

  /// The client's token is the id of its call.
  private void progress(JsonValue id, long progress) {
    JsonObject params = JsonObject.of("progressToken", id, "progress", progress);
    send("method", "notifications/progress", "params", params);
  }

  private boolean answer(JsonValue id, String text) {
    return result(id, content(text));
  }

  private boolean result(JsonValue id, JsonObject result) {
    return send("id", id, "result", completed(id, result));
  }

  private JsonObject completed(JsonValue id, JsonObject result) {
    return isModern(id) ? ModernEra.complete(modern.get(id), result) : result;
  }

  private boolean isModern(JsonValue id) {
    return id != null && modern.containsKey(id);
  }

  private static JsonObject content(String text) {
    return JsonObject.of("content", JsonArray.of(JsonObject.of("type", "text", "text", text)));
  }

  private int overhead(JsonValue id) {
    return message("id", id, "result", completed(id, content(""))).toString().length();
  }

  private boolean send(Object... namesAndValues) {
    return sendRaw(message(namesAndValues).toString());
  }

  private boolean sendRaw(String json) {
    for (Fault fault : faults) {
      if (fault instanceof Fault.Noise(String line)) {
        wire.send(line.getBytes(UTF_8));
      } else if (fault == Fault.Quirk.NOISE_IS_NOT_UTF8) {
        wire.send("{\"text\":\"\u00ff\u00fe\"}".getBytes(ISO_8859_1));
      }
    }
    wire.send(json.getBytes(UTF_8));
    return true;
  }

  private static JsonObject message(Object... namesAndValues) {
    JsonObject message = JsonObject.of("jsonrpc", "2.0");
    for (int i = 0; i < namesAndValues.length; i += 2) {
      message = message.with((String) namesAndValues[i], namesAndValues[i + 1]);
    }
    return message;
  }

  private static JsonObject object(String json) throws JsonException {
    return (JsonObject) JsonReader.read(json, JsonLimits.defaults());
  }

  private boolean has(Fault fault) {
    return faults.contains(fault);
  }

  private <F extends Fault> Optional<F> first(Class<F> type) {
    return faults.stream().filter(type::isInstance).map(type::cast).findFirst();
  }

  private static boolean die(int code, String stderr) {
    System.err.print(stderr);
    System.err.flush();
    Runtime.getRuntime().halt(code);
    return true;
  }

  private static void waitForEver() {
    try {
      new CountDownLatch(1).await();
    } catch (InterruptedException e) {
      Runtime.getRuntime().halt(98);
    }
  }

  private static void pause(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      Runtime.getRuntime().halt(98);
    }
  }

  /// A line is one write, so that those of two threads never mix.
  private static final class Stdout implements Wire {
    private final OutputStream out = new FileOutputStream(FileDescriptor.out);
    private final boolean byteByByte;

    Stdout(boolean byteByByte) {
      this.byteByByte = byteByByte;
    }

    @Override
    public synchronized void send(byte[] message) {
      byte[] line = Arrays.copyOf(message, message.length + 1);
      line[message.length] = '\n';
      try {
        for (int i = 0; byteByByte && i < message.length; i++) {
          out.write(line, i, 1);
        }
        int written = byteByByte ? message.length : 0;
        out.write(line, written, line.length - written);
      } catch (IOException e) {
        // The client has gone; so will this process, when it reads the end of its input.
      }
    }

    @Override
    public synchronized void sendPart(byte[] bytes) {
      try {
        out.write(bytes);
      } catch (IOException e) {
        Runtime.getRuntime().halt(97);
      }
    }

    @Override
    public synchronized void close() {
      try {
        out.close();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
