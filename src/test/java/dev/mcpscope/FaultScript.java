package dev.mcpscope;

import dev.mcpscope.ScriptedServer.Fault;
import dev.mcpscope.client.ClientOptions;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.transport.CloseBudget;
import dev.mcpscope.transport.ReconnectBudget;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

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
    /// @param exists whether there is such a program at all
    record Stdio(ServerSpec.Stdio spec, boolean exists) implements Server {}

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
    return stdio(ScriptedServer.with(faults), true);
  }

  /// The same, behind a shell that has started it.
  static FaultScript wrapped(Fault... faults) {
    return stdio(ScriptedServer.wrapped(faults), true);
  }

  /// A program that is not there.
  static FaultScript missing(String command) {
    return stdio(ServerSpec.stdio(command), false);
  }

  private static FaultScript stdio(ServerSpec.Stdio spec, boolean exists) {
    return of(new Server.Stdio(spec, exists));
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

  private FaultScript withOptions(ClientOptions options) {
    return new FaultScript(server, options, manners, strike, tool, until, takes);
  }

  /// The same, to be connected in so many milliseconds.
  FaultScript connectIn(int millis) {
    return withOptions(options.withConnectTimeout(Duration.ofMillis(millis)));
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
