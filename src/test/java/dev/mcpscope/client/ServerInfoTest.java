package dev.mcpscope.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ServerInfoTest {
  private static final JsonObject INITIALIZED =
      Json.object(
          """
          {
            'protocolVersion': '2025-11-25',
            'serverInfo': {'name': 'files', 'title': 'Files', 'version': '1.2'},
            'capabilities': {'tools': {'listChanged': true}},
            'instructions': 'Read before you write.'
          }
          """);

  private static final JsonObject DISCOVERED =
      Json.object(
          """
          {
            'resultType': 'complete',
            'supportedVersions': ['2026-07-28'],
            'capabilities': {'tools': {'listChanged': true}},
            'instructions': 'Read before you write.',
            '_meta': {'io.modelcontextprotocol/serverInfo': {'name': 'files', 'version': '1.2'}},
            'ttlMs': 1000,
            'cacheScope': 'public'
          }
          """);

  // What it tells in a handshake.

  @Test
  void theAnswerToAHandshakeIsReadAndKeptAsItIs() throws Exception {
    assertThat(ServerInfo.parse(INITIALIZED))
        .isEqualTo(
            new ServerInfo(
                "files",
                "1.2",
                "2025-11-25",
                Json.object("{'tools':{'listChanged':true}}"),
                Optional.of("Read before you write."),
                INITIALIZED));
  }

  @Test
  void afterAHandshakeCapabilitiesAndInstructionsMayBeMissing() throws Exception {
    ServerInfo server =
        ServerInfo.parse(INITIALIZED.without("capabilities").with("instructions", null));
    assertThat(server.capabilities()).isEqualTo(JsonObject.EMPTY);
    assertThat(server.instructions()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '`',
      delimiter = '|',
      value = {
        "protocolVersion | null",
        "protocolVersion | 7",
        "serverInfo      | null",
        "serverInfo      | 'files'",
        "serverInfo      | {'name':'files'}",
        "serverInfo      | {'version':'1'}",
        "serverInfo      | {'name':'files','version':1}",
        "capabilities    | ['tools']",
        "instructions    | {}"
      })
  void anAnswerToAHandshakeThatIsNoneIsRefused(String member, String value) {
    JsonObject wrong = INITIALIZED.with(member, Json.value(value));
    assertThatThrownBy(() -> ServerInfo.parse(wrong)).isInstanceOf(JsonException.class);
  }

  // What it tells when it is asked.

  @Test
  void whatIsDiscoveredIsReadAndKeptAsItIs() throws Exception {
    ServerInfo server = ServerInfo.discovered(DISCOVERED, "2026-07-28");
    assertThat(server)
        .isEqualTo(
            new ServerInfo(
                "files",
                "1.2",
                "2026-07-28",
                Json.object("{'tools':{'listChanged':true}}"),
                Optional.of("Read before you write."),
                DISCOVERED));
    assertThat(server.isAssumed()).isFalse();
  }

  /// "Servers SHOULD include" it.
  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "{'_meta':null}",
        "{'_meta':'files'}",
        "{'_meta':{}}",
        "{'_meta':{'io.modelcontextprotocol/serverInfo':null}}",
        "{'_meta':{'io.modelcontextprotocol/serverInfo':'files'}}",
        "{'_meta':{'io.modelcontextprotocol/serverInfo':{}}}",
        "{'_meta':{'serverInfo':{'name':'files','version':'1.2'}}}",
        "{'name':'files','version':'1.2','protocolVersion':'x'}"
      })
  void aServerNeedNotSayWhoItIs(String discovered) throws Exception {
    ServerInfo server = ServerInfo.discovered(Json.object(discovered), "2026-07-28");
    assertThat(server.name()).isEmpty();
    assertThat(server.version()).isEmpty();
    assertThat(server.identity()).isEqualTo(JsonObject.EMPTY);
    assertThat(server.protocolVersion()).isEqualTo("2026-07-28");
    assertThat(server.capabilities()).isEqualTo(JsonObject.EMPTY);
    assertThat(server.instructions()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'_meta':{'io.modelcontextprotocol/serverInfo':{'name':7}}}",
        "{'_meta':{'io.modelcontextprotocol/serverInfo':{'version':1.2}}}",
        "{'capabilities':[]}",
        "{'instructions':['a']}"
      })
  void whatIsDiscoveredAndIsNoneIsRefused(String discovered) {
    assertThatThrownBy(() -> ServerInfo.discovered(Json.object(discovered), "2026-07-28"))
        .isInstanceOf(JsonException.class);
  }

  // Who it says that it is.

  @Test
  void whoAServerIsIsKeptAsItSaysInEitherEra() throws Exception {
    JsonObject self = Json.object("{'name':'files','title':'Files','version':'1.2'}");
    JsonObject beside = Json.object("{'io.modelcontextprotocol/serverInfo':" + self + "}");
    assertThat(ServerInfo.parse(INITIALIZED).identity()).isEqualTo(self);
    assertThat(ServerInfo.discovered(DISCOVERED.with("_meta", beside), "2026-07-28").identity())
        .isEqualTo(self);
  }

  @Test
  void whatStandsBesideTheResultCountsMoreThanWhatStandsInIt() throws Exception {
    JsonObject both = DISCOVERED.with("serverInfo", JsonObject.of("name", "other"));
    ServerInfo server = ServerInfo.discovered(both, "2026-07-28");
    assertThat(server.name()).isEqualTo("files");
    assertThat(server.identity().get("name")).hasToString("\"files\"");
    assertThat(ServerInfo.discovered(both.without("_meta"), "2026-07-28").name())
        .isEqualTo("other");
  }

  @Test
  void anotherRevisionChangesNothingElse() throws Exception {
    ServerInfo server = ServerInfo.discovered(DISCOVERED, "2026-07-28");
    assertThat(server.withProtocolVersion("2027-01-01"))
        .isEqualTo(ServerInfo.discovered(DISCOVERED, "2027-01-01"));
  }

  // What is taken for true of one that does not tell.

  @Test
  void whoDoesNotTellMayHaveAnythingThatCanBeAskedForAndNothingThatTellsOfChanges() {
    ServerInfo server = ServerInfo.assumed("2026-07-28");
    assertThat(server.isAssumed()).isTrue();
    assertThat(server.protocolVersion()).isEqualTo("2026-07-28");
    assertThat(server.name()).isEmpty();
    assertThat(server.identity()).isEqualTo(JsonObject.EMPTY);
    assertThat(server.instructions()).isEmpty();
    for (String capability : new String[] {"tools", "resources", "prompts", "completions"}) {
      assertThat(server.declares(capability)).as(capability).isTrue();
      assertThat(server.declares(capability, "listChanged")).as(capability).isFalse();
    }
    assertThat(server.declares("resources", "subscribe")).isFalse();
    assertThat(server.declares("logging")).isFalse();
    assertThat(server.withProtocolVersion("2027-01-01").isAssumed()).isTrue();
  }

  // What it has declared.

  private static ServerInfo declaring(String capabilities) throws JsonException {
    return ServerInfo.discovered(
        JsonObject.of("capabilities", Json.object(capabilities)), "2026-07-28");
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '`',
      delimiter = '|',
      value = {
        "{'tools':{}}                       | true",
        "{'tools':{'listChanged':false}}    | true",
        "{}                                 | false",
        "{'tools':null}                     | false",
        "{'tools':true}                     | false",
        "{'tools':'yes'}                    | false",
        "{'tools':[]}                       | false",
        "{'Tools':{}}                       | false",
        "{'experimental':{'tools':{}}}      | false"
      })
  void aCapabilityIsDeclaredByAnObject(String capabilities, boolean declared) throws Exception {
    assertThat(declaring(capabilities).declares("tools")).isEqualTo(declared);
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '`',
      delimiter = '|',
      value = {
        "{'tools':{'listChanged':true}}     | true",
        "{'tools':{'listChanged':false}}    | false",
        "{'tools':{'listChanged':null}}     | false",
        "{'tools':{'listChanged':'true'}}   | false",
        "{'tools':{'listChanged':1}}        | false",
        "{'tools':{'listChanged':{}}}       | false",
        "{'tools':{'subscribe':true}}       | false",
        "{'tools':{}}                       | false",
        "{'tools':true}                     | false",
        "{'listChanged':true}               | false",
        "{'prompts':{'listChanged':true}}   | false"
      })
  void anAbilityIsDeclaredByTrue(String capabilities, boolean declared) throws Exception {
    assertThat(declaring(capabilities).declares("tools", "listChanged")).isEqualTo(declared);
  }
}
