package import Core
internal import Dispatch
internal import Synchronization
internal import Syscalls

/// The shards of a server: one serial Dispatch queue each.
///
/// A block per job costs 20 to 30 µs on Linux, so each queue runs one block for its whole life: it
/// pins itself to a core and drains a mailbox, spinning briefly before it sleeps where cores allow.
package final class DispatchShards: ShardExecutor {
  private let shards: [Shard]
  private let running = DispatchGroup()

  /// `cores`: shard i runs on `cores[i % count]`; empty = not pinned. `spinsBeforeSleep`: looks at
  /// the mailbox before a shard sleeps; 0 where loops and shards outnumber the cores, for a
  /// spinning shard then takes the core from whoever would give it work.
  /// `queueNanoseconds`: estimated work that may wait for one shard.
  package init(count: Int, cores: [Int], spinsBeforeSleep: Int, queueNanoseconds: UInt64) {
    precondition(count >= 1)
    shards = (0..<count).map {
      Shard(index: $0, spinsBeforeSleep: spinsBeforeSleep, queueNanoseconds: queueNanoseconds)
    }
    for shard in shards {
      let core = cores.isEmpty ? nil : cores[shard.index % cores.count]
      DispatchQueue(label: "crescendo.shard-\(shard.index)").async(group: running) {
        if let core { _ = Affinity.pinCurrentThread(core: core) }
        shard.run()
        // The thread goes back to Dispatch's pool, for whoever comes next.
        if core != nil { Affinity.unpinCurrentThread() }
      }
    }
  }

  package var shardCount: Int { shards.count }

  package func submit(_ job: UnsafeMutablePointer<ShardJob>, to shard: Int) -> Bool {
    shards[shard].submit(job)
  }

  package func withdraw(_ job: UnsafeMutablePointer<ShardJob>) {
    shards[job.pointee.shard].withdraw(job)
  }

  package func jobEnds(on shard: Int) {
    shards[shard].jobEnds()
  }

  package func queuedNanoseconds(of shard: Int) -> UInt64 {
    shards[shard].queuedNanoseconds
  }

  package func interactiveNanoseconds(of shard: Int) -> UInt64 {
    shards[shard].interactiveNanoseconds
  }

  package var leastLoadedShard: Int {
    var (best, least) = (0, UInt64.max)
    for shard in shards where shard.queuedNanoseconds < least {
      (best, least) = (shard.index, shard.queuedNanoseconds)
    }
    return best
  }

  /// Runs what was accepted, accepts nothing more, and returns when all shards have ended.
  package func stop() {
    for shard in shards { shard.stop() }
    running.wait()
  }
}

/// One shard: two mailboxes, and the thread that drains them, batch callers' jobs last.
private final class Shard: Sendable {
  let index: Int
  private let spinsBeforeSleep: Int
  private let limitNanoseconds: UInt64
  private let mailbox = Mailbox()
  private let batchMailbox = Mailbox()
  /// Batch jobs that were taken out and have not run. The shard's thread's own.
  // Unsafe: no other thread touches it.
  private nonisolated(unsafe) var waitingBatch: UnsafeMutablePointer<MailboxLink>?
  private let queued = Atomic<UInt64>(0)
  /// Of `queued`, what the job counts for that runs; the shard's own thread's.
  private let running = Atomic<UInt64>(0)
  /// Of `queued`, batch jobs that wait.
  private let queuedBatch = Atomic<UInt64>(0)
  /// Rises with each wake-up: what the shard's thread sleeps on. Heap memory, because the kernel
  /// is given its address.
  // Unsafe: the pointer never changes, and what it points to is atomic.
  private nonisolated(unsafe) let wakeUps: UnsafeMutablePointer<Atomic<UInt32>>
  private let isAsleep = Atomic<Bool>(false)
  private let isStopping = Atomic<Bool>(false)
  /// Submissions under way: a stop waits for them, so that no job is put into a dead mailbox.
  private let submitters = Atomic<Int>(0)

  init(index: Int, spinsBeforeSleep: Int, queueNanoseconds: UInt64) {
    self.index = index
    self.spinsBeforeSleep = spinsBeforeSleep
    limitNanoseconds = queueNanoseconds
    wakeUps = .allocate(capacity: 1)
    wakeUps.initialize(to: Atomic(0))
  }

  deinit {
    wakeUps.deinitialize(count: 1)
    wakeUps.deallocate()
  }

  /// Estimated work that waits or runs.
  var queuedNanoseconds: UInt64 { queued.load(ordering: .relaxed) }

  var interactiveNanoseconds: UInt64 {
    let all = queued.load(ordering: .relaxed)
    return all - min(all, queuedBatch.load(ordering: .relaxed))
  }

  private var hasMail: Bool { !mailbox.isEmpty || !batchMailbox.isEmpty }

  func submit(_ job: UnsafeMutablePointer<ShardJob>) -> Bool {
    submitters.add(1, ordering: .sequentiallyConsistent)
    defer { submitters.subtract(1, ordering: .sequentiallyConsistent) }
    if isStopping.load(ordering: .sequentiallyConsistent) { return false }
    guard reserve(job.pointee.workNanoseconds) else { return false }
    job.pointee.shard = index
    job.count()
    let isBatch = job.pointee.isBatch
    if isBatch { queuedBatch.add(job.pointee.workNanoseconds, ordering: .relaxed) }
    let link = UnsafeMutableRawPointer(job).assumingMemoryBound(to: MailboxLink.self)
    let wasEmpty = isBatch ? batchMailbox.put(link) : mailbox.put(link)
    if wasEmpty, isAsleep.load(ordering: .sequentiallyConsistent) { wake() }
    return true
  }

  func withdraw(_ job: UnsafeMutablePointer<ShardJob>) {
    let work = job.takeCounted()
    queued.subtract(work, ordering: .relaxed)
    if job.pointee.isBatch { queuedBatch.subtract(work, ordering: .relaxed) }
  }

  /// Counts `work` if it fits. In one step, or submitters at the same time would all see the room
  /// that is there for one of them.
  private func reserve(_ work: UInt64) -> Bool {
    // A message, which takes no room: whoever sends it bounds how many there are.
    if work == 0 { return true }
    var seen = queued.load(ordering: .relaxed)
    while true {
      // A job that alone is over the limit still runs on an empty queue.
      let fits = seen <= limitNanoseconds && work <= limitNanoseconds - seen
      guard seen == 0 || fits else { return false }
      let (exchanged, original) = queued.weakCompareExchange(
        expected: seen, desired: seen + work, ordering: .relaxed)
      if exchanged { return true }
      seen = original
    }
  }

  func stop() {
    isStopping.store(true, ordering: .sequentiallyConsistent)
    wake()
  }

  private func wake() {
    wakeUps.pointee.add(1, ordering: .sequentiallyConsistent)
    Futex.wake(word, waiters: 1)
  }

  private var word: UnsafePointer<UInt32> {
    UnsafePointer(UnsafeMutableRawPointer(wakeUps).assumingMemoryBound(to: UInt32.self))
  }

  func run() {
    while true {
      runJobs()
      if isStopping.load(ordering: .sequentiallyConsistent) {
        guard submitters.load(ordering: .sequentiallyConsistent) == 0 else { continue }
        if !hasMail { return }
        continue
      }
      if !spin() { sleep() }
    }
  }

  /// Until both mailboxes are empty: before each batch job, whatever else has come.
  private func runJobs() {
    while true {
      while let first = mailbox.takeAll() {
        var next: UnsafeMutablePointer<MailboxLink>? = first
        while let link = next {
          // Read first: the job's memory is its owner's again as soon as it has run.
          next = link.pointee.next
          run(link)
        }
      }
      if waitingBatch == nil { waitingBatch = batchMailbox.takeAll() }
      guard let link = waitingBatch else {
        if mailbox.isEmpty { return }
        continue
      }
      waitingBatch = link.pointee.next
      run(link)
    }
  }

  private func run(_ link: UnsafeMutablePointer<MailboxLink>) {
    let address = UnsafeMutableRawPointer(link)
    let job = address.assumingMemoryBound(to: ShardJob.self)
    // What runs is counted until it ends.
    let work = job.takeCounted()
    running.store(work, ordering: .relaxed)
    if job.pointee.isBatch { queuedBatch.subtract(work, ordering: .relaxed) }
    let run = job.pointee.run
    run(address, index)
    jobEnds()
  }

  /// What runs is counted no more; on the shard's own thread.
  func jobEnds() {
    queued.subtract(running.exchange(0, ordering: .relaxed), ordering: .relaxed)
  }

  /// Whether something came while it looked.
  private func spin() -> Bool {
    for _ in 0..<spinsBeforeSleep {
      if hasMail { return true }
      relaxCPU()
    }
    return false
  }

  private func sleep() {
    let seen = wakeUps.pointee.load(ordering: .sequentiallyConsistent)
    isAsleep.store(true, ordering: .sequentiallyConsistent)
    // Whoever puts something in after this look sees that the shard sleeps, and wakes it.
    if !hasMail, !isStopping.load(ordering: .sequentiallyConsistent) {
      Futex.wait(word, expected: seen)
    }
    isAsleep.store(false, ordering: .sequentiallyConsistent)
  }
}
