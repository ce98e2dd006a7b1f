package dev.mcpscope.demo;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DemoServerAskTest extends RunningDemoServer {

  @Test
  void theClientIsAskedByAFormAndTheAnswerIsTold() throws Exception {
    initialize("{'elicitation':{}}");
    JsonObject question = ask(1);
    assertThat(question.string("method")).isEqualTo("elicitation/create");
    assertThat(question.string("id")).isEqualTo("ask-1");
    JsonObject params = question.object("params");
    assertThat(params.string("mode")).isEqualTo("form");
    assertThat(params.string("message")).isEqualTo("Which colour?");
    assertThat(params.get("requestedSchema"))
        .isEqualTo(
            json(
                "{'type':'object','properties':{'answer':{'type':'string','title':'Answer'},"
                    + "'sure':{'type':'boolean','title':'Sure','default':true}},"
                    + "'required':['answer']}"));
    answer("ask-1", "{'action':'accept','content':{'answer':'blue','sure':true}}");
    JsonObject answer = receive();
    assertThat(answer.integer("id")).isEqualTo(1);
    assertThat(text(result(answer))).isEqualTo("You said blue, sure: true");
    assertThat(result(answer).get("structuredContent"))
        .isEqualTo(json("{'action':'accept','content':{'answer':'blue','sure':true}}"));
    assertThat(result(answer).has("isError")).isFalse();
  }

  @ParameterizedTest
  @ValueSource(strings = {"{'answer':'x'}", "{'answer':'x','sure':null,'more':[1]}"})
  void nothingIsMadeUpAndNothingElseIsPassedOn(String content) throws Exception {
    initialize("{'elicitation':{}}");
    ask(1);
    answer("ask-1", "{'action':'accept','content':" + content + "}");
    JsonObject result = result(receive());
    assertThat(text(result)).isEqualTo("You said x");
    assertThat(result.get("structuredContent"))
        .isEqualTo(json("{'action':'accept','content':{'answer':'x'}}"));
  }

  @ParameterizedTest
  @CsvSource({"decline, declined", "cancel, cancelled"})
  void whoDoesNotAnswerIsNoError(String action, String text) throws Exception {
    initialize("{'elicitation':{}}");
    ask(1);
    answer("ask-1", "{'action':'" + action + "'}");
    JsonObject result = result(receive());
    assertThat(text(result)).isEqualTo(text);
    assertThat(result.get("structuredContent")).isEqualTo(JsonObject.of("action", action));
    assertThat(result.has("isError")).isFalse();
  }

  @ParameterizedTest
  @ValueSource(strings = {"{}", "{'elicitation':{'url':{}}}", "{'elicitation':null}"})
  void aClientThatHasNoFormsIsNotAsked(String capabilities) throws Exception {
    initialize(capabilities);
    JsonObject result = result(ask(1));
    assertThat(result.bool("isError")).isTrue();
    assertThat(text(result)).contains("has not declared elicitation");
  }

  @Test
  void aClientThatHasNotSaidWhatItCanIsNotAsked() throws Exception {
    assertThat(result(ask(1)).bool("isError")).isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"{'form':{}}", "{'form':{},'url':{}}", "{'applyDefaults':true}"})
  void aClientThatHasFormsIsAsked(String modes) throws Exception {
    initialize("{'elicitation':" + modes + "}");
    assertThat(ask(1).string("method")).isEqualTo("elicitation/create");
  } // and the end of input ends the call

  @Test
  void capabilitiesOfTheWrongShapeAreRefused() throws Exception {
    JsonObject params = (JsonObject) json("{'capabilities':{'elicitation':true}}");
    assertThat(error(request(1, "initialize", params))).isEqualTo(-32602);
  }

  @Test
  void aCancelledCallWithdrawsItsQuestion() throws Exception {
    initialize("{'elicitation':{}}");
    ask(1);
    cancel(JsonNumber.of(1));
    assertThat(withdrawn(receive())).isEqualTo("ask-1");
    answer("ask-1", "{'action':'decline'}"); // too late
    assertThat(request(2, "ping", JsonObject.EMPTY).integer("id")).isEqualTo(2);
    assertThat(ask(3).string("id")).isEqualTo("ask-2");
    answer("ask-2", "{'action':'decline'}");
    assertThat(receive().integer("id")).isEqualTo(3);
  }

  @Test
  void theEndOfInputWithdrawsTheQuestion() throws Exception {
    initialize("{'elicitation':{}}");
    ask(1);
    in.close();
    assertThat(withdrawn(receive())).isEqualTo("ask-1");
    assertThat(exitCode.get()).isZero();
    assertThat(out.readLine()).isNull();
  }

  @Test
  void timeThatRunsOutWithdrawsTheQuestion() throws Exception {
    var said = new ByteArrayOutputStream();
    var questions = new DemoQuestions(Duration.ZERO);
    var call = new DemoCall(JsonObject.of("name", "ask"), null, new DemoOutput(said));
    var response = questions.ask(call, "elicitation/create", JsonObject.EMPTY);
    assertThat(response.orElseThrow().toString()).contains("no answer within 0 s");
    assertThat(questions.answered(response.orElseThrow())).isFalse();
    String[] lines = said.toString(UTF_8).split("\n");
    assertThat(lines).hasSize(2);
    assertThat(withdrawn((JsonObject) json(lines[1]))).isEqualTo("ask-1");
  }

  @Test
  void anErrorOfTheClientIsAnErrorOfTheTool() throws Exception {
    initialize("{'elicitation':{}}");
    ask(1);
    JsonObject error = JsonObject.of("code", -32603, "message", "no screen");
    send(JsonObject.of("jsonrpc", "2.0", "id", "ask-1", "error", error));
    JsonObject result = result(receive());
    assertThat(result.bool("isError")).isTrue();
    assertThat(text(result)).isEqualTo("asking has failed: no screen");
  }

  @Test
  void aResponseThatIsNoneEndsTheQuestion() throws Exception {
    initialize("{'elicitation':{}}");
    ask(1);
    send(JsonObject.of("jsonrpc", "2.0", "id", "ask-1"));
    JsonObject result = result(receive());
    assertThat(result.bool("isError")).isTrue();
    assertThat(text(result)).contains("no method, result or error");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "5                                                          | an object",
        "{}                                                         | action",
        "{'action':'shrug'}                                         | unknown action shrug",
        "{'action':'accept'}                                        | content",
        "{'action':'accept','content':{'sure':true}}                | answer",
        "{'action':'accept','content':{'answer':5}}                 | answer",
        "{'action':'accept','content':{'answer':'x','sure':'yes'}}  | sure"
      })
  void whatIsNoAnswerIsAnErrorOfTheTool(String given, String problem) throws Exception {
    initialize("{'elicitation':{}}");
    ask(1);
    answer("ask-1", given);
    JsonObject result = result(receive());
    assertThat(result.bool("isError")).isTrue();
    assertThat(result.has("structuredContent")).isFalse();
    assertThat(text(result)).startsWith("that was no answer to the question: ").contains(problem);
  }

  @Test
  void responsesToNobodyAreDropped() throws Exception {
    initialize("{'elicitation':{}}");
    answer("ask-1", "{'action':'cancel'}"); // nobody has asked yet
    ask(1);
    answer("ask-2", "{'action':'cancel'}");
    send(JsonObject.of("jsonrpc", "2.0", "id", 1, "result", JsonObject.EMPTY));
    JsonObject error = JsonObject.of("code", -32700, "message", "what?");
    send(((JsonObject) json("{'jsonrpc':'2.0','id':null}")).with("error", error));
    assertThat(request(2, "ping", JsonObject.EMPTY).integer("id")).isEqualTo(2);
    answer("ask-1", "{'action':'decline'}");
    assertThat(text(result(receive()))).isEqualTo("declined");
  }

  @Test
  void callsThatAskTogetherGetTheirOwnAnswers() throws Exception {
    initialize("{'elicitation':{}}");
    String first = ask(1).string("id");
    String second = ask(2).string("id");
    answer(second, "{'action':'accept','content':{'answer':'two'}}");
    JsonObject two = receive();
    assertThat(two.integer("id")).isEqualTo(2);
    assertThat(text(result(two))).isEqualTo("You said two");
    answer(first, "{'action':'accept','content':{'answer':'one'}}");
    assertThat(text(result(receive()))).isEqualTo("You said one");
  }

  private void initialize(String capabilities) throws IOException {
    JsonObject params =
        JsonObject.of("protocolVersion", "2025-11-25", "capabilities", json(capabilities));
    result(request(0, "initialize", params));
  }

  private JsonObject ask(int id) throws IOException {
    return call(id, "ask", "question", "Which colour?");
  }

  private void answer(String id, String result) throws IOException {
    send(JsonObject.of("jsonrpc", "2.0", "id", id, "result", json(result)));
  }

  private static String withdrawn(JsonObject message) throws IOException {
    assertThat(message.get("method")).isEqualTo(new JsonString("notifications/cancelled"));
    return message.object("params").string("requestId");
  }

  private static JsonValue json(String text) throws IOException {
    return JsonReader.read(text.replace('\'', '"'), JsonLimits.defaults());
  }
}
