package dev.mcpscope.front;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonObject;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WithheldTest {
  private static final Withheld WITHHELD =
      new Withheld(
          Map.of(
              "url", ServerSpec.http("https://db.intern:8443/v1/mcp?key=x"),
              "short", ServerSpec.http("http://a/"),
              "ipv6", ServerSpec.http("http://[fd12::1]/mcp"),
              "command", ServerSpec.stdio("/opt/own/run.sh").withDirectory(Path.of("/opt/own")),
              "word", ServerSpec.stdio("npx", "-y", "x").withDirectory(Path.of("/"))));

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "url | url: db.intern:8443 cannot be connected to | url: *** cannot be connected to",
        "url | DB.Intern is a name without address | *** is a name without address",
        "url | no https://db.intern:8443/v1/mcp?a, nor /v1/mcp/b | no https://***?a, nor ***/b",
        "url | No name matching db.intern found | No name matching *** found",
        "url | my-db.intern and db.interns and x.db.intern | my-db.intern and db.interns and x.db.intern",
        "short | short: a:80 has had a/b, and n/a | short: *** has had ***/b, and n/***",
        "ipv6 | [fd12::1]:80 broke off at /mcp | *** broke off at ***",
        "command | Cannot run \"/opt/own/run.sh\" (in \"/opt/own\") | Cannot run \"***\" (in \"***\")",
        "command | /opt/own/other: not found | ***/other: not found",
        "word | Cannot run npx: /usr/bin/npx, npx-y | Cannot run ***: /usr/bin/***, npx-y",
        "client's | db.intern:8443/v1/mcp | db.intern:8443/v1/mcp",
      })
  void whereAServerOfTheOperatorsIsIsTakenOutOfMessagesAboutIt(
      String name, String message, String shown) {
    assertThat(WITHHELD.text(name, message)).isEqualTo(shown);
  }

  @Test
  void eachTextOfAReportIsOne() {
    JsonObject report =
        JsonObject.of(
            "db.intern", "at db.intern", "n", 1, "list", JsonArray.of("/v1/mcp", true, "fine"));
    assertThat(WITHHELD.json("url", report))
        .isEqualTo(
            JsonObject.of(
                "db.intern", "at ***", "n", 1, "list", JsonArray.of("***", true, "fine")));
    assertThat(WITHHELD.json("other", report)).isEqualTo(report);
  }
}
