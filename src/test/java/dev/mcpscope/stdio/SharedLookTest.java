package dev.mcpscope.stdio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.scope.Deadline;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SharedLookTest {

  @Test
  void thoseWhoAskWhileOneLooksShareTheNextLook() throws Exception {
    var looks = new AtomicInteger();
    var looking = new CountDownLatch(1);
    var goOn = new CountDownLatch(1);
    var shared =
        new SharedLook<Integer>(
            "it",
            Duration.ofSeconds(20),
            () -> {
              int number = looks.incrementAndGet();
              looking.countDown();
              await(goOn);
              return number;
            });
    CompletableFuture<Integer> first = CompletableFuture.supplyAsync(shared::get);
    looking.await();
    var threads = new ArrayList<Thread>();
    List<Integer> seen = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      threads.add(
          Thread.ofVirtual()
              .start(() -> {
                int number = shared.get();
                synchronized (seen) {
                  seen.add(number);
                }
              }));
    }
    for (Thread thread : threads) {
      while (thread.getState() != Thread.State.TIMED_WAITING) {
        Thread.onSpinWait(); // until it waits for the first look
      }
    }
    goOn.countDown();
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(first.join()).isEqualTo(1); // began before the others asked: not theirs
    assertThat(seen).hasSize(100).containsOnly(2);
    assertThat(looks).hasValue(2);
  }

  @Test
  void whoAsksLaterGetsALaterLook() {
    var looks = new AtomicInteger();
    var shared = new SharedLook<Integer>("it", Duration.ofSeconds(20), looks::incrementAndGet);
    assertThat(shared.get()).isEqualTo(1);
    assertThat(shared.get()).isEqualTo(2);
  }

  @Test
  void thoseWhoAskAtOnceAfterALongTimeTakeNoOldLookForOneThatHangs() throws Exception {
    var shared = new SharedLook<>("it", Duration.ofSeconds(1), () -> 1);
    shared.get();
    for (Deadline idle = Deadline.after(Duration.ofMillis(1_200)); !idle.passed(); ) {
      Thread.onSpinWait(); // nobody asks for a while
    }
    List<CompletableFuture<Integer>> all = new ArrayList<>();
    for (int i = 0; i < 1_000; i++) {
      all.add(CompletableFuture.supplyAsync(shared::get, task -> Thread.ofVirtual().start(task)));
    }
    assertThat(all).allSatisfy(one -> assertThat(one.join()).isEqualTo(1));
  }

  @Test
  void aLookThatFailsIsNobodyElses() {
    var looks = new AtomicInteger();
    var shared =
        new SharedLook<Integer>(
            "it",
            Duration.ofSeconds(20),
            () -> {
              if (looks.incrementAndGet() == 1) {
                throw new IllegalStateException("no descriptors");
              }
              return looks.get();
            });
    assertThatThrownBy(shared::get).hasMessage("it cannot be looked at: no descriptors");
    assertThat(shared.get()).isEqualTo(2);
  }

  @Test
  void nobodyWaitsForALookThatHangsAndItsEndMendsAll() {
    var goOn = new CountDownLatch(1);
    var looks = new AtomicInteger();
    var shared =
        new SharedLook<Integer>(
            "it",
            Duration.ofMillis(50),
            () -> {
              if (looks.incrementAndGet() == 1) {
                await(goOn);
              }
              return looks.get();
            });
    assertThatThrownBy(shared::get).hasMessageContaining("takes longer than 50 ms");
    long begun = System.nanoTime();
    for (int i = 0; i < 1_000; i++) {
      assertThatThrownBy(shared::get).hasMessageContaining("takes longer than 50 ms");
    }
    assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(20));
    assertThat(looks).hasValue(1);
    goOn.countDown();
    while (looks.get() == 1) {
      try {
        shared.get();
      } catch (IllegalStateException _) {
        Thread.onSpinWait(); // it has not ended yet
      }
    }
    assertThat(looks).hasValue(2);
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
