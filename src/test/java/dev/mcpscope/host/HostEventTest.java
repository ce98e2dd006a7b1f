package dev.mcpscope.host;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.LogLevel;
import dev.mcpscope.client.ServerEvent;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.host.HostEvent.Changed;
import dev.mcpscope.host.HostEvent.Dropped;
import dev.mcpscope.host.HostEvent.Told;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/// What takes the place of what when a subscriber is slow, and what goes first.
class HostEventTest {
  private static final ServerEvent LOG =
      new ServerEvent.LogMessage(
          LogLevel.INFO, Optional.empty(), JsonNull.INSTANCE, JsonObject.EMPTY);
  private static final ServerEvent TOOLS = new ServerEvent.ListChanged(ServerEvent.List.TOOLS);

  private static Changed changed(ConnectionState state) {
    return new Changed(new ConnectionStatus("s", "x", 1, ServerSpec.stdio("x"), state, false));
  }

  private static Told told(long generation, ServerEvent event) {
    return new Told("s", "x", generation, event);
  }

  private static Object subject(HostEvent event) {
    return HostEvent.POLICY.subject(event);
  }

  private static boolean droppable(HostEvent event) {
    return HostEvent.POLICY.droppable(event);
  }

  @Test
  void newsOfOneConnectionTakesThePlaceOfItsOwnOnly() {
    assertThat(subject(told(1, TOOLS))).isNotNull().isEqualTo(subject(told(1, TOOLS)));
    assertThat(subject(told(1, TOOLS))).isNotEqualTo(subject(told(2, TOOLS)));
    assertThat(subject(told(1, TOOLS)))
        .isNotEqualTo(subject(told(1, new ServerEvent.ListChanged(ServerEvent.List.PROMPTS))));
  }

  @Test
  void eachLogMessageStateAndGapCountsForItself() {
    assertThat(subject(told(1, LOG))).isNull();
    assertThat(subject(changed(new ConnectionState.Connecting("start")))).isNull();
    assertThat(subject(changed(new ConnectionState.Closing("why")))).isNull();
    assertThat(subject(new Dropped(1))).isNull();
  }

  @Test
  void logMessagesAndStatesThatWerePassedThroughGoFirst() {
    assertThat(droppable(told(1, LOG))).isTrue();
    assertThat(droppable(changed(new ConnectionState.Connecting("initialize")))).isTrue();
    assertThat(droppable(told(1, TOOLS))).isFalse();
    assertThat(droppable(changed(new ConnectionState.Connected(null, List.of())))).isFalse();
    assertThat(droppable(changed(new ConnectionState.Closing("why")))).isFalse();
    assertThat(droppable(changed(new ConnectionState.Closed(null, null)))).isFalse();
    assertThat(droppable(changed(new ConnectionState.Failed(null, null)))).isFalse();
    assertThat(droppable(new Dropped(1))).isFalse();
  }

  @Test
  void whatWasDroppedIsToldByItsNumber() {
    assertThat(HostEvent.POLICY.dropped(7)).isEqualTo(new Dropped(7));
  }
}
