package dev.mcpscope.client;

/// Why this side closes a connection.
public enum CloseReason {
  /// The client's user has called [McpClient#close()].
  CLOSED("closed by its user"),
  /// A host was asked to disconnect it.
  DISCONNECTED("disconnected"),
  /// A newer connect took its name.
  REPLACED("replaced by a newer connect for its name"),
  /// The host's session that it belongs to ends.
  SESSION_ENDED("its session has ended"),
  /// The host ends.
  HOST_ENDED("the host is shutting down"),
  /// The thread that owns it was interrupted: the scope that it runs in was cancelled.
  OWNER_INTERRUPTED("its owner was interrupted");

  private final String text;

  CloseReason(String text) {
    this.text = text;
  }

  /// Returns the reason as words for people.
  public String text() {
    return text;
  }
}
