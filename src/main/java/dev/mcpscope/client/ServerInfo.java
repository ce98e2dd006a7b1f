package dev.mcpscope.client;

import dev.mcpscope.json.JsonBoolean;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import java.util.Optional;

/// What a server has told of itself.
///
/// @param name what it is called; empty where it need not say (revision 2026-07-28)
/// @param version its version; empty likewise
/// @param protocolVersion the protocol's revision that both sides speak
/// @param capabilities what it offers, as it sent it; nothing else is asked of it
/// @param instructions how to use it, for the model
/// @param json the whole answer as the server sent it; empty if it was not to be had
public record ServerInfo(
    String name,
    String version,
    String protocolVersion,
    JsonObject capabilities,
    Optional<String> instructions,
    JsonObject json) {

  private static final String SELF = "io.modelcontextprotocol/serverInfo";

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

  /// Reads the answer to `server/discover`. "Servers SHOULD include" who they are.
  ///
  /// @param protocolVersion which of its revisions is spoken
  static ServerInfo discovered(JsonObject result, String protocolVersion) throws JsonException {
    JsonObject server = identity(result);
    return new ServerInfo(
        server.optionalString("name").orElse(""),
        server.optionalString("version").orElse(""),
        protocolVersion,
        result.optionalObject("capabilities").orElse(JsonObject.EMPTY),
        result.optionalString("instructions"),
        result);
  }

  /// Revision 2026-07-28 has it beside the result, those before in it.
  private static JsonObject identity(JsonObject result) {
    JsonValue told =
        result.get("_meta") instanceof JsonObject meta && meta.has(SELF)
            ? meta.get(SELF)
            : result.get("serverInfo");
    return told instanceof JsonObject server ? server : JsonObject.EMPTY;
  }

  /// Returns who the server says that it is, as it sent it: its name and version, and what else there
  /// is; empty if it does not say.
  public JsonObject identity() {
    return identity(json);
  }

  /// Returns what is taken for true of a server that speaks this revision and does not know
  /// `server/discover`: that it may have anything that can be asked for.
  static ServerInfo assumed(String protocolVersion) {
    JsonObject any = JsonObject.EMPTY;
    JsonObject capabilities =
        JsonObject.of("tools", any, "resources", any, "prompts", any, "completions", any);
    return new ServerInfo(
        "", "", protocolVersion, capabilities, Optional.empty(), JsonObject.EMPTY);
  }

  /// Returns the same of a server that is spoken to in this revision.
  ServerInfo withProtocolVersion(String protocolVersion) {
    return new ServerInfo(name, version, protocolVersion, capabilities, instructions, json);
  }

  /// Whether it was not to be had from the server.
  boolean isAssumed() {
    return json.isEmpty();
  }

  /// Returns whether the server has declared this capability.
  public boolean declares(String capability) {
    return capabilities.get(capability) instanceof JsonObject;
  }

  /// Returns whether the server has declared that this capability includes an ability.
  public boolean declares(String capability, String ability) {
    return capabilities.get(capability) instanceof JsonObject declared
        && JsonBoolean.TRUE.equals(declared.get(ability));
  }
}
