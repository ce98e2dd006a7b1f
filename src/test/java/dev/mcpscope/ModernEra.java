package dev.mcpscope;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mcpscope.HttpWire.Request;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// What a good server of revision 2026-07-28 asks of a request and adds to an answer, whatever it is
/// reached by. No session, no process, no connection is known here: each request says all.
final class ModernEra {
  static final String REVISION = "2026-07-28";

  private static final int HEADER_MISMATCH = -32020;
  private static final int UNSUPPORTED_VERSION = -32022;
  private static final int NO_METHOD = -32601;
  private static final int INVALID_PARAMS = -32602;

  private static final String PREFIX = "io.modelcontextprotocol/";
  private static final String VERSION = PREFIX + "protocolVersion";

  /// What no server of the legacy era knows.
  private static final Set<String> ONLY_HERE = Set.of("server/discover", "subscriptions/listen");

  private static final Set<String> CACHEABLE =
      Set.of(
          "server/discover",
          "tools/list",
          "prompts/list",
          "resources/list",
          "resources/templates/list",
          "resources/read");

  private static final Set<String> NAMED = Set.of("tools/call", "prompts/get", "resources/read");

  private ModernEra() {}

  // What a request has to be.

  /// Returns whether a message looks like one of this era.
  static boolean marks(String method, JsonObject params) {
    return !method.equals("initialize") // which chooses the other one, whatever comes with it
        && (ONLY_HERE.contains(method) || meta(params).has(VERSION));
  }

  /// The same for what comes with headers, of which the version may be the only sign.
  static boolean marks(Request request) {
    return request.method().equals("POST")
        && !request.is("initialize")
        && (marks(request.rpcMethod(), params(request)) || version(request).compareTo("2026") > 0);
  }

  /// Returns the error that answers a request which is not to be served.
  ///
  /// @param revisions those that the server supports
  static Optional<JsonObject> refusal(String method, JsonObject params, List<String> revisions) {
    if (method.equals("initialize")) {
      return Optional.of(unsupported(JsonValue.of(params.get("protocolVersion")), revisions));
    }
    JsonObject meta = meta(params);
    if (!(meta.get(VERSION) instanceof JsonString(String version))) {
      return error(INVALID_PARAMS, "no " + VERSION);
    }
    if (!revisions.contains(version) || Eras.LEGACY.revisions.contains(version)) {
      return Optional.of(unsupported(meta.get(VERSION), revisions));
    }
    if (!(meta.get(PREFIX + "clientCapabilities") instanceof JsonObject)) {
      return error(INVALID_PARAMS, "no " + PREFIX + "clientCapabilities");
    }
    boolean known =
        ONLY_HERE.contains(method) || CACHEABLE.contains(method) || NAMED.contains(method);
    return known ? Optional.empty() : error(NO_METHOD, "no " + method);
  }

  /// The same for a request that has headers, which have to say what its body says.
  static Optional<JsonObject> refusal(Request request, List<String> revisions) {
    Optional<JsonObject> mismatch = request.is("initialize") ? Optional.empty() : mismatch(request);
    return mismatch.or(() -> refusal(request.rpcMethod(), params(request), revisions));
  }

  private static Optional<JsonObject> mismatch(Request request) {
    JsonObject params = params(request);
    boolean named = NAMED.contains(request.rpcMethod());
    JsonValue version = meta(params).get(VERSION);
    JsonValue name = params.get(request.is("resources/read") ? "uri" : "name");
    if (version(request).isEmpty() || version != null && !is(version, version(request))) {
      return error(HEADER_MISMATCH, "wrong MCP-Protocol-Version");
    }
    if (!request.header("Mcp-Method").orElse("").equals(request.rpcMethod())) {
      return error(HEADER_MISMATCH, "wrong Mcp-Method");
    }
    if (named && !is(name, decoded(request.header("Mcp-Name").orElse("")))) {
      return error(HEADER_MISMATCH, "wrong Mcp-Name");
    }
    return Optional.empty();
  }

  /// Returns the status that an error comes with.
  static int status(JsonObject error) {
    return error.get("code").equals(JsonValue.of(NO_METHOD)) ? 404 : 400;
  }

  /// Returns whether a client could not know better: which versions there are it has to ask.
  static boolean isAsking(JsonObject error) {
    return error.get("code").equals(JsonValue.of(UNSUPPORTED_VERSION));
  }

  private static String version(Request request) {
    return request.header("MCP-Protocol-Version").orElse("");
  }

  private static boolean is(JsonValue value, String text) {
    return value instanceof JsonString(String string) && string.equals(text);
  }

  private static String decoded(String header) {
    if (!header.startsWith("=?base64?") || !header.endsWith("?=")) {
      return header;
    }
    try {
      return new String(
          Base64.getDecoder().decode(header.substring(9, header.length() - 2)), UTF_8);
    } catch (IllegalArgumentException e) {
      return "";
    }
  }

  private static JsonObject params(Request request) {
    return request.message() instanceof JsonObject message
            && message.get("params") instanceof JsonObject params
        ? params
        : JsonObject.EMPTY;
  }

  private static JsonObject meta(JsonObject params) {
    return params.get("_meta") instanceof JsonObject meta ? meta : JsonObject.EMPTY;
  }

  private static Optional<JsonObject> error(int code, String text) {
    return Optional.of(JsonObject.of("code", code, "message", text));
  }

  private static JsonObject unsupported(JsonValue asked, List<String> revisions) {
    return JsonObject.of(
        "code",
        UNSUPPORTED_VERSION,
        "message",
        "unsupported protocol version",
        "data",
        JsonObject.of("supported", revisions, "requested", asked));
  }

  // What an answer has to be.

  static JsonObject discovered(List<String> revisions, JsonValue capabilities) {
    return JsonObject.of("supportedVersions", revisions, "capabilities", capabilities);
  }

  /// Returns a result with what each one has in this era; it may have some of that already.
  static JsonObject complete(String method, JsonObject result) {
    JsonObject server = JsonObject.of("name", "scripted", "version", "1");
    JsonObject all =
        JsonObject.of(
            "resultType", "complete", "_meta", JsonObject.of(PREFIX + "serverInfo", server));
    if (CACHEABLE.contains(method)) {
      all = all.with("ttlMs", 0).with("cacheScope", "private");
    }
    for (var member : result.members().entrySet()) {
      all = all.with(member.getKey(), member.getValue());
    }
    return all;
  }

  /// What a server hands to its client, to have it back as it was: a text that invites to be read,
  /// trimmed, or written anew.
  private static final String STATE = " {\"a\" : 1.0, \"b\":\"\u00e9\\u00e9\"} ";

  /// Returns what a tool answers that wants to know something: at first that it wants to, and then
  /// what it was told, as a text.
  ///
  /// @param wanted a request, as it would be sent in the legacy era
  static JsonObject ask(JsonObject wanted, JsonObject params) throws JsonException {
    Optional<JsonObject> told = params.optionalObject("inputResponses");
    if (told.isEmpty() && !params.has("requestState")) {
      JsonObject request = wanted.without("jsonrpc").without("id");
      return JsonObject.of(
          "resultType",
          "input_required",
          "inputRequests",
          JsonObject.of("asked", request),
          "requestState",
          STATE);
    }
    boolean same = is(params.get("requestState"), STATE);
    String text = same ? told.orElse(JsonObject.EMPTY).toString() : "not the state that was given";
    return JsonObject.of(
        "content", JsonArray.of(JsonObject.of("type", "text", "text", text)), "isError", !same);
  }

  /// Returns a notification, or a result, that belongs to this subscription; one that names another
  /// stays as it is.
  static JsonObject belonging(JsonObject paramsOrResult, JsonValue subscription) {
    JsonObject meta = meta(paramsOrResult);
    return meta.has(PREFIX + "subscriptionId")
        ? paramsOrResult
        : paramsOrResult.with("_meta", meta.with(PREFIX + "subscriptionId", subscription));
  }
}
