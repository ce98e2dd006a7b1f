package dev.mcpscope.client;

import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import java.util.List;
import java.util.stream.Collectors;

/// What blocks of content have in common, wherever they come from.
final class Content {
  private Content() {}

  /// The texts among the blocks, one a line; a block whose text is no text has none.
  static String text(List<JsonObject> blocks) {
    return blocks.stream()
        .map(block -> block.get("text"))
        .filter(JsonString.class::isInstance)
        .map(text -> ((JsonString) text).value())
        .collect(Collectors.joining("\n"));
  }
}
