package dev.mcpscope.client;

import java.util.List;

/// Makes what a server that wants another authorization is met by, for tests of other packages.
public final class Challenged {
  private Challenged() {}

  public static AuthorizationRequiredException by(int status, String... challenges) {
    return new AuthorizationRequiredException(
        "the server has answered " + status, status, List.of(challenges), null);
  }
}
