package dev.mcpscope.host;

/// The host has reached one of its limits; nothing was done.
public final class LimitException extends Exception {
  private static final long serialVersionUID = 1;

  LimitException(String what, int limit) {
    super("the limit of " + limit + " " + what + " is reached");
  }
}
