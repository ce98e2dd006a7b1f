package dev.mcpscope;

import dev.mcpscope.client.ServerSpec;
import java.util.Arrays;
import java.util.List;

/// A small MCP server for crowds: a shell script that starts in milliseconds and takes about a
/// megabyte. [ScriptedServer] is the one for faults in what is said; this one is for numbers, and
/// for processes that do not want to end.
///
/// Its tools: `echo {text}`, of text without quotes and backslashes, and `never`, which is not
/// answered. It ends when its input ends, but for the habits that say otherwise. What it leaves
/// running ends by itself after [#LIFE_SECONDS], lest a failed test leave it.
public final class ShellServer {

  /// One way to misbehave.
  public enum Habit {
    /// Goes on at SIGTERM.
    IGNORES_TERM,
    /// Goes on when its input ends.
    IGNORES_EOF,
    /// Reads nothing more once it is connected; what ends it is SIGTERM.
    HUNG,
    /// Stops itself (SIGSTOP) once it is connected; what ends it is SIGKILL.
    STOPPED,
    /// Never answers `initialize`.
    SILENT,
    /// Has a child that keeps stdout and stderr, and lives on.
    GRANDCHILD,
    /// Has started a daemon, by a double fork, that holds no pipe and lives on.
    DAEMON,
    /// Answers no call of `echo` before it has been asked [#HELD] of them; then the last comes first.
    ANSWERS_IN_REVERSE
  }

  /// What a server that [Habit#ANSWERS_IN_REVERSE] waits for.
  public static final int HELD = 64;

  private static final int LIFE_SECONDS = 300;

  /// Ids are taken as they stand, and the first `"id"` of a line is that of the message.
  private static final String SERVE =
      """
      held= count=0
      while IFS= read -r line; do
        id=${line#*\\"id\\":} id=${id%%[,\\}]*}
        case $line in
          *'"method":"initialize"'*)
            case $habits in *SILENT*) continue ;; esac
            result='{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},\
      "serverInfo":{"name":"sh","version":"1"}}' ;;
          *'"method":"tools/list"'*)
            result='{"tools":[{"name":"echo","inputSchema":{"type":"object"}},\
      {"name":"never","inputSchema":{"type":"object"}}]}' ;;
          *'"name":"echo"'*)
            text=${line#*\\"text\\":\\"} text=${text%%\\"*}
            result='{"content":[{"type":"text","text":"'$text'"}]}' ;;
          *'"method":"ping"'*) result={} ;;
          *'"method":"server/discover"'*)
            printf '%s\\n' '{"jsonrpc":"2.0","id":'$id',"error":{"code":-32601,"message":"what?"}}'
            continue ;;
          *) continue ;;
        esac
        answer='{"jsonrpc":"2.0","id":'$id',"result":'$result'}'
        case $habits$line in
          *IN_REVERSE*'"name":"echo"'*)
            count=$((count + 1)) held="$answer
      $held"
            [ $count -lt $most ] || { printf %s "$held"; held= count=0; } ;;
          *) printf '%s\\n' "$answer" ;;
        esac
        case $habits$line in
          *HUNG*'"method":"tools/list"'*) exec sleep $life ;;
          *STOPPED*'"method":"tools/list"'*) kill -STOP $$ ;;
        esac
      done
      case $habits in *IGNORES_EOF*) exec sleep $life ;; esac
      """;

  private ShellServer() {}

  /// Returns how to start a server with these habits, and otherwise a good one.
  public static ServerSpec.Stdio with(Habit... habits) {
    return ServerSpec.stdio("/bin/sh", "-c", script(habits));
  }

  /// Returns the script, for who starts it in another way.
  static String script(Habit... habits) {
    List<Habit> all = Arrays.asList(habits);
    var start = new StringBuilder();
    start.append("habits='%s' most=%d life=%d\n".formatted(all, HELD, LIFE_SECONDS));
    if (all.contains(Habit.GRANDCHILD)) {
      start.append("sleep $life &\n");
    }
    if (all.contains(Habit.DAEMON)) {
      start.append("(setsid sleep $life </dev/null >/dev/null 2>&1 &)\n");
    }
    if (all.contains(Habit.IGNORES_TERM)) {
      start.append("trap '' TERM\n"); // which what is started from here on inherits
    }
    return start + SERVE;
  }
}
