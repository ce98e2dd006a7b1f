package dev.mcpscope.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.ScriptedHttpServer;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import dev.mcpscope.scope.Mailbox;
import dev.mcpscope.scope.TaskScope;
import dev.mcpscope.transport.CallFailure;
import dev.mcpscope.transport.CloseBudget;
import dev.mcpscope.transport.Closing;
import dev.mcpscope.transport.Inbox;
import dev.mcpscope.transport.Loss;
import dev.mcpscope.transport.ReconnectBudget;
import java.net.InetAddress;
import java.net.URI;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Where a server's name leads to is looked at before anything is sent there.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class HttpTransportResolverTest {
  private static final RpcId ID = RpcId.of(1);

  private static final class Failures implements Inbox {
    final CompletableFuture<CallFailure> failure = new CompletableFuture<>();

    @Override
    public void received(RpcMessage message, int bytes) {
      failure.completeExceptionally(new AssertionError("an answer: " + message));
    }

    @Override
    public void lost(Loss loss) {
      failure.completeExceptionally(new AssertionError("lost: " + loss));
    }

    @Override
    public void failed(RpcId request, CallFailure why) {
      failure.complete(why);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aNameThatLeadsToARefusedAddressIsSentNothing(HttpTransport.Way way) throws Exception {
    try (var _ = NothingLeft.check();
        var server = ScriptedHttpServer.with();
        var pool = new HttpPool();
        var scope = TaskScope.<String>open("connection/resolver", new Mailbox<>(4))) {
      var inbox = new Failures();
      HttpTransport transport =
          HttpTransport.open(
              "connection/resolver",
              URI.create(server.url().replace("127.0.0.1", "localhost")),
              Map.of("Authorization", "Bearer secret"),
              way,
              HttpTransport.Limits.defaults(),
              ReconnectBudget.defaults(),
              pool,
              _ ->
                  new InetAddress[] {
                    InetAddress.ofLiteral("127.0.0.1"), InetAddress.ofLiteral("169.254.169.254")
                  },
              inbox);
      transport.tasks().forEach(task -> scope.fork(task.name(), task.body(), _ -> "ended"));
      transport.send(new RpcMessage.Request(ID, "initialize", JsonObject.EMPTY));
      CallFailure failure = inbox.failure.get(5, TimeUnit.SECONDS);
      assertThat(failure.kind()).isEqualTo(CallFailure.Kind.NOT_SENT);
      assertThat(failure.message()).contains("link-local");
      transport.close(new Closing("end", CloseBudget.defaults()));
      assertThat(server.connections()).isZero();
    }
  }
}
