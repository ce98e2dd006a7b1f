package dev.mcpscope.client;

import java.util.concurrent.CountDownLatch;

/// User code that takes no notice of its interrupt, until the test is over.
final class Stubborn implements AutoCloseable {
  private final CountDownLatch over = new CountDownLatch(1);

  /// Stays.
  <T> T call() {
    boolean interrupted = false;
    while (over.getCount() > 0) {
      try {
        over.await();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    return null;
  }

  @Override
  public void close() {
    over.countDown();
  }
}
