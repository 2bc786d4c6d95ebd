import Core
import HTTP2
import Synchronization
import Syscalls
import Testing
import Wire

@testable import Client

private let oneItem = ScoreRequest(itemIDs: [1])

/// An address where nobody listens.
private func deadAddress() throws -> String {
  let listener = try Sockets.listen(on: SocketAddress(host: "127.0.0.1", port: 0))
  defer { Sockets.close(listener) }
  return "\(try Sockets.localAddress(of: listener))"
}

/// Holds answers back until the test lets them go.
private final class Holder: Sendable {
  let arrived = Signal<Void>()
  private let isHolding = Atomic<Bool>(true)
  private let held = Mutex<[Int32]>([])

  func script(_ server: ScriptedServer, _ request: ScriptedServer.Request) {
    if request.headers[":path"] == "\(WireNames.healthCheckPath)" {
      isHolding.store(false, ordering: .sequentiallyConsistent)
      for (_, other) in server.requests where other.id != request.id && other.resetCode == nil {
        answering(scoreMessage(1))(server, other)
      }
      return answering([8, 1])(server, request)
    }
    if isHolding.load(ordering: .sequentiallyConsistent) {
      arrived.send(())
    } else {
      answering(scoreMessage(1))(server, request)
    }
  }
}

@Suite struct PublicPoolTests {
  @Test func aDeadAddressCostsNoCall() async throws {
    let host = try ScriptedHost { server, request in answering(scoreMessage(1))(server, request) }
    let dead = try deadAddress()
    try await withClient(host, change: { $0.addresses.insert(dead, at: 0) }) { client in
      for _ in 0..<20 {
        let scores = try await client.scores(oneItem)
        #expect(scores == [1])
      }
    }
  }

  @Test func nobodyThereIsUnavailableAndFallsBack() async throws {
    var configuration = ClientConfiguration(addresses: [try deadAddress()])
    configuration.bePatient()
    let client = try PromotionScoreClient(configuration)
    let error = await #expect(throws: RPCError.self) { try await client.score(oneItem) }
    #expect(error?.code == .unavailable && error?.origin == .connection)
    #expect(error?.message.contains("refused") == true)

    let options = CallOptions(fallback: .prior(0.25))
    let answer = try await client.score(ScoreRequest(itemIDs: [1, 2]), options: options)
    #expect(answer.scores == [0.25, 0.25] && answer.isFallback)
    #expect(answer.fallbackCause?.code == .unavailable)
    #expect(answer[1].fidelity == .prior && answer[1].reason == .overload)
    var parts: [ScorePart] = []
    for try await part in client.streamScores(oneItem, options: options) { parts.append(part) }
    #expect(parts.map(\.positions) == [[0]] && parts.first?.response.isFallback == true)

    let wrong = CallOptions(fallback: LocalFallback { _, _ in [1, 2, 3] })
    await #expect(throws: RPCError.self) { try await client.score(oneItem, options: wrong) }
    await client.close()
  }

  @Test func connectionsAreFilledBeforeAnotherIsOpened() async throws {
    let holder = Holder()
    let host = try ScriptedHost { holder.script($0, $1) }
    try await withClient(
      host,
      change: {
        $0.bounds.callsPerConnection = 2
        $0.connectionsMax = 2
        $0.hedging = nil
      }
    ) { client in
      let tasks = (0..<2).map { _ in Task { try await client.score(oneItem) } }
      for _ in tasks { try await holder.arrived.next() }
      #expect(host.connectionCount.load(ordering: .sequentiallyConsistent) == 1)
      let third = Task { try await client.score(oneItem) }
      try await holder.arrived.next()
      #expect(host.connectionCount.load(ordering: .sequentiallyConsistent) == 2)
      for task in tasks + [third] { task.cancel() }
      for task in tasks + [third] {
        await #expect(throws: RPCError.self) { try await task.value }
      }
    }
  }

  @Test func theLineIsBoundedAndServedInOrder() async throws {
    let holder = Holder()
    let host = try ScriptedHost { holder.script($0, $1) }
    try await withClient(
      host,
      change: {
        $0.bounds.callsPerConnection = 1
        $0.bounds.waitingCalls = 1
        $0.connectionsMax = 1
      }
    ) { client in
      let first = Task { try await client.score(oneItem) }
      try await holder.arrived.next()
      // Of two more one waits and one is turned away, whichever comes first.
      let others = (0..<2).map { _ in Task { try await client.score(oneItem) } }
      let refused = Signal<RPCError>()
      for task in others {
        Task { if case .failure(let error as RPCError) = await task.result { refused.send(error) } }
      }
      let error = try await refused.next()
      #expect(error.code == .resourceExhausted && error.origin == .client)
      first.cancel()
      try await holder.arrived.next()
      for task in others { task.cancel() }
      await #expect(throws: RPCError.self) { try await first.value }
    }
  }

  @Test func closingCutsOpenCallsAndRefusesNewOnes() async throws {
    let holder = Holder()
    let host = try ScriptedHost { holder.script($0, $1) }
    try await withClient(host, change: { $0.closeTimeout = .zero }) { client in
      let open = Task { try await client.score(oneItem) }
      try await holder.arrived.next()
      await client.close()
      let cut = await #expect(throws: RPCError.self) { try await open.value }
      #expect(cut == RPCError(.unavailable, "the client is closed"))
      let late = await #expect(throws: RPCError.self) { try await client.score(oneItem) }
      #expect(late == RPCError(.unavailable, "the client is closed"))
      var parts = client.streamScores(oneItem).makeAsyncIterator()
      await #expect(throws: RPCError.self) { try await parts.next() }
    }
  }

  @Test func serversThatTurnEverythingAwayAreSpared() async throws {
    let count = Atomic<Int>(0)
    let host = try ScriptedHost { server, request in
      count.add(1, ordering: .sequentiallyConsistent)
      server.respond(request, only: failure(14, pushback: "-1"))
    }
    try await withClient(host) { client in
      var turnedAway = 0
      for _ in 0..<200 {
        let error = await #expect(throws: RPCError.self) { try await client.score(oneItem) }
        if error?.origin == .client, error?.code == .resourceExhausted { turnedAway += 1 }
      }
      #expect(turnedAway > 0)
      #expect(count.load(ordering: .sequentiallyConsistent) == 200 - turnedAway)
    }
  }

  /// GOAWAY behind a call that was taken: it finishes there, and the next goes elsewhere.
  @Test func aServerThatSaysGoodbyeLosesNoCall() async throws {
    let host = try ScriptedHost { server, request in
      try? server.session.submitGoAway()
      answering(scoreMessage(1))(server, request)
    }
    try await withClient(host) { client in
      for _ in 0..<10 {
        let scores = try await client.scores(oneItem)
        #expect(scores == [1])
      }
      #expect(host.connectionCount.load(ordering: .sequentiallyConsistent) >= 10)
    }
  }
}
