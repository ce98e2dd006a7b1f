package dev.mcpscope.http;

import dev.mcpscope.json.JsonObject;
import dev.mcpscope.rpc.RpcCodec;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import dev.mcpscope.transport.CallFailure;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicReference;

/// What a server has been told of its session, so that it can be told again when it has forgotten it.
final class Renewal {
  /// Waits for nothing that comes of what is sent.
  private static final Exchange.Receiver NOBODY =
      new Exchange.Receiver() {
        @Override
        public void received(RpcMessage message, int bytes) {}

        @Override
        public void failed(CallFailure failure) {}
      };

  private final HttpTransport transport;

  // written by the transport's owner, read by the subtask that renews
  private volatile RpcMessage.Request initialize;
  private volatile RpcMessage.Request logLevel; // the last one
  private final Map<String, RpcMessage.Request> subscriptions = new ConcurrentSkipListMap<>();

  private int asked; // the subtask's, of which there is one at a time

  Renewal(HttpTransport transport) {
    this.transport = transport;
  }

  /// Keeps what a new session has to be told again.
  void remember(RpcMessage.Request request) {
    switch (request.method()) {
      case HttpTransport.INITIALIZE -> initialize = request;
      case "logging/setLevel" -> logLevel = request;
      case "resources/subscribe" -> subscriptions.put(uri(request), request);
      case "resources/unsubscribe" -> subscriptions.remove(uri(request));
      default -> {}
    }
  }

  private static String uri(RpcMessage.Request request) {
    return String.valueOf(request.params().get("uri"));
  }

  /// Whether this is the id of the request that began the first session.
  boolean hasBegunWith(Optional<RpcId> id) {
    RpcMessage.Request first = initialize;
    return first != null && id.equals(Optional.of(first.id()));
  }

  /// Begins a session in the place of one that is lost, and tells it what the one before was told: a
  /// subtask. The server may be another one by now, as long as it speaks the same revision.
  ///
  /// @throws IOException when there is no such session, in words that go on with a sentence
  void run() throws IOException, InterruptedException {
    RpcMessage.Response answer = again(initialize);
    if (!(answer instanceof RpcMessage.Result) || !transport.isAsBefore()) {
      throw new IOException("it does not answer initialize as it did");
    }
    var initialized = new RpcMessage.Notification(HttpTransport.INITIALIZED, JsonObject.EMPTY);
    transport.exchange(initialized, RpcCodec.encode(initialized), NOBODY).run(transport.session());
    if (logLevel != null) {
      again(logLevel);
    }
    for (RpcMessage.Request subscription : List.copyOf(subscriptions.values())) {
      again(subscription);
    }
    transport.renewed();
  }

  /// Asks what was asked in another session, under an id that no call has.
  private RpcMessage.Response again(RpcMessage.Request request)
      throws IOException, InterruptedException {
    var id = RpcId.of("renewal-" + ++asked);
    var answer = new AtomicReference<RpcMessage.Response>();
    var failed = new AtomicReference<CallFailure>();
    var message = new RpcMessage.Request(id, request.method(), request.params());
    transport
        .exchange(
            message,
            RpcCodec.encode(message),
            new Exchange.Receiver() {
              @Override
              public void received(RpcMessage received, int bytes) {
                if (received instanceof RpcMessage.Response response
                    && response.id().equals(Optional.of(id))) {
                  answer.set(response);
                } else {
                  transport.received(received, bytes);
                }
              }

              @Override
              public void failed(CallFailure failure) {
                failed.set(failure);
              }
            })
        .run(transport.session());
    if (failed.get() != null) {
      throw new IOException(request.method() + ": " + failed.get().message(), failed.get().cause());
    }
    return answer.get();
  }
}
