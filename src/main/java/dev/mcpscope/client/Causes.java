package dev.mcpscope.client;

import dev.mcpscope.transport.CallFailure;
import dev.mcpscope.transport.Loss;

/// Makes exceptions of what a transport has seen.
///
/// @param server how messages name the server
record Causes(String server) {

  /// Returns why the connection cannot go on.
  McpException of(Loss loss) {
    String message = server + ": " + loss.message();
    return switch (loss.kind()) {
      case GONE -> new ConnectionLostException(message, loss.cause());
      case PROTOCOL -> new ProtocolViolationException(message, loss.cause());
    };
  }

  /// Returns what the server wants, as it has said.
  AuthorizationRequiredException unauthorized(CallFailure refusal) {
    String message = server + ": " + refusal.message();
    return new AuthorizationRequiredException(
        message, refusal.status(), refusal.challenges(), refusal.cause());
  }

  /// Returns why a call of this method got no result.
  McpException of(String method, CallFailure failure) {
    if (failure.error().isPresent()) {
      return new RemoteErrorException(server, method, failure.error().get(), failure.status());
    }
    String message = server + ": " + failure.message();
    return switch (failure.kind()) {
      case UNAUTHORIZED -> unauthorized(failure);
      case PROTOCOL -> new ProtocolViolationException(message, failure.cause());
      case NOT_SENT, REFUSED ->
          new ExchangeFailedException(message, failure.status(), false, failure.cause());
      case CUT ->
          new ExchangeFailedException(
              message + "; it may have run", failure.status(), true, failure.cause());
    };
  }

  /// Each caller gets an exception of its own, with its own stack trace, and the first one as cause.
  McpException copy(McpException cause) {
    return switch (cause) {
      case ConnectionClosedException closed ->
          new ConnectionClosedException(server, closed.reason());
      case ProtocolViolationException _ ->
          new ProtocolViolationException(cause.getMessage(), cause);
      case AuthorizationRequiredException _,
          CallTimeoutException _,
          ConnectionLostException _,
          ExchangeFailedException _,
          InputFailedException _,
          RemoteErrorException _ ->
          new ConnectionLostException(cause.getMessage(), cause);
    };
  }
}
