package dev.mcpscope.host;

import dev.mcpscope.client.ConnectionState;
import dev.mcpscope.client.ServerEvent;
import dev.mcpscope.scope.Backlog;

/// What happens in a host.
public sealed interface HostEvent {

  /// A connection has come to another state.
  ///
  /// @param status how it stands now
  record Changed(ConnectionStatus status) implements HostEvent {}

  /// A server has told something.
  ///
  /// @param session the session of its connection
  /// @param name the connection's name
  /// @param generation which connection of that name
  /// @param event what it has told
  record Told(String session, String name, long generation, ServerEvent event)
      implements HostEvent {}

  /// So many events were dropped here, because more came than were taken.
  ///
  /// @param count 1 or more
  record Dropped(long count) implements HostEvent {}

  /// What may go when more comes than is taken: what a server's own policy says, and before that the
  /// states that were passed through.
  Backlog.Policy<HostEvent> POLICY =
      new Backlog.Policy<>() {
        /// What an event of a connection is about.
        record About(long generation, Object subject) {}

        @Override
        public Object subject(HostEvent event) {
          if (event instanceof Told(_, _, var generation, var told)) {
            Object subject = ServerEvent.POLICY.subject(told);
            return subject == null ? null : new About(generation, subject);
          }
          return null;
        }

        @Override
        public boolean droppable(HostEvent event) {
          return switch (event) {
            case Told(_, _, _, var told) -> ServerEvent.POLICY.droppable(told);
            case Changed(var status) -> status.state() instanceof ConnectionState.Connecting;
            case Dropped _ -> false;
          };
        }

        @Override
        public HostEvent dropped(long count) {
          return new Dropped(count);
        }
      };
}
