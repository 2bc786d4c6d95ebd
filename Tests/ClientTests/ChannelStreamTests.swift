import Core
import Testing
import Wire

@testable import Client

@Suite struct ClientStreamTests {
  /// The scripted server answers when the client has said all.
  private func pair(
    _ messages: [[UInt8]], trailers: [ScriptedServer.Header] = ScriptedServer.okTrailers
  ) throws -> ClientPair {
    try ClientPair { server, request in
      server.respond(request, chunks: messages.map(framed), trailers: trailers)
    }
  }

  @Test func messagesGoBothWays() throws {
    var body: [UInt8] = []
    let pair = try ClientPair { server, request in
      body = request.body
      server.respond(
        request, chunks: [framed([7]), framed([]), framed([8, 9])],
        trailers: ScriptedServer.okTrailers)
    }
    let id = try pair.client.startStream(path: echoPath, nowNanoseconds: pair.now)
    try pair.exchange()
    let long = [UInt8](repeating: 5, count: 100_000)
    for message in [[1, 2], [], long] {
      try pair.client.send(message, on: id)
      try pair.exchange()
      #expect(pair.client.takeOutcome(id) == nil)
    }
    pair.client.finish(id)
    try pair.client.send([1], on: id)
    for cut in [1, 3, Int.max] {
      try pair.exchange(cut: cut)
    }
    #expect(body == framed([1, 2]) + framed([]) + framed(long))
    #expect(pair.client.takeMessages(of: id) == [[7], [], [8, 9]])
    #expect(pair.client.takeMessages(of: id) == [])
    guard case .success(let answer)? = pair.client.takeOutcome(id) else {
      Issue.record("no end")
      return
    }
    #expect(answer.message == [])
  }

  @Test func whatCameBeforeAFailureIsThere() throws {
    let pair = try pair(
      [[1], [2]], trailers: [.init("grpc-status", "14"), .init("grpc-message", "away")])
    let id = try pair.client.startStream(path: echoPath, nowNanoseconds: pair.now)
    pair.client.finish(id)
    let failure = try pair.failure(id)
    #expect(failure?.failure == CallFailure(.unavailable, "away") && failure?.origin == .server)
    #expect(pair.client.takeMessages(of: id) == [[1], [2]])
  }

  @Test func anEndWithoutMessagesIsAnEnd() throws {
    let pair = try pair([])
    let id = try pair.client.startStream(path: echoPath, nowNanoseconds: pair.now)
    pair.client.finish(id)
    guard case .success? = try pair.outcome(id) else {
      Issue.record("no end")
      return
    }
    #expect(pair.client.takeMessages(of: id) == [])
  }

  @Test func aMessageThatIsCutOffIsInternal() throws {
    let pair = try ClientPair { server, request in
      server.respond(
        request, chunks: [framed([1]), [0, 0, 0, 0, 9, 1]], trailers: ScriptedServer.okTrailers)
    }
    let id = try pair.client.startStream(path: echoPath, nowNanoseconds: pair.now)
    pair.client.finish(id)
    #expect(try pair.failure(id)?.failure.code == .internalError)
    #expect(pair.client.takeMessages(of: id) == [[1]])
  }

  @Test func aLostConnectionIsUnavailable() throws {
    let pair = try pair([])
    let id = try pair.client.startStream(path: echoPath, nowNanoseconds: pair.now)
    try pair.exchange()
    pair.client.end("the connection is lost")
    #expect(try pair.failure(id)?.failure.code == .unavailable)
    try pair.client.send([1], on: id)
    pair.client.finish(id)
    #expect(throws: ClientError.self) {
      try pair.client.startStream(path: echoPath, nowNanoseconds: pair.now)
    }
  }
}
