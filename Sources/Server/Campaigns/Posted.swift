internal import Core
internal import EventLoop

/// Closures as messages between threads, for what happens per batch and not per candidate: an
/// allocation each. Whoever posts says by other means how many may wait.
///
/// What a closure holds goes from thread to thread with it: it is touched by whoever runs it alone.
enum Posted {
  private struct OnLoop {
    /// First: the loop's mailbox holds the address.
    var task: LoopTask
    let body: () -> Void
  }

  private struct OnShard {
    /// First: the shard's mailbox holds the address.
    var job: ShardJob
    let body: (Int) -> Void
  }

  /// Runs `body` on the loop's thread.
  static func to(_ loop: EventLoop, _ body: @escaping () -> Void) {
    let message = UnsafeMutablePointer<OnLoop>.allocate(capacity: 1)
    message.initialize(to: OnLoop(task: LoopTask(run: runOnLoop, context: nil), body: body))
    loop.post(UnsafeMutableRawPointer(message).assumingMemoryBound(to: LoopTask.self))
  }

  /// Runs `body` on a shard's thread, as no work that its queue counts. False when the shards have
  /// stopped: it will not run.
  static func to(
    _ executor: any ShardExecutor, shard: Int, _ body: @escaping (_ shard: Int) -> Void
  ) -> Bool {
    let message = UnsafeMutablePointer<OnShard>.allocate(capacity: 1)
    let job = ShardJob(run: runOnShard, context: nil, workNanoseconds: 0)
    message.initialize(to: OnShard(job: job, body: body))
    let address = UnsafeMutableRawPointer(message).assumingMemoryBound(to: ShardJob.self)
    if executor.submit(address, to: shard) { return true }
    message.deinitialize(count: 1)
    message.deallocate()
    return false
  }

  fileprivate static func runLoop(_ address: UnsafeMutableRawPointer) {
    let message = address.assumingMemoryBound(to: OnLoop.self)
    let body = message.move().body
    message.deallocate()
    body()
  }

  fileprivate static func runShard(_ address: UnsafeMutableRawPointer, _ shard: Int) {
    let message = address.assumingMemoryBound(to: OnShard.self)
    message.pointee.body(shard)
    // The executor reads the job's own fields until here.
    message.deinitialize(count: 1)
    message.deallocate()
  }
}

private func runOnLoop(_ address: UnsafeMutableRawPointer) { Posted.runLoop(address) }

private func runOnShard(_ address: UnsafeMutableRawPointer, _ shard: Int) {
  Posted.runShard(address, shard)
}
