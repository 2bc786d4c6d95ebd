import CSQLite
import Core
import Foundation
import Ledger
import Testing

@testable import SQLiteStorage

/// Rows that are changed behind the program's back.
@Suite struct SQLiteSealTests {
  let folder = Folder()

  private func fill() throws {
    let storage = try SQLiteStorage(path: folder.path)
    try storage.commit([
      .note(key: "ledger.start", value: [1]), .note(key: "other", value: [2, 3]),
      .campaign(StoredCampaign(id: "", key: 0, document: "currency: EUR", isPaused: false)),
      .campaign(StoredCampaign(id: "one", key: 9, document: "a text", isPaused: false)),
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
    ])
  func aChangedRowIsNotServed(change: String, reason: String) throws {
    try fill()
    #expect(try entries(SQLiteStorage(path: folder.path)).count == 18)
    folder.run(change)
    let storage = try SQLiteStorage(path: folder.path)
    let error = #expect(throws: StorageError.self) { try entries(storage) }
    #expect(error?.reason.hasPrefix(reason) == true && error?.isDamage == true, "\(error as Any)")
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
      DROP TABLE state; PRAGMA user_version = 1
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
