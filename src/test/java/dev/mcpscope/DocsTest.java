package dev.mcpscope;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What the documents name is there, so that a change of a name changes them too. Names are looked
/// up in the sources, by the way this project formats them: a member that is called somewhere and
/// declared nowhere does not count.
class DocsTest {
  private static final Path PROTOCOL = Path.of("docs/protocol.md");

  /// A class and what is in it, between backticks and with nothing else.
  private static final Pattern MEMBER = Pattern.compile("`([A-Z]\\w*(?:\\.\\w+)+)`");

  private static final Pattern TEST = Pattern.compile("\\b[A-Z]\\w*Test\\b");
  private static final Pattern LINK = Pattern.compile("]\\(([^)#\\s]+)[^)]*\\)");
  private static final Pattern RULE = Pattern.compile("\\| ([A-Z]\\d+) \\|.*");

  /// The top of protocol.md says how many rows are what.
  private static final Pattern COUNT =
      Pattern.compile(
          "There are (\\d+) rows. (\\d+) say \\*\\*no\\*\\*:(.*?)\\. (\\d+) say \\*\\*in part\\*\\*:(.*?)\\.",
          Pattern.DOTALL);

  private static final Set<String> TYPES = Set.of("class", "record", "interface", "enum");

  /// What may stand before a name that is used, and looks like a type.
  private static final Set<String> OTHERS =
      Set.of("return", "new", "else", "throw", "yield", "case", "instanceof", "extends", "throws");

  private static final Map<String, String> SOURCES = sources();

  /// Returns the text of each source file by its name, which is its outermost class's.
  private static Map<String, String> sources() {
    var sources = new LinkedHashMap<String, String>();
    for (Path root : List.of(Path.of("src/main/java"), Path.of("src/test/java"))) {
      try (Stream<Path> files = Files.walk(root)) {
        for (Path file : files.filter(path -> path.toString().endsWith(".java")).toList()) {
          sources.put(
              file.getFileName().toString().replace(".java", ""),
              Files.readString(file).replaceAll("(?m)//.*$", "")); // Javadoc names what it likes
        }
      } catch (IOException e) {
        throw new AssertionError(e);
      }
    }
    return sources;
  }

  static List<Path> documents() throws IOException {
    var documents = new ArrayList<>(List.of(Path.of("README.md")));
    for (Path directory : List.of(Path.of("docs"), Path.of("docs/decisions"))) {
      try (Stream<Path> files = Files.list(directory)) {
        files.filter(file -> file.toString().endsWith(".md")).sorted().forEach(documents::add);
      }
    }
    return documents;
  }

  private static List<String> rows() throws IOException {
    return Files.readAllLines(PROTOCOL).stream().filter(line -> line.startsWith("|")).toList();
  }

  @ParameterizedTest
  @ValueSource(strings = {"docs/protocol.md", "docs/security.md", "docs/faults.md"})
  void everyMemberThatIsNamedIsDeclared(Path document) throws IOException {
    var named = new ArrayList<String>();
    var missing = new ArrayList<String>();
    Matcher matcher = MEMBER.matcher(Files.readString(document));
    while (matcher.find()) {
      List<String> names = List.of(matcher.group(1).split("\\."));
      String source = SOURCES.get(names.getFirst());
      if (source != null) {
        named.add(matcher.group());
        if (!names.stream().skip(1).allMatch(member -> declares(source, member))) {
          missing.add(matcher.group());
        }
      } else if (!isOfTheJdk(names.getFirst())) {
        missing.add(matcher.group());
      }
    }
    assertThat(missing).isEmpty();
    assertThat(named).hasSizeGreaterThan(10);
  }

  private static boolean isOfTheJdk(String name) {
    return name.equals("MessageDigest");
  }

  /// Whether a nested type, a method, a field or component, or a constant has this name: a
  /// declaration has a type before it, or a constant's line to itself.
  private static boolean declares(String source, String member) {
    String name = " " + member;
    for (int at = source.indexOf(name); at >= 0; at = source.indexOf(name, at + 1)) {
      String before = wordBefore(source, at);
      String after = source.substring(at + name.length()).lines().findFirst().orElse("");
      if (isDeclaration(before, member, after)) {
        return true;
      }
    }
    return false;
  }

  private static String wordBefore(String source, int end) {
    int start = end;
    while (start > 0 && " \n(".indexOf(source.charAt(start - 1)) < 0) {
      start--;
    }
    return source.substring(start, end);
  }

  private static boolean isDeclaration(String before, String member, String after) {
    if (before.isEmpty()) {
      return member.equals(member.toUpperCase(Locale.ROOT)) && after.matches("[,;]?");
    }
    return TYPES.contains(before)
        ? after.matches("\\W.*")
        : before.matches("[\\w.<>\\[\\],?]*[\\w>\\]]")
            && !OTHERS.contains(before)
            && after.matches("([(,;)]| =).*");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          record R(int size) {}        | size
          enum E {\\n  FIRST,\\n  A\\n}  | FIRST
          enum E {\\n  FIRST,\\n  A\\n}  | A
          static int most = 1;         | most
          List<T> read(Calls calls) {  | read
          sealed interface Of {}       | Of
          public record R(             | R
          """)
  void aDeclarationIsFound(String source, String member) {
    assertThat(declares(lines(source), member)).isTrue();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          x = other.read(calls);       | read
          return read(calls);          | read
          run(() -> read(calls));      | read
          ask(\\n    read,\\n    1);     | read
          ask(\\n    read(1));          | read
          x = a && read(1);            | read
          new Reader(calls);           | Reader
          x instanceof Reader)         | Reader
          int reading(Calls calls) {   | read
          class Reader {}              | Read
          """)
  void aUseIsNoDeclaration(String source, String member) {
    assertThat(declares(lines(source), member)).isFalse();
  }

  private static String lines(String source) {
    return " " + source.replace("\\n", "\n");
  }

  @ParameterizedTest
  @MethodSource("documents")
  void everyTestThatIsNamedExists(Path document) throws IOException {
    assertThat(TEST.matcher(Files.readString(document)).results().map(found -> found.group()))
        .isSubsetOf(SOURCES.keySet());
  }

  @Test
  void everyRowOfTheProtocolSaysWhereAndHow() throws IOException {
    assertThat(Files.readString(PROTOCOL)).doesNotContain("TODO");
    assertThat(rows())
        .isNotEmpty()
        .allSatisfy(row -> {
          assertThat(row).endsWith("|");
          assertThat(row.substring(1).split("\\|", -1)).hasSize(7);
          assertThat(row.substring(1, row.length() - 1).split("\\|", -1))
              .noneMatch(String::isBlank);
        });
  }

  @Test
  void noRuleOfTheProtocolHasTheNumberOfAnother() throws IOException {
    assertThat(rules("")).doesNotHaveDuplicates();
  }

  @Test
  void theTopOfTheProtocolCountsItsRows() throws IOException {
    Matcher count = COUNT.matcher(Files.readString(PROTOCOL));
    assertThat(count.find()).isTrue();
    List<String> refused = rules("**no**");
    List<String> partly = rules("**in part**");
    assertThat(count.group(1)).isEqualTo("" + rules("").size());
    assertThat(count.group(2)).isEqualTo("" + refused.size());
    assertThat(numbers(count.group(3))).containsExactlyInAnyOrderElementsOf(refused);
    assertThat(count.group(4)).isEqualTo("" + partly.size());
    assertThat(numbers(count.group(5))).containsExactlyInAnyOrderElementsOf(partly);
  }

  /// Returns the numbers of the rules whose row has this word.
  private static List<String> rules(String word) throws IOException {
    return rows().stream()
        .filter(row -> row.contains(word))
        .map(RULE::matcher)
        .filter(Matcher::matches)
        .map(rule -> rule.group(1))
        .toList();
  }

  private static List<String> numbers(String text) {
    return Pattern.compile("\\b[A-Z]\\d+\\b").matcher(text).results().map(m -> m.group()).toList();
  }

  @ParameterizedTest
  @MethodSource("documents")
  void everyRelativeLinkLeadsToAFile(Path document) throws IOException {
    assertThat(LINK.matcher(Files.readString(document)).results().map(link -> link.group(1)))
        .filteredOn(link -> !link.contains(":"))
        .allSatisfy(link -> assertThat(document.resolveSibling(link)).exists());
  }
}
