package dev.mcpscope.client;

import dev.mcpscope.json.JsonObject;
import dev.mcpscope.scope.Deadline;
import dev.mcpscope.scope.Task;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// The revisions that begin with `initialize`, and keep what it has agreed on for a session.
///
/// @param server the answer to it
/// @param subscribed the resources that are subscribed to, which the connection after this one is to
///     have as well
/// @see <a href="https://modelcontextprotocol.io/specification/2025-11-25/basic/lifecycle">Lifecycle,
///     revision 2025-11-25</a>
record Handshake(Calls calls, ClientOptions options, ServerInfo server, Set<String> subscribed)
    implements Era {
  private static final System.Logger LOG = System.getLogger("dev.mcpscope.client");

  /// Newest first: the first one is what we ask for.
  static final List<String> REVISIONS =
      List.of("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05");

  /// Agrees with the server, and subscribes again to what was subscribed to before.
  static Handshake open(Calls calls, ClientOptions options, Set<String> subscribed)
      throws McpException, InterruptedException {
    JsonObject answer =
        calls.call(
            "initialize",
            JsonObject.of(
                "protocolVersion",
                REVISIONS.getFirst(),
                "capabilities",
                options.features().capabilities(),
                "clientInfo",
                options.identity()),
            calls.handshake());
    ServerInfo server = calls.parse("initialize", answer, ServerInfo::parse);
    // "If the client does not support the version in the server's response, it SHOULD disconnect."
    if (!REVISIONS.contains(server.protocolVersion())) {
      throw new ProtocolViolationException(
          calls.server()
              + ": the server speaks protocol version "
              + server.protocolVersion()
              + ", this client speaks "
              + String.join(", ", REVISIONS)
              + " after a handshake",
          null);
    }
    calls.notify("notifications/initialized", JsonObject.EMPTY);
    var era = new Handshake(calls, options, server, subscribed);
    era.subscribeAgain();
    return era;
  }

  /// What the server does not take any more is lost, and the connection is not for that.
  private void subscribeAgain() throws McpException, InterruptedException {
    for (String uri : List.copyOf(subscribed)) {
      try {
        subscribe(uri, calls.own());
      } catch (RemoteErrorException e) {
        subscribed.remove(uri);
        LOG.log(System.Logger.Level.WARNING, "not subscribed again: {0}", e.getMessage());
      }
    }
  }

  @Override
  public JsonObject request(String method, JsonObject params, Calls.Terms terms)
      throws McpException, InterruptedException {
    return calls.call(method, params, terms);
  }

  @Override
  public List<Tool> tools(Calls.Terms terms) throws McpException, InterruptedException {
    return Pages.TOOLS.read(calls, this, options.limits(), terms);
  }

  @Override
  public void subscribe(String uri, Calls.Terms terms) throws McpException, InterruptedException {
    calls.call("resources/subscribe", JsonObject.of("uri", uri), terms);
    subscribed.add(uri);
  }

  @Override
  public void unsubscribe(String uri, Calls.Terms terms) throws McpException, InterruptedException {
    subscribed.remove(uri);
    calls.call("resources/unsubscribe", JsonObject.of("uri", uri), terms);
  }

  @Override
  public void setLogLevel(LogLevel level, Calls.Terms terms)
      throws McpException, InterruptedException {
    calls.call("logging/setLevel", JsonObject.of("level", level.word()), terms);
  }

  @Override
  public void rootsChanged() throws CallTimeoutException {
    calls.notify("notifications/roots/list_changed", JsonObject.EMPTY);
  }

  @Override
  public void ping(Calls.Terms terms) throws McpException, InterruptedException {
    calls.call("ping", JsonObject.EMPTY, terms);
  }

  @Override
  public Optional<Task> task() {
    return Optional.empty();
  }

  @Override
  public void awaitListening(Deadline deadline) {
    // what changes is told unasked
  }

  @Override
  public boolean forget(String method) {
    return false; // nothing is kept
  }
}
