package dev.mcpscope.front;

import dev.mcpscope.client.ServerSpec;
import dev.mcpscope.json.JsonArray;
import dev.mcpscope.json.JsonBoolean;
import dev.mcpscope.json.JsonNull;
import dev.mcpscope.json.JsonNumber;
import dev.mcpscope.json.JsonObject;
import dev.mcpscope.json.JsonString;
import dev.mcpscope.json.JsonValue;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Pattern;

/// What is said of the operator's own servers, without where they are: `***` stands for the host with
/// its port, the path, the executable, the directory, wherever a message has them, whoever has put
/// them there: this program, the JDK, or the server itself.
final class Withheld {
  private final Map<String, Pattern> places = new HashMap<>();

  /// @param configured the operator's own servers, by the names that clients connect them under
  Withheld(Map<String, ServerSpec> configured) {
    configured.forEach((name, spec) -> places.put(name, place(spec)));
  }

  private static Pattern place(ServerSpec spec) {
    return switch (spec) {
      case ServerSpec.Http http -> {
        String path = http.url().getRawPath();
        String hidden = path.length() > 1 ? Pattern.quote(path) : "\\b\\B"; // which is nowhere
        String host = "(?<![\\w.-])" + Pattern.quote(http.url().getHost()) + "(:\\d+)?";
        yield compile(host + "(" + hidden + ")?|" + hidden);
      }
      case ServerSpec.Stdio(var command, _, var directory) -> {
        String executable = Pattern.quote(command.getFirst());
        yield compile(
            directory.map(Path::toString).map(Pattern::quote).map(in -> in + "|").orElse("")
                + "(?<![\\w.-])"
                + executable);
      }
    };
  }

  /// Whole words only, or a host that is called `a` would make every message unreadable.
  private static Pattern compile(String place) {
    return Pattern.compile("(" + place + ")(?![\\w-])", Pattern.CASE_INSENSITIVE);
  }

  /// Returns a message about the connection of this name.
  String text(String name, String message) {
    Pattern place = places.get(name);
    return place == null ? message : place.matcher(message).replaceAll(CommandPolicy.HIDDEN);
  }

  /// Returns the same with each text in it.
  JsonValue json(String name, JsonValue value) {
    if (!places.containsKey(name)) {
      return value;
    }
    return switch (value) {
      case JsonString(var text) -> new JsonString(text(name, text));
      case JsonArray array ->
          JsonArray.of(array.elements().stream().map(element -> json(name, element)).toArray());
      case JsonObject object -> {
        JsonObject withheld = JsonObject.EMPTY;
        for (var member : object.members().entrySet()) {
          withheld = withheld.with(member.getKey(), json(name, member.getValue()));
        }
        yield withheld;
      }
      case JsonNumber _, JsonBoolean _, JsonNull _ -> value;
    };
  }
}
