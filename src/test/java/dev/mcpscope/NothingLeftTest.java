package dev.mcpscope;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.sun.net.httpserver.HttpServer;
import dev.mcpscope.NothingLeft.Body;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.nio.channels.Selector;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.StructuredTaskScope;
import java.util.concurrent.StructuredTaskScope.Joiner;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class NothingLeftTest {

  private final NothingLeft outer = NothingLeft.check();
  private final CountDownLatch started = new CountDownLatch(1);
  private final CountDownLatch release = new CountDownLatch(1);
  private final Deque<Body> cleanups = new ArrayDeque<>();

  @AfterEach
  void whatWasLeftIsReleased() throws Exception {
    release.countDown();
    for (Body cleanup : cleanups) {
      cleanup.run();
    }
    outer.close(); // the helper forgets nothing that is really gone
  }

  @Test
  void emptyBodyPasses() throws Exception {
    NothingLeft.after(() -> {});
  }

  @Test
  @EnabledOnOs({OS.LINUX, OS.MAC})
  void everythingThatIsUsedAndReleasedPasses() throws Exception {
    NothingLeft.after(() -> {
      useProcess();
      usePipeInVirtualThread();
      useHttp();
      ByteBuffer.allocateDirect(1);
      UUID.randomUUID();
    });
  }

  @Test
  void threadsThatAreAboutToEndPass() throws Exception {
    for (int round = 0; round < 50; round++) {
      NothingLeft.after(() -> {
        var done = new CountDownLatch(2);
        Thread.ofVirtual().name("last words, virtual").start(done::countDown);
        Thread.ofPlatform().name("last words, platform").start(done::countDown);
        done.await();
      });
    }
  }

  @Test
  @EnabledOnOs({OS.LINUX, OS.MAC})
  void pipesThatTheJdkClosesForAnEndedProcessPass() throws Exception {
    for (int round = 0; round < 20; round++) {
      NothingLeft.after(() -> new ProcessBuilder("true").start().waitFor());
    }
  }

  @Test
  void platformThreadIsNamed() {
    assertThat(leftBy(() -> leave(Thread.ofPlatform().name("idle").unstarted(this::stay))))
        .containsPattern(
            "thread 'idle' \\(tid \\d+, platform, [A-Z_]+\\) in <root>, at .+\\.stay\\(");
  }

  @Test
  void virtualThreadIsNamed() {
    assertThat(leftBy(() -> leave(Thread.ofVirtual().name("idle").unstarted(this::stay))))
        .containsPattern(
            "thread 'idle' \\(tid \\d+, virtual, WAITING\\) in <root>, at .+\\.stay\\(");
  }

  @Test
  void virtualThreadThatSpinsIsNamed() {
    assertThat(leftBy(() -> leave(Thread.ofVirtual().name("busy").unstarted(this::spin))))
        .containsPattern("thread 'busy' \\(tid \\d+, virtual, RUNNABLE\\) in <root>");
  }

  @Test
  void openScopeIsNamedWithItsOwnerAndItsThreads() {
    Thread owner = Thread.ofVirtual().name("the owner").unstarted(this::stayInScope);
    assertThat(leftBy(() -> leave(owner)))
        .contains("scope connection/s1/a/b#1 (owner 'the owner', tid " + owner.threadId() + ")")
        .contains("thread 'the owner' (tid " + owner.threadId() + ", virtual, ")
        .containsPattern(
            "thread 'subtask' \\(tid \\d+, virtual, [A-Z_]+\\) in scope connection/s1/a/b#1");
  }

  @Test
  void openScopeWithoutThreadsIsNamed() {
    NothingLeft check = NothingLeft.check();
    try (var _ = StructuredTaskScope.open(Joiner.awaitAll(), c -> c.withName("session/empty"))) {
      assertThat(complaint(check)).contains("scope session/empty (owner '");
    }
  }

  @Test
  @EnabledOnOs({OS.LINUX, OS.MAC})
  void childProcessIsNamed() {
    assertThat(
            leftBy(() -> {
              Process child = new ProcessBuilder("sleep", "300").start();
              cleanups.add(() -> end(child));
            }))
        .containsPattern("process \\d+ started \\S+ `\\S*sleep 300`");
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void daemonThatHasLeftTheProcessTreeIsNamed() {
    assertThat(leftBy(this::leaveDaemon))
        .containsPattern("^left behind:\nprocess \\d+ started \\S+ `.*sleep 301.*`$");
  }

  /// Another host on this machine, such as another test run: its server carries a cookie too.
  @Test
  @EnabledOnOs(OS.LINUX)
  void childOfAnotherProgramIsNotOurs() throws Exception {
    NothingLeft.after(() -> {
      String server = "echo \\$\\$; exec sleep 302 >/dev/null 2>&1";
      String host = "MCP_SCOPE_CONNECTION=x sh -c \"" + server + "\" & echo $$; wait";
      var shell =
          new ProcessBuilder("setsid", "sh", "-c", "sh -c '" + host + "' & read end").start();
      try (BufferedReader out = shell.inputReader()) {
        cleanups.add(endOf(out.readLine()));
        cleanups.add(endOf(out.readLine()));
      }
      end(shell);
    });
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void pipeIsNamed() {
    assertThat(
            leftBy(() -> {
              Pipe pipe = Pipe.open();
              cleanups.add(pipe.sink()::close);
              cleanups.add(pipe.source()::close);
            }))
        .containsPattern("^left behind:\n(descriptor \\d+ -> pipe:\\[\\d+]\n?){2}$");
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void serverSocketIsNamed() {
    assertThat(
            leftBy(() ->
                cleanups.add(new ServerSocket(0, 1, InetAddress.getLoopbackAddress())::close)))
        .containsPattern("^left behind:\ndescriptor \\d+ -> socket:\\[\\d+]$");
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void selectorIsNamedAlthoughThePollersLookLikeIt() {
    assertThat(leftBy(() -> cleanups.add(Selector.open()::close)))
        .contains("anon_inode:[eventpoll]")
        .contains("anon_inode:[eventfd]");
  }

  @Test
  void failureOfTheBodyComesFirst() {
    var failure = new IOException("first");
    IOException thrown =
        catchThrowableOfType(
            IOException.class,
            () ->
                NothingLeft.after(() -> {
                  leave(Thread.ofVirtual().name("idle").unstarted(this::stay));
                  throw failure;
                }));
    assertThat(thrown).isSameAs(failure);
    assertThat(thrown.getSuppressed()).singleElement().asString().contains("thread 'idle'");
  }

  private static String leftBy(Body body) {
    NothingLeft check = NothingLeft.check();
    try {
      body.run();
    } catch (Exception e) {
      throw new AssertionError(e);
    }
    return complaint(check);
  }

  private static String complaint(NothingLeft check) {
    return catchThrowableOfType(AssertionError.class, check::close).getMessage();
  }

  private void leave(Thread thread) throws InterruptedException {
    cleanups.add(thread::join);
    thread.start();
    started.await();
  }

  private void stay() {
    started.countDown();
    try {
      release.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void spin() {
    started.countDown();
    while (release.getCount() > 0) {
      Thread.onSpinWait();
    }
  }

  private void stayInScope() {
    var subtasks = Thread.ofVirtual().name("subtask").factory();
    try (var scope =
        StructuredTaskScope.open(
            Joiner.awaitAll(),
            c -> c.withName("connection/s1/a/b#1").withThreadFactory(subtasks))) {
      scope.fork(this::stay);
      scope.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void leaveDaemon() throws Exception {
    String daemon = "sleep 301 </dev/null >/dev/null 2>&1 & echo $!";
    var builder = new ProcessBuilder("setsid", "sh", "-c", daemon);
    String cookie = ProcessHandle.current().pid() + "-" + UUID.randomUUID();
    builder.environment().put("MCP_SCOPE_CONNECTION", cookie);
    Process shell = builder.start();
    try (BufferedReader out = shell.inputReader()) {
      cleanups.add(endOf(out.readLine()));
    }
    end(shell);
    assertThat(ProcessHandle.current().descendants()).isEmpty();
  }

  private static Body endOf(String pid) {
    ProcessHandle process = ProcessHandle.of(Long.parseLong(pid)).orElseThrow();
    return () -> {
      process.destroyForcibly();
      process.onExit().get();
    };
  }

  private static void end(Process process) throws Exception {
    process.getOutputStream().close();
    process.getInputStream().close();
    process.getErrorStream().close();
    process.toHandle().destroyForcibly();
    process.waitFor();
  }

  private static void useProcess() throws Exception {
    Process cat = new ProcessBuilder("cat").start();
    try (BufferedReader out = cat.inputReader();
        BufferedReader _ = cat.errorReader()) {
      try (var in = cat.outputWriter()) {
        in.write("hello\n");
      }
      assertThat(out.readLine()).isEqualTo("hello");
      assertThat(cat.waitFor()).isZero();
    }
  }

  private static void usePipeInVirtualThread() throws Exception {
    Pipe pipe = Pipe.open();
    try (Pipe.SourceChannel source = pipe.source();
        Pipe.SinkChannel sink = pipe.sink();
        var executor = Executors.newVirtualThreadPerTaskExecutor()) {
      var read = executor.submit(() -> source.read(ByteBuffer.allocate(1)));
      sink.write(ByteBuffer.allocate(1));
      assertThat(read.get()).isEqualTo(1);
    }
  }

  private static void useHttp() throws Exception {
    var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    try (var executor = Executors.newVirtualThreadPerTaskExecutor();
        var client = HttpClient.newHttpClient()) {
      server.setExecutor(executor);
      server.createContext(
          "/",
          exchange -> {
            try (exchange) {
              exchange.sendResponseHeaders(204, -1);
            }
          });
      server.start();
      var uri = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/");
      var response = client.send(HttpRequest.newBuilder(uri).build(), BodyHandlers.discarding());
      assertThat(response.statusCode()).isEqualTo(204);
    } finally {
      server.stop(0);
    }
  }
}
