import Glibc
import Testing

@testable import Syscalls

private let loopback = SocketAddress(host: "127.0.0.1", port: 0)

/// Both ends of a connection over loopback; closed with the owner.
private final class SocketPair {
  let listener: Int32
  let client: Int32
  let server: Int32

  init() throws {
    let listener = try Sockets.listen(on: loopback)
    let address = try Sockets.localAddress(of: listener)
    let client = try Sockets.connect(to: address, timeoutMilliseconds: 10_000)
    _ = try Sockets.waitUntilReady(listener, .reading, timeoutMilliseconds: 10_000)
    let server = try Sockets.accept(listener)
    self.listener = listener
    self.client = client
    self.server = try #require(server)
  }

  deinit {
    for descriptor in [listener, client, server] { Sockets.close(descriptor) }
  }

  /// Reads until `count` bytes are there or the peer has ended.
  static func read(_ descriptor: Int32, _ count: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while bytes.count < count {
      switch try Sockets.read(descriptor, into: &buffer, capacity: buffer.count) {
      case .bytes(let got): bytes += buffer[..<got]
      case .endOfStream: return bytes
      case .notReady:
        try #require(
          try Sockets.waitUntilReady(descriptor, .reading, timeoutMilliseconds: 10_000))
      }
    }
    return bytes
  }
}

private func isNotReady(_ result: TransferResult) -> Bool {
  if case .notReady = result { true } else { false }
}

private func isEnd(_ result: TransferResult) -> Bool {
  if case .endOfStream = result { true } else { false }
}

private func listenIfPossible(_ host: String) throws -> Int32? {
  do throws(SystemError) {
    return try Sockets.listen(on: SocketAddress(host: host, port: 0))
  } catch {
    let isAbsent = [EAFNOSUPPORT, EADDRNOTAVAIL].contains(error.number)
    guard isAbsent && host == "::1" else { throw error }
    return nil
  }
}

struct SocketsTests {
  @Test(arguments: ["127.0.0.1", "::1"])
  func listensOnAFreePortAndSaysWhich(host: String) throws {
    // A machine without IPv6 says so, and no more can be asked of it.
    guard let listener = try listenIfPossible(host) else { return }
    defer { Sockets.close(listener) }
    let address = try Sockets.localAddress(of: listener)
    #expect(address.host == host && address.port > 0)
    let client = try Sockets.connect(to: address, timeoutMilliseconds: 10_000)
    defer { Sockets.close(client) }
    #expect(try Sockets.waitUntilReady(listener, .reading, timeoutMilliseconds: 10_000))
    let server = try #require(try Sockets.accept(listener))
    defer { Sockets.close(server) }
    #expect(try Sockets.localAddress(of: server) == address)
  }

  @Test func nobodyWaitsToBeAccepted() throws {
    let listener = try Sockets.listen(on: loopback)
    defer { Sockets.close(listener) }
    #expect(try Sockets.accept(listener) == nil)
  }

  @Test func acceptsInTheOrderOfConnectingAndThenNobody() throws {
    let listener = try Sockets.listen(on: loopback)
    defer { Sockets.close(listener) }
    let address = try Sockets.localAddress(of: listener)
    var open: [Int32] = []
    defer { for descriptor in open { Sockets.close(descriptor) } }
    for _ in 0..<5 {
      open.append(try Sockets.connect(to: address, timeoutMilliseconds: 10_000))
    }
    for _ in 0..<5 {
      #expect(try Sockets.waitUntilReady(listener, .reading, timeoutMilliseconds: 10_000))
      open.append(try #require(try Sockets.accept(listener)))
    }
    #expect(try Sockets.accept(listener) == nil)
    #expect(Set(open).count == 10)
  }

  @Test func everyDescriptorIsNonBlockingAndClosedOnExec() throws {
    let pair = try SocketPair()
    for descriptor in [pair.listener, pair.client, pair.server] {
      #expect(fcntl(descriptor, F_GETFL) & O_NONBLOCK != 0)
      #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
    }
    for descriptor in [pair.client, pair.server] {
      var (yes, length) = (Int32(0), socklen_t(4))
      #expect(getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, &length) == 0)
      #expect(yes != 0)
    }
  }

  @Test func bytesGoBothWays() throws {
    let pair = try SocketPair()
    for (from, to) in [(pair.client, pair.server), (pair.server, pair.client)] {
      let sent = (0..<3_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
      guard case .bytes(3_000) = try Sockets.write(from, from: sent, count: 3_000) else {
        Issue.record("an empty socket takes 3,000 bytes")
        return
      }
      #expect(try SocketPair.read(to, 3_000) == sent)
    }
  }

  @Test func anEmptySocketIsNotReadyAndAFullOneTakesNoMore() throws {
    let pair = try SocketPair()
    var buffer = [UInt8](repeating: 0x5A, count: 64 << 10)
    #expect(isNotReady(try Sockets.read(pair.server, into: &buffer, capacity: buffer.count)))
    var sent = 0
    fill: while true {
      switch try Sockets.write(pair.client, from: buffer, count: buffer.count) {
      case .bytes(let count): sent += count
      case .notReady: break fill
      case .endOfStream:
        Issue.record("a write has no end")
        return
      }
      try #require(sent < 1 << 30)
    }
    #expect(sent > 0)
    #expect(try !Sockets.waitUntilReady(pair.client, .writing, timeoutMilliseconds: 0))
    #expect(try SocketPair.read(pair.server, sent).count == sent)
    #expect(try Sockets.waitUntilReady(pair.client, .writing, timeoutMilliseconds: 10_000))
  }

  @Test func aHalfClosedPeerIsTheEndAndStillListens() throws {
    let pair = try SocketPair()
    var buffer = [UInt8]("last words".utf8)
    guard case .bytes(10) = try Sockets.write(pair.client, from: buffer, count: 10) else {
      Issue.record("an empty socket takes ten bytes")
      return
    }
    Sockets.shutdownWriting(pair.client)
    Sockets.shutdownWriting(pair.client)
    #expect(try SocketPair.read(pair.server, 10) == buffer)
    #expect(try Sockets.waitUntilReady(pair.server, .reading, timeoutMilliseconds: 10_000))
    #expect(isEnd(try Sockets.read(pair.server, into: &buffer, capacity: 10)))
    guard case .bytes(3) = try Sockets.write(pair.server, from: [1, 2, 3] as [UInt8], count: 3)
    else {
      Issue.record("the other half is open")
      return
    }
    #expect(try SocketPair.read(pair.client, 3) == [1, 2, 3])
  }

  /// EPIPE or ECONNRESET, never SIGPIPE, which would end this process.
  @Test func writingToNobodyIsAnError() throws {
    let pair = try SocketPair()
    Sockets.shutdownWriting(pair.server)
    let error = #expect(throws: SystemError.self) {
      try Sockets.write(pair.server, from: [1] as [UInt8], count: 1)
    }
    #expect(error?.number == EPIPE)
    #expect(error?.call == "send")
  }

  @Test func nobodyListeningIsRefused() throws {
    let listener = try Sockets.listen(on: loopback)
    let address = try Sockets.localAddress(of: listener)
    Sockets.close(listener)
    let error = #expect(throws: SystemError.self) {
      try Sockets.connect(to: address, timeoutMilliseconds: 10_000)
    }
    #expect(error?.isConnectionRefused == true)
    #expect(error?.subject == address.description)
    #expect(error?.description.contains(address.description) == true)
  }

  @Test func aTakenPortIsInUse() throws {
    let listener = try Sockets.listen(on: loopback)
    defer { Sockets.close(listener) }
    let address = try Sockets.localAddress(of: listener)
    let error = #expect(throws: SystemError.self) { try Sockets.listen(on: address) }
    #expect(error?.isAddressInUse == true)
  }

  @Test func aNameThatNobodyHasIsAnAddressError() {
    let address = SocketAddress(host: "no such host", port: 1)
    #expect(throws: SystemError.self) {
      try Sockets.connect(to: address, timeoutMilliseconds: 10_000)
    }
    #expect(throws: SystemError.self) { try Sockets.listen(on: address) }
  }
}
