package dev.mcpscope.transport;

import dev.mcpscope.rpc.RpcError;
import java.util.List;
import java.util.Optional;

/// Why one request gets no answer, while the connection goes on.
///
/// @param kind whose fault it is, and what is known of the request
/// @param message what happened; a sentence for people, without secrets
/// @param status the status of an HTTP answer, 0 when there was none
/// @param challenges the values of its `WWW-Authenticate` headers, as they were
/// @param error what the answer says of it in the words of the protocol, if it does
/// @param cause what the transport ran into, or null when nothing was thrown
public record CallFailure(
    Kind kind,
    String message,
    int status,
    List<String> challenges,
    Optional<RpcError> error,
    Throwable cause) {

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

  /// Says a server that takes a stream to be open still: it has not noticed its end yet.
  public static final int CONFLICT = 409;

  /// Returns whether a server that refuses with this HTTP status may not do so a little later.
  public static boolean isPassing(int status) {
    return status >= 500 || status == 429 || status == CONFLICT;
  }

  /// Copies the list.
  public CallFailure {
    challenges = List.copyOf(challenges);
  }

  /// A failure without an HTTP answer.
  public CallFailure(Kind kind, String message, Throwable cause) {
    this(kind, message, 0, List.of(), Optional.empty(), cause);
  }

  /// A failure that an HTTP answer shows.
  public CallFailure(Kind kind, String message, int status) {
    this(kind, message, status, List.of(), Optional.empty(), null);
  }

  /// A refusal for lack of authorization.
  public static CallFailure unauthorized(String message, int status, List<String> challenges) {
    return new CallFailure(Kind.UNAUTHORIZED, message, status, challenges, Optional.empty(), null);
  }

  /// A refusal in the words of the protocol.
  public static CallFailure refused(String message, int status, RpcError error) {
    return new CallFailure(Kind.REFUSED, message, status, List.of(), Optional.of(error), null);
  }

  /// The same failure, seen behind the head of an answer that had this status.
  public CallFailure withStatus(int status) {
    return new CallFailure(kind, message, status, challenges, error, cause);
  }
}
