package dev.mcpscope.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.client.EraMemory.Known;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.scope.Deadline;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EraMemoryTest {
  private static final int MOST = 1_024;
  private static final int MOST_CHARACTERS = 64 << 10;
  private static final Duration HOUR = Duration.ofHours(1);

  private static final ServerSpec.Stdio COMMAND =
      ServerSpec.stdio("server", "--fast").withEnvironment(Map.of("A", "1"));
  private static final ServerSpec.Http URL = ServerSpec.http("https://mcp.example/mcp");
  private static final ServerSpec.Http ANN = user("Ann");
  private static final ServerSpec.Http BOB = user("Bob");

  private final EraMemory memory = new EraMemory();

  private static ServerSpec.Http user(String token) {
    return URL.withHeaders(Map.of("Authorization", "Bearer " + token));
  }

  private static ServerSpec.Http url(int number) {
    return ServerSpec.http("https://mcp.example/" + number);
  }

  private static JsonObject told(String scope, Duration fresh) {
    return JsonObject.of(
        "supportedVersions", List.of("2026-07-28"), "ttlMs", fresh.toMillis(), "cacheScope", scope);
  }

  private static JsonObject toldToAll() {
    return told("public", HOUR);
  }

  private static JsonObject toldToOne() {
    return told("private", HOUR);
  }

  private void assertUnknown(ServerSpec... servers) {
    for (ServerSpec server : servers) {
      assertThat(memory.recall(server)).as(server.toString()).isEmpty();
    }
  }

  private void assertLegacy(ServerSpec... servers) {
    for (ServerSpec server : servers) {
      assertThat(memory.recall(server)).as(server.toString()).contains(new Known.Legacy());
    }
  }

  private void assertModern(JsonObject told, ServerSpec... servers) {
    for (ServerSpec server : servers) {
      assertThat(memory.recall(server)).as(server.toString()).contains(new Known.Modern(told));
    }
  }

  @Test
  void nothingIsKnownAtFirst() {
    assertUnknown(COMMAND, URL, ANN);
  }

  // A server of the legacy era.

  @Test
  void aLegacyProcessIsRecognisedByItsWholeCommand() {
    memory.legacy(COMMAND);

    assertLegacy(COMMAND, ServerSpec.stdio("server", "--fast").withEnvironment(Map.of("A", "1")));
    assertUnknown(
        ServerSpec.stdio("server", "--fast"),
        ServerSpec.stdio("server").withEnvironment(Map.of("A", "1")),
        ServerSpec.stdio("other", "--fast").withEnvironment(Map.of("A", "1")),
        COMMAND.withEnvironment(Map.of("A", "2")),
        COMMAND.withDirectory(Path.of("/")));
  }

  @Test
  void aLegacyEndpointIsLegacyWhateverTheHeaders() {
    memory.legacy(ANN);

    assertLegacy(ANN, BOB, URL);
    assertUnknown(
        ServerSpec.http("https://mcp.example/mcp/"),
        ServerSpec.http("http://mcp.example/mcp"),
        ServerSpec.http("https://mcp.example:8443/mcp"),
        ServerSpec.http("https://mcp.example/mcp?a=b"),
        ServerSpec.http("https://ann@mcp.example/mcp"));
  }

  // A server of the modern era.

  @Test
  void whatAServerTellsToAllIsKnownWhateverTheHeaders() {
    memory.modern(ANN, toldToAll());

    assertModern(toldToAll(), ANN, BOB, URL);
    assertUnknown(ServerSpec.http("https://mcp.example/other"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'ttlMs':3600000,'cacheScope':'private'}",
        "{'ttlMs':3600000}",
        "{'ttlMs':3600000,'cacheScope':null}",
        "{'ttlMs':3600000,'cacheScope':'Public'}",
        "{'ttlMs':3600000,'cacheScope':['public']}"
      })
  void whatIsNotToldToAllIsKnownForTheSameHeadersOnly(String told) {
    memory.modern(ANN, Json.object(told));

    assertModern(Json.object(told), ANN, user("Ann"));
    assertUnknown(BOB, URL, URL.withHeaders(Map.of("X-Other", "Bearer Ann")));
  }

  @Test
  void headersInAnotherOrderAreTheSameUsers() {
    var one = new LinkedHashMap<String, String>();
    one.put("A", "1");
    one.put("B", "2");
    var other = new LinkedHashMap<String, String>();
    other.put("B", "2");
    other.put("A", "1");

    memory.modern(URL.withHeaders(one), toldToOne());

    assertModern(toldToOne(), URL.withHeaders(other));
  }

  @Test
  void eachUserIsKnownWhatHeWasTold() {
    memory.modern(URL, toldToOne());
    memory.modern(ANN, toldToOne().with("instructions", "for Ann"));
    memory.modern(BOB, toldToOne().with("instructions", "for Bob"));

    assertModern(toldToOne(), URL);
    assertModern(toldToOne().with("instructions", "for Ann"), ANN);
    assertModern(toldToOne().with("instructions", "for Bob"), BOB);
  }

  /// "For the lifetime of the server process": the next one is another one.
  @Test
  void aModernProcessIsAskedEachTime() {
    memory.modern(COMMAND, toldToAll());
    memory.modern(COMMAND, toldToOne());
    assertUnknown(COMMAND);
  }

  @Test
  void whatIsToldLastIsKnown() {
    memory.modern(ANN, toldToOne());
    memory.modern(ANN, toldToOne().with("instructions", "new"));
    assertModern(toldToOne().with("instructions", "new"), ANN);

    memory.modern(ANN, toldToAll());
    assertModern(toldToAll(), ANN, BOB);

    memory.modern(ANN, toldToOne());
    assertModern(toldToOne(), ANN);
    assertUnknown(BOB);
  }

  @Test
  void whatAServerTellsIsKnownForAsLongAsItSays() {
    Duration moment = Duration.ofMillis(2);
    memory.modern(url(1), told("public", moment));
    memory.modern(url(2), told("private", moment));
    memory.modern(url(3), toldToAll());
    memory.legacy(url(4));

    Deadline deadline = Deadline.after(moment);
    while (!deadline.passed()) {
      LockSupport.parkNanos(deadline.remainingNanos());
    }

    assertUnknown(url(1), url(2));
    assertModern(toldToAll(), url(3));
    assertLegacy(url(4));
  }

  @ParameterizedTest
  @ValueSource(strings = {"{}", "{'ttlMs':0}", "{'ttlMs':-1}", "{'ttlMs':'1000'}"})
  void whatIsOverAtOnceIsNotKnownNorWhatWasKnownBefore(String told) {
    memory.modern(ANN, toldToOne());
    memory.modern(ANN, Json.object(told));
    assertUnknown(ANN);

    memory.modern(ANN, toldToAll());
    memory.modern(ANN, Json.object(told).with("cacheScope", "public"));
    assertUnknown(ANN, BOB);
  }

  @Test
  void aPrivateWordThatIsOverDoesNotHideThePublicOne() {
    memory.modern(ANN, told("private", Duration.ofMillis(1)));
    memory.modern(BOB, toldToAll());
    assertModern(toldToAll(), ANN);
  }

  @Test
  void aServerThatTellsTooMuchIsNotRemembered() {
    JsonObject frame = toldToAll().with("instructions", "");
    int room = MOST_CHARACTERS - frame.toString().length();
    JsonObject most = frame.with("instructions", "x".repeat(room));
    memory.modern(URL, most);
    assertModern(most, URL);

    memory.modern(URL, frame.with("instructions", "x".repeat(room + 1)));
    assertUnknown(URL);
  }

  // One that has changed.

  @Test
  void aServerThatIsLegacyNowIsSoForAll() {
    memory.modern(ANN, toldToOne());
    memory.modern(BOB, toldToAll());

    memory.legacy(URL);

    assertLegacy(ANN, BOB, URL);
  }

  @Test
  void aServerThatIsModernNowIsLegacyForNobody() {
    memory.legacy(URL);
    memory.modern(ANN, toldToOne());
    assertModern(toldToOne(), ANN);
    assertUnknown(BOB, URL);

    memory.legacy(COMMAND);
    memory.modern(COMMAND, toldToAll());
    assertUnknown(COMMAND);
  }

  @Test
  void whatIsWrongIsForgotten() {
    memory.legacy(COMMAND);
    memory.legacy(url(1));
    memory.modern(url(2), toldToAll());
    memory.modern(url(3), toldToOne());
    memory.legacy(url(4));

    for (ServerSpec wrong : List.of(COMMAND, url(1), url(2), url(3))) {
      memory.forget(wrong);
    }
    memory.forget(URL); // nothing is known of it

    assertUnknown(COMMAND, url(1), url(2), url(3));
    assertLegacy(url(4));
  }

  @Test
  void whatIsWrongForOneUserIsForgottenForAllIfItWasToldToAll() {
    memory.modern(ANN, toldToAll());
    memory.forget(BOB);
    assertUnknown(ANN, BOB, URL);

    memory.legacy(ANN);
    memory.forget(BOB);
    assertUnknown(ANN, BOB, URL);
  }

  @Test
  void whatIsWrongForOneUserIsNotForAnother() {
    memory.modern(ANN, toldToOne());
    memory.modern(BOB, toldToOne());
    memory.forget(BOB);
    assertModern(toldToOne(), ANN);
    assertUnknown(BOB);
  }

  // How much.

  @Test
  void theNewest1024AreRemembered() {
    for (int i = 0; i < MOST; i++) {
      memory.legacy(url(i));
    }
    memory.modern(URL, told("public", Duration.ZERO)); // nothing to be remembered
    assertLegacy(url(0));

    memory.modern(URL, toldToOne());

    assertUnknown(url(0));
    assertLegacy(url(1), url(MOST - 1));
    assertModern(toldToOne(), URL);
  }

  @Test
  void whatIsNotedAgainIsNewAgain() {
    for (int i = 0; i < MOST; i++) {
      memory.legacy(url(i));
    }
    memory.legacy(url(0));

    memory.legacy(COMMAND);

    assertUnknown(url(1));
    assertLegacy(url(0), url(2), COMMAND);
  }

  @Test
  void aConnectionThatSharesNothingKnowsNothingOfOthers() {
    EraMemory one = Connection.Shared.nothing().eras();
    one.legacy(URL);
    assertThat(Connection.Shared.nothing().eras().recall(URL)).isEqualTo(Optional.empty());
  }
}
