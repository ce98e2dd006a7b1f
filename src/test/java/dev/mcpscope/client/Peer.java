package dev.mcpscope.client;

import dev.mcpscope.ScriptedServer.Fault;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.transport.CloseReport;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/// The [ScriptedServer] at the other end of a client: what it shall say, and what it has heard.
///
/// @param client connected to it, with its tools declared
record Peer(McpClient client) {

  /// Returns a fault by which the requests of a method are answered, one by one.
  static Fault answers(String method, String... answers) {
    return new Fault.Answers(
        method, Arrays.stream(answers).map(answer -> answer.replace('\'', '"')).toList());
  }

  static Fault declares(String capabilities) {
    return new Fault.Declares(capabilities.replace('\'', '"'));
  }

  static String request(String id, String method, String params) {
    return "{'jsonrpc':'2.0','id':" + id + ",'method':'" + method + "','params':" + params + "}";
  }

  static String notification(String method, String params) {
    return "{'jsonrpc':'2.0','method':'notifications/" + method + "','params':" + params + "}";
  }

  /// A log message that says this.
  static String log(String text) {
    return notification("message", "{'level':'info','data':'" + text + "'}");
  }

  /// Has it send these, and returns when this client has got them.
  void says(String... messages) throws McpException, InterruptedException {
    client.callTool("say", Map.of("messages", Arrays.stream(messages).map(Json::object).toList()));
  }

  /// Has it send a request, and returns what it is answered.
  JsonObject asks(String request) throws McpException, InterruptedException {
    return (JsonObject)
        Json.read(client.callTool("ask", Map.of("message", Json.object(request))).text());
  }

  /// The same in a thread of its own.
  Caller<JsonObject> asking(String request) {
    return new Caller<>(() -> asks(request));
  }

  /// Has it send a message so many times, with its number for `%d`, and returns when this client has
  /// got them.
  void floods(int count, String message) throws McpException, InterruptedException {
    client.callTool("flood", Map.of("message", Json.object(message), "count", count));
  }

  /// Has it send a message for ever, in a thread of its own.
  Caller<ToolResult> flooding(String message) {
    return new Caller<>(() -> client.callTool("flood", Map.of("message", Json.object(message))));
  }

  /// Returns what it has received so far, oldest first.
  List<JsonObject> heard() throws McpException, InterruptedException {
    return messages(client.callTool("received", Map.of()).text());
  }

  /// Returns the requests and notifications of this method that it has received so far.
  List<JsonObject> heard(String method) throws McpException, InterruptedException {
    return heard().stream().filter(message -> method.equals(word(message, "method"))).toList();
  }

  /// Returns what a server that tells stderr had received when it ended.
  static List<JsonObject> heard(CloseReport report) {
    return messages(report.stderrTail());
  }

  private static List<JsonObject> messages(String lines) {
    return lines.lines().map(line -> (JsonObject) Json.read(line)).toList();
  }

  /// Returns a member that is a text, or null.
  static String word(JsonObject message, String member) {
    return message.get(member) instanceof JsonString(String text) ? text : null;
  }
}
