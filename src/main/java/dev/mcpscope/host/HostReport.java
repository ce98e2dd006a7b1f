package dev.mcpscope.host;

import dev.mcpscope.transport.CloseReport;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/// What it took to end a host.
///
/// @param took from the request to end until everything had ended, or the budget was used up
/// @param sessions the reports of the connections that were live, by session and name
/// @param unfinished sessions that had not ended when the budget was used up; empty but for a defect
/// @param abandoned threads of user code that were left behind
public record HostReport(
    Duration took,
    Map<String, Map<String, CloseReport>> sessions,
    List<String> unfinished,
    List<String> abandoned) {

  /// Returns whether nothing is left of the host and its connections.
  public boolean nothingLeft() {
    return unfinished.isEmpty()
        && abandoned.isEmpty()
        && sessions.values().stream()
            .flatMap(reports -> reports.values().stream())
            .allMatch(CloseReport::nothingLeft);
  }
}
