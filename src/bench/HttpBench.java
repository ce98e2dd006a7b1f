import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.management.OperatingSystemMXBean;
import dev.mcpscope.client.McpClient;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.host.HostEvent;
import dev.mcpscope.host.HostListener;
import dev.mcpscope.host.HostOptions;
import dev.mcpscope.host.McpHost;
import java.io.BufferedInputStream;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/// What connections over HTTP cost: many of them with an open stream, calls one after the other and
/// at once, connects and closes.
///
/// ```
/// mvn -q -DskipTests package
/// java --enable-preview -cp target/mcp-scope.jar src/bench/HttpBench.java 2000    # connections
/// ```
///
/// The server is this file again, in a process of its own: as little of one as there can be, with
/// JSON answers and a stream that says nothing until it is told to. On Linux; all on loopback.
public final class HttpBench {
  private static final OperatingSystemMXBean OS =
      (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

  private HttpBench() {}

  /// Measures, or serves.
  public static void main(String[] args) throws Exception {
    if (args[0].equals("server")) {
      new Server().run();
      return;
    }
    int connections = Integer.parseInt(args[0]);
    Process server =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-preview",
                "-cp",
                System.getProperty("java.class.path"),
                Path.of("src", "bench", "HttpBench.java").toString(),
                "server")
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try (var out = new BufferedReader(new InputStreamReader(server.getInputStream(), UTF_8))) {
      String url = out.readLine();
      calls(url);
      cycles(url);
      streams(url, connections, server.getOutputStream());
    } finally {
      server.destroyForcibly();
    }
  }

  // Calls.

  private static void calls(String url) throws Exception {
    try (var executor = Executors.newVirtualThreadPerTaskExecutor();
        var http =
            HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .executor(executor)
                .build()) {
      HttpRequest ping =
          HttpRequest.newBuilder(URI.create(url))
              .header("Content-Type", "application/json")
              .header("Accept", "application/json, text/event-stream")
              .POST(
                  HttpRequest.BodyPublishers.ofString(
                      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"))
              .build();
      measure("bare HttpClient", () -> http.send(ping, HttpResponse.BodyHandlers.ofByteArray()));
    }
    try (McpClient client = McpClient.open(ServerSpec.http(url))) {
      measure("McpClient", () -> {
        client.ping();
        return null;
      });
    }
  }

  private static void measure(String who, Callable<?> call) throws Exception {
    for (int i = 0; i < 20_000; i++) {
      call.call();
    }
    int calls = 20_000;
    var nanos = new long[calls];
    long cpu = OS.getProcessCpuTime();
    for (int i = 0; i < calls; i++) {
      long begun = System.nanoTime();
      call.call();
      nanos[i] = System.nanoTime() - begun;
    }
    cpu = OS.getProcessCpuTime() - cpu;
    Arrays.sort(nanos);
    say("%s, one after the other: p50 %d us, p99 %d us, %d us of CPU a call", who,
        nanos[calls / 2] / 1_000, nanos[calls * 99 / 100] / 1_000, cpu / calls / 1_000);
    int callers = 64;
    int each = 1_000;
    atOnce(call, callers, each);
    long begun = System.nanoTime();
    cpu = OS.getProcessCpuTime();
    long[] all = atOnce(call, callers, each);
    double seconds = (System.nanoTime() - begun) / 1e9;
    cpu = OS.getProcessCpuTime() - cpu;
    Arrays.sort(all);
    say("%s, 64 callers: %d calls/s, p50 %d us, p99 %d us, %d us of CPU a call", who,
        (long) (all.length / seconds), all[all.length / 2] / 1_000,
        all[all.length * 99 / 100] / 1_000, cpu / all.length / 1_000);
  }

  private static long[] atOnce(Callable<?> call, int callers, int each) throws Exception {
    var all = new long[callers * each];
    try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      var done = new ArrayList<Future<?>>();
      for (int caller = 0; caller < callers; caller++) {
        int from = caller * each;
        done.add(threads.submit(() -> {
          for (int i = from; i < from + each; i++) {
            long begun = System.nanoTime();
            call.call();
            all[i] = System.nanoTime() - begun;
          }
          return null;
        }));
      }
      for (Future<?> one : done) {
        one.get();
      }
    }
    return all;
  }

  // Connects and closes.

  private static void cycles(String url) throws Exception {
    try (var host = McpHost.open(HostOptions.defaults(), new HostListener() {})) {
      for (int round = 0; round < 2; round++) {
        int cycles = round == 0 ? 1_000 : 3_000;
        long begun = System.nanoTime();
        long cpu = OS.getProcessCpuTime();
        for (int i = 0; i < cycles; i++) {
          host.connect("s", "c", ServerSpec.http(url));
          host.disconnect("s", "c");
        }
        if (round == 1) {
          say("connect and close: %d/s, %d us of CPU each",
              (long) (cycles / ((System.nanoTime() - begun) / 1e9)),
              (OS.getProcessCpuTime() - cpu) / cycles / 1_000);
        }
      }
    }
  }

  // Streams.

  private static void streams(String url, int connections, OutputStream toServer)
      throws Exception {
    HostOptions options = HostOptions.defaults().withLimits(connections, 2 * connections, 64);
    var counted = new AtomicReference<>(new CountDownLatch(0));
    var listener =
        new HostListener() {
          @Override
          public void event(HostEvent event) {
            switch (event) {
              case HostEvent.Told _ -> counted.get().countDown();
              case HostEvent.Dropped(long count) -> { // more at once than wait for a listener
                for (long i = 0; i < count; i++) {
                  counted.get().countDown();
                }
              }
              case HostEvent.Changed _ -> {}
            }
          }
        };
    var host = McpHost.open(options, listener);
    host.connect("warm", "up", ServerSpec.http(url));
    host.endSession("warm");
    Held before = Held.now();
    long begun = System.nanoTime();
    try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      var done = new ArrayList<Future<?>>();
      for (int i = 0; i < connections; i++) {
        String session = "s" + i / 50;
        String name = "c" + i;
        done.add(threads.submit(() -> host.connect(session, name, ServerSpec.http(url))));
      }
      for (Future<?> one : done) {
        one.get();
      }
    }
    say("%d connections with a stream each: opened in %d ms", connections, millis(begun));
    Held open = Held.now();
    say("each: %.1f KiB of live heap, %.1f KiB of resident memory; platform threads %d before, %d"
            + " with them; %d sockets",
        (open.heap - before.heap) / 1024.0 / connections,
        (open.resident - before.resident) / 1024.0 / connections,
        before.threads, open.threads, open.sockets - before.sockets);
    new CountDownLatch(1).await(5, TimeUnit.SECONDS); // what the compilers have yet to do
    long cpu = OS.getProcessCpuTime();
    new CountDownLatch(1).await(10, TimeUnit.SECONDS);
    say("idle for 10 s: %d ms of CPU", (OS.getProcessCpuTime() - cpu) / 1_000_000);
    begun = System.nanoTime();
    cpu = OS.getProcessCpuTime();
    var told = new CountDownLatch(connections);
    counted.set(told);
    toServer.write('\n'); // one event to each
    toServer.flush();
    boolean all = told.await(30, TimeUnit.SECONDS);
    say("an event to each: %s in %d ms, %d us of CPU each", all ? "heard" : "NOT HEARD",
        millis(begun), (OS.getProcessCpuTime() - cpu) / connections / 1_000);
    begun = System.nanoTime();
    var report = host.end();
    say("the host has ended them all in %d ms; still there: %s", millis(begun), report.unfinished());
    Held after = Held.now();
    say("left: platform threads %d before, %d after; sockets %d before, %d after", before.threads,
        after.threads, before.sockets, after.sockets);
  }

  /// What this process holds.
  private record Held(long heap, long resident, int threads, int sockets) {
    static Held now() throws IOException, InterruptedException {
      for (int i = 0; i < 3; i++) {
        System.gc();
        Thread.onSpinWait();
      }
      long heap = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
      String status = Files.readString(Path.of("/proc/self/status"));
      long resident = Long.parseLong(status.replaceAll("(?s).*VmRSS:\\s+(\\d+) kB.*", "$1")) * 1024;
      int sockets = 0;
      try (var descriptors = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
        for (Path one : descriptors) {
          try {
            sockets += Files.readSymbolicLink(one).toString().startsWith("socket:") ? 1 : 0;
          } catch (IOException _) {
            // closed meanwhile
          }
        }
      }
      return new Held(
          heap, resident, ManagementFactory.getThreadMXBean().getThreadCount(), sockets);
    }
  }

  private static long millis(long since) {
    return Duration.ofNanos(System.nanoTime() - since).toMillis();
  }

  private static void say(String text, Object... values) {
    System.out.println(text.formatted(values));
  }

  // The server.

  private static final class Server {
    private final List<OutputStream> streams = new ArrayList<>(); // guarded by this

    void run() throws IOException {
      var socket = new ServerSocket(0, 4_096, InetAddress.ofLiteral("127.0.0.1"));
      System.out.println("http://127.0.0.1:" + socket.getLocalPort() + "/mcp");
      Thread.ofVirtual().start(() -> {
        while (true) {
          try {
            Socket accepted = socket.accept();
            accepted.setTcpNoDelay(true);
            Thread.ofVirtual().start(() -> serve(accepted));
          } catch (IOException e) {
            return;
          }
        }
      });
      while (System.in.read() >= 0) {
        tellAll();
      }
      System.exit(0);
    }

    private synchronized void tellAll() throws IOException {
      for (OutputStream stream : streams) {
        try {
          stream.write(
              chunk("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\","
                  + "\"params\":{\"level\":\"info\",\"data\":1}}\n\n"));
          stream.flush();
        } catch (IOException _) {
          // that one has gone
        }
      }
    }

    private static byte[] chunk(String text) {
      return "%x\r\n%s\r\n".formatted(text.length(), text).getBytes(ISO_8859_1);
    }

    private void serve(Socket socket) {
      try (socket) {
        var in = new BufferedInputStream(socket.getInputStream());
        OutputStream out = socket.getOutputStream();
        for (String head; (head = head(in)) != null; ) {
          String body = new String(in.readNBytes(length(head)), UTF_8);
          if (head.startsWith("GET")) {
            out.write(
                ("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                        + "Transfer-Encoding: chunked\r\n\r\n")
                    .getBytes(ISO_8859_1));
            out.flush();
            synchronized (this) {
              streams.add(out);
            }
          } else {
            out.write(answer(head, body));
            out.flush();
          }
        }
      } catch (IOException _) {
        // the client has gone
      }
    }

    private static String head(InputStream in) throws IOException {
      var head = new StringBuilder();
      for (int b; head.indexOf("\r\n\r\n", Math.max(0, head.length() - 4)) < 0; ) {
        if ((b = in.read()) < 0) {
          return null;
        }
        head.append((char) b);
      }
      return head.toString();
    }

    private static int length(String head) {
      int at = head.toLowerCase().indexOf("content-length: ");
      return at < 0 ? 0 : Integer.parseInt(head.substring(at + 16, head.indexOf('\r', at)));
    }

    private static byte[] answer(String head, String body) {
      int id = body.indexOf("\"id\":");
      if (!head.startsWith("POST") || id < 0) {
        return "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".getBytes(ISO_8859_1);
      }
      String number = body.substring(id + 5).replaceAll("(?s)[^0-9].*", "");
      String result =
          body.contains("\"initialize\"")
              ? "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"logging\":{}},"
                  + "\"serverInfo\":{\"name\":\"bench\",\"version\":\"1\"}}"
              : "{}";
      String json = "{\"jsonrpc\":\"2.0\",\"id\":" + number + ",\"result\":" + result + "}";
      return ("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMcp-Session-Id: "
              + Integer.toHexString(body.hashCode())
              + "\r\nContent-Length: "
              + json.length()
              + "\r\n\r\n"
              + json)
          .getBytes(ISO_8859_1);
    }
  }
}
