package dev.mcpscope.demo;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.stream.Collectors.joining;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.rpc.RpcError;
import java.net.URLEncoder;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArraySet;

/// The notes that the demo server was given, resources that change: all of them are one, and those
/// on one topic are another, from the first to the last. Any thread may use them.
final class DemoNotes {

  /// The URI of all notes.
  static final String ALL = "demo://notes";

  /// The most of them that are kept.
  static final int MOST = 100;

  // In characters, which in Unicode may be two of Java's.
  static final int LONGEST_TEXT = 1_000;
  static final int LONGEST_TOPIC = 100;

  private static final int MOST_WATCHERS = 32;

  /// Is told what has changed, by the thread that has changed it.
  interface Watcher {

    /// @param uris the resources that have changed
    /// @param list whether there are others than before
    void changed(Set<String> uris, boolean list);
  }

  private record Note(Optional<String> topic, String text) {
    String line() {
      return topic.map(t -> t + ": ").orElse("") + text;
    }

    Optional<String> uri() {
      return topic.map(DemoNotes::uri);
    }
  }

  private final Deque<Note> notes = new ArrayDeque<>(); // guarded by this
  private final Set<Watcher> watchers = new CopyOnWriteArraySet<>();

  /// The URI of the notes on a topic.
  static String uri(String topic) {
    return ALL + "/" + URLEncoder.encode(topic, UTF_8).replace("+", "%20");
  }

  /// Returns whether there may be a resource of that URI that changes.
  static boolean mayChange(String uri) {
    return uri.equals(ALL) || uri.startsWith(ALL + "/");
  }

  /// Adds a note, and tells it the watchers; the oldest one goes when there are too many. Blocks as
  /// long as they do.
  ///
  /// @throws JsonException if the text or the topic is too long, or the topic empty
  void add(String text, Optional<String> topic) throws JsonException {
    check("text", text, 0, LONGEST_TEXT);
    if (topic.isPresent()) {
      check("topic", topic.get(), 1, LONGEST_TOPIC);
    }
    var changed = new LinkedHashSet<String>();
    boolean list;
    synchronized (this) {
      List<String> before = topics();
      changed.add(ALL);
      if (notes.size() == MOST) {
        notes.removeFirst().uri().ifPresent(changed::add);
      }
      var note = new Note(topic, text);
      notes.addLast(note);
      note.uri().ifPresent(changed::add);
      list = !Set.copyOf(topics()).equals(Set.copyOf(before));
    }
    watchers.forEach(watcher -> watcher.changed(changed, list));
  }

  private static void check(String name, String text, int least, int most) throws JsonException {
    int length = text.codePointCount(0, text.length());
    if (length < least || length > most) {
      String bounds = length < least ? "at least " + least : "at most " + most;
      throw new JsonException(name + " must have " + bounds + " characters, not " + length);
    }
  }

  /// Returns what there are notes on, without those that have no topic.
  synchronized List<String> topics() {
    return notes.stream().map(Note::topic).flatMap(Optional::stream).distinct().toList();
  }

  /// Returns the text of a resource, if there is one of that URI.
  synchronized Optional<String> text(String uri) {
    if (uri.equals(ALL)) {
      return Optional.of(notes.stream().map(Note::line).collect(joining("\n")));
    }
    List<String> onTopic =
        notes.stream()
            .filter(note -> note.uri().filter(uri::equals).isPresent())
            .map(Note::text)
            .toList();
    return onTopic.isEmpty() ? Optional.empty() : Optional.of(String.join("\n", onTopic));
  }

  /// Tells a watcher from now on.
  ///
  /// @throws DemoRefusal if there are too many
  synchronized void watch(Watcher watcher) throws DemoRefusal {
    if (watchers.size() >= MOST_WATCHERS && !watchers.contains(watcher)) {
      throw new DemoRefusal(
          RpcError.INTERNAL_ERROR, "more than " + MOST_WATCHERS + " subscriptions at once");
    }
    watchers.add(watcher);
  }

  void unwatch(Watcher watcher) {
    watchers.remove(watcher);
  }
}
