package dev.mcpscope;

import static dev.mcpscope.FaultRow.abandoned;
import static dev.mcpscope.FaultRow.answer;
import static dev.mcpscope.FaultRow.exit;
import static dev.mcpscope.FaultRow.failed;
import static dev.mcpscope.FaultRow.failure;
import static dev.mcpscope.FaultRow.fault;
import static dev.mcpscope.FaultRow.kept;
import static dev.mcpscope.FaultRow.lost;
import static dev.mcpscope.FaultRow.remote;
import static dev.mcpscope.FaultRow.skipped;
import static dev.mcpscope.FaultRow.state;
import static dev.mcpscope.FaultRow.stderr;
import static dev.mcpscope.FaultRow.timeout;
import static dev.mcpscope.FaultRow.twice;
import static dev.mcpscope.FaultRow.unauthorized;
import static dev.mcpscope.FaultRow.violation;
import static dev.mcpscope.FaultScript.PROBE;
import static dev.mcpscope.FaultScript.http;
import static dev.mcpscope.FaultScript.missing;
import static dev.mcpscope.FaultScript.sse;
import static dev.mcpscope.FaultScript.stdio;
import static dev.mcpscope.FaultScript.wrapped;
import static dev.mcpscope.HttpFault.on;
import static dev.mcpscope.transport.CloseReport.Outcome.GRACEFUL;
import static dev.mcpscope.transport.CloseReport.Outcome.KILLED;
import static dev.mcpscope.transport.CloseReport.Outcome.TERMINATED;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.FaultRow.Seen;
import dev.mcpscope.FaultScript.Manner;
import dev.mcpscope.FaultScript.Place;
import dev.mcpscope.FaultScript.Strike;
import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.End;
import dev.mcpscope.ScriptedServer.Fault;
import dev.mcpscope.ScriptedServer.Fault.Blow;
import dev.mcpscope.ScriptedServer.Fault.Quirk;
import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.InputFailedException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/// Every fault that can be had here, by the sections of the catalogue of what goes wrong in the
/// field: what it is, its numbers there, what it is played with, and what is expected of it.
///
/// A phase that a row does not name is one in which the fault cannot strike, or in which nothing is
/// left of it that could. A row stands in both eras, but if it says otherwise: what happens below the
/// protocol, to a tree of processes or in the host's own user code, is the same in both, and of such
/// faults some stand for all.
final class FaultCatalogue {
  private static final Seen CONNECTED = answer("connected");
  private static final Seen ECHO = answer(FaultStage.TEXT);
  private static final Seen UNANSWERED = timeout("got no answer within");
  private static final int LIMIT = 64 << 10;

  /// Milliseconds in which a server has got as far as the fault, on a busy machine too: a JVM starts,
  /// and is spoken to. Each of these cases waits so long.
  private static final int HANDSHAKE = 3_000;

  /// The same for a request to a server that runs already, and has to be on its way when its time is
  /// over.
  private static final int REQUEST = 1_000;

  /// For a tree whose handshake fails: it is there by then, and has to go.
  private static final Fault FAILS_LATE = new Fault.Error("tools/list", -32_000, "no license");

  private static final Seen FAILED_LATE = remote("no license");

  // What happens to a connection.

  private static final Strike KILL = stage -> stage.signal("server", "KILL");
  private static final Strike STOP = stage -> stage.signal("server", "STOP");
  private static final Strike KILL_WRAPPER = stage -> stage.signal("wrapper", "KILL");
  private static final Strike CALL = FaultStage::echo; // one that is answered, and then it strikes
  private static final Strike TOLD = FaultStage::awaitTold; // so that it is known to run
  private static final Strike INTERRUPT = stage -> stage.waiting.interrupt();
  private static final Strike SERVER_GOES = stage -> stage.http.stop();
  private static final Strike STREAM_ENDS = streamEnds(End.CLEAN);

  private FaultCatalogue() {}

  static Stream<FaultCase> cases() {
    return rows().flatMap(FaultRow::cases);
  }

  static Stream<FaultRow> rows() {
    return Stream.of(
            goodServers(),
            connect(),
            probes(),
            traffic(),
            crashes(),
            processes(),
            answersOverHttp(),
            answersOfTheModernEra(),
            streams(),
            listens(),
            sessions(),
            goodbyesOverHttp(),
            theOlderWay(),
            userCode())
        .flatMap(List::stream);
  }

  private static List<FaultRow> goodServers() {
    return List.of(
        fault("none: a good server", "F", stdio())
            .connecting(CONNECTED, GRACEFUL, exit(0))
            .probed()
            .idle(ECHO, GRACEFUL, exit(0))
            .inCall(ECHO, GRACEFUL, exit(0))
            .ends(GRACEFUL, exit(0)),
        fault("none: a good server", "F", http())
            .connecting(CONNECTED, GRACEFUL)
            .probed()
            .idle(ECHO, GRACEFUL)
            .inCall(ECHO, GRACEFUL)
            .ends(GRACEFUL),
        fault("none: a good server without sessions", "F", http(new HttpFault.SessionId("")))
            .inLegacyEra()
            .connecting(CONNECTED, GRACEFUL)
            .idle(ECHO, GRACEFUL)
            .inCall(ECHO, GRACEFUL)
            .ends(GRACEFUL),
        fault("none: a good server", "F", sse(new HttpFault.Legacy()))
            .inLegacyEra()
            .connecting(CONNECTED, GRACEFUL)
            .idle(ECHO, GRACEFUL)
            .inCall(ECHO, GRACEFUL)
            .ends(GRACEFUL));
  }

  // A1 and B: connect.

  private static List<FaultRow> connect() {
    var exits = new Fault.DiesOn("initialize", 7, "no database");
    var silent = new Fault.Silent("initialize");
    var noTools = new Fault.Silent("tools/list");
    var deaf = new Fault.StopsReading("");
    var stopped = new Fault.Struck("initialize", false, Blow.STOPPED);
    return List.of(
        fault("exits before it answers `initialize`", "A1 A11 B5 C", stdio(exits))
            .connecting(lost("code 7"), GRACEFUL, exit(7), stderr("no database"), twice())
            .probed(),
        fault("there is no such program", "A1 A4 C", missing("/no/such/server"))
            .inLegacyEra()
            .connecting(lost("cannot start"), GRACEFUL),
        fault("never answers `initialize`", "A2 A7 A8 B4 B6 B13", stdio(silent).connectIn(800))
            .connecting(timeout("waiting for initialize"), GRACEFUL, exit(0))
            .probed()
            .with(stdio(Quirk.NOTIFIES_FIRST, silent).until("initialize").struckBy(TOLD))
            .ends(GRACEFUL, exit(0)),
        fault("never lists its tools", "A2 A8 B9", stdio(noTools).connectIn(HANDSHAKE))
            .connecting(timeout("waiting for tools/list"), GRACEFUL, exit(0))
            .with(stdio(noTools).until("tools/list"))
            .ends(GRACEFUL, exit(0)),
        fault("reads nothing", "A2 A8", stdio(deaf).connectIn(HANDSHAKE).leaveIn(150))
            .inLegacyEra()
            .probingSilent(timeout("waiting for initialize"), TERMINATED, exit(143))
            .with(stdio(Quirk.NOTIFIES_FIRST, deaf).until(PROBE).leaveIn(150).struckBy(TOLD))
            .ends(TERMINATED, exit(143)),
        fault("is stopped (SIGSTOP) in the handshake", "A2 A8 A43", stdio(stopped))
            .with(stdio(stopped).connectIn(HANDSHAKE).leaveIn(150, 150))
            .connecting(timeout("waiting for initialize"), KILLED, exit(137))
            .with(
                stdio(Quirk.NOTIFIES_FIRST, stopped)
                    .until("initialize")
                    .leaveIn(150, 150)
                    .struckBy(TOLD))
            .ends(KILLED, exit(137)),
        fault("is slow, and healthy", "A3", stdio())
            .with(stdio(new Fault.Slow("initialize", 400)).taking(400))
            .connecting(CONNECTED, GRACEFUL, exit(0))
            .probed()
            .with(stdio(new Fault.Slow("tools/call", 400)).taking(400))
            .inCall(ECHO, GRACEFUL, exit(0)),
        fault("refuses `initialize`", "A10", stdio())
            .with(stdio(new Fault.Error("initialize", -32_001, "no license")))
            .connecting(remote("no license"), GRACEFUL, exit(0))
            .probed(),
        fault("speaks no revision that is known", "A10", stdio(new Fault.Speaks("1999-01-01")))
            .connecting(violation("1999-01-01"), GRACEFUL, exit(0))
            .probed(),
        fault("repeats a page of its tools", "B9 C", stdio(Quirk.CURSOR_REPEATS))
            .connecting(violation("same cursor twice"), GRACEFUL, exit(0))
            .probed(),
        fault("logs to stdout", "A12 C", stdio(new Fault.Noise("INFO ready, and happy")))
            .connecting(CONNECTED, GRACEFUL, exit(0), skipped())
            .probed()
            .idle(ECHO, GRACEFUL, exit(0), skipped())
            .inCall(ECHO, GRACEFUL, exit(0), skipped())
            .ends(GRACEFUL, exit(0), skipped()));
  }

  // A1 and A2 again: the question for the era, which servers of the legacy one do not expect.

  private static List<FaultRow> probes() {
    var silent = new Fault.Silent(PROBE);
    var dies = new Fault.DiesOn(PROBE, 9, "what is that?");
    HttpFault mute = on(PROBE, new Act.NoAnswer(End.OPEN));
    HttpFault cut = on(PROBE, new Act.NoAnswer(End.RESET));
    return List.of(
        fault("never answers `server/discover`", "A2 A3 A20", stdio(silent))
            .with(stdio(silent, Quirk.TELLS_STDERR).probedIn(200).taking(200))
            .probingSilent(CONNECTED, GRACEFUL, exit(0), stderr("notifications/cancelled"))
            .with(stdio(silent).until(PROBE))
            .ends(GRACEFUL, exit(0))
            .inModernEra()
            .with(stdio(silent).probedIn(200).taking(400))
            .probingSilent(remote("unsupported protocol version"), GRACEFUL, exit(0)),
        fault("never answers `server/discover`", "A2 A3 A20", http(mute))
            .inLegacyEra()
            .with(http(mute).probedIn(200).struckBy(stage -> stage.http.awaitExchanges(1)))
            .idle(ECHO, GRACEFUL) // its stream is all that is open
            .with(http(mute).until(PROBE))
            .ends(GRACEFUL),
        fault("never says that it is of the modern era", "A2 A3", http(mute))
            .inModernEra()
            .with(http(mute).probedIn(200).taking(400))
            .probingSilent(remote("unsupported protocol version"), GRACEFUL)
            .with(http(mute).until(PROBE))
            .ends(GRACEFUL),
        fault("answers `server/discover` late", "A3", stdio(new Fault.Slow(PROBE, 400)))
            .with(stdio(new Fault.Slow(PROBE, 400)).probedIn(100).taking(400))
            .probingSilent(CONNECTED, GRACEFUL, exit(0))
            .inModernEra()
            .probingSilent(CONNECTED, GRACEFUL, exit(0)),
        fault("dies of `server/discover`", "A1 A11", stdio(dies))
            .inLegacyEra()
            .with(stdio(dies, new Fault.Silent("initialize")).until("initialize"))
            .ends(GRACEFUL, exit(0), twice()),
        fault("dies before it says that it is of the modern era", "A1 A11", stdio(dies))
            .inModernEra()
            .probingDying(remote("unsupported protocol version"), GRACEFUL, exit(0), twice()),
        fault("cuts `server/discover`, once", "A25 A9", http(cut))
            .with(http(on(PROBE, new Act.NoAnswer(End.RESET)).once()))
            .probingDying(CONNECTED, GRACEFUL)
            .inModernEra()
            .probingDying(CONNECTED, GRACEFUL));
  }

  // A2: traffic.

  private static List<FaultRow> traffic() {
    var endless = new Fault.Struck("initialize", true, Blow.WRITES_WITHOUT_END);
    var endlessLater = new Fault.Struck("tools/call", true, Blow.WRITES_WITHOUT_END);
    var mute = new Fault.Silent("tools/call");
    var deaf = new Fault.StopsReading("tools/call");
    return List.of(
        fault("floods stderr in a call, 1 MiB", "A13", stdio(new Fault.FloodsStderr(1 << 20)))
            .with(stdio(new Fault.FloodsStderr(1 << 20)).taking(1_000))
            .inCall(ECHO, GRACEFUL, exit(0), stderr("eeeeee")),
        fault("floods stderr and stdout as it ends", "A13", stdio(new Fault.Leaves(1 << 20, 3)))
            .ends(GRACEFUL, exit(3), stderr("eeeeee"), skipped()),
        fault("closes stderr", "C", stdio(Quirk.CLOSES_STDERR))
            .connecting(CONNECTED, GRACEFUL, exit(0))
            .idle(ECHO, GRACEFUL, exit(0))
            .inCall(ECHO, GRACEFUL, exit(0))
            .ends(GRACEFUL, exit(0)),
        fault("answers by more than the limit", "A14", stdio(new Fault.AnswerOf(LIMIT + 1)))
            .with(stdio(new Fault.AnswerOf(LIMIT + 1)).limitedTo(LIMIT))
            .inCall(violation("longer than"), GRACEFUL),
        fault("writes a line that never ends", "A14 D", stdio(endless))
            .with(stdio(endless).limitedTo(LIMIT).leaveIn(150))
            .connecting(violation("longer than"), TERMINATED, exit(143))
            .probed()
            .with(stdio(endlessLater).limitedTo(LIMIT).leaveIn(150).struckBy(CALL))
            .idle(violation("longer than"), TERMINATED, exit(143))
            .with(stdio(endlessLater).limitedTo(LIMIT).leaveIn(150).calling("never"))
            .inCall(violation("longer than"), TERMINATED, exit(143)),
        fault("answers by 1 MiB, within the limit", "A15", stdio(new Fault.AnswerOf(1 << 20)))
            .with(stdio(new Fault.AnswerOf(1 << 20)).taking(500))
            .inCall(answer("xxxxxx"), GRACEFUL, exit(0)),
        fault("writes byte by byte, and splits characters", "A16", stdio(Quirk.WRITES_BYTE_BY_BYTE))
            .connecting(CONNECTED, GRACEFUL, exit(0))
            .with(stdio(Quirk.WRITES_BYTE_BY_BYTE))
            .inCall(ECHO, GRACEFUL, exit(0)),
        fault("answers by what is no UTF-8", "A17", stdio(Quirk.ANSWER_IS_NOT_UTF8))
            .with(stdio(Quirk.ANSWER_IS_NOT_UTF8))
            .inCall(violation("cannot be read"), GRACEFUL, exit(0)),
        fault("answers by JSON that is nested too deep", "D", stdio(Quirk.ANSWER_IS_TOO_DEEP))
            .with(stdio(Quirk.ANSWER_IS_TOO_DEEP))
            .inCall(violation("cannot be read"), GRACEFUL, exit(0)),
        fault("answers what was never asked", "A18", stdio(Quirk.UNKNOWN_IDS_FIRST))
            .connecting(CONNECTED, GRACEFUL, exit(0))
            .probed()
            .idle(ECHO, GRACEFUL, exit(0))
            .inCall(ECHO, GRACEFUL, exit(0))
            .ends(GRACEFUL, exit(0)),
        fault("never answers a call", "A20 A21 A22", stdio(mute))
            .with(stdio(mute, Quirk.TELLS_STDERR).callIn(300))
            .inCall(UNANSWERED, GRACEFUL, exit(0), stderr("notifications/cancelled")),
        fault("reads no more in mid-call", "A2 A43", stdio(deaf))
            .with(stdio(deaf).callIn(REQUEST).leaveIn(150).calling("never"))
            .inCall(UNANSWERED, TERMINATED, exit(143))
            .with(stdio(deaf).leaveIn(150))
            .ends(TERMINATED, exit(143)),
        fault("asks for more than it may, 3,000 pings", "B22", stdio(new Fault.AsksTooMuch(3_000)))
            .with(stdio(new Fault.AsksTooMuch(3_000)))
            .inCall(violation("256 requests unanswered"), GRACEFUL)
            .inModernEra() // in which it may not ask: what it asks is dropped, and it waits in vain
            .with(stdio(new Fault.AsksTooMuch(3_000)).callIn(300))
            .inCall(UNANSWERED, GRACEFUL),
        fault("floods a call with progress", "A13", stdio(new Fault.FloodsProgress(10_000)))
            .with(stdio(new Fault.FloodsProgress(10_000)).taking(1_500))
            .inCall(ECHO, GRACEFUL, exit(0)));
  }

  // A3: crash, hang, loss.

  private static List<FaultRow> crashes() {
    return List.of(
        fault("is killed (SIGKILL)", "A24 A23 B10", stdio())
            .with(stdio(new Fault.Struck(PROBE, false, Blow.KILLED)))
            .probingDying(CONNECTED, GRACEFUL, exit(0), twice())
            .with(stdio(new Fault.Struck("initialize", false, Blow.KILLED)))
            .connecting(lost("exited with code 137"), GRACEFUL, exit(137), twice())
            .with(stdio().struckBy(KILL))
            .idle(lost("exited with code 137"), GRACEFUL, exit(137))
            .inCall(lost("exited with code 137"), GRACEFUL, exit(137)),
        fault("exits, and says why on stderr", "A24 A1 C", stdio())
            .with(stdio(new Fault.DiesAfter("tools/call", 4)).struckBy(CALL))
            .idle(lost("exited with code 4"), GRACEFUL, exit(4))
            .with(stdio(new Fault.DiesOn("tools/call", 3, "disk full")))
            .inCall(lost("disk full"), GRACEFUL, exit(3), stderr("disk full")),
        fault("exits in the middle of a line", "A24", stdio())
            .with(stdio(new Fault.Struck(PROBE, false, Blow.EXITS_IN_A_LINE)))
            .probingDying(CONNECTED, GRACEFUL, exit(0), twice())
            .with(stdio(new Fault.Struck("initialize", false, Blow.EXITS_IN_A_LINE)))
            .connecting(lost("exited with code 4"), GRACEFUL, exit(4), twice())
            .with(stdio(new Fault.Struck("tools/call", true, Blow.EXITS_IN_A_LINE)).struckBy(CALL))
            .idle(lost("exited with code 4"), GRACEFUL, exit(4))
            .with(stdio(new Fault.Struck("tools/call", false, Blow.EXITS_IN_A_LINE)))
            .inCall(lost("exited with code 4"), GRACEFUL, exit(4)),
        fault("closes stdout, and lives on", "A23 C", stdio())
            .with(stdio(new Fault.Struck(PROBE, false, Blow.CLOSES_STDOUT)))
            .probingDying(CONNECTED, GRACEFUL, exit(0), twice())
            .with(stdio(new Fault.Struck("initialize", false, Blow.CLOSES_STDOUT)))
            .connecting(lost("closed its side of the pipe"), GRACEFUL, exit(0), twice())
            .with(stdio(new Fault.Struck("tools/call", true, Blow.CLOSES_STDOUT)).struckBy(CALL))
            .idle(lost("closed its side of the pipe"), GRACEFUL, exit(0))
            .with(stdio(new Fault.Struck("tools/call", false, Blow.CLOSES_STDOUT)))
            .inCall(lost("closed its side of the pipe"), GRACEFUL, exit(0)),
        fault("is stopped (SIGSTOP)", "A22 A43", stdio())
            .with(stdio().callIn(REQUEST).leaveIn(150, 150).struckBy(STOP))
            .inCall(UNANSWERED, KILLED, exit(137))
            .with(stdio().leaveIn(150, 150).struckBy(STOP))
            .ends(KILLED, exit(137)));
  }

  // A6: processes.

  private static List<FaultRow> processes() {
    return List.of(
        fault("ignores the end of its input", "A39 A43 C", stdio())
            .with(stdio(Quirk.IGNORES_EOF, FAILS_LATE).leaveIn(150))
            .connecting(FAILED_LATE, TERMINATED, exit(143))
            .probed()
            .with(stdio(Quirk.IGNORES_EOF).leaveIn(150))
            .ends(TERMINATED, exit(143)),
        fault("ignores the end of its input, and SIGTERM", "A39 A43 B11 B19 C", stdio())
            .with(stdio(Quirk.IGNORES_EOF, Quirk.IGNORES_SIGTERM, FAILS_LATE).leaveIn(150, 150))
            .connecting(FAILED_LATE, KILLED, exit(137))
            .probed()
            .with(stdio(Quirk.IGNORES_EOF, Quirk.IGNORES_SIGTERM).leaveIn(150, 150))
            .ends(KILLED, exit(137)),
        tree("has a child that keeps its pipes", Quirk.GRANDCHILD_HOLDS_STDOUT)
            .ends(TERMINATED, exit(0)),
        stubbornTree("has a child that keeps its pipes and ignores SIGTERM")
            .inLegacyEra()
            .ends(KILLED, exit(0)),
        tree("has a daemon that carries our mark and no pipe", Quirk.DAEMON)
            .inLegacyEra()
            .ends(TERMINATED, exit(0)),
        stubbornDaemon("has a daemon that carries our mark, and ignores SIGTERM")
            .inLegacyEra()
            .ends(KILLED, exit(0)),
        tree("has a daemon that holds a pipe and no mark", Quirk.DAEMON_WITH_CLEAN_ENVIRONMENT)
            .inLegacyEra()
            .ends(TERMINATED, exit(0)),
        fault("runs behind a shell that waits for it", "A43", wrapped())
            .with(wrapped(FAILS_LATE))
            .connecting(FAILED_LATE, GRACEFUL, exit(0))
            .probed()
            .with(wrapped().struckBy(KILL))
            .idle(lost("exited with code 137"), GRACEFUL, exit(137))
            .inCall(lost("exited with code 137"), GRACEFUL, exit(137))
            .with(wrapped())
            .ends(GRACEFUL, exit(0)),
        fault("the same, and ignores its end and SIGTERM", "A43 B19", wrapped())
            .inLegacyEra()
            .with(wrapped(Quirk.IGNORES_EOF, Quirk.IGNORES_SIGTERM, FAILS_LATE).leaveIn(150, 150))
            .connecting(FAILED_LATE, KILLED)
            .with(wrapped(Quirk.IGNORES_EOF, Quirk.IGNORES_SIGTERM).leaveIn(150, 150))
            .ends(KILLED),
        fault("the wrapper is killed, the server lives", "A43", wrapped())
            .inLegacyEra()
            .with(wrapped(Quirk.IGNORES_EOF).leaveIn(150).struckBy(KILL_WRAPPER))
            .idle(lost("exited with code 137"), TERMINATED, exit(137))
            .inCall(lost("exited with code 137"), TERMINATED, exit(137)));
  }

  /// The server goes by itself, or is killed; what it has started needs SIGTERM.
  private static FaultRow tree(String fault, Quirk quirk) {
    FaultScript base = stdio(quirk);
    return fault(fault, "A43 A11 B19", base)
        .with(stdio(quirk, FAILS_LATE))
        .connecting(FAILED_LATE, TERMINATED, exit(0))
        .probed()
        .with(base.struckBy(KILL))
        .idle(lost("exited with code 137"), TERMINATED, exit(137))
        .inCall(lost("exited with code 137"), TERMINATED, exit(137))
        .with(base);
  }

  private static FaultRow stubbornTree(String fault) {
    return stubborn(fault, Quirk.GRANDCHILD_IGNORES_SIGTERM);
  }

  private static FaultRow stubbornDaemon(String fault) {
    return stubborn(fault, Quirk.DAEMON_IGNORES_SIGTERM);
  }

  /// The same, and what it has started needs SIGKILL.
  private static FaultRow stubborn(String fault, Quirk quirk) {
    FaultScript base = stdio(quirk);
    return fault(fault, "A43 A11 B19", base)
        .with(stdio(quirk, FAILS_LATE).leaveIn(3_000, 150))
        .connecting(FAILED_LATE, KILLED, exit(0))
        .probed()
        .with(base.leaveIn(3_000, 150).struckBy(KILL))
        .idle(lost("exited with code 137"), KILLED, exit(137))
        .inCall(lost("exited with code 137"), KILLED, exit(137))
        .with(base.leaveIn(3_000, 150));
  }

  // A1, A2 and A3 over HTTP: what comes back for a request.

  private static List<FaultRow> answersOverHttp() {
    var json = "application/json";
    var events = "text/event-stream";
    var fromElsewhere = new Act.Status(302, Map.of("Location", "http://169.254.169.254/"), "");
    return List.of(
        fault("nobody listens", "A4 A9", http().struckBy(SERVER_GOES))
            .inLegacyEra()
            .connecting(failed("onnect"), GRACEFUL),
        answered("HTTP 530", "A9 A25", new Act.Status(530), failed("HTTP 530")),
        answered("HTTP 401", "A10 A31", new Act.Status(401), unauthorized("HTTP 401")),
        answered("a redirect to elsewhere", "D", fromElsewhere, failed("HTTP 302")),
        answered(
            "a page of HTML",
            "A9",
            new Act.Status(200, "text/html", "<p>"),
            violation("text/html")),
        answered("no HTTP at all", "A9", new Act.Raw("nonsense\r\n\r\n", End.CLOSE), failed("")),
        answered("a reset", "A25 A9", new Act.NoAnswer(End.RESET), failed("")),
        answered("the end of the connection", "A25 A9", new Act.NoAnswer(End.CLOSE), failed("")),
        answered("a half-closed connection", "A25", new Act.NoAnswer(End.HALF_CLOSE), failed("")),
        answered("a body cut short", "A25", new Act.CutShort(10, End.CLOSE), failed("")),
        answered(
            "a body that a reset cuts short", "A25", new Act.CutShort(10, End.RESET), failed("")),
        answered("less than its length has promised", "A25", new Act.LengthOff(5), failed("")),
        answered(
            "more than its length has promised", "A25", new Act.LengthOff(-5), violation("read")),
        answered("a compressed body, unasked", "D", Act.Quirk.GZIP, violation("content encoding")),
        answered(
            "an answer to something else", "A18", new Act.WrongId("9%s"), violation("answers")),
        answered(
            "a stream that ends without the answer",
            "A26 C",
            new Act.Sse(": nothing\n\n"),
            failed("ended without the answer")),
        answered(
            "more than the limit", "A14 D", new Act.Padded(LIMIT + 1), violation("longer than")),
        answered(
            "a body without end",
            "A14 D",
            new Act.Endless(json, "\"", "x"),
            violation("longer than")),
        answered(
            "an event without end",
            "A14 D",
            new Act.Endless(events, "data: ", "x"),
            violation("longer than")),
        stalled("nothing, not even a head", "A2 A8 C", new Act.NoAnswer(End.OPEN)),
        stalled("a head, and no body", "A2 A8", new Act.Held("never", true)),
        stalled("half of a body", "A2 A8", new Act.CutShort(10, End.OPEN)),
        stalled("a byte now and then, for ever", "A2 A8", new Act.Drip(json, "{", 20)),
        stalled("a stream that stays open, and silent", "A2 A26", new Act.Sse("", 0, End.OPEN)),
        fault("comes by a stream", "A26", http())
            .with(http(on("*", Act.Quirk.AS_STREAM)))
            .connecting(CONNECTED, GRACEFUL)
            .probed()
            .with(http(on("tools/call", Act.Quirk.AS_STREAM)))
            .inCall(ECHO, GRACEFUL));
  }

  /// A request gets this instead of an answer: at once.
  private static FaultRow answered(String what, String numbers, Act act, Seen seen) {
    return fault("a request gets " + what, numbers, http())
        .with(http(on("initialize", act)).limitedTo(LIMIT))
        .connecting(seen, GRACEFUL)
        .probed()
        .with(http(on("tools/call", act)).limitedTo(LIMIT))
        .inCall(seen, GRACEFUL);
  }

  /// A request gets this and no answer: when its time is over.
  private static FaultRow stalled(String what, String numbers, Act act) {
    return fault("a request gets " + what, numbers, http())
        .with(http(on("initialize", act)).connectIn(REQUEST))
        .connecting(timeout("waiting for initialize"), GRACEFUL)
        .probed()
        .with(http(on("tools/call", act)).callIn(300))
        .inCall(UNANSWERED, GRACEFUL)
        .with(http(on("initialize", act)).until("initialize"))
        .ends(GRACEFUL);
  }

  /// What only a server of the modern era can answer.
  private static List<FaultRow> answersOfTheModernEra() {
    var unsupported =
        "{\"error\":{\"code\":-32022,\"message\":\"not this one\",\"data\":{\"supported\":"
            + "[\"2026-07-28\"],\"requested\":\"2026-07-28\"}}}";
    var mismatch = "{\"error\":{\"code\":-32020,\"message\":\"wrong header\"}}";
    var unknown = "{\"result\":{\"resultType\":\"later\"}}";
    var asksOn = "{\"result\":{\"resultType\":\"input_required\",\"requestState\":\"on\"}}";
    return List.of(
        answeredBy("a call is refused for its revision", unsupported, remote("not this one")),
        answeredBy("a call is answered by a result of no known type", unknown, violation("type")),
        answeredBy("a call is answered by questions, for ever", asksOn, violation("16 times")),
        fault("a call is refused for its headers", "D", http())
            .inModernEra()
            .with(http(on("tools/call", new Act.Answer(400, mismatch))))
            .inCall(remote("wrong header"), GRACEFUL),
        fault("a call is not found", "A30", http())
            .inModernEra()
            .with(http(on("tools/call", new Act.Status(404))))
            .inCall(failed("HTTP 404"), GRACEFUL));
  }

  /// A call gets this, and when it is made again as well.
  private static FaultRow answeredBy(String what, String answer, Seen seen) {
    return fault(what, "D", stdio())
        .inModernEra()
        .with(stdio(new Fault.Answers("tools/call", List.of(answer))))
        .inCall(seen, GRACEFUL, exit(0));
  }

  // A3 and A4 over HTTP: servers that go, and streams, of GET or of what is listened to.

  private static List<FaultRow> streams() {
    HttpFault unauthorized = on("GET", new Act.Status(401)).after(1);
    HttpFault away = on("GET", new Act.Status(503)).after(1);
    HttpFault endless = on("GET", new Act.Endless("text/event-stream", "data: ", "x")).after(1);
    HttpFault none = on("GET", new Act.Status(405));
    return List.of(
        fault("the server goes", "A25 A29", http().struckBy(SERVER_GOES))
            .idle(lost("stays away"), GRACEFUL, kept("DELETE failed"))
            .with(http().reconnecting(10_000, 3).struckBy(SERVER_GOES))
            .inCall(failed("it may have run"), GRACEFUL, kept("DELETE failed"))
            .with(http().reconnecting(10_000, 3).struckBy(FaultCatalogue::goes))
            .ends(failed("it may have run"), GRACEFUL, kept("DELETE failed"))
            .inModernEra()
            .with(http().taking(250).struckBy(SERVER_GOES))
            .idle(state(ConnectionState.Degraded.class, "onnect"), GRACEFUL),
        fault("its stream is cut, by a proxy", "A27 A28", http().struckBy(streamEnds(End.RESET)))
            .idle(ECHO, GRACEFUL)
            .ends(GRACEFUL),
        fault("its stream ends", "A27 A28", http().struckBy(STREAM_ENDS))
            .idle(ECHO, GRACEFUL)
            .ends(GRACEFUL),
        fault("it has no stream", "A28 C", http(none))
            .connecting(CONNECTED, GRACEFUL)
            .idle(ECHO, GRACEFUL)
            .inCall(ECHO, GRACEFUL)
            .ends(GRACEFUL),
        fault("its stream never opens", "A2 A28", http(on("GET", new Act.NoAnswer(End.OPEN))))
            .with(http(on("GET", new Act.NoAnswer(End.OPEN))).taking(2_000))
            .connecting(CONNECTED, GRACEFUL),
        fault("its stream is away for a while", "A23 A29", http(away))
            .with(http(away).reconnecting(100, 100).struckBy(streamEndsForGood()))
            .idle(state(ConnectionState.Degraded.class, "HTTP 503"), GRACEFUL)
            .inModernEra()
            .with(http(away).reconnecting(100, 100).struckBy(listensInVain(2)))
            .idle(ECHO, GRACEFUL),
        fault("its stream stays away", "A34 A29", http(away).struckBy(streamEndsForGood()))
            .idle(lost("stays away"), GRACEFUL)
            .inModernEra()
            .with(http(away).taking(500).struckBy(listensInVain(4)))
            .idle(ECHO, GRACEFUL),
        fault("its stream asks for authorization", "A31", http(unauthorized))
            .with(http(unauthorized).reconnecting(200, 8).taking(250).struckBy(streamEndsForGood()))
            .idle(state(ConnectionState.NeedsAuthorization.class, "HTTP 401"), GRACEFUL),
        fault("its stream has an event without end", "A14 D", http(endless))
            .with(http(endless).limitedTo(LIMIT).struckBy(streamEndsForGood()))
            .idle(violation("longer than"), GRACEFUL)
            .inModernEra()
            .with(http(endless).limitedTo(LIMIT).struckBy(listensInVain(2)))
            .idle(ECHO, GRACEFUL));
  }

  /// What a server does with a subscription: at the worst nothing is heard of what changes.
  private static List<FaultRow> listens() {
    var changes = new Fault.Declares("{\"tools\":{\"listChanged\":true}}");
    var never = new Fault.Silent("subscriptions/listen");
    HttpFault silent = on("subscriptions/listen", new Act.Sse("", 0, End.OPEN));
    return List.of(
        listening("ends what is listened to, again and again", new HttpFault.HangsUp()),
        fault(
                "agrees to nothing that is listened to",
                "A28",
                http(new HttpFault.Acknowledges("{}")))
            .inModernEra()
            .connecting(CONNECTED, GRACEFUL)
            .idle(ECHO, GRACEFUL),
        listening("ends what is listened to", changes, new Fault.HangsUp(true)),
        listening("cancels what is listened to", changes, new Fault.HangsUp(false)),
        fault("never agrees to be listened to", "A2 A28", http(silent))
            .inModernEra()
            .with(http(silent).taking(2_000))
            .connecting(CONNECTED, GRACEFUL),
        fault("never agrees to be listened to", "A2 A28", stdio(changes, never))
            .inModernEra()
            .with(stdio(changes, never).taking(2_000))
            .connecting(CONNECTED, GRACEFUL, exit(0))
            .idle(ECHO, GRACEFUL, exit(0))
            .ends(GRACEFUL, exit(0)));
  }

  private static FaultRow listening(String what, HttpFault fault) {
    return fault(what, "A27 A28", http(fault))
        .inModernEra()
        .connecting(CONNECTED, GRACEFUL)
        .with(http(fault).taking(500).struckBy(stage -> listened(stage, 4)))
        .idle(ECHO, GRACEFUL)
        .with(http(fault))
        .ends(GRACEFUL);
  }

  private static FaultRow listening(String what, Fault... faults) {
    return fault(what, "A27 A28", stdio(faults))
        .inModernEra()
        .connecting(CONNECTED, GRACEFUL, exit(0))
        .idle(ECHO, GRACEFUL, exit(0))
        .inCall(ECHO, GRACEFUL, exit(0))
        .ends(GRACEFUL, exit(0));
  }

  // A4 over HTTP: sessions, which the modern era has not.

  private static List<FaultRow> sessions() {
    HttpFault gone = on("tools/call", new Act.Status(404));
    HttpFault forgets = on("tools/call", Act.Quirk.FORGETS_SESSIONS).once();
    return inLegacyEra(
        fault("it forgets the session, once", "A30 A27", http(forgets))
            .with(http().struckBy(FaultCatalogue::forget))
            .idle(ECHO, GRACEFUL)
            .with(http(forgets).taking(500))
            .inCall(ECHO, GRACEFUL),
        fault("404 for ever, a new session or not", "A30 C", http(gone))
            .with(http(gone).taking(500))
            .inCall(failed("forgotten the session, and the one after it"), GRACEFUL),
        fault("its session id is not of ASCII", "D", http(new HttpFault.SessionId("\u00e4")))
            .connecting(violation("visible ASCII"), GRACEFUL));
  }

  // A5 over HTTP.

  private static List<FaultRow> goodbyesOverHttp() {
    HttpFault hung = on("DELETE", new Act.NoAnswer(End.OPEN));
    return inLegacyEra(
        fault("never answers DELETE", "A40 C", http(hung).leaveIn(200))
            .ends(GRACEFUL, kept("not answered within 200 ms")),
        fault("answers DELETE by 405", "A40", http(on("DELETE", new Act.Status(405))))
            .ends(GRACEFUL, kept("HTTP 405")),
        fault("answers DELETE by 404", "A40", http(on("DELETE", new Act.Status(404))))
            .ends(GRACEFUL),
        fault("answers DELETE by 500", "A40", http(on("DELETE", new Act.Status(500))))
            .ends(GRACEFUL, kept("HTTP 500")),
        fault("resets DELETE", "A40", http(on("DELETE", new Act.NoAnswer(End.RESET))))
            .ends(GRACEFUL, kept("DELETE failed")),
        fault("half-closes at DELETE", "A40", http(on("DELETE", new Act.NoAnswer(End.HALF_CLOSE))))
            .ends(GRACEFUL, kept("DELETE failed")));
  }

  private static List<FaultRow> theOlderWay() {
    var good = new HttpFault.Legacy();
    var foreign = new HttpFault.Legacy(405, List.of("http://127.0.0.2:1/messages"));
    HttpFault silent = on("GET", new Act.Held("never", true));
    return inLegacyEra(
        fault("never names its endpoint", "A2 A8", sse(good, silent).connectIn(REQUEST))
            .connecting(timeout("waiting for initialize"), GRACEFUL)
            .with(sse(good, silent).until("initialize"))
            .ends(GRACEFUL),
        fault("names an endpoint that is not its own", "D", sse(foreign))
            .connecting(violation("not its own"), GRACEFUL),
        fault("its stream ends", "A29 A26", sse(good).struckBy(streamEndsForGood()))
            .idle(lost("ended its event stream"), GRACEFUL)
            .inCall(lost("ended its event stream"), GRACEFUL),
        fault("the server goes", "A25 A29", sse(good).struckBy(SERVER_GOES))
            .idle(lost("event stream"), GRACEFUL)
            .inCall(lost("event stream"), GRACEFUL),
        fault("a POST is never answered", "A2 A26", sse(good))
            .with(sse(good, on("tools/call", new Act.NoAnswer(End.OPEN))).callIn(300))
            .inCall(UNANSWERED, GRACEFUL));
  }

  // A19, B8, B12, B20: user code.

  private static List<FaultRow> userCode() {
    FaultScript goodbye = stdio().with(Place.ON_DISCONNECT, Manner.THROWS);
    FaultScript longGoodbye = stdio().with(Place.ON_DISCONNECT, Manner.HANGS).sayGoodbyeIn(150);
    FaultScript stubbornGoodbye =
        stdio().with(Place.ON_DISCONNECT, Manner.IGNORES_ITS_INTERRUPT).sayGoodbyeIn(150);
    FaultScript hello = stdio().with(Place.ON_CONNECT, Manner.HANGS);
    FaultScript stubbornHello = stdio().with(Place.ON_CONNECT, Manner.IGNORES_ITS_INTERRUPT);
    FaultScript listener = stdio(Quirk.NOTIFIES_FIRST).with(Place.LISTENER, Manner.THROWS);
    FaultScript stubbornListener =
        stdio(Quirk.NOTIFIES_FIRST).with(Place.LISTENER, Manner.IGNORES_ITS_INTERRUPT);
    FaultScript hostListener = stdio().with(Place.HOST_LISTENER, Manner.THROWS);
    FaultScript stubbornHostListener =
        stdio().with(Place.HOST_LISTENER, Manner.IGNORES_ITS_INTERRUPT);
    FaultScript stubbornHandler =
        stdio(new Fault.Asks("roots/list")).with(Place.HANDLER, Manner.IGNORES_ITS_INTERRUPT);
    FaultScript stubbornAnswer =
        stdio().with(Place.HANDLER, Manner.IGNORES_ITS_INTERRUPT).calling("ask");
    Seen unanswered = new Seen.Failure(InputFailedException.class, "not answered within 100 ms");
    return List.of(
        fault("`onConnect` throws", "A19 B8", stdio().with(Place.ON_CONNECT, Manner.THROWS))
            .connecting(lost("onConnect failed"), GRACEFUL, exit(0))
            .probed(),
        fault("`onConnect` does not return", "A8 B8", hello.connectIn(HANDSHAKE))
            .connecting(timeout("waiting for onConnect"), GRACEFUL, exit(0))
            .with(hello.until("onConnect"))
            .ends(GRACEFUL, exit(0)),
        fault("`onConnect` ignores its interrupt", "A8 B8", stubbornHello.connectIn(HANDSHAKE))
            .inLegacyEra()
            .connecting(timeout("waiting for onConnect"), GRACEFUL, exit(0), abandoned("onConnect"))
            .with(stubbornHello.until("onConnect"))
            .ends(GRACEFUL, exit(0), abandoned("onConnect")),
        fault("`onDisconnect` throws", "A19 B12 B20", goodbye)
            .with(goodbye.struckBy(KILL))
            .idle(lost("code 137"), GRACEFUL, exit(137), failure("no room"))
            .inCall(lost("code 137"), GRACEFUL, exit(137), failure("no room"))
            .with(goodbye)
            .ends(GRACEFUL, exit(0), failure("no room")),
        fault("`onDisconnect` does not return", "B8 B12", longGoodbye)
            .inLegacyEra()
            .with(longGoodbye.struckBy(KILL))
            .idle(lost("code 137"), GRACEFUL, exit(137), failure("Interrupted"))
            .inCall(lost("code 137"), GRACEFUL, exit(137), failure("Interrupted"))
            .with(longGoodbye)
            .ends(GRACEFUL, exit(0), failure("Interrupted")),
        fault("`onDisconnect` ignores its interrupt", "B8 B11 B12", stubbornGoodbye)
            .inLegacyEra()
            .with(stubbornGoodbye.struckBy(KILL))
            .idle(lost("code 137"), GRACEFUL, exit(137), abandoned("onDisconnect"))
            .inCall(lost("code 137"), GRACEFUL, exit(137), abandoned("onDisconnect"))
            .with(stubbornGoodbye)
            .ends(GRACEFUL, exit(0), abandoned("onDisconnect")),
        fault("a listener throws", "A19", listener)
            .connecting(CONNECTED, GRACEFUL, exit(0))
            .idle(ECHO, GRACEFUL, exit(0))
            .inCall(ECHO, GRACEFUL, exit(0))
            .ends(GRACEFUL, exit(0)),
        fault("a listener ignores its interrupt", "A19", stubbornListener)
            .inLegacyEra()
            .connecting(CONNECTED, GRACEFUL, exit(0), abandoned("listener"))
            .idle(ECHO, GRACEFUL, exit(0), abandoned("listener"))
            .inCall(ECHO, GRACEFUL, exit(0), abandoned("listener"))
            .ends(GRACEFUL, exit(0), abandoned("listener")),
        fault("the host's listener throws", "A19", hostListener)
            .inLegacyEra()
            .connecting(CONNECTED, GRACEFUL, exit(0))
            .idle(ECHO, GRACEFUL, exit(0))
            .inCall(ECHO, GRACEFUL, exit(0))
            .ends(GRACEFUL, exit(0)),
        fault("the host's listener ignores its interrupt", "A19", stubbornHostListener)
            .inLegacyEra()
            .connecting(CONNECTED, GRACEFUL, exit(0), abandoned("host listener"))
            .idle(ECHO, GRACEFUL, exit(0), abandoned("host listener"))
            .inCall(ECHO, GRACEFUL, exit(0), abandoned("host listener"))
            .ends(GRACEFUL, exit(0), abandoned("host listener")),
        fault("a handler ignores its interrupt", "A19", stubbornHandler)
            .inCall(ECHO, GRACEFUL, exit(0), abandoned("roots/list"))
            .ends(GRACEFUL, exit(0), abandoned("roots/list"))
            .inModernEra()
            .with(stubbornAnswer.handledIn(100))
            .inCall(unanswered, GRACEFUL, exit(0), abandoned("roots/list"))
            .with(stubbornAnswer.struckBy(FaultStage::awaitAsked))
            .ends(GRACEFUL, exit(0), abandoned("roots/list")),
        fault("the caller is interrupted", "A22 B7", stdio().struckBy(INTERRUPT))
            .inCall(new Seen.Failure(InterruptedException.class, ""), GRACEFUL, exit(0)),
        fault("the caller's listener of progress throws", "A19", stdio())
            .with(stdio().with(Place.PROGRESS, Manner.THROWS).calling("progress"))
            .inCall(new Seen.Failure(IllegalStateException.class, "no room"), GRACEFUL, exit(0)));
  }

  private static List<FaultRow> inLegacyEra(FaultRow... rows) {
    return Stream.of(rows).map(FaultRow::inLegacyEra).toList();
  }

  // How it strikes.

  /// The server goes, and who waits has seen it.
  private static void goes(FaultStage stage) throws InterruptedException {
    stage.http.stop();
    stage.waiting.seen();
  }

  /// The stream ends, and is opened again.
  private static Strike streamEnds(End end) {
    return stage -> {
      stage.http.awaitStreams(1);
      stage.http.endStreams(end);
      stage.http.awaitRequest(stage.listening(), 2);
      stage.http.awaitStreams(1);
    };
  }

  /// The stream ends, and what comes then is the case.
  private static Strike streamEndsForGood() {
    return stage -> {
      stage.http.awaitStreams(1);
      stage.http.endStreams(End.CLEAN);
    };
  }

  /// What is listened to ends, and is listened to again in vain, so often before it is used.
  private static Strike listensInVain(int times) {
    return stage -> {
      stage.http.awaitStreams(1);
      stage.http.endStreams(End.CLEAN);
      listened(stage, times);
    };
  }

  /// Waits until it was listened so often, and not faster than the budget has it.
  private static void listened(FaultStage stage, int times) {
    HttpWire.Request first = stage.http.awaitRequest(stage.listening(), 1);
    HttpWire.Request last = stage.http.awaitRequest(stage.listening(), times);
    Duration shortest = stage.script.options().reconnect().first().multipliedBy(times - 1);
    assertThat(last.since(first)).as("time between listens").isGreaterThan(shortest);
  }

  private static void forget(FaultStage stage) {
    stage.http.awaitStreams(1);
    stage.http.forgetSessions();
    stage.http.endStreams(End.CLEAN);
    stage.http.awaitRequest("initialize", 2);
  }
}
