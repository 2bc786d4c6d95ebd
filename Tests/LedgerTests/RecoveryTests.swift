import Core
import Testing

@testable import Ledger

@Suite struct RecoveryTests {
  static let times = LedgerTimes(reservation: 1_000, lease: 2_000, report: 10_000)
  let storage = FakeStorage(FakeDisk(seed: 1))

  func recover(
    boot: Int64 = 500, bootLow: UInt64 = 1, unix: Int64 = 0, caps: (CapEvent) -> Void = { _ in }
  ) throws(RecoveryError) -> RecoveredLedger {
    try Recovery.recover(
      storage,
      RecoverySetup(
        times: Self.times, shards: 2, shardOf: { Int($0 % 2) },
        reading: LedgerClock.Reading(
          bootMilliseconds: boot, bootID: RequestID(high: 0, low: bootLow), unixMilliseconds: unix),
        seed: 3), caps: caps)
  }

  func reserve(_ id: UInt64, user: UInt64, at: Int64) -> JournalEntry {
    var entry = shardEntry(.reserve, lease: 1, reservation: id, at: at)
    entry.user = user
    entry.expires = at + 1_000
    return entry
  }

  /// A start, a lease, reservations 1 (open), 2 (settled), 3 (released, then late), 4 (released).
  func fill() throws {
    try storage.commit(try recover().records)
    var lease = shardEntry(.lease, 100, lease: 1)
    lease.expires = 2_000
    var late = shardEntry(.settleLate, reservation: 3, at: 40)
    late.user = 1
    var goal = shardEntry(.goal, 0, reservation: 3, at: 40)
    goal.user = 1
    let entries =
      [shardEntry(.fund, 1_000), lease]
      + [(1, 0), (2, 1), (3, 1), (4, 0)].map { reserve($0.0, user: $0.1, at: 10) }
      + [
        shardEntry(.settle, reservation: 2, at: 20), shardEntry(.release, reservation: 3, at: 30),
        shardEntry(.release, reservation: 4, at: 30), late, goal,
      ]
    try storage.commit(entries.map { .entry($0) })
    for (low, expires) in [(1, 600), (2, 20)] {
      try storage.commit([
        .allocation(
          StoredAllocation(
            user: 1, requestID: RequestID(high: 0, low: UInt64(low)),
            digest: RequestID(high: 0, low: 9), expires: Int64(expires), answer: [1])),
        .note(key: "other", value: [7]),
        .campaign(StoredCampaign(id: "a", key: 7, document: "d", isPaused: false)),
      ])
    }
  }

  func claim(_ id: UInt64, user: UInt64) -> PlacementClaim {
    PlacementClaim(Reservation(reserve(id, user: user, at: 10)))
  }

  @Test func everythingIsThereAgain() throws {
    try fill()
    var caps: [String] = []
    var ledger = try recover(boot: 900) { event in
      switch event {
      case .reserved(let placement, let at): caps.append("+\(placement.user)@\(at)")
      case .released(let placement, let at): caps.append("-\(placement.user)@\(at)")
      case .late(let placement, let at): caps.append("late \(placement.user)@\(at)")
      }
    }
    #expect(caps == ["+0@10", "+1@10", "+1@10", "+0@10", "-1@10", "-0@10", "late 1@40"])
    #expect(ledger.start == 2 && ledger.clock.isSameBoot && ledger.entries == 11)
    #expect(ledger.clock.now(bootMilliseconds: 900) == 400)
    #expect(ledger.notes == ["other": [7]] && ledger.campaigns.map(\.id) == ["a"])
    // The lease has come back.
    #expect(ledger.records.count == 4)
    guard case .entry(let back) = ledger.records[3] else { return }
    #expect(back.kind == .leaseReturn && back.amount == Micros(60) && back.at == 400)
    #expect(ledger.store.totals(of: 7)?.leased == .zero && ledger.store.openLeases == 0)
    try storage.commit(ledger.records)
    #expect(ledger.shards.map(\.openReservations) == [1, 0])
    #expect(ledger.shards[0].nextExpiry == 1_010)
    #expect(ledger.shards[1].settle(claim(2, user: 1), at: 400) == .duplicate)
    #expect(ledger.shards[1].settle(claim(3, user: 1), at: 400) == .duplicate)
    #expect(ledger.shards[1].goal(claim(3, user: 1), at: 400) == .duplicate)
    #expect(ledger.shards[1].goal(claim(2, user: 1), at: 400) == .recorded)
    #expect(ledger.shards[0].settle(claim(4, user: 0), at: 400) == .late)
    guard case .settled = ledger.shards[0].settle(claim(1, user: 0), at: 400) else {
      Issue.record("not settled")
      return
    }
    func begin(_ low: UInt64) -> IdempotencyTable.Outcome {
      ledger.requests[1].begin(
        user: 1, requestID: RequestID(high: 0, low: low), digest: RequestID(high: 0, low: 9),
        at: 400, expires: 1_400)
    }
    #expect(begin(1) == .durable && begin(2) == .new)
    // New ids are above all earlier ones.
    ledger.shards[0].grant(
      Lease(id: 9, campaign: 7, holder: 0, amount: Micros(50), at: 400, expires: 2_400), at: 400)
    guard
      case .reserved(let next) = ledger.shards[0].reserve(
        Placement(user: 0, campaign: 7, amount: Micros(10), item: 1), at: 400)
    else {
      Issue.record("not reserved")
      return
    }
    #expect(next.id == 2 << 40 | 1)
    #expect(try recover(boot: 901).start == 3)
  }

  @Test func onAnotherBootWhatIsOpenHasItsWholeTimeAgain() throws {
    try fill()
    var ledger = try recover(boot: 5, bootLow: 2, unix: 1_000_000)
    #expect(!ledger.clock.isSameBoot && ledger.clock.now(bootMilliseconds: 5) == 1_000_000)
    #expect(ledger.shards[0].nextExpiry == 1_001_000)
    // Its token has expired long ago; it settles all the same, and is known again.
    guard case .settled = ledger.shards[0].settle(claim(1, user: 0), at: 1_000_500) else {
      Issue.record("not settled")
      return
    }
    #expect(ledger.shards[0].settle(claim(1, user: 0), at: 1_000_600) == .duplicate)
    #expect(
      ledger.requests[1].begin(
        user: 1, requestID: RequestID(high: 0, low: 1), digest: RequestID(high: 0, low: 9),
        at: 1_000_900, expires: 0) == .durable)
  }

  /// An answer without placements has no entry: its own time keeps the clock from going back on
  /// another boot, where the wall clock is behind, and its name from being forgotten too early.
  @Test func timeDoesNotGoBackBehindAnAnswerThatPlacedNothing() throws {
    try fill()
    let name = RequestID(high: 0, low: 77)
    let digest = RequestID(high: 0, low: 9)
    try storage.commit([
      .allocation(
        StoredAllocation(user: 1, requestID: name, digest: digest, expires: 9_000, answer: [1]))
    ])
    var ledger = try recover(boot: 5, bootLow: 2, unix: 100)
    #expect(ledger.clock.now(bootMilliseconds: 5) == 8_000)
    let again = ledger.requests[1].begin(
      user: 1, requestID: name, digest: RequestID(high: 0, low: 8), at: 8_999, expires: 9_999)
    #expect(again == .conflict)
  }

  /// Reservations that were longer once do not make the clock leap ahead.
  @Test func theClockDoesNotLeapWhenReservationsGetShorter() throws {
    try fill()
    try storage.commit([
      .note(key: Recovery.timesNote, value: NoteWords.encode([5_000])),
      .allocation(
        StoredAllocation(
          user: 1, requestID: RequestID(high: 0, low: 77), digest: RequestID(high: 0, low: 9),
          expires: 9_000, answer: [1])),
    ])
    var ledger = try recover(boot: 5, bootLow: 2, unix: 100)
    #expect(ledger.clock.now(bootMilliseconds: 5) == 4_000)
    #expect(
      ledger.records.contains(
        .note(key: Recovery.timesNote, value: NoteWords.encode([5_000]))))
  }

  /// What has gone by then was over: a machine that starts anew does not go back to when it was
  /// still wanted, even if nothing else was written so late.
  @Test func theClockIsNoEarlierThanTheLastCompaction() throws {
    try fill()
    var compaction = Compaction(allocationsBefore: 60_000, allocations: 9)
    compaction.time = 70_000
    _ = try storage.compact(compaction)
    var ledger = try recover(boot: 5, bootLow: 2, unix: 100)
    #expect(ledger.clock.now(bootMilliseconds: 5) == 70_000)
    #expect(ledger.notes[Compaction.timeKey] == nil)
    try storage.commit([.note(key: Compaction.timeKey, value: [7])])
    #expect(throws: RecoveryError.note(key: Compaction.timeKey)) { try recover() }
  }

  @Test func aJournalThatCannotBeIsRefused() throws {
    try fill()
    let bad = shardEntry(.lease, 991, lease: 5)
    try storage.commit([.entry(bad)])
    #expect(
      throws: RecoveryError.fault(LedgerFault(kind: .budgetOverdrawn, entry: bad), sequence: 12)
    ) { try recover() }
  }

  @Test func damagedNotesAreRefused() throws {
    try storage.commit([.note(key: Recovery.clockNote, value: [1])])
    #expect(throws: RecoveryError.note(key: Recovery.clockNote)) { try recover() }
    try storage.commit([.note(key: Recovery.timesNote, value: [1, 2])])
    #expect(throws: RecoveryError.note(key: Recovery.timesNote)) { try recover() }
    try storage.commit([.note(key: Recovery.startNote, value: [])])
    #expect(throws: RecoveryError.note(key: Recovery.startNote)) { try recover() }
    let last = NoteWords.encode([UInt64(Limits.ledgerStarts) - 1])
    try storage.commit([.note(key: Recovery.startNote, value: last)])
    #expect(throws: RecoveryError.startedTooOften) { try recover() }
  }
}
