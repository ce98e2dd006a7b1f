package dev.mcpscope;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// The section of the documents that tells what the matrix expects.
///
/// `java --enable-preview -cp … dev.mcpscope.FaultsDoc`, in the project's directory, writes its table
/// anew.
final class FaultsDoc {
  static final Path FILE = Path.of("docs/faults.md");
  private static final String SECTION = "## The matrix";

  private FaultsDoc() {}

  /// Returns the lines of its table, as they stand there.
  static List<String> table() throws IOException {
    var table = new ArrayList<String>();
    boolean inside = false;
    for (String line : Files.readAllLines(FILE)) {
      inside = line.startsWith("## ") ? line.equals(SECTION) : inside;
      if (inside && line.startsWith("|")) {
        table.add(line);
      }
    }
    return table;
  }

  /// Puts the table that is expected in the place of the one that stands there.
  public static void main(String[] args) throws IOException {
    List<String> old = table();
    var lines = new ArrayList<>(Files.readAllLines(FILE));
    int at = lines.indexOf(old.getFirst());
    lines.subList(at, at + old.size()).clear();
    lines.addAll(at, FaultMatrix.expected());
    Files.write(FILE, lines);
  }
}
