package import Core

/// One campaign's money and what was counted.
package struct CampaignTotals: Sendable, Equatable {
  package var campaign: UInt64
  package var owner: Micros = .zero
  package var budget: Micros = .zero
  package var leased: Micros = .zero
  package var reserved: Micros = .zero
  package var spent: Micros = .zero
  /// Paid: settled in time or late.
  package var exposures: Int64 = 0
  package var goals: Int64 = 0
  package var unpaidExposures: Int64 = 0
  package var unpaid: Micros = .zero

  package init(campaign: UInt64) {
    self.campaign = campaign
  }

  /// What was funded.
  package var funded: Micros { -owner }
  /// Below this the budget cannot be lowered.
  package var committed: Micros { leased + reserved + spent }

  package subscript(account: Account) -> Micros {
    get {
      switch account {
      case .owner: owner
      case .budget: budget
      case .leased: leased
      case .reserved: reserved
      case .spent: spent
      }
    }
    set {
      switch account {
      case .owner: owner = newValue
      case .budget: budget = newValue
      case .leased: leased = newValue
      case .reserved: reserved = newValue
      case .spent: spent = newValue
      }
    }
  }
}

package enum FundOutcome: Sendable, Equatable {
  case changed(JournalEntry)
  case unchanged
  /// As much is spent, reserved and leased: the budget cannot be less.
  case refused(committed: Micros)
  /// As many campaigns have accounts as may.
  case full
}

/// All budgets: who has how much of them, and the rule that no movement can break, checked before
/// each: settled + leased + reserved ≤ budget. A pure state machine: every operation gives the
/// entries that the caller commits, in the order of the operations, and what they say holds from
/// then on. One owner; if a commit fails, what is in memory is no longer true and the owner stops.
package struct BudgetStore: Sendable, BudgetAuthority {
  /// A reservation as the store knows it: enough to check how it ends.
  struct OpenReservation: Sendable {
    var campaign: UInt64
    var lease: UInt64
    var amount: Micros
  }

  static let noHolder = UInt32.max

  package let times: LedgerTimes
  /// Shards: numbered from 0.
  package let holders: Int
  var accounts: [CampaignTotals] = []
  var accountOf = IDIndex()
  /// Of each account and holder: what remains in leases.
  var outstanding: [Micros] = []
  /// Of each account: reservations that are open.
  var reservationCounts: [Int] = []
  var leases = ExpiringTable<Lease>()
  var reservations = ExpiringTable<OpenReservation>()
  var leaseIDs: IDSequence
  /// From compaction: until when entries may name reservations that were compacted away.
  package var compactedUntil = Int64.min

  /// - Parameter start: counts the starts of the server on its data, from 1.
  package init(times: LedgerTimes = LedgerTimes(), holders: Int, start: UInt64) {
    precondition(holders > 0)
    self.times = times
    self.holders = holders
    leaseIDs = IDSequence(start: start)
  }

  /// nil = it was never funded.
  package func totals(of campaign: UInt64) -> CampaignTotals? {
    accountOf[campaign].map { accounts[Int($0)] }
  }

  /// Of every campaign that was ever funded.
  package var totals: [CampaignTotals] { accounts }

  package var openReservations: Int { reservations.count }

  package func openReservations(of campaign: UInt64) -> Int {
    accountOf[campaign].map { reservationCounts[Int($0)] } ?? 0
  }

  package var openLeases: Int { leases.count }

  /// What lies in leases, and what of it their holders may not use any more and have not returned.
  /// Looks at every lease.
  package func out(at now: Int64) -> (leased: Micros, stranded: Micros) {
    var (leased, stranded) = (Micros.zero, Micros.zero)
    leases.forEach { _, expires, lease in
      leased.value = leased.value.addingClamped(lease.remaining.value)
      if now >= times.holderStops(granted: lease.at, expires: expires) {
        stranded.value = stranded.value.addingClamped(lease.remaining.value)
      }
    }
    return (leased, stranded)
  }

  /// Sets a campaign's whole budget, at least 0.
  package mutating func fund(
    campaign: UInt64, to budget: Micros, at now: Int64
  ) -> FundOutcome {
    precondition(budget >= .zero)
    let before = totals(of: campaign)
    if before == nil, accounts.count >= Limits.ledgerCampaigns { return .full }
    let change = budget - (before?.funded ?? .zero)
    if before != nil, change == .zero { return .unchanged }
    if let before, before.budget + change < .zero {
      return .refused(committed: before.committed)
    }
    let entry = JournalEntry(kind: .fund, at: now, campaign: campaign, amount: change)
    move(account(campaign), .owner, .budget, change)
    return .changed(entry)
  }

  // MARK: Accounts

  /// The account of a campaign, made if there is none.
  mutating func account(_ campaign: UInt64) -> Int {
    if let slot = accountOf[campaign] { return Int(slot) }
    let slot = accounts.count
    accounts.append(CampaignTotals(campaign: campaign))
    reservationCounts.append(0)
    outstanding.append(contentsOf: repeatElement(.zero, count: holders))
    accountOf.insert(campaign, UInt32(slot))
    return slot
  }

  mutating func move(_ slot: Int, _ from: Account, _ to: Account, _ amount: Micros) {
    accounts[slot][from] -= amount
    accounts[slot][to] += amount
    assert(accounts[slot].budget >= .zero && accounts[slot].leased >= .zero)
  }

  mutating func changeOutstanding(_ slot: Int, _ holder: UInt32, by amount: Micros) {
    guard Int(holder) < holders else { return }
    outstanding[slot * holders + Int(holder)] += amount
  }
}

extension Int64 {
  func addingClamped(_ other: Int64) -> Int64 {
    let (sum, isOver) = addingReportingOverflow(other)
    return isOver ? (other < 0 ? .min : .max) : sum
  }
}
