import Client
import Core
import Engine
import Executors
import Logging
import Synchronization
import Syscalls
import Testing
import Wire

@testable import Server

/// A server on a free port, with what is behind it.
final class TestServer: @unchecked Sendable {
  // Unchecked: everything is set in `init`; one test starts and stops it.
  let engine: Engine
  let server: ScoringServer
  private let stopShards: () -> Void
  var address: SocketAddress { server.address }

  init(
    executor: any ShardExecutor, stopShards: @escaping () -> Void, fanOut: FanOut = .auto,
    loops: Int = 1, clock: Clock = .system, logger: Logger = TestServer.silent
  ) throws {
    engine = Engine(
      try SmallSnapshot.serving(), executor: executor, fanOut: fanOut, clock: clock)
    server = try ScoringServer(
      engine,
      ScoringServer.Configuration(
        address: SocketAddress(host: "127.0.0.1", port: 0), loops: loops, cores: [], seed: 99),
      metrics: .example(loops: loops), logger: logger)
    self.stopShards = stopShards
  }

  convenience init(
    shards count: Int, fanOut: FanOut = .auto, loops: Int = 1, logger: Logger = TestServer.silent
  ) throws {
    let shards = DispatchShards(
      count: count, cores: [], spinsBeforeSleep: 0,
      // As good as no bound: what a slow machine takes for a batch must not fill the queue.
      queueNanoseconds: .max / 2)
    try self.init(
      executor: shards, stopShards: { shards.stop() }, fanOut: fanOut, loops: loops,
      logger: logger)
  }

  static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  /// Stops everything; what was taken from pools must be back.
  func stop() {
    server.stop(stopShards: stopShards)
    for services in server.services { #expect(services.pool.inFlight == 0) }
  }

  func channel() throws -> Channel {
    try Channel.connect(to: address, timeoutNanoseconds: 20_000_000_000)
  }
}

func withServer(_ server: TestServer, _ body: (TestServer) throws -> Void) throws {
  defer { server.stop() }
  try body(server)
}

/// How long a call may take before a test is called stuck.
let patienceNanoseconds: UInt64 = 60_000_000_000

/// The status of a call that must fail, as `CODE: message`; `OK` when it does not.
func status<Answer>(_ body: () throws(ClientError) -> Answer) -> String {
  do throws(ClientError) {
    _ = try body()
    return "OK"
  } catch {
    guard case .failed(let call) = error else { return "\(error)" }
    return "\(call.failure.code.name): \(call.failure.message)"
  }
}

extension Channel {
  func score(_ request: ScoreRequestMessage) throws(ClientError) -> ScoreResponseMessage {
    try score(request, timeoutNanoseconds: patienceNanoseconds)
  }
}

extension ScoreRequestMessage {
  init(ids: [UInt64]) {
    self.init()
    itemIDs = ids
    wantRaw = true
  }
}

extension ScoreResponseMessage {
  /// Whether this is the right answer for `ids`, position by position.
  func isRight(for ids: [UInt64]) -> Bool {
    guard scores.count == ids.count, rawScores.count == ids.count else { return false }
    return ids.enumerated().allSatisfy { position, id in
      guard let raw = SmallSnapshot.rawScore(id) else {
        return scores[position] == 0 && rawScores[position].isNaN && fidelity(at: position) == 1
          && reason(at: position) == 2
      }
      return scores[position] == Float(raw) && rawScores[position] == raw
        && fidelity(at: position) == 4 && reason(at: position) == 1
    }
  }
}

/// Keeps jobs until the test runs them, on the test's own thread; `isFull` refuses them.
final class HeldShards: ShardExecutor {
  // Unchecked pointer: its owner keeps it until it has run.
  private struct Job: @unchecked Sendable {
    let job: UnsafeMutablePointer<ShardJob>
    let shard: Int
  }

  let shardCount: Int
  private let held = Mutex<[Job]>([])
  let isFull = Atomic<Bool>(false)

  init(_ count: Int) { shardCount = count }

  var leastLoadedShard: Int { 0 }
  var count: Int { held.withLock { $0.count } }

  func queuedNanoseconds(of shard: Int) -> UInt64 { 0 }

  func withdraw(_ job: UnsafeMutablePointer<ShardJob>) {}

  func jobEnds(on shard: Int) {}

  func submit(_ job: UnsafeMutablePointer<ShardJob>, to shard: Int) -> Bool {
    if isFull.load(ordering: .sequentiallyConsistent) { return false }
    let job = Job(job: job, shard: shard)
    held.withLock { $0.append(job) }
    return true
  }

  func runAll() {
    let jobs = held.withLock { held in
      defer { held = [] }
      return held
    }
    for job in jobs { job.job.pointee.run(UnsafeMutableRawPointer(job.job), job.shard) }
  }
}

/// Time that only the test moves.
final class FakeTime: Sendable {
  private let now = Atomic<UInt64>(1_000_000_000_000)

  var clock: Clock {
    Clock(
      monotonicNanoseconds: { self.now.load(ordering: .sequentiallyConsistent) },
      unixMilliseconds: { 1_764_000_000_123 })
  }

  func advance(seconds: UInt64) {
    now.add(seconds * 1_000_000_000, ordering: .sequentiallyConsistent)
  }
}

/// A thread that is joined whatever happens to the test meanwhile.
func alongside(_ work: @escaping @Sendable () -> Void, _ body: () throws -> Void) throws {
  let thread = try OwnedThread(name: "alongside", work)
  let result = Result { try body() }
  thread.join()
  try result.get()
}
