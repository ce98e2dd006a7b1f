package dev.mcpscope.client;

/// Thrown by a handler that will not answer a server's request: the server is told code and message.
public final class RequestRefusedException extends Exception {
  private static final long serialVersionUID = 1;

  /// The user has said no; the code that the protocol gives for that.
  public static final int USER_REJECTED = -1;

  private final int code;

  /// Creates the refusal.
  ///
  /// @param code [#USER_REJECTED], or any other of JSON-RPC's integers
  /// @param message one sentence for the server: no secrets
  public RequestRefusedException(int code, String message) {
    super(message);
    this.code = code;
  }

  /// Returns the code.
  public int code() {
    return code;
  }
}
