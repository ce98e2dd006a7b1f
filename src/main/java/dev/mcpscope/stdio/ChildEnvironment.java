package dev.mcpscope.stdio;

import java.util.List;
import java.util.Map;
import java.util.UUID;

/// What a server sees of the host's environment: enough to run, and no secrets.
final class ChildEnvironment {
  /// Marks every process of a connection, whoever its parent is by now: `HOSTPID-UUID`.
  static final String MARK = "MCP_SCOPE_CONNECTION";

  /// Passed on from the host when set there; the list of the specification's own SDKs, and what
  /// temporary files, text encodings and Windows need.
  private static final List<String> INHERITED =
      List.of(
          "HOME",
          "LANG",
          "LC_ALL",
          "LC_CTYPE",
          "LOGNAME",
          "PATH",
          "SHELL",
          "TERM",
          "TMPDIR",
          "TZ",
          "USER",
          "APPDATA",
          "HOMEDRIVE",
          "HOMEPATH",
          "LOCALAPPDATA",
          "PATHEXT",
          "PROCESSOR_ARCHITECTURE",
          "PROGRAMFILES",
          "SYSTEMDRIVE",
          "SYSTEMROOT",
          "TEMP",
          "TMP",
          "USERNAME",
          "USERPROFILE");

  private ChildEnvironment() {}

  /// Replaces what `environment` holds, the host's own variables, by the safe ones of them, those
  /// that the connection asks for, and a new mark.
  ///
  /// @return the value of the mark
  static String fill(Map<String, String> environment, Map<String, String> wanted) {
    environment.keySet().retainAll(INHERITED);
    environment.putAll(wanted);
    String value = ProcessHandle.current().pid() + "-" + UUID.randomUUID();
    environment.put(MARK, value);
    return value;
  }
}
