package dev.mcpscope.scope;

import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/// The guests of one owner: whoever starts one enters it here, so that the owner's last report can
/// forget none. Any thread.
public final class Guests {
  private final Set<Guest> present = ConcurrentHashMap.newKeySet();

  /// Creates an empty list.
  public Guests() {}

  /// Starts a guest, which is in the list before its body runs.
  ///
  /// @param name the name of its thread, and in reports
  /// @param ended called in the guest's thread with what it threw, or with null; must not block
  public Guest start(String name, Task body, Consumer<Throwable> ended) {
    present.removeIf(Guest::hasEnded);
    Guest guest = Guest.of(name, body, ended);
    present.add(guest);
    guest.start();
    return guest;
  }

  /// Returns whether the calling thread is one of them.
  public boolean includeCurrentThread() {
    return present.stream().anyMatch(Guest::isCurrentThread);
  }

  /// Returns the names of those that still run.
  public List<String> running() {
    return present.stream().filter(guest -> !guest.hasEnded()).map(Guest::name).sorted().toList();
  }
}
