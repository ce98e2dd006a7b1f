package dev.mcpscope.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.client.MirroredArguments.Argument;
import dev.mcpscope.client.MirroredArguments.InvalidException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The rules of "Custom headers from tool parameters", revision 2026-07-28.
class MirroredArgumentsTest {
  private static final String REGION = "{'type':'string','x-mcp-header':'Region'}";

  private static MirroredArguments read(String schema) throws InvalidException {
    return MirroredArguments.of(Json.object(schema));
  }

  private static MirroredArguments ofProperties(String properties) throws InvalidException {
    return read("{'type':'object','properties':" + properties + "}");
  }

  private static void assertInvalid(String schema, String message) {
    assertThatThrownBy(() -> read(schema))
        .as(schema)
        .isInstanceOf(InvalidException.class)
        .hasMessageContaining(message);
  }

  // What is mirrored.

  @Test
  void theExampleOfTheSpecification() throws Exception {
    MirroredArguments arguments =
        read(
            """
            {
              'type': 'object',
              'properties': {
                'region': {
                  'type': 'string',
                  'description': 'The region to execute the query in',
                  'x-mcp-header': 'Region'
                },
                'query': {
                  'type': 'string',
                  'description': 'The SQL query to execute'
                }
              },
              'required': ['region', 'query']
            }
            """);
    assertThat(arguments.all()).containsExactly(new Argument(List.of("region"), "Region"));
    assertThat(arguments.values(Json.object("{'region':'us-west1','query':'SELECT * FROM users'}")))
        .isEqualTo(Map.of("Region", "us-west1"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "{'type':'object'}",
        "{'type':'object','properties':{}}",
        "{'type':'object','properties':{'a':{'type':'number'},'b':true,'c':{}}}",
        "{'type':'object','properties':{'a':{'type':'string','X-Mcp-Header':'A','x-mcp':'B'}}}",
        "{'properties':'x-mcp-header'}",
        "{'properties':['x-mcp-header']}"
      })
  void aSchemaWithoutTheWordMirrorsNothing(String schema) throws Exception {
    assertThat(read(schema).all()).isEmpty();
    assertThat(read(schema).values(Json.object("{'a':'b'}"))).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"string", "integer", "boolean"})
  void aTextAnIntegerAndABooleanMayBeMirrored(String type) throws Exception {
    assertThat(ofProperties("{'a':{'x-mcp-header':'A','type':'" + type + "'}}").all())
        .containsExactly(new Argument(List.of("a"), "A"));
  }

  @Test
  void anArgumentIsReachedThroughPropertiesHoweverDeepAndInTheirOrder() throws Exception {
    MirroredArguments arguments =
        ofProperties(
            "{'z':{'type':'string','x-mcp-header':'Z'},"
                + "'a':{'type':'object','properties':{'b':{'properties':{"
                + "'c':{'type':'integer','x-mcp-header':'C'}}}}},"
                + "'b':{'type':'boolean','x-mcp-header':'B'}}");
    assertThat(arguments.all())
        .containsExactly(
            new Argument(List.of("z"), "Z"),
            new Argument(List.of("a", "b", "c"), "C"),
            new Argument(List.of("b"), "B"));
  }

  // Names.

  @ParameterizedTest
  @ValueSource(
      strings = {"A", "7", "Region", "x-y_z", "!#$%&*+.^_`|~-", "Mcp-Param-A", "content-length"})
  void aNameIsAToken(String name) throws Exception {
    JsonObject schema =
        JsonObject.of("properties", Map.of("a", Map.of("type", "string", "x-mcp-header", name)));
    assertThat(MirroredArguments.of(schema).all()).extracting(Argument::name).containsExactly(name);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "a b",
        " a",
        "a ",
        "a:",
        "a,b",
        "a;b",
        "a/b",
        "a\"b",
        "(a)",
        "a@b",
        "[a]",
        "{a}",
        "a=b",
        "a?",
        "<a>",
        "a\\b",
        "a\tb",
        "a\r",
        "a\n",
        "a\r\nX-Injected: 1",
        "a\u0000",
        "a\u007f",
        "é",
        "\u0430",
        "a\u200b"
      })
  void whatIsNoTokenIsNoName(String name) {
    JsonObject schema =
        JsonObject.of("properties", Map.of("a", Map.of("type", "string", "x-mcp-header", name)));
    assertThatThrownBy(() -> MirroredArguments.of(schema))
        .isInstanceOf(InvalidException.class)
        .hasMessage("x-mcp-header is no name for a header");
  }

  @ParameterizedTest
  @ValueSource(strings = {"null", "true", "7", "['A']", "{'name':'A'}"})
  void whatIsNoTextIsNoName(String name) {
    assertInvalid(
        "{'properties':{'a':{'type':'string','x-mcp-header':" + name + "}}}", "is no name");
  }

  @ParameterizedTest
  @CsvSource({"Region, Region", "Region, region", "REGION, rEGION", "x-1, X-1"})
  void aNameComesOnceWhateverItsCase(String one, String other) throws Exception {
    String first = "'a':{'type':'string','x-mcp-header':'" + one + "'}";
    String second = "'b':{'type':'string','x-mcp-header':'" + other + "'}";
    String inside = "'c':{'properties':{" + second + "}}";
    assertInvalid("{'properties':{" + first + "," + second + "}}", "names " + other + " twice");
    assertInvalid("{'properties':{" + first + "," + inside + "}}", "names " + other + " twice");

    assertThat(ofProperties("{" + first + "," + second.replace(other, other + "2") + "}").all())
        .hasSize(2);
  }

  // Types.

  @ParameterizedTest
  @ValueSource(
      strings = {
        "'type':'number',",
        "'type':'object',",
        "'type':'array',",
        "'type':'null',",
        "'type':'String',",
        "'type':['string'],",
        "'type':['string','null'],",
        "'type':null,",
        "'enum':['a','b'],",
        "'const':'a',",
        "'$ref':'#/$defs/text',",
        ""
      })
  void whatIsNotOneOfTheThreeTypesIsNotMirrored(String type) {
    assertInvalid(
        "{'properties':{'a':{" + type + "'x-mcp-header':'Region'}}}",
        "x-mcp-header Region is on what is no string, integer or boolean");
  }

  // Reach.

  /// In each of these the property itself is well described.
  @ParameterizedTest
  @ValueSource(
      strings = {
        "REGION", // the arguments themselves
        "{'properties':{'a':{'type':'array','items':REGION}}}",
        "{'properties':{'a':{'items':{'properties':{'b':REGION}}}}}",
        "{'properties':{'a':{'items':[REGION]}}}",
        "{'properties':{'a':{'prefixItems':[{'type':'string'},REGION]}}}",
        "{'properties':{'a':{'additionalItems':REGION}}}",
        "{'properties':{'a':{'unevaluatedItems':REGION}}}",
        "{'properties':{'a':{'contains':REGION}}}",
        "{'oneOf':[{'properties':{'a':REGION}}]}",
        "{'anyOf':[{},{'properties':{'a':REGION}}]}",
        "{'allOf':[{'properties':{'a':REGION}}]}",
        "{'not':{'properties':{'a':REGION}}}",
        "{'properties':{'a':{'oneOf':[REGION,{'type':'null'}]}}}",
        "{'if':{'properties':{'a':REGION}}}",
        "{'if':{},'then':{'properties':{'a':REGION}}}",
        "{'if':{},'else':{'properties':{'a':REGION}}}",
        "{'properties':{'a':{'$ref':'#/$defs/region'}},'$defs':{'region':REGION}}",
        "{'properties':{'a':{'$ref':'#/$defs/b'}},'$defs':{'b':{'properties':{'c':REGION}}}}",
        "{'$ref':'#/definitions/all','definitions':{'all':{'properties':{'a':REGION}}}}",
        "{'$defs':{'unused':REGION}}",
        "{'patternProperties':{'^a':REGION}}",
        "{'additionalProperties':REGION}",
        "{'unevaluatedProperties':REGION}",
        "{'propertyNames':REGION}",
        "{'dependentSchemas':{'a':{'properties':{'b':REGION}}}}",
        "{'dependencies':{'a':{'properties':{'b':REGION}}}}",
        "{'x-of-somebody-else':{'a':REGION}}",
        "{'properties':{'a':REGION},'anyOf':[{'properties':{'b':REGION}}]}",
        "{'properties':[REGION]}",
        "{'properties':{'a':[REGION]}}"
      })
  void anArgumentThatIsReachedByAnythingElseIsInvalid(String schema) {
    assertInvalid(
        schema.replace("REGION", REGION),
        "x-mcp-header stands where no chain of \"properties\" alone leads to");
  }

  /// A property may be called as any keyword is.
  @ParameterizedTest
  @ValueSource(
      strings = {
        "items",
        "oneOf",
        "if",
        "$ref",
        "$defs",
        "properties",
        "default",
        "const",
        "enum",
        "examples",
        "type",
        "x-mcp-header"
      })
  void aPropertyIsNoKeywordWhateverItIsCalled(String name) throws Exception {
    String property = "{'" + name + "':" + REGION + "}";
    assertThat(ofProperties(property).all()).containsExactly(new Argument(List.of(name), "Region"));
    assertThat(ofProperties("{'a':{'properties':" + property + "}}").all())
        .containsExactly(new Argument(List.of("a", name), "Region"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'properties':{'x-mcp-header':{'type':'number'}}}",
        "{'properties':{'x-mcp-header':true},'required':['x-mcp-header']}",
        "{'$defs':{'x-mcp-header':{'type':'number'}}}",
        "{'definitions':{'x-mcp-header':{'type':'number'}}}",
        "{'patternProperties':{'x-mcp-header':{'type':'number'}}}",
        "{'dependentSchemas':{'x-mcp-header':{'required':['a']}}}",
        "{'dependentRequired':{'x-mcp-header':['a']}}",
        "{'dependencies':{'x-mcp-header':['a']}}"
      })
  void aPropertyThatIsCalledAsTheWordIsNotMirroredForThat(String schema) throws Exception {
    assertThat(read(schema).all()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "'default':{'x-mcp-header':'Region'}",
        "'const':{'x-mcp-header':'Region'}",
        "'enum':[{'x-mcp-header':'Region'}]",
        "'examples':[{'a':{'x-mcp-header':'Region'}}]",
        "'description':'x-mcp-header'"
      })
  void anExampleIsNoSchema(String data) throws Exception {
    assertThat(read("{" + data + "}").all()).isEmpty();
    assertThat(ofProperties("{'a':{'type':'object'," + data + "}}").all()).isEmpty();
    assertThat(ofProperties("{'a':" + REGION + ",'b':{" + data + "}}").all()).hasSize(1);
    assertThat(read("{'oneOf':[{" + data + "}]}").all()).isEmpty();
  }

  // Values.

  private static Map<String, String> values(String arguments) throws Exception {
    return ofProperties(
            "{'text':{'type':'string','x-mcp-header':'Text'},"
                + "'count':{'type':'integer','x-mcp-header':'Count'},"
                + "'flag':{'type':'boolean','x-mcp-header':'Flag'},"
                + "'in':{'properties':{'side':{'type':'string','x-mcp-header':'Inside'}}}}")
        .values(Json.object(arguments));
  }

  @Test
  void theValuesStandByTheirNamesInTheSchemasOrder() throws Exception {
    assertThat(values("{'in':{'side':'s','more':1},'flag':true,'count':-7,'text':'t','other':2}"))
        .containsExactly(
            Map.entry("Text", "t"),
            Map.entry("Count", "-7"),
            Map.entry("Flag", "true"),
            Map.entry("Inside", "s"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "{'other':'a','Text':'b'}",
        "{'text':null,'count':null,'flag':null,'in':null}",
        "{'in':{}}",
        "{'in':{'side':null}}",
        "{'in':'side'}",
        "{'in':['side']}",
        "{'in':{'in':{'side':'a'}}}",
        "{'side':'a'}",
        "{'text':{},'count':[],'flag':{'a':1}}"
      })
  void whereThereIsNoValueThereIsNone(String arguments) throws Exception {
    assertThat(values(arguments)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " padded ", "Hello, 世界", "line1\nline2", "=?base64?literal?=", "42"})
  void aTextIsAsItIs(String text) throws Exception {
    JsonObject arguments = JsonObject.of("text", new JsonString(text));
    assertThat(read("{'properties':{'text':" + REGION + "}}").values(arguments))
        .isEqualTo(Map.of("Region", text));
  }

  @ParameterizedTest
  @ValueSource(strings = {"true", "false"})
  void aBooleanIsItsWord(String word) throws Exception {
    assertThat(values("{'flag':" + word + "}")).isEqualTo(Map.of("Flag", word));
  }

  /// "Integer: convert to decimal string representation". What is no integer is for the server to
  /// refuse.
  @ParameterizedTest
  @CsvSource({
    "42, 42",
    "-7, -7",
    "0, 0",
    "-0, 0",
    "42.0, 42",
    "-42.00, -42",
    "1e3, 1000",
    "1.5E1, 15",
    "3.5, 3.5",
    "-0.5, -0.5",
    "1e-3, 1e-3",
    "9007199254740991, 9007199254740991",
    "-9007199254740991, -9007199254740991",
    "9007199254740991.0, 9007199254740991",
    "9.007199254740991e15, 9007199254740991"
  })
  void aNumberIsItsDecimals(String number, String decimals) throws Exception {
    assertThat(values("{'count':" + number + "}")).isEqualTo(Map.of("Count", decimals));
  }

  /// "Within the safe range for JavaScript (−2⁵³+1 to 2⁵³−1)".
  @ParameterizedTest
  @ValueSource(
      strings = {
        "9007199254740992",
        "-9007199254740992",
        "9007199254740993",
        "9007199254740992.0",
        "1e16",
        "9223372036854775807",
        "-9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "1e19",
        "-1e30",
        "1e308",
        "1e309",
        "1e999999999"
      })
  void anIntegerThatADoubleDoesNotHoldExactlyIsRefused(String number) {
    assertThatThrownBy(() -> values("{'count':" + number + "}"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "the argument count must be within ±9007199254740991, is %s"
                .formatted(Json.value(number)));
  }

  @Test
  void whatIsTooLargeIsNamedByItsWholePath() throws Exception {
    MirroredArguments arguments =
        ofProperties("{'a':{'properties':{'b':{'type':'integer','x-mcp-header':'B'}}}}");
    assertThatThrownBy(() -> arguments.values(Json.object("{'a':{'b':9007199254740992}}")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("the argument a.b must be ");
  }

  @Test
  void aNumberThatIsNotMirroredMayBeAny() throws Exception {
    assertThat(values("{'other':9007199254740992}")).isEmpty();
  }
}
