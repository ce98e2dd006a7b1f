package dev.mcpscope.http;

import dev.mcpscope.scope.Deadline;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpTimeoutException;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/// What one task has on the wire: one HTTP request after another, that any thread can put an end to.
///
/// The task sends and reads; whoever wants it to end calls [#cancel()], which frees it from both and
/// closes the socket. A request's body that was read to its end leaves the socket to the pool; one
/// that was not takes it along.
final class Fetch implements AutoCloseable {
  private static final int CHUNK = 2 * 1024; // each open stream holds one

  private final Consumer<Fetch> ended;
  private final CountDownLatch cancelled = new CountDownLatch(1);

  // written by the task, read by who cancels
  private volatile CompletableFuture<? extends HttpResponse<?>> sending;

  /// @param ended told by [#close()]
  Fetch(Consumer<Fetch> ended) {
    this.ended = ended;
  }

  /// Sends a request and waits for the head of its answer, whose body is then the task's to read.
  /// The one before is ended. Unblocked by the answer, by [#cancel()] and by interrupt.
  ///
  /// @throws ClosedChannelException when it was cancelled
  /// @throws IOException when there is no answer
  HttpResponse<InputStream> send(HttpClient client, HttpRequest request)
      throws IOException, InterruptedException {
    return await(start(client, request, BodyHandlers.ofInputStream()), Deadline.NEVER);
  }

  /// Sends a request and waits until its answer is complete; its body is dropped.
  ///
  /// @throws HttpTimeoutException when it is not complete by the deadline
  HttpResponse<Void> sendAndDiscard(HttpClient client, HttpRequest request, Deadline deadline)
      throws IOException, InterruptedException {
    return await(start(client, request, BodyHandlers.discarding()), deadline);
  }

  private <T> CompletableFuture<HttpResponse<T>> start(
      HttpClient client, HttpRequest request, BodyHandler<T> handler) throws IOException {
    drop();
    CompletableFuture<HttpResponse<T>> started = client.sendAsync(request, handler);
    sending = started;
    if (isCancelled()) { // before it was written: who cancels has not seen this one
      drop();
    }
    return started;
  }

  private <T> HttpResponse<T> await(CompletableFuture<HttpResponse<T>> answer, Deadline deadline)
      throws IOException, InterruptedException {
    try {
      return deadline == Deadline.NEVER
          ? answer.get()
          : answer.get(deadline.remainingNanos(), TimeUnit.NANOSECONDS);
    } catch (CancellationException e) {
      throw new ClosedChannelException();
    } catch (TimeoutException e) {
      drop();
      throw new HttpTimeoutException("no complete answer in time");
    } catch (InterruptedException e) {
      cancel();
      throw e;
    } catch (ExecutionException e) {
      if (isCancelled()) {
        throw new ClosedChannelException();
      }
      switch (e.getCause()) {
        case IOException cause -> throw cause;
        default -> throw new IOException(e.getCause());
      }
    }
  }

  /// Reads a stream of events to its end, or until it is enough.
  ///
  /// @throws ClosedChannelException when it was cancelled
  /// @throws Messages.ViolationException when an event is too long
  /// @throws IOException when it breaks off
  void follow(InputStream body, SseParser parser, BooleanSupplier enough) throws IOException {
    byte[] chunk = new byte[CHUNK];
    try (body) {
      for (int n; (n = body.read(chunk)) >= 0 && !isCancelled(); ) {
        parser.feed(chunk, 0, n);
        if (enough.getAsBoolean()) {
          return;
        }
      }
    } catch (SseParser.TooLongException e) {
      throw new Messages.ViolationException("in the event stream " + e.getMessage());
    } catch (Messages.ViolationException e) {
      throw e;
    } catch (IOException e) {
      if (!isCancelled()) {
        throw e;
      }
    }
    if (isCancelled()) {
      throw new ClosedChannelException();
    }
  }

  /// Waits, unless it is cancelled first.
  ///
  /// @throws ClosedChannelException when it is cancelled
  void pause(Deadline until) throws ClosedChannelException, InterruptedException {
    if (cancelled.await(until.remainingNanos(), TimeUnit.NANOSECONDS)) {
      throw new ClosedChannelException();
    }
  }

  /// Ends what is on the wire, and whatever is sent later; any thread, never blocks.
  void cancel() {
    cancelled.countDown();
    drop();
  }

  /// Returns whether it was cancelled.
  boolean isCancelled() {
    return cancelled.getCount() == 0;
  }

  /// A future that is complete cannot be cancelled any more, but has a body to be closed.
  private void drop() {
    CompletableFuture<? extends HttpResponse<?>> one = sending;
    if (one != null && !one.cancel(true)) {
      one.thenAccept(Fetch::closeBody);
    }
  }

  private static void closeBody(HttpResponse<?> response) {
    if (response.body() instanceof InputStream body) {
      try {
        body.close();
      } catch (IOException _) {
        // it was broken before
      }
    }
  }

  /// Ends what is on the wire, if anything is.
  @Override
  public void close() {
    drop();
    ended.accept(this);
  }
}
