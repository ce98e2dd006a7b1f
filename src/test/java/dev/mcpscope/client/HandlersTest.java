package dev.mcpscope.client;

import static dev.mcpscope.client.Promptly.failure;
import static dev.mcpscope.client.Promptly.promptly;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.ScriptedServer;
import dev.mcpscope.ScriptedServer.Fault;
import dev.mcpscope.client.ClientFeatures.SamplingOption;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.transport.CloseReport;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What a server asks of its client, and what it is answered.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class HandlersTest {
  private static final ClientOptions DEFAULTS = ClientOptions.defaults();
  private static final ClientFeatures NONE = ClientFeatures.none();

  private static final String HELLO =
      "{'messages':[{'role':'user','content':{'type':'text','text':'hello'}}],'maxTokens':10}";
  private static final String FORM =
      "{'message':'Who are you?','requestedSchema':{'type':'object','properties':{"
          + "'name':{'type':'string'},'age':{'type':'integer','default':30}},'required':['name']}}";
  private static final String URL =
      "{'mode':'url','message':'Please','url':'https://example.org/','elicitationId':'e'}";

  private static final String SAMPLE = Peer.request("'q'", "sampling/createMessage", HELLO);
  private static final String ELICIT = Peer.request("'q'", "elicitation/create", FORM);
  private static final String ELICIT_URL = Peer.request("'q'", "elicitation/create", URL);
  private static final String LIST_ROOTS = Peer.request("'q'", "roots/list", "{}");

  private static McpClient open(ClientFeatures features, Fault... faults) throws Exception {
    return open(DEFAULTS.withFeatures(features), faults);
  }

  private static McpClient open(ClientOptions options, Fault... faults) throws Exception {
    return McpClient.open(ScriptedServer.with(faults), options);
  }

  /// Returns what a client with these features answers to a request.
  private static JsonObject answer(ClientFeatures features, String request) throws Exception {
    try (var _ = NothingLeft.check();
        var client = open(features)) {
      return promptly(() -> new Peer(client).asks(request));
    }
  }

  /// Everything, answered by this.
  private static ClientFeatures everything(Callable<?> answer) {
    return NONE.withRoots(() -> cast(answer.call()))
        .withSampling(_ -> cast(answer.call()))
        .withElicitation(_ -> cast(answer.call()))
        .withElicitationUrl(_ -> cast(answer.call()));
  }

  @SuppressWarnings("unchecked")
  private static <T> T cast(Object answer) {
    return (T) answer;
  }

  private static JsonObject result(String result) {
    return Json.object("{'jsonrpc':'2.0','id':'q','result':" + result + "}");
  }

  private static void assertError(JsonObject answer, int code, String message) throws Exception {
    assertThat(answer.get("id")).isEqualTo(new JsonString("q"));
    assertThat(answer.has("result")).isFalse();
    assertThat(answer.object("error").integer("code")).isEqualTo(code);
    assertThat(answer.object("error").string("message")).contains(message);
  }

  // What is declared.

  static Stream<Arguments> declared() {
    return Stream.of(
        Arguments.of(NONE.withListener(_ -> {}), "{}"),
        Arguments.of(NONE.withElicitationUrl(_ -> null), "{'elicitation':{'url':{}}}"),
        Arguments.of(
            everything(() -> null),
            "{'roots':{'listChanged':true},'sampling':{},'elicitation':{'form':{},'url':{}}}"));
  }

  @ParameterizedTest
  @MethodSource("declared")
  void whatIsGivenIsDeclaredInTheHandshakeAndNothingElse(ClientFeatures features, String declared)
      throws Exception {
    try (var _ = NothingLeft.check();
        var client = open(features)) {
      assertThat(
              new Peer(client).heard("initialize").getFirst().object("params").get("capabilities"))
          .isEqualTo(Json.object(declared));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"roots/list", "sampling/createMessage", "elicitation/create", "x/y"})
  void whatIsNotGivenIsNoMethodOfTheClients(String method) throws Exception {
    assertError(
        answer(NONE, Peer.request("'q'", method, "{}")),
        -32601,
        "this client does not serve " + method);
  }

  @Test
  void aMethodThatIsNotServedIsNotRepeatedInFullNorWithItsControlCharacters() throws Exception {
    JsonObject answer = answer(NONE, Peer.request("'q'", "a\\n\\u001b" + "x".repeat(10_000), "{}"));
    assertThat(answer.object("error").string("message")).hasSizeLessThan(200).contains("a??xxx");
  }

  // What is answered.

  @Test
  void rootsAreAnsweredAsTheHandlerGivesThemAtThatMoment() throws Exception {
    var roots = new ArrayList<Root>();
    try (var _ = NothingLeft.check();
        var client = open(NONE.withRoots(() -> roots))) {
      var peer = new Peer(client);
      assertThat(peer.asks(LIST_ROOTS)).isEqualTo(result("{'roots':[]}"));
      roots.add(new Root(URI.create("file:///home"), Optional.of("Home")));
      roots.add(new Root(URI.create("file:///tmp/a%20b"), Optional.empty()));
      assertThat(peer.asks(LIST_ROOTS))
          .isEqualTo(
              result(
                  "{'roots':[{'uri':'file:///home','name':'Home'},{'uri':'file:///tmp/a%20b'}]}"));
    }
  }

  @Test
  void aModelIsAskedAndItsAnswerIsSent() throws Exception {
    var asked = new AtomicReference<SamplingRequest>();
    JsonObject answer =
        answer(
            NONE.withSampling(request -> {
              asked.set(request);
              return SamplingResult.text("model-1", "hi");
            }),
            SAMPLE);
    assertThat(answer)
        .isEqualTo(
            result(
                "{'role':'assistant','content':{'type':'text','text':'hi'},'model':'model-1',"
                    + "'stopReason':'endTurn'}"));
    assertThat(asked.get().messages().getFirst().text()).isEqualTo("hello");
    assertThat(asked.get().json()).isEqualTo(Json.object(HELLO));
    assertThat(asked.get().server()).startsWith("stdio server ");
  }

  @Test
  void aRequestWithToolsIsAnsweredByTheirUseIfThatWasDeclared() throws Exception {
    String use = "{'type':'tool_use','id':'1','name':'weather','input':{}}";
    var blocks = List.of(Json.object("{'type':'text','text':'wait'}"), Json.object(use));
    JsonObject answer =
        answer(
            NONE.withSampling(
                _ -> new SamplingResult("m", blocks, Optional.of("toolUse")), SamplingOption.TOOLS),
            Peer.request(
                "'q'",
                "sampling/createMessage",
                "{'messages':[],'maxTokens':1,'tools':[],'toolChoice':{'mode':'auto'}}"));
    assertThat(answer.object("result").get("content"))
        .isEqualTo(Json.value("[{'type':'text','text':'wait'}," + use + "]"));
  }

  /// No task was declared, so it is "processed normally".
  @Test
  void aRequestThatMayBeATaskIsAnsweredAsAnyOther() throws Exception {
    JsonObject answer =
        answer(
            NONE.withSampling(_ -> SamplingResult.text("m", "hi")),
            SAMPLE.replace("'maxTokens'", "'task':{'ttl':60000},'maxTokens'"));
    assertThat(answer.object("result").string("model")).isEqualTo("m");
    assertThat(answer.object("result").has("task")).isFalse();
  }

  static Stream<Arguments> formsAnswered() {
    return Stream.of(
        Arguments.of(
            ElicitationResult.accept(Map.of("name", "Ann")),
            "{'action':'accept','content':{'name':'Ann','age':30}}"),
        Arguments.of(
            new ElicitationResult.Accepted(JsonObject.of("age", 7, "name", "")),
            "{'action':'accept','content':{'name':'','age':7}}"),
        Arguments.of(ElicitationResult.decline(), "{'action':'decline'}"),
        Arguments.of(ElicitationResult.cancel(), "{'action':'cancel'}"));
  }

  @ParameterizedTest
  @MethodSource("formsAnswered")
  void aFormIsAnsweredAndContentIsSentOnlyWhenItIsAccepted(ElicitationResult said, String sent)
      throws Exception {
    assertThat(answer(NONE.withElicitation(_ -> said), ELICIT)).isEqualTo(result(sent));
  }

  @Test
  void aFormIsShownWithWhoAsksAndItsFields() throws Exception {
    var asked = new AtomicReference<ElicitationForm>();
    answer(
        NONE.withElicitation(form -> {
          asked.set(form);
          return ElicitationResult.decline();
        }),
        Peer.request(
            "'q'", "elicitation/create", FORM.replace("{'message'", "{'mode':'form','message'")));
    assertThat(asked.get().server()).startsWith("stdio server ");
    assertThat(asked.get().message()).isEqualTo("Who are you?");
    assertThat(asked.get().fields()).extracting(FormField::name).containsExactly("name", "age");
  }

  static Stream<Arguments> urlsAnswered() {
    return Stream.of(
        Arguments.of(ElicitationResult.accept(), "{'action':'accept'}"),
        Arguments.of(ElicitationResult.accept(Map.of("a", 1)), "{'action':'accept'}"),
        Arguments.of(ElicitationResult.decline(), "{'action':'decline'}"),
        Arguments.of(ElicitationResult.cancel(), "{'action':'cancel'}"));
  }

  @ParameterizedTest
  @MethodSource("urlsAnswered")
  void aUrlIsAnsweredNeverWithContent(ElicitationResult said, String sent) throws Exception {
    assertThat(answer(NONE.withElicitationUrl(_ -> said), ELICIT_URL)).isEqualTo(result(sent));
  }

  @Test
  void anAnswerHasTheServersIdAsItWasWritten() throws Exception {
    try (var _ = NothingLeft.check();
        var client = open(NONE.withRoots(List::of))) {
      for (String id : List.of("7", "'7'", "7.0", "-1", "9007199254740993", "''", "'ü'")) {
        assertThat(promptly(() -> new Peer(client).asks(Peer.request(id, "roots/list", "{}"))))
            .hasToString(
                Json.object("{'jsonrpc':'2.0','id':" + id + ",'result':{'roots':[]}}").toString());
      }
    }
  }

  @Test
  void requestsAreAnsweredInTheOrderInWhichTheirHandlersAreDone() throws Exception {
    var first = new CountDownLatch(1);
    var started = new CountDownLatch(1);
    try (var _ = NothingLeft.check();
        var client =
            open(
                NONE.withSampling(
                        _ -> {
                          started.countDown();
                          first.await();
                          return SamplingResult.text("m", "slow");
                        })
                    .withRoots(List::of))) {
      var peer = new Peer(client);
      Caller<JsonObject> slow = peer.asking(SAMPLE);
      started.await();
      assertThat(promptly(() -> peer.asks(Peer.request("2", "roots/list", "{}"))).has("result"))
          .isTrue();
      assertThat(promptly(() -> peer.asks(Peer.request("3", "ping", "{}"))).has("result")).isTrue();
      first.countDown();
      assertThat(slow.result().has("result")).isTrue();
    }
  }

  // What is refused.

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {'mode':'url','message':'m','elicitationId':'e'}        | "url" is missing
          {'mode':'url','message':'m','url':'javascript:alert(1)','elicitationId':'e'} | an http or https
          {'mode':'video','message':'m'}                          | has not declared elicitation by video
          {'mode':7,'message':'m'}                                | "mode" is a number
          {}                                                      | "requestedSchema" is missing
          {'message':'m'}                                         | "requestedSchema" is missing
          {'message':'m','requestedSchema':{'type':'object','properties':{'a':{'type':'object'}}}} | no form has
          {'message':'m','requestedSchema':{'type':'object'}}     | "properties" is missing
          """)
  void anElicitationThatIsNoneIsRefused(String params, String said) throws Exception {
    assertError(
        answer(
            everything(() -> ElicitationResult.accept()),
            Peer.request("'q'", "elicitation/create", params)),
        -32602,
        said);
  }

  @Test
  void aModeThatWasNotDeclaredIsRefused() throws Exception {
    ClientFeatures form = NONE.withElicitation(_ -> ElicitationResult.accept());
    ClientFeatures url = NONE.withElicitationUrl(_ -> ElicitationResult.accept());
    assertError(answer(form, ELICIT_URL), -32602, "has not declared elicitation by url");
    assertError(answer(url, ELICIT), -32602, "has not declared elicitation by form");
    assertError(
        answer(
            url,
            Peer.request("'q'", "elicitation/create", FORM.replace("{'me", "{'mode':'form','me"))),
        -32602,
        "has not declared elicitation by form");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {}                                                 | "messages" is missing
          {'messages':[]}                                    | "maxTokens" is missing
          {'messages':[],'maxTokens':1,'tools':[]}           | has not declared sampling.tools
          {'messages':[],'maxTokens':1,'tools':null}         | has not declared sampling.tools
          {'messages':[],'maxTokens':1,'toolChoice':{}}      | has not declared sampling.tools
          {'messages':[{'role':'user','content':{'type':'tool_result','toolUseId':'1'}}],'maxTokens':1} | uses and results of tools do not match
          """)
  void aSamplingThatIsNoneIsRefused(String params, String said) throws Exception {
    assertError(
        answer(
            NONE.withSampling(_ -> SamplingResult.text("m", ""), SamplingOption.CONTEXT),
            Peer.request("'q'", "sampling/createMessage", params)),
        -32602,
        said);
  }

  @ParameterizedTest
  @ValueSource(strings = {"roots/list", "sampling/createMessage", "elicitation/create"})
  void aRefusalIsToldByItsCodeAndMessage(String method) throws Exception {
    String params = method.startsWith("e") ? FORM : HELLO;
    ClientFeatures refusing =
        everything(() -> {
          throw new RequestRefusedException(RequestRefusedException.USER_REJECTED, "User said no");
        });
    assertError(answer(refusing, Peer.request("'q'", method, params)), -1, "User said no");
  }

  @Test
  void aRefusalMayHaveAnyCode() throws Exception {
    ClientFeatures refusing =
        NONE.withRoots(() -> {
          throw new RequestRefusedException(4711, "");
        });
    assertError(answer(refusing, LIST_ROOTS), 4711, "");
  }

  @Test
  void aMessageThatIsNoRequestIsRefusedByItsId() throws Exception {
    try (var _ = NothingLeft.check();
        var client = open(NONE)) {
      for (String wrong :
          List.of(
              "{'jsonrpc':'1.0','id':'q','method':'ping'}",
              "{'id':'q','method':'ping'}",
              "{'jsonrpc':'2.0','id':'q','method':7}",
              "{'jsonrpc':'2.0','id':'q','method':'ping','params':[]}",
              "{'jsonrpc':'2.0','id':'q','method':'ping','params':'a'}",
              "{'jsonrpc':'2.0','id':'q','method':'ping','result':{}}")) {
        assertError(promptly(() -> new Peer(client).asks(wrong)), -32600, "");
      }
    }
  }

  @Test
  void aMessageThatIsNoRequestAndHasNoIdIsNotAnswered() throws Exception {
    try (var _ = NothingLeft.check();
        var client = open(NONE)) {
      var peer = new Peer(client);
      peer.says(
          "{'jsonrpc':'2.0','id':null,'method':'ping'}",
          "{'jsonrpc':'2.0','id':{},'method':'ping'}",
          "{'jsonrpc':'2.0','id':[1],'method':'x'}",
          "{'jsonrpc':'2.0','method':'ping'}",
          "{'jsonrpc':'1.0','method':'ping'}");
      peer.asks(Peer.request("'q'", "ping", "{}"));
      assertThat(responses(peer)).containsExactly(result("{}"));
    }
  }

  private static List<JsonObject> responses(Peer peer) throws Exception {
    return peer.heard().stream().filter(message -> !message.has("method")).toList();
  }

  // Handlers that fail.

  static List<Throwable> thrown() {
    return List.of(
        new IllegalStateException("a secret"),
        new IOException("a secret"),
        new JsonException("a secret"),
        new InterruptedException("a secret"),
        new AssertionError("a secret"),
        new StackOverflowError("a secret"));
  }

  @ParameterizedTest
  @MethodSource("thrown")
  void whatAHandlerThrowsIsLoggedAndNoWordOfItIsSent(Throwable thrown) throws Exception {
    ClientFeatures failing =
        everything(() -> {
          switch (thrown) {
            case Error e -> throw e;
            default -> throw (Exception) thrown;
          }
        });
    try (var _ = NothingLeft.check();
        var client = open(failing)) {
      for (String request : List.of(LIST_ROOTS, SAMPLE, ELICIT, ELICIT_URL)) {
        try (var logged = Logged.under("dev.mcpscope.client")) {
          JsonObject answer = promptly(() -> new Peer(client).asks(request));
          assertError(answer, -32603, "");
          assertThat(answer.object("error").string("message"))
              .isEqualTo("the client's handler has failed");
          logged.await(record ->
              record.getThrown() == thrown
                  || record.getThrown() != null && record.getThrown().getCause() == thrown);
        }
      }
    }
  }

  static Stream<Arguments> noAnswers() {
    return Stream.of(
        Arguments.of(LIST_ROOTS, null),
        Arguments.of(LIST_ROOTS, Arrays.asList((Root) null)),
        Arguments.of(LIST_ROOTS, List.of("file:///")),
        Arguments.of(SAMPLE, null),
        Arguments.of(ELICIT, null),
        Arguments.of(ELICIT, ElicitationResult.accept()),
        Arguments.of(ELICIT, ElicitationResult.accept(Map.of("name", 7))),
        Arguments.of(ELICIT, ElicitationResult.accept(Map.of("name", "a", "b", "secret"))),
        Arguments.of(ELICIT, new ElicitationResult.Accepted(null)),
        Arguments.of(ELICIT_URL, null));
  }

  @ParameterizedTest
  @MethodSource("noAnswers")
  void anAnswerThatIsNoneIsLoggedAndIsAnErrorOfTheClients(String request, Object answer)
      throws Exception {
    try (var logged = Logged.under("dev.mcpscope.client")) {
      JsonObject error = answer(everything(() -> answer), request);
      assertError(error, -32603, "");
      assertThat(error.object("error").string("message"))
          .isEqualTo("the client's handler has failed");
      assertThat(logged.await("a handler failed").getThrown()).isNotNull();
    }
  }

  @Test
  void aHandlerThatHangsIsAnsweredForWhenItsTimeIsOverAndInterrupted() throws Exception {
    var interrupted = new CountDownLatch(1);
    ClientFeatures hanging =
        NONE.withSampling(_ -> {
          try {
            new CountDownLatch(1).await();
          } catch (InterruptedException e) {
            interrupted.countDown();
          }
          return SamplingResult.text("m", "too late");
        });
    try (var _ = NothingLeft.check();
        var client =
            open(
                DEFAULTS
                    .withFeatures(hanging)
                    .withHandlerTimeout(Duration.ofMillis(300), Duration.ofSeconds(1)))) {
      var peer = new Peer(client);
      assertError(promptly(() -> peer.asks(SAMPLE)), -32603, "not answered within 300 ms");
      interrupted.await();
      assertThat(client.closeAndReport().abandoned()).isEmpty();
    }
  }

  @Test
  void o10_aHandlerThatIgnoresItsInterruptIsAnsweredForAndNamedInTheReport() throws Exception {
    try (var _ = NothingLeft.check();
        var _ = Logged.under("dev.mcpscope.client");
        var stubborn = new Stubborn();
        var client =
            open(
                DEFAULTS
                    .withFeatures(NONE.withSampling(_ -> stubborn.call()))
                    .withHandlerTimeout(Duration.ofMillis(100), Duration.ofSeconds(1)))) {
      var peer = new Peer(client);
      assertError(promptly(() -> peer.asks(SAMPLE)), -32603, "not answered within 100 ms");
      CloseReport report = promptly(client::closeAndReport);
      assertThat(report.abandoned())
          .singleElement()
          .asString()
          .endsWith(" handlers sampling/createMessage \"q\"");
      assertThat(report.outcome()).isEqualTo(CloseReport.Outcome.GRACEFUL);
    }
  }

  @Test
  void o10_aHandlerThatIsAtWorkWhenTheConnectionClosesIsInterrupted() throws Exception {
    var started = new CountDownLatch(2);
    var interrupted = new CountDownLatch(1);
    try (var _ = NothingLeft.check();
        var logged = Logged.under("dev.mcpscope.client");
        var stubborn = new Stubborn();
        var client =
            open(
                NONE.withSampling(
                        _ -> {
                          started.countDown();
                          return stubborn.call();
                        })
                    .withRoots(() -> {
                      started.countDown();
                      try {
                        new CountDownLatch(1).await();
                      } finally {
                        interrupted.countDown();
                      }
                      return List.of();
                    }))) {
      new Peer(client).says(SAMPLE, Peer.request("2", "roots/list", "{}"));
      started.await();
      CloseReport report = promptly(client::closeAndReport);
      interrupted.await();
      assertThat(report.abandoned())
          .singleElement()
          .asString()
          .endsWith(" handlers sampling/createMessage \"q\"");
      assertThat(logged.texts()).noneMatch(text -> text.contains("a handler failed"));
    }
  }

  // Cancellation by the server.

  private static String cancelled(String params) {
    return Peer.notification("cancelled", params);
  }

  @Test
  void aRequestThatTheServerCancelsIsInterruptedAndNotAnswered() throws Exception {
    var started = new CountDownLatch(1);
    var interrupted = new CountDownLatch(1);
    ClientFeatures slow =
        NONE.withSampling(_ -> {
          started.countDown();
          try {
            new CountDownLatch(1).await();
          } catch (InterruptedException e) {
            interrupted.countDown();
          }
          return SamplingResult.text("m", "too late");
        });
    try (var _ = NothingLeft.check();
        var client = open(slow)) {
      var peer = new Peer(client);
      peer.says(SAMPLE);
      started.await();
      peer.says(cancelled("{'requestId':'q','reason':'no need'}"));
      interrupted.await();
      peer.asks(Peer.request("'after'", "ping", "{}"));
      assertThat(responses(peer))
          .extracting(r -> r.get("id"))
          .containsExactly(new JsonString("after"));
      assertThat(client.closeAndReport().abandoned()).isEmpty();
    }
  }

  @Test
  void aRequestThatIsCancelledByTheNextMessageIsNotAnsweredAndKeepsNoHandler() throws Exception {
    var inside = new AtomicInteger();
    ClientFeatures slow =
        NONE.withSampling(_ -> {
          inside.incrementAndGet();
          try {
            new CountDownLatch(1).await();
          } finally {
            inside.decrementAndGet();
          }
          return null;
        });
    try (var _ = NothingLeft.check();
        var client = open(slow)) {
      var peer = new Peer(client);
      for (int i = 0; i < 50; i++) {
        peer.says(
            Peer.request("" + i, "sampling/createMessage", HELLO),
            cancelled("{'requestId':" + i + "}"));
      }
      peer.asks(Peer.request("'after'", "ping", "{}"));
      while (inside.get() > 0 && !Thread.currentThread().isInterrupted()) {
        Thread.onSpinWait();
      }
      assertThat(inside).hasValue(0);
      assertThat(responses(peer))
          .extracting(r -> r.get("id"))
          .containsExactly(new JsonString("after"));
    }
  }

  @Test
  void aCancellationOfSomethingElseIsIgnored() throws Exception {
    var started = new CountDownLatch(1);
    var release = new CountDownLatch(1);
    try (var _ = NothingLeft.check();
        var client =
            open(
                NONE.withSampling(_ -> {
                  started.countDown();
                  release.await();
                  return SamplingResult.text("m", "done");
                }))) {
      var peer = new Peer(client);
      Caller<JsonObject> asking = peer.asking(Peer.request("'7'", "sampling/createMessage", HELLO));
      started.await();
      peer.says(
          cancelled("{'requestId':7}"),
          cancelled("{'requestId':'8'}"),
          cancelled("{'requestId':null}"),
          cancelled("{'requestId':{}}"),
          cancelled("{'requestId':['7']}"),
          cancelled("{}"),
          "{'jsonrpc':'2.0','method':'notifications/cancelled'}");
      release.countDown();
      assertThat(asking.result().has("result")).isTrue();
    }
  }

  @Test
  void aCancellationThatComesTooLateHarmsNoLaterRequestOfThatId() throws Exception {
    try (var _ = NothingLeft.check();
        var client = open(NONE.withRoots(List::of))) {
      var peer = new Peer(client);
      for (int i = 0; i < 20; i++) {
        assertThat(promptly(() -> peer.asks(LIST_ROOTS))).isEqualTo(result("{'roots':[]}"));
        peer.says(cancelled("{'requestId':'q'}"));
      }
    }
  }

  // Handlers and the client itself.

  @Test
  void aHandlerMayCallTheClient() throws Exception {
    var itself = new CompletableFuture<McpClient>();
    ClientFeatures calling =
        NONE.withSampling(request ->
            SamplingResult.text(
                "m",
                itself
                    .get()
                    .callTool("echo", Map.of("text", request.messages().getFirst().text()))
                    .text()));
    try (var _ = NothingLeft.check();
        var client = open(calling)) {
      itself.complete(client);
      assertThat(promptly(() -> new Peer(client).asks(SAMPLE)).toString()).contains("hello");
    }
  }

  @Test
  void aHandlerMayCloseTheClientAndIsNotLeftBehind() throws Exception {
    var itself = new CompletableFuture<McpClient>();
    var returned = new CompletableFuture<Optional<CloseReport>>();
    ClientFeatures closing =
        NONE.withSampling(_ -> {
          returned.complete(Optional.ofNullable(itself.get().closeAndReport()));
          return SamplingResult.text("m", "");
        });
    try (var _ = NothingLeft.check();
        var client = open(closing)) {
      itself.complete(client);
      assertThat(
              failure(ConnectionClosedException.class, () -> new Peer(client).asks(SAMPLE))
                  .reason())
          .isEqualTo(CloseReason.CLOSED);
      assertThat(returned.get()).isEmpty();
      CloseReport report = promptly(client::closeAndReport);
      assertThat(report.abandoned()).isEmpty();
      assertThat(report.failures()).isEmpty();
    }
  }

  // Calls that are slow while the server waits for us.

  private static ClientFeatures takes(Duration time) {
    return NONE.withSampling(_ -> {
      new CountDownLatch(1).await(time.toMillis(), TimeUnit.MILLISECONDS);
      return SamplingResult.text("m", "after all");
    });
  }

  @Test
  void aCallIsNotOutOfTimeWhileAHandlerIsAtWork() throws Exception {
    try (var _ = NothingLeft.check();
        var client = open(takes(Duration.ofMillis(2_000)))) {
      McpClient impatient =
          client.with(CallOptions.defaults().withTimeout(Duration.ofMillis(1_000)));
      assertThat(new Peer(impatient).asks(SAMPLE).toString()).contains("after all");
      assertThat(failure(CallTimeoutException.class, () -> impatient.callTool("never", Map.of())))
          .hasMessageContaining("1000 ms");
    }
  }

  @Test
  void theMaximumOfACallHoldsThoughAHandlerIsAtWork() throws Exception {
    ClientOptions options =
        DEFAULTS
            .withFeatures(takes(Duration.ofMinutes(1)))
            .withCallTimeout(Duration.ofMillis(1_000), Duration.ofMillis(1_500));
    try (var _ = NothingLeft.check();
        var client = open(options)) {
      long started = System.nanoTime();
      assertThat(failure(CallTimeoutException.class, () -> new Peer(client).asks(SAMPLE)))
          .hasMessageContaining("1500 ms");
      assertThat(Duration.ofNanos(System.nanoTime() - started))
          .isGreaterThan(Duration.ofMillis(1_499));
    }
  }

  @Test
  void anAnsweredCallIsNotCancelledWhenItsListenerThrows() throws Exception {
    try (var _ = NothingLeft.check();
        var client = open(NONE, new Fault.FloodsProgress(1))) {
      var thrown = new IllegalStateException("of the listener");
      assertThatThrownBy(() ->
              client.callTool(
                  "echo",
                  Map.of("text", ""),
                  CallOptions.defaults()
                      .withProgress(_ -> {
                        pinged(client); // answered after the call is
                        throw thrown;
                      })))
          .isSameAs(thrown);
      assertThat(new Peer(client).heard("notifications/cancelled")).isEmpty();
    }
  }

  private static void pinged(McpClient client) {
    try {
      client.ping();
    } catch (McpException | InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
