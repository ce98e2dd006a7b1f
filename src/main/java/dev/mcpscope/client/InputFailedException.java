package dev.mcpscope.client;

/// A server wanted input before it answers a call, and did not get it: the handler of
/// [ClientFeatures] that it is for has failed, refused or taken too long. The call was not made
/// again; the connection goes on.
public final class InputFailedException extends McpException {
  private static final long serialVersionUID = 1;

  InputFailedException(String message, Throwable cause) {
    super(message, cause);
  }
}
