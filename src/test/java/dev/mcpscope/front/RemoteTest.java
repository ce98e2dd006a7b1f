package dev.mcpscope.front;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.json.JsonObject;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RemoteTest {

  private static final String SECRET = "hunter2";
  private static final String AT = "https://user:" + SECRET + "@example.com/mcp?key=" + SECRET;
  private static final String HELD = "is '***', which stands for a value that is held already, and";

  private static final ServerSpec.Http SERVER =
      ServerSpec.http(AT).withHeaders(Map.of("Authorization", "Bearer " + SECRET, "X", "y"));

  private static ServerSpec.Http revealed(String url, Map<String, String> headers)
      throws Exception {
    return revealed(url, headers, SERVER);
  }

  private static ServerSpec.Http revealed(
      String url, Map<String, String> headers, ServerSpec.Http held) throws Exception {
    return Remote.revealed(
        Remote.parse("streamable-http", url, headers), "x", Optional.ofNullable(held));
  }

  private static void refused(String url, Map<String, String> headers, String detail) {
    refused(url, headers, SERVER, detail);
  }

  private static void refused(
      String url, Map<String, String> headers, ServerSpec.Http held, String detail) {
    assertThatThrownBy(() -> revealed(url, headers, held))
        .isInstanceOf(RefusedException.class)
        .hasMessage(detail)
        .message()
        .doesNotContain(SECRET);
  }

  // What is shown.

  @ParameterizedTest
  @CsvSource({
    "http://host, http://host",
    "HTTP://Host:80/a/b/, HTTP://Host:80/a/b/",
    "http://user:hunter2@host/, http://***@host/",
    "http://hunter2@[::1]:8080/mcp, http://***@[::1]:8080/mcp",
    "http://@host/, http://***@host/",
    "http://host/?key=hunter2, http://host/?key=***",
    "http://host?a=hunter2&b=hunter2&a=hunter2=hunter2, http://host?a=***&b=***&a=***",
    "http://host/?hunter2, http://host/?***",
    "http://host/?hunter2&&=hunter2&a=, http://host/?***&&=***&a=***",
    "http://host/?a=1;b=hunter2, http://host/?a=***",
    "http://host/?, http://host/?",
    "http://host/?a=@hunter2, http://host/?a=***",
    "http://host/a@b, http://host/a@b",
  })
  void urlIsShownWithoutUserInfoAndValuesOfTheQuery(String url, String shown) {
    assertThat(Remote.shownUrl(ServerSpec.http(url))).isEqualTo(shown).doesNotContain(SECRET);
  }

  @Test
  void headersAreShownWithoutTheirValuesInTheirOrder() {
    var headers = new LinkedHashMap<String, String>();
    headers.put("X-Key", SECRET);
    headers.put("Authorization", "Bearer " + SECRET);
    headers.put("Empty", "");
    JsonObject shown = Remote.shownHeaders(SERVER.withHeaders(headers));
    assertThat(shown.members().keySet()).containsExactly("X-Key", "Authorization", "Empty");
    assertThat(shown)
        .isEqualTo(JsonObject.of("X-Key", "***", "Authorization", "***", "Empty", "***"));
  }

  @Test
  void kindsAreCalledAsClientsCallThem() throws Exception {
    for (String type : new String[] {"streamable-http", "sse"}) {
      ServerSpec.Http server = Remote.parse(type, AT, Map.of());
      assertThat(Remote.type(server)).isEqualTo(type);
      assertThat(Remote.type(Remote.revealed(server, "x", Optional.empty()))).isEqualTo(type);
    }
    assertThat(Remote.parse("sse", AT, Map.of()).kind()).isEqualTo(ServerSpec.Http.Kind.SSE);
  }

  // What is refused.

  @ParameterizedTest
  @ValueSource(
      strings = {
        "ftp://hunter2@host/",
        "http://user:hunter2%@host/",
        "http://host/?hunter2={}",
        "http://hunter2@hunter2@host/",
        "http://hunter2@host:99999/?hunter2",
        "http://hunter2@169.254.169.254/?hunter2",
        "http://hunter2@host/?hunter2#hunter2",
        "hunter2",
        "http://hunter2@host/\n"
      })
  void badUrlIsRefusedWithoutItsSecrets(String url) {
    assertThatThrownBy(() -> Remote.parse("sse", url, Map.of()))
        .isInstanceOf(RefusedException.class)
        .message()
        .isNotBlank()
        .doesNotContain(SECRET);
  }

  // What stands for a value that is held.

  @Test
  void whatHidesNothingIsTakenAsItIs() throws Exception {
    for (ServerSpec.Http held : new ServerSpec.Http[] {SERVER, null}) {
      assertThat(revealed(AT, SERVER.headers(), held)).isEqualTo(SERVER);
      String stars = "http://a***@host/***?a=****&b***&***c=%2A%2A";
      assertThat(revealed(stars, Map.of("X", "Bearer ***", "Y", "**"), held))
          .isEqualTo(ServerSpec.http(stars).withHeaders(Map.of("X", "Bearer ***", "Y", "**")));
    }
  }

  @Test
  void whatWasShownStandsForWhatIsHeld() throws Exception {
    for (String url :
        new String[] {
          AT,
          "http://" + SECRET + "@[::1]:8080/?a=1&a=2&" + SECRET + "&&b=&b=" + SECRET + "=x&=3",
          "http://@host/?",
          "http://host"
        }) {
      ServerSpec.Http held = ServerSpec.http(url).withHeaders(SERVER.headers());
      var shown = new LinkedHashMap<String, String>();
      held.headers().keySet().forEach(name -> shown.put(name, "***"));
      assertThat(revealed(Remote.shownUrl(held), shown, held)).isEqualTo(held);
    }
  }

  @Test
  void valuesAreFoundByTheirNames() throws Exception {
    ServerSpec.Http held =
        ServerSpec.http("https://u:p@example.com/?a=1&b=2&a=3&" + SECRET)
            .withHeaders(Map.of("X-Key", SECRET));
    assertThat(
            revealed(
                "HTTPS://***@Example.com:443/other?***&b=***&a=new&a=***&c=d",
                Map.of("x-key", "***", "Y", "new"),
                held))
        .isEqualTo(
            ServerSpec.http("HTTPS://u:p@Example.com:443/other?" + SECRET + "&b=2&a=new&a=3&c=d")
                .withHeaders(Map.of("x-key", SECRET, "Y", "new")));
  }

  @Test
  void starsThatAClientHasEncodedAreStars() throws Exception {
    assertThat(revealed("https://%2A%2a*@example.com/mcp?key=%2A%2A%2A", Map.of()).url())
        .hasToString(AT);
  }

  @Test
  void valueThatIsNotHeldIsRefused() {
    String none = HELD + " 'x' holds none; send the value";
    String at = "https://example.com/mcp";
    refused(at, Map.of("Y", "***"), "the header 'Y' " + none);
    refused(at, Map.of("X", "***"), null, "the header 'X' " + none);
    refused(at + "?other=***", Map.of(), "a value of the query " + none);
    refused(at + "?KEY=***", Map.of(), "a value of the query " + none);
    refused(at + "?key=1&key=***", Map.of(), "a value of the query " + none);
    refused(at + "?***", Map.of(), "a value of the query " + none);
    refused(at + "?key=***", Map.of(), null, "a value of the query " + none);
    refused("https://***@example.com/", Map.of(), null, "the user info " + none);
    refused("https://***@example.com/", Map.of(), ServerSpec.http(at), "the user info " + none);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "http://example.com/mcp",
        "http://example.com:443/mcp",
        "https://example.com:8443/mcp",
        "https://evil.example.com/mcp",
        "https://example.com./mcp",
        "https://example.com.evil/mcp",
      })
  void valueOfAnotherServerIsRefused(String url) {
    String other = HELD + " 'x' is at another scheme, host or port; send the value";
    refused(url, Map.of("Authorization", "***"), "the header 'Authorization' " + other);
    refused(url + "?key=***", Map.of(), "a value of the query " + other);
    refused(url.replace("//", "//***@"), Map.of(), "the user info " + other);
    refused(url, Map.of("None", "***"), "the header 'None' " + other); // not even that it has none
  }

  @ParameterizedTest
  @ValueSource(strings = {"user:***", "***:" + SECRET, "***:***", "%2a**:x", "user:*%2A*"})
  void partOfTheUserInfoStandsForNothing(String userInfo) {
    refused(
        "https://" + userInfo + "@example.com/",
        Map.of(),
        "in the user info of a URL '***' stands for the whole of it");
  }
}
