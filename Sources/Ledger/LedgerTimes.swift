internal import Core

/// The lengths of things in ledger time, milliseconds, all above 0.
package struct LedgerTimes: Sendable, Equatable {
  /// From a reservation to its release.
  package var reservation: Int64
  /// From a lease to its end.
  package var lease: Int64
  /// From a reservation's end to when its exposure is no longer taken.
  package var report: Int64

  package init(
    reservation: Int64 = Limits.serving.reservationMilliseconds,
    lease: Int64 = Limits.serving.leaseMilliseconds,
    report: Int64 = Limits.serving.reportMilliseconds
  ) {
    precondition(reservation > 0 && lease > 0 && report > 0)
    self.reservation = reservation
    self.lease = lease
    self.report = report
  }

  /// From when on the holder of a lease reserves nothing by it: nine tenths of its time, and at
  /// least a reservation's length before its end.
  package func holderStops(granted: Int64, expires: Int64) -> Int64 {
    min(granted + (expires - granted) / 10 * 9, expires - reservation)
  }

  /// How long at least a reservation that has ended is remembered.
  package var remembered: Int64 { reservation + report }

  /// How long at most: `EndedReservations` forgets by quarters.
  package var forgotten: Int64 { remembered + remembered / 4 + 1 }

  /// How long the journal is kept at least: while an entry may be named by a later one.
  package var journal: Int64 { forgotten + lease }
}
