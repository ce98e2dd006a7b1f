package dev.mcpscope.demo;

import dev.mcpscope.json.JsonObject;
import dev.mcpscope.rpc.RpcCodec;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import java.io.IOException;
import java.io.OutputStream;

/// What the demo server says to a client, at one place: over stdio there is only one, over HTTP each
/// call has its own. Any thread may speak.
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

  private final Place place;

  DemoOutput(Place place) {
    this.place = place;
  }

  /// Writes a line for each message. To speak blocks while the client does not read, until it does
  /// or has closed its end.
  DemoOutput(OutputStream out) {
    this(new Lines(out));
  }

  void request(RpcId id, String method, JsonObject params) {
    send(new RpcMessage.Request(id, method, params));
  }

  void notify(String method, JsonObject params) {
    send(new RpcMessage.Notification(method, params));
  }

  /// See [Place#end].
  void end() {
    place.end();
  }

  /// See [Place#cut].
  void cut() {
    place.cut();
  }

  void send(RpcMessage message) {
    place.send(message);
  }
}
