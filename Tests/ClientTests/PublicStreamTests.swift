import Core
import HTTP2
import Synchronization
import Testing
import Wire

@testable import Client

/// `StreamScoresResponse` of position 0 with this score, and `padding` bytes that nobody knows.
private func partMessage(_ score: Float, padding: Int = 0) -> [UInt8] {
  var bytes: [UInt8] = [1 << 3 | 2, 4, 0, 0, 0, 0, 2 << 3 | 2, 6] + scoreMessage(score)
  if padding > 0 {
    bytes += [15 << 3 | 2, UInt8(padding & 127 | 128), UInt8(padding >> 7)]
    bytes += Array(repeating: 0, count: padding)
  }
  return bytes
}

@Suite struct PublicStreamTests {
  @Test func partsComeInOrderAndEndOnce() async throws {
    let host = try ScriptedHost { server, request in
      server.respond(
        request, chunks: (0..<5).map { framed(partMessage(Float($0))) },
        trailers: ScriptedServer.okTrailers)
    }
    try await withClient(host) { client in
      var scores: [Float] = []
      var parts = client.streamScores(ScoreRequest(itemIDs: [1])).makeAsyncIterator()
      while let part = try await parts.next() { scores += part.response.scores }
      #expect(scores == [0, 1, 2, 3, 4])
      let end = try await parts.next()
      #expect(end == nil)
    }
  }

  @Test func aFailureBehindSomePartsIsThrown() async throws {
    let host = try ScriptedHost { server, request in
      server.respond(
        request, chunks: [framed(partMessage(1))],
        trailers: [.init("grpc-status", "14"), .init("grpc-message", "gone")])
    }
    try await withClient(host, change: { $0.fallback = .prior(0) }) { client in
      var parts = client.streamScores(ScoreRequest(itemIDs: [1])).makeAsyncIterator()
      let part = try await parts.next()
      #expect(part?.response.scores == [1])
      let error = await #expect(throws: RPCError.self) { try await parts.next() }
      #expect(error == RPCError(.unavailable, "gone", origin: .server))
    }
  }

  @Test func aReaderThatDoesNotReadStopsTheServer() async throws {
    let count = 400
    let padding = 10_000
    let request = Mutex<Int>(0)
    let host = try ScriptedHost { server, stream in
      if stream.headers[":path"] == "\(WireNames.healthCheckPath)" {
        let left = server.requests.values.map(\.chunks.count).max() ?? 0
        request.withLock { $0 = left }
        return answering([8, 1])(server, stream)
      }
      server.respond(
        stream, chunks: (0..<count).map { framed(partMessage(Float($0), padding: padding)) },
        trailers: ScriptedServer.okTrailers)
    }
    try await withClient(host, change: { $0.bounds.unreadBytes = 1 << 10 }) { client in
      let stream = client.streamScores(ScoreRequest(itemIDs: [1]))
      // Each answer comes behind everything that the window let through before.
      for _ in 0..<50 {
        let health = try await client.checkHealth()
        #expect(health == .serving)
      }
      let window = Limits.serving.streamWindowBytes
      let sent = count - request.withLock { $0 }
      #expect(sent * padding <= 2 * window + (1 << 10))
      var scores: [Float] = []
      for try await part in stream { scores += part.response.scores }
      #expect(scores == (0..<count).map(Float.init))
    }
  }

  @Test func lettingGoOfAStreamCancelsIt() async throws {
    let (arrived, closed) = (Signal<Void>(), Signal<UInt32?>())
    let host = try ScriptedHost(closed: { closed.send($0.resetCode) }) { _, _ in
      arrived.send(())
    }
    try await withClient(host) { client in
      do {
        let stream = client.streamScores(ScoreRequest(itemIDs: [1]))
        try await arrived.next()
        _ = stream
      }
      let code = try await closed.next()
      #expect(code == HTTP2ErrorCode.cancel)
    }
  }

  @Test func whoReadsAndIsCancelledCancelsTheCall() async throws {
    let (arrived, closed) = (Signal<Void>(), Signal<UInt32?>())
    let host = try ScriptedHost(closed: { closed.send($0.resetCode) }) { _, _ in
      arrived.send(())
    }
    try await withClient(host) { client in
      let task = Task {
        for try await _ in client.streamScores(ScoreRequest(itemIDs: [1])) {}
      }
      try await arrived.next()
      task.cancel()
      let error = await #expect(throws: RPCError.self) { try await task.value }
      #expect(error?.code == .cancelled)
      let code = try await closed.next()
      #expect(code == HTTP2ErrorCode.cancel)
    }
  }

  @Test func senderOfManyWaitsForRoom() async throws {
    let gate = SendGate(limitBytes: 100)
    #expect(await gate.take(500) == nil)
    let order = Mutex<[String]>([])
    let second = Task {
      let error = await gate.take(1)
      order.withLock { $0.append("taken") }
      return error
    }
    order.withLock { $0.append("released") }
    gate.release(500)
    #expect(await second.value == nil)
    #expect(order.withLock { $0 } == ["released", "taken"])
    gate.close(nil)
    #expect(await gate.take(1)?.code == .failedPrecondition)
  }

  @Test func manyWithoutBatchesEndsWithoutACall() async throws {
    let host = try ScriptedHost { _, _ in Issue.record("a call was made") }
    try await withClient(host) { client in
      let many = client.scoreMany()
      many.finish()
      var answers = many.answers.makeAsyncIterator()
      let answer = try await answers.next()
      #expect(answer?.sequence == nil)
      await #expect(throws: RPCError.self) { try await many.send(ScoreRequest(itemIDs: [1])) }
    }
  }
}
