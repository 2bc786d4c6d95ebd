import Core
import Testing

@testable import Ledger

@Suite struct CompactionTests {
  static let times = LedgerTimes(reservation: 1_000, lease: 2_000, report: 10_000)
  let storage: FakeStorage

  /// Two leases, of which the first has ended; reservations 1 (settled), 2 (open, of the first
  /// lease), 3 (open), 4 (released); what was given back is leased anew.
  func fill() throws {
    let entries = [
      shardEntry(.fund, 100), shardEntry(.lease, 100, lease: 1),
      shardEntry(.reserve, lease: 1, reservation: 1),
      shardEntry(.reserve, lease: 1, reservation: 2),
      shardEntry(.settle, reservation: 1), shardEntry(.goal, 0, reservation: 1),
      shardEntry(.leaseReturn, 80, lease: 1), shardEntry(.lease, 80, lease: 2),
      shardEntry(.reserve, lease: 2, reservation: 3),
      shardEntry(.reserve, lease: 2, reservation: 4), shardEntry(.release, reservation: 4),
    ]
    var later = [
      shardEntry(.settle, reservation: 2), shardEntry(.settleLate, reservation: 4),
      shardEntry(.goal, 0, reservation: 4), shardEntry(.leaseReturn, 60, lease: 2),
    ]
    for index in later.indices { later[index].at = 990_000 }
    try storage.commit((entries + later).map { .entry($0) })
  }

  func audit() throws -> Audit {
    var audit = Audit()
    try storage.recover { record, sequence in
      guard case .entry(let entry) = record else { return true }
      return audit.add(entry, sequence: sequence)
    }
    return audit
  }

  func plan(limit: Int = 1_000) throws -> Compaction? {
    var planner = CompactionPlanner(times: Self.times, now: 1_000_000, kept: 0, limit: limit)
    try planner.read { visit throws(StorageError) in try storage.recover(visit) }
    return planner.plan(allocationsBefore: 0)
  }

  @Test func sumsStayAndTheAuditIsClean() throws {
    try fill()
    let before = try audit()
    #expect(before.isClean)
    let plan = try #require(try plan())
    #expect(plan.through == 11 && plan.kept == [2, 3])
    let leases = plan.openings.filter { $0.kind == .lease }
    #expect(Set(leases.map(\.lease)) == [1, 2])
    #expect(leases.first { $0.lease == 1 }?.amount == Micros(10))
    #expect(leases.first { $0.lease == 1 }?.item == 1)
    #expect(leases.first { $0.lease == 2 }?.amount == Micros(70))
    try storage.compact(plan)
    let after = try audit()
    #expect(after.finding == nil && after.totals == before.totals)
    #expect(after.beforeCompaction == 1 && after.openReservations == before.openReservations)
    // And again, with what is young by then.
    #expect(try self.plan() == nil)
  }

  @Test func everyCutIsClean() throws {
    for limit in 1...11 {
      let storage = FakeStorage(FakeDisk(seed: 1))
      let tests = CompactionTests(storage: storage)
      try tests.fill()
      let before = try tests.audit()
      var rounds = 0
      while let plan = try tests.plan(limit: limit) {
        try storage.compact(plan)
        let after = try tests.audit()
        #expect(after.finding == nil && after.totals == before.totals, "limit \(limit)")
        rounds += 1
        try #require(rounds < 30)
      }
      #expect(rounds > 0)
      let ledger = try Recovery.recover(
        storage,
        RecoverySetup(
          times: Self.times, shards: 1, shardOf: { _ in 0 },
          reading: LedgerClock.Reading(
            bootMilliseconds: 0, bootID: RequestID(high: 0, low: 0), unixMilliseconds: 0), seed: 1)
      ) { _ in }
      #expect(ledger.store.totals == before.totals && ledger.store.openReservations == 1)
    }
  }

  @Test func theLongestCapKeepsItsEntries() throws {
    try fill()
    var planner = CompactionPlanner(times: Self.times, now: 1_000_000, kept: 1_000_000)
    try planner.read { visit throws(StorageError) in try storage.recover(visit) }
    #expect(planner.plan(allocationsBefore: 0) == nil)
  }

  init() { storage = FakeStorage(FakeDisk(seed: 1)) }

  init(storage: FakeStorage) { self.storage = storage }
}
