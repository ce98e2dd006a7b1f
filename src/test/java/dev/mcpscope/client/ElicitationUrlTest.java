package dev.mcpscope.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ElicitationUrlTest {

  private static JsonObject params(String url) {
    return JsonObject.of(
        "mode", "url", "message", "Please", "url", url, "elicitationId", "of-the-server");
  }

  @Test
  void aUrlIsReadWithWhoAsksAndWhatForAndItsId() throws Exception {
    JsonObject params = params("https://example.org/consent").with("of-the-future", 1);
    ElicitationUrl url = ElicitationUrl.parse("files", params);
    assertThat(url.server()).isEqualTo("files");
    assertThat(url.message()).isEqualTo("Please");
    assertThat(url.elicitationId()).contains("of-the-server");
    assertThat(url.json()).isEqualTo(params);
  }

  /// What the user is shown has to be what the browser is given.
  @ParameterizedTest
  @ValueSource(
      strings = {
        "https://example.org",
        "http://example.org/",
        "HTTPS://EXAMPLE.org/Path",
        "https://localhost:8443/",
        "https://[::1]/",
        "https://127.0.0.1/",
        "https://xn--bcher-kva.example/",
        "https://bank.example@evil.example/login",
        "https://user:p%40ss@example.org/",
        "https://example.org/a%2Fb/../c/./d?x=1&y=%2f&z=#frag",
        "https://example.org//double//slashes?",
        "https://example.org/ä"
      })
  void aUrlIsKeptToTheLetter(String text) throws Exception {
    assertThat(ElicitationUrl.parse("s", params(text)).url()).hasToString(text);
  }

  @Test
  void theHostOfAUrlWithAUserIsWhatFollowsTheUser() throws Exception {
    ElicitationUrl url = ElicitationUrl.parse("s", params("https://bank.example@evil.example/"));
    assertThat(url.url().getHost()).isEqualTo("evil.example");
    assertThat(url.url().getUserInfo()).isEqualTo("bank.example");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "javascript:alert(1)",
        "JavaScript://example.org/%0aalert(1)",
        "file:///etc/passwd",
        "file://example.org/etc/passwd",
        "ftp://example.org/",
        "ws://example.org/",
        "data:text/html,hello",
        "vscode://example.org/",
        "/relative",
        "relative",
        "//example.org/",
        "?query",
        "",
        "https:",
        "https://",
        "https:///path",
        "https:example.org",
        "http://:80/",
        "https://user@/",
        "https://example.org/a b",
        " https://example.org/",
        "https://example.org/\n",
        "https://exa mple.org/",
        "https://ex\u0430mple.org/", // a Cyrillic letter
        "https://a\\@evil.example/"
      })
  void whatIsNoUrlOfAWebPageIsRefused(String text) {
    assertThatThrownBy(() -> ElicitationUrl.parse("s", params(text)))
        .isInstanceOf(JsonException.class)
        .hasMessageStartingWith("member \"url\" ");
  }

  @ParameterizedTest
  @CsvSource({"message", "url"})
  void eachMemberIsNeeded(String member) {
    JsonObject params = params("https://example.org/");
    Stream.of(params.without(member), params.with(member, null), params.with(member, 1))
        .forEach(wrong ->
            assertThatThrownBy(() -> ElicitationUrl.parse("s", wrong))
                .isInstanceOf(JsonException.class)
                .hasMessageContaining("\"" + member + "\""));
  }

  @Test
  void since20260728ItHasNoId() throws Exception {
    JsonObject params = params("https://example.org/").without("elicitationId");
    assertThat(ElicitationUrl.parse("s", params).elicitationId()).isEmpty();
  }
}
