import Core
import HTTP2
import Syscalls
import Testing

/// How a server ends.
@Suite struct DrainTests {
  /// Stops a server on a thread of its own, because a stop waits for its calls.
  private func stopping(_ server: TestServer, _ body: () throws -> Void) throws {
    let thread = try OwnedThread(name: "stop") { server.stop() }
    let result = Result { try body() }
    thread.join()
    try result.get()
  }

  private func expectEnd(_ client: RawClient) throws {
    while !client.isClosed { try client.read() }
    #expect(client.goAway != nil)
  }

  @Test(arguments: [1, 2]) func openCallsFinish(_ loops: Int) throws {
    let server = try TestServer(loops: loops)
    let (client, idle) = (try RawClient(server), try RawClient(server))
    let silent = try RawClient(server)
    let exchanges = try (0..<3).map { _ in try client.start("Hold", [1]) }
    let half = try client.start(RawClient.headers("Echo"), frames: [[0, 0, 0]], ends: false)
    let state = try client.state { $0.held == 3 }
    _ = try idle.state()
    try stopping(server) {
      // First a notice that names no last stream, then the last that was taken.
      try client.pump("the notice") { client.goAway == Int32.max }
      try client.pump("GOAWAY") { client.goAway == 9 }
      try expectEnd(idle)
      try expectEnd(silent)
      #expect(throws: (any Error).self) { _ = try RawClient(server) }
      // What had begun before may go on.
      client.send(half, [[0, 1, 42]], ends: true)
      try client.finish([half])
      #expect(half.message == [42])
      #expect(!client.isClosed)
      server.releaseHeld(loop: Int(state.loop))
      try client.finish(exchanges)
      #expect(exchanges.allSatisfy { $0.message == Array("released".utf8) })
      try expectEnd(client)
    }
  }

  /// Calls that do not end are cancelled when the time for it has come.
  @Test func theDrainHasAnEnd() throws {
    let time = FakeTime()
    let server = try TestServer(clock: time.clock)
    let client = try RawClient(server)
    let exchange = try client.start("Hold", [1])
    _ = try client.state { $0.held == 1 }
    try stopping(server) {
      try client.pump("GOAWAY") { client.goAway != nil }
      time.advance(seconds: Limits.serving.drainNanoseconds / 1_000_000_000)
      server.wake()
      try expectEnd(client)
      #expect(exchange.blocks.isEmpty)
    }
  }

  /// A large answer that nobody has read yet goes out whole.
  @Test func anAnswerUnderWayGoesOut() throws {
    let server = try TestServer()
    let client = try RawClient(server, streamWindowBytes: 10_000)
    client.consumes = false
    let exchange = try client.start("Large", [0, 0, 5])
    try client.pump("a full window") { exchange.body.count == 10_000 }
    try stopping(server) {
      try client.pump("GOAWAY") { client.goAway != nil }
      client.consumeAll()
      try client.finish([exchange])
      #expect(exchange.message == TestLoop.pattern(5 << 16))
      try expectEnd(client)
    }
  }

  /// Connections that are made while the server stops are refused or closed: none is forgotten.
  @Test func connectionsThatComeTooLate() throws {
    for _ in 0..<30 {
      let server = try TestServer(loops: 3)
      var clients: [RawClient] = []
      try stopping(server) {
        for _ in 0..<1_000 {
          guard let client = try? RawClient(server) else { break }
          clients.append(client)
        }
      }
      for client in clients {
        // A write first, as a real client: Linux can lose a connection that its listener closed
        // under, and says so only to who writes. Then it ends, or the test is stuck.
        guard (try? client.flush()) != nil else { continue }
        while try client.readRaw() != nil {}
      }
    }
  }
}
