package dev.mcpscope.transport;

import dev.mcpscope.rpc.RpcMessage;

/// Where a transport leaves what arrives. Called by the transport's tasks; never blocks, and runs no
/// user code.
public interface Inbox {

  /// Takes a message, in the order in which the server sent them on one stream.
  ///
  /// @param bytes how long it was on the wire: whoever keeps messages has to know what they cost
  void received(RpcMessage message, int bytes);

  /// Takes the news that the connection cannot go on. The first call counts, later ones are ignored.
  void lost(Loss loss);
}
