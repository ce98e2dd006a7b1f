/// The contract that every transport fulfils, and the report of how a connection ended.
///
/// Read [dev.mcpscope.transport.Transport] first; [dev.mcpscope.transport.CloseReport] is what a
/// close leaves behind. A transport owns its I/O, but no thread: it names its tasks, and the
/// connection's owner forks them in the connection's scope.
package dev.mcpscope.transport;
