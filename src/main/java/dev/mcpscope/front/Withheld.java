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
    String places =
        switch (spec) {
          case ServerSpec.Http http -> {
            String path = path(http.url().getRawPath());
            yield word(http.url().getHost()) + "(:\\d+)?(" + path + ")?|" + path;
          }
          case ServerSpec.Stdio(var command, _, var directory) ->
              word(command.getFirst()) + "|" + path(directory.map(Path::toString).orElse(""));
        };
    return Pattern.compile(places, Pattern.CASE_INSENSITIVE);
  }

  /// As a whole word only: a host may be called `a`.
  private static String word(String text) {
    return "(?<![\\w.-])" + Pattern.quote(text) + "(?![\\w-])";
  }

  /// Wherever it is, what goes on after it included; `/` alone says nothing.
  private static String path(String text) {
    return text.length() > 1 ? Pattern.quote(text) : "(?!)"; // which is nowhere
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
