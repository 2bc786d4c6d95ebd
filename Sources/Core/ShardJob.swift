internal import Synchronization

/// A piece of work for one shard: an intrusive node, so that submitting it allocates nothing.
///
/// The submitter owns the memory and keeps it where it is until `run` has been called.
package struct ShardJob: BitwiseCopyable {
  /// First: a mailbox holds the address of this.
  private var link = MailboxLink()
  /// Second, for its address. What the shard's queue still counts for this job; touched by any
  /// thread, as an atomic.
  private var counted: UInt64 = 0
  fileprivate static let countedOffset = MemoryLayout<MailboxLink>.stride
  /// Runs on the shard's own thread. The first argument is the address of this job (a C function
  /// pointer cannot name Swift's types), the second the shard's number, below `shardCount`.
  package var run: @convention(c) (_ job: UnsafeMutableRawPointer, _ shard: Int) -> Void
  /// Whatever `run` needs.
  package var context: UnsafeMutableRawPointer?
  /// Estimated work, in nanoseconds: what a shard's queue is bounded by. 0 = a message, which is
  /// taken however full the queue is.
  package var workNanoseconds: UInt64
  /// Runs when no other job waits.
  package var isBatch: Bool
  /// The shard that took it; the taker's to write.
  package var shard = 0

  package init(
    run: @convention(c) (UnsafeMutableRawPointer, Int) -> Void,
    context: UnsafeMutableRawPointer?, workNanoseconds: UInt64, isBatch: Bool = false
  ) {
    self.run = run
    self.context = context
    self.workNanoseconds = workNanoseconds
    self.isBatch = isBatch
  }
}

extension UnsafeMutablePointer where Pointee == ShardJob {
  /// Before the job is in a mailbox: its queue counts it.
  package func count() {
    let work = pointee.workNanoseconds
    withCounted { $0.store(work, ordering: .relaxed) }
  }

  /// What its queue counted for it, for exactly one caller: who runs it, or who withdraws it.
  package func takeCounted() -> UInt64 {
    withCounted { $0.exchange(0, ordering: .relaxed) }
  }

  private func withCounted<Result>(_ body: (borrowing Atomic<UInt64>) -> Result) -> Result {
    // By address: an access to the field itself would be one that excludes all others.
    let word = UnsafeMutableRawPointer(self) + ShardJob.countedOffset
    return body(word.assumingMemoryBound(to: Atomic<UInt64>.self).pointee)
  }
}

/// Where jobs of shards go. The seam that keeps the executor a measured choice: the server runs
/// on Dispatch queues, a test or a simulation on the caller's own thread.
package protocol ShardExecutor: AnyObject, Sendable {
  /// Number of shards, at least 1.
  var shardCount: Int { get }

  /// The shard with the least estimated work that waits or runs.
  var leastLoadedShard: Int { get }

  /// Estimated work that waits for a shard or runs on it, nanoseconds.
  func queuedNanoseconds(of shard: Int) -> UInt64

  /// Of that, what a job waits for that is not of a batch caller: jobs of batch callers stand
  /// behind it, but for one that runs already.
  func interactiveNanoseconds(of shard: Int) -> UInt64

  /// Hands `job` to a shard, from any thread. False when the shard's queue is full by estimated
  /// work, or the executor has stopped: then the job was not taken and will not run.
  func submit(_ job: UnsafeMutablePointer<ShardJob>, to shard: Int) -> Bool

  /// Nobody waits for a submitted job any more, whose memory is still its submitter's to keep: it
  /// will run, to end what it belongs to, but takes no room of others until then.
  func withdraw(_ job: UnsafeMutablePointer<ShardJob>)

  /// From within the job that runs on `shard`, before it tells anybody of its end: it takes no room
  /// any more, so that who hears of it finds the room free.
  func jobEnds(on shard: Int)
}

extension ShardExecutor {
  /// Where all jobs stand in one queue.
  package func interactiveNanoseconds(of shard: Int) -> UInt64 { queuedNanoseconds(of: shard) }
}
