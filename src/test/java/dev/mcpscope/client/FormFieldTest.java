package dev.mcpscope.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.client.FormField.Choice;
import dev.mcpscope.client.FormField.Type;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonString;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// One row a case: a schema, a value, and what is said about it.
class FormFieldTest {

  private static FormField field(String schema) throws JsonException {
    return FormField.parse("f", false, Json.value(schema));
  }

  @Test
  void aFieldIsReadWithAllThatPeopleAreShown() throws Exception {
    String schema =
        "{'type':'string','title':'Your name','description':'As on your passport',"
            + "'default':'Ann','of-the-future':1}";
    assertThat(FormField.parse("name", true, Json.value(schema)))
        .satisfies(field -> {
          assertThat(field.name()).isEqualTo("name");
          assertThat(field.type()).isEqualTo(Type.STRING);
          assertThat(field.required()).isTrue();
          assertThat(field.title()).contains("Your name");
          assertThat(field.description()).contains("As on your passport");
          assertThat(field.byDefault()).contains(new JsonString("Ann"));
          assertThat(field.choices()).isEmpty();
          assertThat(field.json()).isEqualTo(Json.object(schema));
        });
  }

  @Test
  void aFieldNeedsATypeOnly() throws Exception {
    FormField field = field("{'type':'boolean'}");
    assertThat(field.required()).isFalse();
    assertThat(field.title()).isEmpty();
    assertThat(field.description()).isEmpty();
    assertThat(field.byDefault()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {'type':'string'}                                         | STRING
          {'type':'string','enum':['a']}                            | STRING
          {'type':'string','oneOf':[{'const':'a'}]}                 | STRING
          {'type':'number'}                                         | NUMBER
          {'type':'integer'}                                        | INTEGER
          {'type':'boolean'}                                        | BOOLEAN
          {'type':'array','items':{'type':'string','enum':['a']}}   | ARRAY
          {'type':'array','items':{'anyOf':[{'const':'a'}]}}        | ARRAY
          """)
  void eachKindOfSchemaHasItsType(String schema, Type type) throws Exception {
    assertThat(field(schema).type()).isEqualTo(type);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {'type':'string'}                                            | ''
          {'type':'string'}                                            | 'a text'
          {'type':'string','minLength':2,'maxLength':3}                | 'ab'
          {'type':'string','minLength':2,'maxLength':3}                | 'abc'
          {'type':'string','maxLength':1}                              | '😀'
          {'type':'string','minLength':null,'maxLength':null}          | ''
          {'type':'string','format':'email'}                           | 'ann@example.org'
          {'type':'string','format':'uri'}                             | 'https://example.org/a?b#c'
          {'type':'string','format':'uri'}                             | 'urn:isbn:0451450523'
          {'type':'string','format':'date'}                            | '2024-02-29'
          {'type':'string','format':'date-time'}                       | '2025-11-25T12:00:00Z'
          {'type':'string','format':'date-time'}                       | '2025-11-25T12:00:00.5+01:00'
          {'type':'string','format':'of the future'}                   | 'anything'
          {'type':'string','pattern':'[0-9]+'}                         | 'not looked at'
          {'type':'string','enum':['red','green']}                     | 'green'
          {'type':'string','enum':['r','g'],'enumNames':['Red','Green']} | 'g'
          {'type':'string','oneOf':[{'const':'r','title':'Red'}]}      | 'r'
          {'type':'number'}                                            | 1
          {'type':'number'}                                            | -1.5e3
          {'type':'number','minimum':1.5,'maximum':2}                  | 1.5
          {'type':'number','minimum':1.5,'maximum':2}                  | 2
          {'type':'integer'}                                           | -7
          {'type':'integer'}                                           | 1.0
          {'type':'integer','minimum':18}                              | 18
          {'type':'boolean'}                                           | false
          {'type':'array','items':{'enum':['a','b']}}                  | []
          {'type':'array','items':{'enum':['a','b']}}                  | ['b','a']
          {'type':'array','minItems':1,'maxItems':2,'items':{'enum':['a','b','c']}} | ['a']
          {'type':'array','minItems':1,'maxItems':2,'items':{'enum':['a','b','c']}} | ['a','c']
          {'type':'array','items':{'anyOf':[{'const':'a','title':'A'}]}} | ['a']
          """)
  void aValueThatFitsIsTaken(String schema, String value) throws Exception {
    FormField field = field(schema);
    assertThatCode(() -> field.check(Json.value(value))).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {'type':'string'}                        | null         | takes a value of type string
          {'type':'string'}                        | 1            | takes a value of type string
          {'type':'string'}                        | ['a']        | takes a value of type string
          {'type':'string','minLength':2}          | 'a'          | must have a length within [2, ]
          {'type':'string','minLength':2,'maxLength':3} | 'abcd'  | must have a length within [2, 3]
          {'type':'string','maxLength':1}          | 'ab'         | must have a length within [, 1]
          {'type':'string','format':'email'}       | 'ann'        | is not of its format
          {'type':'string','format':'email'}       | 'ann@b@c'    | is not of its format
          {'type':'string','format':'uri'}         | 'a/b'        | is not of its format
          {'type':'string','format':'uri'}         | 'https://a b' | is not of its format
          {'type':'string','format':'date'}        | '2025-02-29' | is not of its format
          {'type':'string','format':'date'}        | '25.11.2025' | is not of its format
          {'type':'string','format':'date-time'}   | '2025-11-25' | is not of its format
          {'type':'string','format':'date-time'}   | '2025-11-25T12:00:00' | is not of its format
          {'type':'string','enum':['red','green']} | 'blue'       | is none of its choices
          {'type':'string','enum':['r'],'enumNames':['R']} | 'R'  | is none of its choices
          {'type':'string','oneOf':[{'const':'r','title':'R'}]} | 'R' | is none of its choices
          {'type':'number'}                        | '1'          | takes a value of type number
          {'type':'number'}                        | null         | takes a value of type number
          {'type':'number','minimum':1.5,'maximum':2} | 1.4       | must be within [1.5, 2]
          {'type':'number','minimum':1.5,'maximum':2} | 2.1       | must be within [1.5, 2]
          {'type':'integer'}                       | 1.5          | must be a whole number
          {'type':'integer'}                       | true         | takes a value of type integer
          {'type':'integer','minimum':18}          | 17           | must be within [18, ]
          {'type':'boolean'}                       | 'true'       | takes a value of type boolean
          {'type':'boolean'}                       | 0            | takes a value of type boolean
          {'type':'array','items':{'enum':['a']}}  | 'a'          | takes a value of type array
          {'type':'array','items':{'enum':['a']}}  | [1]          | takes a list of texts
          {'type':'array','items':{'enum':['a']}}  | [null]       | takes a list of texts
          {'type':'array','items':{'enum':['a']}}  | ['a','c']    | is none of its choices
          {'type':'array','items':{'enum':['a']}}  | ['a','a']    | has a choice twice
          {'type':'array','items':{'anyOf':[{'const':'a'}]}} | ['b'] | is none of its choices
          """)
  void aValueThatDoesNotFitIsRefusedByTheFieldsNameAndNotByTheValue(
      String schema, String value, String said) throws Exception {
    FormField field = field(schema);
    assertThatThrownBy(() -> field.check(Json.value(value)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("the field f " + said);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          'minItems':1                | []            | [1, ]
          'minItems':1,'maxItems':2   | []            | [1, 2]
          'minItems':1,'maxItems':2   | ['a','b','c'] | [1, 2]
          'maxItems':1                | ['a','b']     | [, 1]
          """)
  void anArrayIsRefusedByTheNumberOfItsChoices(String bounds, String value, String said)
      throws Exception {
    FormField field = field("{'type':'array','items':{'enum':['a','b','c']}," + bounds + "}");
    assertThatThrownBy(() -> field.check(Json.value(value)))
        .hasMessage("the field f must have a number of choices within " + said);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          'string'                                          | must be an object, is a string
          null                                              | must be an object, is null
          {}                                                | member "type" is missing
          {'type':'object','properties':{}}                 | has type object, which no form has
          {'type':'null'}                                   | has type null, which no form has
          {'type':['string','null']}                        | member "type" is an array
          {'type':'String'}                                 | has type String, which no form has
          {'anyOf':[{'type':'string'},{'type':'null'}]}     | member "type" is missing
          {'$ref':'#/$defs/a'}                              | member "type" is missing
          {'type':'array'}                                  | member "items" is missing
          {'type':'array','items':[]}                       | member "items" is an array
          {'type':'array','items':{'type':'string'}}        | is an array without choices
          {'type':'array','items':{'enum':[]}}              | is an array without choices
          {'type':'array','items':{'enum':[1,2]}}           | member "enum[0]" is a number
          {'type':'string','enum':'a'}                      | member "enum" is a string
          {'type':'string','enum':['a',null]}               | member "enum[1]" is null
          {'type':'string','enum':['a'],'enumNames':[1]}    | member "enumNames[0]" is a number
          {'type':'string','oneOf':['a']}                   | member "oneOf[0]" is a string
          {'type':'string','oneOf':[{'title':'A'}]}         | member "const" is missing
          {'type':'string','oneOf':[{'const':1}]}           | member "const" is a number
          {'type':'string','minLength':'1'}                 | member "minLength" is a string
          {'type':'string','maxLength':1.5}                 | member "maxLength" is a fraction
          {'type':'string','format':1}                      | member "format" is a number
          {'type':'string','title':1}                       | member "title" is a number
          {'type':'string','description':[]}                | member "description" is an array
          {'type':'number','minimum':'1'}                   | member "minimum" is a string
          {'type':'integer','maximum':true}                 | member "maximum" is a boolean
          {'type':'array','minItems':-0.5,'items':{'enum':['a']}} | member "minItems" is a fraction
          {'type':'array','maxItems':{},'items':{'enum':['a']}}   | member "maxItems" is an object
          """)
  void aSchemaThatNoFormHasIsRefused(String schema, String said) {
    assertThatThrownBy(() -> field(schema))
        .isInstanceOf(JsonException.class)
        .hasMessageContaining(said);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {'type':'string','default':1}                               | takes a value of type string
          {'type':'string','maxLength':2,'default':'abc'}             | must have a length
          {'type':'string','format':'date','default':'today'}         | is not of its format
          {'type':'string','enum':['a'],'default':'b'}                | is none of its choices
          {'type':'number','default':'1'}                             | takes a value of type number
          {'type':'integer','default':0.5}                            | must be a whole number
          {'type':'integer','minimum':1,'default':0}                  | must be within
          {'type':'boolean','default':'no'}                           | takes a value of type boolean
          {'type':'array','items':{'enum':['a']},'default':'a'}       | takes a value of type array
          {'type':'array','items':{'enum':['a']},'default':['b']}     | is none of its choices
          """)
  void aDefaultThatIsNoValueOfItsFieldIsRefused(String schema, String said) {
    assertThatThrownBy(() -> field(schema))
        .isInstanceOf(JsonException.class)
        .hasMessageStartingWith("by its own default the field f ")
        .hasMessageContaining(said);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {'type':'string','enum':['r','g']}
          {'type':'string','enum':['r','g'],'enumNames':null}
          {'type':'array','items':{'type':'string','enum':['r','g']}}
          {'type':'string','oneOf':[{'const':'r'},{'const':'g'}]}
          """)
  void choicesWithoutTitlesAreCalledByTheirValues(String schema) throws Exception {
    assertThat(field(schema).choices()).containsExactly(new Choice("r", "r"), new Choice("g", "g"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {'type':'string','enum':['r','g'],'enumNames':['R','G']}
          {'type':'string','oneOf':[{'const':'r','title':'R'},{'const':'g','title':'G'}]}
          {'type':'array','items':{'anyOf':[{'const':'r','title':'R'},{'const':'g','title':'G'}]}}
          {'type':'array','items':{'oneOf':[{'const':'r','title':'R'},{'const':'g','title':'G'}]}}
          """)
  void choicesWithTitlesAreCalledByThem(String schema) throws Exception {
    assertThat(field(schema).choices()).containsExactly(new Choice("r", "R"), new Choice("g", "G"));
  }

  @Test
  void choicesBeyondTheNamesAreCalledByTheirValues() throws Exception {
    assertThat(field("{'type':'string','enum':['r','g'],'enumNames':['Red']}").choices())
        .containsExactly(new Choice("r", "Red"), new Choice("g", "g"));
  }

  /// A pattern is a program of the server's: this one runs for ages.
  @Test
  @Timeout(value = 5, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void aPatternOfTheServersIsNeverRun() throws Exception {
    FormField field = field("{'type':'string','pattern':'(a+)+$','default':'a'}");
    field.check(new JsonString("a".repeat(100) + "!"));
  }

  @ParameterizedTest
  @Timeout(value = 5, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  @CsvSource({"email", "uri", "date", "date-time"})
  void aFormatIsCheckedInTimeHoweverLongTheText(String format) throws Exception {
    FormField field = field("{'type':'string','format':'" + format + "'}");
    for (String part : new String[] {"a", "@", "a@", ".", "1", " "}) {
      var text = new JsonString(part.repeat(500_000));
      assertThatThrownBy(() -> field.check(text)).isInstanceOf(IllegalArgumentException.class);
    }
  }
}
