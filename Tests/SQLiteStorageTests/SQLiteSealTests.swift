import CSQLite
import Core
import Foundation
import Ledger
import Testing

@testable import SQLiteStorage

/// Rows that are changed behind the program's back.
@Suite struct SQLiteSealTests {
  let folder = Folder()

  private func allocation(_ low: UInt64, expires: Int64 = 9) -> StoredRecord {
    .allocation(
      StoredAllocation(
        user: 1, requestID: RequestID(high: 0, low: low), digest: RequestID(high: 5, low: 6),
        expires: expires, answer: [7, UInt8(low), UInt8(expires)]))
  }

  private func answer(_ storage: SQLiteStorage, _ low: UInt64) throws -> [UInt8]? {
    try storage.answer(user: 1, requestID: RequestID(high: 0, low: low))
  }

  private func fill() throws {
    let storage = try SQLiteStorage(path: folder.path)
    try storage.commit([
      .note(key: "ledger.start", value: [1]), .note(key: "other", value: [2, 3]),
      .campaign(StoredCampaign(id: "", key: 0, document: "currency: EUR", isPaused: false)),
      .campaign(StoredCampaign(id: "one", key: 9, document: "a text", isPaused: false)),
      allocation(1), allocation(2), allocation(3),
    ])
    try storage.commit((1...20).map { .entry(entry(.reserve, reservation: $0)) })
    var compaction = Compaction()
    (compaction.through, compaction.dropped) = (5, [1...1, 3...3, 5...5])
    compaction.openings = [entry(.opening, reservation: 1)]
    try storage.compact(compaction)
    try storage.commit([
      .note(key: "other", value: [4]),
      .campaign(StoredCampaign(id: "one", key: 9, document: "another", isPaused: true)),
    ])
    try storage.close()
  }

  @Test(
    arguments: [
      ("UPDATE journal SET user = 77 WHERE sequence = 7", "journal entry 7 is not as it was"),
      ("UPDATE journal SET item = 77 WHERE sequence = 4", "journal entry 4 is not as it was"),
      ("UPDATE journal SET at = at - 1 WHERE sequence = 20", "journal entry 20 is not as it was"),
      ("UPDATE journal SET sequence = 21 WHERE sequence = 20", "journal entry 21 is not as it was"),
      ("UPDATE openings SET amount = 1", "an opening of the journal is not as it was"),
      ("DELETE FROM journal WHERE sequence = 20", "1 entries of the journal are missing"),
      ("DELETE FROM journal WHERE sequence > 10", "10 entries of the journal are missing"),
      ("DELETE FROM openings", "1 entries of the journal are missing"),
      (
        "UPDATE journal SET user = 77, seal = NULL WHERE sequence = 7",
        "entries of the journal are not as they were written"
      ),
      ("DELETE FROM campaigns WHERE id = 'one'", "definitions of campaigns are missing"),
      ("UPDATE campaigns SET is_paused = 0 WHERE id = 'one'", "definitions of campaigns are"),
      ("UPDATE campaigns SET document = 'b' WHERE id = ''", "definitions of campaigns are"),
      ("DELETE FROM notes WHERE key = 'other'", "notes are missing, or not as they were"),
      ("UPDATE notes SET value = x'05' WHERE key = 'other'", "notes are missing, or not as"),
      ("UPDATE allocations SET answer = x'060209' WHERE id_low = 2", answer2),
      ("UPDATE allocations SET expires = 8 WHERE id_low = 2", answer2),
      ("UPDATE allocations SET digest_low = 8 WHERE id_low = 2", answer2),
      ("UPDATE allocations SET seal = seal + 1 WHERE id_low = 2", answer2),
      (
        "UPDATE allocations SET answer = x'', seal = NULL WHERE id_low = 2",
        "answers of allocations are missing, or not as they were written"
      ),
      ("DELETE FROM allocations WHERE id_low = 2", "answers of allocations are missing"),
      ("DELETE FROM allocations", "answers of allocations are missing"),
      (
        "INSERT INTO allocations VALUES (9, 1, 0, 9, 0, 0, 9, NULL, x'')",
        "answers of allocations are missing"
      ),
    ])
  func aChangedRowIsNotServed(change: String, reason: String) throws {
    try fill()
    #expect(try entries(SQLiteStorage(path: folder.path)).count == 18)
    folder.run(change)
    let storage = try SQLiteStorage(path: folder.path)
    let error = #expect(throws: StorageError.self) { try entries(storage) }
    #expect(error?.reason.hasPrefix(reason) == true && error?.isDamage == true, "\(error as Any)")
  }

  private static let answer2 =
    "the answer of the allocation with request_id 00000000000000000000000000000002 of user 1 is not"

  /// A start has seen them all; what changes after it shows when it is asked for.
  @Test func anAnswerThatChangesMeanwhileIsNotGiven() throws {
    try fill()
    let storage = try SQLiteStorage(path: folder.path)
    _ = try entries(storage)
    folder.run("UPDATE allocations SET answer = x'060209' WHERE id_low = 2")
    #expect(try answer(storage, 1) == [7, 1, 9])
    let error = #expect(throws: StorageError.self) { try answer(storage, 2) }
    #expect(error?.isDamage == true && error?.reason.hasPrefix(Self.answer2) == true)
    // A reader names it.
    var changed: [String] = []
    _ = try SQLiteReader(path: folder.path).check(begin: { _ in }) {
      record, sequence, isAsWritten in
      if !isAsWritten { changed.append(record.name(sequence)) }
      return true
    }
    #expect(changed.count == 1 && Self.answer2.hasPrefix(changed.first ?? "none"))
  }

  /// The sum follows what replaces an answer that is over, what is taken back, and what goes.
  @Test func theSumOfAnswersIsKept() throws {
    try fill()
    do {
      let storage = try SQLiteStorage(path: folder.path)
      try storage.commit([allocation(2, expires: 20), allocation(4, expires: 21)])
      #expect(try answer(storage, 2) == [7, 2, 20])
      _ = try entries(storage)
    }
    let storage = try SQLiteStorage(path: folder.path)
    _ = try entries(storage)
    #expect(try storage.compact(Compaction(allocationsBefore: 10, allocations: 9)) == 1)
    _ = try entries(storage)
    #expect(try storage.compact(Compaction(allocationsBefore: 99, allocations: 2)) == 2)
    #expect(try entries(storage).count == 18)
    #expect(try answer(storage, 3) == nil)
    #expect(try answer(storage, 4) == [7, 4, 21])
    try storage.close()
    #expect(try entries(SQLiteStorage(path: folder.path)).count == 18)
  }

  /// A folder of a server before answers had seals.
  @Test func theLayoutBeforeSealedAnswersIsTakenOver() throws {
    try fill()
    folder.run(
      """
      ALTER TABLE allocations DROP COLUMN seal; ALTER TABLE state DROP COLUMN allocation_sum;
      DROP INDEX openings_subject; DROP INDEX openings_lease; PRAGMA user_version = 2
      """)
    let found = try SQLiteReader(path: folder.path).check(
      begin: { #expect($0.sums?.allocationSum == nil && $0.sums?.entries == 18) },
      { $2 })
    #expect(found?.entries == 18)
    do {
      let storage = try SQLiteStorage(path: folder.path)
      #expect(storage.isUsed && storage.warning == nil)
      #expect(try entries(storage).count == 18)
      for low in 1...3 as ClosedRange<UInt64> {
        #expect(try answer(storage, low) == [7, UInt8(low), 9])
      }
      // What had no seal is replaced and goes as it came.
      try storage.commit([allocation(2, expires: 20), allocation(4)])
      #expect(try storage.compact(Compaction(allocationsBefore: 10, allocations: 9)) == 1)
      #expect(try entries(storage).count == 18)
      try storage.close()
    }
    // A compaction finds openings by them.
    folder.run("REINDEX openings_subject; REINDEX openings_lease")
    let reader = try SQLiteReader(path: folder.path)
    let sum = try reader.check(begin: { #expect($0.sums?.allocationSum != nil) }, { $2 })
    #expect(sum?.allocationSum != nil)
    folder.run("UPDATE allocations SET answer = x'' WHERE id_low = 3")
    #expect(throws: StorageError.self) { try entries(SQLiteStorage(path: folder.path)) }
  }

  @Test func aReaderTellsWhatThereIsToCheckBy() throws {
    try fill()
    folder.run("UPDATE journal SET user = 77 WHERE sequence = 7")
    let reader = try SQLiteReader(path: folder.path)
    var (kept, changed) = (SQLiteReader.Kept?.none, [Int64]())
    let found = try reader.check(begin: { kept = $0 }) { _, sequence, isAsWritten in
      if !isAsWritten { changed.append(sequence) }
      return true
    }
    #expect(changed == [7] && kept?.compactedThrough == 5 && kept?.mark?.commits == 4)
    let sums = try #require(kept?.sums)
    #expect(sums.commits == 4 && sums.sequence == 20 && sums.entries == 18)
    #expect(found?.difference(from: sums) == "entries of the journal are not as they were written")
    #expect(try reader.check(begin: { _ in }) { _, _, _ in false } == nil)
  }

  /// A folder of a server before there were seals.
  @Test func anEarlierLayoutIsTakenOver() throws {
    try fill()
    folder.run(
      """
      ALTER TABLE journal DROP COLUMN seal; ALTER TABLE openings DROP COLUMN seal;
      ALTER TABLE allocations DROP COLUMN seal; DROP TABLE state; PRAGMA user_version = 1
      """)
    try FileManager.default.removeItem(atPath: folder.path + "/ledger.mark")
    let reader = try SQLiteReader(path: folder.path)
    var count = 0
    let found = try reader.check(begin: { #expect($0.sums == nil && $0.compactedThrough == 5) }) {
      if case .entry = $0 { count += 1 }
      return $2
    }
    #expect(count == 18 && found?.entries == 18)
    do {
      let storage = try SQLiteStorage(path: folder.path)
      #expect(storage.isUsed && storage.warning == nil)
      #expect(try entries(storage).count == 18)
      #expect(try answer(storage, 3) == [7, 3, 9])
      try storage.commit([.entry(entry(.reserve, reservation: 21))])
      // What had no seal goes as it came.
      var compaction = Compaction()
      (compaction.through, compaction.dropped, compaction.ended) = (7, [6...6], [4])
      compaction.openings = [entry(.opening, reservation: 1, amount: 6)]
      try storage.compact(compaction)
      #expect(try entries(storage).map(\.sequence) == [0, 2, 7] + Array(8...21))
      try storage.close()
    }
    #expect(try MarkFile.read(folder.path)?.sequence == 21)
    folder.run("UPDATE journal SET user = 77 WHERE sequence = 8")
    #expect(throws: StorageError.self) { try entries(SQLiteStorage(path: folder.path)) }
  }

  /// As on a medium that cannot be written.
  @Test func aReaderNeedsNoIndexOfItsOwn() throws {
    let storage = try SQLiteStorage(path: folder.path)
    try storage.commit([.entry(entry(.reserve, reservation: 1))])
    try storage.close()
    var count = 0
    try SQLiteReader(path: folder.path, mayWrite: false).recover { _, _ in
      count += 1
      return true
    }
    #expect(count == 1)
    #expect(
      try folder.contents().keys.sorted() == ["ledger.lock", "ledger.mark", "ledger.sqlite"])
    let odd = Folder(named: "a %41?b#c")
    try FileManager.default.copyItem(atPath: folder.path, toPath: odd.path)
    try SQLiteReader(path: odd.path, mayWrite: false).recover { _, _ in true }
    let server = try SQLiteStorage(path: folder.path)
    let error = #expect(throws: StorageError.self) {
      try SQLiteReader(path: folder.path, mayWrite: false)
    }
    #expect(error?.reason.hasPrefix("a server uses it") == true)
    try server.commit([.entry(entry(.reserve, reservation: 2))])
  }
}
