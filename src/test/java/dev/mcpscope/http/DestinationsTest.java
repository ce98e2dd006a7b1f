package dev.mcpscope.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.URI;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DestinationsTest {

  private static InetAddress[] addresses(String... literals) {
    return Stream.of(literals).map(InetAddress::ofLiteral).toArray(InetAddress[]::new);
  }

  private static void refused(String host, String reason) {
    URI url = URI.create("https://user:secret@" + host + ":8443/secret?secret=secret");
    assertThat(url.getHost()).as("the URL is one, and has a host").isEqualTo(host);
    assertThatThrownBy(() -> Destinations.check(url))
        .isInstanceOfSatisfying(
            RefusedDestinationException.class, e -> assertThat(e.reason()).isEqualTo(reason))
        .hasMessage("no connection is made to " + host + ": " + reason);
    assertThatThrownBy(() -> Destinations.check(host, addresses("127.0.0.1")))
        .hasMessage("no connection is made to " + host + ": " + reason);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "localhost",
        "127.0.0.1",
        "[::1]",
        "0.0.0.0",
        "[::]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.169.254",
        "100.64.0.1",
        "[fd12:3456::1]",
        "[fec0::1]",
        "[fd00:ec3::254]",
        "[fd00:42::43]",
        "169.253.255.255",
        "169.255.0.0",
        "253.0.14.194", // begins with the bytes of fd00:ec2::
        "223.255.255.255",
        "240.0.0.1",
        "93.184.216.34",
        "[2001:db8::a9fe:a9fe]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::10.0.0.1]",
        "[64:ff9b:2::a9fe:a9fe]",
        "[2002:a00:1::]",
        "[fe00::1]",
        "example.com",
        "example.com.",
        "metadata",
        "metadata.google.internal.example.com",
        "xmetadata.goog",
        "a9fea9fe",
        "x2852039166",
        "169.254.169.254.example.com",
        "no-such-name.invalid", // nothing is looked up
      })
  void loopbackPrivateAndPublicPlacesAreTaken(String host) {
    assertThatCode(() -> Destinations.check(URI.create("http://" + host + "/")))
        .doesNotThrowAnyException();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "169.254.0.0",
        "169.254.169.254",
        "169.254.170.2",
        "169.254.255.255",
        "[fe80::]",
        "[fe80::1]",
        "[FE80::A9FE:A9FE]",
        "[febf:ffff::1]",
        "[fe80::1%25eth0]",
        "[fe80::1%nosuch]",
      })
  void linkLocalAddressesAreRefused(String host) {
    refused(host, "a link-local address");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "[fd00:ec2::254]",
        "[fd00:ec2::23]",
        "[FD00:0EC2:0:0:0:0:0:0254]",
        "[fd20:ce::254]",
        "[fd00:42::42]",
        "[fd00:100::100:200]",
        "[fd00:a9fe:a9fe::1]",
        "[fd00:c1::a9fe:a9fe]",
        "metadata.google.internal",
        "METADATA.Google.Internal",
        "metadata.google.internal.",
        "metadata.goog",
        "metadata.goog.",
      })
  void metadataServicesAreRefused(String host) {
    refused(host, "a cloud's metadata service");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"224.0.0.1", "239.255.255.255", "[ff02::1]", "[ff00::]", "[ffff:ffff::1]"})
  void multicastIsRefused(String host) {
    refused(host, "a multicast address");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[0:0:0:0:0:ffff:a9fe:a9fe]",
        "[::169.254.169.254]",
        "[::ffff:0:169.254.169.254]",
        "[64:ff9b::169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::169.254.169.254]",
        "[64:ff9b:1:2:3:4:a9fe:a9fe]",
        "[2002:a9fe:a9fe::]",
        "[2002:a9fe:a9fe:1:2:3:4:5]",
      })
  void addressInsideAnotherIsJudgedLikeItself(String host) {
    refused(host, "a link-local address");
  }

  @Test
  void everyKindOfAddressIsSeenInsideAnother() {
    refused("[::ffff:100.100.100.200]", "a cloud's metadata service");
    refused("[64:ff9b::168.63.129.16]", "a cloud's metadata service");
    refused("[2002:c000:c0::]", "a cloud's metadata service");
    refused("[64:ff9b::224.0.0.1]", "a multicast address");
  }

  /// Which of them a URL of the JDK takes for a host is one question; the other is who reads the text
  /// after it.
  @ParameterizedTest
  @ValueSource(
      strings = {
        "2852039166", // which the JDK connects to
        "0xA9FEA9FE",
        "0xa9fea9fe",
      })
  void otherSpellingsOfAnAddressAreRefused(String host) {
    refused(host, "a link-local address");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "169.254.43518",
        "169.16689150",
        "0251.0376.0251.0376",
        "0xA9.0xFE.0xA9.0xFE",
        "169.254.169.0xFE",
        "169.254.169.254.",
        "%6detadata.goog",
        "ⓜetadata.goog",
        "metadata.google.internal..",
        "1.2.3.4.5",
      })
  void spellingsThatAreNoHostToTheJdkAreRefusedAsThat(String host) {
    assertThatThrownBy(() -> Destinations.check(URI.create("http://" + host + "/")))
        .isInstanceOf(RefusedDestinationException.class)
        .hasMessage("no connection is made to a URL without a host: there is no such place");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "169.254.43518",
        "169.16689150",
        "0251.0376.0251.0376",
        "0xA9.0xFE.0xA9.0xFE",
        "169.254.169.0xFE",
        "169.254.169.254.",
        "169.254.169.254",
        "fe80::1",
        "fe80::1%eth0",
      })
  void spellingsAreReadWhereverTheyComeFrom(String host) {
    assertThatThrownBy(() -> Destinations.check(host))
        .hasMessage("no connection is made to " + host + ": a link-local address");
  }

  /// Decimal as the URL reads it, octal as a C library does: one of the two is enough.
  @Test
  void leadingZerosAreReadBothWays() {
    refused("0251.254.0251.254", "a link-local address");
    refused("169.254.0.01", "a link-local address");
  }

  @ParameterizedTest
  @CsvSource({
    "169.254.169.254, a link-local address",
    "fe80::1, a link-local address",
    "fd00:ec2::254, a cloud's metadata service",
    "64:ff9b::100.100.100.200, a cloud's metadata service",
    "ff02::1, a multicast address",
  })
  void nameThatResolvesToARefusedAddressIsRefused(String address, String reason) {
    String shown = InetAddress.ofLiteral(address).getHostAddress();
    for (InetAddress[] resolved :
        new InetAddress[][] {addresses(address), addresses("127.0.0.1", "::1", address)}) {
      assertThatThrownBy(() -> Destinations.check("example.com", resolved))
          .isInstanceOf(RefusedDestinationException.class)
          .hasMessage(
              "no connection is made to example.com: it resolves to " + shown + ", " + reason);
    }
  }

  @Test
  void addressesThatWereMadeOfBytesAreSeen() throws Exception {
    byte[] mapped = new byte[16];
    mapped[10] = mapped[11] = -1;
    mapped[12] = mapped[14] = (byte) 169;
    mapped[13] = mapped[15] = (byte) 254;
    InetAddress address = Inet6Address.getByAddress("example.com", mapped, -1);
    assertThatThrownBy(() -> Destinations.check("example.com", address))
        .hasMessageEndingWith("a link-local address");
  }

  @Test
  void nameThatResolvesToOtherAddressesIsTaken() {
    assertThatCode(
            () -> Destinations.check("example.com", addresses("127.0.0.1", "::1", "93.184.216.34")))
        .doesNotThrowAnyException();
    assertThatCode(() -> Destinations.check("example.com")).doesNotThrowAnyException();
  }
}
