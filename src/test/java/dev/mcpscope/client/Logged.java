package dev.mcpscope.client;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;

/// What is logged under a name, which is not printed meanwhile.
final class Logged implements AutoCloseable {
  private final Logger logger;
  private final List<LogRecord> records = new ArrayList<>(); // guarded by this
  private final Handler handler =
      new Handler() {
        @Override
        public void publish(LogRecord logged) {
          add(logged);
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
      };

  private Logged(Logger logger) {
    this.logger = logger;
  }

  static Logged under(String name) {
    var logged = new Logged(Logger.getLogger(name));
    logged.logger.setUseParentHandlers(false);
    logged.logger.addHandler(logged.handler);
    return logged;
  }

  private synchronized void add(LogRecord logged) {
    records.add(logged);
    notifyAll();
  }

  /// Waits for such a record.
  synchronized LogRecord await(Predicate<LogRecord> wanted) throws InterruptedException {
    while (true) {
      for (LogRecord logged : records) {
        if (wanted.test(logged)) {
          return logged;
        }
      }
      wait();
    }
  }

  /// Waits for a record whose message has this in it.
  LogRecord await(String part) throws InterruptedException {
    return await(logged -> text(logged).contains(part));
  }

  /// Returns the messages so far.
  synchronized List<String> texts() {
    return records.stream().map(Logged::text).toList();
  }

  private static String text(LogRecord logged) {
    return new SimpleFormatter().formatMessage(logged);
  }

  @Override
  public void close() {
    logger.removeHandler(handler);
    logger.setUseParentHandlers(true);
  }
}
