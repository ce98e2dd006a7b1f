package dev.mcpscope.client;

import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import java.util.Map;

/// What the user has said to a server's question.
public sealed interface ElicitationResult {

  /// He agrees.
  ///
  /// @param content what he has filled in, by field; empty for a URL
  record Accepted(JsonObject content) implements ElicitationResult {}

  /// He has said no.
  record Declined() implements ElicitationResult {}

  /// He has said nothing: closed the window, gone away.
  record Cancelled() implements ElicitationResult {}

  /// Returns what he has filled in. A field that is left out gets its schema's default.
  ///
  /// @param content texts, numbers, booleans, and lists of texts, by field
  static ElicitationResult accept(Map<String, ?> content) {
    return new Accepted((JsonObject) JsonValue.of(content));
  }

  /// Returns his consent to a URL, or to a form as it stands.
  static ElicitationResult accept() {
    return new Accepted(JsonObject.EMPTY);
  }

  /// Returns his no.
  static ElicitationResult decline() {
    return new Declined();
  }

  /// Returns his silence.
  static ElicitationResult cancel() {
    return new Cancelled();
  }
}
