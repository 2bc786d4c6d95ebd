package import Core

extension BudgetStore {
  /// A lease is a share of what is left, so that the last of a budget is cut ever finer; but all
  /// leases of a campaign together hold at most 1 ÷ `Limits.leasedShare` of its budget, or one
  /// quantum per holder if that is more. A holder that still has its share gets nothing, but for
  /// what it wants to reserve at once, as far as the budget goes.
  package mutating func lease(
    campaign: UInt64, holder: UInt32, quantum: Micros, wanted: Micros = .zero, at now: Int64
  ) -> (lease: Lease, entry: JournalEntry)? {
    precondition(quantum >= .zero && Int(holder) < holders)
    guard let found = accountOf[campaign] else { return nil }
    let slot = Int(found)
    let held = outstanding[slot * holders + Int(holder)]
    guard
      let amount = leaseAmount(
        accounts[slot], held: held, quantum: quantum, wanted: wanted),
      let id = leaseIDs.next()
    else { return nil }
    let lease = Lease(
      id: id, campaign: campaign, holder: holder, amount: amount, at: now,
      expires: now + times.lease)
    open(lease, slot)
    return (lease, lease.entry)
  }

  private func leaseAmount(
    _ account: CampaignTotals, held: Micros, quantum: Micros, wanted: Micros
  ) -> Micros? {
    guard account.budget >= quantum else { return nil }
    // Nothing costs nothing: a lease without money allows its holder any number of exposures.
    if quantum == .zero { return .zero }
    let share = account.funded.value / Limits.leasedShare / Int64(holders) - held.value
    let part = account.budget.value / (2 * Int64(holders))
    let needed = min(wanted.value, account.budget.value)
    let amount = max(min(share, part), needed) / quantum.value * quantum.value
    if amount >= quantum.value { return Micros(amount) }
    return held < quantum ? quantum : nil
  }

  package mutating func settle(
    lease id: UInt64, returned: Micros, at now: Int64
  ) throws(LedgerFault) -> JournalEntry {
    var entry = JournalEntry(kind: .leaseReturn, at: now, campaign: 0, amount: returned)
    entry.lease = id
    guard let lease = leases[id] else { throw LedgerFault(kind: .leaseIsOver, entry: entry) }
    entry.campaign = lease.campaign
    try replay(entry)
    return entry
  }

  /// Takes back leases whose time is over: at most `limit` of them, the earliest first. For holders
  /// that can be lost; a shard of the same process returns its leases itself, and what it has in
  /// its outbox may be older than a lease's end.
  package mutating func reclaim(at now: Int64, limit: Int) -> [JournalEntry] {
    reclaim(while: { $0 <= now }, at: now, limit: limit)
  }

  /// Takes back every lease: after a restart no holder is left.
  package mutating func reclaimAll(at now: Int64) -> [JournalEntry] {
    reclaim(while: { _ in true }, at: now, limit: .max)
  }

  private mutating func reclaim(
    while isOver: (_ expires: Int64) -> Bool, at now: Int64, limit: Int
  ) -> [JournalEntry] {
    var entries: [JournalEntry] = []
    while entries.count < limit, let first = leases.first, isOver(first.expires) {
      let lease = first.record
      var entry = JournalEntry(
        kind: .leaseReturn, at: now, campaign: lease.campaign, amount: lease.remaining)
      entry.lease = lease.id
      close(lease, account(lease.campaign))
      entries.append(entry)
    }
    return entries
  }

  mutating func open(_ lease: Lease, _ slot: Int) {
    leases.insert(lease.id, lease, expires: lease.expires)
    move(slot, .budget, .leased, lease.amount)
    changeOutstanding(slot, lease.holder, by: lease.amount)
  }

  mutating func close(_ lease: Lease, _ slot: Int) {
    leases.remove(lease.id)
    move(slot, .leased, .budget, lease.remaining)
    changeOutstanding(slot, lease.holder, by: -lease.remaining)
  }
}

extension Lease {
  var entry: JournalEntry {
    var entry = JournalEntry(kind: .lease, at: at, campaign: campaign, amount: amount)
    entry.lease = id
    entry.item = closesAfter
    entry.expires = expires
    return entry
  }
}
