package dev.mcpscope.http;

import java.io.IOException;

/// A place that no connection is made to. The message names its host and says why; it holds nothing
/// else of a URL.
public final class RefusedDestinationException extends IOException {
  private static final long serialVersionUID = 1;

  private final String reason;

  RefusedDestinationException(String host, String reason) {
    super("no connection is made to " + host + ": " + reason);
    this.reason = reason;
  }

  /// Returns what it is, such as "a link-local address", without the host's name.
  public String reason() {
    return reason;
  }
}
