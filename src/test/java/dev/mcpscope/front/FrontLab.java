package dev.mcpscope.front;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.client.ClientOptions;
import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.McpClient;
import dev.mcpscope.host.ConnectionStatus;
import dev.mcpscope.host.HostEvent;
import dev.mcpscope.host.HostListener;
import dev.mcpscope.host.HostOptions;
import dev.mcpscope.host.McpHost;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.json.JsonWriter;
import dev.mcpscope.transport.CloseBudget;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;

/// A host with its front, a client of it, and servers that do what they are told.
final class FrontLab implements HostListener {
  static final String TOKEN = "the-token";
  static final String SECRET = "hunter2";

  private static final Logger LOGGER = Logger.getLogger("dev.mcpscope");

  /// A server that does what its first argument says; its version is its process id.
  private static final String FAKE =
      """
      #!/bin/sh
      mode=$1
      answer() { echo "{\\"jsonrpc\\":\\"2.0\\",\\"id\\":$id,$1}"; }
      result() { answer "\\"result\\":{\\"$1\\":[$2]$3}"; }
      text() { result content "{\\"type\\":\\"text\\",\\"text\\":\\"$1\\"}" "$2"; }
      failure() { answer "\\"error\\":{\\"code\\":-32000,\\"message\\":\\"$1\\"}"; }
      tools() { result tools '{"name":"echo","inputSchema":{}}' "$1"; }
      says() { echo "{\\"jsonrpc\\":\\"2.0\\",\\"method\\":\\"notifications/$1\\",\\"params\\":{$2}}"; }
      logs() { says message "\\"level\\":\\"warning\\",\\"logger\\":\\"fake\\",\\"data\\":$1"; }
      many() { yes "$(logs "\\"$(head -c "$2" /dev/zero | tr '\\0' x)\\"")" | head -n "$1"; }
      progress() { says progress "\\"progressToken\\":$id,\\"progress\\":$1"; }
      version=2025-11-25
      capabilities='"tools":{}'
      case $mode in
        exits) echo 'no licence' >&2; exit 3 ;;
        closes) exec >&-; while read -r _; do :; done; exit ;;
        old) version=1999-01-01 ;;
        toolless) capabilities= ;;
        stubborn) trap '' TERM ;;
      esac
      while read -r line; do
        id=${line##*'"id":'}; id=${id%%,*}; id=${id%%'}'*}
        case $mode.$line in
          *'"server/discover"'*) failure 'what?' ;;
          silent.*) ;;
          refuses.*) failure 'not today' ;;
          *'"initialize"'*) answer "\\"result\\":{\\"protocolVersion\\":\\"$version\\",\\
              \\"capabilities\\":{$capabilities},\\
              \\"serverInfo\\":{\\"name\\":\\"fake\\",\\"version\\":\\"$$\\"}}" ;;
          repeats.*'tools/list'*) tools ',"nextCursor":"again"' ;;
          endless.*'tools/list'*) tools ",\\"nextCursor\\":\\"c$id\\"" ;;
          *'tools/list'*) tools ;;
          *'notifications/cancelled'*) echo "$line" >"$0.cancelled" ;;
          *'"echo"'*) text hello ;;
          *'"big"'*) text "$(head -c 15000000 /dev/zero | tr '\\0' x)" ;;
          *'"env"'*) text "$SECRET_WORD" ;;
          *'"args"'*) text "$*" ;;
          *'"fail"'*) text 'it rains' ',"isError":true' ;;
          *'"wrong"'*) answer '"result":[]' ;;
          *'"waits"'*) echo x >"$0.fifo" ;;
          *'"unknown"'*) failure 'no such tool' ;;
          *'"die"'*) echo 'disk full' >&2; exit 7 ;;
          *'"logs"'*) logs '{"disk":"full"}'; text logged ;;
          *'"changes"'*)
              for list in resources prompts; do says $list/list_changed; done
              says resources/updated '"uri":"fake://a"'
              says tools/list_changed; text changed ;;
          *'"tells-much"'*) many 300 60000; text told ;;
          *'"tells-often"'*) many 20000 1000; text told ;;
          *'"tells-long"'*) many 1 70000; logs '"short"'; text told ;;
          *'"steps"'*)
              progress '1,"total":2,"message":"half"'; read -r _ <"$0.go"
              progress 2; text stepped ;;
        esac
      done
      if [ "$mode" = stubborn ]; then exec sleep 300; fi
      """;

  /// Runs with a front.
  @FunctionalInterface
  interface Body {
    void run(FrontLab lab) throws Exception;
  }

  private final Path directory;
  private final List<ConnectionStatus> heard = new ArrayList<>(); // guarded by this
  final Queue<String> bodies = new ConcurrentLinkedQueue<>(); // of every answer
  McpHost host;
  Front front;
  HttpClient http;
  volatile CountDownLatch welcome = new CountDownLatch(0);
  volatile CountDownLatch goodbye = new CountDownLatch(0);

  private FrontLab(Path directory) {
    this.directory = directory;
  }

  /// Opens a lab whose servers are in this directory, runs the body, and fails if something is left.
  ///
  /// @param changed what differs in the front's options
  static void open(
      Path directory, HostOptions limits, UnaryOperator<Front.Options> changed, Body body)
      throws Exception {
    LOGGER.setLevel(Level.OFF); // what goes wrong here is meant to
    try {
      openLoud(directory, limits, changed, body);
    } finally {
      LOGGER.setLevel(null);
    }
  }

  /// Puts all that is logged into `log`.
  static void openLogging(
      Path directory,
      Queue<String> log,
      HostOptions limits,
      UnaryOperator<Front.Options> changed,
      Body body)
      throws Exception {
    Handler handler = keeper(log);
    LOGGER.setLevel(Level.ALL);
    LOGGER.setUseParentHandlers(false);
    LOGGER.addHandler(handler);
    try {
      openLoud(directory, limits, changed, body);
    } finally {
      LOGGER.removeHandler(handler);
      LOGGER.setUseParentHandlers(true);
      LOGGER.setLevel(null);
    }
  }

  private static void openLoud(
      Path directory, HostOptions limits, UnaryOperator<Front.Options> changed, Body body)
      throws Exception {
    for (String name : List.of("fake", "npx", "uvx", "other", "sh")) {
      if (Files.notExists(directory.resolve(name))) {
        assertThat(Files.writeString(directory.resolve(name), FAKE).toFile().setExecutable(true))
            .isTrue();
      }
    }
    var close =
        new CloseBudget(
            Duration.ofSeconds(1),
            Duration.ofSeconds(1),
            Duration.ofMillis(300),
            Duration.ofSeconds(1));
    var pages =
        new ClientOptions.Limits(JsonLimits.defaults(), 64 << 10, 20, 10_000, 256, 1_024, 64 << 10);
    HostOptions options = limits.withClient(limits.client().withClose(close).withLimits(pages));
    NothingLeft.after(() -> {
      var lab = new FrontLab(directory);
      try (var http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
          var host = McpHost.open(options, lab);
          var front = Front.open(changed.apply(options(directory, 0)), host)) {
        lab.http = http;
        lab.host = host;
        lab.front = front;
        body.run(lab);
        host.end(); // so that requests which still wait are answered
      }
    });
  }

  static Front.Options options(Path directory, int port) {
    return new Front.Options(
        "127.0.0.1",
        port,
        TOKEN,
        List.of("fake", "npx", "uvx", "absent"),
        Map.of("PATH", directory.toString()));
  }

  private static Handler keeper(Queue<String> lines) {
    var formatter = new SimpleFormatter();
    var handler =
        new Handler() {
          @Override
          public void publish(LogRecord record) {
            lines.add(formatter.format(record)); // with the stack trace
          }

          @Override
          public void flush() {}

          @Override
          public void close() {}
        };
    handler.setLevel(Level.ALL);
    return handler;
  }

  // What the host tells.

  @Override
  public void onConnect(String session, String name, McpClient client) throws Exception {
    welcome.await();
  }

  @Override
  public void onDisconnect(String session, String name, McpClient client) throws Exception {
    goodbye.await();
  }

  @Override
  public synchronized void event(HostEvent event) {
    if (event instanceof HostEvent.Changed(var status)) {
      heard.add(status);
      notifyAll();
    }
  }

  synchronized ConnectionStatus awaitStatus(Predicate<ConnectionStatus> wanted)
      throws InterruptedException {
    while (true) {
      for (ConnectionStatus status : heard) {
        if (wanted.test(status)) {
          return status;
        }
      }
      wait();
    }
  }

  ConnectionStatus await(String name, Predicate<ConnectionState> wanted)
      throws InterruptedException {
    return awaitStatus(status -> status.name().equals(name) && wanted.test(status.state()));
  }

  void awaitPhase(String name, String phase) throws InterruptedException {
    await(name, new ConnectionState.Connecting(phase)::equals);
  }

  // What servers wait for, or tell besides the protocol.

  /// Makes a pipe that a server finds under its own name with this ending: who opens it waits for
  /// the other side.
  Path fifo(String ending) throws Exception {
    Path fifo = directory.resolve("fake." + ending);
    assertThat(new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor()).isZero();
    return fifo;
  }

  /// Calls a tool that is never answered; returns when the server has got the call.
  CompletableFuture<Answer> waiting(String name) throws Exception {
    Path fifo = fifo("fifo");
    CompletableFuture<Answer> call = asking("POST", "/mcp/call", calling(name, "waits"));
    assertThat(Files.readString(fifo)).isEqualTo("x\n");
    return call;
  }

  static List<ProcessHandle> children() {
    return ProcessHandle.current().children().filter(ProcessHandle::isAlive).toList();
  }

  // What is asked.

  static JsonObject connect(String name, String fullCommand) {
    return JsonObject.of(
        "sessionId", "s", "name", name, "clientType", "stdio", "fullCommand", fullCommand);
  }

  static JsonObject calling(String name, String tool) {
    return JsonObject.of("sessionId", "s", "name", name, "tool", tool, "arguments", Map.of());
  }

  int port() {
    return front.uri().getPort();
  }

  HttpRequest.Builder request(String method, String path, BodyPublisher body) {
    return HttpRequest.newBuilder(URI.create(front.uri() + path))
        .timeout(Duration.ofSeconds(30))
        .method(method, body);
  }

  HttpRequest.Builder authorized(String method, String path, JsonObject body) {
    return request(method, path, BodyPublishers.ofByteArray(JsonWriter.bytes(body)))
        .header("Authorization", "Bearer " + TOKEN)
        .header("Content-Type", "application/json");
  }

  HttpRequest.Builder authorized(String method, String path) {
    return request(method, path, BodyPublishers.noBody())
        .header("Authorization", "Bearer " + TOKEN);
  }

  CompletableFuture<Answer> send(HttpRequest.Builder request) {
    return http.sendAsync(request.build(), BodyHandlers.ofString())
        .thenApply(response -> {
          bodies.add(response.body());
          return Answer.of(response);
        });
  }

  CompletableFuture<Answer> asking(String method, String path, JsonObject body) {
    return send(authorized(method, path, body));
  }

  CompletableFuture<Answer> connecting(String name, String fullCommand) {
    return asking("POST", "/mcp", connect(name, fullCommand));
  }

  Answer post(String path, JsonObject body) {
    return asking("POST", path, body).join();
  }

  Answer postText(String path, String body) {
    return send(request("POST", path, BodyPublishers.ofString(body))
            .header("Authorization", "Bearer " + TOKEN)
            .header("Content-Type", "application/json"))
        .join();
  }

  Answer get(String path) {
    return send(authorized("GET", path)).join();
  }

  Answer delete(String path) {
    return send(authorized("DELETE", path)).join();
  }

  Answer disconnect(String name) {
    return asking("DELETE", "/mcp", JsonObject.of("sessionId", "s", "name", name)).join();
  }

  Answer call(String name, String tool) {
    return post("/mcp/call", calling(name, tool));
  }

  /// Connects, and returns the member `mcp` of the answer.
  JsonObject connected(String name, String fullCommand) throws Exception {
    return connected(connect(name, fullCommand));
  }

  JsonObject connected(JsonObject connect) throws Exception {
    Answer answer = post("/mcp", connect);
    assertThat(answer.status()).as(answer.toString()).isEqualTo(200);
    assertThat(answer.json().bool("success")).isTrue();
    return answer.json().object("mcp");
  }

  JsonArray rows() throws Exception {
    return get("/mcp?sessionId=s").json().array("connections");
  }

  JsonObject row() throws Exception {
    JsonArray rows = rows();
    assertThat(rows.size()).isEqualTo(1);
    return (JsonObject) rows.get(0);
  }

  /// Subscribes to a session.
  Events subscribe(String session) throws Exception {
    return Events.of(http, authorized("GET", "/mcp/events?sessionId=" + session), bodies);
  }

  HttpRequest.Builder streaming(JsonObject call) {
    return authorized("POST", "/mcp/call", call).header("Accept", Events.TYPE);
  }

  /// Calls for a stream.
  Events stream(JsonObject call) throws Exception {
    return Events.of(http, streaming(call), bodies);
  }

  /// Sends bytes that no proper client sends, and returns all that comes back.
  String raw(String request) throws IOException {
    try (var socket = new Socket(InetAddress.getLoopbackAddress(), port())) {
      socket.getOutputStream().write(request.getBytes(UTF_8));
      String answer = new String(socket.getInputStream().readAllBytes(), UTF_8);
      bodies.add(answer);
      return answer;
    }
  }

  void untouchedBy(NothingLeft.Body refused) throws Exception {
    untouched(() -> {
      refused.run();
      return null;
    });
  }

  /// Runs something that is refused, and checks that a live connection has not noticed.
  <T> T untouched(Callable<T> refused) throws Exception {
    connected("live", "fake serves");
    JsonArray rows = rows();
    List<ProcessHandle> children = children();
    T answer = refused.call();
    assertThat(rows()).isEqualTo(rows); // generation and process id are in it
    assertThat(children()).isEqualTo(children).hasSize(1);
    assertThat(host.statuses()).containsOnlyKeys("s");
    assertThat(text(call("live", "echo").json())).isEqualTo("hello");
    return answer;
  }

  static String text(JsonObject result) throws IOException {
    return ((JsonObject) result.array("content").get(0)).string("text");
  }

  /// What came back; every one is JSON, and none has a CORS header.
  record Answer(int status, JsonObject json, Map<String, List<String>> headers) {
    static Answer of(HttpResponse<String> response) {
      assertThat(response.headers().allValues("Content-Type"))
          .as(response.body())
          .containsExactly("application/json");
      assertThat(response.headers().map().keySet())
          .noneMatch(name -> name.toLowerCase(Locale.ROOT).startsWith("access-control-"));
      try {
        return new Answer(
            response.statusCode(),
            (JsonObject) JsonReader.read(response.body(), JsonLimits.defaults()),
            response.headers().map());
      } catch (IOException e) {
        throw new AssertionError(response.body(), e);
      }
    }

    String detail() {
      assertThat(json.members()).containsOnlyKeys("detail");
      try {
        return json.string("detail");
      } catch (IOException e) {
        throw new AssertionError(e);
      }
    }
  }
}
