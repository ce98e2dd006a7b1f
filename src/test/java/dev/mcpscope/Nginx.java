package dev.mcpscope;

import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/// The proxy that many servers stand behind, from Debian's package, in front of a port of this
/// machine. It ends what has been silent for a second, and prints a line for each request that is
/// over: method, status, and, if there was one, the id after which the stream was to go on.
public final class Nginx implements AutoCloseable {
  private static final Path PACKAGE = Path.of("target", "nginx").toAbsolutePath();

  private static final String CONFIGURATION =
      """
      daemon off;
      master_process off;
      error_log stderr notice;
      pid nginx.pid;
      events { worker_connections 256; }
      http {
        log_format ended '$request_method $status $http_last_event_id';
        access_log /dev/stdout ended;
        client_body_temp_path body;
        proxy_temp_path proxy;
        fastcgi_temp_path fastcgi;
        uwsgi_temp_path uwsgi;
        scgi_temp_path scgi;
        server {
          listen 127.0.0.1:%d;
          location / {
            proxy_pass http://127.0.0.1:%d;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_read_timeout 1s;
          }
        }
      }
      """;

  private final ServerProcess process;
  private final int port;

  private Nginx(ServerProcess process, int port) {
    this.process = process;
    this.port = port;
  }

  /// Fetches the package, unless that was done before. Skips the tests of who calls this where that
  /// is not possible, or where it does not run.
  public static void isNeeded() throws IOException, InterruptedException {
    if (!Files.isExecutable(binary())) {
      Path folder = Files.createTempDirectory(Files.createDirectories(PACKAGE), "download");
      run(folder, "apt-get", "-q", "download", "nginx");
      try (Stream<Path> files = Files.list(folder)) {
        Path archive = files.findFirst().orElseThrow();
        run(folder, "dpkg", "-x", archive.toString(), PACKAGE.toString());
      }
    }
    run(PACKAGE, binary().toString(), "-v");
  }

  private static Path binary() {
    return PACKAGE.resolve("usr/sbin/nginx");
  }

  private static void run(Path folder, String... command) throws InterruptedException {
    String what = String.join(" ", command);
    try {
      Path output = Files.createTempFile(folder, "run", ".txt");
      Process process =
          new ProcessBuilder(command)
              .directory(folder.toFile())
              .redirectErrorStream(true)
              .redirectOutput(output.toFile())
              .start();
      if (process.waitFor() != 0) {
        abort("there is no nginx from Debian here: " + what + ": " + Files.readString(output));
      }
      Files.delete(output);
    } catch (IOException e) {
      abort("there is no nginx from Debian here: " + what + ": " + e.getMessage());
    }
  }

  /// Starts one.
  ///
  /// @param folder an empty one, for what it writes
  /// @param backend the port of the server behind it
  public static Nginx start(Path folder, int backend) throws IOException, InterruptedException {
    int port = ServerProcess.freePort();
    Path file = folder.resolve("nginx.conf");
    Files.writeString(file, CONFIGURATION.formatted(port, backend));
    List<String> command =
        List.of(
            binary().toString(), "-e", "stderr", "-p", folder.toString(), "-c", file.toString());
    return new Nginx(ServerProcess.start(command, Map.of(), "RLIMIT_NOFILE"), port);
  }

  /// Returns the URL of a path of the server, by way of this.
  public String url(String path) {
    return "http://127.0.0.1:" + port + path;
  }

  /// Waits until it has printed so many lines like this; see [ServerProcess#await].
  public List<String> await(String line, int times) throws InterruptedException {
    return process.await(line, times);
  }

  /// Returns the lines like this; see [ServerProcess#all].
  public List<String> all(String line) {
    return process.all(line);
  }

  /// Kills it.
  @Override
  public void close() {
    process.close();
  }
}
