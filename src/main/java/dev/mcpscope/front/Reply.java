package dev.mcpscope.front;

import com.sun.net.httpserver.HttpExchange;
import dev.mcpscope.scope.Deadline;
import dev.mcpscope.scope.Mailbox;
import dev.mcpscope.scope.Task;
import dev.mcpscope.scope.TaskScope;
import java.io.IOException;
import java.io.OutputStream;
import java.time.Duration;

/// What goes back to one client, which may not read it.
///
/// A write to a socket waits for the other side, and the JDK's server bounds that wait only together
/// with the time that an answer takes in the making, which may be hours for a stream of events. So
/// every write is a subtask in a scope of the request's own thread. When its time is over the scope
/// is left: that interrupts the writer, and an interrupt closes the channel that a thread writes to.
/// No thread, no socket and no place among the requests stays with a client that does not read.
///
/// The time is for each [#PIECE], so that a client that reads slowly is served, and [#PIECES] times
/// as much for all that one call writes. What the kernel buffers counts as read.
///
/// For the request's own thread alone; every method that writes blocks it, and an interrupt frees
/// it. After a failure the client is [#cut] off: half an answer cannot be mended.
final class Reply {
  /// In bytes.
  static final int PIECE = 64 << 10;

  private static final int PIECES = 60;

  private record Ended(Throwable failure) {}

  private final HttpExchange exchange;
  private final Duration piece;
  private final Duration whole;

  /// @param piece how long a client may take for each [#PIECE]
  Reply(HttpExchange exchange, Duration piece) {
    this(exchange, piece, piece.multipliedBy(PIECES));
  }

  /// @param whole how long it may take for all that one call writes
  Reply(HttpExchange exchange, Duration piece, Duration whole) {
    this.exchange = exchange;
    this.piece = piece;
    this.whole = whole;
  }

  /// Sends a whole answer; without its body, if it is empty or the request is a HEAD.
  ///
  /// @throws IOException when the client has gone, or does not read in time
  void send(int status, byte[] body) throws IOException, InterruptedException {
    Deadline end = Deadline.after(whole);
    OutputStream out = exchange.getResponseBody();
    int length = exchange.getRequestMethod().equals("HEAD") ? 0 : body.length;
    int from = 0;
    do { // most answers are one piece, and one subtask
      int at = from;
      int next = Math.min(at + PIECE, length);
      within(
          end,
          () -> {
            if (at == 0) {
              exchange.sendResponseHeaders(status, length == 0 ? -1 : length);
            }
            out.write(body, at, next - at);
            if (next == length) {
              out.close();
            } else {
              out.flush();
            }
          });
      from = next;
    } while (from < length);
  }

  /// Sends the head of an answer that has no length, for [#write] and [#end].
  ///
  /// @throws IOException when the client has gone, or does not read in time
  void begin(int status) throws IOException, InterruptedException {
    // Without it the JDK's server takes up a connection again that broke, and forgets to forget it.
    exchange.getResponseHeaders().set("Connection", "close");
    within(
        Deadline.after(whole),
        () -> {
          exchange.sendResponseHeaders(status, 0);
          exchange.getResponseBody().flush();
        });
  }

  /// Sends the next bytes of an answer that was begun. Any time may pass between two calls.
  ///
  /// @throws IOException when the client has gone, or does not read in time
  void write(byte[] bytes) throws IOException, InterruptedException {
    Deadline end = Deadline.after(whole);
    OutputStream out = exchange.getResponseBody();
    for (int at = 0; at < bytes.length; at += PIECE) {
      int from = at;
      within(
          end,
          () -> {
            out.write(bytes, from, Math.min(PIECE, bytes.length - from));
            out.flush();
          });
    }
  }

  /// Ends an answer that was begun. A client that has gone is no failure any more.
  ///
  /// @throws IOException when the client does not read in time
  void end() throws IOException, InterruptedException {
    within(Deadline.after(whole), exchange.getResponseBody()::close);
  }

  /// Ends the exchange with a client that could not be answered. Never blocks.
  void cut() {
    Thread.currentThread().interrupt(); // what close still reads or writes ends, with the channel
    try {
      exchange.close();
    } catch (RuntimeException _) {
      // the JDK's reader of chunks, of a body that it cannot read
    } finally {
      Thread.interrupted();
    }
  }

  private void within(Deadline end, Task writing) throws IOException, InterruptedException {
    Ended ended;
    try (var scope = TaskScope.open("reply", new Mailbox<Ended>(1))) {
      scope.fork("writer", writing, Ended::new);
      ended = scope.take(end.orSooner(piece));
    }
    if (ended == null) {
      throw new IOException("it does not read its answer");
    }
    switch (ended.failure()) {
      case null -> {}
      case IOException e -> throw e;
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      case Throwable e -> throw new IOException(e);
    }
  }
}
