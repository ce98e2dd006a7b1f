package dev.mcpscope.client;

import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/// A thread that calls, and what came of it.
final class Caller<T> {
  private final FutureTask<T> task;
  private final Thread thread;

  Caller(Callable<T> call) {
    task = new FutureTask<>(call);
    thread = Thread.ofVirtual().name("caller").start(task);
  }

  void interrupt() {
    thread.interrupt();
  }

  /// Waits for it, whatever comes of it.
  void join() {
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /// Waits for it and returns what the call has returned.
  T result() throws Exception {
    thread.join();
    return task.get();
  }

  /// Waits for it and returns what the call has thrown.
  Throwable failure() throws InterruptedException {
    thread.join();
    try {
      throw new AssertionError("no failure, but " + task.get());
    } catch (ExecutionException e) {
      return e.getCause();
    }
  }
}
