package dev.mcpscope.front;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.json.JsonWriter;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.net.URI;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Semaphore;

/// Serves each request: the checks in their order, the endpoint, the answer or the error.
///
/// Called by the JDK's server in a virtual thread for each request. What comes in is bounded by
/// [Intake], who may ask by [Gate], what goes out by [Reply].
final class Requests implements HttpHandler {
  private static final System.Logger LOG = System.getLogger("dev.mcpscope.front");

  private final Gate gate;
  private final Front.Limits limits;
  private final Intake intake;
  private final Api api;
  private final Semaphore places;
  private final Semaphore streams;
  private volatile boolean refusing;

  Requests(Gate gate, Front.Limits limits, Api api) {
    this.gate = gate;
    this.limits = limits;
    this.intake = new Intake(limits);
    this.api = api;
    this.places = new Semaphore(limits.requests());
    this.streams = new Semaphore(limits.streams());
  }

  /// An answer that is ready to be sent.
  ///
  /// @param body empty for none
  private record Answer(int status, Map<String, String> headers, byte[] body) {

    static Answer of(JsonValue value) {
      return new Answer(200, Map.of(), JsonWriter.bytes(value));
    }

    static Answer of(HttpError error) {
      return new Answer(error.status(), error.headers(), JsonWriter.bytes(error.body()));
    }
  }

  /// A stream that has begun cannot be answered by anything else.
  private static final class BrokenStream extends IOException {
    private static final long serialVersionUID = 1;

    BrokenStream(Exception cause) {
      super(cause);
    }
  }

  /// A request's place among those that are served at the same time, if it has taken one.
  private final class Place implements AutoCloseable {
    private Semaphore taken;

    /// Takes one of these places, instead of the one that it has, if any.
    void take(Semaphore of, String what, int most) throws HttpError {
      if (!of.tryAcquire()) {
        throw new HttpError(429, most + " " + what + " are being served already");
      }
      close();
      taken = of;
    }

    @Override
    public void close() {
      if (taken != null) {
        taken.release();
      }
    }
  }

  /// Answers 503 to every request that comes from now on; any thread.
  void refuse() {
    refusing = true;
  }

  /// Serves a request in its own thread.
  ///
  /// @throws IOException when the client could not be answered: only then does the JDK's server
  ///     close the connection and forget it, which else counts for ever among those it takes
  @Override
  public void handle(HttpExchange exchange) throws IOException {
    var reply = new Reply(exchange, limits.write());
    try (var place = new Place()) {
      Headers headers = exchange.getResponseHeaders();
      headers.set("Cache-Control", "no-store");
      headers.set("X-Content-Type-Options", "nosniff");
      Optional<Answer> whole = answered(exchange, place, reply);
      if (whole.isEmpty()) {
        return; // it was a stream
      }
      Answer answer = whole.get();
      boolean usable = Intake.discard(exchange);
      if (!usable || refusing) {
        headers.set("Connection", "close");
      }
      answer.headers().forEach(headers::set);
      if (answer.body().length > 0) {
        headers.set("Content-Type", "application/json");
      }
      reply.send(answer.status(), answer.body());
    } catch (Exception | Error e) {
      boolean gone = e instanceof IOException || e instanceof InterruptedException;
      LOG.log(gone ? Level.DEBUG : Level.ERROR, "a client was not answered", e);
      reply.cut();
      throw new IOException("not answered", e); // after an Error it would leave the connection open
    }
  }

  private Optional<Answer> answered(HttpExchange exchange, Place place, Reply reply)
      throws BrokenStream {
    gate.foreignOrigin(exchange.getRequestHeaders())
        .ifPresent(origin -> {
          exchange.getResponseHeaders().set("Access-Control-Allow-Origin", origin);
          exchange.getResponseHeaders().set("Vary", "Origin");
        });
    try {
      return answer(exchange, place, reply);
    } catch (BrokenStream e) {
      throw e;
    } catch (InterruptedException e) {
      return Optional.of(Answer.of(shuttingDown()));
    } catch (Exception | Error e) {
      HttpError error = e instanceof Exception exception ? Api.error(exception) : null;
      if (error == null) {
        LOG.log(Level.ERROR, "a request failed", e);
        error = new HttpError(500, "a defect of mcp-scope; its log has the details");
      }
      return Optional.of(Answer.of(error));
    }
  }

  /// Empty when the answer was a stream, and has ended.
  private Optional<Answer> answer(HttpExchange exchange, Place place, Reply reply)
      throws Exception {
    Headers headers = exchange.getRequestHeaders();
    URI target = exchange.getRequestURI();
    String method = exchange.getRequestMethod();
    intake.checkHead(target, headers);
    gate.checkOrigin(target, headers);
    if (gate.isPreflight(method, headers)) {
      return Optional.of(new Answer(204, Gate.PREFLIGHT, new byte[0]));
    }
    boolean health = target.getPath().equals("/health");
    if (!health) {
      gate.checkToken(headers);
    }
    if (method.equals("HEAD")) {
      intake.checkNoBody(method, headers); // before it is told that nothing here takes it
    }
    Api.Endpoint endpoint = api.endpoint(method, target.getPath());
    if (!endpoint.hasBody()) {
      intake.checkNoBody(method, headers);
    }
    if (refusing) {
      throw shuttingDown();
    }
    if (!health) {
      place.take(
          places, "requests", limits.requests()); // after the token: strangers take nobody's place
    }
    JsonObject body = endpoint.hasBody() ? intake.body(exchange) : JsonObject.EMPTY;
    var request = new Api.Request(target, body);
    if (!endpoint.streams(headers)) {
      return Optional.of(Answer.of(endpoint.action().orElseThrow().answer(request)));
    }
    place.take(streams, "streams", limits.streams());
    var out = new EventStream(exchange.getResponseHeaders(), reply, limits.heartbeat());
    try {
      endpoint.streaming().orElseThrow().answer(request, out);
      return Optional.empty();
    } catch (Exception e) {
      throw out.isBegun() ? new BrokenStream(e) : e;
    }
  }

  private static HttpError shuttingDown() {
    return new HttpError(503, "mcp-scope is shutting down");
  }
}
