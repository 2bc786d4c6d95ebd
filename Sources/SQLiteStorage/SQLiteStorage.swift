internal import CSQLite
internal import Core
package import Ledger

/// The ledger's storage in one SQLite file: write-ahead log, synced at each commit. It belongs to
/// whoever holds the lock file; readers (`SQLiteReader`) may look on meanwhile. One thread at a
/// time.
package final class SQLiteStorage: Storage {
  private let lock: LockFile
  let connection: SQLiteConnection
  private let begin: SQLiteStatement
  private let end: SQLiteStatement
  private let insertEntry: SQLiteStatement
  private let insertAllocation: SQLiteStatement
  private let insertCampaign: SQLiteStatement
  private let insertNote: SQLiteStatement
  private let selectAnswer: SQLiteStatement
  private var nextSequence: Int64
  /// Of the first compaction on.
  var compacting: SQLiteCompacting?
  /// What made this unusable.
  private var failure: StorageError?

  /// - Parameter path: a folder; it is made if it is not there, for its owner alone.
  package init(path: String) throws(StorageError) {
    lock = try LockFile(folder: path, name: SQLiteSchema.lockName)
    let file = "\(path)/\(SQLiteSchema.fileName)"
    connection = try SQLiteConnection(
      path: file, flags: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)
    connection.setBusyMilliseconds(Limits.storageBusyMilliseconds)
    try connection.run(
      """
      PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;
      PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;
      PRAGMA wal_autocheckpoint = \(Limits.storageLogPages);
      PRAGMA journal_size_limit = \(2 * Limits.storageLogPages * 4_096);
      """, "open \(file)")
    try SQLiteSchema.check(connection, mayMake: true)
    try connection.run(SQLiteSchema.openingIndexes, "open \(file)")
    begin = try connection.prepare("BEGIN IMMEDIATE", "prepare")
    end = try connection.prepare("COMMIT", "prepare")
    insertEntry = try connection.prepare(SQLiteSchema.insertEntry, "prepare")
    insertAllocation = try connection.prepare(SQLiteSchema.insertAllocation, "prepare")
    insertCampaign = try connection.prepare(SQLiteSchema.insertCampaign, "prepare")
    insertNote = try connection.prepare(SQLiteSchema.insertNote, "prepare")
    selectAnswer = try connection.prepare(SQLiteSchema.answer, "prepare")
    let last = try connection.number("SELECT max(sequence) FROM journal", "open \(file)") ?? 0
    let through = try connection.number("SELECT max(through) FROM compactions", "open \(file)")
    nextSequence = max(last, through ?? 0) + 1
  }

  package func commit(_ records: [StoredRecord]) throws(StorageError) {
    try transaction { () throws(StorageError) in
      for record in records { try insert(record) }
    }
  }

  package func recover(
    _ visit: (_ record: StoredRecord, _ sequence: Int64) -> Bool
  ) throws(StorageError) {
    try usable()
    try SQLiteRecords.visit(connection, visit)
  }

  package func answer(user: UInt64, requestID: RequestID) throws(StorageError) -> [UInt8]? {
    try usable()
    selectAnswer.bind(1, user)
    selectAnswer.bind(2, requestID.high)
    selectAnswer.bind(3, requestID.low)
    defer { selectAnswer.reset() }
    return try selectAnswer.step("read an answer") ? selectAnswer.bytes(0) : nil
  }

  // MARK: Transactions

  func usable() throws(StorageError) {
    if let failure {
      throw StorageError(operation: "use the ledger after an error", reason: failure.description)
    }
  }

  func transaction(_ body: () throws(StorageError) -> Void) throws(StorageError) {
    try usable()
    let sequence = nextSequence
    do throws(StorageError) {
      try begin.run("begin")
      try body()
      try end.run("commit")
    } catch {
      nextSequence = sequence
      failure = error
      if connection.isInTransaction {
        do throws(StorageError) {
          try connection.run("ROLLBACK", "roll back")
        } catch let second {
          failure = StorageError(
            operation: error.operation, reason: "\(error.reason); \(second)")
        }
      }
      throw failure ?? error
    }
  }

  private func insert(_ record: StoredRecord) throws(StorageError) {
    switch record {
    case .entry(let entry):
      insertEntry.bind(entry, at: nextSequence)
      try insertEntry.run("write a journal entry")
      nextSequence += 1
    case .allocation(let allocation): try insert(allocation)
    case .campaign(let campaign): try insert(campaign)
    case .note(let key, let value):
      try withBytes(key) { key throws(StorageError) in
        try withBytes(value) { value throws(StorageError) in
          insertNote.bind(1, text: key)
          insertNote.bind(2, UnsafeRawBufferPointer(value))
          try insertNote.run("write a note")
        }
      }
    }
  }

  private func insert(_ allocation: StoredAllocation) throws(StorageError) {
    try withBytes(allocation.answer) { answer throws(StorageError) in
      insertAllocation.bind(1, allocation.user)
      insertAllocation.bind(2, allocation.requestID.high)
      insertAllocation.bind(3, allocation.requestID.low)
      insertAllocation.bind(4, allocation.digest.high)
      insertAllocation.bind(5, allocation.digest.low)
      insertAllocation.bind(6, allocation.expires)
      insertAllocation.bind(7, UnsafeRawBufferPointer(answer))
      try insertAllocation.run("write an allocation")
    }
  }

  private func insert(_ campaign: StoredCampaign) throws(StorageError) {
    try withBytes(campaign.id) { id throws(StorageError) in
      try withBytes(campaign.document) { document throws(StorageError) in
        insertCampaign.bind(1, text: id)
        insertCampaign.bind(2, campaign.key)
        insertCampaign.bind(3, text: document)
        insertCampaign.bind(4, campaign.isPaused ? 1 as Int64 : 0)
        try insertCampaign.run("write a campaign")
      }
    }
  }
}

/// The bytes of an array, for as long as the closure runs.
private func withBytes(
  _ bytes: [UInt8], _ body: (UnsafeBufferPointer<UInt8>) throws(StorageError) -> Void
) throws(StorageError) {
  try bytes.withUnsafeBufferPointer(body)
}

private func withBytes(
  _ text: String, _ body: (UnsafeBufferPointer<UInt8>) throws(StorageError) -> Void
) throws(StorageError) {
  try withBytes(Array(text.utf8), body)
}
