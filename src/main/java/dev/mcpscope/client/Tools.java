package dev.mcpscope.client;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// Reads all pages of `tools/list`.
final class Tools {

  /// Gets one page, given the params of the request.
  @FunctionalInterface
  interface Pages {
    JsonObject page(JsonObject params) throws McpException, InterruptedException;
  }

  private record Page(List<Tool> tools, Optional<String> nextCursor) {
    static Page parse(JsonObject result) throws JsonException {
      var tools = new ArrayList<Tool>();
      for (JsonValue tool : result.array("tools")) {
        if (!(tool instanceof JsonObject object)) {
          throw new JsonException(
              "tools[" + tools.size() + "] must be an object, is " + tool.kind());
        }
        tools.add(Tool.parse(object));
      }
      return new Page(tools, result.optionalString("nextCursor"));
    }
  }

  private Tools() {}

  /// Returns the tools of all pages. "Cursors are opaque", and only a missing one ends the list: an
  /// empty one is a cursor as any other. One that comes again would never end.
  static List<Tool> list(Calls calls, Era era, ClientOptions options, Pages pages)
      throws McpException, InterruptedException {
    if (!era.server().declares("tools")) {
      return List.of();
    }
    var tools = new ArrayList<Tool>();
    Set<String> cursors = new HashSet<>();
    long characters = 0;
    JsonObject params = JsonObject.EMPTY;
    while (true) {
      JsonObject result = pages.page(era.params(params));
      characters += result.toString().length();
      if (characters > options.limits().message().maxBytes()) {
        throw violation(
            calls, "more than " + options.limits().message().maxBytes() + " bytes on all pages");
      }
      Page page = calls.parse("tools/list", result, Page::parse);
      tools.addAll(page.tools());
      if (tools.size() > options.limits().tools()) {
        throw violation(calls, "more than " + options.limits().tools() + " tools");
      }
      if (page.nextCursor().isEmpty()) {
        return List.copyOf(tools);
      }
      String cursor = page.nextCursor().get();
      if (!cursors.add(cursor)) {
        throw violation(calls, "the same cursor twice, which would never end");
      }
      if (cursors.size() >= options.limits().toolPages()) {
        throw violation(calls, "more than " + options.limits().toolPages() + " pages");
      }
      params = JsonObject.of("cursor", cursor);
    }
  }

  private static McpException violation(Calls calls, String what) {
    return new ProtocolViolationException(calls.server() + ": tools/list gives " + what, null);
  }
}
