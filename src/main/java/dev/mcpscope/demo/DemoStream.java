package dev.mcpscope.demo;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.HttpExchange;
import dev.mcpscope.rpc.RpcCodec;
import dev.mcpscope.rpc.RpcMessage;
import dev.mcpscope.scope.Deadline;
import java.io.IOException;
import java.io.OutputStream;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A stream of server-sent events of one session. It outlives the connections that show it to the
/// client, of which there is one at a time: a newer one takes the older one's place.
///
/// Any thread puts messages into it and never waits; the thread of the connection's request, in
/// [#show], is the only one that writes. So a client that does not read holds that thread until it
/// goes or the server is closed, and nobody else. The last [#KEPT] events are kept, which is more
/// than one call can say; an event that goes before it was written is lost.
///
/// An id such as `post3-12` names the stream and the event. What primes a client at the start, or
/// tells it to come back, has an id too, though no message: `post3-12.1` stands behind event 12.
final class DemoStream implements DemoOutput.Place {
  private static final int KEPT = 1_024;
  private static final int RETRY_MS = 100;
  private static final Pattern ID =
      Pattern.compile("(?<stream>[a-z]+\\d*)-(?<last>\\d{1,18})(\\.\\d+)?");
  private static final byte[] HEARTBEAT = ": the demo server lives\n\n".getBytes(UTF_8);

  /// What a client says that it has seen last.
  record Position(String stream, long last) {

    /// Reads an event's id; empty if it is none.
    static Optional<Position> parse(String id) {
      Matcher parts = ID.matcher(id);
      return parts.matches()
          ? Optional.of(new Position(parts.group("stream"), Long.parseLong(parts.group("last"))))
          : Optional.empty();
    }
  }

  /// How far a client can be helped to come back: not at all; by the ids of events; also by an event
  /// without data at the start, which clients of older revisions cannot read.
  enum Resuming {
    NEVER,
    BY_IDS,
    PRIMED
  }

  private enum State {
    OPEN,
    OVER,
    BROKEN
  }

  private record Event(long number, byte[] message) {}

  private final String name;
  private final Resuming resuming;
  private final Runnable changed;

  // guarded by this
  private final Deque<Event> events = new ArrayDeque<>();
  private State state = State.OPEN;
  private long last; // event's number
  private long written; // the last event that was given to a connection
  private long connection; // the newest one, by number
  private long cutBehind =
      -1; // the last event that the connection may show, if it is to be cut off
  private long primed; // how many ids were made that are no message's

  /// @param changed told, by any thread, when the stream ends
  DemoStream(String name, Resuming resuming, Runnable changed) {
    this.name = name;
    this.resuming = resuming;
    this.changed = changed;
  }

  String name() {
    return name;
  }

  /// Puts a message into the stream; an answer is the last one.
  @Override
  public void send(RpcMessage message) {
    synchronized (this) {
      if (state == State.OPEN) {
        if (events.size() == KEPT) {
          events.removeFirst();
        }
        events.addLast(new Event(++last, RpcCodec.encode(message)));
        notifyAll();
      }
    }
    if (message instanceof RpcMessage.Response) {
      end();
    }
  }

  @Override
  public void end() {
    leave(State.OVER);
  }

  /// Ends the stream as a crash of the server would: its connection breaks when all is written.
  void crash() {
    leave(State.BROKEN);
  }

  private void leave(State next) {
    synchronized (this) {
      state = state == State.OPEN ? next : state;
      notifyAll();
    }
    changed.run();
  }

  @Override
  public synchronized void cut() {
    cutBehind = last;
    notifyAll();
  }

  synchronized boolean isOver() {
    return state != State.OPEN;
  }

  /// Whether the client can have seen an event of that number.
  synchronized boolean hasReached(long number) {
    return number <= last;
  }

  /// Shows the stream to a client, from the request's own thread: until it ends, is cut off, or has a
  /// newer connection. An interrupt unblocks it, also from a write, by closing the socket.
  ///
  /// @param seen the last event that the client knows; without it, the client is shown what no
  ///     connection was
  /// @param heartbeat after which silence a comment is sent, so that a client that has gone is
  ///     noticed
  /// @throws IOException when the client has gone, or the server has crashed
  void show(HttpExchange exchange, OptionalLong seen, Duration heartbeat)
      throws IOException, InterruptedException {
    long mine = attach(seen);
    exchange.getResponseHeaders().set("Content-Type", "text/event-stream");
    exchange.getResponseHeaders().set("Cache-Control", "no-store");
    exchange.getResponseHeaders().set("X-Accel-Buffering", "no"); // or a proxy may hold it back
    exchange.sendResponseHeaders(200, 0);
    OutputStream out = exchange.getResponseBody();
    if (resuming == Resuming.PRIMED && seen.isEmpty()) {
      out.write(withoutMessage(""));
    }
    out.flush();
    for (byte[] next; (next = next(mine, Deadline.after(heartbeat))) != null; ) {
      out.write(next);
      out.flush();
    }
    out.close();
  }

  private synchronized long attach(OptionalLong seen) {
    if (seen.isPresent()) {
      written = seen.getAsLong();
      cutBehind = -1; // who comes back is not cut off a second time
    }
    notifyAll(); // the older connection leaves
    return ++connection;
  }

  /// Waits for what this connection has to write, or null if that is all.
  private synchronized byte[] next(long mine, Deadline heartbeat)
      throws IOException, InterruptedException {
    while (connection == mine) {
      Event event = unwritten();
      if (event != null) {
        written = event.number();
        return text(event);
      }
      if (cutBehind >= 0) {
        cutBehind = -1;
        connection++; // as if a newer one had come, which it will
        return withoutMessage("retry: " + RETRY_MS + "\n");
      }
      if (state == State.BROKEN) {
        throw new IOException("crashed, as it was told to");
      }
      if (state == State.OVER) {
        return null;
      }
      if (heartbeat.passed()) {
        return HEARTBEAT;
      }
      TimeUnit.NANOSECONDS.timedWait(this, heartbeat.remainingNanos());
    }
    return null;
  }

  private Event unwritten() {
    for (Event event : events) {
      if (event.number() > written) {
        return cutBehind >= 0 && event.number() > cutBehind ? null : event;
      }
    }
    return null;
  }

  private byte[] text(Event event) {
    String id = resuming == Resuming.NEVER ? "" : "id: " + name + "-" + event.number() + "\n";
    return (id + "data: " + new String(event.message(), UTF_8) + "\n\n").getBytes(UTF_8);
  }

  /// An event that is there for its id. Without a line of data it is none for the parser, which takes
  /// note of the id all the same.
  private synchronized byte[] withoutMessage(String more) {
    String data = resuming == Resuming.PRIMED ? "data: \n" : "";
    return ("id: " + name + "-" + written + "." + ++primed + "\n" + more + data + "\n")
        .getBytes(UTF_8);
  }
}
