package dev.mcpscope.client;

import static dev.mcpscope.client.InputRequiredTest.form;
import static dev.mcpscope.client.InputRequiredTest.question;
import static dev.mcpscope.client.ModernPeer.answers;
import static dev.mcpscope.client.ModernPeer.says;
import static dev.mcpscope.client.Promptly.promptly;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.client.ModernPeer.Script;
import dev.mcpscope.client.ModernPeer.Way;
import dev.mcpscope.transport.CloseReport;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Calls that are answered by questions to which there is no answer.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class InputFailedTest {
  private static final ClientOptions OPTIONS = ClientOptions.defaults();
  private static final Script ASKS =
      answers("tools/call", question("'requestState':'s','inputRequests':{'a':" + form("A") + "}"));

  private final NothingLeft nothingLeft = NothingLeft.check();
  private final CountDownLatch asked = new CountDownLatch(1);
  private final CountDownLatch interrupted = new CountDownLatch(1);
  private ModernPeer peer;

  @AfterEach
  void nothingIsLeft() {
    peer.close();
    nothingLeft.close();
  }

  private McpClient open(Way way, ClientOptions options, Callable<?> answer, Script... scripts)
      throws Exception {
    var features = ClientFeatures.none().withElicitation(_ -> (ElicitationResult) answer.call());
    peer = ModernPeer.start(way, options.withFeatures(features), scripts);
    return peer.client();
  }

  /// Waits until it is interrupted.
  private Object hang() throws InterruptedException {
    asked.countDown();
    try {
      new CountDownLatch(1).await();
      return null;
    } catch (InterruptedException e) {
      interrupted.countDown();
      throw e;
    }
  }

  private static Caller<ToolResult> calling(McpClient client) {
    return new Caller<>(() -> client.callTool("t", Map.of()));
  }

  /// The call was not repeated, and the connection is as good as before.
  private void goesOn(McpClient client) throws Exception {
    client.ping();
    assertThat(peer.heard("tools/call")).hasSize(1);
  }

  private static InputFailedException failed(McpClient client) throws Exception {
    return Promptly.failure(InputFailedException.class, () -> client.callTool("t", Map.of()));
  }

  // The handler.

  @ParameterizedTest
  @EnumSource
  void aHandlerThatFailsFailsTheCallWithoutAWordOfIt(Way way) throws Exception {
    try (var warnings = Logged.under("dev.mcpscope.client")) {
      Callable<?> fails =
          () -> {
            throw new IOException("a secret");
          };
      McpClient client = open(way, OPTIONS, fails, ASKS);
      assertThat(failed(client))
          .hasMessageContaining("tools/call asks for input")
          .hasMessageContaining("(elicitation/create), and does not get it: the client's handler")
          .hasMessageNotContaining("a secret");
      assertThat(warnings.await("a handler failed").getThrown()).hasMessage("a secret");
      goesOn(client);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aHandlerThatRefusesFailsTheCallWithItsWords(Way way) throws Exception {
    Callable<?> refuses =
        () -> {
          throw new RequestRefusedException(RequestRefusedException.USER_REJECTED, "he said no");
        };
    McpClient client = open(way, OPTIONS, refuses, ASKS);
    assertThat(failed(client)).hasMessageEndingWith("and does not get it: he said no");
    goesOn(client);
  }

  @ParameterizedTest
  @EnumSource
  void aHandlerThatTakesTooLongFailsTheCallAndIsInterrupted(Way way) throws Exception {
    ClientOptions options =
        OPTIONS.withHandlerTimeout(Duration.ofMillis(100), Duration.ofSeconds(10));
    McpClient client = open(way, options, this::hang, ASKS);
    assertThat(failed(client)).hasMessageEndingWith("not answered within 100 ms");
    interrupted.await();
    goesOn(client);
  }

  @ParameterizedTest
  @EnumSource
  void theFirstHandlerThatFailsEndsTheOthers(Way way) throws Exception {
    var first = new AtomicBoolean(true);
    Callable<?> oneHangs =
        () -> {
          if (first.getAndSet(false)) {
            return hang();
          }
          throw new RequestRefusedException(RequestRefusedException.USER_REJECTED, "no");
        };
    String two = "{'a':" + form("A") + ",'b':" + form("B") + "}";
    McpClient client =
        open(way, OPTIONS, oneHangs, answers("tools/call", question("'inputRequests':" + two)));
    assertThat(failed(client)).hasMessageEndingWith("no");
    interrupted.await();
    goesOn(client);
  }

  /// It has no say in what the call is given.
  @ParameterizedTest
  @EnumSource
  void aHandlerThatIgnoresItsInterruptHoldsNoCall(Way way) throws Exception {
    try (var stubborn = new Stubborn()) {
      ClientOptions options =
          OPTIONS.withHandlerTimeout(Duration.ofMillis(100), Duration.ofSeconds(10));
      McpClient client = open(way, options, stubborn::call, ASKS);
      failed(client);
      client.ping();
      CloseReport report = peer.closed();
      assertThat(report.abandoned()).hasSize(1).first().asString().contains("elicitation/create");
    }
  }

  // The caller.

  @ParameterizedTest
  @EnumSource
  void aCallerThatIsInterruptedInterruptsTheHandlerAndNothingIsSent(Way way) throws Exception {
    McpClient client = open(way, OPTIONS, this::hang, ASKS);
    Caller<ToolResult> caller = calling(client);
    asked.await();
    caller.interrupt();
    assertThat(promptly(caller::failure)).isInstanceOf(InterruptedException.class);
    interrupted.await();
    client.ping();
    assertThat(peer.heard())
        .extracting(message -> Peer.word(message, "method"))
        .doesNotContain("notifications/cancelled")
        .endsWith("tools/call", "server/discover");
  }

  /// What it has taken of the limit is free again.
  @ParameterizedTest
  @EnumSource
  void aCallThatIsGivenUpLeavesItsPlace(Way way) throws Exception {
    int places = 8; // of those that were given up some may be on their way out
    ClientOptions.Limits all = OPTIONS.limits();
    var few =
        new ClientOptions.Limits(
            all.message(),
            all.stderrBytes(),
            all.pages(),
            all.items(),
            places,
            all.events(),
            all.eventBytes());
    var turns = new Semaphore(0);
    Callable<?> hangs =
        () -> {
          turns.release();
          return hang();
        };
    McpClient client = open(way, OPTIONS.withLimits(few), hangs, ASKS);
    for (int i = 0; i < 3 * places; i++) {
      Caller<ToolResult> caller = calling(client);
      turns.acquire();
      caller.interrupt();
      assertThat(caller.failure()).isInstanceOf(InterruptedException.class);
    }
  }

  @ParameterizedTest
  @EnumSource
  void theMaximumOfACallHoldsWhileAHandlerIsAtWork(Way way) throws Exception {
    ClientOptions options = OPTIONS.withCallTimeout(Duration.ofMillis(300), Duration.ofMillis(300));
    McpClient client = open(way, options, this::hang, ASKS);
    assertThat(Promptly.failure(CallTimeoutException.class, () -> client.callTool("t", Map.of())))
        .hasMessageContaining("(elicitation/create), which has not come in time");
    interrupted.await();
    goesOn(client);
  }

  /// It is the server that has to be quick, not the user.
  @ParameterizedTest
  @EnumSource
  void theTimeOfACallDoesNotRunWhileAHandlerIsAtWork(Way way) throws Exception {
    var late = new CountDownLatch(1);
    Callable<?> answersLate =
        () -> {
          late.await(700, TimeUnit.MILLISECONDS); // nobody counts it down
          return ElicitationResult.accept();
        };
    ClientOptions options = OPTIONS.withCallTimeout(Duration.ofMillis(600), Duration.ofMinutes(1));
    McpClient client =
        open(
            way,
            options,
            answersLate,
            answers(
                "tools/call", question("'inputRequests':{'a':" + form("A") + "}"), says("done")));
    assertThat(client.callTool("t", Map.of()).text()).isEqualTo("done");
  }

  // The connection.

  @ParameterizedTest
  @EnumSource
  void theEndOfTheConnectionEndsTheHandlerAndTheCallAtOnce(Way way) throws Exception {
    McpClient client = open(way, OPTIONS, this::hang, ASKS);
    Caller<ToolResult> caller = calling(client);
    asked.await();
    CloseReport report = promptly(client::closeAndReport);
    assertThat(promptly(caller::failure)).isInstanceOf(ConnectionClosedException.class);
    interrupted.await();
    assertThat(report.nothingLeft()).isTrue();
    assertThat(report.failures()).isEmpty();
    assertThat(peer.heard("tools/call")).hasSize(1);
  }

  @Test
  void theDeathOfTheServerEndsTheHandlerAndTheCallAtOnce() throws Exception {
    McpClient client = open(Way.STDIO, OPTIONS, this::hang, ASKS);
    Caller<ToolResult> caller = calling(client);
    asked.await();
    ProcessHandle.current().children().forEach(ProcessHandle::destroyForcibly);
    assertThat(promptly(caller::failure))
        .isInstanceOf(ConnectionLostException.class)
        .hasMessageContaining("the server exited with code 137");
    interrupted.await();
    assertThat(peer.closed().nothingLeft()).isTrue();
  }

  @ParameterizedTest
  @EnumSource
  void aHandlerMayCloseTheClientForWhichItIsAsked(Way way) throws Exception {
    var client = new McpClient[1];
    Callable<?> closes =
        () -> {
          client[0].close();
          return ElicitationResult.accept();
        };
    client[0] = open(way, OPTIONS, closes, ASKS);
    Caller<ToolResult> caller = calling(client[0]);
    assertThat(promptly(caller::failure)).isInstanceOf(ConnectionClosedException.class);
    assertThat(promptly(client[0]::closeAndReport).nothingLeft()).isTrue();
    assertThat(peer.heard("tools/call")).hasSize(1);
  }
}
