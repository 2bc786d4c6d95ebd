import Core
import Testing

@testable import Ledger

let hour: Int64 = 3_600_000

/// An entry as a shard would make it.
func shardEntry(
  _ kind: JournalEntry.Kind, _ amount: Int64 = 10, lease: UInt64 = 0, reservation: UInt64 = 0,
  campaign: UInt64 = 7, at: Int64 = 0
) -> JournalEntry {
  var entry = JournalEntry(kind: kind, at: at, campaign: campaign, amount: Micros(amount))
  entry.lease = lease
  entry.reservation = reservation
  entry.user = 3
  entry.expires = at + 1_000
  return entry
}

@Suite struct BudgetStoreTests {
  var store = BudgetStore(holders: 2, start: 1)

  /// A budget of 100,000, a lease of 10 exposures at 10 each, and three reservations: 1 to 3.
  mutating func prepare() throws -> Lease {
    guard case .changed = store.fund(campaign: 7, to: Micros(100_000), at: 0) else {
      throw StorageError(operation: "fund", reason: "refused")
    }
    let granted = store.lease(campaign: 7, holder: 0, quantum: Micros(10), at: 0)
    let lease = try #require(granted).lease
    for id in UInt64(1)...3 {
      let entry = shardEntry(.reserve, lease: lease.id, reservation: id)
      #expect(try store.accept(entry) == entry)
    }
    return lease
  }

  @Test mutating func moneyIsWhereItBelongs() throws {
    let lease = try prepare()
    #expect(lease.amount == Micros(250))
    var totals = try #require(store.totals(of: 7))
    #expect(totals.budget == Micros(99_750) && totals.leased == Micros(220))
    #expect(totals.reserved == Micros(30) && totals.spent == .zero)
    _ = try store.accept(shardEntry(.settle, reservation: 1))
    _ = try store.accept(shardEntry(.release, reservation: 2))
    _ = try store.accept(shardEntry(.settleLate, reservation: 2))
    _ = try store.accept(shardEntry(.goal, 0, reservation: 1))
    totals = try #require(store.totals(of: 7))
    #expect(totals.spent == Micros(20) && totals.exposures == 2 && totals.goals == 1)
    #expect(totals.reserved == Micros(10) && totals.budget == Micros(99_750))
    #expect(store.out(at: 0) == (Micros(220), .zero))
    #expect(store.out(at: hour / 2) == (Micros(220), Micros(220)))
    #expect(store.openReservations == 1 && store.openLeases == 1)
    #expect(store.openReservations(of: 7) == 1 && store.openReservations(of: 8) == 0)
    let back = try store.settle(lease: lease.id, returned: Micros(220), at: 5)
    #expect(back.kind == .leaseReturn && back.amount == Micros(220) && back.campaign == 7)
    #expect(store.totals(of: 7)?.committed == Micros(30))
  }

  @Test mutating func whatWouldBreakAnInvariantIsRefusedAndChangesNothing() throws {
    let lease = try prepare()
    let before = store.totals
    let cases: [(JournalEntry, LedgerFault.Kind)] = [
      (shardEntry(.reserve, lease: lease.id, reservation: 9, campaign: 8), .campaignUnknown),
      (shardEntry(.reserve, -1, lease: lease.id, reservation: 9), .amountNegative),
      (shardEntry(.reserve, lease: 99, reservation: 9), .leaseIsOver),
      (shardEntry(.reserve, lease: lease.id, reservation: 9, at: 2 * hour), .leaseIsOver),
      (shardEntry(.reserve, 221, lease: lease.id, reservation: 9), .leaseOverdrawn),
      (shardEntry(.reserve, lease: lease.id, reservation: 3), .reservationKnown),
      (shardEntry(.reserve, lease: lease.id, reservation: 0), .reservationKnown),
      (shardEntry(.settle, reservation: 9), .reservationNotOpen),
      (shardEntry(.settle, 11, reservation: 1), .reservationDiffers),
      (shardEntry(.release, 9, reservation: 1), .reservationDiffers),
      (shardEntry(.settleLate, reservation: 1), .reservationOpen),
      (shardEntry(.goal, reservation: 1), .reservationOpen),
      (shardEntry(.goal, reservation: 0), .misplaced),
      (shardEntry(.leaseReturn, 219, lease: lease.id), .leaseDiffers),
      (shardEntry(.leaseReturn, 220, lease: 98), .leaseIsOver),
      (shardEntry(.fund), .misplaced), (shardEntry(.lease, lease: 5), .misplaced),
      (shardEntry(.unpaid, reservation: 20), .misplaced), (shardEntry(.opening), .misplaced),
    ]
    for (entry, kind) in cases {
      #expect(throws: LedgerFault(kind: kind, entry: entry)) { try store.accept(entry) }
    }
    #expect(throws: LedgerFault.self) { try store.settle(lease: 98, returned: .zero, at: 0) }
    #expect(store.totals == before && store.openReservations == 3)
  }

  @Test mutating func replayRefusesWhatCannotHaveBeen() throws {
    let lease = try prepare()
    let cases: [(JournalEntry, LedgerFault.Kind)] = [
      (shardEntry(.fund, .min), .budgetOverdrawn), (shardEntry(.fund, -99_751), .budgetOverdrawn),
      (shardEntry(.fund, -100_001), .budgetOverdrawn), (shardEntry(.fund, .max), .overflow),
      (shardEntry(.lease, 99_751, lease: 5), .budgetOverdrawn),
      (shardEntry(.lease, lease: lease.id), .leaseKnown), (shardEntry(.lease), .leaseKnown),
      (shardEntry(.settleLate, 99_751, reservation: 20), .budgetOverdrawn),
      (shardEntry(.opening), .misplaced),
    ]
    for (entry, kind) in cases {
      #expect(throws: LedgerFault(kind: kind, entry: entry)) { try store.replay(entry) }
    }
  }

  @Test mutating func aBudgetIsNeverBelowWhatIsInUse() throws {
    _ = try prepare()
    #expect(store.fund(campaign: 7, to: Micros(249), at: 1) == .refused(committed: Micros(250)))
    #expect(store.fund(campaign: 7, to: Micros(100_000), at: 1) == .unchanged)
    guard case .changed(let less) = store.fund(campaign: 7, to: Micros(250), at: 1) else {
      Issue.record("refused")
      return
    }
    #expect(less.amount == Micros(-99_750) && store.totals(of: 7)?.budget == .zero)
    #expect(store.lease(campaign: 7, holder: 1, quantum: Micros(10), at: 1) == nil)
    guard case .changed = store.fund(campaign: 7, to: Micros(.max), at: 1) else {
      Issue.record("refused")
      return
    }
    #expect(store.totals(of: 7)?.budget == Micros(.max - 250))
  }

  @Test mutating func lateExposuresArePaidWhileThereIsRoom() throws {
    _ = try prepare()
    _ = store.fund(campaign: 7, to: Micros(255), at: 1)
    _ = try store.accept(shardEntry(.release, reservation: 1))
    #expect(try store.accept(shardEntry(.settleLate, reservation: 1)).kind == .settleLate)
    #expect(try store.accept(shardEntry(.settleLate, reservation: 30)).kind == .unpaid)
    #expect(try store.accept(shardEntry(.settleLate, .max, reservation: 31)).kind == .unpaid)
    let totals = try #require(store.totals(of: 7))
    #expect(totals.unpaidExposures == 2 && totals.unpaid == Micros(.max))
    #expect(totals.exposures == 1 && totals.budget == Micros(5))
  }

  @Test mutating func leasesEndWithTheirTime() throws {
    let lease = try prepare()
    #expect(store.reclaim(at: hour - 1, limit: 10) == [])
    let entries = store.reclaim(at: hour, limit: 10)
    #expect(entries.map(\.lease) == [lease.id] && entries.map(\.amount) == [Micros(220)])
    // What the holder reserved in time is still there and can be settled.
    _ = try store.accept(shardEntry(.settle, reservation: 1, at: hour + 5))
    let late = shardEntry(.leaseReturn, 220, lease: lease.id)
    #expect(throws: LedgerFault(kind: .leaseIsOver, entry: late)) { try store.accept(late) }
  }
}

@Suite struct LeaseSizeTests {
  /// However much is asked for and not used, a two-hundredth of the budget at most lies in leases,
  /// but for one exposure per holder; and a holder that uses what it has gets all of the budget.
  @Test(arguments: [(1, 100_000, 10), (8, 10_000_000, 333), (4, 100, 7), (3, 20, 7), (2, 7, 7)])
  func little(holders: Int, budget: Int64, cost: Int64) throws {
    var store = BudgetStore(holders: holders, start: 1)
    _ = store.fund(campaign: 1, to: Micros(budget), at: 0)
    let most = max(budget / 200, Int64(holders) * (2 * cost - 1))
    var held: [Lease?] = Array(repeating: nil, count: holders)
    var reservation: UInt64 = 0
    var random = SplitMix64(seed: 5)
    var idle = 0
    while idle < 50 * holders {
      let holder = Int(random.next() % UInt64(holders))
      if let lease = held[holder], lease.remaining.value >= cost {
        reservation += 1
        var entry = shardEntry(
          .reserve, cost, lease: lease.id, reservation: reservation, campaign: 1)
        entry.expires = 5
        _ = try store.accept(entry)
        held[holder]?.remaining -= Micros(cost)
        idle = 0
      } else {
        if let lease = held[holder] {
          _ = try store.settle(lease: lease.id, returned: lease.remaining, at: 0)
        }
        held[holder] =
          store.lease(campaign: 1, holder: UInt32(holder), quantum: Micros(cost), at: 0)?.lease
        idle += 1
      }
      #expect(store.out(at: 0).leased.value <= most)
    }
    #expect(Int64(reservation) == budget / cost)
  }

  @Test func aHolderHasOneShare() throws {
    var store = BudgetStore(holders: 2, start: 1)
    _ = store.fund(campaign: 1, to: Micros(1_000_000), at: 0)
    for _ in 0..<10 { _ = store.lease(campaign: 1, holder: 0, quantum: Micros(10), at: 0) }
    #expect(store.out(at: 0).leased == Micros(2_500) && store.openLeases == 1)
    #expect(store.lease(campaign: 2, holder: 0, quantum: Micros(10), at: 0) == nil)
    let nothing = store.lease(campaign: 1, holder: 1, quantum: .zero, at: 0)
    #expect(nothing?.lease.amount == .zero)
  }
}

extension BudgetStoreTests {
  /// A share of a small budget is one exposure; whoever reserves ten at once gets ten.
  @Test func aLeaseIsAsLargeAsWhatIsReservedAtOnce() {
    var store = BudgetStore(holders: 2, start: 1)
    _ = store.fund(campaign: 1, to: Micros(500), at: 0)
    let first = store.lease(
      campaign: 1, holder: 0, quantum: Micros(10), wanted: Micros(100), at: 0)
    #expect(first?.lease.amount == Micros(100))
    // A holder that has its share gets what it needs, as far as the budget goes, and no more ahead.
    let second = store.lease(
      campaign: 1, holder: 0, quantum: Micros(10), wanted: Micros(1_000), at: 0)
    #expect(second?.lease.amount == Micros(400))
    #expect(store.lease(campaign: 1, holder: 0, quantum: Micros(10), at: 0) == nil)
    #expect(store.totals(of: 1)?.budget == .zero)
  }
}
