package dev.mcpscope.client;

import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.transport.CloseBudget;
import dev.mcpscope.transport.ReconnectBudget;
import java.time.Duration;

/// What a connection may take, and what it does for its server. All durations are more than zero, and zero is refused: to wait for
/// ever is not on offer.
///
/// @param name what the client calls itself to servers
/// @param version its version
/// @param connectTimeout from the start until the connection is ready, `onConnect` included; default
///     30 s
/// @param callTimeout for one call, started anew by its progress; default 60 s
/// @param callMaximum for one call, whatever progress it reports; default 10 min
/// @param handlerTimeout for a handler of [ClientFeatures] to answer; default 10 min
/// @param listenerTimeout for the listener of [ClientFeatures] to take one event; default 10 s
/// @param close the steps of a close
/// @param reconnect for the stream of a server over HTTP
/// @param protocol how the protocol is spoken
/// @param limits how much a server may send
/// @param features what it does for its server; default nothing
public record ClientOptions(
    String name,
    String version,
    Duration connectTimeout,
    Duration callTimeout,
    Duration callMaximum,
    Duration handlerTimeout,
    Duration listenerTimeout,
    CloseBudget close,
    ReconnectBudget reconnect,
    Protocol protocol,
    Limits limits,
    ClientFeatures features) {

  /// How the protocol is spoken.
  ///
  /// @param era which era; default [EraChoice#AUTO]
  /// @param probeTimeout how long a server is given to say which era it knows before it is taken for a
  ///     legacy one, but no more than half of the time to connect; more than zero; default 5 s. A modern
  ///     server that says so later is heard all the same
  /// @param caching whether what a server says may be used again for as long as it allows (`ttlMs`), and
  ///     until it says that it has changed; default true. Only modern servers allow it
  public record Protocol(EraChoice era, Duration probeTimeout, boolean caching) {

    /// Checks the range.
    public Protocol {
      positive("probeTimeout", probeTimeout);
    }

    /// Returns the defaults.
    public static Protocol defaults() {
      return new Protocol(EraChoice.AUTO, Duration.ofSeconds(5), true);
    }

    /// Returns the same for this era.
    public Protocol withEra(EraChoice era) {
      return new Protocol(era, probeTimeout, caching);
    }

    /// Returns the same with this time to say which era it is.
    public Protocol withProbeTimeout(Duration time) {
      return new Protocol(era, time, caching);
    }

    /// Returns the same with or without a cache.
    public Protocol withCaching(boolean caching) {
      return new Protocol(era, probeTimeout, caching);
    }
  }

  /// How much a server may send; each is 1 or more.
  ///
  /// @param message what one message may be; its length is that of a line on stdio, and of a body or
  ///     an event over HTTP
  /// @param stderrBytes how much of the end of stderr is kept; default 64 KiB
  /// @param pages how many pages a list may have; default 1,000
  /// @param items how many tools, resources or prompts a server may have; default 10,000
  /// @param serverRequests how many of its requests may be unanswered; default 256
  /// @param events how many events may wait for the listener; default 1,024
  /// @param eventBytes how long a notification may be, and 32 times as many as the values that it may
  ///     hold; one that exceeds this is dropped and counted; default 64 KiB, 2,048 values
  public record Limits(
      JsonLimits message,
      int stderrBytes,
      int pages,
      int items,
      int serverRequests,
      int events,
      int eventBytes) {

    /// Checks each value by name.
    public Limits {
      positive("stderrBytes", stderrBytes);
      positive("pages", pages);
      positive("items", items);
      positive("serverRequests", serverRequests);
      positive("events", events);
      positive("eventBytes", eventBytes);
    }

    private static void positive(String name, int value) {
      if (value < 1) {
        throw new IllegalArgumentException(name + " must be 1 or more, is " + value);
      }
    }

    /// Returns the defaults.
    public static Limits defaults() {
      return new Limits(JsonLimits.defaults(), 64 << 10, 1_000, 10_000, 256, 1_024, 64 << 10);
    }

    /// Returns the same with these limits of a message.
    public Limits withMessage(JsonLimits message) {
      return new Limits(message, stderrBytes, pages, items, serverRequests, events, eventBytes);
    }
  }

  /// Checks each value by name.
  public ClientOptions {
    positive("connectTimeout", connectTimeout);
    positive("callTimeout", callTimeout);
    positive("callMaximum", callMaximum);
    positive("handlerTimeout", handlerTimeout);
    positive("listenerTimeout", listenerTimeout);
  }

  private static void positive(String name, Duration value) {
    if (!value.isPositive()) {
      throw new IllegalArgumentException(name + " must be more than zero, is " + value);
    }
  }

  /// How long a server is given to say which era it knows: who has said nothing by then needs time for a
  /// handshake.
  Duration probeTime() {
    Duration half = connectTimeout.dividedBy(2);
    return protocol.probeTimeout().compareTo(half) < 0 ? protocol.probeTimeout() : half;
  }

  /// Returns who asks, as servers are told.
  JsonObject identity() {
    return JsonObject.of("name", name, "version", version);
  }

  /// Returns the defaults.
  public static ClientOptions defaults() {
    return new ClientOptions(
        "mcp-scope",
        "0.1.0",
        Duration.ofSeconds(30),
        Duration.ofSeconds(60),
        Duration.ofMinutes(10),
        Duration.ofMinutes(10),
        Duration.ofSeconds(10),
        CloseBudget.defaults(),
        ReconnectBudget.defaults(),
        Protocol.defaults(),
        Limits.defaults(),
        ClientFeatures.none());
  }

  /// Returns the same with this name and version of the client.
  public ClientOptions withIdentity(String name, String version) {
    return new ClientOptions(
        name,
        version,
        connectTimeout,
        callTimeout,
        callMaximum,
        handlerTimeout,
        listenerTimeout,
        close,
        reconnect,
        protocol,
        limits,
        features);
  }

  /// Returns the same with this time to connect in.
  public ClientOptions withConnectTimeout(Duration time) {
    return new ClientOptions(
        name,
        version,
        time,
        callTimeout,
        callMaximum,
        handlerTimeout,
        listenerTimeout,
        close,
        reconnect,
        protocol,
        limits,
        features);
  }

  /// Returns the same with this time for a call without progress, and this one for any call.
  public ClientOptions withCallTimeout(Duration time, Duration maximum) {
    return new ClientOptions(
        name,
        version,
        connectTimeout,
        time,
        maximum,
        handlerTimeout,
        listenerTimeout,
        close,
        reconnect,
        protocol,
        limits,
        features);
  }

  /// Returns the same with this time for handlers, and this one for the listener.
  public ClientOptions withHandlerTimeout(Duration handler, Duration listener) {
    return new ClientOptions(
        name,
        version,
        connectTimeout,
        callTimeout,
        callMaximum,
        handler,
        listener,
        close,
        reconnect,
        protocol,
        limits,
        features);
  }

  /// Returns the same with this budget for closing.
  public ClientOptions withClose(CloseBudget budget) {
    return new ClientOptions(
        name,
        version,
        connectTimeout,
        callTimeout,
        callMaximum,
        handlerTimeout,
        listenerTimeout,
        budget,
        reconnect,
        protocol,
        limits,
        features);
  }

  /// Returns the same with this budget for opening a stream again.
  public ClientOptions withReconnect(ReconnectBudget budget) {
    return new ClientOptions(
        name,
        version,
        connectTimeout,
        callTimeout,
        callMaximum,
        handlerTimeout,
        listenerTimeout,
        close,
        budget,
        protocol,
        limits,
        features);
  }

  /// Returns the same, speaking the protocol like this.
  public ClientOptions withProtocol(Protocol other) {
    return new ClientOptions(
        name,
        version,
        connectTimeout,
        callTimeout,
        callMaximum,
        handlerTimeout,
        listenerTimeout,
        close,
        reconnect,
        other,
        limits,
        features);
  }

  /// Returns the same for this era.
  public ClientOptions withEra(EraChoice era) {
    return withProtocol(protocol.withEra(era));
  }

  /// Returns the same with these limits.
  public ClientOptions withLimits(Limits other) {
    return new ClientOptions(
        name,
        version,
        connectTimeout,
        callTimeout,
        callMaximum,
        handlerTimeout,
        listenerTimeout,
        close,
        reconnect,
        protocol,
        other,
        features);
  }

  /// Returns the same with this done for its server.
  public ClientOptions withFeatures(ClientFeatures given) {
    return new ClientOptions(
        name,
        version,
        connectTimeout,
        callTimeout,
        callMaximum,
        handlerTimeout,
        listenerTimeout,
        close,
        reconnect,
        protocol,
        limits,
        given);
  }
}
