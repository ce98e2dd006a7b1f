/// JSON-RPC 2.0 as MCP uses it: messages, ids, errors, and the codec between messages and bytes.
///
/// Read [dev.mcpscope.rpc.RpcMessage] first, then [dev.mcpscope.rpc.RpcCodec]. Nothing here knows a
/// transport or a thread.
package dev.mcpscope.rpc;
