package dev.mcpscope.http;

import dev.mcpscope.scope.Deadline;
import dev.mcpscope.scope.Delivery;
import dev.mcpscope.scope.Guest;
import dev.mcpscope.transport.CallFailure;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/// Looks where a server's name leads to, before anything is sent there. Nothing interrupts the
/// system's resolver, so that it is asked in a [Guest], which can be left behind. What is looked at
/// here is asked for again when a socket is opened, and a name server may say something else by then.
final class Lookup {

  /// Finds the addresses of a host.
  @FunctionalInterface
  interface Resolver {
    InetAddress[] resolve(String host) throws UnknownHostException;
  }

  private final String host;
  private final CompletableFuture<Optional<CallFailure>> answer = new CompletableFuture<>();
  private final Guest guest;

  // guarded by this
  private boolean started;
  private boolean ended;

  /// @param name of the guest's thread
  Lookup(String name, String host, Resolver resolver) {
    this.host = host;
    this.guest =
        Guest.of(
            name,
            () -> {
              Destinations.check(host, resolver.resolve(host));
              answer.complete(Optional.empty());
            },
            failure -> {
              if (failure != null) {
                answer.complete(Optional.of(failed(failure)));
              }
            });
  }

  /// Looks; unblocked by the resolver, and by interrupt.
  ///
  /// @return why no connection is made there; empty when one may be
  /// @throws InterruptedException also when it was ended before it began
  Optional<CallFailure> run() throws InterruptedException {
    synchronized (this) { // who ends it sees it started, or keeps it from that
      if (ended) {
        throw new InterruptedException("ended before it began");
      }
      started = true;
      guest.start();
    }
    try {
      return answer.get();
    } catch (ExecutionException e) {
      throw new AssertionError("it is completed with answers only", e);
    }
  }

  private CallFailure failed(Throwable failure) {
    String what =
        failure instanceof UnknownHostException
            ? host + " is a name without address"
            : failure.getMessage();
    return new CallFailure(CallFailure.Kind.NOT_SENT, what, failure);
  }

  /// Ends it; any thread.
  ///
  /// @return the name of the thread that is left behind, if one is
  Optional<String> end() {
    synchronized (this) {
      ended = true;
      if (!started) {
        return Optional.empty();
      }
    }
    boolean gone = guest.dismiss(Deadline.after(Duration.ZERO), Delivery.GRACE);
    return gone ? Optional.empty() : Optional.of(guest.name());
  }
}
