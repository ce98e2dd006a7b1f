package dev.mcpscope.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import java.util.ArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SamplingRequestTest {

  private static SamplingRequest parse(String params) throws JsonException {
    return SamplingRequest.parse("files", Json.object(params));
  }

  /// A conversation, written short: `u` says hello, `a` too, `use ID…`, `result ID…`, and `+` for
  /// one message with more than one of them.
  private static JsonObject conversation(String text) {
    var messages = new ArrayList<JsonObject>();
    for (String message : text.split(", ")) {
      var blocks = new ArrayList<JsonObject>();
      String role = "user";
      for (String block : message.split(" \\+ ")) {
        String[] words = block.split(" ");
        if (words[0].equals("a") || words[0].equals("use")) {
          role = "assistant";
        }
        if (words.length == 1) {
          blocks.add(JsonObject.of("type", "text", "text", "hello"));
        }
        for (int i = 1; i < words.length; i++) {
          blocks.add(
              words[0].equals("use")
                  ? JsonObject.of("type", "tool_use", "id", words[i], "name", "n", "input", null)
                  : JsonObject.of("type", "tool_result", "toolUseId", words[i], "content", null));
        }
      }
      messages.add(JsonObject.of("role", role, "content", blocks));
    }
    return JsonObject.of("messages", messages, "maxTokens", 10);
  }

  @Test
  void aRequestIsReadWithAllThatAModelMayBeTold() throws Exception {
    String params =
        "{'messages':[{'role':'user','content':{'type':'text','text':'hello'}}],"
            + "'maxTokens':100,'systemPrompt':'Be brief','temperature':0.5,"
            + "'stopSequences':['.','!'],'modelPreferences':{'hints':[{'name':'x'},{'name':'y'}]},"
            + "'includeContext':'none','metadata':{'a':1}}";
    SamplingRequest request = parse(params);
    assertThat(request.server()).isEqualTo("files");
    assertThat(request.messages()).hasSize(1);
    assertThat(request.maxTokens()).isEqualTo(100);
    assertThat(request.systemPrompt()).contains("Be brief");
    assertThat(request.temperature()).hasValue(0.5);
    assertThat(request.stopSequences()).containsExactly(".", "!");
    assertThat(request.modelPreferences())
        .contains(Json.object("{'hints':[{'name':'x'},{'name':'y'}]}"));
    assertThat(request.json()).isEqualTo(Json.object(params));
  }

  @Test
  void aRequestNeedsMessagesAndATokenLimitOnly() throws Exception {
    SamplingRequest request = parse("{'messages':[],'maxTokens':1}");
    assertThat(request.messages()).isEmpty();
    assertThat(request.systemPrompt()).isEmpty();
    assertThat(request.temperature()).isEmpty();
    assertThat(request.stopSequences()).isEmpty();
    assertThat(request.modelPreferences()).isEmpty();
  }

  @Test
  void theContentOfAMessageIsOneBlockOrSeveral() throws Exception {
    SamplingRequest request =
        parse(
            "{'messages':[{'role':'user','content':{'type':'text','text':'one'}},"
                + "{'role':'assistant','content':[{'type':'text','text':'two'},"
                + "{'type':'image','data':'','mimeType':'image/png'},{'type':'text','text':'three'}]},"
                + "{'role':'user','content':[]}],'maxTokens':1}");
    assertThat(request.messages())
        .extracting(PromptMessage::role)
        .containsExactly("user", "assistant", "user");
    assertThat(request.messages())
        .extracting(message -> message.content().size())
        .containsExactly(1, 3, 0);
    assertThat(request.messages())
        .extracting(PromptMessage::text)
        .containsExactly("one", "two\nthree", "");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          u
          u, a, u
          u, use 1, result 1
          u, a + use 1, result 1, a, u
          u, use 1 2, result 2 1, use 3, result 3, a
          u, use 1, result 1, use 1, result 1
          """)
  void aConversationInWhichEachUseOfAToolHasItsResultIsTaken(String text) {
    assertThatCode(() -> SamplingRequest.parse("s", conversation(text))).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          u, use 1                          | the result of a tool is missing
          u, use 1, result 1, use 2         | the result of a tool is missing
          u, use 1, u                       | uses and results of tools do not match
          u, use 1, a, result 1             | uses and results of tools do not match
          u, use 1 2, result 1              | uses and results of tools do not match
          u, use 1, result 1 2              | uses and results of tools do not match
          u, use 1, result 2                | uses and results of tools do not match
          result 1                          | uses and results of tools do not match
          u, result 1, use 1                | uses and results of tools do not match
          u, use 1 2, result 1, result 2    | uses and results of tools do not match
          u, use 1, result 1, result 1      | uses and results of tools do not match
          u, use 1, result 1 + u            | tool results are mixed with other content
          u, use 1, u + result 1            | tool results are mixed with other content
          """)
  void aConversationInWhichUsesAndResultsDoNotPairIsRefused(String text, String said) {
    assertThatThrownBy(() -> SamplingRequest.parse("s", conversation(text)))
        .isInstanceOf(JsonException.class)
        .hasMessage(said);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {'maxTokens':1} | "messages" is missing
          {'messages':{},'maxTokens':1} | "messages" is an object
          {'messages':['hello'],'maxTokens':1} | "messages[0]" is a string
          {'messages':[{'content':{'type':'text'}}],'maxTokens':1} | "role" is missing
          {'messages':[{'role':'user'}],'maxTokens':1} | "content" is missing
          {'messages':[{'role':'user','content':'hello'}],'maxTokens':1} | "content" is a string
          {'messages':[{'role':'user','content':['a']}],'maxTokens':1} | "content[0]" is a string
          {'messages':[]} | "maxTokens" is missing
          {'messages':[],'maxTokens':'1'} | "maxTokens" is a string
          {'messages':[],'maxTokens':1.5} | "maxTokens" is a fraction
          {'messages':[],'maxTokens':1,'temperature':'hot'} | "temperature" is a string
          {'messages':[],'maxTokens':1,'stopSequences':'.'} | "stopSequences" is a string
          {'messages':[],'maxTokens':1,'stopSequences':[1]} | "stopSequences[0]" is a number
          {'messages':[],'maxTokens':1,'systemPrompt':{}} | "systemPrompt" is an object
          {'messages':[],'maxTokens':1,'modelPreferences':[]} | "modelPreferences" is an array
          """)
  void whatIsNoRequestIsRefused(String params, String said) {
    assertThatThrownBy(() -> parse(params))
        .isInstanceOf(JsonException.class)
        .hasMessageContaining(said);
  }
}
