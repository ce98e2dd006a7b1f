package dev.mcpscope.client;

import static dev.mcpscope.client.ModernPeer.declares;
import static dev.mcpscope.client.Promptly.failure;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.HttpFault;
import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.End;
import dev.mcpscope.NothingLeft;
import dev.mcpscope.ScriptedServer.Fault;
import dev.mcpscope.client.ModernPeer.Script;
import dev.mcpscope.client.ModernPeer.Way;
import dev.mcpscope.client.ServerEvent.ListChanged;
import dev.mcpscope.client.ServerEvent.ResourceUpdated;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.transport.ReconnectBudget;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What is listened to in the era in which nothing is told unasked.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SubscriptionsTest {
  private static final Script CHANGES =
      declares(
          "{'tools':{'listChanged':true},'prompts':{'listChanged':true},"
              + "'resources':{'subscribe':true}}");

  private static final Script RESOURCES = declares("{'tools':{},'resources':{'subscribe':true}}");

  private static final ClientOptions OPTIONS =
      ClientOptions.defaults()
          .withReconnect(new ReconnectBudget(Duration.ofMillis(100), Duration.ofMillis(200), 3));

  private static final String LISTEN = "subscriptions/listen";

  private static final Script NEVER_ACKNOWLEDGES =
      new Script(
          List.of(new Fault.Silent(LISTEN)),
          List.of(HttpFault.on(LISTEN, new Act.Sse("", 0, End.OPEN))));

  /// Longer than a listen waits to be acknowledged.
  private static final CallOptions LONGER =
      CallOptions.defaults().withTimeout(Duration.ofSeconds(30));

  private final NothingLeft nothingLeft = NothingLeft.check();
  private final Heard heard = new Heard();
  private ModernPeer peer;

  @AfterEach
  void nothingIsLeft() {
    if (peer != null) {
      peer.close();
    }
    nothingLeft.close();
  }

  private McpClient open(Way way, Script... scripts) throws Exception {
    return open(way, OPTIONS, scripts);
  }

  private McpClient open(Way way, ClientOptions options, Script... scripts) throws Exception {
    peer =
        ModernPeer.start(
            way, options.withFeatures(ClientFeatures.none().withListener(heard)), scripts);
    return peer.client();
  }

  /// A server that acknowledges nothing, for which a listen waits so long.
  private McpClient openInVain(Way way, Duration patience) throws Exception {
    ClientOptions options = OPTIONS.withCallTimeout(patience, OPTIONS.callMaximum());
    return open(way, options, RESOURCES, NEVER_ACKNOWLEDGES);
  }

  /// Has the server say a notification, to whom it belongs.
  private void tells(McpClient client, String notification) throws Exception {
    if (peer.server != null) {
      peer.server.push(Json.object(notification).toString());
    } else {
      client.callTool("tell", Map.of("messages", List.of(Json.object(notification))));
    }
  }

  private static String updated(String uri) {
    return Peer.notification("resources/updated", "{'uri':'" + uri + "'}");
  }

  private static JsonObject filter(JsonObject listen) throws Exception {
    return listen.object("params").object("notifications");
  }

  private List<String> cancelled() {
    return peer.heard("notifications/cancelled").stream()
        .map(one -> ((JsonObject) one.get("params")).get("requestId").toString())
        .toList();
  }

  @ParameterizedTest
  @EnumSource
  void theListsThatTheServerDeclaresToChangeAreListenedTo(Way way) throws Exception {
    McpClient client = open(way, CHANGES);
    tells(client, Peer.notification("prompts/list_changed", "{}"));
    heard.await(ListChanged.class, event -> event.list() == ServerEvent.List.PROMPTS);
    List<JsonObject> listens = peer.heard(LISTEN);
    assertThat(listens).hasSize(1);
    assertThat(filter(listens.getFirst()))
        .isEqualTo(JsonObject.of("toolsListChanged", true, "promptsListChanged", true));
  }

  @ParameterizedTest
  @EnumSource
  void whereNothingChangesNothingIsListenedTo(Way way) throws Exception {
    open(way, declares("{'tools':{},'resources':{}}")).ping();
    assertThat(peer.heard(LISTEN)).isEmpty();
  }

  @ParameterizedTest
  @EnumSource
  void theToolsAreReadAfterItIsHeardWhenTheyChange(Way way) throws Exception {
    open(way, CHANGES);
    List<String> methods = peer.heard().stream().map(one -> Peer.word(one, "method")).toList();
    assertThat(methods).containsSubsequence(LISTEN, "tools/list");
  }

  /// The one before goes when the new one is acknowledged, so that nothing is missed in between.
  @ParameterizedTest
  @EnumSource
  void anotherListenTakesThePlaceOfTheOneBeforeWhenItIsAcknowledged(Way way) throws Exception {
    McpClient client = open(way, CHANGES);
    client.subscribe("file:///a");
    client.subscribe("file:///b");
    client.unsubscribe("file:///a");
    tells(client, updated("file:///b"));
    heard.await(ResourceUpdated.class, event -> event.uri().equals("file:///b"));
    List<JsonObject> listens = peer.heard(LISTEN);
    assertThat(listens).hasSize(4);
    assertThat(filter(listens.get(1)).optionalStrings("resourceSubscriptions"))
        .containsExactly("file:///a");
    assertThat(filter(listens.get(2)).optionalStrings("resourceSubscriptions"))
        .containsExactlyInAnyOrder("file:///a", "file:///b");
    assertThat(filter(listens.get(3)).optionalStrings("resourceSubscriptions"))
        .containsExactly("file:///b");
    if (way == Way.STDIO) {
      assertThat(cancelled())
          .containsExactlyElementsOf(
              listens.subList(0, 3).stream().map(one -> one.get("id").toString()).toList());
      List<String> methods = peer.heard().stream().map(one -> Peer.word(one, "method")).toList();
      assertThat(methods).containsSubsequence(LISTEN, LISTEN, "notifications/cancelled", LISTEN);
    } else {
      assertThat(peer.server.violations()).isEmpty();
    }
  }

  @ParameterizedTest
  @EnumSource
  void theLastResourceThatIsNotWantedAnyMoreEndsTheListen(Way way) throws Exception {
    McpClient client = open(way, RESOURCES);
    client.subscribe("file:///a");
    client.unsubscribe("file:///a");
    client.ping();
    assertThat(peer.heard(LISTEN)).hasSize(1);
    if (way == Way.STDIO) {
      assertThat(cancelled()).hasSize(1);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aResourceThatTheServerDoesNotTellOfIsNotSubscribedTo(Way way) throws Exception {
    String filter = "{\"resourceSubscriptions\":[\"file:///a\"]}";
    McpClient client =
        open(
            way,
            RESOURCES,
            new Script(
                List.of(new Fault.Acknowledges(filter)),
                List.of(new HttpFault.Acknowledges(filter))));
    client.subscribe("file:///a");
    assertThatThrownBy(() -> client.subscribe("file:///b"))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("file:///b");
    tells(client, updated("file:///a"));
    heard.await(ResourceUpdated.class, event -> event.uri().equals("file:///a"));
    assertThat(peer.connection.resources()).containsExactly("file:///a");
  }

  @ParameterizedTest
  @EnumSource
  void anErrorIsTheAnswerOfWhoSubscribesAndTheConnectionGoesOn(Way way) throws Exception {
    McpClient client =
        open(way, RESOURCES, ModernPeer.answers(LISTEN, ModernPeer.error(-32602, "{}")));
    assertThat(failure(RemoteErrorException.class, () -> client.subscribe("file:///a")).code())
        .isEqualTo(-32602);
    assertThat(peer.connection.resources()).isEmpty();
    client.ping();
  }

  @Test
  void whatNamesASubscriptionThatIsNoneIsDropped() throws Exception {
    McpClient client = open(Way.STDIO, CHANGES);
    var server = new Peer(client);
    server.says(
        Peer.notification(
            "prompts/list_changed", "{'_meta':{'io.modelcontextprotocol/subscriptionId':99}}"),
        Peer.notification(
            "prompts/list_changed", "{'_meta':{'io.modelcontextprotocol/subscriptionId':'2'}}"),
        Peer.notification("prompts/list_changed", "{}"));
    heard.await(ListChanged.class, event -> event.list() == ServerEvent.List.PROMPTS);
    peer.closed();
    assertThat(heard.all(ListChanged.class)).hasSize(1); // the one that names none
  }

  /// What has changed meanwhile nobody has heard, so that everything may have.
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aListenThatTheServerEndsIsOpenedAgainAndEverythingMayHaveChanged(boolean gracefully)
      throws Exception {
    McpClient client = open(Way.STDIO, CHANGES);
    client.subscribe("file:///a");
    client.callTool("hangUp", Map.of("gracefully", gracefully));
    heard.await(ResourceUpdated.class, event -> event.uri().equals("file:///a"));
    heard.await(ListChanged.class, event -> event.list() == ServerEvent.List.TOOLS);
    heard.await(ListChanged.class, event -> event.list() == ServerEvent.List.PROMPTS);
    List<JsonObject> listens = peer.heard(LISTEN);
    assertThat(listens).hasSize(3);
    assertThat(filter(listens.getLast())).isEqualTo(filter(listens.get(1)));
    assertThat(listens.getLast().get("id")).isNotEqualTo(listens.get(1).get("id"));
  }

  @ParameterizedTest
  @EnumSource(
      value = End.class,
      names = {"CLOSE", "RESET"})
  void aStreamThatBreaksOffIsOpenedAgain(End end) throws Exception {
    McpClient client = open(Way.HTTP, CHANGES);
    client.subscribe("file:///a");
    peer.server.endStreams(end);
    heard.await(ResourceUpdated.class, event -> event.uri().equals("file:///a"));
    client.ping();
    assertThat(peer.heard(LISTEN)).hasSize(3);
  }

  @ParameterizedTest
  @EnumSource
  void whatEndsAtOnceEachTimeIsGivenUpAndTheConnectionGoesOn(Way way) throws Exception {
    try (var logged = Logged.under("dev.mcpscope.client")) {
      McpClient client =
          open(
              way,
              CHANGES,
              new Script(List.of(new Fault.HangsUp(true)), List.of(new HttpFault.HangsUp())));
      logged.await("what changes is not heard any more");
      client.ping();
      assertThat(peer.heard(LISTEN)).hasSize(1 + OPTIONS.reconnect().attempts());
    }
  }

  @ParameterizedTest
  @EnumSource
  void whatHasEndedIsListenedToAgainAfterAWait(Way way) throws Exception {
    Duration wait = Duration.ofSeconds(1);
    try (var logged = Logged.under("dev.mcpscope.client")) {
      long begun = System.nanoTime();
      open(
          way,
          OPTIONS.withReconnect(new ReconnectBudget(wait, wait, 2)),
          CHANGES,
          new Script(List.of(new Fault.HangsUp(true)), List.of(new HttpFault.HangsUp())));
      logged.await("what changes is not heard any more");
      assertThat(Duration.ofNanos(System.nanoTime() - begun)).isGreaterThan(wait.multipliedBy(2));
    }
  }

  @ParameterizedTest
  @EnumSource
  void whatTheServerDoesNotKnowIsNotTriedAgain(Way way) throws Exception {
    try (var logged = Logged.under("dev.mcpscope.client")) {
      McpClient client =
          open(way, CHANGES, ModernPeer.answers(LISTEN, ModernPeer.error(-32601, "{}")));
      logged.await("what changes is not heard any more");
      client.ping();
      assertThat(peer.heard(LISTEN)).hasSize(1);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aServerThatAcknowledgesNothingHoldsAConnectForTwoSeconds(Way way) throws Exception {
    long begun = System.nanoTime();
    McpClient client = open(way, CHANGES, NEVER_ACKNOWLEDGES);
    assertThat(Duration.ofNanos(System.nanoTime() - begun))
        .isBetween(Duration.ofSeconds(2), Duration.ofSeconds(12));
    Caller<Void> waiting = subscribing(client, "file:///a");
    client.ping();
    peer.closed();
    assertThat(waiting.failure()).isInstanceOf(ConnectionClosedException.class);
  }

  /// What is read while nobody listens may have changed before anybody does.
  @Test
  void whatIsAcknowledgedAfterTheConnectMayHaveChangedBefore() throws Exception {
    McpClient client = open(Way.STDIO, CHANGES, NEVER_ACKNOWLEDGES);
    new Peer(client)
        .says(
            Peer.notification(
                "subscriptions/acknowledged",
                "{'notifications':{'toolsListChanged':true,'promptsListChanged':true},"
                    + "'_meta':{'io.modelcontextprotocol/subscriptionId':2}}"));
    heard.await(ListChanged.class, event -> event.list() == ServerEvent.List.TOOLS);
    heard.await(ListChanged.class, event -> event.list() == ServerEvent.List.PROMPTS);
    assertThat(peer.heard(LISTEN)).extracting(listen -> listen.get("id").toString()).contains("2");
  }

  @ParameterizedTest
  @EnumSource
  void whoDoesNotWaitAnyMoreIsNotListenedFor(Way way) throws Exception {
    McpClient client = openInVain(way, Duration.ofSeconds(1));
    CallOptions soon = CallOptions.defaults().withTimeout(Duration.ofMillis(100));
    failure(CallTimeoutException.class, () -> client.with(soon).subscribe("file:///a"));
    Caller<Void> other = subscribing(client, "file:///b"); // while a listen waits for its answer
    other.interrupt();
    assertThat(other.failure()).isInstanceOf(InterruptedException.class);
    failure(CallTimeoutException.class, () -> client.with(LONGER).subscribe("file:///c"));
    assertThat(peer.heard(LISTEN))
        .extracting(listen -> filter(listen).optionalStrings("resourceSubscriptions"))
        .noneMatch(uris -> uris.contains("file:///b"))
        .anyMatch(uris -> uris.contains("file:///c"));
  }

  /// The connection goes on, whatever becomes of what is listened to.
  @ParameterizedTest
  @EnumSource
  void aServerThatEndsWhatItHasNotAcknowledgedBreaksTheProtocol(Way way) throws Exception {
    McpClient client =
        open(way, RESOURCES, ModernPeer.answers(LISTEN, ModernPeer.complete("'_meta':{}")));
    assertThatThrownBy(() -> client.subscribe("file:///a"))
        .isInstanceOf(ProtocolViolationException.class)
        .hasMessageContaining("the server ended it before it was acknowledged");
    client.ping();
  }

  @ParameterizedTest
  @EnumSource
  void whatIsNotAcknowledgedInTimeIsATimeOutOfWhoSubscribesLonger(Way way) throws Exception {
    McpClient client = openInVain(way, Duration.ofMillis(300));
    assertThatThrownBy(() -> client.with(LONGER).subscribe("file:///a"))
        .isInstanceOf(CallTimeoutException.class)
        .hasMessageContaining("was not acknowledged within 300 ms");
    client.ping();
  }

  private static Caller<Void> subscribing(McpClient client, String uri) {
    return new Caller<>(() -> {
      client.subscribe(uri);
      return null;
    });
  }
}
