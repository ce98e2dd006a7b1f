package dev.mcpscope.front;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HeaderPolicyTest {

  private static final String SECRET = "hunter2";

  private static void refused(JsonValue headers, String detail) {
    assertThatThrownBy(() -> HeaderPolicy.checked(headers))
        .isInstanceOf(RefusedException.class)
        .hasMessage(detail)
        .message()
        .doesNotContain(SECRET);
  }

  @Test
  void headersAreTakenInTheirOrder() throws Exception {
    var headers =
        JsonObject.of("X-Last", "1", "authorization", "Bearer " + SECRET, "Cookie", "a=b;\tc=d");
    assertThat(HeaderPolicy.checked(headers))
        .containsExactly(
            Map.entry("X-Last", "1"),
            Map.entry("authorization", "Bearer " + SECRET),
            Map.entry("Cookie", "a=b;\tc=d"))
        .isUnmodifiable();
  }

  @Test
  void noHeadersAreNone() throws Exception {
    assertThat(HeaderPolicy.checked(null)).isEmpty();
    assertThat(HeaderPolicy.checked(JsonNull.INSTANCE)).isEmpty();
    assertThat(HeaderPolicy.checked(JsonObject.EMPTY)).isEmpty();
  }

  @Test
  void theLargestAreTaken() throws Exception {
    JsonObject most = JsonObject.of("!#$%&'*+-.^_`|~09azAZ", "", "n".repeat(256), "v".repeat(8192));
    for (int i = 2; i < 64; i++) {
      most = most.with("x" + i, " ~".repeat(i).strip());
    }
    assertThat(HeaderPolicy.checked(most)).hasSize(64);

    refused(most.with("one-more", SECRET), "headers has at most 64 members, these are 65");
    refused(
        JsonObject.of("n".repeat(257), SECRET),
        "the name of a header has at most 256 characters, '" + "n".repeat(60) + "…' has 257");
    refused(
        JsonObject.of("X", SECRET + "v".repeat(8186)),
        "the value of a header has at most 8192 characters, that of 'X' has 8193");
  }

  @Test
  void whatIsNoObjectOfStringsIsRefused() {
    refused(
        JsonValue.of(List.of("X: " + SECRET)), "headers must be an object of strings, is an array");
    refused(JsonValue.of("X: " + SECRET), "headers must be an object of strings, is a string");
    refused(JsonObject.of("X", 1), "the header 'X' must be a string, is a number");
    refused(JsonObject.of("X", null), "the header 'X' must be a string, is null");
    refused(JsonObject.of("X", List.of(SECRET)), "the header 'X' must be a string, is an array");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "", " ", "X Y", "X:", " X", "X ", "X\n", "X\r\nY", "X\u0000", "ü", "X\u202e", "(x)",
        "\"x\"", "x/y"
      })
  void whatIsNoTokenIsNoName(String name) {
    refused(
        JsonObject.of(name, SECRET),
        "'" + name.replaceAll("[^ -~]", "?") + "' is no name for a header");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "Host",
        "connection",
        "CONTENT-LENGTH",
        "Content-Type",
        "Transfer-Encoding",
        "TE",
        "Trailer",
        "Upgrade",
        "Keep-Alive",
        "Proxy-Authorization",
        "proxy-connection",
        "Expect",
        "Accept",
        "Accept-Encoding",
        "Mcp-Session-Id",
        "MCP-Protocol-Version",
        "mcp-anything",
        "Last-Event-ID"
      })
  void whatTheProtocolOwnsIsRefused(String name) {
    refused(
        JsonObject.of(name, SECRET), "the header '" + name + "' is set by the connection itself");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"Hosts", "X-Host", "tea", "Accept-Language", "xmcp-x", "proxy", "User-Agent"})
  void whatOnlyLooksLikeItIsTaken(String name) throws Exception {
    assertThat(HeaderPolicy.checked(JsonObject.of(name, "x"))).containsKey(name);
  }

  @Test
  void namesThatDifferOnlyInCaseAreTheSame() {
    refused(
        JsonObject.of("X-Key", SECRET, "x-key", SECRET),
        "the header 'x-key' is given twice, also as 'X-Key'");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\r",
        "\n",
        "\r\nHost: x",
        "\u0000",
        "\u007f",
        "\u001b[2J",
        "ü",
        "\u0085",
        "\u2028"
      })
  void valuesThatCouldBecomeSomethingElseAreRefused(String part) {
    String detail =
        "the value of the header 'X' holds other characters than visible ASCII, blanks and tabs";
    refused(JsonObject.of("X", SECRET + part + SECRET), detail);
    refused(JsonObject.of("X", SECRET + part), detail);
    refused(JsonObject.of("X", part + SECRET), detail);
  }

  @ParameterizedTest
  @ValueSource(strings = {" ", "\t", " x", "x ", "x\t"})
  void blanksAtTheEndsAreRefused(String value) {
    refused(JsonObject.of("X", value), "the value of the header 'X' begins or ends with a blank");
  }
}
