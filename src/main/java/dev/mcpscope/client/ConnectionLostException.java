package dev.mcpscope.client;

/// The server has ended, has crashed, could not be started or cannot be reached. The message holds
/// the exit code and the end of stderr where there are any.
public final class ConnectionLostException extends McpException {
  private static final long serialVersionUID = 1;

  ConnectionLostException(String message, Throwable cause) {
    super(message, cause);
  }
}
