package dev.mcpscope.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.json.JsonException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ResourceContentsTest {

  private static List<ResourceContents> parse(String result) throws JsonException {
    return ResourceContents.parseAll(Json.object(result));
  }

  private static ResourceContents one(String contents) throws JsonException {
    return parse("{'contents':[" + contents + "]}").getFirst();
  }

  @Test
  void aTextIsNoBytes() throws Exception {
    String contents = "{'uri':'file:///a','mimeType':'text/plain','text':'','_meta':{'a':1}}";
    ResourceContents text = one(contents);
    assertThat(text.uri()).isEqualTo("file:///a");
    assertThat(text.mimeType()).contains("text/plain");
    assertThat(text.text()).contains("");
    assertThat(text.bytes()).isEmpty();
    assertThat(text.json()).isEqualTo(Json.object(contents));
  }

  @Test
  void aBlobIsDecodedAndNoText() throws Exception {
    ResourceContents blob = one("{'uri':'u','blob':'Z3LDvMOfZQ=='}");
    assertThat(blob.text()).isEmpty();
    assertThat(blob.bytes().map(bytes -> new String(bytes, UTF_8))).contains("grüße");
    assertThat(blob.mimeType()).isEmpty();
  }

  @Test
  void anEmptyBlobIsNoBytes() throws Exception {
    assertThat(one("{'uri':'u','blob':''}").bytes())
        .hasValueSatisfying(b -> assertThat(b).isEmpty());
  }

  @Test
  void oneReadBringsAnyNumberInItsOrder() throws Exception {
    assertThat(parse("{'contents':[]}")).isEmpty();
    assertThat(parse("{'contents':[{'uri':'b','text':''},{'uri':'a','blob':''}]}"))
        .extracting(ResourceContents::uri)
        .containsExactly("b", "a");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {}                                         | "contents" is missing
          {'contents':{}}                            | "contents" is an object
          {'contents':['a']}                         | "contents[0]" is a string
          {'contents':[{'text':'a'}]}                | "uri" is missing
          {'contents':[{'uri':'u'}]}                 | "blob" is missing
          {'contents':[{'uri':'u','text':1}]}        | "text" is a number
          {'contents':[{'uri':'u','blob':1}]}        | "blob" is a number
          {'contents':[{'uri':'u','blob':'a'}]}      | "blob" is no Base64
          {'contents':[{'uri':'u','blob':'a-_b'}]}   | "blob" is no Base64
          {'contents':[{'uri':'u','blob':'äöü='}]}   | "blob" is no Base64
          {'contents':[{'uri':'u','text':'','mimeType':1}]} | "mimeType" is a number
          """)
  void whatIsNoContentsIsRefused(String result, String said) {
    assertThatThrownBy(() -> parse(result))
        .isInstanceOf(JsonException.class)
        .hasMessageContaining(said);
  }

  @Test
  void contentsAreEqualByWhatWasSent() throws Exception {
    assertThat(one("{'uri':'u','blob':'YQ=='}"))
        .isEqualTo(one("{'uri':'u','blob':'YQ=='}"))
        .hasSameHashCodeAs(one("{'uri':'u','blob':'YQ=='}"))
        .isNotEqualTo(one("{'uri':'u','blob':'Yg=='}"))
        .isNotEqualTo("u");
  }
}
