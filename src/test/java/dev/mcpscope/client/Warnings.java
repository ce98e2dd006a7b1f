package dev.mcpscope.client;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/// What the client logs as a warning or worse while this is open. It takes its time, as a log that
/// goes to a slow disk does, and notes when its writer is interrupted meanwhile.
final class Warnings extends Handler implements AutoCloseable {
  private static final Logger LOGGER = Logger.getLogger("dev.mcpscope.client");
  private static final long WRITING_MILLIS = 200;

  private final List<String> messages = new CopyOnWriteArrayList<>();

  Warnings() {
    setLevel(Level.WARNING);
    LOGGER.addHandler(this);
  }

  @Override
  public void publish(LogRecord line) {
    if (!isLoggable(line)) {
      return;
    }
    messages.add(line.getMessage());
    try {
      new CountDownLatch(1).await(WRITING_MILLIS, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      messages.add("interrupted while writing: " + line.getMessage());
      Thread.currentThread().interrupt();
    }
  }

  /// Returns them, in order.
  List<String> messages() {
    return List.copyOf(messages);
  }

  @Override
  public void flush() {}

  @Override
  public void close() {
    LOGGER.removeHandler(this);
  }
}
