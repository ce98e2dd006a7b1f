package dev.mcpscope.scope;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.host.ThreadDump;
import dev.mcpscope.host.ThreadDump.Scope;
import dev.mcpscope.host.ThreadDump.ThreadInfo;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 20, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class TaskScopeTest {
  private static final String NAME = "connection/s1/files#1";
  private static final Deadline SOON = Deadline.after(Duration.ofMillis(20));

  private record Ended(String task, Throwable failure) {}

  private final Mailbox<Ended> mailbox = new Mailbox<>(4);
  private final ConcurrentLinkedQueue<String> trail = new ConcurrentLinkedQueue<>();
  private final CountDownLatch never = new CountDownLatch(1);

  @Test
  void onlyTheOwnerForksTakesAndCloses() throws Exception {
    try (var _ = NothingLeft.check();
        var scope = TaskScope.open(NAME, mailbox)) {
      List<ThrowingCallable> ownersOwn =
          List.of(
              () -> scope.fork("reader", never::await, ended("reader")),
              () -> scope.forkPlatform("writer", never::await, ended("writer")),
              scope::take,
              () -> scope.take(SOON),
              scope::close);
      Runnable attempts =
          () ->
              ownersOwn.forEach(attempt ->
                  assertThatThrownBy(attempt)
                      .isInstanceOf(WrongThreadException.class)
                      .hasMessageContaining(NAME));

      var stranger = new FutureTask<>(attempts, "all refused");
      Thread.ofVirtual().start(stranger);
      assertThat(stranger.get()).isEqualTo("all refused");

      scope.fork("subtask", attempts::run, ended("subtask"));
      assertThat(scope.take()).isEqualTo(new Ended("subtask", null));
      assertThat(mailbox.close()).isEmpty();
    }
  }

  @Test
  void aStrangersCloseLeavesTheOwnerAbleToClose() throws Exception {
    try (var _ = NothingLeft.check()) {
      var scope = TaskScope.open(NAME, mailbox);
      scope.fork("reader", never::await, ended("reader"));
      Thread.ofVirtual().start(() -> assertThatThrownBy(scope::close)).join();

      scope.fork("writer", () -> {}, ended("writer"));
      assertThat(scope.take()).isEqualTo(new Ended("writer", null));
      scope.close();

      assertThat(mailbox.close())
          .singleElement()
          .satisfies(
              reader -> assertThat(reader.failure()).isInstanceOf(InterruptedException.class));
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void closeInterruptsSubtasksAndWaitsForThem(boolean virtual) {
    try (var _ = NothingLeft.check()) {
      Thread owner = Thread.currentThread();
      var scope = TaskScope.open(NAME, mailbox);
      fork(scope, virtual, "stubborn", () -> endOnlyWhenItWaits(owner));

      scope.close();
      trail.add("closed");

      assertThat(trail).containsExactly("interrupted", "ended", "closed");
      assertThat(mailbox.close()).containsExactly(new Ended("stubborn", null));
    }
  }

  static Stream<Throwable> ends() {
    return Stream.of(
        null,
        new IOException("the server has died"),
        new IllegalStateException(),
        new InterruptedException(),
        new OutOfMemoryError());
  }

  @ParameterizedTest
  @MethodSource("ends")
  void everyEndOfASubtaskIsMail(Throwable end) throws Exception {
    try (var _ = NothingLeft.check();
        var scope = TaskScope.open(NAME, mailbox)) {
      for (boolean virtual : List.of(true, false)) {
        fork(scope, virtual, "reader", () -> end(end));

        Ended mail = scope.take();

        assertThat(mail.task()).isEqualTo("reader");
        assertThat(mail.failure()).isSameAs(end);
      }
    }
  }

  @Test
  void theEndOfASubtaskIsMailEvenIfTheMailboxIsFull() throws Exception {
    var full = new Mailbox<Ended>(1);
    full.offer(new Ended("caller", null));
    try (var scope = TaskScope.open(NAME, full)) {
      scope.fork("reader", () -> {}, ended("reader"));

      assertThat(scope.take()).isEqualTo(new Ended("caller", null));
      assertThat(scope.take()).isEqualTo(new Ended("reader", null));
    }
  }

  @Test
  void aFailureOfOneSubtaskDoesNotEndTheOthers() throws Exception {
    try (var _ = NothingLeft.check();
        var scope = TaskScope.open(NAME, mailbox)) {
      var told = new CountDownLatch(1);
      scope.fork("reader", told::await, ended("reader"));
      scope.fork("events", () -> end(new AssertionError()), ended("events"));
      assertThat(scope.take().task()).isEqualTo("events");

      told.countDown();

      assertThat(scope.take()).isEqualTo(new Ended("reader", null));
    }
  }

  @RepeatedTest(20)
  void everySubtaskReportsItsEndOnceWheneverTheScopeIsClosed() throws Exception {
    int forked = 200;
    int taken = ThreadLocalRandom.current().nextInt(forked);
    var reports = new ArrayList<Ended>();
    try (var _ = NothingLeft.check()) {
      try (var scope = TaskScope.open(NAME, mailbox)) {
        for (int i = 0; i < forked; i++) {
          boolean blocks = i % 3 == 0 && i > taken;
          scope.fork("task", blocks ? never::await : () -> {}, ended("task " + i));
        }
        for (int i = 0; i < taken / 2; i++) {
          reports.add(scope.take());
        }
      }
      reports.addAll(mailbox.close());
    }
    assertThat(reports).extracting(Ended::task).hasSize(forked).doesNotHaveDuplicates();
  }

  @Test
  void anInterruptedOwnerStillClosesAndKeepsItsFlag() {
    try (var _ = NothingLeft.check()) {
      Thread owner = Thread.currentThread();
      var scope = TaskScope.open(NAME, mailbox);
      scope.fork("stubborn", () -> endOnlyWhenItWaits(owner), ended("stubborn"));
      owner.interrupt();

      scope.close();
      trail.add("closed");

      assertThat(Thread.interrupted()).isTrue();
      assertThat(trail).containsExactly("interrupted", "ended", "closed");
    }
  }

  @Test
  void anOwnerThatIsInterruptedWhileItClosesGoesOnAndKeepsItsFlag() {
    try (var _ = NothingLeft.check()) {
      Thread owner = Thread.currentThread();
      var scope = TaskScope.open(NAME, mailbox);
      scope.fork(
          "stubborn",
          () -> {
            try {
              never.await();
            } catch (InterruptedException e) {
              for (int i = 0; i < 3; i++) {
                untilItWaits(owner);
                owner.interrupt();
              }
              trail.add("ended");
            }
          },
          ended("stubborn"));

      scope.close();
      trail.add("closed");

      assertThat(Thread.interrupted()).isTrue();
      assertThat(trail).containsExactly("ended", "closed");
    }
  }

  @Test
  void aParentsCloseInterruptsTheOwnerOfAChildScope() throws Exception {
    try (var _ = NothingLeft.check()) {
      var childWaits = new CountDownLatch(1);
      var parent = TaskScope.open("session/s1", mailbox);
      parent.fork(
          "owner",
          () -> {
            var childsMail = new Mailbox<Ended>(4);
            try (var child = TaskScope.open(NAME, childsMail)) {
              child.fork("reader", never::await, ended("reader"));
              childWaits.countDown();
              child.take();
            } catch (InterruptedException e) {
              trail.add("child interrupted");
            }
            childsMail.close().forEach(mail -> trail.add(mail.task() + " ended"));
          },
          ended("owner"));
      childWaits.await();

      parent.close();
      trail.add("parent closed");

      assertThat(trail).containsExactly("child interrupted", "reader ended", "parent closed");
      assertThat(mailbox.close()).containsExactly(new Ended("owner", null));
    }
  }

  @Test
  void closeTwiceDoesNothing() {
    try (var _ = NothingLeft.check()) {
      var scope = TaskScope.open(NAME, mailbox);
      scope.fork("reader", never::await, ended("reader"));
      scope.close();
      assertThat(mailbox.close()).hasSize(1);

      scope.close();
    }
  }

  @Test
  void aScopeThatForkedNothingCloses() {
    try (var _ = NothingLeft.check()) {
      TaskScope.open(NAME, mailbox).close();
      assertThat(mailbox.close()).isEmpty();
    }
  }

  @Test
  void aClosedScopeForksNothing() {
    try (var _ = NothingLeft.check()) {
      var scope = TaskScope.open(NAME, mailbox);
      scope.close();

      assertThatThrownBy(() -> scope.fork("late", () -> trail.add("ran"), ended("late")))
          .isInstanceOf(IllegalStateException.class);
      assertThat(trail).isEmpty();
    }
  }

  @Test
  void aFailureOfTheOwnerLeavesNothingBehind() {
    var failure = new IOException("no such program");
    try (var _ = NothingLeft.check()) {
      assertThatThrownBy(
              () -> {
                try (var scope = TaskScope.open(NAME, mailbox)) {
                  scope.fork("reader", never::await, ended("reader"));
                  throw failure;
                }
              })
          .isSameAs(failure)
          .hasNoSuppressedExceptions();
    }
  }

  @Test
  void takeReturnsNullWhenItsDeadlinePasses() throws Exception {
    try (var scope = TaskScope.open(NAME, mailbox)) {
      assertThat(scope.take(SOON)).isNull();
    }
  }

  @Test
  void mailFromBeforeTheScopeIsTaken() throws Exception {
    mailbox.offer(new Ended("earlier", null));
    try (var scope = TaskScope.open(NAME, mailbox)) {
      assertThat(scope.take()).isEqualTo(new Ended("earlier", null));
    }
  }

  @Test
  void forkedThreadsCarryTheScopesName() throws Exception {
    try (var _ = NothingLeft.check();
        var scope = TaskScope.open(NAME, mailbox)) {
      scope.fork("reader", this::leaveName, ended("reader"));
      scope.take();
      scope.forkPlatform("writer", this::leaveName, ended("writer"));
      scope.take();

      assertThat(trail).containsExactly(NAME + " reader", NAME + " writer");
    }
  }

  @Test
  void platformAndVirtualSubtasks() throws Exception {
    try (var _ = NothingLeft.check();
        var scope = TaskScope.open(NAME, mailbox)) {
      var virtual = new AtomicBoolean();
      var platform = new AtomicReference<Thread>();
      scope.fork("a", () -> virtual.set(Thread.currentThread().isVirtual()), ended("a"));
      scope.forkPlatform("b", () -> platform.set(Thread.currentThread()), ended("b"));
      scope.take();
      scope.take();

      assertThat(virtual).isTrue();
      assertThat(platform.get().isVirtual()).isFalse();
      assertThat(platform.get().isDaemon()).isTrue();
    }
  }

  @Test
  void theJvmsOwnThreadDumpShowsTheTreeUntilItIsClosed() throws Exception {
    try (var _ = NothingLeft.check()) {
      var childOpen = new CountDownLatch(1);
      try (var session = TaskScope.open("session/s1", mailbox)) {
        session.fork(
            "files",
            () -> {
              try (var connection = TaskScope.open(NAME, new Mailbox<Ended>(4))) {
                connection.fork("reader", never::await, ended("reader"));
                connection.forkPlatform("writer", never::await, ended("writer"));
                childOpen.countDown();
                connection.take();
              }
            },
            ended("files"));
        childOpen.await();

        Scope sessionScope = scopeNamed("session/s1");
        assertThat(sessionScope.ownerTid()).isEqualTo(Thread.currentThread().threadId());
        assertThat(sessionScope.threads())
            .extracting(ThreadInfo::name)
            .containsExactly("session/s1 files");
        assertThat(sessionScope.scopes())
            .singleElement()
            .satisfies(connection -> {
              assertThat(connection.name()).isEqualTo(NAME);
              assertThat(connection.owner()).isEqualTo("session/s1 files");
              assertThat(connection.threads())
                  .extracting(ThreadInfo::name, ThreadInfo::virtual)
                  .containsExactly(tuple(NAME + " reader", true), tuple(NAME + " writer", false));
            });
      }
      assertThat(ThreadDump.take().scopes())
          .extracting(Scope::name)
          .doesNotContain("session/s1", NAME);
    }
  }

  private static Scope scopeNamed(String name) throws IOException {
    return ThreadDump.take().scopes().stream()
        .filter(scope -> scope.name().equals(name))
        .findFirst()
        .orElseThrow();
  }

  private static void fork(TaskScope<Ended> scope, boolean virtual, String task, Task body) {
    if (virtual) {
      scope.fork(task, body, ended(task));
    } else {
      scope.forkPlatform(task, body, ended(task));
    }
  }

  private static Function<Throwable, Ended> ended(String task) {
    return failure -> new Ended(task, failure);
  }

  private static void end(Throwable end) throws Exception {
    switch (end) {
      case null -> {}
      case Exception e -> throw e;
      case Error e -> throw e;
      default -> throw new AssertionError(end);
    }
  }

  private void endOnlyWhenItWaits(Thread owner) {
    try {
      never.await();
    } catch (InterruptedException e) {
      trail.add("interrupted");
      untilItWaits(owner);
      trail.add("ended");
    }
  }

  private void leaveName() {
    trail.add(Thread.currentThread().getName());
  }

  private static void untilItWaits(Thread thread) {
    while (thread.getState() != Thread.State.WAITING) {
      Thread.onSpinWait();
    }
  }
}
