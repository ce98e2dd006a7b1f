package dev.mcpscope.scope;

import java.io.BufferedReader;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.StructuredTaskScope;
import java.util.concurrent.StructuredTaskScope.Joiner;
import java.util.concurrent.TimeUnit;

/// The bug that this project is made against, on the JDK's own API and a real server: one thread opens
/// a connection's scope, another one closes it. It is shown by `mcp-scope demo`; nothing else uses it.
///
/// In the reference system the opener and the closer were two tasks of an event loop, the close threw
/// "Attempted to exit cancel scope in a different task", and an `except: pass` around it made a
/// disconnect that looked like success and left a core spinning. Here the JDK refuses the close just
/// as clearly, and swallowing that leaves a core spinning just as surely: the scope was not cancelled,
/// so the reader, which asks it whether to go on, reads the end of its input for ever.
public final class OldBug {

  /// What was seen.
  ///
  /// @param refusal what the close from the other thread threw
  /// @param serverEnded whether the server's process had ended after that "disconnect"
  /// @param cores how much of a processor the connection's reader took after it; 1 is all of one
  /// @param readerEnded whether it ended when the thread that had opened the scope closed it
  public record Seen(String refusal, boolean serverEnded, double cores, boolean readerEnded) {}

  private static final Duration WATCHED = Duration.ofMillis(300);
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  private record Connection(StructuredTaskScope<?, ?> scope, Process server, Thread reader) {}

  private OldBug() {}

  /// Lets it happen, and cleans up after it; takes about half a second.
  ///
  /// @param server a command that runs until its input ends
  public static Seen show(List<String> server) throws IOException, InterruptedException {
    var connected = new CompletableFuture<Connection>();
    var enough = new CountDownLatch(1);

    // The request that connects opens the scope, starts the server, forks the reader, and leaves
    // them to the session.
    Thread opener =
        Thread.ofVirtual().name("connect request").start(() -> open(server, connected, enough));
    try {
      Connection connection = connected.get();

      // The request that disconnects is another thread.
      String refusal = "nothing";
      try {
        connection.scope().close();
      } catch (WrongThreadException e) {
        refusal = e.toString(); // `except Exception: pass`, and "disconnected" is the answer
      }
      connection.server().getOutputStream().close();
      boolean ended = connection.server().waitFor(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
      double cores = cores(connection.reader());

      enough.countDown(); // the opener leaves its block, which waits for the reader
      return new Seen(refusal, ended, cores, connection.reader().join(PATIENCE));
    } catch (ExecutionException e) {
      throw new IOException("the server cannot be started", e.getCause());
    } finally {
      enough.countDown();
      opener.join();
    }
  }

  private static void open(
      List<String> command, CompletableFuture<Connection> connected, CountDownLatch enough) {
    var builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD);
    try {
      Process server = builder.start();
      try (BufferedReader in = server.inputReader();
          var scope =
              StructuredTaskScope.open(
                  Joiner.awaitAll(), c -> c.withThreadFactory(Thread.ofPlatform().factory()))) {
        scope.fork(() -> {
          connected.complete(new Connection(scope, server, Thread.currentThread()));
          while (!scope.isCancelled()) {
            in.readLine(); // a message, or null at the end, which nobody has thought of
          }
          return null;
        });
        try {
          enough.await();
        } finally {
          // first of all: the scope's close waits for the reader, which waits for the server
          server.destroyForcibly();
        }
      } finally {
        server.destroyForcibly();
      }
    } catch (IOException | InterruptedException | IllegalStateException e) {
      // ISE: not joined on purpose, since a close cancels and waits all the same
      connected.completeExceptionally(e); // else nothing, if it is connected
    }
  }

  /// A platform thread, because the time that a virtual one takes is nobody's.
  private static double cores(Thread reader) throws InterruptedException {
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    long begun = System.nanoTime();
    long before = threads.getThreadCpuTime(reader.threadId());
    reader.join(WATCHED);
    long after = threads.getThreadCpuTime(reader.threadId()); // -1 if it has ended
    return Math.max(0, after - before) / (double) (System.nanoTime() - begun);
  }
}
