package dev.mcpscope.stdio;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.NothingLeft;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

@EnabledOnOs(OS.LINUX)
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LinuxPipeTest {

  private static void close(Pipe pipe) throws IOException {
    pipe.sink().close();
    pipe.source().close();
  }

  /// What goes into the path that a child would open comes out of our channel, and the other way.
  private static void assertThatItIsItself(LinuxPipe pipe, String text) throws IOException {
    assertThat(Files.readSymbolicLink(pipe.readEnd().toPath())).hasToString(pipe.inode());
    assertThat(Files.readSymbolicLink(pipe.writeEnd().toPath())).hasToString(pipe.inode());
    try (var out = new FileOutputStream(pipe.writeEnd())) {
      out.write(text.getBytes(UTF_8));
    }
    ByteBuffer read = ByteBuffer.allocate(100);
    pipe.pipe().source().read(read);
    assertThat(new String(read.array(), 0, read.position(), UTF_8)).isEqualTo(text);
    pipe.pipe().sink().write(ByteBuffer.wrap(text.getBytes(UTF_8)));
    try (var in = new FileInputStream(pipe.readEnd())) {
      assertThat(new String(in.readNBytes(text.length()), UTF_8)).isEqualTo(text);
      assertThat(in.available()).isZero();
    }
  }

  @Test
  void itFindsItsDescriptorsAndIsEmpty() throws Exception {
    try (var _ = NothingLeft.check()) {
      LinuxPipe pipe = LinuxPipe.open().orElseThrow();
      assertThat(pipe.inode()).matches("pipe:\\[\\d+]");
      assertThatItIsItself(pipe, "hello");
      close(pipe.pipe());
    }
  }

  @Test
  void itFindsItsDescriptorsWhileEightThreadsOpenAndClosePipesWithBytesInThem() throws Exception {
    try (var _ = NothingLeft.check()) {
      var end = new AtomicBoolean();
      var churning = new ArrayList<FutureTask<Void>>();
      for (int i = 0; i < 8; i++) {
        var churn = new FutureTask<Void>(() -> churn(end));
        Thread.ofPlatform().start(churn);
        churning.add(churn);
      }
      for (int i = 0; i < 100; i++) {
        LinuxPipe pipe = LinuxPipe.open().orElseThrow();
        assertThatItIsItself(pipe, "number " + i);
        close(pipe.pipe());
      }
      end.set(true);
      for (FutureTask<Void> churn : churning) {
        churn.get();
      }
    }
  }

  /// As many bytes as the search puts into its own.
  private static Void churn(AtomicBoolean end) throws IOException {
    while (!end.get()) {
      Pipe[] pipes = new Pipe[8];
      for (int i = 0; i < pipes.length; i++) {
        pipes[i] = Pipe.open();
        int bytes = ThreadLocalRandom.current().nextInt(2_000, 4_000);
        pipes[i].sink().write(ByteBuffer.allocate(bytes));
      }
      for (Pipe pipe : pipes) {
        close(pipe);
      }
    }
    return null;
  }

  @Test
  void manySearchesAtOnceDoNotDisturbEachOther() throws Exception {
    try (var _ = NothingLeft.check()) {
      var searches = new ArrayList<FutureTask<LinuxPipe>>();
      for (int i = 0; i < 32; i++) {
        var search = new FutureTask<>(() -> LinuxPipe.open().orElseThrow());
        Thread.ofVirtual().start(search);
        searches.add(search);
      }
      var pipes = new ArrayList<LinuxPipe>();
      for (FutureTask<LinuxPipe> search : searches) {
        pipes.add(search.get());
      }
      assertThat(pipes).extracting(LinuxPipe::inode).doesNotHaveDuplicates();
      for (LinuxPipe pipe : pipes) {
        assertThatItIsItself(pipe, "hello");
        close(pipe.pipe());
      }
    }
  }
}
