package dev.mcpscope.demo;

/// What takes its time, and so has a thread of its own: a call of a tool, or a subscription. From the
/// other threads it hears that it is to leave; neither way blocks.
sealed interface DemoTask permits DemoCall, DemoListen {

  /// Where it says what it has to say.
  DemoOutput out();

  /// The client does not want its answer any more.
  void cancel();

  /// The server ends.
  void end();
}
