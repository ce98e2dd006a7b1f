package dev.mcpscope.demo;

import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.IntConsumer;

/// What the demo server over HTTP has of one client, or of one request that belongs to no session: a
/// server of its own, as a process would be over stdio, and streams of events. Any thread may use it.
final class DemoSession {
  private static final String FIRST_WITH_PRIMING = "2025-11-25";
  private static final int MOST_ENDED = 16; // streams that have ended and can still be resumed

  private final String id;
  private final boolean resumable;
  private final Runnable changed;
  private final Consumer<DemoSession> crashed;
  private final DemoOutput out;
  private final DemoServer server;

  // guarded by this
  private final Map<String, DemoStream> streams = new LinkedHashMap<>();
  private DemoStream standalone;
  private boolean primes;
  private boolean broken;
  private long posts;

  /// @param id empty if no client gets to know it
  /// @param resumable whether its streams can be resumed
  /// @param notes what its server has for others too
  /// @param changed told, by any thread, when a call or a stream ends
  /// @param crashed told when it has crashed, which breaks its streams
  DemoSession(
      String id,
      boolean resumable,
      DemoNotes notes,
      PrintStream err,
      Runnable changed,
      Consumer<DemoSession> crashed) {
    this.id = id;
    this.resumable = resumable;
    this.changed = changed;
    this.crashed = crashed;
    this.out = new DemoOutput(message -> standalone().send(message));
    IntConsumer crash =
        exitCode -> {
          DemoServer.announceCrash(exitCode, err);
          crash();
        };
    this.server = new DemoServer(DemoServer.Eras.LEGACY, notes, out, resumable, crash);
  }

  String id() {
    return id;
  }

  /// The ids of the calls that run.
  Set<RpcId> running() {
    return server.running();
  }

  /// Takes a message that is no call of a tool.
  ///
  /// @return the answer, if it asks for one
  Optional<RpcMessage> received(RpcMessage message) {
    return server.received(message, out);
  }

  /// Takes the request `initialize`, and does from now on as the revision demands.
  RpcMessage initialized(RpcMessage.Request request) {
    RpcMessage answer = received(request).orElseThrow();
    if (answer instanceof RpcMessage.Result(_, JsonObject result)
        && result.get("protocolVersion") instanceof JsonString(var revision)) {
      synchronized (this) {
        primes = revision.compareTo(FIRST_WITH_PRIMING) >= 0;
      }
    }
    return answer;
  }

  /// Takes a call of a tool, and returns the stream of what it says.
  DemoStream called(RpcMessage.Request request) {
    DemoStream stream = open();
    server.received(request, new DemoOutput(stream)).ifPresent(stream::send);
    changed.run();
    return stream;
  }

  /// Serves a request of the modern era.
  ///
  /// @param stream what is said in it, unless it has its result at once
  /// @return the result, if it has it at once
  Optional<JsonObject> served(RpcMessage.Request request, DemoModern era, DemoStream stream)
      throws DemoRefusal {
    Optional<JsonObject> result = server.serve(request, era, new DemoOutput(stream));
    changed.run();
    return result;
  }

  /// Opens a stream for what one request has to say.
  synchronized DemoStream open() {
    var stream = new DemoStream("post" + ++posts, resuming(), changed);
    if (broken) {
      stream.crash();
    }
    streams.put(stream.name(), stream);
    long over = streams.values().stream().filter(DemoStream::isOver).count();
    Iterator<DemoStream> oldest = streams.values().iterator();
    while (over > MOST_ENDED && oldest.hasNext()) {
      if (oldest.next().isOver()) {
        oldest.remove();
        over--;
      }
    }
    return stream;
  }

  /// The stream of what belongs to no call.
  synchronized DemoStream standalone() {
    if (standalone == null) { // not before the revision is known
      standalone = new DemoStream("get", resuming(), changed);
    }
    return standalone;
  }

  private DemoStream.Resuming resuming() {
    if (!resumable) {
      return DemoStream.Resuming.NEVER;
    }
    return primes ? DemoStream.Resuming.PRIMED : DemoStream.Resuming.BY_IDS;
  }

  /// Returns the stream that a client wants to see on, if it is still known.
  synchronized Optional<DemoStream> stream(DemoStream.Position position) {
    DemoStream stream =
        position.stream().equals("get") ? standalone() : streams.get(position.stream());
    return Optional.ofNullable(stream).filter(known -> known.hasReached(position.last()));
  }

  /// Tells the calls that run that nobody wants their answers; never blocks.
  void cancel() {
    server.cancel();
  }

  /// Ends the calls that run, then the streams. Blocks while calls leave, less than a second; an
  /// interrupt ends the waiting.
  void end() {
    server.end();
    all().forEach(DemoStream::end);
  }

  /// Like the crash of a process: no answer, no end of a stream, and nothing is known of it any more.
  private void crash() {
    synchronized (this) {
      broken = true;
    }
    all().forEach(DemoStream::crash);
    server.cancel();
    crashed.accept(this);
  }

  private synchronized List<DemoStream> all() {
    var all = new ArrayList<>(streams.values());
    all.add(standalone());
    return all;
  }
}
