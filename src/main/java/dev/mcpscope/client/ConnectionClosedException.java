package dev.mcpscope.client;

/// This side has closed the connection, or is closing it.
public final class ConnectionClosedException extends McpException {
  private static final long serialVersionUID = 1;

  private final CloseReason reason;

  /// Creates the exception.
  ///
  /// @param server how messages name the server
  /// @param reason why the connection was closed, or not opened at all
  public ConnectionClosedException(String server, CloseReason reason) {
    super(server + ": the connection is closed: " + reason.text(), null);
    this.reason = reason;
  }

  /// Returns why it was closed.
  public CloseReason reason() {
    return reason;
  }
}
