package dev.mcpscope;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.FaultScript.Place;
import dev.mcpscope.FaultScript.Server;
import dev.mcpscope.ScriptedServer.Fault;
import dev.mcpscope.client.CallOptions;
import dev.mcpscope.client.ClientFeatures;
import dev.mcpscope.client.ClientOptions;
import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.EraChoice;
import dev.mcpscope.client.McpClient;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.host.ConnectOptions;
import dev.mcpscope.host.ConnectionStatus;
import dev.mcpscope.host.HostEvent;
import dev.mcpscope.host.HostListener;
import dev.mcpscope.host.HostOptions;
import dev.mcpscope.host.HostReport;
import dev.mcpscope.host.McpHost;
import dev.mcpscope.host.Subscription;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Predicate;

/// Where a case of the matrix is played: a host, the server of a [FaultScript], who waits, and user
/// code that behaves as it is told. Used by the thread of the test; closing it releases everything,
/// whatever has come of the case.
final class FaultStage implements HostListener, AutoCloseable {
  static final String SESSION = "s";
  static final String NAME = "x";
  static final String TEXT = "hi, \u00fc\u20ac\ud83d\ude00";

  private static final String OTHER_SESSION = "t";

  /// Connects, has no tools, and ends when its input does: what takes the place of another one, and
  /// what is not concerned.
  private static final ServerSpec PLAIN =
      ServerSpec.stdio(
          "sh",
          "-c",
          "read -r _; echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":"
              + "\"2025-11-25\",\"capabilities\":{},"
              + "\"serverInfo\":{\"name\":\"sh\",\"version\":\"1\"}}}'; "
              + "while read -r _; do :; done");

  /// The script answers one request.
  private static final ConnectOptions LEGACY =
      ConnectOptions.of(ClientOptions.defaults().withEra(EraChoice.LEGACY));

  private static final Duration PATIENCE = Duration.ofSeconds(20);

  final FaultScript script;
  final FaultBook book;
  final ScriptedHttpServer http; // null if it is a process
  final McpHost host;
  final Subscription events;
  private boolean told; // has the server something, by the events that were looked at
  private ConnectionStatus neighbour; // in a session of its own, and not concerned
  final Set<FaultBook.Entry> killed = new HashSet<>();
  Waiting waiting; // null until somebody waits
  McpClient client; // null until it is connected
  private final CountDownLatch over = new CountDownLatch(1);
  private final CountDownLatch asked = new CountDownLatch(1); // the handler was
  private final AtomicBoolean welcomed = new AtomicBoolean();
  private final Set<Thread> stubborn = ConcurrentHashMap.newKeySet();

  /// A caller in a thread of his own, and what came of it.
  static final class Waiting {
    private final Thread thread;
    private volatile Object result;
    private volatile Throwable failure;
    private volatile long ended;

    Waiting(Callable<?> call) {
      thread =
          Thread.ofVirtual()
              .name("waits")
              .start(() -> {
                try {
                  result = call.call();
                } catch (Throwable t) {
                  failure = t;
                } finally {
                  ended = System.nanoTime();
                }
              });
    }

    void interrupt() {
      thread.interrupt();
    }

    /// Waits for it; returns what it has thrown, or else returned.
    Object seen() throws InterruptedException {
      assertThat(thread.join(PATIENCE)).as("whoever has waited is answered").isTrue();
      return failure == null ? result : failure;
    }

    long ended() {
      return ended;
    }
  }

  FaultStage(FaultScript script, Path directory) throws Exception {
    this.script = script;
    this.book = new FaultBook(Files.createTempFile(directory, "case", "book"));
    this.http =
        script.server() instanceof Server.Http(var faults, _)
            ? ScriptedHttpServer.with(faults.toArray(HttpFault[]::new))
            : null;
    this.host = McpHost.open(HostOptions.defaults().withClient(options()), this);
    this.events = host.subscribe(SESSION);
  }

  private ClientOptions options() {
    var features = ClientFeatures.none();
    if (script.manners().containsKey(Place.LISTENER)) {
      features = features.withListener(_ -> behaveQuietly(Place.LISTENER));
    }
    if (script.manners().containsKey(Place.HANDLER)) {
      features =
          features.withRoots(() -> {
            asked.countDown();
            behave(Place.HANDLER);
            return List.of();
          });
    }
    return script.options().withFeatures(features);
  }

  private ServerSpec spec() {
    return switch (script.server()) {
      case Server.Stdio(var faults, boolean wrapped) -> {
        Fault[] all = faults.toArray(Fault[]::new);
        yield (wrapped ? ScriptedServer.wrapped(all) : ScriptedServer.with(all))
            .withEnvironment(Map.of(ScriptedServer.BOOK, book.path()));
      }
      case Server.Missing(var command) -> ServerSpec.stdio(command);
      case Server.Http(_, var kind) ->
          switch (kind) {
            case STREAMABLE_HTTP -> ServerSpec.http(http.url());
            case SSE -> ServerSpec.sse(http.url());
          };
    };
  }

  /// Connects the server, and waits for it.
  ConnectionStatus connect() throws Exception {
    ConnectionStatus status = host.connect(SESSION, NAME, spec());
    client = status.client().orElseThrow();
    return status;
  }

  /// Connects a good one by the same name.
  ConnectionStatus replace() throws Exception {
    return host.connect(SESSION, NAME, PLAIN, LEGACY);
  }

  /// Has somebody wait for a connect that gets as far as this.
  void beginConnect(String phase) throws Exception {
    waiting = new Waiting(() -> host.connect(SESSION, NAME, spec()));
    awaitState(status ->
        status.state() instanceof ConnectionState.Connecting(var now) && now.equals(phase));
  }

  /// Has somebody wait for an answer that does not come, and returns when the server knows of it.
  void beginCall() throws Exception {
    if (http == null) {
      var known = new CountDownLatch(1);
      var call = CallOptions.defaults().withProgress(_ -> known.countDown());
      waiting = new Waiting(() -> client.callTool("progress", Map.of("everyMs", 10), call));
      assertThat(known.await(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
    } else {
      waiting = new Waiting(() -> client.callTool("never", Map.of()));
      http.awaitRequest("tools/call", 1);
    }
  }

  /// Has somebody call this.
  void beginCall(String tool) {
    CallOptions call =
        script.manners().containsKey(Place.PROGRESS)
            ? CallOptions.defaults().withProgress(_ -> behaveQuietly(Place.PROGRESS))
            : CallOptions.defaults();
    Map<String, ?> arguments =
        switch (tool) {
          case "progress" -> Map.of("everyMs", 1, "count", 3);
          case "ask" -> Map.of("message", Map.of("method", "roots/list"));
          default -> Map.of("text", TEXT);
        };
    waiting = new Waiting(() -> client.callTool(tool, arguments, call).text());
  }

  String echo() throws Exception {
    return client.callTool("echo", Map.of("text", TEXT)).text();
  }

  /// Sends a process of the server's tree this signal.
  void signal(String what, String signal) throws Exception {
    FaultBook.Entry process = book.entry(what);
    if (signal.equals("KILL")) {
      killed.add(process);
    }
    new ProcessBuilder("kill", "-" + signal, Long.toString(process.pid()))
        .inheritIO()
        .start()
        .waitFor();
  }

  /// What is asked for to hear what changes.
  String listening() {
    return script.isModern() ? FaultScript.modern("GET") : "GET";
  }

  /// Waits until the handler is asked.
  void awaitAsked() throws InterruptedException {
    assertThat(asked.await(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
  }

  /// Waits until the server has told something: it may have been heard before the phase in which it was
  /// told.
  void awaitTold() throws InterruptedException {
    if (!told) {
      awaitEvent(event -> event instanceof HostEvent.Told);
    }
  }

  /// Waits for a state of the name.
  ConnectionStatus awaitState(Predicate<ConnectionStatus> wanted) throws InterruptedException {
    HostEvent event =
        awaitEvent(e -> e instanceof HostEvent.Changed(var status) && wanted.test(status));
    return ((HostEvent.Changed) event).status();
  }

  private HostEvent awaitEvent(Predicate<HostEvent> wanted) throws InterruptedException {
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (true) {
      Optional<HostEvent> event = events.next(Duration.ofNanos(end - System.nanoTime()));
      assertThat(event).as("such an event comes").isPresent();
      told |= event.get() instanceof HostEvent.Told;
      if (wanted.test(event.get())) {
        return event.get();
      }
    }
  }

  /// Connects somebody whom nothing of this concerns.
  void connectNeighbour() throws Exception {
    neighbour = host.connect(OTHER_SESSION, NAME, PLAIN, LEGACY);
  }

  /// Whether the neighbour is as it was; until the host ends.
  boolean neighbourIsWell() {
    return host.status(OTHER_SESSION, NAME).equals(Optional.of(neighbour));
  }

  // User code.

  @Override
  public void onConnect(String session, String name, McpClient client) throws Exception {
    if (session.equals(SESSION)
        && welcomed.compareAndSet(false, true)) { // what replaces it is good
      behave(Place.ON_CONNECT);
    }
  }

  @Override
  public void onDisconnect(String session, String name, McpClient client) throws Exception {
    if (session.equals(SESSION)) {
      behave(Place.ON_DISCONNECT);
    }
  }

  @Override
  public void event(HostEvent event) {
    behaveQuietly(Place.HOST_LISTENER);
  }

  private void behave(Place place) throws InterruptedException {
    switch (script.manners().get(place)) {
      case null -> {}
      case THROWS -> throw new IllegalStateException("no room");
      case HANGS -> new CountDownLatch(1).await();
      case IGNORES_ITS_INTERRUPT -> stay();
    }
  }

  private void behaveQuietly(Place place) {
    try {
      behave(place);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void stay() {
    stubborn.add(Thread.currentThread());
    while (over.getCount() > 0) {
      try {
        over.await();
      } catch (InterruptedException e) {
        // so it does
      }
    }
  }

  /// Ends the host; the first time, and once.
  HostReport end() {
    events.close();
    return host.end();
  }

  @Override
  public void close() throws IOException {
    try {
      end();
    } finally {
      over.countDown();
      for (Thread thread : stubborn) {
        joined(thread);
      }
      if (http != null) {
        http.close();
      }
      book.delete();
    }
  }

  private static void joined(Thread thread) {
    try {
      thread.join(PATIENCE);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
