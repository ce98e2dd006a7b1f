package dev.mcpscope;

import dev.mcpscope.client.CloseReason;
import java.util.EnumSet;
import java.util.Set;

/// Where in the life of a connection a fault can strike.
enum FaultPhase {
  /// The server says nothing to the question for its era; then the connect itself meets the fault.
  PROBING_SILENT("probing, silent", null),
  /// The server dies of that question, or hangs up; then the connect itself meets the fault.
  PROBING_DYING("probing, dying", null),
  /// The connect itself meets it.
  CONNECTING("connecting", null),
  /// It strikes a connection that nobody uses.
  IDLE("idle", null),
  /// It strikes while a caller waits for an answer.
  IN_CALL("in a call", null),
  /// The server has it when it is disconnected, and a caller waits.
  CLOSING("closing", CloseReason.DISCONNECTED),
  /// The server has it when another one is connected by its name, and a caller waits.
  BEING_REPLACED("being replaced", CloseReason.REPLACED),
  /// The server has it when its session ends, and a caller waits.
  SESSION_ENDING("session ending", CloseReason.SESSION_ENDED),
  /// The server has it when the host ends, and a caller waits.
  HOST_ENDING("host ending", CloseReason.HOST_ENDED);

  /// The four in which this side ends the connection.
  static final Set<FaultPhase> ENDS = EnumSet.range(CLOSING, HOST_ENDING);

  /// The two before it is known which era the server speaks.
  static final Set<FaultPhase> PROBES = EnumSet.of(PROBING_SILENT, PROBING_DYING);

  final String text;
  final CloseReason reason; // what the caller is told that waits; null if it is not this side's end

  FaultPhase(String text, CloseReason reason) {
    this.text = text;
    this.reason = reason;
  }
}
