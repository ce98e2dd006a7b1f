package dev.mcpscope.client;

import dev.mcpscope.json.JsonException;
import dev.mcpscope.json.JsonObject;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.Locale;
import java.util.Optional;

/// A server asks that the user goes to a URL, to enter there what must not pass through the client.
///
/// The URL is the server's, and nobody has looked at it: nothing here opens or fetches it. Show the
/// user all of it, its host above all, and open it when he has agreed, in a browser that the client
/// cannot look into. To accept means that he has agreed, not that he is done: that is told by
/// [ServerEvent.ElicitationCompleted], if at all.
///
/// @param server which server asks, by the name that its connection has here: show it
/// @param message what it is for, in the server's words
/// @param url an absolute `https:` or `http:` URL
/// @param elicitationId by which its completion is told; empty where it is not, but learned from the
///     answer to the call that it is for (revision 2026-07-28)
/// @param json the whole request
public record ElicitationUrl(
    String server, String message, URI url, Optional<String> elicitationId, JsonObject json) {

  static ElicitationUrl parse(String server, JsonObject params) throws JsonException {
    String text = params.string("url");
    URI url;
    try {
      url = new URI(text);
    } catch (URISyntaxException e) {
      throw new JsonException("member \"url\" is no URL");
    }
    String scheme = url.getScheme() == null ? "" : url.getScheme().toLowerCase(Locale.ROOT);
    if (!scheme.equals("https") && !scheme.equals("http") || url.getHost() == null) {
      throw new JsonException("member \"url\" must be an http or https URL with a host");
    }
    return new ElicitationUrl(
        server, params.string("message"), url, params.optionalString("elicitationId"), params);
  }
}
