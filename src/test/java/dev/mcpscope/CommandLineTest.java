package dev.mcpscope;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.json.JsonWriter;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The program as users start it: a process, its arguments, its streams, signals, exit code.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CommandLineTest {

  private static final String JAVA =
      Path.of(System.getProperty("java.home"), "bin", "java").toString();

  private static final String CLASSES =
      Stream.of(System.getProperty("jdk.module.path", ""), System.getProperty("java.class.path"))
          .filter(path -> !path.isEmpty())
          .collect(Collectors.joining(File.pathSeparator));

  private static final String READY =
      "read -r _; echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":"
          + "\"2025-11-25\",\"capabilities\":{},"
          + "\"serverInfo\":{\"name\":\"sh\",\"version\":\"1\"}}}'; ";

  @TempDir Path temp;

  /// A run of the program.
  private final class Program implements AutoCloseable {
    final Process process;
    final BufferedReader out;
    private final Path err = temp.resolve("err" + System.nanoTime());

    Program(Map<String, String> environment, String... arguments) throws IOException {
      this(environment, List.of("--enable-preview"), arguments);
    }

    Program(Map<String, String> environment, List<String> options, String... arguments)
        throws IOException {
      var command = new ArrayList<>(List.of(JAVA, "-XX:TieredStopAtLevel=1", "-Xshare:auto"));
      command.addAll(options);
      command.addAll(List.of("-cp", CLASSES, "dev.mcpscope.Main"));
      command.addAll(List.of(arguments));
      var builder = new ProcessBuilder(command).redirectError(err.toFile());
      builder.environment().remove("MCP_SCOPE_TOKEN");
      builder.environment().putAll(environment);
      process = builder.start();
      process.getOutputStream().close();
      out = process.inputReader(UTF_8);
    }

    /// Waits for its end and returns what it has printed, as far as it was not read before.
    String rest() throws Exception {
      String rest = out.readAllAsString();
      process.waitFor();
      return rest;
    }

    String err() throws IOException {
      return Files.readString(err);
    }

    List<ProcessHandle> descendants() {
      return process.descendants().filter(ProcessHandle::isAlive).toList();
    }

    /// Sends SIGTERM and waits; nothing that it has started is left.
    void terminate() throws Exception {
      List<ProcessHandle> descendants = descendants();
      process.toHandle().destroy();
      assertThat(rest()).isEmpty();
      assertThat(process.exitValue()).isZero();
      assertThat(descendants).noneMatch(ProcessHandle::isAlive);
    }

    /// Only a test that has failed leaves something to be done here.
    @Override
    public void close() throws IOException {
      List<ProcessHandle> descendants = descendants();
      process.toHandle().destroyForcibly();
      process.onExit().join();
      descendants.forEach(ProcessHandle::destroyForcibly);
      out.close();
    }
  }

  /// A run of `serve`, and a client of its front.
  private final class Serving implements AutoCloseable {
    final Program program;
    final URI uri;
    final String token;
    final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    Serving(Map<String, String> environment, String... arguments) throws IOException {
      program = new Program(environment, arguments);
      String ready = program.out.readLine();
      assertThat(ready)
          .as(program.err())
          .matches("mcp-scope ready http://127\\.0\\.0\\.1:\\d+/#token=\\S+");
      uri = URI.create(ready.replaceAll("mcp-scope ready |/#.*", ""));
      token = ready.replaceAll(".*#token=", "");
    }

    CompletableFuture<HttpResponse<String>> post(String path, JsonObject body) {
      return http.sendAsync(
          HttpRequest.newBuilder(URI.create(uri + path))
              .timeout(Duration.ofSeconds(30))
              .header("Authorization", "Bearer " + token)
              .header("Content-Type", "application/json")
              .POST(BodyPublishers.ofByteArray(JsonWriter.bytes(body)))
              .build(),
          BodyHandlers.ofString());
    }

    CompletableFuture<HttpResponse<String>> connect(String name, String... command) {
      String fullCommand =
          Stream.of(command)
              .map(word -> "'" + word.replace("'", "'\\''") + "'")
              .collect(Collectors.joining(" "));
      return post(
          "/mcp",
          JsonObject.of(
              "sessionId", "s", "name", name, "clientType", "stdio", "fullCommand", fullCommand));
    }

    @Override
    public void close() throws IOException {
      program.close();
      http.close();
    }
  }

  private static JsonObject ok(CompletableFuture<HttpResponse<String>> response)
      throws IOException {
    assertThat(response.join().statusCode()).as(response.join().body()).isEqualTo(200);
    return (JsonObject) JsonReader.read(response.join().body(), JsonLimits.defaults());
  }

  @ParameterizedTest
  @CsvSource({"--help", "serve --port 1 -h", "help"})
  void helpNamesVerbsAndOptions(String arguments) throws Exception {
    NothingLeft.after(() -> {
      try (var program = new Program(Map.of(), arguments.split(" "))) {
        assertThat(program.rest())
            .contains(
                "Usage:", "serve", "--port N", "--host ADDRESS", "--allow LIST", "demo-server")
            .contains("MCP_SCOPE_TOKEN");
        assertThat(program.process.exitValue()).isZero();
        assertThat(program.err()).isEmpty();
      }
    });
  }

  @Test
  void versionNamesTheJdk() throws Exception {
    NothingLeft.after(() -> {
      try (var program = new Program(Map.of(), "--version")) {
        assertThat(program.rest()).startsWith("mcp-scope ").contains("JDK 25").hasLineCount(1);
        assertThat(program.process.exitValue()).isZero();
      }
    });
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "serv               | there is no verb serv; did you mean serve?",
        "demo-sever         | there is no verb demo-sever; did you mean demo-server?",
        "xyzzy              | there is no verb xyzzy",
        "--prot 1           | unknown option --prot; did you mean --port?",
        "demo --port 1      | unknown option --port",
        "serve now          | unexpected argument now",
        "--port             | --port needs a value",
        "--port --host x    | --port needs a value",
        "--port=1 --port=2  | --port is given twice",
        "--port many        | --port must be a number, is many",
        "--port 65536       | port must be 0 to 65535, is 65536",
        "--allow npx,bin/sh | --allow takes names and absolute paths, with commas between them,"
            + " not 'bin/sh'",
      })
  void wrongArgumentsAreNamedInOneLine(String arguments, String message) throws Exception {
    NothingLeft.after(() -> {
      try (var program = new Program(Map.of(), arguments.split(" "))) {
        assertThat(program.rest()).isEmpty();
        assertThat(program.process.exitValue()).isEqualTo(2);
        assertThat(program.err())
            .isEqualToNormalizingNewlines(
                "mcp-scope: " + message + "\nmcp-scope --help lists what it takes\n");
      }
    });
  }

  @Test
  void emptyTokenIsRefused() throws Exception {
    NothingLeft.after(() -> {
      try (var program = new Program(Map.of("MCP_SCOPE_TOKEN", ""), "--port", "0")) {
        assertThat(program.rest()).isEmpty();
        assertThat(program.process.exitValue()).isEqualTo(2);
        assertThat(program.err()).contains("the token must be visible ASCII");
      }
    });
  }

  @Test
  void withoutPreviewFeaturesOneLineSaysHowToStart() throws Exception {
    NothingLeft.after(() -> {
      try (var program = new Program(Map.of(), List.of(), "serve", "--port", "0")) {
        assertThat(program.rest()).isEmpty();
        assertThat(program.process.exitValue()).isEqualTo(2);
        assertThat(program.err())
            .hasLineCount(1)
            .contains(" Run: ", "--enable-preview", "serve --port 0");
      }
    });
  }

  @Test
  @EnabledOnOs({OS.LINUX, OS.MAC})
  void serveConnectsServersAndTerminationReleasesAllOfThem() throws Exception {
    NothingLeft.after(() -> {
      String fifo = temp.resolve("fifo").toString();
      assertThat(new ProcessBuilder("mkfifo", fifo).start().waitFor()).isZero();
      try (var serving =
          new Serving(
              Map.of("MCP_SCOPE_TOKEN", "chosen"),
              "serve",
              "--port",
              "0",
              "--allow",
              JAVA + ",/bin/sh")) {
        assertThat(serving.token).isEqualTo("chosen");
        JsonObject demo =
            ok(
                serving.connect(
                    "demo",
                    JAVA,
                    "-XX:TieredStopAtLevel=1",
                    "-Xshare:auto",
                    "--enable-preview",
                    "-cp",
                    CLASSES,
                    "dev.mcpscope.Main",
                    "demo-server"));
        assertThat(demo.object("mcp").array("tools").size()).isEqualTo(6);
        JsonArray sum =
            ok(serving.post(
                    "/mcp/call",
                    JsonObject.of(
                        "sessionId", "s",
                        "name", "demo",
                        "tool", "add",
                        "arguments", Map.of("a", 2, "b", 40))))
                .array("content");
        assertThat(((JsonObject) sum.get(0)).string("text")).isEqualTo("42");
        ok(
            serving.connect(
                "stubborn", "/bin/sh", "-c", "trap '' TERM; " + READY + "exec sleep 300"));
        var silent =
            serving.connect(
                "silent", "/bin/sh", "-c", "echo x >'" + fifo + "'; while read -r _; do :; done");
        assertThat(Files.readString(Path.of(fifo))).isEqualTo("x\n"); // now it is connecting
        assertThat(serving.program.descendants()).hasSize(3);

        serving.program.terminate();
        assertThat(silent.join().statusCode()).isEqualTo(503);
        assertThat(serving.program.err())
            .contains("closed s/demo: ", "closed s/stubborn: ", "closed s/silent: ")
            .containsPattern("closed s/stubborn: .*\"outcome\":\"killed\"")
            .containsPattern("\nmcp-scope ended in \\d+ ms, nothing left\n$");
      }
    });
  }

  @Test
  void portInUseIsNamedInOneLineAndTheTokenIsRandom() throws Exception {
    NothingLeft.after(() -> {
      try (var serving = new Serving(Map.of(), "--port=0")) {
        assertThat(serving.token).matches("[\\w-]{43}");
        String port = Integer.toString(serving.uri.getPort());
        try (var second = new Program(Map.of(), "--port", port)) {
          assertThat(second.rest()).isEmpty();
          assertThat(second.process.exitValue()).isEqualTo(1);
          assertThat(second.err())
              .hasLineCount(1)
              .startsWith("mcp-scope: cannot listen on 127.0.0.1:" + port + ": ");
        }
        serving.program.terminate();
        assertThat(serving.program.err()).matches("mcp-scope ended in \\d+ ms, nothing left\\R");
      }
    });
  }

  @Test
  void tourEndsWithNothingLeftAndNothingWrong() throws Exception {
    NothingLeft.after(() -> {
      try (var program = new Program(Map.of(), "demo")) {
        String told = program.rest();
        assertThat(program.process.exitValue()).as(told + program.err()).isZero();
        assertThat(told)
            .doesNotContain("[WRONG]")
            .contains("[ok]", "connection/tour/demo#1", "6. Before and after");
      }
    });
  }
}
