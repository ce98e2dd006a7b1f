package dev.mcpscope.stdio;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;

class ChildEnvironmentTest {

  @Test
  void aSecretOfTheHostIsNotPassedOn() {
    var environment = new HashMap<>(Map.of("PATH", "/bin", "AWS_SECRET_ACCESS_KEY", "secret"));
    String mark = ChildEnvironment.fill(environment, Map.of());
    assertThat(environment)
        .containsOnlyKeys("PATH", ChildEnvironment.MARK)
        .containsEntry("PATH", "/bin")
        .containsEntry(ChildEnvironment.MARK, mark);
  }

  @Test
  void whatTheConnectionAsksForIsAddedAndWins() {
    var environment = new HashMap<>(Map.of("PATH", "/bin", "TOKEN", "the host's"));
    ChildEnvironment.fill(environment, Map.of("TOKEN", "the server's", "PATH", "/opt/bin"));
    assertThat(environment)
        .containsOnlyKeys("PATH", "TOKEN", ChildEnvironment.MARK)
        .containsEntry("TOKEN", "the server's")
        .containsEntry("PATH", "/opt/bin");
  }

  @Test
  void eachMarkIsNewAndNobodyElseMayChooseIt() {
    var environment = new HashMap<>(Map.of(ChildEnvironment.MARK, "of the host's own host"));
    var wanted = Map.of(ChildEnvironment.MARK, "chosen");
    String one = ChildEnvironment.fill(environment, wanted);
    String two = ChildEnvironment.fill(environment, wanted);
    assertThat(one).isNotEqualTo(two);
    assertThat(environment.get(ChildEnvironment.MARK))
        .isNotEqualTo("chosen")
        .isNotEqualTo("of the host's own host");
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void aRealChildSeesTheMarkAndNoSecret() throws Exception {
    var builder = new ProcessBuilder("env").redirectInput(new File("/dev/null"));
    builder.environment().put("HOST_SECRET", "secret");
    String mark = ChildEnvironment.fill(builder.environment(), Map.of("MODE", "test"));
    Process env = builder.start();
    try (var out = env.inputReader()) {
      assertThat(out.lines())
          .contains(ChildEnvironment.MARK + "=" + mark, "MODE=test")
          .noneMatch(line -> line.contains("SECRET"));
      env.waitFor();
    }
  }
}
