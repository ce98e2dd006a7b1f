package dev.mcpscope.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.mcpscope.NothingLeft;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;

/// An answer that comes late in a session, when there is another one already.
@Timeout(value = 30, threadMode = ThreadMode.SEPARATE_THREAD)
class HttpResumptionTest {
  private static final String STREAM = "text/event-stream";

  private final CountDownLatch entered = new CountDownLatch(1);
  private final CountDownLatch renewed = new CountDownLatch(1);
  private final AtomicInteger sessions = new AtomicInteger();
  private final AtomicReference<String> asked = new AtomicReference<>(""); // the id of `slow`
  private final AtomicReference<String> resumed = new AtomicReference<>("");

  /// Has forgotten the first session for `lost`, but not for `slow`, whose stream is continued.
  private void serve(HttpExchange exchange) throws IOException {
    try (exchange) {
      String session = exchange.getRequestHeaders().getFirst("Mcp-Session-Id");
      String last = exchange.getRequestHeaders().getFirst("Last-Event-ID");
      String body = new String(exchange.getRequestBody().readAllBytes(), UTF_8);
      if (exchange.getRequestMethod().equals("DELETE")) {
        answer(exchange, 200, "text/plain", "");
      } else if (last != null) {
        resumed.set(session + " " + last);
        answer(exchange, 200, STREAM, "data: " + result(asked.get(), "{\"content\":[]}") + "\n\n");
      } else if (body.isEmpty()) {
        answer(exchange, 405, "text/plain", "");
      } else {
        post(exchange, session, (JsonObject) JsonReader.read(body, JsonLimits.defaults()));
      }
    } catch (JsonException | InterruptedException e) {
      throw new IOException(e);
    }
  }

  private void post(HttpExchange exchange, String session, JsonObject message)
      throws IOException, JsonException, InterruptedException {
    String id = String.valueOf(message.get("id"));
    String tool = String.valueOf(message.get("params"));
    switch (message.string("method")) {
      case "initialize" -> {
        exchange.getResponseHeaders().add("mcp-session-id", "s" + sessions.incrementAndGet());
        json(
            exchange,
            id,
            "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},"
                + "\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}");
      }
      case "tools/list" -> json(exchange, id, "{\"tools\":[]}");
      case "tools/call" -> {
        if (tool.contains("slow")) {
          asked.set(id);
          entered.countDown();
          renewed.await();
          answer(exchange, 200, STREAM, "id: e-1\nretry: 100\ndata:\n\n");
        } else if (session.equals("s1")) {
          answer(exchange, 404, "text/plain", "");
        } else {
          json(exchange, id, "{\"content\":[]}");
        }
      }
      default -> answer(exchange, 202, "text/plain", "");
    }
  }

  private static String result(String id, String result) {
    return "{\"jsonrpc\":\"2.0\",\"id\":" + id + ",\"result\":" + result + "}";
  }

  private static void json(HttpExchange exchange, String id, String result) throws IOException {
    answer(exchange, 200, "application/json", result(id, result));
  }

  private static void answer(HttpExchange exchange, int status, String type, String body)
      throws IOException {
    exchange.getResponseHeaders().set("Content-Type", type);
    exchange.sendResponseHeaders(status, body.isEmpty() ? -1 : body.length());
    if (!body.isEmpty()) {
      exchange.getResponseBody().write(body.getBytes(UTF_8));
    }
  }

  @Test
  void aStreamIsContinuedInTheSessionOfItsRequest() throws Exception {
    try (var _ = NothingLeft.check();
        var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      var loopback = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
      HttpServer server = HttpServer.create(loopback, 0, "/mcp", this::serve);
      server.setExecutor(threads);
      server.start();
      String url = "http://127.0.0.1:" + server.getAddress().getPort() + "/mcp";
      McpClient client = McpClient.open(ServerSpec.http(url), ClientOptions.defaults());
      try {
        Future<ToolResult> slow = threads.submit(() -> client.callTool("slow", Map.of()));
        entered.await();
        client.callTool("lost", Map.of());
        assertThat(sessions).hasValue(2);
        renewed.countDown();
        slow.get();
        assertThat(resumed).hasValue("s1 e-1");
      } finally {
        client.close();
        server.stop(0);
      }
    }
  }
}
