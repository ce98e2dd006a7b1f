package dev.mcpscope.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.scope.Deadline;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ResultCacheTest {
  private static final JsonObject NONE = JsonObject.EMPTY;
  private static final Duration HOUR = Duration.ofHours(1);
  private static final ServerEvent.ListChanged TOOLS_CHANGED =
      new ServerEvent.ListChanged(ServerEvent.List.TOOLS);

  private final ResultCache cache = new ResultCache(true);

  private static JsonObject result(Duration fresh) {
    return JsonObject.of("ttlMs", fresh.toMillis());
  }

  /// Returns a result that has this many characters.
  private static JsonObject resultOf(int characters, Duration fresh) {
    JsonObject frame = result(fresh).with("text", "");
    return frame.with("text", "x".repeat(characters - frame.toString().length()));
  }

  private void put(String method, JsonObject params, JsonObject result) {
    cache.put(method, params, result, cache.now());
  }

  /// Waits for the end of what was put before and is fresh for so long.
  private static void untilStale(Duration fresh) {
    Deadline deadline = Deadline.after(fresh);
    while (!deadline.passed()) {
      LockSupport.parkNanos(deadline.remainingNanos());
    }
  }

  // For how long.

  @Test
  void aResultIsUsedAgainForAsLongAsItSays() {
    JsonObject result = result(HOUR).with("tools", List.of());
    put("tools/list", NONE, result);

    assertThat(cache.get("tools/list", NONE)).containsSame(result);
    assertThat(cache.get("tools/list", NONE)).containsSame(result);
  }

  @Test
  void aResultIsStaleWhenItsTimeIsOver() {
    Duration moment = Duration.ofMillis(2);
    put("tools/list", NONE, result(moment));
    put("prompts/list", NONE, result(HOUR));

    untilStale(moment);

    assertThat(cache.get("tools/list", NONE)).isEmpty();
    assertThat(cache.get("prompts/list", NONE)).isPresent();
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1",
    "300000, 300000",
    "1.0, 1",
    "1e3, 1000",
    "9223372036854775807, 9223372036854775807",
    "0, 0",
    "-0, 0",
    "-1, 0",
    "-9223372036854775808, 0",
    "1.5, 0",
    "0.999, 0",
    "9223372036854775808, 0",
    "-9223372036854775809, 0",
    "1e30, 0",
    "1e999999999, 0"
  })
  void aTimeIsAWholeNumberOfMillisecondsAndNoneWhenItIsNegative(String ttl, long millis) {
    assertThat(ResultCache.fresh(JsonObject.of("ttlMs", new JsonNumber(ttl))))
        .isEqualTo(Duration.ofMillis(millis));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}", // "clients SHOULD assume a default of 0"
        "{'ttlMs':null}",
        "{'ttlMs':'1000'}",
        "{'ttlMs':true}",
        "{'ttlMs':[1000]}",
        "{'ttl':1000}",
        "{'_meta':{'ttlMs':1000}}",
        "{'cacheScope':'public'}"
      })
  void aResultThatNamesNoTimeIsNotKept(String result) {
    assertThat(ResultCache.fresh(Json.object(result))).isZero();
    put("tools/list", NONE, Json.object(result));
    assertThat(cache.get("tools/list", NONE)).isEmpty();
  }

  @Test
  void aResultIsKeptForAsLongAsALongCanSay() {
    put("tools/list", NONE, JsonObject.of("ttlMs", Long.MAX_VALUE));
    assertThat(cache.get("tools/list", NONE)).isPresent();
  }

  @ParameterizedTest
  @ValueSource(strings = {"public", "private", "of-the-future"})
  void aConnectionsOwnCacheTakesEveryScope(String scope) {
    put("tools/list", NONE, result(HOUR).with("cacheScope", scope));
    assertThat(cache.get("tools/list", NONE)).isPresent();
  }

  @Test
  void aLaterResultTakesThePlaceOfAnEarlierOne() {
    put("tools/list", NONE, result(HOUR).with("n", 1));
    put("tools/list", NONE, result(HOUR).with("n", 2));
    assertThat(cache.get("tools/list", NONE)).contains(result(HOUR).with("n", 2));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, MOST_CHARACTERS + 1})
  void aLaterResultThatIsNotKeptPutsAnEndToAnEarlierOne(int characters) {
    put("tools/list", NONE, result(HOUR));
    put("tools/list", NONE, characters == 0 ? result(Duration.ZERO) : resultOf(characters, HOUR));
    assertThat(cache.get("tools/list", NONE)).isEmpty();
  }

  // For what.

  @ParameterizedTest
  @ValueSource(
      strings = {
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "resources/read"
      })
  void aResultIsUsedForTheSameMethodAndParamsAlone(String method) {
    JsonObject params = JsonObject.of("cursor", "2", "uri", "file:///a");
    put(method, params, result(HOUR));

    assertThat(cache.get(method, JsonObject.of("uri", "file:///a", "cursor", "2"))).isPresent();
    assertThat(
            Stream.of(
                    NONE,
                    params.with("cursor", "3"),
                    params.with("cursor", 2),
                    params.with("uri", "file:///A"),
                    params.without("cursor"),
                    params.with("more", null))
                .map(other -> cache.get(method, other)))
        .containsOnly(Optional.empty());
    assertThat(cache.get("tools/call", params)).isEmpty();
    assertThat(cache.get(method.equals("tools/list") ? "prompts/list" : "tools/list", params))
        .isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "tools/call",
        "prompts/get",
        "completion/complete",
        "ping",
        "server/discover",
        "subscriptions/listen",
        "Tools/List",
        "x/list"
      })
  void whatHasAnEffectOrIsKeptElsewhereIsNotKept(String method) {
    put(method, NONE, result(HOUR));
    assertThat(cache.get(method, NONE)).isEmpty();
  }

  @Test
  void aCacheThatIsOffKeepsNothing() {
    var off = new ResultCache(false);
    off.put("tools/list", NONE, result(HOUR), off.now());
    assertThat(off.get("tools/list", NONE)).isEmpty();
    assertThat(off.forget("tools/list")).isFalse();
  }

  // How much.

  private static final int MOST = 256;
  private static final int MOST_CHARACTERS = 4 << 20;

  private static JsonObject uri(int number) {
    return JsonObject.of("uri", "file:///" + number);
  }

  @Test
  void oneMoreThan256PushesOutTheOneThatWasNotUsedForLongest() {
    for (int i = 0; i < MOST; i++) {
      put("resources/read", uri(i), result(HOUR));
    }
    cache.get("resources/read", uri(0));

    put("resources/read", uri(MOST), result(HOUR));

    for (int i = 0; i <= MOST; i++) {
      assertThat(cache.get("resources/read", uri(i)).isPresent())
          .as("file:///" + i)
          .isEqualTo(i != 1);
    }
  }

  @Test
  void whatIsPutAnewWasJustUsed() {
    for (int i = 0; i < MOST; i++) {
      put("resources/read", uri(i), result(HOUR));
    }
    put("resources/read", uri(0), result(HOUR));

    put("resources/read", uri(MOST), result(HOUR));

    assertThat(cache.get("resources/read", uri(0))).isPresent();
    assertThat(cache.get("resources/read", uri(1))).isEmpty();
  }

  @Test
  void moreCharactersThanFourMebiPushOutAsManyAsItTakes() {
    int third = MOST_CHARACTERS / 3;
    for (int i = 0; i < 3; i++) {
      put("resources/read", uri(i), resultOf(third, HOUR));
    }
    assertThat(cache.get("resources/read", uri(0))).isPresent(); // all three fit

    put("resources/read", uri(3), resultOf(third, HOUR));

    assertThat(cache.get("resources/read", uri(1))).isEmpty(); // used before 0 was
    for (int i : new int[] {0, 2, 3}) {
      assertThat(cache.get("resources/read", uri(i)).isPresent()).as("file:///" + i).isTrue();
    }

    put("resources/read", uri(4), resultOf(2 * third, HOUR));

    assertThat(cache.get("resources/read", uri(0))).isEmpty();
    assertThat(cache.get("resources/read", uri(2))).isEmpty();
    assertThat(cache.get("resources/read", uri(3))).isPresent();
    assertThat(cache.get("resources/read", uri(4))).isPresent();
  }

  @Test
  void aResultThatIsTooLongIsNotKeptAndPushesOutNothing() {
    put("tools/list", NONE, result(HOUR));
    put("prompts/list", NONE, resultOf(MOST_CHARACTERS + 1, HOUR));
    assertThat(cache.get("prompts/list", NONE)).isEmpty();
    assertThat(cache.get("tools/list", NONE)).isPresent();
  }

  @Test
  void aResultThatIsStaleAtOncePushesOutNothing() {
    for (int i = 0; i < MOST; i++) {
      put("resources/read", uri(i), result(HOUR));
    }
    put("resources/read", uri(MOST), result(Duration.ZERO));
    assertThat(cache.get("resources/read", uri(0))).isPresent();
  }

  @Test
  void aResultThatFillsTheCacheIsKeptAlone() {
    put("tools/list", NONE, result(HOUR));
    put("prompts/list", NONE, resultOf(MOST_CHARACTERS, HOUR));
    assertThat(cache.get("prompts/list", NONE)).isPresent();
    assertThat(cache.get("tools/list", NONE)).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"100000, true", "100001, false"})
  void aResultOfTooManyValuesIsNotKept(int values, boolean isKept) {
    int others = 1 + 1 + 1; // itself, ttlMs, and the array
    var result = result(HOUR).with("a", Collections.nCopies(values - others, 0));
    assertThat(result.hasMoreValuesThan(values - 1)).isTrue();
    assertThat(result.hasMoreValuesThan(values)).isFalse();

    put("tools/list", NONE, result);

    assertThat(cache.get("tools/list", NONE).isPresent()).isEqualTo(isKept);
  }

  @Test
  void whatHasGoneLeavesItsPlaceToOthers() {
    Duration moment = Duration.ofMillis(1);
    int half = MOST_CHARACTERS / 2;
    put("resources/list", NONE, result(HOUR));

    put("tools/list", NONE, resultOf(half, HOUR)); // replaced
    put("tools/list", NONE, resultOf(half, HOUR)); // forgotten
    cache.forget("tools/list");
    put("resources/read", uri(0), resultOf(half, HOUR)); // told to have changed
    cache.changed(new ServerEvent.ResourceUpdated("file:///0", NONE));
    put("tools/list", NONE, resultOf(half, moment)); // stale
    untilStale(moment);
    cache.get("tools/list", NONE);
    put("prompts/list", NONE, resultOf(MOST_CHARACTERS - 100, HOUR));

    assertThat(cache.get("prompts/list", NONE)).isPresent();
    assertThat(cache.get("resources/list", NONE)).isPresent();
  }

  // Until when: what the server tells.

  private static final List<String> KEPT =
      List.of(
          "tools/list",
          "tools/list 2",
          "prompts/list",
          "resources/list",
          "resources/list 2",
          "resources/templates/list",
          "resources/read file:///a",
          "resources/read file:///a/b",
          "resources/read file:///c");

  private static JsonObject params(String[] word) {
    if (word.length == 1) {
      return NONE;
    }
    return JsonObject.of(word[0].equals("resources/read") ? "uri" : "cursor", word[1]);
  }

  static Stream<Arguments> changes() {
    return Stream.of(
        Arguments.of(TOOLS_CHANGED, "tools/list,tools/list 2"),
        Arguments.of(new ServerEvent.ListChanged(ServerEvent.List.PROMPTS), "prompts/list"),
        Arguments.of(
            new ServerEvent.ListChanged(ServerEvent.List.RESOURCES),
            "resources/list,resources/list 2,resources/templates/list"),
        Arguments.of(
            new ServerEvent.ResourceUpdated("file:///a/b", NONE),
            "resources/read file:///a,resources/read file:///a/b"),
        Arguments.of(
            new ServerEvent.ResourceUpdated("file:///a", NONE),
            "resources/read file:///a,resources/read file:///a/b"),
        Arguments.of(
            new ServerEvent.ResourceUpdated("file:///c", NONE), "resources/read file:///c"),
        Arguments.of(new ServerEvent.ResourceUpdated("file:///other", NONE), ""),
        Arguments.of(
            new ServerEvent.Dropped(1),
            "resources/read file:///a,resources/read file:///a/b,resources/read file:///c"));
  }

  static Stream<Arguments> otherNews() {
    return Stream.of(
            new ServerEvent.LogMessage(
                LogLevel.INFO, Optional.empty(), new JsonString("tools/list"), NONE),
            new ServerEvent.CallProgress(
                1, "tools/list", "", new Progress(1, OptionalDouble.empty(), Optional.empty())),
            new ServerEvent.ElicitationCompleted("file:///a"))
        .map(event -> Arguments.of(event, ""));
  }

  @ParameterizedTest
  @MethodSource({"changes", "otherNews"})
  void whatTheServerTellsToHaveChangedIsForgottenAndNothingElse(ServerEvent event, String gone) {
    for (String kept : KEPT) {
      String[] word = kept.split(" ");
      put(word[0], params(word), result(HOUR));
    }

    cache.changed(event);

    List<String> expected = gone.isEmpty() ? List.of() : Arrays.asList(gone.split(","));
    assertThat(KEPT)
        .filteredOn(kept -> cache.get(kept.split(" ")[0], params(kept.split(" "))).isEmpty())
        .isEqualTo(expected);
  }

  @Test
  void whatWasNotReadByThatUriIsNotConcernedByItsChange() {
    JsonObject odd = JsonObject.of("uri", 7);
    JsonObject text = JsonObject.of("uri", "7");
    put("resources/read", odd, result(HOUR));
    put("resources/read", NONE, result(HOUR));
    put("tools/list", text, result(HOUR));

    cache.changed(new ServerEvent.ResourceUpdated("7", NONE));

    assertThat(cache.get("resources/read", odd)).isPresent();
    assertThat(cache.get("resources/read", NONE)).isPresent();
    assertThat(cache.get("tools/list", text)).isPresent();
  }

  @Test
  void whatIsForgottenByItsMethodIsForgottenWithAllItsPages() {
    put("tools/list", NONE, result(HOUR));
    put("tools/list", JsonObject.of("cursor", "2"), result(HOUR));
    put("prompts/list", NONE, result(HOUR));

    assertThat(cache.forget("tools/list")).isTrue();
    assertThat(cache.forget("tools/list")).isFalse();

    assertThat(cache.get("tools/list", NONE)).isEmpty();
    assertThat(cache.get("tools/list", JsonObject.of("cursor", "2"))).isEmpty();
    assertThat(cache.get("prompts/list", NONE)).isPresent();
  }

  /// The result may have been made before the change, and come after the news of it.
  @ParameterizedTest
  @MethodSource("changes")
  void aResultThatWasAskedForBeforeAChangeIsNotKept(ServerEvent event) {
    long asked = cache.now();
    cache.changed(event);
    cache.put("tools/list", NONE, result(HOUR), asked);
    assertThat(cache.get("tools/list", NONE)).isEmpty();

    put("tools/list", NONE, result(HOUR));
    assertThat(cache.get("tools/list", NONE)).isPresent();
  }

  @Test
  void aResultThatWasAskedForBeforeItWasForgottenIsNotKept() {
    long asked = cache.now();
    cache.forget("tools/list");
    cache.put("tools/list", NONE, result(HOUR), asked);
    assertThat(cache.get("tools/list", NONE)).isEmpty();
  }

  @ParameterizedTest
  @MethodSource("otherNews")
  void otherNewsMeanwhileDoNoHarm(ServerEvent event) {
    long asked = cache.now();
    cache.changed(event);
    cache.put("tools/list", NONE, result(HOUR), asked);
    assertThat(cache.get("tools/list", NONE)).isPresent();
  }

  @Test
  void aChangeBetweenTwoPagesKeepsTheFirstOneForgotten() {
    put("tools/list", NONE, result(HOUR));
    long asked = cache.now();
    cache.changed(TOOLS_CHANGED);
    cache.put("tools/list", JsonObject.of("cursor", "2"), result(HOUR), asked);

    assertThat(cache.get("tools/list", NONE)).isEmpty();
    assertThat(cache.get("tools/list", JsonObject.of("cursor", "2"))).isEmpty();
  }
}
