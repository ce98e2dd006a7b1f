package dev.mcpscope.front;

import static dev.mcpscope.front.FrontLab.SECRET;
import static dev.mcpscope.front.FrontLab.TOKEN;
import static dev.mcpscope.front.FrontLab.calling;
import static dev.mcpscope.front.FrontLab.children;
import static dev.mcpscope.front.FrontLab.connect;
import static dev.mcpscope.front.FrontLab.text;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.demo.Inventory;
import dev.mcpscope.demo.Leftovers;
import dev.mcpscope.front.FrontLab.Answer;
import dev.mcpscope.host.ConnectionStatus;
import dev.mcpscope.host.HostListener;
import dev.mcpscope.host.HostOptions;
import dev.mcpscope.host.McpHost;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.UnaryOperator;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@EnabledOnOs({OS.LINUX, OS.MAC})
class FrontTest {

  @TempDir Path temp;

  private void inLab(FrontLab.Body body) throws Exception {
    inLab(HostOptions.defaults(), body);
  }

  private void inLab(HostOptions limits, FrontLab.Body body) throws Exception {
    FrontLab.open(temp, limits, UnaryOperator.identity(), body);
  }

  private void inLab(UnaryOperator<Front.Options> front, FrontLab.Body body) throws Exception {
    FrontLab.open(temp, HostOptions.defaults(), front, body);
  }

  private void inLoggingLab(
      Queue<String> log, UnaryOperator<Front.Options> front, FrontLab.Body body) throws Exception {
    FrontLab.openLogging(temp, log, HostOptions.defaults(), front, body);
  }

  // What works.

  @Test
  void connectIsAnsweredByWhatCanBeUsed() throws Exception {
    inLab(lab -> {
      JsonObject mcp = lab.connected("live", "fake serves 'it''s' \"a b\"");
      long pid = children().getFirst().pid();
      assertThat(mcp)
          .isEqualTo(
              JsonReader.read(
                  """
                  {"name": "live", "tools": [{"name": "echo", "inputSchema": {}}],
                   "clientType": "stdio", "command": "%s serves its 'a b'", "url": null,
                   "headers": null, "status": "connected", "generation": 1,
                   "protocolVersion": "2025-11-25",
                   "serverInfo": {"name": "fake", "version": "%d"}}
                  """
                      .formatted(temp.resolve("fake"), pid),
                  JsonLimits.defaults()));
      assertThat(lab.get("/mcp?sessionId=s").json())
          .isEqualTo(JsonObject.of("sessionId", "s", "connections", JsonArray.of(mcp)));
    });
  }

  @Test
  void serverWithoutToolsIsConnectedAndCallsOfItAreRefused() throws Exception {
    inLab(lab -> {
      assertThat(lab.connected("x", "fake toolless").array("tools").size()).isZero();
      Answer call = lab.call("x", "echo");
      assertThat(call.status()).isEqualTo(400);
      assertThat(call.detail()).contains("has not declared tools");
    });
  }

  @Test
  void callIsAnsweredByTheResultAsTheServerSentIt() throws Exception {
    inLab(lab -> {
      lab.connected("live", "fake serves");
      Answer echo = lab.call("live", "echo");
      assertThat(echo.status()).isEqualTo(200);
      assertThat(text(echo.json())).isEqualTo("hello");
      Answer failed = lab.call("live", "fail");
      assertThat(failed.status()).isEqualTo(200);
      assertThat(failed.json().bool("isError")).isTrue();
      var bare = JsonObject.of("sessionId", "s", "name", "live", "tool", "echo");
      assertThat(lab.post("/mcp/call", bare).status()).isEqualTo(200); // arguments may be missing
    });
  }

  @Test
  void disconnectIsAnsweredByItsReportWhenNothingIsLeft() throws Exception {
    inLab(lab -> {
      lab.connected("live", "fake serves");
      JsonObject answer = lab.disconnect("live").json();
      assertThat(children()).isEmpty();
      assertThat(answer.bool("success")).isTrue();
      JsonObject report = answer.object("report");
      assertThat(report.string("outcome")).isEqualTo("graceful");
      assertThat(report.string("reason")).isEqualTo("disconnected");
      assertThat(report.integer("exitCode")).isZero();
      assertThat(report.array("survivors").size()).isZero();
      assertThat(report.members())
          .containsOnlyKeys(
              "reason",
              "outcome",
              "tookMs",
              "steps",
              "exitCode",
              "stderrTail",
              "callsFailed",
              "skippedLines",
              "processes",
              "survivors",
              "abandoned",
              "kept",
              "failures");
    });
  }

  @Test
  void disconnectOfWhatIsNotThereIsSuccessWithoutReport() throws Exception {
    inLab(lab -> {
      var nothing = JsonObject.of("success", true, "report", null);
      assertThat(lab.disconnect("nobody").json()).isEqualTo(nothing);
      lab.connected("live", "fake serves");
      assertThat(lab.disconnect("nobody").json()).isEqualTo(nothing);
      assertThat(lab.disconnect("live").json().object("report").isEmpty()).isFalse();
      assertThat(lab.disconnect("live").json()).isEqualTo(nothing);
    });
  }

  @Test
  void disconnectEndsAConnectThatIsUnderWay() throws Exception {
    inLab(lab -> {
      var silent = lab.connecting("x", "fake silent");
      lab.awaitPhase("x", "initialize");
      JsonObject row = (JsonObject) lab.rows().get(0);
      assertThat(row.string("status")).isEqualTo("connecting");
      assertThat(row.string("phase")).isEqualTo("initialize");
      assertThat(lab.call("x", "echo").status()).isEqualTo(409);

      assertThat(lab.disconnect("x").json().object("report").string("outcome"))
          .isEqualTo("graceful");
      assertThat(silent.join().status()).isEqualTo(409);
      assertThat(silent.join().detail()).contains("disconnected");
      assertThat(children()).isEmpty();
    });
  }

  @Test
  void endOfASessionIsAnsweredByAReportForEachThatWasLive() throws Exception {
    inLab(lab -> {
      lab.connected("a", "fake serves");
      lab.connected("b", "fake stubborn");
      var silent = lab.connecting("c", "fake silent");
      lab.awaitPhase("c", "initialize");
      Answer answer = lab.delete("/sessions/s");

      assertThat(children()).isEmpty();
      assertThat(answer.status()).isEqualTo(200);
      assertThat(answer.json().object("reports").members()).containsOnlyKeys("a", "b", "c");
      assertThat(answer.json().object("reports").object("b").string("outcome")).isEqualTo("killed");
      assertThat(silent.join().status()).isEqualTo(409);
      assertThat(lab.get("/mcp?sessionId=s").status()).isEqualTo(404);
      assertThat(lab.delete("/sessions/s").json())
          .isEqualTo(JsonObject.of("success", true, "reports", Map.of()));
    });
  }

  @Test
  void sessionsAreNamedInPathsAndQueriesAsUrlsAre() throws Exception {
    inLab(lab -> {
      JsonObject connect = connect("x", "fake serves").with("sessionId", "a b+ü?");
      assertThat(lab.post("/mcp", connect).status()).isEqualTo(200);
      assertThat(lab.get("/mcp?sessionId=a+b%2B%C3%BC%3F").json().array("connections").size())
          .isEqualTo(1);
      assertThat(lab.delete("/sessions/a%20b+%C3%BC%3F").json().object("reports").members())
          .containsOnlyKeys("x");
    });
  }

  @Test
  void newerConnectReplacesTheOlderOne() throws Exception {
    inLab(lab -> {
      var silent = lab.connecting("x", "fake silent");
      lab.awaitPhase("x", "initialize");
      JsonObject mcp = lab.connected("x", "fake serves");
      assertThat(silent.join().status()).isEqualTo(409);
      assertThat(silent.join().detail()).contains("replaced");
      assertThat(mcp.integer("generation")).isEqualTo(2);
      assertThat(lab.connected("x", "fake serves").integer("generation")).isEqualTo(3);
      assertThat(children()).hasSize(1);
    });
  }

  @Test
  void scopesAreToldByTheRegistryAndByTheJvm() throws Exception {
    inLab(lab -> {
      lab.connected("live", "fake serves");
      assertThat(lab.get("/scopes").json())
          .isEqualTo(
              JsonReader.read(
                  """
                  {"scopes": [{"name": "host", "scopes": [{"name": "session/s", "scopes": [
                    {"name": "connection/s/live#1", "status": "connected"}]}]}], "survivors": []}
                  """,
                  JsonLimits.defaults()));
      JsonObject host = (JsonObject) lab.get("/scopes?proof=dump").json().array("scopes").get(0);
      assertThat(host.string("name")).isEqualTo("host");
      JsonObject session = (JsonObject) host.array("scopes").get(0);
      assertThat(session.string("name")).isEqualTo("session/s");
      JsonObject connection = (JsonObject) session.array("scopes").get(0);
      assertThat(connection.string("name")).isEqualTo("connection/s/live#1");
      assertThat(connection.array("threads").toString()).contains("reader", "writer", "stderr");
      assertThat(lab.get("/scopes?proof=x").status()).isEqualTo(400);
    });
  }

  @Test
  void healthNeedsNoToken() throws Exception {
    inLab(lab -> {
      Answer health = lab.send(lab.request("GET", "/health", BodyPublishers.noBody())).join();
      assertThat(health.status()).isEqualTo(200);
      assertThat(health.json()).isEqualTo(JsonObject.of("status", "ok"));
      assertThat(health.headers()).containsEntry("cache-control", List.of("no-store"));
    });
  }

  @Test
  void clientThatGoesAwayWhileConnectingChangesNothing() throws Exception {
    inLab(lab -> {
      lab.welcome = new CountDownLatch(1);
      String body = connect("x", "fake serves").toString();
      try (var socket = new Socket(InetAddress.getLoopbackAddress(), lab.port())) {
        socket.getOutputStream().write(rawRequest(lab, "POST", "/mcp", body).getBytes(UTF_8));
        lab.awaitPhase("x", "onConnect");
      }
      lab.welcome.countDown();
      lab.await("x", ConnectionState.Connected.class::isInstance);
      assertThat(((JsonObject) lab.rows().get(0)).string("status")).isEqualTo("connected");
      assertThat(text(lab.call("x", "echo").json())).isEqualTo("hello");
    });
  }

  // What is refused, and touches nothing.

  /// The body of a connect, and what its refusal says.
  private record Refused(String body, String detail) {}

  private static List<Refused> refusedConnects() {
    String s = "\"sessionId\": \"s\", ";
    String live = s + "\"name\": \"live\", ";
    String stdio = live + "\"clientType\": \"stdio\", ";
    return List.of(
        new Refused("", "the body is"),
        new Refused("{", "the body is"),
        new Refused("{\"a\":}", "the body is"),
        new Refused("\u0000", "the body is"),
        new Refused("[".repeat(300), "the body is"),
        new Refused("{} {}", "the body is"),
        new Refused("{" + live + live + "}", "the body is"),
        new Refused("[]", "the body must be a JSON object, is an array"),
        new Refused("\"x\"", "the body must be a JSON object, is a string"),
        new Refused("null", "the body must be a JSON object, is null"),
        new Refused("{}", "sessionId"),
        new Refused("{\"sessionId\": 1}", "sessionId"),
        new Refused("{\"sessionId\": null}", "sessionId"),
        new Refused("{\"sessionId\": \" \"}", "sessionId must not be empty"),
        new Refused("{" + s + "\"name\": []}", "name"),
        new Refused("{" + s + "\"name\": \"\"}", "name must not be empty"),
        new Refused("{" + live + "\"clientType\": true}", "clientType"),
        new Refused("{" + live + "\"clientType\": \"STDIO\"}", "clientType must be stdio"),
        new Refused("{" + live + "\"clientType\": \"ftp\\u001b\"}", "is 'ftp?'"),
        new Refused("{" + live + "\"clientType\": \"sse\"}", "url"),
        refusedUrl("", "", "url must not be empty"),
        refusedUrl("host/mcp", "", "a URL must begin with http:// or https://"),
        refusedUrl("ftp://host/mcp", "", "a URL must begin with http:// or https://"),
        refusedUrl("http:/mcp", "", "the URL names no host"),
        refusedUrl("http://host:65536/", "", "the port of a URL must be 1 to 65535"),
        refusedUrl("http://host/#x", "", "a URL with a fragment (#)"),
        refusedUrl("http://host/{}", "", "not a URL: Illegal character in path at character 13"),
        refusedUrl("http://host/\\u202e", "", "a URL is visible ASCII"),
        refusedUrl("http://host/" + "x".repeat(8_192), "", "at most 8192 characters"),
        refusedUrl("http://169.254.169.254/", "", "is made to a link-local address"),
        refusedUrl("http://2852039166/", "", "is made to a link-local address"),
        refusedUrl("http://[::ffff:a9fe:a9fe]/", "", "is made to a link-local address"),
        refusedUrl("http://[fd00:ec2::254]/", "", "is made to a cloud's metadata service"),
        refusedUrl("http://Metadata.Google.Internal./", "", "is made to a cloud's metadata"),
        refusedUrl("http://***@host/", "", "the user info is '***', which stands for a value"),
        refusedUrl("http://host/?a=***", "", "a value of the query is '***', which stands for"),
        refusedUrl("http://user:***@host/", "", "'***' stands for the whole of it"),
        refusedUrl(
            "http://host/",
            "\"headers\": {\"X\": \"***\"}",
            "the header 'X' is '***', which stands for a value that is held already, and 'live'"
                + " holds none"), // it has a command
        refusedUrl(
            "http://host/",
            "\"fullCommand\": \"fake serves\"",
            "clientType streamable-http takes no fullCommand"),
        refusedUrl("http://host/", "\"restart\": \"always\"", "restart must be never or"),
        refusedUrl("http://host/", "\"headers\": [\"x\"]", "headers must be an object of"),
        refusedUrl("http://host/", "\"headers\": {\"X\": 1}", "the header 'X' must be a string"),
        refusedUrl("http://host/", "\"headers\": {\"Host\": \"x\"}", "'Host' is set by the"),
        refusedUrl("http://host/", "\"headers\": {\"a b\": \"\"}", "'a b' is no name"),
        refusedUrl("http://host/", "\"headers\": {\"X\": \"a\\r\\nb\"}", "of the header 'X' holds"),
        new Refused("{" + stdio + "\"url\": \"http://x/\"}", "clientType stdio takes no url"),
        new Refused("{" + stdio + "\"url\": null, \"headers\": {}}", "fullCommand"),
        refused("fake serves", "\"url\": \"\"", "clientType stdio takes no url"),
        refused("fake serves", "\"headers\": {\"X\": \"y\"}", "clientType stdio takes no headers"),
        refused("fake serves", "\"headers\": []", "clientType stdio takes no headers"),
        new Refused("{" + stdio + "\"fullCommand\": 1}", "fullCommand"),
        new Refused("{" + stdio + "\"fullCommand\": [\"fake\"]}", "fullCommand"),
        refused("fake serves", "\"ifAbsent\": \"yes\"", "ifAbsent"),
        refused("fake serves", "\"restart\": true", "restart"),
        refused("fake serves", "\"restart\": \"always\"", "restart must be never or on-crash"),
        new Refused("{" + live + "\"clientType\": \"configured\"}", "no configured server 'live'"),
        refused("fake serves", "\"connectTimeoutMs\": 0", "must be 1 to 600000, is 0"),
        refused("fake serves", "\"connectTimeoutMs\": 600001", "must be 1 to 600000, is 600001"),
        refused("fake serves", "\"connectTimeoutMs\": \"1\"", "connectTimeoutMs"),
        refused("fake serves", "\"connectTimeoutMs\": 1.5", "connectTimeoutMs"),
        refused("fake serves", "\"connectTimeoutMs\": 1e400", "connectTimeoutMs"),
        refused("fake 'serves", "", "the ' at column 6 is never closed"),
        refused("fake \\\"serves", "", "is never closed"),
        refused("fake serves; id", "", "there is no shell"),
        refused("fake $HOME", "", "there is no shell"),
        refused("fake serves\\nid", "", "control character U+000A"),
        refused("A=b", "", "names no executable"),
        refused("other serves", "", "other is not an allowed executable"),
        refused("./fake serves", "", "is not an allowed executable"),
        refused("../fake serves", "", "is not an allowed executable"),
        refused("/bin/sh -c id", "", "/bin/sh is not an allowed executable"),
        refused("absent", "", "absent is allowed but not installed"),
        refused("npx", "", "no package is named"),
        refused("npx -c id", "", "-c is not accepted"),
        refused("npx -yc id", "", "-yc is not accepted"),
        refused("npx -y --call=id x", "", "--call is not accepted"),
        refused("npx sh -c id", "", "npx: "),
        refused("uvx --with-editable . x", "", "uvx: "),
        refused("LD_PRELOAD=/tmp/x.so npx -y x", "", "LD_PRELOAD may not be set"),
        refused("NODE_OPTIONS=--require=/x npx -y x", "", "NODE_OPTIONS may not be set"),
        refused("npm_config_yes=1 npx -y x", "", "npm_config_yes may not be set"),
        refused("PATH=/tmp fake serves", "", "PATH may not be set"),
        refused("MCP_SCOPE_CONNECTION=x fake serves", "", "MCP_SCOPE_CONNECTION may not be set"),
        refused("1A=x fake serves", "", "'1A' is no name for a variable"),
        refused("TOKEN=*** fake serves", "", "stands for a value that is held already"),
        refused("A=b TOKEN='***' fake serves", "", "stands for a value that is held already"));
  }

  private static Refused refused(String command, String more, String detail) {
    String body =
        "{\"sessionId\": \"s\", \"name\": \"live\", \"clientType\": \"stdio\","
            + " \"fullCommand\": \"%s\"%s}";
    return new Refused(body.formatted(command, more.isEmpty() ? "" : ", " + more), detail);
  }

  private static Refused refusedUrl(String url, String more, String detail) {
    String body =
        "{\"sessionId\": \"s\", \"name\": \"live\", \"clientType\": \"streamable-http\","
            + " \"url\": \"%s\"%s}";
    return new Refused(body.formatted(url, more.isEmpty() ? "" : ", " + more), detail);
  }

  @Test
  void refusedConnectsTouchNothing() throws Exception {
    inLab(lab ->
        lab.untouchedBy(() -> {
          for (Refused refused : refusedConnects()) {
            Answer answer = lab.postText("/mcp", refused.body);
            assertThat(answer.status()).as(refused + ": " + answer).isEqualTo(400);
            assertThat(answer.detail()).contains(refused.detail).hasSizeLessThan(600);
          }
        }));
  }

  @Test
  void wrongNamesAreRefusedAndTouchNothing() throws Exception {
    inLab(lab ->
        lab.untouchedBy(() -> {
          for (String wrong :
              List.of("n".repeat(129), "a/b", "a#1", "a\u0000", "a\nb", "a\u0085")) {
            Answer name = lab.post("/mcp", connect(wrong, "fake serves"));
            assertThat(name.status()).isEqualTo(400);
            assertThat(name.detail()).startsWith("name must ");
            Answer session =
                lab.post("/mcp", connect("live", "fake serves").with("sessionId", wrong));
            assertThat(session.status()).isEqualTo(400);
            assertThat(session.detail()).startsWith("session must ");
          }
        }));
  }

  @Test
  void refusedCallsTouchNothing() throws Exception {
    String live = "{\"sessionId\": \"s\", \"name\": \"live\"";
    String echo = live + ", \"tool\": \"echo\"";
    var refused =
        Map.of(
            "{\"sessionId\": \"s\"}",
            "name",
            live + "}",
            "tool",
            live + ", \"tool\": \"\"}",
            "tool must not be empty",
            echo + ", \"arguments\": []}",
            "arguments",
            echo + ", \"timeoutMs\": 0}",
            "timeoutMs must be 1 to 600000, is 0",
            echo + ", \"timeoutMs\": {}}",
            "timeoutMs");
    inLab(lab ->
        lab.untouchedBy(() -> {
          for (var call : refused.entrySet()) {
            Answer answer = lab.postText("/mcp/call", call.getKey());
            assertThat(answer.status()).as(call.getKey()).isEqualTo(400);
            assertThat(answer.detail()).contains(call.getValue());
          }
          Answer noName = lab.call("else", "echo");
          assertThat(noName.status()).isEqualTo(404);
          assertThat(noName.detail()).isEqualTo("'else' in session 's' is not connected");
          Answer noSession = lab.post("/mcp/call", calling("live", "echo").with("sessionId", "t"));
          assertThat(noSession.status()).isEqualTo(404);
          assertThat(noSession.detail()).isEqualTo("there is no session 't'");
        }));
  }

  @Test
  void refusedDisconnectsTouchNothing() throws Exception {
    inLab(lab ->
        lab.untouchedBy(() -> {
          for (String body :
              List.of("{}", "{\"sessionId\": \"s\"}", "{\"sessionId\": \"s\", \"name\": 1}", "[")) {
            var request =
                lab.request("DELETE", "/mcp", BodyPublishers.ofString(body))
                    .header("Authorization", "Bearer " + TOKEN)
                    .header("Content-Type", "application/json");
            assertThat(lab.send(request).join().status()).as(body).isEqualTo(400);
          }
        }));
  }

  @Test
  void wrongPathsAndMethodsTouchNothing() throws Exception {
    String table =
        """
        404 GET     /nothing
        404 GET     /
        404 GET     /mcp/
        404 POST    /mcp/call/x
        404 DELETE  /sessions/
        404 DELETE  /sessions
        405 GET     /sessions/s     DELETE
        405 PUT     /mcp            DELETE, GET, POST
        405 OPTIONS /mcp            DELETE, GET, POST
        405 BREW    /mcp            DELETE, GET, POST
        405 GET     /mcp/call       POST
        405 DELETE  /scopes         GET
        405 POST    /health         GET
        400 GET     /mcp
        400 GET     /mcp?sessionId
        404 GET     /mcp?sessionId=t
        """;
    inLab(lab ->
        lab.untouchedBy(() -> {
          for (String row : table.lines().toList()) {
            String[] cells = row.split(" +", 4);
            String answer = lab.raw(rawRequest(lab, cells[1], cells[2], ""));
            assertThat(answer)
                .as(row)
                .startsWith("HTTP/1.1 " + cells[0] + " ")
                .contains("\r\n\r\n{\"detail\":");
            assertThat(headers(answer)).contains("content-type: application/json");
            if (cells.length == 4) {
              assertThat(headers(answer)).contains("allow: " + cells[3].toLowerCase(Locale.ROOT));
            }
          }
        }));
  }

  @Test
  void headIsRefusedWithoutBody() throws Exception {
    inLab(lab -> {
      String answer = lab.raw(rawRequest(lab, "HEAD", "/mcp", ""));
      assertThat(answer).startsWith("HTTP/1.1 405 ").endsWith("\r\n\r\n");
    });
  }

  @Test
  void withoutTheTokenNothingIsTouched() throws Exception {
    List<String> headers =
        List.of(
            "",
            "Authorization: Bearer \r\n",
            "Authorization: Bearer the-toke\r\n",
            "Authorization: Bearer the-token2\r\n",
            "Authorization: Bearer THE-TOKEN\r\n",
            "Authorization: Basic the-token\r\n",
            "Authorization: the-token\r\n",
            "Authorization: Bearer the-token\r\nAuthorization: Bearer other\r\n",
            "Cookie: token=the-token\r\n");
    inLab(lab ->
        lab.untouchedBy(() -> {
          for (String header : headers) {
            for (String[] route : ROUTES) {
              String answer = lab.raw(request(lab, route[0], route[1], header + JSON, LIVE));
              assertThat(answer)
                  .as(header + route[1])
                  .startsWith("HTTP/1.1 401 ")
                  .contains("{\"detail\":");
              assertThat(headers(answer)).contains("www-authenticate: bearer");
            }
          }
        }));
  }

  @Test
  void tokenInTheQueryIsNoToken() throws Exception {
    inLab(lab ->
        assertThat(lab.raw(request(lab, "GET", "/scopes?token=" + TOKEN, "", "")))
            .startsWith("HTTP/1.1 401 "));
  }

  private static final String JSON = "Content-Type: application/json\r\n";
  private static final String AUTHORIZED = "Authorization: Bearer " + TOKEN + "\r\n";
  private static final String LIVE =
      "{\"sessionId\":\"s\",\"name\":\"live\",\"clientType\":\"stdio\","
          + "\"fullCommand\":\"fake serves\"}";
  private static final String[][] ROUTES = {
    {"POST", "/mcp"},
    {"DELETE", "/mcp"},
    {"GET", "/mcp?sessionId=s"},
    {"POST", "/mcp/call"},
    {"DELETE", "/sessions/s"},
    {"GET", "/scopes"},
    {"GET", "/nothing"}
  };

  @Test
  void foreignHostsAndOriginsTouchNothing() throws Exception {
    String own = "Host: 127.0.0.1:PORT\r\n";
    List<String> headers =
        List.of(
            "Host: evil.example:PORT\r\n",
            "Host: 127.0.0.1\r\n",
            "Host: 127.0.0.1:1\r\n",
            "Host: localhost.evil.example:PORT\r\n",
            "Host: \r\n",
            own + "Origin: http://evil.example\r\n",
            own + "Origin: null\r\n",
            own + "Origin: https://127.0.0.1:PORT\r\n",
            own + "Origin: http://127.0.0.1:1\r\n",
            own + "Origin: http://127.0.0.1:PORT.evil.example\r\n",
            own + "Origin: http://127.0.0.1:PORT\r\nOrigin: http://evil.example\r\n");
    inLab(lab ->
        lab.untouchedBy(() -> {
          for (String header : headers) {
            String given = header.replace("PORT", Integer.toString(lab.port()));
            for (String[] route : ROUTES) {
              assertThat(lab.raw(hostless(route[0], route[1], given + AUTHORIZED + JSON, LIVE)))
                  .as(header + route[1])
                  .startsWith("HTTP/1.1 403 ")
                  .contains("{\"detail\":")
                  .doesNotContainIgnoringCase("access-control-");
            }
            assertThat(lab.raw(hostless("GET", "/health", given, ""))).startsWith("HTTP/1.1 403 ");
          }
        }));
  }

  /// The JDK's server may see it first, and answer 400.
  @Test
  void noHostOrTwoTouchNothing() throws Exception {
    inLab(lab ->
        lab.untouchedBy(() -> {
          String own = "Host: 127.0.0.1:" + lab.port() + "\r\n";
          for (String given : List.of("", own + own, own + "Host: evil.example\r\n")) {
            assertThat(lab.raw(hostless("POST", "/mcp", given + AUTHORIZED + JSON, LIVE)))
                .as(given)
                .containsPattern("^HTTP/1\\.1 40[03] ");
          }
        }));
  }

  @Test
  void preflightOfAForeignPageGetsNothing() throws Exception {
    inLab(lab -> {
      String headers =
          "Origin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n"
              + "Access-Control-Request-Headers: authorization\r\n";
      assertThat(lab.raw(request(lab, "OPTIONS", "/mcp", headers, "")))
          .startsWith("HTTP/1.1 403 ")
          .doesNotContainIgnoringCase("access-control-");
    });
  }

  @Test
  void ownOriginsArePassedAndNeedNoHeaderOfCors() throws Exception {
    inLab(lab -> {
      for (String own : List.of("http://127.0.0.1:", "http://localhost:", "HTTP://LOCALHOST:")) {
        String origin = "Origin: " + own + lab.port() + "\r\n";
        assertThat(lab.raw(request(lab, "GET", "/health", origin, "")))
            .startsWith("HTTP/1.1 200 ")
            .doesNotContainIgnoringCase("access-control-")
            .doesNotContainIgnoringCase("vary");
      }
    });
  }

  // Pages of other origins.

  private static final String PAGE = "https://App.example";

  private static Front.Options allowingThePage(Front.Options options) {
    return options.withAllowOrigins(List.of("https://app.example", "http://other.example:8080"));
  }

  @Test
  void everyAnswerToAnAllowedPageNamesItsOrigin() throws Exception {
    inLab(
        FrontTest::allowingThePage,
        lab -> {
          String origin = "Origin: " + PAGE + "\r\n";
          String page = origin + AUTHORIZED + JSON;
          for (String answer :
              List.of(
                  lab.raw(request(lab, "GET", "/health", origin, "")),
                  lab.raw(request(lab, "POST", "/mcp", page, LIVE)),
                  lab.raw(request(lab, "GET", "/scopes", origin, "")), // 401
                  lab.raw(request(lab, "GET", "/nothing", page, "")),
                  lab.raw(request(lab, "PUT", "/mcp", page, "")),
                  lab.raw(request(lab, "POST", "/mcp", page, "{")),
                  lab.raw(request(lab, "OPTIONS", "/mcp", page, "")), // asks for no method
                  lab.raw(request(lab, "GET", "/" + "x".repeat(9_000), page, "")),
                  lab.raw(hostless("GET", "/scopes", "Host: evil.example\r\n" + page, "")))) {
            assertThat(headers(answer).lines())
                .as(answer)
                .contains("access-control-allow-origin: " + PAGE.toLowerCase(Locale.ROOT))
                .contains("vary: origin")
                .filteredOn(line -> line.startsWith("access-control-"))
                .hasSize(1);
          }
        });
  }

  @Test
  void preflightOfAnAllowedPageIsAnsweredWithoutToken() throws Exception {
    inLab(
        FrontTest::allowingThePage,
        lab -> {
          String asked =
              "Origin: http://other.example:8080\r\nAccess-Control-Request-Method: DELETE\r\n"
                  + "Access-Control-Request-Headers: authorization\r\n";
          String answer = lab.raw(request(lab, "OPTIONS", "/mcp", asked, ""));
          assertThat(answer).startsWith("HTTP/1.1 204 ").endsWith("\r\n\r\n");
          assertThat(headers(answer).lines())
              .contains(
                  "access-control-allow-origin: http://other.example:8080",
                  "access-control-allow-methods: get, post, delete",
                  "access-control-allow-headers: authorization, content-type",
                  "access-control-max-age: 600",
                  "vary: origin",
                  "cache-control: no-store",
                  "x-content-type-options: nosniff")
              .noneMatch(line -> line.contains("*") || line.contains("credentials"));
        });
  }

  @Test
  void pagesThatAreNotAllowedGetNothingAlsoWhereOthersAre() throws Exception {
    List<String> origins =
        List.of(
            "http://app.example",
            "https://app.example:444",
            "https://app.example.evil.example",
            "https://evil.example",
            "https://app.example/",
            "null",
            "*",
            "https://app.example https://app.example",
            PAGE + "\r\nOrigin: https://evil.example",
            PAGE + "\r\nOrigin: " + PAGE);
    inLab(
        FrontTest::allowingThePage,
        lab ->
            lab.untouchedBy(() -> {
              for (String origin : origins) {
                String page = "Origin: " + origin + "\r\nAccess-Control-Request-Method: POST\r\n";
                for (String method : List.of("OPTIONS", "POST", "DELETE")) {
                  String headers = page + AUTHORIZED + JSON;
                  assertThat(lab.raw(request(lab, method, "/mcp", headers, LIVE)))
                      .as(method + origin)
                      .startsWith("HTTP/1.1 403 ")
                      .doesNotContainIgnoringCase("access-control-");
                }
              }
            }));
  }

  @Test
  void allowedHostsAreServedUnderTheirPort() throws Exception {
    inLab(
        options -> options.withAllowHosts(List.of("Box.local", "proxy.example:8443")),
        lab -> {
          for (String host : List.of("box.local:" + lab.port(), "PROXY.example:8443")) {
            String given = "Host: " + host + "\r\n" + AUTHORIZED;
            assertThat(lab.raw(hostless("GET", "/scopes", given, ""))).startsWith("HTTP/1.1 200 ");
          }
          for (String host :
              List.of("box.local", "box.local:1", "proxy.example:" + lab.port(), "proxy.example")) {
            String given = "Host: " + host + "\r\n" + AUTHORIZED;
            assertThat(lab.raw(hostless("GET", "/scopes", given, ""))).startsWith("HTTP/1.1 403 ");
          }
        });
  }

  @Test
  void targetThatNamesAnotherHostTouchesNothing() throws Exception {
    inLab(lab -> {
      for (String target : List.of("http://evil.example/scopes", "//evil.example/scopes")) {
        assertThat(lab.raw(rawRequest(lab, "GET", target, ""))).startsWith("HTTP/1.1 403 ");
      }
      String own = "http://localhost:" + lab.port() + "/scopes";
      assertThat(lab.raw(rawRequest(lab, "GET", own, ""))).startsWith("HTTP/1.1 200 ");
    });
  }

  @Test
  void bodyThatIsNotCalledJsonTouchesNothing() throws Exception {
    List<String> types =
        List.of(
            "",
            "Content-Type: text/plain\r\n",
            "Content-Type: application/x-www-form-urlencoded\r\n",
            "Content-Type: multipart/form-data; boundary=application/json\r\n",
            "Content-Type: application/json-patch+json\r\n");
    inLab(lab ->
        lab.untouchedBy(() -> {
          for (String type : types) {
            for (String route : List.of("POST /mcp", "DELETE /mcp", "POST /mcp/call")) {
              String[] parts = route.split(" ");
              assertThat(lab.raw(request(lab, parts[0], parts[1], AUTHORIZED + type, LIVE)))
                  .as(route + type)
                  .startsWith("HTTP/1.1 415 ")
                  .contains("application/json");
            }
          }
        }));
  }

  @Test
  void contentTypeMayHaveParameters() throws Exception {
    inLab(lab -> {
      String type = "Content-Type: Application/JSON; charset=utf-8\r\n";
      assertThat(lab.raw(request(lab, "POST", "/mcp", AUTHORIZED + type, LIVE)))
          .startsWith("HTTP/1.1 200 ");
    });
  }

  @Test
  void bodyThatIsNotUtf8IsRefusedAndTouchesNothing() throws Exception {
    inLab(lab -> {
      byte[] body = LIVE.getBytes(UTF_8);
      body[LIVE.indexOf("fake")] = (byte) 0xC3; // the first half of a character, and no second one
      Answer answer =
          lab.untouched(() ->
              lab.send(
                      lab.request("POST", "/mcp", BodyPublishers.ofByteArray(body))
                          .header("Authorization", "Bearer " + TOKEN)
                          .header("Content-Type", "application/json"))
                  .join());
      assertThat(answer.status()).isEqualTo(400);
      assertThat(answer.detail()).contains("the body is not UTF-8");
    });
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void bodyOfTwoMebibytesIsRefusedReadablyAndTouchesNothing(boolean chunked) throws Exception {
    inLab(lab -> {
      byte[] body =
          LIVE.replace("\"fake serves\"", "\"fake serves " + "x".repeat(2 << 20) + "\"")
              .getBytes(UTF_8);
      BodyPublisher whole = BodyPublishers.ofByteArray(body);
      Answer answer =
          lab.untouched(() ->
              lab.send(
                      lab.request(
                              "POST", "/mcp", chunked ? BodyPublishers.fromPublisher(whole) : whole)
                          .header("Authorization", "Bearer " + TOKEN)
                          .header("Content-Type", "application/json"))
                  .join());
      assertThat(answer.status()).isEqualTo(413);
      assertThat(answer.detail()).isEqualTo("the body is longer than 1048576 bytes");
    });
  }

  /// As most clients do: all of the request first, then the answer.
  @Test
  void bodyIsReadToItsEndBeforeItIsRefused() throws Exception {
    inLab(lab -> {
      String answer = lab.raw(rawRequest(lab, "POST", "/mcp", " ".repeat(12 << 20)));
      assertThat(answer).startsWith("HTTP/1.1 413 ").contains("is longer than 1048576 bytes");
    });
  }

  @Test
  void bodyThatCannotBeReadIsAnswered() throws Exception {
    inLab(lab -> {
      String head =
          "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:"
              + lab.port()
              + "\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n";
      String bad = "\r\nnot-a-length\r\n{}\r\n0\r\n\r\n";
      assertThat(lab.raw(head + AUTHORIZED + bad))
          .startsWith("HTTP/1.1 400 ")
          .contains("the body cannot be read");
      assertThat(lab.raw(head + bad)).startsWith("HTTP/1.1 401 ");
    });
  }

  @Test
  void bodyOfOneMebibyteIsRead() throws Exception {
    inLab(lab -> {
      String body = LIVE.replace("}", ",\"x\":\"") + "\"}";
      String full = body.replace("\"\"}", "\"" + "x".repeat((1 << 20) - body.length()) + "\"}");
      assertThat(full).hasSize(1 << 20);
      assertThat(lab.postText("/mcp", full).status()).isEqualTo(200);
    });
  }

  @Test
  void bodyWhereNoneIsTakenIsRefusedAndTouchesNothing() throws Exception {
    inLab(lab ->
        lab.untouchedBy(() -> {
          String chunked = "%s %s HTTP/1.1\r\nHost: 127.0.0.1:" + lab.port() + "\r\n" + AUTHORIZED;
          for (String route :
              List.of("GET /mcp?sessionId=s", "GET /scopes", "GET /health", "DELETE /sessions/s")) {
            String[] parts = route.split(" ");
            for (String answer :
                List.of(
                    lab.raw(rawRequest(lab, parts[0], parts[1], LIVE)),
                    lab.raw(rawRequest(lab, parts[0], parts[1], " ")),
                    lab.raw(
                        chunked.formatted(parts[0], parts[1])
                            + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))) {
              assertThat(answer)
                  .as(route)
                  .startsWith("HTTP/1.1 400 ")
                  .endsWith("{\"detail\":\"'" + parts[0] + "' takes no body here\"}");
            }
          }
          assertThat(lab.raw(rawRequest(lab, "HEAD", "/mcp", LIVE)))
              .startsWith("HTTP/1.1 400 ")
              .endsWith("\r\n\r\n");
        }));
  }

  /// Some of them the JDK's server answers itself, before it asks the front.
  @Test
  void whatIsNoProperRequestTouchesNothing() throws Exception {
    String own = "Host: 127.0.0.1:PORT\r\nConnection: close\r\n";
    List<String> requests =
        List.of(
            "nonsense\r\n\r\n",
            "GET / HTTP/1.1\r\nHost\r\n\r\n",
            "GET /mcp?sessionId=% HTTP/1.1\r\n" + own + AUTHORIZED + "\r\n",
            "GET mailto:x HTTP/1.1\r\n" + own + AUTHORIZED + "\r\n",
            "OPTIONS * HTTP/1.1\r\n" + own + AUTHORIZED + "\r\n",
            "CONNECT evil.example:80 HTTP/1.1\r\n" + own + AUTHORIZED + "\r\n",
            "POST /mcp HTTP/1.1\r\n" + own + "Content-Length: -1\r\n\r\n");
    inLab(lab ->
        lab.untouchedBy(() -> {
          for (String request : requests) {
            assertThat(lab.raw(request.replace("PORT", Integer.toString(lab.port()))))
                .as(request)
                .doesNotStartWith("HTTP/1.1 2")
                .doesNotStartWith("HTTP/1.1 5");
          }
        }));
  }

  @Test
  void limitsAreAnsweredAsSuchAndTouchNothing() throws Exception {
    inLab(
        HostOptions.defaults().withLimits(1, 10, 1),
        lab -> {
          List<Answer> answers =
              lab.untouched(() ->
                  List.of(
                      lab.post("/mcp", connect("second", "fake serves")),
                      lab.post("/mcp", connect("x", "fake serves").with("sessionId", "t"))));
          assertThat(answers).extracting(Answer::status).containsExactly(429, 429);
          assertThat(answers.getFirst().detail())
              .isEqualTo("the limit of 1 names in a session is reached");
        });
  }

  @Test
  void requestsOverTheLimitAreRefusedAtOnceAndHealthIsNot() throws Exception {
    inLab(
        options -> options.withLimits(options.limits().withRequests(2)),
        lab -> {
          var first = lab.connecting("a", "fake silent");
          var second = lab.connecting("b", "fake silent");
          lab.awaitPhase("a", "initialize");
          lab.awaitPhase("b", "initialize");
          for (Answer refused :
              List.of(
                  lab.get("/scopes"),
                  lab.call("a", "echo"),
                  lab.connecting("c", "fake serves").join())) {
            assertThat(refused.status()).isEqualTo(429);
            assertThat(refused.detail()).isEqualTo("2 requests are being served already");
          }
          assertThat(lab.raw(request(lab, "GET", "/health", "", ""))).startsWith("HTTP/1.1 200 ");
          String stranger = lab.raw(request(lab, "GET", "/scopes", "", ""));
          assertThat(stranger).startsWith("HTTP/1.1 401 ");
          lab.host.endSession("s");
          assertThat(List.of(first.join().status(), second.join().status())).containsOnly(409);
          Answer served = lab.get("/scopes");
          while (served.status() == 429) { // a place is given back after its answer has come
            served = lab.get("/scopes");
          }
          assertThat(served.status()).isEqualTo(200);
        });
  }

  @Test
  void clientThatDoesNotReadItsAnswerIsCutOffAndNothingOfItIsLeft() throws Exception {
    var log = new LinkedBlockingQueue<String>();
    inLoggingLab(
        log,
        options ->
            options.withLimits(options.limits().withWrite(Duration.ofSeconds(1)).withRequests(1)),
        lab -> {
          lab.connected("x", "fake serves");
          String body = calling("x", "big").toString();
          var before = Inventory.take();
          try (var client = new Socket()) {
            client.setReceiveBufferSize(64 << 10);
            client.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), lab.port()));
            client
                .getOutputStream()
                .write(rawRequest(lab, "POST", "/mcp/call", body).getBytes(UTF_8));
            while (!log.take().contains("it does not read its answer")) {
              // others are of no interest
            }
          }
          Leftovers left = Leftovers.since(before);
          while (!left.isEmpty()) { // the JDK's dispatcher closes what is over in its own time
            left = Leftovers.since(before);
          }
          assertThat(text(lab.call("x", "echo").json())).isEqualTo("hello"); // with the only place
        });
  }

  // Servers that misbehave.

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "exits   | the server exited with code 3; its stderr ends: no licence",
        "refuses | initialize was answered by error -32000: not today",
        "old     | the server speaks protocol version 1999-01-01",
        "repeats | the same cursor twice",
        "endless | more than 20 pages",
        "closes  | the server closed its side of the pipe and still runs",
      })
  void connectToAServerThatMisbehavesIsToldTheCauseAtOnce(String mode, String detail)
      throws Exception {
    inLab(lab -> {
      long begun = System.nanoTime();
      Answer answer = lab.connecting("x", "fake " + mode).join();
      assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(10));
      assertThat(answer.status()).isEqualTo(400);
      assertThat(answer.detail()).startsWith("could not connect: x: ").contains(detail);
      assertThat(children()).isEmpty();
    });
  }

  @Test
  void connectToASilentServerEndsWhenItsTimeIsOver() throws Exception {
    inLab(lab -> {
      Answer answer = lab.post("/mcp", connect("x", "fake silent").with("connectTimeoutMs", 300));
      assertThat(answer.status()).isEqualTo(400);
      assertThat(answer.detail())
          .isEqualTo("could not connect: x: not connected within 300 ms; waiting for initialize");
      assertThat(children()).isEmpty();
    });
  }

  @Test
  void callOfAServerThatDiesIsToldTheCauseAtOnce() throws Exception {
    inLab(lab -> {
      lab.connected("x", "fake serves");
      var waiting = lab.waiting("x");
      long begun = System.nanoTime();
      Answer answer = lab.call("x", "die");
      assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(10));
      assertThat(answer.status()).isEqualTo(502);
      assertThat(answer.detail())
          .isEqualTo("x: the server exited with code 7; its stderr ends: disk full");
      assertThat(waiting.join().status()).isEqualTo(502);
      assertThat(waiting.join().detail()).isEqualTo(answer.detail());

      lab.await("x", ConnectionState.Failed.class::isInstance);
      JsonObject row = (JsonObject) lab.rows().get(0);
      assertThat(row.string("status")).isEqualTo("failed");
      assertThat(row.string("failure")).isEqualTo(answer.detail());
      assertThat(row.object("report").integer("exitCode")).isEqualTo(7);
      Answer late = lab.call("x", "echo");
      assertThat(late.status()).isEqualTo(404);
      assertThat(late.detail()).contains("is not connected any more").contains("disk full");
      assertThat(lab.disconnect("x").json().object("report")).isEqualTo(row.object("report"));
      assertThat(lab.disconnect("x").json().get("report")).isEqualTo(JsonNull.INSTANCE);
    });
  }

  @ParameterizedTest
  @CsvSource({
    "unknown, tools/call was answered by error -32000: no such tool",
    "wrong, was answered by an array instead of an object"
  })
  void callThatTheServerAnswersWronglyIsABadGateway(String tool, String detail) throws Exception {
    inLab(lab -> {
      Answer answer = lab.untouched(() -> lab.call("live", tool));
      assertThat(answer.status()).isEqualTo(502);
      assertThat(answer.detail()).contains(detail);
    });
  }

  @Test
  void callWhoseTimeIsOverLeavesTheConnectionAsItIs() throws Exception {
    inLab(lab -> {
      Answer answer =
          lab.untouched(
              () -> lab.post("/mcp/call", calling("live", "never").with("timeoutMs", 200)));
      assertThat(answer.status()).isEqualTo(504);
      assertThat(answer.detail()).contains("got no answer within 200 ms");
    });
  }

  @Test
  void callOfAConnectionThatIsBeingClosedIsRefused() throws Exception {
    inLab(lab -> {
      lab.goodbye = new CountDownLatch(1);
      lab.connected("x", "fake serves");
      var waiting = lab.waiting("x");
      var disconnect = lab.asking("DELETE", "/mcp", JsonObject.of("sessionId", "s", "name", "x"));
      lab.await("x", ConnectionState.Closing.class::isInstance);
      Answer answer = lab.call("x", "echo");
      assertThat(answer.status()).isEqualTo(404);
      assertThat(answer.detail()).contains("is being closed: disconnected");
      assertThat(waiting.join().status()).isEqualTo(409);
      lab.goodbye.countDown();

      assertThat(disconnect.join().status()).isEqualTo(200);
    });
  }

  // The end.

  @Test
  void duringTheEndWhoWaitsIsAnsweredAndWhoComesIsRefused() throws Exception {
    inLab(lab -> {
      lab.connected("x", "fake serves");
      var connect = lab.connecting("silent", "fake silent");
      lab.awaitPhase("silent", "initialize");
      lab.front.refuse();
      for (Answer late :
          List.of(
              lab.connecting("new", "fake serves").join(),
              lab.disconnect("x"),
              lab.call("x", "echo"),
              lab.get("/scopes"),
              lab.get("/health"),
              lab.delete("/sessions/s"))) {
        assertThat(late.status()).isEqualTo(503);
        assertThat(late.detail()).isEqualTo("mcp-scope is shutting down");
      }
      assertThat(connect.isDone()).isFalse();
      assertThat(children()).hasSize(2);
      assertThat(lab.host.end().nothingLeft()).isTrue();
      assertThat(connect.join().status()).isEqualTo(503);
      assertThat(connect.join().detail()).contains("the host is shutting down");
    });
  }

  @Test
  void callThatWaitsWhenTheHostEndsIsAnswered() throws Exception {
    inLab(lab -> {
      lab.goodbye = new CountDownLatch(1);
      lab.connected("x", "fake serves");
      var call = lab.waiting("x");
      Thread end = Thread.ofVirtual().start(lab.host::end);
      assertThat(call.join().status()).isEqualTo(503);
      assertThat(call.join().detail()).contains("the host is shutting down");
      assertThat(end.isAlive()).isTrue(); // it has not waited for the close
      lab.goodbye.countDown();
      end.join();
    });
  }

  @Test
  void closeCutsOffRequestsThatStillWaitAndLeavesTheHostAlone() throws Exception {
    inLab(lab -> {
      lab.connected("x", "fake serves");
      var connect = lab.connecting("silent", "fake silent");
      lab.awaitPhase("silent", "initialize");
      long begun = System.nanoTime();
      lab.front.close();
      lab.front.close();
      assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(5));
      assertThatThrownBy(connect::join).hasCauseInstanceOf(IOException.class);
      assertThat(lab.host.statuses("s").orElseThrow())
          .extracting(ConnectionStatus::name)
          .containsExactly("x", "silent");
      assertThat(children()).hasSize(2);
    });
  }

  /// On new connections, and on those that are there.
  @Test
  void whoComesWhileTheFrontIsClosedIsRefusedInWordsAndNotWaitedFor() throws Exception {
    inLab(lab -> {
      var connect = lab.connecting("silent", "fake silent");
      lab.awaitPhase("silent", "initialize");
      String request =
          "GET /mcp?sessionId=s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n\r\n"
              .formatted(lab.front.uri().getPort(), FrontLab.TOKEN);
      assertThat(lab.get("/mcp?sessionId=s").status()).isEqualTo(200); // and it stays connected
      long begun = System.nanoTime();
      Thread close = Thread.ofPlatform().start(lab.front::close);
      while (close.getState() != Thread.State.TIMED_WAITING) { // for those who were there before
        assertThat(close.isAlive()).isTrue();
        Thread.onSpinWait();
      }
      String late = lab.raw(request); // until it is closed
      Answer again = lab.get("/mcp?sessionId=s");
      assertThat(close.isAlive()).isTrue();
      assertThat(late)
          .startsWith("HTTP/1.1 503 ")
          .containsIgnoringCase("\r\nConnection: close\r\n")
          .endsWith("{\"detail\":\"mcp-scope is shutting down\"}");
      assertThat(again.status()).isEqualTo(503);
      assertThat(again.detail()).isEqualTo("mcp-scope is shutting down");
      close.join();
      assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(5));
      assertThatThrownBy(connect::join).hasCauseInstanceOf(IOException.class);
    });
  }

  /// Not under [NothingLeft]: the JDK's `HttpServer.create` never closes a socket that it could not
  /// bind.
  @Test
  void portInUseIsNamed() throws Exception {
    try (var taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        var host = McpHost.open(HostOptions.defaults(), new HostListener() {})) {
      int port = taken.getLocalPort();
      assertThatThrownBy(() -> Front.open(FrontLab.options(temp, port), host))
          .isInstanceOf(IOException.class)
          .hasMessageStartingWith("cannot listen on 127.0.0.1:" + port + ": ");
    }
  }

  @Test
  void optionsAreChecked() {
    assertThatThrownBy(() -> FrontLab.options(temp, 65_536))
        .hasMessage("port must be 0 to 65535, is 65536");
    for (String token : List.of("", " ", " x", "x\n")) {
      assertThatThrownBy(() -> new Front.Options("127.0.0.1", 0, token, List.of(), Map.of()))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageStartingWith("the token ");
    }
  }

  @Test
  void limitsAreCheckedByName() {
    var limits = Front.Limits.defaults();
    assertThat(limits)
        .isEqualTo(
            new Front.Limits(
                1 << 20,
                8 << 10,
                100,
                64 << 10,
                Duration.ofSeconds(10),
                256,
                128,
                Duration.ofSeconds(15)));
    for (int wrong : List.of(Integer.MIN_VALUE, -1, 0, Integer.MAX_VALUE)) {
      Map.<String, ThrowingCallable>of(
              "body", () -> limits.withBody(wrong),
              "target", () -> limits.withHead(wrong, 100, 64 << 10),
              "headers", () -> limits.withHead(8 << 10, wrong, 64 << 10),
              "headerBytes", () -> limits.withHead(8 << 10, 100, wrong),
              "requests", () -> limits.withRequests(wrong))
          .forEach((name, made) ->
              assertThatThrownBy(made)
                  .isInstanceOf(IllegalArgumentException.class)
                  .hasMessageStartingWith(name + " must be ")
                  .hasMessageEndingWith(", is " + wrong));
    }
    for (Duration wrong :
        List.of(Duration.ZERO, Duration.ofNanos(1), Duration.ofSeconds(-1), Duration.ofDays(1))) {
      assertThatThrownBy(() -> limits.withWrite(wrong))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("write must be 1 ms to 10 min, is " + wrong);
    }
  }

  // Secrets.

  @Test
  void assignedValuesComeBackInNoAnswerAndNoLog() throws Exception {
    var log = new ConcurrentLinkedQueue<String>();
    inLoggingLab(
        log,
        UnaryOperator.identity(),
        lab -> {
          String env = "SECRET_WORD=" + SECRET + " ";
          JsonObject mcp = lab.connected("x", env + "fake serves");
          assertThat(mcp.string("command"))
              .isEqualTo("SECRET_WORD=*** " + temp.resolve("fake") + " serves");
          // It has arrived; what the server itself tells of it is the server's to answer for.
          assertThat(text(lab.call("x", "env").json())).isEqualTo(SECRET);
          lab.bodies.removeIf(body ->
              body.equals("{\"content\":[{\"type\":\"text\",\"text\":\"" + SECRET + "\"}]}"));
          lab.rows();
          lab.get("/scopes");
          lab.get("/scopes?proof=dump");
          lab.call("x", "unknown");
          lab.call("x", "die");
          lab.await("x", ConnectionState.Failed.class::isInstance);
          lab.rows();
          lab.disconnect("x");
          for (String mode : List.of("exits", "refuses", "old", "repeats", "closes")) {
            lab.connecting("x", env + "fake " + mode).join();
          }
          lab.post("/mcp", connect("x", env + "fake silent").with("connectTimeoutMs", 200));
          for (String refused :
              List.of(
                  env + "other serves",
                  env + "absent",
                  env + "npx -c id",
                  env + "'fake",
                  env,
                  env + "$",
                  "LD_PRELOAD=" + SECRET + " fake serves",
                  "=" + SECRET + " fake serves",
                  "A-B=" + SECRET + " fake serves",
                  "A=*** " + env + "fake serves")) {
            assertThat(lab.post("/mcp", connect("x", refused)).status()).isEqualTo(400);
          }
          lab.connected("y", env + "fake stubborn");
          lab.host.end();
          assertThat(lab.bodies).hasSizeGreaterThan(20);
          assertThat(lab.bodies).noneMatch(body -> body.contains(SECRET));
        });
    assertThat(log).isNotEmpty().noneMatch(line -> line.contains(SECRET));
  }

  @Test
  void assignedValueInMalformedJsonDoesNotComeBack() throws Exception {
    inLab(lab -> {
      Answer answer =
          lab.postText("/mcp", "{\"fullCommand\": \"KEY=" + SECRET + " fake\" \"name\": \"x\"}");
      assertThat(answer.status()).isEqualTo(400);
      assertThat(answer.detail()).doesNotContain(SECRET);
    });
  }

  // Requests as bytes.

  private static String rawRequest(FrontLab lab, String method, String path, String body) {
    return request(lab, method, path, AUTHORIZED + JSON, body);
  }

  private static String request(
      FrontLab lab, String method, String path, String headers, String body) {
    return hostless(method, path, "Host: 127.0.0.1:" + lab.port() + "\r\n" + headers, body);
  }

  private static String hostless(String method, String path, String headers, String body) {
    return "%s %s HTTP/1.1\r\n%sConnection: close\r\nContent-Length: %d\r\n\r\n%s"
        .formatted(method, path, headers, body.getBytes(UTF_8).length, body);
  }

  /// In lower case: HTTP does not care, and the JDK's server has its own taste.
  private static String headers(String answer) {
    return answer.substring(0, answer.indexOf("\r\n\r\n")).toLowerCase(Locale.ROOT);
  }
}
