package dev.mcpscope.demo;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.demo.DemoHttpServer.Options;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;

/// Tests that talk to a [DemoHttpServer] in this JVM as its clients: each test has one of its own,
/// which has to end when it is closed and to leave nothing.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
abstract class RunningDemoHttpServer {
  static final String BOTH = "application/json, text/event-stream";
  static final Duration SECOND = Duration.ofSeconds(1);
  static final Duration HOUR = Duration.ofHours(1);

  final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private NothingLeft nothingLeft;
  HttpClient http;
  DemoHttpServer server;

  @BeforeEach
  void start() throws IOException {
    nothingLeft = NothingLeft.check();
    http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    open(new Options(true, true, HOUR)); // no test that does not ask for it sees a heartbeat
  }

  /// Opens another server in the place of the one that there is.
  void open(Options options) throws IOException {
    if (server != null) {
      server.close();
    }
    server = DemoHttpServer.open(0, new PrintStream(err), options);
  }

  @AfterEach
  void closeEndsEverything() {
    server.close();
    http.shutdownNow(); // what a test that has failed still reads
    http.close();
    nothingLeft.close();
  }

  /// A request with the headers that it must have, to which more are added, or replaced.
  HttpRequest.Builder request(String... headers) {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(server.uri())
            .header("Accept", BOTH)
            .header("Content-Type", "application/json");
    for (int i = 0; i < headers.length; i += 2) {
      request.setHeader(headers[i], headers[i + 1]);
    }
    return request;
  }

  static HttpRequest.Builder post(HttpRequest.Builder request, Object body) {
    return request.POST(BodyPublishers.ofString(body.toString()));
  }

  HttpResponse<String> send(HttpRequest.Builder request) throws Exception {
    return http.send(request.build(), BodyHandlers.ofString());
  }

  /// A modern request with the headers that it must have, to which more are added, or replaced; null
  /// leaves one out.
  HttpRequest.Builder modern(JsonObject message, String... headers) throws IOException {
    var all = new LinkedHashMap<String, String>();
    all.put("MCP-Protocol-Version", Modern.REVISION);
    all.put("Mcp-Method", message.string("method"));
    JsonObject params = message.object("params");
    if (params.has("name") || params.has("uri")) {
      all.put("Mcp-Name", params.string(params.has("name") ? "name" : "uri"));
    }
    JsonObject arguments = params.optionalObject("arguments").orElse(JsonObject.EMPTY);
    arguments.optionalString("topic").ifPresent(topic -> all.put("Mcp-Param-Topic", topic));
    for (int i = 0; i < headers.length; i += 2) {
      all.put(headers[i], headers[i + 1]);
    }
    HttpRequest.Builder request = request();
    all.forEach((name, value) -> {
      if (value != null) {
        request.setHeader(name, value);
      }
    });
    return post(request, message);
  }

  /// Sends a modern request that is answered by JSON with status 200, and returns the answer.
  JsonObject answer(JsonObject message, String... headers) throws Exception {
    HttpResponse<String> answer = send(modern(message, headers));
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
    assertThat(answer.headers().firstValue("Content-Type")).contains("application/json");
    assertThat(answer.headers().firstValue("MCP-Session-Id")).isEmpty();
    return json(answer.body());
  }

  /// Sends a modern request that is answered by a stream.
  Events stream(JsonObject message, String... headers) throws Exception {
    return events(modern(message, headers));
  }

  static JsonObject message(int id, String method, JsonObject params) {
    return JsonObject.of("jsonrpc", "2.0", "id", id, "method", method, "params", params);
  }

  static JsonObject notification(String method, JsonObject params) {
    return JsonObject.of("jsonrpc", "2.0", "method", method, "params", params);
  }

  static JsonObject initialize(String revision) {
    JsonObject capabilities = JsonObject.of("elicitation", JsonObject.EMPTY);
    return message(
        0, "initialize", JsonObject.of("protocolVersion", revision, "capabilities", capabilities));
  }

  static JsonObject json(String text) throws IOException {
    return (JsonObject) JsonReader.read(text, JsonLimits.defaults());
  }

  Client client() throws Exception {
    return client("2025-11-25");
  }

  Client client(String revision) throws Exception {
    HttpResponse<String> answer = send(post(request(), initialize(revision)));
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
    return new Client(answer.headers().firstValue("MCP-Session-Id").orElseThrow());
  }

  /// One that has a session.
  final class Client {
    final String session;

    Client(String session) {
      this.session = session;
    }

    HttpRequest.Builder asking(String... headers) {
      return request(headers).setHeader("MCP-Session-Id", session);
    }

    /// Sends a request that is answered by JSON, and returns the answer.
    JsonObject request(int id, String method, JsonObject params) throws Exception {
      HttpResponse<String> answer = send(post(asking(), message(id, method, params)));
      assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
      assertThat(answer.headers().firstValue("Content-Type")).contains("application/json");
      return json(answer.body());
    }

    private HttpRequest.Builder request(String... headers) {
      return RunningDemoHttpServer.this.request(headers);
    }

    void tell(JsonObject notificationOrResponse) throws Exception {
      HttpResponse<String> answer = send(post(asking(), notificationOrResponse));
      assertThat(answer.statusCode()).as(answer.body()).isEqualTo(202);
      assertThat(answer.body()).isEmpty();
    }

    Events call(int id, String tool, Object... arguments) throws Exception {
      JsonObject params = JsonObject.of("name", tool, "arguments", JsonObject.of(arguments));
      params = params.with("_meta", JsonObject.of("progressToken", id));
      return events(post(asking(), message(id, "tools/call", params)));
    }

    Events get(String... headers) throws Exception {
      return events(asking(headers).GET());
    }

    Events resume(String lastEventId) throws Exception {
      return get("Last-Event-ID", lastEventId);
    }

    int delete() throws Exception {
      return send(asking().DELETE()).statusCode();
    }
  }

  Events events(HttpRequest.Builder request) throws Exception {
    HttpResponse<InputStream> answer = http.send(request.build(), BodyHandlers.ofInputStream());
    assertThat(answer.statusCode()).isEqualTo(200);
    assertThat(answer.headers().firstValue("Content-Type")).contains("text/event-stream");
    return new Events(answer.body());
  }

  /// An event, each field as it came: absent, empty, or with a value.
  record Event(Optional<String> id, Optional<String> data, Optional<String> retry) {

    JsonObject message() {
      try {
        return json(data.orElseThrow());
      } catch (IOException e) {
        throw new AssertionError(e);
      }
    }

    /// What it says, in a word.
    String word() {
      if (data.orElse("").isEmpty()) {
        return retry.isPresent() ? "retry" : "priming";
      }
      return message().has("method")
          ? message().get("method").toString().replaceAll("\"|.*/", "")
          : message().has("result") ? "answer" : "error";
    }
  }

  /// A stream of events, as it is read. A comment is read as if it were the end, once.
  static final class Events implements AutoCloseable {
    private final BufferedReader in;
    final List<String> comments = new ArrayList<>();

    Events(InputStream in) {
      this.in = new BufferedReader(new InputStreamReader(in, UTF_8));
    }

    /// Reads an event, or null at the end of the stream.
    Event next() throws IOException {
      String id = null;
      String data = null;
      String retry = null;
      for (String line; (line = in.readLine()) != null; ) {
        String value = line.replaceFirst("^[^:]*: ?", "");
        if (line.isEmpty()) {
          if (id != null || data != null) {
            return new Event(
                Optional.ofNullable(id), Optional.ofNullable(data), Optional.ofNullable(retry));
          }
        } else if (line.startsWith(":")) {
          comments.add(value);
          return null;
        } else if (line.startsWith("id:")) {
          id = value;
        } else if (line.startsWith("data:")) {
          data = value;
        } else {
          assertThat(line).startsWith("retry:");
          retry = value;
        }
      }
      assertThat(id).as("an event that is cut short").isNull();
      return null;
    }

    /// Reads to the end.
    List<Event> rest() throws IOException {
      var events = new ArrayList<Event>();
      for (Event event; (event = next()) != null; ) {
        events.add(event);
      }
      return events;
    }

    @Override
    public void close() throws IOException {
      in.close();
    }
  }

  static List<String> words(List<Event> events) {
    return events.stream().map(Event::word).toList();
  }

  static List<String> ids(List<Event> events) {
    return events.stream().map(event -> event.id().orElse("")).toList();
  }

  /// The text of the answer to a call.
  static String text(Event answer) throws IOException {
    return answer.message().object("result").objects("content").getFirst().string("text");
  }
}
