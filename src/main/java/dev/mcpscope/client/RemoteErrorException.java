package dev.mcpscope.client;

import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.rpc.RpcError;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// The server has answered a call with a JSON-RPC error.
public final class RemoteErrorException extends McpException {
  private static final long serialVersionUID = 1;

  /// The user has to go to some URLs before the request can be answered: [#elicitations()].
  public static final int URL_ELICITATION_REQUIRED = -32042;

  private final transient String server;
  private final transient RpcError error;
  private final int code;
  private final int status; // of the HTTP answer that it came in; 0 if that was a success, or none

  RemoteErrorException(String server, String method, RpcError error) {
    this(server, method, error, 0);
  }

  RemoteErrorException(String server, String method, RpcError error, int status) {
    super(
        server + ": " + method + " was answered by error " + error.code() + ": " + error.message(),
        null);
    this.server = server;
    this.error = error;
    this.code = error.code();
    this.status = status;
  }

  /// "The JSON-RPC error body distinguishes this case from a `404` returned by a legacy server": it is
  /// not the method that is looked for in vain, but a method that a modern server does not have.
  boolean isNotFound() {
    return code == RpcError.METHOD_NOT_FOUND && status == 404;
  }

  /// Returns the error's code; negative ones from -32768 to -32000 are reserved by JSON-RPC.
  public int code() {
    return code;
  }

  /// Returns what the server adds to the message, if anything.
  public Optional<JsonValue> data() {
    return error == null ? Optional.empty() : error.data();
  }

  /// Returns where the user has to go before the request is made again, if that is the error; what
  /// does not fit the protocol is left out. The request is not repeated by itself.
  public List<ElicitationUrl> elicitations() {
    var urls = new ArrayList<ElicitationUrl>();
    if (code == URL_ELICITATION_REQUIRED && data().orElse(null) instanceof JsonObject data) {
      for (JsonValue url :
          data.get("elicitations") instanceof JsonArray all ? all : JsonArray.EMPTY) {
        try {
          if (url instanceof JsonObject params) {
            urls.add(ElicitationUrl.parse(server, params));
          }
        } catch (JsonException _) {
          // left out
        }
      }
    }
    return List.copyOf(urls);
  }
}
