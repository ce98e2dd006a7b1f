package dev.mcpscope.stdio;

import dev.mcpscope.transport.CloseReport.Outcome;
import dev.mcpscope.transport.CloseReport.ServerProcess;
import dev.mcpscope.transport.CloseReport.Tie;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Everybody who has to be gone when a server is: the direct child, its descendants, and, on Linux,
/// who carries the connection's mark in its environment or holds one of its pipes.
///
/// The parts make up for each other. Descendants are lost once a parent has died (orphans move to
/// pid 1), so they are collected *before* each signal, and remembered. A daemon that has forked
/// twice is nobody's descendant, but it inherits the mark; one that has cleaned its environment
/// may still hold a pipe. What did none of these cannot be told from a stranger, and is left alone.
///
/// Members are [ProcessHandle]s, which know a process by pid and start time: a signal never hits
/// another process that has got the same number since. Used by the connection's owner alone.
final class ProcessTree {

  /// What is known of a member, most of it only while it lives.
  private static final class Member {
    final Tie tie;
    final ProcessHandle.Info info;
    Outcome end = Outcome.GRACEFUL; // unless it needs more

    Member(ProcessHandle process, Tie tie) {
      this.tie = tie;
      this.info = process.info();
    }
  }

  private final Process root;
  private final String mark;
  private final Set<String> pipes;
  private final Map<ProcessHandle, Member> members = new LinkedHashMap<>();

  /// @param mark the value of [ChildEnvironment#MARK] that the root was started with
  /// @param pipes what it writes to, named as in /proc; empty when that is not known
  ProcessTree(Process root, String mark, Set<String> pipes) {
    this.root = root;
    this.mark = mark;
    this.pipes = pipes;
    add(root.toHandle(), Tie.CHILD);
  }

  /// Looks for new members: descendants of those known, carriers of the mark, and descendants of
  /// these. Parents come before their children, then and when they are told to end: one that waits for a
  /// child would take its death for the child's own, and go without the cleaning up that it does at
  /// SIGTERM.
  ///
  /// @return whether there were any, though they may have gone since
  boolean refresh() {
    int before = members.size();
    ProcessTable table = ProcessTable.look();
    addDescendants(table);
    table.orphans(mark).forEach(process -> add(process, Tie.MARK));
    addDescendants(table);
    return members.size() > before;
  }

  private void addDescendants(ProcessTable table) {
    var parents = new ArrayDeque<>(members.keySet());
    for (ProcessHandle parent; (parent = parents.poll()) != null; ) {
      for (ProcessHandle child : table.children(parent)) {
        if (add(child, Tie.DESCENDANT)) {
          parents.add(child);
        }
      }
    }
  }

  /// Adds who keeps one of the connection's pipes from ending, because he may still write to it. It
  /// costs a look at every descriptor of every process, so it is for pipes that have not ended.
  ///
  /// @return whether there was anybody new
  boolean addHolders() {
    int before = members.size();
    if (!pipes.isEmpty()) {
      ProcessTable.writers(pipes).forEach(process -> add(process, Tie.PIPE));
    }
    return members.size() > before;
  }

  private boolean add(ProcessHandle process, Tie tie) {
    return !members.containsKey(process) && members.put(process, new Member(process, tie)) == null;
  }

  /// Returns the members that still run.
  List<ProcessHandle> alive() {
    return members.keySet().stream().filter(this::isAlive).toList();
  }

  /// The child itself is asked in a way that needs no descriptor: there may be none left.
  private boolean isAlive(ProcessHandle member) {
    return member.equals(root.toHandle()) ? root.isAlive() : ServerProcess.runs(member);
  }

  /// Sends SIGTERM to these members.
  void terminate(List<ProcessHandle> some) {
    some.forEach(member -> {
      members.get(member).end = Outcome.TERMINATED;
      member.destroy(); // not Process.destroy(), which may block
    });
  }

  /// Sends SIGKILL to these members.
  void kill(List<ProcessHandle> some) {
    some.forEach(member -> {
      members.get(member).end = Outcome.KILLED;
      member.destroyForcibly();
    });
  }

  /// Returns who was a member, and what it has taken to end each; at the end.
  List<ServerProcess> report() {
    return members.entrySet().stream().map(e -> describe(e.getKey(), e.getValue())).toList();
  }

  private ServerProcess describe(ProcessHandle process, Member member) {
    return new ServerProcess(
        process.pid(),
        member.info.startInstant(),
        member.info.command().orElse("?"),
        member.tie,
        isAlive(process) ? Outcome.SURVIVED : member.end);
  }
}
