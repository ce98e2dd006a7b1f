package dev.mcpscope.http;

import static dev.mcpscope.HttpFault.on;

import dev.mcpscope.HttpFault;
import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.End;
import dev.mcpscope.ScriptedHttpServer;
import dev.mcpscope.transport.Inbox;
import dev.mcpscope.transport.ReconnectBudget;
import dev.mcpscope.transport.TransportContract;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Nested;

/// Streamable HTTP, with both forms of an answer, and the older way.
class HttpTransportContractTest {

  @Nested
  class AnswersAsJson extends Contract {
    @Override
    Stream<HttpFault> form() {
      return Stream.of();
    }
  }

  @Nested
  class AnswersAsEvents extends Contract {
    @Override
    Stream<HttpFault> form() {
      return Stream.of(on("tools/call", Act.Quirk.AS_STREAM));
    }
  }

  @Nested
  class OlderWay extends Contract {
    @Override
    Stream<HttpFault> form() {
      return Stream.of(new HttpFault.Legacy());
    }
  }

  abstract static class Contract extends TransportContract {

    abstract Stream<HttpFault> form();

    @Override
    protected Wired open(Behaviour behaviour, Inbox inbox) {
      Stream<HttpFault> fault =
          switch (behaviour) {
            case GOOD -> Stream.of();
            case DEAF -> Stream.of(on("tools/call", new Act.NoAnswer(End.OPEN)));
            case DIES -> Stream.of(on("tools/call", new Act.NoAnswer(End.CLOSE)));
            case ANSWERS_TOO_LONG ->
                Stream.of(on("tools/call", new Act.Padded(MOST_BYTES + 1_000)));
            case TALKS_NONSENSE ->
                Stream.of(on("tools/call", new Act.Sse("data: {\"nonsense\n\ndata: %s\n\n")));
            case ANSWERS_UNKNOWN_IDS ->
                Stream.of(
                    on(
                        "tools/call",
                        new Act.Says(
                            List.of(
                                "{\"jsonrpc\":\"2.0\",\"id\":9999,\"result\":{}}",
                                "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1,\"message\":\"\"}}"))));
          };
      var server = ScriptedHttpServer.with(Stream.concat(fault, form()).toArray(HttpFault[]::new));
      var pool = new HttpPool();
      HttpTransport transport =
          HttpTransport.open(
              "connection",
              URI.create(server.url()),
              Map.of(),
              HttpTransport.Way.STREAMABLE,
              new HttpTransport.Limits(limits(), 2 * MOST_BYTES, 1_000, Duration.ofSeconds(5)),
              new ReconnectBudget(Duration.ofMillis(50), Duration.ofMillis(100), 3),
              pool,
              inbox);
      return new Wired(
          transport,
          () -> {
            server.awaitNoExchanges(Duration.ofSeconds(1));
            server.awaitSessions(0, Duration.ofSeconds(1));
            return server.openStreams() == 0;
          },
          () -> {
            pool.close();
            server.close();
          });
    }
  }
}
