package dev.mcpscope.host;

import dev.mcpscope.scope.Backlog;
import dev.mcpscope.scope.Deadline;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Consumer;

/// What happens in a session, for somebody who takes it at his own speed. Close it: the session lives
/// for it.
///
/// Nobody waits for the subscriber: more than 1,024 events do not wait for him, and he is told how
/// many he has missed. Used by one thread; any thread may close it.
public final class Subscription implements AutoCloseable {
  static final int MOST_WAITING = 1_024;

  private final Backlog<HostEvent> backlog = new Backlog<>(MOST_WAITING, HostEvent.POLICY);
  private final Consumer<Subscription> leave;

  Subscription(Consumer<Subscription> leave) {
    this.leave = leave;
  }

  /// Waits for the next event; unblocked by an event, by the session's end, by time and by interrupt.
  ///
  /// @param limit how long to wait; zero only looks
  /// @return the event; empty when time is over, or when the session has ended and [#isOver()]
  public Optional<HostEvent> next(Duration limit) throws InterruptedException {
    return Optional.ofNullable(backlog.next(Deadline.after(limit)));
  }

  /// Returns whether nothing will come any more: the session has ended, or this was closed.
  public boolean isOver() {
    return backlog.isOver();
  }

  void add(HostEvent event) {
    backlog.add(event);
  }

  void end() {
    backlog.close();
  }

  /// Takes the subscription back; never blocks; twice is fine.
  @Override
  public void close() {
    end();
    leave.accept(this);
  }
}
