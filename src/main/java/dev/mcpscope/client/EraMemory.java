package dev.mcpscope.client;

import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.scope.Deadline;
import java.net.URI;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/// What was found out of servers, so that they are not asked for it each time: "Clients SHOULD cache the
/// result for the lifetime of the server process (stdio) or origin (HTTP)". That one is legacy is
/// remembered until it turns out wrong; what a modern one at a URL has told of itself for as long as it
/// allows. A modern process is new each time, and asked.
///
/// A host has one for all of its connections. Any thread; the newest are kept.
public final class EraMemory {
  private static final int MOST = 1_024;
  private static final int MOST_CHARACTERS = 64 << 10; // of what one server has told

  /// What is known of a server.
  sealed interface Known {
    /// It is of the legacy era.
    record Legacy() implements Known {}

    /// It has told this of itself.
    record Modern(JsonObject discovered) implements Known {}
  }

  /// What a server is recognised by. What it has told may be for one user only, whom his headers tell
  /// from another one; it is for all if it says so, and its era is.
  private sealed interface Key {
    record Process(ServerSpec.Stdio command) implements Key {}

    record Endpoint(URI url, Optional<Map<String, String>> user) implements Key {}
  }

  private record Entry(Known known, Deadline until) {}

  private final SequencedMap<Key, Entry> entries = new LinkedHashMap<>(); // guarded by this

  /// Creates one that remembers nothing.
  public EraMemory() {}

  /// Returns what is known of a server.
  synchronized Optional<Known> recall(ServerSpec server) {
    return fresh(keyForAll(server)).or(() -> keyForUser(server).flatMap(this::fresh));
  }

  private Optional<Known> fresh(Key key) {
    Entry entry = entries.get(key);
    if (entry != null && entry.until().passed()) {
      entries.remove(key);
      entry = null;
    }
    return Optional.ofNullable(entry).map(Entry::known);
  }

  /// Notes that a server is of the legacy era.
  void legacy(ServerSpec server) {
    put(keyForAll(server), new Known.Legacy(), Deadline.NEVER);
  }

  /// Notes what a modern server has told of itself.
  void modern(ServerSpec server, JsonObject discovered) {
    forget(server);
    Duration fresh = ResultCache.fresh(discovered);
    if (fresh.isZero() || discovered.toString().length() > MOST_CHARACTERS) {
      return;
    }
    boolean isPublic = new JsonString("public").equals(discovered.get("cacheScope"));
    keyForUser(server)
        .ifPresent(user ->
            put(
                isPublic ? keyForAll(server) : user,
                new Known.Modern(discovered),
                Deadline.after(fresh)));
  }

  private synchronized void put(Key key, Known known, Deadline until) {
    entries.remove(key);
    entries.putLast(key, new Entry(known, until));
    if (entries.size() > MOST) {
      entries.pollFirstEntry();
    }
  }

  /// Forgets what is known of a server, as it is wrong.
  synchronized void forget(ServerSpec server) {
    entries.remove(keyForAll(server));
    keyForUser(server).ifPresent(entries::remove);
  }

  private static Key keyForAll(ServerSpec server) {
    return switch (server) {
      case ServerSpec.Stdio stdio -> new Key.Process(stdio);
      case ServerSpec.Http(var url, _, _) -> new Key.Endpoint(url, Optional.empty());
    };
  }

  /// Empty for a process: there is a new one for each connection.
  private static Optional<Key> keyForUser(ServerSpec server) {
    return switch (server) {
      case ServerSpec.Stdio _ -> Optional.empty();
      case ServerSpec.Http(var url, var headers, _) ->
          Optional.of(new Key.Endpoint(url, Optional.of(headers)));
    };
  }
}
