package dev.mcpscope.client;

import static dev.mcpscope.client.Promptly.failure;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.ScriptedServer;
import dev.mcpscope.ScriptedServer.Fault;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.transport.CloseReport;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What a client asks of a server besides tools: the request as the server gets it, and the result
/// as the caller gets it, with what this version has no name for.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class McpClientFeaturesTest {
  private static final Fault ALL =
      Peer.declares(
          "{'tools':{},'resources':{'subscribe':true},'prompts':{},'completions':{},'logging':{}}");

  /// Uses a client of a server with all capabilities and these answers.
  private static void with(Body body, Fault... answers) throws Exception {
    with(ClientOptions.defaults(), body, answers);
  }

  private static void with(ClientOptions options, Body body, Fault... answers) throws Exception {
    Fault[] all = Stream.concat(Stream.of(ALL), Stream.of(answers)).toArray(Fault[]::new);
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with(all), options)) {
      body.run(client);
    }
  }

  private interface Body {
    void run(McpClient client) throws Exception;
  }

  /// Returns the params of each request of this method; none are an empty object.
  private static List<JsonObject> params(McpClient client, String method) throws Exception {
    var all = new ArrayList<JsonObject>();
    for (JsonObject request : new Peer(client).heard(method)) {
      all.add(request.optionalObject("params").orElse(JsonObject.EMPTY));
    }
    return all;
  }

  // Lists.

  @Test
  void resourcesAreReadFromAllPagesInTheirOrder() throws Exception {
    String a =
        "{'uri':'file:///a','name':'a','title':'A','description':'first','mimeType':'text/plain',"
            + "'size':7,'annotations':{'priority':1},'of-the-future':[null]}";
    with(
        client -> {
          List<Resource> resources = client.resources();
          assertThat(resources).extracting(Resource::name).containsExactly("a", "b", "c");
          assertThat(resources.getFirst())
              .satisfies(resource -> {
                assertThat(resource.uri()).isEqualTo("file:///a");
                assertThat(resource.title()).contains("A");
                assertThat(resource.description()).contains("first");
                assertThat(resource.mimeType()).contains("text/plain");
                assertThat(resource.size()).hasValue(7);
                assertThat(resource.json()).isEqualTo(Json.object(a));
              });
          assertThat(resources.getLast().size()).isEmpty();
        },
        Peer.answers(
            "resources/list",
            "{'result':{'resources':[" + a + "],'nextCursor':'2'}}",
            "{'result':{'resources':[{'uri':'b:','name':'b'},{'uri':'c:','name':'c'}]}}"));
  }

  @Test
  void resourceTemplatesAreReadFromAllPagesInTheirOrder() throws Exception {
    String a =
        "{'uriTemplate':'file:///{path}','name':'a','title':'A','description':'first',"
            + "'mimeType':'text/plain','icons':[]}";
    with(
        client -> {
          List<ResourceTemplate> templates = client.resourceTemplates();
          assertThat(templates).extracting(ResourceTemplate::name).containsExactly("a", "b");
          assertThat(templates.getFirst())
              .satisfies(template -> {
                assertThat(template.uriTemplate()).isEqualTo("file:///{path}");
                assertThat(template.title()).contains("A");
                assertThat(template.description()).contains("first");
                assertThat(template.mimeType()).contains("text/plain");
                assertThat(template.json()).isEqualTo(Json.object(a));
              });
        },
        Peer.answers(
            "resources/templates/list",
            "{'result':{'resourceTemplates':[" + a + "],'nextCursor':'2'}}",
            "{'result':{'resourceTemplates':[{'uriTemplate':'b:{x}','name':'b'}]}}"));
  }

  @Test
  void promptsAreReadFromAllPagesInTheirOrder() throws Exception {
    String a =
        "{'name':'a','title':'A','description':'first','arguments':["
            + "{'name':'x','description':'which','required':true,'title':'X'},{'name':'y'}],"
            + "'_meta':{}}";
    with(
        client -> {
          List<Prompt> prompts = client.prompts();
          assertThat(prompts).extracting(Prompt::name).containsExactly("a", "b");
          assertThat(prompts.getFirst())
              .satisfies(prompt -> {
                assertThat(prompt.title()).contains("A");
                assertThat(prompt.description()).contains("first");
                assertThat(prompt.json()).isEqualTo(Json.object(a));
              });
          assertThat(prompts.getFirst().arguments())
              .extracting(Prompt.Argument::name)
              .containsExactly("x", "y");
          assertThat(prompts.getFirst().arguments().getFirst())
              .satisfies(argument -> {
                assertThat(argument.description()).contains("which");
                assertThat(argument.required()).isTrue();
                assertThat(argument.json().string("title")).isEqualTo("X");
              });
          assertThat(prompts.getFirst().arguments().getLast().required()).isFalse();
          assertThat(prompts.getLast().arguments()).isEmpty();
        },
        Peer.answers(
            "prompts/list",
            "{'result':{'prompts':[" + a + "],'nextCursor':'2'}}",
            "{'result':{'prompts':[{'name':'b'}]}}"));
  }

  /// A list, and how it is asked for.
  private record Listing(String method, String member, String element) {
    List<?> ask(McpClient client) throws Exception {
      return switch (method) {
        case "tools/list" -> client.tools();
        case "resources/list" -> client.resources();
        case "resources/templates/list" -> client.resourceTemplates();
        default -> client.prompts();
      };
    }

    /// A page with one element.
    String page(String next) {
      return "{'result':{'" + member + "':[" + element + "]" + next + "}}";
    }

    /// Faults by which it has these pages, when it is asked for; when the client is connected it has
    /// no tools.
    Fault[] pages(String... pages) {
      String noTools = "{'result':{'tools':[]}}";
      return method.equals("tools/list")
          ? new Fault[] {
            Peer.answers(
                method, Stream.concat(Stream.of(noTools), Stream.of(pages)).toArray(String[]::new))
          }
          : new Fault[] {Peer.answers("tools/list", noTools), Peer.answers(method, pages)};
    }
  }

  static Stream<Listing> lists() {
    return Stream.of(
        new Listing("tools/list", "tools", "{'name':'n'}"),
        new Listing("resources/list", "resources", "{'uri':'u','name':'n'}"),
        new Listing(
            "resources/templates/list", "resourceTemplates", "{'uriTemplate':'u','name':'n'}"),
        new Listing("prompts/list", "prompts", "{'name':'n'}"));
  }

  /// An empty cursor is a cursor, an empty page does not end a list, and null is no cursor.
  @ParameterizedTest
  @MethodSource("lists")
  void cursorsAreSentBackAsTheyCame(Listing list) throws Exception {
    String none = "{'result':{'" + list.member() + "':[]";
    String[] pages = {
      list.page(",'nextCursor':' A=/+%20ü '"),
      none + ",'nextCursor':''}}",
      list.page(",'nextCursor':'3'"),
      none + ",'nextCursor':null}}"
    };
    with(
        client -> {
          assertThat(list.ask(client)).hasSize(2);
          assertThat(params(client, list.method()).reversed().subList(0, 4).reversed())
              .containsExactly(
                  JsonObject.EMPTY,
                  JsonObject.of("cursor", " A=/+%20ü "),
                  JsonObject.of("cursor", ""),
                  JsonObject.of("cursor", "3"));
        },
        list.pages(pages));
  }

  @ParameterizedTest
  @MethodSource("lists")
  void aCursorThatComesTwiceIsAViolation(Listing list) throws Exception {
    with(
        client -> {
          assertThat(failure(ProtocolViolationException.class, () -> list.ask(client)))
              .hasMessageContaining(list.method())
              .hasMessageContaining("same cursor twice");
          client.ping();
        },
        list.pages(list.page(",'nextCursor':'x'")));
  }

  @ParameterizedTest
  @MethodSource("lists")
  void aListThatIsTooLongIsAViolation(Listing list) throws Exception {
    var limits =
        new ClientOptions.Limits(JsonLimits.defaults(), 1 << 10, 3, 2, 256, 1_024, 64 << 10);
    Fault[] pages =
        list.pages(
            list.page(",'nextCursor':'1'"),
            list.page(",'nextCursor':'2'"),
            list.page(",'nextCursor':'3'"));
    with(
        ClientOptions.defaults().withLimits(limits),
        client ->
            assertThat(failure(ProtocolViolationException.class, () -> list.ask(client)))
                .hasMessageContaining(list.method() + " gives more than 2 " + list.member()),
        pages);
  }

  @ParameterizedTest
  @MethodSource("lists")
  void aListWithAnElementThatIsNoneIsAViolation(Listing list) throws Exception {
    with(
        client -> {
          assertThat(failure(ProtocolViolationException.class, () -> list.ask(client)))
              .hasMessageContaining("the answer to " + list.method() + " is wrong");
        },
        list.pages("{'result':{'" + list.member() + "':[{}]}}"));
  }

  // Resources.

  @Test
  void aResourceIsReadByItsUri() throws Exception {
    with(
        client -> {
          assertThat(client.readResource("file:///a b?c#d"))
              .extracting(ResourceContents::json)
              .containsExactly(
                  Json.object("{'uri':'file:///a','text':'hello','_meta':{'x':1}}"),
                  Json.object("{'uri':'file:///b','blob':'AAE='}"));
          assertThat(params(client, "resources/read"))
              .containsExactly(Json.object("{'uri':'file:///a b?c#d'}"));
        },
        Peer.answers(
            "resources/read",
            "{'result':{'contents':[{'uri':'file:///a','text':'hello','_meta':{'x':1}},"
                + "{'uri':'file:///b','blob':'AAE='}]}}"));
  }

  @Test
  void aResourceThatIsNotThereIsToldByTheServersError() throws Exception {
    with(
        client -> {
          RemoteErrorException error =
              failure(RemoteErrorException.class, () -> client.readResource("file:///a"));
          assertThat(error.code()).isEqualTo(-32002);
          assertThat(error.data()).contains(Json.object("{'uri':'file:///a'}"));
          assertThat(error.elicitations()).isEmpty();
          assertThat(error)
              .hasMessageContaining("resources/read")
              .hasMessageContaining("not found");
        },
        Peer.answers(
            "resources/read",
            "{'error':{'code':-32002,'message':'not found','data':{'uri':'file:///a'}}}"));
  }

  @Test
  void aSubscriptionIsAskedForAndTakenBackByItsUri() throws Exception {
    with(
        client -> {
          client.subscribe("file:///a");
          client.unsubscribe("file:///b");
          assertThat(params(client, "resources/subscribe"))
              .containsExactly(Json.object("{'uri':'file:///a'}"));
          assertThat(params(client, "resources/unsubscribe"))
              .containsExactly(Json.object("{'uri':'file:///b'}"));
        },
        Peer.answers("resources/subscribe", "{'result':{}}"),
        Peer.answers("resources/unsubscribe", "{'result':{'_meta':{}}}"));
  }

  // Prompts and completion.

  @Test
  void aPromptIsFilledInWithItsArguments() throws Exception {
    String result =
        "{'description':'a greeting','messages':[{'role':'user','content':"
            + "{'type':'text','text':'hello','annotations':{}}},{'role':'assistant','content':"
            + "{'type':'resource','resource':{'uri':'u','text':'t'}}}],'_meta':{'x':1}}";
    with(
        client -> {
          PromptResult prompt = client.getPrompt("greet", Map.of("name", "Ann"));
          assertThat(prompt.description()).contains("a greeting");
          assertThat(prompt.messages())
              .extracting(PromptMessage::role)
              .containsExactly("user", "assistant");
          assertThat(prompt.messages())
              .extracting(PromptMessage::text)
              .containsExactly("hello", "");
          assertThat(prompt.messages().getFirst().content())
              .containsExactly(Json.object("{'type':'text','text':'hello','annotations':{}}"));
          assertThat(prompt.json()).isEqualTo(Json.object(result));
          client.getPrompt("greet", Map.of());
          assertThat(params(client, "prompts/get"))
              .containsExactly(
                  Json.object("{'name':'greet','arguments':{'name':'Ann'}}"),
                  Json.object("{'name':'greet','arguments':{}}"));
        },
        Peer.answers("prompts/get", "{'result':" + result + "}"));
  }

  @Test
  void anArgumentIsCompleted() throws Exception {
    String result =
        "{'completion':{'values':['python','pytorch'],'total':10,'hasMore':true},'_meta':{}}";
    with(
        client -> {
          Completion completion =
              client.complete(
                  new Completion.Of.Prompt("review"), "language", "py", Map.of("style", "short"));
          assertThat(completion.values()).containsExactly("python", "pytorch");
          assertThat(completion.total()).hasValue(10);
          assertThat(completion.hasMore()).isTrue();
          assertThat(completion.json()).isEqualTo(Json.object(result));

          Completion least =
              client.complete(new Completion.Of.Template("file:///{p}"), "p", "", Map.of());
          assertThat(least.values()).isEmpty();
          assertThat(least.total()).isEmpty();
          assertThat(least.hasMore()).isFalse();

          assertThat(params(client, "completion/complete"))
              .containsExactly(
                  Json.object(
                      "{'ref':{'type':'ref/prompt','name':'review'},"
                          + "'argument':{'name':'language','value':'py'},"
                          + "'context':{'arguments':{'style':'short'}}}"),
                  Json.object(
                      "{'ref':{'type':'ref/resource','uri':'file:///{p}'},"
                          + "'argument':{'name':'p','value':''}}"));
        },
        Peer.answers(
            "completion/complete",
            "{'result':" + result + "}",
            "{'result':{'completion':{'values':[]}}}"));
  }

  // Logging, roots, ping.

  @Test
  void eachLogLevelIsSetByItsWord() throws Exception {
    with(
        client -> {
          for (LogLevel level : LogLevel.values()) {
            client.setLogLevel(level);
          }
          assertThat(params(client, "logging/setLevel"))
              .extracting(params -> params.string("level"))
              .containsExactly(
                  "debug", "info", "notice", "warning", "error", "critical", "alert", "emergency");
        },
        Peer.answers("logging/setLevel", "{'result':{}}"));
  }

  @Test
  void aChangeOfTheRootsIsToldByANotification() throws Exception {
    ClientOptions options =
        ClientOptions.defaults().withFeatures(ClientFeatures.none().withRoots(List::of));
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with(), options)) {
      client.rootsChanged();
      assertThat(new Peer(client).heard("notifications/roots/list_changed"))
          .containsExactly(
              Json.object("{'jsonrpc':'2.0','method':'notifications/roots/list_changed'}"));
    }
  }

  @Test
  void withoutRootsNoChangeOfThemIsTold() throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with())) {
      assertThatThrownBy(client::rootsChanged).isInstanceOf(UnsupportedOperationException.class);
      assertThat(new Peer(client).heard("notifications/roots/list_changed")).isEmpty();
    }
  }

  @Test
  void optionsOfACallGoWithEveryRequest() throws Exception {
    try (var _ = NothingLeft.check();
        var client =
            McpClient.open(
                ScriptedServer.with(
                    ALL,
                    Peer.answers("resources/read", "{'result':{'contents':[]}}"),
                    new Fault.Silent("prompts/get")))) {
      McpClient listening =
          client.with(
              CallOptions.defaults().withTimeout(Duration.ofMillis(200)).withProgress(_ -> {}));
      listening.readResource("u");
      assertThat(params(client, "resources/read").getFirst().object("_meta").has("progressToken"))
          .isTrue();
      assertThat(failure(CallTimeoutException.class, () -> listening.getPrompt("slow", Map.of())))
          .hasMessageContaining("prompts/get slow")
          .hasMessageContaining("200 ms");
      assertThat(new Peer(client).heard("notifications/cancelled")).hasSize(1);
    }
  }

  @Test
  void aPingThatIsNotAnsweredIsOutOfTimeAndTheConnectionGoesOn() throws Exception {
    with(
        client -> {
          McpClient impatient =
              client.with(CallOptions.defaults().withTimeout(Duration.ofMillis(200)));
          assertThat(failure(CallTimeoutException.class, impatient::ping))
              .hasMessageContaining("ping")
              .hasMessageContaining(" 200 ms");
          assertThat(params(client, "notifications/cancelled")).hasSize(1);
        },
        new Fault.Silent("ping"));
  }

  // Results that are none.

  private interface Call {
    void ask(McpClient client) throws Exception;
  }

  static Stream<Arguments> wrongResults() {
    Call read = client -> client.readResource("u");
    Call prompt = client -> client.getPrompt("p", Map.of());
    Call complete = client -> client.complete(new Completion.Of.Prompt("p"), "a", "", Map.of());
    return Stream.of(
        Arguments.of("resources/read", read, "{}"),
        Arguments.of("resources/read", read, "{'contents':[{'uri':'u','blob':'?'}]}"),
        Arguments.of("prompts/get", prompt, "{}"),
        Arguments.of("prompts/get", prompt, "{'messages':[{'role':'user','content':'text'}]}"),
        Arguments.of("completion/complete", complete, "{'values':[]}"),
        Arguments.of("completion/complete", complete, "{'completion':{'values':[1]}}"));
  }

  @ParameterizedTest
  @MethodSource("wrongResults")
  void aResultThatIsNoneIsAViolationAndTheConnectionGoesOn(String method, Call call, String result)
      throws Exception {
    with(
        client -> {
          assertThat(failure(ProtocolViolationException.class, () -> call.ask(client)))
              .hasMessageContaining("the answer to " + method + " is wrong: ");
          client.ping();
        },
        Peer.answers(method, "{'result':" + result + "}"));
  }

  // Nothing is asked that the server has not declared.

  static Stream<Arguments> undeclared() {
    return Stream.of(
        Arguments.of("{}", "tools", (Call) client -> client.callTool("t", Map.of())),
        Arguments.of("{}", "resources", (Call) client -> client.readResource("u")),
        Arguments.of("{}", "resources", (Call) client -> client.subscribe("u")),
        Arguments.of("{}", "resources", (Call) client -> client.unsubscribe("u")),
        Arguments.of(
            "{'resources':{}}", "resources.subscribe", (Call) client -> client.subscribe("u")),
        Arguments.of(
            "{'resources':{}}", "resources.subscribe", (Call) client -> client.unsubscribe("u")),
        Arguments.of(
            "{'resources':{'subscribe':false}}",
            "resources.subscribe",
            (Call) client -> client.subscribe("u")),
        Arguments.of(
            "{'resources':{'subscribe':'true'}}",
            "resources.subscribe",
            (Call) client -> client.subscribe("u")),
        Arguments.of("{}", "prompts", (Call) client -> client.getPrompt("p", Map.of())),
        Arguments.of("{'prompts':null}", "prompts", (Call) c -> c.getPrompt("p", Map.of())),
        Arguments.of(
            "{'prompts':{},'resources':{}}",
            "completions",
            (Call) c -> c.complete(new Completion.Of.Prompt("p"), "a", "", Map.of())),
        Arguments.of("{}", "logging", (Call) client -> client.setLogLevel(LogLevel.INFO)));
  }

  @ParameterizedTest
  @MethodSource("undeclared")
  void whatIsNotDeclaredIsRefusedAndNothingIsSent(String capabilities, String missing, Call call)
      throws Exception {
    try (var _ = NothingLeft.check();
        var client =
            McpClient.open(
                ScriptedServer.with(Peer.declares(capabilities), Fault.Quirk.TELLS_STDERR))) {
      assertThatThrownBy(() -> call.ask(client))
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageEndingWith("has not declared " + missing);
      client.ping();
      assertOnlyTheHandshakeAndAPing(client.closeAndReport());
    }
  }

  @ParameterizedTest
  @MethodSource("lists")
  void aListThatIsNotDeclaredIsEmptyAndNothingIsSent(Listing list) throws Exception {
    try (var _ = NothingLeft.check();
        var client =
            McpClient.open(ScriptedServer.with(Peer.declares("{}"), Fault.Quirk.TELLS_STDERR))) {
      assertThat(list.ask(client)).isEmpty();
      client.ping();
      assertOnlyTheHandshakeAndAPing(client.closeAndReport());
    }
  }

  private static void assertOnlyTheHandshakeAndAPing(CloseReport report) {
    assertThat(Peer.heard(report))
        .extracting(message -> Peer.word(message, "method"))
        .containsExactly("server/discover", "initialize", "notifications/initialized", "ping");
  }

  /// That revision has completion and no capability for it.
  @Test
  void aServerOf2024CompletesWithoutDeclaringIt() throws Exception {
    try (var _ = NothingLeft.check();
        var client =
            McpClient.open(
                ScriptedServer.with(
                    new Fault.Speaks("2024-11-05"),
                    Peer.answers(
                        "completion/complete", "{'result':{'completion':{'values':['a']}}}")))) {
      assertThat(client.complete(new Completion.Of.Prompt("p"), "a", "", Map.of()).values())
          .containsExactly("a");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"2025-03-26", "2025-06-18", "2025-11-25"})
  void aServerOfALaterRevisionDoesNot(String revision) throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with(new Fault.Speaks(revision)))) {
      assertThatThrownBy(() -> client.complete(new Completion.Of.Prompt("p"), "a", "", Map.of()))
          .isInstanceOf(UnsupportedOperationException.class);
    }
  }
}
