package dev.mcpscope.front;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.client.ServerSpec.Http;
import dev.mcpscope.client.ServerSpec.Stdio;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ServersFileTest {

  private static final Map<String, String> ENVIRONMENT =
      Map.of(
          "HOME", "/home/me",
          "KEY", "secret-1",
          "_x2", "two",
          "EMPTY", "",
          "SPACED", "secret 1",
          "LINES", "secret\r\n1",
          "PORT", "99999",
          "IMDS", "169.254.169.254",
          "AGAIN", "${KEY} $1 \\1",
          "NUL", "secret\0");

  @TempDir Path temp;

  Path file;

  @BeforeEach
  void nameTheFile() {
    file = temp.resolve("mcp.json");
  }

  private ServersFile read(String json) throws IOException {
    Files.writeString(file, json);
    return ServersFile.read(file, ENVIRONMENT);
  }

  /// Reads a file with one server, `x`.
  private ServersFile readServer(String json) throws IOException {
    return read("{\"mcpServers\": {\"x\": " + json + "}}");
  }

  /// Reads a server with one argument, and returns what became of it.
  private String argument(String text) throws IOException {
    ServersFile read = readServer("{\"command\": \"run\", \"args\": [\"" + text + "\"]}");
    return ((Stdio) read.servers().get("x")).command().get(1);
  }

  @Test
  void serversAreReadAsOtherClientsWriteThem() throws Exception {
    ServersFile read =
        read(
            """
            {"mcpServers": {
              "files": {"command": "npx",
                        "args": ["-y", "@modelcontextprotocol/server-filesystem", "${HOME}/docs"],
                        "env": {"KEY": "${NONE:-none}", "EMPTY": ""}, "cwd": "/tmp"},
              "all words": {"type": "stdio", "command": "${HOME}/${_x2}", "cwd": "${HOME}",
                            "env": {"A": "<${KEY}>"}, "disabled": false},
              "bare": {"command": "run", "args": [], "env": {}},
              "nulls": {"command": "run", "type": null, "args": null, "env": null, "cwd": null,
                        "url": null, "disabled": null}}}
            """);

    assertThat(read.servers())
        .containsExactly(
            Map.entry(
                "files",
                new Stdio(
                    List.of(
                        "npx", "-y", "@modelcontextprotocol/server-filesystem", "/home/me/docs"),
                    Map.of("KEY", "none", "EMPTY", ""),
                    Optional.of(Path.of("/tmp")))),
            Map.entry(
                "all words",
                new Stdio(
                    List.of("/home/me/two"),
                    Map.of("A", "<secret-1>"),
                    Optional.of(Path.of("/home/me")))),
            Map.entry("bare", ServerSpec.stdio("run")),
            Map.entry("nulls", ServerSpec.stdio("run")));
    assertThat(read.warnings())
        .containsExactly(
            "mcpServers.nulls.url: ignored, known here: command, args, env, cwd, type, disabled");
  }

  @Test
  void noServersAreFine() throws Exception {
    ServersFile read = read("\ufeff{\"mcpServers\": {}}");

    assertThat(read.servers()).isEmpty();
    assertThat(read.warnings()).isEmpty();
  }

  @Test
  void serversComeInTheOrderOfTheFile() throws Exception {
    List<String> names = IntStream.range(0, 64).mapToObj(i -> "s" + i * 37 % 64).toList();

    assertThat(read(servers(names)).servers().keySet()).containsExactlyElementsOf(names);
  }

  private static String servers(List<String> names) {
    return names.stream()
        .map(name -> "\"" + name + "\": {\"command\": \"run\"}")
        .collect(Collectors.joining(", ", "{\"mcpServers\": {", "}}"));
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '`',
      value = {
        "${KEY}, secret-1",
        "a${KEY}b${_x2}${_x2}, asecret-1btwotwo",
        "${EMPTY}, ``",
        "${EMPTY:-default}, ``",
        "${KEY:-default}, secret-1",
        "${NONE:-default}, default",
        "${NONE:-}, ``",
        "${NONE:-a:-b $x-\\\\1 'c'}, a:-b $x-\\1 'c'",
        "$, $",
        "$KEY $$ $1 ${KEY}$, $KEY $$ $1 secret-1$",
        "$${KEY}}, $secret-1}",
        "{KEY} }{, {KEY} }{",
      })
  void variablesInBracesAreExpanded(String text, String expanded) throws Exception {
    assertThat(argument(text)).isEqualTo(expanded);
  }

  @Test
  void whatAVariableHoldsIsNotExpandedAgain() throws Exception {
    assertThat(argument("${AGAIN}")).isEqualTo("${KEY} $1 \\1");
  }

  @Test
  void keysAreNotExpanded() throws Exception {
    ServersFile read =
        read(
            "{\"mcpServers\": {\"${NONE}\": {\"command\": \"a\", \"env\": {\"${NONE}\": \"b\"}}}}");

    assertThat(read.servers())
        .containsExactly(
            Map.entry("${NONE}", ServerSpec.stdio("a").withEnvironment(Map.of("${NONE}", "b"))));
  }

  @Test
  void whatIsIgnoredIsSaidWithItsPlace() throws Exception {
    ServersFile read =
        read(
            """
            {"$schema": "x",
             "mcpServers": {
               "files": {"command": "run", "autoApprove": [], "headers": {}, "a b": null},
               "a b": {"command": "run", "timeout": 5}},
             "inputs": []}
            """);

    String known = ": ignored, known here: command, args, env, cwd, type, disabled";
    assertThat(read.servers().keySet()).containsExactly("files", "a b");
    assertThat(read.warnings())
        .containsExactly(
            "['$schema']: ignored, known here: mcpServers",
            "inputs: ignored, known here: mcpServers",
            "mcpServers.files.autoApprove" + known,
            "mcpServers.files.headers" + known,
            "mcpServers.files['a b']" + known,
            "mcpServers['a b'].timeout" + known);
  }

  @Test
  void serversAtUrlsAreReadAsOtherClientsWriteThem() throws Exception {
    ServersFile read =
        read(
            """
            {"mcpServers": {
              "plain": {"url": "https://example.com/mcp"},
              "http": {"type": "http", "url": "https://${_x2}.example.com/${NONE:-mcp}?key=${KEY}",
                       "headers": {"Authorization": "Bearer ${KEY}", "A": "b"}},
              "long": {"type": "streamable-http", "url": "http://localhost:8080", "headers": {}},
              "sse": {"type": "sse", "url": "http://[::1]/sse", "headers": null, "command": null,
                      "disabled": false}}}
            """);

    assertThat(read.servers())
        .containsExactly(
            Map.entry("plain", ServerSpec.http("https://example.com/mcp")),
            Map.entry(
                "http",
                ServerSpec.http("https://two.example.com/mcp?key=secret-1")
                    .withHeaders(Map.of("Authorization", "Bearer secret-1", "A", "b"))),
            Map.entry("long", ServerSpec.http("http://localhost:8080")),
            Map.entry("sse", ServerSpec.sse("http://[::1]/sse")));
    assertThat(((Http) read.servers().get("http")).headers().keySet())
        .containsExactly("Authorization", "A");
    assertThat(read.warnings())
        .containsExactly(
            "mcpServers.sse.command: ignored, known here: url, headers, type, disabled");
  }

  @Test
  void whatIsOfNoUseToAServerAtAUrlIsSaid() throws Exception {
    ServersFile read =
        readServer("{\"url\": \"http://host/\", \"env\": {\"A\": \"${NONE}\"}, \"cwd\": 5}");

    String known = ": ignored, known here: url, headers, type, disabled";
    assertThat(read.servers()).containsOnlyKeys("x");
    assertThat(read.warnings())
        .containsExactly("mcpServers.x.env" + known, "mcpServers.x.cwd" + known);
  }

  @Test
  void skippedServersAreSaidOnceAndNeedNoVariables() throws Exception {
    ServersFile read =
        read(
            """
            {"mcpServers": {
              "off": {"command": "${NONE}", "disabled": true, "other": 1},
              "off2": {"disabled": true},
              "remote": {"url": "https://${NONE}/", "headers": 1, "disabled": true},
              "on": {"command": "run"}}}
            """);

    assertThat(read.servers().keySet()).containsExactly("on");
    assertThat(read.warnings())
        .containsExactly(
            "mcpServers.off: skipped, it is disabled",
            "mcpServers.off2: skipped, it is disabled",
            "mcpServers.remote: skipped, it is disabled");
  }

  static Stream<Arguments> wrongFiles() {
    return Stream.of(
        wrong("", "no value at line 1, column 1"),
        wrong("{\n\"mcpServers\": {,", "not JSON: Unexpected character (',' (code 44)) at line 2,"),
        wrong("{\"mcpServers\": {}} {}", "a second value at line 1, column 20"),
        wrong(
            "{\"mcpServers\": {},\n \"mcpServers\": {}}",
            "a second member of the same name at line 2, column 2"),
        wrong("{\"mcpServers\": " + "[".repeat(300), "nested deeper than 256 levels at line 1, "),
        wrong("[]", "top level: expected an object, found an array"),
        wrong("null", "top level: expected an object, found null"),
        wrong("{}", "mcpServers: expected an object, found nothing"),
        wrong("{\"servers\": {}}", "mcpServers: expected an object, found nothing"),
        wrong("{\"mcpServers\": []}", "mcpServers: expected an object, found an array"),
        wrong("{\"mcpServers\": null}", "mcpServers: expected an object, found null"),
        wrong("{\"mcpServers\": {\"x\": 1}}", "mcpServers.x: expected an object, found a number"));
  }

  static Stream<Arguments> wrongServers() {
    String url = ".url: expected the URL of a server: ";
    String headers = ".headers: ";
    String string = "expected a string, found a number";
    String variable = "expected a variable's name: not empty, no '=', no NUL";
    return Stream.of(
        wrong("{}", ": expected a command or a url, found neither"),
        wrong("{'type': 'http'}", ": expected a command or a url, found neither"),
        wrong("{'command': 'a', 'url': 'b'}", ": expected a command or a url, found both"),
        wrong("{'command': 'a', 'type': 'http'}", ".url: expected a string, found nothing"),
        wrong("{'url': 'a', 'type': 'stdio'}", ".command: expected a string, found nothing"),
        wrong("{'url': 5}", ".url: expected a string, found a number"),
        wrong("{'url': 'a'}", url + "a URL must begin with http:// or https://"),
        wrong("{'type': 'sse', 'url': 'http:///secret'}", url + "the URL names no host"),
        wrong(
            "{'url': 'http://secret%@host/?${KEY}'}",
            url + "not a URL: Malformed escape pair at character 14"),
        wrong("{'url': 'http://host/?${SPACED}'}", url + "a URL is visible ASCII, with all else"),
        wrong("{'url': 'http://host:${PORT}/'}", url + "the port of a URL must be 1 to 65535"),
        wrong(
            "{'url': 'http://${IMDS}/${KEY}'}",
            url + "no connection is made to a link-local address"),
        wrong("{'url': 'http://${NONE}/'}", ".url: ${NONE} is not set"),
        wrong("{'url': 'http://host/#${KEY}'}", url + "a URL with a fragment (#) is no address"),
        wrong("{'url': 'http://host', 'headers': []}", headers + "expected an object, found an"),
        wrong("{'url': 'http://host', 'headers': {'A': 1}}", headers.replace(":", ".A:") + string),
        wrong(
            "{'url': 'http://host', 'headers': {'A': '${NONE}'}}",
            headers.replace(":", ".A:") + "${NONE} is not set"),
        wrong(
            "{'url': 'http://host', 'headers': {'Host': '${KEY}'}}",
            headers + "the header 'Host' is set by the connection itself"),
        wrong(
            "{'url': 'http://host', 'headers': {'A': '${KEY}', 'B': '${LINES}'}}",
            headers + "the value of the header 'B' holds other characters than visible ASCII"),
        wrong(
            "{'command': 'a', 'type': 'ws'}",
            ".type: expected stdio, http, streamable-http or sse, found 'ws'"),
        wrong("{'command': 'a', 'type': 1}", ".type: expected a string, found a number"),
        wrong("{'disabled': 'true'}", ".disabled: expected a boolean, found a string"),
        wrong("{'command': ['a']}", ".command: expected a string, found an array"),
        wrong("{'command': ''}", ".command: expected an executable, found nothing but blanks"),
        wrong("{'command': ' \\t'}", ".command: expected an executable, found nothing but blanks"),
        wrong(
            "{'command': '${EMPTY}'}",
            ".command: expected an executable, found nothing but blanks"),
        wrong("{'command': 'a', 'args': 'b'}", ".args: expected an array, found a string"),
        wrong("{'command': 'a', 'args': {}}", ".args: expected an array, found an object"),
        wrong("{'command': 'a', 'args': ['b', 1]}", ".args[1]: expected a string, found a number"),
        wrong("{'command': 'a', 'args': [null]}", ".args[0]: expected a string, found null"),
        wrong("{'command': 'a', 'env': ['B=c']}", ".env: expected an object, found an array"),
        wrong("{'command': 'a', 'env': {'B': 1}}", ".env.B: expected a string, found a number"),
        wrong("{'command': 'a', 'env': {'B': null}}", ".env.B: expected a string, found null"),
        wrong("{'command': 'a', 'env': {'': 'b'}}", ".env['']: " + variable),
        wrong("{'command': 'a', 'env': {'B=c': 'd'}}", ".env['B=c']: " + variable),
        wrong("{'command': 'a', 'env': {'=B': 'c'}}", ".env['=B']: " + variable),
        wrong("{'command': 'a', 'env': {'B\\u0000': 'c'}}", ".env['B?']: " + variable),
        wrong("{'command': 'a\\u0000'}", ".command: expected a text without NUL, found one"),
        wrong("{'command': '${NUL}'}", ".command: expected a text without NUL, found one"),
        wrong(
            "{'command': 'a', 'args': ['', '${NUL}']}",
            ".args[1]: expected a text without NUL, found one"),
        wrong(
            "{'command': 'a', 'env': {'B': 'c\\u0000'}}",
            ".env.B: expected a text without NUL, found one"),
        wrong("{'command': 'a', 'cwd': '/${NUL}'}", ".cwd: expected a text without NUL, found one"),
        wrong("{'command': 'a', 'cwd': 1}", ".cwd: expected a string, found a number"),
        wrong(
            "{'command': 'a', 'cwd': ''}", ".cwd: expected an absolute path, found a relative one"),
        wrong(
            "{'command': 'a', 'cwd': '${KEY}'}",
            ".cwd: expected an absolute path, found a relative one"),
        wrong(
            "{'command': 'a', 'cwd': '~/b'}",
            ".cwd: expected an absolute path, found a relative one"),
        wrong(
            "{'command': 'a', 'cwd': '/secret\\ud800'}",
            ".cwd: expected an absolute path, found one that cannot exist here"),
        wrong("{'command': '${NONE}'}", ".command: ${NONE} is not set"),
        wrong("{'command': 'a', 'args': ['b', '${KEY}${NONE}']}", ".args[1]: ${NONE} is not set"),
        wrong("{'command': 'a', 'env': {'B': '${NONE}'}}", ".env.B: ${NONE} is not set"),
        wrong("{'command': 'a', 'cwd': '${NONE}'}", ".cwd: ${NONE} is not set"));
  }

  private static Arguments wrong(String json, String problem) {
    return Arguments.of(json, problem);
  }

  @ParameterizedTest
  @MethodSource("wrongFiles")
  void aWrongFileIsRefusedWithItsPlace(String json, String problem) {
    assertRefused(() -> read(json), problem);
  }

  @ParameterizedTest
  @MethodSource("wrongServers")
  void aWrongServerIsRefusedWithItsPlace(String server, String problem) {
    assertRefused(() -> readServer(server.replace('\'', '"')), "mcpServers.x" + problem);
  }

  @ParameterizedTest
  @CsvSource({
    "ab ${, 4",
    "${KEY, 1",
    "${}, 1",
    "${KEY} ${1A}, 8",
    "a${KEY }, 2",
    "${ KEY}, 1",
    "${env:KEY}, 1",
    "${KEY-secret}, 1",
    "${KEY:-secret, 1",
    "${:-secret}, 1",
    "${NONE:-${KEY}}, 1",
    "${NONE:-{secret}}, 1",
    "${É}, 1",
  })
  void whatOnlyBeginsLikeAVariableIsRefused(String text, int character) {
    assertRefused(
        () -> argument(text),
        "mcpServers.x.args[0]: expected ${NAME} or ${NAME:-default}, found another ${ at character "
            + character);
  }

  @Test
  void namesThatTheHostWouldRefuseAreRefused() throws Exception {
    String longest = "n".repeat(128);
    assertThat(read(servers(List.of(longest))).servers()).containsOnlyKeys(longest);

    String forbidden = "the name must not hold control characters, '/' or '#'; character 2 is U+00";
    assertRefused(() -> read(servers(List.of("a/b"))), "mcpServers['a/b']: " + forbidden + "2F");
    assertRefused(() -> read(servers(List.of("a#"))), "mcpServers['a#']: " + forbidden + "23");
    assertRefused(() -> read(servers(List.of("a\\n"))), "mcpServers['a?']: " + forbidden + "0A");
    assertRefused(
        () -> read(servers(List.of(""))),
        "mcpServers['']: the name must have 1 to 128 characters, has 0");
    assertRefused(() -> read(servers(List.of(" "))), "mcpServers[' ']: the name must not be blank");
    assertRefused(
        () -> read(servers(List.of(longest + "n"))),
        "mcpServers['" + "n".repeat(60) + "…']: the name must have 1 to 128 characters, has 129");
    assertRefused(
        () -> read("{\"mcpServers\": {\"a/b\": {\"disabled\": true}}}"),
        "mcpServers['a/b']: " + forbidden + "2F");
  }

  @Test
  void thereAreNoMoreServersThanASessionMayHave() throws Exception {
    List<String> names = IntStream.range(0, 65).mapToObj(i -> "s" + i).toList();
    String oneOff = servers(names).replace("{\"command\": \"run\"}}}", "{\"disabled\": true}}}");

    assertThat(read(oneOff).servers()).hasSize(64);
    assertRefused(() -> read(servers(names)), "mcpServers: expected at most 64 servers, found 65");
  }

  @Test
  void aFileThatCannotBeReadIsNamed() throws Exception {
    assertRefused(() -> ServersFile.read(file, ENVIRONMENT), "there is no such file");
    Files.createSymbolicLink(file, file);
    assertRefused(() -> ServersFile.read(file, ENVIRONMENT), "cannot be read: ");
    Files.delete(file);
    Files.createDirectory(file);
    assertRefused(() -> ServersFile.read(file, ENVIRONMENT), "cannot be read: it is a directory");
  }

  @Test
  void aFileHasAtMostOneMebibyte() throws Exception {
    String longest = "{\"mcpServers\": {}}" + " ".repeat((1 << 20) - 18);

    assertThat(read(longest).servers()).isEmpty();
    assertRefused(() -> read(longest + " "), "cannot be read: it is longer than 1048576 bytes");
  }

  @Test
  void aFileIsUtf8() throws Exception {
    Files.write(file, "{\n\"é\"".getBytes(StandardCharsets.ISO_8859_1));

    assertRefused(() -> ServersFile.read(file, ENVIRONMENT), "not UTF-8 at line 2, column 2");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"mcpServers\": {\"x\": {\"env\": {\"KEY\": secret}}}}",
        "{\"mcpServers\": {\"x\": {\"env\": {\"KEY\": \"secret\" \"secret\"}}}}",
        "{\"mcpServers\": {\"x\": {\"env\": {\"KEY\": \"secret",
        "{\"secret\": 1, \"secret\": 2}",
        "{\"mcpServers\": {\"x\": {\"command\": \"run\", \"args\": [\"secret${\"]}}}",
      })
  void aRefusalHoldsNothingOfTheTextThatMayBeASecret(String json) {
    assertRefused(() -> read(json), "");
  }

  @Test
  void aRefusalHoldsNothingOfWhatAVariableHolds() {
    for (String url : List.of("http://${IMDS}/", "http://host:${PORT}/")) {
      assertThatThrownBy(() -> readServer("{\"url\": \"" + url + "\"}"))
          .message()
          .doesNotContain("169.254", "99999");
    }
  }

  @Test
  void asTextItHoldsNoArgumentsAndNoVariables() throws Exception {
    assertThat(
            readServer(
                "{\"command\": \"run\", \"args\": [\"${KEY}\"], \"env\": {\"A\": \"${KEY}\"}}"))
        .hasToString("ServersFile[servers={x=stdio server run}, warnings=[]]");
  }

  private void assertRefused(Reading reading, String problem) {
    assertThatThrownBy(reading::read)
        .isInstanceOf(ServersFileException.class)
        .hasMessageStartingWith(file + ": " + problem)
        .message()
        .doesNotContain("secret");
  }

  @FunctionalInterface
  private interface Reading {
    Object read() throws IOException;
  }
}
