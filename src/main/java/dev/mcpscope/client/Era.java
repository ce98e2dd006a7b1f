package dev.mcpscope.client;

import dev.mcpscope.json.JsonObject;
import dev.mcpscope.scope.Deadline;
import dev.mcpscope.scope.Task;
import java.util.List;
import java.util.Optional;

/// What differs between the eras of the protocol, all of it: [Probe] finds out once a connection which
/// one the server speaks, and from then on nobody asks. The two are
///
/// | | [Handshake]: 2024-11-05 to 2025-11-25 | [Stateless]: 2026-07-28 |
/// |---|---|---|
/// | begins with | `initialize` | nothing; `server/discover` tells who is there |
/// | a request says | what it wants | besides, its revision, and who asks and what he can do |
/// | the server asks back | by a request of its own | by a result that is none yet; the call is made again |
/// | list changes, updates | come unasked, or are subscribed to one by one | are listened to ([Subscriptions]) |
/// | the level of its log | is set once | stands in each request |
/// | "the roots have changed" | is told | need not be: they are asked for each time |
/// | "are you there?" | `ping` | `server/discover` |
/// | a result may be used again | never | for as long as it says ([ResultCache]) |
/// | arguments beside the call | – | what a tool's schema says, over HTTP ([MirroredArguments]) |
///
/// A transport does not know the era either: over HTTP a request that carries its revision belongs to no
/// session, and is cancelled by closing its stream; what else a session has comes of `initialize`.
///
/// @see <a href="https://modelcontextprotocol.io/specification/2026-07-28/basic/versioning">Versioning,
///     revision 2026-07-28</a>
sealed interface Era permits Handshake, Stateless {

  /// Returns what the server has told of itself.
  ServerInfo server();

  /// Makes a request and waits for its result, for which it may take more than one message. The
  /// caller's thread; unblocked as [Calls#call] is.
  JsonObject request(String method, JsonObject params, Calls.Terms terms)
      throws McpException, InterruptedException;

  /// Reads all pages of the server's tools, but for those that cannot be called.
  List<Tool> tools(Calls.Terms terms) throws McpException, InterruptedException;

  /// Has the server tell when a resource changes; returns when it will.
  void subscribe(String uri, Calls.Terms terms) throws McpException, InterruptedException;

  /// Takes a subscription back.
  void unsubscribe(String uri, Calls.Terms terms) throws McpException, InterruptedException;

  /// Has the server log from this level up.
  void setLogLevel(LogLevel level, Calls.Terms terms) throws McpException, InterruptedException;

  /// Has the server know that the roots are others now; never blocks.
  void rootsChanged() throws CallTimeoutException;

  /// Asks whether the server is there.
  void ping(Calls.Terms terms) throws McpException, InterruptedException;

  /// Returns what the connection's owner runs as a subtask besides, from the beginning to the end.
  Optional<Task> task();

  /// Waits until the server tells what changes, or it is known that it does not; until the deadline at
  /// the most. Then nothing that is read from now on can change unheard.
  void awaitListening(Deadline deadline) throws InterruptedException;

  /// Forgets what the server has said of a list, page by page.
  ///
  /// @return whether there was anything to forget
  boolean forget(String method);
}
