/// A piece of work for one shard: an intrusive node, so that submitting it allocates nothing.
///
/// The submitter owns the memory and keeps it where it is until `run` has been called.
package struct ShardJob: BitwiseCopyable {
  /// First: a mailbox holds the address of this.
  private var link = MailboxLink()
  /// Runs on the shard's own thread. The first argument is the address of this job (a C function
  /// pointer cannot name Swift's types), the second the shard's number, below `shardCount`.
  package var run: @convention(c) (_ job: UnsafeMutableRawPointer, _ shard: Int) -> Void
  /// Whatever `run` needs.
  package var context: UnsafeMutableRawPointer?
  /// Estimated work, in nanoseconds: what a shard's queue is bounded by.
  package var workNanoseconds: UInt64

  package init(
    run: @convention(c) (UnsafeMutableRawPointer, Int) -> Void,
    context: UnsafeMutableRawPointer?, workNanoseconds: UInt64
  ) {
    self.run = run
    self.context = context
    self.workNanoseconds = workNanoseconds
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

  /// Hands `job` to a shard, from any thread. False when the shard's queue is full by estimated
  /// work, or the executor has stopped: then the job was not taken and will not run.
  func submit(_ job: UnsafeMutablePointer<ShardJob>, to shard: Int) -> Bool
}
