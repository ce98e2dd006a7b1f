package dev.mcpscope.demo;

import dev.mcpscope.host.ThreadDump.ThreadInfo;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Set;

/// What this JVM has now and had not when an inventory was taken: nothing, or something leaked.
///
/// ## What is tolerated, and why no leak can hide in it
///
/// A thread says that its work is done *before* it has ended: it completes a future, posts its
/// last message, counts down a latch, and returns. Who waited for that may look before the thread's
/// last instructions have run. So threads get one second, all of them together, but only those that
/// can be seen to be ending:
///
/// - A platform thread is joined, which takes as long as it must and no longer. What could pass is
///   one that ends by itself within the second: late, yet not left.
/// - A virtual thread cannot be joined by its id, so the inventory is taken again, while all of
///   them are RUNNABLE or TERMINATED. One that waits for a channel, a lock, a queue or the clock is in another
///   state and fails the test at the first look; one that runs on fails it after the second.
/// - A process reaper that is still at work for a process that is gone is closing its pipes: the
///   JDK does that right after `waitFor` has returned.
///
/// A process or a scope fails the test at once. A descriptor gets no time of its own either, only
/// that of the threads above, which may be the ones that close it.
///
/// @param threads the new threads
/// @param lines every leftover, of whatever kind, in a line of plain words
/// @param counts how much there was and is
public record Leftovers(List<ThreadInfo> threads, List<String> lines, List<Count> counts) {
  private static final Duration ENDING = Duration.ofSeconds(1);
  private static final Set<String> ENDING_STATES = Set.of("RUNNABLE", "TERMINATED");
  private static final String BUSY_REAPER = "process reaper (pid ";

  /// A row of a table: how much there was and is.
  public record Count(String what, int before, int after) {}

  /// Compares what there is now. Waits for threads that are ending, for a second at most.
  ///
  /// @throws IOException if the JVM's thread dump cannot be written or read
  public static Leftovers since(Inventory before) throws IOException {
    boolean reaping = isReaping(); // asked first: what it closes after this may still be listed
    Inventory now = Inventory.take();
    long end = System.nanoTime() + ENDING.toNanos();
    while (isEnding(before, now, reaping, end) && System.nanoTime() < end) {
      reaping = isReaping();
      now = Inventory.take();
    }
    return now.since(before);
  }

  /// Returns whether there is nothing.
  public boolean isEmpty() {
    return lines.isEmpty();
  }

  @Override
  public String toString() {
    return String.join("\n", lines);
  }

  /// Returns whether another look may show less: no process or scope is left, and what else is
  /// belongs to threads that are ending.
  private static boolean isEnding(Inventory before, Inventory now, boolean reaping, long end) {
    Leftovers leftovers = now.since(before);
    if (leftovers.isEmpty()
        || !before.processes().keySet().containsAll(now.processes().keySet())
        || !before.scopes().keySet().containsAll(now.scopes().keySet())) {
      return false;
    }
    if (leftovers.threads().isEmpty()) {
      return reaping;
    }
    boolean ending = true;
    for (ThreadInfo thread : leftovers.threads()) {
      ending &= thread.virtual() ? ENDING_STATES.contains(thread.state()) : hasEnded(thread, end);
    }
    return ending;
  }

  private static boolean hasEnded(ThreadInfo leftover, long end) {
    for (Thread thread : Thread.getAllStackTraces().keySet()) {
      if (thread.threadId() == leftover.tid()) {
        return joined(thread, end);
      }
    }
    return true;
  }

  private static boolean joined(Thread thread, long end) {
    try {
      return thread.join(Duration.ofNanos(end - System.nanoTime()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return !thread.isAlive();
    }
  }

  private static boolean isReaping() {
    return Thread.getAllStackTraces().keySet().stream()
        .map(Thread::getName)
        .filter(name -> name.startsWith(BUSY_REAPER))
        .map(name -> name.substring(BUSY_REAPER.length(), name.length() - 1))
        .anyMatch(pid -> ProcessHandle.of(Long.parseLong(pid)).isEmpty());
  }
}
