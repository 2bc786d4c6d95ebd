import Core
import Synchronization

/// Runs each job when it is submitted, on the submitter's thread.
final class InlineShards: ShardExecutor {
  let shardCount: Int
  let jobs = Atomic<Int>(0)

  init(_ count: Int) { shardCount = count }

  var leastLoadedShard: Int { shardCount - 1 }

  func queuedNanoseconds(of shard: Int) -> UInt64 { 0 }

  func withdraw(_ job: UnsafeMutablePointer<ShardJob>) {}

  func jobEnds(on shard: Int) {}

  func submit(_ job: UnsafeMutablePointer<ShardJob>, to shard: Int) -> Bool {
    precondition(shard >= 0 && shard < shardCount, "no such shard")
    jobs.add(1, ordering: .relaxed)
    job.pointee.run(UnsafeMutableRawPointer(job), shard)
    return true
  }
}

/// Keeps jobs until the test runs them, and refuses those of shards that it calls full.
final class HeldShards: ShardExecutor, @unchecked Sendable {
  // Unchecked: one test, one thread.
  let shardCount: Int
  var full: Set<Int> = []
  /// Work of others in each queue, nanoseconds, which never runs.
  var others: [UInt64]
  /// Of those that are held.
  private(set) var withdrawn: Set<UnsafeMutablePointer<ShardJob>> = []
  private(set) var held: [(job: UnsafeMutablePointer<ShardJob>, shard: Int)] = []

  init(_ count: Int) {
    shardCount = count
    others = Array(repeating: 0, count: count)
  }

  var leastLoadedShard: Int {
    (0..<shardCount).min { queuedNanoseconds(of: $0) < queuedNanoseconds(of: $1) } ?? 0
  }

  func queuedNanoseconds(of shard: Int) -> UInt64 {
    held.reduce(others[shard]) {
      let counts = $1.shard == shard && !withdrawn.contains($1.job)
      return $0 + (counts ? $1.job.pointee.workNanoseconds : 0)
    }
  }

  func interactiveNanoseconds(of shard: Int) -> UInt64 {
    held.reduce(others[shard]) {
      let counts =
        $1.shard == shard && !$1.job.pointee.isBatch && !withdrawn.contains($1.job)
      return $0 + (counts ? $1.job.pointee.workNanoseconds : 0)
    }
  }

  func withdraw(_ job: UnsafeMutablePointer<ShardJob>) {
    if held.contains(where: { $0.job == job }) { withdrawn.insert(job) }
  }

  /// What runs is not held any more.
  func jobEnds(on shard: Int) {}

  func submit(_ job: UnsafeMutablePointer<ShardJob>, to shard: Int) -> Bool {
    precondition(shard >= 0 && shard < shardCount, "no such shard")
    if full.contains(shard) { return false }
    held.append((job, shard))
    return true
  }

  /// Runs one of the jobs, the oldest unless told otherwise.
  func runNext(_ index: Int = 0) {
    let (job, shard) = held.remove(at: index)
    withdrawn.remove(job)
    job.pointee.run(UnsafeMutableRawPointer(job), shard)
  }

  func runAll() {
    while !held.isEmpty { runNext() }
  }
}
