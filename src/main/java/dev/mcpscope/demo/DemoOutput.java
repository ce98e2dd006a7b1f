package dev.mcpscope.demo;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.rpc.RpcCodec;
import dev.mcpscope.rpc.RpcError;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import java.io.IOException;
import java.io.OutputStream;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;

/// What the demo server says to a client, at one place: over stdio there is only one, over HTTP each
/// call has its own ([#at]). Any thread may speak.
final class DemoOutput {

  /// Where messages go. What a client that is gone should have heard is dropped.
  interface Place {

    /// Sends a message; any thread.
    void send(RpcMessage message);

    /// Nothing more will be said here; any thread, and as often as one likes.
    default void end() {}

    /// Lets go of the client, which has to come back for what is said from now on.
    default void cut() {}
  }

  private record Lines(OutputStream out) implements Place {
    @Override
    public synchronized void send(RpcMessage message) { // one at a time, whichever thread speaks
      try {
        out.write(RpcCodec.encode(message));
        out.write('\n');
        out.flush();
      } catch (IOException _) {
        // The client reads no more; its end of our input follows, and ends the server.
      }
    }
  }

  /// The levels of RFC 5424, as MCP names them, the least severe one first.
  private static final List<String> LEVELS =
      List.of("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency");

  private final Place place;
  private final AtomicInteger leastLevel; // of the client, whatever the place

  DemoOutput(Place place) {
    this(place, new AtomicInteger(LEVELS.indexOf("info"))); // until the client sets one
  }

  /// Writes a line for each message. To speak blocks while the client does not read, until it does
  /// or has closed its end.
  DemoOutput(OutputStream out) {
    this(new Lines(out));
  }

  private DemoOutput(Place place, AtomicInteger leastLevel) {
    this.place = place;
    this.leastLevel = leastLevel;
  }

  /// Returns an output to the same client at another place.
  DemoOutput at(Place other) {
    return new DemoOutput(other, leastLevel);
  }

  void answer(RpcId id, JsonObject result) {
    send(new RpcMessage.Result(id, result));
  }

  /// @param id empty if the message that failed did not tell one
  void fail(Optional<RpcId> id, RpcError error) {
    send(new RpcMessage.Failure(id, error));
  }

  void request(RpcId id, String method, JsonObject params) {
    send(new RpcMessage.Request(id, method, params));
  }

  void notify(String method, JsonObject params) {
    send(new RpcMessage.Notification(method, params));
  }

  /// Sends a log message, unless the client wants only more severe ones.
  void log(String level, String text) {
    if (LEVELS.indexOf(level) >= leastLevel.get()) {
      notify(
          "notifications/message", JsonObject.of("level", level, "logger", "demo", "data", text));
    }
  }

  /// Sets the least severe level that is sent from now on.
  ///
  /// @throws JsonException if there is no such level
  void logFrom(String level) throws JsonException {
    int index = LEVELS.indexOf(level);
    if (index < 0) {
      throw new JsonException("level must be one of " + LEVELS + ", not " + level);
    }
    leastLevel.set(index);
  }

  /// See [Place#end].
  void end() {
    place.end();
  }

  /// See [Place#cut].
  void cut() {
    place.cut();
  }

  private void send(RpcMessage message) {
    place.send(message);
  }
}
