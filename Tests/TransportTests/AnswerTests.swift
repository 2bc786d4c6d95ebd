import Core
import HTTP2
import Syscalls
import Testing

/// Answers that do not fit: into a window, into a buffer, into a socket.
@Suite struct AnswerTests {
  private func large(_ client: RawClient, _ count: Int) throws -> Exchange {
    try client.start("Large", (0..<4).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) })
  }

  /// Every size around the borders of frames, pools and windows.
  @Test func sizes() throws {
    try withServer { server in
      let client = try RawClient(server, streamWindowBytes: 65_535)
      let borders = [512, 1_024, 16_384, 65_535, 65_536, 131_072, 262_144]
      for count in borders.flatMap({ [$0 - 10, $0 - 6, $0 - 5, $0 - 4, $0, $0 + 1] }) {
        let exchange = try large(client, count)
        try client.finish([exchange])
        #expect(exchange.message == TestLoop.pattern(count), "\(count) bytes")
      }
    }
  }

  @Test func overTheWindow() throws {
    try withServer { server in
      let client = try RawClient(server, streamWindowBytes: 20_000, connectionWindowBytes: 65_535)
      client.consumes = false
      let exchanges = try (0..<5).map { try large(client, 300_000 + $0) }
      try client.pump("a full window") {
        exchanges.reduce(0) { $0 + $1.body.count } == 65_535
      }
      // Others are served meanwhile.
      let other = try RawClient(server)
      #expect(try other.state().streams == 6)
      client.consumeAll()
      try client.finish(exchanges)
      for (index, exchange) in exchanges.enumerated() {
        #expect(exchange.message == TestLoop.pattern(300_000 + index))
      }
    }
  }

  /// Windows are wide open, but nobody reads: the socket fills up, and the rest waits.
  @Test func overTheSocket() throws {
    try withServer { server in
      let client = try RawClient(
        server, streamWindowBytes: 1 << 30, connectionWindowBytes: 1 << 30)
      let exchanges = try (0..<4).map { try large(client, 7_000_000 + $0) }
      try client.flush()
      let other = try RawClient(server)
      _ = try other.state { $0.handled > 4 }
      #expect(try other.state().streams == 5)
      try client.finish(exchanges)
      for (index, exchange) in exchanges.enumerated() {
        #expect(exchange.message == TestLoop.pattern(7_000_000 + index))
      }
      #expect(try other.state().streams == 1)
    }
  }

  /// More than one write buffer in one turn.
  @Test func manyAtOnce() throws {
    try withServer { server in
      let client = try RawClient(
        server, streamWindowBytes: 1 << 20, connectionWindowBytes: 1 << 24)
      let exchanges = try (0..<100).map { try large(client, 9_000 + 37 * $0) }
      try client.finish(exchanges)
      for (index, exchange) in exchanges.enumerated() {
        #expect(exchange.message == TestLoop.pattern(9_000 + 37 * index))
      }
    }
  }
}
