package dev.mcpscope.demo;

import dev.mcpscope.json.JsonObject;

/// Messages as a client of revision 2026-07-28 sends them, and what is in the answers to all of them.
final class Modern {
  static final String REVISION = "2026-07-28";
  static final String VERSION = "io.modelcontextprotocol/protocolVersion";
  static final String CAPABILITIES = "io.modelcontextprotocol/clientCapabilities";
  static final String LOG_LEVEL = "io.modelcontextprotocol/logLevel";
  static final String SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId";
  static final String SERVER_INFO = "io.modelcontextprotocol/serverInfo";

  static final JsonObject META =
      JsonObject.of(
          VERSION,
          REVISION,
          CAPABILITIES,
          JsonObject.of("elicitation", JsonObject.EMPTY),
          "io.modelcontextprotocol/clientInfo",
          JsonObject.of("name", "test", "version", "0"));

  private Modern() {}

  static JsonObject request(Object id, String method, Object... params) {
    return request(id, method, JsonObject.of(params));
  }

  /// @param params get the usual `_meta`, unless they have their own
  static JsonObject request(Object id, String method, JsonObject params) {
    JsonObject all = params.has("_meta") ? params : params.with("_meta", META);
    return JsonObject.of("jsonrpc", "2.0", "id", id, "method", method, "params", all);
  }

  static JsonObject call(Object id, String tool, Object... arguments) {
    return request(id, "tools/call", "name", tool, "arguments", JsonObject.of(arguments));
  }

  static JsonObject listen(Object id, Object... notifications) {
    return request(id, "subscriptions/listen", "notifications", JsonObject.of(notifications));
  }

  /// The request with something else in its `_meta`.
  static JsonObject with(JsonObject request, String key, Object value) {
    JsonObject params = (JsonObject) request.get("params");
    JsonObject meta = (JsonObject) params.get("_meta");
    return request.with("params", params.with("_meta", meta.with(key, value)));
  }

  /// The request without something in its `_meta`.
  static JsonObject without(JsonObject request, String key) {
    JsonObject params = (JsonObject) request.get("params");
    JsonObject meta = (JsonObject) params.get("_meta");
    return request.with("params", params.with("_meta", meta.without(key)));
  }

  /// The call again, with an answer to what its result has asked for.
  static JsonObject retry(Object id, JsonObject call, JsonObject result, Object... responses) {
    JsonObject params = (JsonObject) call.get("params");
    params = params.with("inputResponses", JsonObject.of(responses));
    params = params.with("requestState", result.get("requestState"));
    return request(id, "tools/call", params);
  }
}
