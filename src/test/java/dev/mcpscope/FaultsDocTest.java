package dev.mcpscope;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// What the documents say of the matrix is what it expects.
class FaultsDocTest {
  private static final String[] PROBED = {"stdio", "http"};
  private static final String[] TRANSPORTS = {"stdio", "http", "sse"}; // the last is of one era

  @Test
  void theDocumentHasEachFaultOfTheMatrixAndNoOther() throws IOException {
    assertThat(FaultsDoc.table()).containsExactlyElementsOf(FaultMatrix.expected());
  }

  @Test
  void noFaultStandsTwiceInTheMatrix() {
    assertThat(FaultCatalogue.rows().map(row -> row.fault() + " over " + row.transport()))
        .doesNotHaveDuplicates();
  }

  @Test
  void eachPhaseMeetsFaultsOverEachTransportInEachEra() {
    List<FaultRow> rows = FaultCatalogue.rows().toList();
    assertThat(FaultPhase.values())
        .allSatisfy(phase -> {
          String[] all = FaultPhase.PROBES.contains(phase) ? PROBED : TRANSPORTS;
          assertThat(transports(rows, Eras.LEGACY, phase)).containsOnly(all);
          assertThat(transports(rows, Eras.MODERN, phase)).containsOnly(PROBED);
        });
  }

  private static Stream<String> transports(List<FaultRow> rows, Eras era, FaultPhase phase) {
    return rows.stream()
        .filter(row -> row.expected(era, phase).isPresent())
        .map(FaultRow::transport);
  }

  @Test
  void anEmptyCellIsFound() {
    assertThat(FaultMatrix.emptyCells("| a | b |\n| a |  |\n| a \\| | b |\n"))
        .containsExactly("| a |  |");
  }

  @Test
  void eachNumberIsOneOfTheCatalogue() {
    assertThat(FaultCatalogue.rows().flatMap(row -> Stream.of(row.numbers().split(" "))))
        .allMatch(number -> number.matches("A([1-9]|[1-3]\\d|4[0-4])|B([1-9]|1\\d|2[0-2])|C|D|F"));
  }
}
