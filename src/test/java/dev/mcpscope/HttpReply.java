package dev.mcpscope;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.End;
import dev.mcpscope.HttpWire.Request;
import dev.mcpscope.ScriptedHttpServer.Connection;
import dev.mcpscope.ScriptedSession.Log;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.zip.GZIPOutputStream;

/// A request to a [ScriptedHttpServer] that is being answered, and the ways to answer it, good and
/// bad. One thread answers; it fails with an `IOException` when the client has gone.
final class HttpReply {
  private static final String STREAM = "text/event-stream";
  private static final byte[] NOTHING = {};

  final ScriptedHttpServer server;
  final Connection connection;
  final Request request;

  // Guarded by the server's lock.
  boolean isStream;
  Optional<Listen> listen = Optional.empty();
  Optional<End> asked = Optional.empty(); // how the test wants its stream to end

  // Of the answering thread.
  Optional<String> gate = Optional.empty(); // what its body waits for
  String prologue = ""; // what its stream begins with
  boolean closesAfter; // the connection, without having said so

  /// A subscription that is answered here. Under the server's lock.
  record Listen(ScriptedSubscription subscription, Log log) {
    void tell(String json) {
      try {
        JsonObject message = (JsonObject) ScriptedSession.read(json);
        subscription.told(message).ifPresent(told -> log.add(told.toString()));
      } catch (JsonException e) {
        throw new IllegalArgumentException(json, e);
      }
    }

    /// Ends it well.
    void end() {
      JsonObject answer = ScriptedSession.message("result", subscription.result());
      log.add(answer.with("id", subscription.id()).toString());
      log.complete = true;
    }
  }

  HttpReply(ScriptedHttpServer server, Connection connection, Request request) {
    this.server = server;
    this.connection = connection;
    this.request = request;
  }

  // By what there is to say.

  void deliver(Log log, Optional<Act> act, Map<String, String> headers) throws IOException {
    switch (act.orElse(null)) {
      case Act.Sse sse -> text(log, sse, headers);
      case Act.Polls(int rounds, int retryMillis) -> {
        server.locked(() -> log.rounds = rounds);
        poll(log, retryMillis, headers);
      }
      case Act.Stops stops -> stream(log, 0, Optional.of(stops), stops.ids(), headers);
      case Act.Quirk quirk when quirk == Act.Quirk.AS_STREAM ->
          stream(log, 0, Optional.empty(), false, headers);
      case null, default -> {
        if (server.locked(() -> log.wantsStream)) {
          stream(log, 0, Optional.empty(), false, headers);
        } else {
          json(awaitAnswer(log), act, headers);
        }
      }
    }
  }

  /// Answers by a JSON text, of which the headers may lie.
  private void json(String answer, Optional<Act> act, Map<String, String> headers)
      throws IOException {
    byte[] body = answer.getBytes(UTF_8);
    int length = body.length;
    int cut = length;
    End end = End.CLEAN;
    headers.put("Content-Type", "application/json");
    switch (act.orElse(null)) {
      case Act.ContentType(String type) -> headers.put("Content-Type", type);
      case Act.CutShort(int bytes, End by) -> {
        cut = bytes;
        end = by;
      }
      case Act.LengthOff(int by) -> {
        length += by;
        end = by > 0 ? End.CLOSE : End.CLEAN;
      }
      case Act.Quirk quirk -> {
        switch (quirk) {
          case NO_LENGTH -> {
            length = -1;
            headers.put("Connection", "close");
            end = End.CLOSE;
          }
          case GZIP -> {
            headers.put("Content-Encoding", "gzip");
            body = gzip(body);
            length = body.length;
            cut = length;
          }
          case AS_STREAM, CLOSES_AFTER, FORGETS_SESSIONS -> {}
        }
      }
      case null, default -> {}
    }
    if (length >= 0) {
      headers.put("Content-Length", Integer.toString(length));
    }
    head(200, headers);
    finish(end, Arrays.copyOf(body, cut));
  }

  private static byte[] gzip(byte[] body) throws IOException {
    var bytes = new ByteArrayOutputStream();
    try (var out = new GZIPOutputStream(bytes)) {
      out.write(body);
    }
    return bytes.toByteArray();
  }

  /// Answers by the text of a stream, as it was told.
  private void text(Log log, Act.Sse sse, Map<String, String> headers) throws IOException {
    boolean needsAnswer = sse.text().contains("%s") || sse.text().contains("%m");
    headStream(headers);
    String answer = needsAnswer ? awaitAnswer(log) : "";
    byte[] bytes = ScriptedSession.expanded(sse, answer).getBytes(UTF_8);
    int piece = sse.piece() == 0 ? Math.max(1, bytes.length) : sse.piece();
    for (int i = 0; i < bytes.length; i += piece) {
      byte[] part = Arrays.copyOfRange(bytes, i, Math.min(bytes.length, i + piece));
      connection.wire.write(HttpWire.chunk(part));
    }
    finish(sse.end(), sse.end() == End.CLEAN ? HttpWire.lastChunk() : NOTHING);
  }

  private String awaitAnswer(Log log) throws IOException {
    server.lock.lock();
    try {
      while (!log.complete) {
        server.awaitChange(connection, Long.MAX_VALUE);
      }
      String event = log.events.getLast();
      return event.substring(event.indexOf("data: ") + 6).strip();
    } finally {
      server.lock.unlock();
    }
  }

  /// Answers by an event that has an id and no data.
  void poll(Log log, int retryMillis, Map<String, String> headers) throws IOException {
    headStream(headers);
    String id =
        server.locked(() -> {
          log.retryMillis = retryMillis;
          log.lastId = log.id(0) + "." + log.rounds--;
          return log.lastId;
        });
    String event = "id: " + id + "\nretry: " + retryMillis + "\ndata: \n\n";
    finish(End.CLEAN, join(HttpWire.chunk(event.getBytes(UTF_8)), HttpWire.lastChunk()));
  }

  /// Writes what is and will be in the log, until that is complete or the stream is to end.
  void stream(
      Log log, int from, Optional<Act.Stops> stops, boolean ids, Map<String, String> headers)
      throws IOException {
    headStream(headers);
    int millis = stops.map(Act.Stops::millis).orElse(0);
    long end = millis == 0 ? Long.MAX_VALUE : System.nanoTime() + millis * 1_000_000L;
    int most = stops.map(Act.Stops::events).orElse(Integer.MAX_VALUE);
    for (int at = from; ; at++) {
      String event;
      boolean last;
      server.lock.lock();
      try {
        boolean goesOn = at - from < most;
        while (goesOn && asked.isEmpty() && !log.complete && at >= log.events.size()) {
          goesOn = server.awaitChange(connection, end);
        }
        if (!goesOn || asked.isPresent()) {
          break;
        }
        event = at < log.events.size() ? log.event(at, ids) : "";
        log.taken = Math.max(log.taken, at + 1);
        last = log.complete && at + 1 >= log.events.size();
      } finally {
        server.lock.unlock();
      }
      byte[] chunk = event.isEmpty() ? NOTHING : HttpWire.chunk(event.getBytes(UTF_8));
      if (last) {
        finish(End.CLEAN, join(chunk, HttpWire.lastChunk()));
        return;
      }
      connection.wire.write(chunk);
    }
    End how = asked.orElseGet(() -> stops.orElseThrow().end());
    finish(how, how == End.CLEAN ? HttpWire.lastChunk() : NOTHING);
  }

  // What is written.

  void plain(int status, Map<String, String> headers, String text) throws IOException {
    byte[] body = text.getBytes(UTF_8);
    var all = new LinkedHashMap<>(headers);
    if (status != 204 && status != 304) { // these have none
      all.putIfAbsent("Content-Length", Integer.toString(body.length));
    }
    if (body.length == 0) {
      server.change(() -> server.exchanges.remove(this));
    }
    head(status, all);
    finish(End.CLEAN, body);
  }

  private void head(int status, Map<String, String> headers) throws IOException {
    connection.wire.head(status, headers);
    if (gate.isPresent()) {
      server.lock.lock();
      try {
        awaitGate(gate.get());
      } finally {
        server.lock.unlock();
      }
    }
  }

  private void headStream(Map<String, String> headers) throws IOException {
    server.change(() -> isStream = true);
    var all = new LinkedHashMap<>(headers);
    all.put("Content-Type", STREAM);
    all.put("Cache-Control", "no-cache");
    all.put("Transfer-Encoding", "chunked");
    head(200, all);
    String retry =
        server
            .first(HttpFault.Retry.class)
            .map(told -> "retry: " + told.millis() + "\n\n")
            .orElse("");
    String start = retry + prologue;
    if (!start.isEmpty()) {
      connection.wire.write(HttpWire.chunk(start.getBytes(UTF_8)));
    }
  }

  /// Writes this, and then that for ever.
  void repeat(String type, String start, String repeated, int millis) throws IOException {
    server.change(() -> isStream = type.startsWith(STREAM));
    head(200, Map.of("Content-Type", type, "Transfer-Encoding", "chunked"));
    if (!start.isEmpty()) {
      connection.wire.write(HttpWire.chunk(start.getBytes(UTF_8)));
    }
    String unit = millis > 0 ? repeated : repeated.repeat(1 + 8192 / repeated.length());
    byte[] chunk = HttpWire.chunk(unit.getBytes(UTF_8));
    while (true) {
      connection.wire.write(chunk);
      long end = System.nanoTime() + millis * 1_000_000L;
      server.lock.lock();
      try {
        while (millis > 0 && server.awaitChange(connection, end)) {
          // something else has changed
        }
      } finally {
        server.lock.unlock();
      }
    }
  }

  /// Writes the last bytes of an answer, and ends it so. It counts as ended before they are out: who
  /// has read them may look.
  void finish(End end, byte[] last) throws IOException {
    if (end != End.OPEN) {
      server.change(() -> server.exchanges.remove(this));
    }
    if (last.length > 0) {
      connection.wire.write(last);
    }
    connection.wire.end(closesAfter ? End.CLOSE : end);
    if (end == End.OPEN) {
      server.lock.lock();
      try {
        while (true) {
          server.awaitChange(connection, Long.MAX_VALUE);
        }
      } finally {
        server.lock.unlock();
      }
    }
  }

  private static byte[] join(byte[] one, byte[] other) {
    byte[] both = Arrays.copyOf(one, one.length + other.length);
    System.arraycopy(other, 0, both, one.length, other.length);
    return both;
  }

  void awaitGate(String gate) throws IOException {
    while (!server.released.contains(gate)) {
      server.awaitChange(connection, Long.MAX_VALUE);
    }
  }
}
