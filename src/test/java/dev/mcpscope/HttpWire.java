package dev.mcpscope;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mcpscope.HttpFault.End;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.time.Duration;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/// One connection of a [ScriptedHttpServer]: HTTP/1.1 by hand, so that nothing keeps it from lying.
///
/// One thread reads, another writes; any may end it, which frees both.
public final class HttpWire {

  /// A request that was read whole.
  ///
  /// @param method the one of HTTP
  /// @param path with the query
  /// @param headers by their names in any case; the values of one name joined by commas
  /// @param rpcMethod the method of JSON-RPC, `response` for an answer, else ""
  /// @param id the one of JSON-RPC, JSON null if there is none
  /// @param message the body; JSON null if it is no JSON
  /// @param nanos when it was there, by [System#nanoTime]
  /// @param connection which one of the server's connections it came by, from 1
  public record Request(
      String method,
      String path,
      Map<String, String> headers,
      String body,
      String rpcMethod,
      JsonValue id,
      JsonValue message,
      long nanos,
      int connection) {

    /// Returns whether this is what [HttpFault#on] calls so.
    public boolean is(String at) {
      return at.equals("*") || at.equals(rpcMethod) || at.equals(method);
    }

    /// Returns the value of a header.
    public Optional<String> header(String name) {
      return Optional.ofNullable(headers.get(name));
    }

    /// Returns the time from that request to this one.
    public Duration since(Request earlier) {
      return Duration.ofNanos(nanos - earlier.nanos);
    }

    /// Names it for messages of tests.
    @Override
    public String toString() {
      return (rpcMethod + " " + method + " " + path + " " + headers + " " + body).strip();
    }
  }

  private final Socket socket;
  private final InputStream in;
  private final OutputStream out;

  HttpWire(Socket socket) throws IOException {
    this.socket = socket;
    socket.setTcpNoDelay(true);
    in = new BufferedInputStream(socket.getInputStream());
    out = socket.getOutputStream();
  }

  /// Waits until the client has sent something.
  ///
  /// @return false when it will not any more
  boolean awaitByte() throws IOException {
    in.mark(1);
    boolean more = in.read() >= 0;
    in.reset();
    return more;
  }

  Request read(int connection) throws IOException {
    String[] first = line().split(" ");
    if (first.length != 3) {
      throw new IOException("no request: " + String.join(" ", first));
    }
    var headers = new TreeMap<String, String>(String.CASE_INSENSITIVE_ORDER);
    for (String line; !(line = line()).isEmpty(); ) {
      String[] header = line.split(":", 2);
      if (header.length != 2) {
        throw new IOException("no header: " + line);
      }
      headers.merge(header[0], header[1].strip(), (one, other) -> one + ", " + other);
    }
    int length = Integer.parseInt(headers.getOrDefault("Content-Length", "0"));
    byte[] bytes = in.readNBytes(length);
    if (bytes.length < length) {
      throw new EOFException("a request cut short");
    }
    String body = new String(bytes, UTF_8);
    JsonValue message = parse(body);
    String method = "";
    JsonValue id = JsonNull.INSTANCE;
    if (message instanceof JsonObject object) {
      boolean response = object.has("result") || object.has("error");
      method =
          object.get("method") instanceof JsonString(String m) ? m : response ? "response" : "";
      id = JsonValue.of(object.get("id"));
    }
    return new Request(
        first[0],
        first[1],
        Collections.unmodifiableMap(headers),
        body,
        method,
        id,
        message,
        System.nanoTime(),
        connection);
  }

  private static JsonValue parse(String body) {
    try {
      return body.isEmpty() ? JsonNull.INSTANCE : JsonReader.read(body, JsonLimits.defaults());
    } catch (JsonException e) {
      return JsonNull.INSTANCE; // the server refuses it, and says so
    }
  }

  private String line() throws IOException {
    var line = new ByteArrayOutputStream();
    for (int b; (b = in.read()) != '\n'; ) {
      if (b < 0) {
        throw new EOFException("a request cut short");
      }
      line.write(b);
    }
    return line.toString(ISO_8859_1).stripTrailing();
  }

  /// Writes the head of an answer, with these headers and no other.
  void head(int status, Map<String, String> headers) throws IOException {
    var head = new StringBuilder("HTTP/1.1 " + status + " as told\r\n");
    headers.forEach((name, value) -> head.append(name + ": " + value + "\r\n"));
    write(head.append("\r\n").toString().getBytes(ISO_8859_1));
  }

  void write(byte[] bytes) throws IOException {
    out.write(bytes);
  }

  /// Ends it so. Never fails: what is gone is ended.
  void end(End end) {
    try {
      switch (end) {
        case CLEAN, OPEN -> {}
        case HALF_CLOSE -> socket.shutdownOutput();
        case CLOSE -> socket.close();
        case RESET -> {
          socket.setSoLinger(true, 0);
          socket.close();
        }
      }
    } catch (IOException e) {
      try {
        socket.close();
      } catch (IOException again) {
        throw new UncheckedIOException(again);
      }
    }
  }

  /// Returns these bytes as a part of a chunked body.
  static byte[] chunk(byte[] bytes) {
    var chunk = new ByteArrayOutputStream();
    chunk.writeBytes((Integer.toHexString(bytes.length) + "\r\n").getBytes(ISO_8859_1));
    chunk.writeBytes(bytes);
    chunk.writeBytes("\r\n".getBytes(ISO_8859_1));
    return chunk.toByteArray();
  }

  /// Returns the end of a chunked body.
  static byte[] lastChunk() {
    return "0\r\n\r\n".getBytes(ISO_8859_1);
  }
}
