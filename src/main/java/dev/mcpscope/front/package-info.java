/// The HTTP front: a few endpoints to connect, call and disconnect, and the checks before them.
///
/// Read [dev.mcpscope.front.Front] first (server, options, limits), then `Requests` (checks and
/// errors, in their order), `Reply` (how nobody waits for a client that does not read), `Api` (what
/// each endpoint does) with its parts `Connects`, `ToolCalls` and `View`, `CommandPolicy` (which
/// commands may be started), and `Remote` (what is shown of a URL, and what `***` stands for in one).
/// Threads: the JDK's HTTP server dispatches, each request is handled in a virtual thread of its own,
/// which is a caller of the host like any other and owns nothing but the scope in which its answer is
/// written.
package dev.mcpscope.front;
