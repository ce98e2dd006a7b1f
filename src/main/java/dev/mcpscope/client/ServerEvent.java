package dev.mcpscope.client;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonValue;
import dev.mcpscope.scope.Backlog;
import java.util.Locale;
import java.util.Optional;

/// What a server tells without being asked.
///
/// Told in order, to the listener of [ClientFeatures] and to a host's subscribers. Who is slow does
/// not hold the connection: of news about the same thing the newest takes the place of what waits,
/// and of log messages the oldest are dropped, which is told by [Dropped].
public sealed interface ServerEvent {

  /// A list has changed: ask for it again.
  ///
  /// @param list which one
  record ListChanged(List list) implements ServerEvent {}

  /// The lists that change.
  enum List {
    /// [McpClient#tools()]
    TOOLS,
    /// [McpClient#resources()], and the templates
    RESOURCES,
    /// [McpClient#prompts()]
    PROMPTS;

    /// Returns the protocol's word for it.
    String word() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /// A resource has changed: read it again.
  ///
  /// @param uri the one that was subscribed to, or one below it
  /// @param json the whole as the server sent it
  record ResourceUpdated(String uri, JsonObject json) implements ServerEvent {}

  /// The server logs.
  ///
  /// @param level how important it is; [LogLevel#INFO] if it has a word of its own for that
  /// @param logger which part of it speaks, if it says
  /// @param data what it says: a text, or any other value
  /// @param json the whole as the server sent it
  record LogMessage(LogLevel level, Optional<String> logger, JsonValue data, JsonObject json)
      implements ServerEvent {}

  /// A call of ours has come further. Its own listener, if it has one, is told too.
  ///
  /// @param call counts the calls of a connection
  /// @param method what was called
  /// @param target the tool, prompt or resource it was called for; empty if there is none
  /// @param progress how far it is
  record CallProgress(long call, String method, String target, Progress progress)
      implements ServerEvent {}

  /// What the user was sent to a URL for is done; see [ElicitationUrl].
  ///
  /// @param elicitationId the id that came with the URL
  record ElicitationCompleted(String elicitationId) implements ServerEvent {}

  /// So many events were dropped here, because more came than were taken, or because they were
  /// longer than the limit.
  ///
  /// @param count 1 or more
  record Dropped(long count) implements ServerEvent {}

  /// Reads a notification.
  ///
  /// @return empty if it is none that anybody here knows
  /// @throws JsonException if its params are wrong
  static Optional<ServerEvent> parse(String method, JsonObject params) throws JsonException {
    return Optional.ofNullable(
        switch (method) {
          case "notifications/tools/list_changed" -> new ListChanged(List.TOOLS);
          case "notifications/resources/list_changed" -> new ListChanged(List.RESOURCES);
          case "notifications/prompts/list_changed" -> new ListChanged(List.PROMPTS);
          case "notifications/resources/updated" ->
              new ResourceUpdated(params.string("uri"), params);
          case "notifications/elicitation/complete" ->
              new ElicitationCompleted(params.string("elicitationId"));
          case "notifications/message" -> log(params);
          default -> null;
        });
  }

  private static LogMessage log(JsonObject params) throws JsonException {
    JsonValue data = params.get("data");
    return new LogMessage(
        LogLevel.of(params.string("level")).orElse(LogLevel.INFO),
        params.optionalString("logger"),
        data == null ? JsonNull.INSTANCE : data,
        params);
  }

  /// What may go when more comes than is taken.
  Backlog.Policy<ServerEvent> POLICY =
      new Backlog.Policy<>() {
        @Override
        public Object subject(ServerEvent event) {
          return switch (event) {
            case ListChanged _, ElicitationCompleted _ -> event;
            case ResourceUpdated updated -> updated.uri();
            case CallProgress progress -> progress.call();
            case LogMessage _, Dropped _ -> null;
          };
        }

        @Override
        public boolean droppable(ServerEvent event) {
          return switch (event) {
            case LogMessage _, CallProgress _ -> true;
            case ListChanged _, ResourceUpdated _, ElicitationCompleted _, Dropped _ -> false;
          };
        }

        @Override
        public ServerEvent dropped(long count) {
          return new Dropped(count);
        }
      };
}
