package dev.mcpscope.client;

import static dev.mcpscope.HttpFault.on;
import static dev.mcpscope.client.EraChoice.AUTO;
import static dev.mcpscope.client.EraChoice.LEGACY;
import static dev.mcpscope.client.EraChoice.MODERN;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.Eras;
import dev.mcpscope.HttpFault;
import dev.mcpscope.HttpFault.Act;
import dev.mcpscope.HttpFault.End;
import dev.mcpscope.HttpWire.Request;
import dev.mcpscope.NothingLeft;
import dev.mcpscope.ScriptedHttpServer;
import dev.mcpscope.ScriptedServer;
import dev.mcpscope.ScriptedServer.Fault;
import dev.mcpscope.transport.CloseReport;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Which era a server turns out to be of, and what it is asked until that is known.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ProbeTest {
  private static final String PROBE = "server/discover";
  private static final Fault TELLS = Fault.Quirk.TELLS_STDERR;
  private static final HttpFault TOOLS_ONLY = new HttpFault.Declares("{\"tools\":{}}");
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  private final NothingLeft nothingLeft = NothingLeft.check();
  private final States states = new States();
  private Connection connection;
  private ScriptedHttpServer server; // null over stdio

  @AfterEach
  void nothingIsLeft() {
    connection.stop(CloseReason.CLOSED);
    connection.awaitClosed();
    if (server != null) {
      server.close();
    }
    nothingLeft.close();
  }

  // The matrix.

  /// How a server is reached.
  enum Way {
    STDIO,
    HTTP
  }

  /// What comes back for `server/discover`, of a server that is otherwise a good one of these eras.
  enum Comes {
    ITSELF_OF_BOTH_ERAS(Eras.DUAL),
    ITSELF_MODERN(Eras.MODERN),
    ITSELF_LEGACY(Eras.LEGACY),
    ONLY_LEGACY_REVISIONS(Eras.LEGACY, supports("2025-11-25", "2025-06-18")),
    AN_UNKNOWN_REVISION(Eras.DUAL, supports("2030-01-01")),
    UNSUPPORTED_BUT_OURS(
        Eras.MODERN, unsupported("2026-07-28", "2025-11-25"), supports("2026-07-28")),
    UNSUPPORTED_BUT_OURS_TWICE(Eras.MODERN, unsupported("2026-07-28"), unsupported("2026-07-28")),
    UNSUPPORTED_ONLY_LEGACY(Eras.LEGACY, unsupported("2025-03-26", "2025-11-25")),
    UNSUPPORTED_ONLY_UNKNOWN(Eras.DUAL, unsupported("2030-01-01")),
    HEADER_MISMATCH(Eras.DUAL, error(-32020)),
    CAPABILITY_MISSING(Eras.DUAL, error(-32021)),
    NO_SUCH_METHOD(Eras.LEGACY, error(-32601)),
    INVALID_PARAMS(Eras.LEGACY, error(-32602)),
    ERROR_OF_ITS_OWN(Eras.LEGACY, error(-32000)),
    ERROR_OF_NO_RANGE(Eras.LEGACY, error(1)),
    NOTHING_IN_IT(Eras.LEGACY, "{'result':{}}"),
    NO_OBJECT(Eras.LEGACY, "{'result':'a text'}"),
    SILENCE(
        Eras.LEGACY,
        List.of(new Fault.Silent(PROBE)),
        List.of(on(PROBE, new Act.NoAnswer(End.OPEN)))),

    // Over HTTP only.
    HTTP_400(status(400)),
    HTTP_400_TEXT(new Act.Status(400, "text/plain", "what?")),
    HTTP_400_ERROR_WITHOUT_ID(withoutId(error(-32000))),
    HTTP_400_UNSUPPORTED_WITHOUT_ID(
        Eras.MODERN, List.of(on(PROBE, withoutId(unsupported("2026-07-28"))).once())),
    HTTP_400_UNSUPPORTED_ONLY_LEGACY_WITHOUT_ID(withoutId(unsupported("2025-11-25"))),
    HTTP_400_NO_SUCH_METHOD(answer(400, error(-32601))),
    HTTP_404_NO_SUCH_METHOD(Eras.MODERN, List.of(on(PROBE, answer(404, error(-32601))))),
    HTTP_404_HTML(new Act.Status(404, "text/html", "<html>not found</html>")),
    HTTP_405(status(405)),
    HTTP_401(status(401)),
    HTTP_403(status(403)),
    HTTP_500(status(500)),
    HTTP_503(status(503)),
    HTTP_200_HTML(new Act.Status(200, "text/html", "<html>hello</html>")),
    HTTP_200_EVENTS(Eras.DUAL, List.of(on(PROBE, Act.Quirk.AS_STREAM))),
    RESET_ONCE(Eras.DUAL, List.of(on(PROBE, new Act.NoAnswer(End.RESET)).once())),
    RESET_ALWAYS(new Act.NoAnswer(End.RESET)),
    RESET_WHATEVER_IS_ASKED(Eras.DUAL, List.of(on("*", new Act.NoAnswer(End.RESET)))),

    // Over stdio only.
    DEATH(Eras.LEGACY, new Fault.DiesOn(PROBE, 3, "")),
    DEATH_WHATEVER_IS_ASKED(
        Eras.LEGACY, new Fault.DiesOn(PROBE, 3, ""), new Fault.DiesOn("initialize", 4, "")),
    AN_ERROR_AND_DEATH(Eras.LEGACY, new Fault.DiesAfter(PROBE, 3)),
    A_RESULT_AND_DEATH(Eras.MODERN, new Fault.DiesAfter(PROBE, 3));

    final List<Fault> stdio; // empty if it cannot be had there
    final List<HttpFault> http;

    Comes(Eras eras, String... answers) {
      this(
          eras,
          answers.length == 0 ? List.of() : List.of(Peer.answers(PROBE, answers)),
          overHttp(answers));
    }

    Comes(Eras eras, List<Fault> stdio, List<HttpFault> http) {
      this.stdio = new ArrayList<>(List.of(new Fault.Serves(eras), TELLS));
      this.stdio.addAll(stdio);
      this.http = new ArrayList<>(List.of(new HttpFault.Serves(eras), TOOLS_ONLY));
      this.http.addAll(http);
    }

    Comes(Act act) {
      this(Eras.LEGACY, List.of(on(PROBE, act)));
    }

    Comes(Eras eras, List<HttpFault> http) {
      this.stdio = List.of();
      this.http = new ArrayList<>(List.of(new HttpFault.Serves(eras), TOOLS_ONLY));
      this.http.addAll(http);
    }

    Comes(Eras eras, Fault first, Fault... others) {
      this.stdio = new ArrayList<>(List.of(new Fault.Serves(eras), TELLS, first));
      this.stdio.addAll(List.of(others));
      this.http = List.of();
    }

    private static List<HttpFault> overHttp(String... answers) {
      var faults = new ArrayList<HttpFault>();
      for (String answer : answers) {
        int status = answer.contains("-3202") ? 400 : 200;
        faults.add(on(PROBE, answer(status, answer)).once());
      }
      return faults;
    }

    private static Act answer(int status, String answer) {
      return new Act.Answer(status, answer.replace('\'', '"'));
    }

    private static Act withoutId(String answer) {
      String body = "{'jsonrpc':'2.0'," + answer.substring(1);
      return new Act.Status(400, "application/json", body.replace('\'', '"'));
    }

    private static Act status(int code) {
      return new Act.Status(code);
    }

    private static String supports(String... revisions) {
      return "{'result':{'resultType':'complete','supportedVersions':["
          + quoted(revisions)
          + "],'capabilities':{'tools':{}}}}";
    }

    private static String unsupported(String... revisions) {
      return "{'error':{'code':-32022,'message':'unsupported','data':{'supported':["
          + quoted(revisions)
          + "],'requested':'2026-07-28'}}}";
    }

    private static String error(int code) {
      return "{'error':{'code':" + code + ",'message':'what?'}}";
    }

    private static String quoted(String... words) {
      return String.join(",", Arrays.stream(words).map(word -> "'" + word + "'").toList());
    }
  }

  /// What comes of it.
  ///
  /// @param asked what the server was asked until it is known, all of it, in order
  /// @param revision that is spoken then; empty if none is
  /// @param failure that the connect ends with if none is
  /// @param words of it
  record Outcome(
      List<String> asked, String revision, Class<? extends McpException> failure, String words) {
    @Override
    public String toString() {
      return (failure == null ? revision : failure.getSimpleName()) + " after " + asked;
    }
  }

  /// A line of the matrix.
  record Line(Comes comes, EraChoice era, Outcome outcome) {
    Stream<Case> cases() {
      return Stream.of(Way.values())
          .filter(way -> !(way == Way.STDIO ? comes.stdio : comes.http).isEmpty())
          .map(way -> new Case(way, comes, era, outcome));
    }
  }

  record Case(Way way, Comes comes, EraChoice era, Outcome outcome) {}

  private static Line line(Comes comes, EraChoice era, Outcome outcome) {
    return new Line(comes, era, outcome);
  }

  private static Outcome modern(String... asked) {
    return new Outcome(List.of(asked), "2026-07-28", null, "");
  }

  /// By handshake.
  private static Outcome legacy(String... asked) {
    var all = new ArrayList<>(List.of(asked));
    all.addAll(List.of("initialize", "notifications/initialized"));
    return new Outcome(all, "2025-11-25", null, "");
  }

  private static Outcome fails(
      Class<? extends McpException> failure, String words, String... asked) {
    return new Outcome(List.of(asked), "", failure, words);
  }

  private static Outcome violates(String words, String... asked) {
    return fails(ProtocolViolationException.class, words, asked);
  }

  private static final String NOT_MODERN =
      "the server does not speak 2026-07-28, and another revision is not wanted";

  static Stream<Case> matrix() {
    return Stream.of(
            line(Comes.ITSELF_OF_BOTH_ERAS, AUTO, modern(PROBE)),
            line(Comes.ITSELF_OF_BOTH_ERAS, MODERN, modern(PROBE)),
            line(Comes.ITSELF_OF_BOTH_ERAS, LEGACY, legacy()),
            line(Comes.ITSELF_MODERN, AUTO, modern(PROBE)),
            line(Comes.ITSELF_MODERN, MODERN, modern(PROBE)),
            line(
                Comes.ITSELF_MODERN,
                LEGACY,
                fails(RemoteErrorException.class, "answered by error -32022", "initialize")),
            line(Comes.ITSELF_LEGACY, AUTO, legacy(PROBE)),
            line(Comes.ITSELF_LEGACY, MODERN, violates(NOT_MODERN, PROBE)),
            line(Comes.ITSELF_LEGACY, LEGACY, legacy()),
            line(Comes.ONLY_LEGACY_REVISIONS, AUTO, legacy(PROBE)),
            line(
                Comes.ONLY_LEGACY_REVISIONS,
                MODERN,
                violates("version 2025-11-25, 2025-06-18, this client speaks 2026-07-28", PROBE)),
            line(
                Comes.AN_UNKNOWN_REVISION,
                AUTO,
                violates("speaks protocol version 2030-01-01, this client", PROBE)),
            line(
                Comes.AN_UNKNOWN_REVISION,
                MODERN,
                violates("speaks protocol version 2030-01-01, this client", PROBE)),
            line(Comes.UNSUPPORTED_BUT_OURS, AUTO, modern(PROBE, PROBE)),
            line(Comes.UNSUPPORTED_BUT_OURS, MODERN, modern(PROBE, PROBE)),
            line(
                Comes.UNSUPPORTED_BUT_OURS_TWICE,
                AUTO,
                fails(RemoteErrorException.class, "error -32022: unsupported", PROBE, PROBE)),
            line(
                Comes.UNSUPPORTED_BUT_OURS_TWICE,
                MODERN,
                fails(RemoteErrorException.class, "error -32022: unsupported", PROBE, PROBE)),
            line(Comes.UNSUPPORTED_ONLY_LEGACY, AUTO, legacy(PROBE)),
            line(
                Comes.UNSUPPORTED_ONLY_LEGACY,
                MODERN,
                violates("speaks protocol version 2025-03-26, 2025-11-25, this client", PROBE)),
            line(
                Comes.UNSUPPORTED_ONLY_UNKNOWN,
                AUTO,
                violates("speaks protocol version 2030-01-01, this client", PROBE)),
            line(
                Comes.UNSUPPORTED_ONLY_UNKNOWN,
                MODERN,
                violates("speaks protocol version 2030-01-01, this client", PROBE)),
            line(
                Comes.HEADER_MISMATCH,
                AUTO,
                fails(RemoteErrorException.class, "error -32020: what?", PROBE)),
            line(
                Comes.HEADER_MISMATCH,
                MODERN,
                fails(RemoteErrorException.class, "error -32020: what?", PROBE)),
            line(
                Comes.CAPABILITY_MISSING,
                AUTO,
                fails(RemoteErrorException.class, "error -32021: what?", PROBE)),
            line(
                Comes.CAPABILITY_MISSING,
                MODERN,
                fails(RemoteErrorException.class, "error -32021: what?", PROBE)),
            line(Comes.NO_SUCH_METHOD, AUTO, legacy(PROBE)),
            line(
                Comes.NO_SUCH_METHOD,
                MODERN,
                violates(NOT_MODERN + ": s: server/discover was answered by error -32601", PROBE)),
            line(Comes.INVALID_PARAMS, AUTO, legacy(PROBE)),
            line(Comes.INVALID_PARAMS, MODERN, violates(NOT_MODERN, PROBE)),
            line(Comes.ERROR_OF_ITS_OWN, AUTO, legacy(PROBE)),
            line(Comes.ERROR_OF_ITS_OWN, MODERN, violates(NOT_MODERN, PROBE)),
            line(Comes.ERROR_OF_NO_RANGE, AUTO, legacy(PROBE)),
            line(Comes.ERROR_OF_NO_RANGE, MODERN, violates(NOT_MODERN, PROBE)),
            line(Comes.NOTHING_IN_IT, AUTO, legacy(PROBE)),
            line(
                Comes.NOTHING_IN_IT,
                MODERN,
                violates(NOT_MODERN + ": s: the answer to server/discover names no supp", PROBE)),
            line(Comes.NO_OBJECT, AUTO, legacy(PROBE)),
            line(Comes.NO_OBJECT, MODERN, violates(NOT_MODERN, PROBE)),
            line(Comes.SILENCE, AUTO, legacy(PROBE)),
            line(
                Comes.SILENCE,
                MODERN,
                fails(CallTimeoutException.class, "waiting for server/discover", PROBE)),
            line(Comes.HTTP_400, AUTO, legacy(PROBE)),
            line(Comes.HTTP_400, MODERN, violates(NOT_MODERN, PROBE)),
            line(Comes.HTTP_400_TEXT, AUTO, legacy(PROBE)),
            line(Comes.HTTP_400_ERROR_WITHOUT_ID, AUTO, legacy(PROBE)),
            line(
                Comes.HTTP_400_ERROR_WITHOUT_ID,
                MODERN,
                violates(NOT_MODERN + ": s: server/discover was answered by error -32000", PROBE)),
            line(Comes.HTTP_400_UNSUPPORTED_WITHOUT_ID, AUTO, modern(PROBE, PROBE)),
            line(Comes.HTTP_400_UNSUPPORTED_WITHOUT_ID, MODERN, modern(PROBE, PROBE)),
            line(Comes.HTTP_400_UNSUPPORTED_ONLY_LEGACY_WITHOUT_ID, AUTO, legacy(PROBE)),
            line(Comes.HTTP_400_NO_SUCH_METHOD, AUTO, legacy(PROBE)),
            line(Comes.HTTP_404_NO_SUCH_METHOD, AUTO, modern(PROBE)),
            line(Comes.HTTP_404_NO_SUCH_METHOD, MODERN, modern(PROBE)),
            line(Comes.HTTP_404_HTML, AUTO, legacy(PROBE)),
            line(Comes.HTTP_404_HTML, MODERN, violates("answered HTTP 404", PROBE)),
            line(Comes.HTTP_405, AUTO, legacy(PROBE)),
            line(Comes.HTTP_405, MODERN, violates("answered HTTP 405", PROBE)),
            line(
                Comes.HTTP_401,
                AUTO,
                fails(AuthorizationRequiredException.class, "answered HTTP 401", PROBE)),
            line(
                Comes.HTTP_401,
                MODERN,
                fails(AuthorizationRequiredException.class, "answered HTTP 401", PROBE)),
            line(
                Comes.HTTP_403,
                AUTO,
                fails(AuthorizationRequiredException.class, "answered HTTP 403", PROBE)),
            line(Comes.HTTP_500, AUTO, legacy(PROBE)),
            line(Comes.HTTP_500, MODERN, violates("answered HTTP 500", PROBE)),
            line(Comes.HTTP_503, AUTO, legacy(PROBE)),
            line(Comes.HTTP_503, MODERN, violates("answered HTTP 503", PROBE)),
            line(Comes.HTTP_200_HTML, AUTO, legacy(PROBE)),
            line(Comes.HTTP_200_HTML, MODERN, violates("text/html", PROBE)),
            line(Comes.HTTP_200_EVENTS, AUTO, modern(PROBE)),
            line(Comes.HTTP_200_EVENTS, MODERN, modern(PROBE)),
            line(Comes.RESET_ONCE, AUTO, modern(PROBE, PROBE)),
            line(Comes.RESET_ONCE, MODERN, modern(PROBE, PROBE)),
            line(Comes.RESET_ALWAYS, AUTO, legacy(PROBE, PROBE)),
            line(
                Comes.RESET_ALWAYS,
                MODERN,
                fails(ExchangeFailedException.class, "it may have run", PROBE, PROBE)),
            line(
                Comes.RESET_WHATEVER_IS_ASKED,
                AUTO,
                fails(
                    ExchangeFailedException.class,
                    "it may have run",
                    PROBE,
                    PROBE,
                    "initialize",
                    "initialize")),
            line(Comes.DEATH, AUTO, legacy()), // what the second one was asked
            line(
                Comes.DEATH,
                MODERN,
                fails(ConnectionLostException.class, "exited with code 3", PROBE)),
            line(
                Comes.DEATH_WHATEVER_IS_ASKED,
                AUTO,
                fails(ConnectionLostException.class, "exited with code 4", "initialize")),
            line(Comes.AN_ERROR_AND_DEATH, AUTO, legacy()),
            line(Comes.AN_ERROR_AND_DEATH, MODERN, violates(NOT_MODERN, PROBE)),
            line(
                Comes.A_RESULT_AND_DEATH,
                AUTO,
                fails(ConnectionLostException.class, "exited with code 3", PROBE)),
            line(
                Comes.A_RESULT_AND_DEATH,
                MODERN,
                fails(ConnectionLostException.class, "exited with code 3", PROBE)))
        .flatMap(Line::cases);
  }

  @ParameterizedTest
  @MethodSource("matrix")
  void whatComesBackForTheProbeDecidesTheEra(Case one) throws Exception {
    Duration probe = one.comes == Comes.SILENCE ? Duration.ofMillis(100) : Duration.ofSeconds(8);
    Duration connect =
        one.outcome.failure == CallTimeoutException.class
            ? Duration.ofSeconds(1)
            : Duration.ofSeconds(20);
    ClientOptions options = options(probe, connect).withEra(one.era);
    start(
        one.way == Way.STDIO
            ? ScriptedServer.with(one.comes.stdio.toArray(Fault[]::new))
            : serve(one.comes.http.toArray(HttpFault[]::new)),
        options);
    if (one.outcome.failure == null) {
      McpClient client = connection.awaitReady();
      assertThat(client.server().protocolVersion()).isEqualTo(one.outcome.revision);
      client.close();
    } else {
      assertThatThrownBy(connection::awaitReady)
          .isInstanceOf(one.outcome.failure)
          .hasMessageContaining(one.outcome.words);
    }
    CloseReport report = connection.awaitClosed();
    if (one.way == Way.STDIO) {
      assertThat(Peer.heard(report))
          .extracting(message -> Peer.word(message, "method"))
          .containsExactlyElementsOf(all(one));
      boolean again =
          one.comes.name().contains("DEATH") && one.outcome.asked.contains("initialize");
      assertThat(report.processes()).hasSize(again ? 2 : 1);
    } else {
      assertThat(server.requests()).extracting(ProbeTest::word).containsExactlyElementsOf(all(one));
      server.awaitNoExchanges(PATIENCE);
      assertThat(server.violations()).isEmpty();
    }
  }

  /// What a server is asked in all: its tools as well, when it is known how, and over HTTP a stream
  /// and the end of the session.
  private static List<String> all(Case one) {
    var all = new ArrayList<>(one.outcome.asked);
    boolean session = one.way == Way.HTTP && one.outcome.revision.equals("2025-11-25");
    if (one.comes == Comes.SILENCE && one.way == Way.STDIO && one.outcome.failure == null) {
      all.add("notifications/cancelled"); // when it is certain that nobody waits for it
    }
    if (session) {
      all.add("GET");
    }
    if (one.outcome.failure == null) {
      all.addAll(List.of("tools/list", "tools/list"));
    }
    if (session) {
      all.add("DELETE");
    }
    return all;
  }

  private static String word(Request request) {
    return request.rpcMethod().isEmpty() ? request.method() : request.rpcMethod();
  }

  private static ClientOptions options(Duration probe, Duration connect) {
    ClientOptions options = ClientOptions.defaults().withConnectTimeout(connect);
    return options.withProtocol(options.protocol().withProbeTimeout(probe));
  }

  private ServerSpec serve(HttpFault... faults) {
    server = ScriptedHttpServer.with(faults);
    return ServerSpec.http(server.url());
  }

  private void start(ServerSpec spec, ClientOptions options) {
    connection =
        new Connection(
            "connection/t",
            "s",
            spec,
            options,
            Connection.Shared.nothing(),
            new Connection.Callbacks() {},
            states);
    Thread.ofVirtual().name("owner").start(connection::run);
  }

  // HTTP with server-sent events.

  @ParameterizedTest
  @EnumSource(names = {"AUTO", "LEGACY"})
  void theOlderWayOverHttpIsNotProbed(EraChoice era) throws Exception {
    serve(new HttpFault.Legacy());
    ClientOptions options = options(Duration.ofSeconds(5), Duration.ofSeconds(20)).withEra(era);
    start(ServerSpec.sse(server.url()), options);
    McpClient client = connection.awaitReady();
    assertThat(client.server().protocolVersion()).isEqualTo("2024-11-05");
    client.close();
    assertThat(server.requests())
        .extracting(ProbeTest::word)
        .startsWith("GET", "initialize")
        .doesNotContain(PROBE);
  }

  @ParameterizedTest
  @ValueSource(ints = {400, 404, 405})
  void theOlderWayIsFoundBehindTheProbe(int status) throws Exception {
    start(
        serve(new HttpFault.Legacy(status, new HttpFault.Legacy().endpoints())),
        options(Duration.ofSeconds(5), Duration.ofSeconds(20)));
    McpClient client = connection.awaitReady();
    assertThat(client.server().protocolVersion()).isEqualTo("2024-11-05");
    client.close();
    assertThat(server.requests())
        .extracting(ProbeTest::word)
        .startsWith(PROBE, "initialize", "GET", "initialize", "notifications/initialized");
    assertThat(server.violations()).isEmpty();
  }
}
