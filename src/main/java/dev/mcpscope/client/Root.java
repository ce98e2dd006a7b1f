package dev.mcpscope.client;

import dev.mcpscope.json.JsonObject;
import java.net.URI;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;

/// A place that a server may work in.
///
/// @param uri where it is; a `file:` URI
/// @param name what people call it
public record Root(URI uri, Optional<String> name) {

  /// Checks that it is a `file:` URI, as the protocol demands, and leads nowhere else.
  public Root {
    if (!uri.toString().startsWith("file://") || uri.getPath() == null) {
      throw new IllegalArgumentException("a root must be a file:// URI, is " + uri);
    }
    if (Arrays.asList(uri.getPath().split("/")).contains("..")) {
      throw new IllegalArgumentException("a root must not lead upwards: " + uri);
    }
  }

  /// Returns the root for a directory.
  public static Root of(Path directory) {
    return new Root(directory.toAbsolutePath().normalize().toUri(), Optional.empty());
  }

  /// Returns the same under this name.
  public Root named(String name) {
    return new Root(uri, Optional.of(name));
  }

  JsonObject json() {
    JsonObject json = JsonObject.of("uri", uri.toString());
    return name.isPresent() ? json.with("name", name.get()) : json;
  }
}
