package dev.mcpscope.host;

import dev.mcpscope.HttpFault.End;
import dev.mcpscope.client.CallOptions;
import dev.mcpscope.client.CallTimeoutException;
import dev.mcpscope.client.ClientOptions;
import dev.mcpscope.client.ConnectionClosedException;
import dev.mcpscope.client.ConnectionLostException;
import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.EraChoice;
import dev.mcpscope.client.McpClient;
import dev.mcpscope.client.McpException;
import dev.mcpscope.client.RemoteErrorException;
import dev.mcpscope.client.ToolResult;
import dev.mcpscope.host.WalkGuests.Manner;
import dev.mcpscope.host.WalkGuests.Plan;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.transport.CloseBudget;
import dev.mcpscope.transport.CloseReport;
import dev.mcpscope.transport.ReconnectBudget;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;

/// A walk of many commands through one host, chosen by chance.
///
/// Every choice comes from one `Random`, in one thread, and none depends on what has come of those
/// before: a seed is always the same commands in the same order. What they do to each other is not
/// the same. Many are under way at once, each in a thread of its own, and how those, the host's and
/// the servers' interleave is the machine's; so a seed that has failed replays its commands, and its
/// race only as far as it depends on these.
final class Walk {
  private static final int SESSIONS = 20;
  private static final int MOST_UNDER_WAY = 32;
  private static final int STEPS_TO_A_STOP = 500;
  private static final int TOLD = 30;
  private static final int ENOUGH = 5_000; // steps, for everything to have happened
  private static final int RECENT = 10;
  private static final int CONNECTS = 18; // percent of all commands

  private static final CloseBudget CLOSE_STEPS =
      new CloseBudget(millis(100), millis(250), millis(200), millis(2_500));
  private static final Duration CONNECT = millis(4_000);
  private static final Duration HASTY = millis(500);
  private static final Duration PROBE = millis(400);
  private static final Duration CALL = millis(300);
  private static final Duration MOST_CALL = millis(2_500);

  // When an answer is late: its budget, and what a busy machine may take. A command may wait for
  // the
  // end of its session, a connect for that of another connection too, and for its own if it fails.
  private static final Duration BUSY = millis(6_000);
  private static final Duration CLOSE_BOUND = CloseBudget.MAXIMUM.plus(BUSY);
  private static final Duration CONNECT_BOUND =
      CloseBudget.MAXIMUM.multipliedBy(2).plus(CONNECT).plus(BUSY);
  private static final Duration AWHILE = millis(250);
  private static final Duration CALL_BOUND = MOST_CALL.multipliedBy(2).plus(BUSY);

  /// A name in a session.
  private record Place(String session, String name) {
    @Override
    public String toString() {
      return session + "/" + name;
    }
  }

  /// A client that was seen somewhere, and is used from there on, be its connection still there or not.
  private record Seen(McpClient client, long generation, WalkServer server) {}

  /// A call that is given.
  ///
  /// @param begun not later than the call itself
  private record Call(
      Place place, Seen seen, String tool, String text, Duration time, long begun) {}

  private record Heard(Subscription subscription, WalkRules.Order order) {}

  private record Due(int step, WalkAnswer answer) {}

  private final long seed;
  private final Random random;
  private final HostOptions options;
  private final WalkRules rules;
  private final WalkGuests guests;
  private final List<WalkServer.Process> processes = WalkServer.processes();
  private final List<WalkServer.Remote> remotes;
  private final WalkProcesses running;
  private final McpHost host;

  private final ArrayDeque<Object> told = new ArrayDeque<>(); // the last commands
  private final ArrayDeque<WalkAnswer> underWay = new ArrayDeque<>();
  private final List<Due> interrupts = new ArrayList<>();
  private final Map<Place, Seen> clients = new HashMap<>();
  private final Map<String, List<Heard>> heard = new TreeMap<>();
  private final Set<WalkServer.Remote> away = new HashSet<>();
  private Place hot = new Place("s0", "a"); // where much happens for a while
  private final ArrayDeque<WalkAnswer> connects = new ArrayDeque<>(); // to servers that are there
  private final List<Place> recent = new ArrayList<>(); // where something may be connected
  private int step;

  private Walk(
      long seed,
      WalkRules rules,
      HostOptions options,
      List<WalkServer.Remote> remotes,
      WalkProcesses running,
      WalkGuests guests,
      McpHost host) {
    this.seed = seed;
    this.random = new Random(seed);
    this.options = options;
    this.rules = rules;
    this.remotes = remotes;
    this.running = running;
    this.guests = guests;
    this.host = host;
  }

  private static Duration millis(int millis) {
    return Duration.ofMillis(millis);
  }

  private static HostOptions options() {
    ClientOptions client =
        ClientOptions.defaults()
            .withConnectTimeout(CONNECT)
            .withCallTimeout(CALL, MOST_CALL)
            .withHandlerTimeout(millis(200), millis(150))
            .withClose(CLOSE_STEPS)
            .withReconnect(new ReconnectBudget(millis(20), millis(100), 4))
            .withProtocol(ClientOptions.Protocol.defaults().withProbeTimeout(PROBE));
    return HostOptions.defaults()
        .withClient(client)
        .withLimits(SESSIONS - 2, 30, 3)
        .withSessionIdle(millis(300))
        .withRestart(new HostOptions.RestartBudget(millis(10), millis(100), 3, millis(500)));
  }

  /// Walks from its beginning to its end, and leaves nothing.
  ///
  /// @return what has happened, in numbers
  /// @throws AssertionError which rule was broken, and after which commands
  static String of(long seed, int steps) throws Exception {
    HostOptions options = options();
    List<WalkServer.Remote> remotes = WalkServer.remotes();
    try (var rules = new WalkRules(options);
        var running = new WalkProcesses()) {
      rules.takeLog();
      var guests = new WalkGuests(rules);
      try (var host = McpHost.open(options, guests)) {
        guests.host = host;
        var walk = new Walk(seed, rules, options, remotes, running, guests, host);
        walk.walk(steps);
        return walk.summary();
      } finally {
        guests.releaseAll();
      }
    } finally {
      remotes.forEach(remote -> remote.server().close());
    }
  }

  private String summary() {
    return new TreeMap<>(rules.counts()).toString();
  }

  private void walk(int steps) throws Exception {
    for (step = 1; step <= steps; step++) {
      interruptWhoIsDue();
      command(random.nextInt(100));
      takeWhatIsThere();
      while (underWay.size() > MOST_UNDER_WAY) {
        take(underWay.poll());
      }
      rules.check(host);
      if (step % 10 == 0) {
        running.overlap().ifPresent(rules::broken);
        remotes.forEach(this::nobodyListensWhoHasEnded);
      }
      failIfBroken();
      if (step % STEPS_TO_A_STOP == 0) {
        stop(random.nextBoolean());
      }
    }
    step = steps;
    end();
    if (steps >= ENOUGH) {
      hasWalked();
    }
  }

  /// A walk in which nothing happens breaks no rule.
  private void hasWalked() {
    for (String what :
        List.of(
            "connect: connected",
            "connect: failed",
            "connect: REPLACED",
            "connect: DISCONNECTED",
            "connect: SESSION_ENDED",
            "connect: 2026-07-28",
            "connect: 2025-11-25",
            "started twice",
            "subscribe: done",
            "ask: answered",
            "disconnect: report",
            "call: answered",
            "call: CallTimeoutException",
            "call: ConnectionClosedException",
            "call: ConnectionLostException",
            "GRACEFUL",
            "TERMINATED",
            "KILLED",
            "SIGKILL",
            "Degraded",
            "Failed")) {
      if (rules.counted(what) == 0) {
        rules.broken("this has never happened: " + what);
      }
    }
    failIfBroken();
  }

  // Commands.

  private void command(int choice) throws Exception {
    if (step % 40 == 0) {
      hot = anyPlace();
    }
    Place place = place(choice < CONNECTS ? 8 : 2);
    if (choice < 9) {
      connect(place, false, true);
    } else if (choice < 14) {
      connect(place, true, true);
    } else if (choice < CONNECTS) {
      connect(place, random.nextBoolean(), false);
    } else if (choice < 22) {
      disconnect(place);
    } else if (choice < 23) {
      disconnect(place);
      disconnect(place);
    } else if (choice < 24) {
      close(place);
    } else if (choice < 46) {
      call(place, CALL);
    } else if (choice < 50) {
      call(place, MOST_CALL);
    } else if (choice < 56) {
      call(place, millis(1 + random.nextInt(50)));
    } else if (choice < 62) {
      interruptLater(call(place, CALL));
    } else if (choice < 65) {
      signal(place, "KILL");
    } else if (choice < 67) {
      signal(place, "STOP");
    } else if (choice < 70) {
      signal(place, "CONT");
    } else if (choice < 74) {
      harm(remotes.get(random.nextInt(remotes.size())), random.nextInt(HARMS.size()));
    } else if (choice < 75) {
      tell(endSession(place.session));
    } else if (choice < 78) {
      subscribe(place.session);
    } else if (choice < 80) {
      unsubscribe(place.session);
    } else if (choice < 85) {
      tell(step + ": listen to " + place.session);
      listen(place.session);
    } else if (choice < 88) {
      look(place.session);
    } else if (choice < 94) {
      awaitAWhile(connects.peekLast());
    } else if (choice < 97) {
      subscribeTo(place, "scripted:" + random.nextInt(3), random.nextInt(3) > 0);
    } else if (choice < 99) {
      call(place, CALL);
    } else {
      await(underWay.peek());
    }
  }

  /// Returns a place: so often of sixteen times any, else one where something was connected lately, or
  /// where much happens for a while.
  private Place place(int any) {
    int choice = random.nextInt(16);
    int which = random.nextInt(RECENT);
    Place one = anyPlace();
    return choice < any ? one : choice < 13 && which < recent.size() ? recent.get(which) : hot;
  }

  private Place anyPlace() {
    String session = "s" + random.nextInt(SESSIONS);
    return new Place(session, String.valueOf("abcd".charAt(random.nextInt(4))));
  }

  private void tell(Object command) {
    told.add(command);
    if (told.size() > TOLD) {
      told.poll();
    }
  }

  /// Gives a command, in a thread of its own.
  private <T> WalkAnswer give(
      String what, Duration bound, Callable<T> call, WalkAnswer.Judge<T> judge) {
    return given(new WalkAnswer(step + ": " + what, bound, call, judge));
  }

  private WalkAnswer given(WalkAnswer answer) {
    underWay.add(answer);
    tell(answer);
    return answer;
  }

  private EraChoice eraChoice() {
    return switch (random.nextInt(8)) {
      case 0 -> EraChoice.LEGACY;
      case 1 -> EraChoice.MODERN;
      default -> EraChoice.AUTO;
    };
  }

  private Manner manner() {
    int choice = random.nextInt(20);
    return choice < 13 ? Manner.FINE : Manner.values()[random.nextInt(Manner.values().length)];
  }

  private void connect(Place place, boolean ifAbsent, boolean wait) throws Exception {
    recent.add(place);
    if (recent.size() > RECENT) {
      recent.removeFirst();
    }
    boolean process = random.nextInt(100) < 34;
    WalkServer server =
        process
            ? processes.get(random.nextInt(processes.size()))
            : remotes.get(random.nextInt(remotes.size()));
    String mark = place.session + "." + place.name + "." + step;
    var plan = new Plan(server.spec(mark), server, eraChoice(), manner(), manner(), manner());
    boolean restart = random.nextInt(3) == 0;
    boolean interrupted = random.nextInt(8) == 0;
    int until = random.nextInt(4);
    boolean patient = plan.connects() && plan.onConnect() != Manner.HANGS;
    guests.add(plan);
    var connect =
        new ConnectOptions(
            options
                .client()
                .withConnectTimeout(patient ? CONNECT : HASTY)
                .withEra(plan.era())
                .withFeatures(guests.features(plan.feature())),
            ifAbsent,
            restart ? ConnectOptions.Restart.ON_CRASH : ConnectOptions.Restart.NEVER);
    String what =
        (wait ? "connect " : "ask for ")
            + place
            + (ifAbsent ? " if absent" : "")
            + (restart ? " with restarts, " : ", ")
            + plan.era()
            + " "
            + plan.onConnect()
            + " "
            + plan.onDisconnect()
            + " "
            + plan.feature()
            + ", "
            + server;
    WalkAnswer.Judge<ConnectionStatus> judge =
        (status, failure) -> wrong(place, plan, ifAbsent, status, failure);
    if (wait) {
      WalkAnswer answer =
          give(
              what,
              CONNECT_BOUND,
              () -> host.connect(place.session, place.name, plan.spec(), connect),
              judge);
      if (!process) {
        connects.add(answer);
      }
      if (interrupted) {
        interrupts.add(new Due(step + until, answer));
      }
    } else {
      CompletableFuture<ConnectionStatus> answer;
      answer = host.connecting(place.session, place.name, plan.spec(), connect);
      given(new WalkAnswer(step + ": " + what, CONNECT_BOUND, answer, judge));
    }
  }

  private String wrong(
      Place place, Plan plan, boolean ifAbsent, ConnectionStatus status, Throwable failure) {
    switch (failure) {
      case null -> {}
      case ConnectionClosedException closed -> {
        rules.count("connect: " + closed.reason());
        return null;
      }
      case LimitException _ -> {
        rules.count("connect: limit");
        return null;
      }
      case ConnectionLostException _, CallTimeoutException _ -> {
        rules.count("connect: failed");
        return null;
      }
      case RemoteErrorException refused when plan.isTakenForAnother(refused) -> {
        rules.count("connect: taken for another era");
        return null;
      }
      case McpException _ -> {
        rules.count("connect: failed");
        boolean good =
            plan.server().isGood()
                && plan.connects()
                && plan.onConnect() == Manner.FINE
                && !ifAbsent;
        return good ? "a good server cannot fail so" : null;
      }
      default -> {
        return "not a failure of a connect: " + failure;
      }
    }
    rules.count("connect: connected");
    Plan connected = guests.plan(status);
    if (!status.session().equals(place.session) || !status.name().equals(place.name)) {
      return "it has got another place: " + status;
    }
    if (!ifAbsent && connected != plan) {
      return "it has got another server: " + status;
    }
    if (!connected.connects()) {
      return "it cannot be connected: " + status;
    }
    status
        .client()
        .ifPresent(client -> rules.count("connect: " + client.server().protocolVersion()));
    return status.state() instanceof ConnectionState.Usable ? null : "not usable: " + status;
  }

  private void disconnect(Place place) {
    boolean interrupted = random.nextInt(8) == 0;
    int until = random.nextInt(4);
    long before = generation(place);
    WalkAnswer answer =
        give(
            "disconnect " + place,
            CLOSE_BOUND,
            () -> host.disconnect(place.session, place.name),
            (report, failure) -> {
              long after = generation(place);
              if (failure != null) {
                return "not a failure of a disconnect: " + failure;
              }
              rules.count("disconnect: " + (report.isPresent() ? "report" : "nothing"));
              return before > 0 && after == before ? "#" + before + " is still there" : null;
            });
    if (interrupted) {
      interrupts.add(new Due(step + until, answer));
    }
  }

  private long generation(Place place) {
    return host.status(place.session, place.name).map(ConnectionStatus::generation).orElse(0L);
  }

  /// Has its user close a connection.
  private void close(Place place) {
    Seen seen = seen(place);
    if (seen == null) {
      tell(step + ": close " + place + ", of which nothing was seen");
      return;
    }
    give(
        "close " + place + "#" + seen.generation,
        CLOSE_BOUND,
        seen.client::closeAndReport,
        (report, failure) ->
            failure != null
                ? "a close does not fail: " + failure
                : report == null ? "a close has a report" : stillUsed(place, seen));
  }

  /// Who was told that a connection is over does not find it in use.
  private String stillUsed(Place place, Seen seen) {
    return host.status(place.session, place.name)
        .filter(row -> row.generation() == seen.generation && row.client().isPresent())
        .map(row -> "it is still in use: " + row)
        .orElse(null);
  }

  private Seen seen(Place place) {
    host.status(place.session, place.name)
        .ifPresent(row ->
            row.client()
                .ifPresent(client ->
                    clients.put(
                        place, new Seen(client, row.generation(), guests.plan(row).server()))));
    return clients.get(place);
  }

  private WalkAnswer call(Place place, Duration time) {
    int length = random.nextInt(20) == 0 ? 200_000 : random.nextInt(200);
    String tool = tool();
    boolean gracefully = random.nextBoolean();
    String text = step + "x".repeat(length);
    Seen seen = seen(place);
    if (seen == null) {
      tell(step + ": call " + place + ", of which nothing was seen");
      return null;
    }
    Map<String, ?> arguments =
        Map.of(
            "text",
            text,
            "gracefully",
            gracefully,
            "message",
            Map.of("jsonrpc", "2.0", "id", "walk " + step, "method", "roots/list"));
    var call = new Call(place, seen, tool, text, time, System.nanoTime());
    return give(
        "call " + tool + " of " + place + "#" + seen.generation + " for " + time.toMillis() + " ms",
        CALL_BOUND,
        () -> seen.client.callTool(tool, arguments, CallOptions.defaults().withTimeout(time)),
        (result, failure) -> wrong(call, result, failure));
  }

  private String wrong(Call call, ToolResult result, Throwable failure) {
    Seen seen = call.seen;
    boolean echo = call.tool.equals("echo");
    boolean good = seen.server.isGood() && echo;
    if (!echo && failure == null) {
      rules.count(call.tool + ": answered");
    }
    rules.count("call: " + (failure == null ? "answered" : failure.getClass().getSimpleName()));
    return switch (failure) {
      case null ->
          !echo || !seen.server.echoes() || result.text().equals(call.text)
              ? null
              : "not what was said: %.300s".formatted(result.text());
      case CallTimeoutException late -> waitedOn(call, late);
      case ConnectionClosedException _, ConnectionLostException _ -> stillUsed(call.place, seen);
      case McpException _ when !good -> null;
      case UnsupportedOperationException _ when !seen.server.echoes() -> null;
      default -> "not a failure of a call: " + failure;
    };
  }

  /// Who waits when his connection ends is told so; only who has given up by then is not. A connection
  /// that has ended before his time was over has therefore ended while he waited, or before he came,
  /// however late anybody gets to look at it. One that was told that the server does not read had not
  /// waited at all.
  private String waitedOn(Call call, CallTimeoutException failure) {
    boolean waited = failure.getMessage().contains("got no answer within");
    long over = call.begun + (waited ? call.time.toNanos() : 0);
    return rules.hasEndedBefore(call.seen.generation, over)
        ? "it waited on when its connection had ended: " + failure.getMessage()
        : null;
  }

  /// Three of eight are no echo: one is never answered, one ends what is listened to, where there is
  /// something, one wants to know something.
  private String tool() {
    return switch (random.nextInt(16)) {
      case 0, 1 -> "never";
      case 2 -> "hangUp";
      case 3, 4 -> "ask";
      default -> "echo";
    };
  }

  /// Has its user subscribe to a resource, or take that back.
  private void subscribeTo(Place place, String uri, boolean wanted) {
    Seen seen = seen(place);
    String what = (wanted ? "subscribe to " : "unsubscribe from ") + uri + " of " + place;
    if (seen == null) {
      tell(step + ": " + what + ", of which nothing was seen");
      return;
    }
    give(
        what + "#" + seen.generation,
        CALL_BOUND,
        () -> {
          if (wanted) {
            seen.client.subscribe(uri);
          } else {
            seen.client.unsubscribe(uri);
          }
          return true;
        },
        (_, failure) -> {
          String came = failure == null ? "done" : failure.getClass().getSimpleName();
          rules.count("subscribe: " + came);
          return switch (failure) {
            case null -> null;
            case ConnectionClosedException _, ConnectionLostException _ -> stillUsed(place, seen);
            case McpException _, UnsupportedOperationException _ -> null;
            default -> "not a failure of a subscription: " + failure;
          };
        });
  }

  private void interruptLater(WalkAnswer answer) {
    int until = random.nextInt(4);
    if (answer != null) {
      interrupts.add(new Due(step + until, answer));
    }
  }

  private void interruptWhoIsDue() {
    for (Iterator<Due> all = interrupts.iterator(); all.hasNext(); ) {
      Due due = all.next();
      if (due.step <= step) {
        due.answer.interrupt();
        all.remove();
      }
    }
  }

  private void signal(Place place, String signal) throws Exception {
    Optional<Long> pid = running.of(place.session + "." + place.name + ".");
    tell(step + ": SIG" + signal + " to " + place + ": " + pid);
    if (pid.isPresent()) {
      rules.count("SIG" + signal);
      running.signal(signal, pid.get());
    }
  }

  private static final List<String> HARMS =
      List.of(
          "forget sessions",
          "reset",
          "close streams",
          "go away",
          "come back",
          "end subscriptions",
          "tell of changes");

  private void harm(WalkServer.Remote remote, int choice) {
    tell(step + ": " + HARMS.get(choice) + ": " + remote);
    switch (choice) {
      case 0 -> remote.server().forgetSessions();
      case 1 -> remote.server().endStreams(End.RESET);
      case 2 -> remote.server().endStreams(End.CLOSE);
      case 3 -> {
        if (away.add(remote)) {
          remote.server().stop();
        }
      }
      case 4 -> comeBack();
      case 5 -> remote.server().endSubscriptions();
      default -> tellOfChanges(remote);
    }
  }

  private void tellOfChanges(WalkServer.Remote remote) {
    try {
      remote.server().push(method("tools/list_changed", Map.of()));
      remote.server().push(method("resources/updated", Map.of("uri", "scripted:1")));
    } catch (IllegalStateException e) {
      rules.count("tell: nobody is there");
    }
  }

  private static String method(String what, Map<String, ?> params) {
    return JsonObject.of("jsonrpc", "2.0", "method", "notifications/" + what, "params", params)
        .toString();
  }

  /// What has gone comes back, where its port is still free.
  private void comeBack() {
    away.removeIf(remote -> {
      try {
        remote.server().startAgain();
        return true;
      } catch (UncheckedIOException e) {
        return false;
      }
    });
  }

  private WalkAnswer endSession(String session) {
    List<ConnectionStatus> before = host.statuses(session).orElse(List.of());
    var answer =
        new WalkAnswer(
            step + ": end " + session,
            CLOSE_BOUND.plus(CloseBudget.MAXIMUM),
            () -> host.endSession(session),
            (Optional<Map<String, CloseReport>> reports, Throwable failure) -> {
              List<Long> after =
                  host.statuses(session).orElse(List.of()).stream()
                      .map(ConnectionStatus::generation)
                      .toList();
              return failure != null
                  ? "not a failure of an end: " + failure
                  : before.stream()
                      .filter(row -> after.contains(row.generation()))
                      .findFirst()
                      .map(row -> "it is still there: " + row)
                      .orElse(null);
            });
    underWay.add(answer);
    return answer;
  }

  // Listeners.

  private void subscribe(String session) throws Exception {
    if (heard.getOrDefault(session, List.of()).size() == 3) {
      unsubscribe(session);
    }
    tell(step + ": subscribe to " + session);
    try {
      heard
          .computeIfAbsent(session, _ -> new ArrayList<>())
          .add(new Heard(host.subscribe(session), rules.new Order()));
    } catch (LimitException | ConnectionClosedException e) {
      rules.count("subscribe: refused");
    }
  }

  private void unsubscribe(String session) {
    tell(step + ": unsubscribe from " + session);
    List<Heard> of = heard.getOrDefault(session, new ArrayList<>());
    if (!of.isEmpty()) {
      of.removeFirst().subscription.close();
    }
  }

  private void listen(String session) throws InterruptedException {
    for (Heard one : heard.getOrDefault(session, List.of())) {
      for (Optional<HostEvent> event;
          (event = one.subscription.next(Duration.ZERO)).isPresent(); ) {
        one.order.take(event.get());
      }
    }
    heard.getOrDefault(session, new ArrayList<>()).removeIf(one -> one.subscription.isOver());
  }

  private void look(String session) {
    tell(step + ": look at " + session + ": " + host.statuses(session).map(List::size));
  }

  // Answers.

  private void takeWhatIsThere() throws Exception {
    for (Iterator<WalkAnswer> all = underWay.iterator(); all.hasNext(); ) {
      WalkAnswer answer = all.next();
      if (answer.isThere()) {
        all.remove();
        take(answer);
      }
    }
  }

  /// Waits for an answer that may be there already; null is none.
  private void await(WalkAnswer answer) throws Exception {
    tell(step + ": wait for " + answer);
    if (answer != null) {
      underWay.remove(answer);
      connects.remove(answer);
      take(answer);
    }
  }

  /// Waits for an answer if it comes soon; nothing else begins meanwhile.
  private void awaitAWhile(WalkAnswer answer) throws Exception {
    if (answer != null && answer.isThereWithin(AWHILE)) {
      await(answer);
    } else {
      tell(step + ": do not wait for " + answer);
    }
  }

  private void take(WalkAnswer answer) throws Exception {
    String wrong = answer.await();
    if (!wrong.isEmpty()) {
      rules.broken(wrong);
      failIfBroken();
    }
  }

  private void takeAll() throws Exception {
    while (!underWay.isEmpty()) {
      take(underWay.poll());
    }
  }

  private void failIfBroken() {
    Optional<String> broken = rules.firstBroken();
    if (broken.isPresent()) {
      var text = new StringBuilder();
      text.append("seed ").append(seed).append(", step ").append(step).append(": ");
      text.append(broken.get()).append("\nthe last commands:");
      told.forEach(command -> text.append("\n  ").append(command));
      throw new AssertionError(text.toString());
    }
  }

  // Stops: nothing is under way, and of what has ended nothing is left.

  /// Ends all sessions, or half of them.
  private void stop(boolean all) throws Exception {
    tell(step + ": stop " + (all ? "all" : "half"));
    takeAll();
    comeBack();
    var ended = new ArrayList<String>();
    for (int i = 0; i < SESSIONS; i++) {
      if (random.nextBoolean() || all) {
        ended.add("s" + i);
      }
    }
    ended.forEach(this::endSession);
    takeAll();
    for (String session : ended) {
      listen(session); // to the end
      if (!heard.getOrDefault(session, List.of()).isEmpty()) {
        rules.broken("a subscription outlives its session " + session);
      }
      heard.remove(session);
      if (host.statuses(session).isPresent()) {
        rules.broken("a session is still there: " + host.statuses(session).get());
      }
    }
    running
        .left(mark -> ended.stream().anyMatch(session -> mark.startsWith(session + ".")))
        .ifPresent(rules::broken);
    if (all) {
      guests.release();
      for (WalkServer.Remote remote : remotes) {
        nothingIsLeftAt(remote);
      }
      clients.clear();
    }
    failIfBroken();
  }

  /// A server may hear a moment later than the host that a client has gone.
  private void nobodyListensWhoHasEnded(WalkServer.Remote remote) {
    for (String mark : remote.listening()) {
      if (rules.hasEndedBefore(mark, System.nanoTime() - BUSY.toNanos())) {
        rules.broken("a connection has ended, and is heard of: " + mark + " at " + remote);
      }
    }
  }

  private void nothingIsLeftAt(WalkServer.Remote remote) {
    try {
      remote.server().awaitNoExchanges(BUSY);
    } catch (AssertionError e) {
      rules.broken(remote + " still answers: %.2000s".formatted(e.getMessage()));
    }
    remote.wrong(rules.undeleted()).ifPresent(wrong -> rules.broken(remote + ": " + wrong));
  }

  /// Ends the host, whatever is under way.
  private void end() throws Exception {
    tell(step + ": end the host");
    HostReport report = host.end();
    if (!report.unfinished().isEmpty()) {
      rules.broken("the host has not ended: " + report.unfinished());
    }
    takeAll();
    if (!host.statuses().isEmpty()) {
      rules.broken("the host has ended, and has " + host.statuses());
    }
    running.left(_ -> true).ifPresent(rules::broken);
    guests.release();
    comeBack();
    for (WalkServer.Remote remote : remotes) {
      nothingIsLeftAt(remote);
      try {
        remote.server().awaitNoConnections(BUSY);
      } catch (AssertionError e) {
        rules.broken(remote + " still has a connection: %.2000s".formatted(e.getMessage()));
      }
    }
    failIfBroken();
  }
}
