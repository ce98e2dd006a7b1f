package dev.mcpscope;

import dev.mcpscope.demo.Inventory;
import dev.mcpscope.demo.Leftovers;
import java.io.IOException;
import java.io.UncheckedIOException;

/// Fails a test that leaves something behind: a thread, an open scope, a process, a descriptor.
///
/// ```java
/// try (var _ = NothingLeft.check()) { … }
/// NothingLeft.after(() -> { … });
/// ```
///
/// What is tolerated, and why no leak can hide in it: see [Leftovers].
public final class NothingLeft implements AutoCloseable {
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
    Leftovers leftovers;
    try {
      leftovers = Leftovers.since(before);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    if (!leftovers.isEmpty()) {
      throw new AssertionError("left behind:\n" + leftovers);
    }
  }

  private static Inventory inventory() {
    try {
      return Inventory.take();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
