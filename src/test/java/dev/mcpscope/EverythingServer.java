package dev.mcpscope;

import dev.mcpscope.client.ServerSpec;
import java.io.IOException;
import java.util.List;
import java.util.Map;

/// The reference server that has something of every feature, in each of the three ways to reach it.
///
/// Over stdio every connection has a server of its own; over HTTP all have this one, and it says
/// which sessions it keeps.
public final class EverythingServer implements AutoCloseable {

  /// The ways.
  public enum Way {
    STDIO("", "", ""),
    HTTP(
        "streamableHttp",
        "Session initialized with ID: (.+)",
        "Transport closed for session ([^,]+)"),
    SSE("sse", "Client Connected: +(.+)", "Client Disconnected: +(.+)");

    private final String argument;
    private final String begun;
    private final String ended;

    Way(String argument, String begun, String ended) {
      this.argument = argument;
      this.begun = begun;
      this.ended = ended;
    }
  }

  private final Way way;
  private final int port;
  private ServerProcess process; // null over stdio

  private EverythingServer(Way way, int port) {
    this.way = way;
    this.port = port;
  }

  /// Starts it and waits until it listens; over stdio there is nothing to start yet.
  public static EverythingServer start(Way way) throws IOException, InterruptedException {
    var server = new EverythingServer(way, ServerProcess.freePort());
    server.startAgain();
    return server;
  }

  /// Starts it where it was before it was closed.
  public void startAgain() throws IOException, InterruptedException {
    if (way != Way.STDIO) {
      process =
          ServerProcess.start(
              Npx.command(Npx.EVERYTHING, way.argument),
              Map.of("PORT", String.valueOf(port)),
              "(listening|running) on port");
    }
  }

  /// Returns how to connect to it.
  public ServerSpec spec() {
    return switch (way) {
      case STDIO -> Npx.everything().withEnvironment(Map.of("GREETING", "hello"));
      case HTTP -> ServerSpec.http("http://127.0.0.1:" + port + "/mcp");
      case SSE -> ServerSpec.sse("http://127.0.0.1:" + port + "/sse");
    };
  }

  /// Returns where it listens.
  public int port() {
    return port;
  }

  /// Returns the sessions that it has begun so far.
  public List<String> sessions() {
    return process == null ? List.of() : process.all(way.begun);
  }

  /// Waits until it has ended each session that it has begun.
  public void awaitNoSession() throws InterruptedException {
    if (process != null) {
      for (String session : sessions()) {
        process.await(way.ended.replaceFirst("\\(.*\\)", session), 1);
      }
    }
  }

  /// Returns what it has printed about errors of its own.
  public List<String> errors() {
    return process == null ? List.of() : process.all(".*(Error|Failed|shouldn't|No transport).*");
  }

  /// Kills it.
  @Override
  public void close() {
    if (process != null) {
      process.close();
    }
  }
}
