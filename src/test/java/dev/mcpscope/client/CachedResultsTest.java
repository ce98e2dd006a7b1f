package dev.mcpscope.client;

import static dev.mcpscope.HttpFault.on;
import static dev.mcpscope.client.ModernPeer.answers;
import static dev.mcpscope.client.ModernPeer.complete;
import static dev.mcpscope.client.ModernPeer.declares;
import static dev.mcpscope.client.ModernPeer.error;
import static dev.mcpscope.client.Promptly.failure;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.NothingLeft;
import dev.mcpscope.client.ModernPeer.Script;
import dev.mcpscope.client.ModernPeer.Way;
import dev.mcpscope.client.ServerEvent.ListChanged;
import dev.mcpscope.client.ServerEvent.ResourceUpdated;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Results that may be used again: when the server is asked, and when it is not.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CachedResultsTest {
  private static final String FOR_LONG = "'ttlMs':600000,'cacheScope':'private',";
  private static final Script ALL =
      declares(
          "{'tools':{'listChanged':true},'prompts':{'listChanged':true},"
              + "'resources':{'listChanged':true,'subscribe':true}}");

  private final NothingLeft nothingLeft = NothingLeft.check();
  private final Heard events = new Heard();
  private ModernPeer peer;

  @AfterEach
  void nothingIsLeft() {
    peer.close();
    nothingLeft.close();
  }

  private McpClient open(Way way, Script... scripts) throws Exception {
    ClientOptions options =
        ClientOptions.defaults().withFeatures(ClientFeatures.none().withListener(events));
    peer = ModernPeer.start(way, options, scripts);
    return peer.client();
  }

  private static String text(String text, String hints) {
    return complete(hints + "'contents':[{'uri':'a:b','text':'" + text + "'}]");
  }

  private static String read(McpClient client, String uri) throws Exception {
    return client.readResource(uri).getFirst().text().orElseThrow();
  }

  private static String resources(String name, String more) {
    return complete(more + "'resources':[{'uri':'a:" + name + "','name':'" + name + "'}]");
  }

  private static List<String> names(McpClient client) throws Exception {
    return client.resources().stream().map(Resource::name).toList();
  }

  /// Tells the server's subscribers, and waits until it is heard here.
  private void changed(ServerEvent.List list) throws Exception {
    String method = "notifications/" + list.name().toLowerCase() + "/list_changed";
    int before = events.all(ListChanged.class).size();
    peer.server.push("{\"jsonrpc\":\"2.0\",\"method\":\"" + method + "\"}");
    events.until(_ -> events.all(ListChanged.class).size() > before);
  }

  private void updated(String uri) throws Exception {
    int before = events.all(ResourceUpdated.class).size();
    peer.server.push(
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\""
            + uri
            + "\"}}");
    events.until(_ -> events.all(ResourceUpdated.class).size() > before);
  }

  // For as long as the server allows.

  @ParameterizedTest
  @EnumSource
  void whatIsFreshIsNotAskedForAgain(Way way) throws Exception {
    McpClient client =
        open(
            way,
            ALL,
            answers("resources/read", text("one", FOR_LONG), text("two", FOR_LONG)),
            answers("resources/list", resources("one", FOR_LONG)),
            answers("resources/templates/list", complete(FOR_LONG + "'resourceTemplates':[]")),
            answers("prompts/list", complete(FOR_LONG + "'prompts':[]")),
            answers("tools/list", complete(FOR_LONG + "'tools':[]")));
    for (int i = 0; i < 3; i++) {
      assertThat(read(client, "a:b")).isEqualTo("one");
      assertThat(names(client)).containsExactly("one");
      client.resourceTemplates();
      client.prompts();
      client.tools();
    }
    assertThat(peer.heard())
        .extracting(request -> Peer.word(request, "method"))
        .filteredOn(method -> method.contains("/list") && !method.endsWith("listen"))
        .containsExactlyInAnyOrder(
            "tools/list", "resources/list", "resources/templates/list", "prompts/list");
    assertThat(peer.heard("resources/read")).hasSize(1);
  }

  @Test
  void whatIsFreshForOneIsNothingForAnother() throws Exception {
    McpClient client =
        open(
            Way.HTTP,
            answers(
                "resources/read",
                text("of b", FOR_LONG),
                text("of c", FOR_LONG),
                text("of b/c", FOR_LONG)));
    for (int i = 0; i < 2; i++) {
      assertThat(read(client, "a:b")).isEqualTo("of b");
      assertThat(read(client, "a:c")).isEqualTo("of c");
      assertThat(read(client, "a:b/c")).isEqualTo("of b/c");
    }
    assertThat(peer.heard("resources/read")).hasSize(3);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "'ttlMs':0,",
        "'ttlMs':-600000,",
        "'ttlMs':'600000',",
        "'ttlMs':null,",
        "'cacheScope':'public',"
      })
  void whatIsNotFreshIsAskedForAgain(String hints) throws Exception {
    McpClient client =
        open(Way.HTTP, answers("resources/read", text("one", hints), text("two", hints)));
    assertThat(read(client, "a:b")).isEqualTo("one");
    assertThat(read(client, "a:b")).isEqualTo("two");
  }

  @Test
  void whatIsFreshNoMoreIsAskedForAgain() throws Exception {
    McpClient client =
        open(Way.HTTP, answers("resources/read", text("one", "'ttlMs':1,"), text("two", FOR_LONG)));
    while (read(client, "a:b").equals("one")) {
      Thread.onSpinWait(); // a millisecond
    }
    assertThat(peer.heard("resources/read")).hasSize(2);
  }

  @Test
  void eachPageIsFreshForItself() throws Exception {
    McpClient client =
        open(
            Way.HTTP,
            answers(
                "resources/list",
                resources("one", FOR_LONG + "'nextCursor':'2',"),
                resources("two", ""),
                resources("three", "")));
    assertThat(names(client)).containsExactly("one", "two");
    assertThat(names(client)).containsExactly("one", "three");
    assertThat(peer.heard("resources/list"))
        .extracting(request -> request.object("params").get("cursor"))
        .containsExactly(null, new JsonString("2"), new JsonString("2"));
  }

  // What is not used again, whatever it says.

  @Test
  void whatAToolAnswersIsNotUsedAgain() throws Exception {
    McpClient client = open(Way.HTTP, answers("tools/call", complete(FOR_LONG + "'content':[]")));
    client.callTool("t", Map.of());
    client.callTool("t", Map.of());
    assertThat(peer.heard("tools/call")).hasSize(2);
  }

  @Test
  void whetherTheServerIsThereIsAskedEachTime() throws Exception {
    McpClient client =
        open(
            Way.HTTP,
            answers(
                "server/discover",
                complete(
                    FOR_LONG + "'supportedVersions':['2026-07-28'],'capabilities':{'tools':{}}")));
    client.ping();
    client.ping();
    assertThat(peer.heard("server/discover")).hasSize(3);
  }

  @Test
  void aRefusalIsNotUsedAgain() throws Exception {
    McpClient client =
        open(Way.HTTP, answers("resources/read", error(-32603, "{}"), text("one", "")));
    failure(RemoteErrorException.class, () -> read(client, "a:b"));
    assertThat(read(client, "a:b")).isEqualTo("one");
  }

  /// It depends on what the user has said.
  @Test
  void aQuestionIsNotUsedAgainNorWhatCameOfTheAnswer() throws Exception {
    String asks = "{'result':{'resultType':'input_required'," + FOR_LONG + "'requestState':'s'}}";
    McpClient client =
        open(
            Way.HTTP,
            answers("resources/read", asks, text("one", FOR_LONG), asks, text("two", FOR_LONG)));
    assertThat(read(client, "a:b")).isEqualTo("one");
    assertThat(read(client, "a:b")).isEqualTo("two");
    assertThat(peer.heard("resources/read")).hasSize(4);
  }

  @ParameterizedTest
  @EnumSource
  void whoWantsNoCacheAsksEachTime(Way way) throws Exception {
    ClientOptions options = ClientOptions.defaults();
    peer =
        ModernPeer.start(
            way,
            options.withProtocol(options.protocol().withCaching(false)),
            ALL,
            answers("resources/read", text("one", FOR_LONG), text("two", FOR_LONG)));
    assertThat(read(peer.client(), "a:b")).isEqualTo("one");
    assertThat(read(peer.client(), "a:b")).isEqualTo("two");
  }

  // Until it changes.

  @Test
  void aListThatHasChangedIsAskedForAgainAndNoOther() throws Exception {
    McpClient client =
        open(
            Way.HTTP,
            ALL,
            answers("resources/list", resources("one", FOR_LONG), resources("two", FOR_LONG)),
            answers("resources/templates/list", complete(FOR_LONG + "'resourceTemplates':[]")),
            answers("resources/read", text("one", FOR_LONG)),
            answers("prompts/list", complete(FOR_LONG + "'prompts':[]")));
    for (int i = 0; i < 2; i++) {
      names(client);
      client.resourceTemplates();
      client.prompts();
      read(client, "a:b");
      if (i == 0) {
        changed(ServerEvent.List.RESOURCES);
      }
    }
    assertThat(names(client)).containsExactly("two");
    List<JsonObject> heard = peer.heard();
    assertThat(heard)
        .extracting(request -> Peer.word(request, "method"))
        .filteredOn(method -> method.startsWith("resources/") || method.startsWith("prompts/"))
        .containsExactly(
            "resources/list",
            "resources/templates/list",
            "prompts/list",
            "resources/read",
            "resources/list",
            "resources/templates/list");
  }

  @Test
  void aResourceThatHasChangedIsReadAgainAndWhatLiesInIt() throws Exception {
    String[] texts = {"0", "1", "2", "3", "4", "5", "6"};
    for (int i = 0; i < texts.length; i++) {
      texts[i] = text(texts[i], FOR_LONG);
    }
    McpClient client = open(Way.HTTP, ALL, answers("resources/read", texts));
    client.subscribe("a:b");
    assertThat(read(client, "a:b")).isEqualTo("0");
    assertThat(read(client, "a:b/c")).isEqualTo("1");
    assertThat(read(client, "a:d")).isEqualTo("2");
    updated("a:b");
    assertThat(read(client, "a:d")).isEqualTo("2");
    assertThat(read(client, "a:b")).isEqualTo("3");
    assertThat(read(client, "a:b/c")).isEqualTo("4");
  }

  /// The answer may be older than the news.
  @Test
  void whatChangesWhileItIsAskedForIsAskedForAgain() throws Exception {
    McpClient client =
        open(
            Way.HTTP,
            ALL,
            Script.http(on("resources/list", new Act.Held("later", false)).once()),
            answers("resources/list", resources("one", FOR_LONG), resources("two", FOR_LONG)));
    var caller = new Caller<>(() -> names(client));
    peer.server.awaitRequest("resources/list", 1);
    changed(ServerEvent.List.RESOURCES);
    peer.server.release("later");
    assertThat(caller.result()).containsExactly("one");
    assertThat(names(client)).containsExactly("two");
    assertThat(names(client)).containsExactly("two");
    assertThat(peer.heard("resources/list")).hasSize(2);
  }

  @Test
  void theToolsThatHaveChangedAreReadAgainThoughTheyWereFresh() throws Exception {
    String one = complete(FOR_LONG + "'tools':[{'name':'one','inputSchema':{}}]");
    McpClient client =
        open(Way.HTTP, ALL, answers("tools/list", one, one.replace("'one'", "'two'")));
    changed(ServerEvent.List.TOOLS);
    peer.states.await("Connected", 2);
    assertThat(((ConnectionState.Connected) peer.connection.state()).tools())
        .extracting(Tool::name)
        .containsExactly("two");
    assertThat(client.tools()).extracting(Tool::name).containsExactly("two");
    assertThat(peer.heard("tools/list")).hasSize(2);
  }

  // Cursors.

  @Test
  void aCursorThatIsNotKnownAnyMoreTakesAllPagesWithIt() throws Exception {
    McpClient client =
        open(
            Way.HTTP,
            answers(
                "resources/list",
                resources("one", FOR_LONG + "'nextCursor':'old',"),
                resources("two", ""),
                error(-32602, "{}"),
                resources("three", FOR_LONG + "'nextCursor':'new',"),
                resources("four", FOR_LONG)));
    assertThat(names(client)).containsExactly("one", "two");
    assertThat(names(client)).containsExactly("three", "four");
    assertThat(names(client)).containsExactly("three", "four");
    assertThat(peer.heard("resources/list"))
        .extracting(request -> request.object("params").get("cursor"))
        .containsExactly(
            null, new JsonString("old"), new JsonString("old"), null, new JsonString("new"));
  }

  @Test
  void aCursorThatIsNeverKnownFailsTheList() throws Exception {
    McpClient client =
        open(
            Way.HTTP,
            answers(
                "resources/list",
                resources("one", FOR_LONG + "'nextCursor':'old',"),
                error(-32602, "{}"),
                resources("one", FOR_LONG + "'nextCursor':'old',"),
                error(-32602, "{}")));
    assertThat(failure(RemoteErrorException.class, () -> names(client)).code()).isEqualTo(-32602);
    assertThat(peer.heard("resources/list")).hasSize(4);
  }

  @Test
  void whereNothingIsKeptAnInvalidCursorIsTheServersOwnFault() throws Exception {
    McpClient client =
        open(
            Way.HTTP,
            answers("resources/list", resources("one", "'nextCursor':'2',"), error(-32602, "{}")));
    failure(RemoteErrorException.class, () -> names(client));
    assertThat(peer.heard("resources/list")).hasSize(2);
  }

  @Test
  void anEmptyCursorIsOne() throws Exception {
    McpClient client =
        open(
            Way.HTTP,
            answers(
                "resources/list",
                resources("one", FOR_LONG + "'nextCursor':'',"),
                resources("two", FOR_LONG)));
    assertThat(names(client)).containsExactly("one", "two");
    assertThat(names(client)).containsExactly("one", "two");
    assertThat(peer.heard("resources/list")).hasSize(2);
  }
}
