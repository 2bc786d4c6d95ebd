internal import CSQLite
internal import Ledger

/// `StoredSums` as the one row of the table `state`.
enum SQLiteSums {
  static let table = """
    CREATE TABLE state (
      id INTEGER PRIMARY KEY CHECK (id = 0), ledger INTEGER NOT NULL, commits INTEGER NOT NULL,
      sequence INTEGER NOT NULL, entries INTEGER NOT NULL, entry_sum INTEGER NOT NULL,
      campaign_sum INTEGER NOT NULL, note_sum INTEGER NOT NULL);
    INSERT INTO state VALUES (0, random(), 0, 0, 0, 0, 0, 0);
    """

  static let update = """
    UPDATE state SET commits = ?, sequence = ?, entries = ?, entry_sum = ?, campaign_sum = ?,
      note_sum = ? WHERE id = 0
    """

  static func read(_ connection: SQLiteConnection) throws(StorageError) -> StoredSums {
    let operation = "read the ledger's state"
    let row = try connection.prepare(
      """
      SELECT ledger, commits, sequence, entries, entry_sum, campaign_sum, note_sum FROM state
      WHERE id = 0
      """, operation)
    defer { row.reset() }
    guard try row.step(operation) else {
      throw StorageError(
        operation: operation, reason: "the one row of the table state is missing", isDamage: true)
    }
    var sums = StoredSums(ledger: row.integer(0))
    (sums.commits, sums.sequence, sums.entries) = (row.integer(1), row.integer(2), row.integer(3))
    (sums.entrySum, sums.campaignSum, sums.noteSum) = (row.word(4), row.word(5), row.word(6))
    return sums
  }

  /// Layout 1 had neither seals nor sums: rows of its time are trusted as they are, and counted.
  static func upgrade(_ connection: SQLiteConnection) throws(StorageError) {
    let operation = "bring the ledger's layout up to date"
    try connection.run(
      """
      BEGIN IMMEDIATE; ALTER TABLE journal ADD COLUMN seal INTEGER;
      ALTER TABLE openings ADD COLUMN seal INTEGER; \(SQLiteSchema.openingIndexes) \(table)
      """, operation)
    var sums = try read(connection)
    let last = try connection.number("SELECT max(sequence) FROM journal", operation) ?? 0
    let through = try connection.number("SELECT max(through) FROM compactions", operation) ?? 0
    sums.sequence = max(last, through)
    var tally = RowTally()
    try SQLiteRecords.visitAll(connection, hasSeals: false, &tally) { _, _, _ in true }
    (sums.entries, sums.entrySum) = (tally.sums.entries, tally.sums.entrySum)
    (sums.campaignSum, sums.noteSum) = (tally.sums.campaignSum, tally.sums.noteSum)
    sums.commits = tally.isEmpty && sums.sequence == 0 ? 0 : 1
    let write = try connection.prepare(update, operation)
    write.bind(sums)
    try write.run(operation)
    try connection.run("PRAGMA user_version = \(SQLiteSchema.version); COMMIT", operation)
  }
}

extension SQLiteStatement {
  /// To the parameters of `SQLiteSums.update`.
  func bind(_ sums: StoredSums) {
    bind(1, sums.commits)
    bind(2, sums.sequence)
    bind(3, sums.entries)
    bind(4, sums.entrySum)
    bind(5, sums.campaignSum)
    bind(6, sums.noteSum)
  }
}

/// What the rows come to that were read.
struct RowTally {
  var sums = StoredSums(ledger: 0)
  var isEmpty = true
  /// Whether it was read to the end.
  var isWhole = false
}
