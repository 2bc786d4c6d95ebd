import Core
import HTTP2
import Syscalls
import Testing

@testable import Transport

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
      let exchanges = try (0..<4).map { try large(client, 4_000_000 + $0) }
      try client.flush()
      let other = try RawClient(server)
      _ = try other.state { $0.handled > 4 }
      #expect(try other.state().streams == 5)
      try client.finish(exchanges)
      for (index, exchange) in exchanges.enumerated() {
        #expect(exchange.message == TestLoop.pattern(4_000_000 + index))
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

  /// Buffers of every size come back whole and are handed out again, largest last.
  @Test func buffersAreUsedAgain() {
    var pool = BufferPool()
    let sizes = [0, 1, 511, 512, 513, 1_024, 1_025, 65_535, 65_536, 65_537, 1 << 20]
    for _ in 0..<3 {
      let buffers = sizes.map { size in
        let buffer = pool.take(size)
        #expect(UInt(bitPattern: buffer).isMultiple(of: 16))
        buffer.initializeMemory(as: UInt8.self, repeating: 0x5A, count: size)
        return buffer
      }
      #expect(pool.handedOut == sizes.count && Set(buffers).count == sizes.count)
      for buffer in buffers { pool.giveBack(buffer) }
      #expect(pool.handedOut == 0)
    }
    let first = pool.take(600)
    pool.giveBack(first)
    let second = pool.take(1_000)
    #expect(second == first)
    pool.giveBack(second)
    // What a burst leaves behind is bounded.
    let burst = (0..<1_000).map { _ in pool.take(100) }
    for buffer in burst { pool.giveBack(buffer) }
    pool.destroy()
  }
}
