internal import Core

extension BudgetStore {
  /// Takes an entry from a shard. What comes back is what is committed: the same, but for a
  /// `settleLate` without room in the budget, which is `unpaid`. After a fault nothing has changed.
  package mutating func accept(_ entry: JournalEntry) throws(LedgerFault) -> JournalEntry {
    var entry = entry
    switch entry.kind {
    case .reserve, .release, .settle, .goal, .leaseReturn: break
    case .settleLate:
      if let account = totals(of: entry.campaign), account.budget < entry.amount {
        entry.kind = .unpaid
      }
    case .fund, .lease, .unpaid, .opening:
      throw LedgerFault(kind: .misplaced, entry: entry)
    }
    try replay(entry)
    return entry
  }

  /// Takes an entry as it stands in the journal. After a fault nothing has changed.
  package mutating func replay(_ entry: JournalEntry) throws(LedgerFault) {
    func fault(_ kind: LedgerFault.Kind) -> LedgerFault { LedgerFault(kind: kind, entry: entry) }
    switch entry.kind {
    case .opening: return try replayOpening(entry)
    case .fund: return try replayFund(entry)
    default: break
    }
    guard let found = accountOf[entry.campaign] else { throw fault(.campaignUnknown) }
    guard entry.amount >= .zero else { throw fault(.amountNegative) }
    let slot = Int(found)
    switch entry.kind {
    case .lease, .leaseReturn: try replayLease(entry, slot)
    case .reserve: try replayReserve(entry, slot)
    case .release, .settle: try replayEnd(entry, slot)
    default: try replayLate(entry, slot)
    }
  }

  private mutating func replayFund(_ entry: JournalEntry) throws(LedgerFault) {
    let account = totals(of: entry.campaign) ?? CampaignTotals(campaign: entry.campaign)
    if accountOf[entry.campaign] == nil, accounts.count >= Limits.ledgerCampaigns {
      throw LedgerFault(kind: .tooMany, entry: entry)
    }
    let (owner, isOver) = account.owner.value.subtractingReportingOverflow(entry.amount.value)
    guard !isOver, owner > .min else { throw LedgerFault(kind: .overflow, entry: entry) }
    guard owner <= 0, account.budget >= -entry.amount else {
      throw LedgerFault(kind: .budgetOverdrawn, entry: entry)
    }
    move(self.account(entry.campaign), .owner, .budget, entry.amount)
  }

  private mutating func replayLease(_ entry: JournalEntry, _ slot: Int) throws(LedgerFault) {
    func fault(_ kind: LedgerFault.Kind) -> LedgerFault { LedgerFault(kind: kind, entry: entry) }
    if entry.kind == .lease {
      guard entry.lease != 0, leases[entry.lease] == nil else { throw fault(.leaseKnown) }
      guard accounts[slot].budget >= entry.amount else { throw fault(.budgetOverdrawn) }
      var lease = Lease(
        id: entry.lease, campaign: entry.campaign, holder: Self.noHolder, amount: entry.amount,
        at: entry.at, expires: entry.expires)
      lease.closesAfter = entry.item
      return open(lease, slot)
    }
    guard let lease = leases[entry.lease] else { throw fault(.leaseIsOver) }
    guard lease.campaign == entry.campaign, lease.remaining == entry.amount else {
      throw fault(.leaseDiffers)
    }
    close(lease, slot)
  }

  private mutating func replayReserve(_ entry: JournalEntry, _ slot: Int) throws(LedgerFault) {
    func fault(_ kind: LedgerFault.Kind) -> LedgerFault { LedgerFault(kind: kind, entry: entry) }
    guard let lease = leases[entry.lease], entry.at <= lease.expires else {
      throw fault(.leaseIsOver)
    }
    guard lease.campaign == entry.campaign else { throw fault(.leaseDiffers) }
    guard lease.remaining >= entry.amount else { throw fault(.leaseOverdrawn) }
    guard entry.reservation != 0, reservations[entry.reservation] == nil else {
      throw fault(.reservationKnown)
    }
    leases.update(entry.lease) {
      $0.remaining -= entry.amount
      if $0.closesAfter > 0 { $0.closesAfter -= 1 }
    }
    if lease.closesAfter == 1, let rest = leases[entry.lease] { close(rest, slot) }
    changeOutstanding(slot, lease.holder, by: -entry.amount)
    move(slot, .leased, .reserved, entry.amount)
    // In the order of the journal: when they end is for their shards to know.
    reservations.insert(
      entry.reservation,
      OpenReservation(campaign: entry.campaign, lease: entry.lease, amount: entry.amount),
      expires: 0)
    reservationCounts[slot] += 1
  }

  /// `release` and `settle`.
  private mutating func replayEnd(_ entry: JournalEntry, _ slot: Int) throws(LedgerFault) {
    guard let open = reservations[entry.reservation] else {
      throw LedgerFault(kind: .reservationNotOpen, entry: entry)
    }
    guard open.campaign == entry.campaign, open.amount == entry.amount else {
      throw LedgerFault(kind: .reservationDiffers, entry: entry)
    }
    reservations.remove(entry.reservation)
    reservationCounts[slot] -= 1
    if entry.kind == .settle {
      move(slot, .reserved, .spent, entry.amount)
      accounts[slot].exposures += 1
    } else {
      move(slot, .reserved, .budget, entry.amount)
    }
  }

  /// `settleLate`, `unpaid` and `goal`: of a reservation that has ended. That none comes twice is
  /// for its shard and the storage, which remember.
  private mutating func replayLate(_ entry: JournalEntry, _ slot: Int) throws(LedgerFault) {
    func fault(_ kind: LedgerFault.Kind) -> LedgerFault { LedgerFault(kind: kind, entry: entry) }
    guard entry.reservation != 0 else { throw fault(.misplaced) }
    guard reservations[entry.reservation] == nil else { throw fault(.reservationOpen) }
    switch entry.kind {
    case .settleLate:
      guard accounts[slot].budget >= entry.amount else { throw fault(.budgetOverdrawn) }
      move(slot, .budget, .spent, entry.amount)
      accounts[slot].exposures += 1
    case .unpaid:
      accounts[slot].unpaidExposures += 1
      accounts[slot].unpaid.value = accounts[slot].unpaid.value.addingClamped(entry.amount.value)
    default:
      accounts[slot].goals += 1
    }
  }
}
