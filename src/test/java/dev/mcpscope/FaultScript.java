package dev.mcpscope;

import static dev.mcpscope.HttpFault.on;

import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.ScriptedServer.Fault;
import dev.mcpscope.client.ClientOptions;
import dev.mcpscope.client.EraChoice;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.transport.CloseBudget;
import dev.mcpscope.transport.ReconnectBudget;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/// What a case of the matrix is played with: a server and its faults, user code, budgets, what
/// happens at the moment that the phase is about, and who waits then.
///
/// @param server which server
/// @param options the budgets of its connection: long enough that a fault which is only noticed when
///     they are over breaks the budget of its case, unless the case is about them
/// @param manners how user code behaves, where it is not good
/// @param strike what happens to the connection
/// @param tool which tool is called in the middle of what strikes; "" for one that is not answered,
///     known to be on its way when it strikes
/// @param until what the connect waits for that is the caller which waits; "" if it is a call
/// @param takes how long the fault itself takes, besides the budgets
record FaultScript(
    Server server,
    ClientOptions options,
    Map<Place, Manner> manners,
    Strike strike,
    String tool,
    String until,
    Duration takes) {

  /// Which server.
  sealed interface Server {
    /// A child process.
    ///
    /// @param wrapped whether it is behind a shell that has started it
    record Stdio(List<Fault> faults, boolean wrapped) implements Server {}

    /// A program that is not there.
    record Missing(String command) implements Server {}

    /// One in this JVM, over HTTP.
    record Http(List<HttpFault> faults, ServerSpec.Http.Kind kind) implements Server {}
  }

  /// Where user code is called.
  enum Place {
    ON_CONNECT,
    ON_DISCONNECT,
    HOST_LISTENER,
    LISTENER,
    HANDLER,
    PROGRESS
  }

  /// How it behaves.
  enum Manner {
    THROWS,
    HANGS,
    IGNORES_ITS_INTERRUPT
  }

  /// Something that happens to a connection.
  @FunctionalInterface
  interface Strike {
    /// Nothing.
    Strike NONE = stage -> {};

    void run(FaultStage stage) throws Exception;
  }

  /// What a connect waits for, in its own words.
  static final String PROBE = "server/discover";

  static final String HANDSHAKE = "initialize";

  private static final Duration SECOND = Duration.ofSeconds(1);

  /// A server that goes by itself, or at SIGTERM, uses up little of these; on a busy machine a JVM that
  /// ends may need seconds. Cases in which it does not go have less, as they wait for all of it.
  private static final CloseBudget CLOSE =
      new CloseBudget(SECOND, Duration.ofSeconds(3), Duration.ofSeconds(2), SECOND);

  private static final ClientOptions OPTIONS =
      ClientOptions.defaults()
          .withConnectTimeout(Duration.ofSeconds(15))
          .withCallTimeout(Duration.ofSeconds(15), Duration.ofSeconds(20))
          .withClose(CLOSE)
          .withReconnect(new ReconnectBudget(Duration.ofMillis(50), Duration.ofMillis(100), 3));

  /// A good server but for these faults, as a child process.
  static FaultScript stdio(Fault... faults) {
    return of(new Server.Stdio(List.of(faults), false));
  }

  /// The same, behind a shell that has started it.
  static FaultScript wrapped(Fault... faults) {
    return of(new Server.Stdio(List.of(faults), true));
  }

  /// A program that is not there.
  static FaultScript missing(String command) {
    return of(new Server.Missing(command));
  }

  /// A good server but for these faults, over HTTP.
  static FaultScript http(HttpFault... faults) {
    return of(new Server.Http(List.of(faults), ServerSpec.Http.Kind.STREAMABLE_HTTP));
  }

  /// The same, spoken to in the older way.
  static FaultScript sse(HttpFault... faults) {
    return of(new Server.Http(List.of(faults), ServerSpec.Http.Kind.SSE));
  }

  private static FaultScript of(Server server) {
    return new FaultScript(server, OPTIONS, Map.of(), Strike.NONE, "", "", Duration.ZERO);
  }

  private FaultScript withServer(Server other) {
    return new FaultScript(other, options, manners, strike, tool, until, takes);
  }

  /// With these faults before its own.
  private FaultScript with(List<Fault> processes, List<HttpFault> remotes) {
    return switch (server) {
      case Server.Stdio(var faults, var wrapped) ->
          withServer(new Server.Stdio(joined(processes, faults), wrapped));
      case Server.Http(var faults, var kind) ->
          withServer(new Server.Http(joined(remotes, faults), kind));
      case Server.Missing _ -> this;
    };
  }

  private static <T> List<T> joined(List<T> some, List<T> others) {
    return Stream.concat(some.stream(), others.stream()).toList();
  }

  // Eras.

  /// The same server, of the modern era: what is done to `initialize` is done to what it answers
  /// instead, and what is done to the stream of GET to the subscription. A server with which it is not
  /// agreed on an era could only be taken for one of the other, so that where it is about that, no
  /// other one is wanted.
  FaultScript modern() {
    FaultScript same =
        switch (server) {
          case Server.Stdio(var faults, var wrapped) ->
              withServer(
                  new Server.Stdio(faults.stream().map(FaultScript::modern).toList(), wrapped));
          case Server.Http(var faults, var kind) ->
              withServer(new Server.Http(faults.stream().map(FaultScript::modern).toList(), kind));
          case Server.Missing _ -> this;
        };
    return same.with(
            List.of(new Fault.Serves(Eras.MODERN)), List.of(new HttpFault.Serves(Eras.MODERN)))
        .withOptions(isOfTheHandshake() ? options.withEra(EraChoice.MODERN) : options)
        .until(modern(until));
  }

  static String modern(String method) {
    return switch (method) {
      case HANDSHAKE -> PROBE;
      case "GET" -> "subscriptions/listen";
      default -> method;
    };
  }

  private static Fault modern(Fault fault) {
    return switch (fault) {
      case Fault.DiesOn(var on, int code, var stderr) -> new Fault.DiesOn(modern(on), code, stderr);
      case Fault.Error(var on, int code, var text) -> new Fault.Error(modern(on), code, text);
      case Fault.Silent(var on) -> new Fault.Silent(modern(on));
      case Fault.Slow(var on, int millis) -> new Fault.Slow(modern(on), millis);
      case Fault.Struck(var on, boolean answered, var blow) ->
          new Fault.Struck(modern(on), answered, blow);
      default -> fault;
    };
  }

  private static HttpFault modern(HttpFault fault) {
    return fault instanceof HttpFault.On(var at, int skipped, int count, var act)
        ? new HttpFault.On(modern(at), skipped, count, act)
        : fault;
  }

  /// Whether it is about how a connection with the server begins.
  boolean isOfTheHandshake() {
    return until.equals(HANDSHAKE)
        || switch (server) {
          case Server.Stdio(var faults, _) ->
              faults.stream().anyMatch(fault -> !modern(fault).equals(fault));
          case Server.Http(var faults, _) ->
              faults.stream()
                  .anyMatch(fault -> fault instanceof HttpFault.On on && on.at().equals(HANDSHAKE));
          case Server.Missing _ -> false;
        };
  }

  /// Whether its server speaks the modern era alone.
  boolean isModern() {
    return switch (server) {
      case Server.Stdio(var faults, _) -> faults.contains(new Fault.Serves(Eras.MODERN));
      case Server.Http(var faults, _) -> faults.contains(new HttpFault.Serves(Eras.MODERN));
      case Server.Missing _ -> false;
    };
  }

  /// The same server, which says nothing when it is asked for its era.
  FaultScript silentWhenProbed() {
    return with(
            List.of(new Fault.Silent(PROBE)),
            List.of(on(PROBE, new Act.NoAnswer(HttpFault.End.OPEN))))
        .probedIn(200)
        .taking((int) takes.toMillis() + 200);
  }

  /// The same server, which dies when it is asked for its era, or hangs up.
  FaultScript deadWhenProbed() {
    return with(
        List.of(new Fault.DiesOn(PROBE, 9, "what is that?")),
        List.of(on(PROBE, new Act.NoAnswer(HttpFault.End.CLOSE))));
  }

  private FaultScript withOptions(ClientOptions options) {
    return new FaultScript(server, options, manners, strike, tool, until, takes);
  }

  /// The same, to be connected in so many milliseconds.
  FaultScript connectIn(int millis) {
    return withOptions(options.withConnectTimeout(Duration.ofMillis(millis)));
  }

  /// The same, asked so many milliseconds for its era.
  FaultScript probedIn(int millis) {
    return withOptions(
        options.withProtocol(options.protocol().withProbeTimeout(Duration.ofMillis(millis))));
  }

  /// The same, with handlers that have so many milliseconds.
  FaultScript handledIn(int millis) {
    return withOptions(
        options.withHandlerTimeout(Duration.ofMillis(millis), options.listenerTimeout()));
  }

  /// The same, with calls that wait for so many milliseconds.
  FaultScript callIn(int millis) {
    return withOptions(options.withCallTimeout(Duration.ofMillis(millis), Duration.ofSeconds(20)));
  }

  /// The same, with messages of so many bytes at most.
  FaultScript limitedTo(int bytes) {
    return withOptions(
        options.withLimits(
            options.limits().withMessage(JsonLimits.defaults().withMaxBytes(bytes))));
  }

  /// The same, looking for a server that is away so often.
  FaultScript reconnecting(int firstMillis, int attempts) {
    Duration first = Duration.ofMillis(firstMillis);
    return withOptions(options.withReconnect(new ReconnectBudget(first, first, attempts)));
  }

  /// The same, with so little time to leave when its input ends, or to answer DELETE.
  FaultScript leaveIn(int millis) {
    return close(
        options.close().callback(), Duration.ofMillis(millis), options.close().terminate());
  }

  /// The same, and with so little time after SIGTERM.
  FaultScript leaveIn(int exitMillis, int terminateMillis) {
    return close(
        options.close().callback(),
        Duration.ofMillis(exitMillis),
        Duration.ofMillis(terminateMillis));
  }

  /// The same, with so little time for `onDisconnect`.
  FaultScript sayGoodbyeIn(int millis) {
    return close(Duration.ofMillis(millis), options.close().exit(), options.close().terminate());
  }

  private FaultScript close(Duration callback, Duration exit, Duration terminate) {
    return withOptions(options.withClose(new CloseBudget(callback, exit, terminate, CLOSE.kill())));
  }

  /// The same, with user code of this kind.
  FaultScript with(Place place, Manner manner) {
    var more = new HashMap<>(manners);
    more.put(place, manner);
    return new FaultScript(server, options, Map.copyOf(more), strike, tool, until, takes);
  }

  /// The same, struck by this.
  FaultScript struckBy(Strike blow) {
    return new FaultScript(server, options, manners, blow, tool, until, takes);
  }

  /// The same, called by this tool.
  FaultScript calling(String name) {
    return new FaultScript(server, options, manners, strike, name, until, takes);
  }

  /// The same, still connecting when it ends.
  FaultScript until(String phase) {
    return new FaultScript(server, options, manners, strike, tool, phase, takes);
  }

  /// The same, with a fault that takes so long.
  FaultScript taking(int millis) {
    return new FaultScript(
        server, options, manners, strike, tool, until, Duration.ofMillis(millis));
  }
}
