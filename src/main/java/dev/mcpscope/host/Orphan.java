package dev.mcpscope.host;

import java.time.Instant;
import java.util.Optional;

/// A process of a server whose host has ended without ending it, because it was killed.
///
/// @param pid its process id
/// @param started when it started
/// @param command what it runs, or "?" when the system does not say
/// @param host the process id that its host had
public record Orphan(long pid, Optional<Instant> started, String command, long host) {}
