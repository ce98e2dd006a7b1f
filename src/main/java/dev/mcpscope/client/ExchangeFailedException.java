package dev.mcpscope.client;

import java.util.OptionalInt;

/// A request to a server that is reached over HTTP got no answer of the protocol's; the connection
/// goes on.
public final class ExchangeFailedException extends McpException {
  private static final long serialVersionUID = 1;

  private final int status;
  private final boolean mayHaveRun;

  ExchangeFailedException(String message, int status, boolean mayHaveRun, Throwable cause) {
    super(message, cause);
    this.status = status;
    this.mayHaveRun = mayHaveRun;
  }

  /// Returns the status of the HTTP answer; empty when there was none.
  public OptionalInt status() {
    return status == 0 ? OptionalInt.empty() : OptionalInt.of(status);
  }

  /// Returns whether the request may have reached the server, and what it asks for may have been
  /// done.
  public boolean mayHaveRun() {
    return mayHaveRun;
  }
}
