package dev.mcpscope.client;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import java.util.Optional;
import java.util.OptionalDouble;

/// How far a call has come.
///
/// @param progress grows with each report
/// @param total what it grows to, if the server knows
/// @param message what the server is doing, if it says
public record Progress(double progress, OptionalDouble total, Optional<String> message) {

  static Progress parse(JsonObject params) throws JsonException {
    return new Progress(
        params
            .optionalNumber("progress")
            .orElseThrow(() -> new JsonException("progress without the member progress")),
        params.optionalNumber("total"),
        params.optionalString("message"));
  }
}
