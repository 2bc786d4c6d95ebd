import Core
import Testing

@testable import Ledger

@Suite struct AuditTests {
  /// A journal that is right: a budget of 100, a lease of 50, reservations 1 to 4 of 10 each.
  static let right: [JournalEntry] =
    [shardEntry(.fund, 100), shardEntry(.lease, 50, lease: 1)]
    + (1...4).map { shardEntry(.reserve, lease: 1, reservation: $0) }
    + [
      shardEntry(.settle, reservation: 1), shardEntry(.release, reservation: 2),
      shardEntry(.release, reservation: 3), shardEntry(.settleLate, reservation: 2),
      shardEntry(.unpaid, reservation: 3), shardEntry(.goal, 0, reservation: 2),
      shardEntry(.leaseReturn, 10, lease: 1),
    ]

  func audit(_ entries: [JournalEntry]) -> Audit {
    var audit = Audit()
    for (index, entry) in entries.enumerated() { audit.add(entry, sequence: Int64(index + 1)) }
    return audit
  }

  @Test func whatIsRightIsClean() {
    let audit = audit(Self.right)
    #expect(audit.isClean && audit.entries == 13 && audit.openReservations == 1)
    var expected = CampaignTotals(campaign: 7)
    expected.owner = Micros(-100)
    expected.budget = Micros(70)
    expected.reserved = Micros(10)
    expected.spent = Micros(20)
    (expected.exposures, expected.goals) = (2, 1)
    (expected.unpaidExposures, expected.unpaid) = (1, Micros(10))
    #expect(audit.totals == [expected])
  }

  @Test(arguments: [
    (shardEntry(.settle, reservation: 1), "the reservation has ended"),
    (shardEntry(.release, reservation: 2), "the reservation has ended"),
    (shardEntry(.settle, reservation: 9), "an unknown reservation"),
    (shardEntry(.settleLate, reservation: 9), "an unknown reservation"),
    (shardEntry(.settleLate, reservation: 1), "the reservation was not released"),
    (shardEntry(.unpaid, reservation: 2), "its exposure was recorded before"),
    (shardEntry(.settleLate, reservation: 3), "its exposure was recorded before"),
    (shardEntry(.settleLate, reservation: 4), "the reservation was not released"),
    (shardEntry(.settle, 9, reservation: 4), "0.00001 were reserved"),
    (shardEntry(.settle, reservation: 4, campaign: 8), "an unknown campaign"),
    (shardEntry(.goal, 0, reservation: 4), "a goal without an exposure"),
    (shardEntry(.goal, 0, reservation: 2), "its goal was recorded before"),
    (shardEntry(.reserve, lease: 1, reservation: 5), "an unknown lease"),
    (shardEntry(.lease, 71, lease: 2), "the account budget would be -0.000001"),
    (shardEntry(.lease, -1, lease: 2), "a negative amount"),
    (shardEntry(.fund, -71), "the account budget would be -0.000001"),
    (shardEntry(.fund, .max), "more than can be counted"),
    (shardEntry(.leaseReturn, 0, lease: 1), "an unknown lease"),
    (shardEntry(.opening), "an opening after the beginning"),
  ])
  func theFirstBadEntryIsNamed(entry: JournalEntry, reason: String) {
    let audit = audit(Self.right + [entry, entry])
    #expect(audit.finding == Audit.Finding(sequence: 14, entry: entry, reason: reason))
    #expect(audit.entries == 14)
  }

  @Test(arguments: [
    (2, shardEntry(.lease, lease: 1), "the lease is there already"),
    (2, shardEntry(.leaseReturn, 49, lease: 1), "the lease has 0.00005 left"),
    (2, shardEntry(.reserve, 51, lease: 1, reservation: 9), "the lease has 0.00005 left"),
    (3, shardEntry(.reserve, lease: 1, reservation: 1), "the reservation is there already"),
  ])
  func leasesAreCounted(place: Int, entry: JournalEntry, reason: String) {
    var entries = Self.right
    entries.insert(entry, at: place)
    #expect(
      audit(entries).finding
        == Audit.Finding(sequence: Int64(place + 1), entry: entry, reason: reason))
  }

  @Test func orderMatters() {
    var audit = Audit()
    let taken = (0..<2).map { _ in audit.add(Self.right[0], sequence: 5) }
    #expect(taken == [true, false])
    #expect(audit.finding?.reason == "out of order")
  }

  @Test func openingsThatDoNotBalanceAreSeen() {
    var audit = Audit()
    var owner = shardEntry(.opening, -100)
    owner.reservation = OpeningSubject.owner.rawValue
    let taken = [
      audit.add(owner, sequence: 0), audit.add(shardEntry(.fund, 5), sequence: 1),
    ]
    #expect(taken == [true, false])
    #expect(audit.finding?.reason == "the accounts sum to -0.0001, not to nothing")
  }
}
