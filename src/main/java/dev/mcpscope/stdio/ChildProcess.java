package dev.mcpscope.stdio;

import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.Pipe;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// A started process, with channels to its three streams that interrupt and close can free.
///
/// @param process the direct child
/// @param stdin what it reads
/// @param stdout what it writes
/// @param stderr what it complains
/// @param pipes how /proc names the pipes that the child and its descendants write to; empty where
///     pumps are used
/// @param pumps the threads between the process's streams and our pipes; empty on Linux
record ChildProcess(
    Process process,
    Pipe.SinkChannel stdin,
    Pipe.SourceChannel stdout,
    Pipe.SourceChannel stderr,
    Set<String> pipes,
    List<Pump> pumps) {

  /// How the child's streams are connected.
  enum Road {
    /// Directly, on pipes of ours: Linux.
    PIPES,
    /// Through a thread a stream: elsewhere, or when the pipes' descriptors cannot be found.
    PUMPS
  }

  /// Starts the process, by the better road of the two that works here.
  ///
  /// @throws IOException when it cannot be started; nothing is left of the attempt
  static ChildProcess start(ProcessBuilder builder) throws IOException {
    var open = new ArrayList<Closeable>();
    try {
      Optional<LinuxPipe> in;
      Optional<LinuxPipe> out;
      Optional<LinuxPipe> err;
      // One turn for all three. If hundreds of servers took turns for each, all of them would have
      // a pipe with two ends here at the same time, and every search would have to look at each.
      synchronized (LinuxPipe.class) {
        in = keep(LinuxPipe.open(), open);
        out = in.isEmpty() ? in : keep(LinuxPipe.open(), open);
        err = out.isEmpty() ? out : keep(LinuxPipe.open(), open);
      }
      if (err.isPresent()) {
        return onPipes(builder, in.get(), out.get(), err.get());
      }
    } catch (IOException | RuntimeException | Error e) {
      closeAll(open, e);
      throw e;
    }
    closeAll(open, null);
    return start(builder, Road.PUMPS);
  }

  /// Starts the process by this road only; for tests of the one that this system does not take.
  static ChildProcess start(ProcessBuilder builder, Road road) throws IOException {
    return road == Road.PIPES ? start(builder) : onPumps(builder);
  }

  private static ChildProcess onPipes(
      ProcessBuilder builder, LinuxPipe in, LinuxPipe out, LinuxPipe err) throws IOException {
    Process process =
        builder
            .redirectInput(in.readEnd())
            .redirectOutput(out.writeEnd())
            .redirectError(err.writeEnd())
            .start();
    try {
      // The child has its own by now. Ours must go, or its end would never be the end of the
      // stream.
      in.pipe().source().close();
      out.pipe().sink().close();
      err.pipe().sink().close();
    } catch (IOException | RuntimeException | Error e) {
      process.toHandle().destroyForcibly();
      throw e;
    }
    return new ChildProcess(
        process,
        in.pipe().sink(),
        out.pipe().source(),
        err.pipe().source(),
        Set.of(out.inode(), err.inode()),
        List.of());
  }

  private static ChildProcess onPumps(ProcessBuilder builder) throws IOException {
    var open = new ArrayList<Closeable>();
    Process process = null;
    try {
      Pipe in = keep(Pipe.open(), open);
      Pipe out = keep(Pipe.open(), open);
      Pipe err = keep(Pipe.open(), open);
      process = builder.start();
      String of = " of process " + process.pid();
      List<Pump> pumps =
          List.of(
              Pump.start(
                  "stdin pump" + of,
                  Channels.newInputStream(in.source()),
                  process.getOutputStream()),
              Pump.start(
                  "stdout pump" + of,
                  process.getInputStream(),
                  Channels.newOutputStream(out.sink())),
              Pump.start(
                  "stderr pump" + of,
                  process.getErrorStream(),
                  Channels.newOutputStream(err.sink())));
      return new ChildProcess(process, in.sink(), out.source(), err.source(), Set.of(), pumps);
    } catch (IOException | RuntimeException | Error e) {
      if (process != null) {
        process.toHandle().destroyForcibly();
      }
      closeAll(open, e);
      throw e;
    }
  }

  /// Gets rid of a process that nobody will own, because of `cause`.
  void discard(Throwable cause) throws IOException {
    process.toHandle().destroyForcibly();
    closeAll(List.of(stdin, stdout, stderr), cause);
  }

  private static Optional<LinuxPipe> keep(Optional<LinuxPipe> opened, List<Closeable> open) {
    opened.ifPresent(pipe -> keep(pipe.pipe(), open));
    return opened;
  }

  private static Pipe keep(Pipe pipe, List<Closeable> open) {
    open.add(pipe.source());
    open.add(pipe.sink());
    return pipe;
  }

  private static void closeAll(List<? extends Closeable> open, Throwable cause) throws IOException {
    IOException first = null;
    for (Closeable one : open) {
      try {
        one.close();
      } catch (IOException e) {
        if (cause != null) {
          cause.addSuppressed(e);
        } else if (first == null) {
          first = e;
        } else {
          first.addSuppressed(e);
        }
      }
    }
    if (first != null) {
      throw first;
    }
  }
}
