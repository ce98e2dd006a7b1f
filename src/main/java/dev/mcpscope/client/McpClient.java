package dev.mcpscope.client;

import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.transport.CloseReport;
import java.util.List;
import java.util.Map;

/// A connection to an MCP server, ready to be used.
///
/// ```java
/// McpClient.use(ServerSpec.stdio("npx", "-y", "@modelcontextprotocol/server-everything"), client -> {
///   for (Tool tool : client.tools()) System.out.println(tool.name());
///   return client.callTool("get-sum", Map.of("a", 2, "b", 3));
/// });
/// ```
///
/// Any thread may call, any number at once, and any thread may close, in any order, twice. Each
/// call blocks its caller and nobody else. The connection itself is owned by a virtual thread of
/// its own, which opens and closes it: when [#use] or [#close()] has returned, nothing of it is
/// left, no thread, no process, no descriptor, no call that waits, but what the [CloseReport] names.
///
/// Every call throws
///
/// - [RemoteErrorException] when the server answers with an error,
/// - [CallTimeoutException] when its time has run out; the server is told, the connection goes on,
/// - [ProtocolViolationException] when the answer is not what the protocol says,
/// - [ConnectionLostException] at once when the server goes, with exit code and stderr's end,
/// - [ConnectionClosedException] at once when the connection is closed,
/// - `InterruptedException` when the caller is interrupted; the server is told, and neither the
///   connection nor another caller takes harm.
///
/// @see <a href="https://modelcontextprotocol.io/specification/2025-11-25">MCP, revision
///     2025-11-25</a>
public final class McpClient implements AutoCloseable {

  /// What [#use] does with a client.
  ///
  /// @param <T> what it returns
  /// @param <X> what it throws besides what calls throw
  @FunctionalInterface
  public interface Body<T, X extends Exception> {
    /// Uses the client.
    T use(McpClient client) throws X, McpException, InterruptedException;
  }

  private final Connection connection;
  private final Calls calls;
  private final Era era;
  private final ClientOptions options;

  McpClient(Connection connection, Calls calls, Era era, ClientOptions options) {
    this.connection = connection;
    this.calls = calls;
    this.era = era;
    this.options = options;
  }

  /// Connects, runs `body`, and returns when everything is released: the form to prefer.
  ///
  /// @throws X what the body throws
  /// @throws McpException when the server cannot be connected, or what the body's calls throw
  /// @throws InterruptedException when interrupted while connecting, or by the body
  public static <T, X extends Exception> T use(ServerSpec spec, Body<T, X> body)
      throws X, McpException, InterruptedException {
    return use(spec, ClientOptions.defaults(), body);
  }

  /// Like [#use(ServerSpec, Body)], with these options.
  public static <T, X extends Exception> T use(
      ServerSpec spec, ClientOptions options, Body<T, X> body)
      throws X, McpException, InterruptedException {
    try (McpClient client = open(spec, options)) {
      return body.use(client);
    }
  }

  /// Connects, for code that cannot nest. Close it: until then a process and threads belong to it.
  ///
  /// Returns when the handshake is done; unblocked by the server, by the end of the time to connect
  /// and by interrupt.
  ///
  /// @throws McpException when the server cannot be connected, with everything released
  /// @throws InterruptedException when interrupted, with everything released
  public static McpClient open(ServerSpec spec) throws McpException, InterruptedException {
    return open(spec, ClientOptions.defaults());
  }

  /// Like [#open(ServerSpec)], with these options.
  public static McpClient open(ServerSpec spec, ClientOptions options)
      throws McpException, InterruptedException {
    var connection =
        new Connection(
            "connection/" + spec,
            spec.toString(),
            spec,
            options,
            new Connection.Callbacks() {},
            _ -> {});
    Thread.ofVirtual().name("connection/" + spec + " owner").start(connection::run);
    try {
      return connection.awaitReady();
    } catch (InterruptedException e) {
      connection.stop(CloseReason.CLOSED);
      connection.awaitClosed();
      throw e;
    }
  }

  /// Returns what the server has told of itself; never blocks.
  public ServerInfo server() {
    return era.server();
  }

  /// Asks the server for its tools, all pages of them; none when it has not declared any.
  ///
  /// @see <a href="https://modelcontextprotocol.io/specification/2025-11-25/server/tools">Tools,
  ///     revision 2025-11-25</a>
  public List<Tool> tools() throws McpException, InterruptedException {
    return Tools.list(
        calls, era, options, params -> calls.call("tools/list", params, CallOptions.defaults()));
  }

  /// Calls a tool with the client's default budget.
  ///
  /// @param arguments by name; texts, numbers, booleans, null, lists and maps of them, and
  ///     [JsonValue]s
  public ToolResult callTool(String tool, Map<String, ?> arguments)
      throws McpException, InterruptedException {
    return callTool(tool, arguments, CallOptions.defaults());
  }

  /// Calls a tool. It is never repeated by the client: a call that failed may have run.
  public ToolResult callTool(String tool, Map<String, ?> arguments, CallOptions call)
      throws McpException, InterruptedException {
    requireTools();
    JsonObject params = JsonObject.of("name", tool, "arguments", JsonValue.of(arguments));
    return calls.parse(
        "tools/call", calls.call("tools/call", era.params(params), call), ToolResult::parse);
  }

  private void requireTools() {
    if (!server().declares("tools")) {
      throw new UnsupportedOperationException(calls.server() + " has not declared tools");
    }
  }

  /// Asks the server whether it is there.
  public void ping() throws McpException, InterruptedException {
    calls.call("ping", era.params(JsonObject.EMPTY), CallOptions.defaults());
  }

  /// Closes the connection and returns when nothing of it is left but what its report names. Takes
  /// no longer than [dev.mcpscope.transport.CloseBudget#MAXIMUM]. Called twice, or after the server
  /// has gone, it waits for the close that is under way, if it is. An interrupt does not cut it
  /// short; the flag is set again. Called from a callback of this connection it does not wait.
  @Override
  public void close() {
    connection.stop(CloseReason.CLOSED);
    connection.awaitClosed();
  }

  /// Closes like [#close()] and returns what it took; null when called from a callback of this
  /// connection, which has not ended then.
  public CloseReport closeAndReport() {
    close();
    return connection.awaitClosed();
  }
}
