package dev.mcpscope.front;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.Npx;
import dev.mcpscope.demo.DemoHttpServer;
import dev.mcpscope.host.HostListener;
import dev.mcpscope.host.HostOptions;
import dev.mcpscope.host.McpHost;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.json.JsonValue;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The shell in `docs/http-api.md` runs as it stands there, and answers as it says there.
@Tag("real-server")
@Timeout(value = 240, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class HttpApiDocTest {
  private static final String TOKEN = "the-token";
  private static final String MARK = "-- the next example --";
  private static final Pattern BLOCK =
      Pattern.compile("^```(\\w*)\\n(.*?)^```$", Pattern.DOTALL | Pattern.MULTILINE);

  /// Some shell, and what the document says that it prints; empty if it does not say.
  private record Example(String shell, String language, String printed) {}

  @Test
  void examplesRunAsTheyStandAndAnswerAsTheyAreToldTo(@TempDir Path directory) throws Exception {
    Npx.isNeeded();
    List<Example> examples = examples();
    assertThat(examples).hasSizeGreaterThan(8);
    NothingLeft.after(() -> {
      var options = new Front.Options("127.0.0.1", 0, TOKEN, List.of("npx"), System.getenv());
      try (var host = McpHost.open(HostOptions.defaults(), new HostListener() {});
          var front = Front.open(options, host);
          var server = DemoHttpServer.open(0, System.err)) {
        List<String> printed = run(directory, front, server, examples);
        assertThat(printed).noneMatch(text -> text.contains("swordfish"));
        for (int i = 0; i < examples.size(); i++) {
          check(examples.get(i), printed.get(i));
        }
      }
    });
  }

  private static List<Example> examples() throws Exception {
    var examples = new ArrayList<Example>();
    Matcher block = BLOCK.matcher(Files.readString(Path.of("docs/http-api.md")));
    while (block.find()) {
      Example last = examples.isEmpty() ? null : examples.getLast();
      if (block.group(1).equals("sh")) {
        examples.add(new Example(block.group(2), "", ""));
      } else if (last != null && last.printed().isEmpty()) {
        examples.set(
            examples.size() - 1, new Example(last.shell(), block.group(1), block.group(2)));
      }
    }
    return examples;
  }

  /// Runs all of them in one shell, one after the other, and returns what each has printed.
  private static List<String> run(
      Path directory, Front front, DemoHttpServer server, List<Example> examples) throws Exception {
    var script = new StringBuilder();
    for (Example example : examples) {
      script.append(example.shell()).append("\necho '").append(MARK).append("'\n");
    }
    Path file = Files.writeString(directory.resolve("examples.sh"), script);
    Path output = directory.resolve("output.txt");
    var builder =
        new ProcessBuilder("bash", file.toString())
            .directory(directory.toFile())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile());
    builder.environment().put("URL", front.uri().toString());
    builder.environment().put("TOKEN", TOKEN);
    builder.environment().put("SERVER", server.uri().toString());
    Process bash = builder.start();
    bash.getOutputStream().close();
    bash.waitFor();
    List<String> printed = List.of(Files.readString(output, UTF_8).split(MARK + "\n"));
    assertThat(printed).as("what was printed").hasSameSizeAs(examples);
    return printed;
  }

  private static void check(Example example, String printed) throws Exception {
    assertThat(printed).as(example.shell()).doesNotContain("\"detail\"");
    if (example.language().equals("json")) {
      JsonValue expected = JsonReader.read(example.printed(), JsonLimits.defaults());
      JsonValue actual = JsonReader.read(printed.strip(), JsonLimits.defaults());
      assertFits(expected, actual, example.shell());
    } else {
      example
          .printed()
          .lines()
          .filter(line -> line.startsWith("event: "))
          .forEach(line -> assertThat(printed.lines()).as(example.shell()).contains(line));
    }
  }

  /// What the document shows has to be there, in the same shape: it may leave out, not make up.
  private static void assertFits(JsonValue expected, JsonValue actual, String where) {
    assertThat(actual == null ? "missing" : actual.kind()).as(where).isEqualTo(expected.kind());
    switch (expected) {
      case JsonObject object ->
          object
              .members()
              .forEach((name, value) ->
                  assertFits(value, ((JsonObject) actual).get(name), where + " ." + name));
      case JsonArray array when array.size() > 0 && ((JsonArray) actual).size() > 0 ->
          assertFits(array.get(0), ((JsonArray) actual).get(0), where + "[0]");
      case JsonNull _ -> assertThat(actual).isEqualTo(expected);
      default -> {}
    }
  }
}
