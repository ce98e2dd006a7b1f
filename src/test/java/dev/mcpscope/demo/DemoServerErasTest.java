package dev.mcpscope.demo;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.json.JsonObject;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

class DemoServerErasTest {

  @Nested
  class OfAModernServer extends RunningDemoServer {
    @Override
    DemoServer.Eras eras() {
      return DemoServer.Eras.MODERN;
    }

    @Test
    void initializeIsRefusedAndTheRevisionIsNamed() throws Exception {
      JsonObject agreed = JsonObject.of("protocolVersion", "2025-11-25");
      JsonObject answer = request(1, "initialize", agreed);
      assertThat(error(answer)).isEqualTo(-32602);
      assertThat(answer.object("error").string("message")).contains("2026-07-28");
      assertThat(error(request(2, "tools/list", JsonObject.EMPTY))).isEqualTo(-32602);
    }

    @Test
    void onlyTheModernRevisionIsSupported() throws Exception {
      send(Modern.request(1, "server/discover"));
      assertThat(result(receive()).optionalStrings("supportedVersions"))
          .containsExactly("2026-07-28");
      send(Modern.with(Modern.request(1, "tools/list"), Modern.VERSION, "2025-11-25"));
      JsonObject answer = receive();
      assertThat(error(answer)).isEqualTo(-32022);
      assertThat(answer.object("error").object("data").optionalStrings("supported"))
          .containsExactly("2026-07-28");
    }
  }

  @Nested
  class OfALegacyServer extends RunningDemoServer {
    @Override
    DemoServer.Eras eras() {
      return DemoServer.Eras.LEGACY;
    }

    @Test
    void whatIsModernIsUnknown() throws Exception {
      send(Modern.request(1, "server/discover"));
      assertThat(error(receive())).isEqualTo(-32601);
      send(Modern.listen(2));
      assertThat(error(receive())).isEqualTo(-32601);
    }

    @Test
    void aModernRequestIsServedAsALegacyOne() throws Exception {
      send(Modern.without(Modern.call(1, "echo", "message", "x"), Modern.CAPABILITIES));
      assertThat(result(receive()).members().keySet()).containsExactly("content");
    }
  }
}
