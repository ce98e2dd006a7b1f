package dev.mcpscope.transport;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import dev.mcpscope.scope.Deadline;
import dev.mcpscope.scope.Mailbox;
import dev.mcpscope.scope.TaskScope;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What every [Transport] does, whatever it goes over: each has a subclass of this, in which a real
/// peer of its kind plays the [Behaviour]s.
///
/// A transport is used here as the owner of a connection uses it: opened in a scope, its tasks forked
/// there, closed while they run, and joined.
@Timeout(value = 20, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
public abstract class TransportContract {
  /// The longest message that is taken.
  protected static final int MOST_BYTES = 64 << 10;

  /// What a peer does with calls of tools, once it is initialized. It knows `echo {text}`, `never`,
  /// which it does not answer, and `say {messages}`, which it sends before its answer.
  public enum Behaviour {
    /// All that is right.
    GOOD,
    /// It reads no more after `notifications/initialized`, or takes no request.
    DEAF,
    /// It ends, or closes the connection, without an answer.
    DIES,
    /// Its answer is longer than [#MOST_BYTES].
    ANSWERS_TOO_LONG,
    /// It says what is no JSON before its answer.
    TALKS_NONSENSE,
    /// It sends answers to no request before its answer.
    ANSWERS_UNKNOWN_IDS
  }

  /// A transport and the peer at its other end.
  ///
  /// @param transport open, its tasks not yet forked
  /// @param peerHasGone whether nothing of the connection is left at the peer either; waits for that
  /// @param end of the peer
  public record Wired(Transport transport, Supplier<Boolean> peerHasGone, AutoCloseable end) {}

  /// Opens a transport to a peer that behaves so.
  protected abstract Wired open(Behaviour behaviour, Inbox inbox) throws Exception;

  /// For what does not wait, on a busy machine too; whoever waits here waits for ever.
  private static final Duration MOMENT = Duration.ofSeconds(5);

  private static final CloseBudget BUDGET =
      new CloseBudget(
          Duration.ZERO, Duration.ofMillis(500), Duration.ofSeconds(1), Duration.ofSeconds(1));

  /// Keeps what arrives, and can be waited for.
  private static final class Kept implements Inbox {
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    final List<RpcMessage> messages = new ArrayList<>();
    final List<Integer> sizes = new ArrayList<>();
    final Map<RpcId, CallFailure> failures = new java.util.HashMap<>();
    final List<Loss> losses = new ArrayList<>();
    final Set<Thread> threads = new HashSet<>();

    @Override
    public void received(RpcMessage message, int bytes) {
      change(() -> {
        messages.add(message);
        sizes.add(bytes);
      });
    }

    @Override
    public void lost(Loss loss) {
      change(() -> losses.add(loss));
    }

    @Override
    public void failed(RpcId request, CallFailure failure) {
      change(() -> failures.put(request, failure));
    }

    private void change(Runnable change) {
      lock.lock();
      try {
        change.run();
        threads.add(Thread.currentThread());
        changed.signalAll();
      } finally {
        lock.unlock();
      }
    }

    void await(Supplier<Boolean> enough) throws InterruptedException {
      lock.lock();
      try {
        while (!enough.get()) {
          changed.await();
        }
      } finally {
        lock.unlock();
      }
    }

    boolean isAnswered(RpcId id) {
      return messages.stream()
          .anyMatch(
              m -> m instanceof RpcMessage.Response r && r.id().filter(id::equals).isPresent());
    }

    /// Whether nobody has to wait for this request any more.
    boolean isSettled(RpcId id) {
      return isAnswered(id) || failures.containsKey(id) || !losses.isEmpty();
    }
  }

  private interface Use {
    void use(Transport transport, Kept inbox) throws Exception;
  }

  private final NothingLeft nothingLeft = NothingLeft.check();

  @AfterEach
  void nothingIsLeft() {
    nothingLeft.close();
  }

  /// Opens, initializes, uses and closes.
  private CloseReport with(Behaviour behaviour, Use use) throws Exception {
    var inbox = new Kept();
    Wired wired = open(behaviour, inbox);
    try (var _ = wired.end()) {
      var closing = new Closing("test", BUDGET);
      try (var scope = TaskScope.open("transport", new Mailbox<String>(10))) {
        for (Transport.Work work : wired.transport().tasks()) {
          if (work.platform()) {
            scope.forkPlatform(work.name(), work.body(), _ -> work.name());
          } else {
            scope.fork(work.name(), work.body(), _ -> work.name());
          }
        }
        try {
          initialize(wired.transport(), inbox);
          use.use(wired.transport(), inbox);
        } finally {
          wired.transport().close(closing);
          closing.step("join", scope::close);
        }
      }
      CloseReport report = closing.report();
      assertThat(report.failures()).isEmpty();
      assertThat(report.nothingLeft()).isTrue();
      assertThat(report.steps().getLast().took()).as("join").isLessThan(MOMENT);
      assertThat(wired.peerHasGone().get()).as("nothing is left at the peer").isTrue();
      return report;
    }
  }

  private static void initialize(Transport transport, Kept inbox) throws Exception {
    var hello =
        JsonObject.of(
            "protocolVersion",
            "2025-11-25",
            "capabilities",
            JsonObject.EMPTY,
            "clientInfo",
            JsonObject.of("name", "t", "version", "1"));
    transport.send(new RpcMessage.Request(RpcId.of(0), "initialize", hello));
    inbox.await(() -> inbox.isAnswered(RpcId.of(0)));
    transport.send(new RpcMessage.Notification("notifications/initialized", JsonObject.EMPTY));
  }

  private static RpcMessage.Request call(long id, String tool, Object... arguments) {
    return new RpcMessage.Request(
        RpcId.of(id),
        "tools/call",
        JsonObject.of("name", tool, "arguments", JsonObject.of(arguments)));
  }

  private static String text(RpcMessage message) throws JsonException {
    var result = (JsonObject) ((RpcMessage.Result) message).result();
    return ((JsonString) ((JsonObject) result.array("content").elements().getFirst()).get("text"))
        .value();
  }

  // Delivery.

  @Test
  void eachRequestIsAnsweredOnceWhoeverSends() throws Exception {
    with(
        Behaviour.GOOD,
        (transport, inbox) -> {
          int callers = 8;
          int each = 25;
          try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var sent = new ArrayList<Future<?>>();
            for (int caller = 0; caller < callers; caller++) {
              int first = 1 + caller * each;
              sent.add(
                  threads.submit(() -> {
                    for (int id = first; id < first + each; id++) {
                      transport.send(call(id, "echo", "text", "€ " + id));
                    }
                    return null;
                  }));
            }
            for (Future<?> one : sent) {
              one.get();
            }
          }
          inbox.await(() -> inbox.messages.size() == 1 + callers * each);
          var ids = new HashSet<RpcId>();
          for (RpcMessage message : inbox.messages.subList(1, inbox.messages.size())) {
            RpcId id = ((RpcMessage.Result) message).id().orElseThrow();
            assertThat(ids.add(id)).isTrue();
            assertThat(text(message)).isEqualTo("€ " + id);
          }
          assertThat(inbox.failures).isEmpty();
          assertThat(inbox.losses).isEmpty();
        });
  }

  @Test
  void whatTheServerSaysBeforeAnAnswerArrivesInItsOrderWithItsSize() throws Exception {
    with(
        Behaviour.GOOD,
        (transport, inbox) -> {
          var messages = new ArrayList<JsonObject>();
          for (int i = 0; i < 50; i++) {
            messages.add(
                JsonObject.of(
                    "jsonrpc",
                    "2.0",
                    "method",
                    "m/" + i,
                    "params",
                    JsonObject.of("x", "y".repeat(i))));
          }
          transport.send(call(1, "say", "messages", messages));
          inbox.await(() -> inbox.isAnswered(RpcId.of(1)));
          assertThat(inbox.messages.subList(1, 51))
              .extracting(m -> ((RpcMessage.Notification) m).method())
              .containsExactlyElementsOf(
                  messages.stream().map(m -> ((JsonString) m.get("method")).value()).toList());
          for (int i = 0; i < 50; i++) {
            assertThat(inbox.sizes.get(1 + i)).isEqualTo(messages.get(i).toString().length());
          }
        });
  }

  @Test
  void aRequestOfTheServersArrivesAndItsAnswerReachesTheServer() throws Exception {
    with(
        Behaviour.GOOD,
        (transport, inbox) -> {
          JsonObject ping = JsonObject.of("jsonrpc", "2.0", "id", "p-1", "method", "ping");
          transport.send(call(1, "ask", "message", ping));
          inbox.await(() -> inbox.messages.stream().anyMatch(m -> m instanceof RpcMessage.Request));
          transport.send(new RpcMessage.Result(RpcId.of("p-1"), JsonObject.of("here", true)));
          inbox.await(() -> inbox.isAnswered(RpcId.of(1)));
          assertThat(text(inbox.messages.getLast())).contains("here");
        });
  }

  @Test
  void inboxesAreFilledByTheTransportsOwnThreadsAndNeverBySenders() throws Exception {
    with(
        Behaviour.GOOD,
        (transport, inbox) -> {
          transport.send(call(1, "echo", "text", "hi"));
          inbox.await(() -> inbox.isAnswered(RpcId.of(1)));
          assertThat(inbox.threads).doesNotContain(Thread.currentThread());
        });
  }

  @Test
  void answersToNoRequestAndNonsenseHideNoAnswer() throws Exception {
    for (Behaviour noise : List.of(Behaviour.TALKS_NONSENSE, Behaviour.ANSWERS_UNKNOWN_IDS)) {
      with(
          noise,
          (transport, inbox) -> {
            for (int id = 1; id <= 3; id++) {
              transport.send(call(id, "echo", "text", "hi"));
              RpcId sent = RpcId.of(id);
              inbox.await(() -> inbox.isSettled(sent));
              assertThat(inbox.isAnswered(sent)).as(noise.name()).isTrue();
            }
          });
    }
  }

  // Limits.

  @Test
  void anAnswerOverTheLimitIsNotTakenAndNobodyWaitsForIt() throws Exception {
    with(
        Behaviour.ANSWERS_TOO_LONG,
        (transport, inbox) -> {
          transport.send(call(1, "echo", "text", "hi"));
          inbox.await(() -> inbox.isSettled(RpcId.of(1)));
          assertThat(inbox.isAnswered(RpcId.of(1))).isFalse();
          assertThat(inbox.sizes).allMatch(bytes -> bytes <= MOST_BYTES);
          String said =
              inbox.losses.isEmpty()
                  ? inbox.failures.get(RpcId.of(1)).message()
                  : inbox.losses.getFirst().message();
          assertThat(said).contains("longer than " + MOST_BYTES + " bytes");
        });
  }

  @Test
  void whoSendsIsNeverHeldUpThoughTheServerDoesNotRead() throws Exception {
    with(
        Behaviour.DEAF,
        (transport, inbox) -> {
          String text = "x".repeat(MOST_BYTES / 2);
          int sent = 0;
          Deadline deadline = Deadline.after(Duration.ofSeconds(10));
          OverloadedException refused = null;
          while (refused == null && !deadline.passed()) {
            long begun = System.nanoTime();
            try {
              transport.send(call(++sent, "echo", "text", text));
            } catch (OverloadedException e) {
              refused = e;
            }
            assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(MOMENT);
          }
          assertThat(refused).as("after %d messages", sent).isNotNull();
        });
  }

  @Test
  void whoIsInterruptedHarmsNothing() throws Exception {
    with(
        Behaviour.GOOD,
        (transport, inbox) -> {
          Thread.currentThread().interrupt();
          transport.send(call(1, "echo", "text", "hi"));
          assertThat(Thread.interrupted()).isTrue();
          inbox.await(() -> inbox.isAnswered(RpcId.of(1)));
          assertThat(inbox.losses).isEmpty();
        });
  }

  // Ends.

  @Test
  void aServerThatDiesLeavesNobodyWaiting() throws Exception {
    with(
        Behaviour.DIES,
        (transport, inbox) -> {
          transport.send(call(1, "echo", "text", "hi"));
          inbox.await(() -> inbox.isSettled(RpcId.of(1)));
          assertThat(inbox.isAnswered(RpcId.of(1))).isFalse();
          transport.send(call(2, "echo", "text", "hi")); // and nobody is told that it was late
        });
  }

  @ParameterizedTest
  @EnumSource(Behaviour.class)
  void closeFreesEveryTaskWhateverThePeerDoes(Behaviour behaviour) throws Exception {
    with(
        behaviour,
        (transport, inbox) -> {
          transport.send(call(1, "never"));
          transport.send(call(2, "echo", "text", "hi"));
        });
  }

  @Test
  void closeIsDoneWhileOthersSend() throws Exception {
    var stop = new AtomicBoolean();
    var sending = new ArrayList<Thread>();
    try {
      with(
          Behaviour.GOOD,
          (transport, inbox) -> {
            var started = new CountDownLatch(4);
            for (int caller = 0; caller < 4; caller++) {
              int first = 1 + caller * 1_000_000;
              sending.add(
                  Thread.ofPlatform()
                      .start(() -> {
                        started.countDown();
                        for (int id = first; !stop.get(); id++) {
                          try { // what is sent after the close is dropped in silence
                            transport.send(call(id, "echo", "text", "hi"));
                          } catch (OverloadedException _) {
                            Thread.yield();
                          }
                        }
                      }));
            }
            started.await();
          });
    } finally {
      stop.set(true);
      for (Thread one : sending) {
        one.join();
      }
    }
  }

  /// The limits of a message here.
  protected static JsonLimits limits() {
    return JsonLimits.defaults().withMaxBytes(MOST_BYTES);
  }
}
