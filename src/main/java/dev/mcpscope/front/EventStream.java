package dev.mcpscope.front;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.Headers;
import dev.mcpscope.json.JsonValue;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Locale;

/// A stream of server-sent events to one client, which may not read it: see [Reply].
///
/// Until the first byte is sent, a request for a stream may still be answered by an error with a
/// status; the stream begins with [#begin()].
///
/// @see <a href="https://html.spec.whatwg.org/multipage/server-sent-events.html">Server-sent
///     events</a>
final class EventStream {
  static final String TYPE = "text/event-stream";

  private final Headers headers;
  private final Reply reply;
  private final Duration heartbeat;
  private boolean begun;

  /// @param heartbeat after which silence the client is shown that the stream lives
  EventStream(Headers headers, Reply reply, Duration heartbeat) {
    this.headers = headers;
    this.reply = reply;
    this.heartbeat = heartbeat;
  }

  /// Returns whether the client asks for a stream where both are to be had.
  static boolean isWanted(Headers request) {
    return request.getOrDefault("Accept", List.of()).stream()
        .anyMatch(accept -> accept.toLowerCase(Locale.ROOT).contains(TYPE));
  }

  /// Returns how long the stream may be silent.
  Duration heartbeat() {
    return heartbeat;
  }

  /// Returns whether anything was sent.
  boolean isBegun() {
    return begun;
  }

  /// Sends the head of the answer.
  ///
  /// @throws IOException when the client has gone, or does not read in time; so do all that send
  void begin() throws IOException, InterruptedException {
    begun = true;
    headers.set("Content-Type", TYPE);
    headers.set("X-Accel-Buffering", "no"); // a proxy that collects would hold events back
    reply.begin(200);
    beat();
  }

  /// Sends an event. JSON has no line breaks outside of strings, and in them they are escaped.
  void send(String event, JsonValue data) throws IOException, InterruptedException {
    reply.write(("event: " + event + "\ndata: " + data + "\n\n").getBytes(UTF_8));
  }

  /// Sends a comment, which clients skip: so a client that has gone is noticed.
  void beat() throws IOException, InterruptedException {
    reply.write(": mcp-scope\n\n".getBytes(UTF_8));
  }

  /// Ends the stream.
  void end() throws IOException, InterruptedException {
    reply.end();
  }
}
