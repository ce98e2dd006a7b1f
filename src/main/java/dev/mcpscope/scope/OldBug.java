package dev.mcpscope.scope;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.StructuredTaskScope;
import java.util.concurrent.StructuredTaskScope.Joiner;

/// The bug that this project is made against, in miniature, on the JDK's own API: one thread opens a
/// connection's scope, another one closes it. It is shown by `mcp-scope demo`; nothing else uses it.
///
/// In the reference system the opener and the closer were two tasks of an event loop, the close threw
/// "Attempted to exit cancel scope in a different task", and an `except: pass` around it made a
/// disconnect that looked like success and left a core spinning. Here the JDK refuses the close just
/// as clearly, and swallowing that leaves the connection's subtask alive just as surely.
public final class OldBug {

  /// What was seen.
  ///
  /// @param refusal what the close from the other thread threw
  /// @param readerAlive whether the connection's reader still ran after that "disconnect"
  /// @param readerEnded whether it ended when the thread that had opened the scope closed it
  public record Seen(String refusal, boolean readerAlive, boolean readerEnded) {}

  private OldBug() {}

  /// Lets it happen, and cleans up after it; takes some milliseconds.
  public static Seen show() throws InterruptedException {
    var connected = new CountDownLatch(1);
    var enough = new CountDownLatch(1);
    var shared = new Object[2]; // published by the latch, as a session's map would

    // The request that connects opens the scope, forks the reader, and leaves them to the session.
    Thread opener =
        Thread.ofVirtual()
            .name("connect request")
            .start(() -> {
              try (var scope = StructuredTaskScope.open(Joiner.awaitAll())) {
                shared[0] = scope;
                scope.fork(() -> {
                  shared[1] = Thread.currentThread();
                  connected.countDown();
                  new CountDownLatch(1).await(); // a server that says nothing
                  return null;
                });
                connected.await();
                enough.await();
              } catch (InterruptedException | IllegalStateException _) {
                // not joined on purpose: a close cancels and waits all the same
              }
            });
    connected.await();
    var scope = (StructuredTaskScope<?, ?>) shared[0];
    var reader = (Thread) shared[1];

    // The request that disconnects is another thread.
    String refusal = "nothing";
    try {
      scope.close();
    } catch (WrongThreadException e) {
      refusal = e.toString(); // `except Exception: pass`, and "disconnected" is the answer
    }
    boolean readerAlive = reader.isAlive();

    enough.countDown();
    opener.join();
    return new Seen(refusal, readerAlive, !reader.isAlive());
  }
}
