package dev.mcpscope.client;

import static dev.mcpscope.client.ModernPeer.answers;
import static dev.mcpscope.client.ModernPeer.complete;
import static dev.mcpscope.client.ModernPeer.declares;
import static dev.mcpscope.client.ModernPeer.error;
import static dev.mcpscope.client.ModernPeer.says;
import static dev.mcpscope.client.Promptly.failure;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.HttpFault;
import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.End;
import dev.mcpscope.HttpWire.Request;
import dev.mcpscope.NothingLeft;
import dev.mcpscope.client.ModernPeer.Script;
import dev.mcpscope.client.ModernPeer.Way;
import dev.mcpscope.json.JsonObject;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// Requests of the modern era that are made once more, as what went wrong can be put right; and results
/// that need not be asked for again.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class MendedRequestTest {
  private static final String UNSUPPORTED = "{'supported':['2026-07-28'],'requested':'2026-07-28'}";

  private final NothingLeft nothingLeft = NothingLeft.check();
  private ModernPeer peer;

  @AfterEach
  void nothingIsLeft() {
    if (peer != null) {
      peer.close();
    }
    nothingLeft.close();
  }

  private McpClient open(Way way, Script... scripts) throws Exception {
    peer = ModernPeer.start(way, ClientOptions.defaults(), scripts);
    return peer.client();
  }

  private static String tools(String header) {
    return complete(
        "'tools':[{'name':'t','inputSchema':{'type':'object','properties':{'a':{'type':'string'"
            + header
            + "}}}}]");
  }

  @ParameterizedTest
  @EnumSource
  void aRequestOfARevisionThatIsRefusedIsMadeInOneThatIsNot(Way way) throws Exception {
    McpClient client = open(way, answers("tools/call", error(-32022, UNSUPPORTED), says("done")));
    assertThat(client.callTool("t", Map.of()).text()).isEqualTo("done");
    List<JsonObject> calls = peer.heard("tools/call");
    assertThat(calls).hasSize(2);
    assertThat(calls.get(0).get("id")).isNotEqualTo(calls.get(1).get("id"));
  }

  @ParameterizedTest
  @EnumSource
  void whereThereIsNoSuchRevisionTheErrorIsTheAnswer(Way way) throws Exception {
    McpClient client =
        open(way, answers("tools/call", error(-32022, "{'supported':['2030-01-01']}")));
    assertThat(failure(RemoteErrorException.class, () -> client.callTool("t", Map.of())).code())
        .isEqualTo(-32022);
    assertThat(peer.heard("tools/call")).hasSize(1);
  }

  /// "The client SHOULD call `tools/list`, then retry the original request with the appropriate headers."
  @Test
  void headersThatDoNotFitAreMadeAnewFromTheToolsAsTheyAreNow() throws Exception {
    McpClient client =
        open(
            Way.HTTP,
            answers("tools/list", tools(""), tools(",'x-mcp-header':'A'")),
            answers("tools/call", error(-32020, "{}"), says("done")));
    assertThat(client.callTool("t", Map.of("a", "x")).text()).isEqualTo("done");
    List<Request> calls = calls();
    assertThat(calls).hasSize(2);
    assertThat(calls.get(0).header("Mcp-Param-A")).isEmpty();
    assertThat(calls.get(1).header("Mcp-Param-A")).contains("x");
    assertThat(peer.heard("tools/list")).hasSize(2);
  }

  @Test
  void headersThatDoNotFitTwiceAreTheFailure() throws Exception {
    McpClient client = open(Way.HTTP, answers("tools/call", error(-32020, "{}")));
    assertThat(failure(RemoteErrorException.class, () -> client.callTool("t", Map.of())).code())
        .isEqualTo(-32020);
    assertThat(calls()).hasSize(2);
  }

  private List<Request> calls() {
    return peer.server.requests().stream()
        .filter(request -> request.header("Mcp-Method").filter("tools/call"::equals).isPresent())
        .toList();
  }

  /// A stream that breaks off has lost its request; whether that may be made again is for its tool to
  /// say.
  @ParameterizedTest
  @CsvSource({"'', 1", "',''annotations'':{''readOnlyHint'':true}', 2"})
  void aCallWhoseStreamBreaksOffIsMadeAgainOnlyIfThatDoesNoHarm(String hints, int times)
      throws Exception {
    Script cut = Script.http(HttpFault.on("tools/call", new Act.Sse("", 0, End.CLOSE)));
    String list = complete("'tools':[{'name':'t','inputSchema':{'type':'object'}" + hints + "}]");
    McpClient client = open(Way.HTTP, answers("tools/list", list), cut);
    assertThat(
            failure(ExchangeFailedException.class, () -> client.callTool("t", Map.of()))
                .mayHaveRun())
        .isTrue();
    assertThat(calls()).hasSize(times);
    assertThat(peer.heard("tools/call").stream().map(call -> call.get("id")).distinct())
        .hasSize(times);
  }

  // What is not asked for again.

  @ParameterizedTest
  @EnumSource
  void whatWasAnsweredByAQuestionIsNotKept(Way way) throws Exception {
    String text = "'contents':[{'uri':'file:///a','text':'x'}],'ttlMs':60000,'cacheScope':'public'";
    McpClient client =
        open(
            way,
            declares("{'tools':{},'resources':{}}"),
            answers(
                "resources/read",
                "{'result':{'resultType':'input_required','requestState':'s','ttlMs':60000}}",
                complete(text),
                complete(text)));
    client.readResource("file:///a"); // asked twice: the first answer was a question
    client.readResource("file:///a"); // asked: it had been answered by a question
    client.readResource("file:///a"); // kept
    assertThat(peer.heard("resources/read")).hasSize(3);
  }

  @ParameterizedTest
  @EnumSource
  void aCursorThatIsNoneAnyMoreBeginsTheListAnew(Way way) throws Exception {
    String first = "'prompts':[{'name':'a'}],'nextCursor':'c','ttlMs':60000,'cacheScope':'public'";
    McpClient client =
        open(
            way,
            declares("{'tools':{},'prompts':{}}"),
            answers(
                "prompts/list",
                complete(first),
                complete("'prompts':[{'name':'b'}]"), // which may not be used again
                error(-32602, "{}"), // for the cursor of the page that was
                complete("'prompts':[{'name':'new'}]")));
    assertThat(client.prompts()).extracting(Prompt::name).containsExactly("a", "b");
    assertThat(client.prompts()).extracting(Prompt::name).containsExactly("new");
    assertThat(peer.heard("prompts/list")).hasSize(4);
  }
}
