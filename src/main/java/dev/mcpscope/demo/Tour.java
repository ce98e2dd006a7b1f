package dev.mcpscope.demo;

import dev.mcpscope.client.ClientFeatures;
import dev.mcpscope.client.ClientOptions;
import dev.mcpscope.client.ElicitationResult;
import dev.mcpscope.client.EraChoice;
import dev.mcpscope.client.McpClient;
import dev.mcpscope.client.McpException;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.client.ToolResult;
import dev.mcpscope.front.Front;
import dev.mcpscope.host.HostListener;
import dev.mcpscope.host.HostOptions;
import dev.mcpscope.host.McpHost;
import dev.mcpscope.host.ThreadDump;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.json.JsonWriter;
import dev.mcpscope.scope.OldBug;
import java.io.File;
import java.io.IOException;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// `mcp-scope demo`: the bug, the design that cannot have it, and the proof, on real parts. It
/// starts the HTTP front, drives it as any client would, and checks what it says with its own eyes:
/// each claim that turns out wrong is printed as such and makes the exit status 1.
public final class Tour {
  private static final String SESSION = "tour";

  private final PrintStream out;
  private int wrong;

  // set while the front is open
  private URI front;
  private String token;
  private HttpClient http;

  private Tour(PrintStream out) {
    this.out = out;
  }

  /// Runs the tour.
  ///
  /// @param out where it is told
  /// @return the exit status: 0 if everything was as promised and nothing is left, else 1
  public static int run(PrintStream out) throws IOException, InterruptedException {
    var tour = new Tour(out);
    try {
      tour.tell();
    } catch (ExecutionException e) {
      throw new IOException("the tour's own request failed", e.getCause());
    }
    return tour.wrong == 0 ? 0 : 1;
  }

  private void tell() throws IOException, InterruptedException, ExecutionException {
    chapter("1. The bug: a connection that one thread opens and another one closes");
    oldBug();

    Inventory before = Inventory.take();
    var legacy = DemoHttpServer.Options.defaults().withEras(DemoServer.Eras.LEGACY);
    try (var remote = DemoHttpServer.open(0, System.err, legacy);
        var host = McpHost.open(HostOptions.defaults(), new HostListener() {});
        var client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()) {
      token = UUID.randomUUID().toString();
      var options = new Front.Options("127.0.0.1", 0, token, List.of(java()), System.getenv());
      try (var opened = Front.open(options, host)) {
        front = opened.uri();
        http = client;
        connected(remote);
        crashed();
        overHttp(remote);
        replaced();
        host.end(); // the last chapter says what this has done
      }
    }
    chapter("7. The server asks back, through the library, in both eras");
    asked(EraChoice.MODERN);
    asked(EraChoice.LEGACY);

    chapter("8. Before and after");
    nothingLeft(before);
  }

  private void oldBug() throws IOException, InterruptedException {
    OldBug.Seen seen = OldBug.show(command());
    say("A connect request opens a scope, starts a server, and forks a reader in the scope. A");
    say("disconnect request, another thread, closes the scope. The JDK refuses:");
    say("    " + seen.refusal());
    say(
        "Swallow that, as was done, close the server's input, and the disconnect looks like success:");
    claim(seen.serverEnded(), "the server has ended");
    String taken = Math.round(seen.cores() * 100) + " % of a core";
    claim(seen.cores() > 0.1, "but its reader spins at the end of its input: it takes " + taken);
    claim(seen.readerEnded(), "it ends when the thread that opened the scope leaves its block");
    say(
        "So here a connection IS such a block: one thread enters it, waits for mail, and leaves it.");
  }

  private void connected(DemoHttpServer remote)
      throws IOException, InterruptedException, ExecutionException {
    chapter("2. Connect two servers, one of each era, through the HTTP front at " + front);
    JsonObject mcp = ok(post("/mcp", connect("demo"))).object("mcp");
    long pid = onlyChild();
    say("POST /mcp has started process " + pid + ", a real MCP server over stdio:");
    say("    " + mcp.get("serverInfo") + ", protocol " + mcp.get("protocolVersion"));
    say("    tools: " + names(mcp.array("tools")));
    claim(
        mcp.string("protocolVersion").equals("2026-07-28"),
        "it was asked what it speaks, and is spoken to without handshake and session");
    mcp = ok(post("/mcp", connect("remote", remote.uri()))).object("mcp");
    say("POST /mcp has connected " + mcp.get("url") + ", an older one over streamable HTTP:");
    say("    " + mcp.get("serverInfo") + ", protocol " + mcp.get("protocolVersion"));
    say("    tools: " + names(mcp.array("tools")));
    claim(
        mcp.string("protocolVersion").equals("2025-11-25"),
        "it did not know the question, and was told initialize instead");
    claim(
        remote.await(
            () -> remote.sessions().size() == 1 && remote.streams() == 1, Duration.ofSeconds(1)),
        "that server knows of one session, and of one stream to tell it things");
    add("demo");
    add("remote");

    chapter("3. A call with progress, and what the JVM says is alive meanwhile");
    slow();
  }

  private void add(String name) throws IOException, InterruptedException, ExecutionException {
    JsonObject sum = ok(post("/mcp/call", call(name, "add", Map.of("a", 2, "b", 40))));
    say("POST /mcp/call add {a: 2, b: 40} of " + name + "  ->  " + text(sum));
    claim(text(sum).equals("42"), "that is right");
  }

  private void crashed() throws IOException, InterruptedException, ExecutionException {
    chapter("4. The server crashes in the middle of a call");
    long began = System.nanoTime();
    HttpResponse<String> crash =
        send(post("/mcp/call", call("demo", "crash", Map.of("exitCode", 3)))).get();
    say("POST /mcp/call crash  ->  " + crash.statusCode() + " after " + millis(began) + " ms:");
    say("    " + json(crash).string("detail"));
    claim(
        crash.statusCode() == 502 && crash.body().contains("exited with code 3"),
        "the caller was told the cause at once: exit code and stderr, no time-out");
    say("DELETE /mcp  ->  " + summary(disconnect("demo")));
    claim(children().isEmpty(), "no process is left");
  }

  private void overHttp(DemoHttpServer remote)
      throws IOException, InterruptedException, ExecutionException {
    chapter("5. Over HTTP: a stream that is cut, a server that forgets");
    JsonObject cut = ok(post("/mcp/call", call("remote", "cut", Map.of())));
    say("POST /mcp/call cut  ->  " + text(cut));
    claim(
        text(cut).contains("come back"), "its stream was cut, and gone on with where it had ended");
    String forgotten = remote.sessions().getFirst();
    HttpResponse<String> crash = send(post("/mcp/call", call("remote", "crash", Map.of()))).get();
    say("POST /mcp/call crash  ->  " + crash.statusCode() + ":");
    say("    " + json(crash).string("detail"));
    claim(crash.statusCode() == 502, "the call is not repeated: it may have run");
    add("remote");
    claim(
        !remote.sessions().contains(forgotten) && remote.sessions().size() == 1,
        "in a new session: the server had forgotten the one before");
    say("DELETE /mcp  ->  " + summary(disconnect("remote")));
    claim(
        remote.await(
            () -> remote.sessions().isEmpty() && remote.streams() == 0, Duration.ofSeconds(1)),
        "the server knows of no session and of no stream any more");
  }

  private void replaced() throws IOException, InterruptedException, ExecutionException {
    chapter("6. One name, connected twice at the same time");
    var one = send(post("/mcp", connect("twice")));
    var two = send(post("/mcp", connect("twice")));
    List<Integer> statuses =
        Stream.of(one.get().statusCode(), two.get().statusCode()).sorted().toList();
    say("Two POST /mcp at once  ->  " + statuses.getFirst() + " and " + statuses.getLast());
    say("    (409: replaced by a newer connect; 200 twice if the first was already connected)");
    JsonArray rows = ok(request("GET", "/mcp?sessionId=" + SESSION, null)).array("connections");
    claim(rows.size() == 1 && children().size() == 1, "one connection, one process");
    say("DELETE /mcp  ->  " + summary(disconnect("twice")));
  }

  private JsonObject disconnect(String name)
      throws IOException, InterruptedException, ExecutionException {
    JsonObject body = JsonObject.of("sessionId", SESSION, "name", name);
    return ok(request("DELETE", "/mcp", body)).object("report");
  }

  /// The front streams what comes of the call; with its first progress the JVM is asked for a dump.
  private void slow() throws IOException, InterruptedException, ExecutionException {
    HttpRequest call = post("/mcp/call", call("demo", "slow", Map.of("steps", 4, "stepMs", 150)));
    HttpRequest streamed =
        HttpRequest.newBuilder(call, (_, _) -> true).header("Accept", "text/event-stream").build();
    var other = send(post("/mcp/call", call("remote", "slow", Map.of("steps", 8, "stepMs", 150))));
    String tree = "no progress came";
    boolean first = true;
    try (Stream<String> lines = http.sendAsync(streamed, BodyHandlers.ofLines()).get().body()) {
      for (String line : (Iterable<String>) lines.filter(text -> !text.isBlank())::iterator) {
        say("    " + line);
        if (first && line.startsWith("event: progress")) {
          first = false;
          tree = ThreadDump.take().tree();
        }
      }
    }
    say(
        "The JVM's own thread dump, in the middle of it (jcmd PID Thread.dump_to_file shows the same):");
    tree.lines().forEach(line -> say("    " + line));
    claim(
        tree.contains("connection/" + SESSION + "/demo#1")
            && tree.contains("connection/" + SESSION + "/remote#2"),
        "each connection is a scope in its session's scope, in the host's");
    claim(
        tree.contains("remote#2 http post tools/call"),
        "and a call over HTTP is a subtask of its connection, while it is on the wire");
    claim(other.get().statusCode() == 200, "that call is done by now, too");
  }

  /// Without front and host: this thread calls, the server asks back, and a guest of the connection
  /// answers meanwhile. In one era it asks by a request of its own, in the other by a result that is
  /// none yet: who calls does not notice.
  private void asked(EraChoice era) throws InterruptedException {
    ClientFeatures features =
        ClientFeatures.none()
            .withElicitation(form -> {
              say("    the server asks: " + form.message());
              form.fields().forEach(field -> say("      " + field.name() + ": " + field.json()));
              return ElicitationResult.accept(Map.of("answer", "blue"));
            });
    try {
      McpClient.use(
          ServerSpec.stdio(command().toArray(String[]::new)),
          ClientOptions.defaults().withFeatures(features).withEra(era),
          client -> {
            say("In revision " + client.server().protocolVersion() + ":");
            say("client.callTool(\"ask\", {question: \"Which colour?\"})");
            ToolResult result = client.callTool("ask", Map.of("question", "Which colour?"));
            say("    ->  " + result.text());
            claim(
                result.text().contains("blue") && result.text().contains("sure: true"),
                "it was answered, and what was left out got its default");
            return null;
          });
    } catch (McpException e) {
      claim(false, "the call has failed: " + e.getMessage());
    }
    claim(children().isEmpty(), "the block is left, and no process is");
  }

  private void nothingLeft(Inventory before) throws IOException, InterruptedException {
    Leftovers left = Leftovers.since(before);
    for (Leftovers.Count count : left.counts()) {
      say("    %-12s %3d before, %3d after".formatted(count.what(), count.before(), count.after()));
    }
    left.lines().forEach(line -> say("    left: " + line));
    claim(left.isEmpty(), "front, host and connections are closed, and nothing of them is left");
    say("Compared by identity (thread ids, pids with start times, pipe inodes), not by counts.");
    double cores = Load.least();
    claim(cores < 0.1, "nothing spins: this JVM takes " + Math.round(cores * 100) + " % of a core");
  }

  // The server: this very program, started again.

  private static String java() {
    return Path.of(System.getProperty("java.home"), "bin", "java").toString();
  }

  private static List<String> command() {
    String modules = System.getProperty("jdk.module.path", "");
    String classes = System.getProperty("java.class.path");
    String path =
        Stream.of(modules, classes)
            .filter(p -> !p.isEmpty())
            .collect(Collectors.joining(File.pathSeparator));
    return List.of(
        java(),
        "--enable-preview",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        path,
        "dev.mcpscope.Main",
        "demo-server");
  }

  private static JsonObject connect(String name) {
    String command =
        command().stream()
            .map(word -> "'" + word.replace("'", "'\\''") + "'")
            .collect(Collectors.joining(" "));
    return JsonObject.of(
        "sessionId", SESSION, "name", name, "clientType", "stdio", "fullCommand", command);
  }

  private static JsonObject connect(String name, URI url) {
    return JsonObject.of(
        "sessionId", SESSION, "name", name, "clientType", "streamable-http", "url", url.toString());
  }

  private static JsonObject call(String name, String tool, Map<String, ?> arguments) {
    return JsonObject.of("sessionId", SESSION, "name", name, "tool", tool, "arguments", arguments);
  }

  private static List<ProcessHandle> children() {
    return ProcessHandle.current().children().filter(ProcessHandle::isAlive).toList();
  }

  private long onlyChild() {
    List<ProcessHandle> children = children();
    claim(children.size() == 1, "there is one child process");
    return children.isEmpty() ? -1 : children.getFirst().pid();
  }

  // HTTP, as a client of the front.

  private HttpRequest post(String path, JsonObject body) {
    return request("POST", path, body);
  }

  private HttpRequest request(String method, String path, JsonObject body) {
    return HttpRequest.newBuilder(front.resolve(path))
        .timeout(Duration.ofSeconds(60))
        .header("Authorization", "Bearer " + token)
        .header("Content-Type", "application/json")
        .method(
            method,
            body == null
                ? BodyPublishers.noBody()
                : BodyPublishers.ofByteArray(JsonWriter.bytes(body)))
        .build();
  }

  private CompletableFuture<HttpResponse<String>> send(HttpRequest request) {
    return http.sendAsync(request, BodyHandlers.ofString());
  }

  private JsonObject ok(HttpRequest request)
      throws IOException, InterruptedException, ExecutionException {
    HttpResponse<String> response = send(request).get();
    if (response.statusCode() != 200) {
      throw new IOException(
          request.method()
              + " "
              + request.uri()
              + " was answered by "
              + response.statusCode()
              + ": "
              + response.body());
    }
    return json(response);
  }

  private static JsonObject json(HttpResponse<String> response) throws JsonException {
    return JsonReader.read(response.body(), JsonLimits.defaults()) instanceof JsonObject object
        ? object
        : JsonObject.EMPTY;
  }

  private static String text(JsonObject result) throws JsonException {
    return ((JsonObject) result.array("content").get(0)).string("text");
  }

  private static String names(JsonArray tools) throws JsonException {
    var names = new StringBuilder();
    for (JsonValue tool : tools) {
      names.append(names.isEmpty() ? "" : ", ").append(((JsonObject) tool).string("name"));
    }
    return names.toString();
  }

  private static String summary(JsonObject report) {
    return "closed in "
        + report.get("tookMs")
        + " ms, "
        + report.get("outcome")
        + ", exit code "
        + report.get("exitCode")
        + ", processes "
        + report.get("processes")
        + ", failures "
        + report.get("failures");
  }

  // How it reads.

  private void chapter(String title) {
    out.println();
    out.println(title);
    out.println("-".repeat(title.length()));
  }

  private void say(String line) {
    out.println("  " + line);
  }

  private void claim(boolean holds, String what) {
    wrong += holds ? 0 : 1;
    say((holds ? "[ok] " : "[WRONG] ") + what);
  }

  private static long millis(long since) {
    return (System.nanoTime() - since) / 1_000_000;
  }
}
