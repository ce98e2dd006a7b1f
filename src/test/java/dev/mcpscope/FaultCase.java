package dev.mcpscope;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.FaultRow.Cell;
import dev.mcpscope.FaultRow.Expected;
import dev.mcpscope.FaultRow.Named;
import dev.mcpscope.FaultRow.Part;
import dev.mcpscope.FaultRow.Seen;
import dev.mcpscope.FaultScript.Manner;
import dev.mcpscope.FaultScript.Place;
import dev.mcpscope.FaultScript.Server;
import dev.mcpscope.FaultScript.Strike;
import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.client.CallTimeoutException;
import dev.mcpscope.client.ConnectionClosedException;
import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.McpException;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.host.ConnectionStatus;
import dev.mcpscope.host.HostReport;
import dev.mcpscope.transport.CloseBudget;
import dev.mcpscope.transport.CloseReport;
import dev.mcpscope.transport.CloseReport.Outcome;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;

/// One fault in one era and phase: plays it, and checks what came of it against what is expected.
record FaultCase(FaultRow row, Eras era, FaultPhase phase, Cell cell) {

  /// What a loaded machine may take besides a budget. The longest budget of who is to notice a fault
  /// is 8 s, and the time-outs that would hide it are of 15 s: with this they are still told apart.
  private static final Duration MARGIN = Duration.ofSeconds(4);

  /// Who waits for an answer is told at once that there will be none. He has no budget that could be
  /// added up; this is a third of the time that his call would wait if nobody told him.
  private static final Duration AT_ONCE = Duration.ofSeconds(5);

  /// How long one half of the news waits for the other when a server goes.
  private static final Duration LAST_WORDS = Duration.ofMillis(250);

  private static final Duration WAKE = Duration.ofMillis(250); // whoever waits
  private static final Duration START = Duration.ofSeconds(2); // of a process
  private static final Duration JOIN = Duration.ofSeconds(1); // at the end of a close
  private static final Duration PATIENCE = Duration.ofSeconds(10); // for what ends in a moment

  /// What came of a case: a row of the matrix.
  ///
  /// @param named what the report names, and what left behind the host's own
  /// @param ended the processes, or sockets, that are no more
  record Observed(
      String seen, Outcome outcome, String named, String ended, Duration took, Duration budget) {}

  /// What there is once it has struck, before all is checked.
  ///
  /// @param seen an exception, or an answer
  /// @param took how long it took whom the phase is about
  private record Played(Object seen, CloseReport report, Duration took) {}

  /// Plays it.
  ///
  /// @param directory for files of its own
  Observed run(Path directory) throws Exception {
    try (var _ = NothingLeft.check();
        var stage = new FaultStage(cell.script(), directory)) {
      stage.connectNeighbour();
      Played played =
          switch (phase) {
            case PROBING_SILENT, PROBING_DYING, CONNECTING -> connecting(stage);
            case IDLE -> idle(stage);
            case IN_CALL -> inCall(stage);
            case CLOSING, BEING_REPLACED, SESSION_ENDING, HOST_ENDING -> ending(stage);
          };
      List<FaultBook.Entry> processes = stage.book.entries();
      assertThat(stage.book.running()).as("processes of the server").isEmpty();
      assertThat(stage.host.status(FaultStage.SESSION, FaultStage.NAME)).as("its row").isEmpty();
      assertThat(stage.neighbourIsWell() || phase == FaultPhase.HOST_ENDING)
          .as("another connection is as it was")
          .isTrue();
      if (stage.http != null) {
        stage.http.awaitNoExchanges(PATIENCE); // what was listened to among them
        if (isDeleted()) {
          stage.http.awaitSessions(0, PATIENCE);
        }
      }
      HostReport host = stage.end();
      if (stage.http != null) {
        stage.http.awaitNoConnections(PATIENCE);
        assertThat(stage.http.violations()).isEmpty();
      }
      check(stage, played, host);
      checkProcesses(stage, processes, played.report());
      return new Observed(
          told(played.seen()),
          played.report().outcome(),
          named(played.report(), host),
          ended(stage, processes, played.report()),
          played.took(),
          budget());
    }
  }

  // The phases.

  private Played connecting(FaultStage stage) throws Exception {
    cell.script().strike().run(stage);
    long begun = System.nanoTime();
    Object seen = outcome(stage::connect);
    Duration took = since(begun);
    if (seen instanceof ConnectionStatus status) {
      assertThat(status.state()).isInstanceOf(ConnectionState.Connected.class);
      CloseReport report = disconnected(stage);
      return new Played("connected", report, took);
    }
    return new Played(seen, report(stage.awaitState(FaultCase::isOver)), took);
  }

  private Played idle(FaultStage stage) throws Exception {
    stage.connect();
    assertThat(stage.book.running()).as("each runs").isEqualTo(stage.book.entries());
    long begun = System.nanoTime();
    cell.script().strike().run(stage);
    Object seen =
        switch (cell.expected().seen()) {
          case Seen.Answer _ -> outcome(stage::echo);
          case Seen.State(var type, _) ->
              stage.awaitState(status -> type.isInstance(status.state())).state();
          case Seen.Failure _ -> {
            var failed = (ConnectionState.Failed) stage.awaitState(FaultCase::isOver).state();
            assertThat(outcome(stage::echo))
                .as("who comes later is told the same")
                .isInstanceOf(McpException.class)
                .asString()
                .contains(failed.cause().getMessage());
            yield failed.cause();
          }
        };
    Duration took = since(begun);
    return new Played(seen, disconnected(stage), took);
  }

  private Played inCall(FaultStage stage) throws Exception {
    stage.connect();
    assertThat(stage.book.running()).as("each runs").isEqualTo(stage.book.entries());
    String tool = cell.script().tool();
    long begun;
    if (tool.isEmpty() && cell.script().strike() == Strike.NONE) {
      tool = "echo";
    }
    if (tool.isEmpty()) {
      stage.beginCall();
      begun = System.nanoTime();
      cell.script().strike().run(stage);
    } else {
      begun = System.nanoTime();
      stage.beginCall(tool);
      cell.script().strike().run(stage);
    }
    Object seen = stage.waiting.seen();
    Duration took = Duration.ofNanos(stage.waiting.ended() - begun);
    return new Played(seen, disconnected(stage), took);
  }

  /// This side ends it, and somebody waits: for an answer, or for his connect.
  private Played ending(FaultStage stage) throws Exception {
    String until = cell.script().until();
    String tool = cell.script().tool();
    if (!until.isEmpty()) {
      stage.beginConnect(until);
    } else {
      stage.connect();
      assertThat(stage.book.running()).as("each runs").isEqualTo(stage.book.entries());
      if (tool.isEmpty()) {
        stage.beginCall();
      } else {
        stage.beginCall(tool);
      }
    }
    cell.script().strike().run(stage);
    long begun = System.nanoTime();
    CloseReport report = end(stage);
    Duration took = since(begun);
    Object seen = stage.waiting.seen();
    Duration waited = Duration.ofNanos(stage.waiting.ended() - begun);
    if (until.isEmpty()) {
      assertThat(waited).as("who waits is told at once").isLessThan(AT_ONCE);
      // one that brings an answer along is not on its way when a handler has not given that yet
      int ours = seen instanceof ConnectionClosedException && tool.isEmpty() ? 1 : 0;
      assertThat(report.callsFailed()).as("calls failed").isEqualTo(ours);
    }
    assertThat(waited).isLessThan(budget().plus(MARGIN));
    if (phase == FaultPhase.BEING_REPLACED) {
      disconnected(stage); // the one that has its place
    }
    return new Played(seen, report, took);
  }

  private CloseReport end(FaultStage stage) throws Exception {
    return switch (phase) {
      case CLOSING -> disconnected(stage);
      case BEING_REPLACED -> {
        ConnectionStatus next = stage.replace();
        ConnectionStatus old = stage.awaitState(FaultCase::isOver);
        assertThat(next.generation()).isGreaterThan(old.generation());
        yield report(old);
      }
      case SESSION_ENDING ->
          stage.host.endSession(FaultStage.SESSION).orElseThrow().get(FaultStage.NAME);
      case HOST_ENDING -> stage.end().sessions().get(FaultStage.SESSION).get(FaultStage.NAME);
      case PROBING_SILENT, PROBING_DYING, CONNECTING, IDLE, IN_CALL ->
          throw new AssertionError(phase);
    };
  }

  private static CloseReport disconnected(FaultStage stage) throws Exception {
    return stage.host.disconnect(FaultStage.SESSION, FaultStage.NAME).orElseThrow();
  }

  private static boolean isOver(ConnectionStatus status) {
    return status.state() instanceof ConnectionState.Failed
        || status.state() instanceof ConnectionState.Closed;
  }

  private static CloseReport report(ConnectionStatus status) {
    return switch (status.state()) {
      case ConnectionState.Failed(_, var report) -> report;
      case ConnectionState.Closed(_, var report) -> report;
      default -> throw new AssertionError(status);
    };
  }

  private static Object outcome(Callable<?> body) {
    try {
      return body.call();
    } catch (Exception e) {
      return e;
    }
  }

  private static Duration since(long begun) {
    return Duration.ofNanos(System.nanoTime() - begun);
  }

  // The checks.

  private void check(FaultStage stage, Played played, HostReport host) {
    Expected expected = cell.expected();
    switch (expected.seen()) {
      case Seen.Failure(var type, var word) ->
          assertThat(played.seen()).isInstanceOf(type).asString().contains(word);
      case Seen.Answer(var text) -> assertThat(played.seen()).asString().contains(text);
      case Seen.State(var type, var word) ->
          assertThat(played.seen()).isInstanceOf(type).asString().contains(word);
    }
    CloseReport report = played.report();
    assertThat(report.outcome()).as("outcome").isEqualTo(expected.outcome());
    for (Named named : expected.named()) {
      assertThat(parts(named.part(), report, host))
          .as(named.part().text)
          .anyMatch(text -> text.contains(named.word()));
    }
    for (Part part : List.of(Part.FAILURE, Part.ABANDONED, Part.KEPT)) {
      long most = expected.named().stream().filter(named -> named.part() == part).count();
      assertThat(parts(part, report, host)).as(part.text).hasSizeLessThanOrEqualTo((int) most);
    }
    if (!isTwice()) {
      assertThat(parts(Part.STARTED, report, host))
          .containsExactly(isProcess() ? "1 times" : "0 times");
    }
    assertThat(report.survivors()).isEmpty();
    assertThat(stage.host.survivors()).isEmpty();
    assertThat(host.unfinished()).isEmpty();
    if (isProcess()) {
      assertThat(report.exitCode()).as("exit code").isPresent();
    }
    assertThat(played.took()).as("time").isLessThan(budget().plus(MARGIN));
    assertThat(report.took()).as("time to close").isLessThan(closing().plus(MARGIN));
    assertThat(host.took()).isLessThan(stage.host.options().close());
  }

  /// Whoever was there at the close is in its report: all but who was killed before, or has died of
  /// the question for its era; and the direct child even then.
  private void checkProcesses(
      FaultStage stage, List<FaultBook.Entry> processes, CloseReport report) {
    var there = new ArrayList<>(processes);
    there.removeAll(stage.killed);
    if (isTwice()) {
      processes.stream()
          .filter(process -> process.what().equals("server"))
          .findFirst()
          .ifPresent(there::remove);
    }
    List<Long> told = report.processes().stream().map(CloseReport.ServerProcess::pid).toList();
    assertThat(told)
        .as("processes in the report")
        .containsAll(there.stream().map(FaultBook.Entry::pid).toList());
  }

  /// What the host has left behind is no connection's.
  private static List<String> parts(Part part, CloseReport report, HostReport host) {
    var all = new ArrayList<>(part.of.apply(report));
    if (part == Part.ABANDONED) {
      all.addAll(host.abandoned());
    }
    return all;
  }

  private boolean isProcess() {
    return cell.script().server() instanceof Server.Stdio;
  }

  private boolean isTwice() {
    return cell.expected().named().contains(FaultRow.twice());
  }

  /// Whether the server's sessions end with the connection: not where it is the server that does not
  /// let them, or has said that there is none, or names it by what cannot be sent; nor where the
  /// connect ends so early that its name may not have been read; nor where the older way has none to
  /// delete.
  private boolean isDeleted() {
    return cell.script().server() instanceof Server.Http(var faults, var kind)
        && kind == ServerSpec.Http.Kind.STREAMABLE_HTTP
        && cell.script().until().isEmpty()
        && faults.stream()
            .noneMatch(fault ->
                switch (fault) {
                  case HttpFault.SessionId _ -> true;
                  case HttpFault.On(var at, _, _, var act) ->
                      at.equals("DELETE")
                          || act instanceof Act.Status(var code, _, _) && code == 404;
                  default -> false;
                });
  }

  // The budgets.

  /// What it may take whom the phase is about: who connects, who hears that it is lost, who waits for
  /// an answer, who ends it.
  Duration budget() {
    FaultScript script = cell.script();
    boolean failure = cell.expected().seen() instanceof Seen.Failure;
    boolean late =
        cell.expected().seen() instanceof Seen.Failure(var type, _)
            && type == CallTimeoutException.class;
    Duration budget =
        switch (phase) {
          case PROBING_SILENT, PROBING_DYING, CONNECTING -> {
            Duration wait = late ? script.options().connectTimeout() : START;
            Duration once = failure ? wait.plus(LAST_WORDS).plus(closing()) : wait;
            yield isTwice() ? once.plus(START).plus(LAST_WORDS).plus(closing()) : once;
          }
          case IDLE -> LAST_WORDS.plus(failure ? closing() : WAKE);
          case IN_CALL -> (late ? script.options().callTimeout() : LAST_WORDS).plus(WAKE);
          case CLOSING, SESSION_ENDING, HOST_ENDING -> closing();
          case BEING_REPLACED -> closing().plus(START);
        };
    return budget.plus(script.takes());
  }

  /// What a close may take in which the server goes as it is expected to.
  private Duration closing() {
    CloseBudget steps = cell.script().options().close();
    Duration sum =
        switch (cell.expected().outcome()) {
          case GRACEFUL -> steps.exit();
          case TERMINATED -> steps.exit().plus(steps.terminate());
          case KILLED, SURVIVED -> steps.exit().plus(steps.terminate()).plus(steps.kill());
        };
    Manner goodbye = cell.script().manners().get(Place.ON_DISCONNECT);
    boolean stays = goodbye != null && goodbye != Manner.THROWS;
    return sum.plus(stays ? steps.callback() : Duration.ZERO).plus(JOIN);
  }

  // How it is told.

  private static String told(Object seen) {
    return switch (seen) {
      case Throwable failure ->
          failure.getClass().getSimpleName() + ": " + shortened(failure.getMessage());
      case ConnectionState.Degraded(_, _, var problem) -> "Degraded: " + shortened(problem);
      case ConnectionState.NeedsAuthorization(_, _, var problem) ->
          "NeedsAuthorization: " + shortened(problem.getMessage());
      case ConnectionState state -> state.getClass().getSimpleName();
      default -> "result: " + shortened(seen.toString());
    };
  }

  private static String named(CloseReport report, HostReport host) {
    var named = new ArrayList<String>();
    report.exitCode().ifPresent(code -> named.add("exit code " + code));
    if (!report.stderrTail().isBlank()) {
      String text = report.stderrTail().strip();
      String last = text.substring(text.lastIndexOf('\n') + 1);
      named.add(
          "stderr: " + (last.length() > 40 ? "…" + last.substring(last.length() - 39) : last));
    }
    if (report.skippedLines() > 0) {
      named.add(report.skippedLines() + " lines skipped");
    }
    if (report.callsFailed() > 0) {
      named.add("calls failed: " + report.callsFailed());
    }
    report.failures().forEach(failure -> named.add("failure: " + shortened(failure)));
    report.kept().forEach(session -> named.add("the server may keep: " + shortened(session)));
    parts(Part.ABANDONED, report, host).forEach(thread -> named.add("left behind: " + thread));
    return named.isEmpty() ? "nothing" : String.join("; ", named);
  }

  private String ended(FaultStage stage, List<FaultBook.Entry> processes, CloseReport report) {
    if (stage.http != null) {
      return stage.http.connections() + " sockets";
    }
    if (processes.isEmpty()) {
      return isProcess() ? "" : "none was started"; // "" is an empty cell, and a failure
    }
    return processes.stream()
        .map(process -> process + " (" + end(process, report) + ")")
        .collect(Collectors.joining(", "));
  }

  private static String end(FaultBook.Entry process, CloseReport report) {
    return report.processes().stream()
        .filter(told -> told.pid() == process.pid())
        .map(told -> (told.tie() + ", " + told.end()).toLowerCase(Locale.ROOT))
        .findFirst()
        .orElse("killed before");
  }

  private static String shortened(String text) {
    String line = text.replaceAll("\\s+", " ");
    return line.length() <= 100 ? line : line.substring(0, 99) + "…";
  }

  @Override
  public String toString() {
    String how = era == Eras.MODERN ? row.transport() + ", modern" : row.transport();
    return row.fault() + " (" + how + "), " + phase.text;
  }
}
