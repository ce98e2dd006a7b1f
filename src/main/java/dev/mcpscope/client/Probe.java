package dev.mcpscope.client;

import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.rpc.RpcError;
import dev.mcpscope.scope.Deadline;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/// Finds out which era a server speaks, and begins to speak it; one thread. The server is asked
/// `server/discover`, and what comes of that decides, on each transport in the same way:
///
/// | comes back | the server is |
/// |---|---|
/// | a result that has `supportedVersions` | modern |
/// | an error -32020 to -32022 | modern: the request is put right, or the error is the answer |
/// | HTTP 404 with the error -32601 | modern, and does not know the question |
/// | any other error, result, or HTTP status; an answer that breaks off or cannot be read | legacy |
/// | nothing in time | legacy, unless it refuses the handshake, and says yet that it is modern |
/// | nothing, because the process ends | legacy, and started once more ([Attempt]) |
/// | HTTP 401 or 403; no connection | not known: the connect fails |
///
/// A modern server that speaks none of our modern revisions, but one of the others, is spoken to by
/// handshake: it says so itself.
///
/// @param choice what was found by [#choice]
/// @param memory is told what is found out
/// @param subscribed see [Handshake]
/// @param phase told what is waited for
/// @see <a
///     href="https://modelcontextprotocol.io/specification/2026-07-28/basic/versioning#backward-compatibility-with-initialization-based-versions">
///     Backward compatibility, revision 2026-07-28</a>
record Probe(
    ServerSpec spec,
    EraChoice choice,
    Calls calls,
    ClientOptions options,
    Stateless.Modern modern,
    EraMemory memory,
    Set<String> subscribed,
    Consumer<String> phase) {
  private static final System.Logger LOG = System.getLogger("dev.mcpscope.client");

  /// The words for what is waited for.
  static final String PROBE = "server/discover";

  static final String HANDSHAKE = "initialize";

  /// What the answer says of the server.
  private sealed interface Verdict {
    /// It tells of itself.
    record Modern(JsonObject discovered) implements Verdict {}

    /// It is modern, and refuses the request.
    record Refuses(RemoteErrorException why) implements Verdict {}

    /// It is legacy, as far as this goes.
    ///
    /// @param cut whether nothing more is known than that the connection has broken off, as a socket
    ///     does that was idle for too long
    record Legacy(McpException why, boolean cut) implements Verdict {}

    /// It has not said anything yet.
    record Silent() implements Verdict {}
  }

  /// Begins to speak to the server.
  ///
  /// @param known what was found out before, and is not looked at again: if it is wrong by now, the
  ///     first request that is made is refused
  Era open(Optional<EraMemory.Known> known) throws McpException, InterruptedException {
    return switch (choice) {
      case LEGACY -> handshake();
      case MODERN -> modernOnly(1);
      case AUTO ->
          switch (known.orElse(null)) {
            case EraMemory.Known.Legacy _ -> noted(handshake());
            case EraMemory.Known.Modern(var discovered) -> agreed(discovered);
            case null -> noted(probed(1));
          };
    };
  }

  private Era noted(Era era) {
    switch (era) {
      case Handshake _ -> memory.legacy(spec);
      case Stateless _ -> {
        // One without tools would be asked nothing else, and be connected though it may not be
        // there.
        if (options.protocol().caching() && era.server().declares("tools")) {
          memory.modern(spec, era.server().json());
        }
      }
    }
    return era;
  }

  /// Returns what a server is asked for: HTTP with server-sent events is of the legacy era, and has no
  /// other.
  static EraChoice choice(ServerSpec spec, ClientOptions options) {
    boolean sse =
        spec instanceof ServerSpec.Http(_, _, var kind) && kind == ServerSpec.Http.Kind.SSE;
    return sse ? EraChoice.LEGACY : options.protocol().era();
  }

  private Handshake handshake() throws McpException, InterruptedException {
    phase.accept(HANDSHAKE);
    return Handshake.open(calls, options, subscribed);
  }

  private Era modernOnly(int attempt) throws McpException, InterruptedException {
    try (var asked = ask(Stateless.REVISIONS.getFirst())) {
      return switch (verdict(asked, Deadline.NEVER)) {
        case Verdict.Legacy(_, var cut) when cut && attempt == 1 -> modernOnly(2);
        case Verdict.Legacy(var why, var cut) when cut -> throw why; // it says nothing of the era
        case Verdict.Legacy(var why, _) ->
            throw new ProtocolViolationException(
                calls.server()
                    + ": the server does not speak "
                    + String.join(", ", Stateless.REVISIONS)
                    + ", and another revision is not wanted: "
                    + why.getMessage(),
                why);
        case Verdict verdict -> modern(verdict).orElseThrow(); // it is not silent for ever
      };
    }
  }

  private Era probed(int attempt) throws McpException, InterruptedException {
    try (var asked = ask(Stateless.REVISIONS.getFirst())) {
      Verdict verdict = verdict(asked, Deadline.after(options.probeTime()));
      Optional<Era> modern = modern(verdict);
      if (modern.isPresent()) {
        return modern.get();
      }
      if (verdict instanceof Verdict.Legacy(var why, var cut)) {
        LOG.log(
            System.Logger.Level.DEBUG,
            "{0}: no modern server: {1}",
            calls.server(),
            why.getMessage());
        return cut && attempt == 1 ? probed(2) : handshake();
      }
      return handshakeUnlessItWasSlow(asked);
    }
  }

  /// A server may be slow to start, and answer what it was asked first when it is asked the second
  /// time.
  private Era handshakeUnlessItWasSlow(Calls.Asked asked)
      throws McpException, InterruptedException {
    try {
      return handshake();
    } catch (RemoteErrorException | ExchangeFailedException refused) {
      Verdict late = verdict(asked, Deadline.after(options.probeTime()));
      return modern(late).orElseThrow(() -> refused);
    }
  }

  private Calls.Asked ask(String version) throws McpException {
    phase.accept(PROBE);
    JsonObject params = JsonObject.of("_meta", Stateless.meta(options, version));
    return calls.ask(PROBE, params, _ -> {});
  }

  private Verdict verdict(Calls.Asked asked, Deadline deadline)
      throws McpException, InterruptedException {
    Optional<JsonObject> answer;
    try {
      answer = asked.await(deadline);
    } catch (RemoteErrorException e) {
      return switch (e.code()) {
        case RpcError.HEADER_MISMATCH,
            RpcError.MISSING_CLIENT_CAPABILITY,
            RpcError.UNSUPPORTED_PROTOCOL_VERSION ->
            new Verdict.Refuses(e);
        default -> e.isNotFound() ? new Verdict.Refuses(e) : new Verdict.Legacy(e, false);
      };
    } catch (ExchangeFailedException e) {
      if (!e.mayHaveRun() && e.status().isEmpty()) {
        throw e; // there is nobody
      }
      return new Verdict.Legacy(e, e.status().isEmpty());
    } catch (ProtocolViolationException e) {
      calls.ensureOpen(); // else it is the connection that was lost by it
      return new Verdict.Legacy(e, false);
    }
    if (answer.isEmpty()) {
      return new Verdict.Silent();
    }
    if (answer.get().get("supportedVersions") instanceof JsonArray) {
      return new Verdict.Modern(answer.get());
    }
    String why = calls.server() + ": the answer to " + PROBE + " names no supportedVersions";
    return new Verdict.Legacy(new ProtocolViolationException(why, null), false);
  }

  /// Begins to speak to a modern server; empty if it is none.
  private Optional<Era> modern(Verdict verdict) throws McpException, InterruptedException {
    return switch (verdict) {
      case Verdict.Modern(var discovered) -> Optional.of(agreed(discovered));
      case Verdict.Refuses(var why) when why.isNotFound() ->
          Optional.of(stateless(ServerInfo.assumed(Stateless.REVISIONS.getFirst())));
      case Verdict.Refuses(var why) when why.code() == RpcError.UNSUPPORTED_PROTOCOL_VERSION ->
          Optional.of(askedAgain(why));
      case Verdict.Refuses(var why) -> throw why;
      case Verdict.Legacy _, Verdict.Silent _ -> Optional.empty();
    };
  }

  /// "Use one of the versions in its advertised supported list."
  private Era askedAgain(RemoteErrorException why) throws McpException, InterruptedException {
    List<String> supported = Stateless.supported(why);
    String version = mutual(supported, Stateless.REVISIONS).orElse(null);
    if (version == null) {
      return legacyOnly(supported);
    }
    try (var asked = ask(version)) {
      Optional<JsonObject> answer = asked.await(Deadline.NEVER);
      return agreed(answer.orElseThrow());
    }
  }

  private Era agreed(JsonObject discovered) throws McpException, InterruptedException {
    List<String> versions = Stateless.texts(discovered.get("supportedVersions"));
    String version = mutual(versions, Stateless.REVISIONS).orElse(null);
    if (version == null) {
      return legacyOnly(versions);
    }
    return stateless(calls.parse(PROBE, discovered, json -> ServerInfo.discovered(json, version)));
  }

  private Era legacyOnly(List<String> versions) throws McpException, InterruptedException {
    boolean mutual = mutual(versions, Handshake.REVISIONS).isPresent();
    if (mutual && choice != EraChoice.MODERN) {
      return handshake();
    }
    throw new ProtocolViolationException(
        calls.server()
            + ": the server speaks protocol version "
            + Handlers.shown(String.join(", ", versions))
            + ", this client speaks "
            + String.join(", ", Stateless.REVISIONS),
        null);
  }

  /// Returns the first of ours that is one of theirs too.
  private static Optional<String> mutual(List<String> theirs, List<String> ours) {
    return ours.stream().filter(theirs::contains).findFirst();
  }

  private Era stateless(ServerInfo server) {
    return Stateless.open(calls, options, modern, server);
  }
}
