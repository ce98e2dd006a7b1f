package dev.mcpscope.transport;

/// How an open connection does, where it can do otherwise than well or not at all: over HTTP, where
/// the server may go and come back.
public sealed interface Health {

  /// The server answers.
  record Good() implements Health {}

  /// The server cannot be reached, and is looked for.
  ///
  /// @param problem what was seen of it last; a sentence for people
  record Away(String problem) implements Health {}

  /// The server is there, and refuses the authorization that it is sent.
  ///
  /// @param refusal its answer
  record Unauthorized(CallFailure refusal) implements Health {}
}
