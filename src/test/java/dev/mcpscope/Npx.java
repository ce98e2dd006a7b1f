package dev.mcpscope;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.mcpscope.client.ClientOptions;
import dev.mcpscope.client.ServerSpec;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/// The reference servers, started as people start them: by npx, which starts a shell, which starts
/// node.
public final class Npx {
  /// For a connection to one of them; the first start may have to download it.
  public static final ClientOptions OPTIONS =
      ClientOptions.defaults().withConnectTimeout(Duration.ofSeconds(90));

  /// The package of [#everything()].
  static final String EVERYTHING = "@modelcontextprotocol/server-everything@2026.8.31";

  private Npx() {}

  /// Skips the tests of who calls this where there is no npx.
  public static void isNeeded() {
    assumeTrue(
        Arrays.stream(System.getenv().getOrDefault("PATH", "").split(File.pathSeparator))
            .anyMatch(directory -> Files.isExecutable(Path.of(directory, "npx"))),
        "npx is not on the PATH");
  }

  /// Returns the server that has something of every feature.
  public static ServerSpec.Stdio everything() {
    return server(EVERYTHING);
  }

  /// Returns the server for files; what it may touch is below these directories, or, if the client
  /// has roots, below those.
  public static ServerSpec.Stdio filesystem(Path... directories) {
    return server(
        "@modelcontextprotocol/server-filesystem@2026.8.31",
        Arrays.stream(directories).map(Path::toString).toArray(String[]::new));
  }

  private static ServerSpec.Stdio server(String packageAndVersion, String... arguments) {
    return new ServerSpec.Stdio(command(packageAndVersion, arguments), Map.of(), Optional.empty());
  }

  static List<String> command(String packageAndVersion, String... arguments) {
    return Stream.concat(Stream.of("npx", "-y", packageAndVersion), Arrays.stream(arguments))
        .toList();
  }
}
