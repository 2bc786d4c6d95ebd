import Core
import HTTP2
import Syscalls
import Testing

/// Connections from their first byte to their last.
@Suite struct ConnectionTests {
  private static let upgrade = """
    HTTP/1.1 426 Upgrade Required\r\nconnection: close\r\nupgrade: h2c\r\n\
    content-type: text/plain\r\ncontent-length: 61\r\n\r\n\
    this port speaks gRPC over HTTP/2 with prior knowledge only.\n
    """

  /// What a peer that never speaks HTTP/2 gets, to the end of the connection.
  private func answer(_ request: String, _ server: TestServer) throws -> String {
    let (client, other) = (try RawClient(server), try RawClient(server))
    // Accepted, and given a turn of the loop, before it says anything.
    _ = try other.state()
    try client.write(Array(request.utf8))
    var text: [UInt8] = []
    while let bytes = try client.readRaw() { text += bytes }
    return String(decoding: text, as: UTF8.self)
  }

  @Test func otherProtocolsGetAnAnswerThatTheyCanShow() throws {
    try withServer { server in
      let get = "GET / HTTP/1.1\r\nhost: x\r\n\r\n"
      #expect(try answer(get, server) == ConnectionTests.upgrade)
      #expect(try answer("POST / HTTP/1.1\r\nhost: x\r\n\r\n", server) == ConnectionTests.upgrade)
      #expect(try answer("PRI * HTTP/1.1\r\n\r\n", server) == ConnectionTests.upgrade)
      let other = try RawClient(server)
      #expect(try other.state().protocolErrors == 3)
    }
  }

  @Test func aPeerThatBreaksTheProtocolIsToldAndAlone() throws {
    try withServer { server in
      let (client, other) = (try RawClient(server), try RawClient(server))
      let held = try other.start("Hold", [1])
      _ = try client.call("Echo", [1])
      // DATA on a stream that was never opened.
      try client.write([0, 0, 1, 0, 0, 0, 0, 0, 99, 0])
      while !client.isClosed { try client.read() }
      #expect(client.goAway != nil)
      let state = try other.state { $0.connectionsClosed == 1 }
      #expect(state.held == 1 && state.streams == 2)
      _ = try other.call("Release", [])
      try other.finish([held])
      #expect(held.message == Array("released".utf8))
    }
  }

  /// Bytes after the ones that were wrong are not looked at.
  @Test func whatCameBeforeTheErrorIsAnswered() throws {
    try withServer { server in
      let client = try RawClient(server)
      _ = try client.state()
      let exchange = try client.start("Echo", [5])
      let bytes = try client.output() + [0, 0, 1, 0, 0, 0, 0, 0, 99, 0] + [1, 2, 3]
      try client.write(bytes)
      while !client.isClosed { try client.read() }
      let other = try RawClient(server)
      #expect(try other.state().handled == 3)
      #expect(exchange.id == 3)
    }
  }

  @Test func theLeastLoadedLoopTakesTheNextConnection() throws {
    try withServer(loops: 2) { server in
      var clients: [RawClient] = []
      var loops: [UInt64] = []
      for _ in 0..<6 {
        let client = try RawClient(server)
        loops.append(try client.state().loop)
        clients.append(client)
      }
      #expect(loops.count { $0 == 0 } == 3 && loops.count { $0 == 1 } == 3)
      for loop: UInt64 in [0, 1] {
        let own = clients.indices.filter { loops[$0] == loop }
        let closed = try clients[own[0]].state().connectionsClosed
        for index in own[1...] { clients[index].close() }
        _ = try clients[own[0]].state { $0.connectionsClosed == closed + 2 }
        for index in own[1...] {
          clients[index] = try RawClient(server)
          #expect(try clients[index].state().loop == loop)
        }
      }
    }
  }
}
