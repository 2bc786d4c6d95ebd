import Core
import Testing

@testable import Ledger

/// What is about more than one entry.
@Suite struct AuditBooksTests {
  /// Of start 3: a budget of 100, and reservation 1 settled.
  static let entries: [JournalEntry] = [
    shardEntry(.fund, 100), shardEntry(.lease, 50, lease: 3 << 40 | 1),
    shardEntry(.reserve, lease: 3 << 40 | 1, reservation: 3 << 40 | 1, at: 10),
    shardEntry(.settle, reservation: 3 << 40 | 1, at: 20),
    shardEntry(.goal, 0, reservation: 3 << 40 | 1, at: 20),
  ]

  static let records: [StoredRecord] = [
    .note(key: Recovery.startNote, value: NoteWords.encode([3])),
    .note(key: Recovery.clockNote, value: [1]), .note(key: Recovery.timesNote, value: [1]),
    .campaign(StoredCampaign(id: "", key: 0, document: "", isPaused: false)),
    .campaign(StoredCampaign(id: "one", key: 7, document: "", isPaused: false)),
  ]

  func audit(
    _ records: [StoredRecord] = records, _ entries: [(Int64, JournalEntry)]? = nil,
    through: Int64 = 0, budget: Int64 = 100, last: Int64 = 5
  ) -> Audit {
    var audit = Audit(compactedThrough: through)
    for record in records { audit.add(record) }
    let all = entries ?? Self.entries.enumerated().map { (Int64($0.offset + 1), $0.element) }
    for (sequence, entry) in all { audit.add(entry, sequence: sequence) }
    var kept = StoredSums(ledger: 1)
    kept.sequence = last
    audit.finish(Audit.Books(kept: kept, budgets: [7: Micros(budget)]))
    return audit
  }

  @Test func whatAgreesIsClean() {
    #expect(audit().finding == nil)
  }

  @Test func holesAreSeen() {
    let all = Self.entries.enumerated().map { (Int64($0.offset + 1), $0.element) }
    func finding(
      _ entries: [(Int64, JournalEntry)], through: Int64 = 0, last: Int64 = 5
    ) -> String? {
      audit(Self.records, entries, through: through, last: last).finding?.reason
    }
    #expect(
      finding(Array(all.dropLast())) == "the journal ends with entry 4, and 5 was written")
    #expect(finding(all, last: 9) == "the journal ends with entry 5, and 9 was written")
    let moved = all.map { ($0.0 < 3 ? $0.0 : $0.0 + 1, $0.1) }
    #expect(finding(moved, last: 6) == "entry 3 before it is missing")
    let far = all.map { ($0.0 < 3 ? $0.0 : $0.0 + 4, $0.1) }
    #expect(finding(far, last: 9) == "entries 3 to 6 before it are missing")
    // Up to a compaction there are holes, and nothing but reserves.
    let compacted: [(Int64, JournalEntry)] = [(0, all[0].1), (0, all[1].1), (2, all[2].1)]
    #expect(finding(compacted + [(5, all[3].1)], through: 4) == nil)
    #expect(
      finding(compacted + [(6, all[3].1)], through: 4, last: 6) == "entry 5 before it is missing")
    #expect(
      finding(compacted + [(4, all[3].1)], through: 4, last: 4)
        == "it was compacted, and is there")
    #expect(
      finding(compacted, through: 4) == "the journal ends with entry 4, and 5 was written")
  }

  @Test func whatFollowsAReservationIsOfItsUserItemAndTime() {
    func finding(_ change: (inout JournalEntry) -> Void) -> String? {
      var entries = Self.entries.enumerated().map { (Int64($0.offset + 1), $0.element) }
      change(&entries[4].1)
      return audit(Self.records, entries).finding?.reason
    }
    #expect(finding { $0.user = 4 } == "it was reserved for user 3")
    #expect(finding { $0.item = 4 } == "it was reserved for item 0")
    #expect(finding { $0.at = 19 } == "it is older than what it follows")
  }

  @Test func definitionsAndMoneyAgree() {
    #expect(
      audit(budget: 99).finding?.reason
        == "campaign one: its definition has a budget of 0.000099, and the journal funded it with "
        + "0.0001")
    #expect(
      audit(Array(Self.records.dropLast())).finding?.reason
        == "the campaign with key 0x7 has money in the journal, and no definition")
    let policy = Self.records.filter { $0 != Self.records[3] }
    #expect(audit(policy).finding?.reason == "campaigns are stored without their policy")
    let two = StoredCampaign(id: "two", key: 8, document: "", isPaused: false)
    #expect(
      audit(Self.records + [.campaign(two)]).finding?.reason
        == "campaign two: it has a definition, and no account in the journal")
    let same = StoredCampaign(id: "two", key: 7, document: "", isPaused: false)
    #expect(
      audit(Self.records + [.campaign(same)]).finding?.reason
        == "the campaigns one and two have one key")
  }

  @Test func notesAreThere() {
    for at in 0..<3 {
      var records = Self.records
      guard case .note(let key, _) = records.remove(at: at) else { return }
      #expect(audit(records).finding?.reason == "the note \(key) is missing")
    }
    let earlier = StoredRecord.note(key: Recovery.startNote, value: NoteWords.encode([2]))
    #expect(
      audit(Self.records + [earlier]).finding?.reason
        == "the note ledger.start tells of 2 starts, and the journal has ids of start 3")
  }

  @Test func aSealThatDiffersIsAFinding() {
    var audit = Audit(compactedThrough: 0)
    let isClean = [
      audit.add(Self.entries[0], sequence: 1),
      audit.add(Self.entries[1], sequence: 2, isAsWritten: false),
    ]
    #expect(isClean == [true, false])
    #expect(
      audit.finding?.text { $0 == 7 ? "spring" : "?" }
        == "entry 2 (lease of 0.00005, campaign spring, lease 3298534883329, reservation 0): "
        + "it is not as it was written: its seal is another one")
  }

  @Test func anAnswerWhoseSealDiffersIsAFinding() {
    let answer = StoredRecord.allocation(
      StoredAllocation(
        user: 9, requestID: RequestID(high: 0xAB << 56, low: 1), digest: RequestID(high: 0, low: 0),
        expires: 0, answer: []))
    var audit = Audit(compactedThrough: 0)
    audit.add(answer)
    #expect(audit.isClean)
    audit.add(answer, isAsWritten: false)
    #expect(
      audit.finding?.reason
        == "the answer of the allocation with request_id ab000000000000000000000000000001 of user "
        + "9: it is not as it was written: its seal is another one")
    let goesOn = audit.add(Self.entries[0], sequence: 1)
    #expect(!goesOn)
  }

  @Test func aSumOfAnswersThatWasKeptIsCompared() {
    var (kept, found) = (StoredSums(ledger: 1), StoredSums(ledger: 1))
    kept.allocationSum = 5
    #expect(
      found.difference(from: kept)
        == "answers of allocations are missing, or not as they were written")
    found.allocationSum = 5
    #expect(found.difference(from: kept) == nil)
    found.allocationSum = 6
    kept.allocationSum = nil
    #expect(found.difference(from: kept) == nil)
  }

  /// Whatever is changed in a row, its seal is another one.
  @Test func everyFieldCounts() {
    let first = Self.entries[2]
    var seals: Set = [RowSeal.of(first, place: 3), RowSeal.of(first, place: -4)]
    func add(_ change: (inout JournalEntry) -> Void) {
      var entry = first
      change(&entry)
      seals.insert(RowSeal.of(entry, place: 3))
    }
    add { $0.kind = .settle }
    add { $0.at += 1 }
    add { $0.campaign += 1 }
    add { $0.amount.value += 1 }
    add { $0.lease += 1 }
    add { $0.reservation += 1 }
    add { $0.user += 1 }
    add { $0.item += 1 }
    add { $0.artist = 1 }
    add { $0.release = 1 }
    add { $0.expires += 1 }
    let answer = StoredAllocation(
      user: 1, requestID: RequestID(high: 2, low: 3), digest: RequestID(high: 4, low: 5),
      expires: 6, answer: [1, 2, 3, 4, 5, 6, 7, 8, 9])
    func addAnswer(_ change: (inout StoredAllocation) -> Void) {
      var other = answer
      change(&other)
      seals.insert(RowSeal.of(other))
    }
    addAnswer { _ in }
    addAnswer { $0.user += 1 }
    addAnswer { $0.requestID.high += 1 }
    addAnswer { $0.requestID.low += 1 }
    addAnswer { $0.digest.high += 1 }
    addAnswer { $0.digest.low += 1 }
    addAnswer { $0.expires += 1 }
    addAnswer { $0.answer[0] ^= 1 }
    addAnswer { $0.answer[8] ^= 1 }
    addAnswer { $0.answer.removeLast() }
    addAnswer { $0.answer = [] }
    for (key, value) in [
      ("a", [1, 2]), ("b", [1, 2]), ("a", [2, 1]), ("a", [1]), ("a", [1, 2, 0]),
    ] {
      seals.insert(RowSeal.ofNote(key: key, value: value.map { UInt8($0) }))
    }
    for (id, document, isPaused) in [
      ("a", "b", true), ("a", "b", false), ("ab", "", true), ("", "ab", true),
    ] {
      seals.insert(
        RowSeal.of(StoredCampaign(id: id, key: 1, document: document, isPaused: isPaused)))
    }
    #expect(seals.count == 33)
  }
}
