internal import CSQLite
internal import Core
internal import Ledger

/// The connection and the statements of a ledger's owner.
final class SQLiteOwner {
  let connection: SQLiteConnection
  let begin: SQLiteStatement
  let end: SQLiteStatement
  let insertEntry: SQLiteStatement
  let selectAnswer: SQLiteStatement
  let updateSums: SQLiteStatement
  let compacting: SQLiteCompacting
  private let insertAllocation: SQLiteStatement
  private let replaceAllocation: SQLiteStatement
  private let insertCampaign: SQLiteStatement
  private let selectCampaign: SQLiteStatement
  private let insertNote: SQLiteStatement
  private let selectNote: SQLiteStatement
  /// Whether the tables were made just now.
  let wasMade: Bool
  /// Whether the file had an earlier layout.
  let wasUpgraded: Bool

  /// Opens a file, or makes it where that is right.
  init(_ files: LedgerFiles) throws(StorageError) {
    let operation = "open \(files.path)"
    connection = try SQLiteConnection(
      path: files.path, flags: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)
    // Whoever refuses a ledger leaves its log as it is.
    connection.keepsLog = true
    connection.setBusyMilliseconds(Limits.storageBusyMilliseconds)
    try connection.run(
      """
      PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;
      PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;
      PRAGMA wal_autocheckpoint = \(Limits.storageLogPages);
      PRAGMA journal_size_limit = \(2 * Limits.storageLogPages * 4_096);
      """, operation)
    wasMade = try SQLiteSchema.make(connection, files)
    wasUpgraded = try SQLiteSchema.upgrade(connection)
    begin = try connection.prepare("BEGIN IMMEDIATE", "prepare")
    end = try connection.prepare("COMMIT", "prepare")
    insertEntry = try connection.prepare(SQLiteSchema.insertEntry, "prepare")
    insertAllocation = try connection.prepare(SQLiteSchema.insertAllocation, "prepare")
    replaceAllocation = try connection.prepare(SQLiteSchema.replaceAllocation, "prepare")
    insertCampaign = try connection.prepare(SQLiteSchema.insertCampaign, "prepare")
    selectCampaign = try connection.prepare(SQLiteSchema.campaign, "prepare")
    insertNote = try connection.prepare(SQLiteSchema.insertNote, "prepare")
    selectNote = try connection.prepare(SQLiteSchema.note, "prepare")
    selectAnswer = try connection.prepare(
      SQLiteSchema.allocations("WHERE user = ? AND id_high = ? AND id_low = ?"), "prepare")
    updateSums = try connection.prepare(SQLiteSums.update, "prepare")
    compacting = try SQLiteCompacting(connection)
  }

  /// Copies the log into the file and empties it. All that was there is durable then.
  func copyLog() throws(StorageError) {
    let operation = "copy the write-ahead log into the ledger's file"
    guard try connection.number("PRAGMA wal_checkpoint(TRUNCATE)", operation) == 0 else {
      throw StorageError(
        operation: operation, reason: "a reader is at work on it; the next start does it")
    }
  }

  // MARK: Rows

  func insert(
    _ allocation: StoredAllocation, _ sums: inout StoredSums
  ) throws(StorageError) {
    try withBytes(allocation.answer) { answer throws(StorageError) in
      let answer = UnsafeRawBufferPointer(answer)
      let seal = RowSeal.of(allocation, answer: answer)
      sums.allocationSum? &+= seal
      insertAllocation.bind(allocation, seal: seal, answer)
      try insertAllocation.run("write an allocation")
      guard connection.rowsChanged == 0 else { return }
      // One of that name is there, and it is over.
      selectAnswer.bind(name: allocation)
      if try selectAnswer.step("read an allocation") {
        sums.allocationSum? &-= selectAnswer.allocation.seal
      }
      selectAnswer.reset()
      replaceAllocation.bind(allocation, seal: seal, answer)
      try replaceAllocation.run("write an allocation")
    }
  }

  func insert(_ campaign: StoredCampaign, _ sums: inout StoredSums) throws(StorageError) {
    sums.campaignSum &+= RowSeal.of(campaign)
    try withBytes(campaign.id) { id throws(StorageError) in
      selectCampaign.bind(1, text: id)
      if try selectCampaign.step("read a campaign") {
        sums.campaignSum &-= RowSeal.of(selectCampaign.campaign)
      }
      selectCampaign.reset()
      try withBytes(campaign.document) { document throws(StorageError) in
        insertCampaign.bind(1, text: id)
        insertCampaign.bind(2, campaign.key)
        insertCampaign.bind(3, text: document)
        insertCampaign.bind(4, campaign.isPaused ? 1 as Int64 : 0)
        try insertCampaign.run("write a campaign")
      }
    }
  }

  func insertNote(
    _ key: String, _ value: [UInt8], _ sums: inout StoredSums
  ) throws(StorageError) {
    sums.noteSum &+= RowSeal.ofNote(key: key, value: value)
    try withBytes(key) { key throws(StorageError) in
      selectNote.bind(1, text: key)
      if try selectNote.step("read a note") {
        let before = selectNote.note
        sums.noteSum &-= RowSeal.ofNote(key: before.key, value: before.value)
      }
      selectNote.reset()
      try withBytes(value) { value throws(StorageError) in
        insertNote.bind(1, text: key)
        insertNote.bind(2, UnsafeRawBufferPointer(value))
        try insertNote.run("write a note")
      }
    }
  }
}

extension SQLiteStatement {
  /// To the first parameters of whatever looks for it.
  fileprivate func bind(name allocation: StoredAllocation) {
    bind(1, allocation.user)
    bind(2, allocation.requestID.high)
    bind(3, allocation.requestID.low)
  }

  /// To the parameters of `insertAllocation` and `replaceAllocation`.
  fileprivate func bind(
    _ allocation: StoredAllocation, seal: UInt64, _ answer: UnsafeRawBufferPointer
  ) {
    bind(name: allocation)
    bind(4, allocation.digest.high)
    bind(5, allocation.digest.low)
    bind(6, allocation.expires)
    bind(7, seal)
    bind(8, answer)
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
