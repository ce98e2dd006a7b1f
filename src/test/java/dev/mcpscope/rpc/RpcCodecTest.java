package dev.mcpscope.rpc;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.tuple;

import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.rpc.RpcMessage.Failure;
import dev.mcpscope.rpc.RpcMessage.Malformed;
import dev.mcpscope.rpc.RpcMessage.Notification;
import dev.mcpscope.rpc.RpcMessage.Request;
import dev.mcpscope.rpc.RpcMessage.Result;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class RpcCodecTest {

  private static final RpcId ONE = RpcId.of(1);
  private static final JsonObject PARAMS = JsonObject.of("a", 1);

  private static Stream<Arguments> messages() {
    return Stream.of(
        Arguments.of(
            new Request(ONE, "m", PARAMS),
            "{'jsonrpc':'2.0','id':1,'method':'m','params':{'a':1}}"),
        Arguments.of(
            new Request(RpcId.of("x"), "m", JsonObject.EMPTY),
            "{'jsonrpc':'2.0','id':'x','method':'m'}"),
        Arguments.of(
            new Notification("m", PARAMS), "{'jsonrpc':'2.0','method':'m','params':{'a':1}}"),
        Arguments.of(new Notification("m", JsonObject.EMPTY), "{'jsonrpc':'2.0','method':'m'}"),
        Arguments.of(new Result(ONE, PARAMS), "{'jsonrpc':'2.0','id':1,'result':{'a':1}}"),
        Arguments.of(new Result(ONE, JsonNull.INSTANCE), "{'jsonrpc':'2.0','id':1,'result':null}"),
        Arguments.of(
            new Failure(ONE, new RpcError(-32601, "no")),
            "{'jsonrpc':'2.0','id':1,'error':{'code':-32601,'message':'no'}}"),
        Arguments.of(
            new Failure(ONE, new RpcError(1, "", Optional.of(JsonNull.INSTANCE))),
            "{'jsonrpc':'2.0','id':1,'error':{'code':1,'message':'','data':null}}"),
        Arguments.of(
            new Failure(Optional.empty(), new RpcError(-32700, "no")),
            "{'jsonrpc':'2.0','id':null,'error':{'code':-32700,'message':'no'}}"));
  }

  @ParameterizedTest
  @MethodSource("messages")
  void aMessageHasOneTextAndIsReadBackFromIt(RpcMessage message, String text) throws JsonException {
    assertThat(new String(RpcCodec.encode(message), UTF_8)).isEqualTo(text.replace('\'', '"'));
    assertThat(decode(text)).containsExactly(message);
  }

  @Test
  void aMessageIsOneLine() {
    byte[] line = RpcCodec.encode(new Notification("a\nb", JsonObject.of("\n", "\r\n")));
    assertThat(line).doesNotContain('\n').doesNotContain('\r');
  }

  @Test
  void aMalformedMessageIsNeverSent() {
    assertThatIllegalArgumentException()
        .isThrownBy(
            () -> RpcCodec.encode(new Malformed(Optional.empty(), Optional.empty(), "why")));
  }

  @ParameterizedTest
  @ValueSource(strings = {"1", "0", "-1", "1.0", "1e0", "9007199254740993", "'1'", "''", "'é'"})
  void anIdIsEchoedExactly(String id) throws JsonException {
    Request request =
        (Request) decode("{'jsonrpc':'2.0','id':" + id + ",'method':'ping'}").getFirst();
    assertThat(request.id()).hasToString(id.replace('\'', '"'));
    assertThat(new String(RpcCodec.encode(new Result(request.id(), JsonObject.EMPTY)), UTF_8))
        .contains("\"id\":" + id.replace('\'', '"') + ",");
  }

  @ParameterizedTest
  @ValueSource(strings = {"{}", "null"})
  void absentAndEmptyAndNullParamsAreTheSame(String params) throws JsonException {
    assertThat(decode("{'jsonrpc':'2.0','method':'m','params':" + params + "}"))
        .containsExactly(new Notification("m", JsonObject.EMPTY));
  }

  @Test
  void unknownMembersAreIgnored() throws JsonException {
    assertThat(decode("{'x':1,'jsonrpc':'2.0','method':'m','_meta':{}}"))
        .containsExactly(new Notification("m", JsonObject.EMPTY));
  }

  @Test
  void theOrderOfMembersDoesNotMatter() throws JsonException {
    assertThat(decode("{'result':{'a':1},'id':1,'jsonrpc':'2.0'}"))
        .containsExactly(new Result(ONE, PARAMS));
  }

  @ParameterizedTest
  @ValueSource(strings = {"'id':null,", "", "'id':{},", "'id':true,"})
  void anErrorWithoutAUsableIdIsAFailureWithoutId(String id) throws JsonException {
    assertThat(decode("{'jsonrpc':'2.0'," + id + "'error':{'code':-32700,'message':'no'}}"))
        .containsExactly(new Failure(Optional.empty(), new RpcError(RpcError.PARSE_ERROR, "no")));
  }

  @ParameterizedTest
  @ValueSource(strings = {"{'code':5}", "{'code':5,'message':null}", "{'code':5.0}"})
  void anErrorWithoutMessageIsStillAFailure(String error) throws JsonException {
    assertThat(decode("{'jsonrpc':'2.0','id':1,'error':" + error + "}"))
        .containsExactly(new Failure(ONE, new RpcError(5, "")));
  }

  @ParameterizedTest
  @ValueSource(strings = {"2147483647", "-2147483648"})
  void anErrorCodeMayBeAnyInt(String code) throws JsonException {
    assertThat(decode("{'jsonrpc':'2.0','id':1,'error':{'code':" + code + ",'message':''}}"))
        .containsExactly(new Failure(ONE, new RpcError(Integer.parseInt(code), "")));
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '`',
      delimiter = '|',
      value = {
        "{'jsonrpc':'2.0','id':1}                               | no method, result or error",
        "{'jsonrpc':'2.0','id':1,'result':1,'error':{'code':1}} | both a result and an error",
        "{'id':1,'result':1}                                    | member \"jsonrpc\" is missing,",
        "{'jsonrpc':'1.0','id':1,'result':1}                    | member \"jsonrpc\" is not",
        "{'jsonrpc':2.0,'id':1,'result':1}                      | member \"jsonrpc\" is a number,",
        "{'jsonrpc':'2.0','id':1,'error':null}                  | member \"error\" is null,",
        "{'jsonrpc':'2.0','id':1,'error':'no'}                  | member \"error\" is a string,",
        "{'jsonrpc':'2.0','id':1,'error':{}}                    | member \"code\" is missing,",
        "{'jsonrpc':'2.0','id':1,'error':{'code':'x'}}          | member \"code\" is a string,",
        "{'jsonrpc':'2.0','id':1,'error':{'code':1.5}}          | member \"code\" is a fraction",
        "{'jsonrpc':'2.0','id':1,'error':{'code':2147483648}}   | member \"code\" is beyond 32"
            + " bits",
        "{'jsonrpc':'2.0','id':1,'error':{'code':-2147483649}}  | member \"code\" is beyond 32"
            + " bits",
        "{'jsonrpc':'2.0','id':1,'error':{'code':1,'message':1}}| member \"message\" is a number,",
      })
  void aMalformedResponseCarriesTheIdOfOurCall(String text, String problem) throws JsonException {
    Malformed malformed = malformed(text);
    assertThat(malformed.call()).contains(ONE);
    assertThat(malformed.problem()).startsWith(problem);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "'id':null,", "'id':[],", "'id':false,"})
  void aResultWithoutAUsableIdIsMalformed(String id) throws JsonException {
    assertThat(malformed("{'jsonrpc':'2.0'," + id + "'result':{}}").call()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'jsonrpc':'2.0','id':null,'method':'m'}",
        "{'jsonrpc':'2.0','id':{},'method':'m'}",
        "{'jsonrpc':'2.0','id':true,'method':'m'}",
        "{'jsonrpc':'2.0','id':1,'method':null}",
        "{'jsonrpc':'2.0','id':1,'method':5}",
        "{'jsonrpc':'2.0','id':1,'method':'m','params':[]}",
        "{'jsonrpc':'2.0','id':1,'method':'m','params':'x'}",
        "{'jsonrpc':'2.0','id':1,'method':'m','result':{}}",
        "{'jsonrpc':'2.0','id':1,'method':'m','error':{'code':1,'message':''}}",
        "{'id':1,'method':'m'}",
        "{'jsonrpc':'2.1','id':1,'method':'m'}",
      })
  void aMalformedCallAnswersNoCallOfOursAndKeepsAnIdOfThePeers(String text) throws JsonException {
    Malformed malformed = malformed(text);
    assertThat(malformed.call()).isEmpty();
    assertThat(malformed.request())
        .isEqualTo(text.contains("'id':1") ? Optional.of(RpcId.of(1)) : Optional.empty());
  }

  @ParameterizedTest
  @ValueSource(strings = {"1.0", "-1", "9007199254740993", "'x'", "''", "'1'"})
  void aMalformedRequestKeepsThePeersIdAsItWasWritten(String id) throws JsonException {
    Malformed malformed = malformed("{'jsonrpc':'2.0','id':" + id + ",'method':'m','params':[]}");
    assertThat(malformed.request().map(RpcId::toString)).contains(id.replace('\'', '"'));
    assertThat(malformed.call()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'jsonrpc':'2.0','method':'m','params':[]}",
        "{'jsonrpc':'2.0','method':'m','result':{}}",
        "{'jsonrpc':'2.0','method':7}",
        "{'method':'m'}",
      })
  void aMalformedNotificationHasNoId(String text) throws JsonException {
    Malformed malformed = malformed(text);
    assertThat(malformed.request()).isEmpty();
    assertThat(malformed.call()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'jsonrpc':'2.0','id':1}",
        "{'id':1,'result':1}",
        "{'jsonrpc':'2.0','id':1,'error':{}}",
      })
  void aMalformedResponseIsNoRequestOfThePeers(String text) throws JsonException {
    assertThat(malformed(text).request()).isEmpty();
  }

  @Test
  void eachMalformedMessageOfABatchKeepsItsOwnId() throws JsonException {
    assertThat(decode("[{'id':1,'method':'m'},{'id':1,'result':1},{'id':'x','method':'m'}]"))
        .extracting(m -> ((Malformed) m).call(), m -> ((Malformed) m).request())
        .containsExactly(
            tuple(Optional.empty(), Optional.of(ONE)),
            tuple(Optional.of(ONE), Optional.empty()),
            tuple(Optional.empty(), Optional.of(RpcId.of("x"))));
  }

  @ParameterizedTest
  @ValueSource(strings = {"1", "'x'", "null", "true", "[]", "[[]]", "[1]", "{}"})
  void jsonThatIsNoMessageIsMalformed(String text) throws JsonException {
    assertThat(malformed(text).call()).isEmpty();
    assertThat(malformed(text).request()).isEmpty();
  }

  @Test
  void aBatchIsReadInItsOrder() throws JsonException {
    assertThat(decode("[{'jsonrpc':'2.0','method':'m'},{'jsonrpc':'2.0','id':1,'result':{'a':1}}]"))
        .containsExactly(new Notification("m", JsonObject.EMPTY), new Result(ONE, PARAMS));
  }

  @Test
  void aBadElementDoesNotHurtTheOthersOfItsBatch() throws JsonException {
    List<RpcMessage> messages =
        decode("[1,{'jsonrpc':'2.0','method':'m'},[{'jsonrpc':'2.0','method':'m'}],{'id':1}]");
    assertThat(messages).hasSize(4);
    assertThat(messages.get(0)).isInstanceOf(Malformed.class);
    assertThat(messages.get(1)).isEqualTo(new Notification("m", JsonObject.EMPTY));
    assertThat(messages.get(2)).isInstanceOf(Malformed.class);
    assertThat(messages.get(3)).isInstanceOf(Malformed.class);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "{", "{'a':1,'a':2}", "{} {}"})
  void whatIsNotOneJsonValueIsRefused(String text) {
    assertThatExceptionOfType(JsonException.class).isThrownBy(() -> decode(text));
  }

  @Test
  void onlyTheGivenPartOfTheArrayIsDecoded() throws JsonException {
    byte[] bytes = "xx{\"jsonrpc\":\"2.0\",\"method\":\"m\"}\nyy".getBytes(UTF_8);
    assertThat(RpcCodec.decode(bytes, 2, bytes.length - 5, JsonLimits.defaults()))
        .containsExactly(new Notification("m", JsonObject.EMPTY));
  }

  private static Stream<JsonValue> valuesThatAreNoId() {
    return Stream.of(JsonNull.INSTANCE, JsonObject.EMPTY, JsonArray.EMPTY, JsonValue.of(true));
  }

  @ParameterizedTest
  @MethodSource("valuesThatAreNoId")
  void anIdIsAStringOrANumber(JsonValue value) {
    assertThatIllegalArgumentException().isThrownBy(() -> new RpcId(value));
  }

  @Test
  void idsAreEqualIfTheirTextsAre() {
    assertThat(ONE).isEqualTo(new RpcId(new JsonNumber("1"))).hasToString("1");
    assertThat(ONE).isNotEqualTo(RpcId.of("1")).isNotEqualTo(new RpcId(new JsonNumber("1.0")));
    assertThat(RpcId.of("1")).hasToString("\"1\"");
  }

  @Test
  void aResultNeedsAnId() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Result(Optional.empty(), JsonNull.INSTANCE));
  }

  private static List<RpcMessage> decode(String text) throws JsonException {
    byte[] bytes = text.replace('\'', '"').getBytes(UTF_8);
    return RpcCodec.decode(bytes, 0, bytes.length, JsonLimits.defaults());
  }

  private static Malformed malformed(String text) throws JsonException {
    List<RpcMessage> messages = decode(text);
    assertThat(messages).hasSize(1);
    assertThat(messages.getFirst()).isInstanceOf(Malformed.class);
    return (Malformed) messages.getFirst();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      value = {
        "{\"jsonrpc\":\"2.0\",\"id\":17,\"result\":{\"a\":[[[|17",
        "{\"result\":{\"id\":99,\"t\":\"\\\"id\\\":98\"},\"id\" : 17}|17",
        "{\"id\":17|17",
        "{\"id\":\"17\",\"result\":1}|", // ours are numbers
        "{\"id\":17,\"method\":\"ping\"|", // the peer's own id
        "{\"method\":\"ping\",\"id\":17|",
        "{\"result\":{\"id\":17}|",
        "{\"id\":12345678901234567890123}|", // beyond a long
        "id: 17|",
        "{\"id|",
        "{\"id\\|",
        "~~|",
      })
  void idOfAResponseThatCannotBeDecodedIsFound(String text, Long id) {
    byte[] utf8 = text.getBytes(UTF_8);
    assertThat(RpcCodec.idOfBrokenResponse(utf8, 0, utf8.length))
        .isEqualTo(Optional.ofNullable(id).map(RpcId::of));
  }
}
