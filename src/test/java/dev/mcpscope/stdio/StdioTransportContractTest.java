package dev.mcpscope.stdio;

import dev.mcpscope.ScriptedServer;
import dev.mcpscope.ScriptedServer.Fault;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.transport.Inbox;
import dev.mcpscope.transport.TransportContract;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;

@DisabledOnOs(OS.WINDOWS)
class StdioTransportContractTest extends TransportContract {

  @Override
  protected Wired open(Behaviour behaviour, Inbox inbox) throws Exception {
    ServerSpec.Stdio server =
        switch (behaviour) {
          case GOOD -> ScriptedServer.with();
          case DEAF -> ScriptedServer.with(new Fault.StopsReading("notifications/initialized"));
          case DIES -> ScriptedServer.with(new Fault.DiesOn("tools/call", 3, "dead"));
          case ANSWERS_TOO_LONG -> ScriptedServer.with(new Fault.AnswerOf(MOST_BYTES + 1_000));
          case TALKS_NONSENSE -> ScriptedServer.with(new Fault.Noise("{\"nonsense"));
          case ANSWERS_UNKNOWN_IDS -> ScriptedServer.with(Fault.Quirk.UNKNOWN_IDS_FIRST);
        };
    StdioTransport transport =
        StdioTransport.open(
            server.command(),
            server.environment(),
            null,
            new StdioTransport.Limits(limits(), 2 * MOST_BYTES, 1_000),
            inbox);
    return new Wired(transport, () -> true, () -> {}); // its processes are NothingLeft's matter
  }
}
