import Client
import Core
import Engine
import Syscalls
import Testing

@testable import Server

extension ClientConfiguration {
  /// Of test servers; a call may take as long as the patience lasts.
  init(_ servers: TestServer...) {
    self.init(addresses: servers.map { "\($0.address)" })
    timeout = .nanoseconds(Int64(patienceNanoseconds))
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
}
