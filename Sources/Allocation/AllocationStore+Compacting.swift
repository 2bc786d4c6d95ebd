internal import Core
package import Ledger

extension AllocationStore {
  /// Compacts a slice of what is durable, in a step of its own, beside what is pending. Whether
  /// there may be more to do by now; and why the storage would not, where it may later: the slice
  /// is kept, and is the next one, too.
  /// - Parameters:
  ///   - now: ledger time.
  ///   - kept: how much of the journal stays at least, milliseconds: the longest window of a cap.
  ///   - rows: how many rows are read or written, about.
  package func compact(
    at now: Int64, kept: Int64, rows: Int = Limits.compactionRows
  ) throws(StoreFailure) -> (hasMore: Bool, refusal: StorageError?) {
    try check()
    if let interruption { return (false, interruption) }
    let looks = now >= nextAllocations
    let progress: CompactionProgress
    do throws(CompactionError) {
      progress = try compactor.compact(
        storage, at: now, before: compactionHorizon(at: now, kept: kept),
        allocationsBefore: looks ? now - reservationTime : .min, rows: rows)
    } catch {
      switch error {
      case .storage(let error) where error.isTransient: return (false, error)
      case .storage(let error): throw fail(.storage(error))
      case .fault(let fault): throw fail(.ledger(fault))
      }
    }
    if looks, progress.allocations < rows {
      nextAllocations = now + Limits.compactionAllocationMilliseconds
    }
    entriesCompacted += progress.entries
    return (progress.hasMore, nil)
  }

  /// Ledger time before which entries may go.
  package func compactionHorizon(at now: Int64, kept: Int64) -> Int64 {
    compactor.horizon(at: now, kept: kept)
  }
}
