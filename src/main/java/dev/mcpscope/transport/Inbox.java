package dev.mcpscope.transport;

import dev.mcpscope.rpc.RpcId;
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

  /// Takes the news that a request gets no answer, while the connection goes on.
  default void failed(RpcId request, CallFailure failure) {}

  /// Takes the news that the server is to be had again, or for the time being not.
  default void changed(Health health) {}

  /// Takes the news that the server has forgotten the session: to what it has asked in it, it does
  /// not want an answer any more.
  default void forgotten() {}

  /// Takes the news that, where the server had forgotten the session, another one has taken its
  /// place: what it has listed may have changed.
  default void renewed() {}
}
