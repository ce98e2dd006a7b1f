package dev.mcpscope.front;

/// A request that the front turns down before anything is touched. The message is what the client
/// is told with status 400, so it names the rule that was broken and holds no secret.
final class RefusedException extends Exception {

  private static final long serialVersionUID = 1L;

  RefusedException(String message) {
    super(message);
  }
}
