package dev.mcpscope.host;

import dev.mcpscope.Eras;
import dev.mcpscope.client.ClientFeatures;
import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.EraChoice;
import dev.mcpscope.client.McpClient;
import dev.mcpscope.client.McpException;
import dev.mcpscope.client.RemoteErrorException;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.rpc.RpcError;
import dev.mcpscope.transport.CloseReport;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;

/// The user code of a [Walk]: what it does in callbacks, and what must be so of these.
final class WalkGuests implements HostListener {

  /// What a callback does.
  enum Manner {
    FINE,
    CALLS,
    THROWS,
    HANGS,
    /// Stays until [#release()], and does not heed its interrupt.
    STUBBORN,
    /// Ends its own connection.
    ENDS
  }

  /// How one connect goes, and who is called in it.
  ///
  /// @param era which one is wanted
  /// @param feature the listener of what the server tells, and the handler of what it asks
  record Plan(
      ServerSpec spec,
      WalkServer server,
      EraChoice era,
      Manner onConnect,
      Manner onDisconnect,
      Manner feature) {
    /// Whether there can be a connection at all.
    boolean connects() {
      return server.connects(era) && onConnect != Manner.THROWS;
    }

    /// Whether this comes of a server that was killed when it was asked for its era. It is taken for
    /// one that has died of the question, is started again as that, and says that it is none.
    boolean isTakenForAnother(RemoteErrorException refusal) {
      return era == EraChoice.AUTO
          && server.eras() == Eras.MODERN
          && server instanceof WalkServer.Process
          && refusal.code() == RpcError.UNSUPPORTED_PROTOCOL_VERSION;
    }

    /// Whether one of its callbacks could still be there when its connection has ended. One that hangs
    /// heeds its interrupt, but on a busy machine it may be late.
    boolean mayStay() {
      return !Set.of(Manner.FINE, Manner.THROWS)
          .containsAll(List.of(onConnect, onDisconnect, feature));
    }
  }

  private final WalkRules rules;
  private final WalkRules.Order order;
  private final Map<ServerSpec, Plan> plans = new ConcurrentHashMap<>();
  private final Set<Thread> threads = ConcurrentHashMap.newKeySet();
  private final Map<Long, String> welcomed = new ConcurrentHashMap<>(); // by generation
  private final Map<Long, String> bidden = new ConcurrentHashMap<>(); // goodbye
  private volatile CountDownLatch release = new CountDownLatch(1);
  volatile McpHost host;

  WalkGuests(WalkRules rules) {
    this.rules = rules;
    this.order = rules.new Order();
  }

  void add(Plan plan) {
    plans.put(plan.spec(), plan);
  }

  Plan plan(ConnectionStatus status) {
    return plans.get(status.spec());
  }

  // Callbacks.

  @Override
  public void onConnect(String session, String name, McpClient client) throws Exception {
    threads.add(Thread.currentThread());
    ConnectionStatus status = host.status(session, name).orElseThrow();
    behave(plan(status).onConnect(), session, name, client);
    welcomed.put(status.generation(), session + "/" + name);
  }

  @Override
  public void onDisconnect(String session, String name, McpClient client) throws Exception {
    threads.add(Thread.currentThread());
    ConnectionStatus status = host.status(session, name).orElseThrow();
    if (bidden.put(status.generation(), session + "/" + name) != null) {
      rules.broken("onDisconnect was called twice: " + status);
    }
    if (!(status.state() instanceof ConnectionState.Closing)) {
      rules.broken("onDisconnect was called in " + status);
    }
    if (!welcomed.containsKey(status.generation())) {
      rules.broken("onDisconnect was called without an onConnect that has returned: " + status);
    }
    Manner manner = plan(status).onDisconnect();
    if (manner == Manner.CALLS) {
      try {
        client.ping();
        rules.broken("a call was done while closing: " + status);
      } catch (McpException e) {
        return;
      }
    }
    behave(manner, session, name, client);
  }

  private void behave(Manner manner, String session, String name, McpClient client)
      throws Exception {
    switch (manner) {
      case FINE -> {}
      case CALLS -> client.ping();
      case THROWS -> throw new IllegalStateException("as planned");
      case HANGS -> new CountDownLatch(1).await();
      case STUBBORN -> stay();
      case ENDS -> {
        if (name.equals("a")) {
          host.disconnect(session, name);
        } else {
          client.close();
        }
      }
    }
  }

  private void stay() {
    CountDownLatch over = release;
    while (over.getCount() > 0) {
      try {
        over.await();
      } catch (InterruptedException e) {
        // that is the point: it does not heed it
      }
    }
    throw new IllegalStateException("it took a little longer");
  }

  /// What a client does for its server, in this manner.
  ClientFeatures features(Manner manner) {
    return ClientFeatures.none()
        .withListener(_ -> feature(manner))
        .withRoots(() -> {
          feature(manner);
          return List.of();
        });
  }

  private void feature(Manner manner) {
    threads.add(Thread.currentThread());
    switch (manner) {
      case FINE, CALLS, ENDS -> {}
      case THROWS -> throw new IllegalStateException("as planned");
      case HANGS -> {
        try {
          new CountDownLatch(1).await();
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
        }
      }
      case STUBBORN -> stay();
    }
  }

  @Override
  public void event(HostEvent event) {
    order.take(event);
    if (event instanceof HostEvent.Changed(var status)) {
      rules.count(status.state().getClass().getSimpleName());
      switch (status.state()) {
        case ConnectionState.Closed(_, CloseReport report) -> check(status, report);
        case ConnectionState.Failed(_, CloseReport report) -> check(status, report);
        case ConnectionState.Connecting _, ConnectionState.Usable _, ConnectionState.Closing _ ->
            rules.begun(status);
      }
      if (status.generation() % 7 == 0) {
        throw new IllegalStateException("as planned");
      }
    }
  }

  private void check(ConnectionStatus status, CloseReport report) {
    rules.check(status, report, plan(status).mayStay());
  }

  // When all has ended.

  /// Lets go who does not heed interrupts, waits until every callback has ended, and checks that for
  /// each `onConnect` that has returned there was an `onDisconnect`.
  void release() throws InterruptedException {
    release.countDown();
    for (Thread thread : threads) {
      if (!thread.join(Duration.ofSeconds(10))) {
        rules.broken("a callback does not end: " + thread);
      }
    }
    threads.clear();
    welcomed.forEach((generation, name) -> {
      if (!bidden.containsKey(generation)) {
        rules.broken("onDisconnect was not called: " + name + "#" + generation);
      }
    });
    release = new CountDownLatch(1);
  }

  /// Lets go who does not heed interrupts.
  void releaseAll() {
    release.countDown();
  }
}
