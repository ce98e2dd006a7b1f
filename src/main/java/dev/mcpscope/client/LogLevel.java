package dev.mcpscope.client;

import java.util.Locale;
import java.util.Optional;

/// How important a log message is, after RFC 5424; the least important first.
public enum LogLevel {
  /// For who looks for a fault.
  DEBUG,
  /// Normal.
  INFO,
  /// Normal, but worth to know.
  NOTICE,
  /// Something may go wrong.
  WARNING,
  /// Something has gone wrong.
  ERROR,
  /// A part has failed.
  CRITICAL,
  /// Somebody has to act now.
  ALERT,
  /// Nothing works.
  EMERGENCY;

  /// Returns the protocol's word for it.
  public String word() {
    return name().toLowerCase(Locale.ROOT);
  }

  static Optional<LogLevel> of(String word) {
    for (LogLevel level : values()) {
      if (level.word().equals(word)) {
        return Optional.of(level);
      }
    }
    return Optional.empty();
  }
}
