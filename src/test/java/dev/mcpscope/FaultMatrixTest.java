package dev.mcpscope;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Every fault of [FaultCatalogue] in every phase in which it can strike: what the caller sees, how
/// the server goes, what the report names, how long it takes, and that nothing is left. What came of
/// it is written to `target/fault-matrix.md`; `docs/faults.md` says how to read it.
///
/// `-Dmatrix.only=REGEX` plays those cases only in whose name it is found, such as `DELETE`,
/// `\(sse\)`, or `SIGTERM.*session ending`.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@EnabledOnOs(OS.LINUX)
class FaultMatrixTest {
  private static final Map<FaultCase, FaultCase.Observed> OBSERVED = new LinkedHashMap<>();
  private static final Set<FaultCase> RAN = new LinkedHashSet<>();

  static Stream<FaultCase> cases() {
    var only = Pattern.compile(System.getProperty("matrix.only", "")).asPredicate();
    return FaultCatalogue.cases().filter(fault -> only.test(fault.toString()));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("cases")
  void faultIsBoundedAndLeavesNothing(FaultCase fault, @TempDir Path directory) throws Exception {
    RAN.add(fault);
    OBSERVED.put(fault, fault.run(directory));
  }

  /// Writes what ran: some cases, if somebody runs these alone, and then it is no proof.
  @AfterAll
  static void theMatrixIsWrittenAndHasNoEmptyCell() throws IOException {
    String matrix = FaultMatrix.of(OBSERVED);
    Files.createDirectories(Path.of("target"));
    Files.writeString(Path.of("target/fault-matrix.md"), matrix);
    assertThat(FaultMatrix.emptyCells(matrix)).isEmpty();
    if (RAN.size() == FaultCatalogue.cases().count()) {
      assertThat(RAN).as("cases without a row").allMatch(OBSERVED::containsKey);
    }
  }
}
