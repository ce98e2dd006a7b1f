package dev.mcpscope.stdio;

import dev.mcpscope.transport.OverloadedException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.util.ArrayDeque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/// The way of bytes to the child's stdin: any thread hands over, one task may block.
///
/// A caller must never block on the pipe (a server that does not read would hold it past its
/// deadline), and must never be interrupted in a write on it (an interrupt in a blocking channel
/// write closes the channel, and with it everybody's connection). So the channel is non-blocking
/// as long as it is idle: a caller writes what fits, which is nearly always all, and saves the hop
/// to another thread. What does not fit is queued, and the writer task takes the channel over: it
/// makes it blocking, drains the queue, and gives it back. While the queue is not empty, callers
/// only queue, so that the bytes of two messages never mix.
final class Outbox {
  private static final int MOST_AT_ONCE = 64 * 1024;

  private final Pipe.SinkChannel channel;
  private final long mostBytes;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition work = lock.newCondition();
  // guarded by lock
  private final ArrayDeque<ByteBuffer> queue = new ArrayDeque<>(4);
  private long queuedBytes;
  private boolean writing; // the writer has the channel, which is blocking
  private IOException broken; // the child does not read any more; the writer has to say so
  private boolean closed;

  /// @param mostBytes how many bytes may wait; a message that finds more is refused
  Outbox(Pipe.SinkChannel channel, long mostBytes) throws IOException {
    this.channel = channel;
    this.mostBytes = mostBytes;
    channel.configureBlocking(false);
  }

  /// Hands a line over; any thread, never blocks on I/O. Dropped in silence when the pipe is broken
  /// or closed: [#run()] or the owner tells why.
  void send(byte[] line) throws OverloadedException {
    lock.lock();
    try {
      if (closed || broken != null) {
        return;
      }
      ByteBuffer bytes = ByteBuffer.wrap(line);
      if (queue.isEmpty() && !writing) {
        write(bytes);
        if (!bytes.hasRemaining()) {
          return;
        }
      } else if (queuedBytes + line.length > mostBytes) {
        throw new OverloadedException(
            "the server does not read its input: "
                + queuedBytes
                + " bytes wait already, the limit is "
                + mostBytes);
      }
      queue.add(bytes);
      queuedBytes += bytes.remaining();
      work.signal();
    } catch (OverloadedException e) {
      throw e;
    } catch (IOException e) {
      broken = e;
      work.signal();
    } finally {
      lock.unlock();
    }
  }

  /// The writer's task: waits for what callers could not write, and writes it. Returns when the
  /// outbox is closed.
  ///
  /// @throws IOException when the child does not read any more
  void run() throws IOException, InterruptedException {
    for (ByteBuffer next; (next = next()) != null; ) {
      while (next.hasRemaining()) {
        write(next); // parks; freed by close() and by interrupt
      }
    }
  }

  /// Writes some of the bytes. NIO copies all that it is offered, at each try, however little the
  /// pipe takes: a long message in one piece would cost time by its square.
  private void write(ByteBuffer bytes) throws IOException {
    int end = bytes.limit();
    try {
      channel.write(bytes.limit(Math.min(end, bytes.position() + MOST_AT_ONCE)));
    } finally {
      bytes.limit(end);
    }
  }

  private ByteBuffer next() throws IOException, InterruptedException {
    lock.lockInterruptibly();
    try {
      if (writing) {
        queue.remove(); // written in full: only now, so that callers kept behind it
      }
      while (queue.isEmpty() && !closed && broken == null) {
        if (writing) {
          channel.configureBlocking(false);
          writing = false;
        }
        work.await();
      }
      if (broken != null) {
        throw broken;
      }
      if (closed) {
        return null;
      }
      if (!writing) {
        channel.configureBlocking(true);
        writing = true;
      }
      queuedBytes -= queue.element().remaining();
      return queue.element();
    } finally {
      lock.unlock();
    }
  }

  /// Ends the child's input and frees the writer; any thread, twice is fine.
  void close() throws IOException {
    lock.lock();
    try {
      closed = true;
      work.signal();
    } finally {
      lock.unlock();
    }
    channel.close();
  }
}
