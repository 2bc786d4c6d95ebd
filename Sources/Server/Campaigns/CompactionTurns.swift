internal import Allocation
internal import Core
internal import Ledger
internal import Logging

/// When the store's thread compacts the journal: after a group, once all of it are answered, a
/// slice at a time; where there is more to do, in a part of the thread's time.
struct CompactionTurns {
  /// How much of the journal stays, milliseconds: as far as caps look back.
  var kept: Int64 = 0
  /// Monotonic nanoseconds.
  private var next: UInt64 = 0

  /// - Parameter now: ledger time.
  mutating func turn(
    _ store: AllocationStore, at now: Int64, _ clock: Clock, _ logger: Logger
  ) throws(StoreFailure) {
    let began = clock.monotonicNanoseconds()
    guard began >= next else { return }
    next = began + Limits.ledgerTickMilliseconds * 1_000_000
    let (hasMore, refusal) = try store.compact(at: now, kept: kept)
    if let refusal, store.interruption == nil {
      logger.warning("the journal is not compacted now", metadata: ["reason": "\(refusal)"])
    }
    guard hasMore else { return }
    let ended = clock.monotonicNanoseconds()
    next = ended + (ended - began) * (Limits.compactionShare - 1)
  }
}
