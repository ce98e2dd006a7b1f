package dev.mcpscope;

import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.demo.DemoHttpServer;
import dev.mcpscope.demo.DemoServer;
import dev.mcpscope.demo.Tour;
import dev.mcpscope.front.Front;
import dev.mcpscope.front.ServersFile;
import dev.mcpscope.host.ConnectOptions;
import dev.mcpscope.host.HostListener;
import dev.mcpscope.host.HostReport;
import dev.mcpscope.host.LimitException;
import dev.mcpscope.host.McpHost;
import dev.mcpscope.host.Orphan;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Base64;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;

/// The command line: reads the arguments, runs one verb, ends with its exit code.
public final class CommandLine {
  private static final String HELP =
      """
      mcp-scope: connects MCP servers, and leaves nothing behind when it disconnects them.

      Usage: java --enable-preview -jar mcp-scope.jar [VERB] [OPTION…]

        serve         answer HTTP: connect servers, call their tools, disconnect them (the default)
            --port N            listen on this port; 0 takes a free one          [8484]
            --host ADDRESS      listen on this address                           [127.0.0.1]
            --allow LIST        executables that clients may start, with commas between them:
                                names on your PATH, or absolute paths; "none" for none
                                                                                 [npx,uvx]
            --servers FILE      your own servers, an mcp.json with "mcpServers": connected at the
                                start in the session "default", and by clients by their names
            --allow-host LIST   other names by which clients may call this server, such as that of
                                a proxy: name or name:port
            --allow-origin LIST pages of other origins that may call it: scheme://host:port
        demo          a guided tour with its own servers; exits 0 if nothing is left of them
        demo-server   the tour's MCP server alone, on stdin and stdout
            --http N            over HTTP instead, at http://127.0.0.1:N/mcp; 0 takes a free port;
                                it prints one line on stdout when it is ready
            --era ERA           which revisions of MCP it speaks: legacy, those that begin with a
                                handshake; modern, 2026-07-28; or dual, both      [dual]

        --help, --version

      serve prints one line on stdout when it is ready, with the address and the token that every
      request must carry; MCP_SCOPE_TOKEN in the environment sets the token. Whoever has the token
      can start programs as you. SIGTERM and Ctrl-C disconnect everything and end it with 0.

      Budgets and limits of serve, with their defaults and ranges (times as 500ms, 30s, 10m, 1h; bytes
      as 65536, 64KiB, 16MiB):

      """;

  private static final String LOG_FORMAT = "java.util.logging.SimpleFormatter.format";
  private static final List<String> VERBS = List.of("serve", "demo", "demo-server");
  private static final List<String> SERVE_OPTIONS =
      Stream.concat(
              Stream.of(
                  "--port", "--host", "--allow", "--servers", "--allow-host", "--allow-origin"),
              Settings.flags().stream())
          .toList();
  private static final System.Logger LOG = System.getLogger("dev.mcpscope");

  /// What is shorter is warned of.
  private static final int SHORTEST_TOKEN = 16;

  /// The session of the operator's own servers.
  private static final String DEFAULT_SESSION = "default";

  private CommandLine() {}

  /// Runs; does not return but by the end of the JVM.
  public static void main(String[] args) {
    if (System.getProperty(LOG_FORMAT) == null) {
      System.setProperty(LOG_FORMAT, "%1$tT %4$s %5$s%6$s%n"); // one line, before a logger is made
    }
    int status;
    try {
      status = run(args);
    } catch (UsageException e) {
      System.err.println("mcp-scope: " + e.getMessage());
      System.err.println("mcp-scope --help lists what it takes");
      status = 2;
    } catch (IOException e) {
      System.err.println("mcp-scope: " + e.getMessage());
      status = 1;
    } catch (InterruptedException e) {
      status = 130;
    }
    System.exit(status);
  }

  private static int run(String[] args) throws UsageException, IOException, InterruptedException {
    List<String> words = Arrays.asList(args);
    if (words.contains("--help") || words.contains("-h") || words.equals(List.of("help"))) {
      System.out.print(HELP + Settings.help());
      return 0;
    }
    if (words.contains("--version")) {
      System.out.println("mcp-scope " + version() + " on JDK " + Runtime.version());
      return 0;
    }
    boolean verbless = words.isEmpty() || words.getFirst().startsWith("-");
    String verb = verbless ? "serve" : words.getFirst();
    List<String> rest = verbless ? words : words.subList(1, words.size());
    return switch (verb) {
      case "serve" -> serve(options(rest, SERVE_OPTIONS));
      case "demo" -> {
        options(rest, List.of());
        yield Tour.run(System.out);
      }
      case "demo-server" -> demoServer(options(rest, List.of("--http", "--era")));
      default -> throw new UsageException("there is no verb " + verb + suggestion(verb, VERBS));
    };
  }

  private static String version() {
    String version = CommandLine.class.getPackage().getImplementationVersion();
    return version == null ? "(not packaged)" : version;
  }

  /// Reads `--name value` and `--name=value`.
  private static Map<String, String> options(List<String> words, List<String> known)
      throws UsageException {
    var options = new HashMap<String, String>();
    var left = new ArrayDeque<>(words);
    while (!left.isEmpty()) {
      String[] option = left.poll().split("=", 2);
      String name = option[0];
      if (!name.startsWith("-")) {
        throw new UsageException("unexpected argument " + name);
      }
      if (!known.contains(name)) {
        throw new UsageException("unknown option " + name + suggestion(name, known));
      }
      String value = option.length == 2 ? option[1] : left.poll();
      if (value == null || value.isBlank() || (option.length == 1 && value.startsWith("--"))) {
        throw new UsageException(name + " needs a value");
      }
      if (options.put(name, value) != null) {
        throw new UsageException(name + " is given twice");
      }
    }
    return options;
  }

  private static String suggestion(String word, List<String> known) {
    return known.stream()
        .min(Comparator.comparingInt(candidate -> distance(word, candidate)))
        .filter(candidate -> distance(word, candidate) <= Math.max(2, candidate.length() / 3))
        .map(candidate -> "; did you mean " + candidate + "?")
        .orElse("");
  }

  /// How many letters have to be put in, taken out or changed (Levenshtein).
  private static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    Arrays.setAll(row, j -> j);
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int change = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(change, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }

  /// Opens the host and the front, and waits for a signal, which closes both.
  private static int serve(Map<String, String> options)
      throws UsageException, IOException, InterruptedException {
    Settings settings = Settings.of(options);
    ServersFile own = servers(options.get("--servers"));
    Front.Options front =
        frontOptions(options).withServers(own.servers()).withLimits(settings.front());
    if (!InetAddress.getByName(front.host()).isLoopbackAddress()) {
      System.err.println(
          "mcp-scope: warning: "
              + front.host()
              + " is no loopback address; whoever reads the token on the network can start programs"
              + " as you");
    }
    if (front.token().length() < SHORTEST_TOKEN) { // ours is longer
      System.err.println(
          "mcp-scope: warning: MCP_SCOPE_TOKEN is shorter than "
              + SHORTEST_TOKEN
              + " characters; whoever guesses it can start programs as you");
    }
    warnOfOrphans();
    McpHost host = McpHost.open(settings.host(), new HostListener() {});
    Front opened;
    try {
      opened = Front.open(front, host);
    } catch (IOException | RuntimeException | Error e) {
      host.close();
      throw e;
    }
    if (options.containsKey("--allow")) { // of the default nobody has said that it is here
      opened
          .missing()
          .forEach(program ->
              System.err.println(
                  "mcp-scope: warning: --allow: "
                      + program
                      + " is not found; its commands are refused until it is there at a start"));
    }
    Runtime.getRuntime()
        .addShutdownHook(
            Thread.ofPlatform().name("shutdown").unstarted(() -> shutDown(host, opened)));
    System.out.println("mcp-scope ready " + opened.uri() + "/#token=" + front.token());
    own.servers()
        .forEach((name, spec) ->
            Thread.ofVirtual().name("connect " + name).start(() -> connect(host, name, spec)));
    new CountDownLatch(1).await(); // a signal ends the JVM, and the hook everything else
    return 0;
  }

  /// Only a help for the operator: if it cannot be looked for them, the front starts all the same.
  private static void warnOfOrphans() {
    List<Orphan> orphans;
    try {
      orphans = McpHost.orphans();
    } catch (RuntimeException e) {
      System.err.println("mcp-scope: warning: what other hosts have left is not known: " + e);
      return;
    }
    for (Orphan orphan : orphans) {
      System.err.println("mcp-scope: warning: " + described(orphan));
    }
  }

  static String described(Orphan orphan) {
    return "process %d (%s) is left of a host, process %d, that was killed; to end it: kill -9 %d"
        .formatted(
            orphan.pid(),
            orphan.command().replaceAll("\\p{Cc}", "?"), // a file's name may hold anything
            orphan.host(),
            orphan.pid());
  }

  private static int demoServer(Map<String, String> options)
      throws UsageException, IOException, InterruptedException {
    DemoServer.Eras eras = eras(options.getOrDefault("--era", "dual"));
    if (!options.containsKey("--http")) {
      return DemoServer.run(eras, System.in, System.out, System.err);
    }
    int port = number("--http", options.get("--http"));
    if (port < 0 || port > 65_535) {
      throw new UsageException("--http must be 0 to 65535, is " + port);
    }
    DemoHttpServer server =
        DemoHttpServer.open(port, System.err, DemoHttpServer.Options.defaults().withEras(eras));
    Runnable end =
        () -> {
          server.close();
          Runtime.getRuntime().halt(0); // see shutDown
        };
    Runtime.getRuntime().addShutdownHook(Thread.ofPlatform().name("shutdown").unstarted(end));
    System.out.println("demo-server ready " + server.uri());
    new CountDownLatch(1).await(); // as in serve
    return 0;
  }

  private static DemoServer.Eras eras(String name) throws UsageException {
    return switch (name) {
      case "dual" -> DemoServer.Eras.DUAL;
      case "modern" -> DemoServer.Eras.MODERN;
      case "legacy" -> DemoServer.Eras.LEGACY;
      default -> throw new UsageException("--era must be dual, modern or legacy, is " + name);
    };
  }

  private static ServersFile servers(String file) throws IOException {
    if (file == null) {
      return new ServersFile(Map.of(), List.of());
    }
    var servers = ServersFile.read(Path.of(file), System.getenv());
    servers.warnings().forEach(w -> System.err.println("mcp-scope: " + file + ": warning: " + w));
    return servers;
  }

  /// Connects one of the operator's own servers, which is nobody else's trouble if it fails. A client
  /// that was faster is left alone.
  private static void connect(McpHost host, String name, ServerSpec spec) {
    String what = DEFAULT_SESSION + "/" + name;
    try {
      var options = ConnectOptions.of(host.options().client()).withIfAbsent(true);
      host.connect(DEFAULT_SESSION, name, spec, options);
      LOG.log(System.Logger.Level.INFO, "{0} is connected", what);
    } catch (IOException | LimitException e) {
      LOG.log(System.Logger.Level.WARNING, "{0} is not connected: {1}", what, e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// Runs as a shutdown hook, so it prints by itself: loggers are being reset at the same time.
  private static void shutDown(McpHost host, Front front) {
    int status = 1;
    try {
      front.refuse(); // what comes now is told so; what waits for the host is answered by its end
      HostReport report = host.end();
      front.close();
      System.err.print(described(report));
      status = 0;
    } finally {
      Runtime.getRuntime().halt(status); // else a signal's own status, 143, would be the last word
    }
  }

  private static String described(HostReport report) {
    var text = new StringBuilder();
    report
        .sessions()
        .forEach((session, reports) ->
            reports.forEach((name, close) ->
                text.append("closed ")
                    .append(session)
                    .append('/')
                    .append(name)
                    .append(": ")
                    .append(close.json().without("stderrTail"))
                    .append('\n')));
    report.unfinished().forEach(s -> text.append("unfinished: session ").append(s).append('\n'));
    report.abandoned().forEach(t -> text.append("abandoned: ").append(t).append('\n'));
    text.append("mcp-scope ended in ").append(report.took().toMillis()).append(" ms, ");
    return text.append(report.nothingLeft() ? "nothing left" : "with the leftovers above")
        .append('\n')
        .toString();
  }

  private static Front.Options frontOptions(Map<String, String> options) throws UsageException {
    int port = number("--port", options.getOrDefault("--port", "8484"));
    List<String> allow = list(options.getOrDefault("--allow", "npx,uvx"));
    if (allow.equals(List.of("none"))) {
      allow = List.of();
    }
    for (String program : allow) {
      if (program.isEmpty() || (program.contains("/") && !Path.of(program).isAbsolute())) {
        throw new UsageException(
            "--allow takes names and absolute paths, with commas between them, not '"
                + program
                + "'");
      }
    }
    try {
      return new Front.Options(
              options.getOrDefault("--host", "127.0.0.1"), port, token(), allow, System.getenv())
          .withAllowHosts(list(options.getOrDefault("--allow-host", "")))
          .withAllowOrigins(list(options.getOrDefault("--allow-origin", "")));
    } catch (IllegalArgumentException e) {
      throw new UsageException(e.getMessage());
    }
  }

  private static int number(String option, String text) throws UsageException {
    try {
      return Integer.parseInt(text);
    } catch (NumberFormatException e) {
      throw new UsageException(option + " must be a number, is " + text);
    }
  }

  private static List<String> list(String text) {
    return text.isEmpty()
        ? List.of()
        : Arrays.stream(text.split(",", -1)).map(String::strip).toList();
  }

  /// 256 random bits, unless the operator has chosen.
  private static String token() {
    String chosen = System.getenv("MCP_SCOPE_TOKEN");
    if (chosen != null) {
      return chosen;
    }
    byte[] random = new byte[32];
    new SecureRandom().nextBytes(random);
    return Base64.getUrlEncoder().withoutPadding().encodeToString(random);
  }
}
