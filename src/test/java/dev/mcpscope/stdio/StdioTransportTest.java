package dev.mcpscope.stdio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.rpc.RpcCodec;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import dev.mcpscope.scope.Mailbox;
import dev.mcpscope.scope.TaskScope;
import dev.mcpscope.stdio.ChildProcess.Road;
import dev.mcpscope.transport.CloseBudget;
import dev.mcpscope.transport.CloseReport;
import dev.mcpscope.transport.CloseReport.Outcome;
import dev.mcpscope.transport.CloseReport.Step;
import dev.mcpscope.transport.Closing;
import dev.mcpscope.transport.Inbox;
import dev.mcpscope.transport.Loss;
import dev.mcpscope.transport.Transport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The transport alone, with shells as servers; on the road of each system, and on the other one.
@DisabledOnOs(OS.WINDOWS)
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class StdioTransportTest {
  private static final CloseBudget BUDGET =
      new CloseBudget(
          Duration.ZERO, Duration.ofMillis(500), Duration.ofSeconds(1), Duration.ofSeconds(1));

  /// Keeps what arrives.
  private static final class Kept implements Inbox {
    final BlockingQueue<RpcMessage> messages = new LinkedBlockingQueue<>();
    final BlockingQueue<Integer> sizes = new LinkedBlockingQueue<>(); // one for each message
    final BlockingQueue<Loss> losses = new LinkedBlockingQueue<>();

    @Override
    public void received(RpcMessage message, int bytes) {
      sizes.add(bytes);
      messages.add(message);
    }

    @Override
    public void lost(Loss loss) {
      losses.add(loss);
    }
  }

  /// Uses an open transport, whose tasks run in a scope of the calling thread.
  private interface Use {
    void use(Transport transport, Kept inbox) throws Exception;
  }

  /// Opens, uses and closes, as an owner does; checks that no task is blocked after the close.
  private static CloseReport with(Road road, String script, Use use) throws Exception {
    return with(road, StdioTransport.Limits.defaults(), script, use);
  }

  private static CloseReport with(Road road, StdioTransport.Limits limits, String script, Use use)
      throws Exception {
    var inbox = new Kept();
    var mailbox = new Mailbox<String>(10);
    var closing = new Closing("test", BUDGET);
    try (var scope = TaskScope.open("transport", mailbox)) {
      StdioTransport transport =
          StdioTransport.open(List.of("sh", "-c", script), Map.of(), null, limits, inbox, road);
      for (Transport.Work work : transport.tasks()) {
        if (work.platform()) {
          scope.forkPlatform(work.name(), work.body(), _ -> work.name());
        } else {
          scope.fork(work.name(), work.body(), _ -> work.name());
        }
      }
      try {
        use.use(transport, inbox);
      } finally {
        transport.close(closing);
        closing.step("join", scope::close);
      }
    }
    CloseReport report = closing.report();
    assertThat(took(report, "join")).isLessThan(Duration.ofSeconds(5));
    assertThat(report.failures()).isEmpty();
    return report;
  }

  private static Duration took(CloseReport report, String step) {
    return report.steps().stream()
        .filter(s -> s.name().startsWith(step))
        .map(Step::took)
        .reduce(Duration.ZERO, Duration::plus);
  }

  private static RpcMessage request(long id, String text) {
    return new RpcMessage.Request(RpcId.of(id), "echo", JsonObject.of("text", text));
  }

  @ParameterizedTest
  @EnumSource
  void whatIsSentComesBackFromCat(Road road) throws Exception {
    try (var _ = NothingLeft.check()) {
      CloseReport report =
          with(
              road,
              "exec cat",
              (transport, inbox) -> {
                for (int i = 0; i < 100; i++) {
                  transport.send(request(i, "grüße 😀".repeat(i)));
                  assertThat(inbox.messages.take()).isEqualTo(request(i, "grüße 😀".repeat(i)));
                }
                RpcMessage large = request(100, "x".repeat(1_000_000));
                transport.send(large);
                transport.send(request(101, ""));
                assertThat(inbox.messages.take()).isEqualTo(large);
                assertThat(inbox.messages.take()).isEqualTo(request(101, ""));
              });
      assertThat(report.outcome()).isEqualTo(Outcome.GRACEFUL);
      assertThat(report.exitCode()).hasValue(0);
      assertThat(report.nothingLeft()).isTrue();
    }
  }

  @Test
  void aMessageIsToldWithTheBytesOfItsLine() throws Exception {
    RpcMessage message = request(1, "grüße 😀");
    try (var _ = NothingLeft.check()) {
      with(
          Road.PIPES,
          "exec cat",
          (transport, inbox) -> {
            transport.send(message);

            assertThat(inbox.messages.take()).isEqualTo(message);
            assertThat(inbox.sizes.take()).isEqualTo(RpcCodec.encode(message).length);
          });
    }
  }

  @Test
  void theBytesOfABatchAreSharedOutAmongItsMessages() throws Exception {
    String one = "{\"jsonrpc\":\"2.0\",\"method\":\"one\"}";
    String batch = "[" + one + ", " + one + ",\"no message\"]";
    try (var _ = NothingLeft.check()) {
      with(
          Road.PIPES,
          "echo '" + batch + "'; echo '" + one + "'; echo '[]'; exec cat",
          (_, inbox) -> {
            for (int i = 0; i < 5; i++) {
              inbox.messages.take();
            }

            int share = batch.length() / 3;
            assertThat(inbox.sizes).containsExactly(share, share, share, one.length(), 2);
          });
    }
  }

  @Test
  void anAnswerThatCannotBeReadIsToldWithTheBytesOfItsLine() throws Exception {
    String broken = "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{]}";
    try (var _ = NothingLeft.check()) {
      CloseReport report =
          with(
              Road.PIPES,
              "echo hello; echo; echo '" + broken + "'; exec cat",
              (_, inbox) -> {
                assertThat(inbox.messages.take())
                    .isInstanceOfSatisfying(
                        RpcMessage.Malformed.class,
                        malformed -> {
                          assertThat(malformed.call()).contains(RpcId.of(7));
                          assertThat(malformed.request()).isEmpty();
                        });
                assertThat(inbox.sizes).containsExactly(broken.length());
              });
      assertThat(report.skippedLines()).isEqualTo(2);
    }
  }

  @ParameterizedTest
  @EnumSource
  void whatTheServerSaysAfterTheEndOfItsInputIsHeard(Road road) throws Exception {
    try (var _ = NothingLeft.check()) {
      CloseReport report =
          with(road, "cat >/dev/null; echo bye; echo 'saved my work' >&2; exit 5", (_, _) -> {});
      assertThat(report.stderrTail()).isEqualTo("saved my work\n");
      assertThat(report.skippedLines()).isEqualTo(1);
      assertThat(report.exitCode()).hasValue(5);
      assertThat(report.outcome()).isEqualTo(Outcome.GRACEFUL);
    }
  }

  @ParameterizedTest
  @EnumSource
  void anExitIsToldOnceWithItsCodeAndTheEndOfStderrAsATerminalBearsIt(Road road) throws Exception {
    try (var _ = NothingLeft.check()) {
      with(
          road,
          "echo '{\"jsonrpc\":\"2.0\",\"method\":\"last\"}'; printf 'oops\\033[2J\\n' >&2; exit 3",
          (_, inbox) -> {
            Loss loss = inbox.losses.take();
            assertThat(loss.kind()).isEqualTo(Loss.Kind.GONE);
            assertThat(loss.message()).contains("exited with code 3").endsWith("oops?[2J");
            assertThat(inbox.messages.take())
                .isEqualTo(new RpcMessage.Notification("last", JsonObject.EMPTY));
          });
    }
  }

  @ParameterizedTest
  @EnumSource
  void aLineOverTheCapIsAViolation(Road road) throws Exception {
    var limits =
        new StdioTransport.Limits(JsonLimits.defaults().withMaxBytes(1_000), 100_000, 1_000);
    try (var _ = NothingLeft.check()) {
      with(
          road,
          limits,
          "head -c 1001 /dev/zero | tr '\\0' x; exec cat",
          (transport, inbox) -> {
            transport.send(request(1, "")); // ends the line
            Loss loss = inbox.losses.take();
            assertThat(loss.kind()).isEqualTo(Loss.Kind.PROTOCOL);
            assertThat(loss.message()).contains("longer than 1000 bytes");
          });
    }
  }

  @ParameterizedTest
  @EnumSource
  void aServerThatNeverReadsDoesNotHoldUpTheClose(Road road) throws Exception {
    try (var _ = NothingLeft.check()) {
      CloseReport report =
          with(
              road,
              "trap '' TERM; while :; do sleep 60; done",
              (transport, _) -> transport.send(request(1, "x".repeat(1_000_000))));
      assertThat(report.outcome()).isEqualTo(Outcome.KILLED);
      assertThat(report.nothingLeft()).isTrue();
    }
  }

  @ParameterizedTest
  @EnumSource
  void aServerThatNeverStopsWritingDoesNotHoldUpTheClose(Road road) throws Exception {
    try (var _ = NothingLeft.check()) {
      CloseReport report =
          with(road, "exec yes '{}'", (_, inbox) -> assertThat(inbox.messages.take()).isNotNull());
      assertThat(report.outcome()).isEqualTo(Outcome.TERMINATED);
      assertThat(report.nothingLeft()).isTrue();
    }
  }

  @ParameterizedTest
  @EnumSource
  void whatCannotBeStartedLeavesNothing(Road road) throws Exception {
    try (var _ = NothingLeft.check()) {
      var limits = StdioTransport.Limits.defaults();
      assertThatThrownBy(() ->
              StdioTransport.open(
                  List.of("/no/such/server"), Map.of(), null, limits, new Kept(), road))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("/no/such/server");
      assertThatThrownBy(() ->
              StdioTransport.open(
                  List.of("sh"), Map.of("A=B", "C"), null, limits, new Kept(), road))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() ->
              StdioTransport.open(
                  List.of("sh"), Map.of(), Path.of("/no/dir"), limits, new Kept(), road))
          .isInstanceOf(IOException.class);
    }
  }

  /// The daemon has no mark, so it can only be found by its pipe, which on this road is not ours.
  @Test
  @EnabledOnOs(OS.LINUX)
  void onThePumpsRoadADaemonThatHoldsStdoutIsLeftBehindAndNamed(@TempDir Path directory)
      throws Exception {
    Path pid = directory.resolve("pid");
    try (var _ = NothingLeft.check()) {
      String daemon = "env -i $(which setsid) sh -c 'echo $$ > " + pid + "; exec sleep 60'";
      long started = System.nanoTime();
      CloseReport report =
          with(
              Road.PUMPS,
              "(" + daemon + " 2>&- <&- &) ; while [ ! -s " + pid + " ]; do :; done; exec cat",
              (transport, inbox) -> {
                transport.send(request(1, ""));
                assertThat(inbox.messages.take()).isEqualTo(request(1, ""));
              });
      assertThat(report.abandoned())
          .singleElement()
          .asString()
          .startsWith("stdout pump of process ");
      assertThat(report.nothingLeft()).isFalse();
      assertThat(report.outcome()).isEqualTo(Outcome.GRACEFUL);
      assertThat(Duration.ofNanos(System.nanoTime() - started)).isLessThan(Duration.ofSeconds(5));
      long found = Long.parseLong(Files.readString(pid).strip());
      ProcessHandle.of(found).orElseThrow().destroyForcibly(); // now the pump ends too
    }
  }

  /// A daemon that goes on from one process to the next, each of which lives for 50 ms, until there have
  /// been 60. The end of the fifo that each hands to the next tells when there is none left.
  private static String restless(Path fifo) {
    return """
    exec 9> '%s'
    export LEFT=60
    export NEXT='
      sleep 0.05
      LEFT=$((LEFT - 1))
      if [ $LEFT -gt 0 ]; then sh -c "$NEXT" & else echo through >&9; fi
    '
    setsid sh -c "$NEXT" </dev/null >/dev/null 2>&1 &
    exec 9>&-
    echo '{"jsonrpc":"2.0","method":"ready"}'
    read end
    """
        .formatted(fifo);
  }

  @EnabledOnOs(OS.LINUX) // elsewhere nobody knows of a daemon
  @Test
  void whoGoesFromProcessToProcessIsEndedOrNamed(@TempDir Path dir) throws Exception {
    Path fifo = dir.resolve("fifo");
    assertThat(new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor()).isZero();
    for (int i = 0; i < 10; i++) {
      var end = new FutureTask<>(() -> Files.readString(fifo));
      Thread.ofVirtual().start(end);
      CloseReport report =
          with(
              Road.PIPES,
              restless(fifo),
              (_, inbox) -> assertThat(inbox.messages.take()).isNotNull());
      assertThat(report.survivors()).isEmpty();
      assertThat(report.took()).isLessThan(Duration.ofSeconds(5));
      boolean ended = end.get().isEmpty(); // before its time
      assertThat(ended || !report.nothingLeft()).as(report.summary()).isTrue();
    }
  }
}
