package dev.mcpscope;

import dev.mcpscope.demo.Inventory;
import dev.mcpscope.demo.Inventory.Leftovers;
import dev.mcpscope.host.ThreadDump.ThreadInfo;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;

/// Fails a test that leaves something behind: a thread, an open scope, a process, a descriptor.
///
/// ```java
/// try (var _ = NothingLeft.check()) { … }
/// NothingLeft.after(() -> { … });
/// ```
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
///   them are RUNNABLE. One that waits for a channel, a lock, a queue or the clock is in another
///   state and fails the test at the first look; one that runs on fails it after the second.
/// - A process reaper that is still at work for a process that is gone is closing its pipes: the
///   JDK does that right after `waitFor` has returned.
///
/// A process or a scope fails the test at once. A descriptor gets no time of its own either, only
/// that of the threads above, which may be the ones that close it.
public final class NothingLeft implements AutoCloseable {
  private static final Duration ENDING = Duration.ofSeconds(1);
  private static final String BUSY_REAPER = "process reaper (pid ";

  /// What may throw.
  @FunctionalInterface
  public interface Body {
    void run() throws Exception;
  }

  private final Inventory before;

  private NothingLeft(Inventory before) {
    this.before = before;
  }

  /// Remembers what there is now; [#close()] compares.
  public static NothingLeft check() {
    return new NothingLeft(inventory());
  }

  /// Runs the body and fails if it leaves something, also if it throws (then suppressed).
  public static void after(Body body) throws Exception {
    try (var _ = check()) {
      body.run();
    }
  }

  /// Fails if there is anything that was not there.
  ///
  /// @throws AssertionError naming every leftover
  @Override
  public void close() {
    boolean reaping = isReaping(); // asked first: what it closes after this may still be listed
    Inventory now = inventory();
    long end = System.nanoTime() + ENDING.toNanos();
    while (isEnding(now, reaping, end) && System.nanoTime() < end) {
      reaping = isReaping();
      now = inventory();
    }
    Leftovers leftovers = now.since(before);
    if (!leftovers.isEmpty()) {
      throw new AssertionError("left behind:\n" + leftovers);
    }
  }

  /// Returns whether another look may show less: no process or scope is left, and what else is
  /// belongs to threads that are ending.
  private boolean isEnding(Inventory now, boolean reaping, long end) {
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
      ending &= thread.virtual() ? thread.state().equals("RUNNABLE") : hasEnded(thread, end);
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

  private static Inventory inventory() {
    try {
      return Inventory.take();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
