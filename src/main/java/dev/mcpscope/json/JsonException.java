package dev.mcpscope.json;

import java.io.IOException;

/// A text that is no acceptable JSON, or a value that is not of the expected shape.
///
/// For a text the message says what is wrong, at which line and column (from 1), and shows at most
/// 40 characters around the place; for a shape it names the member, what was expected and what was
/// found. Control characters in it are made visible. It has no cause: Jackson's exceptions hold on
/// to their parser, and so to the whole text.
public final class JsonException extends IOException {

  private static final long serialVersionUID = 1;
  private static final int EXCERPT = 40;

  private final String problem;

  /// A value of the wrong shape.
  public JsonException(String problem) {
    this(problem, "");
  }

  private JsonException(String problem, String excerpt) {
    super(visible(problem + (excerpt.isEmpty() ? "" : ": " + excerpt)));
    this.problem = visible(problem);
  }

  /// The message without a word of the text itself, for places where the text may hold secrets.
  public String withoutExcerpt() {
    return problem;
  }

  /// A problem at an offset of a text.
  static JsonException at(int offset, CharSequence text, String problem) {
    int line = 1;
    int lineStart = 0;
    for (int i = 0; i < offset; i++) {
      if (text.charAt(i) == '\n') {
        line++;
        lineStart = i + 1;
      }
    }
    String place = " at line " + line + ", column " + (offset - lineStart + 1);
    int from = Math.max(0, Math.min(offset - EXCERPT / 2, text.length() - EXCERPT));
    CharSequence excerpt = text.subSequence(from, Math.min(from + EXCERPT, text.length()));
    return new JsonException(problem + place, excerpt.toString());
  }

  private static String visible(String text) {
    StringBuilder shown = new StringBuilder(text.length());
    text.codePoints().map(JsonException::visible).forEach(shown::appendCodePoint);
    return shown.toString();
  }

  private static int visible(int c) {
    return switch (Character.getType(c)) {
      case Character.CONTROL -> c < ' ' ? '\u2400' + c : '\ufffd';
      case Character.FORMAT,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR,
          Character.SURROGATE ->
          '\ufffd';
      default -> c;
    };
  }
}
