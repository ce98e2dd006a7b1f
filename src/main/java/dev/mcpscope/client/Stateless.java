package dev.mcpscope.client;

import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.rpc.RpcError;
import dev.mcpscope.scope.Deadline;
import dev.mcpscope.scope.Task;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// The revision without handshake and session: each request says all that the server has to know, and
/// the server remembers nothing of the one before. Any thread.
///
/// @see <a href="https://modelcontextprotocol.io/specification/2026-07-28/basic">Base protocol, revision
///     2026-07-28</a>
final class Stateless implements Era {
  private static final System.Logger LOG = System.getLogger("dev.mcpscope.client");

  /// Newest first: the first one is what we ask for.
  static final List<String> REVISIONS = List.of("2026-07-28");

  static final String DISCOVER = "server/discover";

  private static final String PREFIX = "io.modelcontextprotocol/";
  private static final String CALL = "tools/call";

  /// "Servers MUST NOT send InputRequiredResult responses on any other client requests."
  private static final Set<String> MAY_ASK = Set.of(CALL, "prompts/get", "resources/read");

  /// How often a call may be answered by questions. A server may ask on for ever, and a user may not
  /// notice.
  private static final int MOST_ROUNDS = 16;

  /// What is asked for until [#setLogLevel] is called. "The server MUST NOT emit notifications/message
  /// for a request that does not include this field", and a listener that has heard the log of an older
  /// server without a word is to hear that of this one.
  private static final LogLevel UNTOLD = LogLevel.INFO;

  private final Calls calls;
  private final ClientOptions options;
  private final Handlers handlers;
  private final Subscriptions subscriptions;
  private final ResultCache cache;

  private volatile ServerInfo server;
  private volatile JsonObject meta; // of each request
  private volatile Map<String, MirroredArguments> mirrored = Map.of(); // by tool

  private Stateless(Calls calls, ClientOptions options, Modern modern, ServerInfo server) {
    this.calls = calls;
    this.options = options;
    this.handlers = modern.handlers();
    this.subscriptions = modern.subscriptions();
    this.cache = modern.cache();
    this.server = server;
    JsonObject known = meta(options, server.protocolVersion());
    this.meta = modern.heard() && server.declares("logging") ? logging(known, UNTOLD) : known;
  }

  /// What of its connection this era alone makes use of.
  ///
  /// @param handlers answer what a result asks for
  /// @param subscriptions hear what changes
  /// @param cache keeps results
  /// @param heard whether anybody hears what the server logs
  record Modern(Handlers handlers, Subscriptions subscriptions, ResultCache cache, boolean heard) {}

  /// Begins to speak to a server that has told this of itself, and to listen to it.
  static Stateless open(Calls calls, ClientOptions options, Modern modern, ServerInfo server) {
    var era = new Stateless(calls, options, modern, server);
    modern.handlers().serveCallsOnly();
    modern.subscriptions().begin(server, era::complete);
    return era;
  }

  /// Returns what each request says besides: "Every request declares the protocol version it is using",
  /// and who asks, and what he can do.
  static JsonObject meta(ClientOptions options, String version) {
    return JsonObject.of(
        PREFIX + "protocolVersion", version,
        PREFIX + "clientInfo", options.identity(),
        PREFIX + "clientCapabilities", capabilities(options));
  }

  private static JsonObject logging(JsonObject meta, LogLevel level) {
    return meta.with(PREFIX + "logLevel", level.word());
  }

  /// That the roots change is not told in this era.
  private static JsonObject capabilities(ClientOptions options) {
    JsonObject declared = options.features().capabilities();
    return declared.has("roots") ? declared.with("roots", JsonObject.EMPTY) : declared;
  }

  private JsonObject complete(JsonObject params) {
    return params.with("_meta", meta);
  }

  @Override
  public ServerInfo server() {
    return server;
  }

  @Override
  public JsonObject request(String method, JsonObject params, Calls.Terms terms)
      throws McpException, InterruptedException {
    Optional<JsonObject> kept = cache.get(method, params);
    if (kept.isPresent()) {
      return kept.get();
    }
    long asked = cache.now();
    Deadline end = terms.end();
    JsonObject result = send(method, params, terms, end);
    if (isComplete(method, result)) {
      cache.put(method, params, result, asked);
      return result;
    }
    // "Results produced by retrying a request MUST NOT be cached"
    for (int round = 1; round <= MOST_ROUNDS; round++) {
      JsonObject again = again(method, params, result, end);
      result = send(method, again, terms, end);
      if (isComplete(method, result)) {
        return result;
      }
    }
    throw violation(method, "asks for input more than " + MOST_ROUNDS + " times");
  }

  /// "A resultType of any value unrecognized by the client MUST be considered invalid", and an absent
  /// one "complete".
  private boolean isComplete(String method, JsonObject result) throws ProtocolViolationException {
    JsonValue type = result.get("resultType");
    if (type == null || type.equals(new JsonString("complete"))) {
      return true;
    }
    if (!type.equals(new JsonString("input_required"))) {
      throw violation(method, "gives a result of a type that this client does not know");
    }
    if (!MAY_ASK.contains(method)) {
      throw violation(method, "asks for input, which is not for this method to do");
    }
    return false;
  }

  /// Returns the params of the request that takes the place of one whose answer was a question: the
  /// same, with what is asked for, and the state "exactly" as it came.
  private JsonObject again(String method, JsonObject params, JsonObject question, Deadline end)
      throws McpException, InterruptedException {
    JsonObject again = params;
    JsonValue state = question.get("requestState");
    if (state != null && state != JsonNull.INSTANCE) {
      again = again.with("requestState", state);
    }
    Optional<JsonObject> wanted =
        calls.parse(method, question, json -> json.optionalObject("inputRequests"));
    if (wanted.isPresent()) {
      String whatFor = calls.server() + ": " + method;
      again = again.with("inputResponses", handlers.gather(wanted.get(), whatFor, end));
    } else if (again == params) {
      throw violation(method, "asks for input, and does not say for which");
    }
    return again;
  }

  /// Sends one request; once more, if it can be mended.
  private JsonObject send(String method, JsonObject params, Calls.Terms terms, Deadline end)
      throws McpException, InterruptedException {
    try {
      return once(method, params, terms, end);
    } catch (RemoteErrorException e) {
      if (!mended(method, e, terms.meanwhile(end))) {
        throw e;
      }
    } catch (ExchangeFailedException e) {
      // "A broken response stream loses the in-flight request; clients MUST re-issue it as a new
      // request": if that does no harm (docs/decisions/0003-a-tool-call-is-never-repeated.md).
      if (!e.mayHaveRun() || !terms.repeatable().getAsBoolean()) {
        throw e;
      }
    }
    return once(method, params, terms, end);
  }

  private JsonObject once(String method, JsonObject params, Calls.Terms terms, Deadline end)
      throws McpException, InterruptedException {
    Map<String, String> beside = method.equals(CALL) ? mirrored(params) : Map.of();
    return calls.once(method, complete(params), beside, terms, end);
  }

  private Map<String, String> mirrored(JsonObject params) {
    MirroredArguments arguments =
        params.get("name") instanceof JsonString(var tool) ? mirrored.get(tool) : null;
    return arguments != null && params.get("arguments") instanceof JsonObject given
        ? arguments.values(given)
        : Map.of();
  }

  /// Whether a request that was refused may be taken now. A server that has refused it has not done it.
  ///
  /// @param meanwhile terms for what that takes
  private boolean mended(String method, RemoteErrorException e, Calls.Terms meanwhile)
      throws McpException, InterruptedException {
    switch (e.code()) {
      // "The client SHOULD select a mutually supported version from the supported list and retry
      // the request": even if it is the one that was asked for.
      case RpcError.UNSUPPORTED_PROTOCOL_VERSION -> {
        Optional<String> version =
            supported(e).stream().filter(REVISIONS::contains).max(String::compareTo);
        version.ifPresent(this::speak);
        return version.isPresent();
      }
      // "The client SHOULD call tools/list to check for changes to the tool's inputSchema, then
      // retry the original request with the appropriate headers."
      case RpcError.HEADER_MISMATCH -> {
        return method.equals(CALL) && calls.mirrorsArguments() && haveChanged(e, meanwhile);
      }
      default -> {
        return false;
      }
    }
  }

  /// Reads the tools again; if that is not to be had, the refusal is the cause.
  private boolean haveChanged(RemoteErrorException refusal, Calls.Terms terms)
      throws McpException, InterruptedException {
    try {
      cache.forget(Pages.TOOLS.method());
      tools(terms);
      return true;
    } catch (McpException e) {
      calls.ensureOpen(); // else it is the connection that ends
      refusal.addSuppressed(e);
      return false;
    }
  }

  private synchronized void speak(String version) {
    server = server.withProtocolVersion(version);
    meta = meta.with(PREFIX + "protocolVersion", version);
  }

  /// The revisions that a server speaks which does not speak the one that it was asked in.
  static List<String> supported(RemoteErrorException e) {
    return e.data().orElse(null) instanceof JsonObject data
        ? texts(data.get("supported"))
        : List.of();
  }

  /// The texts in an array, if it is one.
  static List<String> texts(JsonValue array) {
    var texts = new ArrayList<String>();
    for (JsonValue element : array instanceof JsonArray all ? all : JsonArray.EMPTY) {
      if (element instanceof JsonString(var text)) {
        texts.add(text);
      }
    }
    return texts;
  }

  private ProtocolViolationException violation(String method, String what) {
    return new ProtocolViolationException(calls.server() + ": " + method + " " + what, null);
  }

  /// "A single malformed tool definition does not prevent other valid tools from being used."
  @Override
  public List<Tool> tools(Calls.Terms terms) throws McpException, InterruptedException {
    List<Tool> tools = Pages.TOOLS.read(calls, this, options.limits(), terms);
    if (!calls.mirrorsArguments()) {
      return tools;
    }
    var usable = new ArrayList<Tool>();
    var arguments = new LinkedHashMap<String, MirroredArguments>();
    for (Tool tool : tools) {
      try {
        arguments.put(tool.name(), MirroredArguments.of(tool.inputSchema()));
        usable.add(tool);
      } catch (MirroredArguments.InvalidException e) {
        LOG.log(
            System.Logger.Level.WARNING,
            "{0}: its tool {1} is left out: {2}",
            calls.server(),
            Handlers.shown(tool.name()),
            e.getMessage());
      }
    }
    mirrored = Map.copyOf(arguments);
    return List.copyOf(usable);
  }

  @Override
  public void subscribe(String uri, Calls.Terms terms) throws McpException, InterruptedException {
    subscriptions.subscribe(uri, terms);
  }

  @Override
  public void unsubscribe(String uri, Calls.Terms terms) throws McpException, InterruptedException {
    subscriptions.unsubscribe(uri, terms);
  }

  @Override
  public synchronized void setLogLevel(LogLevel level, Calls.Terms terms) {
    meta = logging(meta, level);
  }

  @Override
  public void rootsChanged() {
    // the server asks for them with each call that needs them
  }

  @Override
  public void ping(Calls.Terms terms) throws McpException, InterruptedException {
    try {
      send(DISCOVER, JsonObject.EMPTY, terms, terms.end());
    } catch (RemoteErrorException e) {
      if (!e.isNotFound()) { // else it is there, and cannot say more
        throw e;
      }
    }
  }

  @Override
  public Optional<Task> task() {
    return Optional.of(subscriptions::run);
  }

  @Override
  public void awaitListening(Deadline deadline) throws InterruptedException {
    subscriptions.awaitListening(deadline);
  }

  @Override
  public boolean forget(String method) {
    return cache.forget(method);
  }
}
