package dev.mcpscope.demo;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.rpc.RpcError;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The revision [2026-07-28](https://modelcontextprotocol.io/specification/2026-07-28/basic), which
/// has no handshake: each request tells all that has to be known of its client, and nothing of it is
/// kept.
///
/// @param supported the revisions that this server speaks, the newest one first
/// @param hasForms whether the client's user can be asked to fill in a form
/// @param leastLevel from which log messages are wanted; beyond the last one if none are
/// @param requestState what the client has brought back from the question that it answers
/// @param inputResponses its answers to questions, by their names
record DemoModern(
    List<String> supported,
    boolean hasForms,
    int leastLevel,
    Optional<String> requestState,
    Optional<JsonObject> inputResponses)
    implements DemoEra {
  static final String REVISION = "2026-07-28";

  private static final String PREFIX = "io.modelcontextprotocol/";
  static final String VERSION = PREFIX + "protocolVersion";
  static final String SUBSCRIPTION_ID = PREFIX + "subscriptionId";

  private static final JsonObject CAPABILITIES =
      JsonObject.of(
          "tools",
          JsonObject.EMPTY,
          "resources",
          JsonObject.of("subscribe", true, "listChanged", true),
          "prompts",
          JsonObject.EMPTY,
          "completions",
          JsonObject.EMPTY,
          "logging",
          JsonObject.EMPTY);

  /// For how many milliseconds results may be kept. What notes can change is stale at once: who does
  /// not listen would not see them.
  private static final Map<String, Integer> FRESH_MS =
      Map.of(
          "server/discover", 3_600_000,
          "tools/list", 3_600_000,
          "prompts/list", 3_600_000,
          "resources/templates/list", 3_600_000,
          "resources/list", 0,
          "resources/read", 0);

  private static final String QUESTION = "question";
  private static final DemoSeal SEAL = new DemoSeal(DemoLegacy.PATIENCE);

  /// Returns whether the params are those of a request of this era, or a later one.
  static boolean isIn(JsonObject params) {
    return params.get("_meta") instanceof JsonObject meta && meta.has(VERSION);
  }

  /// Reads what a request tells of its client.
  ///
  /// @throws DemoRefusal if it is of another revision, or does not tell of which it is
  static DemoModern of(List<String> supported, JsonObject params) throws DemoRefusal {
    try {
      JsonObject meta = params.optionalObject("_meta").orElse(JsonObject.EMPTY);
      check(supported, meta);
      Optional<String> level = meta.optionalString(PREFIX + "logLevel");
      return new DemoModern(
          supported,
          DemoEra.hasForms(meta.object(PREFIX + "clientCapabilities")),
          level.isPresent() ? DemoEra.level(level.get()) : LEVELS.size(),
          params.optionalString("requestState"),
          params.optionalObject("inputResponses"));
    } catch (JsonException e) {
      throw DemoRefusal.of(e);
    }
  }

  private static void check(List<String> supported, JsonObject meta)
      throws JsonException, DemoRefusal {
    if (!meta.has(VERSION)) { // a client that begins with initialize gets to read what is missing
      throw new JsonException("_meta has no " + VERSION + ", which must be " + REVISION);
    }
    String version = meta.string(VERSION);
    if (!version.equals(REVISION)) {
      JsonObject data = JsonObject.of("supported", supported, "requested", version);
      throw new DemoRefusal(
          new RpcError(
              RpcError.UNSUPPORTED_PROTOCOL_VERSION,
              "Unsupported protocol version",
              Optional.of(data)));
    }
  }

  @Override
  public Optional<JsonObject> own(String method, JsonObject params) {
    return method.equals("server/discover")
        ? Optional.of(
            JsonObject.of(
                "supportedVersions",
                supported,
                "capabilities",
                CAPABILITIES,
                "instructions",
                INSTRUCTIONS))
        : Optional.empty();
  }

  @Override
  public JsonObject sent(String method, JsonObject result) {
    JsonObject meta = result.get("_meta") instanceof JsonObject given ? given : JsonObject.EMPTY;
    JsonObject sent = result.with("_meta", meta.with(PREFIX + "serverInfo", SERVER_INFO));
    sent = sent.has("resultType") ? sent : sent.with("resultType", "complete");
    Integer fresh = FRESH_MS.get(method);
    return fresh == null ? sent : sent.with("ttlMs", fresh).with("cacheScope", "public");
  }

  @Override
  public DemoRefusal noResource(String uri) {
    return DemoRefusal.noResource(RpcError.INVALID_PARAMS, uri);
  }

  @Override
  public boolean logs(String level) {
    return LEVELS.indexOf(level) >= leastLevel;
  }

  @Override
  public void beforeAsking() throws DemoRefusal {
    if (!hasForms) {
      JsonObject forms = JsonObject.of("elicitation", JsonObject.of("form", JsonObject.EMPTY));
      throw new DemoRefusal(
          new RpcError(
              RpcError.MISSING_CLIENT_CAPABILITY,
              "the tool asks by a form, and the client has not declared that it has them",
              Optional.of(JsonObject.of("requiredCapabilities", forms))));
    }
  }

  /// Asks by the result of the call, and reads the answer in the call that follows. What binds the two
  /// is with the client meanwhile, sealed: an answer to another question is none to this one.
  @Override
  public Optional<JsonObject> ask(DemoCall call, JsonObject form) throws DemoRefusal {
    if (requestState.isPresent() || inputResponses.isPresent()) {
      if (!requestState.map(state -> SEAL.fits(state, form.toString())).orElse(false)) {
        throw new DemoRefusal(
            RpcError.INVALID_PARAMS, "requestState is missing, too old, or of another question");
      }
      Optional<JsonValue> said = inputResponses.map(responses -> responses.get(QUESTION));
      if (said.isPresent()) {
        return said.map(DemoTools::said);
      }
    }
    JsonObject request = JsonObject.of("method", "elicitation/create", "params", form);
    return Optional.of(
        JsonObject.of(
            "resultType",
            "input_required",
            "inputRequests",
            JsonObject.of(QUESTION, request),
            "requestState",
            SEAL.of(form.toString())));
  }
}
