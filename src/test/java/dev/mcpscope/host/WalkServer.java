package dev.mcpscope.host;

import static dev.mcpscope.HttpFault.on;

import dev.mcpscope.Eras;
import dev.mcpscope.HttpFault;
import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.End;
import dev.mcpscope.HttpWire;
import dev.mcpscope.ScriptedHttpServer;
import dev.mcpscope.ScriptedServer;
import dev.mcpscope.ScriptedServer.Fault;
import dev.mcpscope.ScriptedServer.Fault.Blow;
import dev.mcpscope.ScriptedServer.Fault.Quirk;
import dev.mcpscope.client.EraChoice;
import dev.mcpscope.client.ServerSpec;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/// A server that a [Walk] may connect to.
sealed interface WalkServer {

  /// Returns how to reach it; what is marked differently is another server to whoever compares.
  ServerSpec spec(String mark);

  /// Whether it can be connected to at all, by whoever speaks its era.
  boolean connects();

  /// Which eras it speaks.
  Eras eras();

  /// Whether it can be connected to by whoever wants this era.
  default boolean connects(EraChoice choice) {
    boolean isSpoken =
        switch (choice) {
          case AUTO -> true;
          case LEGACY -> eras() != Eras.MODERN;
          case MODERN -> eras() != Eras.LEGACY;
        };
    return connects() && isSpoken;
  }

  /// Whether it answers a call of `echo`, and rightly, unless somebody does it harm.
  boolean echoes();

  /// Whether nothing is wrong with it.
  default boolean isGood() {
    return false;
  }

  /// One that is started for each connection. The mark is in its environment, which what it starts
  /// inherits, and an argument, by which it is found.
  record Process(boolean connects, boolean echoes, List<Fault> faults) implements WalkServer {
    /// The name of the variable that holds the mark.
    static final String MARK = "MCP_SCOPE_WALK";

    @Override
    public ServerSpec spec(String mark) {
      ServerSpec.Stdio scripted = ScriptedServer.with(faults.toArray(Fault[]::new));
      List<String> command = Stream.concat(scripted.command().stream(), Stream.of(mark)).toList();
      return ServerSpec.stdio(command.toArray(String[]::new)).withEnvironment(Map.of(MARK, mark));
    }

    @Override
    public Eras eras() {
      return faults.stream()
          .filter(Fault.Serves.class::isInstance)
          .map(fault -> ((Fault.Serves) fault).eras())
          .findFirst()
          .orElse(Eras.LEGACY);
    }

    @Override
    public boolean isGood() {
      return faults.stream()
          .allMatch(fault -> fault instanceof Fault.Serves || fault instanceof Fault.Declares);
    }

    @Override
    public String toString() {
      return "process" + faults;
    }
  }

  /// One that is there already, for all connections.
  record Remote(
      boolean connects, boolean echoes, Eras eras, String faults, ScriptedHttpServer server)
      implements WalkServer {
    /// The name of the header that holds the mark.
    static final String MARK = "X-Walk";

    @Override
    public ServerSpec spec(String mark) {
      Map<String, String> headers = Map.of(MARK, mark);
      return isOfTheOlderWay()
          ? ServerSpec.sse(server.url()).withHeaders(headers)
          : ServerSpec.http(server.url()).withHeaders(headers);
    }

    /// Then it is of the legacy era, whichever one is wanted.
    private boolean isOfTheOlderWay() {
      return faults.startsWith("[Legacy");
    }

    @Override
    public boolean connects(EraChoice choice) {
      return isOfTheOlderWay() ? connects : WalkServer.super.connects(choice);
    }

    /// Returns the marks of those whose subscriptions are open.
    List<String> listening() {
      return server.listens().stream().map(request -> request.header(MARK).orElse("")).toList();
    }

    /// Returns what its clients have done wrong; asked when none is connected any more.
    ///
    /// Each session that its client has known by its id was deleted, unless the server has forgotten
    /// it, or the client's report says that it could not be.
    ///
    /// @param undeleted the marks of clients whose reports say so
    Optional<String> wrong(Set<String> undeleted) {
      var deleted = new HashSet<String>(); // ids
      var users = new HashMap<String, String>(); // marks, by id
      for (HttpWire.Request request : server.requests()) {
        String id = request.header("Mcp-Session-Id").orElse("");
        if (request.method().equals("DELETE")) {
          deleted.add(id);
        }
        users.put(id, request.header(MARK).orElse(""));
      }
      for (String session : server.sessions()) {
        String user = session.isEmpty() ? null : users.get(session);
        if (user != null && !deleted.contains(session) && !undeleted.contains(user)) {
          return Optional.of("the session of " + user + " was not deleted: " + session);
        }
      }
      boolean shared =
          faults.startsWith("[SessionId"); // by all of its clients, who all count from 1
      return server.violations().stream()
          // of a client that is stopped when it has the head of initialize's answer, and not its
          // body
          .filter(violation -> !violation.startsWith("wrong MCP-Protocol-Version: DELETE"))
          .filter(violation -> !(shared && violation.startsWith("a second request of this id")))
          .findFirst();
    }

    @Override
    public String toString() {
      return "http" + faults;
    }
  }

  /// What finds out which era a server speaks.
  String PROBE = "server/discover";

  String LISTEN = "subscriptions/listen";

  /// A call is answered by a question, however often.
  String ASKS_ON = "{\"result\":{\"resultType\":\"input_required\",\"requestState\":\"on\"}}";

  /// What a server tells of itself for the time to come.
  String REMEMBERED =
      "{\"result\":{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\",\"2025-11-25\"],"
          + "\"capabilities\":{\"tools\":{\"listChanged\":true},\"resources\":{\"subscribe\":true}},"
          + "\"ttlMs\":60000,\"cacheScope\":\"public\"}}";

  private static Process fine(Fault... faults) {
    return new Process(true, true, List.of(faults));
  }

  /// Connects, but answers no echo, or not rightly.
  private static Process mute(Fault... faults) {
    return new Process(true, false, List.of(faults));
  }

  private static Process closed(Fault... faults) {
    return new Process(false, false, List.of(faults));
  }

  /// All that are processes; the good one several times, as it is the most usual.
  static List<Process> processes() {
    var modern = new Fault.Serves(Eras.MODERN);
    var dual = new Fault.Serves(Eras.DUAL);
    var changes =
        new Fault.Declares("{\"tools\":{\"listChanged\":true},\"resources\":{\"subscribe\":true}}");
    var dies = new Fault.DiesOn(PROBE, 9, "what is that?");
    return List.of(
        fine(modern),
        fine(modern, changes),
        fine(modern, changes),
        fine(dual),
        fine(dual, changes),
        fine(modern, changes, Quirk.IGNORES_EOF, Quirk.DAEMON),
        fine(modern, changes, new Fault.HangsUp(true), Quirk.NOTIFIES_FIRST),
        fine(modern, changes, new Fault.HangsUp(false), new Fault.FloodsProgress(200)),
        fine(modern, changes, new Fault.Acknowledges("{}"), Quirk.UNKNOWN_IDS_FIRST),
        fine(modern, changes, new Fault.Silent(LISTEN)),
        fine(modern, changes, new Fault.Slow(PROBE, 700)),
        mute(modern, changes, new Fault.DiesAfter(LISTEN, 6)),
        mute(modern, new Fault.DiesOn("tools/call", 3, "disk full"), Quirk.DAEMON),
        mute(modern, new Fault.Silent("tools/call")),
        mute(modern, new Fault.Answers("tools/call", List.of(ASKS_ON))),
        mute(dual, new Fault.StopsReading("tools/call")),
        closed(modern, new Fault.Silent(PROBE)),
        closed(modern, dies, Quirk.GRANDCHILD_HOLDS_STDOUT),
        closed(modern, new Fault.Speaks("1999-12-31")),
        fine(new Fault.Silent(PROBE)),
        fine(new Fault.Silent(PROBE), Quirk.IGNORES_EOF),
        fine(dies),
        fine(dies, Quirk.DAEMON),
        fine(dies, Quirk.GRANDCHILD_HOLDS_STDOUT, Quirk.IGNORES_EOF),
        fine(new Fault.Struck(PROBE, false, Blow.CLOSES_STDOUT), Quirk.IGNORES_EOF),
        mute(new Fault.Struck(PROBE, false, Blow.EXITS_IN_A_LINE), new Fault.Silent("tools/call")),
        closed(dies, new Fault.Silent("initialize")),
        closed(dies, new Fault.DiesOn("initialize", 8, ""), Quirk.DAEMON),
        fine(),
        fine(),
        fine(),
        fine(),
        fine(Quirk.IGNORES_EOF),
        fine(Quirk.IGNORES_EOF, Quirk.IGNORES_SIGTERM),
        fine(Quirk.GRANDCHILD_HOLDS_STDOUT),
        fine(Quirk.DAEMON),
        fine(Quirk.DAEMON_WITH_CLEAN_ENVIRONMENT),
        fine(Quirk.CLOSES_STDERR),
        fine(new Fault.Noise("no JSON"), Quirk.NOISE_IS_NOT_UTF8),
        fine(Quirk.UNKNOWN_IDS_FIRST, Quirk.NOTIFIES_FIRST),
        fine(new Fault.FloodsStderr(200_000), Quirk.TELLS_STDERR),
        fine(new Fault.FloodsProgress(200)),
        fine(new Fault.Asks("roots/list")),
        fine(new Fault.Asks("roots/list")),
        fine(new Fault.Asks("no/such/method"), new Fault.Silent("ping")),
        mute(new Fault.DiesOn("tools/call", 3, "disk full")),
        mute(new Fault.DiesOn("tools/call", 4, ""), Quirk.DAEMON),
        mute(new Fault.DiesAfter("tools/call", 5)),
        mute(new Fault.Silent("tools/call")),
        mute(new Fault.StopsReading("tools/call")),
        mute(new Fault.Error("tools/call", -32000, "no")),
        mute(new Fault.ResultIsText("tools/call")),
        mute(new Fault.AnswerOf(100_000)),
        mute(new Fault.AsksTooMuch(1_000)),
        mute(new Fault.Answers("tools/call", List.of("{\"result\":{}}", ""))),
        mute(new Fault.Declares("{}")),
        mute(Quirk.CLOSES_STDOUT),
        mute(Quirk.ANSWERS_IN_PAIRS),
        mute(Quirk.ANSWER_IS_NOT_UTF8),
        mute(Quirk.ANSWER_IS_TOO_DEEP),
        closed(new Fault.ExitsAtStart(7, "no licence")),
        closed(new Fault.DiesOn("initialize", 8, "")),
        closed(new Fault.DiesAfter("initialize", 9), Quirk.GRANDCHILD_HOLDS_STDOUT),
        closed(new Fault.Silent("initialize")),
        closed(new Fault.Silent("tools/list"), Quirk.IGNORES_EOF),
        closed(new Fault.StopsReading("")),
        closed(new Fault.Error("initialize", -32000, "no")),
        closed(new Fault.Speaks("1999-12-31")),
        closed(Quirk.CURSOR_NEVER_ENDS),
        closed(Quirk.CURSOR_REPEATS));
  }

  private static Remote there(HttpFault... faults) {
    return remote(true, true, faults);
  }

  private static Remote remote(boolean connects, boolean echoes, HttpFault... faults) {
    Eras eras =
        Stream.of(faults)
            .filter(HttpFault.Serves.class::isInstance)
            .map(fault -> ((HttpFault.Serves) fault).eras())
            .findFirst()
            .orElse(Eras.LEGACY);
    return new Remote(
        connects, echoes, eras, List.of(faults).toString(), ScriptedHttpServer.with(faults));
  }

  /// Starts all that are there for everybody. To be closed by the caller.
  static List<Remote> remotes() {
    Act hangs = new Act.NoAnswer(End.OPEN);
    Act cut = new Act.NoAnswer(End.CLOSE);
    var modern = new HttpFault.Serves(Eras.MODERN);
    var dual = new HttpFault.Serves(Eras.DUAL);
    return List.of(
        there(modern),
        there(modern),
        there(modern),
        there(dual),
        there(dual, on(PROBE, new Act.Answer(200, REMEMBERED))),
        there(modern, on("tools/call", Act.Quirk.AS_STREAM), on(PROBE, cut).times(20)),
        there(modern, new HttpFault.SessionId("none"), on("tools/call", Act.Quirk.CLOSES_AFTER)),
        there(modern, on(LISTEN, new Act.Stops(1, 20, false, End.RESET))),
        there(modern, on(LISTEN, new Act.Status(503)).after(3)),
        there(modern, new HttpFault.HangsUp()),
        there(dual, new HttpFault.Acknowledges("{}"), on("DELETE", hangs)),
        there(modern, on(LISTEN, new Act.Sse("", 0, End.OPEN))),
        remote(true, false, modern, on("tools/call", hangs)),
        remote(true, false, modern, on("tools/call", new Act.NoAnswer(End.RESET))),
        remote(true, false, modern, on("tools/call", new Act.Status(401)).times(40)),
        remote(true, false, modern, on("tools/call", new Act.Stops(0, 0, true, End.CLOSE))),
        remote(false, false, modern, on(PROBE, hangs)),
        remote(false, false, modern, on("tools/list", new Act.NoAnswer(End.CLOSE))),
        there(on(PROBE, hangs)),
        there(on(PROBE, new Act.Drip("application/json", "{", 20))),
        there(on(PROBE, cut)),
        there(on(PROBE, new Act.Status(200, "text/html", "<p>"))),
        there(),
        there(),
        there(),
        there(on("tools/call", Act.Quirk.AS_STREAM), on("initialize", Act.Quirk.AS_STREAM)),
        there(new HttpFault.SessionId(""), on("tools/call", Act.Quirk.CLOSES_AFTER)),
        there(on("DELETE", hangs)),
        there(on("DELETE", new Act.Status(405))),
        there(on("DELETE", new Act.NoAnswer(End.RESET))),
        there(on("GET", new Act.Stops(0, 20, true, End.RESET)), new HttpFault.Retry(10)),
        there(on("GET", new Act.Status(405)), on("tools/call", new Act.Polls(2, 5))),
        there(on("notifications/cancelled", hangs), on("ping", hangs)),
        there(new HttpFault.Legacy()),
        remote(true, false, on("tools/call", hangs)),
        remote(true, false, on("tools/call", new Act.NoAnswer(End.RESET))),
        remote(true, false, on("tools/call", new Act.Status(502, "text/html", "<p>bad gateway"))),
        remote(true, false, on("tools/call", new Act.Status(401)).times(40)),
        remote(true, false, on("tools/call", Act.Quirk.FORGETS_SESSIONS).times(100)),
        remote(true, false, on("tools/call", new Act.CutShort(9, End.CLOSE))),
        remote(true, false, on("tools/call", new Act.Drip("application/json", "{", 20))),
        remote(true, false, on("tools/call", new Act.Stops(0, 0, true, End.CLOSE))),
        remote(true, false, on("tools/call", new Act.WrongId("4711"))),
        remote(true, false, on("tools/call", Act.Quirk.GZIP)),
        remote(false, false, on("initialize", hangs)),
        remote(false, false, on("initialize", new Act.Status(500))),
        remote(false, false, on("tools/list", new Act.Drip("application/json", "{", 20))),
        remote(false, false, on("tools/list", new Act.NoAnswer(End.CLOSE))));
  }
}
