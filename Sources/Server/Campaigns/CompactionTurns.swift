internal import Allocation
internal import Core
internal import Ledger
internal import Logging

/// When the store's thread compacts the journal: after a group, once all of it are answered, a
/// slice at a time, for as long as there is more to do.
struct CompactionTurns {
  /// How much of the journal stays, milliseconds: as far as caps look back.
  var kept: Int64 = 0
  private var pace = CompactionPace()

  /// After how many nanoseconds there may be more to do.
  /// - Parameters:
  ///   - now: ledger time.
  ///   - isIdle: nothing else was to be done.
  mutating func turn(
    _ store: AllocationStore, at now: Int64, isIdle: Bool, _ clock: Clock, _ logger: Logger
  ) throws(StoreFailure) -> UInt64 {
    let began = clock.monotonicNanoseconds()
    if let wait = pace.wait(at: began) { return wait }
    let (hasMore, refusal) = try store.compact(at: now, kept: kept, rows: pace.rows)
    if let refusal, store.interruption == nil {
      logger.warning("the journal is not compacted now", metadata: ["reason": "\(refusal)"])
    }
    let ended = clock.monotonicNanoseconds()
    pace.ended(began, ended, hasMore: hasMore, isIdle: isIdle)
    return pace.wait(at: ended) ?? 0
  }
}

/// How large the slices of a compaction are, and what lies between them. Times are monotonic
/// nanoseconds.
///
/// A slice may hold up a group for `Limits.compactionNanoseconds`, about. What it costs besides its
/// entries, a sync and the openings of every account it meets, is the same for a large one.
struct CompactionPace: Equatable {
  private(set) var rows = Limits.compactionRows
  private var next: UInt64 = 0
  /// Slices one after the other that have left more to do.
  private var behind = 0

  /// How long still to wait; nil: it is time.
  func wait(at now: UInt64) -> UInt64? { now < next ? next - now : nil }

  /// A slice has ended.
  mutating func ended(_ began: UInt64, _ ended: UInt64, hasMore: Bool, isIdle: Bool) {
    guard hasMore else {
      (behind, next) = (0, began + Limits.ledgerTickMilliseconds * 1_000_000)
      return
    }
    behind += 1
    let took = ended - began
    if took < Limits.compactionNanoseconds / 2 {
      rows = min(rows * 2, Limits.compactionRowsMost)
    } else if took > Limits.compactionNanoseconds {
      rows = max(rows / 2, Limits.compactionRows)
    }
    // A slice that took long, for the thread or the disk was kept from it, does not stop the next
    // ones for long.
    let counted = min(took, 2 * Limits.compactionNanoseconds)
    next = ended + counted * (share(isIdle: isIdle) - 1)
  }

  private func share(isIdle: Bool) -> UInt64 {
    if isIdle { return Limits.compactionShareIdle }
    // More is written than a small share keeps up with.
    return behind > Limits.compactionSlicesBehind
      ? Limits.compactionShareBehind : Limits.compactionShare
  }
}
