package dev.mcpscope.transport;

import dev.mcpscope.rpc.RpcMessage;
import dev.mcpscope.scope.Task;
import java.util.List;
import java.util.Map;

/// How messages travel between one client and one server: what the owner of a connection needs of
/// a child process or of an HTTP endpoint, and no more.
///
/// A transport is opened by the connection's owner, inside the connection's scope; its constructor
/// or factory either returns it ready or throws with everything released. From then on:
///
/// 1. the owner forks [#tasks()] in its scope, before anything is sent;
/// 2. any thread sends; what arrives goes to the [Inbox];
/// 3. what ends the connection is reported to the inbox, with its cause, by the task that saw it; a
///    server that is gone is such a thing. What ends one request alone, as over HTTP, is reported for
///    that request: none is left that is neither answered nor failed while the connection goes on;
/// 4. the owner closes it with [#close(Closing)], while the tasks still run. After that every task
///    ends by itself or when it is interrupted: none stays blocked in I/O.
public interface Transport {

  /// A loop that the transport needs a thread for.
  ///
  /// @param name the last word of the thread's name
  /// @param platform whether a platform thread serves it better than a virtual one
  /// @param body the loop; interrupted when the scope is closed
  record Work(String name, boolean platform, Task body) {}

  /// Returns the tasks that the owner forks, once, in this order.
  List<Work> tasks();

  /// Hands a message over; any thread. Never blocks and never does interruptible I/O on what
  /// callers share: an interrupted caller does not harm the connection, and a server that does not
  /// read holds nobody.
  ///
  /// A `notifications/cancelled` also ends what the transport itself does for that request; where that
  /// alone tells the server so, nothing else is sent.
  ///
  /// When the server is gone the message is dropped in silence: the inbox is told why, which fails
  /// every pending call with the cause.
  ///
  /// @throws OverloadedException when more than the limit waits to be read by the server; the
  ///     message was not sent
  void send(RpcMessage message) throws OverloadedException;

  /// Hands a request over, as [#send(RpcMessage)] does, with those of its arguments that go beside the
  /// message where the transport has a place for them: [#mirrorsArguments()].
  ///
  /// @param mirrored by their names there
  default void send(RpcMessage.Request request, Map<String, String> mirrored)
      throws OverloadedException {
    send(request);
  }

  /// Returns whether arguments of tools can go beside the message, as in HTTP headers.
  default boolean mirrorsArguments() {
    return false;
  }

  /// Ends the server's side and unblocks every task, inside the close's budget; owner only. What it
  /// did, step by step, and what it could not end, goes into `closing`. Never throws for a server
  /// that misbehaves.
  void close(Closing closing);
}
