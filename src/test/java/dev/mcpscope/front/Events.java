package dev.mcpscope.front;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.Socket;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;

/// A stream of events, as a client of the front reads it; to close it is to leave.
final class Events implements AutoCloseable {
  static final String TYPE = "text/event-stream";

  /// An event, or a comment, which has no name and no data.
  record Event(String name, JsonObject data) {
    private static final Event COMMENT = new Event("", JsonObject.EMPTY);
  }

  final HttpHeaders headers;
  private final BufferedReader lines;
  private final Queue<String> bodies;

  private Events(HttpHeaders headers, InputStream stream, Queue<String> bodies) {
    this.headers = headers;
    this.lines = new BufferedReader(new InputStreamReader(stream, UTF_8));
    this.bodies = bodies;
  }

  /// Returns when the stream has begun.
  ///
  /// @param bodies gets each line
  static Events of(HttpClient http, HttpRequest.Builder request, Queue<String> bodies)
      throws Exception {
    var response = http.send(request.build(), BodyHandlers.ofInputStream());
    var events = new Events(response.headers(), response.body(), bodies);
    if (response.statusCode() != 200) {
      try (events) {
        throw new AssertionError(response + ": " + events.lines.readAllAsString());
      }
    }
    events.comment(); // by it the client sees that it has begun
    return events;
  }

  /// Like [#of], for a client that has so little room that it holds up the server when it does not
  /// read. It speaks HTTP/1.0: then the stream comes as it is.
  static Events narrow(Socket socket, String head, Queue<String> bodies) throws IOException {
    socket.getOutputStream().write(head.getBytes(UTF_8));
    var events = new Events(null, socket.getInputStream(), bodies);
    assertThat(events.line()).startsWith("HTTP/1.1 200 ");
    while (!events.line().isEmpty()) {
      // the headers
    }
    events.comment();
    return events;
  }

  /// Waits for the next event; null when the stream has ended.
  Event next() throws IOException {
    return next(false);
  }

  /// Waits for the next event of that name.
  Event next(String name) throws IOException {
    while (true) {
      Event event = next();
      assertThat(event).as("before the next %s", name).isNotNull();
      if (event.name().equals(name)) {
        return event;
      }
    }
  }

  /// Waits for a comment, with no event before it.
  void comment() throws IOException {
    assertThat(next(true)).isEqualTo(Event.COMMENT);
  }

  /// Waits for the end, and returns what comes before it.
  List<Event> rest() throws IOException {
    var rest = new ArrayList<Event>();
    for (Event event; (event = next()) != null; ) {
      rest.add(event);
    }
    return rest;
  }

  /// An event is two lines and an empty one, a comment one line and an empty one; nothing else comes.
  private Event next(boolean comments) throws IOException {
    while (true) {
      String first = line();
      if (first == null) {
        return null;
      }
      if (first.equals(": mcp-scope")) {
        assertThat(line()).isEmpty();
        if (comments) {
          return Event.COMMENT;
        }
        continue;
      }
      assertThat(first).startsWith("event: ");
      String data = line();
      assertThat(data).startsWith("data: ");
      assertThat(line()).isEmpty();
      return new Event(
          first.substring("event: ".length()),
          (JsonObject) JsonReader.read(data.substring("data: ".length()), JsonLimits.defaults()));
    }
  }

  private String line() throws IOException {
    String line = lines.readLine();
    if (line != null) {
      bodies.add(line);
    }
    return line;
  }

  @Override
  public void close() throws IOException {
    lines.close();
  }
}
