/// A child process as a transport: one JSON-RPC message a line, on its stdin and stdout.
///
/// Read [dev.mcpscope.stdio.StdioTransport] first, then `ChildProcess` (how it is started, on pipes
/// that a close can interrupt), `Outbox` (why no caller ever blocks on a pipe) and `ProcessTree`
/// (who has to be gone). Threads: `reader` (platform), `writer`, `stderr` and `watch` (virtual), all
/// subtasks of the connection's scope.
package dev.mcpscope.stdio;
