package dev.mcpscope.front;

import com.sun.net.httpserver.HttpServer;
import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.host.McpHost;
import dev.mcpscope.scope.Deadline;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.time.Duration;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;

/// The HTTP front of a host, on one address.
///
/// Where it is opened: [#open]. Where it is closed: [#close()]. It owns a server socket, the JDK's
/// dispatcher thread and a virtual thread for each request, and nothing of any connection: what a
/// request asks for is the host's to do, and goes on when the client goes away. The host is not its
/// own; close it between [#refuse()] and [#close()], so that requests which wait for it are answered.
///
/// Every request is answered, whatever happens: by the endpoint's answer or by
/// `{"detail": "…"}` with a status that says whose fault it is. `docs/http-api.md` lists them. A
/// client that sends too slowly, or does not read its answer, is cut off.
///
/// ## Pages of other origins
///
/// No header of CORS is ever sent, unless a page asks whose origin the operator allows
/// ([Options#allowOrigins()]). Then every answer, an error too, names that one origin, and the
/// browser's question beforehand (a preflight) is answered, without the token, which browsers do not
/// send with it. It is never `*` that is allowed, and never credentials: the token is a header that
/// a page must know and set by itself, so a page gains nothing from the cookies of its user. The
/// front's own origin needs no such header; requests of any other origin are refused.
public final class Front implements AutoCloseable {
  private static final Duration STOP = Duration.ofSeconds(1);

  /// What telling a client that it comes too late may take of that.
  private static final Duration REFUSAL = Duration.ofMillis(100);

  static {
    // Read once, when the JDK's server is first used. Small answers must not wait for an
    // acknowledgement, and who does not finish sending a request in time is cut off. The JDK's time
    // for answers counts from the request on, however long an answer is in the making: see Reply.
    System.setProperty("sun.net.httpserver.nodelay", "true");
    unlessSet("sun.net.httpserver.maxReqTime", 30);
    unlessSet("jdk.httpserver.maxConnections", 1_024);
    // Who is over these is cut off without a word, so they are wider than all that Limits can be.
    // The first counts names, however often each of them comes.
    unlessSet("sun.net.httpserver.maxReqHeaders", Limits.MOST_HEADERS + 100);
    unlessSet(
        "sun.net.httpserver.maxReqHeaderSize",
        Limits.MOST_TARGET + Limits.MOST_HEADER_BYTES + 32 * Limits.MOST_HEADERS + (16 << 10));
  }

  private static void unlessSet(String property, int value) {
    if (System.getProperty(property) == null) {
      System.setProperty(property, Integer.toString(value));
    }
  }

  /// Where the front listens, and what it allows.
  ///
  /// @param host the address to bind; a loopback address unless the operator knows why not
  /// @param port 0 to 65535; 0 takes a free one
  /// @param token what clients have to know; not empty
  /// @param allow the executables that may be started: names looked up on `environment`'s PATH, or
  ///     absolute paths
  /// @param environment the operator's environment
  /// @param allowHosts what else clients may call this server in `Host`: `name`, which means with
  ///     the front's port, or `name:port`; with port 80 or 443 also without it, as clients leave it
  ///     out
  /// @param allowOrigins the foreign pages that may use this server from a browser, as
  ///     `scheme://host` or `scheme://host:port`
  /// @param servers the operator's own servers, which clients may connect by these names, whatever
  ///     they run
  /// @param limits what a request may cost
  public record Options(
      String host,
      int port,
      String token,
      Collection<String> allow,
      Map<String, String> environment,
      Collection<String> allowHosts,
      Collection<String> allowOrigins,
      Map<String, ServerSpec> servers,
      Limits limits) {

    /// Checks the ranges, and the allowed hosts and origins, which are kept in lower case.
    public Options {
      if (port < 0 || port > 65_535) {
        throw new IllegalArgumentException("port must be 0 to 65535, is " + port);
      }
      if (!token.matches("[!-~]+")) {
        throw new IllegalArgumentException("the token must be visible ASCII without blanks");
      }
      allow = List.copyOf(allow);
      allowHosts = Gate.checkedHosts(allowHosts);
      allowOrigins = Gate.checkedOrigins(allowOrigins);
      servers = Collections.unmodifiableMap(new LinkedHashMap<>(servers));
    }

    /// Allows no host and no origin but the front's own, and has the default limits.
    public Options(
        String host,
        int port,
        String token,
        Collection<String> allow,
        Map<String, String> environment) {
      this(
          host, port, token, allow, environment, List.of(), List.of(), Map.of(), Limits.defaults());
    }

    /// Returns the same with these hosts.
    public Options withAllowHosts(Collection<String> hosts) {
      return new Options(
          host, port, token, allow, environment, hosts, allowOrigins, servers, limits);
    }

    /// Returns the same with these origins.
    public Options withAllowOrigins(Collection<String> origins) {
      return new Options(
          host, port, token, allow, environment, allowHosts, origins, servers, limits);
    }

    /// Returns the same with these limits.
    public Options withLimits(Limits limits) {
      return new Options(
          host, port, token, allow, environment, allowHosts, allowOrigins, servers, limits);
    }

    /// Returns the same with these servers of the operator's own.
    public Options withServers(Map<String, ServerSpec> servers) {
      return new Options(
          host, port, token, allow, environment, allowHosts, allowOrigins, servers, limits);
    }

    /// Without the token and the environment.
    @Override
    public String toString() {
      return "front on " + host + ":" + port + ", allowing " + allow;
    }
  }

  /// What requests may cost. There is no "unlimited".
  ///
  /// @param body bytes of a body, 1 KiB to 64 MiB; beyond it 413; default 1 MiB
  /// @param target bytes of a path with its query, 256 to 32 KiB; beyond it 414; default 8 KiB
  /// @param headers how many lines of headers, 16 to 400; beyond it 431; default 100
  /// @param headerBytes bytes of all headers together, 1 KiB to 96 KiB; beyond it 431; default 64
  ///     KiB
  /// @param write how long a client may take to read 64 KiB of its answer, 1 ms to 10 min; sixty
  ///     times as long for the whole of it; beyond it cut off; default 10 s
  /// @param requests how many are served at the same time, 1 to 10,000; beyond it 429; default 256.
  ///     `/health` and those that are refused before they are looked at are not counted
  /// @param streams how many streams of events are served at the same time, 1 to 10,000, which do not
  ///     count as requests; beyond it 429; default 128
  /// @param heartbeat after how much silence a stream shows that it lives, 10 ms to 10 min; default
  ///     15 s
  public record Limits(
      int body,
      int target,
      int headers,
      int headerBytes,
      Duration write,
      int requests,
      int streams,
      Duration heartbeat) {
    private static final int MOST_TARGET = 32 << 10;
    private static final int MOST_HEADERS = 400;
    private static final int MOST_HEADER_BYTES = 96 << 10;
    private static final Duration MOST_TIME = Duration.ofMinutes(10);

    /// Checks each value by name.
    public Limits {
      check("body", body, 1 << 10, 64 << 20);
      check("target", target, 256, MOST_TARGET);
      check("headers", headers, 16, MOST_HEADERS);
      check("headerBytes", headerBytes, 1 << 10, MOST_HEADER_BYTES);
      check("write", write, 1);
      check("requests", requests, 1, 10_000);
      check("streams", streams, 1, 10_000);
      check("heartbeat", heartbeat, 10);
    }

    private static void check(String name, Duration value, int leastMs) {
      if (value.compareTo(Duration.ofMillis(leastMs)) < 0 || value.compareTo(MOST_TIME) > 0) {
        throw new IllegalArgumentException(
            name + " must be " + leastMs + " ms to 10 min, is " + value);
      }
    }

    private static void check(String name, int value, int least, int most) {
      if (value < least || value > most) {
        throw new IllegalArgumentException(
            name + " must be " + least + " to " + most + ", is " + value);
      }
    }

    /// Returns the defaults.
    public static Limits defaults() {
      return new Limits(
          1 << 20,
          8 << 10,
          100,
          64 << 10,
          Duration.ofSeconds(10),
          256,
          128,
          Duration.ofSeconds(15));
    }

    /// Returns the same with this longest body.
    public Limits withBody(int bytes) {
      return new Limits(bytes, target, headers, headerBytes, write, requests, streams, heartbeat);
    }

    /// Returns the same with these limits of a request's head.
    public Limits withHead(int target, int headers, int headerBytes) {
      return new Limits(body, target, headers, headerBytes, write, requests, streams, heartbeat);
    }

    /// Returns the same with this time to read 64 KiB.
    public Limits withWrite(Duration time) {
      return new Limits(body, target, headers, headerBytes, time, requests, streams, heartbeat);
    }

    /// Returns the same with this many requests at the same time.
    public Limits withRequests(int count) {
      return new Limits(body, target, headers, headerBytes, write, count, streams, heartbeat);
    }

    /// Returns the same with this many streams at the same time, and this heartbeat for each.
    public Limits withStreams(int count, Duration heartbeat) {
      return new Limits(body, target, headers, headerBytes, write, requests, count, heartbeat);
    }
  }

  private final HttpServer server;
  private final ExecutorService requests;
  private final ExecutorService late; // that come while the others are waited for
  private final Requests handler;
  private final List<String> missing;
  private final URI uri;

  private Front(HttpServer server, Options options, McpHost host) {
    this.server = server;
    this.requests =
        Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name("front request ", 1).factory());
    this.late =
        Executors.newThreadPerTaskExecutor(
            Thread.ofVirtual().name("front late request ", 1).factory());
    int port = server.getAddress().getPort();
    this.uri = URI.create("http://" + Gate.bracketed(options.host()) + ":" + port);
    var commands = new CommandPolicy(options.allow(), options.environment());
    this.missing = commands.missing();
    this.handler =
        new Requests(
            new Gate(options, port), options.limits(), new Api(host, commands, options.servers()));
    server.setExecutor(this::execute);
    server.createContext("/", handler);
    server.start();
  }

  /// Binds and starts to answer.
  ///
  /// @throws IOException when the address cannot be bound: the message names it. The JDK's server
  ///     keeps the descriptor of a socket that it could not bind, so do not try in a loop
  public static Front open(Options options, McpHost host) throws IOException {
    var address = new InetSocketAddress(InetAddress.getByName(options.host()), options.port());
    HttpServer server;
    try {
      server = HttpServer.create(address, 0);
    } catch (IOException e) {
      throw new IOException(
          "cannot listen on " + options.host() + ":" + options.port() + ": " + e.getMessage(), e);
    }
    try {
      return new Front(server, options, host);
    } catch (RuntimeException | Error e) {
      server.stop(0);
      throw e;
    }
  }

  /// Returns where it listens, with the port that it got.
  public URI uri() {
    return uri;
  }

  /// Returns the allowed executables that were not found when it was opened, as they were given:
  /// their commands are refused, also if they are installed later.
  public List<String> missing() {
    return missing;
  }

  /// Answers 503 to every request that comes from now on; those that wait for the host still wait.
  public void refuse() {
    handler.refuse();
  }

  private void execute(Runnable request) {
    try {
      requests.execute(request);
    } catch (RejectedExecutionException _) {
      late.execute(request);
    }
  }

  /// Takes no more requests: who still comes is answered 503. Stops listening and returns when those
  /// that are there have been answered, or a second has passed: then they are cut off. For the late
  /// it does not wait, but for a moment that one may need to be told. Called twice, it does nothing.
  /// Waits on, when interrupted, and sets the flag again.
  @Override
  public void close() {
    refuse();
    // It is the threads that are waited for: the JDK's own stop(1) often waits in vain, since it
    // does not notice when a client closes a connection on which it expects a request.
    Deadline stop = Deadline.after(STOP);
    end(requests, stop);
    end(late, stop.orSooner(REFUSAL));
    server.stop(0);
    requests.shutdownNow();
    late.shutdownNow();
    requests.close();
    late.close();
  }

  private static void end(ExecutorService threads, Deadline deadline) {
    threads.shutdown();
    deadline.await(nanos -> threads.awaitTermination(nanos, TimeUnit.NANOSECONDS));
  }

  /// Short, and safe to show.
  static String quoted(String text) {
    String shown = text.length() > 60 ? text.substring(0, 60) + "…" : text;
    return "'" + shown.replaceAll("\\p{Cc}", "?") + "'";
  }
}
