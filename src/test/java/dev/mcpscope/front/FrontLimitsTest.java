package dev.mcpscope.front;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.demo.Inventory;
import dev.mcpscope.demo.Leftovers;
import dev.mcpscope.host.HostListener;
import dev.mcpscope.host.HostOptions;
import dev.mcpscope.host.McpHost;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// What clients can do to the front that no proper HTTP client does, over plain sockets. After each
/// of them the next client is served as if nothing had been.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FrontLimitsTest {

  private static final String TOKEN = "the-token";
  private static final String AUTHORIZED = "Authorization: Bearer " + TOKEN + "\r\n";
  private static final String JSON = "Content-Type: application/json\r\n";

  private static Front.Options options() {
    return new Front.Options("127.0.0.1", 0, TOKEN, List.of(), Map.of());
  }

  // Requests as bytes; `HOST` is where the front listens.

  private static Socket connected(int port, String begin) throws IOException {
    var socket = new Socket(InetAddress.getLoopbackAddress(), port);
    socket.setSoTimeout(20_000); // longer than anything here may take
    byte[] bytes = begin.replace("HOST", "127.0.0.1:" + port).getBytes(ISO_8859_1);
    try {
      socket.getOutputStream().write(bytes);
    } catch (IOException _) {
      // reset, by who has read enough of it; what it has answered is still to be looked at
    }
    return socket;
  }

  /// Returns what comes until the server closes; who has not read all of a request may reset it.
  private static String rest(Socket socket) throws IOException {
    var answer = new ByteArrayOutputStream();
    try {
      socket.getInputStream().transferTo(answer);
    } catch (SocketTimeoutException e) {
      throw new AssertionError("still open after " + answer, e);
    } catch (IOException _) {
      // reset
    }
    return answer.toString(UTF_8);
  }

  private static String raw(int port, String request) throws IOException {
    try (Socket socket = connected(port, request)) {
      return rest(socket);
    }
  }

  private static String get(String headers) {
    return "GET /scopes HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n"
        + AUTHORIZED
        + headers
        + "\r\n";
  }

  private static String post(String headers, String body) {
    return "POST /mcp HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n"
        + AUTHORIZED
        + JSON
        + headers
        + "\r\n"
        + body;
  }

  private static String chunked(String body) {
    return post("Transfer-Encoding: chunked\r\n", body);
  }

  private static void nextIsServed(int port) throws IOException {
    assertThat(raw(port, get(""))).startsWith("HTTP/1.1 200 ").contains("\"scopes\":");
  }

  private static String manyHeaders(String name, int count) {
    return IntStream.range(0, count)
        .mapToObj(i -> name.formatted(i) + ": v\r\n")
        .collect(Collectors.joining());
  }

  // What is answered.

  /// A request, and what its answer begins with and contains; both empty if it is closed without.
  private record Case(String name, String request, String status, String part) {}

  private static Case ours(String name, String request, int status, String detail) {
    return new Case(name, request, "HTTP/1.1 " + status + " ", "{\"detail\":\"" + detail);
  }

  /// What the JDK's server answers by itself, and closes the connection.
  private static Case jdks(String name, String request, int status, String text) {
    return new Case(name, request, "HTTP/1.1 " + status + " ", "<h1>" + status + " " + text);
  }

  private static Case closed(String name, String request) {
    return new Case(name, request, "", "");
  }

  private static List<Case> cases() {
    String target = "GET /%s HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n";
    String smuggled = "the Host header must be one of";
    String unreadable = "the body cannot be read: invalid chunk ";
    return List.of(
        // Too much of something.
        ours(
            "target",
            target.formatted("x".repeat(8192)),
            414,
            "the request target is longer than 8192"),
        ours("target of 100 KB", target.formatted("x".repeat(100_000)), 414, "the request target"),
        closed("target of 500 KB", target.formatted("x".repeat(500_000))),
        ours("headers", get(manyHeaders("X-%d", 98)), 431, "the request has more than 100 headers"),
        ours("300 headers", get(manyHeaders("X-%d", 300)), 431, "the request has more than 100"),
        ours(
            "300 headers of one name",
            get(manyHeaders("X", 300)),
            431,
            "the request has more than"),
        closed("600 headers", get(manyHeaders("X-%d", 600))),
        ours(
            "a long header",
            get("X: " + "v".repeat(65_500) + "\r\n"),
            431,
            "the headers are longer than 65536"),
        ours(
            "a header of 100 KB",
            get("X: " + "v".repeat(100_000) + "\r\n"),
            431,
            "the headers are"),
        closed("a header of 500 KB", get("X: " + "v".repeat(500_000) + "\r\n")),
        ours(
            "method",
            "G".repeat(9000)
                + " /scopes HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n"
                + AUTHORIZED
                + "\r\n",
            405,
            "'/scopes' takes GET, not 'GGG"),
        // Headers that are none, or more than one.
        ours("NUL in a value", get("X: a\0b\r\n"), 400, "the header 'X' holds a control character"),
        ours(
            "escape in a value",
            get("X: a\u001b[2J\r\n"),
            400,
            "the header 'X' holds a control character"),
        jdks("NUL in a name", get("X\0: y\r\n"), 400, "Bad Request"),
        jdks("CR in a value", get("X: a\rb\r\n"), 400, "Bad Request"),
        ours(
            "header after a bare CR",
            get("X: a\rOrigin: http://evil.example\r\n"),
            403,
            "requests from another origin"),
        ours(
            "header after a bare LF",
            get("X: a\nOrigin: http://evil.example\r\n"),
            403,
            "requests from another origin"),
        jdks("no colon", get("X\r\n"), 400, "Bad Request"),
        jdks("blank before the colon", get("Content-Length : 5\r\n"), 400, "Bad Request"),
        // Lengths.
        jdks("negative length", post("Content-Length: -1\r\n", ""), 400, "Bad Request"),
        jdks("length in words", post("Content-Length: two\r\n", "{}"), 400, "Bad Request"),
        jdks(
            "length beyond 64 bits",
            post("Content-Length: 99999999999999999999\r\n", "{}"),
            400,
            "Bad Request"),
        jdks(
            "two lengths",
            post("Content-Length: 2\r\nContent-Length: 2\r\n", "{}"),
            400,
            "Bad Request"),
        jdks("list of lengths", post("Content-Length: 2, 2\r\n", "{}"), 400, "Bad Request"),
        ours(
            "length with a sign",
            post("Content-Length: +2\r\n", "{}"),
            400,
            "Content-Length must be a number"),
        jdks(
            "length and chunks",
            post("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
            400,
            "Bad Request"),
        jdks(
            "chunks twice",
            post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
            501,
            "Not Implemented"),
        jdks(
            "other encoding",
            post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
            501,
            "Not Implemented"),
        // Chunks.
        ours("chunk without length", chunked("xyz\r\n{}\r\n0\r\n\r\n"), 400, unreadable + "length"),
        ours(
            "chunk of negative length",
            chunked("-2\r\n{}\r\n0\r\n\r\n"),
            400,
            unreadable + "length"),
        ours("chunk of 2 GiB", chunked("80000000\r\n{}\r\n0\r\n\r\n"), 400, unreadable + "length"),
        ours("chunk of 4 GiB", chunked("ffffffff\r\n{}\r\n0\r\n\r\n"), 400, unreadable + "length"),
        ours("chunk longer than said", chunked("2\r\n{}}\r\n0\r\n\r\n"), 400, unreadable + "end"),
        ours(
            "chunk with a long extension",
            chunked("2;" + "x".repeat(3000) + "\r\n{}\r\n0\r\n\r\n"),
            400,
            unreadable + "header"),
        ours("trailer", chunked("2\r\n{}\r\n0\r\nX: y\r\n\r\n"), 400, unreadable + "end"),
        ours(
            "bad chunks of a stranger",
            chunked("ffffffff\r\n{}\r\n").replace(TOKEN, "other"),
            401,
            "the header 'Authorization"),
        // Lines that are no requests, or not for us.
        jdks("no version", "GET /scopes\r\n\r\n", 400, "Bad Request"),
        jdks(
            "TLS",
            "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003\r\n\r\n",
            400,
            "Bad Request"),
        jdks("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404, "Not Found"),
        jdks(
            "NUL in the target",
            "GET /sc\0opes HTTP/1.1\r\nHost: HOST\r\n\r\n",
            400,
            "Bad Request"),
        closed("mailto", "GET mailto:x HTTP/1.1\r\nHost: HOST\r\n\r\n"),
        ours(
            "another's URL",
            get("").replace("/scopes", "http://evil.example/scopes"),
            403,
            smuggled),
        ours("HTTP/1.0 without host", "GET /health HTTP/1.0\r\n\r\n", 403, smuggled));
  }

  /// In a JVM of its own, where no other test has used the JDK's server before with other limits.
  @Test
  void whatNoProperClientSendsIsRefusedAndTheNextIsServed() throws Exception {
    try (var alone = new Alone()) {
      for (Case given : cases()) {
        String answer = raw(alone.port, given.request);
        if (given.status.isEmpty()) {
          assertThat(answer).as(given.name).isEmpty();
        } else {
          assertThat(answer).as(given.name).startsWith(given.status).contains(given.part);
        }
        if (given.part.startsWith("{")) {
          String head = answer.substring(0, answer.indexOf("\r\n\r\n")).toLowerCase(Locale.ROOT);
          assertThat(head.lines())
              .as(given.name)
              .contains(
                  "content-type: application/json",
                  "cache-control: no-store",
                  "x-content-type-options: nosniff");
        }
        nextIsServed(alone.port);
      }
      assertThat(alone.ask("left")).isEmpty();
    }
  }

  @Test
  void requestsUpToTheLimitsAreServed() throws Exception {
    var limits = Front.Limits.defaults().withHead(300, 20, 4096).withBody(2000);
    NothingLeft.after(() -> {
      try (var host = McpHost.open(HostOptions.defaults(), new HostListener() {});
          var front = Front.open(options().withLimits(limits), host)) {
        int port = front.uri().getPort();
        String target = "/scopes?" + "x".repeat(300 - "/scopes?".length());
        assertThat(raw(port, get("").replace("/scopes", target))).startsWith("HTTP/1.1 200 ");
        assertThat(raw(port, get("").replace("/scopes", target + "x"))).startsWith("HTTP/1.1 414 ");

        assertThat(raw(port, get(manyHeaders("X", 17)))).startsWith("HTTP/1.1 200 ");
        assertThat(raw(port, get(manyHeaders("X", 18)))).startsWith("HTTP/1.1 431 ");

        String given = "Host: 127.0.0.1:" + port + "\r\nConnection: close\r\n" + AUTHORIZED;
        String rest = "X: " + "v".repeat(4096 - given.length() - "X: \r\n".length()) + "\r\n";
        assertThat(raw(port, get(rest))).startsWith("HTTP/1.1 200 ");
        assertThat(raw(port, get(rest.replace("X:", "XY:")))).startsWith("HTTP/1.1 431 ");

        String body = "{\"sessionId\":\"" + " ".repeat(2000 - 16) + "\"}";
        assertThat(raw(port, post("Content-Length: 2000\r\n", body)))
            .contains("sessionId must not be empty");
        assertThat(raw(port, post("Content-Length: 2001\r\n", body + " ")))
            .startsWith("HTTP/1.1 413 ")
            .contains("the body is longer than 2000 bytes");
      }
    });
  }

  @Test
  void lengthOfZeroIsNoBody() throws Exception {
    NothingLeft.after(() -> {
      try (var host = McpHost.open(HostOptions.defaults(), new HostListener() {});
          var front = Front.open(options(), host)) {
        int port = front.uri().getPort();
        assertThat(raw(port, get("Content-Length: 0\r\n"))).startsWith("HTTP/1.1 200 ");
        assertThat(raw(port, get("Content-Length: 000\r\n"))).startsWith("HTTP/1.1 200 ");
      }
    });
  }

  /// Else what is left of it would be read as the next request.
  @Test
  void connectionWhoseBodyCannotBeReadIsClosed() throws Exception {
    NothingLeft.after(() -> {
      try (var host = McpHost.open(HostOptions.defaults(), new HostListener() {});
          var front = Front.open(options(), host)) {
        String smuggled = get("");
        String request =
            chunked("0\r\nX" + smuggled)
                .replace("Connection: close\r\n", "")
                .replace(TOKEN, "other");
        assertThat(raw(front.uri().getPort(), request))
            .startsWith("HTTP/1.1 401 ")
            .containsIgnoringCase("\r\nConnection: close\r\n")
            .containsOnlyOnce("HTTP/1.1 ");
      }
    });
  }

  @Test
  void theJdksOwnLimitsAreSetUnlessTheOperatorHas() throws Exception {
    try (var alone = new Alone("-Djdk.httpserver.maxConnections=77")) {
      assertThat(alone.ask("property sun.net.httpserver.maxReqTime")).isEqualTo("30");
      assertThat(alone.ask("property sun.net.httpserver.maxRspTime")).isEqualTo("null");
      assertThat(alone.ask("property jdk.httpserver.maxConnections")).isEqualTo("77");
    }
    try (var alone = new Alone()) {
      assertThat(alone.ask("property jdk.httpserver.maxConnections")).isEqualTo("1024");
      nextIsServed(alone.port);
    }
  }

  // Who sends slowly, or breaks off.

  @Test
  void slowSendersAreCutOffAndNothingOfThemIsLeft() throws Exception {
    String head = post("Content-Length: 100\r\n", "");
    List<String> begins =
        List.of(
            "",
            "GET /sco",
            "GET /scopes HTTP/1.1\r\n",
            "GET /scopes HTTP/1.1\r\nHost: HO",
            "GET /scopes HTTP/1.1\n\n",
            head,
            head + "{\"sessionId\": ",
            chunked("5\r\n{\"ses"),
            chunked("5\r\n{\"ses").replace(TOKEN, "other"), // refused, and drained
            get("").replace("Connection: close\r\n", "") + "GET /sco");
    try (var alone =
        new Alone("-Dsun.net.httpserver.maxReqTime=1", "-Dsun.net.httpserver.clockTick=200")) {
      var sockets = new ArrayList<Socket>();
      for (String begin : begins) {
        sockets.add(connected(alone.port, begin));
      }
      for (int i = 0; i < begins.size(); i++) {
        try (Socket socket = sockets.get(i)) {
          assertThat(rest(socket)).as(begins.get(i)).doesNotContain("HTTP/1.1 500");
        }
      }
      assertThat(alone.ask("left")).isEmpty();
      nextIsServed(alone.port);
    }
  }

  /// The JDK's server counts a connection until its handler has thrown, or the answer is complete.
  @Test
  void clientsThatBreakOffTakeNobodysPlace() throws Exception {
    try (var alone = new Alone("-Djdk.httpserver.maxConnections=4")) {
      for (int i = 0; i < 12; i++) {
        try (Socket socket = connected(alone.port, post("Content-Length: 100\r\n", "{"))) {
          socket.setSoLinger(true, 0); // a reset, in the middle of the body
        }
      }
      assertThat(alone.ask("left")).isEmpty();
      nextIsServed(alone.port);
    }
  }

  @Test
  void connectionsOverTheLimitAreClosedAtOnce() throws Exception {
    try (var alone = new Alone("-Djdk.httpserver.maxConnections=4")) {
      var sockets = new ArrayList<Socket>();
      for (int i = 0; i < 4; i++) {
        sockets.add(connected(alone.port, ""));
      }
      assertThat(raw(alone.port, get(""))).isEmpty();
      for (Socket socket : sockets) {
        socket.close();
      }
      assertThat(alone.ask("left")).isEmpty();
      nextIsServed(alone.port);
    }
  }

  /// A front in a JVM of its own: the JDK's server reads its properties once. Its stdin takes
  /// questions, its stdout answers.
  static final class Alone implements AutoCloseable {
    private final Process process;
    private final PrintWriter questions;
    private final BufferedReader answers;
    final int port;

    Alone(String... properties) throws IOException {
      var command = new ArrayList<String>();
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      command.addAll(List.of("--enable-preview", "-XX:TieredStopAtLevel=1"));
      command.addAll(List.of(properties));
      String classes =
          Stream.of(
                  System.getProperty("jdk.module.path", ""), System.getProperty("java.class.path"))
              .filter(path -> !path.isEmpty())
              .collect(Collectors.joining(File.pathSeparator));
      command.addAll(List.of("-cp", classes, Alone.class.getName()));
      process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
      questions = new PrintWriter(process.outputWriter(UTF_8), true);
      answers = process.inputReader(UTF_8);
      port = Integer.parseInt(answers.readLine());
      nextIsServed(port); // what the server opens once is there now
      assertThat(ask("remember")).isEqualTo("yes");
    }

    String ask(String question) throws IOException {
      questions.println(question);
      return answers.readLine();
    }

    @Override
    public void close() throws IOException {
      process.destroyForcibly();
      process.onExit().join();
      questions.close();
      answers.close();
    }

    public static void main(String[] args) throws Exception {
      var questions = new BufferedReader(new InputStreamReader(System.in, UTF_8));
      Inventory before = null;
      try (var host = McpHost.open(HostOptions.defaults(), new HostListener() {});
          var front = Front.open(options(), host)) {
        System.out.println(front.uri().getPort());
        for (String line; (line = questions.readLine()) != null; ) {
          String[] words = line.split(" ");
          System.out.println(
              switch (words[0]) {
                case "remember" -> {
                  before = Inventory.take();
                  yield "yes";
                }
                case "left" -> left(before);
                default -> System.getProperty(words[1]);
              });
        }
      }
    }

    /// Looks again for a while: the JDK's dispatcher closes what is over in its own time.
    private static String left(Inventory before) throws IOException {
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
      Leftovers left = Leftovers.since(before);
      while (!left.isEmpty() && System.nanoTime() < end) {
        left = Leftovers.since(before);
      }
      return String.join("; ", left.lines());
    }
  }
}
