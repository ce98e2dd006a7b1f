/// An MCP client and connection host in which every connection is a task scope that one thread opens
/// and closes, so that nothing outlives it.
///
/// A user starts at [dev.mcpscope.client.McpClient], or at [dev.mcpscope.host.McpHost] for many
/// servers at once; a reader at [dev.mcpscope.scope.TaskScope].
module dev.mcpscope {
  requires tools.jackson.core;
  requires java.net.http;
  requires java.management;
  requires jdk.httpserver;
  requires jdk.management;

  exports dev.mcpscope.client;
  exports dev.mcpscope.host;
  exports dev.mcpscope.json;
  // What the signatures of the three above name.
  exports dev.mcpscope.http;
  exports dev.mcpscope.rpc;
  exports dev.mcpscope.scope;
  exports dev.mcpscope.transport;
}
