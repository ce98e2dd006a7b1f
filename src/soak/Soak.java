import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Soaks the HTTP front: starts the jar as a user does, lets clients of every kind at it, good ones
/// and bad ones, and looks from outside at what the process holds: descriptors, threads, children,
/// live heap. In the end it must hold what it held in the beginning, by identity, and no more heap.
///
/// ```
/// mvn -q -DskipTests package
/// java src/soak/Soak.java 10        # minutes; a JDK 25 on Linux; all on loopback
/// ```
///
/// Exits with 0 if nothing is left and the heap is flat, else with 1. Stopped by its time.
public final class Soak {
  private static final String TOKEN = "soak";
  private static final int CLIENTS = 3;
  private static final Path JAR = Path.of("target", "mcp-scope.jar").toAbsolutePath();
  private static final String JAVA =
      Path.of(System.getProperty("java.home"), "bin", "java").toString();
  private static final String JCMD =
      Path.of(System.getProperty("java.home"), "bin", "jcmd").toString();

  /// What the clients do; a name, and how often it comes up.
  private enum Deed {
    CALLS(4),
    STREAMED_CALL(3),
    STREAM_LEFT_IN_THE_MIDDLE(1),
    EVENTS(2),
    EVENTS_NOT_READ(1),
    RECONNECT(1),
    CRASH(1),
    BAD_COMMAND(2),
    BAD_JSON(2),
    BAD_TOKEN(2),
    LONG_BODY(1),
    MANY_HEADERS(1),
    HALF_A_REQUEST(2),
    CONNECT_NOT_AWAITED(1);

    final int weight;

    Deed(int weight) {
      this.weight = weight;
    }
  }

  /// A look at the process.
  private record Sample(long atSeconds, double heapMiB, int descriptors, int threads, int children) {}

  private final Process process;
  private final URI front;
  private final Map<String, LongAdder> done = new ConcurrentSkipListMap<>();

  private Soak(Process process, URI front) {
    this.process = process;
    this.front = front;
  }

  public static void main(String[] args) throws Exception {
    Duration time = Duration.ofSeconds(Math.round(60 * Double.parseDouble(args.length == 0 ? "10" : args[0])));
    var builder =
        new ProcessBuilder(
                JAVA, "--enable-preview", "-Xmx256m", "-jar", JAR.toString(),
                "serve", "--port", "0", "--allow", JAVA, "--write-timeout", "2s", "--session-idle", "2s")
            .redirectError(ProcessBuilder.Redirect.to(Path.of("target", "soak.log").toFile()));
    builder.environment().put("MCP_SCOPE_TOKEN", TOKEN);
    Process process = builder.start();
    int status = 1;
    try (var out = new BufferedReader(new InputStreamReader(process.getInputStream()))) {
      String ready = out.readLine();
      if (ready == null || !ready.startsWith("mcp-scope ready ")) {
        throw new IOException("it is not ready: " + ready + "; see target/soak.log");
      }
      URI front = URI.create(ready.substring("mcp-scope ready ".length()).split("/#")[0]);
      status = new Soak(process, front).run(time) ? 0 : 1;
    } finally {
      process.destroy();
      if (!process.waitFor(15, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        status = 1;
      }
      System.out.println("SIGTERM: exit code " + process.exitValue());
    }
    System.exit(status == 0 && process.exitValue() == 0 ? 0 : 1);
  }

  private boolean run(Duration time) throws Exception {
    clients(Duration.ofSeconds(Math.min(30, time.toSeconds()))); // classes, carriers, compilers
    quiet();
    TreeSet<String> before = identities();
    System.out.println("   s   live heap MiB   descriptors   threads   children");
    var samples = new ArrayList<Sample>();
    long begun = System.nanoTime();
    done.clear();
    Sample first = sample(begun);
    try (var workers = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<?> load = workers.submit(() -> clients(time));
      while (!load.isDone()) {
        try {
          load.get(Math.max(5, time.toSeconds() / 20), TimeUnit.SECONDS);
        } catch (java.util.concurrent.TimeoutException _) {
          samples.add(sample(begun));
        }
      }
    }
    quiet();
    Sample last = sample(begun);
    TreeSet<String> left = identities();
    left.removeAll(before);
    System.out.println("done: " + new TreeMap<>(done));
    System.out.println("left: " + (left.isEmpty() ? "nothing" : left));
    left.forEach(this::showSocket);
    return flat(first, samples, last) & left.isEmpty();
  }

  /// What the kernel knows of a socket that is left: its addresses, and its state.
  private void showSocket(String identity) {
    Matcher inode = Pattern.compile("socket:\\[(\\d+)]").matcher(identity);
    for (String table : inode.find() ? List.of("tcp", "tcp6", "unix") : List.<String>of()) {
      try (var lines = Files.lines(Path.of("/proc/" + process.pid() + "/net/" + table))) {
        lines.filter(line -> line.contains(" " + inode.group(1) + " ")).forEach(System.out::println);
      } catch (IOException e) {
        System.out.println(e);
      }
    }
  }

  /// Without load there must not be more live heap after than before, but for a tenth; and under load,
  /// where what is in flight comes and goes, the least of the last third must not be more than the
  /// most of the first.
  private static boolean flat(Sample first, List<Sample> load, Sample last) {
    int third = Math.max(1, load.size() / 3);
    double most = load.subList(0, third).stream().mapToDouble(Sample::heapMiB).max().orElse(0);
    double least = load.subList(load.size() - third, load.size()).stream().mapToDouble(Sample::heapMiB).min().orElse(0);
    System.out.printf(
        "live heap: %.2f MiB before, %.2f MiB after; under load at most %.2f MiB in the first third, at least %.2f in the last%n",
        first.heapMiB(), last.heapMiB(), most, least);
    return last.heapMiB() <= 1.1 * first.heapMiB() && least <= most;
  }

  // The clients.

  private Void clients(Duration time) throws Exception {
    long end = System.nanoTime() + time.toNanos();
    try (var workers = Executors.newVirtualThreadPerTaskExecutor()) {
      var all = new ArrayList<Future<?>>();
      for (int i = 0; i < CLIENTS; i++) {
        int seed = i;
        all.add(workers.submit(() -> client("soak-" + seed, new Random(seed), end)));
      }
      for (Future<?> one : all) {
        one.get();
      }
    }
    return null;
  }

  private Void client(String session, Random random, long end) throws Exception {
    List<Deed> deeds = new ArrayList<>();
    for (Deed deed : Deed.values()) {
      deeds.addAll(java.util.Collections.nCopies(deed.weight, deed));
    }
    while (System.nanoTime() < end) {
      try (var http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()) {
        count("connect " + connect(http, session, "a"));
        for (int i = 0; i < 20 && System.nanoTime() < end; i++) {
          Deed deed = deeds.get(random.nextInt(deeds.size()));
          count(deed + " " + perform(deed, http, session, random));
        }
        if (random.nextBoolean()) {
          count("disconnect " + ask(http, "DELETE", "/mcp", body(session, "a", "")));
        }
        count("end of session " + ask(http, "DELETE", "/sessions/" + session, ""));
      }
    }
    return null;
  }

  private void count(String what) {
    done.computeIfAbsent(what, _ -> new LongAdder()).increment();
  }

  /// Does one thing, and says how it went: a status, or a word.
  private String perform(Deed deed, HttpClient http, String session, Random random) throws Exception {
    switch (deed) {
      case CALLS -> {
        String status = "";
        for (int i = 0; i < 50; i++) {
          String arguments = "\"tool\": \"echo\", \"arguments\": {\"message\": \"" + "x".repeat(random.nextInt(2_000)) + "\"}";
          status = ask(http, "POST", "/mcp/call", body(session, "a", arguments));
        }
        return status;
      }
      case STREAMED_CALL -> {
        return streamed(http, session, "/mcp/call", body(session, "a", SLOW), 100);
      }
      case STREAM_LEFT_IN_THE_MIDDLE -> {
        return streamed(http, session, "/mcp/call", body(session, "a", SLOW), 3);
      }
      case EVENTS -> {
        return streamed(http, session, "/mcp/events?sessionId=" + session, null, 1);
      }
      case EVENTS_NOT_READ -> {
        try (var socket = socket()) {
          send(socket, "GET /mcp/events?sessionId=" + session + " HTTP/1.1\r\n" + HEAD + "\r\n");
          return socket.getInputStream().read() >= 0 ? "begun" : "refused";
        }
      }
      case RECONNECT -> {
        return connect(http, session, "a");
      }
      case CRASH -> {
        String crashed = ask(http, "POST", "/mcp/call", body(session, "a", "\"tool\": \"crash\""));
        return crashed + ", then " + connect(http, session, "a");
      }
      case BAD_COMMAND -> {
        String command = body(session, "a", "\"clientType\": \"stdio\", \"fullCommand\": \"sh -c true\"");
        return ask(http, "POST", "/mcp", command);
      }
      case BAD_JSON -> {
        return ask(http, "POST", "/mcp", random.nextBoolean() ? "{" : "[".repeat(300));
      }
      case BAD_TOKEN -> {
        var request = HttpRequest.newBuilder(front.resolve("/mcp?sessionId=x")).header("Authorization", "Bearer no");
        return http.send(request.build(), HttpResponse.BodyHandlers.ofString()).statusCode() + "";
      }
      case LONG_BODY -> {
        return ask(http, "POST", "/mcp", "{\"x\": \"" + "x".repeat(2 << 20) + "\"}");
      }
      case MANY_HEADERS -> {
        try (var socket = socket()) {
          send(socket, "GET /mcp?sessionId=x HTTP/1.1\r\n" + HEAD + "X-Many: 1\r\n".repeat(300) + "\r\n");
          return answer(socket);
        }
      }
      case HALF_A_REQUEST -> {
        try (var socket = socket()) {
          send(socket, "POST /mcp HTTP/1.1\r\n" + HEAD + "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"ses");
          return "left";
        }
      }
      case CONNECT_NOT_AWAITED -> {
        String json = connectBody(session, "b" + random.nextInt(3));
        try (var socket = socket()) {
          send(socket, "POST /mcp HTTP/1.1\r\n" + HEAD + "Content-Type: application/json\r\nContent-Length: " + json.length() + "\r\n\r\n" + json);
          return "left";
        }
      }
    }
    throw new AssertionError(deed);
  }

  private static final String SLOW = "\"tool\": \"slow\", \"arguments\": {\"steps\": 5, \"stepMs\": 10}";
  private static final String HEAD = "Host: localhost:%d\r\nAuthorization: Bearer " + TOKEN + "\r\n";

  private Socket socket() throws IOException {
    var socket = new Socket();
    socket.connect(new InetSocketAddress("127.0.0.1", front.getPort()), 5_000);
    socket.setSoTimeout(10_000);
    return socket;
  }

  private void send(Socket socket, String request) throws IOException {
    OutputStream out = socket.getOutputStream();
    out.write(request.replace("%d", front.getPort() + "").getBytes(StandardCharsets.UTF_8));
    out.flush();
  }

  private static String answer(Socket socket) {
    try {
      byte[] line = socket.getInputStream().readNBytes("HTTP/1.1 431".length());
      String text = new String(line, StandardCharsets.UTF_8);
      return text.length() < 12 ? "cut off" : text.substring(9);
    } catch (IOException e) {
      return "cut off";
    }
  }

  private String connect(HttpClient http, String session, String name) throws Exception {
    return ask(http, "POST", "/mcp", connectBody(session, name));
  }

  private static String connectBody(String session, String name) {
    String command = JAVA + " --enable-preview -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx64m -cp " + JAR + " dev.mcpscope.Main demo-server";
    return body(session, name, "\"clientType\": \"stdio\", \"fullCommand\": \"" + command + "\"");
  }

  private static String body(String session, String name, String more) {
    return "{\"sessionId\": \"" + session + "\", \"name\": \"" + name + "\"" + (more.isEmpty() ? "" : ", " + more) + "}";
  }

  private HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(front.resolve(path))
        .timeout(Duration.ofSeconds(60))
        .header("Authorization", "Bearer " + TOKEN)
        .header("Content-Type", "application/json");
  }

  private String ask(HttpClient http, String method, String path, String body) throws Exception {
    var publisher = body.isEmpty() ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(body);
    try {
      return http.send(request(path).method(method, publisher).build(), HttpResponse.BodyHandlers.ofString()).statusCode() + "";
    } catch (IOException e) {
      return e.getClass().getSimpleName();
    }
  }

  /// Reads so many lines of a stream, and leaves it.
  private String streamed(HttpClient http, String session, String path, String body, int lines) throws Exception {
    var builder = request(path).header("Accept", "text/event-stream");
    HttpRequest request = (body == null ? builder.GET() : builder.POST(HttpRequest.BodyPublishers.ofString(body))).build();
    HttpResponse<InputStream> response = http.send(request, HttpResponse.BodyHandlers.ofInputStream());
    try (var reader = new BufferedReader(new InputStreamReader(response.body()))) {
      for (int i = 0; i < lines && reader.readLine() != null; i++) {}
    } catch (IOException _) {
      // left
    }
    return response.statusCode() + "";
  }

  // The process, from outside.

  /// Waits until no session is left and every connection of a client is closed.
  private void quiet() throws Exception {
    for (int i = 0; i < 120; i++) {
      try (var http = HttpClient.newHttpClient()) {
        String scopes = http.send(request("/scopes").build(), HttpResponse.BodyHandlers.ofString()).body();
        if (!scopes.contains("session/") && children() == 0) {
          break;
        }
      }
      Thread.sleep(500);
    }
    Thread.sleep(45_000); // the JDK's server closes a connection that is idle after 30 to 40 s
  }

  private Sample sample(long begun) throws Exception {
    jcmd("GC.run");
    Matcher used = Pattern.compile("used (\\d+)K").matcher(jcmd("GC.heap_info"));
    double heap = used.find() ? Long.parseLong(used.group(1)) / 1024.0 : Double.NaN;
    int threads = Path.of("/proc/" + process.pid() + "/task").toFile().list().length;
    var sample = new Sample((System.nanoTime() - begun) / 1_000_000_000, heap, descriptors().size(), threads, children());
    System.out.printf("%4d %15.2f %13d %9d %10d%n", sample.atSeconds(), heap, sample.descriptors(), threads, sample.children());
    return sample;
  }

  private int children() {
    return (int) process.children().count();
  }

  private List<String> descriptors() throws IOException {
    var targets = new ArrayList<String>();
    try (var fds = Files.list(Path.of("/proc/" + process.pid() + "/fd"))) {
      for (Path fd : fds.toList()) {
        try {
          targets.add(Files.readSymbolicLink(fd).toString());
        } catch (IOException _) {
          // closed meanwhile
        }
      }
    }
    return targets;
  }

  /// Descriptors by what they lead to, children by pid, threads by id and name. What the JVM itself
  /// starts and ends as it likes (compilers, collectors, carriers of virtual threads) is left out.
  private TreeSet<String> identities() throws Exception {
    var identities = new TreeSet<String>();
    Path dump = Files.createTempDirectory("soak").resolve("threads.json");
    jcmd("Thread.dump_to_file", "-format=json", dump.toString()); // opens a socket of its own, once
    descriptors().forEach(target -> identities.add("descriptor " + target));
    process.descendants().forEach(child -> identities.add("process " + child.pid()));
    Matcher thread = Pattern.compile("\"tid\": \"?(\\d+)\"?,.*?\"name\": \"([^\"]*)\"", Pattern.DOTALL).matcher(Files.readString(dump));
    while (thread.find()) {
      if (!thread.group(2).matches("ForkJoinPool.*|VirtualThread-unblocker|.*Compiler.*|Attach Listener|process reaper.*|Cleaner.*|Keep-Alive.*")) {
        identities.add("thread " + thread.group(1) + " " + thread.group(2));
      }
    }
    return identities;
  }

  private String jcmd(String... words) throws Exception {
    var command = new ArrayList<>(List.of(JCMD, process.pid() + ""));
    command.addAll(List.of(words));
    Process jcmd = new ProcessBuilder(command).redirectErrorStream(true).start();
    String out = new String(jcmd.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    jcmd.waitFor();
    return out;
  }
}
