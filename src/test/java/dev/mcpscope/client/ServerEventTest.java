package dev.mcpscope.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.client.ServerEvent.CallProgress;
import dev.mcpscope.client.ServerEvent.Dropped;
import dev.mcpscope.client.ServerEvent.ElicitationCompleted;
import dev.mcpscope.client.ServerEvent.List;
import dev.mcpscope.client.ServerEvent.ListChanged;
import dev.mcpscope.client.ServerEvent.LogMessage;
import dev.mcpscope.client.ServerEvent.ResourceUpdated;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class ServerEventTest {

  private static Optional<ServerEvent> parse(String method, String params) throws JsonException {
    return ServerEvent.parse("notifications/" + method, Json.object(params));
  }

  private static LogMessage log(String params) throws JsonException {
    return (LogMessage) parse("message", params).orElseThrow();
  }

  private static Object subject(ServerEvent event) {
    return ServerEvent.POLICY.subject(event);
  }

  @ParameterizedTest
  @CsvSource({"tools,TOOLS", "resources,RESOURCES", "prompts,PROMPTS"})
  void aChangeOfEachListIsRead(String word, List list) throws Exception {
    assertThat(parse(word + "/list_changed", "{'_meta':{}}")).contains(new ListChanged(list));
  }

  @Test
  void anUpdateOfAResourceIsReadWithAllOfItsMembers() throws Exception {
    String params = "{'uri':'file:///a','title':'A'}";
    assertThat(parse("resources/updated", params))
        .contains(new ResourceUpdated("file:///a", Json.object(params)));
  }

  @Test
  void aCompletedElicitationIsRead() throws Exception {
    assertThat(parse("elicitation/complete", "{'elicitationId':'e'}"))
        .contains(new ElicitationCompleted("e"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"'text'", "{'a':[1]}", "[]", "0", "false", "null"})
  void theDataOfALogMessageIsAnyValue(String data) throws Exception {
    String params = "{'level':'error','logger':'db','data':" + data + ",'_meta':{}}";
    LogMessage message = log(params);
    assertThat(message.level()).isEqualTo(LogLevel.ERROR);
    assertThat(message.logger()).contains("db");
    assertThat(message.data()).isEqualTo(Json.value(data));
    assertThat(message.json()).isEqualTo(Json.object(params));
  }

  @Test
  void aLogMessageNeedsALevelOnly() throws Exception {
    LogMessage message = log("{'level':'debug'}");
    assertThat(message.logger()).isEmpty();
    assertThat(message.data()).isEqualTo(JsonNull.INSTANCE);
  }

  @ParameterizedTest
  @EnumSource
  void eachLevelIsReadByItsWord(LogLevel level) throws Exception {
    assertThat(log("{'level':'" + level.word() + "'}").level()).isEqualTo(level);
  }

  @Test
  void theLevelsStandInTheOrderOfRfc5424() {
    assertThat(LogLevel.values())
        .extracting(LogLevel::word)
        .containsExactly(
            "debug", "info", "notice", "warning", "error", "critical", "alert", "emergency");
  }

  @ParameterizedTest
  @ValueSource(strings = {"trace", "WARNING", "warn", ""})
  void aLevelOfTheServersOwnIsInfoAndItsWordIsKept(String word) throws Exception {
    LogMessage message = log("{'level':'" + word + "','data':1}");
    assertThat(message.level()).isEqualTo(LogLevel.INFO);
    assertThat(message.json().string("level")).isEqualTo(word);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          message              | {}                                  | "level" is missing
          message              | {'level':1}                         | "level" is a number
          message              | {'level':'info','logger':{}}        | "logger" is an object
          resources/updated    | {}                                  | "uri" is missing
          resources/updated    | {'uri':null}                        | "uri" is null
          elicitation/complete | {}                                  | "elicitationId" is missing
          elicitation/complete | {'elicitationId':7}                 | "elicitationId" is a number
          """)
  void paramsThatAreWrongAreRefused(String method, String params, String said) {
    assertThatThrownBy(() -> parse(method, params))
        .isInstanceOf(JsonException.class)
        .hasMessageContaining(said);
  }

  @ParameterizedTest
  @ValueSource(strings = {"of/the-future", "initialized", "tools/list_changed/", "progress"})
  void anUnknownNotificationIsNoEvent(String method) throws Exception {
    assertThat(parse(method, "{}")).isEmpty();
  }

  // What takes the place of what, and what goes first.

  private static final Progress PROGRESS =
      new Progress(1, OptionalDouble.empty(), Optional.empty());
  private static final LogMessage LOG =
      new LogMessage(LogLevel.INFO, Optional.empty(), JsonValue.of("x"), JsonObject.EMPTY);

  private static CallProgress progress(long call) {
    return new CallProgress(call, "tools/call", "t", PROGRESS);
  }

  private static ResourceUpdated updated(String uri) {
    return new ResourceUpdated(uri, JsonObject.EMPTY);
  }

  @Test
  void newsOfTheSameThingIsAboutTheSameSubject() {
    assertThat(subject(new ListChanged(List.TOOLS)))
        .isEqualTo(subject(new ListChanged(List.TOOLS)));
    assertThat(subject(updated("a")))
        .isEqualTo(subject(new ResourceUpdated("a", JsonObject.of("b", 1))));
    var further = new Progress(2, OptionalDouble.of(3), Optional.of("further"));
    assertThat(subject(progress(1)))
        .isEqualTo(subject(new CallProgress(1, "tools/call", "t", further)));
    assertThat(subject(new ElicitationCompleted("e")))
        .isEqualTo(subject(new ElicitationCompleted("e")));
  }

  @Test
  void newsOfDifferentThingsIsAboutDifferentSubjects() {
    assertThat(
            Stream.of(
                    new ListChanged(List.TOOLS),
                    new ListChanged(List.PROMPTS),
                    updated("a"),
                    updated("b"),
                    updated("1"),
                    progress(1),
                    progress(2),
                    new ElicitationCompleted("a"),
                    new ElicitationCompleted("b"))
                .map(ServerEventTest::subject))
        .doesNotHaveDuplicates()
        .doesNotContainNull();
  }

  @Test
  void eachLogMessageAndEachGapCountsForItself() {
    assertThat(subject(LOG)).isNull();
    assertThat(subject(new Dropped(1))).isNull();
  }

  @Test
  void logMessagesAndProgressGoBeforeAllElse() {
    assertThat(ServerEvent.POLICY.droppable(LOG)).isTrue();
    assertThat(ServerEvent.POLICY.droppable(progress(1))).isTrue();
    assertThat(ServerEvent.POLICY.droppable(new ListChanged(List.TOOLS))).isFalse();
    assertThat(ServerEvent.POLICY.droppable(updated("a"))).isFalse();
    assertThat(ServerEvent.POLICY.droppable(new ElicitationCompleted("a"))).isFalse();
    assertThat(ServerEvent.POLICY.droppable(new Dropped(1))).isFalse();
  }

  @Test
  void whatWasDroppedIsToldByItsNumber() {
    assertThat(ServerEvent.POLICY.dropped(7)).isEqualTo(new Dropped(7));
  }
}
