package dev.mcpscope;

import dev.mcpscope.FaultCase.Observed;
import dev.mcpscope.FaultRow.Expected;
import dev.mcpscope.FaultRow.Seen;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// The two tables of the faults: what came of each case, and, for the documents, what is expected of
/// each.
final class FaultMatrix {
  static final String NEVER = "—"; // a fault that cannot strike in a phase

  private FaultMatrix() {}

  /// Returns what came of these: a row a case.
  static String of(Map<FaultCase, Observed> observed) {
    var rows = new StringBuilder();
    rows.append(
        row(
            List.of(
                "fault",
                "catalogue",
                "transport",
                "era",
                "phase",
                "the caller saw",
                "outcome",
                "the report names",
                "ended",
                "ms / budget ms")));
    rows.append(row(Stream.generate(() -> "---").limit(10).toList()));
    observed.forEach((fault, came) ->
        rows.append(
            row(
                List.of(
                    fault.row().fault(),
                    fault.row().numbers(),
                    fault.row().transport(),
                    word(fault.era()),
                    fault.phase().text,
                    came.seen(),
                    came.outcome().name().toLowerCase(Locale.ROOT),
                    came.named(),
                    came.ended(),
                    came.took().toMillis() + " / " + came.budget().toMillis()))));
    return rows.toString();
  }

  private static String row(List<String> cells) {
    return cells.stream()
        .map(cell -> cell.replace("|", "\\|"))
        .collect(Collectors.joining(" | ", "| ", " |\n"));
  }

  /// Returns the rows that have an empty cell.
  static List<String> emptyCells(String matrix) {
    return matrix
        .lines()
        .filter(line ->
            Stream.of(line.substring(1, line.length() - 1).split("(?<!\\\\)\\|", -1))
                .anyMatch(String::isBlank))
        .toList();
  }

  /// Returns the table of the documents: what is expected, a row a fault, a column a phase.
  static List<String> expected() {
    Stream<String> phases = Stream.of(FaultPhase.values()).map(phase -> phase.text);
    var table = new ArrayList<String>();
    table.add(
        row(Stream.concat(Stream.of("fault", "catalogue", "transport", "era"), phases).toList())
            .strip());
    table.add("|" + "---|".repeat(4 + FaultPhase.values().length));
    FaultCatalogue.rows().map(FaultMatrix::expected).forEach(table::add);
    return table;
  }

  private static String expected(FaultRow row) {
    String era = row.eras().size() > 1 ? "both" : word(row.eras().iterator().next());
    Stream<String> cells = Stream.of(FaultPhase.values()).map(phase -> cell(row, phase));
    return row(Stream.concat(Stream.of(row.fault(), row.numbers(), row.transport(), era), cells)
            .toList())
        .strip();
  }

  private static String word(Eras era) {
    return era.name().toLowerCase(Locale.ROOT);
  }

  /// What is expected in both eras, once if it is the same.
  private static String cell(FaultRow row, FaultPhase phase) {
    String legacy = row.expected(Eras.LEGACY, phase).map(FaultMatrix::cell).orElse(NEVER);
    String modern = row.expected(Eras.MODERN, phase).map(FaultMatrix::cell).orElse(NEVER);
    boolean bothCount = row.eras().size() > 1 && !modern.equals(legacy);
    if (!row.eras().contains(Eras.LEGACY)) {
      return modern;
    }
    boolean same = !bothCount || FaultPhase.PROBES.contains(phase) && modern.equals(NEVER);
    return same ? legacy : legacy + "; modern: " + modern;
  }

  private static String cell(Expected expected) {
    String seen =
        switch (expected.seen()) {
          case Seen.Failure(var type, _) -> type.getSimpleName().replaceAll("Exception$", "");
          case Seen.Answer _ -> "answer";
          case Seen.State(var type, _) -> type.getSimpleName();
        };
    return seen + ", " + expected.outcome().name().toLowerCase(Locale.ROOT);
  }
}
