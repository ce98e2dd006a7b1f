package dev.mcpscope.host;

import static dev.mcpscope.host.McpHostTest.Lab.SERVE;
import static dev.mcpscope.host.McpHostTest.Lab.SILENT;
import static dev.mcpscope.host.McpHostTest.Lab.server;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.ScopeTree;
import dev.mcpscope.host.McpHostTest.Lab;
import dev.mcpscope.host.ThreadDump.Scope;
import dev.mcpscope.host.ThreadDump.ThreadInfo;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.json.JsonWriter;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ThreadDumpTest {

  @Test
  @EnabledOnOs({OS.LINUX, OS.MAC})
  void jvmShowsTheTreeOfALiveHost() throws Exception {
    Lab.run(lab -> {
      long a = lab.connect("a", SERVE).generation();
      long b = lab.host.connect("t", "b", server(SERVE)).generation();
      lab.connecting("c", SILENT);
      long c = lab.awaitPhase("c", "initialize").generation();

      Scope host = scope(ThreadDump.take().scopes(), "host");
      assertThat(host.owner()).isEqualTo("host owner");
      assertThat(names(host.threads()))
          .containsExactlyInAnyOrder("host events", "host session s", "host session t");
      assertThat(host.scopes()).extracting(Scope::name).containsExactly("session/s", "session/t");
      Scope s = scope(host.scopes(), "session/s");
      assertThat(s.owner()).isEqualTo("host session s");
      assertThat(s.scopes())
          .extracting(Scope::name)
          .containsExactly("connection/s/a#" + a, "connection/s/c#" + c);
      String name = "connection/t/b#" + b;
      assertThat(scope(host.scopes(), "session/t").scopes())
          .extracting(Scope::name)
          .containsExactly(name);
      Scope connection = ScopeTree.ofConnected(name);
      assertThat(connection.owner()).isEqualTo("session/t b#" + b);
      assertThat(names(connection.threads()))
          .containsExactlyInAnyOrder(
              name + " watch",
              name + " stderr",
              name + " writer",
              name + " reader",
              name + " handlers");
      assertThat(connection.scopes()).extracting(Scope::name).containsExactly(name + " handlers");
      assertThat(names(scope(s.scopes(), "connection/s/c#" + c).threads()))
          .contains("connection/s/c#" + c + " handshake");
    });
  }

  @Test
  @EnabledOnOs({OS.LINUX, OS.MAC})
  void scopesOfAClosedConnectionAreGoneFromTheDump() throws Exception {
    Lab.run(lab -> {
      lab.connect("a", SERVE);
      lab.connect("b", SERVE);
      lab.host.disconnect("s", "a");
      assertThat(ThreadDump.take().tree()).doesNotContain("s/a#").contains("connection/s/b#");
      lab.host.endSession("s");
      assertThat(ThreadDump.take().tree()).doesNotContain("session/").contains("host");
      lab.host.end();
      assertThat(ThreadDump.take().scopes()).isEmpty();
    });
  }

  @Test
  void dumpsOfSeveralThreadsDoNotMeet() throws Exception {
    NothingLeft.after(() -> {
      var failures = new ArrayList<Throwable>(); // each thread is joined before the next is asked
      var threads = new ArrayList<Thread>();
      for (int i = 0; i < 4; i++) {
        threads.add(
            Thread.ofPlatform()
                .uncaughtExceptionHandler((_, e) -> failures.add(e))
                .start(ThreadDumpTest::takeOne));
      }
      for (Thread thread : threads) {
        thread.join();
      }
      assertThat(failures).isEmpty();
    });
  }

  private static void takeOne() {
    try {
      assertThat(ThreadDump.take().threads())
          .anyMatch(thread -> thread.tid() == Thread.currentThread().threadId());
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  private static final String DUMP =
      """
      {"threadDump": {"threadContainers": [
        {"container": "<root>", "parent": null, "owner": null, "threads": [
          {"tid": "1", "name": "main", "state": "WAITING", "stack": [
            "java.base/java.lang.Object.wait0(Native Method)",
            "dev.mcpscope.Inner.waits(Inner.java:1)",
            "dev.mcpscope.Outer.calls(Outer.java:2)"]},
          {"tid": 7, "name": "", "virtual": true, "state": "RUNNABLE", "stack": []}]},
        {"container": "session/s/jdk.internal.misc.ThreadFlock$ThreadContainerImpl@1",
         "parent": "java.util.concurrent.ThreadPoolExecutor@30", "owner": "9", "threads": []},
        {"container": "java.util.concurrent.ThreadPoolExecutor@30",
         "parent": "host/jdk.internal.misc.ThreadFlock$ThreadContainerImpl@2", "owner": null,
         "threads": [{"tid": "9", "name": "a\\u001bb", "state": "WAITING", "stack": []}]},
        {"container": "host/jdk.internal.misc.ThreadFlock$ThreadContainerImpl@2",
         "parent": "<root>", "owner": "1", "threads": []}]}}
      """;

  @Test
  void scopesNestAlsoAcrossExecutors() throws Exception {
    ThreadDump dump = ThreadDump.parse(DUMP.getBytes(UTF_8));
    assertThat(dump.tree())
        .isEqualTo("host  (owner: main)\n └ session/s  (owner: a?b)\n"); // no escape sequence
    assertThat(dump.threads()).extracting(ThreadInfo::tid).containsExactly(1L, 7L, 9L);
    assertThat(dump.threads().getFirst().at()).isEqualTo("dev.mcpscope.Inner.waits(Inner.java:1)");
  }

  @Test
  void jsonHasScopesAndThreads() throws Exception {
    ThreadDump dump = ThreadDump.parse(DUMP.getBytes(UTF_8));
    assertThat(dump.json())
        .isEqualTo(
            JsonReader.read(
                "{\"scopes\":[{\"name\":\"host\",\"owner\":\"main\",\"ownerTid\":1,\"threads\":[],"
                    + "\"scopes\":[{\"name\":\"session/s\",\"owner\":\"a\\u001bb\",\"ownerTid\":9,"
                    + "\"threads\":[],\"scopes\":[]}]}]}",
                JsonLimits.defaults()));
    assertThat(JsonWriter.bytes(dump.json())).isNotEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[]",
        "{}",
        "{\"threadDump\":{\"threadContainers\":[1]}}",
        "{\"threadDump\":{\"threadContainers\":["
            + "{\"container\":\"x\",\"owner\":\"y\",\"threads\":[]}]}}"
      })
  void whatIsNoDumpIsRefused(String json) {
    assertThatThrownBy(() -> ThreadDump.parse(json.getBytes(UTF_8)))
        .isInstanceOf(JsonException.class);
  }

  private static Scope scope(List<Scope> scopes, String name) {
    return scopes.stream().filter(scope -> scope.name().equals(name)).findFirst().orElseThrow();
  }

  private static List<String> names(List<ThreadInfo> threads) {
    return threads.stream().map(ThreadInfo::name).toList();
  }
}
