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

  /// It can be used.
  ///
  /// @param client what it is used by
  /// @param tools the server's tools when it was connected
  record Connected(McpClient client, List<Tool> tools) implements ConnectionState {}

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
