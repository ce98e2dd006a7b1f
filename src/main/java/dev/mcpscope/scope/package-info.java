/// The owning thread: [dev.mcpscope.scope.TaskScope] and the [dev.mcpscope.scope.Mailbox] it lives
/// by, [dev.mcpscope.scope.Deadline], and [dev.mcpscope.scope.Guest] for code that is not ours.
///
/// Read [dev.mcpscope.scope.TaskScope] first: it is the idea of the whole project on one page.
/// This is the only package that uses `java.util.concurrent.StructuredTaskScope`, so that the
/// drift of that preview API from one JDK to the next is a change in one file.
package dev.mcpscope.scope;
