import CSQLite
import Core
import Foundation
import Ledger
import Testing

@testable import SQLiteStorage

/// A folder that goes when the test does.
final class Folder {
  let path: String

  init(named name: String = "") {
    path = FileManager.default.temporaryDirectory
      .appending(path: "crescendo-ledger-\(UUID().uuidString)\(name)").path(percentEncoded: false)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  var file: String { "\(path)/ledger.sqlite" }

  /// What a second program may do to the file.
  func run(_ sql: String) {
    var handle: OpaquePointer?
    sqlite3_open(file, &handle)
    #expect(sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK)
    sqlite3_close(handle)
  }

  /// The bytes of each file.
  func contents() throws -> [String: Data] {
    var contents: [String: Data] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: path) {
      contents[name] = try Data(contentsOf: URL(filePath: "\(path)/\(name)"))
    }
    return contents
  }

  /// The files as they are now, somewhere else: what a killed process leaves.
  func copy() throws -> Folder {
    let other = Folder()
    try FileManager.default.createDirectory(atPath: other.path, withIntermediateDirectories: true)
    for name in try FileManager.default.contentsOfDirectory(atPath: path) {
      try FileManager.default.copyItem(
        atPath: "\(path)/\(name)", toPath: "\(other.path)/\(name)")
    }
    return other
  }
}

func entry(
  _ kind: JournalEntry.Kind, reservation: UInt64 = 0, lease: UInt64 = 0, amount: Int64 = 5,
  at: Int64 = 100
) -> JournalEntry {
  var entry = JournalEntry(kind: kind, at: at, campaign: .max - 3, amount: Micros(amount))
  entry.reservation = reservation
  entry.lease = lease
  return entry
}

func records(_ storage: SQLiteStorage) throws -> [StoredRecord] {
  var all: [StoredRecord] = []
  try storage.recover { record, _ in
    all.append(record)
    return true
  }
  return all
}

func entries(_ storage: SQLiteStorage) throws -> [(sequence: Int64, entry: JournalEntry)] {
  var all: [(Int64, JournalEntry)] = []
  try storage.recover { record, sequence in
    if case .entry(let entry) = record { all.append((sequence, entry)) }
    return true
  }
  return all
}

@Suite struct SQLiteStorageTests {
  let folder = Folder()

  @Test func everyRecordComesBackAsItWas() throws {
    var reserve = entry(.reserve, reservation: .max, lease: 1 << 63, amount: .max)
    reserve.user = .max
    reserve.item = 1 << 63
    reserve.artist = -5
    reserve.release = .max
    reserve.expires = .max
    let campaign = StoredCampaign(id: "é-1", key: .max, document: "a: \"b\"\0c", isPaused: true)
    let empty = StoredCampaign(id: "", key: 0, document: "", isPaused: false)
    var allocation = StoredAllocation(
      user: .max, requestID: RequestID(high: .max, low: 0), digest: RequestID(high: 1, low: .max),
      expires: -1, answer: [0, 255, 0])
    let fund = entry(.fund, amount: -.max, at: .min)
    do {
      let storage = try SQLiteStorage(path: folder.path)
      try storage.commit([
        .entry(fund), .allocation(allocation), .campaign(campaign), .note(key: "k", value: []),
        .entry(reserve), .campaign(empty), .note(key: "k", value: [1, 0, 2]),
      ])
      try storage.commit([])
    }
    let storage = try SQLiteStorage(path: folder.path)
    let answer = allocation.answer
    allocation.answer = []
    #expect(
      try records(storage) == [
        .note(key: "k", value: [1, 0, 2]), .campaign(campaign), .campaign(empty),
        .allocation(allocation), .entry(fund), .entry(reserve),
      ])
    #expect(try entries(storage).map(\.sequence) == [1, 2])
    #expect(try storage.answer(user: .max, requestID: allocation.requestID) == answer)
    #expect(try storage.answer(user: 1, requestID: allocation.requestID) == nil)
    allocation.answer = []
    try storage.commit([.allocation(allocation)])
    #expect(try storage.answer(user: .max, requestID: allocation.requestID) == [])
  }

  @Test func recoveryEndsWhenItIsTold() throws {
    let storage = try SQLiteStorage(path: folder.path)
    try storage.commit((1...5).map { .entry(entry(.reserve, reservation: $0)) })
    var seen = 0
    try storage.recover { _, _ in
      seen += 1
      return seen < 3
    }
    #expect(seen == 3)
    try storage.commit([.entry(entry(.reserve, reservation: 6))])
  }

  @Test func oneOwnerAtATime() throws {
    let first = try SQLiteStorage(path: folder.path)
    let error = #expect(throws: StorageError.self) { try SQLiteStorage(path: folder.path) }
    #expect(error?.reason == "another process uses this data")
    try first.commit([.entry(entry(.reserve, reservation: 1))])
  }

  @Test(
    arguments: [
      [(.reserve, 1), (.reserve, 1)], [(.settle, 1), (.settle, 1)], [(.release, 1), (.settle, 1)],
      [(.settle, 1), (.release, 1)], [(.settle, 1), (.settleLate, 1)],
      [(.settle, 1), (.unpaid, 1)],
      [(.release, 1), (.settleLate, 1), (.unpaid, 1)],
      [(.release, 1), (.settleLate, 1), (.settleLate, 1)], [(.goal, 1), (.goal, 1)],
    ] as [[(JournalEntry.Kind, UInt64)]])
  func nothingIsPaidTwice(steps: [(JournalEntry.Kind, UInt64)]) throws {
    let storage = try SQLiteStorage(path: folder.path)
    for (kind, id) in steps.dropLast() {
      try storage.commit([.entry(entry(kind, reservation: id))])
    }
    let (kind, id) = try #require(steps.last)
    #expect(throws: StorageError.self) {
      try storage.commit([
        .entry(entry(.reserve, reservation: 7)), .entry(entry(kind, reservation: id)),
      ])
    }
    // The group is not there at all, and nothing more is taken.
    #expect(throws: StorageError.self) { try storage.commit([]) }
    #expect(throws: StorageError.self) { try entries(storage) }
    let reader = try SQLiteReader(path: folder.path)
    var count = 0
    try reader.recover { _, _ in
      count += 1
      return true
    }
    #expect(count == steps.count - 1)
  }

  @Test func legalEndingsAreTaken() throws {
    let storage = try SQLiteStorage(path: folder.path)
    let endings: [(JournalEntry.Kind, UInt64)] = [
      (.release, 1), (.settleLate, 1), (.goal, 1), (.release, 2), (.unpaid, 2), (.settle, 3),
      (.goal, 3), (.settleLate, 4),
    ]
    try storage.commit(endings.map { .entry(entry($0.0, reservation: $0.1)) })
    try storage.commit((0..<2).map { _ in .entry(entry(.fund)) })
    #expect(try entries(storage).count == 10)
    #expect(throws: StorageError.self) {
      try storage.commit([.entry(entry(.lease, lease: 1)), .entry(entry(.lease, lease: 1))])
    }
  }
}
