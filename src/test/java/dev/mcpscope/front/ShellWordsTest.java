package dev.mcpscope.front;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ShellWordsTest {

  static Stream<Arguments> accepted() {
    return Stream.of(
        good("", List.of()),
        good(" \t \\\n ", List.of()),
        good("npx -y pkg", List.of("npx", "-y", "pkg")),
        good("  a\t\tb  ", List.of("a", "b")),
        good("''", List.of("")),
        good("a '' \"\" b", List.of("a", "", "", "b")),
        good("'a b'", List.of("a b")),
        good("'a\\' b", List.of("a\\", "b")),
        good("'\"$x`y`;|&'", List.of("\"$x`y`;|&")),
        good("\"it's\"", List.of("it's")),
        good("\"\\$x \\` \\\" \\\\\"", List.of("$x ` \" \\")),
        good("\"\\n \\' \\a\"", List.of("\\n \\' \\a")),
        good("a\\ b \\; \\$ \\' \\\\", List.of("a b", ";", "$", "'", "\\")),
        good("a'b'\"c\"d\\e", List.of("abcde")),
        good("'it'\\''s'", List.of("it's")),
        good("A='x y' b", List.of("A=x y", "b")),
        good("a \\\n b", List.of("a", "b")),
        good("a\\\nb \"c\\\nd\"", List.of("ab", "cd")),
        good("a#b ''#c '#d' \\#e", List.of("a#b", "#c", "#d", "#e")),
        good("* a? [b] ~ {c,d} !e", List.of("*", "a?", "[b]", "~", "{c,d}", "!e")),
        good("'tab\there' ünï 😀", List.of("tab\there", "ünï", "😀")));
  }

  private static Arguments good(String text, List<String> words) {
    return Arguments.of(text, words);
  }

  @ParameterizedTest
  @MethodSource("accepted")
  void wordsAreThoseOfAPosixShell(String text, List<String> words) throws Exception {
    assertThat(ShellWords.split(text)).isEqualTo(words);
  }

  @ParameterizedTest
  @ValueSource(strings = {";", "&", "|", "<", ">", "(", ")", "$", "`"})
  void whatAShellWouldActOnIsRefusedUnlessQuoted(String act) throws Exception {
    assertThatThrownBy(() -> ShellWords.split("ab c" + act + "d"))
        .isInstanceOf(RefusedException.class)
        .hasMessage(
            act + " at column 5: there is no shell to act on it; to pass it on, quote it with '…'");
    assertThat(ShellWords.split("'" + act + "'")).containsExactly(act);
    assertThat(ShellWords.split("\\" + act)).containsExactly(act);
  }

  @ParameterizedTest
  @ValueSource(strings = {"a \"b$c\"", "a \"b`c`\"", "a \"b$(c)\"", "a \"b${c}\""})
  void expansionsAreRefusedInDoubleQuotes(String text) {
    assertThatThrownBy(() -> ShellWords.split(text)).hasMessageContaining("at column 5: there is");
  }

  @ParameterizedTest
  @ValueSource(strings = {"ab #c", "ab\t#", "a \t#", "   #"})
  void aCommentIsRefused(String text) {
    assertThatThrownBy(() -> ShellWords.split(text)).hasMessageStartingWith("# at column 4: ");
  }

  @ParameterizedTest
  @ValueSource(strings = {"abc 'd", "abc '", "abc \"d", "abc \"d'e'\\\"", "abc \"\\"})
  void unclosedQuotesAreRefusedWithTheirColumn(String text) {
    assertThatThrownBy(() -> ShellWords.split(text))
        .hasMessage("the %c at column 5 is never closed".formatted(text.charAt(4)));
  }

  @Test
  void aBackslashAtTheEndIsRefusedWithItsColumn() {
    assertThatThrownBy(() -> ShellWords.split("abc\\"))
        .hasMessage("the \\ at column 4 has nothing to escape");
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 7, 0x1b, '\n', '\r', 0x7f, 0x85})
  void controlCharactersAreRefusedEvenInQuotes(int control) {
    for (String text : List.of("ab%c", "'a%c'", "\"a%c\"", "a %cb", "b\\%c")) {
      if (control == '\n' && text.contains("\\")) {
        continue; // continues the line
      }
      assertThatThrownBy(() -> ShellWords.split(text.formatted(control)))
          .hasMessage("control character U+%04X at column 3: a command is one line", control);
    }
  }

  @Test
  void limitsAreNamedWithTheActualSize() throws Exception {
    String longest = "a".repeat(ShellWords.MAX_CHARACTERS);
    assertThat(ShellWords.split(longest)).containsExactly(longest);
    assertThatThrownBy(() -> ShellWords.split(longest + "a"))
        .hasMessage("a command has at most 8192 characters, this one has 8193");
    String most = "a ".repeat(ShellWords.MAX_WORDS);
    assertThat(ShellWords.split(most)).hasSize(ShellWords.MAX_WORDS);
    assertThatThrownBy(() -> ShellWords.split(most + "a"))
        .hasMessage("a command has at most 256 words, this one has 257");
  }
}
