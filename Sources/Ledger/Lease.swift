package import Core

/// A slice of a campaign's budget, and until when it is its holder's.
package struct Lease: Sendable, Equatable, BitwiseCopyable {
  package var id: UInt64
  package var campaign: UInt64
  /// In memory only: after a restart no lease has a holder.
  package var holder: UInt32
  package var amount: Micros
  /// What of it is neither reserved nor was.
  package var remaining: Micros
  /// Ledger time.
  package var at: Int64
  package var expires: Int64
  /// Of a lease that compaction opened anew for reservations of an ended one: it ends by itself
  /// after so many `reserve`s; 0 = by `leaseReturn`.
  var closesAfter: UInt64 = 0

  package init(
    id: UInt64, campaign: UInt64, holder: UInt32, amount: Micros, at: Int64, expires: Int64
  ) {
    self.id = id
    self.campaign = campaign
    self.holder = holder
    self.amount = amount
    remaining = amount
    self.at = at
    self.expires = expires
  }
}

/// The two operations by which budget flows down and comes back, at every level: store → shard now,
/// store → replica → shard later. Whoever implements it journals what it answers.
package protocol BudgetAuthority {
  /// A slice of a campaign's budget; nil = there is nothing to give. `quantum` is one exposure's
  /// cost: no lease is smaller. `wanted` is what the holder would reserve at once.
  mutating func lease(
    campaign: UInt64, holder: UInt32, quantum: Micros, wanted: Micros, at now: Int64
  ) -> (lease: Lease, entry: JournalEntry)?

  /// Ends a lease: `returned` is all that is left of it, else a fault.
  mutating func settle(
    lease: UInt64, returned: Micros, at now: Int64
  ) throws(LedgerFault) -> JournalEntry
}

/// Ids that no earlier start of the server has given, and no other sequence of this start.
package struct IDSequence: Sendable, Equatable {
  private var number: UInt64
  private let stride: UInt64
  private let base: UInt64

  /// - Parameters:
  ///   - start: counts the starts of the server on its data, from 1, below `Limits.ledgerStarts`.
  ///   - offset: which of `stride` sequences of this start, from 0.
  package init(start: UInt64, offset: Int = 0, stride: Int = 1) {
    precondition(start < UInt64(Limits.ledgerStarts) && offset >= 0 && offset < stride)
    base = start << 40
    number = UInt64(offset) + 1
    self.stride = UInt64(stride)
  }

  /// nil = 2⁴⁰ ids have been given.
  package mutating func next() -> UInt64? {
    guard number < 1 << 40 else { return nil }
    defer { number += stride }
    return base | number
  }
}
