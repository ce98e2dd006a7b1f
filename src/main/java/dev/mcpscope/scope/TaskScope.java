package dev.mcpscope.scope;

import java.util.concurrent.StructuredTaskScope;
import java.util.concurrent.StructuredTaskScope.Joiner;
import java.util.concurrent.StructuredTaskScope.Subtask;
import java.util.concurrent.ThreadFactory;
import java.util.function.Function;

/// A scope that one thread opens, serves and closes, so that nothing it started outlives it.
///
/// ## The idea
///
/// A connection is not a thing that callers open and close. It is a *thread's stay in a block*:
///
/// ```java
/// try (var scope = TaskScope.open("connection/s1/files#1", mailbox)) {
///   scope.fork("reader", reader::run, Ended::new);       // subtasks of the connection
///   while (!(scope.take() instanceof Stop)) { … }        // the only place where the owner waits
///   unblockInput();                                      // a blocked subtask must be able to end
/// }                                                      // here every subtask has ended
/// ```
///
/// The thread that entered the block is the **owner**. Who wants something of the connection, a
/// caller that disconnects it, a subtask that has seen the server die, leaves a message in the
/// mailbox; the owner alone acts. So there is no moment in which one thread opens what another
/// one closes, and "is it really gone?" has an answer that the compiler can show: the block has
/// been left.
///
/// ## What the JDK gives, and what this class adds
///
/// [StructuredTaskScope] enforces the block: only its owner may fork, join and close it (anybody
/// else gets a `WrongThreadException`, even a subtask), `close` waits until every subtask's thread
/// has ended, and a scope opened by a subtask is a child of the scope the subtask was forked in.
/// The JVM itself knows this tree: `jcmd PID Thread.dump_to_file -format=json` prints it, with the
/// names given here. It is made for a burst of subtasks that are joined; an owner that *lives*
/// needs three things more.
///
/// - **Mail instead of join.** A long-lived owner cannot sit in `join`, which only ends with its
///   subtasks. It waits in [#take(Deadline)], and everything that can happen to it is a message or
///   an interrupt: a request, a subtask's end (each [#fork] names the message that reports it, be
///   the end a return, an exception or an `Error`), or its parent's cancel, which interrupts it.
/// - **A way to cancel.** The API has no `cancel()`. A scope is cancelled when its joiner's
///   `onFork` answers true, so [#close()] forks once more with the joiner set to refuse: the JDK
///   then starts nothing and interrupts every subtask that still runs.
/// - **A close that cannot fail half-way.** [#close()] cancels, joins and closes; it may be called
///   twice, and it keeps waiting when the owner is interrupted meanwhile (the flag is set again
///   when it returns).
///
/// ## The rules that its users keep
///
/// 1. The owner opens the scope before it acquires the first resource, and releases what it
///    acquired inside the block. A failure half-way unwinds through the same code.
/// 2. Before the block is left, whatever a subtask may be blocked in is unblocked: its channel
///    closed, its process ended. Interrupt alone does not free a thread from every kind of I/O, and
///    `close` waits for as long as a subtask takes.
/// 3. Code that the project has not written (callbacks, listeners) never runs in a scope: it might
///    ignore its interrupt for ever. It runs in a [Guest].
/// 4. Scopes are closed innermost first. An outer scope that is closed while an inner one is open
///    does not cancel it but waits for it. One block per thread at a time is the simplest way to
///    keep this rule, and the one used here: a scope inside a scope belongs to a subtask, as each
///    session's does in the host's, and each connection's in its session's.
///
/// @param <M> the messages that the owner takes
public final class TaskScope<M> implements AutoCloseable {

  /// Says what a fork does: start a subtask, or, once the owner has decided to end, cancel.
  private static final class Policy implements Joiner<Object, Void> {
    private boolean ending; // owner only: onFork runs in the owner, inside fork()

    @Override
    public boolean onFork(Subtask<? extends Object> subtask) {
      return ending;
    }

    @Override
    public Void result() {
      return null;
    }
  }

  private final String name;
  private final Mailbox<M> mailbox;
  private final Policy policy = new Policy();
  private final StructuredTaskScope<Object, Void> scope;

  private final Thread owner = Thread.currentThread();

  // owner only: how the next thread is made; newThread runs in the owner, inside fork()
  private ThreadFactory nextThread;
  private boolean closed; // owner only

  private TaskScope(String name, Mailbox<M> mailbox) {
    this.name = name;
    this.mailbox = mailbox;
    this.scope =
        StructuredTaskScope.open(
            policy, c -> c.withName(name).withThreadFactory(task -> nextThread.newThread(task)));
  }

  /// Opens a scope that the calling thread owns.
  ///
  /// @param name the scope's name in thread dumps, such as `connection/s1/files#1`
  /// @param mailbox what [#take()] waits on; made by the caller, so that others can post to it
  ///     before the owner runs
  public static <M> TaskScope<M> open(String name, Mailbox<M> mailbox) {
    return new TaskScope<>(name, mailbox);
  }

  /// Starts a subtask in a virtual thread; owner only.
  ///
  /// @param task the last word of its thread's name, after the scope's
  /// @param body what it does
  /// @param ended makes the message that is posted when the subtask has ended, from the throwable
  ///     it ended with, or from null when it returned; null for none, where the owner does not care
  public void fork(String task, Task body, Function<Throwable, ? extends M> ended) {
    start(Thread.ofVirtual().name(name + " " + task).factory(), body, ended);
  }

  /// Like [#fork], in a platform thread: for the few loops in which a virtual thread costs more than
  /// it saves. Owner only.
  public void forkPlatform(String task, Task body, Function<Throwable, ? extends M> ended) {
    start(Thread.ofPlatform().daemon().name(name + " " + task).factory(), body, ended);
  }

  private void start(ThreadFactory factory, Task body, Function<Throwable, ? extends M> ended) {
    ensureOwner();
    nextThread = factory;
    scope.fork(() -> {
      Throwable failure = null;
      try {
        body.run();
      } catch (Throwable t) { // an Error takes the same road: the owner has to know
        failure = t;
      }
      M message = ended.apply(failure);
      if (message != null) {
        mailbox.post(message);
      }
      return null;
    });
  }

  /// Waits for the next message; owner only.
  ///
  /// @throws InterruptedException when the parent scope was cancelled: the owner ends, as if it had
  ///     been told to
  public M take() throws InterruptedException {
    return take(Deadline.NEVER);
  }

  /// Waits for the next message until `deadline`; owner only.
  ///
  /// @return the message, or null when the deadline has passed
  /// @throws InterruptedException when the parent scope was cancelled
  public M take(Deadline deadline) throws InterruptedException {
    ensureOwner();
    return mailbox.take(deadline);
  }

  /// Interrupts every subtask and returns when all of them have ended; owner only. A second call
  /// does nothing. Waits on, when interrupted, and sets the flag again.
  @Override
  public void close() {
    ensureOwner(); // before any state changes: a stranger's mistake must not disable the owner
    if (closed) {
      return;
    }
    closed = true;
    boolean interrupted = false;
    try (scope) {
      policy.ending = true;
      scope.fork(() -> null); // cancels the scope and starts nothing: onFork answered true
      scope.join();
    } catch (InterruptedException e) {
      interrupted = true; // scope.close() has waited all the same
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private void ensureOwner() {
    if (Thread.currentThread() != owner) {
      throw new WrongThreadException(
          "scope " + name + " belongs to " + owner + ", not to " + Thread.currentThread());
    }
  }
}
