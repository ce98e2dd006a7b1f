package dev.mcpscope;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// The processes that a [ScriptedServer] says are of its tree, by what they are, pid and start.
final class FaultBook {

  /// A process.
  record Entry(String what, long pid, long started) {

    /// Whether it runs. A zombie does not: it waits for a parent that may never look.
    boolean runs() {
      return ProcessHandle.of(pid)
              .flatMap(process -> process.info().startInstant())
              .filter(start -> start.toEpochMilli() == started)
              .isPresent()
          && !isZombie();
    }

    private boolean isZombie() {
      try {
        String stat = Files.readString(Path.of("/proc/" + pid + "/stat"), ISO_8859_1);
        return stat.charAt(stat.lastIndexOf(')') + 2) == 'Z';
      } catch (IOException e) {
        return true; // it is not there any more
      }
    }

    @Override
    public String toString() {
      return what + " " + pid;
    }
  }

  private final Path file;

  FaultBook(Path file) {
    this.file = file;
  }

  String path() {
    return file.toString();
  }

  /// Returns all that were entered so far.
  List<Entry> entries() throws IOException {
    return Files.readAllLines(file).stream()
        .map(line -> line.split(" "))
        .map(line -> new Entry(line[0], Long.parseLong(line[1]), Long.parseLong(line[2])))
        .toList();
  }

  /// Returns the first of this kind.
  Entry entry(String what) throws IOException {
    return entries().stream().filter(entry -> entry.what().equals(what)).findFirst().orElseThrow();
  }

  /// Returns those that run.
  List<Entry> running() throws IOException {
    return entries().stream().filter(Entry::runs).toList();
  }

  void delete() throws IOException {
    Files.delete(file);
    Files.deleteIfExists(Path.of(file + "null"));
  }
}
