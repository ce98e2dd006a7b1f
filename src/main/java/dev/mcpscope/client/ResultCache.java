package dev.mcpscope.client;

import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.scope.Deadline;
import java.time.Duration;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.Predicate;

/// Results that may be used again: for as long as the server has said (`ttlMs`), and until it tells that
/// they have changed. Each connection has one of its own, and sends the same authorization with each
/// request, so that nothing `private` can get to anybody else, and `cacheScope` need not be asked. What a
/// server says of itself is kept by [EraMemory].
///
/// Any thread; bounded in number and size, the ones that were not used for longest go first.
///
/// @see <a
///     href="https://modelcontextprotocol.io/specification/2026-07-28/server/utilities/caching">Caching,
///     revision 2026-07-28</a>
final class ResultCache {
  private static final int MOST = 256;
  private static final long MOST_CHARACTERS = 4 << 20; // of all together
  private static final int MOST_VALUES = 100_000; // of one: each takes some 32 bytes
  private static final String READ = "resources/read";

  private static final Set<String> CACHEABLE =
      Set.of("tools/list", "prompts/list", "resources/list", "resources/templates/list", READ);

  private record Key(String method, JsonObject params) {}

  private record Kept(JsonObject result, Deadline until, int characters) {}

  private final boolean enabled;

  // guarded by this
  private final SequencedMap<Key, Kept> kept = new LinkedHashMap<>(4, 0.75f, true);
  private long characters;
  private long changes;

  ResultCache(boolean enabled) {
    this.enabled = enabled;
  }

  /// Returns what was answered to the same request, if it is still fresh.
  synchronized Optional<JsonObject> get(String method, JsonObject params) {
    var key = new Key(method, params);
    Kept one = kept.get(key);
    if (one != null && one.until().passed()) {
      remove(key);
      one = null;
    }
    return Optional.ofNullable(one).map(Kept::result);
  }

  private void remove(Key key) {
    Kept one = kept.remove(key);
    if (one != null) {
      characters -= one.characters();
    }
  }

  /// Returns a word for what is known to have changed by now.
  synchronized long now() {
    return changes;
  }

  /// Keeps a complete result, if it may be kept; what was kept before of the same request goes anyway.
  ///
  /// @param asked what [#now] said before it was asked for: what has changed since then may be what the
  ///     result does not know yet
  synchronized void put(String method, JsonObject params, JsonObject result, long asked) {
    var key = new Key(method, params);
    remove(key);
    Duration fresh = fresh(result);
    if (!enabled
        || asked != changes
        || fresh.isZero()
        || !CACHEABLE.contains(method)
        || result.hasMoreValuesThan(MOST_VALUES)) {
      return;
    }
    int length = result.toString().length();
    if (length > MOST_CHARACTERS) {
      return;
    }
    kept.put(key, new Kept(result, Deadline.after(fresh), length));
    characters += length;
    while (kept.size() > MOST || characters > MOST_CHARACTERS) {
      characters -= kept.pollFirstEntry().getValue().characters();
    }
  }

  /// "If ttlMs is absent, clients SHOULD assume a default of 0"; "if ttlMs is negative, clients SHOULD
  /// ignore it and treat it as 0".
  static Duration fresh(JsonObject result) {
    return result.get("ttlMs") instanceof JsonNumber number && number.asLong().isPresent()
        ? Duration.ofMillis(Math.max(0, number.asLong().getAsLong()))
        : Duration.ZERO;
  }

  /// Takes the news that something has changed: "the notification invalidates the cached response".
  void changed(ServerEvent event) {
    switch (event) {
      case ServerEvent.ListChanged(var list) -> {
        switch (list) {
          case TOOLS -> forget("tools/list");
          case PROMPTS -> forget("prompts/list");
          case RESOURCES -> {
            forget("resources/list");
            forget("resources/templates/list");
          }
        }
      }
      case ServerEvent.ResourceUpdated(var uri, _) -> forgetRead(uri);
      case ServerEvent.Dropped _ -> forget(READ); // it may have been such an update, of any of them
      default -> {}
    }
  }

  /// Forgets what was answered to this method.
  ///
  /// @return whether there was anything
  synchronized boolean forget(String method) {
    changes++;
    return removeIf(kept.entrySet().iterator(), key -> key.method().equals(method));
  }

  private synchronized void forgetRead(String uri) {
    changes++;
    removeIf(
        kept.entrySet().iterator(),
        key ->
            key.method().equals(READ)
                && key.params().get("uri") instanceof JsonString(var read)
                && (read.startsWith(uri) || uri.startsWith(read))); // one may lie in the other
  }

  private boolean removeIf(Iterator<Map.Entry<Key, Kept>> all, Predicate<Key> wanted) {
    boolean any = false;
    while (all.hasNext()) {
      var one = all.next();
      if (wanted.test(one.getKey())) {
        characters -= one.getValue().characters();
        all.remove();
        any = true;
      }
    }
    return any;
  }
}
