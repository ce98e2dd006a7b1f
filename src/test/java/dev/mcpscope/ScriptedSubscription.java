package dev.mcpscope;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import java.util.Optional;

/// A `subscriptions/listen` that a scripted server has not ended, and what is said in it.
///
/// @param id of the request
/// @param filter what it is about, as it was acknowledged
record ScriptedSubscription(JsonValue id, JsonObject filter) {

  /// Agrees to as much of what was asked for as the capabilities declare.
  static ScriptedSubscription of(JsonValue id, JsonObject params, JsonValue capabilities)
      throws JsonException {
    JsonObject filter = JsonObject.EMPTY;
    for (var asked : params.object("notifications").members().entrySet()) {
      boolean declared =
          switch (asked.getKey()) {
            case "toolsListChanged" -> declares(capabilities, "tools", "listChanged");
            case "promptsListChanged" -> declares(capabilities, "prompts", "listChanged");
            case "resourcesListChanged" -> declares(capabilities, "resources", "listChanged");
            case "resourceSubscriptions" -> declares(capabilities, "resources", "subscribe");
            default -> false;
          };
      if (declared) {
        filter = filter.with(asked.getKey(), asked.getValue());
      }
    }
    return new ScriptedSubscription(id, filter);
  }

  private static boolean declares(JsonValue capabilities, String feature, String what)
      throws JsonException {
    return capabilities instanceof JsonObject all
        && all.optionalObject(feature).orElse(JsonObject.EMPTY).optionalBool(what).orElse(false);
  }

  /// Returns what is said first.
  JsonObject acknowledgement() {
    JsonObject params = ModernEra.belonging(JsonObject.of("notifications", filter), id);
    return notification("notifications/subscriptions/acknowledged", params);
  }

  /// Returns a notification as it is told here; nothing if it is known, and was not asked for. One
  /// that names a subscription keeps that name, right or wrong.
  Optional<JsonObject> told(JsonObject notification) throws JsonException {
    JsonObject params = notification.optionalObject("params").orElse(JsonObject.EMPTY);
    String method = notification.optionalString("method").orElse("");
    boolean wanted =
        switch (method) {
          case "notifications/tools/list_changed" -> has("toolsListChanged");
          case "notifications/prompts/list_changed" -> has("promptsListChanged");
          case "notifications/resources/list_changed" -> has("resourcesListChanged");
          case "notifications/resources/updated" ->
              filter.optionalStrings("resourceSubscriptions").contains(params.string("uri"));
          default -> true;
        };
    return wanted
        ? Optional.of(notification.with("params", ModernEra.belonging(params, id)))
        : Optional.empty();
  }

  private boolean has(String what) throws JsonException {
    return filter.optionalBool(what).orElse(false);
  }

  /// Returns the result that ends it well.
  JsonObject result() {
    return ModernEra.belonging(ModernEra.complete("subscriptions/listen", JsonObject.EMPTY), id);
  }

  /// Returns what ends it where it has no stream of its own.
  JsonObject cancellation() {
    return notification("notifications/cancelled", JsonObject.of("requestId", id));
  }

  private static JsonObject notification(String method, JsonObject params) {
    return JsonObject.of("jsonrpc", "2.0", "method", method, "params", params);
  }
}
