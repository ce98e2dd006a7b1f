package dev.mcpscope;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.client.EraChoice;
import dev.mcpscope.front.Front;
import dev.mcpscope.host.HostOptions;
import java.lang.reflect.RecordComponent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SettingsTest {

  /// Each flag, a value that is not the default, the place that it goes to, and what is there then.
  private static final String PLACES =
      """
      --era                 modern  host.client.protocol.era              MODERN
      --cache               off     host.client.protocol.caching          false
      --connect-timeout     250ms   host.client.connectTimeout            PT0.25S
      --probe-timeout       1s      host.client.protocol.probeTimeout     PT1S
      --call-timeout        2m      host.client.callTimeout               PT2M
      --call-maximum        24h     host.client.callMaximum               PT24H
      --exit-timeout        1s      host.client.close.exit                PT1S
      --terminate-timeout   0s      host.client.close.terminate           PT0S
      --kill-timeout        7ms     host.client.close.kill                PT0.007S
      --close-timeout       1m      host.close                            PT1M
      --session-idle        1h      host.sessionIdle                      PT1H
      --reconnect-first     3s      host.client.reconnect.first           PT3S
      --reconnect-most      32s     host.client.reconnect.most            PT32S
      --reconnect-attempts  9       host.client.reconnect.attempts        9
      --restart-first       2s      host.restart.first                    PT2S
      --restart-most        31s     host.restart.most                     PT31S
      --restart-attempts    6       host.restart.attempts                 6
      --sessions            1000    host.sessions                         1000
      --connections         1001    host.connections                      1001
      --session-connections 63      host.connectionsPerSession            63
      --session-streams     17      host.subscriptionsPerSession          17
      --message-bytes       1MiB    host.client.limits.message.maxBytes   1048576
      --json-depth          255     host.client.limits.message.maxDepth   255
      --stderr-bytes        4096    host.client.limits.stderrBytes        4096
      --event-bytes         32KiB   host.client.limits.eventBytes         32768
      --pages               999     host.client.limits.pages              999
      --items               9999    host.client.limits.items              9999
      --server-requests     255     host.client.limits.serverRequests     255
      --requests            257     front.requests                        257
      --streams             129     front.streams                         129
      --body-bytes          64MiB   front.body                            67108864
      --target-bytes        256     front.target                          256
      --header-bytes        96KiB   front.headerBytes                     98304
      --headers             400     front.headers                         400
      --write-timeout       9s      front.write                           PT9S
      --heartbeat           10m     front.heartbeat                       PT10M
      """;

  private static final Pattern HELP_LINE =
      Pattern.compile(
          " {6}(?<flag>--[a-z-]+) +(?<help>.*\\S) +\\[(?<default>\\S+)\\]"
              + "  (?<range>\\S+ to \\S+|\\S+( or \\S+)+)");

  /// What the help says of a flag: its range, or its words.
  private record Told(String byDefault, String range) {

    /// The ends of the range, or all of the words.
    List<String> ends() {
      return List.of(range.split(" to | or "));
    }

    /// What a flag of its unit refuses: bytes are shown with a B somewhere, counts without a letter.
    List<String> wrong() {
      if (range.contains(" or ")) {
        return WRONG_WORDS;
      }
      String all = byDefault + range.replace(" to ", "");
      if (all.contains("B")) {
        return WRONG_BYTES;
      }
      return all.matches("[0-9]+") ? WRONG_COUNTS : WRONG_TIMES;
    }
  }

  private static final List<String> WRONG_WORDS =
      List.of(
          "",
          " ",
          "Auto",
          "ON",
          "auto ",
          " on",
          "au",
          "auto,modern",
          "auto or modern",
          "on or off",
          "yes",
          "true",
          "0",
          "1",
          "2026-07-28",
          "null");

  private static final List<String> WRONG_TIMES =
      List.of(
          "5",
          "0",
          "-5s",
          "+5s",
          "1.5s",
          "1,5s",
          "1e3s",
          "5 s",
          " 5s",
          "s",
          "ms",
          "5S",
          "5d",
          "5min",
          "5sec",
          "5us",
          "5MiB",
          "٥s",
          "1h30m",
          "never",
          "25h",
          "999999999999h",
          "9999999999999ms",
          "99999999999999999999999s",
          "-1ms");

  private static final List<String> WRONG_BYTES =
      List.of(
          "0",
          "255",
          "-1",
          "+65536",
          "1.5MiB",
          "64 KiB",
          "KiB",
          "64kb",
          "64KB",
          "64kib",
          "64K",
          "1GiB",
          "1TiB",
          "5s",
          "0x400",
          "65_536",
          "65,536",
          "٦٥٥٣٦",
          "unlimited",
          "999999999999",
          "999999999999MiB",
          "9999999999999",
          "99999999999999999999999");

  private static final List<String> WRONG_COUNTS =
      List.of(
          "0",
          "-1",
          "+16",
          "16.0",
          "1.5",
          "1e2",
          "1k",
          "16s",
          "16KiB",
          "0x10",
          "1_000",
          "1,000",
          "١٦",
          "many",
          "1000001",
          "999999999999",
          "9999999999999",
          "99999999999999999999999");

  private static Map<String, Told> told() {
    var told = new LinkedHashMap<String, Told>();
    for (String line : Settings.help().lines().toList()) {
      Matcher row = HELP_LINE.matcher(line);
      assertThat(row.matches()).as(line).isTrue();
      told.put(row.group("flag"), new Told(row.group("default"), row.group("range")));
    }
    return told;
  }

  /// All that the settings decide, by place.
  private static Map<String, String> places(Map<String, String> flags) throws UsageException {
    var places = new TreeMap<String, String>();
    Settings settings = Settings.of(flags);
    collect("host", settings.host(), places);
    collect("front", settings.front(), places);
    return places;
  }

  private static void collect(String place, Object value, Map<String, String> places) {
    if (!value.getClass().isRecord()) {
      places.put(place, value.toString());
      return;
    }
    for (RecordComponent component : value.getClass().getRecordComponents()) {
      try {
        collect(place + "." + component.getName(), component.getAccessor().invoke(value), places);
      } catch (ReflectiveOperationException e) {
        throw new AssertionError(e);
      }
    }
  }

  @Test
  void withoutFlagsEverythingIsAsItsRecordHasIt() throws Exception {
    Settings settings = Settings.of(Map.of());
    assertThat(settings.host()).isEqualTo(HostOptions.defaults());
    assertThat(settings.front()).isEqualTo(Front.Limits.defaults());
  }

  @Test
  void eachFlagReachesItsPlaceAndNoOther() throws Exception {
    Map<String, String> before = places(Map.of());
    var flags = PLACES.lines().map(line -> line.split(" +")).toList();
    assertThat(flags).extracting(row -> row[0]).isEqualTo(Settings.flags());
    for (String[] row : flags) {
      Map<String, String> after = places(Map.of(row[0], row[1]));
      assertThat(after.keySet()).isEqualTo(before.keySet());
      var changed = new HashMap<>(after);
      changed.entrySet().removeAll(before.entrySet());
      assertThat(changed).as(row[0]).containsExactly(Map.entry(row[2], row[3]));
    }
  }

  @Test
  void allFlagsTogetherReachTheirPlaces() throws Exception {
    Map<String, String> places =
        places(
            PLACES
                .lines()
                .map(line -> line.split(" +"))
                .collect(Collectors.toMap(row -> row[0], row -> row[1])));
    PLACES
        .lines()
        .map(line -> line.split(" +"))
        .forEach(row -> assertThat(places).containsEntry(row[2], row[3]));
  }

  @Test
  void helpHasALineForEachFlagWhoseDefaultIsTheDefault() throws Exception {
    Map<String, Told> told = told();
    assertThat(told.keySet()).containsExactlyElementsOf(Settings.flags());
    assertThat(Settings.help().lines()).allMatch(line -> line.length() < 100);
    for (var flag : told.entrySet()) {
      assertThat(places(Map.of(flag.getKey(), flag.getValue().byDefault())))
          .as(flag.getKey())
          .isEqualTo(places(Map.of()));
    }
  }

  @Test
  void bothEndsOfEachRangeAndAllWordsAreTaken() throws Exception {
    for (var flag : told().entrySet()) {
      for (String end : flag.getValue().ends()) {
        var flags = new HashMap<>(roomAround(flag.getKey()));
        flags.put(flag.getKey(), end);
        assertThat(places(flags)).as(flag.getKey() + " " + end).isNotEmpty();
      }
    }
  }

  /// The other budgets, so that one may be anything.
  private static Map<String, String> roomAround(String flag) {
    return switch (flag) {
      case "--call-timeout" -> Map.of("--call-maximum", "24h");
      case "--call-maximum" -> Map.of("--call-timeout", "1ms");
      case "--reconnect-first" -> Map.of("--reconnect-most", "1h");
      case "--reconnect-most" -> Map.of("--reconnect-first", "1ms");
      case "--restart-first" -> Map.of("--restart-most", "1h");
      case "--restart-most" -> Map.of("--restart-first", "1ms");
      case "--exit-timeout", "--terminate-timeout", "--kill-timeout", "--close-timeout" ->
          Map.of("--exit-timeout", "0s", "--terminate-timeout", "0s", "--kill-timeout", "0s");
      default -> Map.of();
    };
  }

  @Test
  void whatIsOutOfItsRangeOrNoSuchThingIsRefusedByFlagWithTheRange() {
    told()
        .forEach((flag, told) -> {
          for (String wrong : told.wrong()) {
            assertThatThrownBy(() -> Settings.of(Map.of(flag, wrong)))
                .as(flag + " " + wrong)
                .isInstanceOf(UsageException.class)
                .hasMessageStartingWith(flag + " must be " + told.range())
                .message()
                .containsPattern(", is '?" + Pattern.quote(wrong) + "'?$");
          }
        });
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--connect-timeout | 0ms      | 3600001ms  | 1ms to 60m",
        "--probe-timeout   | 0ms      | 3600001ms  | 1ms to 60m",
        "--exit-timeout    | -1ms     | 5001ms     | 0s to 5s",
        "--close-timeout   | 2999ms   | 61s        | 3s to 1m",
        "--message-bytes   | 1023     | 1073741825 | 1KiB to 1024MiB",
        "--target-bytes    | 255      | 32769      | 256 to 32KiB",
        "--headers         | 15       | 401        | 16 to 400",
        "--json-depth      | 7        | 513        | 8 to 512",
        "--heartbeat       | 9ms      | 600001ms   | 10ms to 10m",
      })
  void whatIsJustBeyondARangeIsRefused(String flag, String below, String above, String range) {
    for (String wrong : List.of(below, above)) {
      assertThatThrownBy(() -> Settings.of(Map.of(flag, wrong)))
          .isInstanceOf(UsageException.class)
          .hasMessageStartingWith(flag + " must be " + range);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--call-timeout 11m | --call-timeout must not be more than --call-maximum",
        "--call-maximum 59s | --call-timeout must not be more than --call-maximum",
        "--reconnect-first 31s | --reconnect-first must not be more than --reconnect-most",
        "--reconnect-most 999ms | --reconnect-first must not be more than --reconnect-most",
        "--restart-first 31s | --restart-first must not be more than --restart-most",
        "--restart-most 999ms | --restart-first must not be more than --restart-most",
        "--exit-timeout 2001ms | --exit-timeout, --terminate-timeout and --kill-timeout must be"
            + " 5000 ms or less together",
        "--terminate-timeout 3s | --exit-timeout, --terminate-timeout and --kill-timeout must be"
            + " 5000 ms or less together",
        "--kill-timeout 5s | --exit-timeout, --terminate-timeout and --kill-timeout must be"
            + " 5000 ms or less together",
      })
  void budgetThatDoesNotFitIntoTheOneAroundItIsRefused(String row) {
    String[] cells = row.split(" \\| ");
    String[] flag = cells[0].split(" ");
    assertThatThrownBy(() -> Settings.of(Map.of(flag[0], flag[1])))
        .isInstanceOf(UsageException.class)
        .hasMessage(cells[1]);
  }

  @Test
  void budgetThatJustFitsIsTaken() throws Exception {
    Settings.of(Map.of("--call-timeout", "10m"));
    Settings.of(Map.of("--call-timeout", "5s", "--call-maximum", "5000ms"));
    Settings.of(Map.of("--restart-first", "30s"));
    Settings.of(Map.of("--exit-timeout", "3s", "--terminate-timeout", "1s"));
  }

  @Test
  void timeToEndAllConnectionsHoldsTheCloseOfOne() {
    assertThatThrownBy(() -> Settings.of(Map.of("--close-timeout", "1s")))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith("--close-timeout must ");
  }

  @Test
  void optionsOfOthersAreLeftAlone() throws Exception {
    assertThat(places(Map.of("--port", "many", "--servers", "x"))).isEqualTo(places(Map.of()));
  }

  /// A word is one of the record's, and there is no other.
  @Test
  void eachEraCanBeChosen() throws Exception {
    var eras = new HashMap<String, EraChoice>();
    for (String word : told().get("--era").ends()) {
      eras.put(word, Settings.of(Map.of("--era", word)).host().client().protocol().era());
    }
    assertThat(eras)
        .isEqualTo(
            Map.of("auto", EraChoice.AUTO, "modern", EraChoice.MODERN, "legacy", EraChoice.LEGACY));
    assertThat(eras.values()).containsExactlyInAnyOrder(EraChoice.values());
  }

  @Test
  void theCacheIsOnOrOff() throws Exception {
    assertThat(Settings.of(Map.of("--cache", "on")).host().client().protocol().caching()).isTrue();
    assertThat(Settings.of(Map.of("--cache", "off")).host().client().protocol().caching())
        .isFalse();
  }

  @Test
  void helpSaysWhatTheProtocolsFlagsAreFor() {
    assertThat(Settings.help().lines())
        .contains(
            "      --era                  which era servers are spoken to in   [auto]  auto or modern"
                + " or legacy",
            "      --cache                use results again as servers allow   [on]  on or off",
            "      --probe-timeout        to say which era it is               [5s]  1ms to 60m");
  }

  /// Each line of the help ends with `[DEFAULT]  LEAST to MOST`, or with its words.
  @Test
  void theDocumentationHasEveryFlagInOrderWithItsDefaultAndRange() throws Exception {
    List<String> rows =
        Settings.help()
            .lines()
            .map(line ->
                line.strip().replaceAll("^(\\S+) .*\\[(\\S+)]  (.*)$", "| `$1` | $2 | $3 |"))
            .toList();
    assertThat(
            Files.readAllLines(Path.of("docs/operations.md")).stream()
                .filter(line -> line.startsWith("| `--"))
                .map(line -> line.replaceAll("[^|]*\\|$", "").strip()))
        .containsExactlyElementsOf(rows);
  }
}
