package dev.mcpscope.demo;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DemoServerModernTest extends RunningDemoServer {
  private static final JsonObject ASK = Modern.call(1, "ask", "question", "Which colour?");

  @Test
  void discoverTellsWhatTheServerSpeaksAndCan() throws Exception {
    JsonObject result = result(request(Modern.request(1, "server/discover")));
    assertThat(result.optionalStrings("supportedVersions"))
        .containsExactly("2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05");
    assertThat(result.get("capabilities"))
        .isEqualTo(
            json(
                "{'tools':{},'resources':{'subscribe':true,'listChanged':true},'prompts':{},"
                    + "'completions':{},'logging':{}}"));
    assertThat(result.string("instructions")).contains("slow");
    assertThat(result.object("_meta").object(Modern.SERVER_INFO).string("name"))
        .isEqualTo("mcp-scope-demo");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "server/discover          | {}                                | 3600000",
        "tools/list               | {}                                | 3600000",
        "tools/list               | {'cursor':'page-2'}               | 3600000",
        "prompts/list             | {}                                | 3600000",
        "resources/templates/list | {}                                | 3600000",
        "resources/list           | {}                                | 0",
        "resources/read           | {'uri':'demo://notes'}            | 0",
        "prompts/get              | {'name':'greet','arguments':{'name':'Ada'}} | -1",
        "completion/complete      | {'ref':{'type':'ref/prompt','name':'greet'},"
            + "'argument':{'name':'tone','value':''}} | -1",
        "tools/call               | {'name':'add','arguments':{'a':1,'b':2}} | -1",
        "tools/call               | {'name':'add'} | -1",
      })
  void everyResultIsCompleteAndNamesTheServerAndSomeMayBeKept(
      String method, String params, long ttlMs) throws Exception {
    JsonObject result = result(request(Modern.request(1, method, json(params))));
    assertThat(result.string("resultType")).isEqualTo("complete");
    assertThat(result.object("_meta").object(Modern.SERVER_INFO).string("version")).isEqualTo("1");
    if (ttlMs >= 0) {
      assertThat(result.integer("ttlMs")).isEqualTo(ttlMs);
      assertThat(result.string("cacheScope")).isEqualTo("public");
    } else {
      assertThat(result.has("ttlMs") || result.has("cacheScope")).isFalse();
    }
  }

  @Test
  void bothErasAreServedTogetherAndNothingGoesFromOneToTheOther() throws Exception {
    request(Modern.request(1, "server/discover"));
    JsonObject agreed = JsonObject.of("protocolVersion", "2025-11-25");
    assertThat(result(request(2, "initialize", agreed)).string("protocolVersion"))
        .isEqualTo("2025-11-25");
    request(3, "logging/setLevel", JsonObject.of("level", "debug"));
    assertThat(text(result(request(Modern.call(4, "echo", "message", "a"))))).isEqualTo("a");
    assertThat(logged).isEmpty();
    JsonObject legacy = result(call(5, "echo", "message", "b"));
    assertThat(legacy.members().keySet()).containsExactly("content");
    assertThat(logged).hasSize(1);
    assertThat(result(call(6, "ask", "question", "?")).bool("isError")).isTrue();
    assertThat(result(request(ASK)).string("resultType")).isEqualTo("input_required");
    assertThat(result(call(7, "ask", "question", "?")).bool("isError")).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "roots/list",
        ""
      })
  void whatTheEraDoesNotHaveIsUnknown(String method) throws Exception {
    JsonObject params =
        json("{'level':'debug','uri':'demo://notes','protocolVersion':'2025-11-25'}");
    assertThat(error(request(Modern.request(1, method, params)))).isEqualTo(-32601);
  }

  @ParameterizedTest
  @ValueSource(strings = {"server/discover", "subscriptions/listen"})
  void whatOnlyTheEraHasIsUnknownToTheOther(String method) throws Exception {
    JsonObject params = json("{'notifications':{},'_meta':{'progressToken':1}}");
    assertThat(error(request(1, method, params))).isEqualTo(-32601);
  }

  @ParameterizedTest
  @ValueSource(strings = {"server/discover", "tools/call", "nosuch"})
  void aRequestMustTellWhatItsClientCan(String method) throws Exception {
    JsonObject request = Modern.request(1, method, json("{'name':'echo'}"));
    assertThat(error(request(Modern.without(request, Modern.CAPABILITIES)))).isEqualTo(-32602);
    assertThat(error(request(Modern.with(request, Modern.CAPABILITIES, JsonNull.INSTANCE))))
        .isEqualTo(-32602);
    JsonObject wrong = JsonObject.of("elicitation", 5);
    assertThat(error(request(Modern.with(request, Modern.CAPABILITIES, wrong)))).isEqualTo(-32602);
  }

  @ParameterizedTest
  @ValueSource(strings = {"1900-01-01", "2027-01-01", "2025-11-25", ""})
  void anotherRevisionIsRefusedBeforeAnythingElse(String revision) throws Exception {
    JsonObject request =
        Modern.request(
            1, "nosuch", JsonObject.of("_meta", JsonObject.of(Modern.VERSION, revision)));
    JsonObject answer = request(request);
    assertThat(error(answer)).isEqualTo(-32022);
    JsonObject data = answer.object("error").object("data");
    assertThat(data.string("requested")).isEqualTo(revision);
    assertThat(data.optionalStrings("supported"))
        .containsExactly("2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05");
  }

  @Test
  void aRevisionThatIsNoTextIsRefused() throws Exception {
    JsonObject request = Modern.with(Modern.request(1, "tools/list"), Modern.VERSION, 2026);
    assertThat(error(request(request))).isEqualTo(-32602);
  }

  @Test
  void aResourceThatIsNotThereIsAWrongParam() throws Exception {
    JsonObject uri = JsonObject.of("uri", "demo://nosuch");
    JsonObject answer = request(Modern.request(1, "resources/read", uri));
    assertThat(error(answer)).isEqualTo(-32602);
    assertThat(answer.object("error").get("data")).isEqualTo(uri);
  }

  @ParameterizedTest
  @ValueSource(strings = {"nosuch", "cut"})
  void aToolThatIsNotThereIsAWrongParam(String tool) throws Exception {
    assertThat(error(request(Modern.call(1, tool)))).isEqualTo(-32602);
  }

  @Test
  void aNotesTopicIsAnnotatedToBeRepeatedInAHeader() throws Exception {
    JsonObject page = result(request(Modern.request(1, "tools/list", "cursor", "page-2")));
    JsonObject note = page.objects("tools").get(1);
    assertThat(note.string("name")).isEqualTo("note");
    assertThat(note.object("inputSchema").object("properties").object("topic"))
        .isEqualTo(json("{'type':'string','minLength':1,'maxLength':100,'x-mcp-header':'Topic'}"));
    assertThat(DemoTools.MIRRORED.toString()).isEqualTo("{note={topic=Topic}}");
  }

  // Notes on a topic, which are the same in both eras.

  @Test
  void notesOnATopicAreAResourceByThemselves() throws Exception {
    request(Modern.call(1, "note", "text", "bread", "topic", "to buy"));
    call(2, "note", "text", "no topic");
    request(Modern.call(3, "note", "text", "tea", "topic", "to buy"));
    request(Modern.call(4, "note", "text", "caf\u00e9", "topic", "\u00fc/?"));
    JsonObject list = result(request(Modern.request(5, "resources/list")));
    assertThat(list.objects("resources").stream().map(resource -> resource.get("uri").toString()))
        .containsExactly(
            "\"demo://notes\"", "\"demo://notes/to%20buy\"", "\"demo://notes/%C3%BC%2F%3F\"");
    assertThat(result(request(6, "resources/list", JsonObject.EMPTY)).objects("resources"))
        .isEqualTo(list.objects("resources"));
    assertThat(read("demo://notes/to%20buy")).isEqualTo("bread\ntea");
    assertThat(read("demo://notes/%C3%BC%2F%3F")).isEqualTo("caf\u00e9");
    assertThat(read("demo://notes"))
        .isEqualTo("to buy: bread\nno topic\nto buy: tea\n\u00fc/?: caf\u00e9");
  }

  @Test
  void aTopicGoesWithItsLastNote() throws Exception {
    request(Modern.call(1, "note", "text", "x", "topic", "t"));
    for (int i = 0; i < 100; i++) {
      assertThat(result(request(Modern.request(2, "resources/list"))).objects("resources"))
          .hasSize(2);
      request(Modern.call(3, "note", "text", "y"));
    }
    assertThat(result(request(Modern.request(2, "resources/list"))).objects("resources"))
        .hasSize(1);
    assertThat(error(request(Modern.request(4, "resources/read", "uri", "demo://notes/t"))))
        .isEqualTo(-32602);
  }

  @ParameterizedTest
  @CsvSource({"0, 'at least 1 characters, not 0'", "101, 'at most 100 characters, not 101'"})
  void aTopicIsNeitherEmptyNorLong(int length, String problem) throws Exception {
    JsonObject call = Modern.call(1, "note", "text", "x", "topic", "\ud83d\ude00".repeat(length));
    JsonObject result = result(request(call));
    assertThat(result.bool("isError")).isTrue();
    assertThat(text(result)).isEqualTo("topic must have " + problem);
    assertThat(read("demo://notes")).isEmpty();
  }

  @Test
  void aLegacyClientSubscribesToATopicAndHearsOfModernNotes() throws Exception {
    JsonObject topic = JsonObject.of("uri", "demo://notes/t");
    assertThat(error(request(1, "resources/subscribe", topic))).isEqualTo(-32002);
    call(2, "note", "text", "x", "topic", "t");
    assertThat(result(request(3, "resources/subscribe", topic))).isEqualTo(JsonObject.EMPTY);
    JsonObject updated = request(Modern.call(4, "note", "text", "y", "topic", "t"));
    assertThat(updated.string("method")).isEqualTo("notifications/resources/updated");
    assertThat(updated.object("params")).isEqualTo(topic);
    assertThat(receive().integer("id")).isEqualTo(4);
    assertThat(request(Modern.call(5, "note", "text", "z")).integer("id")).isEqualTo(5);
    request(6, "resources/unsubscribe", topic);
    assertThat(request(Modern.call(7, "note", "text", "z", "topic", "t")).integer("id"))
        .isEqualTo(7);
  }

  @Test
  void aLegacyClientHasNoMoreThan128Subscriptions() throws Exception {
    for (int i = 0; i < 128; i++) {
      JsonObject square = JsonObject.of("uri", "demo://square/" + i);
      assertThat(result(request(i, "resources/subscribe", square))).isEqualTo(JsonObject.EMPTY);
    }
    JsonObject notes = JsonObject.of("uri", "demo://notes");
    assertThat(error(request(200, "resources/subscribe", notes))).isEqualTo(-32603);
    request(201, "resources/unsubscribe", JsonObject.of("uri", "demo://square/7"));
    assertThat(result(request(202, "resources/subscribe", notes))).isEqualTo(JsonObject.EMPTY);
  }

  // What belongs to a call.

  @Test
  void aCallIsLoggedOnlyIfItSaysFromWhichLevelAndOnlyForItself() throws Exception {
    JsonObject echo = Modern.call(1, "echo", "message", "x");
    request(echo);
    assertThat(logged).isEmpty();
    request(Modern.with(echo, Modern.LOG_LEVEL, "notice"));
    assertThat(logged).isEmpty();
    request(Modern.with(echo, Modern.LOG_LEVEL, "info"));
    assertThat(logged)
        .containsExactly(
            JsonObject.of("level", "info", "logger", "demo", "data", "echo was called"));
    request(echo);
    request(Modern.with(Modern.request(1, "tools/list"), Modern.LOG_LEVEL, "debug"));
    assertThat(logged).hasSize(1);
  }

  @ParameterizedTest
  @ValueSource(strings = {"INFO", "verbose", ""})
  void anUnknownLevelIsRefused(String level) throws Exception {
    JsonObject echo = Modern.call(1, "echo", "message", "x");
    assertThat(error(request(Modern.with(echo, Modern.LOG_LEVEL, level)))).isEqualTo(-32602);
  }

  @Test
  void progressIsToldUnderTheCallsToken() throws Exception {
    JsonObject slow = Modern.call(1, "slow", "steps", 2, "stepMs", 1);
    send(Modern.with(slow, "progressToken", "p"));
    for (int step = 1; step <= 2; step++) {
      JsonObject params = receive().object("params");
      assertThat(params.string("progressToken")).isEqualTo("p");
      assertThat(params.integer("progress")).isEqualTo(step);
      assertThat(params.has("_meta")).isFalse(); // it belongs to no subscription
    }
    assertThat(text(result(receive()))).isEqualTo("done in 2 steps");
  }

  @Test
  void aCancelledCallEndsWithoutAnAnswer() throws Exception {
    JsonObject slow = Modern.call("a", "slow", "stepMs", 60_000);
    send(slow);
    assertThat(error(request(slow))).isEqualTo(-32600);
    cancel(slow.get("id"));
    JsonObject again;
    do { // the call has heard of it when its id is free again
      again = request(Modern.call("a", "slow", "steps", 1, "stepMs", 0));
    } while (again.has("error"));
    assertThat(text(result(again))).isEqualTo("done in 1 steps");
  }

  @Test
  void anIdMayComeAgainAsSoonAsItIsAnswered() throws Exception {
    for (int i = 0; i < 1_000; i++) {
      assertThat(request(Modern.call(1, "echo", "message", "x")).has("result")).isTrue();
    }
  }

  @Test
  void crashEndsTheProcessWithoutAnAnswer() throws Exception {
    send(Modern.call(1, "crash", "exitCode", 3));
    assertThat(halted.get()).isEqualTo(3);
    assertThat(err.toString(UTF_8)).contains("crashing with exit code 3");
    assertThat(request(Modern.request(2, "tools/list")).integer("id")).isEqualTo(2);
  }

  // Asking the user.

  @Test
  void theUserIsAskedByTheResultAndTheRetryIsAnswered() throws Exception {
    JsonObject asked = result(request(ASK));
    assertThat(asked.members().keySet())
        .containsExactlyInAnyOrder("resultType", "inputRequests", "requestState", "_meta");
    assertThat(asked.string("resultType")).isEqualTo("input_required");
    assertThat(asked.object("_meta").has(Modern.SERVER_INFO)).isTrue();
    assertThat(asked.get("inputRequests"))
        .isEqualTo(
            json(
                "{'question':{'method':'elicitation/create','params':{'mode':'form',"
                    + "'message':'Which colour?','requestedSchema':{'type':'object','properties':"
                    + "{'answer':{'type':'string','title':'Answer'},"
                    + "'sure':{'type':'boolean','title':'Sure','default':true}},"
                    + "'required':['answer']}}}}"));
    JsonObject said = json("{'action':'accept','content':{'answer':'blue','sure':true}}");
    JsonObject answer = request(Modern.retry(2, ASK, asked, "question", said));
    assertThat(answer.integer("id")).isEqualTo(2);
    assertThat(result(answer).string("resultType")).isEqualTo("complete");
    assertThat(text(result(answer))).isEqualTo("You said blue, sure: true");
    assertThat(result(answer).get("structuredContent")).isEqualTo(said);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "{'action':'decline'} | declined",
        "{'action':'cancel'}  | cancelled",
        "{'action':'shrug'}   | that was no answer to the question: unknown action shrug",
        "{}                   | that was no answer to the question: ",
      })
  void whatIsSaidIsReadAsInTheOtherEra(String said, String text) throws Exception {
    JsonObject retry = Modern.retry(2, ASK, result(request(ASK)), "question", json(said));
    assertThat(text(result(request(retry)))).startsWith(text);
  }

  @Test
  void aRetryWithoutTheAnswerIsAskedAgain() throws Exception {
    JsonObject asked = result(request(ASK));
    JsonObject again = result(request(Modern.retry(2, ASK, asked, "another", JsonObject.EMPTY)));
    assertThat(again.string("resultType")).isEqualTo("input_required");
    JsonObject onlyState = (JsonObject) Modern.retry(3, ASK, again).get("params");
    again = result(request(Modern.request(3, "tools/call", onlyState.without("inputResponses"))));
    assertThat(again.string("resultType")).isEqualTo("input_required");
    JsonObject said = JsonObject.of("action", "decline");
    assertThat(text(result(request(Modern.retry(4, ASK, again, "question", said)))))
        .isEqualTo("declined");
  }

  @Test
  void anAnswerWithoutTheStateOfItsQuestionIsRefused() throws Exception {
    JsonObject said = JsonObject.of("action", "decline");
    JsonObject asked = result(request(ASK));
    String state = asked.string("requestState");
    JsonObject other = Modern.call(1, "ask", "question", "Which number?");
    assertThat(error(request(Modern.retry(2, other, asked, "question", said)))).isEqualTo(-32602);
    for (String wrong : List.of("", "x", state + "x", "9" + state, state.substring(1))) {
      JsonObject forged = asked.with("requestState", wrong);
      assertThat(error(request(Modern.retry(3, ASK, forged, "question", said)))).isEqualTo(-32602);
    }
    JsonObject without =
        ((JsonObject) Modern.retry(4, ASK, asked, "question", said).get("params"))
            .without("requestState");
    assertThat(error(request(Modern.request(4, "tools/call", without)))).isEqualTo(-32602);
    assertThat(result(request(Modern.retry(5, ASK, asked, "question", said))).has("content"))
        .isTrue();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {"inputResponses | []", "inputResponses | 'x'", "requestState | {}"})
  void aRetryOfTheWrongShapeIsRefused(String member, String value) throws Exception {
    JsonObject params = (JsonObject) ASK.get("params");
    params = params.with(member, JsonReader.read(value.replace('\'', '"'), JsonLimits.defaults()));
    assertThat(error(request(Modern.request(1, "tools/call", params)))).isEqualTo(-32602);
  }

  @ParameterizedTest
  @ValueSource(strings = {"{}", "{'elicitation':{'url':{}}}", "{'elicitation':null}"})
  void aClientThatHasNoFormsIsToldWhatIsMissing(String capabilities) throws Exception {
    JsonObject answer = request(Modern.with(ASK, Modern.CAPABILITIES, json(capabilities)));
    assertThat(error(answer)).isEqualTo(-32021);
    assertThat(answer.object("error").get("data"))
        .isEqualTo(json("{'requiredCapabilities':{'elicitation':{'form':{}}}}"));
    assertThat(result(request(ASK)).string("resultType")).isEqualTo("input_required");
  }

  @Test
  void aSealFitsItsTextForItsLife() {
    var seal = new DemoSeal(Duration.ofHours(1));
    String given = seal.of("a");
    assertThat(seal.fits(given, "a")).isTrue();
    assertThat(seal.fits(given, "b")).isFalse();
    assertThat(new DemoSeal(Duration.ofHours(1)).fits(given, "a")).isFalse();
    var brief = new DemoSeal(Duration.ZERO);
    assertThat(brief.fits(brief.of("a"), "a")).isFalse();
  }

  private String read(String uri) throws IOException {
    JsonArray contents =
        result(request(Modern.request(99, "resources/read", "uri", uri))).array("contents");
    assertThat(contents.size()).isEqualTo(1);
    return ((JsonObject) contents.get(0)).string("text");
  }

  private JsonObject request(JsonObject request) throws IOException {
    send(request);
    return receive();
  }

  private static JsonObject json(String text) throws IOException {
    return (JsonObject) JsonReader.read(text.replace('\'', '"'), JsonLimits.defaults());
  }
}
