package dev.mcpscope;

import java.util.List;
import java.util.stream.Stream;

/// Which eras of the protocol a scripted server speaks.
public enum Eras {
  /// A handshake, and then a session.
  LEGACY(List.of("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")),
  /// Each request by itself: see [ModernEra].
  MODERN(List.of(ModernEra.REVISION)),
  /// Both: what carries the metadata of the modern era is of that one, all else of the other.
  DUAL(Stream.concat(MODERN.revisions.stream(), LEGACY.revisions.stream()).toList());

  /// Those that it speaks, the newest first.
  final List<String> revisions;

  Eras(List<String> revisions) {
    this.revisions = revisions;
  }

  /// Returns whether a message is of the modern era to such a server.
  ///
  /// @param marked whether it looks like that
  boolean areModernTo(boolean marked) {
    return this == MODERN || this == DUAL && marked;
  }
}
