import Core
import Foundation
import Ledger
import Testing

@testable import SQLiteStorage

/// A ledger that is less than it was is not taken for one.
@Suite struct SQLiteMarkTests {
  let folder = Folder()

  /// Groups of two entries each: `marked` of them are told of by the mark, all lie in the log.
  private func fill(groups: Int = 12, marked: Int = 9) throws -> SQLiteStorage {
    let storage = try SQLiteStorage(path: folder.path)
    for group in 1...groups {
      let id = UInt64(2 * group)
      try storage.commit([
        .entry(entry(.reserve, reservation: id)), .entry(entry(.reserve, reservation: id + 1)),
      ])
      if group == marked { try storage.mark() }
    }
    return storage
  }

  private func refused(_ folder: Folder, _ reason: String) throws {
    let before = try folder.contents()
    let error = #expect(throws: StorageError.self) { try SQLiteStorage(path: folder.path) }
    #expect(error?.reason.contains(reason) == true, "\(String(describing: error))")
    #expect(error?.operation == "open \(folder.file)" && error?.isDamage == true)
    // As it lay, but for SQLite's index.
    let after = try folder.contents()
    for (name, bytes) in before where !name.hasSuffix("-shm") { #expect(after[name] == bytes) }
  }

  /// As an audit does.
  private func read(_ folder: Folder) throws {
    let reader = try SQLiteReader(path: folder.path)
    var objection: String?
    _ = try reader.check(
      begin: { kept in objection = kept.sums.flatMap { kept.mark?.objection(to: $0) } }
    ) { _, _, _ in true }
    if let objection { throw StorageError(operation: "read", reason: objection) }
  }

  enum Loss: CaseIterable {
    case removed, removedWithLog, emptied, overwritten, logRemoved, logCut
  }

  @Test(arguments: Loss.allCases)
  func whatIsLostIsToldAndLeftAsItIs(loss: Loss) throws {
    let storage = try fill()
    let copy = try folder.copy()
    let files = FileManager.default
    let (log, file) = ("\(copy.path)/ledger.sqlite-wal", copy.file)
    let reason: String
    switch loss {
    case .removed, .removedWithLog:
      try files.removeItem(atPath: file)
      if loss == .removedWithLog { try files.removeItem(atPath: log) }
      reason = "it is missing, and ledger.mark shows that there was a ledger"
    case .emptied:
      try Data().write(to: URL(filePath: file))
      reason = "it is empty"
    case .overwritten:
      try Data(repeating: 7, count: 4_096).write(to: URL(filePath: file))
      reason = "it does not begin as a database does"
    case .logRemoved:
      try files.removeItem(atPath: log)
      reason = "there is nothing in it"
    case .logCut:
      let data = try Data(contentsOf: URL(filePath: log))
      try data.prefix(data.count / 2).write(to: URL(filePath: log))
      reason = "ledger.mark tells of commit 9 and journal entry 18: the end is lost"
    }
    try refused(copy, reason)
    // Twice: a refusal heals nothing.
    try refused(copy, reason)
    #expect(throws: StorageError.self, performing: { try read(copy) })
    try storage.commit([.entry(entry(.reserve, reservation: 1))])
  }

  /// SQLite's recovery ends at the first frame that is not whole, without a word.
  @Test func aByteOfTheLogIsEnough() throws {
    let storage = try fill()
    let whole = try folder.copy()
    var (refusals, rests) = (0, Set<Int>())
    let log = try Data(contentsOf: URL(filePath: "\(whole.path)/ledger.sqlite-wal"))
    for part in 1..<40 {
      let copy = try whole.copy()
      var data = log
      data[data.count * part / 40] ^= 4
      try data.write(to: URL(filePath: "\(copy.path)/ledger.sqlite-wal"))
      try? FileManager.default.removeItem(atPath: "\(copy.path)/ledger.sqlite-shm")
      do {
        rests.insert(try entries(SQLiteStorage(path: copy.path)).count)
      } catch is StorageError {
        refusals += 1
        try FileManager.default.removeItem(atPath: "\(copy.path)/ledger.mark")
        // Whoever accepts it goes on with what there is, and is told.
        guard let rest = try? SQLiteStorage(path: copy.path), rest.isUsed else { continue }
        #expect(rest.warning?.contains("ledger.mark is missing") == true)
        #expect(try entries(rest).count < 18)
      }
    }
    #expect(refusals > 10 && rests.isSubset(of: [18, 20, 22, 24]) && !rests.isEmpty)
    try storage.close()
  }

  /// What a killed process has written is read again, and may be lost yet: only what this process
  /// has committed itself is told of.
  @Test func aMarkIsNotAheadOfWhatIsDurable() throws {
    let storage = try fill(groups: 3, marked: 2)
    let copy = try folder.copy()
    func marked() throws -> Int64? { try MarkFile.read(copy.path)?.commits }
    let again = try SQLiteStorage(path: copy.path)
    try again.mark()
    #expect(try marked() == 2 && again.warning == nil)
    try again.commit([.note(key: "a", value: [1])])
    #expect(try marked() == 2)
    try again.mark()
    #expect(try marked() == 4)
    try storage.close()
  }

  @Test func aStopLeavesOneFile() throws {
    let storage = try fill()
    try storage.close()
    #expect(
      try folder.contents().keys.sorted() == ["ledger.lock", "ledger.mark", "ledger.sqlite"])
    #expect(throws: StorageError.self) { try storage.commit([]) }
    #expect(try MarkFile.read(folder.path)?.sequence == 24)
    #expect(try entries(SQLiteStorage(path: folder.path + "/")).count == 24)
    // An older copy of the file, beside a later mark.
    let older = try folder.copy()
    let next = try SQLiteStorage(path: older.path)
    try next.commit([.note(key: "a", value: [1])])
    try next.close()
    try Data(contentsOf: URL(filePath: folder.file)).write(to: URL(filePath: older.file))
    try refused(older, "it ends with commit 12")
  }

  @Test func aKeyAloneIsNoNewFolder() throws {
    try FileManager.default.createDirectory(
      atPath: folder.path, withIntermediateDirectories: false)
    try Data([1]).write(to: URL(filePath: folder.path + "/token.key"))
    let error = #expect(throws: StorageError.self) {
      try SQLiteStorage(path: folder.path, witnesses: ["token.key"])
    }
    #expect(error?.reason.hasPrefix("it is missing, and token.key shows") == true)
    #expect(!FileManager.default.fileExists(atPath: folder.file))
    #expect(try !SQLiteStorage(path: folder.path).isUsed)
  }

  @Test func anotherLedgerIsRefused() throws {
    try fill().close()
    let other = Folder()
    try SQLiteStorage(path: other.path).close()
    try FileManager.default.removeItem(atPath: other.file)
    try FileManager.default.copyItem(atPath: folder.file, toPath: other.file)
    try refused(other, "it is another ledger than the one that ledger.mark was written beside")
  }

  @Test func aMarkIsReadAsItWasWritten() throws {
    try fill().close()
    let mark = try #require(try MarkFile.read(folder.path))
    #expect(mark.commits == 12 && mark.sequence == 24 && mark.entries == 24)
    let text = try String(contentsOfFile: folder.path + "/ledger.mark", encoding: .utf8)
    #expect(text == mark.text && LedgerMark(text) == mark)
    for damaged in [
      text.replacingOccurrences(of: "commits 12", with: "commits 11"), String(text.dropLast()),
      "", "crescendo ledger mark 1\n", text + " ",
      text.replacingOccurrences(of: "mark 1", with: "mark 2"),
    ] {
      #expect(LedgerMark(damaged) == nil)
      try damaged.write(toFile: folder.path + "/ledger.mark", atomically: false, encoding: .utf8)
      let error = #expect(throws: StorageError.self) { try SQLiteStorage(path: folder.path) }
      #expect(error?.reason.contains("it is damaged") == true)
    }
  }

  @Test func aMarkThatCannotBeWrittenStopsTheLedger() throws {
    let storage = try fill(groups: 1, marked: 0)
    try FileManager.default.createDirectory(
      atPath: folder.path + "/ledger.mark.new", withIntermediateDirectories: false)
    #expect(throws: StorageError.self) { try storage.mark() }
    #expect(throws: StorageError.self) { try storage.commit([.entry(entry(.fund))]) }
  }
}
