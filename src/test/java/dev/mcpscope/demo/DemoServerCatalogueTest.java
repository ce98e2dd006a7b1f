package dev.mcpscope.demo;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.json.JsonValue;
import java.io.IOException;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DemoServerCatalogueTest extends RunningDemoServer {
  private static final JsonObject NOTES = JsonObject.of("uri", "demo://notes");
  private static final JsonObject GREET = JsonObject.of("type", "ref/prompt", "name", "greet");
  private static final JsonObject SQUARE =
      JsonObject.of("type", "ref/resource", "uri", "demo://square/{n}");

  @Test
  void theResourceTheTemplateAndThePromptAreListed() throws Exception {
    JsonObject resource = only("resources/list", "resources");
    assertThat(resource.string("uri")).isEqualTo("demo://notes");
    assertThat(resource.string("name")).isEqualTo("notes");
    assertThat(resource.string("mimeType")).isEqualTo("text/plain");
    JsonObject template = only("resources/templates/list", "resourceTemplates");
    assertThat(template.string("uriTemplate")).isEqualTo("demo://square/{n}");
    assertThat(template.string("name")).isEqualTo("square");
    JsonObject prompt = only("prompts/list", "prompts");
    assertThat(prompt.string("name")).isEqualTo("greet");
    JsonObject name = (JsonObject) prompt.array("arguments").get(0);
    JsonObject tone = (JsonObject) prompt.array("arguments").get(1);
    assertThat(name.string("name")).isEqualTo("name");
    assertThat(name.bool("required")).isTrue();
    assertThat(tone.string("name")).isEqualTo("tone");
    assertThat(tone.bool("required")).isFalse();
  }

  @Test
  void aCursorThatIsNullIsNone() throws Exception {
    JsonObject params = JsonObject.of("cursor", JsonNull.INSTANCE);
    assertThat(result(request(1, "resources/list", params)).has("resources")).isTrue();
  }

  @Test
  void notesAreReadInTheirOrder() throws Exception {
    assertThat(read("demo://notes")).isEmpty();
    assertThat(text(result(call(1, "note", "text", "one")))).isEqualTo("noted in demo://notes");
    call(2, "note", "text", "two");
    assertThat(read("demo://notes")).isEqualTo("one\ntwo");
  }

  @Test
  void onlyTheLastHundredNotesAreKept() throws Exception {
    for (int i = 1; i <= 102; i++) {
      call(i, "note", "text", "n" + i);
    }
    assertThat(read("demo://notes"))
        .isEqualTo(
            IntStream.rangeClosed(3, 102).mapToObj(i -> "n" + i).collect(Collectors.joining("\n")));
  }

  @Test
  void aNoteHasAtMostThousandCharacters() throws Exception {
    String longest = "\ud83d\ude00".repeat(1_000);
    assertThat(result(call(1, "note", "text", longest)).has("isError")).isFalse();
    JsonObject tooLong = result(call(2, "note", "text", longest + "x"));
    assertThat(tooLong.bool("isError")).isTrue();
    assertThat(text(tooLong)).isEqualTo("text must have at most 1000 characters, not 1001");
    assertThat(read("demo://notes")).isEqualTo(longest);
  }

  @ParameterizedTest
  @CsvSource({"0, 0", "12, 144", "-3, 9", "999999999, 999999998000000001"})
  void aSquareIsRead(String n, String square) throws Exception {
    assertThat(read("demo://square/" + n)).isEqualTo(square);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "demo://nosuch",
        "demo://notes/",
        "demo://square/",
        "demo://square/x",
        "demo://square/{n}",
        "demo://square/1234567890",
        "demo://square/1/2",
        ""
      })
  void whatIsNoResourceIsNotFound(String uri) throws Exception {
    for (String method : List.of("read", "subscribe", "unsubscribe")) {
      JsonObject answer = request(1, "resources/" + method, JsonObject.of("uri", uri));
      assertThat(error(answer)).isEqualTo(-32002);
      assertThat(answer.object("error").object("data")).isEqualTo(JsonObject.of("uri", uri));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"read", "subscribe", "unsubscribe"})
  void aResourceNeedsItsUri(String method) throws Exception {
    assertThat(error(request(1, "resources/" + method, JsonObject.EMPTY))).isEqualTo(-32602);
    JsonObject wrong = JsonObject.of("uri", 5);
    assertThat(error(request(2, "resources/" + method, wrong))).isEqualTo(-32602);
  }

  @Test
  void aNoteIsAnnouncedFromSubscribeToUnsubscribe() throws Exception {
    assertThat(call(1, "note", "text", "a").has("result")).isTrue();
    assertThat(result(request(2, "resources/subscribe", NOTES))).isEqualTo(JsonObject.EMPTY);
    JsonObject updated = call(3, "note", "text", "b");
    assertThat(updated.string("method")).isEqualTo("notifications/resources/updated");
    assertThat(updated.object("params")).isEqualTo(NOTES);
    assertThat(receive().integer("id")).isEqualTo(3);
    assertThat(result(request(4, "resources/unsubscribe", NOTES))).isEqualTo(JsonObject.EMPTY);
    assertThat(call(5, "note", "text", "c").integer("id")).isEqualTo(5);
  }

  @Test
  void aNoteThatIsRefusedIsNotAnnounced() throws Exception {
    request(1, "resources/subscribe", NOTES);
    assertThat(result(call(2, "note", "text", "x".repeat(1_001))).bool("isError")).isTrue();
  }

  @Test
  void whoSubscribesToASquareHearsNothingOfNotes() throws Exception {
    JsonObject square = JsonObject.of("uri", "demo://square/3");
    assertThat(result(request(1, "resources/subscribe", square))).isEqualTo(JsonObject.EMPTY);
    assertThat(call(2, "note", "text", "a").integer("id")).isEqualTo(2);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{'name':'Ada'}                 | Write a greeting for Ada.",
        "{'name':'Ada','tone':null}     | Write a greeting for Ada.",
        "{'name':'Ada','tone':'formal'} | Write a greeting for Ada, in a formal tone.",
      },
      quoteCharacter = '"')
  void thePromptIsFilledIn(String arguments, String text) throws Exception {
    JsonObject params = JsonObject.of("name", "greet", "arguments", json(arguments));
    JsonArray messages = result(request(1, "prompts/get", params)).array("messages");
    assertThat(messages.size()).isEqualTo(1);
    assertThat(messages.get(0))
        .isEqualTo(
            JsonObject.of("role", "user", "content", JsonObject.of("type", "text", "text", text)));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "{'name':'nosuch','arguments':{'name':'Ada'}}",
        "{'name':'greet'}",
        "{'name':'greet','arguments':{}}",
        "{'name':'greet','arguments':{'tone':'formal'}}",
        "{'name':'greet','arguments':{'name':5}}",
        "{'name':'greet','arguments':{'name':'Ada','tone':5}}",
        "{'name':'greet','arguments':['Ada']}"
      })
  void aPromptThatCannotBeFilledInIsRefused(String params) throws Exception {
    assertThat(error(request(1, "prompts/get", (JsonObject) json(params)))).isEqualTo(-32602);
  }

  @ParameterizedTest
  @CsvSource({
    "'', cheerful cool formal friendly grumpy",
    "f, formal friendly",
    "formal, formal",
    "formally, ''",
    "F, ''"
  })
  void tonesAreCompleted(String begun, String tones) throws Exception {
    JsonObject completion = complete(GREET, "tone", begun);
    assertThat(words(completion)).isEqualTo(tones);
    assertThat(completion.bool("hasMore")).isFalse();
  }

  @Test
  void noNameIsSuggested() throws Exception {
    assertThat(complete(GREET, "name", ""))
        .isEqualTo(JsonObject.of("values", JsonArray.EMPTY, "total", 0, "hasMore", false));
  }

  @Test
  void numbersAreCompleted() throws Exception {
    assertThat(words(complete(SQUARE, "n", "12")))
        .isEqualTo("12 120 121 122 123 124 125 126 127 128 129");
  }

  @Test
  void noMoreThanAHundredCompletionsAreGiven() throws Exception {
    JsonObject completion = complete(SQUARE, "n", "");
    assertThat(completion.array("values").size()).isEqualTo(100);
    assertThat(completion.integer("total")).isEqualTo(1_000);
    assertThat(completion.bool("hasMore")).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "{'ref':{'type':'ref/prompt','name':'greet'}}",
        "{'ref':{'type':'ref/prompt','name':'greet'},'argument':{'name':'tone'}}",
        "{'ref':{'type':'ref/prompt','name':'greet'},'argument':{'name':'n','value':''}}",
        "{'ref':{'type':'ref/prompt','name':'nosuch'},'argument':{'name':'tone','value':''}}",
        "{'ref':{'type':'ref/resource','uri':'demo://notes'},'argument':{'name':'n','value':''}}",
        "{'ref':{'type':'ref/resource','uri':'demo://square/{n}'},"
            + "'argument':{'name':'tone','value':''}}",
        "{'ref':{'type':'ref/tool','name':'echo'},'argument':{'name':'n','value':''}}"
      })
  void completionOfWhatIsNotThereIsRefused(String params) throws Exception {
    JsonObject asked = (JsonObject) json(params);
    assertThat(error(request(1, "completion/complete", asked))).isEqualTo(-32602);
  }

  private JsonObject only(String method, String list) throws IOException {
    JsonObject result = result(request(1, method, JsonObject.EMPTY));
    assertThat(result.has("nextCursor")).isFalse();
    assertThat(result.array(list).size()).isEqualTo(1);
    return (JsonObject) result.array(list).get(0);
  }

  private String read(String uri) throws IOException {
    JsonObject result = result(request(1, "resources/read", JsonObject.of("uri", uri)));
    assertThat(result.array("contents").size()).isEqualTo(1);
    JsonObject contents = (JsonObject) result.array("contents").get(0);
    assertThat(contents.string("uri")).isEqualTo(uri);
    assertThat(contents.string("mimeType")).isEqualTo("text/plain");
    return contents.string("text");
  }

  private JsonObject complete(JsonObject ref, String argument, String begun) throws IOException {
    JsonObject value = JsonObject.of("name", argument, "value", begun);
    JsonObject params = JsonObject.of("ref", ref, "argument", value);
    return result(request(1, "completion/complete", params)).object("completion");
  }

  private static String words(JsonObject completion) throws IOException {
    List<JsonValue> values = completion.array("values").elements();
    assertThat(completion.integer("total")).isEqualTo(values.size());
    return values.stream()
        .map(value -> value.toString().replace("\"", ""))
        .collect(Collectors.joining(" "));
  }

  private static JsonValue json(String text) throws IOException {
    return JsonReader.read(text.replace('\'', '"'), JsonLimits.defaults());
  }
}
