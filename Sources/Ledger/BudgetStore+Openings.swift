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
}
