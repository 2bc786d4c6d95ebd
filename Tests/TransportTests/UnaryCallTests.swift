import Core
import HTTP2
import Syscalls
import Testing

/// Calls that succeed, however their bytes come.
@Suite struct UnaryCallTests {
  private static let message = Array("a message of some bytes, äöü".utf8)

  @Test func inOnePiece() throws {
    try withServer { server in
      let client = try RawClient(server)
      for message in [[], [0], UnaryCallTests.message, TestLoop.pattern(70_000)] {
        let exchange = try client.call("Echo", message)
        #expect(exchange.message == message)
        #expect(exchange.closeCode == HTTP2ErrorCode.noError)
      }
      let state = try client.state()
      #expect(state.handled == 5 && state.streams == 1)
      #expect(state.callsStarted == 5 && state.callsEnded == 4 && state.callsCancelled == 0)
      #expect(state.ok == 4 && state.cancelled == 0 && state.bufferedBytes == 0)
    }
  }

  @Test func splitOverFramesAtEachByte() throws {
    try withServer { server in
      let client = try RawClient(server)
      let body = framed(UnaryCallTests.message)
      var splits = (1..<body.count).map { [Array(body[..<$0]), Array(body[$0...])] }
      splits.append(body.map { [$0] })
      splits.append([[], body, []])
      splits.append([body, [], []])
      for frames in splits {
        let exchange = try client.start(RawClient.headers("Echo"), frames: frames)
        try client.finish([exchange])
        #expect(exchange.message == UnaryCallTests.message, "\(frames.map(\.count))")
      }
    }
  }

  /// Between two writes the server is made to read, so that it has to keep what was only lent.
  @Test func splitOverReadsAtEachByte() throws {
    try withServer { server in
      let client = try RawClient(server)
      let body = framed(UnaryCallTests.message)
      for split in 0...body.count {
        let exchange = try client.start(
          RawClient.headers("Echo"), frames: split == 0 ? [] : [Array(body[..<split])],
          ends: false)
        let state = try client.state()
        #expect(state.streams == 2)
        #expect((state.bufferedBytes > 0) == (split > 5), "\(split)")
        let rest = Array(body[split...])
        client.send(exchange, rest.isEmpty ? [] : [rest], ends: true)
        try client.finish([exchange])
        #expect(exchange.message == UnaryCallTests.message, "split at \(split)")
      }
      #expect(try client.state().bufferedBytes == 0)
    }
  }

  /// Every write is one byte of HTTP/2 itself, each read by the server before the next.
  @Test func byteByByte() throws {
    try withServer { server in
      let (client, other) = (try RawClient(server), try RawClient(server))
      let exchange = try client.start("Echo", UnaryCallTests.message)
      for byte in try client.output() {
        try client.write([byte])
        _ = try other.state()
      }
      try client.finish([exchange])
      #expect(exchange.message == UnaryCallTests.message)
    }
  }

  @Test func pipelinedInOneWrite() throws {
    try withServer { server in
      let client = try RawClient(server)
      let exchanges = try (0..<100).map { number in
        try client.start(number % 3 == 2 ? "Large" : "Echo", [UInt8(number)])
      }
      let bytes = try client.output()
      try client.write(bytes)
      try client.finish(exchanges)
      for (number, exchange) in exchanges.enumerated() {
        #expect(
          exchange.message
            == (number % 3 == 2 ? TestLoop.pattern(number) : [UInt8(number)]))
      }
    }
  }

  @Test func contentTypesAndHeadersThatAreFine() throws {
    try withServer { server in
      let client = try RawClient(server)
      for type in ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"] {
        var headers = RawClient.headers("Echo", [("grpc-encoding", "identity"), ("x-y", " z ")])
        headers.removeAll { ["content-type", "te", "grpc-timeout"].contains($0.0) }
        let exchange = try client.start(
          headers + [("content-type", type), ("grpc-timeout", "99999999H")],
          frames: [framed([1])])
        try client.finish([exchange])
        #expect(exchange.message == [1], "\(type)")
      }
    }
  }

  @Test func aHundredStreamsAtOnce() throws {
    try withServer { server in
      let (client, other) = (try RawClient(server), try RawClient(server))
      let exchanges = try (0..<Limits.serving.concurrentStreams).map { _ in
        try client.start("Hold", [])
      }
      try client.flush()
      _ = try other.state { $0.held == 100 }
      #expect(try other.call("Release", []).message == [])
      try client.finish(exchanges)
      #expect(exchanges.allSatisfy { $0.message == Array("released".utf8) })
      #expect(try other.state().streams == 1)
    }
  }
}
