package dev.mcpscope.client;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;

/// What a read has brought: a text or bytes. One read may bring several, such as a directory's files.
///
/// @param uri whose contents they are
/// @param mimeType of what kind, if the server knows
/// @param text the text; empty if it is bytes
/// @param bytes the bytes, decoded; empty if it is a text
/// @param json the whole as the server sent it
public record ResourceContents(
    String uri,
    Optional<String> mimeType,
    Optional<String> text,
    Optional<byte[]> bytes,
    JsonObject json) {

  static List<ResourceContents> parseAll(JsonObject result) throws JsonException {
    var all = new ArrayList<ResourceContents>();
    for (JsonObject contents : result.objects("contents")) {
      all.add(parse(contents));
    }
    return List.copyOf(all);
  }

  private static ResourceContents parse(JsonObject json) throws JsonException {
    Optional<String> text = json.optionalString("text");
    Optional<byte[]> bytes = Optional.empty();
    if (text.isEmpty()) {
      try {
        bytes = Optional.of(Base64.getDecoder().decode(json.string("blob")));
      } catch (IllegalArgumentException e) {
        throw new JsonException("member \"blob\" is no Base64: " + e.getMessage());
      }
    }
    return new ResourceContents(
        json.string("uri"), json.optionalString("mimeType"), text, bytes, json);
  }

  /// By what was sent.
  @Override
  public boolean equals(Object other) {
    return other instanceof ResourceContents that && json.equals(that.json);
  }

  /// Fits [#equals].
  @Override
  public int hashCode() {
    return json.hashCode();
  }
}
