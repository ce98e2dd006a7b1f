package dev.mcpscope.front;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.Headers;
import java.net.URI;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GateTest {

  private static Front.Options options(String host) {
    return new Front.Options(host, 0, "the-token", List.of(), Map.of());
  }

  private static boolean isPassed(Gate gate, Headers headers) {
    try {
      gate.checkOrigin(URI.create("/x"), headers);
      return true;
    } catch (HttpError e) {
      assertThat(e.status()).isEqualTo(403);
      return false;
    }
  }

  @ParameterizedTest
  @CsvSource({
    "8484, 127.0.0.1:8484,     true",
    "8484, LOCALHOST:8484,     true",
    "8484, [::1]:8484,         true",
    "8484, 127.0.0.1,          false",
    "8484, 127.0.0.1:80,       false",
    "8484, box:8484,           true",
    "8484, box,                false",
    "8484, [fe80::1]:8484,     true",
    "8484, proxy.example:443,  true",
    "8484, proxy.example,      true",
    "8484, proxy.example:8484, false",
    "8484, plain.example:80,   true",
    "8484, plain.example,      true",
    "80,   127.0.0.1,          true",
    "80,   127.0.0.1:80,       true",
    "80,   box,                true",
  })
  void hostNamesThisServerWithItsPort(int port, String host, boolean passed) {
    List<String> allowed = List.of("Box", "[FE80::1]", "proxy.example:443", "plain.example:80");
    var gate = new Gate(options("127.0.0.1").withAllowHosts(allowed), port);
    assertThat(isPassed(gate, Headers.of("Host", host))).isEqualTo(passed);
  }

  @ParameterizedTest
  @CsvSource({
    "8484, http://127.0.0.1:8484, true",
    "8484, http://box:8484,       true",
    "8484, http://box,            false",
    "8484, https://box:8484,      false",
    "80,   http://127.0.0.1,      true",
    "80,   https://127.0.0.1,     false",
    "443,  http://127.0.0.1,      false",
  })
  void ownOriginsAreThoseOfItsNames(int port, String origin, boolean passed) {
    var options =
        options("127.0.0.1")
            .withAllowHosts(List.of("box"))
            .withAllowOrigins(List.of("http://box:8484")); // its own, so it changes nothing
    var gate = new Gate(options, port);
    Headers headers = Headers.of("Host", "box:" + port, "Origin", origin);
    assertThat(isPassed(gate, headers)).isEqualTo(passed);
    assertThat(gate.foreignOrigin(headers)).isEmpty();
  }

  @Test
  void anAddressOfVersion6NeedsNoBracketsFromTheOperator() {
    var gate = new Gate(options("FE80::1"), 8484);
    assertThat(isPassed(gate, Headers.of("Host", "[fe80::1]:8484"))).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "*",
        "*.example",
        "null",
        "a b",
        "a,b",
        "a/b",
        "http://a",
        "a:",
        "a:b",
        "a:0",
        "a:65536",
        "a:1:2",
        "user@a",
        "::1",
        "a\n",
        "a?",
        "ü"
      })
  void whatCannotBeAHostIsRefused(String host) {
    assertThatThrownBy(() -> options("127.0.0.1").withAllowHosts(List.of("good", host)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "a host is allowed as name or name:port, each by itself and without wildcards, not as "
                + Front.quoted(host));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "*",
        "null",
        "app.example",
        "https://*.example",
        "https://a b",
        "https://a/",
        "https://a/b",
        "https://a,https://b",
        "https://a https://b",
        "https://",
        "://a",
        "https://a:",
        "https://a:65536",
        "https://user@a",
        "https://a\r\nX: y",
        "https://ü"
      })
  void whatNoBrowserSendsAsAnOriginIsRefused(String origin) {
    assertThatThrownBy(() -> options("127.0.0.1").withAllowOrigins(List.of(origin)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "an origin is allowed as scheme://host or scheme://host:port, each by itself and"
                + " without wildcards, not as "
                + Front.quoted(origin));
  }

  @ParameterizedTest
  @ValueSource(strings = {"http://a:80", "HTTPS://a:443", "https://[::1]:443"})
  void portThatBrowsersLeaveOutIsRefused(String origin) {
    assertThatThrownBy(() -> options("127.0.0.1").withAllowOrigins(List.of(origin)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("browsers leave out the port of ");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "https://a",
        "http://a:443",
        "https://a:80",
        "http://[::80]",
        "chrome-extension://abc"
      })
  void originsAreTaken(String origin) {
    assertThatCode(() -> options("127.0.0.1").withAllowOrigins(List.of(origin)))
        .doesNotThrowAnyException();
  }
}
