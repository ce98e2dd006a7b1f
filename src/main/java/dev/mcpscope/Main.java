package dev.mcpscope;

import java.io.File;
import java.lang.reflect.InvocationTargetException;
import java.net.URISyntaxException;

/**
 * Starts the program, or says in one line how to start it.
 *
 * <p>This class alone is compiled for Java 8. The others load only on JDK 25, and those of the task
 * scope only with {@code --enable-preview}; so this one names them as text and never links to them.
 */
public final class Main {
  private Main() {}

  /**
   * Hands over to {@code CommandLine}, or exits with status 2 where it cannot run.
   *
   * @param args the command line, passed on as it is
   */
  public static void main(String[] args) {
    try {
      Class.forName("dev.mcpscope.scope.TaskScope", false, Main.class.getClassLoader());
    } catch (UnsupportedClassVersionError e) {
      System.err.println(advice(args));
      System.exit(2);
    } catch (ClassNotFoundException e) {
      throw new LinkageError("mcp-scope is incomplete", e);
    }
    run(args);
  }

  private static String advice(String[] args) {
    String problem;
    String java;
    if (System.getProperty("java.specification.version").equals("25")) {
      problem = "mcp-scope uses preview features of JDK 25.";
      java = System.getProperty("java.home") + File.separator + "bin" + File.separator + "java";
    } else {
      problem = "mcp-scope needs JDK 25; this is JDK " + System.getProperty("java.version") + ".";
      java = "/path/to/jdk-25/bin/java";
    }
    StringBuilder command = new StringBuilder(quoted(java));
    command.append(" --enable-preview -jar ").append(quoted(jar()));
    for (String arg : args) {
      command.append(' ').append(quoted(arg));
    }
    return problem + " Run: " + command;
  }

  private static String jar() {
    try {
      return new File(Main.class.getProtectionDomain().getCodeSource().getLocation().toURI())
          .getPath();
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The word as a shell takes it; most need no quotes. */
  private static String quoted(String word) {
    return word.matches("[\\w@%+=:,./\\\\-]+") ? word : "'" + word.replace("'", "'\\''") + "'";
  }

  private static void run(String[] args) {
    try {
      Class.forName("dev.mcpscope.CommandLine")
          .getMethod("main", String[].class)
          .invoke(null, (Object) args);
    } catch (InvocationTargetException e) {
      Throwable cause = e.getCause();
      if (cause instanceof Error) {
        throw (Error) cause;
      }
      throw (RuntimeException) cause;
    } catch (ReflectiveOperationException e) {
      throw new LinkageError("mcp-scope is incomplete", e);
    }
  }
}
