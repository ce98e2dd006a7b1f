package dev.mcpscope.demo;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.rpc.RpcMessage;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;

/// A call of a tool that has no answer yet: what was asked for, where it is answered, and the mail by
/// which its thread hears from the one that reads.
final class DemoCall implements DemoTask {

  /// What may come while a call runs.
  sealed interface Mail {

    /// Nobody wants the call's answer any more.
    record Cancelled() implements Mail {}

    /// The client has answered the question that the call has asked.
    record Answered(RpcMessage.Response response) implements Mail {}
  }

  private final String tool;
  private final JsonObject arguments;
  private final Optional<JsonValue> progressToken;
  private final DemoEra era;
  private final DemoOutput out;

  /// Room for both kinds. A call asks one question at most, so that a full one holds a cancellation,
  /// and what does not go in would not be looked at.
  private final BlockingQueue<Mail> mail = new ArrayBlockingQueue<>(2);

  /// Reads the params of `tools/call`.
  ///
  /// @param out where the call says what it has to say
  /// @throws JsonException if the params have another shape
  DemoCall(JsonObject params, DemoEra era, DemoOutput out) throws JsonException {
    this.era = era;
    this.out = out;
    tool = params.string("name");
    arguments = params.optionalObject("arguments").orElse(JsonObject.EMPTY);
    progressToken =
        params
            .optionalObject("_meta")
            .map(meta -> meta.get("progressToken"))
            .filter(token -> token instanceof JsonString || token instanceof JsonNumber);
  }

  String tool() {
    return tool;
  }

  JsonObject arguments() {
    return arguments;
  }

  DemoEra era() {
    return era;
  }

  @Override
  public DemoOutput out() {
    return out;
  }

  /// Sends a log message, if the client wants it.
  void log(String level, String text) {
    if (era.logs(level)) {
      out.notify(
          "notifications/message", JsonObject.of("level", level, "logger", "demo", "data", text));
    }
  }

  /// The token under which the client wants to hear of progress, if it does.
  Optional<JsonValue> progressToken() {
    return progressToken;
  }

  @Override
  public void cancel() {
    post(new Mail.Cancelled());
  }

  /// It is over without an answer, unless it has one already.
  @Override
  public void end() {
    cancel();
  }

  /// Leaves mail; never blocks.
  void post(Mail message) {
    mail.offer(message);
  }

  /// Waits for mail; only in the call's own thread.
  ///
  /// @param atMost how long; zero only looks
  /// @return the first mail, or null when time ran out
  Mail await(Duration atMost) throws InterruptedException {
    return mail.poll(atMost.toNanos(), TimeUnit.NANOSECONDS);
  }
}
