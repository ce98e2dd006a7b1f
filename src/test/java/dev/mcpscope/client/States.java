package dev.mcpscope.client;

import java.util.ArrayList;
import java.util.List;

/// The states of a connection, in the order in which its observer was told of them.
final class States implements Connection.Observer {
  private final List<ConnectionState> states = new ArrayList<>();
  private final List<Thread> tellers = new ArrayList<>();

  @Override
  public synchronized void changed(ConnectionState state) {
    states.add(state);
    tellers.add(Thread.currentThread());
    notifyAll();
  }

  /// Waits until a state of this name has been reached, such as "initialize" or "Closing".
  void await(String name) throws InterruptedException {
    await(name, 1);
  }

  /// Waits until it has been reached so many times.
  synchronized void await(String name, int times) throws InterruptedException {
    while (states.stream().map(States::name).filter(name::equals).count() < times) {
      wait();
    }
  }

  /// Returns their names so far: those of phases while it is connecting, else those of the types.
  synchronized List<String> names() {
    return states.stream().map(States::name).toList();
  }

  /// Returns the newest one.
  synchronized ConnectionState last() {
    return states.getLast();
  }

  /// Returns who has told.
  synchronized List<Thread> tellers() {
    return tellers.stream().distinct().toList();
  }

  private static String name(ConnectionState state) {
    return state instanceof ConnectionState.Connecting(String phase)
        ? phase
        : state.getClass().getSimpleName();
  }
}
