internal import Core

/// Works out what a compaction does from the journal itself, apart from the store that is running:
/// entries go in, in order, until one is too young; then everything up to there becomes openings
/// and the reservations that were open.
package struct CompactionPlanner: Sendable {
  private let limit: Int
  private let before: Int64
  private let referencesUntil: Int64
  private var state: BudgetStore
  private var through: Int64 = 0
  private var count = 0
  private var isOver = false

  /// - Parameters:
  ///   - now: ledger time.
  ///   - kept: how much of the journal stays at least, milliseconds: the longest window of any
  ///     cap. It is never less than what reservations are remembered for.
  ///   - limit: entries that go at most.
  package init(
    times: LedgerTimes, now: Int64, kept: Int64, limit: Int = Limits.compactionEntries
  ) {
    self.limit = limit
    before = now - max(kept, times.forgotten + times.lease)
    referencesUntil = before + times.forgotten + times.lease
    state = BudgetStore(times: times, holders: 1, start: 1)
  }

  /// Entries that go by now.
  private var dropped: Int { count - state.openReservations }

  /// The next entry; false = no more are wanted.
  package mutating func add(
    _ entry: JournalEntry, sequence: Int64
  ) throws(LedgerFault) -> Bool {
    guard !isOver else { return false }
    if sequence > 0, entry.at >= before || dropped >= limit {
      isOver = true
      return false
    }
    try state.replay(entry)
    if sequence > 0 {
      through = sequence
      count += 1
    }
    return true
  }

  /// nil = nothing is old enough.
  /// - Parameter allocationsBefore: allocations that expire before this go.
  package func plan(allocationsBefore: Int64) -> Compaction? {
    guard dropped > 0 else { return nil }
    let openings = state.openings(
      at: before, referencesUntil: max(referencesUntil, state.compactedUntil))
    return Compaction(
      through: through, kept: state.openReservationIDs, openings: openings,
      allocationsBefore: allocationsBefore)
  }

  /// Reads what it needs from a storage, or from a reader beside it.
  package mutating func read(
    _ recover: ((StoredRecord, Int64) -> Bool) throws(StorageError) -> Void
  ) throws(RecoveryError) {
    var planner = self
    var failure: RecoveryError?
    do throws(StorageError) {
      try recover { record, sequence in
        guard case .entry(let entry) = record else { return true }
        do throws(LedgerFault) {
          return try planner.add(entry, sequence: sequence)
        } catch {
          failure = .fault(error, sequence: sequence)
          return false
        }
      }
    } catch {
      throw .storage(error)
    }
    if let failure { throw failure }
    self = planner
  }
}
