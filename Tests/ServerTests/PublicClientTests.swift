import Client
import Core
import Engine
import Synchronization
import Syscalls
import Testing

@testable import Server

extension ClientConfiguration {
  /// Of test servers; a call may take as long as the patience lasts.
  init(_ servers: TestServer...) {
    self.init(addresses: servers.map { "\($0.address)" })
    timeout = .seconds(600)
    connectTimeout = .seconds(600)
    keepalive.interval = .seconds(600)
  }
}

extension ScoreResponse {
  /// Whether this is the right answer for `ids`, position by position.
  func isRight(for ids: [UInt64]) -> Bool {
    count == ids.count
      && zip(ids, candidates).allSatisfy { id, candidate in
        guard let raw = SmallSnapshot.rawScore(id) else {
          return candidate.fidelity == .none && candidate.reason == .unknownItem
        }
        return candidate.score == Float(raw) && candidate.fidelity == .full
          && candidate.reason == .ok
      }
  }
}

/// A server and a client of it, both stopped afterwards.
func withClient<Value>(
  _ server: TestServer, _ change: (inout ClientConfiguration) -> Void = { _ in },
  _ body: (PromotionScoreClient) async throws -> Value
) async throws -> Value {
  var configuration = ClientConfiguration(server)
  change(&configuration)
  let client = try PromotionScoreClient(configuration)
  let result: Result<Value, any Error>
  do {
    result = .success(try await body(client))
  } catch {
    result = .failure(error)
  }
  await client.close()
  await stop(server)
  return try result.get()
}

/// Stopping joins threads: not on one of those that all tasks share.
func stop(_ server: TestServer) async {
  await withCheckedContinuation { continuation in
    do {
      let thread = try OwnedThread(name: "stop") {
        server.stop()
        continuation.resume()
      }
      thread.detach()
    } catch {
      Issue.record("\(error)")
      continuation.resume()
    }
  }
}

private final class Flag: Sendable {
  private let value = Atomic<Bool>(false)
  var isSet: Bool { value.load(ordering: .sequentiallyConsistent) }
  func set() { value.store(true, ordering: .sequentiallyConsistent) }
}

@Suite struct PublicClientTests {
  @Test func callsOfEveryMethodHaveTheirAnswers() async throws {
    try await withClient(try TestServer(shards: 2)) { client in
      let ids: [UInt64] = [1, 5, 64, 99]
      let answer = try await client.score(ScoreRequest(itemIDs: ids, userID: 7))
      #expect(answer.isRight(for: ids))
      #expect(!answer.isFallback)
      #expect(answer.provenance.snapshot == "small-1")
      #expect(try await client.checkHealth() == .serving)

      var positions: [Int] = []
      for try await part in client.streamScores(ScoreRequest(itemIDs: ids)) {
        #expect(part.response.isRight(for: part.positions.map { ids[$0] }))
        positions += part.positions
      }
      #expect(positions.sorted() == [0, 1, 2, 3])

      let many = client.scoreMany()
      for count in 1...50 {
        let batch = (0..<count).map { UInt64($0 + 1) }
        #expect(try await many.send(ScoreRequest(itemIDs: batch)) == UInt64(count - 1))
      }
      many.finish()
      var sequences: Set<UInt64> = []
      for try await item in many.answers {
        let batch = (0...item.sequence).map { $0 + 1 }
        #expect(try item.result.get().isRight(for: batch))
        sequences.insert(item.sequence)
      }
      #expect(sequences.count == 50)
    }
  }

  @Test func aBadRequestIsTheServersRefusal() async throws {
    try await withClient(try TestServer(shards: 1)) { client in
      var request = ScoreRequest(itemIDs: [1])
      request.model = "nobody"
      let error = await #expect(throws: RPCError.self) { try await client.score(request) }
      #expect(error?.code == .notFound || error?.code == .invalidArgument)
      #expect(error?.origin == .server)
      #expect(error?.details.isEmpty == false)
      request.requestID = "a\0b"
      let unsayable = await #expect(throws: RPCError.self) { try await client.score(request) }
      #expect(unsayable?.code == .invalidArgument && unsayable?.origin == .client)
    }
  }

  @Test func manyTasksShareFewConnections() async throws {
    let server = try TestServer(shards: 2)
    try await withClient(server, { $0.connectionsMax = 1 }) { client in
      try await withThrowingTaskGroup(of: Bool.self) { group in
        for task in 0..<400 {
          group.addTask {
            let ids = (0...UInt64(task % 60)).map { $0 + 1 }
            return try await client.score(ScoreRequest(itemIDs: ids)).isRight(for: ids)
          }
        }
        for try await isRight in group { #expect(isRight) }
      }
    }
  }

  /// One of two servers stops in the midst of it, with its notice, GOAWAY and end: every call has
  /// its answer all the same.
  @Test func aServerThatStopsLosesNoCall() async throws {
    let (first, second) = (try TestServer(shards: 1), try TestServer(shards: 1))
    var configuration = ClientConfiguration(first, second)
    // Nothing but what was not started may be sent twice.
    configuration.retries = nil
    configuration.hedging = nil
    let client = try PromotionScoreClient(configuration)
    let stopped = Flag()
    let calls = try await withThrowingTaskGroup(of: Int.self) { group in
      for task in 0..<8 {
        group.addTask {
          var (count, behind) = (0, 0)
          while behind < 10 {
            let ids = (0...UInt64(task + count % 20)).map { $0 + 1 }
            let answer = try await client.score(ScoreRequest(itemIDs: ids))
            #expect(answer.isRight(for: ids))
            count += 1
            if stopped.isSet { behind += 1 }
          }
          return count
        }
      }
      await stop(first)
      stopped.set()
      return try await group.reduce(0, +)
    }
    #expect(calls >= 80)
    await client.close()
    await stop(second)
  }

  /// More batches than a server works on at a time, and more bytes than may wait.
  @Test func manyLargeBatchesAreHeldBackAndAnswered() async throws {
    try await withClient(try TestServer(shards: 2), { $0.bounds.unsentBytes = 4 << 10 }) { client in
      let many = client.scoreMany()
      let ids = (0..<1_000).map { UInt64($0 % 64 + 1) }
      let sender = Task {
        for _ in 0..<100 { try await many.send(ScoreRequest(itemIDs: ids)) }
        many.finish()
      }
      var (count, scored) = (0, 0)
      for try await answer in many.answers {
        count += 1
        switch answer.result {
        case .success(let response):
          #expect(response.count == ids.count)
          scored += 1
        // On a slow machine they fill the queues.
        case .failure(let error): #expect(error.code == .resourceExhausted)
        }
      }
      try await sender.value
      #expect(count == 100 && scored > 0)
    }
  }

  @Test func oneBadBatchOfManyFailsAlone() async throws {
    try await withClient(try TestServer(shards: 1)) { client in
      let many = client.scoreMany()
      var bad = ScoreRequest(itemIDs: [1])
      bad.model = "nobody"
      try await many.send(bad)
      try await many.send(ScoreRequest(itemIDs: [2]))
      many.finish()
      var outcomes: [UInt64: Bool] = [:]
      for try await answer in many.answers {
        if case .success = answer.result {
          outcomes[answer.sequence] = true
        } else {
          outcomes[answer.sequence] = false
        }
      }
      #expect(outcomes == [0: false, 1: true])
    }
  }
}
