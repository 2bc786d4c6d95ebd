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

  func recovered() throws -> RecoveredLedger {
    try Recovery.recover(
      storage,
      RecoverySetup(
        times: Self.times, shards: 1, shardOf: { _ in 0 },
        reading: LedgerClock.Reading(
          bootMilliseconds: 0, bootID: RequestID(high: 0, low: 0), unixMilliseconds: 0), seed: 1)
    ) { _ in }
  }

  /// A slice of what is old at 1,000 s.
  func slice(_ compactor: inout Compactor, rows: Int = 1_000, kept: Int64 = 0) throws
    -> CompactionProgress
  {
    try compactor.compact(
      storage, at: 1_000_000, before: compactor.horizon(at: 1_000_000, kept: kept),
      allocationsBefore: .min, rows: rows)
  }

  @Test func sumsStayAndTheAuditIsClean() throws {
    try fill()
    let before = try audit()
    #expect(before.isClean)
    var compactor = Compactor(times: Self.times)
    let progress = try slice(&compactor)
    // All that was there at the horizon but the two `reserve`s of what was open.
    #expect(progress.entries == 9 && !progress.hasMore)
    #expect(try storage.entries(after: 0, limit: 99).map(\.sequence) == [4, 9, 12, 13, 14, 15])
    let leases = storage.openings.filter { $0.kind == .lease }
    #expect(Set(leases.map(\.lease)) == [1, 2])
    #expect(leases.first { $0.lease == 1 }?.amount == Micros(10))
    #expect(leases.first { $0.lease == 1 }?.item == 1)
    #expect(leases.first { $0.lease == 2 }?.amount == Micros(70))
    let after = try audit()
    #expect(after.finding == nil && after.totals == before.totals)
    #expect(after.beforeCompaction == 1 && after.openReservations == before.openReservations)
    // What is behind the horizon is too young, and nobody reads it again.
    #expect(try slice(&compactor) == CompactionProgress())
  }

  /// Whatever the slices, and whether one compactor makes them all or each begins from what is
  /// stored: every line between them is clean, and they come to the same.
  @Test(arguments: [false, true]) func everyCutIsClean(startsAnew: Bool) throws {
    var ends: [[JournalEntry]] = []
    for rows in 1...24 {
      let storage = FakeStorage(FakeDisk(seed: 1))
      let tests = CompactionTests(storage: storage)
      try tests.fill()
      let before = try tests.audit()
      var compactor = Compactor(times: Self.times)
      var (rounds, hasMore) = (0, true)
      while hasMore {
        if startsAnew, rounds > 0 {
          // One that begins again must get further than what was kept.
          compactor = try tests.recovered().compactor
          hasMore = try tests.slice(&compactor, rows: max(rows, 12)).hasMore
        } else {
          hasMore = try tests.slice(&compactor, rows: rows).hasMore
        }
        let after = try tests.audit()
        #expect(after.finding == nil && after.totals == before.totals, "\(rows) rows")
        let ledger = try tests.recovered()
        #expect(ledger.store.totals == before.totals && ledger.store.openReservations == 1)
        rounds += 1
        try #require(rounds < 30)
      }
      #expect(try storage.entries(after: 0, limit: 99).map(\.sequence) == [4, 9, 12, 13, 14, 15])
      ends.append(
        storage.openings.sorted { ($0.lease, $0.reservation) < ($1.lease, $1.reservation) })
    }
    #expect(Set(ends.map { "\($0)" }).count == 1)
  }

  /// The `reserve` that one slice keeps goes with the slice in which its reservation ends.
  @Test func whatWasKeptGoesWhenItHasEnded() throws {
    try fill()
    let before = try audit()
    var compactor = Compactor(times: Self.times)
    _ = try slice(&compactor)
    let progress = try compactor.compact(
      storage, at: 2_000_000, before: compactor.horizon(at: 2_000_000, kept: 0),
      allocationsBefore: .min, rows: 1_000)
    #expect(progress.entries == 5)
    #expect(try storage.entries(after: 0, limit: 99).map(\.entry.reservation) == [3])
    #expect(storage.openings.filter { $0.kind == .lease }.map(\.lease) == [2])
    let after = try audit()
    #expect(after.finding == nil && after.totals == before.totals)
  }

  /// What follows after a compaction may name what has gone, as long as it may come.
  @Test func lateOnesOfWhatHasGoneAreClean() throws {
    try fill()
    var compactor = Compactor(times: Self.times)
    _ = try slice(&compactor)
    let opening = try #require(storage.openings.first)
    #expect(opening.kind == .opening && opening.expires <= 1_000_000)
    #expect(opening.expires >= 985_000 + Self.times.remembered)
  }

  @Test func theLongestCapKeepsItsEntries() throws {
    try fill()
    var compactor = Compactor(times: Self.times)
    #expect(try slice(&compactor, kept: 1_000_000) == CompactionProgress())
    #expect(try storage.entries(after: 0, limit: 99).count == 15)
  }

  init() { storage = FakeStorage(FakeDisk(seed: 1)) }

  init(storage: FakeStorage) { self.storage = storage }
}
