package dev.mcpscope.json;

/// What a text may cost before [JsonReader] refuses it. There is no "unlimited": zero is refused.
///
/// @param maxBytes length of the whole text in bytes of UTF-8, 1 to 1 GiB; the values that are made
///     of it can take some forty times as much memory (`[0,0,0,...`)
/// @param maxDepth how deep arrays and objects may nest, 1 to 512: values are read and written by
///     recursion, and 512 levels take less than half a MiB of stack; a string has depth 0, `[]`
///     has depth 1
/// @param maxNumberLength characters in one number, 1 to 10,000: the cost of decimal arithmetic
///     grows with the square of them
public record JsonLimits(int maxBytes, int maxDepth, int maxNumberLength) {

  private static final JsonLimits DEFAULTS = new JsonLimits(16 << 20, 256, 1_000);

  /// @throws IllegalArgumentException naming the limit that is out of its range
  public JsonLimits {
    check("maxBytes", maxBytes, 1 << 30);
    check("maxDepth", maxDepth, 512);
    check("maxNumberLength", maxNumberLength, 10_000);
  }

  /// 16 MiB, 256 levels, 1,000 characters in a number.
  public static JsonLimits defaults() {
    return DEFAULTS;
  }

  public JsonLimits withMaxBytes(int maxBytes) {
    return new JsonLimits(maxBytes, maxDepth, maxNumberLength);
  }

  public JsonLimits withMaxDepth(int maxDepth) {
    return new JsonLimits(maxBytes, maxDepth, maxNumberLength);
  }

  public JsonLimits withMaxNumberLength(int maxNumberLength) {
    return new JsonLimits(maxBytes, maxDepth, maxNumberLength);
  }

  private static void check(String name, int value, int max) {
    if (value < 1 || value > max) {
      throw new IllegalArgumentException(name + " must be from 1 to " + max + ", not " + value);
    }
  }
}
