package dev.mcpscope.client;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Which server to connect, and how to reach it.
public sealed interface ServerSpec {

  /// A server that runs as a child process of this JVM.
  ///
  /// @param command the executable, looked up on PATH, and its arguments; no shell is involved
  /// @param environment variables that it gets besides the small safe set (PATH, HOME, …) that every
  ///     server gets; the rest of the host's environment stays hidden from it
  /// @param directory where it runs; empty for the host's own directory
  record Stdio(List<String> command, Map<String, String> environment, Optional<Path> directory)
      implements ServerSpec {

    /// Copies, and checks that there is a command.
    public Stdio {
      command = List.copyOf(command);
      environment = Map.copyOf(environment);
      if (command.isEmpty() || command.getFirst().isBlank()) {
        throw new IllegalArgumentException("a stdio server needs a command");
      }
    }

    /// Returns the same with this environment.
    public Stdio withEnvironment(Map<String, String> environment) {
      return new Stdio(command, environment, directory);
    }

    /// Returns the same in this directory.
    public Stdio withDirectory(Path directory) {
      return new Stdio(command, environment, Optional.of(directory));
    }

    /// Names the executable only: arguments and variables may be secrets.
    @Override
    public String toString() {
      return "stdio server " + command.getFirst();
    }
  }

  /// Returns a server that is started by this command.
  static Stdio stdio(String... command) {
    return new Stdio(List.of(command), Map.of(), Optional.empty());
  }
}
