package dev.mcpscope.front;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// Which commands the front starts: the operator's list of executables, each looked for once, and
/// of the package runners `npx` and `uvx` only some options.
///
/// This is no sandbox. A package is code, so the token is worth code execution. What the rules add
/// is that a command says what it runs: a package by its name, not a shell, and nothing that an
/// option, a variable or a file puts in its place. Arguments of other executables are free.
final class CommandPolicy {
  /// What is shown for a secret.
  static final String HIDDEN = "***";

  /// Variables that make a loader, an interpreter or a runner take other code or configuration; in
  /// any case, as npm reads its own. `HOME` and `PREFIX` lead npm to files that name its shell.
  private static final Pattern REFUSED_VARIABLE =
      Pattern.compile(
          "PATH|PATHEXT|HOME|USERPROFILE|(LOCAL)?APPDATA|XDG_.*|PREFIX|DESTDIR|MCP_SCOPE_.*"
              + "|LD_.*|DYLD_.*|GCONV_PATH|GLIBC_TUNABLES|OPENSSL_.*"
              + "|SHELL|COMSPEC|BASH.*|ENV|SHELLOPTS|IFS|PS4|ZDOTDIR|GIT_.*|SSH_ASKPASS"
              + "|NODE_(?!ENV$|EXTRA_CA_CERTS$).*|NPM_CONFIG_.*|YARN_.*|COREPACK_.*|VOLTA_.*"
              + "|UV_.*|PYTHON.*|PIP_.*|VIRTUAL_ENV|CONDA_.*"
              + "|PERL.*|RUBY.*|GEM_.*|BUNDLE_.*|LUA_.*|PHPRC|PHP_INI_SCAN_DIR"
              + "|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|CLASSPATH"
              + "|DOTNET_.*|CORECLR_.*|COR_.*",
          Pattern.CASE_INSENSITIVE);

  /// What a runner may run: a package, with extras and version, or the address of one. A path is
  /// not among them: `npx /bin/sh` and `npx ../../bin/sh` run that file.
  private static final Pattern PACKAGE =
      Pattern.compile(
          "(?<name>(@[\\w.~-]+/)?\\w[\\w.-]*)(\\[[\\w,.-]+])?((@|==)[\\w.^~*+-]+)?"
              + "|(github:|git\\+https://|https://)(?!.*\\.\\.)[\\w.@:/#%+~=&?-]+");

  /// Interpreters that need no file: npx hands the command to `sh`, whose built-in ones come first
  /// (`npx -p x eval id`), and uvx takes `python3.14` for a request to fetch and run it.
  private static final Pattern INTERPRETER =
      Pattern.compile(
          "alias|bind|builtin|command|compgen|complete|declare|enable|eval|exec|export|fc|hash|let"
              + "|local|mapfile|printf|read|readarray|readonly|set|source|test|trap|type|typeset"
              + "|unset|wait|(c?pythonw?|pypy|graalpy|pyodide)(\\d.*)?",
          Pattern.CASE_INSENSITIVE);

  /// A list of the good options before the package, since the bad ones have no end: npm takes `-c`,
  /// `-yc`, `--call`, `--cal` and `---c` for one and the same, and dozens of others choose a shell,
  /// a configuration file or a registry. What follows the package is the server's: npx puts a `--`
  /// before it, uvx stops reading there.
  ///
  /// @param flags a pattern of whole words
  /// @param options a pattern of options that have a value
  private record Runner(String name, String flags, String options) {}

  private static final List<Runner> RUNNERS =
      List.of(
          new Runner(
              "npx", "-y|--yes|-q|--quiet|--no-install|--prefer-offline|--offline", "-p|--package"),
          new Runner("uvx", "-q|--quiet|--offline|--python=[0-9.]+", "--from|--with"));

  private final List<Path> directories;
  private final Map<String, Optional<Path>> programs = new LinkedHashMap<>();

  /// Looks for each allowed executable.
  ///
  /// @param allowed names, which are searched for on the `PATH`, or absolute paths
  /// @param environment the operator's, for its `PATH`; relative entries in it are ignored
  CommandPolicy(Collection<String> allowed, Map<String, String> environment) {
    directories =
        Stream.of(environment.getOrDefault("PATH", "").split(File.pathSeparator))
            .flatMap(entry -> absolute(entry).stream())
            .toList();
    allowed.forEach(name -> programs.put(name, found(name)));
  }

  /// Returns those of the allowed executables that were not found, as they were given.
  List<String> missing() {
    return programs.entrySet().stream()
        .filter(program -> program.getValue().isEmpty())
        .map(Map.Entry::getKey)
        .toList();
  }

  /// A command that may be started.
  ///
  /// @param environment the assignments alone; what else the child gets is not decided here
  record Command(List<String> argv, Map<String, String> environment) {

    Command {
      argv = List.copyOf(argv);
      environment = Collections.unmodifiableMap(new LinkedHashMap<>(environment));
    }

    /// Returns the command as clients and logs may see it, quoted so that it can be pasted: every
    /// assigned value is `***`. Arguments are shown, so secrets belong in assignments.
    String display() {
      return Stream.concat(
              environment.keySet().stream().map(name -> name + "=" + HIDDEN),
              argv.stream().map(Command::quoted))
          .collect(Collectors.joining(" "));
    }

    private static String quoted(String word) {
      return word.matches("[\\w@%+=:,./-]+") ? word : "'" + word.replace("'", "'\\''") + "'";
    }

    @Override
    public String toString() {
      return display(); // a record would print the values
    }
  }

  /// Reads `[NAME=value …] executable [argument …]`.
  ///
  /// @throws RefusedException if it may not be started; the message holds no assigned value
  Command parse(String fullCommand) throws RefusedException {
    List<String> words = ShellWords.split(fullCommand);
    Map<String, String> environment = new LinkedHashMap<>();
    int first = 0;
    for (; first < words.size() && words.get(first).matches("(?s)[^/=]*=.*"); first++) {
      String[] assignment = words.get(first).split("=", 2);
      checkVariable(assignment[0]);
      environment.put(assignment[0], assignment[1]);
    }
    if (first == words.size()) {
      throw new RefusedException("the command names no executable");
    }
    Path file = executable(words.get(first));
    List<String> arguments = words.subList(first + 1, words.size());
    for (Runner runner : RUNNERS) {
      if (isRunner(runner, file)) {
        checkRun(runner, file, arguments);
      }
    }
    return new Command(
        Stream.concat(Stream.of(file.toString()), arguments.stream()).toList(), environment);
  }

  private static void checkVariable(String name) throws RefusedException {
    if (!name.matches("[A-Za-z_][A-Za-z0-9_]*")) {
      throw new RefusedException("'%s' is no name for a variable".formatted(shown(name)));
    }
    if (REFUSED_VARIABLE.matcher(name).matches()) {
      throw new RefusedException(
          shown(name) + " may not be set: it can change which code or configuration is loaded");
    }
  }

  private Path executable(String word) throws RefusedException {
    if (programs.containsKey(word)) {
      return programs
          .get(word)
          .orElseThrow(() -> new RefusedException(shown(word) + " is allowed but not installed"));
    }
    List<Path> files = programs.values().stream().flatMap(Optional::stream).toList();
    // The same path first: one file with many names (busybox, mise) acts by the name it is given.
    return absolute(word)
        .filter(files::contains)
        .or(() -> files.stream().filter(file -> isSameFile(file, word)).findFirst())
        .orElseThrow(() ->
            new RefusedException(
                "%s is not an allowed executable; by name or absolute path, allowed are: %s"
                    .formatted(
                        shown(word),
                        programs.isEmpty() ? "none" : String.join(", ", programs.keySet()))));
  }

  /// Says whether the runner is behind a file of any name: `npx` itself is a link to `npx-cli.js`.
  private static boolean isRunner(Runner runner, Path file) throws RefusedException {
    try {
      return Stream.of(file, file.toRealPath())
          .map(path -> path.getFileName().toString().replace("-cli.js", ""))
          .anyMatch(runner.name::equals);
    } catch (IOException e) {
      throw new RefusedException(file.getFileName() + " is no longer installed");
    }
  }

  private void checkRun(Runner runner, Path file, List<String> words) throws RefusedException {
    int at = 0;
    for (; at < words.size() && words.get(at).startsWith("-"); at++) {
      String word = words.get(at);
      if (word.equals("--")) {
        at++;
        break;
      }
      if (word.matches(runner.flags)) {
        continue;
      }
      String[] option = word.split("=", 2);
      if (!option[0].matches(runner.options)) {
        throw refused(
            runner,
            "%s is not accepted before the package, only %s|%s=VALUE"
                .formatted(shown(word), runner.flags, runner.options));
      }
      String value = option.length == 2 ? option[1] : ++at < words.size() ? words.get(at) : "";
      if (value.isEmpty() || value.startsWith("-")) {
        throw refused(runner, option[0] + " has no value");
      }
    }
    if (at >= words.size()) { // npx alone is a shell, with our messages for its commands
      throw refused(runner, "no package is named");
    }
    Matcher target = PACKAGE.matcher(words.get(at));
    if (!target.matches()) {
      throw refused(runner, "argument %d is not the name of a package".formatted(at + 1));
    }
    String program = target.group("name");
    if (program != null
        && (INTERPRETER.matcher(program).matches()
            // Both also look for programs: `npx sh -c id`, `uvx --from x sh -c id`.
            || Files.exists(file.resolveSibling(program))
            || found(program).isPresent())) {
      throw refused(runner, shown(program) + " is a program of this machine, which --allow is for");
    }
  }

  private static RefusedException refused(Runner runner, String why) {
    return new RefusedException(runner.name + ": " + why);
  }

  /// Finds the file for an absolute path, or for a name on the operator's `PATH`.
  private Optional<Path> found(String program) {
    Stream<Path> places =
        program.contains("/")
            ? absolute(program).stream()
            : directories.stream().map(directory -> directory.resolve(program));
    return places.filter(Files::isRegularFile).filter(Files::isExecutable).findFirst();
  }

  private static boolean isSameFile(Path file, String word) {
    try {
      Optional<Path> other = absolute(word);
      return other.isPresent() && Files.isSameFile(file, other.get());
    } catch (IOException e) {
      return false; // what cannot be looked at is not known to be the same
    }
  }

  private static Optional<Path> absolute(String text) {
    try {
      return Optional.of(Path.of(text)).filter(Path::isAbsolute);
    } catch (InvalidPathException e) {
      return Optional.empty(); // no such path can exist here, like one with an é in the C locale
    }
  }

  /// Returns as much of a refused word as a client is told: nothing that follows a `=`.
  private static String shown(String word) {
    String name = word.split("=", 2)[0];
    return name.length() <= 80 ? name : name.substring(0, 80) + "…";
  }
}
