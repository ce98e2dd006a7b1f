package dev.mcpscope.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ElicitationFormTest {

  /// One field of each kind, with a default and without.
  private static final String FIELDS =
      "{'name':{'type':'string'},"
          + "'mail':{'type':'string','format':'email','default':'a@b'},"
          + "'age':{'type':'integer','minimum':0},"
          + "'size':{'type':'number','default':1.50},"
          + "'news':{'type':'boolean','default':false},"
          + "'color':{'type':'string','enum':['red','green'],'default':'green'},"
          + "'days':{'type':'array','items':{'enum':['mon','tue']},'default':['mon']}}";

  private static ElicitationForm parse(String params) throws JsonException {
    return ElicitationForm.parse("files", Json.object(params));
  }

  private static ElicitationForm form(String properties, String required) throws JsonException {
    return parse(
        "{'message':'Please','requestedSchema':{'type':'object','properties':"
            + properties
            + ",'required':"
            + required
            + "}}");
  }

  @Test
  void aFormIsReadWithWhoAsksAndWhatForAndItsFieldsInTheServersOrder() throws Exception {
    ElicitationForm form = form(FIELDS, "['name','news']");
    assertThat(form.server()).isEqualTo("files");
    assertThat(form.message()).isEqualTo("Please");
    assertThat(form.fields())
        .extracting(FormField::name)
        .containsExactly("name", "mail", "age", "size", "news", "color", "days");
    assertThat(form.fields())
        .filteredOn(FormField::required)
        .extracting(FormField::name)
        .containsExactly("name", "news");
    assertThat(form.json().string("message")).isEqualTo("Please");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'message':'m','requestedSchema':{'type':'object','properties':{}}}",
        "{'message':'m','requestedSchema':{'type':'object','properties':{},'required':null}}",
        "{'mode':'form','message':'m','requestedSchema':{'type':'object','properties':{},"
            + "'required':[],'additionalProperties':false,'title':'t'},'_meta':{}}",
        "{'message':'m','requestedSchema':{'type':'object','properties':{},"
            + "'$schema':'https://json-schema.org/draft/2020-12/schema'}}",
        "{'message':'m','requestedSchema':{'type':'object','properties':{},"
            + "'$schema':'https://json-schema.org/draft/2020-12/schema#'}}",
        "{'message':'m','requestedSchema':{'type':'object','properties':{},'$schema':null}}"
      })
  void aFormMayHaveNoFields(String params) throws Exception {
    ElicitationForm form = parse(params);
    assertThat(form.fields()).isEmpty();
    assertThat(form.complete(JsonObject.EMPTY)).isEqualTo(JsonObject.EMPTY);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {}                                             | "type" is missing
          {'properties':{}}                              | "type" is missing
          {'type':['object'],'properties':{}}            | "type" is an array
          {'type':'string'}                              | requestedSchema must be of type object
          {'type':'object'}                              | "properties" is missing
          {'type':'object','properties':[]}              | "properties" is an array
          {'type':'object','properties':{'f':1}}         | the field f must be an object
          {'type':'object','properties':{'f':{'type':'object','properties':{}}}} | f has type object
          {'type':'object','properties':{'f':{'type':['string','null']}}} | "type" is an array
          {'type':'object','properties':{'f':{'type':'array'}}} | "items" is missing
          {'type':'object','properties':{'f':{'type':'boolean','default':1}}} | by its own default
          {'type':'object','properties':{},'required':['f']} | requires what is no property: [f]
          {'type':'object','properties':{},'required':'f'}   | "required" is a string
          {'type':'object','properties':{},'required':[1]}   | "required[0]" is a number
          {'type':'object','properties':{},'$schema':''}     | of a dialect that
          {'type':'object','properties':{},'$schema':1}      | "$schema" is a number
          {'type':'object','properties':{},'$schema':'http://json-schema.org/schema#'} | of a dialect
          {'type':'object','properties':{},'$schema':'http://json-schema.org/draft-07/schema#'} | a dialect
          """)
  void aSchemaThatIsNoFormsIsRefused(String schema, String said) {
    assertThatThrownBy(() -> parse("{'message':'m','requestedSchema':" + schema + "}"))
        .isInstanceOf(JsonException.class)
        .hasMessageContaining(said);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {'message':'m'}                                        | "requestedSchema" is missing
          {'message':'m','requestedSchema':true}                 | "requestedSchema" is a boolean
          {'requestedSchema':{'type':'object','properties':{}}}  | "message" is missing
          {'message':7,'requestedSchema':{'type':'object','properties':{}}} | "message" is a number
          """)
  void aRequestWithoutMessageOrSchemaIsRefused(String params, String said) {
    assertThatThrownBy(() -> parse(params))
        .isInstanceOf(JsonException.class)
        .hasMessageContaining(said);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {}                                | {'mail':'a@b','size':1.50,'news':false,'color':'green','days':['mon']}
          {'name':'Bob','age':7}            | {'name':'Bob','mail':'a@b','age':7,'size':1.50,'news':false,'color':'green','days':['mon']}
          {'mail':'b@c','size':2,'news':true,'color':'red','days':[]} | {'mail':'b@c','size':2,'news':true,'color':'red','days':[]}
          {'days':['tue'],'name':''}        | {'name':'','mail':'a@b','size':1.50,'news':false,'color':'green','days':['tue']}
          """)
  void defaultsAreFilledInOnlyForWhatIsLeftOutAndInTheFormsOrder(String given, String sent)
      throws Exception {
    // As a text: the order counts, and so do the digits of a number.
    assertThat(form(FIELDS, "[]").complete(Json.object(given)))
        .hasToString(Json.object(sent).toString());
  }

  @Test
  void aRequiredFieldMayBeLeftToItsDefault() throws Exception {
    assertThat(form(FIELDS, "['mail']").complete(JsonObject.EMPTY).string("mail")).isEqualTo("a@b");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {}                                  | the field name is required
          {'mail':'b@c','age':1}              | the field name is required
          {'name':null}                       | the field name takes a value of type string
          {'name':'Bob','mail':null}          | the field mail takes a value of type string
          {'name':'Bob','age':null}           | the field age takes a value of type integer
          {'name':'Bob','nickname':'B'}       | there is no field nickname
          {'name':'Bob','Name':'Bob'}         | there is no field Name
          {'name':7}                          | the field name takes a value of type string
          {'name':'Bob','age':'7'}            | the field age takes a value of type integer
          {'name':'Bob','age':-1}             | the field age must be within [0, ]
          {'name':'Bob','color':'blue'}       | the field color is none of its choices
          {'name':'Bob','days':'mon'}         | the field days takes a value of type array
          {'name':'Bob','news':'no'}          | the field news takes a value of type boolean
          """)
  void anAnswerThatDoesNotFitIsRefused(String given, String said) throws Exception {
    ElicitationForm form = form(FIELDS, "['name']");
    assertThatThrownBy(() -> form.complete(Json.object(given)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(said);
  }
}
