import dev.mcpscope.client.ClientFeatures;
import dev.mcpscope.client.ClientOptions;
import dev.mcpscope.client.ElicitationResult;
import dev.mcpscope.client.McpClient;
import dev.mcpscope.client.McpException;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.client.Tool;
import dev.mcpscope.client.ToolResult;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import java.io.IOException;
import java.util.List;
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
/// The revision that is tested is nothing to the client: it finds out by itself which one the server
/// speaks, as it does for any user.
///
/// Exits with 0 when all is done, with 1 when a call failed, and with 2 when it does not know the
/// scenario. [The script](run) runs the suite with it.
final class Driver {

  /// What a user does with a server.
  private interface Scenario extends McpClient.Body<Void, IOException> {}

  private Driver() {}

  public static void main(String[] arguments) throws InterruptedException {
    String name = System.getenv().getOrDefault("MCP_CONFORMANCE_SCENARIO", "");
    if (arguments.length != 1) {
      end(2, "the URL of a server is missing");
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
    } catch (IOException e) {
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

      // Nothing: what is looked at is what each request says of the client.
      case "request-metadata" -> _ -> null;

      // A bit of everything, so that each kind of request is seen.
      case "http-standard-headers" ->
          client -> {
            client.callTool(client.tools().getFirst().name(), Map.of());
            client.readResource(client.resources().getFirst().uri());
            client.getPrompt(client.prompts().getFirst().name(), Map.of());
            return null;
          };

      // The calls that the suite wants, which are in what it tells besides.
      case "http-custom-headers" ->
          client -> {
            client.tools();
            for (JsonObject call : calls()) {
              client.callTool(call.string("name"), call.object("arguments").members());
            }
            return null;
          };

      // Whatever the client lists can be called.
      case "http-invalid-tool-headers" ->
          client -> {
            for (Tool tool : client.tools()) {
              client.callTool(tool.name(), Map.of("region", "us-west1"));
            }
            return null;
          };

      // Nothing is fetched that a schema refers to.
      case "json-schema-ref-no-deref" ->
          client -> {
            client.tools();
            return null;
          };

      // Calls that are answered by a question, or by nothing of the kind.
      case "sep-2322-client-request-state" ->
          client -> {
            for (String tool :
                List.of(
                    "test_mrtr_echo_state",
                    "test_mrtr_no_state",
                    "test_mrtr_unrelated",
                    "test_mrtr_no_result_type")) {
              client.callTool(tool, Map.of());
            }
            return null;
          };

      default -> null;
    };
  }

  private static List<JsonObject> calls() throws JsonException {
    String context = System.getenv("MCP_CONFORMANCE_CONTEXT");
    JsonObject told = (JsonObject) JsonReader.read(context, JsonLimits.defaults());
    return told.objects("toolCalls");
  }

  /// Returns what is done for the server, in the scenarios in which it is asked for.
  private static ClientOptions options(String name) {
    ClientFeatures none = ClientFeatures.none();
    ClientFeatures features =
        switch (name) {
          // A user who sends the form as it stands: its defaults are filled in by the library.
          case "elicitation-sep1034-client-defaults" ->
              none.withElicitation(_ -> ElicitationResult.accept());
          case "sep-2322-client-request-state" ->
              none.withElicitation(_ -> ElicitationResult.accept(Map.of("confirmed", true)));
          // Whoever can do something has to say so in each request; nobody is asked for it here.
          case "request-metadata" ->
              none.withRoots(List::of)
                  .withSampling(_ -> {
                    throw new UnsupportedOperationException();
                  })
                  .withElicitation(_ -> ElicitationResult.decline());
          default -> none;
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
