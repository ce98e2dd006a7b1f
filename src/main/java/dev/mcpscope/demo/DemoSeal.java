package dev.mcpscope.demo;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/// Seals a text for a while: the seal is given away and comes back with the text, and nothing has to
/// be kept meanwhile. Nobody else can make one that fits, in this JVM or another. Any thread may use
/// it.
final class DemoSeal {
  private static final String ALGORITHM = "HmacSHA256";

  private final SecretKeySpec key;
  private final Duration life;

  /// @param life after which a seal does not fit any more
  DemoSeal(Duration life) {
    byte[] random = new byte[32];
    new SecureRandom().nextBytes(random);
    this.key = new SecretKeySpec(random, ALGORITHM);
    this.life = life;
  }

  String of(String text) {
    return seal(Long.toString(System.currentTimeMillis() + life.toMillis()), text);
  }

  boolean fits(String seal, String text) {
    String end = seal.replaceFirst("\\..*", "");
    boolean ours = MessageDigest.isEqual(seal(end, text).getBytes(UTF_8), seal.getBytes(UTF_8));
    return ours && System.currentTimeMillis() < Long.parseLong(end);
  }

  private String seal(String end, String text) {
    try {
      Mac mac = Mac.getInstance(ALGORITHM);
      mac.init(key);
      byte[] code = mac.doFinal((end + "." + text).getBytes(UTF_8));
      return end + "." + Base64.getUrlEncoder().withoutPadding().encodeToString(code);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e); // every JDK has it
    }
  }
}
