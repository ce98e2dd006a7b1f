package dev.mcpscope.client;

import static dev.mcpscope.client.Promptly.failure;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.Npx;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonBoolean;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.transport.CloseReport;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The reference server for files: tools with effects that can be looked at, and roots that it
/// obeys. What is about roots or limits has a connection of its own; the rest share one.
@Tag("real-server")
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FilesystemServerTest {
  @TempDir static Path temporary;

  private static NothingLeft nothingLeft;
  private static Path base;
  private static McpClient client;
  private static final Map<String, Tool> TOOLS = new HashMap<>();

  private Path home; // each test's own, below the base

  @BeforeAll
  static void connect() throws Exception {
    Npx.isNeeded();
    nothingLeft = NothingLeft.check();
    base = Files.createDirectory(temporary.toRealPath().resolve("all files")); // with a blank
    client = McpClient.open(Npx.filesystem(base), Npx.OPTIONS);
    for (Tool tool : client.tools()) {
      TOOLS.put(tool.name(), tool);
    }
  }

  @AfterAll
  static void nothingIsLeft() {
    if (client != null) {
      client.close();
    }
    if (nothingLeft != null) {
      nothingLeft.close();
    }
  }

  @BeforeEach
  void eachTestHasAHome(TestInfo test) throws Exception {
    home = Files.createDirectory(base.resolve(test.getTestMethod().orElseThrow().getName()));
  }

  private static ToolResult call(McpClient client, String tool, Object... namesAndValues)
      throws Exception {
    return client.callTool(tool, JsonObject.of(namesAndValues).members());
  }

  /// Calls a tool, and holds what it gives against its output schema.
  private static ToolResult call(String tool, Object... namesAndValues) throws Exception {
    ToolResult result = call(client, tool, namesAndValues);
    assertThat(result.isError()).as(result.text()).isFalse();
    JsonObject schema = TOOLS.get(tool).outputSchema().orElseThrow();
    assertThat(OutputSchema.fits(schema, result.structuredContent().orElseThrow()))
        .as("%s", result.json())
        .isTrue();
    return result;
  }

  private static String text(String tool, Object... namesAndValues) throws Exception {
    return call(tool, namesAndValues).text();
  }

  private static JsonObject edit(String from, String to) {
    return JsonObject.of("oldText", from, "newText", to);
  }

  @Test
  void itsToolsSayWhatTheyDoToTheWorld() {
    assertThat(TOOLS)
        .containsOnlyKeys(
            "read_file",
            "read_text_file",
            "read_media_file",
            "read_multiple_files",
            "write_file",
            "edit_file",
            "create_directory",
            "list_directory",
            "list_directory_with_sizes",
            "directory_tree",
            "move_file",
            "search_files",
            "get_file_info",
            "list_allowed_directories");
    assertThat(TOOLS.values())
        .filteredOn(
            tool -> JsonBoolean.FALSE.equals(tool.annotations().orElseThrow().get("readOnlyHint")))
        .extracting(Tool::name)
        .containsExactlyInAnyOrder("write_file", "edit_file", "create_directory", "move_file");
    assertThat(TOOLS.get("write_file").inputSchema().members()).containsKey("required");
  }

  @Test
  void whatItDoesNotDeclareIsNotAskedOfIt() throws Exception {
    assertThat(client.resources()).isEmpty();
    assertThat(client.resourceTemplates()).isEmpty();
    assertThat(client.prompts()).isEmpty();
    failure(UnsupportedOperationException.class, () -> client.readResource("file:///etc/hosts"));
    failure(UnsupportedOperationException.class, () -> client.subscribe("file:///etc/hosts"));
    failure(UnsupportedOperationException.class, () -> client.getPrompt("any", Map.of()));
    failure(UnsupportedOperationException.class, () -> client.setLogLevel(LogLevel.INFO));
    failure(
        UnsupportedOperationException.class,
        () -> client.complete(new Completion.Of.Prompt("any"), "any", "", Map.of()));
    failure(UnsupportedOperationException.class, client::rootsChanged); // nor of the client
    client.ping();
  }

  @Test
  void aTextIsWrittenAndReadAsItIs() throws Exception {
    Path file = home.resolve("text.txt");
    String content = "eins\nzwei 😀\tüber\u2028\u0000\r\n\"drei\\";
    assertThat(text("write_file", "path", file.toString(), "content", content))
        .contains("Successfully wrote");
    assertThat(file).content().isEqualTo(content);
    for (String tool : List.of("read_text_file", "read_file")) {
      ToolResult read = call(tool, "path", file.toString());
      assertThat(read.text()).isEqualTo(content);
      assertThat(read.structuredContent()).contains(JsonObject.of("content", content));
    }
    assertThat(text("read_text_file", "path", file.toString(), "head", 1)).isEqualTo("eins");
    assertThat(text("read_text_file", "path", file.toString(), "tail", 1)).isEqualTo("\"drei\\");
  }

  @Test
  void aTextOfMegabytesArrivesWhole() throws Exception {
    String content = "grüße 😀\n".repeat(200_000); // twice in the answer: text and data
    Path file = Files.writeString(home.resolve("long.txt"), content);
    assertThat(text("read_text_file", "path", file.toString()).equals(content)).isTrue();
  }

  @Test
  void anEditIsTriedAndThenMade() throws Exception {
    Path file = Files.writeString(home.resolve("poem.txt"), "one\ntwo\nthree\n");
    List<JsonObject> edits = List.of(edit("two", "2"), edit("three", "3"));
    String tried = text("edit_file", "path", file.toString(), "edits", edits, "dryRun", true);
    assertThat(tried).contains("-two", "+2", "-three", "+3");
    assertThat(file).content().isEqualTo("one\ntwo\nthree\n");
    assertThat(text("edit_file", "path", file.toString(), "edits", edits)).isEqualTo(tried);
    assertThat(file).content().isEqualTo("one\n2\n3\n");
  }

  @Test
  void directoriesAreMadeListedAndShownAsATree() throws Exception {
    text("create_directory", "path", home.resolve("a/b").toString());
    Files.writeString(home.resolve("a/small.txt"), "1");
    Files.writeString(home.resolve("a/large.txt"), "1".repeat(2_048));
    String directory = home.resolve("a").toString();
    assertThat(text("list_directory", "path", directory).lines())
        .containsExactlyInAnyOrder("[DIR] b", "[FILE] large.txt", "[FILE] small.txt");
    assertThat(text("list_directory_with_sizes", "path", directory, "sortBy", "size"))
        .containsPattern("(?s)large\\.txt.*2\\.00 KB.*small\\.txt.*1 B.*2 files, 1 directories");
    String tree = text("directory_tree", "path", home.toString(), "excludePatterns", List.of("b"));
    assertThat(JsonReader.read(tree, JsonLimits.defaults()))
        .isEqualTo(
            JsonArray.of(
                JsonObject.of(
                    "name",
                    "a",
                    "type",
                    "directory",
                    "children",
                    List.of(
                        JsonObject.of("name", "large.txt", "type", "file"),
                        JsonObject.of("name", "small.txt", "type", "file")))));
  }

  @Test
  void filesAreFoundMovedAndDescribed() throws Exception {
    Path file = Files.writeString(home.resolve("here.txt"), "12345");
    Files.writeString(home.resolve("other.md"), "");
    assertThat(text("search_files", "path", home.toString(), "pattern", "**/*.txt"))
        .isEqualTo(file.toString());
    Path there = home.resolve("there.txt");
    text("move_file", "source", file.toString(), "destination", there.toString());
    assertThat(file).doesNotExist();
    assertThat(text("get_file_info", "path", there.toString()))
        .contains("size: 5", "isFile: true", "isDirectory: false");
  }

  @Test
  void severalFilesAreReadAtOnceAndOneThatFailsHarmsNoOther() throws Exception {
    Path good = Files.writeString(home.resolve("good.txt"), "good");
    String missing = home.resolve("missing.txt").toString();
    assertThat(text("read_multiple_files", "paths", List.of(good.toString(), missing)))
        .contains(good + ":\ngood\n", missing + ": Error - ");
  }

  @Test
  void mediaArriveAsImageSoundOrResource() throws Exception {
    byte[] bytes = {0, 1, 2, (byte) 0xff};
    for (String name : List.of("image.png", "sound.wav", "other.bin")) {
      Files.write(home.resolve(name), bytes);
    }
    JsonObject image = media("image.png");
    assertThat(image.string("type")).isEqualTo("image");
    assertThat(image.string("mimeType")).isEqualTo("image/png");
    assertThat(Base64.getDecoder().decode(image.string("data"))).isEqualTo(bytes);
    JsonObject sound = media("sound.wav");
    assertThat(sound.string("type")).isEqualTo("audio");
    assertThat(sound.string("mimeType")).isEqualTo("audio/wav");
    JsonObject other = media("other.bin").object("resource");
    assertThat(URI.create(other.string("uri"))).isEqualTo(home.resolve("other.bin").toUri());
    assertThat(Base64.getDecoder().decode(other.string("blob"))).isEqualTo(bytes);
  }

  private JsonObject media(String name) throws Exception {
    return call("read_media_file", "path", home.resolve(name).toString()).content().getFirst();
  }

  @Test
  void whatLiesOutsideItsDirectoriesIsAnErrorOfTheTool() throws Exception {
    Path outside = Files.writeString(temporary.resolve("outside.txt"), "secret");
    assertThat(text("list_allowed_directories")).isEqualTo("Allowed directories:\n" + base);
    ToolResult refused = call(client, "read_text_file", "path", outside.toRealPath().toString());
    assertThat(refused.isError()).isTrue();
    assertThat(refused.text()).contains("Access denied").doesNotContain("secret");
  }

  @Test
  void eachOfManyCallersGetsItsOwnFile() throws Exception {
    var callers = new ArrayList<Caller<String>>();
    for (int i = 0; i < 50; i++) {
      Path file = Files.writeString(home.resolve(i + ".txt"), "file " + i);
      callers.add(new Caller<>(() -> text("read_text_file", "path", file.toString())));
    }
    for (int i = 0; i < callers.size(); i++) {
      assertThat(callers.get(i).result()).isEqualTo("file " + i);
    }
  }

  // Roots.

  /// A directory with a file in it.
  private Path directory(String name) throws Exception {
    Path directory = Files.createDirectory(home.resolve(name));
    Files.writeString(directory.resolve("file.txt"), name);
    return directory;
  }

  private static boolean mayRead(McpClient client, Path directory) throws Exception {
    ToolResult read =
        call(client, "read_text_file", "path", directory.resolve("file.txt").toString());
    return !read.isError();
  }

  /// Asks the server until it has taken up the roots: it does not say when it has.
  private static void awaitAllowed(McpClient client, Path... directories) throws Exception {
    String expected =
        "Allowed directories:\n"
            + String.join("\n", Stream.of(directories).map(Path::toString).toList());
    while (!call(client, "list_allowed_directories").text().equals(expected)) {
      Thread.onSpinWait();
    }
  }

  @Test
  void rootsDecideWhatTheFilesystemServerMayRead() throws Exception {
    Path given = directory("given");
    Path first = directory("the first"); // a blank has to be escaped in its URI
    Path second = directory("second");
    Path third = directory("third");
    var roots = new AtomicReference<>(List.of(Root.of(first)));
    var features = ClientFeatures.none().withRoots(roots::get);
    try (var _ = NothingLeft.check();
        var own = McpClient.open(Npx.filesystem(given), Npx.OPTIONS.withFeatures(features))) {
      awaitAllowed(own, first);
      assertThat(mayRead(own, first)).isTrue();
      assertThat(mayRead(own, given)).isFalse(); // roots count instead of the command line
      assertThat(mayRead(own, second)).isFalse();

      roots.set(List.of(Root.of(second).named("second"), Root.of(third)));
      own.rootsChanged();
      awaitAllowed(own, second, third);
      assertThat(mayRead(own, second)).isTrue();
      assertThat(mayRead(own, third)).isTrue();
      assertThat(mayRead(own, first)).isFalse();
      assertThat(own.closeAndReport().outcome()).isEqualTo(CloseReport.Outcome.GRACEFUL);
    }
  }

  @Test
  void rootsThatCouldNotBeToldAreAskedForAgainWhenTheyChange() throws Exception {
    Path given = directory("given");
    Path root = directory("root");
    var asked = new CountDownLatch(1);
    var roots = new AtomicReference<List<Root>>(null);
    var features =
        ClientFeatures.none()
            .withRoots(() -> {
              asked.countDown();
              return Optional.ofNullable(roots.get()).orElseThrow();
            });
    try (var _ = NothingLeft.check();
        var own = McpClient.open(Npx.filesystem(given), Npx.OPTIONS.withFeatures(features))) {
      asked.await();
      assertThat(mayRead(own, given)).isTrue();

      roots.set(List.of(Root.of(root)));
      own.rootsChanged();
      awaitAllowed(own, root);
      assertThat(mayRead(own, given)).isFalse();
    }
  }

  // Limits.

  @Test
  void aFileTooLongForAMessageEndsTheConnectionAndTheReportSaysWhy() throws Exception {
    Path file = Files.writeString(home.resolve("long.txt"), "1".repeat(600_000));
    ClientOptions.Limits limits = ClientOptions.Limits.defaults();
    var options =
        Npx.OPTIONS.withLimits(limits.withMessage(limits.message().withMaxBytes(1 << 20)));
    try (var _ = NothingLeft.check();
        var own = McpClient.open(Npx.filesystem(base), options)) {
      var violation =
          failure(
              ProtocolViolationException.class,
              () -> call(own, "read_text_file", "path", file.toString()));
      assertThat(violation).hasMessageContaining("a line is longer than 1048576 bytes");
      CloseReport report = own.closeAndReport();
      assertThat(report.reason()).contains("a line is longer than 1048576 bytes");
      assertThat(report.callsFailed()).isEqualTo(1);
      assertThat(report.nothingLeft()).as("%s", report).isTrue();
    }
  }
}
