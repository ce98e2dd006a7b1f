package dev.mcpscope.client;

import java.util.List;

/// A server that is reached over HTTP has answered 401 or 403: it wants another authorization than it
/// was sent.
///
/// @see <a href="https://modelcontextprotocol.io/specification/2025-11-25/basic/authorization">
///     Authorization, revision 2025-11-25</a>
public final class AuthorizationRequiredException extends McpException {
  private static final long serialVersionUID = 1;

  private final int status;
  private final String[] challenges;

  AuthorizationRequiredException(
      String message, int status, List<String> challenges, Throwable cause) {
    super(message, cause);
    this.status = status;
    this.challenges = challenges.toArray(String[]::new);
  }

  /// Returns 401 (none, or not a good one) or 403 (not enough).
  public int status() {
    return status;
  }

  /// Returns the values of the answer's `WWW-Authenticate` headers, as they were; may be empty.
  public List<String> challenges() {
    return List.of(challenges);
  }
}
