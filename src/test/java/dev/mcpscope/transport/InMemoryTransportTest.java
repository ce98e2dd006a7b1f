package dev.mcpscope.transport;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.rpc.RpcCodec;
import dev.mcpscope.rpc.RpcId;
import dev.mcpscope.rpc.RpcMessage;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicLong;

/// The smallest transport that there can be: a queue each way, and the peer a task like the reader.
class InMemoryTransportTest extends TransportContract {

  @Override
  protected Wired open(Behaviour behaviour, Inbox inbox) {
    return new Wired(new InMemory(behaviour, inbox), () -> true, () -> {});
  }

  private static final class InMemory implements Transport {
    private static final byte[] END = {};

    private final Behaviour behaviour;
    private final Inbox inbox;
    private final BlockingQueue<byte[]> toPeer = new LinkedBlockingQueue<>();
    private final BlockingQueue<byte[]> fromPeer = new LinkedBlockingQueue<>();
    private final AtomicLong waiting = new AtomicLong(); // bytes in toPeer
    private final Map<JsonValue, RpcId> asking = new HashMap<>(); // the peer's

    InMemory(Behaviour behaviour, Inbox inbox) {
      this.behaviour = behaviour;
      this.inbox = inbox;
    }

    @Override
    public List<Work> tasks() {
      return List.of(new Work("peer", false, this::serve), new Work("reader", false, this::read));
    }

    @Override
    public void send(RpcMessage message) throws OverloadedException {
      byte[] bytes = RpcCodec.encode(message);
      if (waiting.addAndGet(bytes.length) > 2 * MOST_BYTES) {
        waiting.addAndGet(-bytes.length);
        throw new OverloadedException("more than " + 2 * MOST_BYTES + " bytes wait");
      }
      toPeer.add(bytes);
    }

    @Override
    public void close(Closing closing) {
      closing.step("end its input", () -> toPeer.add(END));
    }

    private void read() throws InterruptedException, JsonException {
      for (byte[] bytes; (bytes = fromPeer.take()) != END; ) {
        if (bytes.length > MOST_BYTES) {
          String what = "a message is longer than " + MOST_BYTES + " bytes";
          inbox.lost(new Loss(Loss.Kind.PROTOCOL, what, null));
          return;
        }
        try {
          for (RpcMessage message : RpcCodec.decode(bytes, 0, bytes.length, limits())) {
            inbox.received(message, bytes.length);
          }
        } catch (JsonException _) {
          // nonsense
        }
      }
      inbox.lost(new Loss(Loss.Kind.GONE, "the peer has ended", null));
    }

    // The peer.

    private void serve() throws InterruptedException, JsonException {
      boolean initialized = false;
      for (byte[] bytes; (bytes = toPeer.take()) != END; ) {
        waiting.addAndGet(-bytes.length);
        switch (RpcCodec.decode(bytes, 0, bytes.length, limits()).getFirst()) {
          case RpcMessage.Request(var id, var method, var params) -> {
            if (method.equals("initialize")) {
              say(new RpcMessage.Result(id, JsonObject.of("protocolVersion", "2025-11-25")));
            } else if (behaviour == Behaviour.DIES) {
              fromPeer.add(END);
              return;
            } else {
              call(id, params);
            }
          }
          case RpcMessage.Notification _ -> initialized = true;
          case RpcMessage.Response response -> {
            RpcId asker = asking.remove(response.id().orElseThrow().value());
            answer(asker, new String(bytes, UTF_8));
          }
          case RpcMessage.Malformed malformed -> throw new AssertionError(malformed);
        }
        if (initialized && behaviour == Behaviour.DEAF) {
          return;
        }
      }
    }

    private void call(RpcId id, JsonObject params) throws JsonException {
      JsonObject arguments = params.object("arguments");
      switch (params.string("name")) {
        case "echo" -> answer(id, arguments.string("text"));
        case "say" -> {
          for (JsonValue message : arguments.array("messages")) {
            fromPeer.add(message.toString().getBytes(UTF_8));
          }
          answer(id, "said");
        }
        case "ask" -> {
          JsonObject request = arguments.object("message");
          asking.put(request.get("id"), id);
          fromPeer.add(request.toString().getBytes(UTF_8));
        }
        default -> {} // never
      }
    }

    private void answer(RpcId id, String text) {
      switch (behaviour) {
        case TALKS_NONSENSE -> fromPeer.add("{\"nonsense".getBytes(UTF_8));
        case ANSWERS_UNKNOWN_IDS -> say(new RpcMessage.Result(RpcId.of(9_999), JsonObject.EMPTY));
        case GOOD, DEAF, DIES, ANSWERS_TOO_LONG -> {}
      }
      String padding = behaviour == Behaviour.ANSWERS_TOO_LONG ? "x".repeat(MOST_BYTES) : "";
      JsonObject content = JsonObject.of("type", new JsonString("text"), "text", text + padding);
      say(new RpcMessage.Result(id, JsonObject.of("content", JsonArray.of(content))));
    }

    private void say(RpcMessage message) {
      fromPeer.add(RpcCodec.encode(message));
    }
  }
}
