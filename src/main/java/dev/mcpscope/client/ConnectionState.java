package dev.mcpscope.client;

import dev.mcpscope.transport.CloseReport;
import java.util.List;

/// Where a connection stands. Its owner alone changes it; everything that is shown is derived from
/// it.
public sealed interface ConnectionState {

  /// It is on its way.
  ///
  /// @param phase what it is waiting for: "start", "initialize", "tools/list", "onConnect"
  record Connecting(String phase) implements ConnectionState {}

  /// It is open: it can be used, though its calls may fail for the time being.
  sealed interface Usable extends ConnectionState {
    /// Returns what it is used by.
    McpClient client();

    /// Returns the server's tools, as they were when last looked at.
    List<Tool> tools();
  }

  /// It can be used.
  ///
  /// @param client what it is used by
  /// @param tools the server's tools, as they were when last looked at
  record Connected(McpClient client, List<Tool> tools) implements Usable {}

  /// Its server, one that is reached over HTTP, is away. It is looked for, and calls fail until it is
  /// back.
  ///
  /// @param client what it is used by
  /// @param tools the server's tools, as they were when last looked at
  /// @param problem what was seen of it last
  record Degraded(McpClient client, List<Tool> tools, String problem) implements Usable {}

  /// Its server, one that is reached over HTTP, does not accept the authorization that it is sent any
  /// more, or asks for one. Calls fail until it does accept it.
  ///
  /// @param client what it is used by
  /// @param tools the server's tools, as they were when last looked at
  /// @param problem what the server has answered, and how it can be met
  record NeedsAuthorization(
      McpClient client, List<Tool> tools, AuthorizationRequiredException problem)
      implements Usable {}

  /// It is being closed, and takes no calls any more.
  ///
  /// @param reason why
  record Closing(String reason) implements ConnectionState {}

  /// It was closed by this side.
  ///
  /// @param cause what calls and connects that came too late are told
  /// @param report what it took
  record Closed(ConnectionClosedException cause, CloseReport report) implements ConnectionState {}

  /// It could not be opened, or was lost.
  ///
  /// @param cause the first failure, later ones suppressed
  /// @param report what it took to clean up
  record Failed(McpException cause, CloseReport report) implements ConnectionState {}
}
