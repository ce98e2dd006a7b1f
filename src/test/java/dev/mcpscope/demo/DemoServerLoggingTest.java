package dev.mcpscope.demo;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.json.JsonObject;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DemoServerLoggingTest extends RunningDemoServer {

  @Test
  void everyCallIsLoggedBeforeItIsAnswered() throws Exception {
    call(1, "echo", "message", "secret");
    call(2, "add"); // wrong, but a call
    assertThat(logged)
        .containsExactly(
            JsonObject.of("level", "info", "logger", "demo", "data", "echo was called"),
            JsonObject.of("level", "info", "logger", "demo", "data", "add was called"));
  }

  @Test
  void whatIsNoCallOfAToolIsNotLogged() throws Exception {
    call(1, "nosuch");
    request(2, "tools/list", JsonObject.EMPTY);
    assertThat(logged).isEmpty();
  }

  @Test
  void crashIsLoggedAsAnErrorBeforeTheEnd() throws Exception {
    send(callOf(1, "crash"));
    halted.get();
    request(2, "ping", JsonObject.EMPTY);
    assertThat(logged)
        .containsExactly(
            JsonObject.of("level", "error", "logger", "demo", "data", "crash was called"));
  }

  @ParameterizedTest
  @CsvSource({
    "debug, 2",
    "info, 2",
    "notice, 1",
    "warning, 1",
    "error, 1",
    "critical, 0",
    "alert, 0",
    "emergency, 0"
  })
  void onlyWhatIsSevereEnoughIsLogged(String level, int messages) throws Exception {
    assertThat(result(setLevel(level))).isEqualTo(JsonObject.EMPTY);
    call(1, "echo", "message", "x");
    send(callOf(2, "crash"));
    halted.get();
    request(3, "ping", JsonObject.EMPTY);
    assertThat(logged).hasSize(messages);
  }

  @ParameterizedTest
  @ValueSource(strings = {"INFO", "verbose", ""})
  void unknownLevelIsRefusedAndChangesNothing(String level) throws Exception {
    setLevel("emergency");
    assertThat(error(setLevel(level))).isEqualTo(-32602);
    assertThat(error(request(1, "logging/setLevel", JsonObject.EMPTY))).isEqualTo(-32602);
    call(2, "echo", "message", "x");
    assertThat(logged).isEmpty();
  }

  private JsonObject setLevel(String level) throws IOException {
    return request(0, "logging/setLevel", JsonObject.of("level", level));
  }
}
