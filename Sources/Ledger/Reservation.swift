package import Core

/// What is to be placed, and for whom.
package struct Placement: Sendable, Equatable, BitwiseCopyable {
  package var user: UInt64
  package var campaign: UInt64
  /// What the exposure costs, at least 0.
  package var amount: Micros
  package var item: UInt64
  /// `Int64.min` = the item has none.
  package var artist: Int64
  package var release: Int64

  package init(
    user: UInt64, campaign: UInt64, amount: Micros, item: UInt64, artist: Int64 = .min,
    release: Int64 = .min
  ) {
    self.user = user
    self.campaign = campaign
    self.amount = amount
    self.item = item
    self.artist = artist
    self.release = release
  }
}

/// A placement whose cost is kept.
package struct Reservation: Sendable, Equatable, BitwiseCopyable {
  /// 1 to 2⁶¹ − 1; unique for ever.
  package var id: UInt64
  package var lease: UInt64
  package var placement: Placement
  /// Ledger time.
  package var at: Int64
  /// Ledger time, as the token says it. After a restart on another boot it may last longer.
  package var expires: Int64

  package init(id: UInt64, lease: UInt64, placement: Placement, at: Int64, expires: Int64) {
    self.id = id
    self.lease = lease
    self.placement = placement
    self.at = at
    self.expires = expires
  }
}

/// What a token says, after its MAC was found good. Artist and release may be left out; they are
/// journaled with a late exposure, so that caps can be rebuilt.
package struct PlacementClaim: Sendable, Equatable, BitwiseCopyable {
  package var reservation: UInt64
  package var placement: Placement
  package var expires: Int64

  package init(reservation: UInt64, placement: Placement, expires: Int64) {
    self.reservation = reservation
    self.placement = placement
    self.expires = expires
  }

  package init(_ reservation: Reservation) {
    self.init(
      reservation: reservation.id, placement: reservation.placement, expires: reservation.expires)
  }
}

package enum ReserveOutcome: Sendable, Equatable {
  case reserved(Reservation)
  /// No lease of the campaign has room. A wish was noted, unless the store had nothing just now.
  case noBudget
  /// As many reservations are open or remembered as may be.
  case full
}

package enum SettleOutcome: Sendable, Equatable {
  case settled(Reservation)
  /// It was reported before; its first report may still be on its way to the storage.
  case duplicate
  /// Its reservation was released. A `settleLate` is in the outbox, and `BudgetStore.accept` says
  /// what becomes of it.
  case late
  /// The claim is older than reports are taken for.
  case expired
  /// There is no such reservation, or the claim does not agree with it.
  case unknown
}

package enum ReleaseOutcome: Sendable, Equatable {
  case released(Reservation)
  case alreadyReleased
  case settled
  /// The claim is older than reports are taken for.
  case expired
  case unknown
}

package enum GoalOutcome: Sendable, Equatable {
  case recorded
  case duplicate
  /// Its exposure was not reported.
  case noExposure
  case expired
  case unknown
}
