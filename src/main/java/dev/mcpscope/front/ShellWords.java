package dev.mcpscope.front;

import java.util.ArrayList;
import java.util.List;

/// Splits a command as a POSIX shell does, without a shell: blanks separate words, `'…'` is
/// literal, in `"…"` a backslash escapes `$`, `` ` ``, `"` and itself, outside quotes it escapes
/// anything, adjacent parts join, `''` is a word, and a backslash that ends a line continues it.
///
/// What a shell would act on (`; & | < > ( ) $`, a backquote, a `#` that starts a word) is refused
/// where it is not quoted: passing it on would run something else than what was meant. `*`, `?`,
/// `[`, `~`, `{` and `!` are passed on as they are. Control characters other than the tab are
/// refused even in quotes, the newline too: a command is shown and logged as one line.
final class ShellWords {

  /// Longest text, in UTF-16 characters, which is also how columns are counted.
  static final int MAX_CHARACTERS = 8_192;

  static final int MAX_WORDS = 256;

  private final String text;
  private int at;

  private ShellWords(String text) {
    this.text = text;
  }

  static List<String> split(String text) throws RefusedException {
    checkLimit("characters", MAX_CHARACTERS, text.length());
    List<String> words = new ShellWords(text).words();
    checkLimit("words", MAX_WORDS, words.size());
    return words;
  }

  private static void checkLimit(String what, int limit, int actual) throws RefusedException {
    if (actual > limit) {
      throw new RefusedException(
          "a command has at most %d %s, this one has %d".formatted(limit, what, actual));
    }
  }

  private List<String> words() throws RefusedException {
    List<String> words = new ArrayList<>();
    while (at < text.length()) {
      char c = text.charAt(at);
      if (c == '#') {
        throw noShell(c);
      } else if (c == ' ' || c == '\t') {
        at++;
      } else if (text.startsWith("\\\n", at)) {
        at += 2;
      } else {
        words.add(word());
      }
    }
    return words;
  }

  private String word() throws RefusedException {
    StringBuilder word = new StringBuilder();
    for (; at < text.length(); at++) {
      char c = checked();
      switch (c) {
        case ' ', '\t' -> {
          return word.toString();
        }
        case '\'', '"' -> quoted(c, word);
        case '\\' -> escaped(word);
        case ';', '&', '|', '<', '>', '(', ')', '$', '`' -> throw noShell(c);
        default -> word.append(c);
      }
    }
    return word.toString();
  }

  private void quoted(char quote, StringBuilder word) throws RefusedException {
    int start = at;
    while (++at < text.length()) {
      char c = checked();
      if (c == quote) {
        return;
      }
      if (quote == '"' && (c == '$' || c == '`')) {
        throw noShell(c);
      }
      boolean last = at + 1 == text.length();
      if (quote == '"' && c == '\\' && !last && "$`\"\\\n".indexOf(text.charAt(at + 1)) >= 0) {
        escaped(word);
      } else {
        word.append(c);
      }
    }
    throw new RefusedException("the %c at column %d is never closed".formatted(quote, start + 1));
  }

  private void escaped(StringBuilder word) throws RefusedException {
    if (++at == text.length()) {
      throw new RefusedException("the \\ at column %d has nothing to escape".formatted(at));
    }
    if (text.charAt(at) != '\n') {
      word.append(checked());
    }
  }

  /// Returns the character at hand, unless it is one that no word may hold.
  private char checked() throws RefusedException {
    char c = text.charAt(at);
    if (Character.isISOControl(c) && c != '\t') {
      throw new RefusedException(
          "control character U+%04X at column %d: a command is one line"
              .formatted((int) c, at + 1));
    }
    return c;
  }

  private RefusedException noShell(char c) {
    return new RefusedException(
        "%c at column %d: there is no shell to act on it; to pass it on, quote it with '…'"
            .formatted(c, at + 1));
  }
}
