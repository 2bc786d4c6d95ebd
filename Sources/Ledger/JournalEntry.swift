package import Core

/// One line of the journal: money that moves from one account of a campaign to another, or a fact
/// that moves none. What has been written never changes.
package struct JournalEntry: Sendable, Equatable, BitwiseCopyable {
  package enum Kind: UInt8, Sendable, CaseIterable, BitwiseCopyable {
    /// owner → budget. A smaller budget is a negative amount.
    case fund = 1
    /// budget → leased: a slice of the budget goes to a holder.
    case lease = 2
    /// leased → budget: what a holder has not used.
    case leaseReturn = 3
    /// leased → reserved: the expected cost of a placement.
    case reserve = 4
    /// reserved → budget: nothing was heard in time, or the client gave it back.
    case release = 5
    /// reserved → spent: an exposure.
    case settle = 6
    /// budget → spent: an exposure after its reservation was released; there was room.
    case settleLate = 7
    /// Moves nothing: an exposure that came too late, and the budget had no room for `amount`.
    case unpaid = 8
    /// Moves nothing: the goal was reached after an exposure.
    case goal = 9
    /// What earlier entries of a campaign came to that were compacted away: `reservation` = what
    /// (`OpeningSubject.rawValue`), `amount` = how much. Moves nothing: it sets.
    case opening = 10
  }

  package var kind: Kind
  /// Ledger time, milliseconds.
  package var at: Int64
  /// The campaign's key.
  package var campaign: UInt64
  package var amount: Micros
  /// 0 = none.
  package var lease: UInt64 = 0
  /// 0 = none. Unique for ever.
  package var reservation: UInt64 = 0
  /// Of `reserve`, `settleLate`, `unpaid` and `goal`: whose exposure, to rebuild caps by and to
  /// find the shard; 0 = none.
  package var user: UInt64 = 0
  /// Of a `lease` that stands among openings: it ends by itself after so many `reserve`s; 0 = by
  /// `leaseReturn`.
  package var item: UInt64 = 0
  /// `Int64.min` = the item has none.
  package var artist: Int64 = .min
  package var release: Int64 = .min
  /// Ledger time at which a lease ends; of every entry of a reservation that names its user, when
  /// the reservation was to end. Of an `opening`: until when entries may name reservations that
  /// were compacted away.
  package var expires: Int64 = 0

  package init(kind: Kind, at: Int64, campaign: UInt64, amount: Micros) {
    self.kind = kind
    self.at = at
    self.campaign = campaign
    self.amount = amount
  }
}

/// Where a campaign's money is. The balances of a campaign's accounts sum to zero at every line.
package enum Account: UInt8, Sendable, CaseIterable, BitwiseCopyable {
  /// Outside: minus what was ever funded.
  case owner = 0
  /// Neither leased, reserved nor spent.
  case budget = 1
  case leased = 2
  case reserved = 3
  case spent = 4
}

/// What an `opening` tells of a campaign.
package enum OpeningSubject: UInt64, Sendable, CaseIterable {
  // The accounts, number for number. Open leases and reservations are told by entries of their own,
  // so that `leased` and `reserved` are not among them.
  case owner = 0
  case budget = 1
  case spent = 4
  // Counts and sums of what has been.
  case exposures = 16
  case goals = 17
  case unpaidExposures = 18
  case unpaidMicros = 19
}

extension JournalEntry.Kind {
  /// The accounts that an amount moves from and to; nil = it moves none.
  package var movement: (from: Account, to: Account)? {
    switch self {
    case .fund: (.owner, .budget)
    case .lease: (.budget, .leased)
    case .leaseReturn: (.leased, .budget)
    case .reserve: (.leased, .reserved)
    case .release: (.reserved, .budget)
    case .settle: (.reserved, .spent)
    case .settleLate: (.budget, .spent)
    case .unpaid, .goal, .opening: nil
    }
  }
}
