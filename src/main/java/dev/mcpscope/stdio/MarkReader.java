package dev.mcpscope.stdio;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;

/// Reads which mark a process carries in the environment that it was started with; on Linux.
///
/// In the middle of an exec a process seems to have no environment, or only the beginning of one, and no
/// command line, and it must not be missed for that: a daemon is made of execs. So it has to be read
/// until that is over, and then some more, as the next one may have begun.
final class MarkReader {
  /// How often in a row a process with a command line has no environment until it has none.
  private static final int OFTEN_ENOUGH = 3;

  private static final byte[] NAME =
      (ChildEnvironment.MARK + "=").getBytes(StandardCharsets.ISO_8859_1);

  private final ProcessHandle process;
  private final Path directory;
  private String mark = "";
  private int without;

  MarkReader(ProcessHandle process) {
    this.process = process;
    this.directory = ProcessTable.PROC.resolve(Long.toString(process.pid()));
  }

  ProcessHandle process() {
    return process;
  }

  /// Returns the value of [ChildEnvironment#MARK] as far as it was read; "" when the process has none,
  /// or belongs to another user, or has gone.
  String mark() {
    return mark;
  }

  /// Reads once.
  ///
  /// @return whether that will do; if not, the process is in an exec
  /// @throws IllegalStateException when no process can be looked at
  boolean read() {
    try {
      byte[] environment = Files.readAllBytes(directory.resolve("environ"));
      mark = find(environment);
      if (environment.length > 0 && environment[environment.length - 1] == 0) {
        return true;
      }
      if (Files.readAllBytes(directory.resolve("cmdline")).length > 0) {
        return ++without > OFTEN_ENOUGH;
      }
      Files.readSymbolicLink(directory.resolve("exe")); // fails for a zombie, or a kernel's thread
      return false;
    } catch (NoSuchFileException | AccessDeniedException _) {
      return true;
    } catch (IOException e) {
      ProcessTable.checkThatItIsNotUs(e);
      return true;
    }
  }

  private static String find(byte[] environment) {
    for (int start = 0; start < environment.length; ) {
      int end = start;
      while (end < environment.length && environment[end] != 0) {
        end++;
      }
      int value = start + NAME.length;
      if (end >= value && Arrays.equals(environment, start, value, NAME, 0, NAME.length)) {
        return new String(environment, value, end - value, StandardCharsets.ISO_8859_1);
      }
      start = end + 1;
    }
    return "";
  }
}
