package dev.mcpscope.front;

import dev.mcpscope.json.JsonObject;
import java.util.Map;

/// A request that is answered by an error: the status, the detail that the client is told, what else
/// it is told, and the headers that go with the status.
final class HttpError extends Exception {
  private static final long serialVersionUID = 1;

  private final int status;
  private final transient Map<String, String> headers;
  private final transient JsonObject more;

  HttpError(int status, String detail) {
    this(status, detail, Map.of(), JsonObject.EMPTY);
  }

  HttpError(int status, String detail, Map<String, String> headers) {
    this(status, detail, headers, JsonObject.EMPTY);
  }

  /// @param more members beside the detail
  HttpError(int status, String detail, JsonObject more) {
    this(status, detail, Map.of(), more);
  }

  private HttpError(int status, String detail, Map<String, String> headers, JsonObject more) {
    super(detail);
    this.status = status;
    this.headers = headers;
    this.more = more;
  }

  int status() {
    return status;
  }

  Map<String, String> headers() {
    return headers;
  }

  /// Returns what the client is told: the detail, and what goes with it.
  JsonObject body() {
    JsonObject body = JsonObject.of("detail", getMessage());
    for (var member : more.members().entrySet()) {
      body = body.with(member.getKey(), member.getValue());
    }
    return body;
  }
}
