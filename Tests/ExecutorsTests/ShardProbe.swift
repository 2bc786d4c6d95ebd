import Core
import Dispatch
import Executors
import Glibc
import Synchronization

let ample: UInt64 = 1 << 40

func shards(
  _ count: Int, cores: [Int] = [], spins: Int = 0, queueNanoseconds: UInt64 = ample
) -> DispatchShards {
  DispatchShards(
    count: count, cores: cores, spinsBeforeSleep: spins, queueNanoseconds: queueNanoseconds)
}

/// Jobs in memory that stays where it is, with what became of each.
final class JobSet: @unchecked Sendable {
  // Unchecked: the pointers never change; a job belongs to one submitter or one shard at a time,
  // and what they point to besides is atomic.
  private let jobs: UnsafeMutablePointer<ShardJob>
  private let runs: UnsafeMutablePointer<Atomic<Int>>
  private let shards: UnsafeMutablePointer<Atomic<Int>>
  private let count: Int
  private let body: (@Sendable (_ index: Int, _ shard: Int) -> Void)?
  private let ended = Counter()

  init(
    count: Int, workNanoseconds: UInt64 = 1,
    body: (@Sendable (_ index: Int, _ shard: Int) -> Void)? = nil
  ) {
    self.count = count
    self.body = body
    (jobs, runs, shards) = (
      .allocate(capacity: count), .allocate(capacity: count), .allocate(capacity: count)
    )
    for index in 0..<count {
      (runs + index).initialize(to: Atomic(0))
      (shards + index).initialize(to: Atomic(-1))
      (jobs + index).initialize(
        to: ShardJob(
          run: runJob, context: Unmanaged.passUnretained(self).toOpaque(),
          workNanoseconds: workNanoseconds))
    }
  }

  deinit {
    jobs.deallocate()
    runs.deallocate()
    shards.deallocate()
  }

  func job(_ index: Int) -> UnsafeMutablePointer<ShardJob> { jobs + index }
  func setWork(_ index: Int, _ nanoseconds: UInt64) { jobs[index].workNanoseconds = nanoseconds }
  /// Jobs that have run.
  var total: Int { ended.value }
  /// How often job `index` has run.
  func runs(_ index: Int) -> Int { runs[index].load(ordering: .sequentiallyConsistent) }
  /// Where it ran last; −1 = nowhere.
  func shard(_ index: Int) -> Int { shards[index].load(ordering: .sequentiallyConsistent) }

  fileprivate func ran(_ job: UnsafeMutablePointer<ShardJob>, on shard: Int) {
    let index = job - jobs
    runs[index].add(1, ordering: .sequentiallyConsistent)
    shards[index].store(shard, ordering: .sequentiallyConsistent)
    body?(index, shard)
    // Last: whoever waits for it may let everything go.
    _ = ended.add(1)
  }

  /// Gives the core away until `count` jobs have run.
  func waitForTotal(_ count: Int) {
    while total < count { yieldThread() }
  }
}

private func runJob(_ address: UnsafeMutableRawPointer, _ shard: Int) {
  let job = address.assumingMemoryBound(to: ShardJob.self)
  guard let context = job.pointee.context else { preconditionFailure("a job without its set") }
  Unmanaged<JobSet>.fromOpaque(context).takeUnretainedValue().ran(job, on: shard)
}

/// A gate that holds a shard inside a job until it is opened.
final class Gate: Sendable {
  private let arrived = Atomic<Int>(0)
  private let isOpen = Atomic<Bool>(false)

  func pass() {
    arrived.add(1, ordering: .sequentiallyConsistent)
    while !isOpen.load(ordering: .sequentiallyConsistent) { yieldThread() }
  }

  func waitForArrivals(_ count: Int) {
    while arrived.load(ordering: .sequentiallyConsistent) < count { yieldThread() }
  }

  func open() { isOpen.store(true, ordering: .sequentiallyConsistent) }
}

final class Counter: Sendable {
  private let number = Atomic<Int>(0)
  var value: Int { number.load(ordering: .sequentiallyConsistent) }
  /// The number after adding.
  func add(_ more: Int) -> Int { number.add(more, ordering: .sequentiallyConsistent).newValue }
}

final class Numbers: Sendable {
  private let held = Mutex<[Int]>([])
  var values: [Int] { held.withLock { $0 } }
  func append(_ number: Int) { held.withLock { $0.append(number) } }
}

func yieldThread() { _ = sched_yield() }

/// Runs `body` on `count` threads at once, and waits for all.
func onThreads(_ count: Int, _ body: @escaping @Sendable (_ thread: Int) -> Void) {
  let group = DispatchGroup()
  for thread in 0..<count {
    DispatchQueue(label: "thread-\(thread)").async(group: group) { body(thread) }
  }
  group.wait()
}
