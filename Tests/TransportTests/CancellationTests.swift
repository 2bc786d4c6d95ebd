import Core
import HTTP2
import Syscalls
import Testing

/// Clients that change their mind, or are gone.
@Suite struct CancellationTests {
  @Test func resetWithinTheMessage() throws {
    try withServer { server in
      let client = try RawClient(server)
      for count in [0, 3, 5, 50_000] {
        let body = framed(TestLoop.pattern(100_000))
        let exchange = try client.start(
          RawClient.headers("Hold"), frames: count == 0 ? [] : [Array(body[..<count])],
          ends: false)
        #expect(try client.state().streams == 2)
        client.session.resetStream(exchange.id, HTTP2ErrorCode.cancel)
        let state = try client.state { $0.streams == 1 }
        #expect(state.bufferedBytes == 0 && state.held == 0 && state.cancelled == 0)
        #expect(exchange.blocks.isEmpty)
      }
      #expect(try client.state().callsCancelled == 4)
      #expect(try client.state().cancellations == 4)
    }
  }

  @Test func resetWhileItIsHandled() throws {
    try withServer { server in
      let client = try RawClient(server)
      let exchanges = try (0..<6).map { _ in try client.start("Hold", [1, 2, 3]) }
      _ = try client.state { $0.held == 6 }
      for exchange in exchanges[..<3] {
        client.session.resetStream(exchange.id, HTTP2ErrorCode.cancel)
      }
      let state = try client.state { $0.held == 3 }
      #expect(state.cancelled == 3 && state.callsCancelled == 3 && state.streams == 4)
      _ = try client.call("Release", [])
      try client.finish(exchanges)
      for exchange in exchanges[..<3] { #expect(exchange.blocks.isEmpty) }
      for exchange in exchanges[3...] { #expect(exchange.message == Array("released".utf8)) }
      let last = try client.state()
      #expect(last.cancelled == 3 && last.callsCancelled == 3 && last.streams == 1)
    }
  }

  /// The reset comes in the same read as the request: nobody is to work on it.
  @Test func resetBeforeItIsHandled() throws {
    try withServer { server in
      let client = try RawClient(server)
      _ = try client.state()
      let exchange = try client.start("Hold", [1])
      var bytes = try client.output()
      client.session.resetStream(exchange.id, HTTP2ErrorCode.cancel)
      bytes += try client.output()
      try client.write(bytes)
      let state = try client.state()
      #expect(state.handled == 2 && state.cancelled == 0 && state.held == 0)
      #expect(state.callsCancelled == 1 && state.streams == 1)
    }
  }

  /// Answered, and reset before the answer was read: its service has nothing to cancel, the call
  /// counts as cancelled all the same, and what was made for the answer goes back.
  @Test func resetWhileItIsAnswered() throws {
    try withServer { server in
      let client = try RawClient(server, streamWindowBytes: 10_000)
      client.consumes = false
      let exchange = try client.start("Large", [0, 0, 4])
      try client.pump("a full window") { exchange.body.count == 10_000 }
      client.session.resetStream(exchange.id, HTTP2ErrorCode.cancel)
      client.consumeAll()
      let state = try client.state { $0.streams == 1 }
      #expect(state.cancelled == 0 && state.callsCancelled == 1)
      #expect(try client.call("Echo", [7]).message == [7])
    }
  }

  @Test func theConnectionIsLost() throws {
    try withServer { server in
      let other = try RawClient(server)
      for round in 1...3 {
        let client = try RawClient(server)
        _ = try (0..<5).map { _ in try client.start("Hold", [1]) }
        _ = try client.start(
          RawClient.headers("Echo"), frames: [[0, 0, 0, 9, 9, 1]], ends: false)
        try client.flush()
        _ = try other.state { $0.held == 5 && $0.streams == 7 }
        client.close()
        let state = try other.state { $0.streams == 1 }
        #expect(state.cancelled == UInt64(5 * round) && state.held == 0)
        #expect(state.connectionsClosed == UInt64(round))
      }
      #expect(try other.call("Release", []).message == [])
    }
  }

  /// Four of the longest messages may be under way on one connection, and no byte more.
  @Test func unfinishedMessagesAreBounded() throws {
    try withServer { server in
      let client = try RawClient(server)
      let whole = framed(TestLoop.pattern(Limits.serving.messageBytes))
      let (most, rest) = (Array(whole.dropLast()), Array(whole.suffix(1)))
      let exchanges = try (0..<4).map { _ in
        try client.start(RawClient.headers("Count"), frames: [most], ends: false)
      }
      let held = try client.state { $0.bufferedBytes >= Limits.serving.connectionBufferedBytes }
      #expect(held.bufferedBytes == Limits.serving.connectionBufferedBytes)
      let fifth = try client.start(
        RawClient.headers("Count"), frames: [Array(most[..<100])], ends: false)
      _ = try client.state()
      try client.finish([fifth])
      #expect(fifth.trailersOnly?["grpc-status"] == "8")
      // Another connection has a bound of its own.
      let other = try RawClient(server)
      #expect(try other.call("Count", TestLoop.pattern(70_000)).message != nil)
      for exchange in exchanges { client.send(exchange, [rest], ends: true) }
      try client.finish(exchanges)
      for exchange in exchanges {
        #expect(exchange.message.map(TestLoop.number) == Limits.serving.messageBytes)
      }
      #expect(try client.state().bufferedBytes == 0)
    }
  }
}
