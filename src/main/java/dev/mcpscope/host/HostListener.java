package dev.mcpscope.host;

import dev.mcpscope.client.McpClient;

/// What an application hears from its host. All of it is user code to the host: it runs in threads
/// outside the host's scopes, with deadlines, and what it throws never skips a cleanup.
public interface HostListener {

  /// Called before a connection is published as connected, within its time to connect; what it
  /// throws fails the connect.
  default void onConnect(String session, String name, McpClient client) throws Exception {}

  /// Called when a connection for which `onConnect` has returned is about to be closed, for whatever
  /// reason; calls are refused by then.
  default void onDisconnect(String session, String name, McpClient client) throws Exception {}

  /// Called with what happens, one event at a time, in order, for ten seconds each. A listener that
  /// is slow misses the oldest of what waits, and is told so. A failed connection's state comes once
  /// more when its restart is given up because the host has no room for it.
  default void event(HostEvent event) {}
}
