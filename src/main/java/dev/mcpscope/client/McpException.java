package dev.mcpscope.client;

import java.io.IOException;

/// What can go wrong with a connection or a call, told apart by who did it.
public abstract sealed class McpException extends IOException
    permits AuthorizationRequiredException,
        CallTimeoutException,
        ConnectionClosedException,
        ConnectionLostException,
        ExchangeFailedException,
        InputFailedException,
        ProtocolViolationException,
        RemoteErrorException {
  private static final long serialVersionUID = 1;

  McpException(String message, Throwable cause) {
    super(message, cause);
  }
}
