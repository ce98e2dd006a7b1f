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
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;

/// One fault of the matrix, with what is expected of it in each phase in which it can strike.
///
/// It stands in both eras if it does not say otherwise. What is expected of a server of the modern one
/// is what is expected of one of the legacy era, but where the row says what differs.
///
/// @param fault what it is
/// @param numbers the entries of the catalogue that it is about
/// @param eras in which it stands
/// @param era of what is said next
/// @param script what it is played with, unless a phase needs another one
/// @param legacy what is expected, by phase; the order in which it was given does not count
/// @param modern the same, where it differs in the modern era
record FaultRow(
    String fault,
    String numbers,
    Set<Eras> eras,
    Eras era,
    FaultScript script,
    Map<FaultPhase, Cell> legacy,
    Map<FaultPhase, Cell> modern) {

  /// What one phase is played with, and what is expected.
  record Cell(FaultScript script, Expected expected) {
    /// The same in the modern era.
    Cell modern(FaultPhase phase) {
      boolean handshake = phase == FaultPhase.CONNECTING && script.isOfTheHandshake();
      return new Cell(script.modern(), expected.modern(handshake));
    }
  }

  /// What is expected of a case.
  ///
  /// @param seen what the caller sees that waits
  /// @param outcome how the server goes
  /// @param named what the report has to name, and it may name no other failure and no other thread
  record Expected(Seen seen, Outcome outcome, List<Named> named) {
    /// The same in the modern era, in which there is no session that could be kept.
    ///
    /// @param handshake whether it is about how a connection begins: a server that answers by anything
    ///     but a word of this era is not one of it, whatever that is
    Expected modern(boolean handshake) {
      return new Expected(
          seen instanceof Seen.Failure failure && handshake ? failure.ofNoServerOfThisEra() : seen,
          outcome,
          named.stream().filter(one -> one.part() != Part.KEPT).toList());
    }
  }

  /// What the caller sees.
  sealed interface Seen {
    /// It fails so, in words that name the cause.
    record Failure(Class<? extends Exception> type, String word) implements Seen {
      Failure ofNoServerOfThisEra() {
        boolean answered =
            type == RemoteErrorException.class || type == ExchangeFailedException.class;
        return new Failure(
            answered ? ProtocolViolationException.class : type,
            word.replace(FaultScript.HANDSHAKE, FaultScript.PROBE));
      }
    }

    /// It goes well, with an answer that has this in it.
    record Answer(String text) implements Seen {}

    /// Nobody waits, and the connection's state becomes this.
    record State(Class<? extends ConnectionState> type, String word) implements Seen {}
  }

  /// A part of a report, and a word that is to be found there.
  record Named(Part part, String word) {}

  /// The parts of a report.
  enum Part {
    STARTED("started", report -> List.of(starts(report) + " times")),
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

    private static long starts(CloseReport report) {
      return report.processes().stream()
          .filter(process -> process.tie() == CloseReport.Tie.CHILD)
          .count();
    }
  }

  static FaultRow fault(String fault, String numbers, FaultScript script) {
    return new FaultRow(
        fault,
        numbers,
        EnumSet.of(Eras.LEGACY, Eras.MODERN),
        Eras.LEGACY,
        script,
        Map.of(),
        Map.of());
  }

  /// The same, with another script for the phases that follow.
  FaultRow with(FaultScript other) {
    return new FaultRow(fault, numbers, eras, era, other, legacy, modern);
  }

  /// The same, of the legacy era alone.
  FaultRow inLegacyEra() {
    return new FaultRow(
        fault, numbers, EnumSet.of(Eras.LEGACY), Eras.LEGACY, script, legacy, modern);
  }

  /// The same; what follows is what differs in the modern era, or all that there is if nothing has been
  /// said yet.
  FaultRow inModernEra() {
    Set<Eras> in = legacy.isEmpty() ? EnumSet.of(Eras.MODERN) : eras;
    return new FaultRow(fault, numbers, in, Eras.MODERN, script, legacy, modern);
  }

  /// The same, and that it does not matter how the server has taken the question for its era: what is
  /// expected of a connect that meets the fault is expected then as well.
  FaultRow probed() {
    Cell cell = legacy.get(FaultPhase.CONNECTING);
    Expected expected = cell.expected();
    Stream<Named> once =
        transport().equals("stdio") && !expected.named().contains(twice())
            ? Stream.of(twice())
            : Stream.empty();
    var named = Stream.concat(expected.named().stream(), once).toArray(Named[]::new);
    return with(cell.script().silentWhenProbed())
        .probingSilent(expected.seen(), expected.outcome(), expected.named().toArray(Named[]::new))
        .with(cell.script().deadWhenProbed())
        .probingDying(expected.seen(), expected.outcome(), named)
        .with(script);
  }

  FaultRow probingSilent(Seen seen, Outcome outcome, Named... named) {
    return in(FaultPhase.PROBING_SILENT, seen, outcome, named);
  }

  FaultRow probingDying(Seen seen, Outcome outcome, Named... named) {
    return in(FaultPhase.PROBING_DYING, seen, outcome, named);
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
    boolean isModern = era == Eras.MODERN;
    var more = new EnumMap<FaultPhase, Cell>(FaultPhase.class);
    more.putAll(isModern ? modern : legacy);
    more.put(
        phase,
        new Cell(isModern ? script.modern() : script, new Expected(seen, outcome, List.of(named))));
    return new FaultRow(
        fault, numbers, eras, era, script, isModern ? legacy : more, isModern ? more : modern);
  }

  /// How the server is reached.
  String transport() {
    return switch (script.server()) {
      case FaultScript.Server.Stdio _, FaultScript.Server.Missing _ -> "stdio";
      case FaultScript.Server.Http(_, var kind) ->
          switch (kind) {
            case STREAMABLE_HTTP -> "http";
            case SSE -> "sse";
          };
    };
  }

  /// What there is in an era.
  private Map<FaultPhase, Cell> cells(Eras of) {
    var cells = new EnumMap<FaultPhase, Cell>(FaultPhase.class);
    if (eras.contains(of)) {
      legacy.forEach((phase, cell) -> {
        if (of == Eras.LEGACY) {
          cells.put(phase, cell);
        } else if (!FaultPhase.PROBES.contains(phase)) { // those it has of its own, if any
          cells.put(phase, cell.modern(phase));
        }
      });
      cells.putAll(of == Eras.MODERN ? modern : Map.of());
    }
    return cells;
  }

  Stream<FaultCase> cases() {
    return eras.stream().flatMap(this::cases);
  }

  private Stream<FaultCase> cases(Eras of) {
    return cells(of).entrySet().stream()
        .map(cell -> new FaultCase(this, of, cell.getKey(), cell.getValue()));
  }

  Optional<Expected> expected(Eras of, FaultPhase phase) {
    return Optional.ofNullable(cells(of).get(phase)).map(Cell::expected);
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

  /// The server was started a second time, because the first one has ended before its era was known.
  static Named twice() {
    return new Named(Part.STARTED, "2");
  }

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
