import Core
import HTTP2
import Syscalls
import Testing

/// The time that a request has, on a clock that only the test moves.
@Suite struct DeadlineTests {
  private let time = FakeTime()

  /// Starts a call that ends in the middle of its message, and makes sure that it was read.
  private func unfinished(_ client: RawClient, timeout: String?) throws -> Exchange {
    let exchange = try client.start(
      RawClient.headers("Echo", timeout: timeout),
      frames: [Array(framed([1, 2])[..<6])], ends: false)
    _ = try client.state()
    return exchange
  }

  private func finish(_ client: RawClient, _ exchange: Exchange) throws {
    client.send(exchange, [[2]], ends: true)
    try client.finish([exchange])
  }

  @Test func anUnfinishedRequestExpires() throws {
    try withServer(clock: time.clock) { server in
      let client = try RawClient(server)
      let short = try unfinished(client, timeout: "1S")
      let long = try unfinished(client, timeout: "1H")
      let unnamed = try unfinished(client, timeout: nil)
      time.advance(seconds: 2)
      #expect(try client.state { $0.deadlines == 1 }.handled > 0)
      try client.finish([short])
      #expect(short.trailersOnly?["grpc-status"] == "4")
      #expect(short.closeCode == HTTP2ErrorCode.noError)
      // The server's own default, ten seconds.
      time.advance(seconds: 8)
      server.wake()
      try client.finish([unnamed])
      #expect(unnamed.trailersOnly?["grpc-status"] == "4")
      try finish(client, long)
      #expect(long.message == [1, 2])
      #expect(try client.state().bufferedBytes == 0)
    }
  }

  @Test func aMessageMustArriveHoweverLateItsDeadline() throws {
    try withServer(clock: time.clock) { server in
      let client = try RawClient(server)
      let exchange = try unfinished(client, timeout: "99999999H")
      time.advance(seconds: 59)
      _ = try client.state()
      #expect(exchange.closeCode == nil)
      time.advance(seconds: 1)
      server.wake()
      try client.finish([exchange])
      #expect(exchange.trailersOnly?["grpc-status"] == "4")
    }
  }

  @Test func noTimeAtAll() throws {
    try withServer(clock: time.clock) { server in
      let client = try RawClient(server)
      for timeout in ["0n", "0H", "00000000m"] {
        let exchange = try client.call("Echo", [1], more: [("grpc-timeout", timeout)])
        #expect(exchange.trailersOnly?["grpc-status"] == "4")
      }
      let state = try client.state()
      #expect(state.handled == 1 && state.deadlines == 3)
    }
  }

  /// The whole message comes, but too late: nobody is to work on it.
  @Test func expiredWhenItIsWhole() throws {
    try withServer(clock: time.clock) { server in
      let client = try RawClient(server)
      let exchange = try unfinished(client, timeout: "5S")
      let handled = try client.state().handled
      time.advance(seconds: 5)
      try finish(client, exchange)
      #expect(exchange.trailersOnly?["grpc-status"] == "4")
      #expect(try client.state().handled == handled + 1)
    }
  }

  /// A timer outlives its call: the next tenant of the stream's memory must not feel it.
  @Test func timersOfFinishedCallsAreForgotten() throws {
    try withServer(clock: time.clock) { server in
      let client = try RawClient(server)
      for _ in 0..<5 {
        let first = try unfinished(client, timeout: "1S")
        try finish(client, first)
        #expect(first.message == [1, 2])
        let second = try unfinished(client, timeout: "50S")
        time.advance(seconds: 2)
        let state = try client.state()
        #expect(state.deadlines == 0 && second.closeCode == nil)
        try finish(client, second)
        #expect(second.message == [1, 2])
      }
    }
  }

  /// A service that does not answer in time loses the call: the client is told.
  @Test func aCallThatIsHandledEndsAtItsDeadline() throws {
    try withServer(clock: time.clock) { server in
      let client = try RawClient(server)
      let exchange = try client.start(
        RawClient.headers("Hold", [("grpc-timeout", "1S")]),
        frames: [Array(framed([1, 2])[..<6])], ends: false)
      _ = try client.state()
      client.send(exchange, [[2]], ends: true)
      _ = try client.state { $0.held == 1 }
      time.advance(seconds: 3)
      server.wake()
      let state = try client.state { $0.deadlines == 1 }
      #expect(state.held == 0 && state.cancelled == 1)
      try client.finish([exchange])
      #expect(exchange.trailersOnly?["grpc-status"] == "4")
    }
  }

  /// Of its answer nothing has gone, not even the headers: a status takes its place. A client that
  /// takes no byte of it would not get that either, and is told by RST_STREAM.
  @Test func anAnswerThatHasNotBegunIsAStatusInstead() throws {
    try withServer { server in
      let other = try RawClient(server)
      for (round, window) in [10_000, 0].enumerated() {
        let client = try RawClient(server, streamWindowBytes: window)
        let exchange = try client.start(
          RawClient.headers("SendLate", [("grpc-timeout", "20m")]), frames: [framed([1])],
          ends: true)
        try client.pump("its end") { exchange.isEnded || exchange.closeCode != nil }
        #expect(exchange.body.isEmpty)
        if window == 0 {
          #expect(exchange.closeCode == HTTP2ErrorCode.cancel)
        } else {
          #expect(exchange.blocks.last?["grpc-status"] == "4")
        }
        let state = try other.state { $0.deadlines == round + 1 && $0.streams == 1 }
        #expect(state.held == 0 && state.cancelled == round + 1)
      }
    }
  }
}
