package dev.mcpscope.front;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mcpscope.front.CommandPolicy.Command;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CommandPolicyTest {

  @TempDir Path temp;

  Path bin;
  Path npx;
  Path uvx;
  CommandPolicy policy;

  @BeforeEach
  void installPrograms() throws IOException {
    bin = Files.createDirectory(temp.resolve("bin"));
    npx = program(bin, "npx");
    uvx = program(bin, "uvx");
    program(bin, "sh");
    program(bin, "node");
    policy = allowing("npx", "uvx", "server", "absent");
    program(bin, "server"); // after the policy has looked
  }

  private CommandPolicy allowing(String... allowed) {
    return new CommandPolicy(List.of(allowed), Map.of("PATH", bin.toString()));
  }

  private static Path program(Path directory, String name) throws IOException {
    Path file = Files.writeString(directory.resolve(name), "#!/bin/sh\n");
    assertThat(file.toFile().setExecutable(true)).isTrue();
    return file;
  }

  @Test
  void missingAreThoseThatWereNotThereWhenItLooked() {
    assertThat(policy.missing()).containsExactly("server", "absent");
    assertThat(allowing("npx", "server", bin + "/no", bin + "/sh").missing())
        .containsExactly(bin + "/no");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "npx pkg",
        "npx -y pkg -c x --call=x -- --registry=x",
        "npx -y -- pkg -c x",
        "npx --yes --quiet --offline --prefer-offline --no-install @scope/pkg@1.2.3-rc.1",
        "npx -q -y @scope/pkg@latest /dir '$x; y'",
        "npx -p a --package b@^1 --package=@c/d mcp-server-d -c x",
        "npx -y --package='file:/x y' cmd",
        "npx -y github:user/repo#v1",
        "npx -y https://example.org/a.tgz",
        "uvx mcp-server-git==1.0 --repository .",
        "uvx -q --offline --python=3.13 'tool[cli,x]@latest' -c x",
        "uvx --from git+https://example.org/x@v1 --with y --with=z tool --from -x",
      })
  void packagesAreRunWithTheirArguments(String text) throws Exception {
    List<String> words = ShellWords.split(text);
    Command command = policy.parse(text);

    assertThat(command.argv().getFirst()).isEqualTo(bin.resolve(words.getFirst()).toString());
    assertThat(command.argv().subList(1, words.size())).isEqualTo(words.subList(1, words.size()));
    assertThat(command.environment()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "npx -c id",
        "npx -cid",
        "npx -c=id",
        "npx -yc 'id'",
        "npx -ycq 'id'",
        "npx -y -c id",
        "npx --call id",
        "npx --call=id",
        "npx --cal id",
        "npx --ca=id",
        "npx ---c id",
        "npx ---call id",
        "npx --CALL id",
        "npx --no-call pkg",
        "npx --no-no-call=id pkg",
        "npx -yq pkg",
        "npx -n pkg",
        "npx --yes=true pkg",
        "npx - pkg",
        "npx --- pkg",
        "npx --shell=x pkg",
        "npx --script-shell x pkg",
        "npx --script-s=x pkg",
        "npx --node-options=x pkg",
        "npx --node-arg x pkg",
        "npx --userconfig x pkg",
        "npx --userc x pkg",
        "npx --globalconfig=x pkg",
        "npx --prefix x pkg",
        "npx --registry x pkg",
        "npx --reg=x pkg",
        "npx --pack x cmd",
        "npx -p x -c id",
        "npx --package=x --call id",
        "uvx --fro x tool",
        "uvx --index-url x tool",
        "uvx --python /tmp/x tool",
        "uvx --python=/tmp/x tool",
        "uvx --env-file x tool",
        "uvx --directory=x tool",
        "uvx -qq tool",
      })
  void onlyListedOptionsStandBeforeThePackage(String text) {
    assertRefused(text, "is not accepted before the package, only -");
  }

  @ParameterizedTest
  @ValueSource(strings = {"npx -p", "npx --package= x", "npx --package -c id", "uvx --from='' x"})
  void anOptionsValueIsNoOtherOption(String text) {
    assertRefused(text, "has no value");
  }

  @ParameterizedTest
  @ValueSource(strings = {"npx", "A=b npx", "npx -y", "npx --", "npx -p pkg", "npx -p x --", "uvx"})
  void aRunnerWithoutAPackageIsRefusedAsItWouldBeAShell(String text) {
    assertRefused(text, "no package is named");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "npx ''",
        "npx -- -c id",
        "npx -y -- --call=id",
        "npx /bin/sh -c id",
        "npx ./server",
        "npx ../../bin/sh -c id",
        "npx 'github:x/../../bin/sh' -c id",
        "npx @x/../sh",
        "npx user/repo",
        "npx -p x '$(id)'",
        "npx -p x 'a;id'",
        "npx -p x .",
        "npx -p x [",
        "npx A=b pkg",
        "uvx --from x /bin/sh",
      })
  void whatIsRunIsAPackage(String text) {
    assertRefused(text, "is not the name of a package");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "npx sh -c id",
        "npx sh@1 -c id",
        "npx -p x sh -c id",
        "npx node -e x",
        "npx npx -c id",
        "npx npx@latest -c id",
        "npx -p x eval id",
        "npx -p x exec sh",
        "uvx --from x sh -c id",
        "uvx python -c x",
        "uvx Python3.14 -c x",
        "uvx pypy@3.10 -c x",
      })
  void programsOfThisMachineAreNotRunByTheWayOfARunner(String text) {
    assertRefused(text, "is a program of this machine");
  }

  @Test
  void programsNextToARunnerOffThePathAreNotRunByItEither() throws Exception {
    Path other = Files.createDirectory(temp.resolve("other"));
    Path elsewhere = program(other, "npx");
    program(other, "corepack");
    policy = allowing(elsewhere.toString());

    assertRefused(elsewhere + " corepack npx", "is a program of this machine");
    assertThat(policy.parse(elsewhere + " pkg").argv()).containsExactly("" + elsewhere, "pkg");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "LD_PRELOAD",
        "ld_preload",
        "LD_AUDIT",
        "DYLD_INSERT_LIBRARIES",
        "NODE_OPTIONS",
        "NODE_PATH",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "PYTHONHOME",
        "PERL5OPT",
        "PERL5LIB",
        "RUBYOPT",
        "RUBYLIB",
        "BASH_ENV",
        "ENV",
        "SHELLOPTS",
        "IFS",
        "JAVA_TOOL_OPTIONS",
        "_JAVA_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "CLASSPATH",
        "DOTNET_STARTUP_HOOKS",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_CONFIG_COUNT",
        "PATH",
        "Path",
        "HOME",
        "PREFIX",
        "XDG_CONFIG_HOME",
        "npm_config_call",
        "NPM_CONFIG_CALL",
        "Npm_Config_Script_Shell",
        "npm_config__call",
        "UV_INDEX_URL",
        "uv_python",
        "MCP_SCOPE_CONNECTION",
        "OPENSSL_CONF",
        "GCONV_PATH",
      })
  void variablesThatLoadCodeAreRefused(String name) {
    assertRefused("A=b " + name + "=secret npx pkg", name + " may not be set");
    assertRefused(name + "= npx pkg", name + " may not be set");
  }

  @ParameterizedTest
  @ValueSource(strings = {"1A=secret", "A-B=secret", "=secret", "'A B=secret'", "BASH_FUNC_x%%=x"})
  void variablesHaveValidNames(String assignment) {
    assertRefused(assignment + " npx pkg", "is no name for a variable");
  }

  @Test
  void assignmentsAreTheEnvironment() throws Exception {
    Command command = policy.parse("GITHUB_TOKEN='a b=c' _x1= A=1 NODE_ENV=test A=2 npx pkg B=3");

    assertThat(command.environment())
        .containsExactly(
            Map.entry("GITHUB_TOKEN", "a b=c"),
            Map.entry("_x1", ""),
            Map.entry("A", "2"),
            Map.entry("NODE_ENV", "test"));
    assertThat(command.argv()).containsExactly(npx.toString(), "pkg", "B=3");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "  ", "A=b", "A=b C='d e'"})
  void aCommandNamesAnExecutable(String text) {
    assertRefused(text, "names no executable");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"bash", "sh -c id", "./npx x", "bin/npx x", "../bin/npx", "~/npx", "NPX x", "''"})
  void otherExecutablesAreRefused(String text) {
    assertRefused(text, "by name or absolute path, allowed are: npx, uvx, server, absent");
  }

  @Test
  void anAbsolutePathIsAllowedOnlyIfItIsTheAllowedFile() throws Exception {
    Path elsewhere = Files.createDirectory(temp.resolve("elsewhere"));
    Path lookalike = program(elsewhere, "npx");
    Path link = Files.createSymbolicLink(elsewhere.resolve("link"), npx);

    assertRefused(lookalike + " pkg", "is not an allowed executable");
    assertRefused(elsewhere.resolve("missing") + " pkg", "is not an allowed executable");
    assertRefused(elsewhere + "/a=secret/npx pkg", "is not an allowed executable");
    for (Path same : List.of(npx, link, elsewhere.resolve("../bin/npx"))) {
      assertThat(policy.parse(same + " pkg").argv()).containsExactly(npx.toString(), "pkg");
      assertRefused(same + " -c id", "npx: -c is not accepted");
    }
  }

  @Test
  void theOptionsOfARunnerAreCheckedUnderAnyName() throws Exception {
    Path script = program(temp, "npx-cli.js");
    Files.createSymbolicLink(bin.resolve("run"), script);
    Files.createSymbolicLink(bin.resolve("run2"), uvx);
    policy = allowing("run", "run2");

    assertRefused("run -c id", "npx: -c is not accepted");
    assertRefused("run2 --index x y", "uvx: --index is not accepted");
    assertThat(policy.parse("run pkg").argv()).containsExactly(bin + "/run", "pkg");
  }

  @Test
  void oneFileWithManyNamesIsCalledByTheNameThatWasGiven() throws Exception {
    Path shim = program(temp, "shim");
    Files.delete(npx);
    Files.delete(uvx);
    Files.createSymbolicLink(npx, shim);
    Files.createSymbolicLink(uvx, shim);
    policy = allowing("npx", "uvx");

    assertThat(policy.parse(uvx + " x").argv()).containsExactly(uvx.toString(), "x");
    assertRefused(uvx + " -y x", "uvx: -y is not accepted");
  }

  @ParameterizedTest
  @CsvSource({"absent", "server"})
  void whatWasNotInstalledAtTheStartIsAllowedButMissing(String name) {
    assertRefused(name + " x", name + " is allowed but not installed");
  }

  @Test
  void argumentsOfOtherExecutablesAreFree() throws Exception {
    policy = allowing("server");

    assertThat(policy.parse("server -c 'x;y' --call=z").argv())
        .containsExactly(bin + "/server", "-c", "x;y", "--call=z");
  }

  @Test
  void aPathIsAllowedByItselfAndNotItsName() throws Exception {
    Path server = program(temp, "other");
    policy = allowing(server.toString());

    assertThat(policy.parse(server + " x").argv()).containsExactly(server.toString(), "x");
    assertRefused("other x", "is not an allowed executable");
  }

  @Test
  void onlyExecutableFilesInAbsoluteDirectoriesAreFound() throws Exception {
    Path first = Files.createDirectory(temp.resolve("first"));
    Files.writeString(first.resolve("npx"), "not executable");
    Files.createDirectory(first.resolve("uvx"));
    String path = String.join(File.pathSeparator, "", ".", "bin", first.toString(), "" + bin);
    policy = new CommandPolicy(List.of("npx", "uvx"), Map.of("PATH", path));

    assertThat(policy.parse("npx x").argv()).containsExactly(npx.toString(), "x");
    assertThat(policy.parse("uvx x").argv()).containsExactly(uvx.toString(), "x");
    policy = new CommandPolicy(List.of("npx"), Map.of());
    assertRefused("npx x", "not installed");
  }

  @Test
  void aRunnerThatHasGoneIsRefused() throws Exception {
    Files.delete(npx);

    assertRefused("npx pkg", "npx is no longer installed");
  }

  @Test
  void aShownCommandHoldsNoAssignedValueAndCanBePasted() throws Exception {
    Command command =
        policy.parse("TOKEN='top secret' E= npx @a/b@1 'c d' \"it's\" '' '$x' '*' '#' --k=v é");

    assertThat(command.display())
        .isEqualTo("TOKEN=*** E=*** " + npx + " @a/b@1 'c d' 'it'\\''s' '' '$x' '*' '#' --k=v 'é'");
    assertThat(command).hasToString(command.display());
    assertThat(policy.parse(command.display()))
        .isEqualTo(new Command(command.argv(), Map.of("TOKEN", "***", "E", "***")));
  }

  @Test
  void aRefusalHoldsNoLongWord() {
    assertThatThrownBy(() -> policy.parse("x".repeat(5_000)))
        .message()
        .hasSizeLessThan(300)
        .contains("x…");
  }

  private void assertRefused(String text, String message) {
    assertThatThrownBy(() -> policy.parse(text))
        .as(text)
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining(message)
        .message()
        .doesNotContain("secret");
  }
}
