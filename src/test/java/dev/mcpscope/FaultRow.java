package dev.mcpscope;

import dev.mcpscope.client.AuthorizationRequiredException;
import dev.mcpscope.client.CallTimeoutException;
import dev.mcpscope.client.ConnectionClosedException;
import dev.mcpscope.client.ConnectionLostException;
import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.ExchangeFailedException;
import dev.mcpscope.client.ProtocolViolationException;
import dev.mcpscope.client.RemoteErrorException;
import dev.mcpscope.transport.CloseReport;
import dev.mcpscope.transport.CloseReport.Outcome;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;

/// One fault of the matrix, with what is expected of it in each phase in which it can strike.
///
/// @param fault what it is
/// @param numbers the entries of the catalogue that it is about
/// @param script what it is played with, unless a phase needs another one
/// @param cells by phase; the order in which they were given does not count
record FaultRow(String fault, String numbers, FaultScript script, Map<FaultPhase, Cell> cells) {

  /// What one phase is played with, and what is expected.
  record Cell(FaultScript script, Expected expected) {}

  /// What is expected of a case.
  ///
  /// @param seen what the caller sees that waits
  /// @param outcome how the server goes
  /// @param named what the report has to name, and it may name no other failure and no other thread
  record Expected(Seen seen, Outcome outcome, List<Named> named) {}

  /// What the caller sees.
  sealed interface Seen {
    /// It fails so, in words that name the cause.
    record Failure(Class<? extends Exception> type, String word) implements Seen {}

    /// It goes well, with an answer that has this in it.
    record Answer(String text) implements Seen {}

    /// Nobody waits, and the connection's state becomes this.
    record State(Class<? extends ConnectionState> type, String word) implements Seen {}
  }

  /// A part of a report, and a word that is to be found there.
  record Named(Part part, String word) {}

  /// The parts of a report.
  enum Part {
    EXIT(
        "exit code",
        report ->
            report.exitCode().isPresent() ? List.of("" + report.exitCode().getAsInt()) : List.of()),
    STDERR("stderr", report -> List.of(report.stderrTail())),
    FAILURE("failure", CloseReport::failures),
    ABANDONED("left behind", CloseReport::abandoned),
    KEPT("the server may keep", CloseReport::kept),
    SKIPPED("skipped lines", report -> List.of(report.skippedLines() > 0 ? "some" : "none"));

    final String text;
    final Function<CloseReport, List<String>> of;

    Part(String text, Function<CloseReport, List<String>> of) {
      this.text = text;
      this.of = of;
    }
  }

  static FaultRow fault(String fault, String numbers, FaultScript script) {
    return new FaultRow(fault, numbers, script, Map.of());
  }

  /// The same, with another script for the phases that follow.
  FaultRow with(FaultScript other) {
    return new FaultRow(fault, numbers, other, cells);
  }

  FaultRow connecting(Seen seen, Outcome outcome, Named... named) {
    return in(FaultPhase.CONNECTING, seen, outcome, named);
  }

  FaultRow idle(Seen seen, Outcome outcome, Named... named) {
    return in(FaultPhase.IDLE, seen, outcome, named);
  }

  FaultRow inCall(Seen seen, Outcome outcome, Named... named) {
    return in(FaultPhase.IN_CALL, seen, outcome, named);
  }

  /// In each phase in which this side ends the connection: whoever waits is told so, and why.
  FaultRow ends(Outcome outcome, Named... named) {
    FaultRow row = this;
    for (FaultPhase phase : FaultPhase.ENDS) {
      String why = phase.reason.text();
      row = row.in(phase, new Seen.Failure(ConnectionClosedException.class, why), outcome, named);
    }
    return row;
  }

  /// The same, where what the caller sees has been decided before.
  FaultRow ends(Seen seen, Outcome outcome, Named... named) {
    FaultRow row = this;
    for (FaultPhase phase : FaultPhase.ENDS) {
      row = row.in(phase, seen, outcome, named);
    }
    return row;
  }

  private FaultRow in(FaultPhase phase, Seen seen, Outcome outcome, Named... named) {
    var more = new EnumMap<FaultPhase, Cell>(FaultPhase.class);
    more.putAll(cells);
    more.put(phase, new Cell(script, new Expected(seen, outcome, List.of(named))));
    return new FaultRow(fault, numbers, script, more);
  }

  /// How the server is reached.
  String transport() {
    return switch (script.server()) {
      case FaultScript.Server.Stdio _ -> "stdio";
      case FaultScript.Server.Http(_, var kind) ->
          switch (kind) {
            case STREAMABLE_HTTP -> "http";
            case SSE -> "sse";
          };
    };
  }

  Stream<FaultCase> cases() {
    return cells.entrySet().stream()
        .map(cell -> new FaultCase(this, cell.getKey(), cell.getValue()));
  }

  Optional<Expected> expected(FaultPhase phase) {
    return Optional.ofNullable(cells.get(phase)).map(Cell::expected);
  }

  // What callers see.

  static Seen answer(String text) {
    return new Seen.Answer(text);
  }

  static Seen state(Class<? extends ConnectionState> type, String word) {
    return new Seen.State(type, word);
  }

  static Seen lost(String word) {
    return new Seen.Failure(ConnectionLostException.class, word);
  }

  static Seen timeout(String word) {
    return new Seen.Failure(CallTimeoutException.class, word);
  }

  static Seen violation(String word) {
    return new Seen.Failure(ProtocolViolationException.class, word);
  }

  static Seen remote(String word) {
    return new Seen.Failure(RemoteErrorException.class, word);
  }

  static Seen failed(String word) {
    return new Seen.Failure(ExchangeFailedException.class, word);
  }

  static Seen unauthorized(String word) {
    return new Seen.Failure(AuthorizationRequiredException.class, word);
  }

  // What reports name.

  static Named exit(int code) {
    return new Named(Part.EXIT, "" + code);
  }

  static Named stderr(String word) {
    return new Named(Part.STDERR, word);
  }

  static Named failure(String word) {
    return new Named(Part.FAILURE, word);
  }

  static Named abandoned(String word) {
    return new Named(Part.ABANDONED, word);
  }

  static Named kept(String word) {
    return new Named(Part.KEPT, word);
  }

  static Named skipped() {
    return new Named(Part.SKIPPED, "some");
  }
}
