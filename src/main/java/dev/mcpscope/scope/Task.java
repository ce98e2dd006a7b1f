package dev.mcpscope.scope;

/// What a subtask or a guest does. Its failure reaches whoever started it, as mail or by callback,
/// never as an uncaught exception.
@FunctionalInterface
public interface Task {
  /// Runs in its thread; interrupted when it shall end.
  void run() throws Exception;
}
