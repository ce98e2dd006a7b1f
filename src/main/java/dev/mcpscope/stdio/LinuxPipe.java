package dev.mcpscope.stdio;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;

/// A pipe of which one end is a channel here and the other one can be given to a child process.
///
/// The streams of [Process] cannot be used for a connection that has to close in bounded time: a read
/// of them ignores interrupt and close, even killing the child does not end it while a grandchild
/// holds the other end, and 256 virtual threads that block in one stop every virtual thread of the
/// JVM. A [Pipe] has none of that: a virtual thread parks in it, interrupt and close end a read or
/// a write within a millisecond. What the JDK lacks is a way to hand a pipe's end to a child; on
/// Linux, `/proc/self/fd/N` is one, once N is known. The child opens that path and so gets an
/// ordinary blocking pipe, an open file of its own.
///
/// N is found without reflection: put a random number of bytes into the pipe and look for the
/// descriptor from which just as many can be read; then take one byte out and look again, lest
/// another pipe hold that number by chance.
///
/// @param pipe both channels; the end that the child gets is closed here once it runs
/// @param readEnd the path that opens the end to read from
/// @param writeEnd the path that opens the end to write to
/// @param inode what /proc calls the pipe, such as `pipe:[4711]`
record LinuxPipe(Pipe pipe, File readEnd, File writeEnd, String inode) {
  private static final Path DESCRIPTORS = Path.of("/proc/self/fd");

  /// Below a page: where pipes are scarce (pipe(7)) one may hold no more than that.
  private static final int MOST_BYTES = 4_000;

  /// Opens a pipe; empty when its descriptors cannot be found, on a system without /proc, say.
  ///
  /// Class-wide lock: two searches at once would see each other's bytes come and go.
  ///
  /// @throws IOException when no pipe can be opened: out of descriptors
  static synchronized Optional<LinuxPipe> open() throws IOException {
    if (!Files.isDirectory(DESCRIPTORS)) {
      return Optional.empty();
    }
    Set<String> before = names();
    Pipe pipe = Pipe.open();
    boolean found = false;
    try {
      // Not blocking, or an interrupt that is pending would close the channel that is being probed.
      pipe.sink().configureBlocking(false);
      pipe.source().configureBlocking(false);
      int bytes = ThreadLocalRandom.current().nextInt(MOST_BYTES / 2, MOST_BYTES);
      pipe.sink().write(ByteBuffer.allocate(bytes));
      Set<String> opened = names();
      opened.removeAll(before);
      // A descriptor that somebody closed since `before` may have been given to the pipe: then it
      // is among all, if not among those opened.
      Optional<LinuxPipe> result = find(pipe, opened, bytes);
      if (result.isEmpty()) {
        result = find(pipe, names(), bytes);
      }
      pipe.sink().configureBlocking(true);
      pipe.source().configureBlocking(true);
      found = result.isPresent();
      return result;
    } finally {
      if (!found) {
        pipe.sink().close();
        pipe.source().close();
      }
    }
  }

  private static Optional<LinuxPipe> find(Pipe pipe, Set<String> candidates, int bytes)
      throws IOException {
    var descriptors = new HashMap<String, List<String>>(); // by inode
    for (String fd : candidates) {
      try {
        String inode = Files.readSymbolicLink(DESCRIPTORS.resolve(fd)).toString();
        if (inode.startsWith("pipe:")) {
          descriptors.computeIfAbsent(inode, _ -> new ArrayList<>()).add(fd);
        }
      } catch (IOException closedMeanwhile) {
        // not ours, which is open
      }
    }
    // Of a pipe whose child runs only one end is here: with hundreds of servers most need no look.
    descriptors.values().removeIf(ends -> ends.size() < 2);
    for (var ends : descriptors.entrySet()) {
      LinuxPipe candidate = of(pipe, ends.getKey(), ends.getValue());
      if (candidate.readEnd != null
          && candidate.writeEnd != null
          && candidate.holds(bytes)
          && candidate.confirm(bytes)) {
        return Optional.of(candidate);
      }
    }
    return Optional.empty();
  }

  private static LinuxPipe of(Pipe pipe, String inode, List<String> descriptors) {
    File readEnd = null;
    File writeEnd = null;
    for (String fd : descriptors) {
      File end = DESCRIPTORS.resolve(fd).toFile();
      try {
        if (writes(fd)) {
          writeEnd = end;
        } else {
          readEnd = end;
        }
      } catch (IOException closedMeanwhile) {
        // not ours, which is open
      }
    }
    return new LinuxPipe(pipe, readEnd, writeEnd, inode);
  }

  /// Takes one byte out of our pipe; if this is ours, it holds one less now. Then empties it.
  private boolean confirm(int bytes) throws IOException {
    pipe.source().read(ByteBuffer.allocate(1));
    boolean ours = holds(bytes - 1);
    ByteBuffer rest = ByteBuffer.allocate(ours ? bytes - 1 : 0);
    while (rest.hasRemaining()) {
      pipe.source().read(rest);
    }
    if (!ours) {
      pipe.sink().write(ByteBuffer.allocate(1)); // back to `bytes` for the next candidate
    }
    return ours;
  }

  private boolean holds(int bytes) {
    try (var in = new FileInputStream(readEnd)) {
      return in.available() == bytes;
    } catch (IOException closedMeanwhile) {
      return false;
    }
  }

  private static boolean writes(String fd) throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/fdinfo", fd))) {
      if (line.startsWith("flags:")) {
        return (Integer.parseInt(line.substring("flags:".length()).trim(), 8) & 3) == 1; // O_WRONLY
      }
    }
    return false;
  }

  private static Set<String> names() throws IOException {
    String[] names = DESCRIPTORS.toFile().list();
    if (names == null) {
      throw new IOException("cannot list " + DESCRIPTORS);
    }
    return new HashSet<>(List.of(names));
  }
}
