package import Campaigns
package import Core
package import Ledger

/// Why a store does nothing any more: what is in memory may be ahead of what is durable, or is
/// wrong. A restart begins from what is durable.
package enum StoreFailure: Error, Sendable, Equatable, CustomStringConvertible {
  case storage(StorageError)
  case ledger(LedgerFault)

  package var description: String {
    switch self {
    case .storage(let error): "storage: \(error)"
    case .ledger(let fault): "ledger: \(fault)"
    }
  }
}

/// The owner of all budgets and of what is durable. What its callers do between two commits is one
/// group: nobody is answered before it is durable.
///
/// A pure state machine over its storage: time is an argument, and one thread at a time calls it.
package final class AllocationStore {
  let storage: any Storage
  private var budgets: BudgetStore
  var compactor: Compactor
  private var pending: [StoredRecord] = []
  /// Once there is one, every operation throws it.
  package private(set) var failure: StoreFailure?
  private var movements: [UInt64: CampaignMovement] = [:]
  package private(set) var commits = 0
  package private(set) var recordsCommitted = 0
  /// Of the journal, since the start.
  package internal(set) var entriesCompacted = 0
  /// Ledger time from which on allocations are looked for that are over.
  var nextAllocations: Int64
  /// Milliseconds.
  let reservationTime: Int64

  /// `recovered`: what the storage held; its `records` are committed first.
  package init(storage: any Storage, _ recovered: RecoveredLedger) {
    self.storage = storage
    budgets = recovered.store
    compactor = recovered.compactor
    pending = recovered.records
    reservationTime = recovered.store.times.reservation
    // What this start has found may be kept longer than it says.
    nextAllocations = recovered.clock.anchor.ledgerMilliseconds + reservationTime + 1
  }

  /// Takes what a shard has done; what became of its late exposures, in their order: whether they
  /// were paid.
  package func take(_ records: [StoredRecord]) throws(StoreFailure) -> [Bool] {
    try check()
    var arePaid: [Bool] = []
    for record in records {
      guard case .entry(let entry) = record else {
        pending.append(record)
        continue
      }
      let accepted: JournalEntry
      do throws(LedgerFault) {
        accepted = try budgets.accept(entry)
      } catch {
        throw fail(.ledger(error))
      }
      pending.append(.entry(accepted))
      if entry.kind == .settleLate { arePaid.append(accepted.kind == .settleLate) }
      count(accepted)
    }
    return arePaid
  }

  private func count(_ entry: JournalEntry) {
    let amount = entry.amount.value
    switch entry.kind {
    case .reserve: movements[entry.campaign, default: .none].pacing.reserved += amount
    case .release: movements[entry.campaign, default: .none].pacing.released += amount
    case .settle: movements[entry.campaign, default: .none].settled += amount
    case .settleLate:
      movements[entry.campaign, default: .none].pacing.reserved += amount
      movements[entry.campaign, default: .none].settled += amount
    default: break
    }
  }

  /// What a shard's new reservations are expected to be worth, micros, by campaign.
  package func expect(_ worth: [UInt64: Double]) {
    for (campaign, worth) in worth {
      movements[campaign, default: .none].pacing.worth += worth
    }
  }

  /// A slice of a campaign's budget for a shard; it may be used once the group is durable. Nil:
  /// there is nothing to give.
  package func lease(_ wish: LeaseWish, holder: UInt32, quantum: Micros, at now: Int64)
    throws(StoreFailure) -> Lease?
  {
    try check()
    guard
      let (lease, entry) = budgets.lease(
        campaign: wish.campaign, holder: holder, quantum: quantum, wanted: wish.wanted, at: now)
    else { return nil }
    pending.append(.entry(entry))
    return lease
  }

  /// Sets budgets and keeps definitions. A budget that is committed already is refused, with all
  /// that came with it: nothing is half-applied.
  package func apply(
    _ campaigns: [StoredCampaign], budgets amounts: [UInt64: Micros], at now: Int64
  )
    throws(StoreFailure) -> [UInt64: Micros]
  {
    try check()
    var trial = budgets
    var (entries, refused): ([JournalEntry], [UInt64: Micros]) = ([], [:])
    for (campaign, budget) in amounts.sorted(by: { $0.key < $1.key }) {
      switch trial.fund(campaign: campaign, to: budget, at: now) {
      case .changed(let entry): entries.append(entry)
      case .unchanged: break
      case .refused(let committed): refused[campaign] = committed
      case .full: refused[campaign] = .zero
      }
    }
    guard refused.isEmpty else { return refused }
    budgets = trial
    pending += entries.map { .entry($0) }
    pending += campaigns.map { .campaign($0) }
    return [:]
  }

  package func note(_ key: String, _ value: [UInt8]) throws(StoreFailure) {
    try check()
    pending.append(.note(key: key, value: value))
  }

  /// Whether `commit` has something to do.
  package var hasPending: Bool { !pending.isEmpty }

  /// Makes the group durable, in one step, and begins the next one.
  package func commit() throws(StoreFailure) {
    try check()
    guard !pending.isEmpty else { return }
    do throws(StorageError) {
      try storage.commit(pending)
    } catch {
      throw fail(.storage(error))
    }
    commits += 1
    recordsCommitted += pending.count
    pending.removeAll(keepingCapacity: true)
  }

  /// The answer of an allocation that is durable, byte for byte.
  package func answer(user: UInt64, requestID: RequestID) throws(StoreFailure) -> [UInt8]? {
    try check()
    do throws(StorageError) {
      return try storage.answer(user: user, requestID: requestID)
    } catch {
      throw fail(.storage(error))
    }
  }

  // MARK: Figures

  package var totals: [CampaignTotals] { budgets.totals }

  package func totals(of campaign: UInt64) -> CampaignTotals? { budgets.totals(of: campaign) }

  package var openReservations: Int { budgets.openReservations }

  package var openLeases: Int { budgets.openLeases }

  package func out(at now: Int64) -> (leased: Micros, stranded: Micros) { budgets.out(at: now) }

  /// What moved by campaign since the last call.
  package func takeMovements() -> [UInt64: CampaignMovement] {
    defer { movements.removeAll(keepingCapacity: true) }
    return movements
  }

  // MARK: Failing

  func check() throws(StoreFailure) {
    if let failure { throw failure }
  }

  func fail(_ failure: StoreFailure) -> StoreFailure {
    self.failure = failure
    pending = []
    return failure
  }
}

/// A campaign's money between two ticks.
package struct CampaignMovement: Sendable, Equatable {
  package var pacing = PacingReport()
  /// Micros.
  package var settled: Int64 = 0

  package static let none = CampaignMovement()
}
