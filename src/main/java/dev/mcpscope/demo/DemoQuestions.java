package dev.mcpscope.demo;

import dev.mcpscope.demo.DemoCall.Mail;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.rpc.RpcError;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/// What the demo server asks its client: requests in the other direction, each by the thread of the
/// call that needs the answer.
///
/// The thread that reads hands the answers over. Who takes a question out of the table has decided
/// how it ends: the reader, it was answered; the one who asked, it is withdrawn.
final class DemoQuestions {
  private final Duration patience;
  private final Map<RpcId, DemoCall> open = new ConcurrentHashMap<>();
  private final AtomicLong asked = new AtomicLong();

  /// @param patience how long a question waits for its answer
  DemoQuestions(Duration patience) {
    this.patience = patience;
  }

  /// Asks, and waits; in the call's own thread. Unblocked by the answer, by the end of the call, by
  /// time and by interrupt; unless it is answered, the question is withdrawn.
  ///
  /// @return the answer, a failure of our own when time ran out, or empty when the call has been
  ///     cancelled
  Optional<RpcMessage.Response> ask(DemoCall call, String method, JsonObject params)
      throws InterruptedException {
    RpcId id = RpcId.of("ask-" + asked.incrementAndGet());
    open.put(id, call); // before it is sent: the answer may be quick
    try {
      call.out().request(id, method, params);
      return switch (call.await(patience)) {
        case Mail.Answered(var response) -> Optional.of(response);
        case Mail.Cancelled _ -> Optional.empty();
        case null -> {
          String late = "no answer within " + patience.toSeconds() + " s";
          RpcError error = new RpcError(RpcError.INTERNAL_ERROR, late);
          yield Optional.of(new RpcMessage.Failure(id, error));
        }
      };
    } finally {
      if (open.remove(id) != null) {
        call.out()
            .notify(
                "notifications/cancelled",
                JsonObject.of("requestId", id.value(), "reason", "the call that asks has ended"));
      }
    }
  }

  /// Hands an answer to the call that waits for it; never blocks.
  ///
  /// @return false when none does: it came late, twice, or was never asked for
  boolean answered(RpcMessage.Response response) {
    Optional<DemoCall> call = response.id().map(open::remove);
    call.ifPresent(waiting -> waiting.post(new Mail.Answered(response)));
    return call.isPresent();
  }
}
