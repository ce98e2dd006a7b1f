package dev.mcpscope.host;

import dev.mcpscope.client.ClientOptions;

/// How a host connects a name.
///
/// @param client the budgets of the connection
/// @param ifAbsent whether a connection that the name has already, or is getting, is good enough,
///     whichever server it is to: then nothing is stopped and nothing started
/// @param restart whether a server that is lost is started again
public record ConnectOptions(ClientOptions client, boolean ifAbsent, Restart restart) {

  /// Whether a stdio server that was connected and is lost is started again: as a new generation,
  /// with the same options, inside the host's [HostOptions.RestartBudget]. Calls are not repeated.
  public enum Restart {
    /// It stays lost until somebody connects its name.
    NEVER,
    /// It is started again when it has ended or has closed its side; not when it has broken the
    /// protocol, and not when this side has closed the connection.
    ON_CRASH
  }

  /// Returns those of a connect that takes the place of what has its name, and restarts nothing.
  ///
  /// @param client the host's own, if there is no reason for others: [HostOptions#client()]
  public static ConnectOptions of(ClientOptions client) {
    return new ConnectOptions(client, false, Restart.NEVER);
  }

  /// Returns the same with these budgets of the connection.
  public ConnectOptions withClient(ClientOptions client) {
    return new ConnectOptions(client, ifAbsent, restart);
  }

  /// Returns the same, with or without regard for what the name has already.
  public ConnectOptions withIfAbsent(boolean ifAbsent) {
    return new ConnectOptions(client, ifAbsent, restart);
  }

  /// Returns the same with this answer to a crash.
  public ConnectOptions withRestart(Restart restart) {
    return new ConnectOptions(client, ifAbsent, restart);
  }
}
