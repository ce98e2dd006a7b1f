package dev.mcpscope.http;

import static dev.mcpscope.HttpFault.on;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.HttpFault;
import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.End;
import dev.mcpscope.NothingLeft;
import dev.mcpscope.ScriptedHttpServer;
import dev.mcpscope.http.Lookup.Resolver;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import dev.mcpscope.scope.Mailbox;
import dev.mcpscope.scope.TaskScope;
import dev.mcpscope.transport.CallFailure;
import dev.mcpscope.transport.CloseBudget;
import dev.mcpscope.transport.CloseReport;
import dev.mcpscope.transport.Closing;
import dev.mcpscope.transport.Inbox;
import dev.mcpscope.transport.Loss;
import dev.mcpscope.transport.ReconnectBudget;
import dev.mcpscope.transport.Transport;
import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Where a server's name leads to, before anything is sent there.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class HttpTransportTest {
  private static final InetAddress[] HERE = addresses("127.0.0.1");

  private final LinkedBlockingQueue<CallFailure> failed = new LinkedBlockingQueue<>();
  private final LinkedBlockingQueue<RpcMessage> received = new LinkedBlockingQueue<>();
  private final LinkedBlockingQueue<Loss> lost = new LinkedBlockingQueue<>();

  private static InetAddress[] addresses(String... literals) {
    return Stream.of(literals).map(InetAddress::ofLiteral).toArray(InetAddress[]::new);
  }

  private final class Heard implements Inbox {
    @Override
    public void received(RpcMessage message, int bytes) {
      received.add(message);
    }

    @Override
    public void failed(RpcId request, CallFailure failure) {
      failed.add(failure);
    }

    @Override
    public void lost(Loss loss) {
      lost.add(loss);
    }
  }

  /// Runs with a server that is called `localhost`, and a transport to it that nobody has started.
  private void with(HttpTransport.Way way, Resolver resolver, Body body) throws Exception {
    with(way, resolver, HttpTransport.Limits.defaults(), body);
  }

  private void with(
      HttpTransport.Way way,
      Resolver resolver,
      HttpTransport.Limits limits,
      Body body,
      HttpFault... faults)
      throws Exception {
    NothingLeft.after(() -> {
      try (var server = ScriptedHttpServer.with(faults);
          var pool = new HttpPool()) {
        var transport =
            HttpTransport.open(
                "connection/t",
                URI.create(server.url().replace("127.0.0.1", "localhost")),
                Map.of(),
                way,
                limits,
                ReconnectBudget.defaults(),
                pool,
                resolver,
                new Heard());
        body.run(server, transport);
      }
    });
  }

  @FunctionalInterface
  private interface Body {
    void run(ScriptedHttpServer server, HttpTransport transport) throws Exception;
  }

  /// Does what a connection's owner does.
  private static CloseReport run(HttpTransport transport, NothingLeft.Body body) throws Exception {
    var closing = new Closing("disconnected", CloseBudget.defaults());
    try (var scope = TaskScope.open("connection/t", new Mailbox<String>(4))) {
      for (Transport.Work task : transport.tasks()) {
        scope.fork(task.name(), task.body(), failure -> "ended " + failure);
      }
      body.run();
      transport.close(closing);
      closing.step("join", scope::close);
    }
    return closing.report();
  }

  private static void initialize(HttpTransport transport) throws Exception {
    transport.send(
        new RpcMessage.Request(
            RpcId.of(1), "initialize", JsonObject.of("protocolVersion", "2025-11-25")));
  }

  private static void ping(HttpTransport transport, int id) throws Exception {
    transport.send(new RpcMessage.Request(RpcId.of(id), "ping", JsonObject.EMPTY));
  }

  private void handshake(HttpTransport transport) throws Exception {
    initialize(transport);
    assertThat(received.poll(5, TimeUnit.SECONDS)).isInstanceOf(RpcMessage.Result.class);
    transport.send(new RpcMessage.Notification("notifications/initialized", JsonObject.EMPTY));
    ping(transport, 2);
    assertThat(received.poll(5, TimeUnit.SECONDS)).isInstanceOf(RpcMessage.Result.class);
  }

  private static void awaitWhateverComes(CountDownLatch latch) {
    while (true) {
      try {
        latch.await();
        return;
      } catch (InterruptedException _) {
        // as the system's resolver
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void nothingIsSentToANameThatLeadsToARefusedAddress(HttpTransport.Way way) throws Exception {
    with(
        way,
        _ -> addresses("127.0.0.1", "169.254.1.1"),
        (server, transport) -> {
          CloseReport report =
              run(
                  transport,
                  () -> {
                    for (int i = 0; i < 2; i++) { // what comes later as well
                      initialize(transport);
                      CallFailure failure = failed.poll(5, TimeUnit.SECONDS);
                      assertThat(failure.kind()).isEqualTo(CallFailure.Kind.NOT_SENT);
                      assertThat(failure.message())
                          .isEqualTo(
                              "no connection is made to localhost: it resolves to 169.254.1.1,"
                                  + " a link-local address");
                    }
                  });
          assertThat(report.nothingLeft()).isTrue();
          assertThat(server.connections()).isZero();
        });
  }

  @Test
  void nothingIsSentToANameWithoutAddress() throws Exception {
    with(
        HttpTransport.Way.STREAMABLE,
        host -> {
          throw new UnknownHostException(host);
        },
        (server, transport) -> {
          run(
              transport,
              () -> {
                initialize(transport);
                assertThat(failed.poll(5, TimeUnit.SECONDS).message())
                    .isEqualTo("localhost is a name without address");
              });
          assertThat(server.connections()).isZero();
        });
  }

  @Test
  void nameIsLookedUpOnceAndThenTheServerIsAsked() throws Exception {
    var asked = new AtomicInteger();
    with(
        HttpTransport.Way.STREAMABLE,
        host -> {
          assertThat(host).isEqualTo("localhost");
          asked.incrementAndGet();
          return HERE;
        },
        (server, transport) -> {
          run(
              transport,
              () -> {
                initialize(transport);
                assertThat(received.poll(5, TimeUnit.SECONDS))
                    .isInstanceOf(RpcMessage.Result.class);
              });
          assertThat(asked).hasValue(1);
          server.awaitSessions(0, Duration.ofSeconds(1));
          server.awaitNoExchanges(Duration.ofSeconds(1));
        });
  }

  @ParameterizedTest
  @EnumSource
  void resolverThatHangsIsLeftBehindAndNamedAndEndsByItself(HttpTransport.Way way)
      throws Exception {
    var asked = new CountDownLatch(1);
    var answers = new CountDownLatch(1);
    with(
        way,
        _ -> {
          asked.countDown();
          awaitWhateverComes(answers);
          return HERE;
        },
        (server, transport) -> {
          CloseReport report =
              run(
                  transport,
                  () -> {
                    initialize(transport);
                    asked.await();
                  });
          assertThat(report.took())
              .isLessThan(Duration.ofSeconds(5)); // the resolver stays for ever
          assertThat(report.abandoned()).containsExactly("connection/t http resolver");
          assertThat(report.nothingLeft()).isFalse();
          assertThat(report.failures()).isEmpty();
          answers.countDown(); // that it ends then is seen by whoever looks for what is left
          assertThat(failed).isEmpty();
          assertThat(server.connections()).isZero();
        });
  }

  @Test
  void resolverThatHeedsItsInterruptIsNotLeftBehind() throws Exception {
    var asked = new CountDownLatch(1);
    with(
        HttpTransport.Way.STREAMABLE,
        host -> {
          asked.countDown();
          try {
            new CountDownLatch(1).await();
          } catch (InterruptedException e) {
            throw new UnknownHostException(host);
          }
          return HERE;
        },
        (_, transport) -> {
          CloseReport report = run(transport, asked::await);
          assertThat(report.abandoned()).isEmpty();
          assertThat(report.nothingLeft()).isTrue();
        });
  }

  @Test
  void resolverIsNotAskedByATransportThatIsClosed() throws Exception {
    var asked = new AtomicInteger();
    with(
        HttpTransport.Way.STREAMABLE,
        _ -> {
          asked.incrementAndGet();
          return HERE;
        },
        (_, transport) -> {
          transport.close(new Closing("disconnected", CloseBudget.defaults()));
          try (var scope = TaskScope.open("connection/t", new Mailbox<String>(4))) {
            for (Transport.Work task : transport.tasks()) {
              scope.fork(task.name(), task.body(), failure -> "ended " + failure);
            }
            // Nobody tells when it is known that nobody asks; whoever did would have by now.
            assertThat(scope.take(dev.mcpscope.scope.Deadline.after(Duration.ofMillis(200))))
                .isNull();
          }
          assertThat(asked).hasValue(0);
        });
  }

  @Test
  void sessionThatIsNotBegunAnewInTimeIsLost() throws Exception {
    var limits = HttpTransport.Limits.defaults();
    with(
        HttpTransport.Way.STREAMABLE,
        _ -> HERE,
        new HttpTransport.Limits(
            limits.message(), limits.waitingBytes(), limits.exchanges(), Duration.ofMillis(700)),
        (server, transport) ->
            run(
                transport,
                () -> {
                  handshake(transport);
                  server.forgetSessions();
                  ping(transport, 3);
                  assertThat(lost.poll(5, TimeUnit.SECONDS).message())
                      .contains("a new one cannot be begun: it takes more than 700 ms");
                }),
        on("initialize", new Act.NoAnswer(End.OPEN)).after(1));
  }

  @Test
  void nothingIsDoneInASessionThatIsNotAsTheOneBefore() throws Exception {
    String other =
        """
        {"jsonrpc":"2.0","id":"renewal-1","result":{"protocolVersion":"2025-03-26"}}\
        """;
    with(
        HttpTransport.Way.STREAMABLE,
        _ -> HERE,
        HttpTransport.Limits.defaults(),
        (server, transport) ->
            run(
                transport,
                () -> {
                  handshake(transport);
                  server.forgetSessions();
                  ping(transport, 3);
                  assertThat(lost.poll(5, TimeUnit.SECONDS).message())
                      .contains("a new one cannot be begun: it does not answer initialize as");
                  ping(transport, 4);
                  // Nobody tells that nothing is sent; whoever sent it would have by now.
                  assertThatThrownBy(() -> server.awaitRequest("ping", 3))
                      .isInstanceOf(AssertionError.class);
                  assertThat(server.requests("ping")).hasSize(2);
                  assertThat(server.requests("GET")).hasSize(1);
                }),
        on("initialize", new Act.Status(200, "application/json", other)).after(1));
  }

  @Test
  void aSessionThatTheClientCannotDeleteIsNamedInTheReport() throws Exception {
    try (var pool = new HttpPool()) {
      var transport =
          HttpTransport.open(
              "connection/t",
              URI.create("http://localhost/mcp"),
              Map.of("no name for a header", "x"),
              HttpTransport.Way.STREAMABLE,
              HttpTransport.Limits.defaults(),
              ReconnectBudget.defaults(),
              pool,
              new Heard());
      transport.begins(Optional.of("the-id-of-the-session"));
      var closing = new Closing("test", CloseBudget.defaults());
      transport.close(closing);
      assertThat(closing.report().kept())
          .singleElement()
          .asString()
          .startsWith("its session: the DELETE failed: ")
          .contains("invalid header name");
      assertThat(closing.report().failures()).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aSessionThatIsEndedBeforeItsRevisionIsKnownNamesNone(boolean known) throws Exception {
    with(
        HttpTransport.Way.STREAMABLE,
        _ -> HERE,
        (server, transport) -> {
          transport.begins(Optional.of("an-id"));
          if (known) {
            transport.agreed(JsonObject.of("protocolVersion", "2025-06-18"));
          }
          transport.close(new Closing("test", CloseBudget.defaults()));
          var delete = server.awaitRequest("DELETE", 1);
          assertThat(delete.header("Mcp-Session-Id")).hasValue("an-id");
          assertThat(delete.header("MCP-Protocol-Version"))
              .isEqualTo(known ? Optional.of("2025-06-18") : Optional.empty());
        });
  }
}
