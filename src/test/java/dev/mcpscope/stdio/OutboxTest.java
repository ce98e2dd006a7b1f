package dev.mcpscope.stdio;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.transport.OverloadedException;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.Pipe;
import java.util.ArrayList;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class OutboxTest {
  private static final long ENOUGH = 1L << 30;

  /// An outbox on a pipe of its own, and its writer, if it has been started.
  private static final class Open implements AutoCloseable {
    final Pipe pipe = Pipe.open();
    final Outbox outbox;
    private final FutureTask<Void> writer;
    private final Thread thread;

    Open(long mostBytes) throws IOException {
      outbox = new Outbox(pipe.sink(), mostBytes);
      writer = new FutureTask<>(this::write);
      thread = Thread.ofVirtual().name("writer").unstarted(writer);
    }

    private Void write() throws Exception {
      outbox.run();
      return null;
    }

    Open writing() {
      thread.start();
      return this;
    }

    BufferedReader reader() {
      return new BufferedReader(Channels.newReader(pipe.source(), UTF_8));
    }

    /// Waits until the writer is blocked in the pipe, or waits for work.
    void awaitWriterWaits() {
      while (thread.getState() != Thread.State.WAITING) {
        Thread.onSpinWait();
      }
    }

    /// Returns how the writer has ended; null when it returned.
    Throwable writerEnded() throws InterruptedException {
      try {
        writer.get();
        return null;
      } catch (ExecutionException e) {
        return e.getCause();
      }
    }

    @Override
    public void close() throws IOException {
      outbox.close();
      pipe.source().close();
      if (thread.getState() != Thread.State.NEW) {
        while (thread.isAlive()) {
          Thread.onSpinWait();
        }
      }
    }
  }

  private static byte[] line(String text) {
    return (text + "\n").getBytes(UTF_8);
  }

  private static <T> FutureTask<T> start(Callable<T> body) {
    var task = new FutureTask<>(body);
    Thread.ofVirtual().start(task);
    return task;
  }

  @Test
  void aLineThatFitsIsSentByTheCallerItself() throws Exception {
    try (var _ = NothingLeft.check();
        var open = new Open(ENOUGH)) { // no writer
      open.outbox.send(line("hello"));
      open.outbox.send(line("again"));
      assertThat(open.reader().readLine()).isEqualTo("hello");
    }
  }

  @Test
  void aCallerThatWasInterruptedBeforeItSendsHarmsNothing() throws Exception {
    try (var _ = NothingLeft.check();
        var open = new Open(ENOUGH).writing()) {
      Thread.currentThread().interrupt();
      open.outbox.send(line("hello"));
      open.outbox.send(line("x".repeat(1_000_000)));
      open.outbox.send(line("queued"));
      assertThat(Thread.interrupted()).isTrue();
      assertThat(open.pipe.sink().isOpen()).isTrue();
      BufferedReader reader = open.reader();
      assertThat(reader.readLine()).isEqualTo("hello");
      assertThat(reader.readLine()).hasSize(1_000_000);
      assertThat(reader.readLine()).isEqualTo("queued");
      open.outbox.send(line("later"));
      assertThat(reader.readLine()).isEqualTo("later");
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aReaderThatDoesNotReadNeverBlocksASender(boolean writing) throws Exception {
    try (var _ = NothingLeft.check();
        var open = writing ? new Open(ENOUGH).writing() : new Open(ENOUGH)) {
      for (int i = 0; i < 200; i++) {
        open.outbox.send(line("x".repeat(10_000)));
      }
      assertThat(open.pipe.sink().isOpen()).isTrue();
    }
  }

  @Test
  void orderIsKeptAndBytesNeverMixWithEightSendersAndASlowReader() throws Exception {
    int senders = 8;
    int each = 150;
    try (var _ = NothingLeft.check();
        var open = new Open(ENOUGH).writing()) {
      var sending = new ArrayList<FutureTask<Void>>();
      for (int s = 0; s < senders; s++) {
        String letter = Character.toString('a' + s);
        sending.add(
            start(() -> {
              for (int i = 0; i < each; i++) {
                // From a few bytes to twice the pipe, so that all three ways are taken.
                open.outbox.send(line(i + letter.repeat((i % 13) * (i % 13) * 900 + 1)));
                if (i % 10 == 0) {
                  Thread.yield(); // lets the reader catch up: the channel changes hands
                }
              }
              return null;
            }));
      }
      int[] next = new int[senders];
      var reader = new LineByLine(open.pipe.source());
      for (int n = 0; n < senders * each; n++) {
        String line = reader.next();
        int sender = line.charAt(line.length() - 1) - 'a';
        int i = next[sender]++;
        assertThat(line)
            .isEqualTo(i + Character.toString('a' + sender).repeat((i % 13) * (i % 13) * 900 + 1));
      }
      for (FutureTask<Void> task : sending) {
        task.get();
      }
    }
  }

  /// Reads in small bites.
  private static final class LineByLine {
    private final Pipe.SourceChannel source;
    private final ByteBuffer bite = ByteBuffer.allocate(3_000).flip();

    LineByLine(Pipe.SourceChannel source) {
      this.source = source;
    }

    String next() throws IOException {
      var line = new StringBuilder();
      while (true) {
        while (bite.hasRemaining()) {
          char c = (char) bite.get();
          if (c == '\n') {
            return line.toString();
          }
          line.append(c);
        }
        source.read(bite.clear());
        bite.flip();
        Thread.yield();
      }
    }
  }

  @Test
  void overTheLimitALineIsRefusedAndLostAlone() throws Exception {
    try (var _ = NothingLeft.check();
        var open = new Open(2_000)) { // the writer comes later
      String first = "1".repeat(1_000_000);
      open.outbox.send(line(first)); // finds nothing waiting
      assertThatThrownBy(() -> open.outbox.send(line("refused")))
          .isInstanceOf(OverloadedException.class)
          .hasMessageContaining("bytes wait already")
          .hasMessageContaining("the limit is 2000");
      open.writing();
      BufferedReader reader = open.reader();
      assertThat(reader.readLine()).isEqualTo(first);
      open.awaitWriterWaits();
      open.outbox.send(line("accepted"));
      assertThat(reader.readLine()).isEqualTo("accepted");
    }
  }

  @Test
  void aCloseFreesTheWriterFromAPipeThatNobodyReads() throws Exception {
    for (int i = 0; i < 20; i++) {
      try (var _ = NothingLeft.check();
          var open = new Open(ENOUGH).writing()) {
        open.outbox.send(line("x".repeat(1_000_000)));
        open.awaitWriterWaits();
        open.outbox.close();
        assertThat(open.writerEnded()).isInstanceOf(ClosedChannelException.class);
      }
    }
  }

  @Test
  void aCloseFreesTheWriterThatWaitsForWork() throws Exception {
    try (var _ = NothingLeft.check();
        var open = new Open(ENOUGH).writing()) {
      open.awaitWriterWaits();
      open.outbox.close();
      open.outbox.close();
      assertThat(open.writerEnded()).isNull();
    }
  }

  @Test
  void anInterruptFreesTheWriter() throws Exception {
    try (var _ = NothingLeft.check();
        var open = new Open(ENOUGH).writing()) {
      open.outbox.send(line("x".repeat(1_000_000)));
      open.awaitWriterWaits();
      open.thread.interrupt();
      assertThat(open.writerEnded()).isInstanceOf(ClosedByInterruptException.class);
    }
  }

  @Test
  void theReaderSeesTheEndAfterAClose() throws Exception {
    try (var _ = NothingLeft.check();
        var open = new Open(ENOUGH).writing()) {
      open.outbox.send(line("last"));
      open.outbox.close();
      assertThat(open.reader().lines()).containsExactly("last");
    }
  }

  @Test
  void afterACloseLinesAreDroppedInSilence() throws Exception {
    try (var _ = NothingLeft.check();
        var open = new Open(ENOUGH)) {
      open.outbox.close();
      open.outbox.send(line("too late"));
    }
  }

  @Test
  void aBrokenPipeIsToldByTheWriterAndNotByTheSenders() throws Exception {
    try (var _ = NothingLeft.check();
        var open = new Open(ENOUGH).writing()) {
      open.pipe.source().close();
      open.outbox.send(line("nobody"));
      open.outbox.send(line("reads"));
      assertThat(open.writerEnded()).isInstanceOf(IOException.class).hasMessage("Broken pipe");
    }
  }

  @Test
  void aPipeThatBreaksWhileTheWriterWritesIsToldByIt() throws Exception {
    try (var _ = NothingLeft.check();
        var open = new Open(ENOUGH).writing()) {
      open.outbox.send(line("x".repeat(1_000_000)));
      open.awaitWriterWaits();
      open.pipe.source().close();
      assertThat(open.writerEnded()).isInstanceOf(IOException.class).hasMessage("Broken pipe");
      open.outbox.send(line("nobody reads"));
    }
  }
}
