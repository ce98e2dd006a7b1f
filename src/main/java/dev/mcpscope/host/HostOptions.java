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
///     connected any more, nor waits to be started again, and to which nobody subscribes; default
///     5 min
/// @param close how long the host may take to end; default 10 s
/// @param restart when servers are started again that were lost, if their connects say so
public record HostOptions(
    ClientOptions client,
    int sessions,
    int connections,
    int connectionsPerSession,
    int subscriptionsPerSession,
    Duration sessionIdle,
    Duration close,
    RestartBudget restart) {

  /// How often, and how soon, a lost server is started again; durations are more than zero.
  ///
  /// @param first the wait before the first attempt, which doubles with each that follows; default
  ///     1 s. Each is up to 20 % shorter or longer by chance, lest servers that were lost together
  ///     come back together
  /// @param most the longest wait, not less than the first; default 30 s
  /// @param attempts how many there are in a row before the name is given up, 1 or more; one that
  ///     finds no room in the host counts too; default 5
  /// @param stable how long a connection has to stay for the count to start anew; default 60 s
  public record RestartBudget(Duration first, Duration most, int attempts, Duration stable) {

    /// Checks each value by name.
    public RestartBudget {
      positive("first", first);
      if (most.compareTo(first) < 0) {
        throw new IllegalArgumentException("most must be " + first + " or more, is " + most);
      }
      positive("attempts", attempts);
      positive("stable", stable);
    }

    /// Returns the defaults.
    public static RestartBudget defaults() {
      return new RestartBudget(
          Duration.ofSeconds(1), Duration.ofSeconds(30), 5, Duration.ofSeconds(60));
    }
  }

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
        Duration.ofSeconds(10),
        RestartBudget.defaults());
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
        close,
        restart);
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
        close,
        restart);
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
        time,
        restart);
  }

  /// Returns the same with this life of a session in which nothing is connected.
  public HostOptions withSessionIdle(Duration time) {
    return new HostOptions(
        client,
        sessions,
        connections,
        connectionsPerSession,
        subscriptionsPerSession,
        time,
        close,
        restart);
  }

  /// Returns the same with this budget for restarts.
  public HostOptions withRestart(RestartBudget budget) {
    return new HostOptions(
        client,
        sessions,
        connections,
        connectionsPerSession,
        subscriptionsPerSession,
        sessionIdle,
        close,
        budget);
  }
}
