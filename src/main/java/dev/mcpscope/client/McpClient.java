package dev.mcpscope.client;

import dev.mcpscope.json.JsonObject;
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
/// - [ExchangeFailedException] when a server over HTTP cannot be reached, refuses the request, or
///   breaks it off; the connection goes on,
/// - [AuthorizationRequiredException] when it wants another authorization; the connection goes on,
/// - [InputFailedException] when the server wants input of a handler before it answers, and does not get
///   it,
/// - [ConnectionClosedException] at once when the connection is closed,
/// - `InterruptedException` when the caller is interrupted; the server is told, and neither the
///   connection nor another caller takes harm.
///
/// Which revision of the protocol the server speaks makes no difference to who calls: [EraChoice].
///
/// @see <a href="https://modelcontextprotocol.io/specification/2026-07-28">MCP, revision
///     2026-07-28</a>
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
  private final CallOptions call;

  McpClient(Connection connection, Calls calls, Era era, ClientOptions options, CallOptions call) {
    this.connection = connection;
    this.calls = calls;
    this.era = era;
    this.options = options;
    this.call = call;
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
            Connection.Shared.nothing(),
            new Connection.Callbacks() {},
            new Connection.Observer() {});
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

  /// Returns the same connection, whose calls get these options. To close one closes both.
  public McpClient with(CallOptions options) {
    return new McpClient(connection, calls, era, this.options, options);
  }

  // Tools.

  /// Asks the server for its tools, all pages of them; none when it has not declared any. Over HTTP, in
  /// revision 2026-07-28, those are left out whose `x-mcp-header` breaks the rules; the log says why.
  ///
  /// @see <a href="https://modelcontextprotocol.io/specification/2025-11-25/server/tools">Tools,
  ///     revision 2025-11-25</a>
  public List<Tool> tools() throws McpException, InterruptedException {
    return era.tools(calls.terms(call));
  }

  /// Calls a tool.
  ///
  /// @param arguments by name; texts, numbers, booleans, null, lists and maps of them, and
  ///     [dev.mcpscope.json.JsonValue]s
  public ToolResult callTool(String tool, Map<String, ?> arguments)
      throws McpException, InterruptedException {
    return callTool(tool, arguments, call);
  }

  /// Calls a tool. A call that failed may have run, so that the client never repeats it, but where
  /// the server says that this does no harm (`readOnlyHint`, `idempotentHint`).
  public ToolResult callTool(String tool, Map<String, ?> arguments, CallOptions call)
      throws McpException, InterruptedException {
    require("tools");
    JsonObject params = JsonObject.of("name", tool, "arguments", arguments);
    JsonObject result =
        era.request("tools/call", params, calls.terms(call, () -> isRepeatable(tool)));
    return calls.parse("tools/call", result, ToolResult::parse);
  }

  private boolean isRepeatable(String tool) {
    return connection.state() instanceof ConnectionState.Usable usable
        && usable.tools().stream()
            .filter(one -> one.name().equals(tool))
            .anyMatch(Tool::isRepeatable);
  }

  // Resources.

  /// Asks the server for its resources, all pages of them; none when it has not declared any.
  ///
  /// @see <a href="https://modelcontextprotocol.io/specification/2025-11-25/server/resources">
  ///     Resources, revision 2025-11-25</a>
  public List<Resource> resources() throws McpException, InterruptedException {
    return all(Pages.RESOURCES);
  }

  /// Asks the server for its resource templates, all pages of them; none when it has not declared
  /// resources.
  public List<ResourceTemplate> resourceTemplates() throws McpException, InterruptedException {
    return all(Pages.TEMPLATES);
  }

  /// Reads a resource.
  public List<ResourceContents> readResource(String uri) throws McpException, InterruptedException {
    require("resources");
    JsonObject params = JsonObject.of("uri", uri);
    return ask("resources/read", params, call, ResourceContents::parseAll);
  }

  /// Has the server tell when a resource changes, by [ServerEvent.ResourceUpdated]; returns when it
  /// will. If it is lost and started again by a host, it is told again.
  ///
  /// @throws UnsupportedOperationException when it has not declared that it does, or does not for this
  ///     resource
  public void subscribe(String uri) throws McpException, InterruptedException {
    require("resources", "subscribe");
    era.subscribe(uri, calls.terms(call));
  }

  /// Takes a subscription back.
  public void unsubscribe(String uri) throws McpException, InterruptedException {
    require("resources", "subscribe");
    era.unsubscribe(uri, calls.terms(call));
  }

  // Prompts.

  /// Asks the server for its prompts, all pages of them; none when it has not declared any.
  ///
  /// @see <a href="https://modelcontextprotocol.io/specification/2025-11-25/server/prompts">Prompts,
  ///     revision 2025-11-25</a>
  public List<Prompt> prompts() throws McpException, InterruptedException {
    return all(Pages.PROMPTS);
  }

  /// Asks for a prompt, filled in with these arguments.
  public PromptResult getPrompt(String name, Map<String, String> arguments)
      throws McpException, InterruptedException {
    require("prompts");
    JsonObject params = JsonObject.of("name", name, "arguments", arguments);
    return ask("prompts/get", params, call, PromptResult::parse);
  }

  /// Asks how an argument may go on.
  ///
  /// @param of whose argument it is
  /// @param argument its name
  /// @param value what there is of it
  /// @param others the arguments that are known already; may be empty
  /// @see <a
  ///     href="https://modelcontextprotocol.io/specification/2025-11-25/server/utilities/completion">
  ///     Completion, revision 2025-11-25</a>
  public Completion complete(
      Completion.Of of, String argument, String value, Map<String, String> others)
      throws McpException, InterruptedException {
    if (!server().protocolVersion().equals("2024-11-05")) { // it had completion, and no word for it
      require("completions");
    }
    JsonObject params = Completion.params(of, argument, value);
    if (!others.isEmpty()) {
      params = params.with("context", JsonObject.of("arguments", others));
    }
    return ask("completion/complete", params, call, Completion::parse);
  }

  // The rest.

  /// Asks the server to log from this level up, by [ServerEvent.LogMessage]; in revision 2026-07-28 with
  /// each request from now on, for which nothing is sent here. Until it is called an older server logs
  /// as it likes, and one of that revision from [LogLevel#INFO] up if anybody listens.
  ///
  /// @see <a
  ///     href="https://modelcontextprotocol.io/specification/2025-11-25/server/utilities/logging">
  ///     Logging, revision 2025-11-25</a>
  public void setLogLevel(LogLevel level) throws McpException, InterruptedException {
    require("logging");
    era.setLogLevel(level, calls.terms(call));
  }

  /// Tells the server that the roots are others now, so that it asks for them; never blocks. In revision
  /// 2026-07-28 it asks whenever it needs them, and nothing is sent.
  ///
  /// @throws UnsupportedOperationException when no roots were given
  /// @throws CallTimeoutException when the server does not read, and was not told
  public void rootsChanged() throws CallTimeoutException {
    if (options.features().roots().isEmpty()) {
      throw new UnsupportedOperationException("this client has no roots");
    }
    era.rootsChanged();
  }

  /// Asks the server whether it is there: by `ping`, or, in revision 2026-07-28, by `server/discover`.
  public void ping() throws McpException, InterruptedException {
    era.ping(calls.terms(call));
  }

  private <T> List<T> all(Pages<T> pages) throws McpException, InterruptedException {
    return pages.read(calls, era, options.limits(), calls.terms(call));
  }

  private <T> T ask(String method, JsonObject params, CallOptions call, Calls.Parser<T> parser)
      throws McpException, InterruptedException {
    return calls.parse(method, era.request(method, params, calls.terms(call)), parser);
  }

  /// "Only use capabilities that were successfully negotiated."
  private void require(String capability) {
    if (!server().declares(capability)) {
      throw new UnsupportedOperationException(calls.server() + " has not declared " + capability);
    }
  }

  private void require(String capability, String ability) {
    require(capability);
    if (!server().declares(capability, ability)) {
      throw new UnsupportedOperationException(
          calls.server() + " has not declared " + capability + "." + ability);
    }
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
