package dev.mcpscope;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.reflect.AnnotatedElement;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Disabled;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.platform.commons.annotation.Testable;
import org.junit.platform.commons.support.AnnotationSupport;

/// docs/faults.md has a row for each fault, and each row names tests that there are and that run.
class FaultRowsTest {
  private static final Path FAULTS = Path.of("docs/faults.md");

  private static final Pattern ROW = Pattern.compile("\\| ([AB]\\d+) \\|.*");

  /// A test between backticks, and the mark of those that need more than a JDK.
  private static final Pattern TEST = Pattern.compile("`([A-Z]\\w*Test)\\.(\\w+)`(°?)");

  private static List<String> table() throws IOException {
    return Files.readAllLines(FAULTS).stream().filter(line -> line.startsWith("|")).toList();
  }

  /// Returns the rows of A and B by their numbers.
  private static Map<String, String> rows() throws IOException {
    var rows = new LinkedHashMap<String, String>();
    for (String line : table()) {
      Matcher row = ROW.matcher(line);
      if (row.matches()) {
        assertThat(rows.put(row.group(1), line)).as(row.group(1)).isNull();
      }
    }
    return rows;
  }

  private static List<String> cells(String row) {
    return List.of(row.substring(1, row.length() - 1).split("\\|", -1));
  }

  @Test
  void eachFaultHasARow() throws IOException {
    assertThat(rows().keySet())
        .containsExactlyElementsOf(
            Stream.concat(
                    IntStream.rangeClosed(1, 44).mapToObj(i -> "A" + i),
                    IntStream.rangeClosed(1, 22).mapToObj(i -> "B" + i))
                .toList());
  }

  @Test
  void noCellIsEmpty() throws IOException {
    assertThat(table())
        .allSatisfy(row -> {
          assertThat(row).endsWith("|");
          assertThat(cells(row)).noneMatch(String::isBlank);
        });
    rows()
        .forEach((number, row) ->
            assertThat(cells(row)).as(number).hasSize(number.startsWith("A") ? 5 : 4));
  }

  @Test
  void eachRowNamesATestThatNeedsNoMoreThanAJdk() throws IOException {
    rows()
        .forEach((number, row) ->
            assertThat(TEST.matcher(cells(row).getLast()).results())
                .as(number)
                .anyMatch(test -> test.group(3).isEmpty()));
  }

  @Test
  void eachTestThatIsNamedRuns() throws Exception {
    var classes = classes();
    Matcher test = TEST.matcher(Files.readString(FAULTS));
    var problems = new ArrayList<String>();
    while (test.find()) {
      Class<?> type = classes.get(test.group(1));
      String problem =
          type == null
              ? "there is no such class"
              : problem(type, test.group(2), !test.group(3).isEmpty());
      if (!problem.isEmpty()) {
        problems.add(test.group() + ": " + problem);
      }
    }
    assertThat(problems).isEmpty();
  }

  /// Returns the classes of the tests by their names.
  private static Map<String, Class<?>> classes() throws Exception {
    Path root =
        Path.of(FaultRowsTest.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    var classes = new LinkedHashMap<String, Class<?>>();
    try (Stream<Path> files = Files.walk(root)) {
      for (Path file : files.filter(path -> path.toString().endsWith("Test.class")).toList()) {
        String name = root.relativize(file).toString().replaceAll("[/\\\\]", ".");
        Class<?> type =
            Class.forName(
                name.substring(0, name.length() - ".class".length()),
                false,
                FaultRowsTest.class.getClassLoader());
        classes.put(type.getSimpleName(), type);
      }
    }
    return classes;
  }

  /// Returns why this is no test that runs; empty if it is one.
  private static String problem(Class<?> type, String name, boolean marked) {
    for (Class<?> each :
        Stream.concat(Stream.of(type), Arrays.stream(type.getDeclaredClasses())).toList()) {
      for (Method method : each.getDeclaredMethods()) {
        if (method.getName().equals(name)
            && AnnotationSupport.isAnnotated(method, Testable.class)) {
          List<AnnotatedElement> around = List.of(method, each, type);
          if (around.stream().anyMatch(element -> element.isAnnotationPresent(Disabled.class))) {
            return "it is disabled";
          }
          boolean apart = around.stream().anyMatch(FaultRowsTest::needsMore);
          return apart == marked ? "" : "the mark of those that run apart is wrong";
        }
      }
    }
    return "there is no such test";
  }

  private static boolean needsMore(AnnotatedElement element) {
    return element.isAnnotationPresent(Tag.class)
        && element.getAnnotation(Tag.class).value().equals("real-server");
  }

  /// What the check has to find.
  static final class Wrong {
    private Wrong() {}

    @Disabled("to be found")
    @Test
    void disabled() {}

    @Tag("real-server")
    @Test
    void apart() {}

    void none() {}
  }

  @Test
  void whatDoesNotRunIsFound() {
    assertThat(problem(FaultRowsTest.class, "disabled", false)).isEqualTo("it is disabled");
    assertThat(problem(FaultRowsTest.class, "apart", false)).contains("mark");
    assertThat(problem(FaultRowsTest.class, "apart", true)).isEmpty();
    assertThat(problem(FaultRowsTest.class, "none", false)).isEqualTo("there is no such test");
    assertThat(problem(FaultRowsTest.class, "whatDoesNotRunIsFound", false)).isEmpty();
  }
}
