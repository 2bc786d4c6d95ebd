import Core
import Testing

@testable import Executors

struct DispatchShardsStressTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var shards: Int
    var spins: Int
    var testDescription: String { "\(shards) shards, \(spins) spins" }
  }

  static let cases = [1, 2, 4].flatMap { shards in
    [0, 50, 2_000].map { Case(shards: shards, spins: $0) }
  }

  /// Six threads submit while the executor is stopped under them, sooner or later: what was
  /// accepted has run once on its shard when `stop` returns, what was refused never.
  @Test(arguments: cases)
  func stoppedUnderItsSubmitters(_ item: Case) {
    for seed in 1...25 as ClosedRange<UInt64> {
      let executor = shards(item.shards, spins: item.spins)
      let (threads, each) = (6, 150)
      let jobs = JobSet(count: threads * each)
      let accepted = JobFlags(count: threads * each)
      var random = SplitMix64(seed: seed)
      let stopAfter = Int.random(in: 0...(threads * each), using: &random)
      let submitted = Counter()
      onThreads(threads + 1) { thread in
        if thread == threads {
          while submitted.value < stopAfter { yieldThread() }
          return executor.stop()
        }
        for index in thread * each..<(thread + 1) * each {
          if executor.submit(jobs.job(index), to: index % item.shards) { accepted.set(index) }
          _ = submitted.add(1)
        }
      }
      executor.stop()
      let wrong = (0..<threads * each).filter { index in
        accepted[index]
          ? jobs.runs(index) != 1 || jobs.shard(index) != index % item.shards
          : jobs.runs(index) != 0
      }
      #expect(wrong.isEmpty, "seed \(seed), \(item.testDescription)")
    }
  }

  /// One job at a time, 60,300 times in all cases together: after each the shard may just be
  /// going to sleep, and a lost wake-up would stop the test for ever.
  @Test(arguments: cases)
  func noWakeUpIsLost(_ item: Case) {
    let executor = shards(item.shards, spins: item.spins)
    let jobs = JobSet(count: 1)
    let count = 6_700
    for round in 1...count {
      #expect(executor.submit(jobs.job(0), to: round % item.shards))
      jobs.waitForTotal(round)
    }
    executor.stop()
    #expect(jobs.runs(0) == count)
  }

  /// Jobs that submit the next one to the neighbour: shards wake each other.
  @Test(arguments: [2, 4])
  func shardsHandAJobAround(count: Int) {
    let executor = shards(count)
    let done = Counter()
    let rounds = 20_000
    let ring = Ring(executor: executor, rounds: rounds, done: done)
    ring.start()
    while done.value == 0 { yieldThread() }
    executor.stop()
    ring.finish()
    #expect(ring.hops == rounds)
  }
}

/// A job for each hop, so that none is submitted twice.
private final class Ring: @unchecked Sendable {
  // Unchecked: set up before the first job runs; the jobs run one after the other.
  private let executor: DispatchShards
  private let rounds: Int
  private let done: Counter
  private var jobs: JobSet?
  private(set) var hops = 0

  init(executor: DispatchShards, rounds: Int, done: Counter) {
    (self.executor, self.rounds, self.done) = (executor, rounds, done)
  }

  func finish() { jobs = nil }

  func start() {
    jobs = JobSet(count: rounds) { [self] index, shard in
      hops += 1
      if index + 1 == rounds { return _ = done.add(1) }
      let next = (shard + 1) % executor.shardCount
      let job = jobs?.job(index + 1)
      let accepted = job.map { executor.submit($0, to: next) }
      precondition(accepted == true, "the queue has room")
    }
    _ = jobs.map { executor.submit($0.job(0), to: 0) }
  }
}

/// One flag for each job, set by its submitter.
private final class JobFlags: @unchecked Sendable {
  // Unchecked: each flag has one writer, and is read after that writer has ended.
  private let flags: UnsafeMutablePointer<Bool>

  init(count: Int) {
    flags = .allocate(capacity: count)
    flags.initialize(repeating: false, count: count)
  }

  deinit { flags.deallocate() }

  func set(_ index: Int) { flags[index] = true }
  subscript(index: Int) -> Bool { flags[index] }
}
