import Client
import Core
import Engine
import Foundation
import Logging
import Synchronization
import Testing
import Wire

@testable import Server

@Suite struct ScoreServiceTests {
  private static let batches: [[UInt64]] = [
    [], [1], [64], [65], [0, 1, 0], Array(1...64), [7, 7, 7, 900, 7], Array(1...500),
    (0..<3_000).map { UInt64($0 % 80) },
  ]

  @Test(arguments: FanOut.allCases, [1, 3]) func scores(_ fanOut: FanOut, _ shards: Int) throws {
    try withServer(TestServer(shards: shards, fanOut: fanOut)) { server in
      let channel = try server.channel()
      for ids in ScoreServiceTests.batches {
        let answer = try channel.score(ScoreRequestMessage(ids: ids))
        #expect(answer.isRight(for: ids), "\(ids.count) candidates")
        var byURI = ScoreRequestMessage(ids: [])
        byURI.itemURIs = ids.map { "item:\($0)" }
        #expect(try channel.score(byURI).isRight(for: ids), "\(ids.count) URIs")
      }
    }
  }

  @Test func whatTheAnswerSaysOfItself() throws {
    try withServer(TestServer(shards: 2)) { server in
      let channel = try server.channel()
      var request = ScoreRequestMessage(ids: [1, 2])
      request.wantRaw = false
      request.context.timeUnixMilliseconds = -5
      request.candidateColumns = [.init(name: "r", values: [1, .nan])]
      let answer = try channel.score(request)
      #expect(answer.provenance.snapshot == "small-1")
      #expect(answer.provenance.model == "default")
      #expect(answer.provenance.modelSHA256 == SmallSnapshot.sha256)
      #expect(answer.provenance.timeUnixMilliseconds == -5)
      #expect(answer.provenance.treesUsed == 64 && answer.provenance.treesTotal == 64)
      #expect(answer.rawScores.isEmpty && answer.boosts.isEmpty && answer.campaignKeys.isEmpty)
      // Columns in which all positions are alike are not sent.
      #expect(answer.fidelities.isEmpty && answer.allFidelity == 4)
      #expect(answer.reasons.isEmpty && answer.allReason == 1)
      let unknown = try channel.score(ScoreRequestMessage(ids: [100, 200]))
      #expect(unknown.fidelities.isEmpty && unknown.allFidelity == 1 && unknown.allReason == 2)
      let mixed = try channel.score(ScoreRequestMessage(ids: [100, 1]))
      #expect(mixed.fidelities == [1, 4] && mixed.reasons == [2, 1])
      #expect(mixed.allFidelity == 0 && mixed.allReason == 0)
      let empty = try channel.score(ScoreRequestMessage(ids: []))
      #expect(empty.scores.isEmpty && empty.provenance.model == "default")
    }
  }

  @Test func theServersClockIsInTheProvenance() throws {
    let held = HeldShards(1)
    let server = try TestServer(
      executor: held, stopShards: {}, clock: FakeTime().clock)
    try withServer(server) { server in
      let answer = try server.channel().score(ScoreRequestMessage(ids: [1]))
      #expect(answer.provenance.timeUnixMilliseconds == 1_764_000_000_123)
    }
  }

  @Test(arguments: FanOut.allCases) func requestIDs(_ fanOut: FanOut) throws {
    try withServer(TestServer(shards: 2, fanOut: fanOut, loops: 2)) { server in
      var made: Set<String> = []
      for _ in 0..<3 {
        let channel = try server.channel()
        for id in ["mine", "ä", String(repeating: "x", count: 64)] {
          var request = ScoreRequestMessage(ids: [1, 2, 3])
          request.requestID = id
          #expect(try channel.score(request).requestID == id)
          request.requestID = ""
          let answer = try channel.score(request)
          #expect(answer.requestID.count == 32)
          #expect(answer.requestID.allSatisfy { "0123456789abcdef".contains($0) })
          made.insert(answer.requestID)
        }
      }
      #expect(made.count == 9)
    }
  }

  @Test func requestsThatMakeNoSense() throws {
    try withServer(TestServer(shards: 2, fanOut: .always)) { server in
      let channel = try server.channel()
      func refusal(_ change: (inout ScoreRequestMessage) -> Void) -> String {
        var request = ScoreRequestMessage(ids: [1, 2])
        change(&request)
        let asked = request
        return status { () throws(ClientError) in try channel.score(asked) }
      }
      let invalid = "INVALID_ARGUMENT: "
      #expect(refusal { $0.itemURIs = ["item:1"] }.hasPrefix(invalid + "item_ids and item_uris"))
      #expect(refusal { $0.model = "other" }.hasPrefix(invalid + "the snapshot has no model other"))
      let long = String(repeating: "ä", count: 100_000)
      #expect(refusal { $0.model = long }.hasPrefix(invalid + "the snapshot has no model ää"))
      #expect(
        refusal { $0.candidateColumns = [.init(name: long, values: [1, 2])] }.hasPrefix(invalid))
      #expect(refusal { $0.userColumns = [.init(name: "u", values: [1])] }.hasPrefix(invalid))
      #expect(
        refusal { $0.candidateColumns = [.init(name: "r", values: [1])] }
          == invalid + "candidate_columns: r has 1 values for 2 candidates")
      #expect(refusal { $0.requestID = String(repeating: "x", count: 65) }.hasPrefix(invalid))
      #expect(refusal { $0.minFidelity = 5 }.hasPrefix(invalid))
      #expect(refusal { $0.wantBoosts = true }.hasPrefix("UNIMPLEMENTED: "))
      #expect(refusal { $0.wantExplanations = true }.hasPrefix("UNIMPLEMENTED: "))
      #expect(
        refusal { $0.itemIDs = Array(1...10_001) }.hasPrefix("RESOURCE_EXHAUSTED: "))
      // Nothing of it has stayed.
      #expect(refusal { _ in } == "OK")
      let most = (0..<10_000).map { UInt64($0 % 100) }
      #expect(try channel.score(ScoreRequestMessage(ids: most)).isRight(for: most))
    }
  }

  @Test func tooManyCandidatesAreNotToBeRetried() throws {
    try withServer(TestServer(shards: 1)) { server in
      let channel = try server.channel()
      do throws(ClientError) {
        _ = try channel.score(ScoreRequestMessage(ids: Array(1...10_001)))
        Issue.record("accepted")
      } catch {
        guard case .failed(let call) = error else { throw error }
        #expect(call.origin == .server)
        #expect(call.trailers.contains(MetadataEntry("grpc-retry-pushback-ms", "-1")))
      }
    }
  }

  @Test func bytesThatAreNoRequest() throws {
    try withServer(TestServer(shards: 1)) { server in
      let channel = try server.channel()
      let text = status { () throws(ClientError) in
        try channel.call(
          path: "/crescendo.v1.PromotionScoreService/Score", message: [0x0A, 0x7F, 0x41],
          timeoutNanoseconds: patienceNanoseconds)
      }
      #expect(text.hasPrefix("INTERNAL: cannot decode crescendo.v1.ScoreRequest: byte "))
    }
  }

  @Test func methodsThatThereAreNot() throws {
    try withServer(TestServer(shards: 1)) { server in
      let channel = try server.channel()
      for path in [
        "/crescendo.v1.PromotionScoreService/score", "/x/y", "/",
      ] {
        let text = status { () throws(ClientError) in
          try channel.call(path: path, message: [], timeoutNanoseconds: patienceNanoseconds)
        }
        #expect(text.hasPrefix("UNIMPLEMENTED: "), "\(path)")
      }
    }
  }

  @Test func health() throws {
    try withServer(TestServer(shards: 1, loops: 2)) { server in
      let channel = try server.channel()
      for name in ["", WireNames.scoreService, WireNames.healthService] {
        #expect(
          try channel.checkHealth(service: name, timeoutNanoseconds: patienceNanoseconds)
            == .serving)
      }
      let text = status { () throws(ClientError) in
        try channel.checkHealth(service: "other", timeoutNanoseconds: patienceNanoseconds)
      }
      #expect(text == "NOT_FOUND: this server has no service other")
    }
  }

  /// Calls in the log, when it is asked for.
  @Test func calls() throws {
    let log = LogLines()
    var logger = Logger(label: "test") { _ in log }
    logger.logLevel = .debug
    try withServer(TestServer(shards: 1, logger: logger)) { server in
      let channel = try server.channel()
      _ = try channel.score(ScoreRequestMessage(ids: [1]))
      _ = status { () throws(ClientError) in
        try channel.checkHealth(service: "x", timeoutNanoseconds: patienceNanoseconds)
      }
      _ = status { () throws(ClientError) in
        try channel.call(path: "/x/y", message: [], timeoutNanoseconds: patienceNanoseconds)
      }
    }
    #expect(
      log.lines.withLock { $0 } == [
        "/crescendo.v1.PromotionScoreService/Score OK", "/grpc.health.v1.Health/Check NOT_FOUND",
        "unknown UNIMPLEMENTED",
      ])
  }
}

private final class LogLines: LogHandler, @unchecked Sendable {
  // Unchecked: the level is set before anybody else has it; lines have a lock.
  let lines = Mutex<[String]>([])
  var logLevel = Logger.Level.debug
  var metadata: Logger.Metadata = [:]

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let line = "\(event.metadata?["method"] ?? "?") \(event.metadata?["status"] ?? "?")"
    lines.withLock { $0.append(line) }
  }
}
