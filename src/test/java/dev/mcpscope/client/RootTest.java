package dev.mcpscope.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.URI;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RootTest {

  @ParameterizedTest
  @ValueSource(
      strings = {
        "file:///",
        "file:///home/ann",
        "file:///home/ann/",
        "file:///c:/Users/Ann",
        "file://server/share",
        "file:///a%20b",
        "file:///a..b/..c/d..",
        "file:///a/./b"
      })
  void aFileUriIsARootAndIsSentToTheLetter(String uri) {
    Root root = new Root(URI.create(uri), Optional.empty());
    assertThat(root.json()).isEqualTo(Json.object("{'uri':'" + uri + "'}"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "http://example.org/",
        "https://example.org/",
        "FILE:///home",
        "file:/home",
        "file:home",
        "files:///home",
        "/home",
        "home",
        "data:,file:///"
      })
  void whatIsNoFileUriIsRefused(String uri) {
    assertThatThrownBy(() -> new Root(URI.create(uri), Optional.empty()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("must be a file:// URI");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "file:///home/../etc",
        "file:///..",
        "file:///home/..",
        "file:///../",
        "file:///home/%2e%2e/etc",
        "file:///home/%2E%2e",
        "file:///home/.%2e/etc",
        "file:///home/a%2f..%2fetc"
      })
  void whatLeadsUpwardsIsRefusedHoweverItIsWritten(String uri) {
    assertThatThrownBy(() -> new Root(URI.create(uri), Optional.empty()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("must not lead upwards");
  }

  @Test
  void aDirectoryIsARootByItsAbsolutePath(@TempDir Path directory) {
    assertThat(Root.of(directory.resolve("a b/../c")).uri())
        .isEqualTo(URI.create("file://" + directory + "/c"));
    assertThat(Root.of(Path.of("target")).uri().getPath())
        .startsWith(Path.of("").toAbsolutePath().toString());
  }

  @Test
  void aRootMayHaveANameForPeople() {
    assertThat(new Root(URI.create("file:///a"), Optional.empty()).named("Mine").json())
        .isEqualTo(Json.object("{'uri':'file:///a','name':'Mine'}"));
  }
}
