package dev.mcpscope.client;

import java.util.LinkedHashMap;
import java.util.SequencedMap;

/// Which servers were found to be of the legacy era, so that they are not asked each time: "Clients
/// SHOULD cache the result for the lifetime of the server process (stdio) or origin (HTTP)". A server
/// that is not the same any more is asked again when it refuses the handshake. Of a modern one there
/// is nothing to remember: what it is asked first is what its connection begins with anyway.
///
/// A host has one for all of its connections. Any thread; the newest are kept.
public final class EraMemory {
  private static final int MOST = 1_024;

  private final SequencedMap<Object, Boolean> legacy = new LinkedHashMap<>(); // guarded by this

  /// Creates one that remembers nothing.
  public EraMemory() {}

  /// Returns whether a server was found to be legacy.
  synchronized boolean isLegacy(ServerSpec server) {
    return legacy.containsKey(key(server));
  }

  /// Notes what a server was found to be.
  synchronized void note(ServerSpec server, boolean isLegacy) {
    Object key = key(server);
    legacy.remove(key);
    if (isLegacy) {
      legacy.putLast(key, true);
      if (legacy.size() > MOST) {
        legacy.pollFirstEntry();
      }
    }
  }

  /// An endpoint is what it is whoever asks; a process is what its command has made of it.
  private static Object key(ServerSpec server) {
    return switch (server) {
      case ServerSpec.Stdio stdio -> stdio;
      case ServerSpec.Http(var url, _, _) -> url;
    };
  }
}
