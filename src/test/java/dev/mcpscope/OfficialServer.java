package dev.mcpscope;

import static java.nio.file.StandardCopyOption.REPLACE_EXISTING;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.WRITE;

import dev.mcpscope.client.ServerSpec;
import java.io.IOException;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// The server that MCP's own TypeScript library makes of `src/conformance/server/server.mjs`, which
/// says what it has: the one of revision 2026-07-28 that was not written here.
///
/// Over stdio every connection has a server of its own; over HTTP all have this one.
public final class OfficialServer implements AutoCloseable {

  /// What it serves.
  public enum Era {
    /// Every revision.
    DUAL,
    /// 2026-07-28 alone.
    MODERN
  }

  private static final Path SOURCE = Path.of("src", "conformance", "server");
  private static final Path TARGET = Path.of("target", "conformance", "server").toAbsolutePath();
  private static final String PROGRAM = "server.mjs";
  private static final String LOCK = "package-lock.json";

  private static boolean installed; // guarded by the class

  private final Era era;
  private final String url;
  private ServerProcess process;

  private OfficialServer(Era era) throws IOException, InterruptedException {
    this.era = era;
    this.process = listening("0");
    this.url = process.all("listening at (.+)").getFirst();
  }

  /// Installs what it is made of, unless that was done before. Skips the tests of who calls this
  /// where there is no npm.
  public static synchronized void isNeeded() throws IOException, InterruptedException {
    Npx.isNeeded(); // which comes with npm
    if (installed) {
      return;
    }
    Files.createDirectories(TARGET);
    Path turn = TARGET.resolveSibling("server.lock"); // JVMs take turns
    try (var channel = FileChannel.open(turn, CREATE, WRITE);
        var _ = channel.lock()) {
      Path done = TARGET.resolve("installed.json"); // made last, so it says that all is there
      if (!isSame(SOURCE.resolve(LOCK), done)) {
        for (String file : List.of("package.json", LOCK)) {
          Files.copy(SOURCE.resolve(file), TARGET.resolve(file), REPLACE_EXISTING);
        }
        install();
        Files.copy(SOURCE.resolve(LOCK), done, REPLACE_EXISTING);
      }
      if (!isSame(SOURCE.resolve(PROGRAM), TARGET.resolve(PROGRAM))) {
        Files.copy(SOURCE.resolve(PROGRAM), TARGET.resolve(PROGRAM), REPLACE_EXISTING);
      }
    }
    installed = true;
  }

  private static boolean isSame(Path one, Path other) throws IOException {
    return Files.exists(other) && Files.mismatch(one, other) < 0;
  }

  private static void install() throws IOException, InterruptedException {
    Path log = TARGET.resolve("npm.log");
    Process npm =
        new ProcessBuilder("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
            .directory(TARGET.toFile())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    try {
      if (npm.waitFor() != 0) {
        throw new IOException("npm could not install the server: " + Files.readString(log));
      }
    } finally {
      npm.destroy();
    }
  }

  private static List<String> command(Era era) {
    return List.of(
        "node", TARGET.resolve(PROGRAM).toString(), "--era", era.name().toLowerCase(Locale.ROOT));
  }

  /// Returns how to start one that speaks over stdio.
  public static ServerSpec.Stdio stdio(Era era) throws IOException, InterruptedException {
    isNeeded();
    return ServerSpec.stdio(command(era).toArray(String[]::new));
  }

  /// Starts one that speaks over HTTP, and waits until it listens.
  public static OfficialServer start(Era era) throws IOException, InterruptedException {
    isNeeded();
    return new OfficialServer(era);
  }

  /// Starts it where it was before it was ended or closed.
  public void startAgain() throws IOException, InterruptedException {
    process = listening(String.valueOf(URI.create(url).getPort()));
  }

  private ServerProcess listening(String port) throws IOException, InterruptedException {
    var command = new ArrayList<>(command(era));
    command.addAll(List.of("--http", port));
    return ServerProcess.start(command, Map.of(), "listening at");
  }

  /// Returns how to connect to it.
  public ServerSpec.Http spec() {
    return ServerSpec.http(url);
  }

  /// Returns where it listens.
  public String url() {
    return url;
  }

  /// Waits until it has printed so many lines like this, such as `left subscriptions/listen`; see
  /// [ServerProcess#await].
  public List<String> await(String line, int times) throws InterruptedException {
    return process.await(line, times);
  }

  /// Ends it in good order, by SIGTERM: those who listen are told. Returns its exit code.
  public int end() throws InterruptedException {
    return process.terminate();
  }

  /// Kills it.
  @Override
  public void close() {
    process.close();
  }
}
