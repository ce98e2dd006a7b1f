package dev.mcpscope.host;

import dev.mcpscope.NothingLeft;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/// Ten thousand commands of every kind, to twenty sessions with all faults; see [Walk].
///
/// ```
/// mvn test -Dtest=RandomWalkTest -Dwalk.seed=4711 -Dwalk.steps=100000
/// ```
///
/// The seed is printed. The same seed gives the same commands in the same order, with the same
/// servers, faults and arguments; how they interleave is the machine's.
@EnabledOnOs(OS.LINUX)
class RandomWalkTest {
  private static final int STEPS = Integer.getInteger("walk.steps", 10_000);

  @Test
  @Timeout(value = 30, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void anyCommandsInAnyOrderAreAnsweredInTimeAndLeaveNothing() throws Exception {
    long seed =
        Optional.ofNullable(Long.getLong("walk.seed"))
            .orElseGet(() -> System.nanoTime() & 0xffffff);
    System.out.println("RandomWalkTest: " + STEPS + " steps from -Dwalk.seed=" + seed);
    long begun = System.nanoTime();
    NothingLeft.after(() -> System.out.println("RandomWalkTest: " + Walk.of(seed, STEPS)));
    System.out.println("RandomWalkTest: " + (System.nanoTime() - begun) / 1_000_000_000 + " s");
  }
}
