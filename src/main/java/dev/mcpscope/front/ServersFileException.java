package dev.mcpscope.front;

import java.io.IOException;
import java.nio.file.Path;

/// A [ServersFile] that cannot be read or says something wrong. The message names the file, the
/// place in it, what was expected and what was found; it holds no value of a variable.
public final class ServersFileException extends IOException {
  private static final long serialVersionUID = 1;

  ServersFileException(Path file, String problem, IOException cause) {
    super(file + ": " + problem, cause);
  }
}
