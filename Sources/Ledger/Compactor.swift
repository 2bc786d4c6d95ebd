internal import Core

/// What one slice of a compaction came to.
package struct CompactionProgress: Sendable, Equatable {
  /// Entries of the journal that went.
  package var entries = 0
  /// Allocations that went.
  package var allocations = 0
  /// Whether there may be more to do by now.
  package var hasMore = false

  package init() {}
}

package enum CompactionError: Error, Sendable, Equatable {
  case storage(StorageError)
  /// The journal breaks an invariant.
  case fault(LedgerFault)
}

/// Makes openings of old entries while the store goes on. It is a budget store that lags behind the
/// one that is running: it has replayed the journal up to a horizon, and moves that on by slices.
/// What is stored up to the horizon is the openings of its state and the `reserve`s of what was
/// open there; a slice rewrites no more of that than its entries have changed.
package struct Compactor: Sendable {
  private let times: LedgerTimes
  private var state: BudgetStore
  /// By lease, what is reserved at the horizon: its opening has it beside what remains of it.
  private var reserved = ExpiringTable<Reserved>()
  /// The last entry before the horizon; 0 = none was looked at since the start.
  private var through: Int64 = 0
  /// When the first entry behind the horizon was written; nil = nobody has looked.
  private var next: Int64?
  /// What the storage has refused: it stands before the horizon here, and not there.
  private var refused: (compaction: Compaction, entries: Int)?

  private struct Reserved: Sendable {
    var campaign: UInt64
    var amount: Micros
    var count: UInt64
  }

  /// At the beginning of a journal. If it was compacted, its openings are to be given to `open`;
  /// the `reserve`s that were kept are then the first entries that the horizon moves over.
  package init(times: LedgerTimes) {
    self.times = times
    state = BudgetStore(times: times, holders: 1, start: 1)
  }

  /// An entry that stands among the openings.
  mutating func open(_ entry: JournalEntry) throws(LedgerFault) { try state.replay(entry) }

  /// Ledger time before which entries may go.
  /// - Parameters:
  ///   - now: ledger time.
  ///   - kept: how much of the journal stays at least, milliseconds: the longest window of any
  ///     cap. It is never less than what reservations are remembered for.
  package func horizon(at now: Int64, kept: Int64) -> Int64 {
    now.addingClamped(-max(kept, times.journal))
  }

  /// Moves the horizon on by a slice, here and in the storage. After an error of the storage that
  /// is transient the same slice comes again; after any other nothing here is true any more.
  /// - Parameters:
  ///   - now: ledger time.
  ///   - before: entries go that are older than this ledger time.
  ///   - allocationsBefore: allocations go that expire before this ledger time; `Int64.min` = none.
  ///   - rows: how many rows are read or written, about; above 0.
  package mutating func compact(
    _ storage: any Storage, at now: Int64, before: Int64, allocationsBefore: Int64, rows: Int
  ) throws(CompactionError) -> CompactionProgress {
    var progress = CompactionProgress()
    if let refused {
      progress.hasMore = true
      progress.entries = refused.entries
      progress.allocations = try write(refused.compaction, refused.entries, storage)
      return progress
    }
    let slice = try advance(storage, before: before, rows: rows, &progress.hasMore)
    progress.entries = slice.dropped
    guard slice.dropped > 0 || allocationsBefore > .min else { return progress }
    var compaction = Compaction(allocationsBefore: allocationsBefore, allocations: rows)
    compaction.time = now
    // Where no more happened than that something was reserved, its openings are what they were.
    if slice.dropped > 0 { fill(&compaction, slice, before: before) }
    progress.allocations = try write(compaction, slice.dropped, storage)
    progress.hasMore = progress.hasMore || progress.allocations >= rows
    return progress
  }

  private mutating func write(
    _ compaction: Compaction, _ entries: Int, _ storage: any Storage
  ) throws(CompactionError) -> Int {
    do throws(StorageError) {
      let allocations = try storage.compact(compaction)
      refused = nil
      return allocations
    } catch {
      refused = (compaction, entries)
      throw .storage(error)
    }
  }

  // MARK: Moving on

  private mutating func advance(
    _ storage: any Storage, before: Int64, rows: Int, _ hasMore: inout Bool
  ) throws(CompactionError) -> CompactionSlice {
    var slice = CompactionSlice(after: through)
    if let next, next >= before { return slice }
    next = nil
    let entries: [(sequence: Int64, entry: JournalEntry)]
    do throws(StorageError) {
      entries = try storage.entries(after: through, limit: rows)
    } catch {
      throw .storage(error)
    }
    hasMore = entries.count == rows
    for (sequence, entry) in entries {
      if entry.at >= before {
        next = entry.at
        hasMore = false
        break
      }
      if slice.rows >= rows {
        hasMore = true
        break
      }
      do throws(LedgerFault) {
        try take(entry, sequence, &slice)
      } catch {
        throw .fault(error)
      }
    }
    through = slice.through
    return slice
  }

  private mutating func take(
    _ entry: JournalEntry, _ sequence: Int64, _ slice: inout CompactionSlice
  ) throws(LedgerFault) {
    let before = state.totals(of: entry.campaign) ?? CampaignTotals(campaign: entry.campaign)
    let lease = state.reservations[entry.reservation]?.lease ?? entry.lease
    try state.replay(entry)
    slice.through = sequence
    slice.entries += 1
    if slice.accounts[entry.campaign] == nil { slice.accounts[entry.campaign] = before }
    switch entry.kind {
    case .lease, .leaseReturn: slice.leases.insert(lease)
    case .reserve:
      slice.leases.insert(lease)
      slice.reserves[entry.reservation] = sequence
      let isKnown = reserved.update(lease) {
        $0.amount += entry.amount
        $0.count += 1
      }
      if !isKnown {
        let first = Reserved(campaign: entry.campaign, amount: entry.amount, count: 1)
        reserved.insert(lease, first, expires: 0)
      }
    case .release, .settle:
      slice.leases.insert(lease)
      if slice.reserves.removeValue(forKey: entry.reservation) == nil {
        slice.ended.append(entry.reservation)
      }
      reserved.update(lease) {
        $0.amount -= entry.amount
        $0.count -= 1
      }
      if reserved[lease]?.count == 0 { reserved.remove(lease) }
    case .fund, .settleLate, .unpaid, .goal, .opening: break
    }
  }

  // MARK: Openings

  private mutating func fill(
    _ compaction: inout Compaction, _ slice: CompactionSlice, before: Int64
  ) {
    compaction.through = slice.through
    compaction.dropped = slice.ranges
    compaction.ended = slice.ended.sorted()
    state.compactedUntil = max(
      state.compactedUntil, before.addingClamped(times.journal))
    for (campaign, was) in slice.accounts.sorted(by: { $0.key < $1.key }) {
      guard let account = state.totals(of: campaign) else { continue }
      // The owner's is written whatever has changed: it says until when entries may name what went.
      for subject in OpeningSubject.allCases
      where subject == .owner || account[subject] != was[subject] {
        var entry = JournalEntry(
          kind: .opening, at: before, campaign: campaign, amount: Micros(account[subject]))
        entry.reservation = subject.rawValue
        entry.expires = state.compactedUntil
        compaction.openings.append(entry)
      }
    }
    for id in slice.leases.sorted() {
      if let entry = opening(ofLease: id, at: before) {
        compaction.openings.append(entry)
      } else {
        compaction.endedLeases.append(id)
      }
    }
  }

  /// A lease is opened with what it still has and what is reserved by it, so that all of them have
  /// room side by side; one that has ended is opened for its open reservations alone; nil = it has
  /// none.
  private func opening(ofLease id: UInt64, at now: Int64) -> JournalEntry? {
    let rest = reserved[id]
    if let lease = state.leases[id] {
      var entry = lease.entry
      entry.amount = lease.remaining + (rest?.amount ?? .zero)
      if lease.closesAfter > 0 { entry.item = lease.closesAfter + (rest?.count ?? 0) }
      return entry
    }
    guard let rest else { return nil }
    var entry = JournalEntry(kind: .lease, at: now, campaign: rest.campaign, amount: rest.amount)
    entry.lease = id
    entry.item = rest.count
    entry.expires = .max
    return entry
  }
}
