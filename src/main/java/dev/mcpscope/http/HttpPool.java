package dev.mcpscope.http;

import dev.mcpscope.scope.Deadline;
import java.io.IOException;
import java.net.http.HttpClient;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/// The sockets that connections to HTTP servers share: one [HttpClient], with its threads, made when
/// the first one needs it.
///
/// What a connection has on the wire is the connection's and ends with it. The sockets that idle
/// between two requests cannot be told apart by whose they were; they end with the pool. Any thread
/// may use it; its owner, a host, or a connection that has no host, closes it after its last user.
public final class HttpPool implements AutoCloseable {
  private static final Duration CONNECT = Duration.ofSeconds(10);
  private static final Duration END = Duration.ofMillis(500);

  private ExecutorService executor; // guarded by this, like the client
  private HttpClient client;
  private boolean closed;

  /// Creates a pool that holds nothing yet.
  public HttpPool() {}

  /// Returns the client.
  ///
  /// Virtual threads for its work, since its own executor would grow to fifty platform threads. No
  /// HTTP/2 on `http://`: each request would carry the headers of an upgrade. Redirects are not
  /// followed: the answer to a request is to come from the server that it was meant for, and the
  /// headers that go along are nobody else's.
  ///
  /// @throws IllegalStateException when it was closed
  synchronized HttpClient client() {
    if (closed) {
      throw new IllegalStateException("the pool is closed");
    }
    if (client == null) {
      executor =
          Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name("http-pool ", 0).factory());
      client =
          HttpClient.newBuilder()
              .version(HttpClient.Version.HTTP_1_1)
              .followRedirects(HttpClient.Redirect.NEVER)
              .connectTimeout(CONNECT)
              .executor(executor)
              .build();
    }
    return client;
  }

  /// Closes every socket and ends the threads; half a second at the most, whatever is on the wire. A
  /// second call does nothing.
  ///
  /// @throws IOException when some have not ended by then
  @Override
  public synchronized void close() throws IOException {
    closed = true;
    if (client == null) {
      return;
    }
    Deadline deadline = Deadline.after(END);
    client.shutdownNow();
    boolean ended = deadline.await(nanos -> client.awaitTermination(Duration.ofNanos(nanos)));
    executor.shutdownNow();
    ended &= deadline.await(nanos -> executor.awaitTermination(nanos, TimeUnit.NANOSECONDS));
    client = null;
    executor = null;
    if (!ended) {
      throw new IOException("sockets have not been closed within " + END.toMillis() + " ms");
    }
  }
}
