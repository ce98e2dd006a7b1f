package dev.mcpscope.stdio;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.rpc.RpcCodec;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import dev.mcpscope.scope.Deadline;
import dev.mcpscope.transport.CloseReport.ServerProcess;
import dev.mcpscope.transport.Closing;
import dev.mcpscope.transport.Inbox;
import dev.mcpscope.transport.Loss;
import dev.mcpscope.transport.OverloadedException;
import dev.mcpscope.transport.Transport;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;

/// A server that runs as a child process: messages are lines on its stdin and stdout.
///
/// Where it is opened: [#open]. Where it is closed: [#close(Closing)], below it, with the sentences
/// of the specification that it obeys. In between, four tasks: `reader` turns stdout into messages,
/// `writer` writes what callers could not write without blocking, `stderr` keeps its end, `watch`
/// waits for the process to exit.
///
/// @see <a href="https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#stdio">
///     stdio, revision 2025-11-25</a>
public final class StdioTransport implements Transport {
  private static final System.Logger LOG = System.getLogger("dev.mcpscope.stdio");

  /// How long to wait for the other half of the news when a server goes: for its exit code when its
  /// output has ended, for the rest of its output when it has exited.
  private static final Duration LAST_WORDS = Duration.ofMillis(250);

  /// How long a loaded system may take to clear away a large process that has ended.
  private static final Duration TEAR_DOWN = Duration.ofSeconds(1);

  /// How long to wait between two looks at processes whose end nobody tells; doubles.
  private static final Duration FIRST_PAUSE = Duration.ofMillis(5);

  private static final Duration LONGEST_PAUSE = Duration.ofMillis(80);

  /// How many looks in a row have to find nobody new after one that has.
  private static final int ENOUGH = 10;

  private static final int LAST_WORDS_CHARACTERS = 600;

  /// A value that is shorter is a switch or a number, and no secret that could be kept.
  private static final int SHORTEST_SECRET = 8;

  private static final int CHUNK = 8 * 1024;

  /// What the transport is bounded by.
  ///
  /// @param message the messages; its `maxBytes` is the cap on a line of stdout
  /// @param waitingBytes how many bytes may wait for a server that does not read; 1 or more
  /// @param stderrBytes how much of the end of stderr is kept; 1 or more
  public record Limits(JsonLimits message, long waitingBytes, int stderrBytes) {
    /// Checks the ranges.
    public Limits {
      if (waitingBytes < 1 || stderrBytes < 1) {
        throw new IllegalArgumentException(
            "waitingBytes and stderrBytes must be 1 or more, are "
                + waitingBytes
                + " and "
                + stderrBytes);
      }
    }

    /// Returns 16 MiB a line, 32 MiB waiting, 64 KiB of stderr.
    public static Limits defaults() {
      return new Limits(JsonLimits.defaults(), 32L << 20, 64 << 10);
    }
  }

  private final Limits limits;
  private final Inbox inbox;
  private final ChildProcess child;
  private final ProcessTree tree;
  private final Outbox outbox;
  private final Tail tail;
  private final List<String> secrets; // what is not shown of stderr, the longest first
  private final CountDownLatch drained = new CountDownLatch(2); // stdout and stderr have ended
  private final LongAdder skippedLines = new LongAdder();

  // the owner's own
  private boolean lookedInTime; // the look at the processes while the server lived has worked
  private boolean looked; // and the last one
  private boolean settled; // and nobody can have been started unseen
  private List<ProcessHandle> left = List.of(); // who still ran then

  private StdioTransport(
      ChildProcess child, String mark, Map<String, String> environment, Limits limits, Inbox inbox)
      throws IOException {
    this.limits = limits;
    this.inbox = inbox;
    this.child = child;
    this.tree = new ProcessTree(child.process(), mark, child.pipes());
    this.outbox = new Outbox(child.stdin(), limits.waitingBytes());
    this.tail = new Tail(limits.stderrBytes());
    this.secrets =
        environment.values().stream()
            .filter(value -> value.length() >= SHORTEST_SECRET)
            .sorted(Comparator.comparing(String::length).reversed())
            .toList();
  }

  /// Starts the server's process; only by the owner of the connection.
  ///
  /// @param command the executable and its arguments; run as they are, by no shell
  /// @param environment variables to add to the small safe set that a server gets; their values are
  ///     hidden where its stderr is shown
  /// @param directory where it runs, or null for the host's own
  /// @throws IOException when it cannot be started, with nothing left of the attempt
  public static StdioTransport open(
      List<String> command,
      Map<String, String> environment,
      Path directory,
      Limits limits,
      Inbox inbox)
      throws IOException {
    return open(command, environment, directory, limits, inbox, ChildProcess.Road.PIPES);
  }

  static StdioTransport open(
      List<String> command,
      Map<String, String> environment,
      Path directory,
      Limits limits,
      Inbox inbox,
      ChildProcess.Road road)
      throws IOException {
    var builder = new ProcessBuilder(command);
    if (directory != null) {
      builder.directory(directory.toFile());
    }
    String mark = ChildEnvironment.fill(builder.environment(), environment);
    ChildProcess child = ChildProcess.start(builder, road);
    LOG.log(System.Logger.Level.DEBUG, "started process {0}", child.process().pid());
    try {
      return new StdioTransport(child, mark, environment, limits, inbox);
    } catch (IOException | RuntimeException | Error e) {
      child.discard(e);
      throw e;
    }
  }

  @Override
  public List<Work> tasks() {
    return List.of(
        new Work("watch", false, this::watch),
        new Work("stderr", false, this::drainStderr),
        new Work("writer", false, this::write),
        // A platform thread: a virtual one that waits in a pipe costs a hop over the JDK's poller
        // for each message, which is a third of a small call
        // (docs/decisions/0002-stdio-threads.md).
        new Work("reader", true, this::read));
  }

  @Override
  public void send(RpcMessage message) throws OverloadedException {
    byte[] json = RpcCodec.encode(message);
    byte[] line = Arrays.copyOf(json, json.length + 1);
    line[json.length] = '\n';
    outbox.send(line);
  }

  // The tasks. Each one ends when its channel is closed, and says so if it is the first to know.

  private void read() throws IOException {
    try {
      new Lines(child.stdout(), limits.message().maxBytes()).forEach(this::received);
      drained.countDown();
      gone(null);
    } catch (Lines.TooLongException e) {
      drained.countDown(); // nobody will read the rest
      lost(Loss.Kind.PROTOCOL, "the server broke a limit: " + e.getMessage(), e);
    } catch (ClosedChannelException _) {
      // closed by the owner
    } catch (IOException e) {
      gone(e);
    }
  }

  private void received(byte[] buffer, int offset, int length) {
    if (length == 0) {
      return;
    }
    List<RpcMessage> messages;
    try {
      messages = RpcCodec.decode(buffer, offset, length, limits.message());
    } catch (JsonException e) {
      unreadable(e, RpcCodec.idOfBrokenResponse(buffer, offset, length), length);
      return;
    }
    int bytes = length / messages.size(); // a batch is rare, and its parts are alike
    messages.forEach(message -> inbox.received(message, bytes));
  }

  /// "The server MUST NOT write anything to its stdout that is not a valid MCP message", but many do:
  /// a banner, a log line. Skipping it loses nothing; closing for it would lose everything. If it
  /// was to be the answer to a call, the call is failed.
  private void unreadable(JsonException e, Optional<RpcId> call, int bytes) {
    skippedLines.increment();
    LOG.log(System.Logger.Level.DEBUG, "skipped a line of stdout: {0}", e.getMessage());
    if (call.isPresent()) {
      inbox.received(
          new RpcMessage.Malformed(call, Optional.empty(), "cannot be read: " + e.withoutExcerpt()),
          bytes);
    }
  }

  private void drainStderr() throws IOException {
    ByteBuffer chunk = ByteBuffer.allocate(CHUNK);
    try {
      while (child.stderr().read(chunk) >= 0) {
        tail.add(chunk.flip());
        chunk.clear();
      }
      drained.countDown();
    } catch (ClosedChannelException _) {
      // closed by the owner
    }
  }

  private void write() throws InterruptedException {
    try {
      outbox.run();
    } catch (ClosedChannelException _) {
      // closed by the owner
    } catch (IOException e) {
      gone(e);
    }
  }

  private void watch() throws InterruptedException {
    child.process().waitFor();
    gone(null);
  }

  /// Reports that the server has gone, with all that can be known of it: whichever task sees it first
  /// waits a moment for what the others see.
  private void gone(IOException cause) {
    Deadline lastWords = Deadline.after(LAST_WORDS);
    boolean exited = awaitExit(lastWords) || isExiting() && awaitExit(Deadline.after(TEAR_DOWN));
    awaitDrained(lastWords);
    String how =
        exited
            ? "the server exited with code " + child.process().exitValue()
            : "the server closed its side of the pipe and still runs";
    lost(Loss.Kind.GONE, how, cause);
  }

  private void lost(Loss.Kind kind, String how, IOException cause) {
    String text = stderrTail().strip();
    if (!text.isEmpty()) {
      int from = Math.max(0, text.length() - LAST_WORDS_CHARACTERS);
      String end = text.substring(from).replaceAll("[\\p{Cc}&&[^\n\t]]", "?"); // for a terminal
      how += "; its stderr ends: " + (from > 0 ? "…" : "") + end;
    }
    inbox.lost(new Loss(kind, how, cause));
  }

  /// The end of stderr, in which the values that the server was given in its environment are hidden:
  /// what it complains of is often the key that it was given.
  private String stderrTail() {
    String text = tail.text();
    for (String secret : secrets) {
      text = text.replace(secret, "***");
    }
    return text;
  }

  /// Whether the process is beyond return and only the system has work to do for it.
  private boolean isExiting() {
    return !ServerProcess.runs(child.process().toHandle());
  }

  private boolean awaitExit(Deadline deadline) {
    return deadline.await(nanos -> child.process().waitFor(nanos, TimeUnit.NANOSECONDS));
  }

  private boolean awaitDrained(Deadline deadline) {
    return deadline.await(nanos -> drained.await(nanos, TimeUnit.NANOSECONDS));
  }

  /// Ends the server and everything that it has started, in three steps of which each is bounded,
  /// and frees the tasks.
  @Override
  public void close(Closing closing) {
    // Who belongs to the server is noted while it lives: afterwards its children are orphans.
    closing.step(
        "look at its processes",
        () -> {
          tree.refresh();
          lookedInTime = true;
        });

    // "First, closing the input stream to the child process (the server)",
    // "Waiting for the server to exit": meanwhile the tasks go on to drain what it writes.
    closing.step("end its input", outbox::close);
    closing.step(
        "wait for its exit",
        () -> {
          if (awaitExit(Deadline.after(closing.budget().exit()))) {
            awaitDrained(Deadline.after(LAST_WORDS).orSooner(closing.budget().exit()));
          }
        });

    // "or sending SIGTERM if the server does not exit within a reasonable time"
    Duration time = closing.budget().terminate();
    closing.step("look for what is left", () -> look(Deadline.after(time)));
    if (!left.isEmpty()) {
      closing.step(
          "SIGTERM " + pids(left),
          () -> {
            tree.terminate(left);
            awaitGone(Deadline.after(time));
          });
      kill(closing);
    }

    // Whatever still holds the other ends, ours are closed, and no task can be blocked any more.
    closing.step("close its pipes", this::closePipes);
    Deadline pumps = Deadline.after(LAST_WORDS);
    for (Pump pump : child.pumps()) {
      if (!pump.ended(pumps)) {
        closing.abandoned(pump.name());
      }
    }
    long pid = child.process().pid();
    if (!looked || !lookedInTime) {
      closing.abandoned("what process " + pid + " may have started: not looked at");
    } else if (!settled && left.isEmpty()) {
      closing.abandoned("what process " + pid + " has started: it goes on starting others");
    }
    OptionalInt exitCode =
        child.process().isAlive()
            ? OptionalInt.empty()
            : OptionalInt.of(child.process().exitValue());
    closing.exited(exitCode, stderrTail(), skippedLines.sum());
    tree.report().forEach(closing::process);
  }

  /// "Sending SIGKILL if the server does not exit within a reasonable time after SIGTERM". Whoever
  /// turns up while the others die is killed as well: a survivor is who was killed and still runs.
  private void kill(Closing closing) {
    Duration time = closing.budget().kill();
    closing.step("look for what is left", () -> look(Deadline.after(time)));
    if (!left.isEmpty()) {
      closing.step("SIGKILL " + pids(left), () -> killAll(Deadline.after(time)));
    }
  }

  private void killAll(Deadline deadline) {
    var killed = new HashSet<ProcessHandle>();
    boolean inTime = true;
    while (inTime && killed.addAll(left)) {
      inTime = !deadline.passed();
      tree.kill(left);
      awaitGone(inTime ? deadline : Deadline.after(LAST_WORDS)); // also who turned up at the end
      look(deadline);
    }
  }

  /// Looks who is left, newcomers included. A pipe that has not ended may be held by somebody that is not
  /// known yet; on the road of pumps he cannot be found, only left behind. If nobody can be looked for
  /// (out of descriptors, say), those known are still there to be ended.
  ///
  /// Whoever has run while somebody looked may have started another one behind his back. So the look that
  /// settles it has begun when nobody ran, and found nobody new; and as it can miss who lives for a few
  /// milliseconds only, it takes some of these after one that has found somebody.
  private void look(Deadline deadline) {
    int quiet = ENOUGH;
    boolean ran;
    do {
      ran = !tree.alive().isEmpty();
      looked = false;
      settled = false;
      try {
        boolean newcomers = tree.refresh();
        if (drained.getCount() > 0) {
          newcomers |= tree.addHolders();
        }
        looked = true;
        quiet = newcomers ? 0 : quiet + 1;
        settled = !ran && quiet >= ENOUGH;
      } finally {
        left = tree.alive();
      }
    } while (left.isEmpty() && (ran || !settled && !deadline.passed()));
  }

  /// Waits until all of them have ended. The child's exit is an event, and so is the end of the pipes
  /// that its descendants hold. For a process that is neither somebody has to look: the JDK would, every
  /// 300 ms and with a thread for each, and it would wait for zombies, which pid 1 of many a container
  /// never collects.
  private void awaitGone(Deadline deadline) {
    if (awaitExit(deadline)) {
      awaitDrained(deadline.orSooner(LAST_WORDS));
    }
    var never = new CountDownLatch(1);
    Duration pause = FIRST_PAUSE;
    while (!tree.alive().isEmpty() && !deadline.passed()) {
      deadline.orSooner(pause).await(nanos -> never.await(nanos, TimeUnit.NANOSECONDS));
      pause = pause.compareTo(LONGEST_PAUSE) < 0 ? pause.multipliedBy(2) : pause;
    }
  }

  private static String pids(List<ProcessHandle> processes) {
    return processes.stream().map(p -> Long.toString(p.pid())).toList().toString();
  }

  private void closePipes() throws IOException {
    try (var _ = child.stdout();
        var _ = child.stderr()) {
      outbox.close();
    }
  }
}
