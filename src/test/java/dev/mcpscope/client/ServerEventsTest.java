package dev.mcpscope.client;

import static dev.mcpscope.client.Promptly.failure;
import static dev.mcpscope.client.Promptly.promptly;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.ScriptedServer;
import dev.mcpscope.ScriptedServer.Fault;
import dev.mcpscope.client.ServerEvent.CallProgress;
import dev.mcpscope.client.ServerEvent.Dropped;
import dev.mcpscope.client.ServerEvent.ElicitationCompleted;
import dev.mcpscope.client.ServerEvent.ListChanged;
import dev.mcpscope.client.ServerEvent.ResourceUpdated;
import dev.mcpscope.transport.CloseReport;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What a server tells, and how the listener hears it.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ServerEventsTest {
  private static final ClientOptions DEFAULTS = ClientOptions.defaults();

  private static ClientOptions listening(Consumer<ServerEvent> listener) {
    return DEFAULTS.withFeatures(ClientFeatures.none().withListener(listener));
  }

  private static McpClient open(Consumer<ServerEvent> listener, Fault... faults) throws Exception {
    return McpClient.open(ScriptedServer.with(faults), listening(listener));
  }

  // What is told.

  @Test
  void whatAServerTellsIsHeardInItsOrder() throws Exception {
    var heard = new Heard();
    try (var _ = NothingLeft.check();
        var client = open(heard)) {
      new Peer(client)
          .says(
              Peer.notification("resources/updated", "{'uri':'file:///a','title':'A'}"),
              Peer.notification("prompts/list_changed", "{}"),
              Peer.notification("of-the-future", "{}"),
              Peer.notification("resources/updated", "{'uri':7}"),
              Peer.notification("message", "{}"),
              Peer.notification("progress", "{'progressToken':'none','progress':1}"),
              Peer.notification("resources/list_changed", "{}"),
              Peer.log("end"));
      assertThat(heard.untilLogged("end"))
          .containsExactly(
              new ResourceUpdated("file:///a", Json.object("{'uri':'file:///a','title':'A'}")),
              new ListChanged(ServerEvent.List.PROMPTS),
              new ListChanged(ServerEvent.List.RESOURCES));
    }
  }

  @Test
  void whatAServerTellsBeforeTheHandshakeIsOverIsHeard() throws Exception {
    var heard = new Heard();
    try (var _ = NothingLeft.check();
        var _ = open(heard, Fault.Quirk.NOTIFIES_FIRST)) {
      assertThat(heard.until(all -> !all.isEmpty()))
          .containsExactly(new ListChanged(ServerEvent.List.TOOLS));
    }
  }

  @Test
  void toolsThatHaveChangedAreReadAgain() throws Exception {
    Fault tools =
        Peer.answers(
            "tools/list",
            "{'result':{'tools':[{'name':'a'}]}}",
            "{'result':{'tools':[{'name':'b'},{'name':'c'}]}}");
    var told = new LinkedBlockingQueue<List<String>>();
    try (var _ = NothingLeft.check()) {
      var connection =
          new Connection(
              "connection/t",
              "t",
              ScriptedServer.with(tools),
              DEFAULTS,
              Connection.Shared.nothing(),
              new Connection.Callbacks() {},
              new Connection.Observer() {
                @Override
                public void changed(ConnectionState state) {
                  if (state instanceof ConnectionState.Connected(_, var listed)) {
                    told.add(listed.stream().map(Tool::name).toList());
                  }
                }
              });
      Thread.ofVirtual().name("owner").start(connection::run);
      try (var client = connection.awaitReady()) {
        assertThat(told.take()).containsExactly("a");
        new Peer(client).says(Peer.notification("tools/list_changed", "{}"));
        assertThat(told.take()).containsExactly("b", "c");
      }
    }
  }

  @Test
  void theProgressOfACallIsHeardWithWhatWasCalled() throws Exception {
    var heard = new Heard();
    try (var _ = NothingLeft.check();
        var client = open(heard)) {
      client.callTool("progress", Map.of("count", 1, "everyMs", 0));
      assertThat(heard.until(all -> !all.isEmpty()))
          .singleElement()
          .isInstanceOfSatisfying(
              CallProgress.class,
              progress -> {
                assertThat(progress.method()).isEqualTo("tools/call");
                assertThat(progress.target()).isEqualTo("progress");
                assertThat(progress.progress().progress()).isEqualTo(1);
              });
    }
  }

  @Test
  void aNotificationThatIsTooLongIsDroppedAndThatIsHeard() throws Exception {
    var heard = new Heard();
    var d = ClientOptions.Limits.defaults();
    var limits =
        new ClientOptions.Limits(
            d.message(), d.stderrBytes(), d.pages(), d.items(), d.serverRequests(), 10, 200);
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with(), listening(heard).withLimits(limits))) {
      String frame = Json.object(Peer.log("")).toString();
      String longest = "x".repeat(200 - frame.length());
      new Peer(client).says(Peer.log(longest), Peer.log(longest + "x"), Peer.log("end"));
      assertThat(heard.untilLogged("end"))
          .hasSize(2)
          .satisfies(all -> assertThat(Heard.isLog(all.getFirst(), longest)).isTrue())
          .endsWith(new Dropped(1));
    }
  }

  @Test
  void thatAListHasChangedIsHeardHoweverLongThatIsToldAndNothingOfItIsKept() throws Exception {
    var heard = new Heard();
    try (var _ = NothingLeft.check();
        var client = open(heard)) {
      String why = "x".repeat(DEFAULTS.limits().eventBytes());
      new Peer(client)
          .says(Peer.notification("tools/list_changed", "{'why':'" + why + "'}"), Peer.log("end"));
      assertThat(heard.untilLogged("end")).containsExactly(new ListChanged(ServerEvent.List.TOOLS));
    }
  }

  // The end of an elicitation by URL.

  private static String completed(String id) {
    return Peer.notification("elicitation/complete", "{'elicitationId':'" + id + "'}");
  }

  private static String url(String id) {
    return "{'mode':'url','message':'m','url':'https://example.org/','elicitationId':'" + id + "'}";
  }

  @Test
  void anElicitationIsCompletedOnceAndOnlyIfItIsKnown() throws Exception {
    var heard = new Heard();
    try (var _ = NothingLeft.check();
        var client =
            McpClient.open(
                ScriptedServer.with(),
                DEFAULTS.withFeatures(
                    ClientFeatures.none()
                        .withListener(heard)
                        .withElicitationUrl(_ -> ElicitationResult.accept())))) {
      var peer = new Peer(client);
      peer.says(completed("a"));
      peer.asks(Peer.request("1", "elicitation/create", url("a")));
      peer.asks(Peer.request("2", "elicitation/create", url("b")));
      peer.says(completed("A"), completed("b"), completed("a"), completed("b"), Peer.log("end"));
      assertThat(heard.untilLogged("end"))
          .containsExactly(new ElicitationCompleted("b"), new ElicitationCompleted("a"));
    }
  }

  @Test
  void anElicitationMayBeCompletedBeforeItIsAnswered() throws Exception {
    var heard = new Heard();
    var asked = new CountDownLatch(1);
    var answer = new CountDownLatch(1);
    try (var _ = NothingLeft.check();
        var client =
            McpClient.open(
                ScriptedServer.with(),
                DEFAULTS.withFeatures(
                    ClientFeatures.none()
                        .withListener(heard)
                        .withElicitationUrl(_ -> {
                          asked.countDown();
                          answer.await();
                          return ElicitationResult.accept();
                        })))) {
      var peer = new Peer(client);
      var asking = peer.asking(Peer.request("1", "elicitation/create", url("a")));
      asked.await();
      peer.says(completed("a"));
      answer.countDown();
      asking.result();
      peer.says(completed("a"), Peer.log("end"));
      assertThat(heard.untilLogged("end")).containsExactly(new ElicitationCompleted("a"));
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void anElicitationThatIsNotAcceptedIsNeverCompleted(boolean declined) throws Exception {
    var heard = new Heard();
    try (var _ = NothingLeft.check();
        var client =
            McpClient.open(
                ScriptedServer.with(),
                DEFAULTS.withFeatures(
                    ClientFeatures.none()
                        .withListener(heard)
                        .withElicitationUrl(_ ->
                            declined
                                ? ElicitationResult.decline()
                                : ElicitationResult.cancel())))) {
      var peer = new Peer(client);
      peer.asks(Peer.request("1", "elicitation/create", url("a")));
      peer.says(completed("a"), Peer.log("end"));
      assertThat(heard.untilLogged("end")).isEmpty();
    }
  }

  @Test
  void elicitationsThatAnErrorDemandsAreToldAndMayBeCompleted() throws Exception {
    var heard = new Heard();
    Fault error =
        Peer.answers(
            "prompts/get",
            "{'error':{'code':-32042,'message':'go there','data':{'elicitations':["
                + url("a")
                + ",7,{'mode':'url','message':'m','url':'javascript:x','elicitationId':'b'},"
                + url("c")
                + "]}}}");
    try (var _ = NothingLeft.check();
        var client = open(heard, Peer.declares("{'tools':{},'prompts':{}}"), error)) {
      RemoteErrorException thrown =
          failure(RemoteErrorException.class, () -> client.getPrompt("p", Map.of()));
      assertThat(thrown.code()).isEqualTo(RemoteErrorException.URL_ELICITATION_REQUIRED);
      assertThat(thrown.elicitations())
          .extracting(ElicitationUrl::elicitationId)
          .containsExactly(Optional.of("a"), Optional.of("c"));
      assertThat(thrown.elicitations().getFirst().url())
          .isEqualTo(URI.create("https://example.org/"));
      assertThat(thrown.elicitations().getFirst().server()).startsWith("stdio server ");
      new Peer(client)
          .says(completed("a"), completed("a"), completed("b"), completed("c"), Peer.log("end"));
      assertThat(heard.untilLogged("end"))
          .containsExactly(new ElicitationCompleted("a"), new ElicitationCompleted("c"));
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "'code':-32042",
        "'code':-32042,'data':null",
        "'code':-32042,'data':{}",
        "'code':-32042,'data':{'elicitations':{}}",
        "'code':-32043,'data':{'elicitations':[{'mode':'url','message':'m',"
            + "'url':'https://example.org/','elicitationId':'a'}]}"
      })
  void anErrorThatDemandsNoElicitationHasNone(String error) throws Exception {
    Fault answer = Peer.answers("ping", "{'error':{'message':''," + error + "}}");
    try (var _ = NothingLeft.check();
        var client = open(_ -> {}, answer)) {
      assertThat(failure(RemoteErrorException.class, client::ping).elicitations()).isEmpty();
    }
  }

  // O10: user code runs in guests.

  private static List<String> numbers(List<ServerEvent> events) {
    return events.stream()
        .map(event -> ((ServerEvent.LogMessage) event).data().toString().replace("\"", ""))
        .toList();
  }

  private static List<String> upTo(int last) {
    return IntStream.rangeClosed(1, last).mapToObj(Integer::toString).toList();
  }

  @Test
  void o10_eventsAreHeardInOrderAndOneAtATime() throws Exception {
    var heard = new Heard();
    var inside = new AtomicInteger();
    var together = new AtomicInteger();
    try (var _ = NothingLeft.check();
        var client =
            open(event -> {
              together.accumulateAndGet(inside.incrementAndGet(), Math::max);
              Thread.yield();
              heard.accept(event);
              inside.decrementAndGet();
            })) {
      new Peer(client).floods(1_000, Peer.log("%d"));
      assertThat(numbers(heard.until(all -> all.size() == 1_000))).isEqualTo(upTo(1_000));
      assertThat(together).hasValue(1);
    }
  }

  @Test
  void o10_aListenerThatIsTooSlowIsInterruptedAndHearsTheNext() throws Exception {
    var heard = new Heard();
    var interrupted = Collections.synchronizedList(new ArrayList<String>());
    try (var _ = NothingLeft.check();
        var client =
            McpClient.open(
                ScriptedServer.with(),
                listening(
                        event -> {
                          heard.accept(event);
                          if (Heard.isLog(event, "2")) {
                            try {
                              new CountDownLatch(1).await();
                            } catch (InterruptedException e) {
                              interrupted.add("2");
                            }
                          }
                        })
                    .withHandlerTimeout(Duration.ofMinutes(1), Duration.ofMillis(200)))) {
      new Peer(client).floods(4, Peer.log("%d"));
      assertThat(numbers(heard.until(all -> all.size() == 4))).isEqualTo(upTo(4));
      assertThat(interrupted).containsExactly("2");
      assertThat(client.closeAndReport().abandoned()).isEmpty();
    }
  }

  @Test
  void o10_aListenerThatIgnoresItsInterruptIsNamedAndHearsNothingMore() throws Exception {
    var heard = new Heard();
    try (var _ = NothingLeft.check();
        var logged = Logged.under("dev.mcpscope.scope");
        var stubborn = new Stubborn();
        var client =
            McpClient.open(
                ScriptedServer.with(),
                listening(
                        event -> {
                          heard.accept(event);
                          stubborn.call();
                        })
                    .withHandlerTimeout(Duration.ofMinutes(1), Duration.ofMillis(100)))) {
      var peer = new Peer(client);
      peer.floods(3, Peer.log("%d"));
      logged.await("hears nothing more");
      promptly(() -> peer.asks(Peer.request("1", "ping", "{}"))); // the connection goes on
      CloseReport report = promptly(client::closeAndReport);
      assertThat(report.abandoned()).singleElement().asString().endsWith(" listener");
      assertThat(report.outcome()).isEqualTo(CloseReport.Outcome.GRACEFUL);
      assertThat(heard.all()).hasSize(1);
    }
  }

  @Test
  void o10_aListenerThatIgnoresTheEndIsNamedAndTheCloseStaysInItsBudget() throws Exception {
    var entered = new CountDownLatch(1);
    try (var _ = NothingLeft.check();
        var stubborn = new Stubborn();
        var client =
            open(_ -> {
              entered.countDown();
              stubborn.call();
            })) {
      new Peer(client).says(Peer.log("1"), Peer.log("2"));
      entered.await();
      CloseReport report = promptly(client::closeAndReport);
      assertThat(report.abandoned()).singleElement().asString().endsWith(" listener");
      assertThat(report.failures()).isEmpty();
    }
  }

  /// What a listener may throw.
  private enum Thrown {
    EXCEPTION,
    ERROR
  }

  @ParameterizedTest
  @EnumSource
  void o10_aListenerThatThrowsIsLoggedAndHearsTheNext(Thrown thrown) throws Exception {
    var heard = new Heard();
    try (var _ = NothingLeft.check();
        var logged = Logged.under("dev.mcpscope.scope");
        var client =
            open(event -> {
              heard.accept(event);
              switch (thrown) {
                case EXCEPTION -> throw new IllegalStateException("of the user");
                case ERROR -> throw new StackOverflowError("of the user");
              }
            })) {
      new Peer(client).floods(3, Peer.log("%d"));
      assertThat(numbers(heard.until(all -> all.size() == 3))).isEqualTo(upTo(3));
      assertThat(logged.await("the listener failed").getThrown()).hasMessage("of the user");
      assertThat(client.closeAndReport().failures()).isEmpty();
    }
  }

  /// A connection whose states can be waited for.
  private record Running(Connection connection, States states) {
    static Running start(ClientOptions options, States states) {
      var connection =
          new Connection(
              "connection/t",
              "t",
              ScriptedServer.with(),
              options,
              Connection.Shared.nothing(),
              new Connection.Callbacks() {},
              states);
      Thread.ofVirtual().name("owner").start(connection::run);
      return new Running(connection, states);
    }
  }

  @Test
  void o10_whatWaitsAtTheCloseIsHeard() throws Exception {
    var heard = new Heard();
    var states = new States();
    try (var _ = NothingLeft.check()) {
      Running running =
          Running.start(
              listening(event -> {
                heard.accept(event);
                awaitClosing(states);
              }),
              states);
      McpClient client = running.connection().awaitReady();
      new Peer(client).floods(100, Peer.log("%d"));
      assertThat(heard.all()).hasSizeLessThanOrEqualTo(1);
      assertThat(client.closeAndReport().abandoned()).isEmpty();
      assertThat(numbers(heard.all())).isEqualTo(upTo(100));
    }
  }

  private static void awaitClosing(States states) {
    try {
      states.await("Closing");
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void o10_whatWaitsAtTheCloseIsHeardForHalfASecondAtTheMost() throws Exception {
    var heard = new Heard();
    var states = new States();
    try (var _ = NothingLeft.check()) {
      Running running =
          Running.start(
              listening(event -> {
                heard.accept(event);
                if (Heard.isLog(event, "2")) {
                  waitForEver();
                }
                awaitClosing(states);
              }),
              states);
      McpClient client = running.connection().awaitReady();
      new Peer(client).floods(3, Peer.log("%d"));
      CloseReport report = promptly(client::closeAndReport);
      assertThat(report.steps())
          .filteredOn(step -> step.name().equals("tell what was not told"))
          .singleElement()
          .satisfies(step ->
              assertThat(step.took()).isBetween(Duration.ofMillis(500), Duration.ofSeconds(3)));
      assertThat(numbers(heard.all())).isEqualTo(upTo(2));
      assertThat(report.abandoned()).isEmpty();
    }
  }

  private static void waitForEver() {
    try {
      new CountDownLatch(1).await();
    } catch (InterruptedException e) {
      // as good user code does: it leaves
    }
  }

  @Test
  void aListenerMayCallTheClientAndCloseIt() throws Exception {
    var itself = new CompletableFuture<McpClient>();
    var answer = new CompletableFuture<String>();
    var returned = new CompletableFuture<Optional<CloseReport>>();
    try (var _ = NothingLeft.check();
        var client =
            open(_ -> {
              try {
                answer.complete(itself.get().callTool("echo", Map.of("text", "hello")).text());
                returned.complete(Optional.ofNullable(itself.get().closeAndReport()));
              } catch (Exception e) {
                answer.completeExceptionally(e);
              }
            })) {
      itself.complete(client);
      new Caller<>(
              () -> {
                new Peer(client).says(Peer.log("1"));
                return null;
              })
          .join();
      assertThat(answer.get()).isEqualTo("hello");
      assertThat(returned.get()).isEmpty();
      assertThat(promptly(client::closeAndReport).abandoned()).isEmpty();
    }
  }

  @Test
  void withoutAListenerNothingWaits() throws Exception {
    try (var _ = NothingLeft.check();
        var client = McpClient.open(ScriptedServer.with())) {
      new Peer(client).floods(10, Peer.log("%d"));
      assertThat(client.closeAndReport().steps())
          .extracting(CloseReport.Step::name)
          .doesNotContain("tell what was not told");
    }
  }
}
