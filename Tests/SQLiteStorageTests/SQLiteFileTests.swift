import Core
import Foundation
import Ledger
import Testing

@testable import SQLiteStorage

/// What can be wrong with the file, or happen to it.
@Suite struct SQLiteFileTests {
  let folder = Folder()

  private func make() throws {
    let storage = try SQLiteStorage(path: folder.path)
    for id in UInt64(1)...2_000 { try commit(storage, id) }
    try storage.close()
  }

  private func commit(_ storage: SQLiteStorage, _ id: UInt64) throws {
    // Most of the time goes into syncing: many entries, few groups.
    guard id % 500 == 0 else { return }
    try storage.commit((id - 499...id).map { .entry(entry(.reserve, reservation: $0)) })
  }

  @Test func aKilledProcessLosesNothing() throws {
    let storage = try SQLiteStorage(path: folder.path)
    for id in UInt64(1)...20 {
      try storage.commit([
        .entry(entry(.reserve, reservation: 2 * id)),
        .entry(entry(.reserve, reservation: 2 * id + 1)),
      ])
      let copy = try folder.copy()
      #expect(try entries(SQLiteStorage(path: copy.path)).count == 2 * Int(id))
    }
  }

  /// Whatever part of the log was written, whole groups come back, and in order.
  @Test func aTornLogIsCutAtAGroup() throws {
    let storage = try SQLiteStorage(path: folder.path)
    for id in UInt64(1)...12 {
      try storage.commit([
        .entry(entry(.reserve, reservation: 2 * id)),
        .entry(entry(.reserve, reservation: 2 * id + 1)),
      ])
    }
    let whole = try folder.copy()
    let log = try Data(contentsOf: URL(filePath: "\(whole.path)/ledger.sqlite-wal"))
    var counts: Set<Int> = []
    for part in 0...40 {
      let torn = try whole.copy()
      try log.prefix(log.count * part / 40)
        .write(to: URL(filePath: "\(torn.path)/ledger.sqlite-wal"))
      try? FileManager.default.removeItem(atPath: "\(torn.path)/ledger.sqlite-shm")
      // Before the tables are in the log there is no ledger, and without its mark it is made anew.
      try FileManager.default.removeItem(atPath: "\(torn.path)/ledger.mark")
      let found = try entries(SQLiteStorage(path: torn.path))
      #expect(found.count % 2 == 0)
      #expect(found.map(\.entry.reservation) == (0..<found.count).map { UInt64($0) + 2 })
      counts.insert(found.count)
    }
    #expect(counts.count > 6 && counts.contains(24))
  }

  @Test func aReaderLooksOnMeanwhile() throws {
    let storage = try SQLiteStorage(path: folder.path)
    try storage.commit([.entry(entry(.reserve, reservation: 1))])
    let reader = try SQLiteReader(path: folder.path)
    var seen: [UInt64] = []
    try reader.recover { record, _ in
      if case .entry(let entry) = record { seen.append(entry.reservation) }
      // The writer goes on, and this reader sees one moment.
      try? storage.commit([.entry(entry(.reserve, reservation: 10 + UInt64(seen.count)))])
      return true
    }
    #expect(seen == [1])
    #expect(try entries(storage).count == 2)
    var count = 0
    try reader.recover { _, _ in
      count += 1
      return true
    }
    #expect(count == 2)
  }

  @Test func aStoppedServersDataCanBeRead() throws {
    try make()
    var count = 0
    try SQLiteReader(path: folder.path).recover { _, _ in
      count += 1
      return true
    }
    #expect(count == 2_000)
  }

  @Test func aReaderMakesNothing() throws {
    #expect(throws: StorageError.self) { try SQLiteReader(path: folder.path) }
    #expect(!FileManager.default.fileExists(atPath: folder.path))
    try FileManager.default.createDirectory(
      atPath: folder.path, withIntermediateDirectories: false)
    try Data().write(to: URL(filePath: folder.file))
    #expect(throws: StorageError.self) { try SQLiteReader(path: folder.path) }
  }

  @Test func otherFilesAreRefused() throws {
    try FileManager.default.createDirectory(
      atPath: folder.path, withIntermediateDirectories: false)
    try Data(repeating: 65, count: 8_192).write(to: URL(filePath: folder.file))
    let error = #expect(throws: StorageError.self) { try SQLiteStorage(path: folder.path) }
    #expect(error?.reason.contains("not a database") == true)
    try FileManager.default.removeItem(atPath: folder.file)
    folder.run("CREATE TABLE a (b)")
    let other = #expect(throws: StorageError.self) { try SQLiteStorage(path: folder.path) }
    #expect(other?.reason == "the file is not a ledger's")
  }

  @Test func aLaterLayoutIsRefused() throws {
    try make()
    folder.run("PRAGMA user_version = 4")
    let error = #expect(throws: StorageError.self) { try SQLiteStorage(path: folder.path) }
    #expect(error?.reason == "its layout has version 4, and this program knows 3")
    #expect(throws: StorageError.self) { try SQLiteReader(path: folder.path) }
  }

  @Test func aDamagedFileIsToldAndNotServed() throws {
    try make()
    let url = URL(filePath: folder.file)
    var data = try Data(contentsOf: url)
    #expect(data.count > 20 * 4_096)
    for page in 12..<(data.count / 4_096) {
      data.replaceSubrange(
        (page * 4_096)..<(page * 4_096 + 64), with: Data(repeating: 255, count: 64))
    }
    try data.write(to: url)
    let error = #expect(throws: StorageError.self) {
      let storage = try SQLiteStorage(path: folder.path)
      _ = try entries(storage)
    }
    #expect(error?.reason.contains("malformed") == true)
  }

  @Test func anUnknownKindIsTold() throws {
    try make()
    folder.run("UPDATE journal SET kind = 77 WHERE sequence = 1234")
    let storage = try SQLiteStorage(path: folder.path)
    let error = #expect(throws: StorageError.self) { try entries(storage) }
    #expect(error?.reason == "journal, row 1234: 77 is no kind of entry")
  }

  @Test func aPathThatIsNoFolderIsRefused() throws {
    try Data().write(to: URL(filePath: folder.path))
    let error = #expect(throws: StorageError.self) { try SQLiteStorage(path: folder.path) }
    #expect(error?.reason == "Not a directory")
    let deep = #expect(throws: StorageError.self) { try SQLiteStorage(path: "/nowhere/at/all") }
    #expect(deep?.operation == "make /nowhere/at/all")
  }
}
