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
  /// Why the storage took no group of late: what waits is kept for `resume`, and nothing is durable
  /// meanwhile.
  package private(set) var interruption: StorageError?
  private var movements: [UInt64: CampaignMovement] = [:]
  package private(set) var commits = 0
  package private(set) var recordsCommitted = 0
  /// Of the journal, since the start.
  package internal(set) var entriesCompacted = 0
  /// Ledger time from which on allocations are looked for that are over.
  var nextAllocations = Int64.min
  /// Milliseconds.
  let reservationTime: Int64

  /// `opening`: what recovery found that is to be committed first.
  package init(storage: any Storage, budgets: BudgetStore, opening: [StoredRecord]) {
    self.storage = storage
    self.budgets = budgets
    compactor = Compactor(times: budgets.times)
    reservationTime = budgets.times.reservation
    pending = opening
  }

  package convenience init(storage: any Storage, _ recovered: RecoveredLedger) {
    self.init(storage: storage, budgets: recovered.store, opening: recovered.records)
    compactor = recovered.compactor
    // What this start has found may be kept longer than it says.
    nextAllocations = recovered.clock.anchor.ledgerMilliseconds + reservationTime + 1
  }

  /// Takes what a shard has done; what became of its late exposures, in their order: whether they
  /// were paid.
  package func take(_ records: [StoredRecord]) throws(StoreFailure) -> [Bool] {
    try check()
    if let interruption, pending.count + records.count > Limits.ledgerWaitingRecords {
      throw fail(.storage(interruption))
    }
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

  /// What a shard's new reservations are expected to bring, by campaign.
  package func expect(_ expected: [UInt64: Expectation]) {
    for (campaign, expected) in expected {
      movements[campaign, default: .none].pacing.worth += expected.worth
      movements[campaign, default: .none].goals.add(expected.goals)
    }
  }

  /// A slice of a campaign's budget for a shard; it may be used once the group is durable. Nil:
  /// there is nothing to give, or nothing can be made durable now.
  package func lease(_ wish: LeaseWish, holder: UInt32, quantum: Micros, at now: Int64)
    throws(StoreFailure) -> Lease?
  {
    try check()
    guard interruption == nil,
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
    try checkWritable()
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
    try checkWritable()
    pending.append(.note(key: key, value: value))
  }

  /// Whether `commit` has something to do.
  package var hasPending: Bool { !pending.isEmpty }

  /// Makes the group durable, in one step, and begins the next one. After a transient error of the
  /// storage it is kept, as it is true of what is in memory: it will be durable, and whoever asked
  /// is told that it is not now, as when an answer is lost.
  package func commit() throws(StoreFailure) {
    try checkWritable()
    try write()
  }

  /// Offers what was kept once more. Nothing to do where nothing is interrupted.
  package func resume() throws(StoreFailure) {
    try check()
    guard interruption != nil else { return }
    try write()
    interruption = nil
  }

  private func write() throws(StoreFailure) {
    guard !pending.isEmpty else { return }
    do throws(StorageError) {
      try storage.commit(pending)
    } catch {
      guard error.isTransient, pending.count <= Limits.ledgerWaitingRecords else {
        throw fail(.storage(error))
      }
      interruption = error
      throw .storage(error)
    }
    commits += 1
    recordsCommitted += pending.count
    pending.removeAll(keepingCapacity: true)
  }

  /// Notes beside the storage how far it has come: see `Storage.mark`. Why it could not, where that
  /// does no harm.
  package func mark() throws(StoreFailure) -> StorageError? {
    try check()
    do throws(StorageError) {
      try storage.mark()
      return nil
    } catch {
      guard error.isTransient else { throw fail(.storage(error)) }
      return error
    }
  }

  /// The last that is asked for. After a failure what is stored stays as it is.
  package func close() throws(StorageError) {
    if failure == nil { try storage.close() }
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

  package func openReservations(of campaign: UInt64) -> Int {
    budgets.openReservations(of: campaign)
  }

  package var openLeases: Int { budgets.openLeases }

  package func out(at now: Int64) -> (leased: Micros, stranded: Micros) { budgets.out(at: now) }

  /// What moved by campaign since the last call.
  package func takeMovements() -> [UInt64: CampaignMovement] {
    defer { movements.removeAll(keepingCapacity: true) }
    return movements
  }

  // MARK: Failing

  /// Why nothing can be made durable now; nil: it can.
  package var halt: StoreFailure? { failure ?? interruption.map { .storage($0) } }

  func check() throws(StoreFailure) {
    if let failure { throw failure }
  }

  private func checkWritable() throws(StoreFailure) {
    if let halt { throw halt }
  }

  func fail(_ failure: StoreFailure) -> StoreFailure {
    self.failure = failure
    interruption = nil
    pending = []
    return failure
  }
}

/// A campaign's money between two ticks.
package struct CampaignMovement: Sendable, Equatable {
  package var pacing = PacingReport()
  /// Micros.
  package var settled: Int64 = 0
  /// What the model expects of what was placed.
  package var goals = ExpectedGoals()

  package static let none = CampaignMovement()
}
