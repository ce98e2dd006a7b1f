package dev.mcpscope.front;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class HeaderPolicyTest {

  private static final String SECRET = "hunter2";

  private static void refused(JsonValue headers, String detail) {
    assertThatThrownBy(() -> HeaderPolicy.read(headers))
        .isInstanceOf(RefusedException.class)
        .hasMessage(detail)
        .message()
        .doesNotContain(SECRET);
  }

  @Test
  void headersAreReadInTheirOrder() throws Exception {
    var headers =
        JsonObject.of("X-Last", "1", "authorization", "Bearer " + SECRET, "Cookie", "a=b;\tc=d");
    assertThat(HeaderPolicy.read(headers))
        .containsExactly(
            Map.entry("X-Last", "1"),
            Map.entry("authorization", "Bearer " + SECRET),
            Map.entry("Cookie", "a=b;\tc=d"));
  }

  @Test
  void noHeadersAreNone() throws Exception {
    assertThat(HeaderPolicy.read(null)).isEmpty();
    assertThat(HeaderPolicy.read(JsonNull.INSTANCE)).isEmpty();
    assertThat(HeaderPolicy.read(JsonObject.EMPTY)).isEmpty();
  }

  @Test
  void whatIsNoObjectOfStringsIsRefused() {
    refused(
        JsonValue.of(List.of("X: " + SECRET)), "headers must be an object of strings, is an array");
    refused(JsonValue.of("X: " + SECRET), "headers must be an object of strings, is a string");
    refused(JsonObject.of("X", 1), "the header 'X' must be a string, is a number");
    refused(JsonObject.of("X", null), "the header 'X' must be a string, is null");
    refused(JsonObject.of("X", List.of(SECRET)), "the header 'X' must be a string, is an array");
    refused(JsonObject.of("X\u202e\n", 1), "the header 'X??' must be a string, is a number");
  }
}
