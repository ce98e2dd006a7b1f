package dev.mcpscope.client;

/// A call, or the connecting, took longer than it may. The server was told that the call is
/// cancelled; the connection goes on.
public final class CallTimeoutException extends McpException {
  private static final long serialVersionUID = 1;

  CallTimeoutException(String message) {
    super(message, null);
  }
}
