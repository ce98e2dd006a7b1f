package dev.mcpscope.front;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.json.JsonValue;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.util.List;
import java.util.Map;

/// What a request may bring: as much as the limits say, and a body only where one is asked for.
///
/// The JDK's server has read the head by then, with limits of its own that are a little wider (see
/// [Front]), so that who comes near gets an answer that says why.
final class Intake {
  /// How much of a body that is refused is read, so that the client gets to read why.
  private static final int MAX_DISCARD = 16 << 20;

  private final Front.Limits limits;

  Intake(Front.Limits limits) {
    this.limits = limits;
  }

  /// Refuses a request whose target or headers are too much, or cannot be what the client meant.
  void checkHead(URI target, Headers headers) throws HttpError {
    if (target.toString().length() > limits.target()) {
      throw new HttpError(414, "the request target is longer than " + limits.target() + " bytes");
    }
    int count = 0;
    long bytes = 0;
    for (Map.Entry<String, List<String>> header : headers.entrySet()) {
      for (String value : header.getValue()) {
        count++;
        bytes += header.getKey().length() + ": ".length() + value.length() + "\r\n".length();
        if (value.chars().anyMatch(c -> (c < ' ' && c != '\t') || c == 0x7f)) {
          throw new HttpError(
              400, "the header " + Front.quoted(header.getKey()) + " holds a control character");
        }
      }
    }
    if (count > limits.headers()) {
      throw new HttpError(431, "the request has more than " + limits.headers() + " headers");
    }
    if (bytes > limits.headerBytes()) {
      throw new HttpError(
          431, "the headers are longer than " + limits.headerBytes() + " bytes in all");
    }
    String length = headers.getFirst("Content-Length");
    if (length != null && !length.matches("[0-9]+")) { // the JDK's server takes +5 for 5
      throw new HttpError(400, "Content-Length must be a number");
    }
  }

  /// Refuses a body that nobody will read: who sent it meant something else.
  void checkNoBody(String method, Headers headers) throws HttpError {
    String length = headers.getFirst("Content-Length");
    if (headers.containsKey("Transfer-Encoding") || (length != null && !length.matches("0+"))) {
      throw new HttpError(400, Front.quoted(method) + " takes no body here");
    }
  }

  /// Reads the body, a JSON object. Blocks until the client has sent it, or the JDK's server cuts it
  /// off.
  JsonObject body(HttpExchange exchange) throws HttpError {
    // A page of another origin cannot send this type without asking first.
    String type = exchange.getRequestHeaders().getFirst("Content-Type");
    String mime = type == null ? "" : type.split(";", 2)[0].strip();
    if (!mime.equalsIgnoreCase("application/json")) {
      throw new HttpError(
          415,
          "the body must be sent as Content-Type: application/json"
              + (type == null ? "" : ", is " + Front.quoted(type)));
    }
    byte[] bytes;
    try {
      bytes = exchange.getRequestBody().readNBytes(limits.body() + 1);
    } catch (IOException e) {
      throw unreadable(e.getMessage());
    } catch (IndexOutOfBoundsException e) { // what the JDK makes of a chunk of 2 GiB and more
      throw unreadable("invalid chunk length");
    }
    if (bytes.length > limits.body()) {
      throw new HttpError(413, "the body is longer than " + limits.body() + " bytes");
    }
    try {
      return switch (JsonReader.read(bytes, JsonLimits.defaults().withMaxBytes(limits.body()))) {
        case JsonObject object -> object;
        case JsonValue other ->
            throw new HttpError(400, "the body must be a JSON object, is " + other.kind());
      };
    } catch (JsonException e) {
      throw new HttpError(400, "the body is " + e.withoutExcerpt());
    }
  }

  private static HttpError unreadable(String why) {
    return new HttpError(400, "the body cannot be read: " + why, Map.of("Connection", "close"));
  }

  /// Reads what is left of a body, up to a bound, and closes it: a client that is still sending would
  /// not read its answer. Blocks like [#body].
  ///
  /// @return whether its end was reached; if not, nothing more can be read from the connection
  static boolean discard(HttpExchange exchange) {
    byte[] chunk = new byte[8 * 1024];
    try (InputStream body = exchange.getRequestBody()) {
      int n = 0;
      for (long read = 0; read < MAX_DISCARD && (n = body.read(chunk)) >= 0; ) {
        read += n;
      }
      return n < 0;
    } catch (IOException | IndexOutOfBoundsException _) {
      return false; // the answer is sent all the same
    }
  }
}
