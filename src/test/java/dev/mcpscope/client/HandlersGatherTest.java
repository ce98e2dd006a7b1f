package dev.mcpscope.client;

import static dev.mcpscope.client.Promptly.failure;
import static dev.mcpscope.client.Promptly.promptly;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.NothingLeft;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.rpc.PendingCalls;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import dev.mcpscope.scope.Deadline;
import dev.mcpscope.scope.Guests;
import dev.mcpscope.transport.Closing;
import dev.mcpscope.transport.Transport;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What a call of ours has to bring along, and what comes of it.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class HandlersGatherTest {
  private static final ClientFeatures NONE = ClientFeatures.none();
  private static final ConnectionLostException GONE =
      new ConnectionLostException("files: it has exited", null);

  /// Handlers at work, without a server: nothing of what is gathered goes over the wire by itself.
  private static final class Working implements AutoCloseable, Transport {
    private final PendingCalls<McpException> pending = new PendingCalls<>();
    private final Guests guests = new Guests();
    private final Elicitations elicitations = new Elicitations();
    private final ConcurrentLinkedQueue<RpcMessage> sent = new ConcurrentLinkedQueue<>();
    private final Handlers handlers;
    private final Caller<Void> owner;

    Working(ClientOptions options) {
      handlers = new Handlers("test", "files", this, options, pending, guests, elicitations);
      owner =
          new Caller<>(() -> {
            handlers.run();
            return null;
          });
    }

    Working(ClientFeatures features) {
      this(ClientOptions.defaults().withFeatures(features));
    }

    JsonObject gather(JsonObject wanted) throws McpException, InterruptedException {
      return gather(wanted, Deadline.NEVER);
    }

    JsonObject gather(JsonObject wanted, Deadline end) throws McpException, InterruptedException {
      return handlers.gather(wanted, "files: tools/call", end);
    }

    Caller<JsonObject> gathering(JsonObject wanted) {
      return new Caller<>(() -> gather(wanted));
    }

    /// Waits until this much is accepted again: places are free when nobody works any more. Each of these
    /// is answered when all have been asked for, else the first would make room for the last.
    void untilThereIsRoomFor(JsonObject wanted) throws Exception {
      while (!Thread.interrupted()) { // by the test's time-out
        together = new CyclicBarrier(wanted.members().size());
        try {
          gather(wanted);
          return;
        } catch (ProtocolViolationException | InputFailedException _) { // by one of the time before
          Thread.onSpinWait();
        }
      }
      throw new InterruptedException("there is never room for " + wanted);
    }

    /// Waits until these are all who work: who has answered goes after that.
    void untilOnly(String... names) throws InterruptedException {
      while (!guests.running().equals(List.of(names))) {
        if (Thread.interrupted()) { // by the test's time-out
          throw new InterruptedException("there are " + guests.running());
        }
        Thread.onSpinWait();
      }
    }

    /// Ends the handlers, as the connection's owner does.
    void end() throws Exception {
      handlers.end();
      owner.result();
    }

    @Override
    public void close() {
      try {
        end();
      } catch (Exception e) {
        throw new AssertionError(e);
      }
      assertThat(guests.running()).isEmpty();
      assertThat(sent).isEmpty();
    }

    @Override
    public List<Work> tasks() {
      return List.of();
    }

    @Override
    public void send(RpcMessage message) {
      sent.add(message);
    }

    @Override
    public void close(Closing closing) {}
  }

  /// Returns a question to the model, whose text says what is to come of it.
  private static JsonObject ask(String text) {
    return Json.object(
        "{'method':'sampling/createMessage','params':{'messages':[{'role':'user','content':"
            + "{'type':'text','text':'"
            + text
            + "'}}],'maxTokens':10}}");
  }

  private static JsonObject answer(String text) {
    return SamplingResult.text("m", text).json();
  }

  /// What a model does with a question.
  @FunctionalInterface
  private interface Model {
    String answer(String text) throws Exception;
  }

  private static final String TOGETHER = "together";
  private static volatile CyclicBarrier together; // all who are asked this, before one answers

  private static ClientFeatures model(Model model) {
    return NONE.withSampling(request -> {
      String text = request.messages().getFirst().text();
      if (text.startsWith(TOGETHER)) {
        together.await();
        return SamplingResult.text("m", text);
      }
      return SamplingResult.text("m", model.answer(text));
    });
  }

  /// A model that never answers, and notes what it was asked, and when it is told not to.
  private static final class Hanging implements Model {
    private final CountDownLatch started;
    private final CountDownLatch interrupted;

    Hanging(int questions) {
      started = new CountDownLatch(questions);
      interrupted = new CountDownLatch(questions);
    }

    @Override
    public String answer(String text) throws InterruptedException {
      started.countDown();
      try {
        new CountDownLatch(1).await();
        throw new AssertionError("nobody counts it down");
      } catch (InterruptedException e) {
        interrupted.countDown();
        throw e;
      }
    }
  }

  // What is gathered.

  @Test
  void eachInputIsAnsweredByItsHandlerUnderItsName() throws Exception {
    ClientFeatures features =
        model(text -> text + "!")
            .withRoots(() -> List.of(new Root(URI.create("file:///home"), Optional.empty())))
            .withElicitation(_ -> ElicitationResult.accept(Map.of("name", "Ann")))
            .withElicitationUrl(_ -> ElicitationResult.accept());
    try (var _ = NothingLeft.check();
        var working = new Working(features)) {
      JsonObject gathered =
          promptly(() ->
              working.gather(
                  JsonObject.of(
                      "", ask("hello"),
                      "roots", Json.object("{'method':'roots/list'}"),
                      "form",
                          Json.object(
                              "{'method':'elicitation/create','params':{'message':'Who?',"
                                  + "'requestedSchema':{'type':'object','properties':{"
                                  + "'name':{'type':'string'},"
                                  + "'age':{'type':'integer','default':30}}}}}"),
                      "url",
                          Json.object(
                              "{'method':'elicitation/create','params':{'mode':'url',"
                                  + "'message':'Go','url':'https://example.org/'}}"))));
      assertThat(gathered)
          .hasToString(
              JsonObject.of(
                      "",
                      answer("hello!"),
                      "roots",
                      Json.object("{'roots':[{'uri':'file:///home'}]}"),
                      "form",
                      Json.object("{'action':'accept','content':{'name':'Ann','age':30}}"),
                      "url",
                      Json.object("{'action':'accept'}"))
                  .toString());
    }
  }

  @Test
  void allInputsAreAnsweredAtTheSameTime() throws Exception {
    var together = new CyclicBarrier(3); // nobody goes on before all are there
    ClientFeatures features =
        model(text -> text + together.await())
            .withRoots(() -> {
              together.await();
              return List.of();
            });
    try (var _ = NothingLeft.check();
        var working = new Working(features)) {
      JsonObject wanted =
          JsonObject.of("a", ask("a"), "b", ask("b"), "c", Json.object("{'method':'roots/list'}"));
      for (int i = 0; i < 20; i++) {
        assertThat(promptly(() -> working.gather(wanted)).members())
            .containsOnlyKeys("a", "b", "c");
      }
    }
  }

  @Test
  void theyStandInTheServersOrderInWhicheverTheyAreAnswered() throws Exception {
    var answered = new ConcurrentHashMap<String, CountDownLatch>();
    List.of("a", "b", "c").forEach(name -> answered.put(name, new CountDownLatch(1)));
    Map<String, String> after = Map.of("a", "b", "b", "c"); // c is first
    Model model =
        text -> {
          if (after.containsKey(text)) {
            answered.get(after.get(text)).await();
          }
          answered.get(text).countDown();
          return text;
        };
    try (var _ = NothingLeft.check();
        var working = new Working(model(model))) {
      JsonObject wanted = JsonObject.of("a", ask("a"), "b", ask("b"), "c", ask("c"));
      assertThat(promptly(() -> working.gather(wanted)).members().keySet())
          .containsExactly("a", "b", "c");
    }
  }

  @Test
  void callsThatAskForTheSameNamesAtTheSameTimeGetTheirOwn() throws Exception {
    var together = new CyclicBarrier(4);
    Model model =
        text -> {
          together.await();
          return text;
        };
    try (var _ = NothingLeft.check();
        var working = new Working(model(model))) {
      var one = working.gathering(JsonObject.of("a", ask("1a"), "b", ask("1b")));
      var other = working.gathering(JsonObject.of("a", ask("2a"), "b", ask("2b")));
      assertThat(one.result()).isEqualTo(JsonObject.of("a", answer("1a"), "b", answer("1b")));
      assertThat(other.result()).isEqualTo(JsonObject.of("a", answer("2a"), "b", answer("2b")));
    }
  }

  @Test
  void whereNothingIsWantedNothingIsGathered() throws Exception {
    try (var _ = NothingLeft.check();
        var working = new Working(NONE)) {
      assertThat(promptly(() -> working.gather(JsonObject.EMPTY))).isEqualTo(JsonObject.EMPTY);
    }
  }

  /// What the user does there may be faster than his answer.
  @Test
  void whatAUserIsSentToAUrlForMayBeDoneFromThenOn() throws Exception {
    var asked = new CountDownLatch(1);
    var release = new CountDownLatch(1);
    ClientFeatures features =
        NONE.withElicitationUrl(_ -> {
          asked.countDown();
          release.await();
          return ElicitationResult.accept();
        });
    JsonObject wanted =
        JsonObject.of(
            "url",
            Json.object(
                "{'method':'elicitation/create','params':{'mode':'url','message':'Go',"
                    + "'url':'https://example.org/','elicitationId':'e'}}"));
    try (var _ = NothingLeft.check();
        var working = new Working(features)) {
      Caller<JsonObject> gathering = working.gathering(wanted);
      asked.await();
      assertThat(working.elicitations.complete("e")).isTrue();
      release.countDown();
      gathering.result();
    }
  }

  // What is none of the inputs that there are.

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          7                                      | what is no request
          null                                   | what is no request
          'roots/list'                           | what is no request
          [{'method':'roots/list'}]              | what is no request
          {}                                     | member "method" is missing
          {'method':null}                        | member "method" is null
          {'method':7}                           | member "method" is a number
          {'method':'roots/list','params':[]}    | member "params" is an array
          {'method':'roots/list','params':'a'}   | member "params" is a string
          {'method':''}                          | , which this client has not declared
          {'method':'ping'}                      | ping, which this client has not declared
          {'method':'tools/list'}                | tools/list, which this client has not declared
          {'method':'roots/List'}                | roots/List, which this client has not declared
          {'method':'elicitation/create'}        | elicitation/create, which this client has not declared
          """)
  void whatIsNoInputOfThisClientBreaksTheProtocolAndNobodyIsAskedForTheOthers(
      String wrong, String said) throws Exception {
    var asked = new ConcurrentLinkedQueue<String>();
    Model model =
        text -> {
          asked.add(text);
          return text;
        };
    try (var _ = NothingLeft.check();
        var working = new Working(model(model).withRoots(List::of))) {
      for (JsonObject wanted :
          List.of(
              JsonObject.of("k", Json.value(wrong), "b", ask("other")),
              JsonObject.of("b", ask("other"), "k", Json.value(wrong)))) {
        assertThat(failure(ProtocolViolationException.class, () -> working.gather(wanted)))
            .hasMessageStartingWith("files: tools/call asks for input k: ")
            .hasMessageContaining(said);
      }
      assertThat(promptly(() -> working.gather(JsonObject.of("k", ask("goes on")))))
          .isEqualTo(JsonObject.of("k", answer("goes on")));
      assertThat(asked).containsExactly("goes on");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"roots/list", "sampling/createMessage", "elicitation/create"})
  void whatWasNotDeclaredIsNotServed(String method) throws Exception {
    try (var _ = NothingLeft.check();
        var working = new Working(NONE)) {
      assertThat(
              failure(
                  ProtocolViolationException.class,
                  () -> working.gather(JsonObject.of("k", JsonObject.of("method", method)))))
          .hasMessage(
              "files: tools/call asks for input k: "
                  + method
                  + ", which this client has not declared");
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          sampling/createMessage | {}                             | "messages" is missing
          elicitation/create     | {'mode':'url','message':'Go','url':'https://a.b/'} | has not declared elicitation by url
          elicitation/create     | {'message':'Who?'}             | "requestedSchema" is missing
          """)
  void anInputThatCannotBeUnderstoodBreaksTheProtocolAndNobodyIsAskedForTheOthers(
      String method, String params, String said) throws Exception {
    var asked = new ConcurrentLinkedQueue<String>();
    Model model =
        text -> {
          asked.add(text);
          return text;
        };
    ClientFeatures features = model(model).withElicitation(_ -> ElicitationResult.decline());
    try (var _ = NothingLeft.check();
        var working = new Working(features)) {
      JsonObject wrong = JsonObject.of("method", method, "params", Json.value(params));
      JsonObject wanted = JsonObject.of("b", ask("other"), "k", wrong);
      assertThat(failure(ProtocolViolationException.class, () -> working.gather(wanted)))
          .hasMessageStartingWith("files: tools/call asks for input k: ")
          .hasMessageContaining(said);
      promptly(() -> working.gather(JsonObject.of("k", ask("goes on"))));
      assertThat(asked).containsExactly("goes on");
    }
  }

  @Test
  void theServersWordsAreShownShortAndWithoutControlCharacters() throws Exception {
    String word = "a\n\u001b" + "x".repeat(10_000);
    Model model =
        _ -> {
          throw new RequestRefusedException(1, "no");
        };
    try (var _ = NothingLeft.check();
        var working = new Working(model(model))) {
      for (JsonObject wanted :
          List.of(
              JsonObject.of(word, 1),
              JsonObject.of("k", JsonObject.of("method", word)),
              JsonObject.of(word, ask("a")))) {
        assertThat(failure(McpException.class, () -> working.gather(wanted)).getMessage())
            .hasSizeLessThan(400)
            .doesNotContainPattern("\\p{Cc}")
            .contains("xxx…");
      }
    }
  }

  // Handlers that do not answer.

  @Test
  void aHandlerThatRefusesFailsTheCallWithItsWords() throws Exception {
    Model model =
        _ -> {
          throw new RequestRefusedException(RequestRefusedException.USER_REJECTED, "User said no");
        };
    try (var _ = NothingLeft.check();
        var working = new Working(model(model))) {
      assertThat(
              failure(
                  InputFailedException.class, () -> working.gather(JsonObject.of("k", ask("a")))))
          .hasMessage(
              "files: tools/call asks for input \"k\" (sampling/createMessage), and does not get it:"
                  + " User said no");
    }
  }

  static List<Exception> thrown() {
    return List.of(
        new IllegalStateException("a secret"),
        new IOException("a secret"),
        new JsonException("a secret"),
        new InterruptedException("a secret"));
  }

  @ParameterizedTest
  @MethodSource("thrown")
  void aHandlerThatThrowsFailsTheCallWithoutAWordOfItAndIsLogged(Exception thrown)
      throws Exception {
    Model model =
        _ -> {
          throw thrown;
        };
    try (var _ = NothingLeft.check();
        var logged = Logged.under("dev.mcpscope.client");
        var working = new Working(model(model))) {
      assertThat(
              failure(
                  InputFailedException.class, () -> working.gather(JsonObject.of("k", ask("a")))))
          .hasMessageEndingWith("and does not get it: the client's handler has failed")
          .hasNoCause();
      logged.await(record ->
          record.getThrown() == thrown
              || record.getThrown() != null && record.getThrown().getCause() == thrown);
    }
  }

  @Test
  void aHandlerThatTakesTooLongFailsTheCallAndIsInterrupted() throws Exception {
    var hanging = new Hanging(1);
    ClientOptions options =
        ClientOptions.defaults()
            .withFeatures(model(hanging))
            .withHandlerTimeout(Duration.ofMillis(50), Duration.ofSeconds(1));
    try (var _ = NothingLeft.check();
        var working = new Working(options)) {
      assertThat(
              failure(
                  InputFailedException.class, () -> working.gather(JsonObject.of("k", ask("a")))))
          .hasMessageEndingWith("and does not get it: not answered within 50 ms");
      hanging.interrupted.await();
    }
  }

  @Test
  void aCallThatIsOutOfTimeEndsItsHandlers() throws Exception {
    var hanging = new Hanging(2);
    try (var _ = NothingLeft.check();
        var working = new Working(model(hanging))) {
      Deadline end = Deadline.after(Duration.ofMillis(50));
      assertThat(
              failure(
                  CallTimeoutException.class,
                  () -> working.gather(JsonObject.of("a", ask("a"), "b", ask("b")), end)))
          .hasMessage(
              "files: tools/call asks for input \"a\" (sampling/createMessage), which has not come in time");
      assertThat(end.passed()).isTrue();
      if (hanging.started.getCount() == 0) { // else it was over before they began
        hanging.interrupted.await();
      }
    }
  }

  @Test
  void aCallWithoutTimeAsksNobodyForLong() throws Exception {
    var hanging = new Hanging(1);
    try (var _ = NothingLeft.check();
        var working = new Working(model(hanging))) {
      failure(
          CallTimeoutException.class,
          () -> working.gather(JsonObject.of("k", ask("a")), Deadline.after(Duration.ZERO)));
    }
  }

  /// Whoever sits before the other form would fill it in for nothing.
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void theFirstFailureEndsTheOthersInWhicheverOrderTheyStand(boolean hangingFirst)
      throws Exception {
    var hanging = new Hanging(1);
    Model model =
        text -> {
          if (text.equals("hangs")) {
            return hanging.answer(text);
          }
          hanging.started.await();
          throw new RequestRefusedException(1, "no");
        };
    try (var _ = NothingLeft.check();
        var working = new Working(model(model))) {
      JsonObject wanted =
          hangingFirst
              ? JsonObject.of("a", ask("hangs"), "b", ask("refuses"))
              : JsonObject.of("a", ask("refuses"), "b", ask("hangs"));
      assertThat(failure(InputFailedException.class, () -> working.gather(wanted)))
          .hasMessageStartingWith(
              "files: tools/call asks for input \"" + (hangingFirst ? "b" : "a") + "\" ");
      hanging.interrupted.await();
    }
  }

  // Who gives up.

  @Test
  void aCallerThatIsInterruptedEndsItsHandlersAndNoOther() throws Exception {
    var hanging = new Hanging(2);
    var release = new CountDownLatch(1);
    var other = new CountDownLatch(1);
    Model model =
        text -> {
          if (text.equals("hangs")) {
            return hanging.answer(text);
          }
          other.countDown();
          release.await();
          return text;
        };
    try (var _ = NothingLeft.check();
        var working = new Working(model(model))) {
      Caller<JsonObject> undisturbed = working.gathering(JsonObject.of("a", ask("other")));
      Caller<JsonObject> caller =
          working.gathering(JsonObject.of("a", ask("hangs"), "b", ask("hangs")));
      hanging.started.await();
      other.await();

      caller.interrupt();

      assertThat(caller.failure()).isInstanceOf(InterruptedException.class);
      hanging.interrupted.await();
      release.countDown();
      assertThat(undisturbed.result()).isEqualTo(JsonObject.of("a", answer("other")));
    }
  }

  @Test
  void theEndOfTheConnectionEndsTheHandlersAndIsWhatTheirCallFailsWith() throws Exception {
    var hanging = new Hanging(2);
    try (var _ = NothingLeft.check();
        var logged = Logged.under("dev.mcpscope.client");
        var working = new Working(model(hanging))) {
      Caller<JsonObject> caller = working.gathering(JsonObject.of("a", ask("a"), "b", ask("b")));
      hanging.started.await();

      working.pending.end(() -> GONE); // in the order of the owner
      working.end();

      assertThat(caller.failure()).isSameAs(GONE);
      assertThat(hanging.interrupted.getCount()).isZero();
      assertThat(logged.texts()).noneMatch(text -> text.contains("a handler failed"));
      assertThat(failure(McpException.class, () -> working.gather(JsonObject.of("a", ask("a")))))
          .isSameAs(GONE);
    }
  }

  @Test
  void handlersThatHaveEndedByThemselvesLeaveNobodyWaiting() throws Exception {
    var hanging = new Hanging(1);
    try (var _ = NothingLeft.check();
        var working = new Working(model(hanging))) {
      Caller<JsonObject> caller = working.gathering(JsonObject.of("a", ask("a")));
      hanging.started.await();

      working.end();

      assertThat(caller.failure())
          .isInstanceOf(InputFailedException.class)
          .hasMessageEndingWith("and nobody answers any more");
      failure(InputFailedException.class, () -> working.gather(JsonObject.of("a", ask("a"))));
    }
  }

  @Test
  void whatTheServerTellsOfItsOwnRequestsIsNoneOfAnInputsBusiness() throws Exception {
    var started = new CountDownLatch(1);
    var release = new CountDownLatch(1);
    Model model =
        text -> {
          started.countDown();
          release.await();
          return text;
        };
    try (var _ = NothingLeft.check();
        var working = new Working(model(model))) {
      Caller<JsonObject> caller = working.gathering(JsonObject.of("q", ask("a")));
      started.await();
      working.handlers.cancel(new JsonString("q"));
      working.handlers.forget();
      release.countDown();
      assertThat(caller.result()).isEqualTo(JsonObject.of("q", answer("a")));
    }
  }

  /// It is known which call the answer is for.
  @Test
  void theTimeOfOtherCallsRunsOnMeanwhile() throws Exception {
    var hanging = new Hanging(1);
    try (var _ = NothingLeft.check();
        var working = new Working(model(hanging))) {
      Caller<JsonObject> caller = working.gathering(JsonObject.of("a", ask("a")));
      hanging.started.await();
      var other = working.pending.open("tools/call", "other");

      assertThat(promptly(() -> other.await(Duration.ofMillis(20), Deadline.NEVER, _ -> {})))
          .isNull();

      caller.interrupt();
      caller.join();
    }
  }

  // How many, and how much.

  private static ClientOptions limited(ClientFeatures features, int requests, int bytes) {
    ClientOptions.Limits limits = ClientOptions.Limits.defaults();
    return ClientOptions.defaults()
        .withFeatures(features)
        .withLimits(
            new ClientOptions.Limits(
                limits.message().withMaxBytes(bytes),
                limits.stderrBytes(),
                limits.pages(),
                limits.items(),
                requests,
                limits.events(),
                limits.eventBytes()));
  }

  private static JsonObject asks(String text, int count) {
    JsonObject asks = JsonObject.EMPTY;
    for (int i = 0; i < count; i++) {
      asks = asks.with("k" + i, ask(text));
    }
    return asks;
  }

  @Test
  void moreInputsThanTheLimitBreakTheProtocolAndNoneOfThemIsAnswered() throws Exception {
    var hanging = new Hanging(3);
    Model model = text -> text.equals("hangs") ? hanging.answer(text) : text;
    try (var _ = NothingLeft.check();
        var working = new Working(limited(model(model), 3, 1 << 20))) {
      assertThat(failure(ProtocolViolationException.class, () -> working.gather(asks("hangs", 4))))
          .hasMessage(
              "files: tools/call asks for input k3: more than 3 inputs at a time, or long ones");
      working.untilThereIsRoomFor(asks(TOGETHER, 3));
    }
  }

  @Test
  void longerInputsThanTwoMessagesBreakTheProtocol() throws Exception {
    int most = 1_000;
    int frame = ask("").get("params").toString().length();
    String hangs = "h".repeat(most - frame); // as long as a message
    String answers = TOGETHER + "!".repeat(most - frame - TOGETHER.length());
    var hanging = new Hanging(2);
    Model model = text -> text.startsWith("h") ? hanging.answer(text) : text;
    try (var _ = NothingLeft.check();
        var working = new Working(limited(model(model), 100, most))) {
      Caller<JsonObject> caller = working.gathering(asks(hangs, 2));
      hanging.started.await();
      caller.interrupt();
      assertThat(caller.failure()).isInstanceOf(InterruptedException.class);
      for (int i = 0; i < 5; i++) {
        working.untilThereIsRoomFor(asks(answers, 2));
        JsonObject wanted = asks(hangs, 1).with("longer", ask(hangs + "x"));
        assertThat(failure(ProtocolViolationException.class, () -> working.gather(wanted)))
            .hasMessageContaining(
                "asks for input longer: more than 100 inputs at a time, or long ones");
      }
      working.untilThereIsRoomFor(asks(answers, 2));
    }
  }

  @Test
  void requestsOnTheWireCountToo() throws Exception {
    var hanging = new Hanging(1);
    Model model = text -> text.equals("hangs") ? hanging.answer(text) : text;
    try (var _ = NothingLeft.check();
        var working = new Working(limited(model(model), 2, 1 << 20))) {
      JsonObject params = ask("hangs").object("params");
      var request = new RpcMessage.Request(RpcId.of("q"), "sampling/createMessage", params);
      assertThat(working.handlers.offer(request, 100)).isTrue();
      hanging.started.await();

      promptly(() -> working.gather(asks("a", 1)));
      failure(ProtocolViolationException.class, () -> working.gather(asks("hangs", 2)));

      working.handlers.cancel(new JsonString("q"));
      working.untilThereIsRoomFor(asks(TOGETHER, 2));
    }
  }

  /// The answer is there when the place is free: a server may ask again at once.
  @Test
  void whoHasAllAnswersMayBeAskedForAsManyAgain() throws Exception {
    try (var _ = NothingLeft.check();
        var working = new Working(limited(model(text -> text), 3, 1 << 20))) {
      promptly(() -> {
        for (int i = 0; i < 2_000; i++) {
          working.gather(asks("a", 3));
        }
        return null;
      });
    }
  }

  /// What comes of a set of inputs that is not answered.
  private record Failing(String name, Class<? extends Throwable> with, Attempt attempt) {
    @FunctionalInterface
    interface Attempt {
      Throwable failure(Working working, Hanging hanging) throws Exception;
    }

    @Override
    public String toString() {
      return name;
    }
  }

  static Stream<Failing> failing() {
    return Stream.of(
        new Failing(
            "too many",
            ProtocolViolationException.class,
            (working, _) -> working.gathering(asks("hangs", 4)).failure()),
        new Failing(
            "unknown",
            ProtocolViolationException.class,
            (working, _) ->
                working.gathering(asks("hangs", 2).with("k", JsonObject.EMPTY)).failure()),
        new Failing(
            "refuses",
            InputFailedException.class,
            (working, _) ->
                working.gathering(asks("hangs", 2).with("k0", ask("refuses"))).failure()),
        new Failing(
            "throws",
            InputFailedException.class,
            (working, _) ->
                working.gathering(asks("hangs", 2).with("k0", ask("throws"))).failure()),
        new Failing(
            "takes too long",
            InputFailedException.class,
            (working, _) -> working.gathering(asks("hangs", 3)).failure()),
        new Failing(
            "out of time",
            CallTimeoutException.class,
            (working, _) ->
                new Caller<>(() -> working.gather(asks("hangs", 3), Deadline.after(Duration.ZERO)))
                    .failure()),
        new Failing(
            "interrupted",
            InterruptedException.class,
            (working, hanging) -> {
              Caller<JsonObject> caller = working.gathering(asks("hangs", 3));
              hanging.started.await();
              caller.interrupt();
              return caller.failure();
            }));
  }

  @ParameterizedTest
  @MethodSource("failing")
  void afterAFailureTheLimitIsWholeAgain(Failing failing) throws Exception {
    var hanging = new Hanging[] {null};
    Model model =
        text ->
            switch (text) {
              case "hangs" -> hanging[0].answer(text);
              case "refuses" -> throw new RequestRefusedException(1, "no");
              case "throws" -> throw new IllegalStateException("a secret");
              default -> text;
            };
    ClientOptions options = limited(model(model), 3, 1 << 20);
    if (failing.name().equals("takes too long")) {
      options = options.withHandlerTimeout(Duration.ofMillis(20), Duration.ofSeconds(1));
    }
    try (var _ = NothingLeft.check();
        var _ = Logged.under("dev.mcpscope.client");
        var working = new Working(options)) {
      for (int i = 0; i < 5; i++) {
        hanging[0] = new Hanging(3);
        assertThat(failing.attempt().failure(working, hanging[0])).isInstanceOf(failing.with());
        working.untilThereIsRoomFor(asks(TOGETHER, 3));
      }
    }
  }

  @Test
  void aHandlerThatIgnoresItsInterruptHoldsNobodyButItsPlace() throws Exception {
    try (var _ = NothingLeft.check();
        var _ = Logged.under("dev.mcpscope.client")) {
      var started = new CountDownLatch(1);
      var stubborn = new Stubborn();
      Model model =
          text -> {
            if (text.equals("stays")) {
              started.countDown();
              return stubborn.call();
            }
            return text;
          };
      try (var working = new Working(limited(model(model), 2, 1 << 20))) {
        Caller<JsonObject> caller = working.gathering(asks("stays", 1));
        started.await();
        caller.interrupt();
        assertThat(promptly(caller::failure)).isInstanceOf(InterruptedException.class);

        assertThat(promptly(() -> working.gather(asks("a", 1)).members())).hasSize(1);
        working.untilOnly("test handlers sampling/createMessage \"k0\"");
        failure(ProtocolViolationException.class, () -> working.gather(asks("stays", 2)));

        stubborn.close();
        working.untilThereIsRoomFor(asks(TOGETHER, 2));
      } finally {
        stubborn.close();
      }
    }
  }
}
