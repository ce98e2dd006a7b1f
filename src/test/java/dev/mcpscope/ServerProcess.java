package dev.mcpscope;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mcpscope.scope.Deadline;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// A server that runs as a process of its own, as those that are reached over HTTP do, and what it
/// prints.
///
/// It is a process of this JVM, with a thread that reads: what a test holds against
/// [NothingLeft] either begins after it and ends before it, or has all of it inside.
public final class ServerProcess implements AutoCloseable {
  /// Enough for a first start that has to download the server.
  private static final Duration START = Duration.ofSeconds(90);

  private static final Duration PATIENCE = Duration.ofSeconds(15);

  private final Process process;
  private final Thread reader;
  private final List<String> lines = new ArrayList<>(); // guarded by this
  private boolean ended; // guarded by this

  private ServerProcess(Process process) {
    this.process = process;
    this.reader = Thread.ofPlatform().name("reader of " + process.pid()).start(this::read);
  }

  /// Starts a server and waits until it prints that it is ready.
  ///
  /// @param environment besides this JVM's
  /// @param ready a regular expression, found in a line
  /// @throws IOException when it ends before
  public static ServerProcess start(
      List<String> command, Map<String, String> environment, String ready)
      throws IOException, InterruptedException {
    var builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().putAll(environment);
    var server = new ServerProcess(builder.start());
    try {
      server.await(ready, 1, START);
    } catch (IllegalStateException e) {
      server.close();
      throw new IOException("not ready: " + e.getMessage(), e);
    }
    return server;
  }

  /// Returns a port that was free a moment ago.
  public static int freePort() throws IOException {
    try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  private void read() {
    try (BufferedReader out = process.inputReader(UTF_8)) {
      for (String line; (line = out.readLine()) != null; ) {
        printed(line);
      }
    } catch (IOException _) {
      // as good as its end
    }
    synchronized (this) {
      ended = true;
      notifyAll();
    }
  }

  private synchronized void printed(String line) {
    lines.add(line);
    notifyAll();
  }

  /// Waits until it has printed so many lines like this, a regular expression that is found in each,
  /// be it long ago, and returns what its group 1 was in them, or else the lines.
  ///
  /// @throws IllegalStateException when it ends before, or takes too long
  public List<String> await(String line, int times) throws InterruptedException {
    return await(line, times, PATIENCE);
  }

  private synchronized List<String> await(String line, int times, Duration patience)
      throws InterruptedException {
    Deadline deadline = Deadline.after(patience);
    while (all(line).size() < times) {
      if (ended || deadline.passed()) {
        throw new IllegalStateException(
            "no %d lines like %s, but %s%s"
                .formatted(times, line, lines, ended ? ", the end" : ""));
      }
      TimeUnit.NANOSECONDS.timedWait(this, deadline.remainingNanos());
    }
    return all(line);
  }

  /// Returns what it has printed so far, like [#await].
  public synchronized List<String> all(String line) {
    return lines.stream()
        .map(Pattern.compile(line)::matcher)
        .filter(matcher -> matcher.find())
        .map(matcher -> matcher.groupCount() == 0 ? matcher.group() : matcher.group(1))
        .toList();
  }

  /// Asks it to end, by SIGTERM, waits until it has, and returns its exit code.
  ///
  /// @throws IllegalStateException when it takes too long
  public int terminate() throws InterruptedException {
    process.destroy();
    if (!process.waitFor(PATIENCE)) {
      throw new IllegalStateException("still there: " + all(".*"));
    }
    close();
    return process.exitValue();
  }

  /// Kills it and each process that it has started, and waits for their end.
  @Override
  public void close() {
    List<ProcessHandle> tree =
        Stream.concat(process.descendants(), Stream.of(process.toHandle())).toList();
    tree.forEach(ProcessHandle::destroyForcibly);
    tree.forEach(each -> each.onExit().join());
    boolean interrupted = false;
    while (reader.isAlive()) {
      try {
        reader.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
