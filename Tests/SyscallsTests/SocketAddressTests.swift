import Testing

@testable import Syscalls

struct SocketAddressTests {
  @Test(
    arguments: [
      ("127.0.0.1:7001", "127.0.0.1", 7_001), ("0.0.0.0:0", "0.0.0.0", 0),
      ("[::1]:7001", "::1", 7_001), ("[::]:65535", "::", 65_535),
      ("[fe80::1%eth0]:1", "fe80::1%eth0", 1), ("localhost:80", "localhost", 80),
      ("pzn-scores.example:443", "pzn-scores.example", 443),
    ] as [(String, String, UInt16)])
  func reads(text: String, host: String, port: UInt16) {
    let address = SocketAddress(text)
    #expect(address == SocketAddress(host: host, port: port))
    #expect(address?.description == text)
  }

  @Test(arguments: [
    "", ":", ":80", "host", "host:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:80a",
    "127.0.0.1: 80", "127.0.0.1:80 ", "127.0.0.1:+80", "127.0.0.1:-0", "127.0.0.1:0x50",
    "127.0.0.1:٨٠", "::1:80", "::1", "[::1]", "[::1", "[::1:80", "::1]:80", "[]:80", "[:80", "]:80",
    "[::1]x:80", "x[::1]:80", "[localhost]:80", "a:b:80", "127.0.0.1\0.example:80",
  ])
  func refuses(text: String) {
    #expect(SocketAddress(text) == nil)
  }

  @Test(arguments: [
    "localhost", "127.0.0.1", "127.255.255.254", "::1",
  ])
  func onlyThisMachineReachesLoopback(host: String) {
    #expect(SocketAddress(host: host, port: 1).isLoopback)
  }

  /// Plaintext is the default on loopback only: a name that merely looks like it must not pass.
  @Test(arguments: [
    "0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "1.127.0.0", "127.example.com", "127.0.0.1.example",
    "127.", "localhost.example", "::2", "",
  ])
  func othersReachTheRest(host: String) {
    #expect(!SocketAddress(host: host, port: 1).isLoopback)
  }
}
