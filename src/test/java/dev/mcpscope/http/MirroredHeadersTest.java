package dev.mcpscope.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.rpc.RpcError;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import java.net.URI;
import java.net.http.HttpRequest;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The rules of "Request metadata", revision 2026-07-28.
class MirroredHeadersTest {
  private static final String VERSION = "io.modelcontextprotocol/protocolVersion";
  private static final Map<String, String> NONE = Map.of();

  private static RpcMessage.Request request(String method, JsonObject params) {
    return new RpcMessage.Request(RpcId.of(1), method, params);
  }

  private static JsonObject modern(Object... namesAndValues) {
    return JsonObject.of(namesAndValues).with("_meta", JsonObject.of(VERSION, "2026-07-28"));
  }

  @Test
  void aToolsCallSaysItsRevisionMethodToolAndArguments() {
    assertThat(
            MirroredHeaders.of(
                request(
                    "tools/call",
                    modern("name", "execute_sql", "arguments", Map.of("region", "us-west1"))),
                Map.of("Region", "us-west1")))
        .containsExactly(
            Map.entry("MCP-Protocol-Version", "2026-07-28"),
            Map.entry("Mcp-Method", "tools/call"),
            Map.entry("Mcp-Name", "execute_sql"),
            Map.entry("Mcp-Param-Region", "us-west1"));
  }

  @Test
  void theRevisionIsTheOneOfTheBody() {
    JsonObject params = JsonObject.of("_meta", JsonObject.of(VERSION, "of-the-future"));
    assertThat(MirroredHeaders.of(request("ping", params), NONE))
        .containsEntry("MCP-Protocol-Version", "of-the-future");
  }

  @ParameterizedTest
  @CsvSource({
    "tools/call, the-name",
    "prompts/get, the-name",
    "resources/read, file:///the-uri",
  })
  void threeMethodsSayWhatTheyAreFor(String method, String name) {
    JsonObject params = modern("name", "the-name", "uri", "file:///the-uri");
    assertThat(MirroredHeaders.of(request(method, params), NONE)).containsEntry("Mcp-Name", name);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "server/discover",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "subscriptions/listen",
        "completion/complete",
        "of/the-future"
      })
  void theOthersSayTheirMethodAlone(String method) {
    JsonObject params = modern("name", "the-name", "uri", "file:///the-uri");
    assertThat(MirroredHeaders.of(request(method, params), NONE))
        .containsExactly(
            Map.entry("MCP-Protocol-Version", "2026-07-28"), Map.entry("Mcp-Method", method));
  }

  @ParameterizedTest
  @ValueSource(strings = {"tools/call", "prompts/get", "resources/read"})
  void whatHasNoTextForANameHasNoHeaderForIt(String method) {
    Stream.of(modern(), modern("name", 1, "uri", 2), modern("name", null, "uri", null))
        .forEach(params ->
            assertThat(MirroredHeaders.of(request(method, params), NONE))
                .containsOnlyKeys("MCP-Protocol-Version", "Mcp-Method"));
  }

  @Test
  void argumentsKeepTheirOrderAndTheirNames() {
    var arguments = new LinkedHashMap<String, String>();
    arguments.put("Z", "1");
    arguments.put("a-b", "2");
    arguments.put("!#$%&*+.^_`|~", "3");
    assertThat(MirroredHeaders.of(request("tools/call", modern("name", "t")), arguments))
        .containsExactly(
            Map.entry("MCP-Protocol-Version", "2026-07-28"),
            Map.entry("Mcp-Method", "tools/call"),
            Map.entry("Mcp-Name", "t"),
            Map.entry("Mcp-Param-Z", "1"),
            Map.entry("Mcp-Param-a-b", "2"),
            Map.entry("Mcp-Param-!#$%&*+.^_`|~", "3"));
  }

  static Stream<RpcMessage> notModern() {
    JsonObject meta = JsonObject.of(VERSION, "2026-07-28");
    return Stream.of(
        request("tools/call", JsonObject.of("name", "t")),
        request("tools/call", JsonObject.of("name", "t", VERSION, "2026-07-28")),
        request("tools/call", JsonObject.of("_meta", JsonObject.EMPTY)),
        request("tools/call", JsonObject.of("_meta", JsonObject.of("progressToken", 1))),
        request(
            "tools/call", JsonObject.of("_meta", JsonObject.of("protocolVersion", "2026-07-28"))),
        request("tools/call", JsonObject.of("_meta", meta.with(VERSION, 20260728))),
        request("tools/call", JsonObject.of("_meta", meta.with(VERSION, JsonNull.INSTANCE))),
        request("tools/call", JsonObject.of("_meta", List.of(meta))),
        request("initialize", JsonObject.of("protocolVersion", "2025-11-25")),
        new RpcMessage.Notification("notifications/cancelled", JsonObject.of("_meta", meta)),
        new RpcMessage.Result(RpcId.of(1), JsonObject.of("_meta", meta)),
        new RpcMessage.Failure(RpcId.of(1), new RpcError(-32601, "no")));
  }

  /// Where a session has agreed on the revision, its header is the session's.
  @ParameterizedTest
  @MethodSource("notModern")
  void aMessageThatDoesNotCarryItsRevisionHasNoHeaders(RpcMessage message) {
    assertThat(MirroredHeaders.of(message, Map.of("Region", "us-west1"))).isEmpty();
  }

  // Values.

  static Stream<Arguments> examplesOfTheSpecification() {
    return Stream.of(
        Arguments.of("us-west1", "Region", "us-west1"),
        Arguments.of("Hello, 世界", "Greeting", "=?base64?SGVsbG8sIOS4lueVjA==?="),
        Arguments.of(" padded ", "Text", "=?base64?IHBhZGRlZCA=?="),
        Arguments.of("line1\nline2", "Text", "=?base64?bGluZTEKbGluZTI=?="),
        Arguments.of("=?base64?literal?=", "Val", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="));
  }

  @ParameterizedTest
  @MethodSource("examplesOfTheSpecification")
  void aValueIsEncodedAsTheSpecificationShows(String value, String name, String encoded) {
    assertThat(
            MirroredHeaders.of(request("tools/call", modern("name", value)), Map.of(name, value)))
        .containsEntry("Mcp-Param-" + name, encoded)
        .containsEntry("Mcp-Name", encoded);
    assertThat(MirroredHeaders.of(request("resources/read", modern("uri", value)), NONE))
        .containsEntry("Mcp-Name", encoded);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "a",
        "a b",
        "a  b",
        "~!@#$%^&*()_+`-={}|[]\\:\";'<>?,./",
        "file:///a/b?c=d#e",
        "=?base64?",
        "?=",
        "=?BASE64?literal?=", // "these markers are case-sensitive"
        "=?base64?literal?",
        "a=?base64?literal?=",
        "=?base64?literal?=a",
        "=?base64literal?="
      })
  void whatIsPlainIsSentAsItIs(String value) {
    assertThat(MirroredHeaders.encoded(value)).isEqualTo(value);
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '|',
      value = {
        "| |, =?base64?IA==?=",
        "| a|, =?base64?IGE=?=",
        "|a |, =?base64?YSA=?=",
        "=?base64??=, =?base64?PT9iYXNlNjQ/Pz0=?=",
        "=?base64?=, =?base64?PT9iYXNlNjQ/PQ==?=", // its two ends share a character
        "ä, =?base64?w6Q=?=",
        "𝄞, =?base64?8J2Eng==?="
      })
  void whatIsNotPlainOrLooksEncodedIsEncoded(String value, String encoded) {
    assertThat(MirroredHeaders.encoded(value)).isEqualTo(encoded);
  }

  @Test
  void noControlCharacterIsLeft() {
    for (char c = 0; c < 0xa0; c++) {
      if (c < ' ' || c > '~') {
        assertThat(MirroredHeaders.encoded("a" + c + "b")).startsWith("=?base64?").endsWith("?=");
      }
    }
  }

  /// The JDK refuses what no header may hold.
  @ParameterizedTest
  @ValueSource(strings = {"", "a", " ", "a\tb", "a\r\nX-Injected: 1", "\u0000", "\ud800", "世界"})
  void whateverTheValueARequestCanCarryIt(String value) {
    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create("http://localhost/"));
    MirroredHeaders.of(request("tools/call", modern("name", value)), Map.of("A", value))
        .forEach(request::header);
    assertThat(request.build().headers().firstValue("Mcp-Name"))
        .contains(MirroredHeaders.encoded(value));
  }
}
