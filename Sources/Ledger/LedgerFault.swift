/// An entry that the ledger cannot take: it would break an invariant. But for `leaseIsOver` it is a
/// mistake of ours, or storage that was changed by hand.
package struct LedgerFault: Error, Sendable, Equatable, CustomStringConvertible {
  package enum Kind: String, Sendable {
    case campaignUnknown = "unknown campaign"
    case leaseKnown = "a lease of this id is there already"
    /// Legal where a holder was late: the store has taken the lease back. The reservation was not
    /// made; `ShardLedger.withdraw` forgets it.
    case leaseIsOver = "the lease is over, or there never was one"
    case leaseOverdrawn = "more than the lease has left"
    case leaseDiffers = "not what is left of the lease"
    case budgetOverdrawn = "more than the budget has"
    case amountNegative = "a negative amount"
    case reservationKnown = "the reservation is there already"
    case reservationNotOpen = "the reservation is not open"
    case reservationOpen = "the reservation is still open"
    case reservationDiffers = "not what was reserved"
    case overflow = "more than can be counted"
    case tooMany = "more than are kept"
    case misplaced = "an entry that cannot stand here"
  }

  package var kind: Kind
  package var entry: JournalEntry

  package var description: String {
    "\(entry.kind) of \(entry.amount), campaign \(entry.campaign), lease \(entry.lease), "
      + "reservation \(entry.reservation): \(kind.rawValue)"
  }
}
