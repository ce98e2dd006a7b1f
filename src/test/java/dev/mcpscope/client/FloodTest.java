package dev.mcpscope.client;

import static dev.mcpscope.client.Promptly.failure;
import static dev.mcpscope.client.Promptly.promptly;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.ScriptedServer;
import dev.mcpscope.client.ServerEvent.CallProgress;
import dev.mcpscope.client.ServerEvent.Dropped;
import dev.mcpscope.client.ServerEvent.ElicitationCompleted;
import dev.mcpscope.client.ServerEvent.ListChanged;
import dev.mcpscope.client.ServerEvent.LogMessage;
import dev.mcpscope.client.ServerEvent.ResourceUpdated;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.transport.CloseReport;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// A server that says more than anybody wants to hear (rules O7 and O12): nobody waits for that, and
/// what is kept of it is bounded.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FloodTest {
  private static final Duration LONG = Duration.ofHours(1);
  private static final int EVENTS = 100;
  private static final int EVENT_BYTES = 16 << 10;

  private static ClientOptions options(Consumer<ServerEvent> listener) {
    return options(ClientFeatures.none().withListener(listener), JsonLimits.defaults(), 256);
  }

  private static ClientOptions options(
      ClientFeatures features, JsonLimits message, int serverRequests) {
    return ClientOptions.defaults()
        .withFeatures(features)
        .withHandlerTimeout(LONG, LONG)
        .withLimits(
            new ClientOptions.Limits(
                message, 64 << 10, 10, 100, serverRequests, EVENTS, EVENT_BYTES));
  }

  /// A listener that keeps what it hears, and is done with nothing before it is told to.
  private static final class Late implements Consumer<ServerEvent> {
    final Heard heard = new Heard();
    private final CountDownLatch hasOne = new CountDownLatch(1);
    private final CountDownLatch begin = new CountDownLatch(1);

    @Override
    public void accept(ServerEvent event) {
      hasOne.countDown();
      try {
        begin.await();
      } catch (InterruptedException e) {
        return; // the connection is closed
      }
      heard.accept(event);
    }

    /// Gives it one event, so that whatever comes after that has to wait.
    void occupy(Peer peer, String message) throws Exception {
      peer.says(message);
      hasOne.await();
    }

    void begin() {
      begin.countDown();
    }
  }

  /// What there may be too much of.
  private enum Flood {
    LOGS(Peer.log("%d")),
    LIST_CHANGES(Peer.notification("tools/list_changed", "{}")),
    UPDATES_OF_ONE(Peer.notification("resources/updated", "{'uri':'file:///a','n':'%d'}")),
    UPDATES_OF_MANY(Peer.notification("resources/updated", "{'uri':'file:///%d'}")),
    COMPLETIONS(Peer.notification("elicitation/complete", "{'elicitationId':'%d'}")),
    LONG_ONES(Peer.log("%d" + "x".repeat(EVENT_BYTES))),
    UNKNOWN_ONES(Peer.notification("of-the-future", "{'n':'%d'}")),
    WRONG_ONES(Peer.notification("message", "{'level':['%d']}")),
    CANCELLATIONS(Peer.notification("cancelled", "{'requestId':'%d'}")),
    PROGRESS_OF_NOTHING(Peer.notification("progress", "{'progressToken':'%d','progress':1}")),
    ANSWERS_TO_NOTHING("{'jsonrpc':'2.0','id':'%d','result':{}}");

    final String message;

    Flood(String message) {
      this.message = message;
    }
  }

  // O7: the reader never waits for who listens.

  @ParameterizedTest
  @EnumSource
  void o7_callsAreAnsweredAtOnceWhileAFloodGoesOnThatNobodyTakes(Flood flood) throws Exception {
    var late = new Late();
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with(), options(late))) {
      Caller<ToolResult> flooding = new Peer(client).flooding(flood.message);
      assertThatCallsAreAnsweredAtOnce(client);
      CloseReport report = promptly(client::closeAndReport);
      assertThat(report.nothingLeft()).as("%s", report).isTrue();
      assertThat(flooding.failure()).isInstanceOf(ConnectionClosedException.class);
    }
  }

  @Test
  void o7_callsAreAnsweredAtOnceWhileAFloodOfProgressGoesOnThatNobodyTakes() throws Exception {
    var late = new Late();
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with(), options(late))) {
      var flooding = new Caller<>(() -> client.callTool("progress", Map.of("everyMs", 0)));
      assertThatCallsAreAnsweredAtOnce(client);
      assertThat(promptly(client::closeAndReport).nothingLeft()).isTrue();
      assertThat(flooding.failure()).isInstanceOf(ConnectionClosedException.class);
    }
  }

  private static void assertThatCallsAreAnsweredAtOnce(McpClient client) throws Exception {
    promptly(() -> {
      for (int i = 0; i < 50; i++) {
        client.ping();
        assertThat(client.callTool("echo", Map.of("text", "hello")).text()).isEqualTo("hello");
      }
      return null;
    });
  }

  @Test
  void o10_aListenerThatIgnoresItsInterruptIsNamedThoughAFloodGoesOn() throws Exception {
    try (var _ = NothingLeft.check();
        var stubborn = new Stubborn();
        var client = McpClient.open(ScriptedServer.with(), options(_ -> stubborn.call()))) {
      Caller<ToolResult> flooding = new Peer(client).flooding(Flood.LOGS.message);
      assertThatCallsAreAnsweredAtOnce(client);
      CloseReport report = promptly(client::closeAndReport);
      assertThat(report.abandoned()).singleElement().asString().endsWith(" listener");
      assertThat(flooding.failure()).isInstanceOf(ConnectionClosedException.class);
    }
  }

  // O12: what waits is bounded, and what goes is counted.

  private static long dropped(List<ServerEvent> events) {
    return events.stream()
        .mapToLong(event -> event instanceof Dropped(long count) ? count : 0)
        .sum();
  }

  private static List<ServerEvent> taken(List<ServerEvent> events) {
    return events.stream().filter(event -> !(event instanceof Dropped)).toList();
  }

  private static Predicate<List<ServerEvent>> areOf(int sent) {
    return events -> taken(events).size() + dropped(events) >= sent;
  }

  private static int number(ServerEvent event) {
    String text =
        switch (event) {
          case LogMessage log -> log.data().toString();
          case ResourceUpdated updated -> updated.uri();
          default -> throw new AssertionError(event);
        };
    return Integer.parseInt(text.replaceAll("\\D", ""));
  }

  @ParameterizedTest
  @EnumSource(names = {"LOGS", "UPDATES_OF_MANY"})
  void o12_whatIsTakenAndWhatIsDroppedIsWhatWasSent(Flood flood) throws Exception {
    int sent = 5_000;
    var late = new Late();
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with(), options(late))) {
      var peer = new Peer(client);
      late.occupy(peer, flood.message.replace("%d", "0"));
      peer.floods(sent, flood.message);
      late.begin();
      List<ServerEvent> heard = late.heard.until(areOf(1 + sent));
      // What was dropped was older than what was taken after the first one.
      assertThat(taken(heard)).hasSize(1 + EVENTS);
      assertThat(dropped(heard)).isEqualTo(sent - EVENTS);
      assertThat(heard.get(1)).isEqualTo(new Dropped(sent - EVENTS));
      List<Integer> numbers = taken(heard).stream().map(FloodTest::number).toList();
      assertThat(numbers).isSorted().doesNotHaveDuplicates();
      assertThat(numbers.getLast()).isEqualTo(sent);
    }
  }

  @Test
  void o12_aListenerThatFallsBehindAgainAndAgainIsToldEachTime() throws Exception {
    int sent = 20_000;
    var heard = new Heard();
    try (var _ = NothingLeft.check();
        var client =
            McpClient.open(
                ScriptedServer.with(),
                options(event -> {
                  for (int i = 0; i < 10_000; i++) { // slower than the server
                    Thread.onSpinWait();
                  }
                  heard.accept(event);
                }))) {
      new Peer(client).floods(sent, Peer.log("%d"));
      List<ServerEvent> all = heard.until(areOf(sent));
      assertThat(taken(all).size() + dropped(all)).isEqualTo(sent);
      // A gap is told where it is: the number after it says how long it was.
      int last = 0;
      long gap = 0;
      for (ServerEvent event : all) {
        if (event instanceof Dropped(long count)) {
          gap += count;
        } else {
          assertThat(number(event)).isEqualTo(last + gap + 1);
          last = number(event);
          gap = 0;
        }
      }
    }
  }

  @Test
  void o12_notificationsThatAreTooLongAreDroppedAndCounted() throws Exception {
    int sent = 2_000;
    var late = new Late();
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with(), options(late))) {
      new Peer(client).floods(sent, Flood.LONG_ONES.message);
      late.begin();
      List<ServerEvent> heard = late.heard.until(areOf(sent));
      assertThat(taken(heard)).isEmpty();
      assertThat(dropped(heard)).isEqualTo(sent);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"LIST_CHANGES", "UPDATES_OF_ONE"})
  void o12_newsOfOneThingWaitsOnceWithItsNewestWord(Flood flood) throws Exception {
    int sent = 5_000;
    var late = new Late();
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with(), options(late))) {
      var peer = new Peer(client);
      peer.floods(sent, flood.message);
      peer.says(Peer.log("end"));
      late.begin();
      List<ServerEvent> heard = late.heard.untilLogged("end");
      assertThat(heard).hasSizeBetween(1, 2);
      assertThat(heard.getLast())
          .isEqualTo(
              flood == Flood.LIST_CHANGES
                  ? new ListChanged(ServerEvent.List.TOOLS)
                  : new ResourceUpdated(
                      "file:///a", Json.object("{'uri':'file:///a','n':'" + sent + "'}")));
    }
  }

  @Test
  void o12_theProgressOfACallWaitsOnceWithItsNewestValue() throws Exception {
    var late = new Late();
    try (var _ = NothingLeft.check();
        var client =
            McpClient.open(
                ScriptedServer.with(new ScriptedServer.Fault.FloodsProgress(5_000)),
                options(late))) {
      client.callTool("echo", Map.of("text", ""));
      client.callTool("echo", Map.of("text", ""));
      late.begin();
      List<ServerEvent> heard =
          late.heard.until(
              all -> all.stream().filter(event -> progress(event) == 5_000).count() == 2);
      // The listener may have got the very first one before the others came.
      assertThat(heard).hasSizeBetween(2, 3);
      assertThat(progress(heard.get(heard.size() - 2))).isEqualTo(5_000);
    }
  }

  private static double progress(ServerEvent event) {
    return ((CallProgress) event).progress().progress();
  }

  @Test
  void o12_logMessagesGoBeforeNewsThatCannotBeAskedForAgain() throws Exception {
    var late = new Late();
    ClientFeatures features =
        ClientFeatures.none()
            .withListener(late)
            .withElicitationUrl(_ -> ElicitationResult.accept());
    try (var _ = NothingLeft.check();
        var client =
            McpClient.open(ScriptedServer.with(), options(features, JsonLimits.defaults(), 256))) {
      var peer = new Peer(client);
      peer.asks(
          Peer.request(
              "1",
              "elicitation/create",
              "{'mode':'url','message':'','url':'https://a.example/','elicitationId':'e'}"));
      peer.says(
          Peer.log("first"),
          Peer.notification("elicitation/complete", "{'elicitationId':'e'}"),
          Peer.notification("prompts/list_changed", "{}"),
          Peer.notification("resources/updated", "{'uri':'file:///a'}"));
      peer.floods(5_000, Peer.log("%d"));
      late.begin();
      assertThat(late.heard.until(areOf(5_004)))
          .contains(
              new ElicitationCompleted("e"),
              new ListChanged(ServerEvent.List.PROMPTS),
              new ResourceUpdated("file:///a", JsonObject.of("uri", "file:///a")));
    }
  }

  // Memory.

  @ParameterizedTest
  @EnumSource(names = {"LOGS", "UPDATES_OF_MANY", "LONG_ONES"})
  void o12_aHundredMegabytesOfAFloodTakeNoMemory(Flood flood) throws Exception {
    int bytes = flood == Flood.LONG_ONES ? EVENT_BYTES : EVENT_BYTES - 200;
    String text = flood.message.replace("%d", "%d" + "x".repeat(bytes));
    var late = new Late();
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with(), options(late))) {
      long before = liveBytes();
      new Peer(client).floods((100 << 20) / bytes, text);
      // What may wait are a hundred events, of two bytes a character at the most.
      assertThat(liveBytes() - before).isLessThan(8L * EVENTS * EVENT_BYTES);
      client.ping();
    }
  }

  @Test
  void o12_eventsOfManySmallValuesTakeNoMoreMemoryThanOthers() throws Exception {
    String zeros = "0,".repeat(EVENT_BYTES / 2 - 100) + "0";
    var late = new Late();
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with(), options(late))) {
      long before = liveBytes();
      new Peer(client)
          .floods(
              2 * EVENTS, Peer.notification("message", "{'level':'info','data':[" + zeros + "]}"));
      assertThat(liveBytes() - before).isLessThan(8L * EVENTS * EVENT_BYTES);
      client.ping();
    }
  }

  @Test
  void o12_anEventWithAsManyValuesAsTheLimitIsHeardAndOneMoreIsNot() throws Exception {
    var heard = new Heard();
    int most = EVENT_BYTES / 32;
    // params, level and data itself are values too
    String enough = "0,".repeat(most - 4) + "0";
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with(), options(heard))) {
      new Peer(client)
          .says(
              Peer.notification("message", "{'level':'info','data':[" + enough + "]}"),
              Peer.notification("message", "{'level':'info','data':[" + enough + ",0]}"));
      assertThat(heard.until(all -> all.size() == 2))
          .extracting(event -> event.getClass().getSimpleName())
          .containsExactly("LogMessage", "Dropped");
    }
  }

  private static long liveBytes() {
    System.gc();
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }

  // Requests of the server: bounded in number and in bytes, or it is the end.

  private static ClientFeatures sampling(
      ClientFeatures.Handler<SamplingRequest, SamplingResult> h) {
    return ClientFeatures.none().withSampling(h);
  }

  private static String sample(int id, int bytes) {
    return Peer.request(
        Integer.toString(id),
        "sampling/createMessage",
        "{'messages':[],'maxTokens':1,'metadata':'" + "x".repeat(bytes) + "'}");
  }

  private static SamplingResult never() throws InterruptedException {
    new CountDownLatch(1).await();
    return null;
  }

  @Test
  void o12_asManyRequestsAsTheLimitMayBeUnansweredAndNoMore() throws Exception {
    var started = new CountDownLatch(4);
    ClientFeatures features =
        sampling(_ -> {
          started.countDown();
          return never();
        });
    try (var _ = NothingLeft.check();
        var _ = Logged.under("dev.mcpscope.client");
        var client =
            McpClient.open(ScriptedServer.with(), options(features, JsonLimits.defaults(), 4))) {
      var peer = new Peer(client);
      peer.says(sample(1, 0), sample(2, 0), sample(3, 0), sample(4, 0));
      started.await();
      client.ping();
      assertThat(failure(ProtocolViolationException.class, () -> peer.asks(sample(5, 0))))
          .hasMessageContaining("more than 4 requests unanswered");
      assertThat(promptly(client::closeAndReport).abandoned()).isEmpty();
    }
  }

  @Test
  void o12_asManyBytesOfRequestsAsTwoMessagesMayBeUnansweredAndNoMore() throws Exception {
    var started = new CountDownLatch(2);
    ClientFeatures features =
        sampling(_ -> {
          started.countDown();
          return never();
        });
    try (var _ = NothingLeft.check();
        var _ = Logged.under("dev.mcpscope.client");
        var client =
            McpClient.open(
                ScriptedServer.with(),
                options(features, JsonLimits.defaults().withMaxBytes(20_000), 256))) {
      var peer = new Peer(client);
      peer.says(sample(1, 19_000));
      peer.says(sample(2, 19_000));
      started.await();
      client.ping();
      assertThat(failure(ProtocolViolationException.class, () -> peer.asks(sample(3, 5_000))))
          .hasMessageContaining("requests unanswered or long ones");
      assertThat(promptly(client::closeAndReport).abandoned()).isEmpty();
    }
  }

  @Test
  void o12_anAnswerMakesRoomForTheNextRequest() throws Exception {
    ClientFeatures features = sampling(_ -> SamplingResult.text("m", ""));
    try (var _ = NothingLeft.check();
        var client =
            McpClient.open(
                ScriptedServer.with(),
                options(features, JsonLimits.defaults().withMaxBytes(20_000), 2))) {
      var peer = new Peer(client);
      for (int i = 0; i < 20; i++) {
        int id = i;
        assertThat(promptly(() -> peer.asks(sample(id, 19_000))).has("result")).isTrue();
        assertThat(promptly(() -> peer.asks(Peer.request("'p" + id + "'", "ping", "{}"))))
            .isNotNull();
        assertThat(promptly(() -> peer.asks("{'jsonrpc':'1','id':'w" + id + "','method':'x'}")))
            .isNotNull();
      }
    }
  }

  @Test
  void o12_aRequestThatTheServerCancelsMakesRoomWhenItsHandlerHasLeft() throws Exception {
    var left = new ArrayList<CountDownLatch>();
    ClientFeatures features =
        sampling(request -> {
          try {
            return never();
          } finally {
            left.get((int) request.maxTokens()).countDown();
          }
        });
    // Fewer than are made, and a few more than two: a place is free a moment after its answer is
    // out.
    try (var _ = NothingLeft.check();
        var client =
            McpClient.open(ScriptedServer.with(), options(features, JsonLimits.defaults(), 8))) {
      var peer = new Peer(client);
      for (int i = 0; i < 20; i++) {
        left.add(new CountDownLatch(1));
        peer.says(
            Peer.request(
                "'" + i + "'", "sampling/createMessage", "{'messages':[],'maxTokens':" + i + "}"));
        // Answered after that request has got its handler.
        promptly(() -> peer.asks(Peer.request("'p'", "ping", "{}")));
        peer.says(Peer.notification("cancelled", "{'requestId':'" + i + "'}"));
        left.get(i).await();
      }
    }
  }

  @Test
  void o12_nothingIsKeptOfARequestThatWasAnswered() throws Exception {
    int size = 1 << 20;
    try (var _ = NothingLeft.check();
        var client =
            McpClient.open(
                ScriptedServer.with(),
                options(sampling(_ -> SamplingResult.text("m", "")), JsonLimits.defaults(), 256))) {
      var peer = new Peer(client);
      peer.asks(sample(0, size));
      long before = liveBytes();
      for (int i = 1; i < 30; i++) {
        assertThat(peer.asks(sample(i, size)).has("result")).isTrue();
      }
      assertThat(liveBytes() - before).isLessThan(10L * size);
      client.ping();
    }
  }

  /// It was answered for, and the server may ask on; but who leaves threads behind with us one by one
  /// shall not do so for ever.
  @Test
  void o12_aHandlerThatIgnoresItsInterruptKeepsItsPlace() throws Exception {
    try (var _ = NothingLeft.check();
        var _ = Logged.under("dev.mcpscope.client");
        var stubborn = new Stubborn();
        var client =
            McpClient.open(
                ScriptedServer.with(),
                options(sampling(_ -> stubborn.call()), JsonLimits.defaults(), 2)
                    .withHandlerTimeout(Duration.ofMillis(50), LONG))) {
      var peer = new Peer(client);
      assertThat(promptly(() -> peer.asks(sample(1, 0))).has("error")).isTrue();
      assertThat(promptly(() -> peer.asks(sample(2, 0))).has("error")).isTrue();
      failure(ProtocolViolationException.class, () -> peer.asks(sample(3, 0)));
      assertThat(promptly(client::closeAndReport).abandoned()).hasSize(2);
    }
  }
}
