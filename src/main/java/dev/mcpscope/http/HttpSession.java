package dev.mcpscope.http;

import java.util.Optional;

/// What `initialize` has agreed on; a session's identity tells it from the one before.
///
/// @param id the server's word for it, a secret; empty when the server keeps no session
/// @param version the protocol's revision; empty until `initialize` is answered
record HttpSession(Optional<String> id, String version) {
  static final HttpSession NONE = new HttpSession(Optional.empty(), "");

  /// Whether a request says which revision it follows: "the client MUST include the
  /// MCP-Protocol-Version header", since 2025-06-18. Revisions are dates, which sort like texts.
  boolean isVersioned() {
    return version.compareTo("2025-06-18") >= 0;
  }

  /// Names the revision only: the id is for the server.
  @Override
  public String toString() {
    return "session" + (id.isPresent() ? " ***" : "") + " " + version;
  }
}
