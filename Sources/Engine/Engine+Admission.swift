internal import Core

/// What is let into the queues.
extension Engine {
  /// Whether a batch of this many candidates of the default model has no room in any queue: asked
  /// before its message is decoded. A batch that is scored in place needs none.
  package func isFull(candidates: Int, isBatch: Bool) -> Bool {
    let blueprint = serving.defaultBlueprint
    let work = blueprint.cost.nanoseconds(
      candidates: candidates, level: blueprint.levels.full)
    guard fanOut != .auto || work > Limits.serving.inPlaceNanoseconds else { return false }
    return !Engine.hasRoom(
      for: work / workers(work), isBatch: isBatch,
      queued: executor.queuedNanoseconds(of: executor.leastLoadedShard))
  }

  /// A job that alone is over the limit still finds room in an empty queue.
  static func hasRoom(for work: UInt64, isBatch: Bool, queued: UInt64) -> Bool {
    let room = isBatch ? Limits.serving.batchQueueNanoseconds : Limits.serving.shardQueueNanoseconds
    return queued == 0 || (work <= room && queued <= room - work)
  }
}
