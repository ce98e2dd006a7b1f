package dev.mcpscope;

import static java.lang.constant.ConstantDescs.CD_List;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;
import static java.util.function.Predicate.not;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mcpscope.scope.TaskScope;
import java.io.IOException;
import java.lang.classfile.Annotation;
import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Signature;
import java.lang.classfile.attribute.RuntimeVisibleAnnotationsAttribute;
import java.lang.classfile.attribute.SignatureAttribute;
import java.lang.classfile.constantpool.MemberRefEntry;
import java.lang.classfile.constantpool.PoolEntry;
import java.lang.classfile.constantpool.Utf8Entry;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// The packages and who may use whom, checked on the class files, so that no spelling escapes: an
/// import, a full name, a `var`, a lambda, a type argument all end up in the constant pool.
/// Constants, which javac copies, and names that reflection puts together are not seen.
class PackageDependencyTest {

  /// A package, then what it may use: packages from the lines above, and what is [#WATCHED].
  private static final String TABLE =
      """
      json          tools.jackson
      scope         StructuredTaskScope
      rpc           json scope
      transport     json scope rpc
      stdio         json scope rpc transport
      http          json scope rpc transport java.net.http
      auth          json http java.net.http
      client        json scope rpc transport stdio http auth
      host          json scope rpc transport stdio http auth client java.net.http
      front         json scope transport client host com.sun.net.httpserver
      demo          json scope rpc transport stdio http auth client host front \
      java.net.http com.sun.net.httpserver
      dev.mcpscope  json scope rpc transport stdio http auth client host front demo
      """;

  /// What only some may use, by the beginning of its name in a class file.
  private static final Map<String, String> WATCHED =
      Map.of(
          "tools/jackson/", "tools.jackson",
          "java/util/concurrent/StructuredTaskScope", "StructuredTaskScope",
          "java/net/http/", "java.net.http",
          "com/sun/net/httpserver/", "com.sun.net.httpserver",
          "java/util/Timer", "java.util.Timer",
          "java/util/concurrent/Scheduled", "ScheduledExecutorService");

  private static final Map<String, Set<String>> MAY_USE = parse(TABLE);

  /// Who may end the JVM, and how.
  private static final Map<String, Set<String>> MAY_END_THE_JVM =
      Map.of(
          "dev/mcpscope/Main", Set.of("exit", "halt"),
          "dev/mcpscope/CommandLine", Set.of("exit", "halt"),
          "dev/mcpscope/demo/DemoServer", Set.of("halt"));

  private static final Pattern REFERENCE =
      Pattern.compile(
          "dev/mcpscope/(?:(?<ours>[\\w/]+)/)?[\\w-]|(?<watched>"
              + String.join("|", WATCHED.keySet())
              + ")");

  @Test
  void o1_everyPackageUsesOnlyWhatTheTableAllows() throws Exception {
    assertThat(productClasses()).flatExtracting(PackageDependencyTest::forbiddenUses).isEmpty();
  }

  @Test
  void o12_nothingInTheProductSleepsOrEndsTheJvm() throws Exception {
    assertThat(productClasses()).flatExtracting(PackageDependencyTest::forbiddenCalls).isEmpty();
  }

  @Test
  void thereAreNoCycles() {
    var above = new TreeSet<String>(WATCHED.values());
    MAY_USE.forEach((name, uses) -> {
      assertThat(above).as("what %s may use is listed above it", name).containsAll(uses);
      above.add(name);
    });
  }

  @Test
  void usesThatAreThereAreSeen() throws Exception {
    Map<String, Set<String>> seen = usesByPackage();

    assertThat(seen.get("json")).contains("tools.jackson");
    assertThat(seen.get("scope")).contains("StructuredTaskScope");
    assertThat(seen.get("rpc")).contains("json", "scope");
    assertThat(seen.get("stdio")).contains("transport");
    assertThat(seen.get("client")).contains("stdio", "json");
  }

  @Test
  void aClassOfTheTestsThatBreaksTheTableIsFound() throws Exception {
    Path file = location(PackageDependencyTest.class).resolve("dev/mcpscope/scope/GuestTest.class");

    assertThat(forbiddenUses(ClassFile.of().parse(file)))
        .contains("dev.mcpscope.scope.GuestTest uses host");
  }

  static Stream<Arguments> spellings() {
    var client = ClassDesc.of("dev.mcpscope.client.McpClient");
    var scope = ClassDesc.of("java.util.concurrent.StructuredTaskScope");
    return Stream.of(
        use("a superclass", "client", c -> c.withSuperclass(client)),
        use("a field", "client", field(client)),
        use("an array", "client", field(client.arrayType(2))),
        use("a parameter", "client", c -> c.withMethod("f", type(client), 0, _ -> {})),
        use("a class literal", "client", code(b -> b.loadConstant(client).pop())),
        use("a call", "client", code(b -> b.invokestatic(client, "ping", type()))),
        use(
            "a type argument",
            "client",
            signature("Ljava/util/List<+[Ldev/mcpscope/client/A$B;>;")),
        use("an annotation", "client", annotation(client)),
        use("a nested interface", "StructuredTaskScope", field(scope.nested("Joiner"))),
        use("Main", "dev.mcpscope", field(ClassDesc.of("dev.mcpscope.Main"))),
        use("a timer", "java.util.Timer", field(ClassDesc.of("java.util.TimerTask"))),
        use("HTTP", "java.net.http", field(ClassDesc.of("java.net.http.HttpClient"))),
        use(
            "a server",
            "com.sun.net.httpserver",
            field(ClassDesc.of("com.sun.net.httpserver.HttpServer"))),
        use("Jackson", "tools.jackson", field(ClassDesc.of("tools.jackson.core.JsonParser"))));
  }

  @ParameterizedTest
  @MethodSource("spellings")
  void noSpellingOfAUseEscapes(String spelling, String used, Consumer<ClassBuilder> content) {
    ClassModel rogue = build("dev.mcpscope.rpc.Rogue", content);

    assertThat(forbiddenUses(rogue)).containsExactly("dev.mcpscope.rpc.Rogue uses " + used);
  }

  @Test
  void whatTheTableAllowsIsNoViolation() {
    ClassModel good =
        build(
            "dev.mcpscope.rpc.Good",
            c ->
                c.withField("f", ClassDesc.of("dev.mcpscope.json.JsonValue"), 0)
                    .withField("g", ClassDesc.of("dev.mcpscope.rpc.RpcId"), 0));

    assertThat(forbiddenUses(good)).isEmpty();
  }

  @Test
  void anUnknownPackageIsAViolation() {
    ClassModel stranger = build("dev.mcpscope.client.util.Strings", _ -> {});
    ClassModel user =
        build(
            "dev.mcpscope.rpc.User",
            c -> c.withSuperclass(ClassDesc.of("dev.mcpscope.client.util.Strings")));

    assertThat(forbiddenUses(stranger))
        .containsExactly(
            "dev.mcpscope.client.util.Strings is in a package that the table does not know:"
                + " client.util");
    assertThat(forbiddenUses(user)).containsExactly("dev.mcpscope.rpc.User uses client.util");
  }

  static Stream<Arguments> calls() {
    var thread = ClassDesc.of("java.lang.Thread");
    var unit = ClassDesc.of("java.util.concurrent.TimeUnit");
    var system = ClassDesc.of("java.lang.System");
    var runtime = ClassDesc.of("java.lang.Runtime");
    var duration = ClassDesc.of("java.time.Duration");
    return Stream.of(
        call("Thread.sleep", b -> b.invokestatic(thread, "sleep", type(CD_long))),
        call("Thread.sleep", b -> b.invokestatic(thread, "sleep", type(duration))),
        call("TimeUnit.sleep", b -> b.invokevirtual(unit, "sleep", type(CD_long))),
        call("System.exit", b -> b.invokestatic(system, "exit", type(CD_int))),
        call("Runtime.exit", b -> b.invokevirtual(runtime, "exit", type(CD_int))),
        call("Runtime.halt", b -> b.invokevirtual(runtime, "halt", type(CD_int))));
  }

  @ParameterizedTest
  @MethodSource("calls")
  void aForbiddenCallIsFound(String called, Consumer<ClassBuilder> content) {
    assertThat(forbiddenCalls(build("dev.mcpscope.rpc.Rogue", content)))
        .containsExactly("dev.mcpscope.rpc.Rogue calls " + called);
  }

  @Test
  void theCommandLineMayExitAndTheDemoServerMayOnlyHalt() {
    var exitAndHalt =
        code(b ->
            b.invokestatic(ClassDesc.of("java.lang.System"), "exit", type(CD_int))
                .invokevirtual(ClassDesc.of("java.lang.Runtime"), "halt", type(CD_int)));

    assertThat(forbiddenCalls(build("dev.mcpscope.CommandLine", exitAndHalt))).isEmpty();
    assertThat(forbiddenCalls(build("dev.mcpscope.CommandLine$1", exitAndHalt))).isEmpty();
    assertThat(forbiddenCalls(build("dev.mcpscope.demo.DemoServer", exitAndHalt)))
        .containsExactly("dev.mcpscope.demo.DemoServer calls System.exit");
  }

  private static List<String> forbiddenUses(ClassModel c) {
    String from = packageOf(c);
    Set<String> allowed = MAY_USE.get(from);
    if (allowed == null) {
      return List.of(name(c) + " is in a package that the table does not know: " + from);
    }
    return uses(c).stream()
        .filter(not(allowed::contains))
        .map(to -> name(c) + " uses " + to)
        .toList();
  }

  /// Any text of the constant pool counts: names of classes, descriptors, signatures.
  private static Set<String> uses(ClassModel c) {
    var uses = new TreeSet<String>();
    for (PoolEntry entry : c.constantPool()) {
      if (entry instanceof Utf8Entry text) {
        for (Matcher m = REFERENCE.matcher(text.stringValue()); m.find(); ) {
          String watched = m.group("watched");
          uses.add(watched == null ? packageNamed(m.group("ours")) : WATCHED.get(watched));
        }
      }
    }
    uses.remove(packageOf(c));
    return uses;
  }

  private static Map<String, Set<String>> usesByPackage() throws Exception {
    var seen = new LinkedHashMap<String, Set<String>>();
    for (ClassModel c : productClasses()) {
      seen.computeIfAbsent(packageOf(c), _ -> new TreeSet<>()).addAll(uses(c));
    }
    return seen;
  }

  private static List<String> forbiddenCalls(ClassModel c) {
    String outermost = c.thisClass().asInternalName().replaceAll("\\$.*", "");
    Set<String> ends = MAY_END_THE_JVM.getOrDefault(outermost, Set.of());
    var calls = new ArrayList<String>();
    for (PoolEntry entry : c.constantPool()) {
      if (entry instanceof MemberRefEntry member) {
        String owner = member.owner().asInternalName().replaceAll(".*/", "");
        String method = member.name().stringValue();
        boolean forbidden =
            switch (owner) {
              case "System", "Runtime" ->
                  Set.of("exit", "halt").contains(method) && !ends.contains(method);
              default -> method.equals("sleep");
            };
        if (forbidden) {
          calls.add(name(c) + " calls " + owner + "." + method);
        }
      }
    }
    return calls;
  }

  private static String name(ClassModel c) {
    return c.thisClass().asInternalName().replace('/', '.');
  }

  private static String packageOf(ClassModel c) {
    Matcher m = REFERENCE.matcher(c.thisClass().asInternalName());
    assertThat(m.lookingAt()).as("%s is below dev.mcpscope", name(c)).isTrue();
    return packageNamed(m.group("ours"));
  }

  private static String packageNamed(String belowOurs) {
    return belowOurs == null ? "dev.mcpscope" : belowOurs.replace('/', '.');
  }

  private static Map<String, Set<String>> parse(String table) {
    var mayUse = new LinkedHashMap<String, Set<String>>();
    table
        .lines()
        .map(line -> List.of(line.split(" +")))
        .forEach(words -> mayUse.put(words.getFirst(), Set.copyOf(words.subList(1, words.size()))));
    return mayUse;
  }

  private static List<ClassModel> productClasses() throws IOException, URISyntaxException {
    try (Stream<Path> files = Files.walk(location(TaskScope.class))) {
      var classes = new ArrayList<ClassModel>();
      for (Path file : files.filter(f -> f.toString().endsWith(".class")).toList()) {
        if (!file.endsWith("module-info.class")) {
          classes.add(ClassFile.of().parse(file));
        }
      }
      return classes;
    }
  }

  private static Path location(Class<?> type) throws URISyntaxException {
    return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI());
  }

  private static Arguments use(String spelling, String used, Consumer<ClassBuilder> content) {
    return Arguments.of(spelling, used, content);
  }

  private static Arguments call(String called, Consumer<CodeBuilder> body) {
    return Arguments.of(called, code(body));
  }

  private static Consumer<ClassBuilder> field(ClassDesc type) {
    return c -> c.withField("f", type, 0);
  }

  private static Consumer<ClassBuilder> signature(String signature) {
    var attribute = SignatureAttribute.of(Signature.parseFrom(signature));
    return c -> c.withField("f", CD_List, f -> f.with(attribute));
  }

  private static Consumer<ClassBuilder> annotation(ClassDesc type) {
    return c -> c.with(RuntimeVisibleAnnotationsAttribute.of(Annotation.of(type)));
  }

  /// Names what it calls, without the arguments: the code is read, not run.
  private static Consumer<ClassBuilder> code(Consumer<CodeBuilder> body) {
    return c -> c.withMethodBody("f", type(), 0, body);
  }

  private static MethodTypeDesc type(ClassDesc... parameters) {
    return MethodTypeDesc.of(CD_void, parameters);
  }

  private static ClassModel build(String name, Consumer<ClassBuilder> content) {
    ClassFile raw = ClassFile.of(ClassFile.StackMapsOption.DROP_STACK_MAPS);
    return raw.parse(raw.build(ClassDesc.of(name), content));
  }
}
