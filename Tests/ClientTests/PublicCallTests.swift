import Core
import HTTP2
import MetricsTestKit
import Synchronization
import Testing

@testable import Client

private let oneItem = ScoreRequest(itemIDs: [1])

/// One call at a time against servers that do as they are told.
@Suite struct PublicCallTests {
  @Test func cancellingTheTaskResetsTheStream() async throws {
    let (arrived, closed) = (Signal<Void>(), Signal<UInt32?>())
    let host = try ScriptedHost(closed: { closed.send($0.resetCode) }) { _, _ in
      arrived.send(())
    }
    try await withClient(host) { client in
      let task = Task { try await client.score(oneItem) }
      try await arrived.next()
      task.cancel()
      let error = await #expect(throws: RPCError.self) { try await task.value }
      #expect(error?.code == .cancelled && error?.origin == .client)
      let code = try await closed.next()
      #expect(code == HTTP2ErrorCode.cancel)
    }
  }

  @Test func aTaskThatIsCancelledAlreadyMakesNoCall() async throws {
    let host = try ScriptedHost { server, request in answering(scoreMessage(1))(server, request) }
    try await withClient(host) { client in
      let start = Signal<Void>()
      let task = Task {
        try await start.next()
        return try await client.score(oneItem)
      }
      task.cancel()
      start.send(())
      await #expect(throws: (any Error).self) { try await task.value }
      #expect(host.connectionCount.load(ordering: .sequentiallyConsistent) == 0)
    }
  }

  @Test func theDeadlineEndsTheCallOnBothSides() async throws {
    let (timeouts, closed) = (Signal<String?>(), Signal<UInt32?>())
    let host = try ScriptedHost(closed: { closed.send($0.resetCode) }) { _, request in
      timeouts.send(request.headers["grpc-timeout"])
    }
    try await withClient(host) { client in
      let error = await #expect(throws: RPCError.self) {
        try await client.score(oneItem, options: CallOptions(timeout: .milliseconds(300)))
      }
      #expect(error?.code == .deadlineExceeded && error?.origin == .client)
      let timeout = try await timeouts.next()
      #expect(timeout != nil)
      let code = try await closed.next()
      #expect(code == HTTP2ErrorCode.cancel)
    }
  }

  @Test func headersSayWhatTheOptionsDo() async throws {
    let seen = Signal<[String: String]>()
    let host = try ScriptedHost { server, request in
      seen.send(request.headers)
      answering(scoreMessage(1))(server, request)
    }
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    try await withClient(host, change: { $0.metadata = [("authorization", "Bearer x")] }) {
      client in
      _ = try await client.score(
        oneItem,
        options: CallOptions(priority: .batch, traceparent: trace, metadata: [("a-b", "c")]))
      let headers = try await seen.next()
      #expect(headers["crescendo-priority"] == "batch")
      #expect(headers["traceparent"] == trace)
      #expect(headers["authorization"] == "Bearer x" && headers["a-b"] == "c")
      #expect(headers["grpc-previous-rpc-attempts"] == nil)
      let error = await #expect(throws: RPCError.self) {
        try await client.score(oneItem, options: CallOptions(metadata: [("te", "x")]))
      }
      #expect(error?.code == .invalidArgument)
    }
  }

  @Test func anUnavailableServerIsAskedAgainWhenItSays() async throws {
    let attempts = Mutex<[String]>([])
    let host = try ScriptedHost { server, request in
      let count = attempts.withLock { attempts in
        attempts.append(request.headers["grpc-previous-rpc-attempts"] ?? "0")
        return attempts.count
      }
      if count < 3 {
        server.respond(request, only: failure(14, pushback: "1"))
      } else {
        answering(scoreMessage(0.5))(server, request)
      }
    }
    try await withClient(host) { client in
      let scores = try await client.scores(oneItem)
      #expect(scores == [0.5])
      #expect(attempts.withLock { $0 } == ["0", "1", "2"])
    }
  }

  @Test(arguments: [failure(14, pushback: "-1"), failure(8), failure(3)])
  func whatIsNotToBeRepeatedIsNot(_ headers: [ScriptedServer.Header]) async throws {
    let count = Atomic<Int>(0)
    let host = try ScriptedHost { server, request in
      count.add(1, ordering: .sequentiallyConsistent)
      server.respond(request, only: headers)
    }
    try await withClient(host) { client in
      let error = await #expect(throws: RPCError.self) { try await client.score(oneItem) }
      #expect(error?.origin == .server && error?.message == "scripted")
      #expect(count.load(ordering: .sequentiallyConsistent) == 1)
    }
  }

  @Test func aRefusedStreamIsSentAgainWithoutCounting() async throws {
    let count = Atomic<Int>(0)
    let host = try ScriptedHost { server, request in
      if count.add(1, ordering: .sequentiallyConsistent).newValue == 1 {
        server.session.resetStream(request.id, HTTP2ErrorCode.refusedStream)
      } else {
        #expect(request.headers["grpc-previous-rpc-attempts"] == nil)
        answering(scoreMessage(2))(server, request)
      }
    }
    try await withClient(host, change: { $0.retries = nil }) { client in
      let scores = try await client.scores(oneItem)
      #expect(scores == [2])
    }
  }

  @Test func aLateCallIsHedgedAndTheLoserCancelled() async throws {
    let held = Atomic<Bool>(false)
    let closed = Signal<UInt32?>()
    let host = try ScriptedHost(closed: { request in
      if request.resetCode != 0 { closed.send(request.resetCode) }
    }) { server, request in
      if held.exchange(false, ordering: .sequentiallyConsistent) { return }
      answering(scoreMessage(3))(server, request)
    }
    let metrics = TestMetrics()
    try await withClient(host, change: { $0.metrics = metrics }) { client in
      for _ in 0..<Limits.hedgeSamplesLeast { _ = try await client.score(oneItem) }
      held.store(true, ordering: .sequentiallyConsistent)
      let scores = try await client.scores(oneItem)
      #expect(scores == [3])
      let code = try await closed.next()
      #expect(code == HTTP2ErrorCode.cancel)
      #expect(try metrics.expectCounter("crescendo_client_hedges").totalValue >= 1)
      let calls = try metrics.expectCounter(
        "crescendo_client_calls", [("method", "Score"), ("status", "OK")])
      #expect(calls.totalValue == Int64(Limits.hedgeSamplesLeast) + 1)
    }
  }

  @Test func anAnswerThatDoesNotFitIsInternal() async throws {
    let host = try ScriptedHost { server, request in answering(scoreMessage(1))(server, request) }
    try await withClient(host) { client in
      let error = await #expect(throws: RPCError.self) {
        try await client.score(ScoreRequest(itemIDs: [1, 2]))
      }
      #expect(error?.code == .internalError && error?.origin == .client)
    }
  }
}
