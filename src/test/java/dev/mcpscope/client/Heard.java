package dev.mcpscope.client;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Predicate;

/// A listener that keeps what it hears.
final class Heard implements Consumer<ServerEvent> {
  private final List<ServerEvent> events = new ArrayList<>(); // guarded by this

  @Override
  public synchronized void accept(ServerEvent event) {
    events.add(event);
    notifyAll();
  }

  synchronized List<ServerEvent> all() {
    return List.copyOf(events);
  }

  /// Returns what has been heard of this type so far.
  synchronized <E extends ServerEvent> List<E> all(Class<E> type) {
    return events.stream().filter(type::isInstance).map(type::cast).toList();
  }

  /// Waits until an event like this has been heard, be it long ago, and returns the first one.
  synchronized <E extends ServerEvent> E await(Class<E> type, Predicate<E> wanted)
      throws InterruptedException {
    while (true) {
      for (E event : all(type)) {
        if (wanted.test(event)) {
          return event;
        }
      }
      wait();
    }
  }

  /// Waits until what was heard so far is enough, and returns it.
  synchronized List<ServerEvent> until(Predicate<List<ServerEvent>> enough)
      throws InterruptedException {
    while (!enough.test(events)) {
      wait();
    }
    return List.copyOf(events);
  }

  /// Waits until the server has logged this text, and returns what was heard before that.
  List<ServerEvent> untilLogged(String text) throws InterruptedException {
    List<ServerEvent> all = until(heard -> !heard.isEmpty() && isLog(heard.getLast(), text));
    return all.subList(0, all.size() - 1);
  }

  static boolean isLog(ServerEvent event, String text) {
    return event instanceof ServerEvent.LogMessage log
        && log.data().toString().equals("\"" + text + "\"");
  }
}
