package dev.mcpscope.host;

import dev.mcpscope.client.ClientOptions;
import java.time.Duration;

/// The budgets and limits of a host; all of them 1 or more, and more than zero.
///
/// @param client those of each connection
/// @param sessions how many sessions there may be; default 1,024
/// @param connections how many connections, of all sessions together; default 1,024
/// @param connectionsPerSession how many names a session may hold; default 64
/// @param subscriptionsPerSession how many may subscribe to a session; default 16
/// @param sessionIdle after which time without a command a session goes in which nothing is
///     connected any more and to which nobody subscribes; default 5 min
/// @param close how long the host may take to end; default 10 s
public record HostOptions(
    ClientOptions client,
    int sessions,
    int connections,
    int connectionsPerSession,
    int subscriptionsPerSession,
    Duration sessionIdle,
    Duration close) {

  /// Checks each value by name.
  public HostOptions {
    positive("sessions", sessions);
    positive("connections", connections);
    positive("connectionsPerSession", connectionsPerSession);
    positive("subscriptionsPerSession", subscriptionsPerSession);
    positive("sessionIdle", sessionIdle);
    positive("close", close);
  }

  private static void positive(String name, int value) {
    if (value < 1) {
      throw new IllegalArgumentException(name + " must be 1 or more, is " + value);
    }
  }

  private static void positive(String name, Duration value) {
    if (!value.isPositive()) {
      throw new IllegalArgumentException(name + " must be more than zero, is " + value);
    }
  }

  /// Returns the defaults.
  public static HostOptions defaults() {
    return new HostOptions(
        ClientOptions.defaults(),
        1_024,
        1_024,
        64,
        16,
        Duration.ofMinutes(5),
        Duration.ofSeconds(10));
  }

  /// Returns the same with these options for each connection.
  public HostOptions withClient(ClientOptions options) {
    return new HostOptions(
        options,
        sessions,
        connections,
        connectionsPerSession,
        subscriptionsPerSession,
        sessionIdle,
        close);
  }

  /// Returns the same with these limits.
  public HostOptions withLimits(int sessions, int connections, int connectionsPerSession) {
    return new HostOptions(
        client,
        sessions,
        connections,
        connectionsPerSession,
        subscriptionsPerSession,
        sessionIdle,
        close);
  }

  /// Returns the same with this time for the host to end.
  public HostOptions withClose(Duration time) {
    return new HostOptions(
        client,
        sessions,
        connections,
        connectionsPerSession,
        subscriptionsPerSession,
        sessionIdle,
        time);
  }

  /// Returns the same with this life of a session in which nothing is connected.
  public HostOptions withSessionIdle(Duration time) {
    return new HostOptions(
        client, sessions, connections, connectionsPerSession, subscriptionsPerSession, time, close);
  }
}
