/// Many connections, by name, in sessions: the part that a chat application embeds.
///
/// Read [dev.mcpscope.host.McpHost] first, then `Session`, which decides what happens when two
/// callers want the same name. Threads: the host's owner, a session's owner for each session (a
/// subtask of the host's scope), a connection's owner for each connection (a subtask of its
/// session's), and a subtask of the host's that brings events to the listener, each in a guest.
package dev.mcpscope.host;
