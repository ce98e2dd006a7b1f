/// A server over HTTP as a transport: streamable HTTP, and the older HTTP with server-sent events.
///
/// Read [dev.mcpscope.http.HttpTransport] first, then `Exchange` (one message, and what comes back for
/// it), `ServerStream` (what the server says unasked) and `SseParser`. Threads: `http`, which owns a
/// scope of its own, and in that one virtual subtask for each exchange and one for the stream; what
/// the JDK needs besides is [dev.mcpscope.http.HttpPool]'s.
package dev.mcpscope.http;
