package dev.mcpscope.demo;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DemoServerListenTest extends RunningDemoServer {
  private static final JsonArray NOTES = JsonArray.of("demo://notes");

  /// What has come and is not looked at yet.
  private final Deque<JsonObject> received = new ArrayDeque<>();

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "{}                                                       | {}",
        "{'toolsListChanged':true,'promptsListChanged':true}      | {}",
        "{'resourcesListChanged':false,'resourceSubscriptions':[]} | {}",
        "{'resourcesListChanged':true}                | {'resourcesListChanged':true}",
        "{'resourceSubscriptions':['demo://notes','demo://nosuch','demo://square/3',"
            + "'demo://notes/t','demo://notesx']}"
            + " | {'resourceSubscriptions':['demo://notes','demo://notes/t']}",
        "{'resourcesListChanged':true,'toolsListChanged':true,'resourceSubscriptions':"
            + "['demo://notes'],'more':1}"
            + " | {'resourcesListChanged':true,'resourceSubscriptions':['demo://notes']}",
      })
  void whatIsHonouredIsAcknowledged(String wanted, String honoured) throws Exception {
    send(Modern.request(1, "subscriptions/listen", "notifications", json(wanted)));
    JsonObject acknowledged = receive();
    assertThat(acknowledged.string("method")).isEqualTo("notifications/subscriptions/acknowledged");
    assertThat(acknowledged.object("params").get("notifications")).isEqualTo(json(honoured));
    assertThat(subscription(acknowledged)).isEqualTo("1");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "{'notifications':true}",
        "{'notifications':{'resourcesListChanged':1}}",
        "{'notifications':{'resourceSubscriptions':'demo://notes'}}",
        "{'notifications':{'resourceSubscriptions':[1]}}"
      })
  void aFilterOfTheWrongShapeIsRefused(String params) throws Exception {
    send(Modern.request(1, "subscriptions/listen", json(params)));
    assertThat(error(receive())).isEqualTo(-32602);
  }

  @ParameterizedTest
  @ValueSource(strings = {"7", "\"seven\"", "7.0"})
  void aNoteIsToldUnderTheIdOfTheRequestAsGiven(String id) throws Exception {
    listen(JsonReader.read(id, JsonLimits.defaults()), "resourceSubscriptions", NOTES);
    send(Modern.call(8, "note", "text", "x"));
    JsonObject updated = take("notifications/resources/updated");
    assertThat(updated.object("params").string("uri")).isEqualTo("demo://notes");
    assertThat(subscription(updated)).isEqualTo(id);
    assertThat(take("8").has("result")).isTrue();
  }

  @Test
  void aFirstNoteOnATopicChangesTheListAndAnotherOneDoesNot() throws Exception {
    JsonArray all = JsonArray.of("demo://notes", "demo://notes/t");
    listen(1, "resourcesListChanged", true, "resourceSubscriptions", all);
    note("t");
    assertThat(take("notifications/resources/list_changed").object("params").members().keySet())
        .containsExactly("_meta");
    assertThat(updated()).isEqualTo("demo://notes");
    assertThat(updated()).isEqualTo("demo://notes/t");
    note("t");
    assertThat(updated()).isEqualTo("demo://notes");
    assertThat(updated()).isEqualTo("demo://notes/t");
    note("u");
    take("notifications/resources/list_changed");
    assertThat(updated()).isEqualTo("demo://notes");
    assertNothingElseComes("1");
  }

  @Test
  void theOldestNoteIsToldWhenItGoesAndTheListWithItsTopic() throws Exception {
    note("t");
    for (int i = 1; i < 100; i++) {
      note(null);
    }
    JsonArray topic = JsonArray.of("demo://notes/t");
    listen(1, "resourcesListChanged", true, "resourceSubscriptions", topic);
    note(null);
    take("notifications/resources/list_changed");
    assertThat(updated()).isEqualTo("demo://notes/t");
    note(null);
    assertNothingElseComes("1");
  }

  @Test
  void nothingIsToldThatWasNotAskedFor() throws Exception {
    listen(1, "toolsListChanged", true);
    listen(2, "resourceSubscriptions", JsonArray.of("demo://notes/t"));
    listen(3, "resourcesListChanged", true);
    note(null);
    note("u");
    assertThat(subscription(take("notifications/resources/list_changed"))).isEqualTo("3");
    call(9, "note", "text", "of the other era");
    assertNothingElseComes("1", "2", "3");
  }

  @Test
  void subscriptionsThatRunTogetherAreToldEachForItself() throws Exception {
    listen(1, "resourceSubscriptions", NOTES);
    listen(2, "resourceSubscriptions", NOTES);
    note(null);
    assertThat(
            List.of(
                subscription(take("notifications/resources/updated")),
                subscription(take("notifications/resources/updated"))))
        .containsExactlyInAnyOrder("1", "2");
    cancel(JsonNumber.of(1));
    awaitFree(1);
    note(null);
    assertThat(subscription(take("notifications/resources/updated"))).isEqualTo("2");
    assertNothingElseComes("2");
  }

  @Test
  void aSubscriptionThatIsCancelledHasNoResult() throws Exception {
    listen(1, "resourceSubscriptions", NOTES);
    cancel(JsonNumber.of(1));
    awaitFree(1);
    note(null);
    assertNothingElseComes();
  }

  @Test
  void theEndOfInputEndsSubscriptionsWithAResult() throws Exception {
    listen("a", "resourceSubscriptions", NOTES);
    in.close();
    JsonObject answer = take("\"a\"");
    assertThat(result(answer).members().keySet()).containsExactlyInAnyOrder("resultType", "_meta");
    assertThat(result(answer).string("resultType")).isEqualTo("complete");
    assertThat(result(answer).object("_meta").string(Modern.SUBSCRIPTION)).isEqualTo("a");
    assertThat(result(answer).object("_meta").has(Modern.SERVER_INFO)).isTrue();
    assertThat(out.readLine()).isNull();
    assertThat(exitCode.get()).isZero();
  }

  @Test
  void anIdThatListensIsNotGivenAway() throws Exception {
    listen(1);
    send(Modern.listen(1));
    assertThat(error(take("1"))).isEqualTo(-32600);
    send(Modern.call(1, "slow"));
    assertThat(error(take("1"))).isEqualTo(-32600);
  }

  @Test
  void noMoreThanThirtyTwoListenAndThoseThatHaveLeftMakeRoom() throws Exception {
    for (int i = 1; i <= 32; i++) {
      listen(i);
    }
    send(Modern.listen(33));
    assertThat(error(take("33"))).isEqualTo(-32603);
    send(Modern.listen(5)); // is refused too, and takes no room
    assertThat(error(take("5"))).isEqualTo(-32603);
    for (int i = 1; i <= 32; i++) {
      cancel(JsonNumber.of(i));
      awaitFree(i);
    }
    for (int i = 101; i <= 132; i++) {
      listen(i);
    }
    send(Modern.call(200, "echo", "message", "there is room for calls"));
    assertThat(take("200").has("result")).isTrue();
  }

  @Test
  void whatChangesAgainBeforeItIsToldIsToldOnce() throws Exception {
    var said = new CopyOnWriteArrayList<RpcMessage>();
    JsonObject all = json("{'resourcesListChanged':true,'resourceSubscriptions':['demo://notes']}");
    var out = new DemoOutput(said::add);
    var listen = new DemoListen(RpcId.of(1), JsonObject.of("notifications", all), out);
    for (int i = 0; i < 1_000; i++) {
      listen.changed(Set.of("demo://notes", "demo://notes/t"), i % 2 == 0);
    }
    listen.end();
    listen.cancel(); // too late
    assertThat(listen.run(new DemoNotes()).orElseThrow().toString()).contains("subscriptionId\":1");
    assertThat(said.stream().map(message -> ((RpcMessage.Notification) message).method()))
        .containsExactly(
            "notifications/subscriptions/acknowledged",
            "notifications/resources/list_changed",
            "notifications/resources/updated");
  }

  /// Begins to listen, and waits until it is acknowledged.
  private void listen(Object id, Object... notifications) throws IOException {
    JsonObject request = Modern.listen(id, notifications);
    send(request);
    JsonObject acknowledged = take("notifications/subscriptions/acknowledged");
    assertThat(subscription(acknowledged)).isEqualTo(request.get("id").toString());
  }

  /// Takes a note, and waits for the answer.
  private void note(String topic) throws IOException {
    JsonObject call = Modern.call("note", "note", "text", "x");
    send(topic == null ? call : Modern.call("note", "note", "text", "x", "topic", topic));
    assertThat(take("\"note\"").has("result")).isTrue();
  }

  /// Waits until a subscription has left: then its id is free.
  private void awaitFree(int id) throws IOException {
    JsonObject answer;
    do {
      send(Modern.call(id, "echo", "message", "x"));
      answer = take(Integer.toString(id));
    } while (answer.has("error"));
  }

  private String updated() throws IOException {
    return take("notifications/resources/updated").object("params").string("uri");
  }

  /// The next message with that method, or that id; those before it wait.
  private JsonObject take(String methodOrId) throws IOException {
    for (JsonObject message : received) {
      if (isOf(message, methodOrId)) {
        received.remove(message);
        return message;
      }
    }
    JsonObject next;
    while (!isOf(next = receive(), methodOrId)) {
      received.add(next);
    }
    return next;
  }

  private static boolean isOf(JsonObject message, String methodOrId) {
    return message.has("method")
        ? message.get("method").toString().equals("\"" + methodOrId + "\"")
        : message.get("id").toString().equals(methodOrId);
  }

  /// Ends the input: what comes until the end is all that there was.
  ///
  /// @param listening the ids of the subscriptions that end then
  private void assertNothingElseComes(String... listening) throws IOException {
    in.close();
    for (String line; (line = out.readLine()) != null; ) {
      received.add((JsonObject) JsonReader.read(line, JsonLimits.defaults()));
    }
    assertThat(received)
        .allMatch(message -> message.has("result"))
        .extracting(message -> message.get("id").toString())
        .containsExactlyInAnyOrder(listening);
  }

  private static String subscription(JsonObject notification) throws IOException {
    return notification.object("params").object("_meta").get(Modern.SUBSCRIPTION).toString();
  }

  private static JsonObject json(String text) throws IOException {
    return (JsonObject) JsonReader.read(text.replace('\'', '"'), JsonLimits.defaults());
  }
}
