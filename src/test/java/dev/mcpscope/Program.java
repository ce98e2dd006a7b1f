package dev.mcpscope;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// A run of the program, as users start it but for the class path.
final class Program implements AutoCloseable {
  static final String JAVA = Path.of(System.getProperty("java.home"), "bin", "java").toString();

  static final String CLASSES =
      Stream.of(System.getProperty("jdk.module.path", ""), System.getProperty("java.class.path"))
          .filter(path -> !path.isEmpty())
          .collect(Collectors.joining(File.pathSeparator));

  private static final Pattern ORPHAN =
      Pattern.compile("(?m)^mcp-scope: warning: process .* of a host, process (\\d+),.*\\R");

  private static final Pattern IGNORED = Pattern.compile("SigIgn:\\s*(\\p{XDigit}+)");

  final Process process;
  final BufferedReader out;
  private final Path err;

  /// @param temp a directory for its stderr
  Program(Path temp, Map<String, String> environment, String... arguments) throws IOException {
    this(temp, environment, List.of("--enable-preview"), arguments);
  }

  /// @param options those of the JVM
  Program(Path temp, Map<String, String> environment, List<String> options, String... arguments)
      throws IOException {
    err = temp.resolve("err" + System.nanoTime());
    var command = new ArrayList<String>();
    if (ignoresSignals()) {
      command.addAll(List.of("env", "--default-signal=HUP,INT"));
    }
    command.addAll(List.of(JAVA, "-XX:TieredStopAtLevel=1", "-Xshare:auto"));
    command.addAll(options);
    command.addAll(List.of("-cp", CLASSES, "dev.mcpscope.Main"));
    command.addAll(List.of(arguments));
    var builder = new ProcessBuilder(command).redirectError(err.toFile());
    builder.environment().remove("MCP_SCOPE_TOKEN");
    builder.environment().putAll(environment);
    process = builder.start();
    process.getOutputStream().close();
    out = process.inputReader(UTF_8);
  }

  /// Whether SIGHUP or SIGINT is ignored here, as below nohup or in the background of a script: then
  /// children would ignore it too, and a JVM does not take such a signal back.
  private static boolean ignoresSignals() throws IOException {
    Path status = Path.of("/proc/self/status");
    if (!Files.exists(status)) {
      return false;
    }
    Matcher ignored = IGNORED.matcher(Files.readString(status));
    return ignored.find() && (Long.parseUnsignedLong(ignored.group(1), 16) & 3) != 0;
  }

  /// Waits for its end, for a minute at most, and returns what it has printed, as far as it was not
  /// read before: little enough for the pipe to hold.
  String rest() throws Exception {
    assertThat(process.waitFor(1, TimeUnit.MINUTES)).as("it has ended").isTrue();
    return out.readAllAsString();
  }

  /// Returns what it has printed to stderr, but for the warnings of what killed hosts have left: they
  /// are about this machine, and not about this test.
  String err() throws IOException {
    return ORPHAN.matcher(Files.readString(err)).replaceAll("");
  }

  /// Returns those of the warnings that are about the processes of this host.
  List<String> warningsAbout(long host) throws IOException {
    return ORPHAN
        .matcher(Files.readString(err))
        .results()
        .filter(warning -> warning.group(1).equals("" + host))
        .map(warning -> warning.group().strip())
        .toList();
  }

  List<ProcessHandle> descendants() {
    return process.descendants().filter(ProcessHandle::isAlive).toList();
  }

  /// Sends SIGTERM and waits; nothing that it has started is left.
  void terminate() throws Exception {
    List<ProcessHandle> descendants = descendants();
    process.toHandle().destroy();
    assertThat(rest()).isEmpty();
    assertThat(process.exitValue()).isZero();
    assertThat(descendants).noneMatch(ProcessHandle::isAlive);
  }

  /// Only a test that has failed leaves something to be done here.
  @Override
  public void close() throws IOException {
    List<ProcessHandle> descendants = descendants();
    process.toHandle().destroyForcibly();
    process.onExit().join();
    descendants.forEach(ProcessHandle::destroyForcibly);
    out.close();
  }
}
