package dev.mcpscope.client;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.rpc.RpcError;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// Reads all pages of a list.
///
/// @param <T> what it lists
/// @param method the request that brings a page
/// @param member where the page has it
/// @param capability what the server has declared if it has such a list
/// @param parser reads one element
record Pages<T>(String method, String member, String capability, Calls.Parser<T> parser) {

  static final Pages<Tool> TOOLS = new Pages<>("tools/list", "tools", "tools", Tool::parse);
  static final Pages<Resource> RESOURCES =
      new Pages<>("resources/list", "resources", "resources", Resource::parse);
  static final Pages<ResourceTemplate> TEMPLATES =
      new Pages<>(
          "resources/templates/list", "resourceTemplates", "resources", ResourceTemplate::parse);
  static final Pages<Prompt> PROMPTS =
      new Pages<>("prompts/list", "prompts", "prompts", Prompt::parse);

  /// Returns the elements of all pages; none when the server has not declared the list. "Cursors are
  /// opaque", and only a missing one ends the list: an empty one is a cursor as any other. One that
  /// comes again would never end.
  List<T> read(Calls calls, Era era, ClientOptions.Limits limits, Calls.Terms terms)
      throws McpException, InterruptedException {
    if (!era.server().declares(capability)) {
      return List.of();
    }
    try {
      return all(calls, era, limits, terms);
    } catch (RemoteErrorException e) {
      // "If a cursor becomes invalid, the client SHOULD discard all cached pages and re-fetch from
      // the beginning."
      if (e.code() == RpcError.INVALID_PARAMS && era.forget(method)) {
        return all(calls, era, limits, terms);
      }
      if (e.isNotFound() && era.server().isAssumed()) {
        return List.of(); // it has never said that it has them
      }
      throw e;
    }
  }

  private List<T> all(Calls calls, Era era, ClientOptions.Limits limits, Calls.Terms terms)
      throws McpException, InterruptedException {
    var all = new ArrayList<T>();
    Set<String> cursors = new HashSet<>();
    long characters = 0;
    JsonObject params = JsonObject.EMPTY;
    while (true) {
      JsonObject page = era.request(method, params, terms);
      characters += page.toString().length();
      if (characters > limits.message().maxBytes()) {
        throw violation(calls, "more than " + limits.message().maxBytes() + " bytes on all pages");
      }
      all.addAll(calls.parse(method, page, this::elements));
      if (all.size() > limits.items()) {
        throw violation(calls, "more than " + limits.items() + " " + member);
      }
      Optional<String> next = calls.parse(method, page, json -> json.optionalString("nextCursor"));
      if (next.isEmpty()) {
        return List.copyOf(all);
      }
      if (!cursors.add(next.get())) {
        throw violation(calls, "the same cursor twice, which would never end");
      }
      if (cursors.size() >= limits.pages()) {
        throw violation(calls, "more than " + limits.pages() + " pages");
      }
      params = JsonObject.of("cursor", next.get());
    }
  }

  private List<T> elements(JsonObject page) throws JsonException {
    var elements = new ArrayList<T>();
    for (JsonObject element : page.objects(member)) {
      elements.add(parser.parse(element));
    }
    return elements;
  }

  private McpException violation(Calls calls, String what) {
    return new ProtocolViolationException(calls.server() + ": " + method + " gives " + what, null);
  }
}
