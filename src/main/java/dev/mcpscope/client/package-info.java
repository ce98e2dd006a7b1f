/// The MCP client: one connection to one server, owned by one thread, used by any.
///
/// A user reads [dev.mcpscope.client.McpClient] first. A reader of the code goes on with
/// [dev.mcpscope.client.Connection], which is the life of a connection on one screen: opened,
/// served, closed, in one method and one thread; then `Calls` (what a caller's thread does), `Era`
/// (what differs between the revisions of the protocol) and `Handlers` (requests of the server).
package dev.mcpscope.client;
