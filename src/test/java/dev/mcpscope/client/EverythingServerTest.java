package dev.mcpscope.client;

import static dev.mcpscope.client.Promptly.failure;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.mcpscope.EverythingServer;
import dev.mcpscope.EverythingServer.Way;
import dev.mcpscope.NothingLeft;
import dev.mcpscope.Npx;
import dev.mcpscope.client.ClientFeatures.Handler;
import dev.mcpscope.client.FormField.Choice;
import dev.mcpscope.client.FormField.Type;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.transport.CloseReport;
import java.io.ByteArrayInputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/// The reference server that has something of every feature, in each of the three ways to reach it.
/// What is about one connection's life has a connection of its own; the rest share one, on which every
/// feature of the client is declared.
@Tag("real-server")
@ParameterizedClass
@EnumSource
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EverythingServerTest {
  private static final Path WORK = Path.of("work").toAbsolutePath();
  private static final Path MORE = Path.of("more work").toAbsolutePath();

  private static EverythingServer server;
  private static NothingLeft nothingLeft;
  private static Heard heard;
  private static McpClient client;

  // What the client does for the server; each test sets what it needs.
  private static volatile List<Root> roots;
  private static volatile Handler<SamplingRequest, SamplingResult> sampling;
  private static volatile Handler<ElicitationForm, ElicitationResult> form;
  private static volatile Handler<ElicitationUrl, ElicitationResult> url;

  private final Way way;

  EverythingServerTest(Way way) {
    this.way = way;
  }

  @BeforeAll
  static void npxIsNeeded() {
    Npx.isNeeded();
  }

  @BeforeParameterizedClassInvocation
  static void connect(Way way) throws Exception {
    server = EverythingServer.start(way);
    nothingLeft = NothingLeft.check();
    heard = new Heard();
    roots = List.of(Root.of(WORK).named("work"));
    var features =
        ClientFeatures.none()
            .withRoots(() -> roots)
            .withSampling(request -> sampling.answer(request))
            .withElicitation(request -> form.answer(request))
            .withElicitationUrl(request -> url.answer(request))
            .withListener(heard);
    client = McpClient.open(server.spec(), Npx.OPTIONS.withFeatures(features));
    // It asks for them some time after the handshake, and obeys no change before.
    assertTimeoutPreemptively(Duration.ofSeconds(30), () -> awaitRoots(1));
  }

  private static ServerEvent.LogMessage awaitRoots(int count) throws InterruptedException {
    String start = "Roots updated: " + count + " ";
    return heard.await(ServerEvent.LogMessage.class, each -> textOf(each).startsWith(start));
  }

  @AfterParameterizedClassInvocation
  static void nothingIsLeft() throws Exception {
    try (var running = server) { // null if it has not started
      if (client != null) {
        client.close();
        nothingLeft.close();
        running.awaitNoSession();
        assertThat(running.errors()).isEmpty();
      }
    } finally {
      client = null;
      server = null;
    }
  }

  @BeforeEach
  void nobodyIsAskedUnlessTheTestSaysSo() throws Exception {
    sampling = unexpected();
    form = unexpected();
    url = unexpected();
    client.setLogLevel(LogLevel.DEBUG);
  }

  private static <Q, A> Handler<Q, A> unexpected() {
    return request -> {
      throw new AssertionError("nobody expects " + request);
    };
  }

  /// A handler that always gives this answer, and keeps what it was asked.
  private static <Q, A> Handler<Q, A> answering(A answer, AtomicReference<Q> asked) {
    return request -> {
      asked.set(request);
      return answer;
    };
  }

  private static ToolResult call(String tool, Object... namesAndValues) throws Exception {
    return client.callTool(tool, JsonObject.of(namesAndValues).members());
  }

  private static String text(String tool, Object... namesAndValues) throws Exception {
    ToolResult result = call(tool, namesAndValues);
    assertThat(result.isError()).as(result.text()).isFalse();
    return result.text();
  }

  private static String failureText(String tool, Object... namesAndValues) throws Exception {
    ToolResult result = call(tool, namesAndValues);
    assertThat(result.isError()).as(result.text()).isTrue();
    return result.text();
  }

  /// What the client has answered, as the tool that asked repeats it.
  private static JsonObject answered(String text) throws Exception {
    return (JsonObject) JsonReader.read(text.substring(text.indexOf('{')), JsonLimits.defaults());
  }

  private static String textOf(ServerEvent.LogMessage message) {
    return ((JsonString) message.data()).value();
  }

  private static byte[] decoded(JsonObject json, String member) throws Exception {
    return Base64.getDecoder().decode(json.string(member));
  }

  // What it tells of itself.

  @Test
  void itTellsItsNameRevisionAndInstructions() throws Exception {
    ServerInfo info = client.server();
    assertThat(info.name()).isEqualTo("mcp-servers/everything");
    assertThat(info.version()).isNotEmpty();
    assertThat(info.protocolVersion()).isEqualTo("2025-11-25");
    assertThat(info.instructions().orElseThrow()).contains("Use `get-roots-list`");
    assertThat(info.json().object("serverInfo").string("title"))
        .isEqualTo("Everything Reference Server");
    assertThat(List.of("tools", "resources", "prompts", "completions", "logging", "tasks"))
        .allMatch(info::declares);
    client.ping();
  }

  @Test
  void whatTheClientDeclaresDecidesWhichToolsThereAre() throws Exception {
    List<String> always =
        List.of(
            "echo",
            "get-annotated-message",
            "get-env",
            "get-resource-links",
            "get-resource-reference",
            "get-structured-content",
            "get-sum",
            "get-tiny-image",
            "gzip-file-as-resource",
            "simulate-research-query",
            "toggle-simulated-logging",
            "toggle-subscriber-updates",
            "trigger-long-running-operation");
    var all = new ArrayList<>(always);
    all.addAll(
        List.of(
            "get-roots-list",
            "trigger-elicitation-request",
            "trigger-sampling-request",
            "trigger-url-elicitation"));
    assertThat(client.tools()).extracting(Tool::name).containsExactlyInAnyOrderElementsOf(all);

    try (var _ = NothingLeft.check();
        var plain = McpClient.open(server.spec(), Npx.OPTIONS)) {
      assertThat(plain.tools()).extracting(Tool::name).containsExactlyInAnyOrderElementsOf(always);
    }
  }

  @Test
  void toolsThatComeWithTheHandshakeAreTold() throws Exception {
    assumeTrue(
        way != Way.HTTP,
        "it tells while it takes notifications/initialized, and there is no stream to tell it on yet");
    heard.await(ServerEvent.ListChanged.class, event -> event.list() == ServerEvent.List.TOOLS);
  }

  @Test
  void theSpecsEnvironmentReachesTheInnermostProcess() throws Exception {
    assumeTrue(way == Way.STDIO, "over HTTP the server's environment is its own");
    JsonObject environment = answered(text("get-env"));
    assertThat(environment.string("GREETING")).isEqualTo("hello");
    assertThat(environment.has("MCP_SCOPE_CONNECTION")).isTrue(); // by which a close finds it
  }

  // Tools.

  @Test
  void textsAndNumbersArriveAsTheyWere() throws Exception {
    assertThat(text("echo", "message", "grüße 😀\n\"\u2028\\")).endsWith("grüße 😀\n\"\u2028\\");
    assertThat(text("get-sum", "a", 2, "b", 40.5)).isEqualTo("The sum of 2 and 40.5 is 42.5.");
  }

  @Test
  void aWrongArgumentOrNameIsAnErrorOfTheTool() throws Exception {
    assertThat(failureText("get-sum", "a", "two", "b", 2)).contains("expected number");
    assertThat(failureText("no-such-tool")).contains("no-such-tool not found");
  }

  @Test
  void aToolThatRunsAsATaskOnlyIsRefusedByTheServer() throws Exception {
    Tool tool =
        client.tools().stream()
            .filter(each -> each.name().equals("simulate-research-query"))
            .findFirst()
            .orElseThrow();
    assertThat(tool.json().object("execution").string("taskSupport")).isEqualTo("required");
    assertThat(failureText(tool.name(), "topic", "python")).contains("requires task augmentation");
  }

  @Test
  void structuredContentFitsTheToolsOutputSchema() throws Exception {
    Tool tool =
        client.tools().stream()
            .filter(each -> each.name().equals("get-structured-content"))
            .findFirst()
            .orElseThrow();
    JsonObject schema = tool.outputSchema().orElseThrow();
    for (String city : List.of("New York", "Chicago", "Los Angeles")) {
      ToolResult weather = call(tool.name(), "location", city);
      JsonValue content = weather.structuredContent().orElseThrow();
      assertThat(OutputSchema.fits(schema, content)).as("%s", content).isTrue();
      assertThat(answered(weather.text())).isEqualTo(content);
    }
    assertThat(OutputSchema.fits(schema, JsonObject.of("temperature", 33))).isFalse();
  }

  @Test
  void annotationsOfContentArriveAsTheyWereSent() throws Exception {
    List<JsonObject> content =
        call("get-annotated-message", "messageType", "error", "includeImage", true).content();
    assertThat(content).extracting(block -> block.string("type")).containsExactly("text", "image");
    JsonObject annotations = content.getFirst().object("annotations");
    assertThat(annotations.optionalStrings("audience")).containsExactly("user", "assistant");
    assertThat(annotations.optionalNumber("priority")).hasValue(1);
    assertThat(content.getLast().object("annotations").optionalNumber("priority")).hasValue(0.5);
  }

  @Test
  void anImageArrivesWithItsBytes() throws Exception {
    ToolResult result = call("get-tiny-image");
    JsonObject image = result.content().get(1);
    assertThat(image.string("mimeType")).isEqualTo("image/png");
    assertThat(decoded(image, "data")).startsWith(0x89, 'P', 'N', 'G');
    assertThat(result.text().lines()).hasSize(2); // around the image
  }

  // Resources.

  @Test
  void resourcesAreListedAndRead() throws Exception {
    List<Resource> resources = client.resources();
    Resource instructions =
        resources.stream()
            .filter(each -> each.name().equals("instructions.md"))
            .findFirst()
            .orElseThrow();
    assertThat(instructions.mimeType()).contains("text/markdown");
    assertThat(instructions.description()).isPresent();
    List<ResourceContents> read = client.readResource(instructions.uri());
    assertThat(read).hasSize(1);
    assertThat(read.getFirst().uri()).isEqualTo(instructions.uri());
    assertThat(read.getFirst().mimeType()).contains("text/markdown");
    assertThat(read.getFirst().text()).isEqualTo(client.server().instructions());
  }

  @Test
  void templatesLeadToTextsAndBytes() throws Exception {
    assertThat(client.resourceTemplates())
        .extracting(ResourceTemplate::name, ResourceTemplate::uriTemplate)
        .containsExactly(
            tuple("Dynamic Text Resource", "demo://resource/dynamic/text/{resourceId}"),
            tuple("Dynamic Blob Resource", "demo://resource/dynamic/blob/{resourceId}"));
    ResourceContents text = client.readResource("demo://resource/dynamic/text/7").getFirst();
    assertThat(text.text().orElseThrow()).startsWith("Resource 7: This is a plaintext resource");
    assertThat(text.bytes()).isEmpty();
    ResourceContents blob = client.readResource("demo://resource/dynamic/blob/8").getFirst();
    assertThat(new String(blob.bytes().orElseThrow(), StandardCharsets.UTF_8))
        .startsWith("Resource 8: This is a base64 blob");
    assertThat(blob.text()).isEmpty();
  }

  @Test
  void aResourceThatIsNotThereIsAnErrorWithItsCode() throws Exception {
    var error =
        failure(RemoteErrorException.class, () -> client.readResource("demo://resource/nothing"));
    assertThat(error.code()).isEqualTo(-32602);
    assertThat(error).hasMessageContaining("demo://resource/nothing not found");
  }

  @Test
  void linksInAResultCanBeRead() throws Exception {
    List<JsonObject> content = call("get-resource-links", "count", 4).content();
    List<JsonObject> links = content.subList(1, content.size());
    assertThat(links)
        .hasSize(4)
        .extracting(link -> link.string("type"))
        .containsOnly("resource_link");
    for (JsonObject link : links) {
      ResourceContents read = client.readResource(link.string("uri")).getFirst();
      assertThat(read.uri()).isEqualTo(link.string("uri"));
      assertThat(read.text().isPresent()).isEqualTo(link.string("name").startsWith("Text"));
      assertThat(read.bytes().isPresent()).isEqualTo(link.string("name").startsWith("Blob"));
    }
  }

  @Test
  void embeddedResourcesAreTextsOrBytes() throws Exception {
    JsonObject text =
        call("get-resource-reference", "resourceType", "Text", "resourceId", 3).content().get(1);
    assertThat(text.string("type")).isEqualTo("resource");
    assertThat(text.object("resource").string("text")).startsWith("Resource 3: ");
    JsonObject blob =
        call("get-resource-reference", "resourceType", "Blob", "resourceId", 4).content().get(1);
    assertThat(decoded(blob.object("resource"), "blob"))
        .startsWith("Resource 4: ".getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void aResourceThatAToolMakesIsToldListedAndRead() throws Exception {
    JsonObject link =
        call(
                "gzip-file-as-resource",
                "name",
                "hello.gz",
                "data",
                "data:text/plain,hello",
                "outputType",
                "resourceLink")
            .content()
            .getFirst();
    heard.await(ServerEvent.ListChanged.class, event -> event.list() == ServerEvent.List.RESOURCES);
    assertThat(client.resources()).extracting(Resource::uri).contains(link.string("uri"));
    byte[] zipped = client.readResource(link.string("uri")).getFirst().bytes().orElseThrow();
    try (var unzipped = new GZIPInputStream(new ByteArrayInputStream(zipped))) {
      assertThat(unzipped.readAllBytes()).asString().isEqualTo("hello");
    }
  }

  @Test
  void subscribedResourceTellsItsUpdates() throws Exception {
    String given = "demo://resource/dynamic/text/101";
    String kept = "demo://resource/dynamic/text/102";
    client.subscribe(given);
    client.subscribe(kept);
    client.unsubscribe(given);
    text("toggle-subscriber-updates"); // tells at once, in the order of the subscriptions
    heard.await(ServerEvent.ResourceUpdated.class, event -> event.uri().equals(kept));
    text("toggle-subscriber-updates");
    client.unsubscribe(kept);
    assertThat(heard.all(ServerEvent.ResourceUpdated.class))
        .extracting(ServerEvent.ResourceUpdated::uri)
        .doesNotContain(given);
  }

  // Prompts and completion.

  @Test
  void promptsAreListedWithTheirArguments() throws Exception {
    List<Prompt> prompts = client.prompts();
    assertThat(prompts)
        .extracting(Prompt::name)
        .containsExactlyInAnyOrder(
            "simple-prompt", "args-prompt", "completable-prompt", "resource-prompt");
    Prompt weather =
        prompts.stream()
            .filter(each -> each.name().equals("args-prompt"))
            .findFirst()
            .orElseThrow();
    assertThat(weather.title()).contains("Arguments Prompt");
    assertThat(weather.arguments())
        .extracting(Prompt.Argument::name, Prompt.Argument::required)
        .containsExactly(tuple("city", true), tuple("state", false));
  }

  @Test
  void promptsAreFilledIn() throws Exception {
    assertThat(prompt("simple-prompt", Map.of()))
        .containsExactly("user: This is a simple prompt without arguments.");
    assertThat(prompt("args-prompt", Map.of("city", "Zürich")))
        .containsExactly("user: What's weather in Zürich?");
    assertThat(prompt("args-prompt", Map.of("city", "Austin", "state", "Texas")))
        .containsExactly("user: What's weather in Austin, Texas?");
    var error =
        failure(RemoteErrorException.class, () -> client.getPrompt("args-prompt", Map.of()));
    assertThat(error.code()).isEqualTo(-32602);
  }

  private static List<String> prompt(String name, Map<String, String> arguments) throws Exception {
    return client.getPrompt(name, arguments).messages().stream()
        .map(message -> message.role() + ": " + message.text())
        .toList();
  }

  @Test
  void aPromptBringsAResourceAlong() throws Exception {
    PromptResult prompt =
        client.getPrompt("resource-prompt", Map.of("resourceType", "Text", "resourceId", "5"));
    assertThat(prompt.messages()).hasSize(2);
    JsonObject block = prompt.messages().getLast().content().getFirst();
    assertThat(block.string("type")).isEqualTo("resource");
    assertThat(block.object("resource").string("text")).startsWith("Resource 5: ");
  }

  @Test
  void aPromptsArgumentIsCompletedInTheLightOfTheOthers() throws Exception {
    var prompt = new Completion.Of.Prompt("completable-prompt");
    Completion departments = client.complete(prompt, "department", "S", Map.of());
    assertThat(departments.values()).containsExactly("Sales", "Support");
    assertThat(departments.total()).hasValue(2);
    assertThat(departments.hasMore()).isFalse();
    assertThat(client.complete(prompt, "name", "", Map.of("department", "Sales")).values())
        .containsExactly("David", "Eve", "Frank");
    assertThat(client.complete(prompt, "name", "J", Map.of("department", "Support")).values())
        .containsExactly("John");
    assertThat(client.complete(prompt, "name", "J", Map.of()).values()).isEmpty();
  }

  @Test
  void aTemplatesArgumentIsCompleted() throws Exception {
    var template = new Completion.Of.Template("demo://resource/dynamic/text/{resourceId}");
    assertThat(client.complete(template, "resourceId", "12", Map.of()).values())
        .containsExactly("12");
    assertThat(client.complete(template, "resourceId", "twelve", Map.of()).values()).isEmpty();
  }

  // Logging.

  @Test
  void logLevelIsObeyed() throws Exception {
    client.setLogLevel(LogLevel.NOTICE);
    client.subscribe("demo://resource/dynamic/text/103"); // it logs each as "info"
    client.setLogLevel(LogLevel.INFO);
    client.subscribe("demo://resource/dynamic/text/104");
    ServerEvent.LogMessage message =
        heard.await(
            ServerEvent.LogMessage.class, each -> textOf(each).contains("dynamic/text/104"));
    assertThat(message.level()).isEqualTo(LogLevel.INFO);
    assertThat(heard.all(ServerEvent.LogMessage.class))
        .extracting(EverythingServerTest::textOf)
        .noneMatch(text -> text.contains("dynamic/text/103"));
  }

  @Test
  void aLogMessageHasTheLevelItSpeaksOf() throws Exception {
    text("toggle-simulated-logging"); // one at once, of any level
    ServerEvent.LogMessage message =
        heard.await(
            ServerEvent.LogMessage.class,
            each -> textOf(each).matches("\\w+[- ]level[- ]message( - SessionId .+)?"));
    text("toggle-simulated-logging");
    assertThat(textOf(message)).startsWithIgnoringCase(message.level().word());
    assertThat(message.logger()).isEmpty();
  }

  // Calls that take long, and many.

  @Test
  void aLongOperationReportsItsProgressToCallerAndListener() throws Exception {
    List<Progress> progress = new ArrayList<>();
    ToolResult result =
        client.callTool(
            "trigger-long-running-operation",
            Map.of("duration", 1, "steps", 4),
            CallOptions.defaults().withProgress(progress::add));
    assertThat(result.text()).contains("completed");
    assertThat(progress).isNotEmpty().hasSizeLessThanOrEqualTo(4);
    assertThat(progress).extracting(Progress::progress).isSorted().endsWith(4.0);
    assertThat(progress.getLast().total()).hasValue(4);
    ServerEvent.CallProgress told =
        heard.await(
            ServerEvent.CallProgress.class, event -> event.progress().equals(progress.getLast()));
    assertThat(told.method()).isEqualTo("tools/call");
    assertThat(told.target()).isEqualTo("trigger-long-running-operation");
  }

  @Test
  void aCallThatIsGivenUpLeavesTheConnectionAsItWas() throws Exception {
    failure(
        CallTimeoutException.class,
        () ->
            client.callTool(
                "trigger-long-running-operation",
                Map.of("duration", 2, "steps", 2),
                CallOptions.defaults().withTimeout(Duration.ofMillis(500))));
    var running = new CountDownLatch(1);
    var caller =
        new Caller<>(() ->
            client.callTool(
                "trigger-long-running-operation",
                Map.of("duration", 2, "steps", 20),
                CallOptions.defaults().withProgress(_ -> running.countDown())));
    running.await();
    caller.interrupt();
    assertThat(Promptly.promptly(caller::failure)).isInstanceOf(InterruptedException.class);
    assertThat(text("trigger-long-running-operation", "duration", 0.5, "steps", 1))
        .contains("completed"); // and is not disturbed by what the other one still tells
  }

  @Test
  void eachOfManyCallersGetsItsOwnAnswer() throws Exception {
    var callers = new ArrayList<Caller<String>>();
    for (int i = 0; i < 50; i++) {
      int number = i;
      callers.add(new Caller<>(() -> text("get-sum", "a", number, "b", 1_000)));
    }
    for (int i = 0; i < callers.size(); i++) {
      assertThat(callers.get(i).result()).contains("is " + (1_000 + i) + ".");
    }
  }

  // Roots.

  @Test
  void rootsThatHaveChangedAreAskedForAgain() throws Exception {
    roots = List.of(Root.of(WORK).named("work"), Root.of(MORE));
    client.rootsChanged();
    ServerEvent.LogMessage message = awaitRoots(2);
    assertThat(message.logger()).contains("everything-server");
    assertThat(text("get-roots-list"))
        .contains("1. work\n   URI: " + WORK.toUri(), "2. Unnamed Root\n   URI: " + MORE.toUri());
  }

  // Sampling.

  @Test
  void samplingIsAnsweredByTheHandler() throws Exception {
    var asked = new AtomicReference<SamplingRequest>();
    sampling = answering(SamplingResult.text("a-model", "Zürich"), asked);
    JsonObject answer =
        answered(text("trigger-sampling-request", "prompt", "Where?", "maxTokens", 7));
    assertThat(answer)
        .isEqualTo(
            JsonObject.of(
                "role",
                "assistant",
                "model",
                "a-model",
                "stopReason",
                "endTurn",
                "content",
                JsonObject.of("type", "text", "text", "Zürich")));
    SamplingRequest request = asked.get();
    assertThat(request.messages()).extracting(PromptMessage::role).containsExactly("user");
    assertThat(request.messages().getFirst().text()).endsWith("context: Where?");
    assertThat(request.maxTokens()).isEqualTo(7);
    assertThat(request.systemPrompt()).contains("You are a helpful test server.");
    assertThat(request.temperature()).hasValue(0.7);
  }

  @Test
  void aModelMayAnswerWithAnImage() throws Exception {
    JsonObject image = JsonObject.of("type", "image", "data", "AAEC", "mimeType", "image/png");
    sampling = _ -> new SamplingResult("a-painter", List.of(image), Optional.of("maxTokens"));
    JsonObject answer = answered(text("trigger-sampling-request", "prompt", "Paint!"));
    assertThat(answer.object("content")).isEqualTo(image);
    assertThat(answer.string("stopReason")).isEqualTo("maxTokens");
  }

  @Test
  void aRefusalReachesTheServerWithCodeAndMessage() throws Exception {
    sampling =
        _ -> {
          throw new RequestRefusedException(RequestRefusedException.USER_REJECTED, "not now");
        };
    assertThat(failureText("trigger-sampling-request", "prompt", "Where?"))
        .isEqualTo("MCP error -1: not now");
  }

  @Test
  void aHandlersFailureReachesTheServerWithoutAWordOfIt() throws Exception {
    sampling =
        _ -> {
          throw new IllegalStateException("secret");
        };
    try (var warnings = new Warnings()) {
      assertThat(failureText("trigger-sampling-request", "prompt", "Where?"))
          .contains("-32603")
          .doesNotContain("secret");
      assertThat(warnings.messages()).singleElement().asString().endsWith("a handler failed");
    }
  }

  @Test
  void aHandlerMayCallTheServerAndTheCallThatCausedItHasTime() throws Exception {
    sampling =
        _ ->
            SamplingResult.text(
                "a-model", text("trigger-long-running-operation", "duration", 2, "steps", 1));
    ToolResult result =
        client.callTool(
            "trigger-sampling-request",
            Map.of("prompt", "How long?"),
            CallOptions.defaults().withTimeout(Duration.ofSeconds(1)));
    assertThat(result.text()).contains("Duration: 2 seconds");
  }

  // Elicitation.

  @Test
  void aFormTellsItsFieldsAndWhatTheyTake() throws Exception {
    var asked = new AtomicReference<ElicitationForm>();
    form = answering(ElicitationResult.decline(), asked);
    assertThat(text("trigger-elicitation-request")).contains("User declined");
    List<FormField> fields = asked.get().fields();
    assertThat(asked.get().message()).startsWith("Please provide inputs");
    assertThat(fields)
        .extracting(FormField::name, FormField::type, FormField::required)
        .containsExactly(
            tuple("name", Type.STRING, true),
            tuple("check", Type.BOOLEAN, false),
            tuple("firstLine", Type.STRING, false),
            tuple("email", Type.STRING, false),
            tuple("homepage", Type.STRING, false),
            tuple("birthdate", Type.STRING, false),
            tuple("integer", Type.INTEGER, false),
            tuple("number", Type.NUMBER, false),
            tuple("untitledSingleSelectEnum", Type.STRING, false),
            tuple("untitledMultipleSelectEnum", Type.ARRAY, false),
            tuple("titledSingleSelectEnum", Type.STRING, false),
            tuple("titledMultipleSelectEnum", Type.ARRAY, false),
            tuple("legacyTitledEnum", Type.STRING, false));
    assertThat(fields.getFirst().title()).contains("String");
    assertThat(fields.getFirst().description()).contains("Your full, legal name");
    assertThat(fields.get(6).byDefault()).contains(JsonValue.of(42));
    assertThat(fields.get(8).choices()).contains(new Choice("Joey", "Joey"));
    assertThat(fields.get(9).choices()).contains(new Choice("Piano", "Piano"));
    assertThat(fields.get(10).choices()).contains(new Choice("hero-2", "Green Lantern"));
    assertThat(fields.get(11).choices()).contains(new Choice("fish-3", "Trout"));
    assertThat(fields.get(12).choices()).contains(new Choice("pet-1", "Cats"));
  }

  @Test
  void aFormIsSentWithDefaultsForWhatWasLeftOut() throws Exception {
    form =
        _ ->
            ElicitationResult.accept(
                Map.of(
                    "name",
                    "Ada",
                    "check",
                    true,
                    "email",
                    "ada@example.com",
                    "homepage",
                    "https://example.com/ada",
                    "birthdate",
                    "1815-12-10",
                    "number",
                    2.5,
                    "untitledMultipleSelectEnum",
                    List.of("Piano", "Bass"),
                    "titledSingleSelectEnum",
                    "hero-3"));
    assertThat(answered(text("trigger-elicitation-request")))
        .isEqualTo(
            JsonObject.of(
                "action",
                "accept",
                "content",
                JsonObject.of(
                    "name",
                    "Ada",
                    "check",
                    true,
                    "firstLine",
                    "It was a dark and stormy night.",
                    "email",
                    "ada@example.com",
                    "homepage",
                    "https://example.com/ada",
                    "birthdate",
                    "1815-12-10",
                    "integer",
                    42,
                    "number",
                    2.5,
                    "untitledSingleSelectEnum",
                    "Monica",
                    "untitledMultipleSelectEnum",
                    List.of("Piano", "Bass"),
                    "titledSingleSelectEnum",
                    "hero-3",
                    "titledMultipleSelectEnum",
                    List.of("fish-1"),
                    "legacyTitledEnum",
                    "pet-1")));
  }

  @Test
  void aFormThatIsFilledInWronglyIsNotSent() throws Exception {
    form = _ -> ElicitationResult.accept(Map.of("name", "Ada", "email", "nowhere"));
    assertThat(failureText("trigger-elicitation-request")).contains("-32603");
    form = _ -> ElicitationResult.accept(Map.of("check", true)); // and no name
    assertThat(failureText("trigger-elicitation-request")).contains("-32603");
  }

  @Test
  void aFormMayBeCancelled() throws Exception {
    form = _ -> ElicitationResult.cancel();
    String text = text("trigger-elicitation-request");
    assertThat(text).contains("User cancelled");
    assertThat(answered(text)).isEqualTo(JsonObject.of("action", "cancel"));
  }

  @Test
  void urlElicitationIsAnsweredByItsOwnHandler() throws Exception {
    var asked = new AtomicReference<ElicitationUrl>();
    url = answering(ElicitationResult.accept(), asked);
    String text =
        text(
            "trigger-url-elicitation",
            "url",
            "https://example.com/authorize?state=1",
            "message",
            "Let it in",
            "elicitationId",
            "the-id");
    assertThat(answered(text)).isEqualTo(JsonObject.of("action", "accept"));
    assertThat(asked.get().url()).isEqualTo(URI.create("https://example.com/authorize?state=1"));
    assertThat(asked.get().message()).isEqualTo("Let it in");
    assertThat(asked.get().elicitationId()).contains("the-id");

    url = _ -> ElicitationResult.decline();
    assertThat(text("trigger-url-elicitation", "url", "https://example.com"))
        .contains("User declined to open the URL");
    url = _ -> ElicitationResult.cancel();
    assertThat(text("trigger-url-elicitation", "url", "https://example.com"))
        .contains("User cancelled the URL elicitation");
  }

  @Test
  void urlElicitationWithAUrlThatNoBrowserShouldOpenIsRefusedUnasked() throws Exception {
    var asked = new AtomicReference<ElicitationUrl>();
    url = answering(ElicitationResult.accept(), asked);
    assertThat(failureText("trigger-url-elicitation", "url", "javascript:alert(1)"))
        .contains("-32602");
    assertThat(asked.get()).isNull();
  }

  @Test
  void urlElicitationThatACallRequiresComesWithItsErrorAndTheCallIsMadeAgain() throws Exception {
    Object[] arguments = {"url", "https://example.com/twice", "errorPath", true};
    var required =
        failure(RemoteErrorException.class, () -> call("trigger-url-elicitation", arguments));
    assertThat(required.code()).isEqualTo(RemoteErrorException.URL_ELICITATION_REQUIRED);
    assertThat(required.elicitations())
        .extracting(ElicitationUrl::url)
        .containsExactly(URI.create("https://modelcontextprotocol.io"));

    url = _ -> ElicitationResult.accept();
    assertThat(text("trigger-url-elicitation", arguments)).contains("https://example.com/twice");
  }

  // The life of a connection.

  @Test
  void itGoesGracefully() throws Exception {
    try (var _ = NothingLeft.check();
        var own = McpClient.open(server.spec(), Npx.OPTIONS)) {
      CloseReport report = own.closeAndReport();
      assertThat(report.outcome()).as("%s", report).isEqualTo(CloseReport.Outcome.GRACEFUL);
      assertThat(report.nothingLeft()).isTrue();
    }
  }

  @Test
  void aCloseInterruptsTheHandlerAndFailsTheCallThatCausedIt() throws Exception {
    var asked = new CountDownLatch(1);
    var interrupted = new CountDownLatch(1);
    var features =
        ClientFeatures.none()
            .withSampling(_ -> {
              asked.countDown();
              try {
                new CountDownLatch(1).await();
              } finally {
                interrupted.countDown();
              }
              throw new AssertionError("nobody counts it down");
            });
    try (var _ = NothingLeft.check();
        var warnings = new Warnings();
        var own = McpClient.open(server.spec(), Npx.OPTIONS.withFeatures(features))) {
      var caller =
          new Caller<>(() -> own.callTool("trigger-sampling-request", Map.of("prompt", "Wait!")));
      asked.await();
      CloseReport report = own.closeAndReport();
      interrupted.await();
      assertThat(caller.failure()).isInstanceOf(ConnectionClosedException.class);
      // It may be looking at the tools as well, which have changed right after the handshake.
      assertThat(report.callsFailed()).isBetween(1, 2);
      assertThat(report.nothingLeft()).as("%s", report).isTrue();
      assertThat(warnings.messages()).isEmpty(); // nothing has failed
    }
  }

  @Test
  void aKillOfTheInnerNodeProcessInMidCallFailsTheCallAtOnce() throws Exception {
    assumeTrue(way == Way.STDIO, "over HTTP it is everybody's, and has a test of its own for it");
    try (var _ = NothingLeft.check();
        var own = McpClient.open(server.spec(), Npx.OPTIONS)) {
      var running = new CountDownLatch(1);
      var caller =
          new Caller<>(() ->
              own.callTool(
                  "trigger-long-running-operation",
                  Map.of("duration", 60, "steps", 600),
                  CallOptions.defaults().withProgress(_ -> running.countDown())));
      running.await();
      innermost().destroyForcibly();
      Throwable failure = Promptly.promptly(caller::failure);
      assertThat(failure).isInstanceOf(ConnectionLostException.class);
      CloseReport report = own.closeAndReport();
      assertThat(report.nothingLeft()).as("%s", report).isTrue();
      assertThat(report.callsFailed()).isEqualTo(1);
    }
  }

  /// The youngest descendant of this JVM that has no children.
  private static ProcessHandle innermost() {
    return ProcessHandle.current()
        .descendants()
        .filter(process -> process.children().findAny().isEmpty())
        .max(Comparator.comparing(process -> process.info().startInstant().orElseThrow()))
        .orElseThrow();
  }
}
