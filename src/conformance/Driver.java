import dev.mcpscope.client.ClientFeatures;
import dev.mcpscope.client.ClientOptions;
import dev.mcpscope.client.ElicitationResult;
import dev.mcpscope.client.McpClient;
import dev.mcpscope.client.McpException;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.client.Tool;
import dev.mcpscope.client.ToolResult;
import java.util.Map;

/// The client that MCP's conformance suite tests: for each of its scenarios, what the suite asks of
/// a client's user. The rest, from the handshake to the stream that breaks off and is gone on with,
/// is the library's.
///
/// The suite starts it with the URL of a server that watches, and names the scenario in the
/// environment. Most scenarios cannot be seen here: a server that has nothing but `initialize`, or
/// one that breaks its stream off, is used like any other.
///
/// ```
/// MCP_CONFORMANCE_SCENARIO=tools_call \
///     java --enable-preview -cp target/mcp-scope.jar src/conformance/Driver.java URL
/// ```
///
/// Exits with 0 when all is done, with 1 when a call failed, and with 2 when it does not know the
/// scenario or the revision. [The script](run) runs the suite with it.
final class Driver {
  private static final String REVISION = "2025-11-25";

  /// What a user does with a server.
  private interface Scenario extends McpClient.Body<Void, McpException> {}

  private Driver() {}

  public static void main(String[] arguments) throws InterruptedException {
    String name = System.getenv().getOrDefault("MCP_CONFORMANCE_SCENARIO", "");
    String revision = System.getenv().getOrDefault("MCP_CONFORMANCE_PROTOCOL_VERSION", REVISION);
    if (arguments.length != 1) {
      end(2, "the URL of a server is missing");
    } else if (!revision.equals(REVISION)) {
      end(2, "this driver does not know the revision '" + revision + "' yet");
    } else {
      run(name, arguments[0]);
    }
  }

  private static void run(String name, String url) throws InterruptedException {
    Scenario scenario = scenario(name);
    if (scenario == null) {
      end(2, "this driver does not know the scenario '" + name + "' yet");
      return;
    }
    try {
      McpClient.use(ServerSpec.http(url), options(name), scenario);
    } catch (McpException e) {
      end(1, name + ": " + e.getMessage());
    }
  }

  /// Returns what the user does once the server is connected; null for a scenario that is not known.
  private static Scenario scenario(String name) {
    return switch (name) {
      // Nothing: what is looked at is how a connection begins.
      case "initialize" -> _ -> null;

      case "tools_call" ->
          client -> {
            client.tools();
            return succeed(client.callTool("add_numbers", Map.of("a", 5, "b", 3)));
          };

      // The server asks the user to fill in a form, and tells by the tool's result what it got.
      case "elicitation-sep1034-client-defaults" ->
          client -> {
            client.tools();
            return succeed(client.callTool("test_client_elicitation_defaults", Map.of()));
          };

      // The server ends the stream before the answer; the call just takes a little longer.
      case "sse-retry" ->
          client -> {
            client.tools();
            return succeed(client.callTool("test_reconnection", Map.of()));
          };

      // What the server says about a tool's arguments must come back to it word for word.
      case "json-schema-2020-12-preservation" ->
          client -> {
            Tool described = tool(client, "json_schema_2020_12_tool");
            return succeed(
                client.callTool("json_schema_echo", Map.of("schema", described.inputSchema())));
          };

      default -> null;
    };
  }

  /// Returns what is done for the server: only in one scenario does it ask for anything.
  private static ClientOptions options(String name) {
    ClientFeatures features =
        switch (name) {
          // A user who sends the form as it stands: its defaults are filled in by the library.
          case "elicitation-sep1034-client-defaults" ->
              ClientFeatures.none().withElicitation(_ -> ElicitationResult.accept());
          default -> ClientFeatures.none();
        };
    return ClientOptions.defaults().withFeatures(features);
  }

  private static Tool tool(McpClient client, String name)
      throws McpException, InterruptedException {
    return client.tools().stream()
        .filter(tool -> tool.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new IllegalStateException("the server has no tool " + name));
  }

  /// A tool's own failure is a result like any other: here nobody else would look at it.
  private static Void succeed(ToolResult result) {
    if (result.isError()) {
      throw new IllegalStateException("the tool reports a failure: " + result.text());
    }
    return null;
  }

  private static void end(int code, String sentence) {
    System.err.println("Driver: " + sentence);
    System.exit(code);
  }
}
