package dev.mcpscope.client;

/// Which era of the protocol a server is spoken to in. The legacy revisions, 2024-11-05 to 2025-11-25,
/// begin with a handshake and have a session; the modern one, 2026-07-28, has neither. What a user
/// sees of a connection is the same in both.
///
/// @see <a href="https://modelcontextprotocol.io/specification/2026-07-28/basic/versioning">Versioning,
///     revision 2026-07-28</a>
public enum EraChoice {
  /// The server is asked, and spoken to in the modern era if it knows that.
  AUTO,
  /// Modern, or not at all: a server that does not know it is not connected.
  MODERN,
  /// Legacy, without asking: for servers that cannot bear the question.
  LEGACY
}
