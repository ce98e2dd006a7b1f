package dev.mcpscope.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.json.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class SamplingResultTest {
  private static final JsonObject TEXT = Json.object("{'type':'text','text':'hello','_meta':{}}");
  private static final JsonObject USE =
      Json.object("{'type':'tool_use','id':'1','name':'n','input':{}}");

  @Test
  void aTextHasComeToItsEnd() {
    assertThat(SamplingResult.text("m", "hello").json())
        .isEqualTo(
            Json.object(
                "{'role':'assistant','content':{'type':'text','text':'hello'},'model':'m',"
                    + "'stopReason':'endTurn'}"));
  }

  /// An array is known since 2025-11-25 only.
  @Test
  void oneBlockIsSentAsItselfAndWithAllOfItsMembers() {
    var result = new SamplingResult("m", List.of(TEXT), Optional.of("maxTokens"));
    assertThat(result.json().get("content")).isEqualTo(TEXT);
    assertThat(result.json().get("stopReason")).hasToString("\"maxTokens\"");
  }

  @Test
  void severalBlocksAreSentAsAnArray() {
    var result = new SamplingResult("m", List.of(TEXT, USE), Optional.of("toolUse"));
    assertThat(result.json().get("content")).hasToString("[" + TEXT + "," + USE + "]");
  }

  @Test
  void aReasonThatIsNotKnownIsLeftOut() {
    assertThat(new SamplingResult("m", List.of(TEXT), Optional.empty()).json().has("stopReason"))
        .isFalse();
  }

  @Test
  void anAnswerWithoutContentIsNone() {
    assertThatThrownBy(() -> new SamplingResult("m", List.of(), Optional.empty()))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void theContentIsCopied() {
    var content = new ArrayList<>(List.of(TEXT));
    var result = new SamplingResult("m", content, Optional.empty());
    content.add(USE);
    assertThat(result.content()).containsExactly(TEXT);
  }
}
