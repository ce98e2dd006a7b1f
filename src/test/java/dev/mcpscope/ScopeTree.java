package dev.mcpscope;

import dev.mcpscope.host.ThreadDump;
import dev.mcpscope.host.ThreadDump.Scope;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// The scopes of this JVM, as its own thread dump shows them.
public final class ScopeTree {

  private ScopeTree() {}

  /// The scope of a connection that is connected, when it has come to rest.
  ///
  /// Being connected says nothing of two of its threads: the handshake's has told and is about to
  /// end, the handlers' may be about to open its scope.
  public static Scope ofConnected(String name) throws IOException {
    while (!Thread.currentThread().isInterrupted()) { // the test's time is over
      Optional<Scope> scope =
          all(ThreadDump.take().scopes())
              .filter(s -> s.name().equals(name))
              .filter(s -> !s.scopes().isEmpty())
              .filter(s -> s.threads().stream().noneMatch(t -> t.name().endsWith(" handshake")))
              .findFirst();
      if (scope.isPresent()) {
        return scope.get();
      }
      Thread.onSpinWait();
    }
    throw new AssertionError(name + " has not come to rest");
  }

  private static Stream<Scope> all(List<Scope> scopes) {
    return scopes.stream().flatMap(s -> Stream.concat(Stream.of(s), all(s.scopes())));
  }
}
