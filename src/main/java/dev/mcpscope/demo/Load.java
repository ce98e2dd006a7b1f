package dev.mcpscope.demo;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/// How much of the processors this JVM takes while it has nothing to do.
public final class Load {
  private static final Duration WINDOW = Duration.ofMillis(200);
  private static final int WINDOWS = 10;

  private Load() {}

  /// Looks at some windows of 200 ms and returns the least that was taken in one, in cores: 1 is all of
  /// one. What compiles or collects garbage after a storm is over in the next window; what spins takes
  /// its core in each. Blocks for 2 s at most; not so long if a window is idle.
  ///
  /// @throws UnsupportedOperationException if this JVM does not know what it takes: nothing, as it
  ///     would seem
  public static double least() throws InterruptedException {
    var system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    return least(system::getProcessCpuTime);
  }

  /// @param cpuNanos what was taken so far; negative if that is not known
  static double least(LongSupplier cpuNanos) throws InterruptedException {
    double least = Double.MAX_VALUE;
    for (int i = 0; i < WINDOWS && least > 0.02; i++) {
      long begun = System.nanoTime();
      long before = cpuNanos.getAsLong();
      new CountDownLatch(1).await(WINDOW.toMillis(), TimeUnit.MILLISECONDS); // lets time pass
      long after = cpuNanos.getAsLong();
      if (before < 0 || after < 0) {
        throw new UnsupportedOperationException("this JVM does not know its CPU time");
      }
      least = Math.min(least, (after - before) / (double) (System.nanoTime() - begun));
    }
    return least;
  }
}
