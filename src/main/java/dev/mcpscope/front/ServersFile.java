package dev.mcpscope.front;

import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.host.HostOptions;
import dev.mcpscope.host.McpHost;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonBoolean;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonReader;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The operator's own servers, from a file such as other MCP clients have: `mcp.json`.
///
/// ```json
/// {"mcpServers": {
///   "files": {"command": "npx", "args": ["-y", "some-server", "${HOME}/docs"],
///             "env": {"KEY": "${KEY:-none}"}, "cwd": "/tmp"},
///   "remote": {"url": "https://example.com/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"}},
///   "later": {"type": "sse", "url": "https://example.com/sse", "disabled": true}}}
/// ```
///
/// `type` is `stdio`, `streamable-http` (also called `http`) or `sse`; without it a `url` means
/// `streamable-http`. `${NAME}` in `command`, `args`, `cwd`, `url` and the values of `env` and
/// `headers` stands for that variable of the operator's environment, `${NAME:-default}` for the default if the variable is not set; one that
/// is set to nothing is set. A default has no braces, what a variable holds is not expanded again,
/// and a `$` before anything else is a `$`. Whoever writes this file may start programs anyway, so
/// [CommandPolicy] has no say in it.
///
/// @param servers what is to be connected, by name, in the order of the file
/// @param warnings what was ignored, in the order of the file, each beginning with its place; of a
///     server that is skipped as a whole, only that
public record ServersFile(Map<String, ServerSpec> servers, List<String> warnings) {

  private static final int MAX_BYTES = 1 << 20;
  private static final JsonLimits LIMITS = JsonLimits.defaults().withMaxBytes(MAX_BYTES);
  private static final int MAX_SERVERS = HostOptions.defaults().connectionsPerSession();

  /// Whatever begins like a variable; it has a name only if it goes on and ends like one.
  private static final Pattern VARIABLE =
      Pattern.compile("\\$\\{((?<name>[A-Za-z_]\\w*)(:-(?<default>[^{}]*))?})?");

  /// Takes copies.
  public ServersFile {
    servers = Collections.unmodifiableMap(new LinkedHashMap<>(servers));
    warnings = List.copyOf(warnings);
  }

  /// Reads a file, or a pipe to its end, for which it blocks.
  ///
  /// @param environment the operator's
  /// @throws ServersFileException if there is no such file, it cannot be read, it is longer than
  ///     1 MiB, or anything in it is not as it has to be
  public static ServersFile read(Path file, Map<String, String> environment)
      throws ServersFileException {
    try {
      return new Grammar(environment).file(new Node("", JsonReader.read(bytes(file), LIMITS)));
    } catch (IOException e) {
      throw new ServersFileException(file, problem(e), e);
    }
  }

  private static byte[] bytes(Path file) throws IOException {
    if (Files.isDirectory(file)) {
      throw new IOException("it is a directory");
    }
    try (InputStream in = Files.newInputStream(file)) {
      byte[] bytes = in.readNBytes(MAX_BYTES + 1);
      if (bytes.length > MAX_BYTES) {
        throw new IOException("it is longer than " + MAX_BYTES + " bytes");
      }
      return bytes;
    }
  }

  private static String problem(IOException e) {
    return switch (e) {
      case JsonException wrong -> wrong.withoutExcerpt();
      case NoSuchFileException _ -> "there is no such file";
      case AccessDeniedException _ -> "cannot be read: access is denied";
      case FileSystemException other -> "cannot be read: " + other.getReason();
      default -> "cannot be read: " + e.getMessage();
    };
  }

  /// What may stand where: a method for each kind of thing, from the whole file to a word.
  private static final class Grammar {
    private final Map<String, String> environment;
    private final Map<String, ServerSpec> servers = new LinkedHashMap<>();
    private final List<String> warnings = new ArrayList<>();

    Grammar(Map<String, String> environment) {
      this.environment = environment;
    }

    ServersFile file(Node top) throws JsonException {
      warnOfOthers(top, List.of("mcpServers"));
      Node all = top.member("mcpServers");
      for (var server : all.members().entrySet()) {
        String name = name(server);
        server(server.getValue()).ifPresent(spec -> servers.put(name, spec));
      }
      if (servers.size() > MAX_SERVERS) {
        throw all.wrong("expected at most " + MAX_SERVERS + " servers, found " + servers.size());
      }
      return new ServersFile(servers, warnings);
    }

    private static String name(Map.Entry<String, Node> server) throws JsonException {
      try {
        McpHost.checkName("the name", server.getKey());
        return server.getKey();
      } catch (IllegalArgumentException e) {
        throw server.getValue().wrong(e.getMessage());
      }
    }

    /// Empty for a server that is skipped.
    private Optional<ServerSpec> server(Node server) throws JsonException {
      if (server.member("disabled", JsonBoolean.FALSE).bool()) {
        warn(server, "skipped, it is disabled");
        return Optional.empty();
      }
      boolean remote = server.has("url");
      if (server.has("command") == remote) {
        throw server.wrong("expected a command or a url, found " + (remote ? "both" : "neither"));
      }
      Node type = server.member("type", new JsonString(remote ? "streamable-http" : "stdio"));
      return switch (type.string()) {
        case "stdio" -> Optional.of(stdio(server));
        case "http", "streamable-http", "sse" -> Optional.of(remote(server, type.string()));
        case String other ->
            throw type.wrong(
                "expected stdio, http, streamable-http or sse, found " + Front.quoted(other));
      };
    }

    private ServerSpec stdio(Node server) throws JsonException {
      warnOfOthers(server, List.of("command", "args", "env", "cwd", "type", "disabled"));
      var command = new ArrayList<String>();
      command.add(executable(server.member("command")));
      for (Node argument : server.member("args", JsonArray.EMPTY).elements()) {
        command.add(word(argument));
      }
      var variables = new LinkedHashMap<String, String>();
      for (var variable : server.member("env", JsonObject.EMPTY).members().entrySet()) {
        variables.put(variableName(variable), word(variable.getValue()));
      }
      Optional<Path> directory =
          server.has("cwd") ? Optional.of(directory(server.member("cwd"))) : Optional.empty();
      return new ServerSpec.Stdio(command, variables, directory);
    }

    private ServerSpec remote(Node server, String type) throws JsonException {
      warnOfOthers(server, List.of("url", "headers", "type", "disabled"));
      Node url = server.member("url");
      Node headers = server.member("headers", JsonObject.EMPTY);
      var values = new LinkedHashMap<String, String>();
      for (var header : headers.members().entrySet()) {
        values.put(header.getKey(), word(header.getValue()));
      }
      return with(
          headers,
          values,
          type.equals("sse") ? at(url, ServerSpec::sse) : at(url, ServerSpec::http));
    }

    private ServerSpec.Http at(Node url, Function<String, ServerSpec.Http> kind)
        throws JsonException {
      try {
        return kind.apply(word(url));
      } catch (IllegalArgumentException e) { // which says nothing of the text but what is wrong
        throw url.wrong("expected the URL of a server: " + e.getMessage());
      }
    }

    private static ServerSpec with(Node node, Map<String, String> headers, ServerSpec.Http server)
        throws JsonException {
      try {
        return server.withHeaders(headers);
      } catch (IllegalArgumentException e) { // which holds no value
        throw node.wrong(e.getMessage());
      }
    }

    private String executable(Node command) throws JsonException {
      String executable = word(command);
      if (executable.isBlank()) {
        throw command.wrong("expected an executable, found nothing but blanks");
      }
      return executable;
    }

    private static String variableName(Map.Entry<String, Node> variable) throws JsonException {
      String name = variable.getKey();
      if (name.isEmpty() || name.contains("=") || name.contains("\0")) {
        throw variable.getValue().wrong("expected a variable's name: not empty, no '=', no NUL");
      }
      return name;
    }

    private Path directory(Node cwd) throws JsonException {
      try {
        Path directory = Path.of(word(cwd));
        if (!directory.isAbsolute()) {
          throw cwd.wrong("expected an absolute path, found a relative one");
        }
        return directory;
      } catch (InvalidPathException e) { // whose message has the path, and so what was expanded
        throw cwd.wrong("expected an absolute path, found one that cannot exist here");
      }
    }

    private String word(Node node) throws JsonException {
      var word = new StringBuilder();
      Matcher variable = VARIABLE.matcher(node.string());
      while (variable.find()) {
        variable.appendReplacement(word, Matcher.quoteReplacement(value(node, variable)));
      }
      variable.appendTail(word);
      if (word.indexOf("\0") >= 0) {
        throw node.wrong("expected a text without NUL, found one");
      }
      return word.toString();
    }

    private String value(Node node, Matcher variable) throws JsonException {
      String name = variable.group("name");
      if (name == null) {
        throw node.wrong(
            "expected ${NAME} or ${NAME:-default}, found another ${ at character "
                + (variable.start() + 1));
      }
      String value = environment.getOrDefault(name, variable.group("default"));
      if (value == null) {
        throw node.wrong("${" + name + "} is not set");
      }
      return value;
    }

    private void warnOfOthers(Node object, List<String> known) throws JsonException {
      object
          .members()
          .forEach((name, member) -> {
            if (!known.contains(name)) {
              warn(member, "ignored, known here: " + String.join(", ", known));
            }
          });
    }

    private void warn(Node node, String what) {
      warnings.add(node.place + ": " + what);
    }
  }

  /// A value, and its place as messages name it: `mcpServers.files.args[1]`.
  ///
  /// @param value null where nothing is
  private record Node(String place, JsonValue value) {

    Node member(String name) throws JsonException {
      return new Node(placeOf(name), object().get(name));
    }

    /// The member, or this in its place where it is absent or a JSON null.
    Node member(String name, JsonValue other) throws JsonException {
      return has(name) ? member(name) : new Node(placeOf(name), other);
    }

    boolean has(String name) throws JsonException {
      return object().has(name) && object().get(name) != JsonNull.INSTANCE;
    }

    Map<String, Node> members() throws JsonException {
      var members = new LinkedHashMap<String, Node>();
      object()
          .members()
          .forEach((name, value) -> members.put(name, new Node(placeOf(name), value)));
      return members;
    }

    List<Node> elements() throws JsonException {
      var elements = new ArrayList<Node>();
      for (JsonValue value : as(JsonArray.class, "an array")) {
        elements.add(new Node(place + "[" + elements.size() + "]", value));
      }
      return elements;
    }

    JsonObject object() throws JsonException {
      return as(JsonObject.class, "an object");
    }

    String string() throws JsonException {
      return as(JsonString.class, "a string").value();
    }

    boolean bool() throws JsonException {
      return as(JsonBoolean.class, "a boolean").value();
    }

    private <T extends JsonValue> T as(Class<T> type, String expected) throws JsonException {
      if (!type.isInstance(value)) {
        String found = value == null ? "nothing" : value.kind();
        throw wrong("expected " + expected + ", found " + found);
      }
      return type.cast(value);
    }

    private String placeOf(String name) {
      if (!name.matches("[\\w-]{1," + McpHost.MAX_NAME + "}")) {
        return place + "[" + Front.quoted(name) + "]";
      }
      return place.isEmpty() ? name : place + "." + name;
    }

    JsonException wrong(String how) {
      return new JsonException((place.isEmpty() ? "top level" : place) + ": " + how);
    }
  }
}
