package dev.mcpscope.demo;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.rpc.RpcError;
import dev.mcpscope.rpc.RpcMessage;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// The revisions that begin with `initialize`: what the client tells then and later, such as the
/// level from which it wants to be told, holds for all of its requests.
final class DemoLegacy implements DemoEra, DemoNotes.Watcher {
  static final List<String> REVISIONS =
      List.of("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05");

  /// With who is asked.
  static final Duration PATIENCE = Duration.ofMinutes(10);

  private static final JsonObject CAPABILITIES =
      JsonObject.of(
          "tools",
          JsonObject.EMPTY,
          "resources",
          JsonObject.of("subscribe", true),
          "prompts",
          JsonObject.EMPTY,
          "completions",
          JsonObject.EMPTY,
          "logging",
          JsonObject.EMPTY);

  private static final int RESOURCE_NOT_FOUND = -32002;
  private static final int MOST_SUBSCRIPTIONS = 128;

  private final DemoOutput out;
  private final DemoNotes notes;
  private final DemoCatalogue catalogue;
  private final DemoQuestions questions = new DemoQuestions(PATIENCE);
  private final Set<String> subscriptions = ConcurrentHashMap.newKeySet(); // URIs
  private volatile boolean hasForms;
  private volatile int leastLevel = LEVELS.indexOf("info"); // until the client sets one

  /// @param out where is said what belongs to no call
  DemoLegacy(DemoOutput out, DemoNotes notes, DemoCatalogue catalogue) {
    this.out = out;
    this.notes = notes;
    this.catalogue = catalogue;
  }

  @Override
  public Optional<JsonObject> own(String method, JsonObject params)
      throws JsonException, DemoRefusal {
    switch (method) {
      case "initialize" -> {
        return Optional.of(initialize(params));
      }
      case "ping" -> {}
      case "logging/setLevel" -> leastLevel = DemoEra.level(params.string("level"));
      case "resources/subscribe" -> subscribe(params.string("uri"));
      case "resources/unsubscribe" -> unsubscribe(params.string("uri"));
      default -> {
        return Optional.empty();
      }
    }
    return Optional.of(JsonObject.EMPTY);
  }

  private JsonObject initialize(JsonObject params) throws JsonException {
    hasForms = DemoEra.hasForms(params.optionalObject("capabilities").orElse(JsonObject.EMPTY));
    JsonValue asked = params.get("protocolVersion");
    boolean known = asked instanceof JsonString(var revision) && REVISIONS.contains(revision);
    return JsonObject.of(
        "protocolVersion",
        known ? asked : REVISIONS.getFirst(),
        "capabilities",
        CAPABILITIES,
        "serverInfo",
        SERVER_INFO,
        "instructions",
        INSTRUCTIONS);
  }

  private void subscribe(String uri) throws DemoRefusal {
    catalogue.text(uri).orElseThrow(() -> noResource(uri));
    if (subscriptions.size() >= MOST_SUBSCRIPTIONS && !subscriptions.contains(uri)) {
      throw new DemoRefusal(
          RpcError.INTERNAL_ERROR, "more than " + MOST_SUBSCRIPTIONS + " subscriptions");
    }
    subscriptions.add(uri);
    notes.watch(this);
  }

  private void unsubscribe(String uri) throws DemoRefusal {
    if (!subscriptions.remove(uri)) { // the notes on a topic may have gone since
      catalogue.text(uri).orElseThrow(() -> noResource(uri));
    }
  }

  @Override
  public void changed(Set<String> uris, boolean list) {
    uris.stream()
        .filter(subscriptions::contains)
        .forEach(uri -> out.notify("notifications/resources/updated", JsonObject.of("uri", uri)));
  }

  @Override
  public JsonObject sent(String method, JsonObject result) {
    return result;
  }

  @Override
  public DemoRefusal noResource(String uri) {
    return DemoRefusal.noResource(RESOURCE_NOT_FOUND, uri);
  }

  @Override
  public boolean logs(String level) {
    return LEVELS.indexOf(level) >= leastLevel;
  }

  /// A client that cannot be asked hears of it from the tool.
  @Override
  public void beforeAsking() {}

  /// Asks by a request to the client.
  @Override
  public Optional<JsonObject> ask(DemoCall call, JsonObject form) throws InterruptedException {
    if (!hasForms) {
      return Optional.of(
          DemoTools.error("this client cannot be asked: it has not declared elicitation by form"));
    }
    return questions
        .ask(call, "elicitation/create", form)
        .map(response ->
            switch (response) {
              case RpcMessage.Result(_, var result) -> DemoTools.said(result);
              case RpcMessage.Failure(_, var error) ->
                  DemoTools.error("asking has failed: " + error.message());
            });
  }

  /// Hands over the client's answer to a question.
  ///
  /// @return false when nobody waits for it
  boolean answered(RpcMessage.Response response) {
    return questions.answered(response);
  }
}
