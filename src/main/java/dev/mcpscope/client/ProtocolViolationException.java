package dev.mcpscope.client;

/// The server sent what the protocol does not allow, or more than a limit allows.
public final class ProtocolViolationException extends McpException {
  private static final long serialVersionUID = 1;

  ProtocolViolationException(String message, Throwable cause) {
    super(message, cause);
  }
}
