package dev.mcpscope.client;

import dev.mcpscope.json.JsonObject;
import java.util.List;

/// What differs between the eras of the protocol; chosen once a connection, asked at few places.
///
/// The revisions 2024-11-05 to 2025-11-25 begin with a handshake and have a session. Everything
/// else in this package is written without a thought for that, so that an era without handshake is
/// one more record here.
sealed interface Era {

  /// Returns the params that a request is sent with.
  JsonObject params(JsonObject params);

  /// Returns what the server has told of itself.
  ServerInfo server();

  /// Finds out which era the server speaks, and does what that era begins with.
  static Era open(Calls calls, ClientOptions options) throws McpException, InterruptedException {
    return Handshake.open(calls, options);
  }

  /// The revisions that begin with `initialize`.
  ///
  /// @param server the answer to it
  record Handshake(ServerInfo server) implements Era {
    /// Newest first: the first one is what we ask for.
    static final List<String> REVISIONS =
        List.of("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05");

    private static Handshake open(Calls calls, ClientOptions options)
        throws McpException, InterruptedException {
      JsonObject answer =
          calls.handshake(
              "initialize",
              JsonObject.of(
                  "protocolVersion",
                  REVISIONS.getFirst(),
                  "capabilities",
                  options.features().capabilities(),
                  "clientInfo",
                  JsonObject.of("name", options.name(), "version", options.version())));
      ServerInfo server = calls.parse("initialize", answer, ServerInfo::parse);
      // "If the client does not support the version in the server's response, it SHOULD
      // disconnect."
      if (!REVISIONS.contains(server.protocolVersion())) {
        throw new ProtocolViolationException(
            calls.server()
                + ": the server speaks protocol version "
                + server.protocolVersion()
                + ", this client speaks "
                + String.join(", ", REVISIONS),
            null);
      }
      calls.notify("notifications/initialized", JsonObject.EMPTY);
      return new Handshake(server);
    }

    @Override
    public JsonObject params(JsonObject params) {
      return params;
    }
  }
}
