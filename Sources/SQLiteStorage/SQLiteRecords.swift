internal import Core
internal import Ledger

/// Records as rows.
enum SQLiteRecords {
  /// In the order of `Storage.recover`, as of one moment.
  static func visit(
    _ connection: SQLiteConnection, _ visit: (StoredRecord, Int64) -> Bool
  ) throws(StorageError) {
    let operation = "read the ledger"
    try connection.run("BEGIN", operation)
    do throws(StorageError) {
      try visitAll(connection, operation, visit)
    } catch {
      if connection.isInTransaction { try connection.run("ROLLBACK", operation) }
      throw error
    }
    try connection.run("COMMIT", operation)
  }

  private static func visitAll(
    _ connection: SQLiteConnection, _ operation: String, _ visit: (StoredRecord, Int64) -> Bool
  ) throws(StorageError) {
    guard try visitNotes(connection, operation, visit),
      try visitCampaigns(connection, operation, visit),
      try visitAllocations(connection, operation, visit),
      try visitEntries(connection, "openings", operation, visit)
    else { return }
    _ = try visitEntries(connection, "journal", operation, visit)
  }

  private static func visitNotes(
    _ connection: SQLiteConnection, _ operation: String, _ visit: (StoredRecord, Int64) -> Bool
  ) throws(StorageError) -> Bool {
    let rows = try connection.prepare("SELECT key, value FROM notes", operation)
    defer { rows.reset() }
    while try rows.step(operation) {
      guard visit(.note(key: rows.text(0), value: rows.bytes(1)), 0) else { return false }
    }
    return true
  }

  private static func visitCampaigns(
    _ connection: SQLiteConnection, _ operation: String, _ visit: (StoredRecord, Int64) -> Bool
  ) throws(StorageError) -> Bool {
    let rows = try connection.prepare(
      "SELECT id, key, document, is_paused FROM campaigns ORDER BY rowid", operation)
    defer { rows.reset() }
    while try rows.step(operation) {
      let campaign = StoredCampaign(
        id: rows.text(0), key: rows.word(1), document: rows.text(2),
        isPaused: rows.integer(3) != 0)
      guard visit(.campaign(campaign), 0) else { return false }
    }
    return true
  }

  private static func visitAllocations(
    _ connection: SQLiteConnection, _ operation: String, _ visit: (StoredRecord, Int64) -> Bool
  ) throws(StorageError) -> Bool {
    let rows = try connection.prepare(
      """
      SELECT user, id_high, id_low, digest_high, digest_low, expires FROM allocations
      ORDER BY position
      """, operation)
    defer { rows.reset() }
    while try rows.step(operation) {
      let allocation = StoredAllocation(
        user: rows.word(0), requestID: RequestID(high: rows.word(1), low: rows.word(2)),
        digest: RequestID(high: rows.word(3), low: rows.word(4)), expires: rows.integer(5),
        answer: [])
      guard visit(.allocation(allocation), 0) else { return false }
    }
    return true
  }

  private static func visitEntries(
    _ connection: SQLiteConnection, _ table: String, _ operation: String,
    _ visit: (StoredRecord, Int64) -> Bool
  ) throws(StorageError) -> Bool {
    let rows = try connection.prepare(select(table), operation)
    defer { rows.reset() }
    let isJournal = table == "journal"
    while try rows.step(operation) {
      let entry = try rows.entry(table, operation)
      guard visit(.entry(entry), isJournal ? rows.integer(0) : 0) else { return false }
    }
    return true
  }

  /// Of the openings, those of accounts come first; leases in the order in which they end, so that
  /// each has its place at the end of the line.
  static func select(_ table: String, where condition: String = "true") -> String {
    let isJournal = table == "journal"
    return """
      SELECT \(isJournal ? "sequence" : "position"), kind, at, campaign, amount, lease, reservation,
        user, item, artist, release, expires FROM \(table) WHERE \(condition)
      ORDER BY \(isJournal ? "sequence" : "kind DESC, expires, position")
      """
  }
}

extension SQLiteStatement {
  /// To the parameters of `insertEntry` and `insertOpening`.
  func bind(_ entry: JournalEntry, at position: Int64) {
    bind(1, position)
    bind(2, Int64(entry.kind.rawValue))
    bind(3, entry.at)
    bind(4, entry.campaign)
    bind(5, entry.amount.value)
    bind(6, entry.lease)
    bind(7, entry.reservation)
    bind(8, entry.user)
    bind(9, entry.item)
    if entry.artist == .min { bindNull(10) } else { bind(10, entry.artist) }
    if entry.release == .min { bindNull(11) } else { bind(11, entry.release) }
    bind(12, entry.expires)
  }

  /// Of a row of `SQLiteRecords.select`.
  func entry(_ table: String, _ operation: String) throws(StorageError) -> JournalEntry {
    guard let kind = UInt8(exactly: integer(1)).flatMap(JournalEntry.Kind.init) else {
      throw StorageError(
        operation: operation,
        reason: "\(table), row \(integer(0)): \(integer(1)) is no kind of entry")
    }
    var entry = JournalEntry(
      kind: kind, at: integer(2), campaign: word(3), amount: Micros(integer(4)))
    entry.lease = word(5)
    entry.reservation = word(6)
    entry.user = word(7)
    entry.item = word(8)
    entry.artist = isNull(9) ? .min : integer(9)
    entry.release = isNull(10) ? .min : integer(10)
    entry.expires = integer(11)
    return entry
  }
}
