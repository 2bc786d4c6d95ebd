internal import CSQLite
internal import Core
internal import Glibc
package import Ledger

/// Reads a ledger's file and changes nothing, beside a server that uses it or after it.
package final class SQLiteReader {
  /// What is kept beside the rows, as of the same moment.
  package struct Kept: Sendable {
    /// nil = the layout is an earlier one, which kept none.
    package var sums: StoredSums?
    /// Entries up to this sequence were compacted; 0 = none.
    package var compactedThrough: Int64
    /// nil = there is none.
    package var mark: LedgerMark?
  }

  private let connection: SQLiteConnection
  private let mark: LedgerMark?
  /// From 1.
  private let layout: Int64
  /// Of a folder that cannot be written.
  private let lock: LockFile?

  /// - Parameter path: the folder.
  package convenience init(path: String) throws(StorageError) {
    try self.init(path: path, mayWrite: access(path, W_OK) == 0)
  }

  /// - Parameter mayWrite: whether this process may make SQLite's index beside the file.
  init(path: String, mayWrite: Bool) throws(StorageError) {
    guard access(path, F_OK) == 0 else {
      throw StorageError(operation: "open \(path)", reason: String(cString: strerror(errno)))
    }
    // Before the ledger: beside a server that runs it may get old, never be ahead.
    let files = try LedgerFiles(path, witnesses: [])
    mark = files.mark
    try files.check()
    guard access(files.path, F_OK) == 0 else {
      throw StorageError(operation: "open \(files.path)", reason: String(cString: strerror(errno)))
    }
    if mayWrite || files.logBytes > 0 {
      lock = nil
      connection = try SQLiteConnection(path: files.path, flags: SQLITE_OPEN_READONLY)
    } else {
      // Without an index SQLite reads only what nobody changes meanwhile.
      lock = try LockFile(reading: path, name: SQLiteSchema.lockName)
      connection = try SQLiteConnection(
        path: "file:\(Self.escaped(files.path))?immutable=1",
        flags: SQLITE_OPEN_READONLY | SQLITE_OPEN_URI)
    }
    connection.setBusyMilliseconds(Limits.storageBusyMilliseconds)
    do throws(StorageError) {
      try SQLiteSchema.checkIsThere(connection, files)
      layout = try SQLiteSchema.version(of: connection)
    } catch {
      guard !mayWrite, files.logBytes > 0, !error.isDamage else { throw error }
      throw StorageError(
        operation: error.operation,
        reason: "ledger.sqlite-wal is not copied into the file yet, and the folder cannot be "
          + "written: copy all of it to where it can, and read that (\(error.reason))")
    }
  }

  /// Everything as of one moment, as `Storage.recover` gives it.
  package func recover(
    _ visit: (_ record: StoredRecord, _ sequence: Int64) -> Bool
  ) throws(StorageError) {
    _ = try SQLiteRecords.visit(connection, layout: layout) { record, sequence, _ in
      visit(record, sequence)
    }
  }

  /// The same with all that there is to check it by: `begin` comes first; `isAsWritten`: whether an
  /// entry or an allocation has its seal. What the sums of all rows are; nil = it was ended early.
  package func check(
    begin: (Kept) -> Void,
    _ visit: (_ record: StoredRecord, _ sequence: Int64, _ isAsWritten: Bool) -> Bool
  ) throws(StorageError) -> StoredSums? {
    let tally = try SQLiteRecords.visit(
      connection, layout: layout, begin: { () throws(StorageError) in begin(try kept()) }, visit)
    return tally.isWhole ? tally.sums : nil
  }

  private func kept() throws(StorageError) -> Kept {
    let through = try connection.number("SELECT max(through) FROM compactions", "read the ledger")
    let hasSums = layout >= SQLiteSchema.versionWithSums
    return Kept(
      sums: hasSums ? try SQLiteSums.read(connection, layout: layout) : nil,
      compactedThrough: through ?? 0, mark: mark)
  }

  /// A path within a URI.
  private static func escaped(_ path: String) -> String {
    var text = ""
    for byte in path.utf8 {
      let scalar = Unicode.Scalar(byte)
      let isPlain =
        byte < 128
        && (scalar.properties.isAlphabetic || "/-_.0123456789".unicodeScalars.contains(scalar))
      text += isPlain ? String(scalar) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
    return text
  }
}
