package dev.mcpscope.client;

import static dev.mcpscope.HttpFault.on;

import dev.mcpscope.Eras;
import dev.mcpscope.HttpFault;
import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.End;
import dev.mcpscope.HttpWire.Request;
import dev.mcpscope.ScriptedHttpServer;
import dev.mcpscope.ScriptedServer;
import dev.mcpscope.ScriptedServer.Fault;
import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.transport.CloseReport;
import java.util.ArrayList;
import java.util.List;

/// A scripted server of the modern era, reached in either way, and a connection to it: what is told
/// both, what both have heard.
final class ModernPeer implements AutoCloseable {

  /// How the server is reached.
  enum Way {
    STDIO,
    HTTP
  }

  /// What a server is told, whichever way it is reached.
  record Script(List<Fault> stdio, List<HttpFault> http) {
    static Script stdio(Fault... faults) {
      return new Script(List.of(faults), List.of());
    }

    static Script http(HttpFault... faults) {
      return new Script(List.of(), List.of(faults));
    }
  }

  final Connection connection;
  final States states;
  final ScriptedHttpServer server; // null over stdio
  private final Thread owner;
  private CloseReport report; // null until it is closed

  private ModernPeer(Way way, ClientOptions options, Connection.Callbacks callbacks, Script all) {
    states = new States();
    server = way == Way.HTTP ? ScriptedHttpServer.with(all.http.toArray(HttpFault[]::new)) : null;
    ServerSpec spec =
        way == Way.HTTP
            ? ServerSpec.http(server.url())
            : ScriptedServer.with(all.stdio.toArray(Fault[]::new));
    connection =
        new Connection(
            "connection/t", "s", spec, options, Connection.Shared.nothing(), callbacks, states);
    owner = Thread.ofVirtual().name("owner").start(connection::run);
  }

  // What a server is told.

  /// Declares these capabilities.
  static Script declares(String capabilities) {
    String json = capabilities.replace('\'', '"');
    return new Script(List.of(new Fault.Declares(json)), List.of(new HttpFault.Declares(json)));
  }

  /// Answers the requests of a method one by one, and by the last of these ever after; each is what
  /// stands beside the id, and an empty text no answer.
  static Script answers(String method, String... answers) {
    var http = new ArrayList<HttpFault>();
    for (String answer : answers) {
      HttpFault.On one = on(method, answer.isEmpty() ? new Act.NoAnswer(End.OPEN) : act(answer));
      http.add(http.size() < answers.length - 1 ? one.once() : one);
    }
    return new Script(List.of(Peer.answers(method, answers)), http);
  }

  private static Act act(String answer) {
    int status =
        Json.object(answer).get("error") instanceof JsonObject error
                && error.get("code") instanceof JsonNumber code
            ? status(code.asLong().orElseThrow())
            : 200;
    return new Act.Answer(status, answer.replace('\'', '"'));
  }

  /// "400 Bad Request" for the modern errors, and 404 for a method that is not known.
  private static int status(long code) {
    return code == -32601 ? 404 : code <= -32020 && code >= -32099 ? 400 : 200;
  }

  /// A complete result.
  static String complete(String members) {
    return "{'result':{'resultType':'complete'," + members + "}}";
  }

  /// The result of a tool that says this.
  static String says(String text) {
    return complete("'content':[{'type':'text','text':'" + text + "'}]");
  }

  /// An error.
  static String error(int code, String data) {
    return "{'error':{'code':" + code + ",'message':'told','data':" + data + "}}";
  }

  // The connection.

  static ModernPeer start(Way way, ClientOptions options, Script... scripts) {
    return start(way, options, new Connection.Callbacks() {}, scripts);
  }

  static ModernPeer start(
      Way way, ClientOptions options, Connection.Callbacks callbacks, Script... scripts) {
    var all =
        new Script(
            new ArrayList<>(List.of(new Fault.Serves(Eras.MODERN), Fault.Quirk.TELLS_STDERR)),
            new ArrayList<>(List.of(new HttpFault.Serves(Eras.MODERN))));
    for (Script script : scripts) {
      all.stdio.addAll(script.stdio);
      all.http.addAll(script.http);
    }
    return new ModernPeer(way, options, callbacks, all);
  }

  McpClient client() throws McpException, InterruptedException {
    return connection.awaitReady();
  }

  /// Closes the connection, and returns what that took.
  CloseReport closed() {
    connection.stop(CloseReason.CLOSED);
    report = connection.awaitClosed();
    return report;
  }

  /// Closes the connection, and returns all that the server has got, oldest first.
  List<JsonObject> heard() {
    closed();
    return server == null
        ? Peer.heard(report)
        : server.requests().stream()
            .map(Request::message)
            .map(message -> message instanceof JsonObject object ? object : JsonObject.EMPTY)
            .toList();
  }

  /// The same of one method.
  List<JsonObject> heard(String method) {
    return heard().stream().filter(one -> method.equals(Peer.word(one, "method"))).toList();
  }

  /// Ends all of it, also when a test has failed.
  @Override
  public void close() {
    closed();
    boolean interrupted = Thread.interrupted();
    while (owner.isAlive()) {
      try {
        owner.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (server != null) {
      server.close();
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
