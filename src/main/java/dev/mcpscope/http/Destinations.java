package dev.mcpscope.http;

import java.net.Inet4Address;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;

/// Where no connection is made to, whoever asks: link-local addresses, the services by which clouds
/// tell a machine its credentials, and multicast. Loopback and private networks are not among them,
/// since that is where most servers are.
///
/// Nothing is looked up here. A host is judged by its text ([#check(URI)]), and by what it was
/// resolved to ([#check(String, InetAddress...)]): both have to be asked, for every URL that a
/// request goes to. An address inside another, as IPv6 has them for IPv4, is judged like itself.
public final class Destinations {
  /// Those that a machine of a cloud finds its metadata at, and that are not link-local anyway. Of
  /// Amazon's all services of that kind, which are numbered in one network.
  private static final List<InetAddress> METADATA =
      Stream.of(
              "100.100.100.200", // Alibaba
              "168.63.129.16", // Azure
              "192.0.0.192", // Oracle, the older
              "fd00:42::42", // Scaleway
              "fd00:100::100:200", // Alibaba
              "fd00:a9fe:a9fe::1", // Akamai
              "fd00:c1::a9fe:a9fe", // Oracle
              "fd20:ce::254") // Google
          .map(InetAddress::ofLiteral)
          .toList();

  private static final byte[] METADATA_OF_AMAZON = bytes("fd00:ec2::", 4);

  /// Names for the same, which only a machine of that cloud can resolve.
  private static final Set<String> METADATA_NAMES =
      Set.of("metadata.google.internal", "metadata.goog");

  /// Prefixes after which the last four bytes are an IPv4 address: mapped, compatible, translated,
  /// and the two of NAT64 (RFC 6052 and RFC 8215, as far as that is /96).
  private static final List<byte[]> BEFORE_IPV4 =
      List.of(
          bytes("::", 12),
          new byte[] {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, -1}, // as text it is read as IPv4
          bytes("::ffff:0:0:0", 12),
          bytes("64:ff9b::", 12),
          bytes("64:ff9b:1::", 6));

  private static final byte[] SIX_TO_FOUR = bytes("2002::", 2);

  private Destinations() {}

  /// Checks a URL by its text: a literal address in any spelling, or one of the names.
  ///
  /// @throws RefusedDestinationException if it is none to connect to
  public static void check(URI url) throws RefusedDestinationException {
    if (url.getHost() == null) {
      throw new RefusedDestinationException("a URL without a host", "there is no such place");
    }
    checkText(url.getHost());
  }

  /// Checks what a host was resolved to. One refused address is enough: which of them is taken is
  /// not decided here.
  ///
  /// @param host as it stands in the URL; checked by its text too
  /// @throws RefusedDestinationException if it is none to connect to
  public static void check(String host, InetAddress... resolved)
      throws RefusedDestinationException {
    checkText(host);
    for (InetAddress address : resolved) {
      Optional<String> reason = reason(address);
      if (reason.isPresent()) {
        String also = "it resolves to " + address.getHostAddress() + ", " + reason.get();
        throw new RefusedDestinationException(host, also);
      }
    }
  }

  private static void checkText(String host) throws RefusedDestinationException {
    String bare = bare(host);
    if (METADATA_NAMES.contains(bare)) {
      throw new RefusedDestinationException(host, "a cloud's metadata service");
    }
    // What a text with numbers means is a matter of who reads it: JDK, C library, proxy.
    for (Function<String, InetAddress> reading :
        List.<Function<String, InetAddress>>of(
            InetAddress::ofLiteral, Inet4Address::ofPosixLiteral)) {
      Optional<String> reason = read(bare, reading).flatMap(Destinations::reason);
      if (reason.isPresent()) {
        throw new RefusedDestinationException(host, reason.get());
      }
    }
  }

  /// Without brackets, without a zone (whose interface need not be there), without the dot of a full
  /// name, in lower case.
  private static String bare(String host) {
    return host.toLowerCase(Locale.ROOT).replaceAll("^\\[|%.*|\\]$", "").replaceAll("\\.+$", "");
  }

  private static Optional<InetAddress> read(String text, Function<String, InetAddress> reading) {
    try {
      return Optional.of(reading.apply(text));
    } catch (IllegalArgumentException _) {
      return Optional.empty(); // a name
    }
  }

  private static Optional<String> reason(InetAddress address) {
    byte[] bytes = address.getAddress();
    if (address.isLinkLocalAddress()) {
      return Optional.of("a link-local address");
    }
    if (METADATA.contains(address) || startsWith(bytes, METADATA_OF_AMAZON)) {
      return Optional.of("a cloud's metadata service");
    }
    if (address.isMulticastAddress()) {
      return Optional.of("a multicast address");
    }
    return address instanceof Inet6Address
        ? inside(bytes).flatMap(Destinations::reason)
        : Optional.empty();
  }

  /// The IPv4 address that one of IPv6 leads to.
  private static Optional<InetAddress> inside(byte[] address) {
    if (BEFORE_IPV4.stream().anyMatch(prefix -> startsWith(address, prefix))) {
      return Optional.of(ipv4(address, 12));
    }
    return startsWith(address, SIX_TO_FOUR) ? Optional.of(ipv4(address, 2)) : Optional.empty();
  }

  private static InetAddress ipv4(byte[] address, int from) {
    try {
      return InetAddress.getByAddress(Arrays.copyOfRange(address, from, from + 4));
    } catch (UnknownHostException e) {
      throw new AssertionError("four bytes are an address", e);
    }
  }

  private static boolean startsWith(byte[] address, byte[] prefix) {
    return address.length == 16 // an IPv4 address may begin with the same bytes by chance
        && Arrays.equals(address, 0, prefix.length, prefix, 0, prefix.length);
  }

  private static byte[] bytes(String address, int length) {
    return Arrays.copyOf(InetAddress.ofLiteral(address).getAddress(), length);
  }
}
