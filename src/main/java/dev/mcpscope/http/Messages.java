package dev.mcpscope.http;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.rpc.RpcCodec;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/// Reads messages from the bodies of answers.
final class Messages {
  private static final System.Logger LOG = System.getLogger("dev.mcpscope.http");

  /// What an answer holds breaks the protocol or a limit.
  static final class ViolationException extends IOException {
    private static final long serialVersionUID = 1;

    ViolationException(String message) {
      super(message);
    }
  }

  /// Takes a message as it arrives.
  @FunctionalInterface
  interface Sink {
    void message(RpcMessage message, int bytes);
  }

  private Messages() {}

  /// Returns the type of an answer's body, without parameters; empty when it does not say.
  ///
  /// @throws ViolationException when the body is encoded: none was asked for, and what would come of
  ///     it is not bounded by what comes in
  static String type(HttpResponse<?> response) throws ViolationException {
    String encoding = response.headers().firstValue("Content-Encoding").orElse("identity");
    if (!encoding.equalsIgnoreCase("identity")) {
      throw new ViolationException("the answer has a content encoding, and none was asked for");
    }
    String type = response.headers().firstValue("Content-Type").orElse("");
    return type.split(";", 2)[0].strip().toLowerCase(Locale.ROOT);
  }

  static boolean isJson(String type) {
    return type.equals("application/json");
  }

  static boolean isEvents(String type) {
    return type.equals("text/event-stream");
  }

  /// Reads one JSON text, a message or a batch of them.
  ///
  /// @throws ViolationException when it is none, or longer than the limit
  static void read(InputStream body, JsonLimits limits, Sink sink) throws IOException {
    byte[] bytes = body.readNBytes(limits.maxBytes());
    if (bytes.length == limits.maxBytes() && body.read() >= 0) {
      throw new ViolationException("the answer is longer than " + limits.maxBytes() + " bytes");
    }
    try {
      deliver(RpcCodec.decode(bytes, 0, bytes.length, limits), bytes.length, sink);
    } catch (JsonException e) {
      throw new ViolationException("the answer cannot be read: " + e.withoutExcerpt());
    }
  }

  /// Reads the message that an event holds; one without data only marks a place in the stream. What
  /// is no message is skipped, unless it was to be the answer to a request, which then fails.
  static void decode(SseEvent event, JsonLimits limits, Sink sink) {
    byte[] data = event.data();
    if (data.length == 0 || !event.type().equals("message")) {
      return;
    }
    try {
      deliver(RpcCodec.decode(data, 0, data.length, limits), data.length, sink);
    } catch (JsonException e) {
      LOG.log(System.Logger.Level.DEBUG, "skipped an event: {0}", e.getMessage());
      Optional<RpcId> call = RpcCodec.idOfBrokenResponse(data, 0, data.length);
      if (call.isPresent()) {
        String problem = "cannot be read: " + e.withoutExcerpt();
        sink.message(new RpcMessage.Malformed(call, Optional.empty(), problem), data.length);
      }
    }
  }

  private static void deliver(List<RpcMessage> messages, int bytes, Sink sink) {
    for (RpcMessage message : messages) { // a batch is rare, and its parts are alike
      sink.message(message, bytes / messages.size());
    }
  }
}
