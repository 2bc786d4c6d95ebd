import Core
import Foundation
import Ledger
import Testing

@testable import SQLiteStorage

/// Slices of compactions, on the file.
@Suite struct SQLiteCompactionTests {
  let folder = Folder()

  private func allocation(_ low: UInt64, expires: Int64) -> StoredRecord {
    .allocation(
      StoredAllocation(
        user: 1, requestID: RequestID(high: 0, low: low), digest: RequestID(high: 0, low: 0),
        expires: expires, answer: [UInt8(low)]))
  }

  private func answer(_ storage: SQLiteStorage, _ low: UInt64) throws -> [UInt8]? {
    try storage.answer(user: 1, requestID: RequestID(high: 0, low: low))
  }

  private func fill(_ storage: SQLiteStorage) throws {
    try storage.commit(
      [
        entry(.fund), entry(.lease, lease: 1), entry(.reserve, reservation: 1),
        entry(.reserve, reservation: 2), entry(.settle, reservation: 1),
        entry(.settle, reservation: 2),
      ].map { .entry($0) })
  }

  private func compaction(
    _ through: Int64, dropped: [ClosedRange<Int64>], openings: [JournalEntry] = []
  ) -> Compaction {
    var compaction = Compaction()
    (compaction.through, compaction.dropped) = (through, dropped)
    compaction.openings = openings
    return compaction
  }

  @Test func openingsComeOneByOne() throws {
    let storage = try SQLiteStorage(path: folder.path)
    try fill(storage)
    #expect(try storage.entries(after: 2, limit: 3).map(\.sequence) == [3, 4, 5])
    let (owner, lease) = (entry(.opening, reservation: 0), entry(.lease, lease: 1))
    try storage.compact(compaction(5, dropped: [1...3, 5...5], openings: [owner, lease]))
    var all = try entries(storage)
    #expect(all.map(\.sequence) == [0, 0, 4, 6])
    #expect(all.map(\.entry).prefix(2) == [owner, lease])
    #expect(all.map(\.entry.reservation).suffix(2) == [2, 2])
    // New ones of both kinds, one instead of another, a lease that is no more; and what was kept.
    let (spent, changed) = (entry(.opening, reservation: 4), entry(.opening, amount: 9, at: 101))
    var second = compaction(
      6, dropped: [6...6], openings: [spent, changed, entry(.lease, lease: 2)])
    (second.ended, second.endedLeases) = ([2], [1, 77])
    try storage.compact(second)
    all = try entries(storage)
    #expect(all.map(\.sequence) == [0, 0, 0])
    #expect(all.map(\.entry) == [changed, spent, entry(.lease, lease: 2)])
    // Numbers never come again, even if nothing is left.
    let copy = try folder.copy()
    let reopened = try SQLiteStorage(path: copy.path)
    try reopened.commit([.entry(entry(.fund))])
    #expect(try entries(reopened).map(\.sequence) == [0, 0, 0, 7])
    // A start that begins anew at what is kept says less than what was said before.
    try reopened.compact(compaction(2, dropped: [1...2]))
    let last = try copy.copy()
    let again = try SQLiteStorage(path: last.path)
    try again.commit([.entry(entry(.fund))])
    #expect(try entries(again).map(\.sequence) == [0, 0, 0, 7, 8])
  }

  @Test func itsTimeIsStoredWithIt() throws {
    let storage = try SQLiteStorage(path: folder.path)
    for low in 1...3 as ClosedRange<UInt64> { try storage.commit([allocation(low, expires: 4)]) }
    var compaction = Compaction(allocationsBefore: 5, allocations: 1)
    // The last time nothing goes, and nothing is written.
    for (time, gone) in [(70_000, 1), (80_000, 1), (90_000, 0)] as [(Int64, Int)] {
      compaction.time = time
      #expect(try storage.compact(compaction) == gone)
    }
    try storage.close()
    var found: [StoredRecord] = []
    try SQLiteStorage(path: folder.path).recover { record, _ in
      if case .note = record { found.append(record) }
      return true
    }
    #expect(found == [.note(key: Compaction.timeKey, value: NoteWords.encode([80_000]))])
  }

  @Test func theOldestAllocationsGo() throws {
    let storage = try SQLiteStorage(path: folder.path)
    for (low, expires) in [(1, 10), (2, 11), (3, 20), (4, 15), (5, 12)] {
      try storage.commit([allocation(UInt64(low), expires: Int64(expires))])
    }
    func drop(_ before: Int64, _ limit: Int) throws -> Int {
      try storage.compact(Compaction(allocationsBefore: before, allocations: limit))
    }
    #expect(try drop(9, 9) == 0)
    #expect(try drop(20, 1) == 1)
    #expect(try answer(storage, 1) == nil)
    #expect(try answer(storage, 2) == [2])
    // The fourth ended earlier than the third, but lies behind it: it goes with it.
    #expect(try drop(20, 9) == 1)
    #expect(try answer(storage, 2) == nil)
    #expect(try answer(storage, 4) == [4])
    // The last one stays, whatever it says.
    #expect(try drop(1_000, 9) == 2)
    #expect(try answer(storage, 4) == nil)
    #expect(try answer(storage, 5) == [5])
    #expect(try drop(1_000, 9) == 0)
  }

  /// A file from before openings could be found one by one, as a start used to leave it.
  @Test func anOlderFileIsCompactedOn() throws {
    do {
      let storage = try SQLiteStorage(path: folder.path)
      try fill(storage)
      try storage.compact(
        compaction(2, dropped: [1...2], openings: [entry(.opening), entry(.lease, lease: 1)]))
    }
    folder.run("DROP INDEX openings_subject; DROP INDEX openings_lease")
    let storage = try SQLiteStorage(path: folder.path)
    let spent = entry(.opening, reservation: 4)
    try storage.compact(
      compaction(3, dropped: [3...3], openings: [spent, entry(.lease, lease: 5)]))
    #expect(
      try entries(storage).map(\.entry).prefix(4) == [
        entry(.opening), spent, entry(.lease, lease: 1), entry(.lease, lease: 5),
      ])
  }

  /// What a killed process leaves is a compaction or none.
  @Test func aTornLogHasAWholeCompactionOrNone() throws {
    let storage = try SQLiteStorage(path: folder.path)
    try fill(storage)
    let before = try folder.copy()
    try storage.compact(compaction(3, dropped: [1...3], openings: [entry(.opening)]))
    let after = try folder.copy()
    let log = try Data(contentsOf: URL(filePath: "\(after.path)/ledger.sqlite-wal"))
    let first = try Data(contentsOf: URL(filePath: "\(before.path)/ledger.sqlite-wal")).count
    var found: Set<[Int64]> = []
    for part in 0...20 {
      let torn = try after.copy()
      try log.prefix(first + (log.count - first) * part / 20)
        .write(to: URL(filePath: "\(torn.path)/ledger.sqlite-wal"))
      try? FileManager.default.removeItem(atPath: "\(torn.path)/ledger.sqlite-shm")
      found.insert(try entries(SQLiteStorage(path: torn.path)).map(\.sequence))
    }
    #expect(found == [[1, 2, 3, 4, 5, 6], [0, 4, 5, 6]])
  }
}
