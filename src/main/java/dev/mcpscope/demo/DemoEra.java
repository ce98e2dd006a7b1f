package dev.mcpscope.demo;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import java.util.List;
import java.util.Optional;

/// What the era of a request makes different. [DemoServer] is told it with each request, and asks it
/// where the eras go different ways; any thread may.
sealed interface DemoEra permits DemoLegacy, DemoModern {
  JsonObject SERVER_INFO =
      JsonObject.of("name", "mcp-scope-demo", "title", "The tour's server", "version", "1");

  String INSTRUCTIONS =
      "Call slow to see progress, note to see a resource change, ask to be asked, and crash to see"
          + " what a crash looks like.";

  /// The levels of RFC 5424, as MCP names them, the least severe one first.
  List<String> LEVELS =
      List.of("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency");

  /// Answers the methods that only this era has.
  ///
  /// @return empty if it has no such method
  Optional<JsonObject> own(String method, JsonObject params) throws JsonException, DemoRefusal;

  /// Returns the result of a method as it is sent.
  JsonObject sent(String method, JsonObject result);

  /// Returns how a request for a resource that is not there is refused.
  DemoRefusal noResource(String uri);

  /// Returns whether a log message is wanted.
  ///
  /// @param level one of [#LEVELS]
  boolean logs(String level);

  /// Called before a call begins that asks the client's user.
  ///
  /// @throws DemoRefusal if the call is to be refused because the client cannot be asked
  void beforeAsking() throws DemoRefusal;

  /// Asks the client's user to fill in a form; in the call's own thread, as long as that takes.
  ///
  /// @return the call's result, or empty if nobody wants it any more
  Optional<JsonObject> ask(DemoCall call, JsonObject form) throws InterruptedException, DemoRefusal;

  /// Returns the place of a level among [#LEVELS].
  ///
  /// @throws JsonException if there is no such level
  static int level(String name) throws JsonException {
    int level = LEVELS.indexOf(name);
    if (level < 0) {
      throw new JsonException("level must be one of " + LEVELS + ", not " + name);
    }
    return level;
  }

  /// Returns whether a client with these capabilities has forms. They came first: to declare nothing
  /// in particular means them, `url` alone does not.
  ///
  /// @throws JsonException if `elicitation` is no object
  static boolean hasForms(JsonObject capabilities) throws JsonException {
    return capabilities
        .optionalObject("elicitation")
        .filter(modes -> modes.has("form") || !modes.has("url"))
        .isPresent();
  }
}
