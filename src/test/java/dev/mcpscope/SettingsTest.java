package dev.mcpscope;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.front.Front;
import dev.mcpscope.host.HostOptions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class SettingsTest {

  @Test
  void withoutFlagsAllIsAsTheRecordsHaveIt() throws Exception {
    Settings settings = Settings.of(Map.of("--port", "1")); // a flag of somebody else's
    assertThat(settings.host()).isEqualTo(HostOptions.defaults());
    assertThat(settings.front()).isEqualTo(Front.Limits.defaults());
  }

  /// A value for each flag that no default has, and that fits into what encloses it.
  static Stream<List<String>> flags() {
    return Settings.flags().stream()
        .map(flag ->
            List.of(
                flag,
                switch (flag) {
                  case "--call-maximum", "--restart-most" -> "59m";
                  case "--exit-timeout", "--terminate-timeout", "--kill-timeout" -> "777ms";
                  case "--close-timeout" -> "17s";
                  case "--json-depth", "--headers" -> "77";
                  case "--target-bytes", "--header-bytes" -> "7777";
                  default ->
                      flag.endsWith("-bytes")
                          ? "77KiB"
                          : flag.endsWith("-timeout")
                                  || List.of("--session-idle", "--restart-first", "--heartbeat")
                                      .contains(flag)
                              ? "777ms"
                              : "77";
                }));
  }

  @ParameterizedTest
  @MethodSource("flags")
  void eachFlagReachesOnePlaceAndNoOther(List<String> given) throws Exception {
    String flag = given.getFirst();
    Settings settings = Settings.of(Map.of(flag, given.getLast()));
    List<String> before = leaves(HostOptions.defaults(), Front.Limits.defaults());
    List<String> after = leaves(settings.host(), settings.front());
    assertThat(after).hasSameSizeAs(before);
    List<String> changed = after.stream().filter(leaf -> !before.contains(leaf)).toList();
    assertThat(changed).as(flag).hasSize(1);
  }

  /// The components of records, and of records in them, by their names.
  private static List<String> leaves(Object... records) throws ReflectiveOperationException {
    var leaves = new ArrayList<String>();
    for (Object record : records) {
      collect(record.getClass().getSimpleName(), record, leaves);
    }
    return leaves;
  }

  private static void collect(String path, Object value, List<String> leaves)
      throws ReflectiveOperationException {
    if (!(value instanceof Record) || value.getClass().getSimpleName().equals("ClientFeatures")) {
      leaves.add(path + " = " + value);
      return;
    }
    for (var component : value.getClass().getRecordComponents()) {
      collect(path + "." + component.getName(), component.getAccessor().invoke(value), leaves);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "--connect-timeout, 0ms, 1ms to 60m",
    "--connect-timeout, 61m, 1ms to 60m",
    "--connect-timeout, 999999999999h, 1ms to 60m",
    "--connect-timeout, 30, '500ms, 30s, 10m or 1h'",
    "--connect-timeout, -1s, '500ms, 30s, 10m or 1h'",
    "--connect-timeout, 1.5s, '500ms, 30s, 10m or 1h'",
    "--connect-timeout, 30KiB, '500ms, 30s, 10m or 1h'",
    "--connect-timeout, s, '500ms, 30s, 10m or 1h'",
    "--close-timeout, 999ms, 1s to 1m",
    "--sessions, 0, 1 to 1000000",
    "--sessions, -5, a whole number",
    "--sessions, 1e3, a whole number",
    "--sessions, 5s, a whole number",
    "--sessions, 99999999999999999999, a whole number",
    "--sessions, 1000001, 1 to 1000000",
    "--json-depth, 513, 8 to 512",
    "--message-bytes, 1, 1KiB to 1024MiB",
    "--message-bytes, 2048MiB, 1KiB to 1024MiB",
    "--message-bytes, 16MB, '65536, 64KiB or 16MiB'",
    "--headers, 401, 16 to 400",
    "--heartbeat, 9ms, 10ms to 10m",
  })
  void valuesOutOfRangeAreRefusedByName(String flag, String value, String expected) {
    assertThatThrownBy(() -> Settings.of(Map.of(flag, value)))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith(flag + " must be " + expected)
        .hasMessageContaining(value);
  }

  @Test
  void budgetsFitIntoThoseThatEncloseThem() {
    assertThatThrownBy(() -> Settings.of(Map.of("--exit-timeout", "3s")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("5000 ms or less together");
    assertThatThrownBy(() -> Settings.of(Map.of("--call-timeout", "11m")))
        .hasMessage("--call-timeout must not be more than --call-maximum");
    assertThatThrownBy(() -> Settings.of(Map.of("--restart-first", "1m")))
        .hasMessage("--restart-first must not be more than --restart-most");
  }

  @Test
  void zeroMeansNotToWaitWhereItIsInTheRange() throws Exception {
    assertThat(Settings.of(Map.of("--exit-timeout", "0s")).host().client().close().exit())
        .isEqualTo(Duration.ZERO);
  }

  @Test
  void helpHasALineForEachFlag() {
    List<String> lines = Arrays.asList(Settings.help().split("\n"));
    assertThat(lines).hasSameSizeAs(Settings.flags());
    assertThat(Settings.help())
        .contains("--connect-timeout", "[30s]", "[16MiB]", "[1024]")
        .contains("8 to 512");
  }
}
