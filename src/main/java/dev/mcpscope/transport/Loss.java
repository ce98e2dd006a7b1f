package dev.mcpscope.transport;

/// Why a connection cannot go on.
///
/// @param kind whose fault it is
/// @param message what happened, with exit code and the end of stderr where there are any; a
///     sentence for people
/// @param cause what the transport ran into, or null when nothing was thrown
public record Loss(Kind kind, String message, Throwable cause) {

  /// Whose fault it is.
  public enum Kind {
    /// The server ended, crashed, or cannot be reached.
    GONE,
    /// The server is there, but what it sends breaks the protocol or a limit.
    PROTOCOL
  }
}
