internal import Core

extension BudgetStore {
  mutating func replayOpening(_ entry: JournalEntry) throws(LedgerFault) {
    guard let subject = OpeningSubject(rawValue: entry.reservation), leases.count == 0 else {
      throw LedgerFault(kind: .misplaced, entry: entry)
    }
    if accountOf[entry.campaign] == nil, accounts.count >= Limits.ledgerCampaigns {
      throw LedgerFault(kind: .tooMany, entry: entry)
    }
    guard subject == .owner ? entry.amount <= .zero : entry.amount >= .zero else {
      throw LedgerFault(kind: .amountNegative, entry: entry)
    }
    let slot = account(entry.campaign)
    compactedUntil = max(compactedUntil, entry.expires)
    switch subject {
    case .owner: accounts[slot].owner = entry.amount
    case .budget: accounts[slot].budget = entry.amount
    case .spent: accounts[slot].spent = entry.amount
    case .exposures: accounts[slot].exposures = entry.amount.value
    case .goals: accounts[slot].goals = entry.amount.value
    case .unpaidExposures: accounts[slot].unpaidExposures = entry.amount.value
    case .unpaidMicros: accounts[slot].unpaid = entry.amount
    }
  }

  /// Entries that come to the state that this is, if the `reserve`s of the open reservations follow
  /// them. A lease is opened with what it still has and what is reserved by it, so that all of them
  /// have room side by side; one that has ended is opened for its open reservations alone.
  package func openings(at now: Int64, referencesUntil: Int64) -> [JournalEntry] {
    var entries: [JournalEntry] = []
    var reserved: [UInt64: (campaign: UInt64, amount: Micros, count: UInt64)] = [:]
    reservations.forEach { _, _, open in
      let before = reserved[open.lease]
      reserved[open.lease] = (
        open.campaign, (before?.amount ?? .zero) + open.amount, (before?.count ?? 0) + 1
      )
    }
    for account in accounts {
      let values: [(OpeningSubject, Int64)] = [
        (.owner, account.owner.value), (.budget, account.funded.value - account.spent.value),
        (.spent, account.spent.value), (.exposures, account.exposures), (.goals, account.goals),
        (.unpaidExposures, account.unpaidExposures), (.unpaidMicros, account.unpaid.value),
      ]
      for (subject, value) in values where value != 0 || subject == .owner {
        var entry = JournalEntry(
          kind: .opening, at: now, campaign: account.campaign, amount: Micros(value))
        entry.reservation = subject.rawValue
        entry.expires = referencesUntil
        entries.append(entry)
      }
    }
    leases.forEach { id, _, lease in
      var entry = lease.entry
      let rest = reserved.removeValue(forKey: id)
      entry.amount = lease.remaining + (rest?.amount ?? .zero)
      if lease.closesAfter > 0 { entry.item = lease.closesAfter + (rest?.count ?? 0) }
      entries.append(entry)
    }
    for (id, lease) in reserved.sorted(by: { $0.key < $1.key }) {
      var entry = JournalEntry(
        kind: .lease, at: now, campaign: lease.campaign, amount: lease.amount)
      entry.lease = id
      entry.item = lease.count
      entry.expires = .max
      entries.append(entry)
    }
    return entries
  }

  /// Rising.
  package var openReservationIDs: [UInt64] {
    var ids: [UInt64] = []
    ids.reserveCapacity(reservations.count)
    reservations.forEach { id, _, _ in ids.append(id) }
    return ids.sorted()
  }
}
