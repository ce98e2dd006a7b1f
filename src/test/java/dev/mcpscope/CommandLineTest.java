package dev.mcpscope;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.host.Orphan;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
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
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
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

  /// Does not know `server/discover`, but `initialize`.
  private static final String READY =
      "read -r _; echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"\"}}'; "
          + "read -r _; echo '{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"protocolVersion\":"
          + "\"2025-11-25\",\"capabilities\":{},"
          + "\"serverInfo\":{\"name\":\"sh\",\"version\":\"1\"}}}'; ";

  @TempDir Path temp;

  private static JsonObject ok(CompletableFuture<HttpResponse<String>> response)
      throws IOException {
    assertThat(response.join().statusCode()).as(response.join().body()).isEqualTo(200);
    return (JsonObject) JsonReader.read(response.join().body(), JsonLimits.defaults());
  }

  @ParameterizedTest
  @CsvSource({"--help", "serve --port 1 -h", "help"})
  void helpNamesVerbsAndOptions(String arguments) throws Exception {
    NothingLeft.after(() -> {
      try (var program = new Program(temp, Map.of(), arguments.split(" "))) {
        assertThat(program.rest())
            .contains(
                "Usage:", "serve", "--port N", "--host ADDRESS", "--allow LIST", "demo-server")
            .contains("--servers FILE", "--allow-host LIST", "--allow-origin LIST", "--http N")
            .contains("--era ERA")
            .contains("MCP_SCOPE_TOKEN")
            .endsWith("\n\n" + Settings.help());
        assertThat(program.process.exitValue()).isZero();
        assertThat(program.err()).isEmpty();
      }
    });
  }

  @Test
  void versionNamesTheJdk() throws Exception {
    NothingLeft.after(() -> {
      try (var program = new Program(temp, Map.of(), "--version")) {
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
        "demo --http 1      | unknown option --http",
        "demo-server --port 1 | unknown option --port",
        "demo-server --http | --http needs a value",
        "demo-server --http=many | --http must be a number, is many",
        "demo-server --http 65536 | --http must be 0 to 65535, is 65536",
        "demo-server --era old | --era must be dual, modern or legacy, is old",
        "demo --era dual    | unknown option --era",
        "serve now          | unexpected argument now",
        "--port             | --port needs a value",
        "--port --host x    | --port needs a value",
        "--port=1 --port=2  | --port is given twice",
        "--port many        | --port must be a number, is many",
        "--port 65536       | port must be 0 to 65535, is 65536",
        "--allow npx,bin/sh | --allow takes names and absolute paths, with commas between them,"
            + " not 'bin/sh'",
        "--conect-timeout 1s | unknown option --conect-timeout; did you mean --connect-timeout?",
        "--call-timeout 5   | --call-timeout must be 1ms to 60m, as 500ms, 30s, 10m or 1h, is '5'",
        "--call-timeout -5s | --call-timeout must be 1ms to 60m, as 500ms, 30s, 10m or 1h, is '-5s'",
        "--body-bytes 1GiB  | --body-bytes must be 1KiB to 64MiB, as 65536, 64KiB or 16MiB, is '1GiB'",
        "--streams 10001    | --streams must be 1 to 10000, is 10001",
        "--call-maximum=1s  | --call-timeout must not be more than --call-maximum",
        "--era=modern --cache maybe | --cache must be on or off, is 'maybe'",
        "--era old          | --era must be auto or modern or legacy, is 'old'",
        "--probe-timeout 0s | --probe-timeout must be 1ms to 60m, is 0s",
        "--cahce off        | unknown option --cahce; did you mean --cache?",
        "demo --streams 1   | unknown option --streams",
        "--servers          | --servers needs a value",
        "--allow-host *     | a host is allowed as name or name:port, each by itself and without"
            + " wildcards, not as '*'",
        "--allow-host a,    | a host is allowed as name or name:port, each by itself and without"
            + " wildcards, not as ''",
        "--allow-host http://proxy.example | a host is allowed as name or name:port, each by itself"
            + " and without wildcards, not as 'http://proxy.example'",
        "--allow-host=proxy.example:70000 | a host is allowed as name or name:port, each by itself"
            + " and without wildcards, not as 'proxy.example:70000'",
        "--allow-origin *   | an origin is allowed as scheme://host or scheme://host:port, each by"
            + " itself and without wildcards, not as '*'",
        "--allow-origin https://a.example,null | an origin is allowed as scheme://host or"
            + " scheme://host:port, each by itself and without wildcards, not as 'null'",
        "--allow-origin https://a.example/ | an origin is allowed as scheme://host or"
            + " scheme://host:port, each by itself and without wildcards, not as"
            + " 'https://a.example/'",
        "--allow-origin https://a.example:443 | browsers leave out the port of"
            + " 'https://a.example:443', and so must you",
      })
  void wrongArgumentsAreNamedInOneLine(String arguments, String message) throws Exception {
    NothingLeft.after(() -> {
      try (var program = new Program(temp, Map.of(), arguments.split(" "))) {
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
      try (var program = new Program(temp, Map.of("MCP_SCOPE_TOKEN", ""), "--port", "0")) {
        assertThat(program.rest()).isEmpty();
        assertThat(program.process.exitValue()).isEqualTo(2);
        assertThat(program.err()).contains("the token must be visible ASCII");
      }
    });
  }

  @Test
  void allowedProgramsThatAreNotFoundAndAShortTokenAreWarnedOfInOneLineEach() throws Exception {
    NothingLeft.after(() -> {
      String allow = "no-such-program," + temp.resolve("absent") + "," + Program.JAVA;
      var short15 = Map.of("MCP_SCOPE_TOKEN", "15-letters-long");
      try (var serving = new Serving(temp, short15, "--port=0", "--allow", allow)) {
        String missing =
            "mcp-scope: warning: --allow: %s is not found; its commands are refused until it is"
                + " there at a start";
        assertThat(serving.program.err().lines())
            .containsExactly(
                "mcp-scope: warning: MCP_SCOPE_TOKEN is shorter than 16 characters; whoever guesses"
                    + " it can start programs as you",
                missing.formatted("no-such-program"),
                missing.formatted(temp.resolve("absent")));
        serving.program.terminate();
      }
    });
  }

  @Test
  void tokenThatIsLongEnoughAndNoProgramsAreNotWarnedOf() throws Exception {
    NothingLeft.after(() -> {
      var long16 = Map.of("MCP_SCOPE_TOKEN", "16-letters-long-");
      try (var serving = new Serving(temp, long16, "--port=0", "--allow=none")) {
        assertThat(serving.program.err()).isEmpty();
        serving.program.terminate();
      }
    });
  }

  @Test
  void commandOfAnOrphanCannotSpeakToTheTerminal() {
    var orphan = new Orphan(7, Optional.empty(), "/x/\u001b[2J\n\u009b2J\u0085é", 5);
    assertThat(CommandLine.described(orphan)).contains("process 7 (/x/?[2J??2J?é) is left");
  }

  @Test
  void withoutPreviewFeaturesOneLineSaysHowToStart() throws Exception {
    NothingLeft.after(() -> {
      try (var program = new Program(temp, Map.of(), List.of(), "serve", "--port", "0")) {
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
      Path fifo = fifo("fifo");
      try (var serving =
          new Serving(
              temp,
              Map.of("MCP_SCOPE_TOKEN", "chosen"),
              "serve",
              "--port",
              "0",
              "--allow",
              Program.JAVA + ",/bin/sh")) {
        assertThat(serving.token).isEqualTo("chosen");
        JsonObject demo =
            ok(
                serving.connect(
                    "demo",
                    Program.JAVA,
                    "-XX:TieredStopAtLevel=1",
                    "-Xshare:auto",
                    "--enable-preview",
                    "-cp",
                    Program.CLASSES,
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
        assertThat(Files.readString(fifo)).isEqualTo("x\n"); // now it is connecting
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
  void demoServerOverHttpServesUntilItIsTerminatedAndTellsItsClientsTheEnd() throws Exception {
    NothingLeft.after(() -> {
      try (var program = new Program(temp, Map.of(), "demo-server", "--http", "0");
          var http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()) {
        String ready = program.out.readLine();
        assertThat(ready)
            .as(program.err())
            .matches("demo-server ready http://127\\.0\\.0\\.1:\\d+/mcp");
        var uri = URI.create(ready.replace("demo-server ready ", ""));
        var initialize =
            HttpRequest.newBuilder(uri)
                .header("Content-Type", "application/json")
                .header("Accept", "application/json, text/event-stream")
                .POST(
                    BodyPublishers.ofString(
                        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\","
                            + "\"params\":{\"protocolVersion\":\"2025-11-25\"}}"))
                .build();
        var answer = http.send(initialize, BodyHandlers.ofString());
        assertThat(answer.statusCode()).isEqualTo(200);
        String session = answer.headers().firstValue("MCP-Session-Id").orElseThrow();
        var stream =
            http.send(
                HttpRequest.newBuilder(uri)
                    .header("Accept", "text/event-stream")
                    .header("MCP-Session-Id", session)
                    .build(),
                BodyHandlers.ofLines());
        assertThat(stream.statusCode()).isEqualTo(200);

        program.terminate();
        assertThat(stream.body()).containsExactly("id: get-0.1", "data: ", "");
        assertThat(program.err()).isEmpty();
      }
    });
  }

  @ParameterizedTest
  @CsvSource({"dual, 400", "legacy, 400", "modern, 405"}) // there is no session; there is no GET
  void demoServerSpeaksTheEraThatItIsTold(String era, int status) throws Exception {
    NothingLeft.after(() -> {
      try (var program = new Program(temp, Map.of(), "demo-server", "--http=0", "--era", era);
          var http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()) {
        var uri = URI.create(program.out.readLine().replace("demo-server ready ", ""));
        var get = HttpRequest.newBuilder(uri).header("Accept", "text/event-stream").build();
        assertThat(http.send(get, BodyHandlers.ofString()).statusCode()).isEqualTo(status);
        var modern = HttpRequest.newBuilder(uri).header("MCP-Protocol-Version", "2026-07-28");
        assertThat(http.send(modern.build(), BodyHandlers.ofString()).statusCode())
            .isEqualTo(era.equals("legacy") ? 400 : 405);
        program.terminate();
      }
    });
  }

  // Servers of the operator's own.

  /// Writes a file of servers that run these scripts, and whatever else is to be in it.
  private String serversFile(Map<String, String> scripts, String more) throws IOException {
    JsonObject servers = JsonObject.EMPTY;
    for (var script : scripts.entrySet()) {
      servers =
          servers.with(
              script.getKey(),
              JsonObject.of("command", "/bin/sh", "args", List.of("-c", script.getValue())));
    }
    Path file = temp.resolve("mcp.json");
    String text = JsonObject.of("mcpServers", servers).toString();
    Files.writeString(file, text.replaceFirst("}}$", more + "}}"));
    return file.toString();
  }

  private Path fifo(String name) throws Exception {
    Path fifo = temp.resolve(name);
    assertThat(new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor()).isZero();
    return fifo;
  }

  private static JsonObject configured(String name) {
    return JsonObject.of("sessionId", "default", "name", name, "clientType", "configured")
        .with("ifAbsent", true);
  }

  /// Looks again for a while: what the program logs comes when it comes.
  private static void awaitErr(Program program, String line) throws IOException {
    long end = System.nanoTime() + Duration.ofSeconds(20).toNanos();
    while (!program.err().contains(line)) {
      assertThat(System.nanoTime()).as(program.err()).isLessThan(end);
    }
  }

  @Test
  @EnabledOnOs({OS.LINUX, OS.MAC})
  void serversOfTheFileAreConnectedAtTheStartAndOneThatFailsIsToldAndStopsNoOther()
      throws Exception {
    NothingLeft.after(() -> {
      Path first = fifo("first");
      Path second = fifo("second");
      String serve = "; " + READY + "while read -r _; do :; done";
      String file =
          serversFile(
              Map.of(
                  "first", "echo x >'" + first + "'" + serve,
                  "broken", "echo 'no licence' >&2; exit 3",
                  "second", "echo x >'" + second + "'" + serve),
              ",\"web\":{\"url\":\"http://me:hunter2@127.0.0.1:1/mcp?key=hunter2\"},"
                  + "\"off\":{\"command\":\"x\",\"disabled\":true}");
      try (var serving =
          new Serving(temp, Map.of(), "--port=0", "--allow", "none", "--servers", file)) {
        for (Path started : List.of(first, second)) { // though nobody has asked for anything
          assertThat(Files.readString(started)).isEqualTo("x\n");
        }
        for (String name : List.of("first", "second")) {
          JsonObject mcp = ok(serving.post("/mcp", configured(name))).object("mcp");
          assertThat(mcp.string("status")).isEqualTo("connected");
        }
        assertThat(serving.connect("x", "/bin/sh").join().body())
            .contains("/bin/sh is not an allowed executable");
        awaitErr(serving.program, "default/first is connected");
        awaitErr(serving.program, "default/second is connected");
        awaitErr(
            serving.program,
            "default/broken is not connected: broken: the server exited with code 3; its stderr"
                + " ends: no licence");
        awaitErr(serving.program, "default/web is not connected: web: ");
        assertThat(serving.program.descendants()).hasSize(2);
        assertThat(serving.program.err())
            .contains(file + ": warning: mcpServers.off: skipped, it is disabled")
            .doesNotContain("hunter2");

        serving.program.terminate();
        assertThat(serving.program.err())
            .contains("closed default/first: ", "closed default/second: ")
            .containsPattern("\nmcp-scope ended in \\d+ ms, nothing left\n$");
      }
    });
  }

  @Test
  @EnabledOnOs({OS.LINUX, OS.MAC})
  void serverThatIsStillBeingConnectedEndsWithTheProgram() throws Exception {
    NothingLeft.after(() -> {
      Path fifo = fifo("fifo");
      String file =
          serversFile(Map.of("silent", "echo x >'" + fifo + "'; while read -r _; do :; done"), "");
      try (var serving = new Serving(temp, Map.of(), "--port=0", "--servers", file)) {
        assertThat(Files.readString(fifo)).isEqualTo("x\n");
        serving.program.terminate();
        assertThat(serving.program.err())
            .contains("closed default/silent: ")
            .containsPattern("\nmcp-scope ended in \\d+ ms, nothing left\n$");
      }
    });
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{\"mcpServers\": {\"x\": {\"command\": 1}}} |"
            + " mcpServers.x.command: expected a string, found a number",
        "{\"mcpServers\": {\"x\": {\"command\": \"sh\", \"args\": [\"${NO_SUCH_THING}\"]}}} |"
            + " mcpServers.x.args[0]: ${NO_SUCH_THING} is not set",
        "{\"mcpServers\": {} | ",
        " | there is no such file",
      })
  void fileOfServersThatCannotBeReadIsNamedInOneLine(String json, String problem) throws Exception {
    NothingLeft.after(() -> {
      Path file = temp.resolve("mcp.json");
      if (json != null) {
        Files.writeString(file, json);
      }
      try (var program = new Program(temp, Map.of(), "--port=0", "--servers", file.toString())) {
        assertThat(program.rest()).isEmpty();
        assertThat(program.process.exitValue()).isEqualTo(1);
        assertThat(program.err())
            .hasLineCount(1)
            .startsWith("mcp-scope: " + file + ": ")
            .contains(problem == null ? "line 1" : problem);
      }
    });
  }

  @Test
  void portInUseIsNamedInOneLineAndTheTokenIsRandom() throws Exception {
    NothingLeft.after(() -> {
      try (var serving = new Serving(temp, Map.of(), "--port=0")) {
        assertThat(serving.token).matches("[\\w-]{43}");
        String port = Integer.toString(serving.uri.getPort());
        try (var second = new Program(temp, Map.of(), "--port", port)) {
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
      try (var program = new Program(temp, Map.of(), "demo")) {
        String told = program.rest();
        assertThat(program.process.exitValue()).as(told + program.err()).isZero();
        assertThat(told)
            .doesNotContain("[WRONG]")
            .contains("[ok]", "connection/tour/demo#1", "8. Before and after");
      }
    });
  }
}
