package dev.mcpscope.demo;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import dev.mcpscope.demo.DemoServer.Eras;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.rpc.RpcCodec;
import dev.mcpscope.rpc.RpcError;
import dev.mcpscope.rpc.RpcMessage;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Pattern;

/// One request to the demo server over HTTP: the checks in their order, and the answer or the error.
/// For the request's own thread alone.
final class DemoExchange {
  static final String PATH = "/mcp";

  private static final int MOST_BODY = 1 << 20;
  private static final int MOST_DISCARDED = 16 << 20; // so that the client gets to read why
  private static final String SESSION_ID = "MCP-Session-Id";
  private static final String JSON = "application/json";
  private static final String EVENTS = "text/event-stream";
  private static final Pattern LOOPBACK =
      Pattern.compile("https?://(localhost|127\\.0\\.0\\.1|\\[::1])(:\\d{1,5})?");

  /// A request that is answered by an error.
  static final class Refused extends Exception {
    private static final long serialVersionUID = 1;

    private final int status;

    Refused(int status, String message) {
      super(message);
      this.status = status;
    }
  }

  private final HttpExchange exchange;
  private final Headers headers;
  private final DemoHttpServer server;
  private final DemoHttpServer.Options options;

  DemoExchange(HttpExchange exchange, DemoHttpServer server, DemoHttpServer.Options options) {
    this.exchange = exchange;
    this.headers = exchange.getRequestHeaders();
    this.server = server;
    this.options = options;
  }

  /// Answers; blocks as long as the client sends, and as long as a stream of events lasts. Unblocked
  /// by interrupt, and by the end of the connection.
  ///
  /// @throws IOException when the client could not be answered, or is not to be
  void serve() throws IOException, InterruptedException {
    try {
      byte[] body = body(); // first: who is still sending would not read why it is refused
      check();
      if (exchange.getRequestMethod().equals("POST")) {
        post(body);
      } else if (isModern(JsonObject.EMPTY)) {
        throw notAllowed("POST");
      } else {
        checkRevision();
        switch (exchange.getRequestMethod()) {
          case "GET" -> get();
          case "DELETE" -> delete();
          default -> throw notAllowed("GET, POST, DELETE");
        }
      }
    } catch (Refused e) {
      var error = new RpcError(RpcError.INVALID_REQUEST, e.getMessage());
      send(e.status, new RpcMessage.Failure(Optional.empty(), error));
    }
  }

  private byte[] body() throws Refused, IOException {
    InputStream in = exchange.getRequestBody();
    byte[] body = in.readNBytes(MOST_BODY + 1);
    if (body.length > MOST_BODY) {
      byte[] chunk = new byte[8 << 10];
      int n = 0;
      for (long read = 0; read < MOST_DISCARDED && (n = in.read(chunk)) >= 0; ) {
        read += n;
      }
      throw new Refused(413, "the body is longer than " + MOST_BODY + " bytes");
    }
    return body;
  }

  private void check() throws Refused {
    if (!PATH.equals(exchange.getRequestURI().getPath())) {
      throw new Refused(404, "there is only " + PATH);
    }
    for (String origin : headers.getOrDefault("Origin", List.of())) {
      if (!LOOPBACK.matcher(origin.toLowerCase(Locale.ROOT)).matches()) {
        throw new Refused(403, "requests from another origin are refused");
      }
    }
  }

  private void post(byte[] body) throws Refused, IOException, InterruptedException {
    if (!names("Content-Type", JSON)) {
      throw new Refused(415, "the body must be sent as Content-Type: " + JSON);
    }
    if (!names("Accept", JSON) || !names("Accept", EVENTS)) {
      throw new Refused(406, "Accept must name " + JSON + " and " + EVENTS);
    }
    RpcMessage message = message(body);
    if (isModern(params(message))) {
      modern(message);
    } else {
      checkRevision();
      legacy(message);
    }
  }

  private static JsonObject params(RpcMessage message) {
    return switch (message) {
      case RpcMessage.Request(_, _, var params) -> params;
      case RpcMessage.Notification(_, var params) -> params;
      case RpcMessage.Response _, RpcMessage.Malformed _ -> JsonObject.EMPTY;
    };
  }

  /// Also if only the header says so, that what is missing can be named.
  private boolean isModern(JsonObject params) {
    return options.eras().isModern(params)
        || options.eras() == Eras.DUAL
            && DemoModern.REVISION.equals(headers.getFirst(DemoHeaders.VERSION));
  }

  private void checkRevision() throws Refused {
    for (String version : headers.getOrDefault(DemoHeaders.VERSION, List.of())) {
      if (!DemoLegacy.REVISIONS.contains(version)) {
        throw new Refused(
            400, DemoHeaders.VERSION + " must be one of " + options.eras().revisions());
      }
    }
  }

  private void modern(RpcMessage message) throws Refused, IOException, InterruptedException {
    switch (message) {
      case RpcMessage.Request request -> modern(request);
      case RpcMessage.Notification _ -> send(202); // and no more: there is none that says anything
      case RpcMessage.Response _ -> throw new Refused(400, "here is nothing that is asked for");
      case RpcMessage.Malformed(_, var asked, var problem) ->
          send(400, new RpcMessage.Failure(asked, new RpcError(RpcError.INVALID_REQUEST, problem)));
    }
  }

  private void modern(RpcMessage.Request request)
      throws Refused, IOException, InterruptedException {
    DemoModern era;
    try {
      var repeated = new DemoHeaders(headers);
      repeated.checkRevision(request.params());
      era = DemoModern.of(options.eras().revisions(), request.params());
      repeated.check(request);
    } catch (DemoRefusal e) {
      send(400, e.answerTo(request.id()));
      return;
    }
    DemoSession session = server.alone(true);
    try {
      DemoStream stream = session.open();
      Optional<JsonObject> result = session.served(request, era, stream);
      if (result.isPresent()) {
        send(200, new RpcMessage.Result(request.id(), result.get()));
      } else {
        show(stream, OptionalLong.empty());
      }
    } catch (DemoRefusal e) {
      send(status(e.error()), e.answerTo(request.id()));
    } finally {
      server.end(session);
    }
  }

  private static int status(RpcError error) {
    return switch (error.code()) {
      case RpcError.METHOD_NOT_FOUND -> 404;
      case RpcError.MISSING_CLIENT_CAPABILITY -> 400;
      default -> 200;
    };
  }

  private void legacy(RpcMessage message) throws Refused, IOException, InterruptedException {
    if (!options.sessions()) {
      DemoSession session = server.alone(false);
      try {
        answer(session, message);
      } finally {
        server.end(session);
      }
    } else if (message instanceof RpcMessage.Request request
        && request.method().equals("initialize")
        && !headers.containsKey(SESSION_ID)) {
      initialize(request);
    } else {
      answer(session(), message);
    }
  }

  private static RpcMessage message(byte[] body) throws Refused {
    if (new String(body, UTF_8).stripLeading().startsWith("[")) {
      throw new Refused(400, "the body must be one message, not a batch");
    }
    try {
      return RpcCodec.decode(body, 0, body.length, DemoServer.LIMITS).getFirst();
    } catch (JsonException e) {
      throw new Refused(400, "the body is " + e.withoutExcerpt());
    }
  }

  /// A session that its client cannot know of is not kept.
  private void initialize(RpcMessage.Request request) throws Refused, IOException {
    DemoSession session = server.begin();
    boolean known = false;
    try {
      RpcMessage answer = session.initialized(request);
      boolean agreed = answer instanceof RpcMessage.Result;
      if (agreed) {
        exchange.getResponseHeaders().set(SESSION_ID, session.id());
      }
      send(200, answer);
      known = agreed;
    } finally {
      if (!known) {
        server.end(session);
      }
    }
  }

  private void answer(DemoSession session, RpcMessage message)
      throws IOException, InterruptedException {
    if (message instanceof RpcMessage.Request call && call.method().equals("tools/call")) {
      show(session.called(call), OptionalLong.empty());
      return;
    }
    Optional<RpcMessage> answer = session.received(message);
    if (answer.isPresent()) {
      send(message instanceof RpcMessage.Malformed ? 400 : 200, answer.get());
    } else {
      send(202);
    }
  }

  private void get() throws Refused, IOException, InterruptedException {
    if (!options.getStream()) {
      throw notAllowed(options.sessions() ? "POST, DELETE" : "POST");
    }
    if (!names("Accept", EVENTS)) {
      throw new Refused(406, "Accept must name " + EVENTS);
    }
    DemoSession session = session();
    String lastEvent = headers.getFirst("Last-Event-ID");
    if (lastEvent == null) {
      show(session.standalone(), OptionalLong.empty());
      return;
    }
    Optional<DemoStream.Position> seen = DemoStream.Position.parse(lastEvent);
    Optional<DemoStream> stream = seen.flatMap(session::stream);
    if (stream.isEmpty()) { // not 404, which means that the session is not known
      throw new Refused(400, "Last-Event-ID names no event that is known");
    }
    show(stream.get(), OptionalLong.of(seen.get().last()));
  }

  private void show(DemoStream stream, OptionalLong seen) throws IOException, InterruptedException {
    try (var _ = server.showing()) {
      stream.show(exchange, seen, options.heartbeat());
    }
  }

  private void delete() throws Refused, IOException {
    server.end(session());
    send(204);
  }

  private DemoSession session() throws Refused {
    if (!options.sessions()) {
      throw notAllowed("POST");
    }
    String id = headers.getFirst(SESSION_ID);
    if (id == null) {
      throw new Refused(400, "the header " + SESSION_ID + " is missing");
    }
    return server.session(id).orElseThrow(() -> new Refused(404, "there is no such session"));
  }

  private Refused notAllowed(String allowed) {
    exchange.getResponseHeaders().set("Allow", allowed);
    return new Refused(405, "here is only " + allowed);
  }

  private boolean names(String header, String type) {
    return headers.getOrDefault(header, List.of()).stream()
        .anyMatch(value -> value.toLowerCase(Locale.ROOT).contains(type));
  }

  private void send(int status, RpcMessage message) throws IOException {
    byte[] body = RpcCodec.encode(message);
    exchange.getResponseHeaders().set("Content-Type", JSON);
    if (exchange.getRequestMethod().equals("HEAD")) {
      send(status);
      return;
    }
    exchange.sendResponseHeaders(status, body.length);
    exchange.getResponseBody().write(body);
    exchange.close();
  }

  private void send(int status) throws IOException {
    exchange.sendResponseHeaders(status, -1);
    exchange.close();
  }
}
