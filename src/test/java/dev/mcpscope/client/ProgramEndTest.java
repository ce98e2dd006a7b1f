package dev.mcpscope.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.ScriptedServer;
import java.io.BufferedReader;
import java.io.File;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// How a program ends that uses the library: as a process of its own.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ProgramEndTest {

  /// What the program does with a connection: `closes` it, `forgets` it, or `waits` for ever. First
  /// it prints the pid of the server.
  static final class Program {
    private Program() {}

    public static void main(String[] args) throws Exception {
      McpClient client = McpClient.open(ScriptedServer.with());
      System.out.println(client.callTool("pid", Map.of()).text());
      switch (args[0]) {
        case "closes" -> client.close();
        case "forgets" -> {}
        default -> new CountDownLatch(1).await();
      }
    }
  }

  /// Runs the program as far as its server is there.
  private static Process start(String what) throws Exception {
    String classes =
        Stream.of(System.getProperty("jdk.module.path", ""), System.getProperty("java.class.path"))
            .filter(path -> !path.isEmpty())
            .collect(Collectors.joining(File.pathSeparator));
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1",
            "--enable-preview",
            "-cp",
            classes,
            Program.class.getName(),
            what)
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }

  private static ProcessHandle server(BufferedReader out) throws Exception {
    return ProcessHandle.of(Long.parseLong(out.readLine())).orElseThrow();
  }

  @Test
  void aProgramThatHasClosedItsConnectionEnds() throws Exception {
    assertEnds("closes");
  }

  /// Its threads are daemons, and the end of the process is the end of the server's input.
  @Test
  void aProgramThatHasForgottenItsConnectionEndsAndSoDoesItsServer() throws Exception {
    assertEnds("forgets");
  }

  private static void assertEnds(String what) throws Exception {
    try (var _ = NothingLeft.check()) {
      Process program = start(what);
      try (BufferedReader out = program.inputReader()) {
        ProcessHandle server = server(out);
        assertThat(program.waitFor()).isZero();
        server.onExit().get(10, TimeUnit.SECONDS);
      } finally {
        program.destroyForcibly();
      }
    }
  }

  @Test
  void aServerEndsByItselfWhenItsProgramIsKilled() throws Exception {
    try (var _ = NothingLeft.check()) {
      Process program = start("waits");
      try (BufferedReader out = program.inputReader()) {
        ProcessHandle server = server(out);
        assertThat(server.isAlive()).isTrue();
        program.destroyForcibly();
        assertThat(program.waitFor()).isEqualTo(137);
        server.onExit().get(10, TimeUnit.SECONDS);
      } finally {
        program.destroyForcibly();
      }
    }
  }
}
