package dev.mcpscope.host;

import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.McpClient;
import dev.mcpscope.client.ServerSpec;
import java.util.Optional;

/// A named connection of a host, as it stands.
///
/// @param session the session that it belongs to
/// @param name its name in the session
/// @param generation counts the connections that the host has made, so that two of the same name
///     can be told apart
/// @param spec the server that it connects
/// @param state where it stands
/// @param restarts whether it has failed and its server will be started again, after a while and as
///     another generation
public record ConnectionStatus(
    String session,
    String name,
    long generation,
    ServerSpec spec,
    ConnectionState state,
    boolean restarts) {

  /// Returns what the connection is used by, if it is open.
  public Optional<McpClient> client() {
    return state instanceof ConnectionState.Usable usable
        ? Optional.of(usable.client())
        : Optional.empty();
  }
}
