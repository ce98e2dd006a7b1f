package dev.mcpscope;

import dev.mcpscope.client.ClientFeatures;
import dev.mcpscope.client.ClientOptions;
import dev.mcpscope.client.EraChoice;
import dev.mcpscope.front.Front;
import dev.mcpscope.host.HostOptions;
import dev.mcpscope.json.JsonLimits;
import dev.mcpscope.transport.CloseBudget;
import dev.mcpscope.transport.ReconnectBudget;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// The budgets and limits of `serve`, and how it speaks to servers: one flag for each, with its unit,
/// its range or its words, and its default, which is that of the record it goes to. Nothing is
/// unlimited: where zero is in the range, it means not to wait.
final class Settings {

  private enum Unit {
    TIME("500ms, 30s, 10m or 1h"),
    BYTES("65536, 64KiB or 16MiB"),
    COUNT("a whole number");

    final String examples;

    Unit(String examples) {
      this.examples = examples;
    }
  }

  /// A flag; times are in milliseconds here.
  private record Setting(
      String flag, Unit unit, long least, long most, long byDefault, String help) {

    long parse(String text) throws UsageException {
      Matcher matcher = VALUE.matcher(text);
      Long factor = matcher.matches() ? FACTORS.get(unit).get(matcher.group("unit")) : null;
      if (factor == null) {
        throw new UsageException(
            "%s must be %s to %s, as %s, is '%s'"
                .formatted(flag, shown(least), shown(most), unit.examples, text));
      }
      long value = Long.parseLong(matcher.group("number")) * factor;
      if (value < least || value > most) {
        throw new UsageException(
            "%s must be %s to %s, is %s".formatted(flag, shown(least), shown(most), text));
      }
      return value;
    }

    String shown(long value) {
      return switch (unit) {
        case TIME ->
            value % 60_000 == 0 && value > 0
                ? value / 60_000 + "m"
                : value % 1_000 == 0 ? value / 1_000 + "s" : value + "ms";
        case BYTES ->
            value % (1 << 20) == 0
                ? (value >> 20) + "MiB"
                : value % (1 << 10) == 0 ? (value >> 10) + "KiB" : value + "";
        case COUNT -> value + "";
      };
    }
  }

  /// A flag that takes one of a few words, the first of which is the default.
  private record Choice(String flag, List<String> words, String help) {
    String parse(String text) throws UsageException {
      if (!words.contains(text)) {
        throw new UsageException(
            "%s must be %s, is '%s'".formatted(flag, String.join(" or ", words), text));
      }
      return text;
    }
  }

  private static final Choice ERA =
      new Choice(
          "--era", List.of("auto", "modern", "legacy"), "which era servers are spoken to in");

  private static final Choice CACHE =
      new Choice("--cache", List.of("on", "off"), "use results again as servers allow");

  private static final List<Choice> CHOICES = List.of(ERA, CACHE);

  /// Up to twelve digits: with the largest unit that is far from what a long holds.
  private static final Pattern VALUE = Pattern.compile("(?<number>[0-9]{1,12})(?<unit>[A-Za-z]*)");

  private static final Map<Unit, Map<String, Long>> FACTORS =
      Map.of(
          Unit.TIME, Map.of("ms", 1L, "s", 1_000L, "m", 60_000L, "h", 3_600_000L),
          Unit.BYTES, Map.of("", 1L, "KiB", 1L << 10, "MiB", 1L << 20),
          Unit.COUNT, Map.of("", 1L));

  private static final long HOUR = 3_600_000;
  private static final HostOptions HOST = HostOptions.defaults();
  private static final ClientOptions CLIENT = HOST.client();
  private static final ClientOptions.Limits SERVER = CLIENT.limits();
  private static final Front.Limits FRONT = Front.Limits.defaults();

  /// What a close takes at the most besides those steps: `onDisconnect`, and a second for joining.
  private static final long LEAST_CLOSE =
      CLIENT.close().callback().plus(Duration.ofSeconds(1)).toMillis();

  /// What the steps of a close that have a flag may take together, and so each of them.
  private static final long STEPS =
      CloseBudget.MAXIMUM.minusSeconds(1).minus(CLIENT.close().callback()).toMillis();

  private static final List<Setting> ALL =
      List.of(
          time("--connect-timeout", 1, HOUR, CLIENT.connectTimeout(), "to connect a server"),
          time(
              "--probe-timeout",
              1,
              HOUR,
              CLIENT.protocol().probeTimeout(),
              "to say which era it is"),
          time("--call-timeout", 1, HOUR, CLIENT.callTimeout(), "for a call without progress"),
          time("--call-maximum", 1, 24 * HOUR, CLIENT.callMaximum(), "for a call with progress"),
          time("--exit-timeout", 0, STEPS, CLIENT.close().exit(), "to exit when its input ends"),
          time("--terminate-timeout", 0, STEPS, CLIENT.close().terminate(), "to end at SIGTERM"),
          time("--kill-timeout", 0, STEPS, CLIENT.close().kill(), "to be gone at SIGKILL"),
          time("--close-timeout", LEAST_CLOSE, 60_000, HOST.close(), "to end them all"),
          time("--session-idle", 1, 24 * HOUR, HOST.sessionIdle(), "a session lives without use"),
          time(
              "--reconnect-first",
              1,
              HOUR,
              CLIENT.reconnect().first(),
              "before a stream is reopened"),
          time("--reconnect-most", 1, HOUR, CLIENT.reconnect().most(), "before any such attempt"),
          count(
              "--reconnect-attempts",
              1,
              1_000,
              CLIENT.reconnect().attempts(),
              "such attempts in a row"),
          time("--restart-first", 1, HOUR, HOST.restart().first(), "before the first restart"),
          time("--restart-most", 1, HOUR, HOST.restart().most(), "before any restart"),
          count("--restart-attempts", 1, 1_000, HOST.restart().attempts(), "restarts in a row"),
          count("--sessions", 1, 1_000_000, HOST.sessions(), "sessions"),
          count("--connections", 1, 1_000_000, HOST.connections(), "connections"),
          count(
              "--session-connections", 1, 10_000, HOST.connectionsPerSession(), "names a session"),
          count(
              "--session-streams",
              1,
              10_000,
              HOST.subscriptionsPerSession(),
              "streams of events a session"),
          bytes("--message-bytes", 1 << 10, 1 << 30, SERVER.message().maxBytes(), "a message"),
          count("--json-depth", 8, 512, SERVER.message().maxDepth(), "levels of JSON"),
          bytes("--stderr-bytes", 1 << 10, 16 << 20, SERVER.stderrBytes(), "kept of stderr"),
          bytes("--event-bytes", 1 << 10, 16 << 20, SERVER.eventBytes(), "a notification"),
          count("--pages", 1, 1_000_000, SERVER.pages(), "pages of a list"),
          count("--items", 1, 1_000_000, SERVER.items(), "tools of a server"),
          count("--server-requests", 1, 100_000, SERVER.serverRequests(), "open requests of one"),
          count("--requests", 1, 10_000, FRONT.requests(), "HTTP requests at once"),
          count("--streams", 1, 10_000, FRONT.streams(), "HTTP streams at once"),
          bytes("--body-bytes", 1 << 10, 64 << 20, FRONT.body(), "an HTTP body"),
          bytes("--target-bytes", 256, 32 << 10, FRONT.target(), "an HTTP request target"),
          bytes("--header-bytes", 1 << 10, 96 << 10, FRONT.headerBytes(), "HTTP headers in all"),
          count("--headers", 16, 400, FRONT.headers(), "HTTP headers"),
          time("--write-timeout", 1, 600_000, FRONT.write(), "for a client to read 64 KiB"),
          time("--heartbeat", 10, 600_000, FRONT.heartbeat(), "between signs of life in a stream"));

  private static Setting time(
      String flag, long leastMs, long mostMs, Duration byDefault, String help) {
    return new Setting(flag, Unit.TIME, leastMs, mostMs, byDefault.toMillis(), help);
  }

  private static Setting bytes(String flag, long least, long most, long byDefault, String help) {
    return new Setting(flag, Unit.BYTES, least, most, byDefault, help);
  }

  private static Setting count(String flag, long least, long most, long byDefault, String help) {
    return new Setting(flag, Unit.COUNT, least, most, byDefault, help);
  }

  private final Map<String, Long> values = new HashMap<>();
  private final Map<Choice, String> words = new HashMap<>();

  /// Reads the flags that are among these options; others are for somebody else.
  ///
  /// @throws UsageException naming the flag, what it takes and what it was given
  static Settings of(Map<String, String> options) throws UsageException {
    var settings = new Settings();
    for (Setting setting : ALL) {
      String given = options.get(setting.flag());
      settings.values.put(
          setting.flag(), given == null ? setting.byDefault() : setting.parse(given));
    }
    for (Choice choice : CHOICES) {
      String given = options.get(choice.flag());
      settings.words.put(choice, given == null ? choice.words().getFirst() : choice.parse(given));
    }
    settings.checkNested();
    return settings;
  }

  /// Returns the names of all flags, in the order of the help.
  static List<String> flags() {
    return Stream.concat(CHOICES.stream().map(Choice::flag), ALL.stream().map(Setting::flag))
        .toList();
  }

  /// Returns a line for each flag.
  static String help() {
    Stream<String> numbers =
        ALL.stream()
            .map(s ->
                "      %-22s %-36s [%s]  %s to %s%n"
                    .formatted(
                        s.flag(),
                        s.help(),
                        s.shown(s.byDefault()),
                        s.shown(s.least()),
                        s.shown(s.most())));
    Stream<String> choices =
        CHOICES.stream()
            .map(c ->
                "      %-22s %-36s [%s]  %s%n"
                    .formatted(
                        c.flag(), c.help(), c.words().getFirst(), String.join(" or ", c.words())));
    return Stream.concat(choices, numbers).collect(Collectors.joining());
  }

  /// A budget that lies in another one has to fit into it.
  private void checkNested() throws UsageException {
    long steps = get("--exit-timeout") + get("--terminate-timeout") + get("--kill-timeout");
    if (steps > STEPS) {
      throw new UsageException(
          "--exit-timeout, --terminate-timeout and --kill-timeout must be "
              + STEPS
              + " ms or less together");
    }
    long one = steps + LEAST_CLOSE;
    if (get("--close-timeout") < one) {
      throw new UsageException(
          "--close-timeout must be "
              + one
              + " ms or more, which the close of one connection takes");
    }
    atMost("--call-timeout", "--call-maximum");
    atMost("--reconnect-first", "--reconnect-most");
    atMost("--restart-first", "--restart-most");
  }

  private void atMost(String inner, String outer) throws UsageException {
    if (get(inner) > get(outer)) {
      throw new UsageException(inner + " must not be more than " + outer);
    }
  }

  private long get(String flag) {
    return values.get(flag);
  }

  private int size(String flag) {
    return Math.toIntExact(get(flag));
  }

  private Duration time(String flag) {
    return Duration.ofMillis(get(flag));
  }

  /// Returns the host's part.
  HostOptions host() {
    return new HostOptions(
        client(),
        size("--sessions"),
        size("--connections"),
        size("--session-connections"),
        size("--session-streams"),
        time("--session-idle"),
        time("--close-timeout"),
        new HostOptions.RestartBudget(
            time("--restart-first"),
            time("--restart-most"),
            size("--restart-attempts"),
            HOST.restart().stable()));
  }

  private ClientOptions client() {
    return new ClientOptions(
        CLIENT.name(),
        CLIENT.version(),
        time("--connect-timeout"),
        time("--call-timeout"),
        time("--call-maximum"),
        CLIENT.handlerTimeout(), // the front has no handlers
        CLIENT.listenerTimeout(),
        new CloseBudget(
            CLIENT.close().callback(),
            time("--exit-timeout"),
            time("--terminate-timeout"),
            time("--kill-timeout")),
        new ReconnectBudget(
            time("--reconnect-first"), time("--reconnect-most"), size("--reconnect-attempts")),
        new ClientOptions.Protocol(
            EraChoice.valueOf(words.get(ERA).toUpperCase(Locale.ROOT)),
            time("--probe-timeout"),
            words.get(CACHE).equals("on")),
        new ClientOptions.Limits(
            new JsonLimits(
                size("--message-bytes"), size("--json-depth"), SERVER.message().maxNumberLength()),
            size("--stderr-bytes"),
            size("--pages"),
            size("--items"),
            size("--server-requests"),
            SERVER.events(),
            size("--event-bytes")),
        ClientFeatures.none());
  }

  /// Returns the front's part.
  Front.Limits front() {
    return new Front.Limits(
        size("--body-bytes"),
        size("--target-bytes"),
        size("--headers"),
        size("--header-bytes"),
        time("--write-timeout"),
        size("--requests"),
        size("--streams"),
        time("--heartbeat"));
  }
}
