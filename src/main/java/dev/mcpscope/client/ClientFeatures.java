package dev.mcpscope.client;

import dev.mcpscope.json.JsonObject;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.Consumer;

/// What a client does for its server: answers what it asks, hears what it tells. What is given here
/// is declared to the server, and nothing else.
///
/// All of it is user code. A handler runs in a thread of its own, outside the connection's scope,
/// for [ClientOptions#handlerTimeout()] at the most; it is interrupted when its time is over, when
/// the server cancels its request, and when the connection ends. It may call the client, and close
/// it. What it throws is answered as an error: a [RequestRefusedException] with its own code and
/// message, anything else without a word of it. The listener is called with one event at a time,
/// for [ClientOptions#listenerTimeout()] each.
///
/// @param roots tells the places that the server may work in
/// @param sampling has a model answer
/// @param samplingOptions what more the handler of `sampling` is able to do
/// @param elicitation has the user fill in a form
/// @param elicitationUrl asks the user whether he will go to a URL
/// @param listener hears what the server tells
/// @see <a href="https://modelcontextprotocol.io/specification/2025-11-25/client/roots">Client
///     features, revision 2025-11-25</a>
public record ClientFeatures(
    Optional<Callable<List<Root>>> roots,
    Optional<Handler<SamplingRequest, SamplingResult>> sampling,
    Set<SamplingOption> samplingOptions,
    Optional<Handler<ElicitationForm, ElicitationResult>> elicitation,
    Optional<Handler<ElicitationUrl, ElicitationResult>> elicitationUrl,
    Optional<Consumer<ServerEvent>> listener) {

  /// Answers a request of a server.
  ///
  /// @param <Q> what is asked
  /// @param <A> what is answered
  @FunctionalInterface
  public interface Handler<Q, A> {
    /// Answers; not null.
    A answer(Q request) throws Exception;
  }

  /// What a handler of sampling may be able to do besides.
  public enum SamplingOption {
    /// It lets the model use the tools that come with a request.
    TOOLS,
    /// It adds the context of servers that a request asks for.
    CONTEXT
  }

  /// Copies.
  public ClientFeatures {
    samplingOptions = Set.copyOf(samplingOptions);
  }

  /// Returns a client that does nothing for its server.
  public static ClientFeatures none() {
    return new ClientFeatures(
        Optional.empty(),
        Optional.empty(),
        Set.of(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty());
  }

  /// Returns the same with these roots; say [McpClient#rootsChanged()] when they change.
  public ClientFeatures withRoots(Callable<List<Root>> roots) {
    return new ClientFeatures(
        Optional.of(roots), sampling, samplingOptions, elicitation, elicitationUrl, listener);
  }

  /// Returns the same with this way to a model.
  public ClientFeatures withSampling(
      Handler<SamplingRequest, SamplingResult> handler, SamplingOption... options) {
    Set<SamplingOption> able = EnumSet.noneOf(SamplingOption.class);
    able.addAll(List.of(options));
    return new ClientFeatures(
        roots, Optional.of(handler), able, elicitation, elicitationUrl, listener);
  }

  /// Returns the same with this way to have a form filled in.
  public ClientFeatures withElicitation(Handler<ElicitationForm, ElicitationResult> handler) {
    return new ClientFeatures(
        roots, sampling, samplingOptions, Optional.of(handler), elicitationUrl, listener);
  }

  /// Returns the same with this way to ask for consent to a URL.
  public ClientFeatures withElicitationUrl(Handler<ElicitationUrl, ElicitationResult> handler) {
    return new ClientFeatures(
        roots, sampling, samplingOptions, elicitation, Optional.of(handler), listener);
  }

  /// Returns the same with this listener.
  public ClientFeatures withListener(Consumer<ServerEvent> listener) {
    return new ClientFeatures(
        roots, sampling, samplingOptions, elicitation, elicitationUrl, Optional.of(listener));
  }

  /// Returns what is declared to the server.
  JsonObject capabilities() {
    JsonObject declared = JsonObject.EMPTY;
    if (roots.isPresent()) {
      declared = declared.with("roots", JsonObject.of("listChanged", true));
    }
    if (sampling.isPresent()) {
      JsonObject able = JsonObject.EMPTY;
      if (samplingOptions.contains(SamplingOption.TOOLS)) {
        able = able.with("tools", JsonObject.EMPTY);
      }
      if (samplingOptions.contains(SamplingOption.CONTEXT)) {
        able = able.with("context", JsonObject.EMPTY);
      }
      declared = declared.with("sampling", able);
    }
    if (elicitation.isPresent() || elicitationUrl.isPresent()) {
      JsonObject modes = JsonObject.EMPTY;
      if (elicitation.isPresent()) {
        modes = modes.with("form", JsonObject.EMPTY);
      }
      if (elicitationUrl.isPresent()) {
        modes = modes.with("url", JsonObject.EMPTY);
      }
      declared = declared.with("elicitation", modes);
    }
    return declared;
  }
}
