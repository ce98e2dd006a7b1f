package dev.mcpscope;

import java.util.List;
import java.util.Map;

/// One way in which a [ScriptedHttpServer] misbehaves.
///
/// ```java
/// on("tools/call", new Status(502, "text/html", "<html>bad gateway</html>")).times(2)
/// on("GET", new Stops(3, 0, true, End.RESET)).once()
/// ```
///
/// A request is shown to the faults in their order until one acts on it, and each counts what it was
/// shown: of two at the same place the second has its turn when the first has done its times. An
/// [Act.Held] holds up a request, and shows it to the next.
public sealed interface HttpFault {

  /// How a connection, or an answer on it, ends.
  enum End {
    /// As HTTP wants it: the answer is complete, the connection stays.
    CLEAN,
    /// The connection is closed, whatever is missing.
    CLOSE,
    /// The connection is reset.
    RESET,
    /// The server's half is closed; what the client still sends is read, and not answered.
    HALF_CLOSE,
    /// Not at all: nothing more is said, until the client goes.
    OPEN
  }

  /// Returns a fault that acts at each of these requests.
  ///
  /// @param at a method of JSON-RPC, `response` for what the client answers, a method of HTTP, or `*`
  static On on(String at, Act act) {
    return new On(at, 0, Integer.MAX_VALUE, act);
  }

  /// Does this at such requests.
  ///
  /// @param skipped how many of them go well before
  /// @param count at how many it acts then; later ones go well again
  record On(String at, int skipped, int count, Act act) implements HttpFault {
    /// Returns the same that lets so many go well first.
    public On after(int skipped) {
      return new On(at, skipped, count, act);
    }

    /// Returns the same that acts so many times.
    public On times(int count) {
      return new On(at, skipped, count, act);
    }

    /// Returns the same that acts once.
    public On once() {
      return times(1);
    }
  }

  /// Gives its sessions this id, as it is; "" for a server without sessions. To an answer of the modern
  /// era, which has no sessions, it is given all the same.
  record SessionId(String id) implements HttpFault {}

  /// Claims this version of the protocol: in the modern era, to support this one and no other.
  record Speaks(String version) implements HttpFault {}

  /// Speaks these eras, and not only the legacy one.
  record Serves(Eras eras) implements HttpFault {}

  /// Acknowledges each subscription by this filter, a JSON object, whatever it was asked for. One that
  /// is never acknowledged is an [Act.Sse] that is left `OPEN`.
  record Acknowledges(String filter) implements HttpFault {}

  /// Ends each subscription by its result when it has acknowledged it. What ends it there without one
  /// is [Act.Stops].
  record HangsUp() implements HttpFault {}

  /// Declares these capabilities, a JSON object, instead of its own.
  record Declares(String capabilities) implements HttpFault {}

  /// Begins each stream by asking for this time before a reconnect.
  record Retry(int millis) implements HttpFault {}

  /// Speaks HTTP+SSE of 2024-11-05 only: GET opens the stream, what is POSTed to the endpoint is
  /// answered there.
  ///
  /// @param status what a POST to the URL itself is answered by
  /// @param endpoints the data of each `endpoint` event, before anything else; `{origin}` stands for
  ///     the server's own, `{session}` for the id of the session
  record Legacy(int status, List<String> endpoints) implements HttpFault {
    /// A good one.
    public Legacy() {
      this(405, List.of("/messages?sessionId={session}"));
    }
  }

  /// What is done to a request.
  sealed interface Act {

    // In the place of an answer.

    /// Answers by this, and does nothing.
    record Status(int code, Map<String, String> headers, String body) implements Act {
      /// Without headers of its own, and without a body.
      public Status(int code) {
        this(code, Map.of(), "");
      }

      /// With a body of this type.
      public Status(int code, String type, String body) {
        this(code, Map.of("Content-Type", type), body);
      }
    }

    /// Answers by this status and this message, of which it is told what stands beside the id,
    /// `{"result":…}` or `{"error":…}`.
    record Answer(int code, String message) implements Act {}

    /// Says nothing; `OPEN` is a request that is never answered, not even by headers.
    record NoAnswer(End end) implements Act {}

    /// Writes these bytes, which need not be HTTP, and ends so.
    record Raw(String latin1, End end) implements Act {}

    /// Begins with this, goes on with that for ever. A line, an event, a stream or a JSON text
    /// without end.
    record Endless(String type, String start, String repeated) implements Act {}

    /// Begins with this, goes on with a byte `x` every so often, for ever.
    record Drip(String type, String start, int everyMillis) implements Act {}

    // The right answer, told wrongly. What is about a body is for answers that come as JSON; of all
    // of
    // these HTTP+SSE knows Padded, WrongId, Sse (its text only) and Says.

    /// Breaks off after so many bytes of the body, of which the headers have promised all.
    record CutShort(int bytes, End end) implements Act {}

    /// Promises so many bytes more than the body has (and closes), or less.
    record LengthOff(int by) implements Act {}

    /// Says that the body is of this type.
    record ContentType(String type) implements Act {}

    /// Makes the answer a message of so many bytes.
    record Padded(int bytes) implements Act {}

    /// Answers this id, a JSON text in which `%s` stands for the right one.
    record WrongId(String id) implements Act {}

    /// Answers by a stream of this text, in which `%s` stands for the answer and `%m` for two lines of
    /// `data:` that are the answer together.
    ///
    /// @param piece so many bytes are written at once; 0 for all
    record Sse(String text, int piece, End end) implements Act {
      /// All at once, and ended well.
      public Sse(String text) {
        this(text, 0, End.CLEAN);
      }
    }

    /// Sends these raw messages first, on the stream that is opened or that the answer then comes by.
    record Says(List<String> messages) implements Act {}

    /// Ends a stream, GET's or that of an answer, after so many events, or, if that is not 0, so many
    /// milliseconds. With ids the rest can be had by GET.
    record Stops(int events, int millis, boolean ids, End end) implements Act {}

    /// Answers by a stream that has one event, an id without data, and ends. GET with this id gets
    /// another such event, until after so many rounds it gets the answer.
    ///
    /// @param rounds 1 if the first GET gets the answer
    /// @param retryMillis what the event asks the client to wait
    record Polls(int rounds, int retryMillis) implements Act {}

    // The right answer, and something else.

    /// Waits until [ScriptedHttpServer#release] lets it go on.
    ///
    /// @param headAtOnce the headers do not wait
    record Held(String gate, boolean headAtOnce) implements Act {}

    /// Answers well, but the next request on this connection is lost: it is read and the connection
    /// closed, or the connection is reset before anything was read.
    record Stale(boolean read) implements Act {}

    /// What needs no more than its name.
    enum Quirk implements Act {
      /// Answers well, by a stream.
      AS_STREAM,
      /// Says nothing of the body's length: its end is the end of the connection.
      NO_LENGTH,
      /// Compresses the body.
      GZIP,
      /// Answers well, and closes the connection without having said so.
      CLOSES_AFTER,
      /// Forgets all sessions before it looks at the request.
      FORGETS_SESSIONS
    }
  }
}
