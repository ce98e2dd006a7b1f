package dev.mcpscope.front;

import java.util.Map;

/// A request that is answered by an error: the status, the detail that the client is told, and the
/// headers that go with the status.
final class HttpError extends Exception {
  private static final long serialVersionUID = 1;

  private final int status;
  private final transient Map<String, String> headers;

  HttpError(int status, String detail) {
    this(status, detail, Map.of());
  }

  HttpError(int status, String detail, Map<String, String> headers) {
    super(detail);
    this.status = status;
    this.headers = headers;
  }

  int status() {
    return status;
  }

  Map<String, String> headers() {
    return headers;
  }
}
