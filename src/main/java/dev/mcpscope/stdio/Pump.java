package dev.mcpscope.stdio;

import dev.mcpscope.scope.Deadline;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.time.Duration;

/// A thread that carries bytes between a stream of [Process], which cannot be interrupted, and a
/// pipe, which can: the road for systems on which a child cannot be started on a pipe of ours.
///
/// It is a platform thread, because a virtual one that blocks here takes a carrier with it, and it
/// stands outside the connection's scope, because nobody can bound its end: it ends when the other
/// side of the process's stream does, and a daemon that outlives the server may hold that for ever.
/// Then the pump is abandoned and named in the close's report. It holds one descriptor, of a
/// process that has ended, and nothing of the connection.
final class Pump {
  private static final int CHUNK = 8 * 1024;

  private final Thread thread;

  private Pump(Thread thread) {
    this.thread = thread;
  }

  /// Starts a pump that ends with either side, and closes both when it ends.
  static Pump start(String name, InputStream from, OutputStream to) {
    return new Pump(
        Thread.ofPlatform()
            .daemon()
            .name(name)
            .start(() -> {
              try (from;
                  to) {
                byte[] chunk = new byte[CHUNK];
                for (int n; (n = from.read(chunk)) >= 0; ) {
                  to.write(chunk, 0, n);
                  to.flush();
                }
              } catch (IOException _) {
                // One side has ended; closing the other one tells whoever reads or writes it.
              }
            }));
  }

  /// Waits for the pump's end and returns whether it has come.
  boolean ended(Deadline deadline) {
    return deadline.await(nanos -> thread.join(Duration.ofNanos(nanos)));
  }

  /// Returns the thread's name.
  String name() {
    return thread.getName();
  }
}
