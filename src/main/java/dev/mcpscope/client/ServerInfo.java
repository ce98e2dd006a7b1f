package dev.mcpscope.client;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import java.util.Optional;

/// What a server has told of itself.
///
/// @param name what it is called
/// @param version its version
/// @param protocolVersion the protocol's revision that both sides speak
/// @param capabilities what it offers, as it sent it; nothing else is asked of it
/// @param instructions how to use it, for the model
/// @param json the whole answer as the server sent it
public record ServerInfo(
    String name,
    String version,
    String protocolVersion,
    JsonObject capabilities,
    Optional<String> instructions,
    JsonObject json) {

  static ServerInfo parse(JsonObject result) throws JsonException {
    JsonObject server = result.object("serverInfo");
    return new ServerInfo(
        server.string("name"),
        server.string("version"),
        result.string("protocolVersion"),
        result.optionalObject("capabilities").orElse(JsonObject.EMPTY),
        result.optionalString("instructions"),
        result);
  }

  /// Returns whether the server has declared this capability.
  public boolean declares(String capability) {
    return capabilities.get(capability) instanceof JsonObject;
  }
}
