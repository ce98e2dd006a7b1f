package dev.mcpscope.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.client.ServerSpec.Http.Kind;
import java.net.URI;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ServerSpecTest {

  private static void refused(String url, String message) {
    assertThatThrownBy(() -> ServerSpec.http(url))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message)
        .satisfies(e -> {
          for (Throwable t = e; t != null; t = t.getCause()) {
            assertThat(t).message().doesNotContain("secret");
          }
        });
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "http://localhost",
        "HTTP://LOCALHOST/",
        "https://user:secret@example.com:8443/mcp?key=secret&a",
        "http://[::1]:65535/mcp/%C3%BC",
        "http://10.0.0.1:1/",
      })
  void urlsOfServersAreKeptAsTheyAre(String url) {
    assertThat(ServerSpec.http(url).url()).hasToString(url);
    assertThat(ServerSpec.sse(url).kind()).isEqualTo(Kind.SSE);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "ftp://secret@host/?secret | a URL must begin with http:// or https://",
        "host/secret | a URL must begin with http:// or https://",
        "'' | a URL must begin with http:// or https://",
        "file:///secret | a URL must begin with http:// or https://",
        "http:secret | the URL names no host",
        "http:///secret | the URL names no host",
        "http://secret@secret@host/ | the URL names no host",
        "http://169.254.43518/secret | the URL names no host",
        "http://secret@host:0/ | the port of a URL must be 1 to 65535",
        "http://secret@host:65536/ | the port of a URL must be 1 to 65535",
        "http://secret@host/?secret#secret | a URL with a fragment (#) is no address of a server",
        "http://host/ü?secret | a URL is visible ASCII, with all else percent-encoded",
        "http://host/a b?secret | a URL is visible ASCII, with all else percent-encoded",
        "http://host/?secret={} | not a URL: Illegal character in query at character 21",
        "http://u:secret%@host/ | not a URL: Malformed escape pair at character 16",
        "http://secret@[::1/?secret | not a URL: Expected closing bracket for IPv6 address at"
            + " character 19",
        "http:// | not a URL: Expected authority at character 8",
        "http://secret@169.254.169.254/secret | no connection is made to a link-local address",
        "http://metadata.goog/?secret | no connection is made to a cloud's metadata service",
      })
  void whatIsNoUrlOfAServerIsRefusedWithoutItsSecrets(String url, String message) {
    refused(url, message);
  }

  @Test
  void urlThatTurnsTextAroundOrEndsALineIsRefused() {
    for (String part : new String[] {"\u202e", "\n", "\r\n", "\u0000", "\u007f", "\u2028"}) {
      String url = "http://host/" + part + "secret";
      refused(url, "a URL is visible ASCII, with all else percent-encoded");
    }
    assertThatThrownBy(
            () -> new ServerSpec.Http(URI.create("http://host/\u202e"), Map.of(), Kind.SSE))
        .hasMessage("a URL is visible ASCII, with all else percent-encoded");
  }

  @Test
  void urlHasAtMost8192Characters() {
    String longest = "http://host/?" + "k".repeat(8192 - 13);
    assertThat(ServerSpec.http(longest).url()).hasToString(longest);
    refused(longest + "k", "a URL has at most 8192 characters, this has 8193");
  }

  @Test
  void headersOfLibraryUsersAreCheckedAndKeptInTheirOrder() {
    ServerSpec.Http server = ServerSpec.http("http://host/");
    var headers = new LinkedHashMap<String, String>();
    for (int i = 20; i > 0; i--) {
      headers.put("X-" + i, "");
    }
    assertThat(server.withHeaders(headers).headers())
        .containsExactlyEntriesOf(headers)
        .isUnmodifiable();
    assertThatThrownBy(() -> server.withHeaders(Map.of("Host", "secret")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("the header 'Host' is set by the connection itself");
    assertThatThrownBy(() -> server.withHeaders(Map.of("X", "secret\r\nHost: secret")))
        .isInstanceOf(IllegalArgumentException.class)
        .message()
        .doesNotContain("secret");
  }

  @Test
  void asTextAServerHasNoSecrets() {
    assertThat(
            ServerSpec.http("http://secret:secret@host:80/mcp?key=secret")
                .withHeaders(Map.of("Authorization", "secret")))
        .hasToString("http server host:80/mcp");
  }
}
