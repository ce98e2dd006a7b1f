/// JSON-RPC 2.0 as MCP uses it: messages, ids, errors, the codec between messages and bytes, and
/// the table of the calls that wait for their response.
///
/// Read [dev.mcpscope.rpc.RpcMessage] first, then [dev.mcpscope.rpc.RpcCodec]. Nothing here knows a
/// transport, and messages may be shared by threads.
package dev.mcpscope.rpc;
