package dev.mcpscope.host;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.Eras;
import dev.mcpscope.NothingLeft;
import dev.mcpscope.ScriptedServer;
import dev.mcpscope.ScriptedServer.Fault;
import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.McpClient;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.host.HostOptions.RestartBudget;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What was subscribed to at a server that crashes is subscribed to at the one that takes its place, in
/// either era; and no call is made again.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@EnabledOnOs({OS.LINUX, OS.MAC})
class ResubscribedTest {
  private static final Duration SOON = Duration.ofMillis(10);
  private static final String URI = "file:///a";

  private static ServerSpec server(Eras eras) {
    return ScriptedServer.with(
        new Fault.Serves(eras),
        new Fault.Declares("{\"tools\":{},\"resources\":{\"subscribe\":true}}"),
        new Fault.Answers("resources/subscribe", List.of("{\"result\":{}}")),
        new Fault.Answers("resources/unsubscribe", List.of("{\"result\":{}}")));
  }

  private static McpHost host() {
    var restart = new RestartBudget(SOON, SOON, 5, Duration.ofHours(1));
    return McpHost.open(HostOptions.defaults().withRestart(restart), new HostListener() {});
  }

  private static ConnectOptions onCrash(McpHost host) {
    return ConnectOptions.of(host.options().client()).withRestart(ConnectOptions.Restart.ON_CRASH);
  }

  private static String call(McpClient client, String tool) throws Exception {
    return client.callTool(tool, Map.of()).text();
  }

  private static List<String> subscriptions(McpClient client) throws Exception {
    return call(client, "received")
        .lines()
        .filter(line -> line.contains("subscribe") || line.contains("/listen"))
        .filter(line -> line.contains(URI))
        .toList();
  }

  private static McpClient next(Subscription events, long generation) throws Exception {
    while (true) {
      var event = events.next(Duration.ofSeconds(30)).orElseThrow();
      if (event instanceof HostEvent.Changed(var status)
          && status.generation() == generation
          && status.state() instanceof ConnectionState.Usable usable) {
        return usable.client();
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void whatWasSubscribedToIsSubscribedToAfterACrashAndNothingIsCalledAgain(Eras eras)
      throws Exception {
    try (var _ = NothingLeft.check();
        var host = host();
        var events = host.subscribe("s")) {
      McpClient first = host.connect("s", "x", server(eras), onCrash(host)).client().orElseThrow();
      first.subscribe("file:///b");
      first.subscribe(URI);
      first.unsubscribe("file:///b");
      ProcessHandle.of(Long.parseLong(call(first, "pid"))).orElseThrow().destroyForcibly();
      McpClient second = next(events, 2);
      assertThat(subscriptions(second)).hasSize(1).noneMatch(line -> line.contains("file:///b"));
      assertThat(call(second, "received")).doesNotContain("\"pid\"");
    }
  }

  @ParameterizedTest
  @EnumSource
  void aConnectThatTakesThePlaceOfAnotherOneIsSubscribedToNothing(Eras eras) throws Exception {
    try (var _ = NothingLeft.check();
        var host = host()) {
      host.connect("s", "x", server(eras)).client().orElseThrow().subscribe(URI);
      McpClient second = host.connect("s", "x", server(eras)).client().orElseThrow();
      assertThat(subscriptions(second)).isEmpty();
    }
  }
}
