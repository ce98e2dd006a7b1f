package dev.mcpscope.front;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import dev.mcpscope.NothingLeft;
import dev.mcpscope.demo.Inventory;
import dev.mcpscope.demo.Leftovers;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Against the JDK's server and a client that does as it likes.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ReplyTest {

  private static final Duration SHORT = Duration.ofMillis(300);
  private static final Duration SECOND = Duration.ofSeconds(1);
  private static final Duration LONG = Duration.ofMinutes(1);
  private static final Duration MOMENT = Duration.ofSeconds(5); // of a busy machine

  /// Answers with what the test is about, in the request's thread.
  @FunctionalInterface
  private interface Answering {
    void to(Reply reply) throws Exception;
  }

  /// What came of an answer.
  ///
  /// @param failure null if it was sent
  private record Outcome(Throwable failure, Duration took, Duration cut) {}

  /// A client that has asked, and its server.
  private static final class Lab {
    private final LinkedBlockingQueue<Outcome> outcomes = new LinkedBlockingQueue<>();
    private final CountDownLatch asked = new CountDownLatch(1);
    private volatile Thread request;
    Inventory before;
    Socket client;
    InputStream in;

    Outcome outcome() throws InterruptedException {
      return outcomes.take();
    }

    /// Waits until the server has the request, and interrupts its thread.
    void interruptRequest() throws InterruptedException {
      asked.await();
      request.interrupt();
    }
  }

  @FunctionalInterface
  private interface Body {
    void run(Lab lab) throws Exception;
  }

  /// The JDK's server reads its properties once, and those of the front must be there by then.
  @BeforeAll
  static void theFrontComesFirst() throws Exception {
    Class.forName(Front.class.getName());
  }

  private static void inLab(Duration piece, Duration whole, Answering answering, Body body)
      throws Exception {
    inLab(piece, whole, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", answering, body);
  }

  private static void inLab(
      Duration piece, Duration whole, String request, Answering answering, Body body)
      throws Exception {
    NothingLeft.after(() -> {
      var lab = new Lab();
      var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
      try (var requests = Executors.newVirtualThreadPerTaskExecutor()) {
        server.setExecutor(requests);
        server.createContext(
            "/",
            exchange -> {
              if (exchange.getRequestURI().getPath().equals("/first")) {
                exchange.sendResponseHeaders(204, -1);
                return;
              }
              lab.request = Thread.currentThread();
              lab.asked.countDown();
              var reply = new Reply(exchange, piece, whole);
              long begun = System.nanoTime();
              try {
                answering.to(reply);
                lab.outcomes.add(new Outcome(null, since(begun), Duration.ZERO));
              } catch (Exception e) {
                long cut = System.nanoTime();
                reply.cut();
                lab.outcomes.add(new Outcome(e, since(begun), since(cut)));
                throw new IOException(e);
              }
            });
        server.start();
        try (Socket first = asked(server, "GET /first HTTP/1.0\r\n\r\n")) {
          first.getInputStream().readAllBytes(); // what the server opens once is there now
        }
        lab.before = Inventory.take();
        try (Socket client = asked(server, request)) {
          lab.client = client;
          lab.in = client.getInputStream();
          body.run(lab);
        }
        nothingIsLeftSince(lab.before);
      } finally {
        server.stop(0);
      }
    });
  }

  private static Socket asked(HttpServer server, String request) throws IOException {
    var socket = new Socket();
    socket.setReceiveBufferSize(64 << 10);
    socket.connect(server.getAddress());
    socket.getOutputStream().write(request.getBytes(US_ASCII));
    return socket;
  }

  private static Duration since(long nanos) {
    return Duration.ofNanos(System.nanoTime() - nanos);
  }

  /// Looks again for a while: the JDK's dispatcher closes what is over in its own time.
  private static void nothingIsLeftSince(Inventory before) throws IOException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
    Leftovers left = Leftovers.since(before);
    while (!left.isEmpty() && System.nanoTime() < end) {
      left = Leftovers.since(before);
    }
    assertThat(left.lines()).isEmpty();
  }

  private static void rest(Duration time) throws InterruptedException {
    assertThat(new CountDownLatch(1).await(time.toMillis(), TimeUnit.MILLISECONDS)).isFalse();
  }

  private static String head(InputStream in) throws IOException {
    var head = new StringBuilder();
    while (head.indexOf("\r\n\r\n") < 0) {
      int c = in.read();
      assertThat(c).as(head.toString()).isNotNegative();
      head.append((char) c);
    }
    return head.toString();
  }

  /// Reads a chunk of a stream.
  private static String chunk(InputStream in) throws IOException {
    var length = new StringBuilder();
    for (int c; (c = in.read()) != '\r'; ) {
      length.append((char) c);
    }
    assertThat(in.read()).isEqualTo('\n');
    String chunk = new String(in.readNBytes(Integer.parseInt(length.toString(), 16)), US_ASCII);
    assertThat(new String(in.readNBytes(2), US_ASCII)).isEqualTo("\r\n");
    return chunk;
  }

  @Test
  void answerGoesOutWithItsLength() throws Exception {
    inLab(
        SHORT,
        LONG,
        reply -> reply.send(200, "hello".getBytes(US_ASCII)),
        lab -> {
          assertThat(head(lab.in)).startsWith("HTTP/1.1 200 ").contains("Content-length: 5\r\n");
          assertThat(new String(lab.in.readNBytes(5), US_ASCII)).isEqualTo("hello");
          assertThat(lab.outcome().failure()).isNull();
        });
  }

  @Test
  void answerOfManyPiecesArrivesWhole() throws Exception {
    byte[] body = new byte[3 * Reply.PIECE + 1];
    new Random(1).nextBytes(body);
    inLab(
        LONG,
        LONG,
        reply -> reply.send(200, body),
        lab -> {
          head(lab.in);
          assertThat(lab.in.readNBytes(body.length)).isEqualTo(body);
          assertThat(lab.outcome().failure()).isNull();
        });
  }

  @Test
  void clientThatDoesNotReadIsCutOffAndNothingOfItIsLeft() throws Exception {
    inLab(
        SHORT,
        LONG,
        reply -> reply.send(200, new byte[16 << 20]),
        lab -> {
          Outcome outcome = lab.outcome();
          assertThat(outcome.failure()).hasMessage("it does not read its answer");
          assertThat(outcome.took()).isBetween(SHORT, Duration.ofSeconds(10));
          assertThat(outcome.cut()).isLessThan(MOMENT);
          assertThat(lab.in.transferTo(OutputStream.nullOutputStream())).isLessThan(16 << 20);
        });
  }

  /// Reads half a MiB, rests, and so on: longer in all than one piece may take.
  @Test
  void clientThatReadsSlowlyGetsAll() throws Exception {
    inLab(
        SECOND,
        LONG,
        reply -> reply.send(200, new byte[24 << 20]),
        lab -> {
          head(lab.in);
          for (int i = 0; i < 48; i++) {
            assertThat(lab.in.readNBytes(512 << 10)).hasSize(512 << 10);
            rest(Duration.ofMillis(40));
          }
          Outcome outcome = lab.outcome();
          assertThat(outcome.failure()).isNull();
          assertThat(outcome.took()).isGreaterThan(SECOND);
        });
  }

  @Test
  void answerAsAWholeHasABoundToo() throws Exception {
    inLab(
        LONG,
        SHORT,
        reply -> reply.send(200, new byte[16 << 20]),
        lab -> {
          Outcome outcome = lab.outcome();
          assertThat(outcome.failure()).hasMessage("it does not read its answer");
          assertThat(outcome.took()).isBetween(SHORT, Duration.ofSeconds(10));
        });
  }

  @Test
  void streamMayRestBetweenItsWrites() throws Exception {
    inLab(
        SECOND,
        SECOND,
        reply -> {
          reply.begin(200);
          reply.write("one".getBytes(US_ASCII));
          rest(SECOND.plusMillis(100));
          reply.write("two".getBytes(US_ASCII));
          reply.end();
        },
        lab -> {
          assertThat(head(lab.in))
              .startsWith("HTTP/1.1 200 ")
              .contains("Connection: close\r\n")
              .doesNotContain("Content-length");
          assertThat(chunk(lab.in)).isEqualTo("one"); // it has not waited for more
          assertThat(chunk(lab.in)).isEqualTo("two");
          assertThat(new String(lab.in.readAllBytes(), US_ASCII)).isEqualTo("0\r\n\r\n");
          assertThat(lab.outcome().failure()).isNull();
        });
  }

  @Test
  void streamThatIsNotReadIsCutOffAndNothingOfItIsLeft() throws Exception {
    inLab(
        SHORT,
        LONG,
        reply -> {
          reply.begin(200);
          while (true) {
            reply.write(new byte[100_000]);
          }
        },
        lab -> {
          assertThat(chunk(afterHead(lab.in))).hasSize(4096);
          Outcome outcome = lab.outcome();
          assertThat(outcome.failure()).hasMessage("it does not read its answer");
          assertThat(outcome.cut()).isLessThan(MOMENT);
          nothingOfTheServerIsLeft(lab);
        });
  }

  @Test
  void clientThatHasGoneEndsAStream() throws Exception {
    inLab(
        LONG,
        LONG,
        reply -> {
          reply.begin(200);
          while (true) {
            reply.write("beat".getBytes(US_ASCII));
          }
        },
        lab -> {
          head(lab.in);
          lab.client.setSoLinger(true, 0);
          lab.client.close();
          assertThat(lab.outcome().failure()).isInstanceOf(IOException.class);
        });
  }

  @Test
  void interruptEndsAWriteAndItsClient() throws Exception {
    inLab(
        LONG,
        LONG,
        reply -> reply.send(200, new byte[16 << 20]),
        lab -> {
          head(lab.in); // it is being written
          lab.interruptRequest();
          assertThat(lab.outcome().failure()).isInstanceOf(InterruptedException.class);
          nothingOfTheServerIsLeft(lab);
        });
  }

  /// The JDK's server reads what it can of a body before it ends an exchange.
  @Test
  void cutWaitsForNoBodyThatNeverComes() throws Exception {
    inLab(
        LONG,
        LONG,
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
        reply -> {
          reply.begin(200);
          throw new IOException("given up");
        },
        lab -> {
          assertThat(lab.outcome().cut()).isLessThan(MOMENT);
          nothingOfTheServerIsLeft(lab);
        });
  }

  private static InputStream afterHead(InputStream in) throws IOException {
    head(in);
    return in;
  }

  /// With the client still there, and holding on: it can only be the server that let go.
  private static void nothingOfTheServerIsLeft(Lab lab) throws IOException {
    lab.client.setSoTimeout(10_000);
    try {
      lab.in.transferTo(OutputStream.nullOutputStream()); // ends when the server has closed
    } catch (SocketTimeoutException e) {
      throw new AssertionError("the server has not closed", e);
    } catch (IOException _) {
      // reset
    }
  }
}
