package dev.mcpscope.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.URI;
import java.net.http.HttpRequest;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class UserHeadersTest {

  private static final String SECRET = "hunter2";

  private static void refused(Map<String, String> headers, String message) {
    assertThatThrownBy(() -> UserHeaders.checked(headers))
        .isExactlyInstanceOf(IllegalArgumentException.class)
        .hasMessage(message)
        .hasNoCause()
        .message()
        .doesNotContain(SECRET);
  }

  private static void refused(String name, String value, String message) {
    refused(Map.of(name, value), message);
  }

  private static Map<String, String> most() {
    var most = new LinkedHashMap<String, String>();
    most.put("!#$%&'*+-.^_`|~09azAZ", "");
    most.put("n".repeat(256), "v".repeat(8192));
    for (int i = 2; i < 64; i++) {
      most.put("x" + i, " ~".repeat(i).strip());
    }
    return most;
  }

  @Test
  void headersAreTakenInTheirOrderAndKept() {
    var headers = new LinkedHashMap<String, String>();
    headers.put("X-Last", "1");
    headers.put("authorization", "Bearer " + SECRET);
    headers.put("Cookie", "a=b;\tc=d");
    Map<String, String> checked = UserHeaders.checked(headers);
    headers.put("X-Later", "\n");
    assertThat(checked)
        .containsExactly(
            Map.entry("X-Last", "1"),
            Map.entry("authorization", "Bearer " + SECRET),
            Map.entry("Cookie", "a=b;\tc=d"))
        .isUnmodifiable();
  }

  @Test
  void noHeadersAreNone() {
    assertThat(UserHeaders.checked(Map.of())).isEmpty();
  }

  @Test
  void theLargestAreTaken() {
    Map<String, String> most = most();
    assertThat(UserHeaders.checked(most)).hasSize(64);

    most.put("one-more", SECRET);
    refused(most, "at most 64 headers can be added, these are 65");
    refused(
        "n".repeat(257),
        SECRET,
        "the name of a header has at most 256 characters, '" + "n".repeat(60) + "…' has 257");
    refused(
        "X",
        SECRET + "v".repeat(8186),
        "the value of a header has at most 8192 characters, that of 'X' has 8193");
  }

  @Test
  void whatIsTakenIsTakenByTheClientOfTheJdkToo() {
    var taken = new LinkedHashMap<>(most());
    for (String name :
        List.of(
            "Authorization",
            "Connection",
            "Content-Length",
            "Cookie",
            "Date",
            "Expect",
            "Host",
            "Origin",
            "Referer",
            "Trailer",
            "Upgrade",
            "User-Agent",
            "Via",
            "Warning",
            "a b",
            "")) {
      if (isTaken(name, "x")) {
        taken.put(name, "x");
      }
    }
    for (char c = 0; c < 0x200; c++) {
      if (isTaken("c", "x" + c + "x")) {
        taken.put("c" + (int) c, "x" + c + "x");
      }
    }
    assertThat(taken).hasSizeGreaterThan(64 + 95).containsKeys("Cookie", "Via", "c9", "c32");
    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create("http://localhost/"));
    taken.forEach(request::setHeader);
    assertThat(request.build().headers().map()).hasSameSizeAs(taken);
  }

  private static boolean isTaken(String name, String value) {
    try {
      return UserHeaders.checked(Map.of(name, value)).size() == 1;
    } catch (IllegalArgumentException _) {
      return false;
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "", " ", "X Y", "X:", " X", "X ", "X\n", "X\r\nY", "X\u0000", "ü", "X\u202e", "(x)",
        "\"x\"", "x/y"
      })
  void whatIsNoTokenIsNoName(String name) {
    refused(name, SECRET, "'" + name.replaceAll("[^ -~]", "?") + "' is no name for a header");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "Host",
        "connection",
        "CONTENT-LENGTH",
        "Content-Type",
        "Content-Encoding",
        "content-range",
        "Transfer-Encoding",
        "TE",
        "Trailer",
        "Upgrade",
        "HTTP2-Settings",
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
    refused(name, SECRET, "the header '" + name + "' is set by the connection itself");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "Hosts",
        "X-Host",
        "tea",
        "Accept-Language",
        "content",
        "X-Content-Type",
        "xmcp-x",
        "proxy",
        "User-Agent"
      })
  void whatOnlyLooksLikeItIsTaken(String name) {
    assertThat(UserHeaders.checked(Map.of(name, "x"))).containsKey(name);
  }

  @Test
  void namesThatDifferOnlyInCaseAreTheSame() {
    var headers = new LinkedHashMap<String, String>();
    headers.put("X-Key", SECRET);
    headers.put("x-key", SECRET);
    refused(headers, "the header 'x-key' is given twice, also as 'X-Key'");
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
    refused("X", SECRET + part + SECRET, detail);
    refused("X", SECRET + part, detail);
    refused("X", part + SECRET, detail);
  }

  @ParameterizedTest
  @ValueSource(strings = {" ", "\t", " x", "x ", "x\t"})
  void blanksAtTheEndsAreRefused(String value) {
    refused("X", value, "the value of the header 'X' begins or ends with a blank");
  }
}
