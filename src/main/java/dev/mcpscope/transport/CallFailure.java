package dev.mcpscope.transport;

import java.util.List;

/// Why one request gets no answer, while the connection goes on.
///
/// @param kind whose fault it is, and what is known of the request
/// @param message what happened; a sentence for people, without secrets
/// @param status the status of an HTTP answer, 0 when there was none
/// @param challenges the values of its `WWW-Authenticate` headers, as they were
/// @param cause what the transport ran into, or null when nothing was thrown
public record CallFailure(
    Kind kind, String message, int status, List<String> challenges, Throwable cause) {

  /// What is known of a request without an answer.
  public enum Kind {
    /// It did not reach the server.
    NOT_SENT,
    /// It may have reached the server, and may have been done.
    CUT,
    /// The server, or a proxy on the way, has refused it.
    REFUSED,
    /// As [#REFUSED], for lack of a (better) authorization.
    UNAUTHORIZED,
    /// What came as the answer breaks the protocol or a limit.
    PROTOCOL
  }

  /// Copies the list.
  public CallFailure {
    challenges = List.copyOf(challenges);
  }

  /// A failure without an HTTP answer.
  public CallFailure(Kind kind, String message, Throwable cause) {
    this(kind, message, 0, List.of(), cause);
  }

  /// A failure that an HTTP answer shows.
  public CallFailure(Kind kind, String message, int status) {
    this(kind, message, status, List.of(), null);
  }
}
