/// The MCP client: one connection to one server, owned by one thread, used by any.
///
/// A user reads [dev.mcpscope.client.McpClient] first. A reader of the code goes on with
/// [dev.mcpscope.client.Connection] and `Attempt`, which is the life of a connection on one screen:
/// opened, served, closed, in one method and one thread; then `Calls` (what a caller's thread does),
/// `Era` (what differs between the two eras of the protocol, all of it) and `Probe` (which one it is),
/// and `Handlers` (what the server asks).
package dev.mcpscope.client;
