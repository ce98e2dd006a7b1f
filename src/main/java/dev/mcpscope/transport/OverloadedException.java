package dev.mcpscope.transport;

import java.io.IOException;

/// A message was not sent, because too much waits for the server to read it.
public final class OverloadedException extends IOException {
  private static final long serialVersionUID = 1;

  /// Creates the exception.
  ///
  /// @param message what waits, and the limit
  public OverloadedException(String message) {
    super(message);
  }
}
