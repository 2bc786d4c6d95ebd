import Core
import HTTP2
import Synchronization
import Testing
import Wire

@testable import Client

private let oneItem = ScoreRequest(itemIDs: [1])

/// Sessions behind the public face: what goes over them, what does not, and what when none opens.
@Suite struct PublicSessionTests {
  private func wake(_ client: PromotionScoreClient, _ time: FakeTime, seconds: UInt64)
    async throws
  {
    time.advance(seconds: seconds)
    // The loop looks at its timers when it wakes; the second time, what came of them is done.
    for _ in 0..<2 {
      await withCheckedContinuation { continuation in
        client.runtime.post { continuation.resume() }
      }
    }
  }

  /// Row C10: calls do not wait for a session that does not open, and the next one is put off.
  @Test(
    arguments: [ScriptedSession.Manner.silent, .noHello],
    [ClientConfiguration.Framing.automatic, .session])
  func aSessionThatDoesNotOpenIsGRPC(
    _ manner: ScriptedSession.Manner, _ framing: ClientConfiguration.Framing
  ) async throws {
    let (time, closed) = (FakeTime(), Signal<UInt32?>())
    let goesAway = Atomic<Bool>(false)
    let session = ScriptedSession(manner)
    let host = try session.host(closed: { request in
      if request.headers[":path"] == "\(WireNames.sessionPath)" { closed.send(request.resetCode) }
    }) { server, request in
      if goesAway.exchange(false, ordering: .sequentiallyConsistent) {
        try? server.session.submitGoAway()
      }
      answering(scoreMessage(1))(server, request)
    }
    var configuration = ClientConfiguration(addresses: ["\(host.address)"])
    configuration.bePatient()
    configuration.framing = framing
    configuration.connectionsMax = 1
    configuration.hedging = nil
    let client = try PromotionScoreClient(configuration, clock: time.clock, seed: 1)
    let call = Task { try await client.scores(oneItem) }
    try await session.asked.next()
    try await wake(client, time, seconds: 1)
    let scores = try await call.value
    #expect(scores == [1])
    // ERROR has a second to go before the reset.
    for seconds in [10, 2] as [UInt64] { try await wake(client, time, seconds: seconds) }
    let code = try await closed.next()
    #expect(code == HTTP2ErrorCode.cancel)
    for _ in 0..<2 {
      goesAway.store(true, ordering: .sequentiallyConsistent)
      for _ in 0..<2 {
        let scores = try await client.scores(oneItem)
        #expect(scores == [1])
      }
      #expect(session.openedCount == 1)
    }
    try await wake(client, time, seconds: 61)
    goesAway.store(true, ordering: .sequentiallyConsistent)
    _ = try await client.scores(oneItem)
    let next = Task { try await client.scores(oneItem) }
    try await session.asked.next()
    try await wake(client, time, seconds: 1)
    _ = try await next.value
    #expect(session.openedCount == 2)
    await client.close()
    try host.stop()
  }

  private static let refusals: [[ScriptedServer.Header]] =
    ["404", "415", "503"].map { [.init(":status", $0)] } + [failure(12)]

  /// Rows C3 and C4, where the refusal ends the stream.
  @Test(arguments: refusals)
  func aRefusalIsGRPC(_ headers: [ScriptedServer.Header]) async throws {
    let session = ScriptedSession(.refuses(headers))
    let host = try session.host()
    let error = #expect(throws: SessionChannelError.self) {
      _ = try SessionChannel("\(host.address)")
    }
    guard case .notSpoken(let reason) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.contains("HTTP status") || reason == "scripted")
    try await withClient(host, change: { $0.framing = .session }) { client in
      let scores = try await client.scores(oneItem)
      #expect(scores == [1] && session.calls.isEmpty)
    }
  }

  @Test func aChannelToASilentServerSaysSo() throws {
    let host = try ScriptedSession(.silent).host()
    var options = SessionChannel.Options()
    options.connectTimeout = .milliseconds(300)
    let error = #expect(throws: SessionChannelError.self) {
      _ = try SessionChannel("\(host.address)", options: options)
    }
    #expect(error == .notSpoken("no HELLO within 0.3 seconds"))
    try host.stop()
  }

  /// A reader that does not read: no more batches than make the bound and the credit.
  @Test func aSlowReaderOfManyHoldsTheBatchesBack() async throws {
    let session = ScriptedSession(credit: 8, padding: 1_000)
    let host = try session.host()
    try await withClient(
      host,
      change: {
        $0.framing = .session
        $0.bounds.unreadBytes = 4 << 10
        $0.bounds.unsentBytes = 1 << 10
      }
    ) { client in
      let many = client.scoreMany()
      let sender = Task {
        for _ in 0..<300 { try await many.send(oneItem) }
        many.finish()
      }
      // Each goes behind what could be sent before it: the fifth answer reaches the bound.
      var left = 100
      while left > 0 {
        let health = try await client.checkHealth()
        #expect(health == .serving)
        if session.messageCount >= 5 { left -= 1 }
      }
      #expect(session.messageCount <= 5 + 8)
      var sequences: [UInt64] = []
      for try await answer in many.answers { sequences.append(answer.sequence) }
      #expect(sequences == Array(0..<300))
      try await sender.value
    }
  }

  @Test func aDrainIsTheServersAct() async throws {
    let host = try ScriptedSession(.drains).host()
    try await withClient(
      host,
      change: {
        $0.framing = .session
        $0.connectionsMax = 1
        $0.retries = nil
      }
    ) { client in
      let error = await #expect(throws: RPCError.self) { try await client.score(oneItem) }
      #expect(
        error
          == RPCError(.unavailable, "no connection: the server is going away", origin: .connection))
    }
  }

  /// An identity of the call's own is none that a session has.
  @Test func metadataThatASessionDoesNotCarryGoesByGRPC() async throws {
    let session = ScriptedSession()
    let seen = Signal<String?>()
    let host = try session.host(grpc: { server, request in
      seen.send(request.headers["authorization"])
      answering(scoreMessage(1))(server, request)
    })
    try await withClient(
      host,
      change: {
        $0.framing = .session
        $0.metadata = [("authorization", "ours")]
      }
    ) { client in
      func score(_ metadata: (String, String)...) async throws -> [Float] {
        let metadata = metadata.map { (name: $0.0, value: $0.1) }
        return try await client.score(oneItem, options: CallOptions(metadata: metadata)).scores
      }
      let byGRPC = try await score(("authorization", "mine"))
      #expect(byGRPC == [1] && session.calls.isEmpty)
      #expect(try await seen.next() == "mine")
      let bySession = try await score(("authorization", "ours"), ("a", "b"))
      #expect(bySession == [2])
      #expect(session.calls.map(\.metadata) == [[1, 97, 1, 0, 98]])
    }
  }

  @Test func metadataThatIsTooLongIsRefusedHere() async throws {
    let session = ScriptedSession()
    let host = try session.host()
    try await withClient(host, change: { $0.framing = .automatic }) { client in
      for (name, value, text) in [
        ("k", String(repeating: "v", count: 8_190), "\"k\" 8190 of them"),
        (String(repeating: "n", count: 256), "v", "has 256 bytes: at most 255"),
      ] {
        let options = CallOptions(metadata: [(name, value)])
        let error = await #expect(throws: RPCError.self) {
          try await client.score(oneItem, options: options)
        }
        #expect(error?.code == .invalidArgument && error?.origin == .client)
        #expect(error?.message.contains(text) == true, "\(error?.message ?? "")")
      }
      let longest = CallOptions(metadata: [("k", String(repeating: "v", count: 8_188))])
      let answer = try await client.score(oneItem, options: longest)
      #expect(answer.scores == [2] && session.calls.count == 1)
    }
  }

  /// §10: what the field does not hold.
  @Test func longTimeouts() {
    func micros(_ method: ClientMethod, _ seconds: UInt64) -> UInt32 {
      CallHead(method: method, deadlineNanoseconds: seconds * 1_000_000_000)
        .timeoutMicroseconds(now: 1_000_000_000)
    }
    #expect(micros(.score, 2) == 1_000_000 && micros(.scoreMany, 2) == 1_000_000)
    #expect(micros(.score, 0) == 1)
    #expect(micros(.score, 4_296) == .max && micros(.scoreMany, 4_296) == 0)
  }
}
