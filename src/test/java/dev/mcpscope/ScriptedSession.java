package dev.mcpscope;

import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpWire.Request;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.json.JsonValue;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/// A session of a [ScriptedHttpServer], and what a good server answers in it. It only says what
/// there is to send: nothing here waits or writes, and the server's lock guards all of it.
final class ScriptedSession {

  /// What is sent on a stream, in order, and kept for a client that comes back for it.
  static final class Log {
    final String name;
    final boolean endless; // that of the session itself; another one ends with an answer
    final List<String> events = new ArrayList<>();
    boolean wantsStream; // what is in it cannot be told by one JSON text
    boolean complete;
    int taken; // so many were written at least once
    int rounds; // of Act.Polls, still to come
    int retryMillis;
    String lastId = ""; // of the last event of Act.Polls

    Log(String name, boolean endless) {
      this.name = name;
      this.endless = endless;
    }

    void add(String message) {
      events.add("event: message\n{id}data: " + message + "\n\n");
    }

    /// The event that comes after so many, as it is written.
    String event(int count, boolean withId) {
      String id = withId ? "id: " + id(count + 1) + "\n" : "";
      return events.get(count).replaceFirst("\\{id}", id);
    }

    /// The id of what comes after so many events.
    String id(int count) {
      return name + "/" + count;
    }
  }

  /// A request that is to be answered.
  ///
  /// @param isModern whether it has come without a session
  record Call(Request request, boolean isModern, Log log, Optional<Act> act) {

    JsonValue id() {
      return request.id();
    }

    void answer(JsonObject message) {
      String right = message.with("id", id()).toString();
      String told =
          switch (act.orElse(null)) {
            case Act.WrongId(String wrong) -> with(message, wrong.replace("%s", id().toString()));
            case Act.Padded(int bytes) -> padded(right, bytes);
            case null, default -> right;
          };
      if (log.endless && act.orElse(null) instanceof Act.Sse sse) {
        log.events.add(expanded(sse, told));
      } else {
        log.add(told);
      }
      log.complete = !log.endless;
    }

    void result(Object... namesAndValues) {
      result(JsonObject.of(namesAndValues));
    }

    void result(JsonObject result) {
      answer(
          message("result", isModern ? ModernEra.complete(request.rpcMethod(), result) : result));
    }

    void text(String text) {
      result("content", JsonArray.of(JsonObject.of("type", "text", "text", text)));
    }

    void error(int code, String text) {
      answer(message("error", JsonObject.of("code", code, "message", text)));
    }

    private static String with(JsonObject message, String id) {
      return message.with("id", "\0").toString().replace("\"\\u0000\"", id);
    }

    private static String padded(String message, int bytes) {
      String more = ",\"padding\":\"\"}";
      int missing = bytes - message.length() - more.length() + 1;
      String open = message.substring(0, message.length() - 1);
      return open + ",\"padding\":\"" + "x".repeat(missing) + "\"}";
    }
  }

  final String id;
  final Log log = new Log("session", true);
  final Map<String, Log> logs = new HashMap<>(Map.of(log.name, log));
  private final Map<JsonValue, Call> asked = new HashMap<>(); // by the id of our request
  private final Set<JsonValue> ids = new HashSet<>();
  String version = "";
  boolean used; // after `initialize`

  ScriptedSession(String id) {
    this.id = id;
  }

  /// Returns the text of the stream that the answer is hidden in.
  static String expanded(Act.Sse sse, String answer) {
    String twoLines = answer.replaceFirst("^\\{", "{\ndata: ");
    return sse.text().replace("%s", answer).replace("%m", "data: " + twoLines);
  }

  /// Returns a message without an id.
  static JsonObject message(String name, Object value) {
    return JsonObject.of("jsonrpc", "2.0", name, value);
  }

  /// Returns false if there was a request of this id already.
  boolean isNew(JsonValue id) {
    return ids.add(id);
  }

  /// Takes what the client answers.
  ///
  /// @return false if nothing was asked by this id
  boolean answered(JsonValue id, String body) {
    Call call = asked.remove(id);
    if (call != null) {
      call.text(body);
    }
    return call != null;
  }

  /// Returns what such a server declares that it can do.
  static JsonValue capabilities(List<HttpFault> faults) throws JsonException {
    for (HttpFault fault : faults) {
      if (fault instanceof HttpFault.Declares(String told)) {
        return read(told);
      }
    }
    return JsonObject.of(
        "tools",
        JsonObject.of("listChanged", true),
        "resources",
        JsonObject.of("subscribe", true),
        "logging",
        JsonObject.EMPTY,
        "prompts",
        JsonObject.EMPTY);
  }

  /// Answers a request of this session, sooner or later.
  void serve(JsonObject params, Call call, List<HttpFault> faults) throws JsonException {
    String method = call.request().rpcMethod();
    switch (method) {
      case "initialize" -> {
        String asked = params.string("protocolVersion");
        version = Eras.LEGACY.revisions.contains(asked) ? asked : "2025-11-25";
        if (faults.stream().anyMatch(HttpFault.Legacy.class::isInstance)) {
          version = "2024-11-05";
        }
        for (HttpFault fault : faults) {
          if (fault instanceof HttpFault.Speaks(String told)) {
            version = told;
          }
        }
        call.result(
            "protocolVersion", version,
            "capabilities", capabilities(faults),
            "serverInfo", JsonObject.of("name", "scripted", "version", "1"));
      }
      case "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe" ->
          call.result();
      case "tools/list" -> {
        // Two pages, so that each test shows that both are read.
        if (params.has("cursor")) {
          call.result("tools", tools("ask", "progress", "say"));
        } else {
          call.result("tools", tools("echo", "never"), "nextCursor", "page 2");
        }
      }
      case "tools/call" -> call(params.string("name"), params, call);
      case "resources/list" ->
          call.result(
              "resources", JsonArray.of(JsonObject.of("uri", "scripted:one", "name", "one")));
      case "resources/templates/list" -> call.result("resourceTemplates", JsonArray.EMPTY);
      case "resources/read" ->
          call.result(
              "contents",
              JsonArray.of(JsonObject.of("uri", params.string("uri"), "text", "a text")));
      case "prompts/list" ->
          call.result("prompts", JsonArray.of(JsonObject.of("name", "greeting")));
      case "prompts/get" ->
          call.result(
              "messages",
              JsonArray.of(
                  JsonObject.of(
                      "role", "user", "content", JsonObject.of("type", "text", "text", "hello"))));
      default -> call.error(-32601, "no " + method);
    }
  }

  private void call(String tool, JsonObject params, Call call) throws JsonException {
    JsonObject arguments = params.optionalObject("arguments").orElse(JsonObject.EMPTY);
    switch (tool) {
      case "echo" -> call.text(arguments.string("text"));
      case "never" -> {}
      case "ask" -> {
        JsonObject message = arguments.object("message");
        if (call.isModern()) {
          call.result(ModernEra.ask(message, params));
          return;
        }
        boolean here = !arguments.optionalString("on").orElse("").equals("stream");
        asked.put(message.get("id"), call);
        call.log.wantsStream |= here;
        (here ? call.log : log).add(message.toString());
      }
      case "progress" -> {
        JsonObject meta = params.optionalObject("_meta").orElse(JsonObject.EMPTY);
        JsonValue token = meta.get("progressToken");
        for (int i = 1; token != null && i <= arguments.integer("count"); i++) {
          call.log.wantsStream = true;
          JsonObject report = JsonObject.of("progressToken", token, "progress", i);
          call.log.add(
              message("method", "notifications/progress").with("params", report).toString());
        }
        call.text("done");
      }
      case "say" -> {
        call.log.wantsStream = true;
        arguments.objects("messages").forEach(message -> call.log.add(message.toString()));
        call.text("said");
      }
      default -> call.error(-32602, "no tool " + tool);
    }
  }

  private static JsonArray tools(String... names) {
    JsonObject schema = JsonObject.of("type", "object");
    return JsonArray.of(
        Stream.of(names).map(n -> JsonObject.of("name", n, "inputSchema", schema)).toArray());
  }

  static JsonValue read(String json) throws JsonException {
    return JsonReader.read(json, JsonLimits.defaults());
  }

  static boolean isRequest(JsonObject message) {
    return message.has("method") && message.has("id") && message.get("id") != JsonNull.INSTANCE;
  }
}
