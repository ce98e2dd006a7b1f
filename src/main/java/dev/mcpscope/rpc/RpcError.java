package dev.mcpscope.rpc;

import dev.mcpscope.json.JsonValue;
import java.util.Objects;
import java.util.Optional;

/// Why a request failed, in the words of the peer that failed it.
///
/// @param code one of the constants, or any other integer
/// @param message one sentence, possibly empty
/// @param data whatever the peer adds
public record RpcError(int code, String message, Optional<JsonValue> data) {

  /// The text is not JSON.
  public static final int PARSE_ERROR = -32700;

  /// The JSON is not a request.
  public static final int INVALID_REQUEST = -32600;

  /// There is no such method here.
  public static final int METHOD_NOT_FOUND = -32601;

  /// The method exists, its params are wrong.
  public static final int INVALID_PARAMS = -32602;

  /// The method failed for a reason of its own.
  public static final int INTERNAL_ERROR = -32603;

  /// The headers of a request are not what its body says; since revision 2026-07-28.
  public static final int HEADER_MISMATCH = -32020;

  /// The request needs a capability that the client has not declared with it; since revision
  /// 2026-07-28.
  public static final int MISSING_CLIENT_CAPABILITY = -32021;

  /// The request is of a revision that the server does not speak; since revision 2026-07-28.
  public static final int UNSUPPORTED_PROTOCOL_VERSION = -32022;

  public RpcError {
    Objects.requireNonNull(message, "message");
    Objects.requireNonNull(data, "data");
  }

  /// An error without data.
  public RpcError(int code, String message) {
    this(code, message, Optional.empty());
  }
}
