package dev.mcpscope.client;

import static dev.mcpscope.client.Promptly.failure;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.NothingLeft;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;

@DisabledOnOs(OS.WINDOWS)
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SecretsTest {

  @Test
  void valuesOfTheEnvironmentAreHiddenInWhatIsToldOfStderr() throws Exception {
    try (var _ = NothingLeft.check()) {
      ServerSpec server =
          ServerSpec.stdio("sh", "-c", "echo \"bad key $KEY, debug is $DEBUG\" >&2; exit 3")
              .withEnvironment(Map.of("KEY", "ghp_0123456789", "DEBUG", "true"));
      assertThat(failure(ConnectionLostException.class, () -> McpClient.open(server)))
          .hasMessageContaining("bad key ***, debug is true")
          .hasMessageNotContaining("ghp_");
    }
  }
}
