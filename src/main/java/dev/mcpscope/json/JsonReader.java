package dev.mcpscope.json;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.core.ErrorReportConfiguration;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.TokenStreamFactory;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.util.JsonRecyclerPools;

/// Reads one JSON value from a text that may come from anyone.
///
/// The text holds exactly one value, and only white space around it. A [JsonException] refuses
/// whatever is not JSON by RFC 8259, bytes that are not UTF-8, an object with two members of one
/// name, a name with a lone surrogate (in strings they are kept), and what goes beyond the
/// [JsonLimits]. A byte order mark at the start is skipped, as the RFC allows: programs on Windows
/// send one before their first message, and nothing is lost with it.
public final class JsonReader {

  private static final char BYTE_ORDER_MARK = '\ufeff';

  // Jackson's own limits are off, so that JsonLimits are the only ones. No canonical names: they
  // would live in a table that all connections share and that a hostile peer can grow. No buffer
  // pool: nothing of a read outlives it.
  private static final JsonFactory JACKSON =
      JsonFactory.builder()
          .disable(TokenStreamFactory.Feature.CANONICALIZE_PROPERTY_NAMES)
          .recyclerPool(JsonRecyclerPools.nonRecyclingPool())
          .errorReportConfiguration(
              ErrorReportConfiguration.builder().maxErrorTokenLength(20).build())
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(Integer.MAX_VALUE)
                  .maxNumberLength(Integer.MAX_VALUE)
                  .maxStringLength(Integer.MAX_VALUE)
                  .maxNameLength(Integer.MAX_VALUE)
                  .build())
          .build();

  private final CharBuffer text;
  private final JsonLimits limits;
  private final JsonParser tokens;

  private JsonReader(CharBuffer text, JsonLimits limits) {
    this.text = text;
    this.limits = limits;
    this.tokens =
        JACKSON.createParser(
            ObjectReadContext.empty(), text.array(), text.arrayOffset(), text.length());
  }

  /// Reads the value in a whole array of UTF-8.
  public static JsonValue read(byte[] utf8, JsonLimits limits) throws JsonException {
    return read(utf8, 0, utf8.length, limits);
  }

  /// Reads the value in a part of an array of UTF-8; the array is not kept.
  public static JsonValue read(byte[] utf8, int offset, int length, JsonLimits limits)
      throws JsonException {
    checkSize(length, limits);
    return read(decode(ByteBuffer.wrap(utf8, offset, length)), limits);
  }

  /// Reads the value in a string, whose length in UTF-8 counts.
  public static JsonValue read(String text, JsonLimits limits) throws JsonException {
    checkSize(text.getBytes(UTF_8).length, limits);
    return read(CharBuffer.wrap(text.toCharArray()), limits);
  }

  private static JsonValue read(CharBuffer text, JsonLimits limits) throws JsonException {
    boolean marked = !text.isEmpty() && text.charAt(0) == BYTE_ORDER_MARK;
    CharBuffer document = marked ? text.slice(1, text.length() - 1) : text;
    return new JsonReader(document, limits).document();
  }

  private static void checkSize(int length, JsonLimits limits) throws JsonException {
    if (length > limits.maxBytes()) {
      throw new JsonException("the text has " + length + " bytes, more than " + limits.maxBytes());
    }
  }

  // Decoding up front, and not Jackson's own: that one lets overlong forms and encoded surrogates
  // pass. A byte never becomes more than one char.
  private static CharBuffer decode(ByteBuffer utf8) throws JsonException {
    CharBuffer text = CharBuffer.allocate(utf8.remaining());
    boolean failed = UTF_8.newDecoder().decode(utf8, text, true).isError();
    text.flip();
    if (failed) {
      throw JsonException.at(text.length(), text, "not UTF-8");
    }
    return text;
  }

  private JsonValue document() throws JsonException {
    try (tokens) {
      JsonToken first = tokens.nextToken();
      if (first == null) {
        throw JsonException.at(text.length(), text, "no value");
      }
      JsonValue value = value(first, 0);
      if (tokens.nextToken() != null) {
        throw problem("a second value");
      }
      return value;
    } catch (JacksonException e) {
      throw at(e.getLocation(), "not JSON: " + summary(e));
    }
  }

  private JsonValue value(JsonToken token, int depth) throws JsonException {
    return switch (token) {
      case START_OBJECT -> object(deeper(depth));
      case START_ARRAY -> array(deeper(depth));
      case VALUE_STRING -> new JsonString(tokens.getString());
      case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> number();
      case VALUE_TRUE -> JsonBoolean.TRUE;
      case VALUE_FALSE -> JsonBoolean.FALSE;
      case VALUE_NULL -> JsonNull.INSTANCE;
      case END_OBJECT, END_ARRAY, PROPERTY_NAME, VALUE_EMBEDDED_OBJECT, NOT_AVAILABLE ->
          throw new IllegalStateException("not the start of a value: " + token);
    };
  }

  private JsonObject object(int depth) throws JsonException {
    JsonObject.Members members = new JsonObject.Members();
    while (tokens.nextToken() != JsonToken.END_OBJECT) {
      String name = tokens.currentName();
      if (members.containsKey(name)) {
        throw problem("a second member of the same name");
      }
      members.put(name, value(tokens.nextToken(), depth));
    }
    return members.isEmpty() ? JsonObject.EMPTY : new JsonObject(members);
  }

  private JsonArray array(int depth) throws JsonException {
    List<JsonValue> elements = new ArrayList<>();
    for (JsonToken token; (token = tokens.nextToken()) != JsonToken.END_ARRAY; ) {
      elements.add(value(token, depth));
    }
    return elements.isEmpty() ? JsonArray.EMPTY : new JsonArray(elements);
  }

  private JsonNumber number() throws JsonException {
    String number = tokens.getString();
    if (number.length() > limits.maxNumberLength()) {
      throw problem("a number longer than " + limits.maxNumberLength() + " characters");
    }
    return new JsonNumber(number);
  }

  private int deeper(int depth) throws JsonException {
    if (depth == limits.maxDepth()) {
      throw problem("nested deeper than " + limits.maxDepth() + " levels");
    }
    return depth + 1;
  }

  private JsonException problem(String problem) {
    return at(tokens.currentTokenLocation(), problem);
  }

  private JsonException at(TokenStreamLocation place, String problem) {
    int offset = Math.clamp(place.getCharOffset(), 0, text.length());
    return JsonException.at(offset, text, problem);
  }

  // What follows the colon is advice on Jackson's features; a token that is none may be a secret
  // whose quotes were forgotten, and an excerpt shows it where one may be shown.
  private static String summary(JacksonException e) {
    return e.getOriginalMessage().split(": ", 2)[0].replaceAll("token '.*'", "token");
  }
}
