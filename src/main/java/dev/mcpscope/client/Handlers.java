package dev.mcpscope.client;

import dev.mcpscope.json.JsonObject;
import dev.mcpscope.rpc.RpcError;
import dev.mcpscope.rpc.RpcMessage;
import dev.mcpscope.scope.Mailbox;
import dev.mcpscope.scope.TaskScope;
import dev.mcpscope.transport.OverloadedException;
import dev.mcpscope.transport.Transport;
import java.util.concurrent.atomic.AtomicInteger;

/// Answers what the server asks: a subtask of the connection with a scope of its own, in which each
/// request has a subtask.
///
/// The reader only leaves a request here: it runs no user code and never waits. How many requests
/// may be unanswered is bounded; a server that asks more breaks the protocol.
final class Handlers {
  private static final System.Logger LOG = System.getLogger("dev.mcpscope.client");

  private sealed interface Mail {
    record Serve(RpcMessage.Request request) implements Mail {}

    record Served(Throwable failure) implements Mail {}

    record End() implements Mail {}
  }

  private final String name;
  private final Transport transport;
  private final int limit;
  private final Mailbox<Mail> mailbox;
  private final AtomicInteger unanswered = new AtomicInteger();

  Handlers(String connection, Transport transport, int limit) {
    this.name = connection + " handlers";
    this.transport = transport;
    this.limit = limit;
    this.mailbox = new Mailbox<>(limit);
  }

  /// Takes a request; the reader's.
  ///
  /// @return false when too many are unanswered
  boolean offer(RpcMessage.Request request) {
    if (unanswered.incrementAndGet() > limit) {
      return false;
    }
    mailbox.post(new Mail.Serve(request));
    return true;
  }

  /// Ends the handlers; those that run are interrupted.
  void end() {
    mailbox.post(new Mail.End());
  }

  /// The subtask: owner of the handlers' scope.
  ///
  /// @throws OverloadedException when the server does not read what it has asked for
  void run() throws InterruptedException, OverloadedException {
    try (var scope = TaskScope.open(name, mailbox)) {
      while (true) {
        switch (scope.take()) {
          case Mail.Serve(var request) ->
              scope.fork(request.method(), () -> answer(request), Mail.Served::new);
          case Mail.Served(OverloadedException unread) ->
              throw unread; // it asks, and never listens
          case Mail.Served(var failure) -> {
            unanswered.decrementAndGet();
            if (failure != null) {
              LOG.log(System.Logger.Level.WARNING, name + ": a request was not answered", failure);
            }
          }
          case Mail.End() -> {
            return;
          }
        }
      }
    } finally {
      mailbox.close();
    }
  }

  private void answer(RpcMessage.Request request) throws OverloadedException {
    transport.send(
        switch (request.method()) {
          case "ping" -> new RpcMessage.Result(request.id(), JsonObject.EMPTY);
          default ->
              new RpcMessage.Failure(
                  request.id(),
                  new RpcError(
                      RpcError.METHOD_NOT_FOUND, "this client does not serve " + request.method()));
        });
  }
}
